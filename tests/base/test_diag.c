#include "base/result.h"

#include <errno.h>
#include <string.h>

#include "base/slice.h"

#include "rows.h"

#include "base/banned.h"

static void the_first_words_are_kept(void **state)
{
    struct diag diag = {0};

    (void)state;
    assert_int_equal(diag_fail(&diag, ERR_INVALID, "byte %d", 7).code, ERR_INVALID);
    assert_int_equal(diag_fail(&diag, ERR_IO, "later").code, ERR_IO);
    assert_string_equal(diag.text, "byte 7");
    assert_int_equal(diag.code, ERR_INVALID);
    diag_reset(&diag);
    assert_int_equal(diag_fail(&diag, ERR_IO, "new").code, ERR_IO);
    assert_string_equal(diag.text, "new");
}

static void context_stands_in_front(void **state)
{
    struct diag diag = {0};

    (void)state;
    result r = diag_fail(&diag, ERR_INVALID, "expected \"]\" at byte 42");
    r = diag_within(&diag, r, "object %d", 17);
    r = diag_within(&diag, r, "feed.json");
    assert_int_equal(r.code, ERR_INVALID);
    assert_string_equal(diag.text, "feed.json: object 17: expected \"]\" at byte 42");
}

static void success_gets_no_context(void **state)
{
    struct diag diag = {0};

    (void)state;
    assert_true(succeeded(diag_within(&diag, OK, "feed.json")));
    assert_string_equal(diag.text, "");
}

static void without_a_diag_the_code_is_enough(void **state)
{
    (void)state;
    assert_int_equal(diag_fail(NULL, ERR_LIMIT, "%s", "x").code, ERR_LIMIT);
    assert_int_equal(diag_errno(NULL, ENOENT, "x").code, ERR_MISSING);
    assert_int_equal(diag_within(NULL, FAIL(ERR_IO), "x").code, ERR_IO);
}

static void hostile_bytes_are_shown_not_sent(void **state)
{
    struct diag diag = {0};

    (void)state;
    assert_true(failed(diag_fail(&diag, ERR_INVALID, "id \"%s\"", "\x1b]0;owned\x07\r\nroot:")));
    assert_string_equal(diag.text, "id \"\\x1b]0;owned\\x07\\x0d\\x0aroot:\"");
}

static void words_too_long_are_cut_with_dots(void **state)
{
    char text[3 * DIAG_TEXT_BYTES_MAX];
    struct diag diag = {0};

    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    result r = diag_fail(&diag, ERR_INVALID, "%s", text);
    for (int i = 0; i < 5; i++)
        r = diag_within(&diag, r, "level %d", i);
    assert_true(failed(r));
    assert_true(strlen(diag.text) < sizeof(diag.text));
    assert_true(slice_starts(slice_text(diag.text), SLICE("level 4: level 3: ")));
    assert_true(slice_ends(slice_text(diag.text), SLICE("aaa...")));
}

static void a_long_context_leaves_room_for_itself(void **state)
{
    char text[3 * DIAG_TEXT_BYTES_MAX];
    struct diag diag = {0};

    (void)state;
    memset(text, '\x01', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    result r = diag_within(&diag, diag_fail(&diag, ERR_IO, "cause"), "%s", text);
    assert_int_equal(r.code, ERR_IO);
    assert_true(strlen(diag.text) < sizeof(diag.text));
    assert_true(slice_starts(slice_text(diag.text), SLICE("\\x01\\x01")));
    assert_true(slice_ends(slice_text(diag.text), SLICE("...")));
}

static const struct {
    const char *name;
    int number;
    enum err code;
} numbers[] = {
    {"no such file", ENOENT, ERR_MISSING},
    {"no right", EACCES, ERR_DENIED},
    {"not root", EPERM, ERR_DENIED},
    {"read only", EROFS, ERR_DENIED},
    {"there already", EEXIST, ERR_CONFLICT},
    {"disk full", ENOSPC, ERR_IO},
    {"broken disk", EIO, ERR_IO},
    {"unheard of", 4711, ERR_IO},
};

static void the_system_s_errors_become_ours(void **state)
{
    (void)state;
    CHECK_ROWS(row, numbers) {
        struct diag diag = {0};

        assert_int_equal(diag_errno(&diag, row->number, "open").code, row->code);
        assert_int_equal(diag.code, row->code);
        assert_true(slice_starts(slice_text(diag.text), SLICE("open: ")));
    }
}

static void every_error_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = ERR_NONE; a <= ERR_CORRUPT; a++)
        for (int b = ERR_NONE; b < a; b++)
            assert_string_not_equal(err_name((enum err)a), err_name((enum err)b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_words_are_kept),
        cmocka_unit_test(context_stands_in_front),
        cmocka_unit_test(success_gets_no_context),
        cmocka_unit_test(without_a_diag_the_code_is_enough),
        cmocka_unit_test(hostile_bytes_are_shown_not_sent),
        cmocka_unit_test(words_too_long_are_cut_with_dots),
        cmocka_unit_test(a_long_context_leaves_room_for_itself),
        cmocka_unit_test(the_system_s_errors_become_ours),
        cmocka_unit_test(every_error_has_a_name_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
