#include "match/explain.h"
#include "rows.h"

#define BUDGET ((size_t)64 << 20)

static const struct {
    const char *name;
    slice pattern;
    slice words;
} rows[] = {
    {"one comparison", S("[file:name = 'a']"),
     S("observation 1: one object for which\n"
       "  file:name = 'a'    (one value, looked up)\n")},
    {"a chain is one list", S("[a:b = 1 OR a:b > 2 OR NOT EXISTS a:b]"),
     S("observation 1: one object for which\n"
       "  any of these:\n"
       "    a:b = 1    (one value, looked up)\n"
       "    a:b > 2    (every value is compared)\n"
       "    NOT EXISTS a:b    (objects of the type without the property)\n")},
    {"operators and qualifiers",
     S("([a:b LIKE 'x'] AND [a:b NOT IN (1)] REPEATS 3 TIMES FOLLOWEDBY [a:b MATCHES 'x'] START "
       "t'2024-01-01T00:00:00Z' STOP t'2024-01-02T00:00:00Z') WITHIN 1.5 SECONDS"),
     S("less than 1.5 seconds between the first and the last of:\n"
       "  these in the order of time, each a different observation:\n"
       "    all of these, each a different observation:\n"
       "      observation 1: one object for which\n"
       "        a:b LIKE 'x'    (every value is held against the wildcards)\n"
       "      3 times, each time with different observations:\n"
       "        observation 2: one object for which\n"
       "          a:b NOT IN (1)    (every value is compared: NOT is true of most)\n"
       "    observed from 2024-01-01T00:00:00Z until before 2024-01-02T00:00:00Z:\n"
       "      observation 3: one object for which\n"
       "        a:b MATCHES 'x'    (every value is searched with the regular expression)\n")},
};

static void a_pattern_is_told_in_plain_words(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(BUDGET);
    CLEANUP(buf_free) struct buf out = BUF(BUDGET);

    (void)state;
    CHECK_ROWS(row, rows) {
        struct pattern pattern;

        buf_reset(&out);
        assert_true(succeeded(pattern_parse(row->pattern, STIX_21, &arena, &pattern, NULL, NULL)));
        assert_true(succeeded(pattern_explain(&pattern, &arena, &out, NULL)));
        if (!slice_eq(buf_slice(&out), row->words))
            fail_msg("%s:\n%.*s", row->name, SLICE_ARG(buf_slice(&out)));
    }
}

/* A chain of any length is one list, not a staircase. */
static void long_chains_are_told_in_room_like_their_own(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(BUDGET);
    CLEANUP(buf_free) struct buf text = BUF(PATTERN_BYTES_MAX), out = BUF(BUDGET), small = BUF(100);
    struct pattern pattern;

    (void)state;
    buf_put(&text, SLICE("[a:b=1"));
    for (unsigned i = 0; i < 50000; i++)
        buf_put(&text, SLICE(" OR a:b=1"));
    buf_byte(&text, ']');
    assert_true(succeeded(pattern_parse(buf_slice(&text), STIX_21, &arena, &pattern, NULL, NULL)));
    assert_true(succeeded(pattern_explain(&pattern, &arena, &out, NULL)));
    assert_true(out.len < 10 * text.len);
    assert_int_equal(pattern_explain(&pattern, &arena, &small, NULL).code, ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_is_told_in_plain_words),
        cmocka_unit_test(long_chains_are_told_in_room_like_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
