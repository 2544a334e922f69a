/* RFC 8785's own examples, its table of numbers, and what random values must keep. */
#include "json/canonical.h"

#include "base/fault.h"
#include "rows.h"
#include "json/random_json.h"

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

static result canonical(slice text, struct buf *out, struct diag *diag)
{
    struct json_doc doc;

    parse(text, &doc);
    buf_reset(out);
    return json_canonical(&doc, doc.nodes, out, diag);
}

static const struct {
    const char *name;
    slice in, out;
} forms[] = {
    {"RFC 8785, 3.2.2",
     S("{\n  \"numbers\": [333333333.33333329, 1E30, 4.50,\n              2e-3, "
       "0.000000000000000000000000001],\n  \"string\": "
       "\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\n"
       "  \"literals\": [null, true, false]\n}"),
     S("{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
       "\"string\":\"\xE2\x82\xAC$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}")},
    {"RFC 8785, 3.2.3",
     S("{\"\\u20ac\": \"Euro Sign\", \"\\r\": \"Carriage Return\", \"\\ufb33\": \"Hebrew Letter "
       "Dalet With Dagesh\", \"1\": \"One\", \"\\ud83d\\ude00\": \"Emoji: Grinning Face\", "
       "\"\\u0080\": \"Control\", \"\\u00f6\": \"Latin Small Letter O With Diaeresis\"}"),
     S("{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xC2\x80\":\"Control\",\"\xC3\xB6\":\"Latin "
       "Small Letter O With Diaeresis\",\"\xE2\x82\xAC\":\"Euro "
       "Sign\",\"\xF0\x9F\x98\x80\":\"Emoji: "
       "Grinning Face\",\"\xEF\xAC\xB3\":\"Hebrew Letter Dalet With Dagesh\"}")},
    {"the same keys as UTF-8",
     S("{\"\xEF\xAC\xB3\":1,\"\xF0\x9F\x98\x80\":2,\"\xEE\x80\x80\":3,\"\xED\x9F\xBF\":4}"),
     S("{\"\xED\x9F\xBF\":4,\"\xF0\x9F\x98\x80\":2,\"\xEE\x80\x80\":3,\"\xEF\xAC\xB3\":1}")},
    {"the same behind eight bytes",
     S("{\"12345678\xEF\xAC\xB3\":1,\"12345678\xF0\x9F\x98\x80\":2,\"12345678\\ue000\":3}"),
     S("{\"12345678\xF0\x9F\x98\x80\":2,\"12345678\xEE\x80\x80\":3,\"12345678\xEF\xAC\xB3\":1}")},
    {"arrays keep their order", S("[ 56, { \"d\": true, \"10\": null, \"1\": [ ] } ]"),
     S("[56,{\"1\":[],\"10\":null,\"d\":true}]")},
    {"no language's order",
     S("{\"peach\":1,\"p\xC3\xA9"
       "ch\xC3\xA9\":2,\"p\xC3\xAA"
       "che\":3,\"sin\":4,\"Sin\":5}"),
     S("{\"Sin\":5,\"peach\":1,\"p\xC3\xA9"
       "ch\xC3\xA9\":2,\"p\xC3\xAA"
       "che\":3,\"sin\":4}")},
    {"structures",
     S("{\"1\":{\"f\":{\"f\":\"hi\",\"F\":5},\"\\n\":56.0},\"10\":{},\"\":\"empty\",\"a\":{},"
       "\"111\":[{\"e\":\"yes\",\"E\":\"no\"}],\"A\":{}}"),
     S("{\"\":\"empty\",\"1\":{\"\\n\":56,\"f\":{\"F\":5,\"f\":\"hi\"}},\"10\":{},\"111\":[{\"E\":"
       "\"no\",\"e\":\"yes\"}],\"A\":{},\"a\":{}}")},
    {"nothing is normalised", S("{\"Unnormalized Unicode\":\"A\\u030a\"}"),
     S("{\"Unnormalized Unicode\":\"A\xCC\x8A\"}")},
    {"keys that are odd",
     S("{\"\\u20ac\":1,\"\\r\":2,\"\\u000a\":3,\"1\":4,\"\\u0080\":\"Control\\u007f\","
       "\"\\ud83d\\ude02\":5,\"\\u00f6\":6,\"\\ufb33\":7,\"</script>\":8}"),
     S("{\"\\n\":3,\"\\r\":2,\"1\":4,\"</script>\":8,\"\xC2\x80\":\"Control\x7F\",\"\xC3\xB6\":6,"
       "\"\xE2\x82\xAC\":1,\"\xF0\x9F\x98\x82\":5,\"\xEF\xAC\xB3\":7}")},
    {"a key's beginning comes first", S("{\"abcdefghi\":1,\"abcdefgh\":2,\"abcdefgh\\u0000\":3}"),
     S("{\"abcdefgh\":2,\"abcdefgh\\u0000\":3,\"abcdefghi\":1}")},
    {"NUL orders behind the end", S("{\"a\\u0000\":1,\"a\":2}"), S("{\"a\":2,\"a\\u0000\":1}")},
    {"all controls",
     S("\"\\u0000\\u0001\\u0007\\u0008\\u0009\\u000A\\u000B\\u000C\\u000D\\u001F \\u007f\""),
     S("\"\\u0000\\u0001\\u0007\\b\\t\\n\\u000b\\f\\r\\u001f \x7F\"")},
    {"lone values", S(" true "), S("true")},
    {"an empty string", S("\"\""), S("\"\"")},
    {"a slash", S("\"\\/\""), S("\"/\"")},
    {"minus zero", S("[-0,-0.0,0e5,0.0e-5,-0E0]"), S("[0,0,0,0,0]")},
    {"integers beyond the exact ones",
     S("[9007199254740992,9007199254740993,-9007199254740993,999999999999999,1000000000000000,"
       "12345678901234567890123]"),
     S("[9007199254740992,9007199254740992,-9007199254740992,999999999999999,1000000000000000,"
       "1.2345678901234568e+22]")},
    {"too small for a double", S("[1e-400,-1e-400,0.0000001e-400,2e-324,3e-324]"),
     S("[0,0,0,0,5e-324]")},
    {"other spellings", S("[1.0,10e0,1E+2,100e-2,0.1e1,1.50]"), S("[1,10,100,1,1,1.5]")},
    {"where exponents begin", S("[1e20,1e21,123e18,1e-6,1e-7,1.5e-7,123456789012345680000]"),
     S("[100000000000000000000,1e+21,123000000000000000000,0.000001,1e-7,1.5e-7,"
       "123456789012345680000]")},
};

static void forms_are_as_the_rfc_shows(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 16);

    (void)state;
    CHECK_ROWS(row, forms) {
        assert_true(succeeded(canonical(row->in, &out, NULL)));
        if (!slice_eq(buf_slice(&out), row->out))
            fail_msg("%s: %.*s", row->name, SLICE_ARG(buf_slice(&out)));
    }
}

/* RFC 8785, appendix B. */
static const struct {
    const char *name;
    uint64_t bits;
} numbers[] = {
    {"0", 0x0000000000000000},
    {"0", 0x8000000000000000},
    {"5e-324", 0x0000000000000001},
    {"-5e-324", 0x8000000000000001},
    {"1.7976931348623157e+308", 0x7fefffffffffffff},
    {"-1.7976931348623157e+308", 0xffefffffffffffff},
    {"9007199254740992", 0x4340000000000000},
    {"-9007199254740992", 0xc340000000000000},
    {"295147905179352830000", 0x4430000000000000},
    {"9.999999999999997e+22", 0x44b52d02c7e14af5},
    {"1e+23", 0x44b52d02c7e14af6},
    {"1.0000000000000001e+23", 0x44b52d02c7e14af7},
    {"999999999999999700000", 0x444b1ae4d6e2ef4e},
    {"999999999999999900000", 0x444b1ae4d6e2ef4f},
    {"1e+21", 0x444b1ae4d6e2ef50},
    {"9.999999999999997e-7", 0x3eb0c6f7a0b5ed8c},
    {"0.000001", 0x3eb0c6f7a0b5ed8d},
    {"333333333.3333332", 0x41b3de4355555553},
    {"333333333.33333325", 0x41b3de4355555554},
    {"333333333.3333333", 0x41b3de4355555555},
    {"333333333.3333334", 0x41b3de4355555556},
    {"333333333.33333343", 0x41b3de4355555557},
    {"-0.0000033333333333333333", 0xbecbf647612f3696},
    {"1424953923781206.2", 0x43143ff3c1cb0959},
};

static void numbers_are_as_ecmascript_writes_them(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(64), out = BUF(64);

    (void)state;
    CHECK_ROWS(row, numbers) {
        double value;

        memcpy(&value, &row->bits, sizeof value);
        buf_reset(&text);
        buf_printf(&text, "%.17g", value);
        assert_true(succeeded(canonical(buf_slice(&text), &out, NULL)));
        buf_byte(&out, '\0');
        assert_string_equal(out.at, row->name);
    }
}

/* Any double: what is written reads back as the same one, and no shorter text would. */
static void random_doubles_survive(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(64), out = BUF(64);
    struct random random = random_start("doubles");

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = random_u64(&random);
        double value, back;
        char shorter[64];

        memcpy(&value, &bits, sizeof value);
        if (value != value || value - value != 0)
            continue;
        buf_reset(&text);
        buf_printf(&text, "%.17g", value);
        assert_true(succeeded(canonical(buf_slice(&text), &out, NULL)));
        buf_byte(&out, '\0');
        back = strtod(out.at, NULL);
        assert_memory_equal(&back, &value, sizeof value);
        size_t digits = 0;
        for (const char *at = out.at; *at != 0 && *at != 'e'; at++)
            digits += (*at >= '1' && *at <= '9') || (*at == '0' && digits > 0);
        if (digits < 2 || digits > 17 || strchr(out.at, 'e') == NULL)
            continue;
        (void)snprintf(shorter, sizeof shorter, "%.*e", (int)digits - 2, value);
        back = strtod(shorter, NULL);
        assert_true(memcmp(&back, &value, sizeof value) != 0);
    }
}

static const struct {
    const char *name;
    slice in;
    const char *words;
} refused[] = {
    {"over the range", S("[1, 1e309]"), "byte 4: a number that no double can hold"},
    {"far over the range", S("-1e99999999999999999999"),
     "byte 0: a number that no double can hold"},
    {"over the range by digits", S("{\"a\":1000000000000000000000e300}"),
     "byte 5: a number that no double can hold"},
    {"just over the range", S("1.7976931348623159e308"),
     "byte 0: a number that no double can hold"},
    {"a key twice", S("{\"a\":1,\"\\u0061\":2}"),
     "byte 7: the key \"\\u0061\" stands twice in its object"},
    {"a key twice inside", S("[{\"b\":{\"a\":1,\"a\":1}}]"),
     "byte 13: the key \"a\" stands twice in its object"},
};

static void what_has_no_form_is_refused(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 16);

    (void)state;
    CHECK_ROWS(row, refused) {
        struct diag diag = {0};

        assert_int_equal(canonical(row->in, &out, &diag).code, ERR_INVALID);
        assert_string_equal(diag.text, row->words);
    }
}

static void a_full_buffer_is_said(void **state)
{
    static const slice text = S("{\"b\":[1,2,3,{\"c\":\"\\u00e9\"}],\"a\":1e20}");
    CLEANUP(buf_free) struct buf whole = BUF(1 << 10);

    (void)state;
    assert_true(succeeded(canonical(text, &whole, NULL)));
    for (size_t ceiling = 0; ceiling < whole.len; ceiling++) {
        CLEANUP(buf_free) struct buf out = BUF(ceiling);
        struct diag diag = {0};

        assert_int_equal(canonical(text, &out, &diag).code, ERR_LIMIT);
        assert_true(diag.text[0] != '\0' && out.len <= ceiling);
    }
}

static void every_failure_is_reported(void **state)
{
    static const slice text = S("{\"b\":[1,2,3,{\"c\":\"\\u00e9\"}],\"a\":[[[]]]}");
    struct json_doc doc;
    unsigned long nth = 0;
    bool fired;

    (void)state;
    parse(text, &doc);
    do {
        CLEANUP(buf_free) struct buf out = BUF(1 << 10);
        struct diag diag = {0};

        fault_arm(++nth);
        result r = json_canonical(&doc, doc.nodes, &out, &diag);
        fired = fault_fired();
        assert_true(failed(r) == fired && failed(r) == (diag.text[0] != '\0'));
        assert_true(failed(r) ||
                    slice_eq(buf_slice(&out), SLICE("{\"a\":[[[]]],\"b\":[1,2,3,{\"c\":"
                                                    "\"\xC3\xA9\"}]}")));
    } while (fired);
    fault_arm(0);
}

static const struct {
    const char *name;
    slice in, out;
} small[] = {
    {"nothing to drop", S("{\"b\":1,\"a\":[1.50,\"x y\"]}"), S("{\"b\":1,\"a\":[1.50,\"x y\"]}")},
    {"everywhere", S(" { \"b\" : [ 1 , \" \\n\" ] ,\r\n\t\"a\" : { } } "),
     S("{\"b\":[1,\" \\n\"],\"a\":{}}")},
    {"a lone string", S(" \" a \" "), S("\" a \"")},
    {"a lone number", S("\n-1.0e5\n"), S("-1.0e5")},
    {"an empty array", S("[ ]"), S("[]")},
};

static void minify_drops_white_space_only(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 16);

    (void)state;
    CHECK_ROWS(row, small) {
        struct json_doc doc;

        parse(row->in, &doc);
        buf_reset(&out);
        json_minify(&doc, doc.nodes, &out);
        assert_true(slice_eq(buf_slice(&out), row->out));
    }
}

static void same_nodes(const struct json_doc *a, slice b_text)
{
    CLEANUP(json_parser_free) struct json_parser *second = NULL;
    struct json_doc b;

    assert_true(succeeded(json_parser_new(JSON_DEPTH_MAX, &second, NULL)));
    assert_true(succeeded(json_parse_copy(second, b_text, &b, NULL)));
    assert_int_equal(a->node_count, b.node_count);
    for (size_t i = 0; i < b.node_count; i++) {
        const struct json_node *x = &a->nodes[i], *y = &b.nodes[i];

        assert_true(x->kind == y->kind && x->size == y->size && x->repeated == y->repeated);
        assert_true(x->kind >= JSON_ARRAY || slice_eq(json_raw(a, x), json_raw(&b, y)));
    }
}

static void random_values_keep_their_meaning(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 20), once = BUF(1 << 20), twice = BUF(1 << 20);
    CLEANUP(buf_free) struct buf minified = BUF(1 << 20);
    struct random random = random_start("values");

    (void)state;
    for (int i = 0; i < 3000; i++) {
        struct json_doc doc;

        buf_reset(&text);
        random_json(&random, &text);
        parse(buf_slice(&text), &doc);
        buf_reset(&minified);
        json_minify(&doc, doc.nodes, &minified);
        same_nodes(&doc, buf_slice(&minified));

        assert_true(succeeded(canonical(buf_slice(&text), &once, NULL)));
        assert_true(succeeded(canonical(buf_slice(&once), &twice, NULL)));
        assert_true(slice_eq(buf_slice(&once), buf_slice(&twice)));
        assert_true(succeeded(canonical(buf_slice(&minified), &twice, NULL)));
        assert_true(slice_eq(buf_slice(&once), buf_slice(&twice)));
    }
}

static void the_hash_is_of_the_form(void **state)
{
    CLEANUP(buf_free) struct buf scratch = BUF(1 << 10);
    struct hash256 hash, expected = sha256(SLICE("{\"a\":1,\"b\":[]}"));
    struct json_doc doc;

    (void)state;
    parse(SLICE("{ \"b\": [], \"a\": 1.0 }"), &doc);
    buf_put(&scratch, SLICE("old"));
    assert_true(succeeded(json_canonical_hash(&doc, doc.nodes, &scratch, &hash, NULL)));
    assert_true(hash256_eq(&hash, &expected));
}

static void a_part_of_a_text_has_its_own_form(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 10);
    struct json_doc doc;

    (void)state;
    parse(SLICE("{\"x\": {\"b\" : 2, \"a\" : 1}, \"y\": 3}"), &doc);
    const struct json_node *x = json_get(&doc, doc.nodes, SLICE("x"));
    assert_true(succeeded(json_canonical(&doc, x, &out, NULL)));
    assert_true(slice_eq(buf_slice(&out), SLICE("{\"a\":1,\"b\":2}")));
    buf_reset(&out);
    json_minify(&doc, x, &out);
    assert_true(slice_eq(buf_slice(&out), SLICE("{\"b\":2,\"a\":1}")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_as_the_rfc_shows),
        cmocka_unit_test(numbers_are_as_ecmascript_writes_them),
        cmocka_unit_test(random_doubles_survive),
        cmocka_unit_test(what_has_no_form_is_refused),
        cmocka_unit_test(a_full_buffer_is_said),
        cmocka_unit_test(every_failure_is_reported),
        cmocka_unit_test(minify_drops_white_space_only),
        cmocka_unit_test(random_values_keep_their_meaning),
        cmocka_unit_test(the_hash_is_of_the_form),
        cmocka_unit_test(a_part_of_a_text_has_its_own_form),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
