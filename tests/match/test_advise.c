#include "match/advise.h"
#include "rows.h"

#define BUDGET ((size_t)16 << 20)
#define SHA256_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const struct {
    const char *name;
    slice pattern;
    const char *rules; /* "rule@offset" each, with spaces between */
} rows[] = {
    {"nothing odd", S("[file:hashes.'SHA-256' = '" SHA256_OF_NOTHING "' AND file:size > 1]"), ""},
    {"short hash", S("[file:hashes.'SHA-256' = 'f00']"), "hash@1"},
    {"hash with a letter too far", S("[file:hashes.MD5 IN ('d41d8cd98f00b204e9800998ecf8427g')]"),
     "hash@1"},
    {"fuzzy hashes have any length", S("[file:hashes.SSDEEP = '3:a:b']"), ""},
    {"LIKE a hash", S("[file:hashes.MD5 LIKE 'd4%']"), ""},
    {"no network", S("[ipv4-addr:value ISSUBSET '10.0.0.0/33']"), "network@1"},
    {"no day", S("[a:b = 1 AND a:c < t'2024-02-30T00:00:00Z']"), "impossible@13"},
    {"mixed set", S("[a:b IN (1, 'x')]"), "impossible@1"},
    {"numbers in a set", S("[a:b IN (1, 1.5)]"), ""},
    {"types apart", S("[a:b = 1 AND c:d = 2]"), "types@1"},
    {"types apart, said once", S("[a:b = 1 AND c:d = 2 AND c:e = 3]"), "types@1 types@1"},
    {"types joined by OR", S("[a:b = 1 OR c:d = 2]"), ""},
    {"types of a side that may be either", S("[(a:b = 1 OR c:d = 2) AND c:e = 3]"), ""},
    {"window of one", S("[a:b = 1] WITHIN 5 SECONDS"), "window@1"},
    {"window of several", S("([a:b = 1] AND [a:b = 2]) WITHIN 5 SECONDS"), ""},
    {"empty window", S("[a:b = 1] START t'2024-01-02T00:00:00Z' STOP t'2024-01-02T00:00:00Z'"),
     "window@1"},
};

static void what_is_odd_is_said_with_its_place(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(BUDGET);
    CLEANUP(buf_free) struct buf out = BUF(BUDGET);

    (void)state;
    CHECK_ROWS(row, rows) {
        struct pattern pattern;
        const struct advice *advice;
        size_t count;

        arena_reset(&arena);
        buf_reset(&out);
        assert_true(succeeded(pattern_parse(row->pattern, STIX_21, &arena, &pattern, NULL, NULL)));
        assert_true(succeeded(pattern_advise(&pattern, &arena, &advice, &count, NULL)));
        for (size_t i = 0; i < count; i++) {
            assert_true(advice[i].text.len > 0);
            buf_printf(&out, "%s%s@%u", i > 0 ? " " : "", advice[i].rule, advice[i].at);
        }
        if (!slice_eq(buf_slice(&out), slice_text(row->rules)))
            fail_msg("%s: %.*s", row->name, SLICE_ARG(buf_slice(&out)));
    }
}

static void without_room_there_is_no_advice(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(BUDGET), none = ARENA(16);
    struct pattern pattern;
    const struct advice *advice;
    size_t count;

    (void)state;
    assert_true(succeeded(
        pattern_parse(SLICE("[a:b = 1 AND c:d = 2]"), STIX_21, &arena, &pattern, NULL, NULL)));
    assert_int_equal(pattern_advise(&pattern, &none, &advice, &count, NULL).code, ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_odd_is_said_with_its_place),
        cmocka_unit_test(without_room_there_is_no_advice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
