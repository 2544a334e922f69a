#include "rows.h"
#include "stix/pattern.h"

#define BUDGET ((size_t)64 << 20)

/* ---- what is a pattern, and what is not ---- */

static const struct {
    const char *name;
    slice text;
    slice printed; /* in the one form of pattern_print */
} good[] = {
    {"simple", S("[file:name='a']"), S("[file:name = 'a']")},
    {"comments", S("/* a */ [a:b // c\n= 1]//end"), S("[a:b = 1]")},
    {"odd white space",
     S("[\xC2\xA0"
       "a:b\xE2\x80\x83=\xE3\x80\x80"
       "1\r\n\x0B\x0C]"),
     S("[a:b = 1]")},
    {"space in a path", S("[x-y : a . b [ * ] [0] = 1]"), S("[x-y:a.b[*][0] = 1]")},
    {"quoted keys", S("[f:hashes.'SHA-256' = 'x' AND f:'plain' = 'y']"),
     S("[f:hashes.'SHA-256' = 'x' AND f:plain = 'y']")},
    {"keyword as a key", S("[f:'LIKE' = 1 OR f:like = 2 OR f:'true'=3]"),
     S("[f:'LIKE' = 1 OR f:like = 2 OR f:'true' = 3]")},
    {"escapes", S("[f:n = 'it\\'s \\\\ here']"), S("[f:n = 'it\\'s \\\\ here']")},
    {"escaped key", S("[f:'it\\'s' = 1]"), S("[f:'it\\'s' = 1]")},
    {"brackets in a string", S("[f:n = 'a] AND [b//']"), S("[f:n = 'a] AND [b//']")},
    {"every literal",
     S("[a:b IN ('x','') OR a:b = -5 OR a:b=.5 OR a:b=-00.25 OR a:b=true OR a:b=h'FFd8'"
       " OR a:b=b'ABI=' OR a:b > t'2024-01-01T00:00:00.1234567890123Z']"),
     S("[a:b IN ('x', '') OR a:b = -5 OR a:b = .5 OR a:b = -00.25 OR a:b = true OR a:b = h'ffd8'"
       " OR a:b = b'ABI=' OR a:b > t'2024-01-01T00:00:00.1234567890123Z']")},
    {"base64 over lines", S("[a:b = b'dGhp\ncyBp\r\ncw==']"), S("[a:b = b'dGhpcyBpcw==']")},
    {"no octets", S("[a:b = h'' OR a:b = b'']"), S("[a:b = h'' OR a:b = b'']")},
    {"both equals", S("[a:b == 1 OR a:b <> 2]"), S("[a:b = 1 OR a:b != 2]")},
    {"every operator",
     S("[a:b NOT = 1 OR a:b NOT != 1 OR a:b NOT < 1 OR a:b <= 1 OR a:b > 1 OR a:b >= 1"
       " OR a:b NOT IN (1, 2.5) OR a:b LIKE 'x%' OR a:b MATCHES '(' OR a:b ISSUBSET "
       "'1234' OR a:b NOT ISSUPERSET '::/0' OR EXISTS a:b OR NOT EXISTS a:b]"),
     S("[a:b NOT = 1 OR a:b NOT != 1 OR a:b NOT < 1 OR a:b <= 1 OR a:b > 1 OR a:b >= 1"
       " OR a:b NOT IN (1, 2.5) OR a:b LIKE 'x%' OR a:b MATCHES '(' OR a:b ISSUBSET "
       "'1234' OR a:b NOT ISSUPERSET '::/0' OR EXISTS a:b OR NOT EXISTS a:b]")},
    {"needless parentheses", S("((([(a:b = 1)])))"), S("[a:b = 1]")},
    {"needed parentheses", S("[(a:b = 1 OR a:b = 2) AND (a:b = 3 AND a:b = 4)]"),
     S("[(a:b = 1 OR a:b = 2) AND (a:b = 3 AND a:b = 4)]")},
    {"FOLLOWEDBY is loosest", S("[a:b=1] FOLLOWEDBY ([a:b=2] OR ([a:b=3] AND [a:b=4]))"),
     S("[a:b = 1] FOLLOWEDBY [a:b = 2] OR [a:b = 3] AND [a:b = 4]")},
    {"qualifier binds tightest", S("[a:b=1] AND ([a:b=2] WITHIN 5 SECONDS)"),
     S("[a:b = 1] AND [a:b = 2] WITHIN 5 SECONDS")},
    {"stacked qualifiers",
     S("([a:b=1] AND [a:b=2]) REPEATS 3 TIMES WITHIN .5 SECONDS START t'2024-01-01T00:00:00Z' STOP "
       "t'2024-01-02T00:00:00.50Z'"),
     S("([a:b = 1] AND [a:b = 2]) REPEATS 3 TIMES WITHIN .5 SECONDS START t'2024-01-01T00:00:00Z' "
       "STOP "
       "t'2024-01-02T00:00:00.50Z'")},
    {"the same qualifier behind a group", S("([a:b=1] REPEATS 2 TIMES) REPEATS 2 TIMES"),
     S("([a:b = 1] REPEATS 2 TIMES) REPEATS 2 TIMES")},
    {"more than 64 bits", S("[a:b = 99999999999999999999] REPEATS 99999999999999999999 TIMES"),
     S("[a:b = 99999999999999999999] REPEATS 18446744073709551615 TIMES")},
    {"NUL and astral", S("[a:b = '\0\xF0\x9F\x98\x80']"), S("[a:b = '\0\xF0\x9F\x98\x80']")},
    {"hyphen at the end of a type", S("[a-:b = 1]"), S("[a-:b = 1]")},
    {"negative index", S("[a:b[-1] = 1]"), S("[a:b[-1] = 1]")},
    {"empty set", S("[a:b IN ()]"), S("[a:b IN ()]")},
    {"leap second", S("[a:b = t'2016-12-31T23:59:60Z']"), S("[a:b = t'2016-12-31T23:59:60Z']")},
};

static slice printed(const struct pattern *pattern, struct buf *out)
{
    buf_reset(out);
    pattern_print(pattern, out);
    assert_false(out->overflowed);
    return buf_slice(out);
}

static void a_pattern_parses_and_prints_in_one_form(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(BUDGET);
    CLEANUP(buf_free) struct buf out = BUF(PATTERN_BYTES_MAX);

    (void)state;
    CHECK_ROWS(row, good) {
        struct pattern pattern, again;
        struct diag diag = {0};

        arena_reset(&arena);
        if (failed(pattern_parse(row->text, STIX_21, &arena, &pattern, NULL, &diag)))
            fail_msg("%s: %s", row->name, diag.text);
        if (!slice_eq(printed(&pattern, &out), row->printed))
            fail_msg("%s: printed %.*s", row->name, SLICE_ARG(buf_slice(&out)));
        assert_true(succeeded(pattern_parse(row->printed, STIX_21, &arena, &again, NULL, &diag)));
        assert_true(slice_eq(printed(&again, &out), row->printed));
    }
}

static const struct {
    const char *name;
    slice text;
    unsigned line, column;
    const char *expected; /* begins with */
} bad[] = {
    {"nothing", S(""), 1, 1, "\"[\" or"},
    {"no brackets", S("file:name = 'x'"), 1, 1, "\"[\" or"},
    {"empty brackets", S("[]"), 1, 2, "an object path"},
    {"unclosed", S("[a:b = 1"), 1, 9, "AND, OR or a closing \"]\""},
    {"unclosed group", S("([a:b = 1]"), 1, 11, "a closing \")\""},
    {"unclosed inner group", S("[(a:b = 1]"), 1, 10, "a closing \")\""},
    {"closed too often", S("[a:b = 1])"), 1, 10, "an observation operator"},
    {"inner closed too often", S("[a:b = 1)]"), 1, 9, "AND, OR or a closing"},
    {"two observations", S("[a:b = 1] [a:b = 2]"), 1, 11, "AND, OR, FOLLOWEDBY"},
    {"dot for colon", S("[file.size = 1]"), 1, 6, "\":\""},
    {"bare hyphen in a property", S("[f:hashes.SHA-256 = 'x']"), 1, 11,
     "a property name (in quotes"},
    {"keyword as a property", S("[x:LIKE = 1]"), 1, 4, "a property name"},
    {"true as a property", S("[x:true = 1]"), 1, 4, "a property name"},
    {"digit in front", S("[x:1a = 1]"), 1, 4, "a property name"},
    {"quoted type", S("['a':b = 1]"), 1, 2, "an object path"},
    {"index without a number", S("[a:b[x] = 1]"), 1, 6, "a list index"},
    {"index unclosed", S("[a:b[1 = 1]"), 1, 8, "a closing \"]\" behind"},
    {"no operator", S("[a:b 1]"), 1, 6, "a comparison operator"},
    {"single !", S("[a:b ! 1]"), 1, 6, "a comparison operator"},
    {"no value", S("[a:b = ]"), 1, 8, "a value"},
    {"path for a value", S("[a:b = c:d]"), 1, 8, "a value"},
    {"null", S("[a:b = null]"), 1, 8, "a value"},
    {"unquoted string", S("[a:b = http://x]"), 1, 8, "a value"},
    {"plus sign", S("[a:b = +5]"), 1, 8, "a number without the \"+\""},
    {"leading zero", S("[a:b = 05]"), 1, 8, "a number without a leading zero"},
    {"exponent", S("[a:b = 1e3]"), 1, 9, "AND, OR"},
    {"hexadecimal", S("[a:b = 0x10]"), 1, 9, "AND, OR"},
    {"order of booleans", S("[a:b > true]"), 1, 8, "a value that has an order"},
    {"LIKE a number", S("[a:b LIKE 5]"), 1, 11, "a string"},
    {"MATCHES without quotes", S("[a:b MATCHES /x/]"), 1, 14, "a string"},
    {"set without parentheses", S("[a:b IN 1]"), 1, 9, "\"(\""},
    {"comma at the end", S("[a:b IN (1,)]"), 1, 12, "a value"},
    {"octets beside text", S("[a:b IN (h'ff', 'x')]"), 1, 17, "a value of the same type"},
    {"unclosed string", S("[a:b = 'x"), 1, 10, "a closing \"'\""},
    {"unknown escape", S("[a:b = 'x\\n']"), 1, 11, "\"'\" or"},
    {"odd hex", S("[a:b = h'ffd']"), 1, 13, "hexadecimal digits"},
    {"not hex", S("[a:b = h'fg']"), 1, 11, "hexadecimal digits"},
    {"short base64", S("[a:b = b'ABI']"), 1, 13, "base64"},
    {"all padding", S("[a:b = b'====']"), 1, 14, "base64"},
    {"month 13", S("[a:b = t'2024-13-01T00:00:00Z']"), 1, 8, "a timestamp"},
    {"day 0", S("[a:b = t'2024-01-00T00:00:00Z']"), 1, 8, "a timestamp"},
    {"hour 24", S("[a:b = t'2024-01-01T24:00:00Z']"), 1, 8, "a timestamp"},
    {"second 61", S("[a:b = t'2024-01-01T00:00:61Z']"), 1, 8, "a timestamp"},
    {"small t", S("[a:b = t'2024-01-01t00:00:00Z']"), 1, 8, "a timestamp"},
    {"offset", S("[a:b = t'2024-01-01T00:00:00+00:00']"), 1, 8, "a timestamp"},
    {"point without digits", S("[a:b = t'2024-01-01T00:00:00.Z']"), 1, 8, "a timestamp"},
    {"NOT before a path", S("[NOT a:b = 1]"), 1, 6, "EXISTS"},
    {"NOT before a group", S("[NOT (a:b = 1)]"), 1, 6, "EXISTS"},
    {"small keyword", S("[a:b = 1 and a:b = 2]"), 1, 10, "AND, OR"},
    {"small qualifier", S("[a:b = 1] within 5 SECONDS"), 1, 11, "AND, OR, FOLLOWEDBY"},
    {"other unit", S("[a:b = 1] WITHIN 5 MINUTES"), 1, 20, "SECONDS"},
    {"WITHIN 0", S("[a:b = 1] WITHIN 0.0 SECONDS"), 1, 18, "a number of seconds above zero"},
    {"WITHIN less than 0", S("[a:b = 1] WITHIN -1 SECONDS"), 1, 18, "a number of seconds"},
    {"REPEATS 0", S("[a:b = 1] REPEATS 0 TIMES"), 1, 19, "a whole number of times"},
    {"REPEATS 1.5", S("[a:b = 1] REPEATS 1.5 TIMES"), 1, 19, "a whole number of times"},
    {"START alone", S("[a:b = 1] START t'2024-01-01T00:00:00Z'"), 1, 40, "STOP"},
    {"START of text", S("[a:b = 1] START '2024-01-01T00:00:00Z' STOP '2024-01-01T00:00:00Z'"), 1,
     17, "a timestamp"},
    {"WITHIN twice", S("[a:b = 1] WITHIN 5 SECONDS WITHIN 6 SECONDS"), 1, 28,
     "no second qualifier"},
    {"REPEATS twice in a group", S("([a:b = 1] REPEATS 2 TIMES REPEATS 3 TIMES)"), 1, 28,
     "no second qualifier"},
    {"second line", S("[a:b = 1]\n AND\n  [\xC3\xA9]"), 3, 4, "an object path"},
    {"characters, not bytes", S("[a:b = '\xC3\xA9\xE2\x82\xAC'!]"), 1, 12, "AND, OR"},
    {"unclosed comment", S("[a:b = 1] /* x"), 1, 11, "AND, OR, FOLLOWEDBY"},
    {"not UTF-8", S("[a:b = '\xC3\xA9\xFF']"), 1, 10, "UTF-8 text"},
};

static void what_is_wrong_is_named_with_its_place(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(BUDGET);

    (void)state;
    CHECK_ROWS(row, bad) {
        struct pattern pattern;
        struct pattern_error error = {0};
        struct diag diag = {0};

        arena_reset(&arena);
        assert_int_equal(pattern_parse(row->text, STIX_21, &arena, &pattern, &error, &diag).code,
                         ERR_INVALID);
        if (error.line != row->line || error.column != row->column ||
            !slice_starts(slice_text(error.expected), slice_text(row->expected)))
            fail_msg("%s: line %u, column %u: %s", row->name, error.line, error.column,
                     error.expected);
        assert_true(slice_find(slice_text(diag.text), slice_text(error.expected)) != SIZE_MAX);
    }
}

static const struct {
    const char *name;
    slice text;
    bool in_20, in_21;
} editions[] = {
    {"EXISTS", S("[EXISTS a:b]"), false, true},
    {"NOT EXISTS", S("[NOT EXISTS a:b]"), false, true},
    {"times as strings", S("[a:b = 1] START '2024-01-01T00:00:00Z' STOP '2024-01-02T00:00:00Z'"),
     true, false},
    {"times as strings that are none", S("[a:b = 1] START '2024-01-01T00:00Z' STOP 'x'"), false,
     false},
    {"WITHIN twice", S("[a:b = 1] WITHIN 5 SECONDS WITHIN 6 SECONDS"), true, false},
    {"REPEATS twice", S("[a:b = 1] REPEATS 2 TIMES REPEATS 3 TIMES"), true, true},
    {"timestamps", S("[a:b = 1] START t'2024-01-01T00:00:00Z' STOP t'2024-01-01T00:00:00Z'"), true,
     true},
};

static void the_two_editions_differ_where_they_say(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(BUDGET);

    (void)state;
    CHECK_ROWS(row, editions) {
        struct pattern pattern;

        assert_true(succeeded(pattern_parse(row->text, STIX_20, &arena, &pattern, NULL, NULL)) ==
                    row->in_20);
        assert_true(succeeded(pattern_parse(row->text, STIX_21, &arena, &pattern, NULL, NULL)) ==
                    row->in_21);
    }
}

static const struct {
    const char *name;
    slice text;
    bool impossible;
} constants[] = {
    {"30 February", S("[a:b = t'2024-02-30T00:00:00Z']"), true},
    {"29 February", S("[a:b = t'2024-02-29T00:00:00Z']"), false},
    {"no leap year", S("[a:b = t'2023-02-29T00:00:00Z']"), true},
    {"long fraction", S("[a:b = t'2024-02-29T00:00:00.123456789012345Z']"), false},
    {"in a qualifier", S("[a:b = 1] START t'2024-04-31T00:00:00Z' STOP t'2024-05-01T00:00:00Z'"),
     true},
    {"numbers and booleans", S("[a:b IN (1, true)]"), true},
    {"numbers", S("[a:b IN (1, 1.5)]"), false},
};

static void an_invalid_constant_is_told_apart(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(BUDGET);

    (void)state;
    CHECK_ROWS(row, constants) {
        struct pattern pattern;

        assert_true(succeeded(pattern_parse(row->text, STIX_21, &arena, &pattern, NULL, NULL)));
        assert_true(pattern.is_impossible == row->impossible);
    }
}

static void literals_have_their_values(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(BUDGET);
    struct pattern pattern;
    const struct pattern_literal *literal;
    const slice text = SLICE("[a:b = 'it\\'s' OR a:b = -12 OR a:b = -0.5 OR a:b = h'00fF' OR a:b = "
                             "b'AP8=' OR a:b = false OR a:b = t'1970-01-01T00:00:01.5Z' OR a:b = "
                             "9223372036854775807] WITHIN 0.000001000002 SECONDS");
    const struct pattern_node *tests[8];
    size_t count = 0;

    (void)state;
    assert_true(succeeded(pattern_parse(text, STIX_21, &arena, &pattern, NULL, NULL)));
    for (size_t i = 0; i < pattern.node_count; i++)
        if (pattern.nodes[i].kind == PATTERN_COMPARE)
            tests[count++] = &pattern.nodes[i];
    assert_int_equal(count, 8);
    assert_true(slice_eq(tests[0]->literals->text, SLICE("it's")));
    assert_int_equal(tests[1]->literals->integer, -12);
    assert_true(tests[2]->literals->real >= -0.5 && tests[2]->literals->real <= -0.5);
    assert_true(slice_eq(tests[3]->literals->text, SLICE("\x00\xff")));
    literal = tests[4]->literals;
    assert_true(literal->kind == PATTERN_BINARY && slice_eq(literal->text, SLICE("\x00\xff")));
    assert_true(tests[5]->literals->kind == PATTERN_BOOLEAN && !tests[5]->literals->boolean);
    assert_int_equal(tests[6]->literals->timestamp.us, 1500000);
    assert_true(tests[7]->literals->integer == INT64_MAX);
    assert_int_equal(pattern.nodes[pattern.node_count - 1].window.us, 1);
    assert_int_equal(pattern.nodes[pattern.node_count - 1].window.rest, 2);
}

/* ---- limits ---- */

static slice repeated(struct buf *buf, slice before, slice piece, size_t count, slice behind)
{
    buf_reset(buf);
    buf_put(buf, before);
    for (size_t i = 0; i < count; i++)
        buf_put(buf, piece);
    buf_put(buf, behind);
    return buf_slice(buf);
}

static void limits_end_what_is_too_large(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(BUDGET * 4);
    CLEANUP(arena_free) struct arena small = ARENA(1000);
    CLEANUP(buf_free) struct buf buf = BUF(PATTERN_BYTES_MAX * 2);
    struct pattern pattern;
    slice text;

    (void)state;
    text = repeated(&buf, SLICE(""), SLICE("("), PATTERN_DEPTH_MAX, SLICE("[a:b = 1]"));
    assert_int_equal(pattern_parse(text, STIX_21, &arena, &pattern, NULL, NULL).code, ERR_LIMIT);
    text = repeated(&buf, SLICE("[a:b"), SLICE("[*]"), PATTERN_STEPS_MAX, SLICE(" = 1]"));
    assert_int_equal(pattern_parse(text, STIX_21, &arena, &pattern, NULL, NULL).code, ERR_LIMIT);
    text = repeated(&buf, SLICE("[a:b = '"), SLICE("x"), PATTERN_BYTES_MAX, SLICE("']"));
    assert_int_equal(pattern_parse(text, STIX_21, &arena, &pattern, NULL, NULL).code, ERR_LIMIT);
    text = repeated(&buf, SLICE("[a:b=1"), SLICE(" OR a:b=1"), 100000, SLICE("]"));
    assert_true(succeeded(pattern_parse(text, STIX_21, &arena, &pattern, NULL, NULL)));
    assert_int_equal(pattern_parse(text, STIX_21, &small, &pattern, NULL, NULL).code, ERR_LIMIT);
    text = repeated(&buf, SLICE("[a:b"), SLICE("[*]"), PATTERN_STEPS_MAX - 1, SLICE(" = 1]"));
    assert_true(succeeded(pattern_parse(text, STIX_21, &arena, &pattern, NULL, NULL)));
}

/* ---- print, then parse: the same tree ---- */

struct chance {
    uint64_t state;
};

static unsigned pick(struct chance *chance, unsigned count)
{
    chance->state = chance->state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(chance->state >> 33) % count;
}

static slice any_text(struct chance *chance)
{
    static const slice texts[] = {
        S(""),    S("a"),        S("it's"), S("\\"),  S("AND"),  S("true"), S("x_y"), S("SHA-256"),
        S("a.b"), S("\xC3\xA9"), S("]"),    S("MD5"), S("LAST"), S("9"),    S("//"),  S("/*")};

    return texts[pick(chance, sizeof(texts) / sizeof(texts[0]))];
}

static struct pattern_literal any_literal(struct chance *chance, enum pattern_op op)
{
    static const slice numbers[] = {S("0"), S("-7"), S("12"), S(".5"), S("-00.25")};
    unsigned kind = op >= PATTERN_LIKE ? 0 : pick(chance, 5);

    if (kind == 0)
        return (struct pattern_literal){.kind = PATTERN_STRING, .text = any_text(chance)};
    if (kind == 1)
        return (struct pattern_literal){.kind = PATTERN_HEX, .text = any_text(chance)};
    if (kind == 2)
        return (struct pattern_literal){.kind = PATTERN_BINARY, .text = any_text(chance)};
    if (kind == 3)
        return (struct pattern_literal){.kind = PATTERN_TIMESTAMP,
                                        .text = SLICE("2024-02-29T23:59:59.25Z")};
    return (struct pattern_literal){.kind = PATTERN_INTEGER, .text = numbers[pick(chance, 5)]};
}

#define STEPS 3
#define NODES 200

struct forest {
    struct pattern_node nodes[NODES];
    struct pattern_step steps[NODES][STEPS];
    struct pattern_literal literals[NODES][2];
    uint32_t operands[NODES];
    size_t count, operand_count;
};

static void any_test(struct forest *forest, struct chance *chance)
{
    size_t at = forest->count;
    struct pattern_node *node = &forest->nodes[at];
    struct pattern_literal *literals = forest->literals[at];

    *node = (struct pattern_node){.kind = pick(chance, 8) ? PATTERN_COMPARE : PATTERN_EXISTS};
    node->negated = pick(chance, 2);
    node->path.type = pick(chance, 2) ? SLICE("x-y") : SLICE("file");
    node->path.steps = forest->steps[at];
    node->path.step_count = 1 + pick(chance, STEPS);
    for (size_t i = 0; i < node->path.step_count; i++)
        forest->steps[at][i] = (struct pattern_step){
            .kind = i == 0 ? PATTERN_KEY : (enum pattern_step_kind)pick(chance, 3),
            .key = any_text(chance),
            .index = (int)pick(chance, 5) - 2};
    if (node->kind == PATTERN_COMPARE) {
        node->op = (enum pattern_op)pick(chance, PATTERN_ISSUPERSET + 1);
        literals[0] = any_literal(chance, node->op);
        literals[1] = literals[0];
        node->literals = literals;
        node->literal_count = node->op == PATTERN_IN ? pick(chance, 3) : 1;
    }
    forest->operands[forest->operand_count++] = (uint32_t)forest->count++;
}

static void above_one(struct forest *forest, enum pattern_node_kind kind, struct chance *chance)
{
    struct pattern_node *node = &forest->nodes[forest->count];

    *node = (struct pattern_node){.kind = kind};
    node->left = forest->operands[forest->operand_count - 1];
    node->seconds = pick(chance, 2) ? SLICE("5") : SLICE("0.5");
    node->repeats = 1 + pick(chance, 9);
    forest->operands[forest->operand_count - 1] = (uint32_t)forest->count++;
}

static void above_two(struct forest *forest, enum pattern_node_kind kind)
{
    struct pattern_node *node = &forest->nodes[forest->count];

    *node = (struct pattern_node){.kind = kind};
    node->right = forest->operands[--forest->operand_count];
    node->left = forest->operands[forest->operand_count - 1];
    forest->operands[forest->operand_count - 1] = (uint32_t)forest->count++;
}

/* Tests joined in any shape, in brackets. */
static void any_observation(struct forest *forest, struct chance *chance)
{
    size_t base = forest->operand_count, tests = 1 + pick(chance, 5);

    while (tests > 0 || forest->operand_count > base + 1) {
        if (tests > 0 && (forest->operand_count < base + 2 || pick(chance, 2))) {
            any_test(forest, chance);
            tests--;
        } else {
            above_two(forest, pick(chance, 2) ? PATTERN_AND : PATTERN_OR);
        }
    }
    above_one(forest, PATTERN_OBSERVATION, chance);
}

static struct pattern any_pattern(struct forest *forest, struct chance *chance)
{
    size_t observations = 1 + pick(chance, 5);

    forest->count = 0;
    forest->operand_count = 0;
    while (observations > 0 || forest->operand_count > 1) {
        unsigned what = pick(chance, 3);

        if (observations > 0 && (forest->operand_count < 2 || what == 0)) {
            any_observation(forest, chance);
            observations--;
        } else if (forest->operand_count > 1 && what > 0) {
            above_two(forest, (enum pattern_node_kind)(PATTERN_FOLLOWEDBY + pick(chance, 3)));
        }
        if (pick(chance, 3) == 0 && forest->count < NODES - 40)
            above_one(forest, (enum pattern_node_kind)(PATTERN_WITHIN + pick(chance, 2)), chance);
    }
    return (struct pattern){.nodes = forest->nodes, .node_count = forest->count};
}

static void same_path(const struct pattern_path *a, const struct pattern_path *b)
{
    assert_true(slice_eq(a->type, b->type));
    assert_int_equal(a->step_count, b->step_count);
    for (size_t i = 0; i < a->step_count; i++) {
        assert_int_equal(a->steps[i].kind, b->steps[i].kind);
        if (a->steps[i].kind == PATTERN_KEY)
            assert_true(slice_eq(a->steps[i].key, b->steps[i].key));
        if (a->steps[i].kind == PATTERN_INDEX)
            assert_int_equal(a->steps[i].index, b->steps[i].index);
    }
}

static void same_node(const struct pattern_node *a, const struct pattern_node *b)
{
    bool is_test = a->kind == PATTERN_COMPARE || a->kind == PATTERN_EXISTS;

    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->left, b->left);
    assert_int_equal(a->right, b->right);
    assert_true(a->kind != PATTERN_WITHIN || slice_eq(a->seconds, b->seconds));
    assert_true(a->kind != PATTERN_REPEATS || a->repeats == b->repeats);
    if (!is_test)
        return;
    assert_true(a->negated == b->negated);
    same_path(&a->path, &b->path);
    if (a->kind == PATTERN_EXISTS)
        return;
    assert_int_equal(a->op, b->op);
    assert_int_equal(a->literal_count, b->literal_count);
    for (size_t i = 0; i < a->literal_count; i++) {
        bool is_number = a->literals[i].kind == PATTERN_INTEGER;

        assert_true(is_number || a->literals[i].kind == b->literals[i].kind);
        assert_true(slice_eq(a->literals[i].text, b->literals[i].text));
    }
}

static void print_then_parse_gives_the_same_tree(void **state)
{
    static struct forest forest;
    CLEANUP(arena_free) struct arena arena = ARENA(BUDGET);
    CLEANUP(buf_free) struct buf out = BUF(PATTERN_BYTES_MAX);
    struct chance chance = {20240229};

    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        struct pattern made = any_pattern(&forest, &chance), read;
        struct diag diag = {0};

        arena_reset(&arena);
        if (failed(pattern_parse(printed(&made, &out), STIX_21, &arena, &read, NULL, &diag)))
            fail_msg("pattern %u: %.*s: %s", i, SLICE_ARG(buf_slice(&out)), diag.text);
        assert_int_equal(made.node_count, read.node_count);
        for (size_t j = 0; j < made.node_count; j++)
            same_node(&made.nodes[j], &read.nodes[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_parses_and_prints_in_one_form),
        cmocka_unit_test(what_is_wrong_is_named_with_its_place),
        cmocka_unit_test(the_two_editions_differ_where_they_say),
        cmocka_unit_test(an_invalid_constant_is_told_apart),
        cmocka_unit_test(literals_have_their_values),
        cmocka_unit_test(limits_end_what_is_too_large),
        cmocka_unit_test(print_then_parse_gives_the_same_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
