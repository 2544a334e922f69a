/* What json_parse takes and refuses, where it says the fault is, and which keys stand twice. */
#include "json/json.h"

#include "base/buf.h"
#include "base/fault.h"
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

static const struct {
    const char *name;
    slice text;
    const char *words;
} refused[] = {
    {"nothing", S(""), "byte 0: the text is empty"},
    {"white space only", S(" \t\r\n"), "byte 0: the text is empty"},
    {"a byte order mark", S("\xEF\xBB\xBF{}"), "byte 0: expected a value"},
    {"a key without quotes", S("{a:1}"), "byte 1: expected a key in quotes"},
    {"a number as key", S("{1:1}"), "byte 1: expected a key in quotes"},
    {"no colon", S("{\"a\" 1}"), "byte 5: expected ':' behind a key"},
    {"no value", S("{\"a\":}"), "byte 5: expected a value"},
    {"no comma in an object", S("{\"a\":1 \"b\":2}"), "byte 7: expected ',' or '}'"},
    {"no comma in an array", S("[1 2]"), "byte 3: expected ',' or ']'"},
    {"a comma too many in an object", S("{\"a\":1,}"), "byte 7: expected a key in quotes"},
    {"a comma too many in an array", S("[1,]"), "byte 3: expected a value"},
    {"a comma first", S("[,1]"), "byte 1: expected a value"},
    {"crossed brackets", S("[{]}"), "byte 2: expected a key in quotes"},
    {"the wrong bracket", S("[1}"), "byte 2: expected ',' or ']'"},
    {"the wrong bracket of an object", S("{\"a\":1]"), "byte 6: expected ',' or '}'"},
    {"an open array", S("[1,2"), "byte 4: expected ',' or ']'"},
    {"an open object", S("{\"a\":1"), "byte 6: expected ',' or '}'"},
    {"an object cut behind its key", S("{\"a\""), "byte 4: expected ':' behind a key"},
    {"an object cut behind its colon", S("{\"a\":"), "byte 5: expected a value"},
    {"one bracket", S("{"), "byte 1: expected a key in quotes"},
    {"a bracket too many", S("[]]"), "byte 2: unexpected text behind a value"},
    {"two values", S("{} {}"), "byte 3: unexpected text behind a value"},
    {"a colon in an array", S("[\"a\":1]"), "byte 4: expected ',' or ']'"},
    {"a single quote", S("['a']"), "byte 1: expected a value"},
    {"a comment", S("[1] // x"), "byte 4: unexpected text behind a value"},
    {"a NUL behind", S("[1]\0"), "byte 3: unexpected text behind a value"},
    {"a form feed", S("[1\f]"), "byte 2: expected ',' or ']'"},
    {"a control that looks like a colon", S("{\"a\"\x1A 1}"), "byte 4: expected ':' behind a key"},
    {"text behind a word", S("[truex]"), "byte 5: unexpected text behind a value"},
    {"a word in capitals", S("[True]"), "byte 1: expected a value"},
    {"a cut word", S("nul"), "byte 0: expected a value"},
    {"NaN", S("[NaN]"), "byte 1: expected a value"},
    {"Infinity", S("[-Infinity]"), "byte 2: expected a digit"},
    {"a plus sign", S("[+1]"), "byte 1: expected a value"},
    {"minus alone", S("-"), "byte 1: expected a digit"},
    {"a leading zero", S("[01]"), "byte 1: a number must not begin with 0"},
    {"a negative leading zero", S("[-012]"), "byte 1: a number must not begin with 0"},
    {"no digit before the point", S("[.5]"), "byte 1: expected a value"},
    {"no digit behind the point", S("[1.]"), "byte 3: expected a digit behind the decimal point"},
    {"no digit behind the point but an exponent", S("[1.e5]"),
     "byte 3: expected a digit behind the decimal point"},
    {"no digit in the exponent", S("[1e]"), "byte 3: expected a digit in the exponent"},
    {"a sign alone in the exponent", S("[1E+]"), "byte 4: expected a digit in the exponent"},
    {"hexadecimal", S("[0x10]"), "byte 2: unexpected text behind a value"},
    {"two points", S("[1.2.3]"), "byte 4: unexpected text behind a value"},
    {"a number with text behind", S("[1\"a b\"]"), "byte 2: unexpected text behind a value"},
    {"a string that never ends", S("[\"abc]"), "byte 1: a string that begins here never ends"},
    {"a quote escaped at the end", S("\"abc\\\""), "byte 0: a string that begins here never ends"},
    {"a line feed in a string", S("[\"a\nb\"]"),
     "byte 3: a control character in a string must be escaped"},
    {"a NUL in a string", S("\"\0\""), "byte 1: a control character in a string must be escaped"},
    {"an unknown escape", S("[\"ab\\x41\"]"), "byte 4: no such escape in a string"},
    {"a short unicode escape", S("\"\\u12\""), "byte 1: \\u without four hexadecimal digits"},
    {"a unicode escape of other letters", S("\"\\u12G4\""),
     "byte 1: \\u without four hexadecimal digits"},
    {"a low surrogate alone", S("\"a\\uDC00\""),
     "byte 2: a low surrogate without a high one before it"},
    {"a high surrogate alone", S("\"\\uD800\""),
     "byte 1: a high surrogate without a low one behind it"},
    {"a high surrogate and a letter", S("\"\\uD800\\u0041\""),
     "byte 1: a high surrogate without a low one behind it"},
    {"two high surrogates", S("\"\\uD800\\uD800\""),
     "byte 1: a high surrogate without a low one behind it"},
    {"a bad escape in a key", S("{\"\\q\":1}"), "byte 2: no such escape in a string"},
    {"an escaped quote outside a string", S("[\\\"a\"]"),
     "byte 4: a string that begins here never ends"},
    {"a lone continuation byte", S("[\"a\x80\"]"), "byte 3: not UTF-8"},
    {"an overlong slash", S("\"\xC0\xAF\""), "byte 1: not UTF-8"},
    {"a surrogate in UTF-8", S("\"\xED\xA0\x80\""), "byte 1: not UTF-8"},
    {"beyond U+10FFFF", S("\"\xF4\x90\x80\x80\""), "byte 1: not UTF-8"},
    {"a cut character", S("\"\xE2\x82\""), "byte 1: not UTF-8"},
    {"UTF-16",
     S("[\0"
       "1\0]\0"),
     "byte 1: expected a value"},
};

static void refusals_say_where_and_why(void **state)
{
    (void)state;
    CHECK_ROWS(row, refused) {
        struct diag diag = {0};
        struct json_doc doc;

        assert_int_equal(json_parse_copy(parser, row->text, &doc, &diag).code, ERR_INVALID);
        assert_string_equal(diag.text, row->words);
    }
}

/* The nodes, a line of text: kind, size, "R" for repeated, raw text. */
static void nodes_print(const struct json_doc *doc, struct buf *out)
{
    static const char kinds[] = "nft0sao";

    buf_reset(out);
    for (size_t i = 0; i < doc->node_count; i++) {
        const struct json_node *node = &doc->nodes[i];

        buf_printf(out, "%s%c%u%s ", i == 0 ? "" : "| ", kinds[node->kind], node->size,
                   node->repeated ? "R" : "");
        buf_put(out, json_raw(doc, node));
        buf_byte(out, ' ');
    }
    buf_byte(out, '\0');
}

static const struct {
    const char *name;
    slice text;
    const char *nodes;
} taken[] = {
    {"null", S("null"), "n1 null "},
    {"true with space", S(" true\n"), "t1 true "},
    {"false", S("false"), "f1 false "},
    {"zero", S("0"), "01 0 "},
    {"minus zero", S("-0"), "01 -0 "},
    {"a number with all parts", S("-12.50E+07 "), "01 -12.50E+07 "},
    {"a long exponent", S("1e00000000000000000001"), "01 1e00000000000000000001 "},
    {"an empty string", S("\"\""), "s1 \"\" "},
    {"a string of a space", S("\" \" "), "s1 \" \" "},
    {"a string that ends in a backslash", S("\"a\\\\\""), "s1 \"a\\\\\" "},
    {"brackets in a string", S("[\"[{,:\"]"), "a2 [\"[{,:\"] | s1 \"[{,:\" "},
    {"an empty array", S("[ ]"), "a1 [ ] "},
    {"an empty object", S("{\t}"), "o1 {\t} "},
    {"an array of empties", S("[[],{}]"), "a3 [[],{}] | a1 [] | o1 {} "},
    {"a nested object", S("{\"a\":{\"b\":[1,2]},\"c\":3}"),
     "o9 {\"a\":{\"b\":[1,2]},\"c\":3} | s1 \"a\" | o5 {\"b\":[1,2]} | s1 \"b\" | a3 [1,2] | 01 1 "
     "| 01 2 | s1 \"c\" | 01 3 "},
    {"spaces everywhere", S(" { \"a\" : [ 1 , \"b\" ] } "),
     "o5 { \"a\" : [ 1 , \"b\" ] } | s1 \"a\" | a3 [ 1 , \"b\" ] | 01 1 | s1 \"b\" "},
    {"DEL and beyond", S("\"\x7F\xF4\x8F\xBF\xBF\""), "s1 \"\x7F\xF4\x8F\xBF\xBF\" "},
    {"an escaped NUL", S("\"\\u0000\""), "s1 \"\\u0000\" "},
    {"a surrogate pair", S("\"\\ud83D\\uDe00\""), "s1 \"\\ud83D\\uDe00\" "},
    {"a key twice", S("{\"a\":1,\"a\":2}"),
     "o5R {\"a\":1,\"a\":2} | s1 \"a\" | 01 1 | s1R \"a\" | 01 2 "},
    {"a key three times", S("{\"a\":1,\"b\":0,\"a\":2,\"a\":3}"),
     "o9R {\"a\":1,\"b\":0,\"a\":2,\"a\":3} | s1 \"a\" | 01 1 | s1 \"b\" | 01 0 | s1R \"a\" | 01 2 "
     "| s1R \"a\" | 01 3 "},
    {"a key twice, once escaped", S("{\"\\u0061\":1,\"a\":2}"),
     "o5R {\"\\u0061\":1,\"a\":2} | s1 \"\\u0061\" | 01 1 | s1R \"a\" | 01 2 "},
    {"an escaped NUL is no end", S("{\"a\\u0000\":1,\"a\":2}"),
     "o5 {\"a\\u0000\":1,\"a\":2} | s1 \"a\\u0000\" | 01 1 | s1 \"a\" | 01 2 "},
    {"the empty key twice", S("{\"\":1,\"\":2}"),
     "o5R {\"\":1,\"\":2} | s1 \"\" | 01 1 | s1R \"\" | 01 2 "},
    {"the same key at two levels", S("{\"a\":{\"a\":1}}"),
     "o5 {\"a\":{\"a\":1}} | s1 \"a\" | o3 {\"a\":1} | s1 \"a\" | 01 1 "},
    {"a key twice around an object", S("{\"a\":{\"b\":1},\"a\":1}"),
     "o7R {\"a\":{\"b\":1},\"a\":1} | s1 \"a\" | o3 {\"b\":1} | s1 \"b\" | 01 1 | s1R \"a\" | 01 "
     "1 "},
    {"long keys that differ late", S("{\"abcdefghijklmnopq\":1,\"abcdefghijklmnopr\":2}"),
     "o5 {\"abcdefghijklmnopq\":1,\"abcdefghijklmnopr\":2} | s1 \"abcdefghijklmnopq\" | 01 1 | s1 "
     "\"abcdefghijklmnopr\" | 01 2 "},
};

static void nodes_are_laid_out_flat(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 16);

    (void)state;
    CHECK_ROWS(row, taken) {
        struct diag diag = {0};
        struct json_doc doc;

        if (failed(json_parse_copy(parser, row->text, &doc, &diag)))
            fail_msg("%s: %s", row->name, diag.text);
        nodes_print(&doc, &out);
        assert_string_equal(out.at, row->nodes);
    }
}

/* Arrays, or objects, so many levels deep. */
static void nest(struct buf *text, size_t levels, bool objects)
{
    buf_reset(text);
    for (size_t i = 0; i < levels; i++)
        buf_put(text, objects ? SLICE("{\"a\":") : SLICE("["));
    buf_put(text, objects ? SLICE("1") : SLICE(""));
    for (size_t i = 0; i < levels; i++)
        buf_byte(text, objects ? '}' : ']');
}

static void depth_has_a_limit(void **state)
{
    static const size_t levels[] = {JSON_DEPTH_MAX - 1, JSON_DEPTH_MAX, JSON_DEPTH_MAX + 1, 100000};
    CLEANUP(buf_free) struct buf text = BUF(1 << 20);

    (void)state;
    for (size_t i = 0; i < 2 * sizeof levels / sizeof levels[0]; i++) {
        struct diag diag = {0};
        struct json_doc doc;
        bool objects = i % 2;

        nest(&text, levels[i / 2], objects);
        result r = json_parse_copy(parser, buf_slice(&text), &doc, &diag);
        assert_int_equal(r.code, levels[i / 2] > JSON_DEPTH_MAX ? ERR_LIMIT : ERR_NONE);
        if (failed(r))
            assert_string_equal(diag.text, objects ? "byte 5000: nested too deep"
                                                   : "byte 1000: nested too deep");
    }
}

static void twins_are_found_among_any_number_of_keys(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 20);
    struct json_doc doc;

    (void)state;
    for (size_t count = 1; count < 120; count++) {
        for (size_t twin = 0; twin < count; twin += 7) {
            buf_reset(&text);
            buf_byte(&text, '{');
            for (size_t i = 0; i < count; i++)
                buf_printf(&text, "\"a rather long key with number %zu\":%zu,", i, i);
            buf_printf(&text, "\"\\u0061 rather long key with number %zu\":0}", twin);
            assert_true(succeeded(json_parse_copy(parser, buf_slice(&text), &doc, NULL)));
            assert_true(doc.nodes[0].repeated);
            for (size_t i = 1; i < doc.node_count; i++)
                assert_int_equal(doc.nodes[i].repeated, i == doc.node_count - 2);
        }
    }
}

static void a_million_keys_end_soon(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 26);
    struct json_doc doc;

    (void)state;
    buf_byte(&text, '{');
    for (size_t i = 0; i < 1000000; i++)
        buf_printf(&text, "%s\"%zu\":0", i == 0 ? "" : ",", i / 2);
    buf_byte(&text, '}');
    assert_true(succeeded(json_parse_copy(parser, buf_slice(&text), &doc, NULL)));
    size_t repeated = 0;
    for (size_t i = 1; i < doc.node_count; i += 2)
        repeated += doc.nodes[i].repeated;
    assert_int_equal(repeated, 500000);
}

static void failed_memory_leaves_a_usable_parser(void **state)
{
    static const slice text = S("{\"a\":[1,2,{\"b\":null,\"b\":\"\\u00e9\"}],\"\\u0061\":1}");
    unsigned long nth = 0;
    bool fired;

    (void)state;
    do {
        CLEANUP(json_parser_free) struct json_parser *mine = NULL;
        struct diag diag = {0};
        struct json_doc doc;

        fault_arm(++nth);
        result r = json_parser_new(10, &mine, &diag);
        if (succeeded(r))
            r = json_parse_copy(mine, text, &doc, &diag);
        fired = fault_fired();
        assert_true(failed(r) == fired);
        assert_true(failed(r) == (diag.text[0] != '\0'));
        fault_arm(0);
        if (mine != NULL)
            assert_true(succeeded(json_parse_copy(mine, text, &doc, NULL)) && doc.node_count == 12);
    } while (fired);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_say_where_and_why),
        cmocka_unit_test(nodes_are_laid_out_flat),
        cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(twins_are_found_among_any_number_of_keys),
        cmocka_unit_test(a_million_keys_end_soon),
        cmocka_unit_test(failed_memory_leaves_a_usable_parser),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
