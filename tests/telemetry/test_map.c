#include "reading.h"

static const struct {
    const char *name;
    slice text;
    const char *words; /* NULL: read */
} rows[] = {
    {"the least", S("a text file:name"), NULL},
    {"comments and quotes", S("# c\nname: x\nshape: csv\n\"a b\" source # c\r\n"), NULL},
    {"nothing", S("# only\n"), "no line says what a field is"},
    {"no kind", S("a\n"), "line 1: takes FIELD KIND [PATH [OBJECT]]"},
    {"a kind that is none", S("\na adress"), "line 2: no kind \"adress\""},
    {"a shape that is none", S("shape: xml"), "line 1: no shape \"xml\""},
    {"a path too few", S("a text"), "line 1: text takes a path"},
    {"a path too many", S("a source ipv4-addr:value"), "line 1: source takes no path"},
    {"no path", S("a text name"), "line 1: \"name\" is no path, like file:name"},
    {"a directive that is none", S("nmae: x"),
     "line 1: \"nmae:\" is none of name:, shape:, needs:, each:"},
    {"an open quote", S("\"a text file:name"), "line 1: a quote without its end"},
    {"a name of nothing", S("\"\" text file:name"), "line 1: a field without a name"},
};

static void maps_are_read_or_refused_with_the_line(void **state)
{
    (void)state;
    CHECK_ROWS(row, rows) {
        CLEANUP(telemetry_map_free) struct telemetry_map *map = NULL;
        struct diag diag = {0};
        result r = telemetry_map_read(row->text, &map, &diag);

        assert_true(failed(r) == (row->words != NULL) && failed(r) == (map == NULL));
        if (row->words != NULL)
            assert_string_equal(diag.text, row->words);
    }
}

/* The example of docs/telemetry.md. */
static void a_map_of_ones_own_is_used(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF(4096);
    CLEANUP(telemetry_map_free) struct telemetry_map *map = NULL;
    slice text = SLICE("name: badge\nshape: json\neach: peer. remote.\nIP address\neach: \"\"\n"
                       "when time\n* tokens\n");
    int64_t time_us;

    (void)state;
    assert_true(succeeded(telemetry_map_read(text, &map, NULL)));
    assert_true(succeeded(lines_read(SLICE(""), map,
                                     SLICE("{\"when\":1767225600,\"peer\":{\"ip\":\"192.0.2.1\"},"
                                           "\"remote.ip\":\"192.0.2.2\",\"x\":\"a.example\"}"),
                                     &out, &time_us, NULL)));
    assert_true(time_us == NOW_US);
    assert_true(slice_eq(buf_slice(&out), SLICE("ipv4-addr:value=192.0.2.1\n"
                                                "ipv4-addr:value=192.0.2.2\n"
                                                "domain-name:value=a.example\n")));
}

static void every_format_has_its_map(void **state)
{
    (void)state;
    for (size_t i = 0; telemetry_format_at(i) != NULL; i++) {
        CLEANUP(telemetry_reader_free) struct telemetry_reader *reader = NULL;
        struct diag diag = {0};

        if (failed(telemetry_reader_new(telemetry_format_at(i)->name, NULL, 0, &reader, &diag)))
            fail_msg("%s", diag.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_are_read_or_refused_with_the_line),
        cmocka_unit_test(a_map_of_ones_own_is_used),
        cmocka_unit_test(every_format_has_its_map),
    };

    return cmocka_run_group_tests_name("telemetry/map", tests, NULL, NULL);
}
