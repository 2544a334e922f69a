#include "ledger/tile.h"

#include "fixture.h"

#include "base/banned.h"

static const struct {
    const char *name;
    slice path;
    bool is_one;
    struct tile tile;
} paths[] = {
    {"the first", S("tile/0/000"), true, {false, 0, 0, 256}},
    {"far away", S("tile/3/x001/x234/067"), true, {false, 3, 1234067, 256}},
    {"a partial one", S("tile/1/x001/000.p/255"), true, {false, 1, 1000, 255}},
    {"entries", S("tile/entries/999.p/1"), true, {true, 0, 999, 1}},
    {"no level", S("tile/000"), false, {0}},
    {"a level with a zero in front", S("tile/00/000"), false, {0}},
    {"a level too high", S("tile/8/000"), false, {0}},
    {"two digits", S("tile/0/00"), false, {0}},
    {"four digits", S("tile/0/0000"), false, {0}},
    {"no x", S("tile/0/001/000"), false, {0}},
    {"an x too many", S("tile/0/x001"), false, {0}},
    {"zeros in front", S("tile/0/x000/001"), false, {0}},
    {"width 0", S("tile/0/000.p/0"), false, {0}},
    {"width 256", S("tile/0/000.p/256"), false, {0}},
    {"a width with a zero in front", S("tile/0/000.p/01"), false, {0}},
    {"no width", S("tile/0/000.p/"), false, {0}},
    {"past all numbers", S("tile/0/x999/x999/x999/x999/x999/x999/x999/999"), false, {0}},
    {"an end that is none", S("tile/0/000/"), false, {0}},
};

static void paths_have_one_form(void **state)
{
    (void)state;
    CHECK_ROWS(row, paths) {
        char text[TILE_PATH_BYTES_MAX];
        struct tile tile;

        assert_true(tile_path_parse(row->path, &tile) == row->is_one);
        if (row->is_one) {
            assert_int_equal(tile.is_entries, row->tile.is_entries);
            assert_int_equal(tile.level, row->tile.level);
            assert_int_equal(tile.index, row->tile.index);
            assert_int_equal(tile.width, row->tile.width);
            assert_true(slice_eq(slice_of(text, tile_path_write(&tile, text)), row->path));
        }
    }
}

/* The specification's example: a tree of 70,000. */
static const struct {
    const char *name;
    struct tile tile;
    bool is_in;
} of_70000[] = {
    {"the last whole one", {false, 0, 272, 256}, true},
    {"the partial one", {false, 0, 273, 112}, true},
    {"wider", {false, 0, 273, 113}, false},
    {"behind it", {false, 0, 274, 1}, false},
    {"level 1", {false, 1, 0, 256}, true},
    {"level 1, partial", {false, 1, 1, 17}, true},
    {"level 1, wider", {false, 1, 1, 18}, false},
    {"level 2", {false, 2, 0, 1}, true},
    {"level 2, wider", {false, 2, 0, 2}, false},
    {"level 3", {false, 3, 0, 1}, false},
    {"entries", {true, 0, 273, 112}, true},
    {"an index that wraps", {false, 0, UINT64_MAX / 256 + 1, 1}, false},
};

static void a_tree_has_the_tiles_of_the_specification(void **state)
{
    (void)state;
    CHECK_ROWS(row, of_70000)
        assert_true(tile_is_in(&row->tile, 70000) == row->is_in);
}

static size_t file_bytes(const char *folder, const char *name)
{
    char path[256];
    struct stat about;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return stat(path, &about) == 0 ? (size_t)about.st_size : SIZE_MAX;
}

static void an_export_grows_and_drops_what_is_whole(void **state)
{
    struct fixture *f = *state;
    struct tile_export done;
    char site[96];
    bool is_new;

    (void)snprintf(site, sizeof(site), "%s/site", f->top);
    refused(f, tile_export(&f->ledger, site, &done, &f->diag), ERR_MISSING, "no head yet");
    append_some(f, 255);
    MUST(ledger_head_sign(&f->ledger, &is_new, &f->diag));
    MUST(tile_export(&f->ledger, site, &done, &f->diag));
    assert_int_equal(done.written, 2);
    assert_int_equal(file_bytes(site, "tile/0/000.p/255"), 255 * 32);
    append_some(f, 2 * 256 - 255 + 3);
    MUST(ledger_head_sign(&f->ledger, &is_new, &f->diag));
    MUST(tile_export(&f->ledger, site, &done, &f->diag));
    assert_int_equal(done.size, 515);
    assert_int_equal(file_bytes(site, "tile/0/000"), 8192);
    assert_int_equal(file_bytes(site, "tile/0/000.p/255"), SIZE_MAX);
    assert_int_equal(file_bytes(site, "tile/0/001"), 8192);
    assert_int_equal(file_bytes(site, "tile/0/002.p/3"), 96);
    assert_int_equal(file_bytes(site, "tile/1/000.p/2"), 64);
    assert_int_not_equal(file_bytes(site, "tile/entries/001"), SIZE_MAX);
    MUST(tile_export(&f->ledger, site, &done, &f->diag));
    assert_int_equal(done.written, 0);
}

static void a_level_hashes_the_whole_tiles_below(void **state)
{
    struct fixture *f = *state;
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    CLEANUP(buf_free) struct buf low = BUF(8192), high = BUF(8192);
    const struct tile below = {false, 0, 1, 256}, above = {false, 1, 0, 2};
    struct hash256 row[256];

    append_some(f, 512);
    kv_begin_read(f->kv, &txn, &f->diag);
    tile_write(&txn, LOG, &below, &low);
    tile_write(&txn, LOG, &above, &high);
    assert_true(succeeded(txn.state) && low.len == 8192 && high.len == 64);
    memcpy(row, low.at, sizeof(row));
    for (size_t count = 256; count > 1; count /= 2)
        for (size_t i = 0; i < count / 2; i++)
            row[i] = tree_join(&row[2 * i], &row[2 * i + 1]);
    assert_memory_equal(row[0].bytes, high.at + 32, 32);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_have_one_form),
        cmocka_unit_test(a_tree_has_the_tiles_of_the_specification),
        CASE(an_export_grows_and_drops_what_is_whole),
        CASE(a_level_hashes_the_whole_tiles_below),
    };

    return cmocka_run_group_tests_name("tile", tests, NULL, NULL);
}
