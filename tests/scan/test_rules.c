#include "detecting.h"

#include <fcntl.h>
#include <unistd.h>

#define INDICATOR(id, more)                                                                        \
    "{\"type\":\"indicator\",\"id\":\"indicator--00000000-0000-4000-8000-00000000000" id "\","     \
    "\"modified\":\"2025-01-01T00:00:00Z\",\"valid_from\":\"2025-01-01T00:00:00Z\"," more "}"
#define PATTERN "\"pattern_type\":\"stix\",\"pattern\":\"[ipv4-addr:value = '203.0.113.9']\""

static const char bundle[] =
    "{\"type\":\"bundle\",\"objects\":[" INDICATOR("1", PATTERN ",\"name\":\"one\"") "," INDICATOR("2", "\"pattern_type\":\"sigma\",\"pattern\":\"x\"") "," INDICATOR(
        "3",
        "\"revoked\":true," PATTERN) "," INDICATOR("4",
                                                   "\"valid_until\":\"2025-02-01T00:00:"
                                                   "00Z\"," PATTERN) "," INDICATOR("5",
                                                                                   "\"pattern_"
                                                                                   "type\":"
                                                                                   "\"stix\","
                                                                                   "\"pattern\":\"["
                                                                                   "oh\"") "," INDICATOR("1",
                                                                                                         PATTERN) ","
                                                                                                                  "{\"type\":\"malware\"}]}";

static void each_indicator_is_run_or_counted(void **state)
{
    struct rules_counts counts;
    CLEANUP(ruleset_release) struct ruleset *set = file_rules(slice_text(bundle), NULL, &counts);
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
    struct rule rule;

    (void)state;
    assert_int_equal(counts.taken, 6);
    assert_int_equal(counts.of[RULES_RUN], 1);
    assert_int_equal(counts.of[RULES_SIGMA], 1);
    assert_int_equal(counts.of[RULES_REVOKED], 1);
    assert_int_equal(counts.of[RULES_EXPIRED], 1);
    assert_int_equal(counts.of[RULES_WRONG], 1);
    assert_int_equal(counts.of[RULES_REPEATED], 1);
    assert_int_equal(ruleset_count(set), 1);
    assert_true(ruleset_rule(set, 0, &arena, &rule));
    assert_true(slice_eq(rule.id, SLICE("indicator--00000000-0000-4000-8000-000000000001")));
    assert_true(slice_eq(rule.pattern, SLICE("[ipv4-addr:value = '203.0.113.9']")));
    assert_true(slice_eq(rule.name, SLICE("one")));
    assert_int_equal(rule.confidence, -1);
}

static const struct {
    const char *name;
    slice line, pattern; /* empty: it is refused */
} lines[] = {
    {"an address", S("203.0.113.9"), S("[ipv4-addr:value = '203.0.113.9']")},
    {"with its type", S("domain\tEVIL.example"), S("[domain-name:value = 'evil.example']")},
    {"a network", S("203.0.113.77/24"), S("[ipv4-addr:value ISSUBSET '203.0.113.0/24']")},
    {"made harmless", S("hxxp://evil[.]example/a"), S("[url:value = 'http://evil.example/a']")},
    {"a harmless address", S("203[.]0[.]113[.]9"), S("[ipv4-addr:value = '203.0.113.9']")},
    {"with a star", S("*.evil.example"), S("[domain-name:value = 'evil.example']")},
    {"a pattern", S("[file:name = 'a']"), S("[file:name = 'a']")},
    {"a pattern without a sign", S("[url:value LIKE 'http://evil.example/%']"),
     S("[url:value LIKE 'http://evil.example/%']")},
    {"a pattern of several", S("[file:name = 'a'] FOLLOWEDBY [EXISTS url:value]"),
     S("[file:name = 'a'] FOLLOWEDBY [EXISTS url:value]")},
    {"a pattern in a group", S("([file:name = 'a'] AND [file:name = 'b']) WITHIN 5 SECONDS"),
     S("([file:name = 'a'] AND [file:name = 'b']) WITHIN 5 SECONDS")},
    {"an address in brackets", S("[2001:db8::1]"), S("[ipv6-addr:value = '2001:db8::1']")},
    {"a pattern that is none", S("[url:value LIKE]"), S("")},
    {"nothing", S("???"), S("")},
};

static void a_line_is_told_by_its_form(void **state)
{
    (void)state;
    CHECK_ROWS(row, lines) {
        struct rules_counts counts;
        CLEANUP(ruleset_release) struct ruleset *set = file_rules(row->line, NULL, &counts);
        CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
        struct rule rule;

        assert_int_equal(counts.of[RULES_RUN], row->pattern.len > 0);
        assert_int_equal(counts.of[RULES_WRONG], row->pattern.len == 0);
        if (row->pattern.len > 0) {
            assert_true(ruleset_rule(set, 0, &arena, &rule));
            assert_true(slice_eq(rule.pattern, row->pattern));
        }
    }
}

static void a_saved_ruleset_is_the_same_or_refused(void **state)
{
    CLEANUP(ruleset_release) struct ruleset *set = file_rules(slice_text(bundle), NULL, NULL);
    CLEANUP(ruleset_release) struct ruleset *mapped = NULL;
    CLEANUP(block_hits_free) struct block_hits hits;
    char path[] = "/tmp/rules-test-XXXXXX";
    int file = mkstemp(path);
    struct diag diag = {0};

    (void)state;
    assert_true(file >= 0);
    assert_true(succeeded(ruleset_save(set, path, &diag)));
    if (failed(ruleset_map(path, &mapped, &diag)))
        fail_msg("%s", diag.text);
    text_detect(mapped, SLICE("text"), SLICE("see 203.0.113.9\n"), &hits);
    assert_int_equal(hits.count, 1);
    ruleset_release(&mapped);
    (void)close(file);
    file = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(file, "x", 1, lseek(file, 0, SEEK_END) / 2 + 1), 1);
    assert_true(ruleset_map(path, &mapped, &diag).code == ERR_CORRUPT);
    assert_int_equal(ftruncate(file, 10), 0);
    diag_reset(&diag);
    assert_true(ruleset_map(path, &mapped, &diag).code == ERR_CORRUPT);
    (void)close(file);
    (void)unlink(path);
}

#define PCRE(expression)                                                                           \
    "[{\"type\":\"indicator\",\"id\":\"indicator--00000000-0000-4000-8000-000000000001\","         \
    "\"pattern_type\":\"pcre\",\"pattern\":\"" expression "\"}]"

/* An expression is searched in whole lines, whatever is in them. */
static const struct {
    const char *name;
    slice rules, format, text;
    bool is_wrong;
    size_t hits;
} expressions[] = {
    {"anywhere in a line", S(PCRE("be.con")), S("text"), S("a\nthe beacon\n"), false, 1},
    {"once a line", S(PCRE("a")), S("text"), S("aaa\naa\nb\n"), false, 2},
    {"nowhere", S(PCRE("be.con")), S("text"), S("bacon\n"), false, 0},
    {"at its ends", S(PCRE("^a.*z$")), S("text"), S("a to z\nan a to z!\n"), false, 1},
    {"not over line ends", S(PCRE("a.b")), S("text"), S("a\nb\n"), false, 0},
    {"without case when asked", S(PCRE("(?i)BEACON")), S("text"), S("Beacon\n"), false, 1},
    {"with case", S(PCRE("BEACON")), S("text"), S("Beacon\n"), false, 0},
    {"the text of JSON, not its values", S(PCRE("\\\"k\\\":7")), S("eve"),
     S("{\"event_type\":\"stats\",\"k\":7}\n"), false, 1},
    {"bytes that are no UTF-8", S(PCRE("\\\\xff\\\\x00?b")), S("text"), S("a \377b\n"), false, 1},
    {"one that is none", S(PCRE("(")), S("text"), S("(\n"), true, 0},
};

static void expressions_are_searched_in_lines(void **state)
{
    (void)state;
    CHECK_ROWS(row, expressions) {
        CLEANUP(block_hits_free) struct block_hits hits;
        struct rules_counts counts;
        CLEANUP(ruleset_release) struct ruleset *set = file_rules(row->rules, NULL, &counts);

        text_detect(set, row->format, row->text, &hits);
        assert_int_equal(counts.of[RULES_WRONG], row->is_wrong);
        assert_int_equal(counts.of[RULES_RUN], !row->is_wrong);
        assert_int_equal(hits.count, row->hits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_indicator_is_run_or_counted),
        cmocka_unit_test(a_line_is_told_by_its_form),
        cmocka_unit_test(expressions_are_searched_in_lines),
        cmocka_unit_test(a_saved_ruleset_is_the_same_or_refused),
    };

    return cmocka_run_group_tests_name("scan/rules", tests, NULL, NULL);
}
