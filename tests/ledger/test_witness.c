#include "ledger/witness.h"

#include "fixture.h"

#include "base/encode.h"
#include "base/fault.h"
#include "ledger/cosign.h"

#include "base/banned.h"

#define LEAVES 40

/* A log elsewhere, with as many histories as a test likes: leaves are numbers, from `fork` on
 * others.
 */
struct other_log {
    struct note_signer key;
    struct hash256 leaves[LEAVES];
};

static void other_init(struct other_log *other, size_t fork)
{
    const uint8_t seed[ED25519_SEED_BYTES] = {9};

    note_signer_init(SLICE("other.example/log"), NOTE_ED25519, seed, &other->key);
    for (size_t i = 0; i < LEAVES; i++) {
        const uint8_t bytes[2] = {(uint8_t)i, i >= fork ? 1 : 0};

        other->leaves[i] = tree_leaf(slice_of(bytes, sizeof(bytes)));
    }
}

/* The tree of RFC 6962 over a range, by its definition with a stack of whole subtrees. */
static struct hash256 range_hash(const struct other_log *other, size_t first, size_t end)
{
    struct hash256 row[LEAVES];
    size_t count = end - first;

    memcpy(row, other->leaves + first, count * sizeof(row[0]));
    while (count > 1) {
        size_t next = 0;

        for (size_t i = 0; i < count; i += 2)
            row[next++] = i + 1 < count ? tree_join(&row[i], &row[i + 1]) : row[i];
        count = next;
    }
    return row[0];
}

static void proof_make(const struct other_log *other, size_t old, size_t size,
                       struct tree_proof *proof)
{
    struct hash256 down[TREE_PROOF_HASHES_MAX];
    size_t low = 0, high = size, count = 0;

    proof->count = 0;
    if (old == 0 || old >= size)
        return;
    while (high != old) {
        size_t half = 1;

        while (2 * half < high - low)
            half *= 2;
        if (old <= low + half) {
            down[count++] = range_hash(other, low + half, high);
            high = low + half;
        } else {
            down[count++] = range_hash(other, low, low + half);
            low += half;
        }
    }
    if (low > 0)
        down[count++] = range_hash(other, low, high);
    while (count > 0)
        proof->hashes[proof->count++] = down[--count];
}

static void request_make(const struct other_log *other, size_t old, size_t size, struct buf *out)
{
    CLEANUP(buf_free) struct buf note = BUF(NOTE_BYTES_MAX);
    struct checkpoint head = {slice_text(other->key.verifier.name), size, {{0}}};
    struct tree_proof proof;

    head.root = range_hash(other, 0, size);
    checkpoint_write(&head, &note);
    size_t text = note.len;
    buf_byte(&note, '\n');
    note_sign(slice_head(buf_slice(&note), text), &other->key, 0, &note);
    proof_make(other, old, size, &proof);
    buf_reset(out);
    consistency_write(old, &proof, buf_slice(&note), out);
}

static int asked(struct fixture *f, const struct other_log *other, size_t old, size_t size,
                 struct buf *body, bool *is_size)
{
    CLEANUP(buf_free) struct buf request = BUF((size_t)1 << 17);
    struct witness_answer answer = {.body = body};

    request_make(other, old, size, &request);
    buf_reset(body);
    MUST(witness_add_checkpoint(&f->ledger, buf_slice(&request), &answer, &f->diag));
    *is_size = answer.is_size;
    return answer.status;
}

static void witness_other(struct fixture *f, const struct other_log *other)
{
    CLEANUP(buf_free) struct buf vkey = BUF(NOTE_KEY_TEXT_BYTES_MAX);

    note_verifier_write(&other->key.verifier, &vkey);
    MUST(witness_add(&f->ledger, buf_slice(&vkey), SLICE("cli"), &f->diag));
}

static uint64_t evidence_count(struct fixture *f)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    static struct evidence evidence;
    uint64_t count = 0;

    kv_begin_read(f->kv, &txn, &f->diag);
    while (evidence_at(&txn, LOG, count, &evidence))
        count++;
    return count;
}

static void each_answer_is_that_of_the_specification(void **state)
{
    static const struct {
        const char *name;
        size_t fork, old, size;
        int status;
        bool is_size;
        uint64_t evidence; /* kept by now */
    } steps[] = {
        {"the first", LEAVES, 0, 5, 200, false, 0},
        {"again", LEAVES, 5, 5, 200, false, 0},
        {"it grows", LEAVES, 5, 12, 200, false, 0},
        {"from a size of before", LEAVES, 5, 13, 409, true, 0},
        {"from nothing", LEAVES, 0, 20, 409, true, 0},
        {"an older head", LEAVES, 5, 5, 409, true, 0},
        {"backwards", LEAVES, 12, 5, 400, false, 0},
        {"one size, another root", 3, 12, 12, 409, false, 1},
        {"the same again tells nothing new", 3, 12, 12, 409, false, 1},
        {"another root, whatever old size", 4, 0, 12, 409, false, 2},
        {"grown from another history", 3, 12, 20, 422, false, 3},
        {"a fork behind what was seen is no fork yet", 15, 12, 20, 200, false, 3},
        {"now it is", LEAVES, 20, 20, 409, false, 4},
    };
    struct fixture *f = *state;
    CLEANUP(buf_free) struct buf body = BUF(NOTE_BYTES_MAX);
    static struct other_log other;
    bool is_size;

    other_init(&other, LEAVES);
    assert_int_equal(asked(f, &other, 0, 5, &body, &is_size), 404);
    witness_other(f, &other);
    CHECK_ROWS(row, steps) {
        other_init(&other, row->fork);
        assert_int_equal(asked(f, &other, row->old, row->size, &body, &is_size), row->status);
        assert_int_equal(is_size, row->is_size);
        assert_int_equal(evidence_count(f), row->evidence);
        if (row->status == 200)
            assert_true(
                slice_starts(buf_slice(&body), SLICE("\xe2\x80\x94 log.example/one/witness ")));
    }
    const uint8_t seed[ED25519_SEED_BYTES] = {8};
    note_signer_init(SLICE("other.example/log"), NOTE_ED25519, seed, &other.key);
    assert_int_equal(asked(f, &other, 20, 21, &body, &is_size), 403);
}

static void what_was_cosigned_outlives_a_restart_and_a_rebuild(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_free) struct buf body = BUF(NOTE_BYTES_MAX);
    static struct other_log other;
    struct witnessed witnessed;
    struct kv_txn txn;
    bool is_size;

    other_init(&other, LEAVES);
    witness_other(f, &other);
    assert_int_equal(asked(f, &other, 0, 7, &body, &is_size), 200);
    fixture_close(f);
    fixture_open(f);
    kv_begin_write(f->kv, &txn, &f->diag);
    ledger_clear_derived(&txn, LOG);
    slice text;
    for (uint64_t number = 0; ledger_read(&txn, LOG, number, &text); number++) {
        assert_true(ledger_apply(&txn, LOG, SLICE("witness.add"), number, text));
    }
    assert_true(witness_find(&txn, LOG, SLICE("other.example/log"), &witnessed));
    assert_int_equal(witnessed.size, 7);
    kv_abort(&txn);
    assert_int_equal(asked(f, &other, 0, 9, &body, &is_size), 409);
    MUST(witness_remove(&f->ledger, SLICE("other.example/log"), SLICE("cli"), &f->diag));
    assert_int_equal(asked(f, &other, 7, 9, &body, &is_size), 404);
    refused(f, witness_remove(&f->ledger, SLICE("x"), SLICE("cli"), &f->diag), ERR_MISSING,
            "not witnessed");
}

static void origins_are_added_once(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_free) struct buf vkey = BUF(NOTE_KEY_TEXT_BYTES_MAX);
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    static struct other_log other;

    other_init(&other, LEAVES);
    witness_other(f, &other);
    witness_other(f, &other);
    const uint8_t seed[ED25519_SEED_BYTES] = {8};
    note_signer_init(SLICE("other.example/log"), NOTE_ED25519, seed, &other.key);
    note_verifier_write(&other.key.verifier, &vkey);
    refused(f, witness_add(&f->ledger, buf_slice(&vkey), SLICE("cli"), &f->diag), ERR_CONFLICT,
            "under another key");
    buf_reset(&vkey);
    note_verifier_write(&f->ledger.witness_key.verifier, &vkey);
    refused(f, witness_add(&f->ledger, buf_slice(&vkey), SLICE("cli"), &f->diag), ERR_INVALID,
            "no key of a log");
    kv_begin_read(f->kv, &txn, &f->diag);
    assert_int_equal(ledger_count(&txn, LOG), 1);
}

static const struct {
    const char *name;
    slice setting;
    size_t count;
    const char *words; /* NULL: good */
} settings[] = {
    {"none", S(""), 0, NULL},
    {"one", S("w.example+00000000+x https://w.example"), 0, "is no key"},
    {"no URL", S("w.example"), 0, "takes VKEY URL"},
};

static void the_setting_of_witnesses_is_read_whole(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_free) struct buf text = BUF(4096);
    static struct cosigners cosigners;

    CHECK_ROWS(row, settings) {
        struct diag diag = {0};
        result r = cosigners_parse(row->setting, &cosigners, &diag);

        assert_true(failed(r) == (row->words != NULL));
        assert_true(row->words == NULL || strstr(diag.text, row->words) != NULL);
        assert_true(failed(r) || cosigners.count == row->count);
    }
    note_verifier_write(&f->ledger.witness_key.verifier, &text);
    buf_put(&text, SLICE(" https://w.example/witness/ "));
    for (int i = 0; i < 64; i++)
        buf_byte(&text, 'a');
    buf_put(&text, SLICE(" ; "));
    MUST(cosigners_parse(buf_slice(&text), &cosigners, &f->diag));
    assert_int_equal(cosigners.count, 1);
    assert_string_equal(cosigners.at[0].url, "https://w.example/witness");
    assert_int_equal(strlen(cosigners.at[0].pin), 64);
    buf_reset(&text);
    note_verifier_write(&f->ledger.log_key.verifier, &text);
    buf_put(&text, SLICE(" https://w.example"));
    refused(f, cosigners_parse(buf_slice(&text), &cosigners, &f->diag), ERR_INVALID,
            "no key that cosigns");
}

#ifdef ENTENTE_FAULTS
static void every_failure_has_words_and_cosigns_nothing_twice(void **state)
{
    struct fixture *f = *state;
    static struct other_log honest, forked;
    unsigned long nth = 0;
    bool fired;
    result r;

    other_init(&honest, LEAVES);
    other_init(&forked, 3);
    witness_other(f, &honest);
    do {
        CLEANUP(buf_free) struct buf body = BUF(NOTE_BYTES_MAX), request = BUF((size_t)1 << 17);
        struct witness_answer answer = {.body = &body};
        struct diag diag = {0};

        request_make(&honest, 0, 6, &request);
        fault_arm(++nth);
        r = witness_add_checkpoint(&f->ledger, buf_slice(&request), &answer, &diag);
        if (succeeded(r)) {
            request_make(&forked, 6, 6, &request);
            r = witness_add_checkpoint(&f->ledger, buf_slice(&request), &answer, &diag);
        }
        fired = fault_fired();
        fault_arm(0);
        assert_true(failed(r) == (diag.text[0] != '\0'));
        assert_true(!failed(r) || fired);
    } while (fired);
    assert_int_equal(evidence_count(f), 1);
}
#endif

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(each_answer_is_that_of_the_specification),
        CASE(what_was_cosigned_outlives_a_restart_and_a_rebuild),
        CASE(origins_are_added_once),
        CASE(the_setting_of_witnesses_is_read_whole),
#ifdef ENTENTE_FAULTS
        CASE(every_failure_has_words_and_cosigns_nothing_twice),
#endif
    };

    return cmocka_run_group_tests_name("witness", tests, NULL, NULL);
}
