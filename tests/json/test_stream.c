/* Objects out of bundles, arrays and lines, whatever the size of the windows. */
#include "json/stream.h"

#include "base/fault.h"
#include "rows.h"
#include "json/random_json.h"

#define OBJECT_BYTES_MAX 4096
#define DEPTH_MAX 64

/* Everything a stream gives: "offset=text " for each object, then the envelope. */
static result collect(slice text, size_t window_bytes, struct buf *out, struct diag *diag)
{
    CLEANUP(source_close) struct source *source = NULL;
    CLEANUP(json_stream_close) struct json_stream *stream = NULL;
    const struct json_stream_limits limits = {OBJECT_BYTES_MAX, window_bytes, DEPTH_MAX};
    struct json_window window;
    uint64_t index = 0;
    volatile char padding = 0;

    (void)padding;
    buf_reset(out);
    TRY(source_of_memory(text, &source, diag));
    TRY(json_stream_open(source, &limits, &stream, diag));
    do {
        TRY(json_stream_next(stream, &window, diag));
        assert_int_equal(window.first_index, index);
        index += window.count;
        for (size_t i = 0; i < window.count; i++) {
            slice at = slice_from(text, window.offsets[i]);

            assert_true(slice_starts(at, window.objects[i]));
            buf_printf(out, "%zu=", (size_t)window.offsets[i]);
            buf_put(out, window.objects[i]);
            buf_byte(out, ' ');
            for (size_t k = 0; k < JSON_PADDING; k++) /* readable */
                padding ^= window.objects[i].at[window.objects[i].len + k];
        }
    } while (window.count > 0);
    TRY(json_stream_next(stream, &window, diag)); /* and stays at its end */
    assert_int_equal(window.count, 0);
    buf_put(out, json_stream_envelope(stream));
    return OK;
}

static const size_t windows[] = {0, 1, 17, 64, 65, 100, 1 << 20};
#define WINDOW_COUNT (sizeof windows / sizeof windows[0])

static const struct {
    const char *name;
    slice text, all;
} taken[] = {
    {"an empty bundle", S("{\"type\":\"bundle\",\"objects\":[]}"), S("{\"type\":\"bundle\"}")},
    {"nothing around", S("{\"objects\":[{}]}"), S("12={} {}")},
    {"a bundle", S("{\"type\":\"bundle\",\"id\":\"b\",\"objects\":[{\"a\":1},{\"b\":\"]}\"}]}"),
     S("37={\"a\":1} 45={\"b\":\"]}\"} {\"type\":\"bundle\",\"id\":\"b\"}")},
    {"objects first", S("{\"objects\":[{\"a\":[]}],\"type\":\"bundle\"}\n"),
     S("12={\"a\":[]} {\"type\":\"bundle\"}")},
    {"an envelope",
     S("{ \"more\" : true , \"objects\" : [ { } , { \"x\" : 1 } ] , \"next\" : \"n\" }"),
     S("32={ } 38={ \"x\" : 1 } {\"more\" : true,\"next\" : \"n\"}")},
    {"an array", S("[{\"a\":1},{\"b\":2}]"), S("1={\"a\":1} 9={\"b\":2} ")},
    {"an empty array", S(" [ ] "), S("")},
    {"one object", S("{\"type\":\"x\",\"a\":{\"objects\":[1]}}"),
     S("0={\"type\":\"x\",\"a\":{\"objects\":[1]}} ")},
    {"an empty object", S("{}"), S("0={} ")},
    {"lines", S("{\"a\":1}\n{\"b\":2}\r\n\n{\"c\":3}"), S("0={\"a\":1} 8={\"b\":2} 18={\"c\":3} ")},
    {"one behind another", S("{\"a\":1}{\"b\":2}"), S("0={\"a\":1} 7={\"b\":2} ")},
    {"bundles one behind another", S("{\"objects\":[{\"a\":1}],\"x\":1}{\"objects\":[{}],\"x\":2}"),
     S("12={\"a\":1} 39={} {\"x\":2}")},
    {"observed data of STIX 2.0", S("{\"objects\":{\"0\":{\"type\":\"file\"}},\"z\":[{}]}"),
     S("0={\"objects\":{\"0\":{\"type\":\"file\"}},\"z\":[{}]} ")},
    {"objects that are text", S("{\"objects\":\"[\"}"), S("0={\"objects\":\"[\"} ")},
    {"objects spelled with escapes", S("{\"\\u006fbj\\u0065cts\":[{\"a\":1}]}"),
     S("22={\"a\":1} {}")},
    {"a key that only begins so", S("{\"objects2\":[{}],\"\\qobjects\":[{}]}"),
     S("0={\"objects2\":[{}],\"\\qobjects\":[{}]} ")},
    {"a byte order mark", S("\xEF\xBB\xBF[{}]"), S("4={} ")},
    {"elements that are no objects", S("[1,\"a,]\\\"\",null,[{}],-1.5e3,{}]"),
     S("1=1 3=\"a,]\\\"\" 11=null 16=[{}] 21=-1.5e3 28={} ")},
    {"elements that json_parse refuses", S("[{\"a\":],{1},1x2,{\"a\" \"b\"}]"),
     S("1={\"a\":] 8={1} 12=1x2 16={\"a\" \"b\"} ")},
    {"brackets and escapes in strings",
     S("[{\"a\":\"\\\\\"},{\"b\":\"\\\"}{\"},{\"c\\\\\\\"{\":0}]"),
     S("1={\"a\":\"\\\\\"} 12={\"b\":\"\\\"}{\"} 25={\"c\\\\\\\"{\":0} ")},
    {"objects as object, then as array", S("{\"objects\":{},\"objects\":[{}]}"),
     S("0={\"objects\":{},\"objects\":[{}]} ")},
};

static void objects_are_found(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 16);

    (void)state;
    CHECK_ROWS(row, taken) {
        for (size_t i = 0; i < WINDOW_COUNT; i++) {
            struct diag diag = {0};

            if (failed(collect(row->text, windows[i], &out, &diag)))
                fail_msg("%s: %s", row->name, diag.text);
            if (!slice_eq(buf_slice(&out), row->all))
                fail_msg("%s, windows of %zu: %.*s", row->name, windows[i],
                         SLICE_ARG(buf_slice(&out)));
        }
    }
}

static const struct {
    const char *name;
    slice text;
    const char *words;
} refused[] = {
    {"nothing", S(""), "the text is empty"},
    {"white space", S(" \n\t "), "the text is empty"},
    {"a byte order mark alone", S("\xEF\xBB\xBF"), "the text is empty"},
    {"two byte order marks", S("\xEF\xBB\xBF\xEF\xBB\xBF{}"),
     "byte 3: expected an object or an array of objects"},
    {"a number", S("17"), "byte 0: expected an object or an array of objects"},
    {"a page", S("<html>"), "byte 0: expected an object or an array of objects"},
    {"NUL bytes", S("\0\0"), "byte 0: expected an object or an array of objects"},
    {"a NUL behind", S("[{}]\0"), "byte 4: unexpected text behind a value"},
    {"a NUL between", S("[{},\0{}]"), "byte 4: expected a value"},
    {"bad UTF-8 between", S("[{}\xFF,{}]"), "byte 3: expected ',' or ']'"},
    {"bad UTF-8 around", S("{\"x\":\"\xFF\",\"objects\":[]}"),
     "the members around the objects: byte 6: not UTF-8"},
    {"garbage behind", S("{\"objects\":[]} x"), "byte 15: unexpected text behind a value"},
    {"a bracket too many", S("{\"objects\":[]}]"), "byte 14: unexpected text behind a value"},
    {"a brace too many", S("{\"objects\":[]}}"), "byte 14: unexpected text behind a value"},
    {"a comma between lines", S("{},{}"), "byte 2: unexpected text behind a value"},
    {"an array behind an object", S("{}[]"), "byte 2: an array behind an object"},
    {"an array behind an array", S("[][]"), "byte 2: unexpected text behind a value"},
    {"no comma between", S("[{}{}]"), "byte 3: expected ',' or ']'"},
    {"two commas", S("[{},,{}]"), "byte 4: expected a value"},
    {"a comma first", S("[,{}]"), "byte 1: expected a value"},
    {"a comma last", S("[{},]"), "byte 4: expected a value"},
    {"a colon between", S("[{}:{}]"), "byte 3: expected ',' or ']'"},
    {"the wrong bracket", S("[{}}"), "byte 3: expected ',' or ']'"},
    {"the wrong bracket around", S("{\"objects\":[{}]]"), "byte 15: expected ',' or '}'"},
    {"no key", S("{1:2}"), "byte 1: expected a key in quotes"},
    {"a comma and no key", S("{\"a\":1,}"), "byte 7: expected a key in quotes"},
    {"no colon", S("{\"objects\"[{}]}"), "byte 10: expected ':' behind a key"},
    {"no value", S("{\"a\":,\"objects\":[]}"), "byte 5: expected a value"},
    {"a broken member", S("{\"a\":nul,\"objects\":[]}"),
     "the members around the objects: byte 5: expected a value"},
    {"a broken member behind", S("{\"objects\":[],\"a\":[1 2]}"),
     "the members around the objects: byte 8: expected ',' or ']'"},
    {"objects twice", S("{\"objects\":[{}],\"objects\":[{}]}"),
     "byte 16: \"objects\" stands twice"},
    {"cut in an object", S("[{\"a\":1},{\"b\""),
     "byte 13: the text ends inside what began at byte 9"},
    {"cut in a string", S("[{\"a\":1},{\"b]}"),
     "byte 14: the text ends inside what began at byte 9"},
    {"cut behind an object", S("[{\"a\":1}"), "byte 8: the text ends before its array does"},
    {"cut behind a comma", S("{\"objects\":[{},"), "byte 15: the text ends before its object does"},
    {"cut behind the objects", S("{\"objects\":[{}]"),
     "byte 15: the text ends before its object does"},
    {"cut in a line", S("{\"a\":1}\n{\"b\":"), "byte 13: the text ends before its object does"},
    {"cut in a number", S("[1"), "byte 2: the text ends inside what began at byte 1"},
    {"an open brace", S("{"), "byte 1: the text ends before its object does"},
};

static void broken_text_fails_as_a_whole(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 16);

    (void)state;
    CHECK_ROWS(row, refused) {
        for (size_t i = 0; i < WINDOW_COUNT; i++) {
            struct diag diag = {0};

            if (collect(row->text, windows[i], &out, &diag).code != ERR_INVALID)
                fail_msg("%s: taken", row->name);
            assert_string_equal(diag.text, row->words);
        }
    }
}

/* A text of `head`, count times `unit`, and `tail`. */
static void repeat(struct buf *text, slice head, slice unit, size_t count, slice tail)
{
    buf_reset(text);
    buf_put(text, head);
    for (size_t i = 0; i < count; i++)
        buf_put(text, unit);
    buf_put(text, tail);
}

static void limits_are_kept_to_the_byte(void **state)
{
    static const struct {
        const char *name;
        slice head, unit, tail;
        size_t taken_max; /* units that are still taken */
        const char *words;
    } rows[] = {
        {"an object", S("[{\"a\":\""), S("x"), S("\"}]"), OBJECT_BYTES_MAX - 8,
         "byte 1: an object of more than 4096 bytes"},
        {"a lone object", S("{\"a\":\""), S("x"), S("\"}"), OBJECT_BYTES_MAX - 8,
         "byte 0: an object of more than 4096 bytes"},
        {"an object behind another", S("[{},{\"a\":\""), S("x"), S("\"}]"), OBJECT_BYTES_MAX - 8,
         "byte 4: an object of more than 4096 bytes"},
    };
    CLEANUP(buf_free) struct buf text = BUF(1 << 20), out = BUF(1 << 20);

    (void)state;
    CHECK_ROWS(row, rows) {
        for (size_t i = 0; i < WINDOW_COUNT; i++) {
            struct diag diag = {0};

            repeat(&text, row->head, row->unit, row->taken_max, row->tail);
            assert_true(succeeded(collect(buf_slice(&text), windows[i], &out, &diag)));
            repeat(&text, row->head, row->unit, row->taken_max + 1, row->tail);
            assert_int_equal(collect(buf_slice(&text), windows[i], &out, &diag).code, ERR_LIMIT);
            assert_string_equal(diag.text, row->words);
        }
    }
}

static void depth_has_a_limit(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 20), out = BUF(1 << 20);

    (void)state;
    for (size_t i = 0; i < WINDOW_COUNT; i++) {
        struct diag diag = {0};

        repeat(&text, SLICE("["), SLICE("["), 100000, SLICE(""));
        assert_int_equal(collect(buf_slice(&text), windows[i], &out, &diag).code, ERR_LIMIT);
        assert_string_equal(diag.text, "byte 65: nested too deep");
        repeat(&text, SLICE("["), SLICE("["), DEPTH_MAX, SLICE(""));
        for (size_t k = 0; k <= DEPTH_MAX; k++)
            buf_byte(&text, ']');
        assert_true(succeeded(collect(buf_slice(&text), windows[i], &out, NULL)));
    }
}

static void white_space_needs_no_memory(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 20), out = BUF(1 << 20);

    (void)state;
    repeat(&text, SLICE("{\"objects\":[{}"), SLICE(" "), 100000, SLICE(",{}]}"));
    assert_true(succeeded(collect(buf_slice(&text), 1, &out, NULL)));
    assert_true(slice_eq(buf_slice(&out), SLICE("12={} 100015={} {}")));
}

/* The objects of a text of some form, as json_parse sees them in the whole text. */
static void expect(const struct json_doc *doc, const struct json_node *objects, struct buf *out)
{
    for (struct json_each each = json_each(doc, objects); json_next(&each);) {
        slice raw = json_raw(doc, each.value);

        buf_printf(out, "%zu=", (size_t)(raw.at - doc->text.at));
        buf_put(out, raw);
        buf_byte(out, ' ');
    }
}

static void windows_make_no_difference(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 20), out = BUF(1 << 20), wanted = BUF(1 << 20);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct random random = random_start("windows");
    struct json_doc doc;

    (void)state;
    assert_true(succeeded(json_parser_new(DEPTH_MAX, &parser, NULL)));
    for (int i = 0; i < 3000; i++) {
        bool bundle = random_below(&random, 2) == 0;
        size_t count = random_below(&random, 12);

        buf_reset(&text);
        buf_put(&text, bundle ? SLICE("{\"x\":{\"objects\":[1]} , \"objects\" : [") : SLICE("["));
        for (size_t k = 0; k < count; k++) {
            if (k > 0)
                buf_byte(&text, ',');
            random_json(&random, &text);
        }
        buf_put(&text, bundle ? SLICE("] , \"y\":\"\\\"]}\"}") : SLICE("]"));
        assert_true(succeeded(json_parse_copy(parser, buf_slice(&text), &doc, NULL)));
        buf_reset(&wanted);
        expect(&doc, bundle ? json_get(&doc, doc.nodes, SLICE("objects")) : doc.nodes, &wanted);
        if (bundle)
            buf_put(&wanted, SLICE("{\"x\":{\"objects\":[1]},\"y\":\"\\\"]}\"}"));
        assert_true(succeeded(collect(buf_slice(&text), random_below(&random, 300), &out, NULL)));
        assert_true(slice_eq(buf_slice(&out), buf_slice(&wanted)));

        /* Cut anywhere, it fails. */
        slice cut = slice_head(buf_slice(&text), random_below(&random, text.len));
        assert_true(failed(collect(cut, random_below(&random, 300), &out, NULL)));
    }
}

static void every_failure_is_reported(void **state)
{
    static const slice text = S("{\"a\":1,\"objects\":[{\"a\":1},{}],\"b\":2}");
    CLEANUP(buf_free) struct buf out = BUF(1 << 16);
    unsigned long nth = 0;
    bool fired;

    (void)state;
    buf_put(&out, slice_head(text, 1)); /* so that it has memory before steps are counted */
    out.len = 0;
    do {
        struct diag diag = {0};

        fault_arm(++nth);
        result r = collect(text, 16, &out, &diag);
        fired = fault_fired();
        fault_arm(0);
        if (!fired)
            assert_true(succeeded(r));
        else if (failed(r))
            assert_true(diag.text[0] != '\0');
        else
            assert_true(out.overflowed); /* the step that failed was the test's own */
    } while (fired);
}

static void what_stands_in_front_of_a_break_comes_first(void **state)
{
    CLEANUP(source_close) struct source *source = NULL;
    CLEANUP(json_stream_close) struct json_stream *stream = NULL;
    const struct json_stream_limits limits = {OBJECT_BYTES_MAX, 16, DEPTH_MAX};
    struct json_window window;

    (void)state;
    assert_true(succeeded(source_of_memory(SLICE("[{},{} {}, {}, {}, {}, {}]"), &source, NULL)));
    assert_true(succeeded(json_stream_open(source, &limits, &stream, NULL)));
    assert_true(succeeded(json_stream_next(stream, &window, NULL)));
    assert_int_equal(window.count, 2);
    assert_int_equal(json_stream_next(stream, &window, NULL).code, ERR_INVALID);
    assert_int_equal(json_stream_next(stream, &window, NULL).code, ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_found),
        cmocka_unit_test(broken_text_fails_as_a_whole),
        cmocka_unit_test(limits_are_kept_to_the_byte),
        cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(white_space_needs_no_memory),
        cmocka_unit_test(windows_make_no_difference),
        cmocka_unit_test(every_failure_is_reported),
        cmocka_unit_test(what_stands_in_front_of_a_break_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
