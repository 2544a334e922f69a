/* A folder of tiles: every byte of it counts, and what is wrong is named. */
#include <ftw.h>
#include <unistd.h>

#include "verify/altering.h"
#include "verify/building.h"

#include "base/banned.h"

#define LOG_SIZE 700
#define ALTERATIONS 600
#define FILE_BYTES_MAX ((size_t)1 << 20)

static struct cast cast;
static struct made_log made;
static struct entente_why why;
static struct entente_folder out;
static char root[64], folder[96];

static int entry_remove(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about, (void)kind, (void)where;
    return remove(path);
}

static void folder_remove(const char *path)
{
    (void)nftw(path, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static int folder_begin(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "%s/log", root);
    folder_remove(folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    folder_make(folder, &made, LOG_SIZE, cast.signers);
    return 0;
}

static bool holds(void)
{
    return entente_folder_check(folder, &cast.trust, NULL, 0, &out, &why);
}

static void a_whole_log_holds(void **state)
{
    static const size_t sizes[] = {0, 1, 255, 256, 257, 511, 512, 513, LOG_SIZE};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        folder_remove(folder);
        assert_int_equal(mkdir(folder, 0700), 0);
        folder_make(folder, &made, sizes[i], cast.signers);
        if (!holds())
            fail_msg("%zu entries: %s", sizes[i], why.text);
        assert_int_equal(out.head.size, sizes[i]);
    }
}

static void file_read(const char *name, struct buf *text)
{
    char path[256];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rb");
    buf_reset(text);
    char *at = buf_reserve(text, FILE_BYTES_MAX);
    assert_true(file != NULL && at != NULL);
    text->len = fread(at, 1, FILE_BYTES_MAX, file);
    assert_int_equal(fclose(file), 0);
}

/* The entries of the samples are of some 70 bytes; which one holds this byte of its bundle? */
static uint64_t entry_of(size_t first, size_t at)
{
    size_t end = 0, number = first;

    for (;; number++) {
        end += 2 + made.entries[number].len;
        if (at < end)
            return number;
    }
}

static void an_entry_is_named_whichever_byte_is_flipped(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(FILE_BYTES_MAX);

    (void)state;
    file_read("tile/entries/001", &text);
    for (size_t at = 0; at < text.len; at += 61) {
        text.at[at] ^= 1;
        file_put(folder, "tile/entries/001", buf_slice(&text));
        assert_false(holds());
        assert_true(why.names_entry && why.entry == entry_of(256, at));
        text.at[at] ^= 1;
    }
}

static void entries_dropped_swapped_or_added_are_named(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(FILE_BYTES_MAX), bad = BUF(FILE_BYTES_MAX);
    size_t each = 2 + made.entries[300].len;

    (void)state;
    file_read("tile/entries/001", &text);
    size_t at = 44 * each; /* entry 300: all of this bundle are of one length */
    buf_put(&bad, slice_head(buf_slice(&text), at));
    buf_put(&bad, slice_from(buf_slice(&text), at + each));
    file_put(folder, "tile/entries/001", buf_slice(&bad));
    assert_false(holds());
    assert_true(why.names_entry && why.entry == 300);

    memcpy(bad.at + at, text.at + at + each, each);
    bad.len = at + each;
    buf_put(&bad, slice_head(slice_from(buf_slice(&text), at), each));
    buf_put(&bad, slice_from(buf_slice(&text), at + 2 * each));
    file_put(folder, "tile/entries/001", buf_slice(&bad));
    assert_false(holds());
    assert_true(why.names_entry && why.entry == 300 && out.entries_wrong == 2);

    buf_put(&text, SLICE("\0\1x"));
    file_put(folder, "tile/entries/001", buf_slice(&text));
    assert_false(holds());
    assert_string_equal(why.text, "tile/entries/001: 3 bytes behind entry 511, its last");

    text.len -= 20;
    file_put(folder, "tile/entries/001", buf_slice(&text));
    assert_false(holds());
    assert_string_equal(why.text, "entry 511: tile/entries/001 is cut off in it");
}

static void tiles_that_disagree_are_named(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(FILE_BYTES_MAX);

    (void)state;
    file_read("tile/1/000.p/2", &text);
    text.at[40] ^= 1;
    file_put(folder, "tile/1/000.p/2", buf_slice(&text));
    assert_false(holds());
    assert_string_equal(why.text,
                        "entries 256 to 511: tile 1 of level 0 and tile/1/000.p/2 disagree");
    file_put(folder, "tile/1/000.p/2", SLICE("x"));
    assert_false(holds());
    assert_string_equal(why.text, "tile/1/000.p/2: 1 bytes, not 2 hashes");
}

/* All is consistent in itself, and signed with the very key: only what was seen before tells. */
static void another_history_is_caught_by_an_older_head(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 14);
    struct made_log other = log_make(LOG_SIZE);
    struct entente_head heads[2];

    (void)state;
    head_make(&text, &made, 300, cast.signers);
    assert_true(entente_head_check(bytes_of_slice(buf_slice(&text)), &cast.trust, heads, &why));
    heads[1] = heads[0];
    heads[1].origin = bytes_of_slice(SLICE("another.example")); /* says nothing of this log */
    heads[1].size = 9999;
    assert_true(entente_folder_check(folder, &cast.trust, heads, 2, &out, &why));
    other.entries[299].at[2] ^= 1;
    leaf_make(&other, 299);
    folder_make(folder, &other, LOG_SIZE, cast.signers);
    assert_true(holds());
    assert_false(entente_folder_check(folder, &cast.trust, heads, 2, &out, &why));
    assert_string_equal(why.text,
                        "another history: the first 300 entries are not those of the "
                        "head with 300 entries that harbour.example/ledger signed before");
    folder_make(folder, &made, 299, cast.signers);
    assert_true(holds());
    assert_false(entente_folder_check(folder, &cast.trust, heads, 2, &out, &why));
    assert_string_equal(why.text, "cut or rolled back: 299 entries, and there was a head with 300");
    log_free(&other);
}

static const char *const files[] = {
    "checkpoint", "tile/entries/000", "tile/entries/001", "tile/entries/002.p/188",
    "tile/0/000", "tile/0/001",       "tile/0/002.p/188", "tile/1/000.p/2",
};

static void no_alteration_of_a_folder_goes_unseen(void **state_unused)
{
    CLEANUP(buf_free) struct buf text = BUF(FILE_BYTES_MAX), bad = BUF(FILE_BYTES_MAX);
    uint64_t state = UINT64_C(0x2545f4914f6cdd1d) ^ (uint64_t)getpid() << 20;
    struct entente_hash truth;

    (void)state_unused;
    printf("# seed %llu\n", (unsigned long long)state);
    tree_hash(&made, 0, LOG_SIZE, truth.bytes);
    for (size_t i = 0; i < ALTERATIONS; i++) {
        const char *name = files[dice_below(&state, sizeof(files) / sizeof(files[0]))];
        bool is_head = strcmp(name, "checkpoint") == 0;

        file_read(name, &text);
        buf_reset(&bad);
        altered(buf_slice(&text), &state, &bad);
        file_put(folder, name, buf_slice(&bad));
        bool is_same = slice_eq(buf_slice(&text), buf_slice(&bad));
        if (holds() && !is_same && (!is_head || !entente_hash_equal(&out.head.root, &truth)))
            fail_msg("alteration %zu of %s goes unseen", i, name);
        if (!is_head && !is_same)
            assert_true(why.names_entry || strstr(why.text, "tile/") != NULL);
        file_put(folder, name, buf_slice(&text));
    }
    assert_true(holds());
}

static void what_is_missing_is_named(void **state)
{
    char path[256];

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
        CLEANUP(buf_free) struct buf text = BUF(FILE_BYTES_MAX);

        file_read(files[i], &text);
        assert_int_equal(unlink(path), 0);
        assert_false(holds());
        assert_non_null(strstr(why.text, "No such file or directory"));
        assert_non_null(strstr(why.text, files[i]));
        assert_int_equal(mkdir(path, 0700), 0); /* a folder in its place is no file */
        assert_false(holds());
        assert_int_equal(rmdir(path), 0);
        file_put(folder, files[i], buf_slice(&text));
    }
    assert_true(holds());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_whole_log_holds, folder_begin),
        cmocka_unit_test_setup(an_entry_is_named_whichever_byte_is_flipped, folder_begin),
        cmocka_unit_test_setup(entries_dropped_swapped_or_added_are_named, folder_begin),
        cmocka_unit_test_setup(tiles_that_disagree_are_named, folder_begin),
        cmocka_unit_test_setup(another_history_is_caught_by_an_older_head, folder_begin),
        cmocka_unit_test_setup(no_alteration_of_a_folder_goes_unseen, folder_begin),
        cmocka_unit_test_setup(what_is_missing_is_named, folder_begin),
    };

    cast_make(&cast);
    made = log_make(LOG_SIZE);
    const char *base = getenv("TMPDIR");
    (void)snprintf(root, sizeof(root), "%.40s/verify-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(root));
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    folder_remove(root);
    log_free(&made);
    return failures;
}
