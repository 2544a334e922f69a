#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "rows.h"

#include "base/banned.h"

/* What one run of `say` wrote to stderr, without the dates. */
static char said[65536];

static size_t capture_start(int *kept)
{
    int file = open("/tmp", O_TMPFILE | O_RDWR, 0600);

    assert_true(file >= 0);
    *kept = dup(STDERR_FILENO);
    assert_true(*kept >= 0 && dup2(file, STDERR_FILENO) >= 0);
    (void)close(file);
    return 0;
}

static slice capture_end(int kept)
{
    off_t bytes = lseek(STDERR_FILENO, 0, SEEK_END);

    assert_true(bytes >= 0 && bytes < (off_t)sizeof(said));
    assert_int_equal(pread(STDERR_FILENO, said, sizeof(said), 0), bytes);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    (void)close(kept);
    return slice_of(said, (size_t)bytes);
}

static size_t count_lines(slice text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += text.at[i] == '\n';
    return count;
}

static const struct {
    const char *name;
    slice value;
    const char *text, *json;
} values[] = {
    {"plain", S("abc"), "v=abc", "\"v\":\"abc\""},
    {"empty", S(""), "v=\"\"", "\"v\":\"\""},
    {"space", S("a b"), "v=\"a b\"", "\"v\":\"a b\""},
    {"forged field", S("x admin=1"), "v=\"x admin=1\"", "\"v\":\"x admin=1\""},
    {"forged behind a quote", S("x\" admin=\"1"), "v=\"x\\\" admin=\\\"1\"",
     "\"v\":\"x\\u0022 admin=\\u00221\""},
    {"forged line", S("x\n2026 info login.good"), "v=\"x\\x0a2026 info login.good\"",
     "\"v\":\"x\\u000a2026 info login.good\""},
    {"terminal escape", S("\x1b[2J"), "v=\"\\x1b[2J\"", "\"v\":\"\\u001b[2J\""},
    {"not UTF-8", S("\xff"), "v=\\xff", "\"v\":\"\\ufffd\""},
    {"Hebrew", S("\xd7\x90"), "v=\xd7\x90", "\"v\":\"\xd7\x90\""},
    {"the mark between fields",
     S("a\x1f"
       "b=c"),
     "v=\"a\\x1fb=c\"", "\"v\":\"a\\u001fb=c\""},
};

static void a_value_cannot_forge_a_field_or_a_line(void **state)
{
    int kept;

    (void)state;
    CHECK_ROWS(row, values) {
        for (int form = LOG_FORM_TEXT; form <= LOG_FORM_JSON; form++) {
            log_flush();
            log_set(LOG_LEVEL_INFO, (enum log_form)form);
            capture_start(&kept);
            log_event(LOG_LEVEL_INFO, "test.values", "n=%d v=\"%s\" end=1", form, row->value.at);
            slice line = capture_end(kept);
            assert_int_equal(count_lines(line), 1);
            assert_true(
                slice_find(line, slice_text(form == LOG_FORM_TEXT ? row->text : row->json)) !=
                SIZE_MAX);
            assert_true(slice_ends(line, form == LOG_FORM_TEXT ? SLICE(" end=1\n")
                                                               : SLICE(",\"end\":\"1\"}\n")));
        }
    }
    log_set(LOG_LEVEL_INFO, LOG_FORM_TEXT);
}

static void a_line_has_date_level_and_name(void **state)
{
    int kept;

    (void)state;
    capture_start(&kept);
    log_event(LOG_LEVEL_WARN, "test.line", "a=%d", 1);
    slice line = capture_end(kept);
    assert_true(slice_eq(slice_from(line, 27), SLICE(" warn test.line a=1\n")));
    assert_true(line.at[4] == '-' && line.at[10] == 'T' && line.at[26] == 'Z');
}

static void an_event_may_have_no_fields(void **state)
{
    int kept;

    (void)state;
    capture_start(&kept);
    log_event(LOG_LEVEL_INFO, "test.bare", "%s", "");
    slice line = capture_end(kept);
    assert_true(slice_ends(line, SLICE(" info test.bare\n")));
}

static void levels_below_the_least_are_silent(void **state)
{
    int kept;

    (void)state;
    capture_start(&kept);
    log_set(LOG_LEVEL_WARN, LOG_FORM_TEXT);
    log_event(LOG_LEVEL_INFO, "test.level", "a=1");
    log_event(LOG_LEVEL_DEBUG, "test.level", "a=2");
    log_event(LOG_LEVEL_ERROR, "test.level", "a=3");
    log_set(LOG_LEVEL_INFO, LOG_FORM_TEXT);
    slice lines = capture_end(kept);
    assert_int_equal(count_lines(lines), 1);
    assert_true(slice_ends(lines, SLICE(" error test.level a=3\n")));
}

static void a_repeat_is_counted(void **state)
{
    int kept;

    (void)state;
    log_flush();
    capture_start(&kept);
    for (int i = 0; i < 100; i++)
        log_event(LOG_LEVEL_INFO, "test.repeat", "a=same");
    log_event(LOG_LEVEL_INFO, "test.repeat", "a=other"); /* says something new */
    log_flush();
    slice lines = capture_end(kept);
    assert_int_equal(count_lines(lines), 3);
    assert_true(slice_ends(lines, SLICE(" info test.repeat repeated=99\n")));
}

static void a_flood_under_one_name_is_counted(void **state)
{
    int kept;

    (void)state;
    log_flush();
    capture_start(&kept);
    for (int i = 0; i < 1000; i++)
        log_event(LOG_LEVEL_WARN, "test.flood", "user=u%d", i);
    log_flush();
    slice lines = capture_end(kept);
    assert_int_equal(count_lines(lines), LOG_NAME_LINES_MAX + 1);
    assert_true(slice_ends(lines, SLICE(" warn test.flood repeated=950\n")));
}

static void a_value_too_long_is_cut(void **state)
{
    char text[2 * LOG_LINE_BYTES_MAX];
    int kept;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (int form = LOG_FORM_TEXT; form <= LOG_FORM_JSON; form++) {
        log_flush();
        log_set(LOG_LEVEL_INFO, (enum log_form)form);
        capture_start(&kept);
        log_event(LOG_LEVEL_INFO, "test.long", "v=%s", text);
        slice line = capture_end(kept);
        assert_int_equal(count_lines(line), 1);
        assert_true(line.len > 1000 && line.len < LOG_LINE_BYTES_MAX);
        assert_true(slice_ends(line, form == LOG_FORM_TEXT ? SLICE("x\n") : SLICE("x\"}\n")));
    }
    log_set(LOG_LEVEL_INFO, LOG_FORM_TEXT);
}

/* Without a journal nothing is written, and nothing breaks. */
static void the_journal_form_keeps_stderr_silent(void **state)
{
    int kept;

    (void)state;
    capture_start(&kept);
    log_set(LOG_LEVEL_INFO, LOG_FORM_JOURNAL);
    log_event(LOG_LEVEL_INFO, "test.journal", "a=%s b=%d", "x y", 2);
    log_set(LOG_LEVEL_INFO, LOG_FORM_TEXT);
    slice lines = capture_end(kept);
    assert_int_equal(lines.len, 0);
}

static void the_words_of_settings_are_known(void **state)
{
    enum log_level level = LOG_LEVEL_INFO;
    enum log_form form = LOG_FORM_TEXT;

    (void)state;
    assert_true(log_level_parse(SLICE("debug"), &level) && level == LOG_LEVEL_DEBUG);
    assert_true(log_form_parse(SLICE("journal"), &form) && form == LOG_FORM_JOURNAL);
    assert_false(log_level_parse(SLICE("loud"), &level));
    assert_false(log_form_parse(SLICE(""), &form));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_cannot_forge_a_field_or_a_line),
        cmocka_unit_test(a_line_has_date_level_and_name),
        cmocka_unit_test(an_event_may_have_no_fields),
        cmocka_unit_test(levels_below_the_least_are_silent),
        cmocka_unit_test(a_repeat_is_counted),
        cmocka_unit_test(a_flood_under_one_name_is_counted),
        cmocka_unit_test(a_value_too_long_is_cut),
        cmocka_unit_test(the_journal_form_keeps_stderr_silent),
        cmocka_unit_test(the_words_of_settings_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
