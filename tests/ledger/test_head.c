#include "ledger/head.h"

#include "fixture.h"

#include "base/fault.h"
#include "ledger/proof.h"
#include "ledger/witness.h"

#include "base/banned.h"

static void a_head_is_signed_once_for_each_size(void **state)
{
    struct fixture *f = *state;
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    bool is_new;
    slice note;

    append_some(f, 3);
    MUST(ledger_head_sign(&f->ledger, &is_new, &f->diag));
    assert_true(is_new);
    MUST(ledger_head_sign(&f->ledger, &is_new, &f->diag));
    assert_false(is_new);
    append_some(f, 2);
    MUST(ledger_head_sign(&f->ledger, &is_new, &f->diag));
    MUST(ledger_check(&f->ledger, &f->diag));
    kv_begin_read(f->kv, &txn, &f->diag);
    assert_true(ledger_head_at(&txn, LOG, 3, &note) && ledger_head_at(&txn, LOG, 5, &note));
    assert_false(ledger_head_at(&txn, LOG, 4, &note));
    assert_true(ledger_head_next(&txn, LOG, 4, &note) && slice_find(note, SLICE("\n5\n")) < 99);
    assert_false(ledger_head_next(&txn, LOG, 6, &note));
}

static void keys_stay(void **state)
{
    struct fixture *f = *state;
    struct note_verifier before = f->ledger.log_key.verifier;
    char path[128];
    struct stat about;

    assert_string_equal(before.name, "log.example/one");
    assert_string_equal(f->ledger.witness_key.verifier.name, "log.example/one/witness");
    fixture_close(f);
    fixture_open(f);
    assert_memory_equal(before.key, f->ledger.log_key.verifier.key, sizeof(before.key));
    (void)snprintf(path, sizeof(path), "%s/keys/log.key", f->folder);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

/* An entry, its leaf or a node is altered under a signed head. */
static void what_was_signed_binds(void **state)
{
    static const struct {
        const char *name;
        kv_table table;
        slice key;
        bool is_cut;
    } rows[] = {
        {"the last entry altered", LOG, S("\0\0\0\0\0\0\0\6"), false},
        {"the last entry gone", LOG, S("\0\0\0\0\0\0\0\6"), true},
        {"a row of the tree altered", LOG + 1, S("\0\0\0\0\0\0\0\3"), false},
        {"a row of the tree gone", LOG + 1, S("\0\0\0\0\0\0\0\6"), true},
    };
    struct fixture *f = *state;
    bool is_new;

    append_some(f, 7);
    MUST(ledger_head_sign(&f->ledger, &is_new, &f->diag));
    CHECK_ROWS(row, rows) {
        CLEANUP(buf_free) struct buf value = BUF(1 << 16);
        struct kv_txn txn;
        slice kept;

        kv_begin_write(f->kv, &txn, &f->diag);
        assert_true(kv_get(&txn, row->table, row->key, &kept));
        buf_put(&value, kept);
        if (row->is_cut) {
            assert_true(kv_delete(&txn, row->table, row->key));
        } else {
            value.at[value.len - 1] ^= 1;
            kv_put(&txn, row->table, row->key, buf_slice(&value));
            value.at[value.len - 1] ^= 1;
        }
        MUST(kv_commit(&txn));
        diag_reset(&f->diag);
        assert_int_equal(ledger_check(&f->ledger, &f->diag).code, ERR_CORRUPT);
        assert_true(f->diag.text[0] != '\0');
        kv_begin_write(f->kv, &txn, &f->diag);
        kv_put(&txn, row->table, row->key, buf_slice(&value));
        MUST(kv_commit(&txn));
        MUST(ledger_check(&f->ledger, &f->diag));
    }
}

static void entries_are_found_by_their_date(void **state)
{
    struct fixture *f = *state;
    CLEANUP(kv_abort) struct kv_txn txn = {0};

    append_some(f, 5); /* a microsecond each from NOW_US on */
    f->now_us += 1000;
    append_some(f, 2);
    kv_begin_read(f->kv, &txn, &f->diag);
    for (int64_t i = 0; i < 5; i++)
        assert_int_equal(ledger_seek(&txn, LOG, NOW_US + i), i);
    assert_int_equal(ledger_seek(&txn, LOG, NOW_US - 1), 0);
    assert_int_equal(ledger_seek(&txn, LOG, NOW_US + 5), 5);
    assert_int_equal(ledger_seek(&txn, LOG, NOW_US + 1001), 6);
    assert_int_equal(ledger_seek(&txn, LOG, NOW_US + 1002), 7);
}

static void a_log_without_its_tree_gets_the_same_one(void **state)
{
    struct fixture *f = *state;
    struct hash256 before, after;
    struct kv_txn txn;

    append_some(f, 100);
    kv_begin_write(f->kv, &txn, &f->diag);
    before = tree_root(&txn, LOG + 1, 100);
    kv_clear(&txn, LOG + 1);
    MUST(kv_commit(&txn));
    MUST(ledger_tree_complete(f->kv, LOG, &f->diag));
    kv_begin_read(f->kv, &txn, &f->diag);
    after = tree_root(&txn, LOG + 1, 100);
    kv_abort(&txn);
    assert_true(hash256_eq(&before, &after));
    kv_begin_write(f->kv, &txn, &f->diag);
    assert_true(kv_delete(&txn, LOG, SLICE("\0\0\0\0\0\0\0\x63")));
    MUST(kv_commit(&txn));
    refused(f, ledger_tree_complete(f->kv, LOG, &f->diag), ERR_CORRUPT, "entries were taken out");
}

static void what_is_posted_is_read_as_it_was_written(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_free) struct buf body = BUF((size_t)1 << 17);
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    static struct consistency parsed;
    static char head[NOTE_BYTES_MAX];
    struct tree_proof proof;
    size_t bytes;

    append_some(f, 11);
    struct checkpoint checkpoint = head_sign(f, head, &bytes);
    kv_begin_read(f->kv, &txn, &f->diag);
    tree_consistency(&txn, LOG + 1, 6, checkpoint.size, &proof);
    consistency_write(6, &proof, slice_of(head, bytes), &body);
    MUST(consistency_parse(buf_slice(&body), &parsed, &f->diag));
    assert_int_equal(parsed.old_size, 6);
    assert_int_equal(parsed.proof.count, proof.count);
    assert_memory_equal(parsed.proof.hashes, proof.hashes, proof.count * sizeof(proof.hashes[0]));
    assert_int_equal(parsed.checkpoint.size, 11);
    for (size_t cut = 0; cut + 1 < body.len; cut++)
        assert_false(
            succeeded(consistency_parse(slice_head(buf_slice(&body), cut), &parsed, NULL)) &&
            note_verify(&parsed.note, &f->ledger.log_key.verifier, NULL) == NOTE_HOLDS &&
            parsed.proof.count == proof.count && parsed.note.all.len == bytes);
}

#ifdef ENTENTE_FAULTS
static void every_failure_has_words_and_signs_nothing_false(void **state)
{
    struct fixture *f = *state;
    unsigned long nth = 0;
    bool fired;
    result r;

    do {
        struct diag diag = {0};
        bool is_new;

        append_some(f, 1);
        fault_arm(++nth);
        r = ledger_head_sign(&f->ledger, &is_new, &diag);
        fired = fault_fired();
        fault_arm(0);
        assert_true(failed(r) == fired);
        assert_true(failed(r) == (diag.text[0] != '\0'));
        MUST(ledger_check(&f->ledger, &f->diag));
    } while (fired);
    assert_true(nth > 3);
}
#endif

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_head_is_signed_once_for_each_size),
        CASE(keys_stay),
        CASE(what_was_signed_binds),
        CASE(entries_are_found_by_their_date),
        CASE(a_log_without_its_tree_gets_the_same_one),
        CASE(what_is_posted_is_read_as_it_was_written),
#ifdef ENTENTE_FAULTS
        CASE(every_failure_has_words_and_signs_nothing_false),
#endif
    };

    return cmocka_run_group_tests_name("head", tests, NULL, NULL);
}
