#include "rows.h"

#include <dirent.h>

#include "base/buf.h"
#include "scan/allow.h"

#include "base/banned.h"

/* tests/golden/allow/NAME.{json,txt} is a list, NAME.EXT.why what an operator reads of it: the
 * refusal of a bad_ one, the type and number of values of an ok_ one.  GOLDEN=update writes the
 * .why files anew. */

#define FOLDER "tests/golden/allow"
#define FILE_BYTES_MAX ((size_t)1 << 16)
#define CASES_MIN 16

static void file_read(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");

    buf_reset(out);
    char *room = buf_reserve(out, FILE_BYTES_MAX);
    if (file == NULL)
        return;
    assert_non_null(room);
    out->len = fread(room, 1, FILE_BYTES_MAX, file);
    assert_int_equal(fclose(file), 0);
}

static void file_write(const char *path, slice text)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(text.at, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

static void case_holds(const char *name)
{
    CLEANUP(buf_free) struct buf text = BUF(FILE_BYTES_MAX * 2);
    CLEANUP(buf_free) struct buf why = BUF(FILE_BYTES_MAX * 2);
    CLEANUP(buf_free) struct buf said = BUF(FILE_BYTES_MAX);
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 20);
    struct allow_choice choice = {.name = SLICE("given")};
    struct allow_list list;
    struct diag diag = {0};
    char path[512];

    (void)snprintf(path, sizeof(path), FOLDER "/%s", name);
    file_read(path, &text);
    result r = allow_read(buf_slice(&text), &choice, &arena, &list, &diag);
    if (failed(r) == (strncmp(name, "bad_", 4) != 0))
        fail_msg("%s: %s", name, failed(r) ? diag.text : "was taken");
    if (failed(r))
        buf_printf(&said, "%s\n", diag.text);
    else
        buf_printf(&said, "\"%.*s\": %zu values (%s), %zu attributes\n", SLICE_ARG(list.name),
                   list.value_count, allow_type_name(list.type), list.attribute_count);
    (void)snprintf(path, sizeof(path), FOLDER "/%s.why", name);
    const char *golden = getenv("GOLDEN");
    if (golden != NULL && strcmp(golden, "update") == 0)
        file_write(path, buf_slice(&said));
    file_read(path, &why);
    if (!slice_eq(buf_slice(&why), buf_slice(&said)))
        fail_msg("%s: says %.*s", name, SLICE_ARG(buf_slice(&said)));
}

static void each_list_is_taken_or_refused_in_its_words(void **state)
{
    DIR *folder = opendir(FOLDER);
    size_t count = 0;

    (void)state;
    assert_non_null(folder);
    for (const struct dirent *item; (item = readdir(folder)) != NULL;) {
        slice name = slice_text(item->d_name);

        if (item->d_name[0] == '.' || slice_ends(name, SLICE(".why")))
            continue;
        case_holds(item->d_name);
        count++;
    }
    assert_int_equal(closedir(folder), 0);
    assert_true(count >= CASES_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_list_is_taken_or_refused_in_its_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
