#include "match/engine.h"
#include "rows.h"

#define BUDGET ((size_t)256 << 20)

/* What a pattern is looked up by: how many values, or "always". */
static const struct {
    const char *name;
    slice pattern;
    size_t atoms;
    bool always;
} rows[] = {
    {"one value", S("[a:b = 'x']"), 1, false},
    {"a set", S("[a:b IN ('x', 'y', 'z')]"), 3, false},
    {"an empty set is never true", S("[a:b IN ()]"), 0, false},
    {"both sides of OR", S("[a:b = 'x' OR a:c = 5]"), 2, false},
    {"one side of OR is anything", S("[a:b = 'x' OR a:c > 5]"), 0, true},
    {"the cheaper side of AND", S("[a:b IN ('x', 'y') AND a:c = 5]"), 1, false},
    {"the exact side of AND", S("[a:b LIKE 'x%' AND a:c = 5]"), 1, false},
    {"observations", S("[a:b > 1] FOLLOWEDBY ([a:b = 'x'] OR [a:b = 'y'])"), 2, false},
    {"qualifiers", S("([a:b = 'x'] REPEATS 5 TIMES) WITHIN 5 SECONDS"), 1, false},
    {"negated", S("[a:b NOT = 'x']"), 0, true},
    {"binary property", S("[a:b_bin = 'x']"), 0, true},
    {"octets", S("[a:b = h'00']"), 0, true},
    {"a timestamp has many spellings", S("[a:b = t'2024-01-01T00:00:00Z']"), 0, true},
    {"impossible", S("[a:b > t'2024-02-30T00:00:00Z']"), 0, false},
};

static void a_pattern_is_looked_up_by_the_fewest_values_it_needs(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(BUDGET);

    (void)state;
    CHECK_ROWS(row, rows) {
        struct pattern pattern;
        struct engine engine;

        arena_reset(&arena);
        assert_true(succeeded(pattern_parse(row->pattern, STIX_21, &arena, &pattern, NULL, NULL)));
        assert_true(succeeded(engine_build(&pattern, 1, &arena, &engine, NULL)));
        if (engine.atom_count != row->atoms || (engine.always_count == 1) != row->always)
            fail_msg("%s: %zu values, %zu always", row->name, engine.atom_count,
                     engine.always_count);
    }
}

/* ---- against the evaluator, pattern by pattern ---- */

#define PATTERNS 400
#define ROUNDS 60

static uint64_t chance_state = 20240302;

static unsigned pick(unsigned count)
{
    chance_state = chance_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(chance_state >> 33) % count;
}

static void test_print(struct buf *out)
{
    static const struct {
        const char *before, *behind;
    } tests[] = {
        {"x:s = 'v", "'"},     {"x:s IN ('v", "','w')"}, {"x:n = ", ""},
        {"x:n = ", ".0"},      {"x:n NOT = ", ""},       {"x:s != 'v", "'"},
        {"x:s LIKE '%", "'"},  {"x:l[*] = 'v", "'"},     {"x:r_ref.s = 'v", "'"},
        {"x:h_hex = 'v", "'"}, {"x:s MATCHES '", "$'"},  {"y:s = 'v", "'"},
    };
    unsigned which = pick(sizeof(tests) / sizeof(tests[0]));

    buf_printf(out, "%s%u%s", tests[which].before, pick(6), tests[which].behind);
}

static void pattern_make(struct buf *out)
{
    static const char *const joins[] = {" AND ", " OR ", " FOLLOWEDBY "};
    unsigned observations = 1 + pick(3);

    for (unsigned i = 0; i < observations; i++) {
        unsigned tests = 1 + pick(3);

        buf_printf(out, "%s[", i > 0 ? joins[pick(3)] : "");
        for (unsigned j = 0; j < tests; j++) {
            buf_printf(out, "%s", j > 0 ? joins[pick(2)] : "");
            test_print(out);
        }
        buf_byte(out, ']');
        if (pick(4) == 0)
            buf_printf(out, " REPEATS %u TIMES", 1 + pick(2));
    }
}

/* Strings with and without escapes, numbers in several spellings, a reference. */
static void data_make(struct buf *out)
{
    unsigned observations = 1 + pick(3);

    buf_byte(out, '[');
    for (unsigned i = 0; i < observations; i++) {
        buf_printf(
            out,
            "%s{\"type\":\"observed-data\",\"first_observed\":\"2024-01-01T00:00:0%uZ\","
            "\"number_observed\":%u,\"objects\":{\"0\":{\"type\":\"x\",\"s\":\"%s%u\",\"n\":%u%s,"
            "\"l\":[\"a\",\"v%u\"],\"r_ref\":\"1\",\"h_hex\":\"763%u\"},"
            "\"1\":{\"type\":\"y\",\"s\":\"v%u\"}}}",
            i > 0 ? "," : "", pick(9), 1 + pick(2), pick(2) ? "v" : "\\u0076", pick(6), pick(6),
            pick(2) ? ".0" : "", pick(6), pick(6), pick(6));
    }
    buf_byte(out, ']');
}

static void the_engine_matches_what_the_evaluator_matches(void **state)
{
    static struct pattern patterns[PATTERNS];
    CLEANUP(arena_free)
    struct arena held = ARENA(BUDGET), arena = ARENA(BUDGET), scratch = ARENA(BUDGET);
    CLEANUP(buf_free) struct buf text = BUF(BUDGET), data = BUF(BUDGET);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct engine engine;
    size_t matched = 0, evaluated = 0;

    (void)state;
    for (size_t i = 0; i < PATTERNS; i++) {
        buf_reset(&text);
        pattern_make(&text);
        assert_true(succeeded(pattern_parse(arena_copy(&held, buf_slice(&text)), STIX_21, &held,
                                            &patterns[i], NULL, NULL)));
    }
    assert_true(succeeded(engine_build(patterns, PATTERNS, &held, &engine, NULL)));
    assert_true(succeeded(json_parser_new(JSON_DEPTH_MAX, &parser, NULL)));
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct json_doc doc;
        struct engine_outcome outcome;
        size_t next = 0;

        buf_reset(&data);
        data_make(&data);
        arena_reset(&arena);
        assert_true(succeeded(json_parse_copy(parser, buf_slice(&data), &doc, NULL)));
        assert_true(succeeded(
            engine_match(&engine, &doc, &doc.nodes[0], &arena, &scratch, &outcome, NULL)));
        for (size_t i = 0; i < PATTERNS; i++) {
            struct eval_outcome alone;
            bool is_named = next < outcome.matched_count && outcome.matched[next] == i;

            arena_reset(&scratch);
            assert_true(
                succeeded(pattern_eval(&patterns[i], &doc, &doc.nodes[0], &scratch, &alone, NULL)));
            if (alone.matched != is_named)
                fail_msg("round %u: %.*s on %.*s", round, SLICE_ARG(patterns[i].text),
                         SLICE_ARG(buf_slice(&data)));
            next += is_named;
        }
        matched += outcome.matched_count;
        evaluated += outcome.evaluated_count;
    }
    assert_in_range(matched, ROUNDS * PATTERNS / 100, evaluated);
    assert_true(evaluated < (size_t)ROUNDS * PATTERNS * 9 / 10); /* some were left out */
}

static void too_little_room_is_said(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(BUDGET), small = ARENA(8);
    struct pattern pattern;
    struct engine engine;
    struct diag diag = {0};

    (void)state;
    assert_true(
        succeeded(pattern_parse(SLICE("[a:b = 'x']"), STIX_21, &arena, &pattern, NULL, NULL)));
    assert_int_equal(engine_build(&pattern, 1, &small, &engine, &diag).code, ERR_LIMIT);
    assert_true(diag.text[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_is_looked_up_by_the_fewest_values_it_needs),
        cmocka_unit_test(the_engine_matches_what_the_evaluator_matches),
        cmocka_unit_test(too_little_room_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
