/* The writer: commas, escapes, repaired UTF-8, numbers. */
#include "json/write.h"

#include "rows.h"
#include "json/json.h"
#include "json/random_json.h"

static void commas_come_by_themselves(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 10);
    struct json_writer w = JSON_WRITER(&out);

    (void)state;
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("title"), SLICE("a \"b\""));
    jw_put_u64(&w, SLICE("count"), 3);
    jw_put_bool(&w, SLICE("ok"), true);
    jw_key(&w, SLICE("list"));
    jw_array_begin(&w);
    jw_i64(&w, -1);
    jw_i64(&w, 0);
    jw_null(&w);
    jw_array_begin(&w);
    jw_array_end(&w);
    jw_object_begin(&w);
    jw_object_end(&w);
    jw_raw(&w, SLICE("{\"x\":1}"));
    jw_bool(&w, false);
    jw_array_end(&w);
    jw_key(&w, SLICE("last"));
    jw_string(&w, SLICE(""));
    jw_object_end(&w);
    assert_true(slice_eq(buf_slice(&out),
                         SLICE("{\"title\":\"a \\\"b\\\"\",\"count\":3,\"ok\":true,\"list\":[-1,0,"
                               "null,[],{},{\"x\":1},false],\"last\":\"\"}")));
}

static void numbers_are_whole_at_their_ends(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 10);
    struct json_writer w = JSON_WRITER(&out);

    (void)state;
    jw_array_begin(&w);
    jw_u64(&w, UINT64_MAX);
    jw_i64(&w, INT64_MIN);
    jw_i64(&w, INT64_MAX);
    jw_array_end(&w);
    assert_true(slice_eq(buf_slice(&out), SLICE("[18446744073709551615,-9223372036854775808,"
                                                "9223372036854775807]")));
}

static const struct {
    const char *name;
    slice value, text;
} strings[] = {
    {"plain", S("abc"), S("\"abc\"")},
    {"empty", S(""), S("\"\"")},
    {"quotes and backslashes", S("\"\\/"), S("\"\\\"\\\\/\"")},
    {"controls", S("\0\b\t\n\v\f\r\x1F\x7F"), S("\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\x7F\"")},
    {"other scripts", S("\xE6\x97\xA5\xD7\xA9\xF0\x9F\x98\x80"),
     S("\"\xE6\x97\xA5\xD7\xA9\xF0\x9F\x98\x80\"")},
    {"a lone byte", S("a\x80\"b"), S("\"a\xEF\xBF\xBD\\\"b\"")},
    {"each of two lone bytes", S("\xFF\xFE"), S("\"\xEF\xBF\xBD\xEF\xBF\xBD\"")},
    {"an overlong form", S("\xC0\xAF"), S("\"\xEF\xBF\xBD\xEF\xBF\xBD\"")},
    {"a surrogate", S("\xED\xA0\x80"), S("\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"")},
    {"a cut character counts once", S("\xE2\x82x\xF0\x9F\x98"), S("\"\xEF\xBF\xBDx\xEF\xBF\xBD\"")},
    {"beyond Unicode", S("\xF4\x90\x80\x80"),
     S("\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"")},
};

static void strings_are_escaped_and_repaired(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 10);

    (void)state;
    CHECK_ROWS(row, strings) {
        struct json_writer w = JSON_WRITER(&out);

        buf_reset(&out);
        jw_string(&w, row->value);
        if (!slice_eq(buf_slice(&out), row->text))
            fail_msg("%s: %.*s", row->name, SLICE_ARG(buf_slice(&out)));
    }
}

static void what_is_written_reads_back(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 16);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct random random = random_start("strings");

    (void)state;
    assert_true(succeeded(json_parser_new(8, &parser, NULL)));
    for (int i = 0; i < 5000; i++) {
        CLEANUP(arena_free) struct arena arena = ARENA(1 << 16);
        struct json_writer w = JSON_WRITER(&out);
        struct json_doc doc;
        char bytes[40];
        slice value = slice_of(bytes, random_below(&random, sizeof bytes));

        for (size_t k = 0; k < value.len; k++)
            bytes[k] = (char)random_below(&random, i % 2 == 0 ? 256 : 128);
        buf_reset(&out);
        jw_object_begin(&w);
        jw_put_string(&w, value, value);
        jw_object_end(&w);
        assert_true(succeeded(json_parse_copy(parser, buf_slice(&out), &doc, NULL)));
        slice back = json_string(&doc, &doc.nodes[2], &arena);
        assert_true(utf8_valid(back));
        assert_true(slice_eq(back, value) == utf8_valid(value));
        assert_true(json_is(&doc, &doc.nodes[1], back));
    }
}

static void a_full_buffer_stays_full(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF(8);
    struct json_writer w = JSON_WRITER(&out);

    (void)state;
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("key"), SLICE("value"));
    jw_object_end(&w);
    assert_true(out.overflowed && out.len <= 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_come_by_themselves),
        cmocka_unit_test(numbers_are_whole_at_their_ends),
        cmocka_unit_test(strings_are_escaped_and_repaired),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(a_full_buffer_stays_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
