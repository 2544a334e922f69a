#include "base/config.h"

#include <stdio.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/slice.h"

#include "rows.h"

#include "base/banned.h"

static char path[] = "/tmp/entente-config-XXXXXX";

static void file_write(slice text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text.at, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

static void a_file_changes_what_it_names_alone(void **state)
{
    struct config config, defaults;

    (void)state;
    config_defaults(&defaults);
    file_write(SLICE("# a comment\nhttp_threads: 4\ntls: false\ntitle: \"Node of \xe6\x9d\xb1\"\n"
                     "listen: '[::1]:7000'\nlog_level: debug\n"));
    assert_true(succeeded(config_load(path, &config, NULL)));
    assert_int_equal(config.http_threads, 4);
    assert_false(config.tls);
    assert_string_equal(config.title, "Node of \xe6\x9d\xb1");
    assert_string_equal(config.listen, "[::1]:7000");
    assert_string_equal(config.log_level, "debug");
    assert_string_equal(config.listen_ops, defaults.listen_ops);
    assert_int_equal(config.pull_retries_max, defaults.pull_retries_max);
}

static void an_empty_file_is_the_defaults(void **state)
{
    static const slice empties[] = {S(""), S("\n"), S("# only words\n"), S("---\n{}\n"),
                                    S("\xef\xbb\xbf# with a mark\n")};
    struct config config, defaults;

    (void)state;
    config_defaults(&defaults);
    for (size_t i = 0; i < sizeof(empties) / sizeof(empties[0]); i++) {
        file_write(empties[i]);
        memset(&config, 0xff, sizeof(config));
        assert_true(succeeded(config_load(path, &config, NULL)));
        assert_memory_equal(&config, &defaults, sizeof(config));
    }
}

static const struct {
    const char *name;
    slice text;
    const char *why; /* behind the path */
} refused[] = {
    {"unknown", S("tls: true\n  \nhttp_thread: 4\n"), ":3:1: no setting is called \"http_thread\""},
    {"too little", S("http_threads: 0\n"), ":1:15: http_threads = \"0\": takes 1 to 256 threads"},
    {"too much", S("http_threads: 257"), ":1:15: http_threads = \"257\": takes 1 to 256 threads"},
    {"negative", S("http_threads: -1"), ":1:15: http_threads = \"-1\": takes 1 to 256 threads"},
    {"overflow", S("http_threads: 18446744073709551617"),
     ":1:15: http_threads = \"18446744073709551617\": takes 1 to 256 threads"},
    {"no number", S("http_threads: 4k"), ":1:15: http_threads = \"4k\": takes 1 to 256 threads"},
    {"nothing", S("http_threads:\n"), ":1:14: http_threads = \"\": takes 1 to 256 threads"},
    {"no truth", S("tls: yes"), ":1:6: tls = \"yes\": takes true or false"},
    {"no such word", S("check: hard"), ":1:8: check = \"hard\": takes strict, normal or lenient"},
    {"part of a word", S("check: stric"),
     ":1:8: check = \"stric\": takes strict, normal or lenient"},
    {"two words", S("check: strict normal"),
     ":1:8: check = \"strict normal\": takes strict, normal or lenient"},
    {"no port", S("listen: localhost"),
     ":1:9: listen = \"localhost\": takes ADDRESS:PORT, [IPV6]:PORT, :PORT or unix:/PATH"},
    {"port too great", S("listen: :65536"),
     ":1:9: listen = \":65536\": takes ADDRESS:PORT, [IPV6]:PORT, :PORT or unix:/PATH"},
    {"IPv6 without brackets", S("listen: ::1:80"),
     ":1:9: listen = \"::1:80\": takes ADDRESS:PORT, [IPV6]:PORT, :PORT or unix:/PATH"},
    {"two lines in a title", S("title: \"a\\nb\""),
     ":1:8: title = \"a\\x0ab\": takes up to 1023 bytes of text on one line"},
    {"twice", S("tls: true\ntls: true\n"), ":2:1: tls is set twice, first on line 1"},
    {"list", S("title: [a, b]"), ":1:8: one value is wanted here, not a list"},
    {"group", S("title:\n  a: b\n"), ":2:3: one value is wanted here, not a group of settings"},
    {"reference", S("title: *a"), ":1:8: one value is wanted here, not a reference"},
    {"anchor", S("title: &a b"), ":1:8: anchors and tags have no meaning here"},
    {"tag", S("title: !!str b"), ":1:8: anchors and tags have no meaning here"},
    {"list as a name", S("[a]: b"), ":1:1: a setting's name is wanted here, not a list"},
    {"not a group", S("- a\n- b\n"), ":1:1: settings are written \"name: value\""},
    {"a word", S("hello"), ":1:1: settings are written \"name: value\""},
    {"two documents", S("tls: true\n---\ntls: false\n"), ":2:1: a second document starts here"},
    {"broken", S("tls: true\ntitle: a: b\n"),
     ":2:9: mapping values are not allowed in this context"},
    {"tab", S("tls:\n\ttrue"), ":2:1: found character that cannot start any token"},
    {"contradiction", S("taxii_page_objects: 2000\ntaxii_page_objects_max: 1000"),
     ": taxii_page_objects = 2000: is more than taxii_page_objects_max = 1000"},
    {"half a pair", S("tls_key_file: k.pem"),
     ": tls_certificate_file and tls_key_file: give both or neither"},
    {"not UTF-8", S("title: \xff"), ": byte 7: invalid leading UTF-8 octet"},
    {"terminal escape", S("title: \"\\e[31m\""),
     ":1:8: title = \"\\x1b[31m\": takes up to 1023 bytes of text on one line"},
};

static void what_is_wrong_is_told_with_its_place(void **state)
{
    (void)state;
    CHECK_ROWS(row, refused) {
        struct config config;
        struct diag diag = {0};
        char expected[DIAG_TEXT_BYTES_MAX];

        memset(&config, 0x5a, sizeof(config));
        file_write(row->text);
        assert_int_equal(config_load(path, &config, &diag).code, ERR_INVALID);
        (void)snprintf(expected, sizeof(expected), "%s%s", path, row->why);
        assert_string_equal(diag.text, expected);
        for (size_t i = 0; i < sizeof(config); i++)
            assert_int_equal(((unsigned char *)&config)[i], 0x5a); /* untouched */
    }
}

static void no_file_is_missing(void **state)
{
    struct config config;
    struct diag diag = {0};

    (void)state;
    assert_int_equal(config_load("/nonexistent/entente.yaml", &config, &diag).code, ERR_MISSING);
    assert_true(slice_starts(slice_text(diag.text), SLICE("/nonexistent/entente.yaml: ")));
    diag_reset(&diag);
    assert_int_equal(config_load("/tmp", &config, &diag).code, ERR_INVALID);
}

static void a_huge_file_is_refused(void **state)
{
    static char text[CONFIG_FILE_BYTES_MAX + 1];
    struct config config;
    struct diag diag = {0};

    (void)state;
    memset(text, '#', sizeof(text));
    file_write(slice_of(text, sizeof(text)));
    assert_int_equal(config_load(path, &config, &diag).code, ERR_LIMIT);
}

static void deep_nesting_is_refused_at_its_start(void **state)
{
    char text[6000];
    struct config config;
    struct diag diag = {0};

    (void)state;
    memset(text, '[', sizeof(text));
    file_write(slice_of(text, sizeof(text)));
    assert_int_equal(config_load(path, &config, &diag).code, ERR_INVALID);
}

static void one_is_set_by_its_name(void **state)
{
    struct config config, before;
    struct diag diag = {0};

    (void)state;
    config_defaults(&config);
    assert_true(succeeded(config_set(&config, SLICE("listen"), SLICE("unix:/run/e.sock"), NULL)));
    assert_string_equal(config.listen, "unix:/run/e.sock");
    before = config;
    assert_int_equal(config_set(&config, SLICE("liste"), SLICE("x"), &diag).code, ERR_MISSING);
    diag_reset(&diag);
    assert_int_equal(config_set(&config, SLICE("http_threads"), SLICE("0"), &diag).code,
                     ERR_INVALID);
    assert_string_equal(diag.text, "http_threads = \"0\": takes 1 to 256 threads");
    assert_memory_equal(&config, &before, sizeof(config));
}

/* Any text of the longest size, and one byte more. */
static void a_text_has_room_for_what_it_takes(void **state)
{
    char text[CONFIG_TEXT_BYTES_MAX];
    struct config config;

    (void)state;
    config_defaults(&config);
    memset(text, 'x', sizeof(text));
    assert_true(failed(config_set(&config, SLICE("title"), slice_of(text, sizeof(text)), NULL)));
    assert_true(
        succeeded(config_set(&config, SLICE("title"), slice_of(text, sizeof(text) - 1), NULL)));
    assert_int_equal(strlen(config.title), sizeof(text) - 1);
}

static void every_setting_is_listed_and_takes_its_own_default(void **state)
{
    struct config config, defaults;
    struct config_item item;
    size_t count = 0;

    (void)state;
    config_defaults(&defaults);
    config_defaults(&config);
    for (; config_item_at(&config, count, &item); count++) {
        assert_string_equal(item.value, item.fallback);
        assert_true(item.help[0] != '\0' && item.bounds[0] != '\0' && item.kind[0] != '\0');
        assert_true(
            succeeded(config_set(&config, slice_text(item.name), slice_text(item.value), NULL)));
    }
    assert_true(count > 20);
    assert_memory_equal(&config, &defaults, sizeof(config));
    assert_true(succeeded(config_check(&config, NULL)));
    assert_false(config_item_at(&config, SIZE_MAX, &item));
}

#ifdef ENTENTE_FAULTS
static void every_failure_has_words_and_changes_nothing(void **state)
{
    result r;
    unsigned long nth = 0;

    (void)state;
    file_write(SLICE("http_threads: 9\n"));
    do {
        struct config config = {.http_threads = 1};
        struct diag diag = {0};

        fault_arm(++nth);
        r = config_load(path, &config, &diag);
        assert_true(failed(r) == fault_fired());
        assert_true(failed(r) == (diag.text[0] != '\0'));
        assert_int_equal(config.http_threads, failed(r) ? 1 : 9);
    } while (failed(r));
    fault_arm(0);
    assert_true(nth > 3);
}
#endif

static int start(void **state)
{
    (void)state;
    int descriptor = mkstemp(path);
    return descriptor < 0 ? -1 : close(descriptor);
}

static int end(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_changes_what_it_names_alone),
        cmocka_unit_test(an_empty_file_is_the_defaults),
        cmocka_unit_test(what_is_wrong_is_told_with_its_place),
        cmocka_unit_test(no_file_is_missing),
        cmocka_unit_test(a_huge_file_is_refused),
        cmocka_unit_test(deep_nesting_is_refused_at_its_start),
        cmocka_unit_test(one_is_set_by_its_name),
        cmocka_unit_test(a_text_has_room_for_what_it_takes),
        cmocka_unit_test(every_setting_is_listed_and_takes_its_own_default),
#ifdef ENTENTE_FAULTS
        cmocka_unit_test(every_failure_has_words_and_changes_nothing),
#endif
    };

    return cmocka_run_group_tests(tests, start, end);
}
