#include "match/cases.h"
#include "match/eval.h"
#include "rows.h"

#include "base/fault.h"

#include <stdio.h>

#define BUDGET ((size_t)256 << 20)

/* ---- one observation: what a comparison says of its objects ---- */

struct bench {
    struct json_parser *parser;
    struct arena arena;
};

static void bench_open(struct bench *bench)
{
    *bench = (struct bench){.arena = ARENA(BUDGET)};
    assert_true(succeeded(json_parser_new(JSON_DEPTH_MAX, &bench->parser, NULL)));
}

static void bench_close(struct bench *bench)
{
    json_parser_free(&bench->parser);
    arena_free(&bench->arena);
}

static result ask(struct bench *bench, slice text, slice data, bool *matched, struct diag *diag)
{
    struct pattern pattern;
    struct json_doc doc;
    struct eval_outcome outcome;

    arena_reset(&bench->arena);
    TRY(pattern_parse(text, STIX_21, &bench->arena, &pattern, NULL, diag));
    TRY(json_parse_copy(bench->parser, data, &doc, diag));
    TRY(pattern_eval(&pattern, &doc, &doc.nodes[0], &bench->arena, &outcome, diag));
    *matched = outcome.matched;
    return OK;
}

/* An observed-data of 2.0 around objects. */
static slice around(struct buf *buf, slice objects)
{
    buf_reset(buf);
    buf_put(buf, SLICE("{\"type\":\"observed-data\",\"first_observed\":\"2024-01-01T00:00:00Z\","
                       "\"last_observed\":\"2024-01-01T00:00:00Z\",\"number_observed\":1,"
                       "\"objects\":{"));
    buf_put(buf, objects);
    buf_put(buf, SLICE("}}"));
    return buf_slice(buf);
}

#define X(members) S("\"0\":{\"type\":\"x\"," members "}")

static const struct {
    const char *name;
    slice pattern, objects;
    bool matches;
} comparisons[] = {
    {"equal", S("[x:a = 1]"), X("\"a\":1"), true},
    {"another type", S("[y:a = 1]"), X("\"a\":1"), false},
    {"absent and NOT", S("[x:b NOT = 1]"), X("\"a\":1"), false},
    {"absent and !=", S("[x:b != 1]"), X("\"a\":1"), false},
    {"EXISTS, whatever is in it", S("[EXISTS x:a]"), X("\"a\":[]"), true},
    {"EXISTS in AND", S("[EXISTS x:a AND x:b = 1]"), X("\"a\":null,\"b\":1"), true},
    {"NOT EXISTS of its type", S("[NOT EXISTS x:b]"), X("\"a\":1"), true},
    {"NOT EXISTS of another", S("[NOT EXISTS y:b]"), X("\"a\":1"), false},
    {"types apart", S("[x:a = '1']"), X("\"a\":1"), false},
    {"types apart and !=", S("[x:a != '1']"), X("\"a\":1"), true},
    {"types apart and NOT !=", S("[x:a NOT != '1']"), X("\"a\":1"), false},
    {"types apart and NOT <", S("[x:a NOT < '1']"), X("\"a\":1"), true},
    {"null and !=", S("[x:a != 1]"), X("\"a\":null"), true},
    {"boolean is no number", S("[x:a IN (1)]"), X("\"a\":true"), false},
    {"integer and float", S("[x:a = 12]"), X("\"a\":12.0"), true},
    {"float and integer", S("[x:a < 1.5]"), X("\"a\":1"), true},
    {"past 2^53", S("[x:a = 9007199254740992.0]"), X("\"a\":9007199254740993"), false},
    {"past 2^53, order", S("[x:a > 9007199254740992.0]"), X("\"a\":9007199254740993"), true},
    {"past 2^63", S("[x:a < 99999999999999999999]"), X("\"a\":9223372036854775807"), true},
    {"below -2^63", S("[x:a > -99999999999999999999]"), X("\"a\":-9223372036854775808"), true},
    {"code points, not UTF-16", S("[x:a < '\xF0\x90\x80\x80']"), X("\"a\":\"\\uFFFD\""), true},
    {"no normal form for =", S("[x:a = '\xC3\xB2']"), X("\"a\":\"o\\u0300\""), false},
    {"normal form for LIKE", S("[x:a LIKE '\xC3\xB2']"), X("\"a\":\"o\\u0300\""), true},
    {"normal form for MATCHES", S("[x:a MATCHES '^.$']"), X("\"a\":\"o\\u0300\""), true},
    {"hex", S("[x:a_hex = h'ffd8']"), X("\"a_hex\":\"FFd8\""), true},
    {"hex that is none", S("[x:a_hex != h'ff']"), X("\"a_hex\":\"f\""), true},
    {"string as octets", S("[x:a_hex = '\xC3\xBF\xC3\x98']"), X("\"a_hex\":\"ffd8\""), true},
    {"string over U+00FF", S("[x:a_hex > '\xC4\x80']"), X("\"a_hex\":\"ffd8\""), false},
    {"text as octets", S("[x:a = h'f2']"), X("\"a\":\"\\u00f2\""), true},
    {"octets have no sign", S("[x:a_hex > h'7f']"), X("\"a_hex\":\"ff\""), true},
    {"a prefix is less", S("[x:a_hex < h'ff00']"), X("\"a_hex\":\"ff\""), true},
    {"binary in a list", S("[x:a_bin[*] = 'hi']"), X("\"a_bin\":[\"AA==\",\"aGk=\"]"), true},
    {"one octet a point", S("[x:a_bin MATCHES '^.\\\\xc3$']"), X("\"a_bin\":\"1MM=\""), true},
    {"octets of LIKE", S("[x:a_bin LIKE '_\xC3\x83']"), X("\"a_bin\":\"1MM=\""), true},
    {"timestamp, digits apart", S("[x:a = t'2024-01-01T00:00:00.000Z']"),
     X("\"a\":\"2024-01-01T00:00:00Z\""), true},
    {"timestamp, nanoseconds", S("[x:a < t'2024-01-01T00:00:00.000000002Z']"),
     X("\"a\":\"2024-01-01T00:00:00.000000001Z\""), true},
    {"no timestamp", S("[x:a != t'2024-01-01T00:00:00Z']"), X("\"a\":\"today\""), true},
    {"impossible day", S("[x:a != t'2024-02-30T00:00:00Z']"), X("\"a\":\"today\""), false},
    {"dictionary", S("[x:d.'a.b' = 1]"), X("\"d\":{\"a.b\":1}"), true},
    {"list", S("[x:l[1] = 2]"), X("\"l\":[1,2]"), true},
    {"list, past the end", S("[x:l[2] != 2]"), X("\"l\":[1,2]"), false},
    {"list, before the start", S("[x:l[-1] = 2]"), X("\"l\":[1,2]"), false},
    {"list without index", S("[x:l = 1]"), X("\"l\":[1]"), false},
    {"any of a list", S("[x:l[*] != 1]"), X("\"l\":[1,2]"), true},
    {"any of a list of lists", S("[x:l[*][*] = 3]"), X("\"l\":[[1],[2,3]]"), true},
    {"star on a dictionary", S("[x:d[*] = 1]"), X("\"d\":{\"a\":1}"), false},
    {"escaped data", S("[x:'k\xC3\xA9y' = 'a\"b']"), X("\"k\\u00e9y\":\"a\\\"b\""), true},
    {"LIKE a run", S("[x:a LIKE 'a%c%']"), X("\"a\":\"a\\nbcc\""), true},
    {"LIKE one", S("[x:a LIKE 'a_c']"), X("\"a\":\"a\\uD83D\\uDE00c\""), true},
    {"LIKE trap", S("[x:a LIKE '%a%a%a%a%a%a%a%a%a%a%b']"),
     X("\"a\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""), false},
    {"LIKE over characters", S("[x:a LIKE '%\x21%']"), X("\"a\":\"\\u2121\""), false},
    {"MATCHES over lines", S("[x:a MATCHES '^a.b$']"), X("\"a\":\"a\\nb\""), true},
    {"MATCHES searches", S("[x:a MATCHES 'b']"), X("\"a\":\"abc\""), true},
    {"MATCHES trap", S("[x:a MATCHES '^(?:(?:a+)+)+$']"),
     X("\"a\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\""), false},
    {"MATCHES trap and NOT", S("[x:a NOT MATCHES '^(?:(?:a|a)+)+$']"),
     X("\"a\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\""), false},
    {"subset", S("[x:a ISSUBSET '198.51.100.0/24']"), X("\"a\":\"198.51.100.0/25\""), true},
    {"subset, wider", S("[x:a ISSUBSET '198.51.100.0/24']"), X("\"a\":\"198.51.0.0/16\""), false},
    {"subset, not on a byte", S("[x:a ISSUBSET 'fe80::/10']"), X("\"a\":\"febf::1\""), true},
    {"subset, past it", S("[x:a ISSUBSET 'fe80::/10']"), X("\"a\":\"fec0::1\""), false},
    {"subset of all", S("[x:a ISSUBSET '::/0']"), X("\"a\":\"::1\""), true},
    {"subset of the other family", S("[x:a ISSUBSET '::/0']"), X("\"a\":\"1.2.3.4\""), false},
    {"no octal", S("[x:a ISSUBSET '8.0.0.0/8']"), X("\"a\":\"010.1.2.3\""), false},
    {"no short form", S("[x:a ISSUBSET '10.0.0.0/8']"), X("\"a\":\"10.1\""), false},
    {"no prefix of 33", S("[x:a ISSUBSET '10.0.0.0/33']"), X("\"a\":\"10.0.0.0\""), false},
    {"superset", S("[x:a ISSUPERSET '2001:db8::1']"), X("\"a\":\"2001:DB8::/32\""), true},
    {"one object for AND", S("[x:a = 1 AND x:b = 2]"),
     S("\"0\":{\"type\":\"x\",\"a\":1},\"1\":{\"type\":\"x\",\"b\":2}"), false},
    {"any object for OR", S("[x:a = 9 OR y:b = 2]"),
     S("\"0\":{\"type\":\"x\",\"a\":1},\"1\":{\"type\":\"y\",\"b\":2}"), true},
    {"types of AND", S("[x:a = 1 AND y:b = 2]"),
     S("\"0\":{\"type\":\"x\",\"a\":1},\"1\":{\"type\":\"y\",\"b\":2}"), false},
    {"reference", S("[x:a_ref.b = 2]"),
     S("\"0\":{\"type\":\"x\",\"a_ref\":\"1\"},\"1\":{\"type\":\"y\",\"b\":2}"), true},
    {"reference to nothing", S("[x:a_ref.b != 2]"), X("\"a_ref\":\"7\""), false},
    {"no reference by name", S("[x:a.b = 2]"),
     S("\"0\":{\"type\":\"x\",\"a\":\"1\"},\"1\":{\"type\":\"y\",\"b\":2}"), false},
    {"references", S("[x:a_refs[1].b = 2]"),
     S("\"0\":{\"type\":\"x\",\"a_refs\":[\"0\",\"1\"]},\"1\":{\"type\":\"y\",\"b\":2}"), true},
    {"the reference itself", S("[x:a_ref = '1']"), X("\"a_ref\":\"1\""), true},
};

static void a_comparison_follows_the_specification(void **state)
{
    struct bench bench;
    CLEANUP(buf_free) struct buf data = BUF(BUDGET);

    (void)state;
    bench_open(&bench);
    CHECK_ROWS(row, comparisons) {
        struct diag diag = {0};
        bool matched = false;

        if (failed(ask(&bench, row->pattern, around(&data, row->objects), &matched, &diag)))
            fail_msg("%s: %s", row->name, diag.text);
        if (matched != row->matches)
            fail_msg("%s: %s", row->name, matched ? "matched" : "did not match");
    }
    bench_close(&bench);
}

/* References in circles over lists lead to every object at most once a step. */
static void references_in_circles_end(void **state)
{
    struct bench bench;
    CLEANUP(buf_free) struct buf data = BUF(BUDGET), text = BUF(PATTERN_BYTES_MAX);
    struct diag diag = {0};
    bool matched = true;

    (void)state;
    bench_open(&bench);
    buf_put(&text, SLICE("[x:r_refs[*]"));
    for (unsigned i = 0; i < 30; i++)
        buf_put(&text, SLICE(".r_refs[*]"));
    buf_put(&text, SLICE(".a = 1]"));
    around(&data, SLICE("\"0\":{\"type\":\"x\",\"r_refs\":[\"0\",\"1\",\"2\"]},"
                        "\"1\":{\"type\":\"x\",\"r_refs\":[\"0\",\"1\",\"2\"]},"
                        "\"2\":{\"type\":\"x\",\"r_refs\":[\"0\",\"1\",\"2\"]}"));
    assert_true(succeeded(ask(&bench, buf_slice(&text), buf_slice(&data), &matched, &diag)));
    assert_false(matched);
    bench_close(&bench);
}

/* ---- many observations, against a plain trial of every binding ---- */

#define WATCHED_MAX 5 /* observed-data */
#define PARTS_MAX 24
#define LEAVES_MAX 4
#define TEXT_BYTES_MAX 2048

struct watched {
    unsigned name, first, last, count;
};

enum part_kind { PART_LEAF, PART_AND, PART_OR, PART_BEFORE, PART_WITHIN, PART_BETWEEN };

/* A pattern with REPEATS written out as ANDs, children before parents. */
struct part {
    enum part_kind kind;
    unsigned left, right, name, seconds, start, stop;
};

struct trial {
    struct watched watched[WATCHED_MAX];
    unsigned watched_count;
    struct part parts[PARTS_MAX];
    unsigned part_count, leaf_count;
    char text[PARTS_MAX][TEXT_BYTES_MAX]; /* of each part, with REPEATS as such */
};

static uint64_t chance_state = 20240301;

static unsigned pick(unsigned count)
{
    chance_state = chance_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(chance_state >> 33) % count;
}

static unsigned part_add(struct trial *trial, struct part part)
{
    assert_true(trial->part_count < PARTS_MAX);
    trial->parts[trial->part_count] = part;
    trial->leaf_count += part.kind == PART_LEAF;
    return trial->part_count++;
}

static unsigned leaf_add(struct trial *trial, unsigned name)
{
    unsigned part = part_add(trial, (struct part){.kind = PART_LEAF, .name = name});

    (void)snprintf(trial->text[part], sizeof(trial->text[part]), "[x:n = %u]", name);
    return part;
}

/* Joins, windows and repetitions in any shape above at most LEAVES_MAX leaves. */
static unsigned tree_make(struct trial *trial)
{
    static const char *const words[] = {
        [PART_AND] = "AND", [PART_OR] = "OR", [PART_BEFORE] = "FOLLOWEDBY"};
    unsigned top = leaf_add(trial, pick(3));

    for (unsigned i = pick(5); i > 0; i--) {
        struct part part = {.left = top};
        char text[TEXT_BYTES_MAX];
        unsigned what = pick(6);

        if (what == 0) {
            part.kind = PART_WITHIN;
            part.seconds = 1 + pick(4);
        } else if (what == 1) {
            part.kind = PART_BETWEEN;
            part.start = pick(4);
            part.stop = pick(8);
        } else if (trial->leaf_count < LEAVES_MAX) {
            part.kind = (enum part_kind)(PART_AND + pick(3));
            part.right = leaf_add(trial, pick(3));
            if (pick(2)) {
                unsigned swap = part.left;

                part.left = part.right;
                part.right = swap;
            }
        } else {
            continue;
        }
        top = part_add(trial, part);
        if (part.kind == PART_WITHIN)
            (void)snprintf(text, sizeof(text), "(%.900s) WITHIN %u SECONDS", trial->text[part.left],
                           part.seconds);
        else if (part.kind == PART_BETWEEN)
            (void)snprintf(text, sizeof(text),
                           "(%.900s) START t'2024-01-01T00:00:0%uZ' STOP t'2024-01-01T00:00:0%uZ'",
                           trial->text[part.left], part.start, part.stop);
        else
            (void)snprintf(text, sizeof(text), "(%.900s %s %.900s)", trial->text[part.left],
                           words[part.kind], trial->text[part.right]);
        memcpy(trial->text[top], text, sizeof(text));
    }
    return top;
}

/* top REPEATS 2 TIMES: in the text as such, in the parts written out. */
static unsigned tree_repeat(struct trial *trial, unsigned top)
{
    unsigned shift = trial->part_count, again;

    if (trial->leaf_count * 2 > LEAVES_MAX || trial->part_count * 2 + 1 > PARTS_MAX)
        return top;
    for (unsigned i = 0; i < shift; i++) {
        struct part copy = trial->parts[i];

        copy.left += shift;
        copy.right += shift;
        (void)part_add(trial, copy);
    }
    again = part_add(trial, (struct part){.kind = PART_AND, .left = top, .right = top + shift});
    char inner[TEXT_BYTES_MAX]; /* a copy: the compiler cannot see that again is not top */
    memcpy(inner, trial->text[top], sizeof(inner));
    (void)snprintf(trial->text[again], TEXT_BYTES_MAX, "(%.1900s) REPEATS 2 TIMES", inner);
    return again;
}

/* What a part has bound: nothing, or times that stood the test; or it broke a rule. */
struct bound {
    enum { FREE, BOUND, BROKEN } state;
    unsigned first_latest, last_earliest;
    unsigned first_earliest, last_latest;
};

static struct bound both(struct bound a, struct bound b)
{
    a.first_latest = a.first_latest > b.first_latest ? a.first_latest : b.first_latest;
    a.last_earliest = a.last_earliest < b.last_earliest ? a.last_earliest : b.last_earliest;
    return a;
}

static struct bound join_check(const struct part *part, struct bound a, struct bound b)
{
    struct bound joined = both(a, b);

    if (a.state == BROKEN || b.state == BROKEN)
        return (struct bound){.state = BROKEN};
    if (a.state == FREE && b.state == FREE)
        return a;
    if (part->kind == PART_OR && a.state != b.state)
        return a.state == BOUND ? a : b;
    if (part->kind == PART_OR || a.state != b.state)
        return (struct bound){.state = BROKEN};
    if (part->kind == PART_BEFORE && a.first_latest > b.last_earliest)
        joined.state = BROKEN;
    return joined;
}

/* Does the pattern hold when its k-th leaf is bound to place[k] (0: to nothing)? */
static bool binding_holds(const struct trial *trial, unsigned top, const unsigned *place)
{
    struct bound bounds[PARTS_MAX];
    unsigned leaf = 0;
    /* START and STOP ask each observation: they are looked at where a leaf is bound. */

    for (unsigned i = 0; i < trial->part_count; i++) {
        const struct part *part = &trial->parts[i];
        struct bound *out = &bounds[i];

        if (part->kind == PART_LEAF) {
            unsigned at = place[leaf++];

            *out = (struct bound){.state = FREE, .last_earliest = 99};
            if (at == 0)
                continue;
            const struct watched *seen = &trial->watched[at - 1];
            *out = (struct bound){.state = seen->name == part->name ? BOUND : BROKEN,
                                  .first_latest = seen->first,
                                  .last_earliest = seen->last};
        } else if (part->kind == PART_WITHIN) {
            *out = bounds[part->left];
            if (out->state == BOUND && out->first_latest >= out->last_earliest + part->seconds)
                out->state = BROKEN;
        } else if (part->kind == PART_BETWEEN) {
            *out = bounds[part->left];
            if (out->state == BOUND &&
                (part->start >= part->stop || out->first_latest >= part->stop ||
                 out->last_earliest < part->start))
                out->state = BROKEN;
        } else {
            *out = join_check(part, bounds[part->left], bounds[part->right]);
        }
    }
    return bounds[top].state == BOUND;
}

/* Every leaf to every observed-data or to none, none more often than it was observed. */
static bool any_binding_holds(const struct trial *trial, unsigned top)
{
    unsigned place[LEAVES_MAX] = {0}, turn;

    for (;;) {
        unsigned used[WATCHED_MAX + 1] = {0};
        bool fits = true;

        for (unsigned i = 0; i < trial->leaf_count; i++) {
            used[place[i]]++;
            fits &= place[i] == 0 || used[place[i]] <= trial->watched[place[i] - 1].count;
        }
        if (fits && binding_holds(trial, top, place))
            return true;
        for (turn = 0; turn < trial->leaf_count && ++place[turn] > trial->watched_count; turn++)
            place[turn] = 0;
        if (turn == trial->leaf_count)
            return false;
    }
}

static slice watched_data(const struct trial *trial, struct buf *out)
{
    buf_reset(out);
    buf_byte(out, '[');
    for (unsigned i = 0; i < trial->watched_count; i++) {
        const struct watched *seen = &trial->watched[i];

        buf_printf(out,
                   "%s{\"type\":\"observed-data\",\"first_observed\":\"2024-01-01T00:00:0%uZ\","
                   "\"last_observed\":\"2024-01-01T00:00:0%uZ\",\"number_observed\":%u,"
                   "\"objects\":{\"0\":{\"type\":\"x\",\"n\":%u}}}",
                   i > 0 ? "," : "", seen->first, seen->last, seen->count, seen->name);
    }
    buf_byte(out, ']');
    return buf_slice(out);
}

static void the_search_agrees_with_a_trial_of_every_binding(void **state)
{
    static struct trial trial;
    struct bench bench;
    CLEANUP(buf_free) struct buf data = BUF(BUDGET);
    unsigned yes = 0, rounds = 6000;

    (void)state;
    bench_open(&bench);
    for (unsigned i = 0; i < rounds; i++) {
        struct diag diag = {0};
        bool matched = false, expected;
        unsigned top;

        trial.part_count = 0;
        trial.leaf_count = 0;
        trial.watched_count = 1 + pick(WATCHED_MAX);
        for (unsigned j = 0; j < trial.watched_count; j++) {
            unsigned first = pick(6);

            trial.watched[j] = (struct watched){
                .name = pick(3), .first = first, .last = first + pick(3), .count = 1 + pick(2)};
        }
        top = tree_make(&trial);
        if (pick(3) == 0)
            top = tree_repeat(&trial, top);
        expected = any_binding_holds(&trial, top);
        yes += expected;
        if (failed(ask(&bench, slice_text(trial.text[top]), watched_data(&trial, &data), &matched,
                       &diag)))
            fail_msg("round %u: %s: %s", i, trial.text[top], diag.text);
        if (matched != expected)
            fail_msg("round %u: %s on %.*s: %s", i, trial.text[top], SLICE_ARG(buf_slice(&data)),
                     matched ? "matched" : "did not match");
    }
    assert_in_range(yes, rounds / 10, rounds * 9 / 10); /* both answers are common */
    bench_close(&bench);
}

/* ---- what is too large ends with words ---- */

static void large_numbers_end(void **state)
{
    struct bench bench;
    CLEANUP(buf_free) struct buf data = BUF(BUDGET);
    struct diag diag = {0};
    bool matched = true;

    (void)state;
    bench_open(&bench);
    around(&data, SLICE("\"0\":{\"type\":\"x\",\"a\":1}"));
    assert_true(succeeded(ask(&bench, SLICE("[x:a = 1] REPEATS 1000000000 TIMES"), buf_slice(&data),
                              &matched, &diag)));
    assert_false(matched);
    assert_true(succeeded(
        ask(&bench, SLICE("(([x:a = 1] FOLLOWEDBY [x:a = 1]) REPEATS 99999999999999999999 TIMES)"),
            buf_slice(&data), &matched, &diag)));
    assert_false(matched);
    buf_reset(&data);
    buf_put(&data,
            SLICE("{\"type\":\"observed-data\",\"first_observed\":\"2024-01-01T00:00:00Z\","
                  "\"number_observed\":1000000,\"objects\":{\"0\":{\"type\":\"x\",\"a\":1}}}"));
    assert_true(succeeded(
        ask(&bench, SLICE("[x:a = 1] REPEATS 1000000 TIMES"), buf_slice(&data), &matched, &diag)));
    assert_true(matched);
    assert_int_equal(ask(&bench, SLICE("([x:a = 1] FOLLOWEDBY [x:a = 1]) REPEATS 500000 TIMES"),
                         buf_slice(&data), &matched, &diag)
                         .code,
                     ERR_LIMIT);
    assert_true(diag.text[0] != '\0');
    bench_close(&bench);
}

static void observed_data_without_a_time_is_refused(void **state)
{
    struct bench bench;
    struct diag diag = {0};
    bool matched;

    (void)state;
    bench_open(&bench);
    assert_int_equal(ask(&bench, SLICE("[x:a = 1]"),
                         SLICE("{\"type\":\"observed-data\",\"objects\":{}}"), &matched, &diag)
                         .code,
                     ERR_INVALID);
    assert_true(slice_find(slice_text(diag.text), SLICE("first_observed")) != SIZE_MAX);
    bench_close(&bench);
}

/* Only what object_refs lists is there (9.7.4), as a start and as the end of a reference. */
static void a_bundle_shows_what_its_observed_data_list(void **state)
{
    static const struct {
        const char *name;
        slice pattern;
        bool matches;
    } rows[] = {
        {"listed", S("[x:a = 1]"), true},
        {"not listed", S("[y:b = 2]"), false},
        {"reference to what is not listed", S("[x:y_ref.b = 2]"), false},
        {"reference to what is listed", S("[x:z_ref.c = 3]"), true},
        {"the observed-data itself", S("[observed-data:number_observed = 1]"), false},
    };
    const slice data = SLICE(
        "{\"type\":\"bundle\",\"objects\":[{\"type\":\"x\",\"id\":\"x--1\",\"a\":1,\"y_ref\":\"y--"
        "1\","
        "\"z_ref\":\"z--1\"},{\"type\":\"y\",\"id\":\"y--1\",\"b\":2},{\"type\":\"z\",\"id\":\"z--"
        "1\","
        "\"c\":3},{\"type\":\"observed-data\",\"id\":\"observed-data--1\",\"number_observed\":1,"
        "\"first_observed\":\"2024-01-01T00:00:00Z\",\"last_observed\":\"2024-01-01T00:00:00Z\","
        "\"object_refs\":[\"x--1\",\"z--1\",\"q--9\"]}]}");
    struct bench bench;

    (void)state;
    bench_open(&bench);
    CHECK_ROWS(row, rows) {
        bool matched = !row->matches;

        assert_true(succeeded(ask(&bench, row->pattern, data, &matched, NULL)));
        assert_true(matched == row->matches);
    }
    bench_close(&bench);
}

#ifdef ENTENTE_FAULTS
static void every_failure_has_words_and_leaves_nothing_behind(void **state)
{
    const slice data =
        SLICE("[{\"type\":\"observed-data\",\"first_observed\":\"2024-01-01T00:00:00Z\","
              "\"number_observed\":2,\"objects\":{\"0\":{\"type\":\"x\",\"a\":\"\\u00e9\"}}}]");
    unsigned long nth = 0;
    result r;

    (void)state;
    do {
        struct bench bench;
        struct diag diag = {0};
        bool matched = false;

        bench_open(&bench);
        fault_arm(++nth);
        r = ask(&bench, SLICE("([x:a MATCHES '.'] FOLLOWEDBY [x:a LIKE '_']) WITHIN 1 SECONDS"),
                data, &matched, &diag);
        assert_true(failed(r) == (diag.text[0] != '\0'));
        assert_true(failed(r) || (matched && !fault_fired()) || fault_fired());
        bool fired = fault_fired();
        fault_arm(0);
        bench_close(&bench);
        if (!fired)
            break;
    } while (nth < 1000);
    assert_true(succeeded(r));
    assert_in_range(nth, 2, 999);
}
#endif

/* ---- the reference cases, where they are at hand ---- */

static bool cases_open(const char *name, FILE **out)
{
    const char *folder = getenv("ENTENTE_DATA");
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/cases/%s", folder != NULL ? folder : "../shared/data",
                   name);
    *out = fopen(path, "r");
    if (*out == NULL)
        print_message("# not here, so not run: %s\n", path);
    return *out != NULL;
}

static bool is_true(const struct json_doc *doc, slice key)
{
    const struct json_node *value = json_get(doc, &doc->nodes[0], key);

    return value != NULL && value->kind == JSON_TRUE;
}

static bool is_ambiguous(const struct json_doc *doc)
{
    const struct json_node *status = json_get(doc, &doc->nodes[0], SLICE("status"));

    return status != NULL && json_is(doc, status, SLICE("ambiguous"));
}

static enum case_verdict expected_of(const struct json_doc *doc)
{
    if (!is_true(doc, SLICE("valid")))
        return CASE_INVALID;
    if (json_get(doc, &doc->nodes[0], SLICE("observations")) == NULL)
        return CASE_VALID;
    return is_true(doc, SLICE("match")) ? CASE_MATCH : CASE_NO_MATCH;
}

/* How many rows have another answer than expected, of those that are sure; each is named. */
static unsigned cases_run(FILE *file)
{
    struct bench bench;
    char *line = NULL;
    size_t room = 0;
    ssize_t bytes;
    unsigned wrong = 0;

    bench_open(&bench);
    while ((bytes = getline(&line, &room, file)) > 0) {
        struct json_doc doc;
        struct case_answer answer;
        struct diag diag = {0};

        arena_reset(&bench.arena);
        assert_true(
            succeeded(json_parse_copy(bench.parser, slice_of(line, (size_t)bytes), &doc, &diag)));
        assert_true(succeeded(case_answer(&doc, STIX_21, &bench.arena, &answer, &diag)));
        if (answer.verdict == expected_of(&doc) || is_ambiguous(&doc))
            continue;
        print_message("# %.*s: %s, not %s: %s\n", SLICE_ARG(answer.id),
                      case_verdict_name(answer.verdict), case_verdict_name(expected_of(&doc)),
                      diag.text);
        wrong++;
    }
    free(line);
    (void)fclose(file);
    bench_close(&bench);
    return wrong;
}

static void the_pattern_cases_have_their_answers(void **state)
{
    FILE *file;

    (void)state;
    if (!cases_open("pattern_cases.jsonl", &file))
        return;
    assert_int_equal(cases_run(file), 0);
}

/* Two rows change a regular expression until it is none, and expect the pattern to stay valid, as a
 * parser that does not look into expressions would say; a third has "(" and expects it to be
 * invalid. Expressions are compiled here. */
#define SYNTAX_CASES_DISPUTED 2

static void the_syntax_cases_have_their_answers(void **state)
{
    FILE *file;

    (void)state;
    if (!cases_open("syntax_cases.jsonl", &file))
        return;
    assert_int_equal(cases_run(file), SYNTAX_CASES_DISPUTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_comparison_follows_the_specification),
        cmocka_unit_test(references_in_circles_end),
        cmocka_unit_test(the_search_agrees_with_a_trial_of_every_binding),
        cmocka_unit_test(large_numbers_end),
        cmocka_unit_test(observed_data_without_a_time_is_refused),
        cmocka_unit_test(a_bundle_shows_what_its_observed_data_list),
#ifdef ENTENTE_FAULTS
        cmocka_unit_test(every_failure_has_words_and_leaves_nothing_behind),
#endif
        cmocka_unit_test(the_pattern_cases_have_their_answers),
        cmocka_unit_test(the_syntax_cases_have_their_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
