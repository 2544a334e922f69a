#include "kv/kv.h"

#include "rows.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"

#include "base/banned.h"

#define MAP_BYTES ((size_t)1 << 30)

enum { TABLE_A, TABLE_B };
static const char *const tables[] = {"a", "b", NULL};

struct fixture {
    char folder[64];
    char file[96];
    struct kv *kv;
    struct diag diag;
};

static void reopen(struct fixture *f)
{
    kv_close(&f->kv);
    diag_reset(&f->diag);
    if (failed(kv_open(f->folder, MAP_BYTES, tables, &f->kv, &f->diag)))
        fail_msg("%s", f->diag.text);
}

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){.folder = "/tmp/entente-kv-XXXXXX"};
    assert_non_null(mkdtemp(f.folder));
    (void)snprintf(f.file, sizeof(f.file), "%s/index.mdb", f.folder);
    reopen(&f);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char lock[112];

    kv_close(&f->kv);
    (void)snprintf(lock, sizeof(lock), "%s-lock", f->file);
    (void)unlink(f->file);
    (void)unlink(lock);
    (void)rmdir(f->folder);
    return 0;
}

static slice key_of(uint64_t number, char bytes[8])
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)(number >> (56 - 8 * i));
    return slice_of(bytes, 8);
}

static void put_one(struct fixture *f, kv_table table, slice key, slice value)
{
    struct kv_txn txn;

    kv_begin_write(f->kv, &txn, &f->diag);
    kv_put(&txn, table, key, value);
    assert_true(succeeded(kv_commit(&txn)));
}

static bool holds(struct fixture *f, kv_table table, slice key, slice value)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    slice found;

    kv_begin_read(f->kv, &txn, &f->diag);
    assert_true(succeeded(txn.state));
    return kv_get(&txn, table, key, &found) && slice_eq(found, value);
}

/* ---- tables and transactions ---- */

static void what_was_committed_is_there_after_opening_again(void **state)
{
    struct fixture *f = *state;

    put_one(f, TABLE_A, SLICE("k"), SLICE("v"));
    put_one(f, TABLE_B, SLICE("k"), SLICE(""));
    reopen(f);
    assert_true(holds(f, TABLE_A, SLICE("k"), SLICE("v")));
    assert_true(holds(f, TABLE_B, SLICE("k"), SLICE("")));
    assert_false(holds(f, TABLE_B, SLICE("j"), SLICE("")));
    assert_true(kv_bytes_used(f->kv) > 0);
    assert_int_equal(kv_bytes_max(f->kv), MAP_BYTES);
}

static void an_aborted_transaction_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct kv_txn txn, zeroed = {0};

    kv_begin_write(f->kv, &txn, NULL);
    kv_put(&txn, TABLE_A, SLICE("k"), SLICE("v"));
    kv_abort(&txn);
    kv_abort(&txn);
    kv_abort(&zeroed);
    assert_false(holds(f, TABLE_A, SLICE("k"), SLICE("v")));
}

static void a_reader_keeps_its_state_while_others_write(void **state)
{
    struct fixture *f = *state;
    struct kv_txn txn;
    slice value;

    put_one(f, TABLE_A, SLICE("k"), SLICE("old"));
    kv_begin_read(f->kv, &txn, NULL);
    put_one(f, TABLE_A, SLICE("k"), SLICE("new"));
    assert_true(kv_get(&txn, TABLE_A, SLICE("k"), &value));
    assert_true(slice_eq(value, SLICE("old")));
    assert_true(succeeded(kv_commit(&txn)));
    assert_true(holds(f, TABLE_A, SLICE("k"), SLICE("new")));
}

static void counting_clearing_and_deleting_agree(void **state)
{
    struct fixture *f = *state;
    struct kv_txn txn;
    char bytes[8];

    kv_begin_write(f->kv, &txn, &f->diag);
    for (uint64_t i = 0; i < 1000; i++)
        kv_append(&txn, TABLE_A, key_of(i, bytes), SLICE("x"));
    assert_int_equal(kv_count(&txn, TABLE_A), 1000);
    assert_true(kv_delete(&txn, TABLE_A, key_of(500, bytes)));
    assert_false(kv_delete(&txn, TABLE_A, key_of(500, bytes)));
    assert_int_equal(kv_count(&txn, TABLE_A), 999);
    kv_clear(&txn, TABLE_A);
    assert_int_equal(kv_count(&txn, TABLE_A), 0);
    kv_put(&txn, TABLE_A, SLICE("after"), SLICE("clear"));
    assert_true(succeeded(kv_commit(&txn)));
    assert_true(holds(f, TABLE_A, SLICE("after"), SLICE("clear")));
}

static void a_transaction_keeps_its_first_failure(void **state)
{
    static char long_key[KV_KEY_BYTES_MAX + 1];
    struct fixture *f = *state;
    struct kv_txn txn;
    slice value;

    kv_begin_write(f->kv, &txn, &f->diag);
    kv_put(&txn, TABLE_A, SLICE("k"), SLICE("v"));
    kv_put(&txn, TABLE_A, slice_of(long_key, sizeof(long_key)), SLICE("v"));
    assert_int_equal(txn.state.code, ERR_LIMIT);
    kv_fail(&txn, FAIL(ERR_CORRUPT));
    kv_put(&txn, TABLE_A, SLICE("l"), SLICE("v"));
    assert_false(kv_get(&txn, TABLE_A, SLICE("k"), &value));
    assert_int_equal(kv_count(&txn, TABLE_A), 0);
    assert_int_equal(kv_commit(&txn).code, ERR_LIMIT);
    assert_non_null(
        strstr(f->diag.text, "table a: put: cannot hold a key or value of this length"));
    assert_false(holds(f, TABLE_A, SLICE("k"), SLICE("v")));
    assert_int_equal(kv_commit(&txn).code, ERR_LIMIT);
}

static void the_callers_own_failure_undoes_everything(void **state)
{
    struct fixture *f = *state;
    struct kv_txn txn;

    kv_begin_write(f->kv, &txn, &f->diag);
    kv_put(&txn, TABLE_A, SLICE("k"), SLICE("v"));
    kv_fail(&txn, diag_fail(txn.diag, ERR_DENIED, "not today"));
    assert_int_equal(kv_commit(&txn).code, ERR_DENIED);
    assert_string_equal(f->diag.text, "not today");
    assert_false(holds(f, TABLE_A, SLICE("k"), SLICE("v")));
}

static void keys_appended_out_of_order_are_refused(void **state)
{
    struct fixture *f = *state;
    struct kv_txn txn;

    kv_begin_write(f->kv, &txn, &f->diag);
    kv_append(&txn, TABLE_A, SLICE("b"), SLICE(""));
    kv_append(&txn, TABLE_A, SLICE("a"), SLICE(""));
    assert_int_equal(kv_commit(&txn).code, ERR_CONFLICT);
}

static void keys_of_impossible_length_are_absent(void **state)
{
    static char long_key[KV_KEY_BYTES_MAX + 1];
    struct fixture *f = *state;

    assert_false(holds(f, TABLE_A, SLICE(""), SLICE("")));
    assert_false(holds(f, TABLE_A, slice_of(long_key, sizeof(long_key)), SLICE("")));
}

static void big_values_come_back_whole(void **state)
{
    static char big[1 << 20];
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(i * 31 >> 3);
    put_one(f, TABLE_A, SLICE("big"), slice_of(big, sizeof(big)));
    reopen(f);
    assert_true(holds(f, TABLE_A, SLICE("big"), slice_of(big, sizeof(big))));
}

/* ---- cursors ---- */

static void put_pairs(struct fixture *f, const char *const *keys)
{
    for (; *keys != NULL; keys++)
        put_one(f, TABLE_A, slice_text(*keys), slice_text(*keys));
}

static void cursors_seek_in_both_directions(void **state)
{
    static const char *const keys[] = {"b", "d", "dd", "f", NULL};
    static const struct {
        const char *name;
        slice key, at_or_after, before;
    } seeks[] = {
        {"in front of all", S("a"), S("b"), S("")}, {"the first", S("b"), S("b"), S("")},
        {"between", S("c"), S("d"), S("b")},        {"one that is there", S("dd"), S("dd"), S("d")},
        {"the last", S("f"), S("f"), S("dd")},      {"behind all", S("g"), S(""), S("f")},
        {"empty", S(""), S("b"), S("f")},
    };
    struct fixture *f = *state;
    CLEANUP(kv_abort) struct kv_txn txn = {0};

    put_pairs(f, keys);
    kv_begin_read(f->kv, &txn, NULL);
    CHECK_ROWS(row, seeks) {
        CLEANUP(kv_cursor_close) struct kv_cursor cursor;

        kv_cursor_open(&txn, TABLE_A, &cursor);
        assert_true(kv_seek(&cursor, row->key) == (row->at_or_after.len > 0));
        assert_true(slice_eq(cursor.key, row->at_or_after));
        assert_true(slice_eq(cursor.value, row->at_or_after));
        assert_true(kv_seek_last_before(&cursor, row->key) == (row->before.len > 0));
        assert_true(slice_eq(cursor.key, row->before));
    }
}

static void a_key_too_long_to_be_there_can_be_sought(void **state)
{
    static char longest[KV_KEY_BYTES_MAX + 1];
    struct fixture *f = *state;
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    CLEANUP(kv_cursor_close) struct kv_cursor cursor;
    slice head = slice_of(longest, KV_KEY_BYTES_MAX);

    memset(longest, 'm', sizeof(longest));
    put_one(f, TABLE_A, SLICE("a"), SLICE(""));
    put_one(f, TABLE_A, head, SLICE(""));
    put_one(f, TABLE_A, SLICE("z"), SLICE(""));
    kv_begin_read(f->kv, &txn, NULL);
    kv_cursor_open(&txn, TABLE_A, &cursor);
    assert_true(kv_seek(&cursor, slice_of(longest, sizeof(longest))));
    assert_true(slice_eq(cursor.key, SLICE("z")));
    assert_true(kv_seek_last_before(&cursor, slice_of(longest, sizeof(longest))));
    assert_true(slice_eq(cursor.key, head));
    assert_true(kv_seek_last_before(&cursor, head));
    assert_true(slice_eq(cursor.key, SLICE("a")));
}

static void a_fresh_cursor_walks_from_either_end(void **state)
{
    static const char *const keys[] = {"a", "b", "c", NULL};
    struct fixture *f = *state;
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct kv_cursor cursor;

    put_pairs(f, keys);
    kv_begin_read(f->kv, &txn, NULL);
    kv_cursor_open(&txn, TABLE_A, &cursor);
    for (size_t i = 0; i < 3; i++)
        assert_true(kv_next(&cursor) && slice_eq(cursor.key, slice_text(keys[i])));
    assert_false(kv_next(&cursor));
    kv_cursor_close(&cursor);
    kv_cursor_open(&txn, TABLE_A, &cursor);
    for (size_t i = 3; i-- > 0;)
        assert_true(kv_prev(&cursor) && slice_eq(cursor.key, slice_text(keys[i])));
    assert_false(kv_prev(&cursor));
    kv_cursor_close(&cursor);
    kv_cursor_close(&cursor);
    kv_cursor_open(&txn, TABLE_B, &cursor);
    assert_false(kv_next(&cursor));
    kv_abort(&txn);
    kv_cursor_close(&cursor);
}

/* Against a plain array of what ought to be there: delete while walking either way. */
static void walking_and_deleting_agree_with_a_plain_array(void **state)
{
    enum { KEYS = 4000 };
    static bool present[KEYS];
    struct fixture *f = *state;
    uint64_t chance = 0x9E3779B97F4A7C15u;
    char bytes[8];

    for (int round = 0; round < 6; round++) {
        struct kv_txn txn;
        struct kv_cursor cursor;
        size_t expected = 0;

        kv_begin_write(f->kv, &txn, &f->diag);
        kv_cursor_open(&txn, TABLE_A, &cursor);
        for (uint64_t i = 0; i < KEYS; i++) {
            kv_cursor_put(&cursor, key_of(i, bytes), key_of(i * i, (char[8]){0}));
            present[i] = true;
        }
        assert_true(kv_seek(&cursor, SLICE_NONE));
        for (uint64_t i = 0; i < KEYS; i++) {
            assert_true(slice_eq(cursor.key, key_of(i, bytes)));
            chance = chance * 6364136223846793005u + 1442695040888963407u;
            if ((chance >> 33) % 6 < (uint64_t)round) {
                kv_cursor_delete(&cursor);
                present[i] = false;
            } else {
                expected++;
            }
            assert_true(kv_next(&cursor) == (i + 1 < KEYS));
        }
        assert_int_equal(kv_count(&txn, TABLE_A), expected);
        for (uint64_t i = KEYS; i-- > 0;) {
            if (!present[i])
                continue;
            assert_true(kv_seek_last_before(&cursor, key_of(i + 1, bytes)));
            assert_true(slice_eq(cursor.key, key_of(i, bytes)));
        }
        kv_cursor_close(&cursor);
        assert_true(succeeded(kv_commit(&txn)));
    }
}

static void closing_a_cursor_late_is_harmless(void **state)
{
    struct fixture *f = *state;
    struct kv_txn txn;
    struct kv_cursor cursor;

    kv_begin_write(f->kv, &txn, &f->diag);
    kv_cursor_open(&txn, TABLE_A, &cursor);
    kv_cursor_put(&cursor, SLICE("k"), SLICE("v"));
    assert_true(succeeded(kv_commit(&txn)));
    kv_cursor_close(&cursor);
    assert_true(holds(f, TABLE_A, SLICE("k"), SLICE("v")));
}

/* ---- files ---- */

static void write_file(const char *path, const void *bytes, size_t count)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0 && write(fd, bytes, count) == (ssize_t)count && close(fd) == 0);
}

static void refused_with(struct fixture *f, enum err code, const char *words)
{
    kv_close(&f->kv);
    diag_reset(&f->diag);
    assert_int_equal(kv_open(f->folder, MAP_BYTES, tables, &f->kv, &f->diag).code, code);
    if (strstr(f->diag.text, words) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", f->diag.text, words);
    assert_null(f->kv);
}

static void a_second_opener_in_the_process_is_refused(void **state)
{
    struct fixture *f = *state;
    struct kv *second = NULL;

    assert_int_equal(kv_open(f->folder, MAP_BYTES, tables, &second, &f->diag).code, ERR_CONFLICT);
    assert_non_null(strstr(f->diag.text, "is open in this process already"));
    put_one(f, TABLE_A, SLICE("still"), SLICE("fine"));
    reopen(f);
    assert_true(holds(f, TABLE_A, SLICE("still"), SLICE("fine")));
}

static void foreign_files_are_refused(void **state)
{
    static char page[4096] = "PK\003\004 some other program's";
    struct fixture *f = *state;

    kv_close(&f->kv);
    write_file(f->file, page, sizeof(page));
    refused_with(f, ERR_INVALID, "is no database of ours");
    write_file(f->file, "short", 5);
    refused_with(f, ERR_INVALID, "is no database of ours");
    (void)unlink(f->file);
    assert_int_equal(mkdir(f->file, 0700), 0);
    refused_with(f, ERR_INVALID, "index.mdb: open: ");
    assert_int_equal(rmdir(f->file), 0);
    reopen(f);
}

static void another_programs_tables_are_not_ours(void **state)
{
    static const char *const others[] = {"theirs", NULL};
    struct fixture *f = *state;
    struct kv *other;

    kv_close(&f->kv);
    (void)unlink(f->file);
    assert_true(succeeded(kv_open(f->folder, MAP_BYTES, others, &other, NULL)));
    kv_close(&other);
    refused_with(f, ERR_INVALID, "it holds other tables");
}

static void a_table_that_is_new_is_made(void **state)
{
    static const char *const more[] = {"a", "b", "c", NULL};
    struct fixture *f = *state;

    put_one(f, TABLE_A, SLICE("k"), SLICE("v"));
    kv_close(&f->kv);
    assert_true(succeeded(kv_open(f->folder, MAP_BYTES, more, &f->kv, &f->diag)));
    put_one(f, 2, SLICE("new"), SLICE("table"));
    assert_true(holds(f, TABLE_A, SLICE("k"), SLICE("v")));
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
    struct diag diag = {0};
    struct kv *kv = NULL;

    (void)state;
    assert_true(failed(kv_open("/tmp/entente-kv-nowhere", MAP_BYTES, tables, &kv, &diag)));
    assert_non_null(strstr(diag.text, "/tmp/entente-kv-nowhere/index.mdb: open: "));
}

static void fill(struct fixture *f, uint64_t count)
{
    static char value[3000];
    struct kv_txn txn;
    char bytes[8];

    kv_begin_write(f->kv, &txn, &f->diag);
    for (uint64_t i = 0; i < count; i++)
        kv_put(&txn, TABLE_A, key_of(i, bytes), slice_of(value, sizeof(value)));
    assert_true(succeeded(kv_commit(&txn)));
}

static void a_file_cut_anywhere_is_refused_and_left_alone(void **state)
{
    struct fixture *f = *state;
    struct stat st, now;

    fill(f, 200);
    kv_close(&f->kv);
    assert_int_equal(stat(f->file, &st), 0);
    for (off_t bytes = st.st_size - 4096; bytes > 0; bytes -= 4096 * 17 + 100) {
        assert_int_equal(truncate(f->file, bytes), 0);
        refused_with(f, ERR_CORRUPT, "is cut short");
        assert_int_equal(stat(f->file, &now), 0);
        assert_int_equal(now.st_size, bytes);
    }
    assert_int_equal(truncate(f->file, 100), 0);
    refused_with(f, ERR_CORRUPT, "is cut short");
}

/* Pages that are taken and freed in one transaction are never written, so the file is
 * often shorter than its root says, and whole. */
static void short_files_that_are_whole_are_opened(void **state)
{
    enum { KEYS = 400 };
    static char value[2000];
    static size_t lengths[KEYS]; /* of what ought to be there; 0: nothing */
    struct fixture *f = *state;
    uint64_t chance = 5;
    unsigned short_count = 0;
    char bytes[8];

    memset(lengths, 0, sizeof(lengths));
    for (int round = 0; round < 200 && short_count < 3; round++) {
        struct kv_txn txn;
        struct stat st;

        kv_begin_write(f->kv, &txn, &f->diag);
        for (int step = 0; step < 150; step++) {
            uint64_t number;

            chance = chance * 6364136223846793005u + 1442695040888963407u;
            number = (chance >> 33) % KEYS;
            lengths[number] = (chance >> 50) % 2 != 0 ? 100 + (chance >> 40) % 1500 : 0;
            if (lengths[number] > 0)
                kv_put(&txn, TABLE_B, key_of(number, bytes), slice_of(value, lengths[number]));
            else
                (void)kv_delete(&txn, TABLE_B, key_of(number, bytes));
        }
        for (uint64_t number = 0; round % 5 == 4 && number < KEYS; number++) {
            (void)kv_delete(&txn, TABLE_B, key_of(number, bytes));
            lengths[number] = 0;
        }
        assert_true(succeeded(kv_commit(&txn)));
        assert_int_equal(stat(f->file, &st), 0);
        if ((uint64_t)st.st_size < kv_bytes_used(f->kv))
            short_count++;
        reopen(f);
        for (uint64_t number = 0; number < KEYS; number++)
            assert_true(holds(f, TABLE_B, key_of(number, bytes),
                              slice_of(value, lengths[number])) == (lengths[number] > 0));
    }
    assert_int_equal(short_count, 3); /* the case is really there */
}

static void a_zeroed_page_is_corruption_and_not_a_crash(void **state)
{
    static char zeros[4096];
    struct fixture *f = *state;
    struct kv_txn txn;
    slice value;
    int fd;

    put_one(f, TABLE_A, SLICE("k"), SLICE("v"));
    kv_close(&f->kv);
    fd = open(f->file, O_WRONLY);
    for (off_t page = 2; page < (off_t)8; page++)
        assert_int_equal(pwrite(fd, zeros, sizeof(zeros), page * 4096), 4096);
    (void)close(fd);
    if (failed(kv_open(f->folder, MAP_BYTES, tables, &f->kv, &f->diag))) {
        assert_int_equal(f->diag.code, ERR_CORRUPT);
        return;
    }
    kv_begin_read(f->kv, &txn, &f->diag);
    assert_false(kv_get(&txn, TABLE_A, SLICE("k"), &value));
    assert_int_equal(kv_commit(&txn).code, ERR_CORRUPT);
}

/* ---- limits of the machine ---- */

static void a_full_map_names_its_setting_and_keeps_what_was_there(void **state)
{
    static char value[1 << 20];
    struct fixture *f = *state;
    struct kv_txn txn;
    char bytes[8];

    put_one(f, TABLE_A, SLICE("k"), SLICE("v"));
    kv_close(&f->kv);
    assert_true(succeeded(kv_open(f->folder, 1, tables, &f->kv, &f->diag)));
    assert_int_equal(kv_bytes_max(f->kv), KV_MAP_BYTES_MIN);
    kv_begin_write(f->kv, &txn, &f->diag);
    for (uint64_t i = 0; i < 80 && succeeded(txn.state); i++)
        kv_put(&txn, TABLE_B, key_of(i, bytes), slice_of(value, sizeof(value)));
    assert_int_equal(kv_commit(&txn).code, ERR_LIMIT);
    assert_non_null(strstr(f->diag.text, "is full at 67108864 bytes: raise store_bytes_max"));
    assert_true(holds(f, TABLE_A, SLICE("k"), SLICE("v")));
    put_one(f, TABLE_A, SLICE("more"), SLICE("fits"));
    reopen(f);
    assert_true(holds(f, TABLE_A, SLICE("more"), SLICE("fits")));
}

/* Runs `act` in a child, so that limits and kills stay there; its exit status. */
static int in_child(void (*act)(struct fixture *f), struct fixture *f)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        act(f);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void expect_file_limit(struct fixture *f)
{
    static char value[1 << 20];
    struct rlimit limit = {.rlim_cur = 1 << 20, .rlim_max = 1 << 20};
    struct kv_txn txn;
    char bytes[8];

    (void)signal(SIGXFSZ, SIG_IGN);
    (void)setrlimit(RLIMIT_FSIZE, &limit);
    if (failed(kv_open(f->folder, MAP_BYTES, tables, &f->kv, &f->diag)))
        _exit(10);
    kv_begin_write(f->kv, &txn, &f->diag);
    for (uint64_t i = 0; i < 4; i++)
        kv_put(&txn, TABLE_B, key_of(i, bytes), slice_of(value, sizeof(value)));
    if (kv_commit(&txn).code != ERR_IO)
        _exit(11);
    if (!holds(f, TABLE_A, SLICE("k"), SLICE("v")))
        _exit(12);
    put_one(f, TABLE_A, SLICE("small"), SLICE("write"));
}

static void a_failed_write_leaves_everything_intact(void **state)
{
    struct fixture *f = *state;

    put_one(f, TABLE_A, SLICE("k"), SLICE("v"));
    kv_close(&f->kv);
    assert_int_equal(in_child(expect_file_limit, f), 0);
    reopen(f);
    assert_true(holds(f, TABLE_A, SLICE("k"), SLICE("v")));
    assert_true(holds(f, TABLE_A, SLICE("small"), SLICE("write")));
}

static void a_full_disk_is_said_and_leaves_everything_intact(void **state)
{
    static char value[64 << 10];
    struct fixture *f = *state;
    struct kv_txn txn;
    char bytes[8];

    kv_close(&f->kv);
    if (mount("none", f->folder, "tmpfs", 0, "size=1m") != 0)
        skip(); /* only root may */
    (void)unlink(f->file);
    reopen(f);
    put_one(f, TABLE_A, SLICE("k"), SLICE("v"));
    kv_begin_write(f->kv, &txn, &f->diag);
    for (uint64_t i = 0; i < 64; i++)
        kv_put(&txn, TABLE_B, key_of(i, bytes), slice_of(value, sizeof(value)));
    assert_int_equal(kv_commit(&txn).code, ERR_IO);
    assert_non_null(strstr(f->diag.text, "the disk is full"));
    reopen(f);
    assert_true(holds(f, TABLE_A, SLICE("k"), SLICE("v")));
    put_one(f, TABLE_A, SLICE("small"), SLICE("write"));
    kv_close(&f->kv);
    assert_int_equal(umount(f->folder), 0);
}

/* ---- processes ---- */

static void write_on_and_on(struct fixture *f)
{
    static char value[2000];
    struct kv_txn txn;
    char bytes[8];

    if (failed(kv_open(f->folder, MAP_BYTES, tables, &f->kv, NULL)))
        _exit(1);
    for (uint64_t round = 0;; round++) {
        kv_begin_write(f->kv, &txn, NULL);
        for (uint64_t i = 0; i < 50; i++)
            kv_put(&txn, TABLE_A, key_of(i, bytes), slice_of(value, 100 + round % 1900));
        kv_put(&txn, TABLE_B, SLICE("round"), key_of(round, bytes));
        if (failed(kv_commit(&txn)))
            _exit(2);
    }
}

static void a_killed_writer_leaves_whole_transactions_alone(void **state)
{
    struct fixture *f = *state;

    kv_close(&f->kv);
    for (unsigned round = 0; round < 8; round++) {
        CLEANUP(kv_abort) struct kv_txn txn = {0};
        CLEANUP(kv_cursor_close) struct kv_cursor cursor;
        pid_t pid = fork();
        size_t bytes = 0;

        assert_true(pid >= 0);
        if (pid == 0)
            write_on_and_on(f);
        (void)usleep(20000 + 7000 * round);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        reopen(f);
        kv_begin_read(f->kv, &txn, NULL);
        kv_cursor_open(&txn, TABLE_A, &cursor);
        while (kv_next(&cursor)) { /* all from one round: of one length */
            assert_true(bytes == 0 || cursor.value.len == bytes);
            bytes = cursor.value.len;
        }
        assert_true(succeeded(txn.state));
        put_one(f, TABLE_B, SLICE("lock"), SLICE("is free"));
        kv_cursor_close(&cursor);
        kv_abort(&txn);
        kv_close(&f->kv);
    }
}

static void read_and_die(struct fixture *f)
{
    struct kv_txn txns[100];

    if (failed(kv_open(f->folder, MAP_BYTES, tables, &f->kv, NULL)))
        _exit(1);
    for (size_t i = 0; i < 100; i++) {
        kv_begin_read(f->kv, &txns[i], NULL);
        if (failed(txns[i].state))
            _exit(2);
    }
    (void)raise(SIGKILL);
}

static void slots_of_killed_readers_are_reclaimed(void **state)
{
    struct fixture *f = *state;

    kv_close(&f->kv);
    for (size_t i = 0; i < 2 * KV_READERS_MAX / 100; i++)
        assert_true(WIFSIGNALED(in_child(read_and_die, f)));
    reopen(f);
    put_one(f, TABLE_A, SLICE("k"), SLICE("v"));
    assert_true(holds(f, TABLE_A, SLICE("k"), SLICE("v")));
}

static void too_many_readers_are_refused_and_the_rest_goes_on(void **state)
{
    static struct kv_txn txns[KV_READERS_MAX + 1];
    struct fixture *f = *state;
    size_t begun = 0;

    while (begun < KV_READERS_MAX + 1) {
        kv_begin_read(f->kv, &txns[begun], &f->diag);
        if (failed(txns[begun].state))
            break;
        begun++;
    }
    assert_true(begun >= KV_READERS_MAX - 1 && begun <= KV_READERS_MAX);
    assert_int_equal(txns[begun].state.code, ERR_LIMIT);
    assert_non_null(strstr(f->diag.text, "has too many readers"));
    while (begun-- > 0)
        kv_abort(&txns[begun]);
    put_one(f, TABLE_A, SLICE("k"), SLICE("v"));
    assert_true(holds(f, TABLE_A, SLICE("k"), SLICE("v")));
}

static void write_in_turn(struct fixture *f)
{
    char bytes[8];

    if (failed(kv_open(f->folder, MAP_BYTES, tables, &f->kv, NULL)))
        _exit(1);
    for (int i = 0; i < 100; i++) {
        struct kv_txn txn;
        slice value;
        uint64_t number = 0;

        kv_begin_write(f->kv, &txn, NULL);
        if (kv_get(&txn, TABLE_A, SLICE("sum"), &value)) {
            for (size_t b = 0; b < value.len; b++)
                number = number << 8 | (uint8_t)value.at[b];
        }
        kv_put(&txn, TABLE_A, SLICE("sum"), key_of(number + 1, bytes));
        if (failed(kv_commit(&txn)))
            _exit(2);
    }
    kv_close(&f->kv);
}

static void processes_take_turns_and_lose_no_write(void **state)
{
    struct fixture *f = *state;
    pid_t pids[3];
    char bytes[8];
    int status;

    kv_close(&f->kv);
    for (size_t i = 0; i < 3; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            write_in_turn(f);
            _exit(0);
        }
    }
    for (size_t i = 0; i < 3; i++)
        assert_true(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
    reopen(f);
    assert_true(holds(f, TABLE_A, SLICE("sum"), key_of(300, bytes)));
}

static void grow_past_the_others_map(struct fixture *f)
{
    static char value[1 << 20];
    struct kv_txn txn;
    char bytes[8];

    if (failed(kv_open(f->folder, MAP_BYTES, tables, &f->kv, NULL)))
        _exit(1);
    kv_begin_write(f->kv, &txn, NULL);
    for (uint64_t i = 0; i < 80; i++)
        kv_put(&txn, TABLE_B, key_of(i, bytes), slice_of(value, sizeof(value)));
    if (failed(kv_commit(&txn)))
        _exit(2);
}

static void a_map_that_another_process_outgrew_is_adopted(void **state)
{
    struct fixture *f = *state;
    struct kv_txn open_reader, late;
    pid_t pid;
    int status;

    kv_close(&f->kv);
    pid = fork();
    if (pid == 0) {
        (void)usleep(100000);
        grow_past_the_others_map(f);
        _exit(0);
    }
    assert_true(succeeded(kv_open(f->folder, KV_MAP_BYTES_MIN, tables, &f->kv, &f->diag)));
    kv_begin_read(f->kv, &open_reader, NULL);
    assert_true(waitpid(pid, &status, 0) == pid && status == 0);
    kv_begin_read(f->kv, &late, &f->diag); /* cannot map anew while the other reads */
    assert_int_equal(late.state.code, ERR_IO);
    assert_non_null(strstr(f->diag.text, "made larger by another process"));
    kv_abort(&open_reader);
    kv_begin_read(f->kv, &late, NULL);
    assert_int_equal(kv_count(&late, TABLE_B), 80);
    kv_abort(&late);
    put_one(f, TABLE_A, SLICE("k"), SLICE("v"));
    assert_int_equal(kv_bytes_max(f->kv), MAP_BYTES);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* A sanitizer's own address space is over any such limit. */
static void open_with_little_address_space(struct fixture *f)
{
    struct rlimit limit;

    (void)getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = (rlim_t)1 << 31;
    (void)setrlimit(RLIMIT_AS, &limit);
    if (failed(kv_open(f->folder, (size_t)1 << 40, tables, &f->kv, &f->diag)))
        _exit(1);
    if (kv_bytes_max(f->kv) < KV_MAP_BYTES_MIN || kv_bytes_max(f->kv) > (uint64_t)1 << 31)
        _exit(2);
    put_one(f, TABLE_A, SLICE("k"), SLICE("v"));
}

static void a_machine_that_maps_less_gets_a_smaller_map(void **state)
{
    struct fixture *f = *state;

    kv_close(&f->kv);
    assert_int_equal(in_child(open_with_little_address_space, f), 0);
    reopen(f);
    assert_true(holds(f, TABLE_A, SLICE("k"), SLICE("v")));
}
#endif

/* ---- threads ---- */

static void *read_many_times(void *context)
{
    struct fixture *f = context;

    for (int i = 0; i < 2000; i++) {
        struct kv_txn txn;
        slice a, b;

        kv_begin_read(f->kv, &txn, NULL);
        if (!kv_get(&txn, TABLE_A, SLICE("n"), &a) || !kv_get(&txn, TABLE_B, SLICE("n"), &b) ||
            !slice_eq(a, b))
            return f;
        kv_abort(&txn);
    }
    return NULL;
}

static void threads_read_whole_states_while_one_writes(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[4];
    char bytes[8];
    void *bad;

    for (uint64_t i = 0; i < 200; i++) {
        struct kv_txn txn;

        kv_begin_write(f->kv, &txn, NULL);
        kv_put(&txn, TABLE_A, SLICE("n"), key_of(i, bytes));
        kv_put(&txn, TABLE_B, SLICE("n"), key_of(i, bytes));
        assert_true(succeeded(kv_commit(&txn)));
        if (i == 0) {
            for (size_t t = 0; t < 4; t++)
                assert_int_equal(pthread_create(&threads[t], NULL, read_many_times, f), 0);
        }
    }
    for (size_t t = 0; t < 4; t++) {
        assert_int_equal(pthread_join(threads[t], &bad), 0);
        assert_null(bad);
    }
}

/* ---- every failure, one at a time ---- */

#ifdef ENTENTE_FAULTS
static result one_of_everything(struct fixture *f, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    CLEANUP(kv_cursor_close) struct kv_cursor cursor = {.txn = &txn};
    slice value;

    TRY(kv_open(f->folder, MAP_BYTES, tables, &f->kv, diag));
    kv_begin_write(f->kv, &txn, diag);
    kv_put(&txn, TABLE_A, SLICE("k"), SLICE("v"));
    kv_append(&txn, TABLE_A, SLICE("l"), SLICE("v"));
    (void)kv_get(&txn, TABLE_A, SLICE("k"), &value);
    (void)kv_delete(&txn, TABLE_A, SLICE("l"));
    kv_clear(&txn, TABLE_B);
    kv_cursor_open(&txn, TABLE_B, &cursor);
    if (cursor.handle != NULL) {
        kv_cursor_put(&cursor, SLICE("m"), SLICE("v"));
        (void)kv_seek(&cursor, SLICE("m"));
        kv_cursor_delete(&cursor);
    }
    kv_cursor_close(&cursor);
    return kv_commit(&txn);
}

static void every_failure_has_words_and_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    unsigned long nth = 0;
    bool fired;
    result r;

    do {
        struct diag diag = {0};

        kv_close(&f->kv);
        (void)unlink(f->file);
        fault_arm(++nth);
        r = one_of_everything(f, &diag);
        assert_true(failed(r) == (diag.text[0] != '\0'));
        fired = fault_fired();
        assert_true(fired || succeeded(r));
        fault_arm(0);
        if (f->kv == NULL)
            reopen(f);
        assert_true(holds(f, TABLE_A, SLICE("k"), SLICE("v")) == succeeded(r));
    } while (fired);
    assert_true(nth > 10);
}
#endif

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(what_was_committed_is_there_after_opening_again),
        CASE(an_aborted_transaction_changes_nothing),
        CASE(a_reader_keeps_its_state_while_others_write),
        CASE(counting_clearing_and_deleting_agree),
        CASE(a_transaction_keeps_its_first_failure),
        CASE(the_callers_own_failure_undoes_everything),
        CASE(keys_appended_out_of_order_are_refused),
        CASE(keys_of_impossible_length_are_absent),
        CASE(big_values_come_back_whole),
        CASE(cursors_seek_in_both_directions),
        CASE(a_key_too_long_to_be_there_can_be_sought),
        CASE(a_fresh_cursor_walks_from_either_end),
        CASE(walking_and_deleting_agree_with_a_plain_array),
        CASE(closing_a_cursor_late_is_harmless),
        CASE(a_second_opener_in_the_process_is_refused),
        CASE(foreign_files_are_refused),
        CASE(another_programs_tables_are_not_ours),
        CASE(a_table_that_is_new_is_made),
        CASE(a_folder_that_is_not_there_is_an_error),
        CASE(a_file_cut_anywhere_is_refused_and_left_alone),
        CASE(short_files_that_are_whole_are_opened),
        CASE(a_zeroed_page_is_corruption_and_not_a_crash),
        CASE(a_full_map_names_its_setting_and_keeps_what_was_there),
        CASE(a_failed_write_leaves_everything_intact),
        CASE(a_full_disk_is_said_and_leaves_everything_intact),
        CASE(a_killed_writer_leaves_whole_transactions_alone),
        CASE(slots_of_killed_readers_are_reclaimed),
        CASE(too_many_readers_are_refused_and_the_rest_goes_on),
        CASE(processes_take_turns_and_lose_no_write),
        CASE(a_map_that_another_process_outgrew_is_adopted),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        CASE(a_machine_that_maps_less_gets_a_smaller_map),
#endif
        CASE(threads_read_whole_states_while_one_writes),
#ifdef ENTENTE_FAULTS
        CASE(every_failure_has_words_and_leaves_nothing_behind),
#endif
    };

    return cmocka_run_group_tests_name("kv", tests, NULL, NULL);
}
