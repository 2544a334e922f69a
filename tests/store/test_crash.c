/* Killed, out of room, spoiled, shared: what was acknowledged is there, the rest wholly absent. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "store/files.h"
#include "store/inside.h"

#include "base/banned.h"

#define BATCH 300 /* objects an import */

static int setup(void **state)
{
    static struct fixture fixture;

    fixture_make(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_remove(*state);
    return 0;
}

static void make_limits_small(struct fixture *fixture)
{
    fixture->store->limits = (struct store_limits){2000, 50, 37};
}

/* Every addition is readable, and there are whole imports of BATCH only. */
static uint64_t check_whole(struct fixture *fixture)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)64 << 20);
    struct store_query query = {.collection = fixture->collection.number, .version_all = true};
    struct store_page page;
    struct diag diag = {0};

    store_view_begin(fixture->store, &view, &diag);
    assert_int_equal(view.seq_end % BATCH, 0);
    for (uint64_t seq = 0; seq < view.seq_end; seq++)
        if (failed(store_item_check(&view, seq, &diag)))
            fail_msg("%s", diag.text);
    assert_false(failed(store_find(&view, &query, SIZE_MAX, SIZE_MAX, true, &arena, &page, &diag)));
    assert_int_equal(page.count, view.seq_end);
    return view.seq_end;
}

/* ---- kill -9 ---- */

/* The child imports until it is killed, and tells of each import that returned. */
static _Noreturn void child_imports(struct fixture *fixture, volatile uint64_t *acknowledged)
{
    struct diag diag = {0};

    if (failed(fixture_open(fixture, &diag)))
        _exit(1);
    make_limits_small(fixture);
    for (unsigned i = (unsigned)*acknowledged;; i++) {
        (void)import_indicators(fixture, i * BATCH, BATCH, 0);
        *acknowledged = i + 1;
    }
}

static void what_was_acknowledged_survives_a_kill(void **state)
{
    struct fixture *fixture = *state;
    uint64_t *acknowledged = mmap(NULL, sizeof(*acknowledged), PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct diag diag = {0};
    uint8_t chance[2];

    assert_true(acknowledged != MAP_FAILED);
    for (unsigned round = 0; round < 12; round++) {
        int status;

        store_close(&fixture->store);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            child_imports(fixture, acknowledged);
        random_bytes(chance, sizeof(chance));
        (void)usleep(5000u + (chance[0] | (unsigned)chance[1] << 8) * 2u);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        if (failed(fixture_open(fixture, &diag)))
            fail_msg("%s", diag.text);
        uint64_t there = check_whole(fixture) / BATCH;
        /* One more may have been named without the time to say so. */
        assert_true(there == *acknowledged || there == *acknowledged + 1);
        *acknowledged = there;
        check_rebuild(fixture);
    }
    (void)munmap(acknowledged, sizeof(*acknowledged));
}

/* ---- every failure, one at a time ---- */

static void import_under_faults(struct fixture *fixture, bool small_limits)
{
#ifdef ENTENTE_FAULTS
    CLEANUP(buf_free) struct buf text = BUF((size_t)1 << 24);
    struct import_counts counts;
    bool fired, is_failed;
    unsigned long nth = 0;

    put_indicators(&text, 1000, 20, 1);
    do {
        struct hash256 before, after;
        struct diag diag = {0};

        if (small_limits)
            make_limits_small(fixture);
        before = state_hash(fixture);
        fault_arm(++nth);
        result r =
            import_into(fixture, fixture->collection.number, buf_slice(&text), &counts, &diag);
        fired = fault_fired();
        fault_arm(0);
        is_failed = failed(r);
        if (is_failed) {
            assert_true(fired);
            assert_true(diag.text[0] != '\0');
            /* Should even the undoing have failed, the next writer or start does it. */
            fixture_reopen(fixture);
            after = state_hash(fixture);
            assert_memory_equal(before.bytes, after.bytes, sizeof(before.bytes));
        } else if (fired) {
            /* A step that may fail without harm (a thread, one object's memory). */
            assert_int_equal(counts.taken + counts.refused + counts.held, 20);
        } else {
            assert_int_equal(counts.taken + counts.held, 20);
        }
    } while (fired);
    assert_true(nth > 20);
    check_rebuild(fixture);
#else
    (void)fixture;
    (void)small_limits;
#endif
}

static void an_import_fails_whole_wherever_it_fails(void **state)
{
    (void)import_indicators(*state, 0, 5, 0);
    import_under_faults(*state, false);
}

static void a_large_import_fails_whole_wherever_it_fails(void **state)
{
    (void)import_indicators(*state, 0, 5, 0);
    import_under_faults(*state, true);
}

static void a_removal_fails_whole_wherever_it_fails(void **state)
{
#ifdef ENTENTE_FAULTS
    struct fixture *fixture = *state;
    slice id = SLICE("indicator--00000000-0000-4000-8000-000000000001");
    uint64_t count = 0;
    bool fired;
    unsigned long nth = 0;

    (void)import_indicators(fixture, 0, 5, 0);
    (void)import_indicators(fixture, 1, 1, 1);
    do {
        struct hash256 before = state_hash(fixture), after;
        struct diag diag = {0};

        fault_arm(++nth);
        result r = store_remove(fixture->store, fixture->collection.number, id, NULL, SLICE("test"),
                                STORE_WAITS, &count, &diag);
        fired = fault_fired();
        fault_arm(0);
        if (failed(r)) {
            assert_true(fired && diag.text[0] != '\0');
            after = state_hash(fixture);
            assert_memory_equal(before.bytes, after.bytes, sizeof(before.bytes));
        } else {
            assert_int_equal(count, 2);
            fixture_reopen(fixture);
            check_rebuild(fixture);
            break;
        }
    } while (fired);
    assert_true(nth > 5);
#else
    (void)state;
#endif
}

/* ---- a full disk ---- */

static void a_full_disk_leaves_nothing_and_says_so(void **state)
{
    struct fixture *fixture = *state;
    struct rlimit was, small;
    struct diag diag = {0};

    (void)import_indicators(fixture, 0, BATCH, 0);
    struct hash256 before = state_hash(fixture);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = was;
    small.rlim_cur = (rlim_t)2 << 20;
    {
        CLEANUP(buf_free) struct buf text = BUF((size_t)1 << 26);
        struct import_counts counts;

        put_indicators(&text, BATCH, 20000, 0);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        result r =
            import_into(fixture, fixture->collection.number, buf_slice(&text), &counts, &diag);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
        assert_int_equal(r.code, ERR_IO);
        assert_true(diag.text[0] != '\0');
    }
    struct hash256 after = state_hash(fixture);
    assert_memory_equal(before.bytes, after.bytes, sizeof(before.bytes));
    (void)import_indicators(fixture, BATCH, BATCH, 0);
    assert_int_equal(check_whole(fixture), 2 * BATCH);
}

/* ---- two at once ---- */

static void two_processes_take_turns(void **state)
{
    struct fixture *fixture = *state;
    pid_t children[2];

    store_close(&fixture->store);
    for (unsigned i = 0; i < 2; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            struct diag diag = {0};

            if (failed(fixture_open(fixture, &diag)))
                _exit(1);
            make_limits_small(fixture);
            for (unsigned round = 0; round < 5; round++)
                (void)import_indicators(fixture, (i * 5 + round) * BATCH, BATCH, 0);
            store_close(&fixture->store);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        int status;

        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    struct diag diag = {0};
    if (failed(fixture_open(fixture, &diag)))
        fail_msg("%s", diag.text);
    assert_int_equal(check_whole(fixture), 10 * BATCH);
    check_rebuild(fixture);
}

/* ---- spoiled files ---- */

static void path_of(const struct fixture *fixture, const char *name, char *out, size_t room)
{
    (void)snprintf(out, room, "%s/%s", fixture->folder, name);
}

static void a_cut_file_is_told_at_the_start(void **state)
{
    static const char *const names[] = {"directory", "segments/000000"};
    struct fixture *fixture = *state;

    (void)import_indicators(fixture, 0, BATCH, 0);
    store_close(&fixture->store);
    for (size_t i = 0; i < 2; i++) {
        char path[128], kept[160];
        struct diag diag = {0};

        path_of(fixture, names[i], path, sizeof(path));
        (void)snprintf(kept, sizeof(kept), "%s.kept", path);
        assert_int_equal(rename(path, kept), 0);
        assert_true(failed(fixture_open(fixture, &diag)));
        assert_true(diag.text[0] != '\0');
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, 1000), 0);
        assert_int_equal(close(fd), 0);
        diag_reset(&diag);
        assert_int_equal(fixture_open(fixture, &diag).code, ERR_CORRUPT);
        assert_non_null(strstr(diag.text, i == 0 ? "directory" : "000000"));
        assert_int_equal(rename(kept, path), 0);
    }
    struct diag diag = {0};
    assert_false(failed(fixture_open(fixture, &diag)));
    assert_int_equal(check_whole(fixture), BATCH);
}

static void import_large(struct fixture *fixture, unsigned number)
{
    CLEANUP(buf_free) struct buf text = BUF((size_t)64 << 20);
    size_t filling = (size_t)30 << 20;

    buf_printf(&text,
               "{\"type\":\"x-large\",\"spec_version\":\"2.1\","
               "\"id\":\"x-large--00000000-0000-4000-8000-%012u\",\"x_filling\":\"",
               number);
    char *room = buf_reserve(&text, filling);
    assert_non_null(room);
    memset(room, 'a' + (int)number, filling);
    text.len += filling;
    buf_put(&text, SLICE("\"}"));
    assert_int_equal(import_ok(fixture, fixture->collection.number, buf_slice(&text)).taken, 1);
}

/* 9 texts of 30 MiB: one segment holds eight of them. */
static void a_text_is_in_one_segment(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 30);
    struct fixture *fixture = *state;
    struct store_query query = {.collection = fixture->collection.number};
    struct store_page page;
    struct store_item item;
    struct store_view view;
    struct diag diag = {0};
    char path[128];
    size_t at = 0;

    for (unsigned i = 0; i < 9; i++)
        import_large(fixture, i);
    store_view_begin(fixture->store, &view, &diag);
    assert_false(failed(store_find(&view, &query, 20, SIZE_MAX, true, &arena, &page, &diag)));
    assert_int_equal(page.count, 9);
    for (uint64_t seq = 0; seq < 9; seq++) {
        assert_false(failed(store_item_check(&view, seq, &diag)));
        assert_true(store_item_at(&view, seq, &item));
        assert_true(slice_starts(slice_from(page.text, at), item.text));
        at += item.text.len;
        assert_true(seq == 8 || page.text.at[at++] == ',');
    }
    assert_int_equal(at, page.text.len);
    store_view_end(&view);
    store_close(&fixture->store);

    path_of(fixture, "segments/000000", path, sizeof(path));
    assert_int_equal(truncate(path, (off_t)SEGMENT_BYTES - 1), 0);
    assert_int_equal(fixture_open(fixture, &diag).code, ERR_CORRUPT);
    assert_non_null(strstr(diag.text, "000000"));
}

static void flip(const char *path, off_t at)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char byte;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    assert_int_equal(close(fd), 0);
}

static void a_changed_byte_is_named(void **state)
{
    struct fixture *fixture = *state;
    char path[128];

    (void)import_indicators(fixture, 0, 3, 0);
    for (unsigned i = 0; i < 2; i++) {
        CLEANUP(store_view_end) struct store_view view = {0};
        struct diag diag = {0};

        path_of(fixture, i == 0 ? "segments/000000" : "directory", path, sizeof(path));
        flip(path, i == 0 ? 20 : RECORD_BYTES + 60);
        store_view_begin(fixture->store, &view, &diag);
        assert_int_equal(store_item_check(&view, i, &diag).code, ERR_CORRUPT);
        assert_non_null(strstr(diag.text, i == 0 ? "segments/000000" : "directory"));
        diag_reset(&diag);
        assert_false(failed(store_item_check(&view, 2, &diag)));
    }
}

/* ---- what the folder is ---- */

static void format_set(struct fixture *fixture, uint64_t format)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};

    kv_begin_write(store_kv(fixture->store), &txn, NULL);
    meta_put(&txn, META_FORMAT, format);
    assert_false(failed(kv_commit(&txn)));
}

static void another_format_version_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct diag diag = {0};

    format_set(fixture, STORE_FORMAT + 1);
    store_close(&fixture->store);
    assert_int_equal(fixture_open(fixture, &diag).code, ERR_CONFLICT);
    assert_non_null(strstr(diag.text, "made by a newer format version 3, this program reads 2"));
}

static void a_folder_of_format_1_gets_its_tree(void **state)
{
    struct fixture *fixture = *state;
    struct store_view view;
    struct diag diag = {0};

    (void)import_indicators(fixture, 0, 3, 0);
    format_set(fixture, 1);
    {
        CLEANUP(kv_abort) struct kv_txn txn = {0};

        kv_begin_write(store_kv(fixture->store), &txn, NULL);
        kv_clear(&txn, TABLE_TREE);
        assert_false(failed(kv_commit(&txn)));
    }
    store_close(&fixture->store);
    if (failed(fixture_open(fixture, &diag)))
        fail_msg("%s", diag.text);
    store_view_begin(fixture->store, &view, &diag);
    assert_true(kv_count(&view.txn, TABLE_LOG) > 0);
    assert_int_equal(kv_count(&view.txn, TABLE_TREE), kv_count(&view.txn, TABLE_LOG));
    assert_int_equal(meta_get(&view.txn, META_FORMAT, 0), STORE_FORMAT);
    store_view_end(&view);
}

static void a_folder_without_a_store_is_missing(void **state)
{
    struct fixture *fixture = *state;
    char folder[] = "/tmp/entente-none-XXXXXX";
    struct store *store = NULL;
    struct diag diag = {0};
    struct store_options options = {.folder = folder, .map_bytes_max = (size_t)1 << 30};

    (void)fixture;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(store_open(&options, &store, &diag).code, ERR_MISSING);
    assert_null(store);
    assert_int_equal(rmdir(folder), 0); /* and nothing was left in it */
}

static void a_folder_without_rights_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct diag diag = {0};

    store_close(&fixture->store);
    assert_int_equal(chmod(fixture->folder, 0), 0);
    /* Root is refused nothing: be nobody for a moment. */
    uid_t self = geteuid();
    if (self == 0)
        assert_int_equal(seteuid(65534), 0);
    result r = fixture_open(fixture, &diag);
    if (self == 0)
        assert_int_equal(seteuid(self), 0);
    assert_int_equal(r.code, ERR_DENIED);
    assert_non_null(strstr(diag.text, "ermission"));
    assert_int_equal(chmod(fixture->folder, 0700), 0);
}

static void a_store_opened_to_read_takes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct store_options options = {
        .folder = fixture->folder, .map_bytes_max = (size_t)4 << 30, .read_only = true};
    struct import_counts counts;
    struct collection collection;
    struct diag diag = {0};

    (void)import_indicators(fixture, 0, BATCH, 0);
    store_close(&fixture->store);
    assert_false(failed(store_open(&options, &fixture->store, &diag)));
    assert_int_equal(check_whole(fixture), BATCH);
    assert_int_equal(
        import_into(fixture, fixture->collection.number, SLICE("[]"), &counts, &diag).code,
        ERR_DENIED);
    diag_reset(&diag);
    assert_int_equal(store_collection_add(fixture->store, NULL, SLICE("x"), SLICE(""), SLICE(""),
                                          SLICE("test"), &collection, &diag)
                         .code,
                     ERR_DENIED);
}

/* ---- removed bytes ---- */

static bool file_holds(const char *path, const char *text)
{
    CLEANUP(buf_free) struct buf all = BUF((size_t)64 << 20);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count;

    assert_true(fd >= 0);
    do {
        char *room = buf_reserve(&all, 65536);

        assert_non_null(room);
        count = read(fd, room, 65536);
        assert_true(count >= 0);
        all.len += (size_t)count;
    } while (count > 0);
    assert_int_equal(close(fd), 0);
    return slice_find(buf_slice(&all), slice_text(text)) != SIZE_MAX;
}

static void removed_bytes_are_gone_when_nobody_holds_them(void **state)
{
    struct fixture *fixture = *state;
    slice id = SLICE("indicator--00000000-0000-4000-8000-000000000002");
    CLEANUP(buf_free) struct buf text = BUF((size_t)1 << 20);
    struct collection other;
    struct diag diag = {0};
    uint64_t count;
    char path[128];

    path_of(fixture, "segments/000000", path, sizeof(path));
    assert_false(failed(store_collection_add(fixture->store, NULL, SLICE("other"), SLICE(""),
                                             SLICE(""), SLICE("test"), &other, &diag)));
    put_indicators(&text, 0, 5, 0);
    (void)import_ok(fixture, fixture->collection.number, buf_slice(&text));
    (void)import_ok(fixture, other.number, buf_slice(&text));
    assert_false(failed(store_remove(fixture->store, fixture->collection.number, id, NULL,
                                     SLICE("test"), STORE_WAITS, &count, &diag)));
    assert_int_equal(count, 1);
    assert_true(file_holds(path, "host2.example.com"));
    assert_false(failed(store_remove(fixture->store, other.number, id, NULL, SLICE("test"),
                                     STORE_WAITS, &count, &diag)));
    assert_false(file_holds(path, "host2.example.com"));
    assert_true(file_holds(path, "host1.example.com"));
    check_rebuild(fixture);
    assert_false(failed(store_remove(fixture->store, other.number, id, NULL, SLICE("test"),
                                     STORE_WAITS, &count, &diag)));
    assert_int_equal(count, 0);
    /* It may come again. */
    assert_int_equal(import_ok(fixture, other.number, buf_slice(&text)).taken, 1);
    check_rebuild(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_acknowledged_survives_a_kill, setup, teardown),
        cmocka_unit_test_setup_teardown(an_import_fails_whole_wherever_it_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(a_large_import_fails_whole_wherever_it_fails, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_removal_fails_whole_wherever_it_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_nothing_and_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(two_processes_take_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cut_file_is_told_at_the_start, setup, teardown),
        cmocka_unit_test_setup_teardown(a_text_is_in_one_segment, setup, teardown),
        cmocka_unit_test_setup_teardown(a_changed_byte_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(another_format_version_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_of_format_1_gets_its_tree, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_without_a_store_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_without_rights_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_store_opened_to_read_takes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(removed_bytes_are_gone_when_nobody_holds_them, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
