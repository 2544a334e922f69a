/* Looking into what was parsed: members, strings, numbers. */
#include "json/json.h"

#include "rows.h"

static struct json_parser *parser;

static int start(void **state)
{
    (void)state;
    return succeeded(json_parser_new(JSON_DEPTH_MAX, &parser, NULL)) ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    json_parser_free(&parser);
    return 0;
}

static void parse(slice text, struct json_doc *doc)
{
    struct diag diag = {0};

    if (failed(json_parse_copy(parser, text, doc, &diag)))
        fail_msg("%s in %.*s", diag.text, SLICE_ARG(text));
}

static const struct {
    const char *name;
    slice key;
    const char *raw; /* NULL: absent */
} members[] = {
    {"the first", S("a"), "1"},
    {"behind an object", S("c"), "\"x\""},
    {"an object", S("b"), "{\"a\":2,\"z\":3}"},
    {"no member of a member", S("z"), NULL},
    {"the first of two", S("d"), "true"},
    {"spelled with an escape", S("\xC3\xA9/"), "null"},
    {"its escape as written", S("\\u00e9\\/"), NULL},
    {"the empty key", S(""), "[]"},
    {"a beginning of a key", S("lon"), NULL},
    {"more than a key", S("long!"), NULL},
    {"a value is no key", S("x"), NULL},
    {"a key that holds NUL", S("n\0l"), "7"},
};

static void get_finds_direct_members_only(void **state)
{
    struct json_doc doc;

    (void)state;
    parse(SLICE("{\"a\":1,\"b\":{\"a\":2,\"z\":3},\"c\":\"x\",\"d\":true,\"d\":false,"
                "\"\\u00e9\\/\":null,\"\":[],\"long\":0,\"n\\u0000l\":7}"),
          &doc);
    assert_int_equal(json_count(&doc, doc.nodes), 9);
    CHECK_ROWS(row, members) {
        const struct json_node *value = json_get(&doc, doc.nodes, row->key);

        assert_true((value != NULL) == (row->raw != NULL));
        assert_true(value == NULL || slice_eq(json_raw(&doc, value), slice_text(row->raw)));
    }
    assert_null(json_get(&doc, json_get(&doc, doc.nodes, SLICE("")), SLICE("a")));
    assert_null(json_get(&doc, json_get(&doc, doc.nodes, SLICE("a")), SLICE("a")));
}

static void each_walks_one_level(void **state)
{
    static const char *const raws[] = {"1", "[2,3]", "{\"a\":[]}", "\"s\""};
    struct json_doc doc;
    size_t count = 0;

    (void)state;
    parse(SLICE("[1,[2,3],{\"a\":[]},\"s\"]"), &doc);
    for (struct json_each each = json_each(&doc, doc.nodes); json_next(&each); count++) {
        assert_null(each.key);
        assert_true(slice_eq(json_raw(&doc, each.value), slice_text(raws[count])));
    }
    assert_int_equal(count, 4);
    assert_int_equal(json_count(&doc, doc.nodes + 1), 0); /* a number has no children */
}

static const struct {
    const char *name;
    slice text, value;
} strings[] = {
    {"plain", S("\"abc\""), S("abc")},
    {"empty", S("\"\""), S("")},
    {"each short escape", S("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), S("\"\\/\b\f\n\r\t")},
    {"NUL", S("\"a\\u0000b\""), S("a\0b")},
    {"two, three and four bytes", S("\"\\u00E9\\u20ac\\uD83D\\uDE00\""),
     S("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80")},
    {"the last of each length", S("\"\\u007f\\u07FF\\uFFFF\\uDBFF\\uDFFF\""),
     S("\x7F\xDF\xBF\xEF\xBF\xBF\xF4\x8F\xBF\xBF")},
    {"around what is plain", S("\"\\n\xE6\x97\xA5 x\\n\""), S("\n\xE6\x97\xA5 x\n")},
};

static void strings_lose_their_escapes(void **state)
{
    (void)state;
    CHECK_ROWS(row, strings) {
        CLEANUP(arena_free) struct arena arena = ARENA(1 << 12);
        struct json_doc doc;

        parse(row->text, &doc);
        assert_true(slice_eq(json_string(&doc, doc.nodes, &arena), row->value));
        assert_true(json_is(&doc, doc.nodes, row->value));
        assert_false(json_is(&doc, doc.nodes, SLICE("other")));
        assert_true(row->value.len == 0 ||
                    !json_is(&doc, doc.nodes, slice_head(row->value, row->value.len - 1)));
    }
}

static void a_string_needs_a_string_and_room(void **state)
{
    CLEANUP(arena_free) struct arena none = ARENA(0);
    struct json_doc doc;

    (void)state;
    parse(SLICE("[1,\"a\\n\",\"plain\"]"), &doc);
    assert_null(json_string(&doc, &doc.nodes[1], &none).at);
    assert_false(json_is(&doc, &doc.nodes[1], SLICE("1")));
    assert_null(json_string(&doc, &doc.nodes[2], &none).at);
    assert_true(none.overflowed);
    assert_true(slice_eq(json_string(&doc, &doc.nodes[3], &none), SLICE("plain")));
}

static const struct {
    const char *name;
    slice text;
    bool is_i64, is_double;
    int64_t i64;
    double number;
} numbers[] = {
    {"zero", S("0"), true, true, 0, 0},
    {"minus", S("-17"), true, true, -17, -17},
    {"the largest", S("9223372036854775807"), true, true, INT64_MAX, 9223372036854775807.0},
    {"the smallest", S("-9223372036854775808"), true, true, INT64_MIN, -9223372036854775808.0},
    {"one more", S("9223372036854775808"), false, true, 0, 9223372036854775808.0},
    {"a fraction", S("1.0"), false, true, 0, 1.0},
    {"an exponent", S("1e2"), false, true, 0, 100.0},
    {"a capital exponent with plus", S("25E+1"), false, true, 0, 250.0},
    {"the largest double", S("1.7976931348623157e308"), false, true, 0, 1.7976931348623157e308},
    {"over the range", S("1e309"), false, false, 0, 0},
    {"below the range", S("1e-400"), false, true, 0, 0},
    {"halfway between two", S("9007199254740993"), true, true, 9007199254740993,
     9007199254740992.0},
    {"a text", S("\"1\""), false, false, 0, 0},
    {"a word", S("true"), false, false, 0, 0},
};

static void numbers_are_exact_or_refused(void **state)
{
    (void)state;
    CHECK_ROWS(row, numbers) {
        struct json_doc doc;
        int64_t i64 = 0;
        double number = 0;

        parse(row->text, &doc);
        assert_true(json_i64(&doc, doc.nodes, &i64) == row->is_i64 && i64 == row->i64);
        assert_true(json_double(&doc, doc.nodes, &number) == row->is_double);
        assert_memory_equal(&number, &row->number, sizeof number);
    }
}

/* As many bytes as that, and not one more, must be there to read: the sanitizer watches. */
static void a_text_with_padding_is_parsed_in_place(void **state)
{
    static const slice text = S("{\"k\":\"v\"}");
    struct json_doc doc;
    char *bytes = test_malloc(text.len + JSON_PADDING);

    (void)state;
    memset(bytes, '"', text.len + JSON_PADDING); /* the values behind do not matter */
    memcpy(bytes, text.at, text.len);
    assert_true(succeeded(json_parse(parser, slice_of(bytes, text.len), &doc, NULL)));
    assert_true(doc.text.at == bytes && json_is(&doc, &doc.nodes[2], SLICE("v")));
    test_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_finds_direct_members_only),
        cmocka_unit_test(each_walks_one_level),
        cmocka_unit_test(strings_lose_their_escapes),
        cmocka_unit_test(a_string_needs_a_string_and_room),
        cmocka_unit_test(numbers_are_exact_or_refused),
        cmocka_unit_test(a_text_with_padding_is_parsed_in_place),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
