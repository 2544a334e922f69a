#include "stix/checked.h"

#include <dirent.h>

/* tests/golden/stix/NAME.json is one object, NAME.why what each mode says of it.  In the normal
 * mode an ok_ has no findings, a warn_ has some and is taken, a bad_ is refused.  GOLDEN=update
 * writes the .why files anew. */

#define FOLDER "tests/golden/stix"
#define FILE_BYTES_MAX ((size_t)1 << 16)
#define CASES_MIN 30

static const struct {
    const char *name;
    enum stix_mode mode;
} modes[] = {{"strict", STIX_STRICT}, {"normal", STIX_NORMAL}, {"lenient", STIX_LENIENT}};

static bool file_read(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");

    buf_reset(out);
    if (file == NULL)
        return false;
    char *room = buf_reserve(out, FILE_BYTES_MAX);
    assert_non_null(room);
    out->len = fread(room, 1, FILE_BYTES_MAX, file);
    assert_int_equal(fclose(file), 0);
    return true;
}

static void file_write(const char *path, slice text)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(text.at, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

static void kind_holds(const char *name, const struct checked *normal)
{
    bool taken = succeeded(normal->outcome), found = normal->findings.count > 0;
    bool holds = strncmp(name, "ok_", 3) == 0     ? taken && !found
                 : strncmp(name, "warn_", 5) == 0 ? taken && found
                 : strncmp(name, "bad_", 4) == 0  ? !taken && normal->diag.text[0] != '\0'
                                                  : false;

    if (!holds)
        fail_msg("%s: %s, %zu findings: %s", name, taken ? "taken" : "refused",
                 normal->findings.count, normal->diag.text);
}

static void case_holds(struct checked *checked, const char *name)
{
    CLEANUP(buf_free) struct buf json = BUF(FILE_BYTES_MAX * 2);
    CLEANUP(buf_free) struct buf said = BUF(FILE_BYTES_MAX);
    CLEANUP(buf_free) struct buf why = BUF(FILE_BYTES_MAX * 2);
    char path[512];

    (void)snprintf(path, sizeof(path), FOLDER "/%s", name);
    assert_true(file_read(path, &json));
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        checked_run(checked, buf_slice(&json), modes[i].mode);
        buf_printf(&said, "%s: %s\n", modes[i].name,
                   failed(checked->outcome) ? checked->diag.text : "taken");
        checked_tell(checked, &said);
        if (modes[i].mode == STIX_NORMAL)
            kind_holds(name, checked);
    }
    (void)snprintf(path, sizeof(path), FOLDER "/%.*s.why", (int)(strlen(name) - 5), name);
    if (getenv("GOLDEN") != NULL)
        file_write(path, buf_slice(&said));
    assert_true(file_read(path, &why));
    if (!slice_eq(buf_slice(&why), buf_slice(&said)))
        fail_msg("%s says\n%.*snot\n%.*s", name, SLICE_ARG(buf_slice(&said)),
                 SLICE_ARG(buf_slice(&why)));
}

static void every_case_says_what_it_said(void **state)
{
    struct checked *checked = *state;
    DIR *folder = opendir(FOLDER);
    size_t count = 0;

    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (slice_ends(slice_text(entry->d_name), SLICE(".json"))) {
            case_holds(checked, entry->d_name);
            count++;
        }
    }
    assert_int_equal(closedir(folder), 0);
    assert_true(count >= CASES_MIN);
}

static int setup(void **state)
{
    static struct checked checked;

    checked_init(&checked);
    *state = &checked;
    return 0;
}

static int teardown(void **state)
{
    checked_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_says_what_it_said),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
