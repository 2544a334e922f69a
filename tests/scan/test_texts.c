#include "detecting.h"

#include "base/fault.h"
#include "match/like.h"
#include "match/regex.h"
#include "scan/texts.h"

#include <unistd.h>

static const char *const likes[] = {"%a%", "a%",  "%b.c", "_b%c", "%\303\251", "x%y%z",
                                    "%",   "a_c", "",     "%%a",  "%.exe",     "C:%ab%"};
static const char *const expressions[] = {"a.c",      "^b+$",     "(?i)ABC",     "c(?=d)",
                                          "(a)\\\\1", "a++b",     "\\\\bx\\\\b", "[^a-c]",
                                          "\303\251", "\\\\.exe$"};
static const char *const values[] = {
    "a",   "abc", "b.c", "xb.c",      "caf\303\251", "xayaz",    "aa",  "ABC", "cd",
    "aab", "x y", "bbb", "e\314\201", "d.exe",       "C:\\\\ab", "aXc", ""};
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static struct ruleset *some_rules(void)
{
    CLEANUP(ruleset_builder_free) struct ruleset_builder *builder = NULL;
    CLEANUP(buf_free) struct buf text = BUF(4096);
    struct rules_choice plain = {.now_us = NOW_US};
    struct ruleset *set = NULL;
    struct diag diag = {0};

    assert_true(succeeded(crypto_start(NULL)));
    assert_true(succeeded(ruleset_builder_new(&plain, &builder, NULL)));
    for (size_t i = 0; i < COUNT(likes) + COUNT(expressions); i++) {
        buf_reset(&text);
        if (i < COUNT(likes))
            buf_printf(&text, "[file:name LIKE '%s']", likes[i]);
        else
            buf_printf(&text, "[file:name MATCHES '%s']", expressions[i - COUNT(likes)]);
        if (failed(rules_add_pattern(builder, SLICE("test"), buf_slice(&text), &diag)))
            fail_msg("%.*s: %s", (int)text.len, text.at, diag.text);
    }
    assert_true(succeeded(ruleset_build(builder, &set, &diag)));
    return set;
}

static void part_note(void *context, uint32_t part)
{
    ((bool *)context)[part] = true;
}

/* Parts stand in the order of the rules: first the LIKEs, then the MATCHES. */
static void parts_check(const struct ruleset *set)
{
    CLEANUP(text_scratch_free) struct text_scratch *scratch = NULL;
    size_t spared = 0;

    assert_true(succeeded(text_scratch_new(set, &scratch, NULL)));
    for (size_t i = 0; i < COUNT(values); i++) {
        bool found[COUNT(likes) + COUNT(expressions)] = {0};
        /* As the ruleset has it: composed. */
        slice value = slice_text(strcmp(values[i], "e\314\201") == 0 ? "\303\251" : values[i]);
        bool any = false;

        texts_search(set, scratch, 0, slice_text(values[i]), part_note, found);
        for (size_t j = 0; j < COUNT(likes); j++)
            assert_int_equal(found[j], like_matches(slice_text(likes[j]), value, false));
        for (size_t j = 0; j < COUNT(expressions); j++) {
            CLEANUP(regex_free) struct regex regex = {0};
            char text[64];
            size_t len = 0;

            for (const char *at = expressions[j]; *at != '\0'; at++)
                if (at[0] != '\\' || at[1] != '\\')
                    text[len++] = *at;
            assert_true(succeeded(regex_compile(slice_of(text, len), false, &regex, NULL)));
            if (regex_search(&regex, value) == REGEX_YES)
                assert_true(found[COUNT(likes) + j]);
            spared += !found[COUNT(likes) + j];
        }
        for (size_t j = 0; j < COUNT(found); j++)
            any = any || found[j];
        assert_int_equal(ruleset_text_may_hit(set, scratch, 0, slice_text(values[i])), any);
    }
    assert_true(spared > 20);
}

static void what_hits_is_found(void **state)
{
    CLEANUP(ruleset_release) struct ruleset *set = some_rules();
    struct text_counts counts;

    (void)state;
    assert_int_equal(ruleset_open_count(set), 1);
    ruleset_text_counts(set, &counts);
    assert_int_equal(counts.expressions, COUNT(likes) + COUNT(expressions));
    assert_int_equal(counts.prefiltered, 3); /* (?=d), \1, a++ */
    assert_int_equal(counts.slow, 2);        /* "%", "" */
    assert_true(counts.bytes > 0);
    parts_check(set);
}

static void a_saved_ruleset_is_made_ready_again(void **state)
{
    CLEANUP(ruleset_release) struct ruleset *set = some_rules(), *mapped = NULL;
    char path[] = "/tmp/texts.XXXXXX";
    struct diag diag = {0};
    int file = mkstemp(path);

    (void)state;
    assert_true(file >= 0 && close(file) == 0);
    assert_true(succeeded(ruleset_save(set, path, &diag)));
    assert_true(succeeded(ruleset_map(path, &mapped, &diag)));
    parts_check(mapped);
    assert_int_equal(unlink(path), 0);
}

/* Of a value that is no UTF-8 the rest is compared. */
static void what_is_no_text_is_no_failure(void **state)
{
    slice line = SLICE("{\"event_type\":\"fileinfo\"}\n");
    CLEANUP(ruleset_release) struct ruleset *set = some_rules();
    CLEANUP(detector_worker_free) struct detector_worker *worker = NULL;
    CLEANUP(block_hits_free) struct block_hits hits;
    struct telemetry_observable observable = {
        .path = SLICE("file:name"), .value = SLICE("a\377\351.exe"), .field = SLICE("name")};
    struct telemetry_event event = {.observables = &observable, .count = 1, .line = line};

    (void)state;
    block_hits_init(&hits);
    assert_true(succeeded(detector_worker_new(set, &worker, NULL)));
    assert_true(succeeded(detector_event(worker, &event, &hits, NULL)));
    assert_int_equal(hits.count, 6); /* %a%, a%, %, %.exe, [^a-c], \.exe$ */
}

static void every_failure_is_told(void **state)
{
    CLEANUP(ruleset_release) struct ruleset *set = some_rules();
    unsigned long nth = 0;
    bool fired;

    (void)state;
    do {
        CLEANUP(text_scratch_free) struct text_scratch *scratch = NULL;
        struct diag diag = {0};

        fault_arm(++nth);
        result r = text_scratch_new(set, &scratch, &diag);
        fired = fault_fired();
        fault_arm(0);
        assert_int_equal(r.code, fired ? ERR_LIMIT : ERR_NONE);
    } while (fired);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_hits_is_found),
        cmocka_unit_test(a_saved_ruleset_is_made_ready_again),
        cmocka_unit_test(what_is_no_text_is_no_failure),
        cmocka_unit_test(every_failure_is_told),
    };

    return cmocka_run_group_tests_name("scan/texts", tests, NULL, NULL);
}
