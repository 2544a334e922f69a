#include "match/multi.h"

#include "base/fault.h"
#include "match/like.h"
#include "match/regex.h"
#include "rows.h"

#define EXPRESSIONS 64
#define VALUES 400

struct found {
    bool is_found[EXPRESSIONS * 4];
    size_t count, most;
};

static bool note(void *context, uint32_t id)
{
    struct found *found = (struct found *)context;

    found->is_found[id] = true;
    return ++found->count != found->most;
}

static void search(const struct multi *multi, slice value, struct found *found)
{
    CLEANUP(multi_scratch_free) struct multi_scratch *scratch = NULL;

    *found = (struct found){0};
    assert_true(succeeded(multi_scratch_new(&scratch, NULL)));
    assert_true(succeeded(multi_scratch_fit(scratch, multi, NULL)));
    multi_search(multi, scratch, value, note, found);
}

enum way { EXACT, WEAKER, SLOW };

/* One expression: how it is searched, and that what regex.h finds is never left out. */
static const struct {
    const char *name;
    slice text, hit, miss; /* miss: not found, when it is searched exactly */
    enum multi_kind kind;
    bool is_nocase;
    enum way way;
} constructs[] = {
    {"a literal", S("a.b"), S("xa.by"), S("xacby"), MULTI_LITERAL, false, EXACT},
    {"a literal of any bytes", S("\0\377("), S("a\0\377("), S("\377("), MULTI_LITERAL, false,
     EXACT},
    {"nothing", S(""), S("a"), S(""), MULTI_LITERAL, false, SLOW},
    {"an expression", S("a.b"), S("xa\nby"), S("xaby"), MULTI_TEXT, false, EXACT},
    {"without case", S("^abc$"), S("ABC"), S("abcd"), MULTI_TEXT, true, EXACT},
    {"the end before a line's end", S("c$"), S("abc\n"), S("abc\nd"), MULTI_TEXT, false, EXACT},
    {"the very end", S("c\\z"), S("abc"), S("abc\n"), MULTI_TEXT, false, EXACT},
    {"what may be empty", S("^a*$"), S("aa"), S("ab"), MULTI_TEXT, false, EXACT},
    {"an empty value", S("^$"), S(""), S("a"), MULTI_TEXT, false, EXACT},
    {"a vertical tab is space", S("^\\s$"), S("\v"), S("v"), MULTI_TEXT, false, EXACT},
    {"space of bytes", S("^[[:space:]]$"), S("\v"), S("v"), MULTI_OCTETS, false, EXACT},
    {"a byte that is no UTF-8", S("a\\xe9b"), S("a\351b"), S("aeb"), MULTI_OCTETS, false, EXACT},
    {"a character", S("^\\x{20ac}|b$"), S("b"), S("c"), MULTI_TEXT, false, EXACT},
    {"the Kelvin sign without case", S("^\342\204\252$"), S("k"), S("c"), MULTI_TEXT, true, EXACT},
    {"the long s without case", S("^[\305\277]$"), S("S"), S("c"), MULTI_TEXT, true, EXACT},
    {"letters of any alphabet", S("^\\p{L}+$"), S("abc"), S("123"), MULTI_TEXT, false, EXACT},
    {"any other letter is asked of PCRE2", S("^a$"), S("\303\251"), S("c"), MULTI_TEXT, false,
     EXACT},
    {"looking ahead", S("a(?=b)"), S("ab"), S(""), MULTI_TEXT, false, WEAKER},
    {"looking behind", S("(?<!x)b"), S("ab"), S(""), MULTI_TEXT, false, WEAKER},
    {"what was found before", S("(a+)b\\1c"), S("aabaac"), S(""), MULTI_TEXT, false, WEAKER},
    {"all or nothing", S("(?>a+)b"), S("aab"), S(""), MULTI_TEXT, false, WEAKER},
    {"giving nothing back", S("a++b"), S("aab"), S(""), MULTI_TEXT, false, WEAKER},
    {"recursion", S("\\((?:[^()]|(?R))*\\)"), S("(a(b))"), S(""), MULTI_TEXT, false, SLOW},
    {"settings of the library", S("(*UCP)a"), S("a"), S(""), MULTI_TEXT, false, SLOW},
    {"a zero byte", S("a\0b"), S("a\0b"), S(""), MULTI_TEXT, false, SLOW},
    {"no expression", S("a("), S("a"), S(""), MULTI_TEXT, false, SLOW},
};

static void what_is_not_known_is_weaker_or_slow(void **state)
{
    (void)state;
    CHECK_ROWS(row, constructs) {
        struct multi_expression expression = {row->text, 3, row->kind, row->is_nocase};
        CLEANUP(multi_free) struct multi *multi = NULL;
        struct found found;

        assert_true(succeeded(multi_build(&expression, 1, &multi, NULL)));
        const struct multi_counts *counts = multi_counts(multi);
        assert_int_equal(counts->expressions, 1);
        enum way way = counts->slow > 0 ? SLOW : counts->prefiltered > 0 ? WEAKER : EXACT;
        assert_int_equal(way, row->way);
        search(multi, row->hit, &found);
        assert_true(found.is_found[3]);
        search(multi, row->miss, &found);
        if (way == EXACT && row->miss.len > 0)
            assert_false(found.is_found[3]);
    }
}

static uint64_t next(uint64_t *chance)
{
    *chance ^= *chance << 13;
    *chance ^= *chance >> 7;
    *chance ^= *chance << 17;
    return *chance;
}

static slice made(uint64_t *chance, const char *const *parts, size_t part_count, size_t most,
                  char room[256])
{
    size_t len = 0;

    for (size_t i = next(chance) % (most + 1); i > 0; i--) {
        const char *part = parts[next(chance) % part_count];

        memcpy(room + len, part, strlen(part));
        len += strlen(part);
    }
    return slice_of(room, len);
}

static const char *const expression_parts[] = {"a",           "b",
                                               "K",           "s",
                                               "1",           "_",
                                               " ",           "\\.",
                                               ".",           "\\w",
                                               "\\W",         "\\d",
                                               "\\s",         "\\b",
                                               "\\B",         "^",
                                               "$",           "(?i)",
                                               "a*",          "(?:ab)+",
                                               "[^a]",        "[a-c]{1,2}",
                                               "b?",          "|",
                                               "\303\251",    "[\303\251x]",
                                               "\\x{17f}",    "(a|b)",
                                               "(?=a)",       "(?!b)",
                                               "(?<=a)",      "\\1",
                                               "a+?",         "a*+",
                                               "\\Z",         "\\A",
                                               "(?s).",       "(?-s:.)",
                                               "(?m)^",       "(?m)$",
                                               "[[:alpha:]]", "[[:^digit:]]",
                                               "\\h",         "\\v",
                                               "\\N",         "\\R",
                                               "\\p{Lu}",     "\\PL",
                                               "\\Qa.b\\E",   "(?x) a b #c\n",
                                               "[\\w-]",      "[]a]",
                                               "\\x61",       "\\141",
                                               "(?#c)",       "{,2}",
                                               "a{0}",        "(?U)a+",
                                               "\\t",         "(?<n>a)\\k<n>"};
static const char *const value_parts[] = {
    "a", "b",  "k",  "S", "1", "_", " ",  ".", "\n",  "\v", "\303\251", "\342\204\252",
    "c", "ab", "\t", "A", "B", "x", "\r", "-", "{,2}"};

#define PARTS(parts) (parts), sizeof(parts) / sizeof((parts)[0])

/* Whatever PCRE2 says yes to is among what is found, for thousands of expressions and values. */
static void what_matches_is_never_left_out(void **state)
{
    static char rooms[EXPRESSIONS][256];
    static struct regex regexes[EXPRESSIONS];
    uint64_t chance = 0x9E3779B97F4A7C15u, matched = 0, spared = 0;

    (void)state;
    for (int round = 0; round < 3; round++) {
        struct multi_expression expressions[EXPRESSIONS];
        CLEANUP(multi_free) struct multi *multi = NULL;
        CLEANUP(multi_scratch_free) struct multi_scratch *scratch = NULL;
        size_t count = 0;

        while (count < EXPRESSIONS) {
            slice text = made(&chance, PARTS(expression_parts), 5, rooms[count]);
            bool octets = next(&chance) % 4 == 0;

            if (failed(regex_compile(text, octets, &regexes[count], NULL)))
                continue;
            expressions[count] = (struct multi_expression){
                text, (uint32_t)count, octets ? MULTI_OCTETS : MULTI_TEXT, false};
            count++;
        }
        assert_true(succeeded(multi_build(expressions, count, &multi, NULL)));
        assert_true(succeeded(multi_scratch_new(&scratch, NULL)));
        assert_true(succeeded(multi_scratch_fit(scratch, multi, NULL)));
        for (int i = 0; i < VALUES; i++) {
            char room[256];
            slice value = made(&chance, PARTS(value_parts), 8, room);
            struct found found = {0};

            multi_search(multi, scratch, value, note, &found);
            for (size_t j = 0; j < count; j++) {
                bool is_match = regex_search(&regexes[j], value) == REGEX_YES;

                if (is_match && !found.is_found[j])
                    fail_msg("%.*s was not found in \"%.*s\"", SLICE_ARG(expressions[j].text),
                             SLICE_ARG(value));
                matched += is_match;
                spared += !found.is_found[j];
            }
        }
        for (size_t j = 0; j < count; j++)
            regex_free(&regexes[j]);
    }
    assert_true(matched > 1000 && spared > 1000);
}

/* The longest run of a LIKE stands in all that it matches. */
static void a_like_is_found_by_its_run(void **state)
{
    static const char *const parts[] = {"%", "%", "_", "a", "b", "ab", "\303\251", ".", "\\"};
    static char rooms[EXPRESSIONS][256];
    uint64_t chance = 88172645463325252u, matched = 0;

    (void)state;
    for (int round = 0; round < 20; round++) {
        struct multi_expression expressions[EXPRESSIONS];
        slice patterns[EXPRESSIONS];
        CLEANUP(multi_free) struct multi *multi = NULL;

        for (uint32_t j = 0; j < EXPRESSIONS; j++) {
            patterns[j] = made(&chance, PARTS(parts), 6, rooms[j]);
            expressions[j] =
                (struct multi_expression){like_run(patterns[j]), j, MULTI_LITERAL, false};
        }
        assert_true(succeeded(multi_build(expressions, EXPRESSIONS, &multi, NULL)));
        for (int i = 0; i < 50; i++) {
            char room[256];
            slice value = made(&chance, PARTS(parts), 8, room);
            struct found found;

            search(multi, value, &found);
            for (size_t j = 0; j < EXPRESSIONS; j++) {
                bool is_match = like_matches(patterns[j], value, false);

                matched += is_match;
                assert_true(!is_match || found.is_found[j]);
            }
        }
    }
    assert_true(matched > 1000);
}

static void limits_make_expressions_slow(void **state)
{
    static char longest[MULTI_EXPRESSION_BYTES_MAX + 1];
    struct multi_expression expressions[EXPRESSIONS * 3];
    CLEANUP(multi_free) struct multi *multi = NULL;
    struct found found;

    (void)state;
    memset(longest, 'a', sizeof(longest));
    for (uint32_t i = 0; i < EXPRESSIONS * 3; i++)
        expressions[i] = (struct multi_expression){SLICE("a"), i, MULTI_TEXT, false};
    expressions[0].text = slice_of(longest, sizeof(longest));
    expressions[1].text = slice_of(longest, sizeof(longest) - 1);
    /* Lawful on its own, and more than the library makes ready. */
    expressions[2].text = SLICE("(?:(?:(?:a.{900}){30}){30}){30}");
    assert_true(succeeded(multi_build(expressions, EXPRESSIONS * 3, &multi, NULL)));
    assert_int_equal(multi_counts(multi)->slow, 2);
    assert_true(multi_counts(multi)->databases >= 3);
    assert_true(multi_counts(multi)->bytes > 0);
    search(multi, SLICE("xax"), &found);
    assert_true(found.is_found[0] && !found.is_found[1] && found.is_found[2]);
    for (size_t i = 3; i < EXPRESSIONS * 3; i++)
        assert_true(found.is_found[i]);
}

static void a_search_ends_when_it_is_told(void **state)
{
    struct multi_expression expressions[8];
    CLEANUP(multi_free) struct multi *multi = NULL;
    CLEANUP(multi_scratch_free) struct multi_scratch *scratch = NULL;
    struct found found = {.most = 1};

    (void)state;
    for (uint32_t i = 0; i < 8; i++)
        expressions[i] = (struct multi_expression){i < 2 ? SLICE("a++") : SLICE("a"), i,
                                                   i < 5 ? MULTI_TEXT : MULTI_LITERAL, false};
    assert_true(succeeded(multi_build(expressions, 8, &multi, NULL)));
    assert_true(succeeded(multi_scratch_new(&scratch, NULL)));
    assert_true(succeeded(multi_scratch_fit(scratch, multi, NULL)));
    multi_search(multi, scratch, SLICE("aaa"), note, &found);
    assert_int_equal(found.count, 1);
    found = (struct found){.most = 3};
    multi_search(multi, scratch, SLICE("aaa"), note, &found);
    assert_int_equal(found.count, 3);
    found = (struct found){0};
    multi_search(multi, scratch, SLICE("aaa"), note, &found);
    assert_int_equal(found.count, 8);
}

/* Each failure in turn: ERR_LIMIT, or the same answers. */
static void every_failure_is_told(void **state)
{
    const struct multi_expression expressions[] = {{SLICE("one"), 0, MULTI_LITERAL, false},
                                                   {SLICE("o(?=n)"), 1, MULTI_TEXT, false},
                                                   {SLICE("a++"), 2, MULTI_TEXT, false},
                                                   {SLICE("n.$"), 3, MULTI_OCTETS, false}};
    unsigned long nth = 0;
    bool fired;

    (void)state;
    do {
        CLEANUP(multi_free) struct multi *multi = NULL;
        CLEANUP(multi_scratch_free) struct multi_scratch *scratch = NULL;
        struct diag diag = {0};
        struct found found = {0};

        fault_arm(++nth);
        result r = multi_build(expressions, 4, &multi, &diag);
        if (succeeded(r))
            r = multi_scratch_new(&scratch, &diag);
        if (succeeded(r))
            r = multi_scratch_fit(scratch, multi, &diag);
        fired = fault_fired();
        fault_arm(0);
        if (failed(r)) {
            assert_int_equal(r.code, ERR_LIMIT);
            assert_true(diag.text[0] != '\0');
            continue;
        }
        multi_search(multi, scratch, SLICE("one"), note, &found);
        assert_true(found.is_found[0] && found.is_found[1] && found.is_found[3]);
    } while (fired);
    assert_true(nth > 1 || !fired);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_known_is_weaker_or_slow),
        cmocka_unit_test(what_matches_is_never_left_out),
        cmocka_unit_test(a_like_is_found_by_its_run),
        cmocka_unit_test(limits_make_expressions_slow),
        cmocka_unit_test(a_search_ends_when_it_is_told),
        cmocka_unit_test(every_failure_is_told),
    };

    return cmocka_run_group_tests_name("match/multi", tests, NULL, NULL);
}
