#include "fixture.h"

#include "store/gather.h"
#include "store/merkle.h"
#include "store/sort.h"

#include "base/banned.h"

#define SEQS 20000

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 20;
}

/* ---- postings against a plain list ---- */

static size_t list_make(uint64_t *seed, uint64_t *seqs)
{
    uint64_t seq = 0;
    size_t count = 1 + next_random(seed) % SEQS;

    for (size_t i = 0; i < count; i++)
        seqs[i] = seq += 1 + next_random(seed) % (next_random(seed) % 50 == 0 ? 1000000 : 3);
    return count;
}

static void check_walk(struct kv_txn *txn, slice term, const uint64_t *seqs, size_t count,
                       uint64_t *seed)
{
    struct posting_walk walk;
    uint64_t target = 0;
    size_t at = 0;

    posting_open(&walk, txn, TABLE_TERMS, term);
    while (true) {
        while (at < count && seqs[at] < target)
            at++;
        uint64_t found = posting_seek(&walk, target);
        assert_int_equal(found, at < count ? seqs[at] : SEQ_NONE);
        if (found == SEQ_NONE)
            break;
        target = found + 1 + (next_random(seed) % 4 == 0 ? next_random(seed) % 100000 : 0);
    }
    posting_rewind(&walk);
    assert_int_equal(posting_seek(&walk, 0), count > 0 ? seqs[0] : SEQ_NONE);
    posting_close(&walk);
}

static void postings_hold_what_a_list_holds(void **state)
{
    static uint64_t seqs[SEQS];
    struct fixture fixture;
    uint64_t seed = 7;

    (void)state;
    fixture_make(&fixture);
    for (unsigned round = 0; round < 12; round++) {
        CLEANUP(kv_abort) struct kv_txn txn = {0};
        struct kv_cursor cursor;
        size_t count = list_make(&seed, seqs), done = 0, kept = 0;
        slice term = SLICE("\x07term1"), beside = SLICE("\x07term0"), behind = SLICE("\x07term2");

        kv_begin_write(store_kv(fixture.store), &txn, NULL);
        kv_clear(&txn, TABLE_TERMS);
        kv_cursor_open(&txn, TABLE_TERMS, &cursor);
        posting_append(&cursor, beside, (uint64_t[]){1, 2, 3}, 3, round % 3 == 0);
        posting_append(&cursor, behind, (uint64_t[]){4, 5}, 2, round % 3 == 0);
        /* In pieces of any size: where blocks end must not matter. */
        while (done < count) {
            size_t some = 1 + next_random(&seed) % (round % 2 ? 7 : 5000);

            some = some < count - done ? some : count - done;
            posting_append(&cursor, term, seqs + done, some, false);
            done += some;
        }
        kv_cursor_close(&cursor);
        check_walk(&txn, term, seqs, count, &seed);
        for (size_t i = 0; i < count; i++)
            if (next_random(&seed) % 10 == 0)
                posting_drop(&txn, TABLE_TERMS, term, seqs[i]);
            else
                seqs[kept++] = seqs[i];
        posting_drop(&txn, TABLE_TERMS, term, 999999999999u); /* never there */
        check_walk(&txn, term, seqs, kept, &seed);
        check_walk(&txn, beside, (uint64_t[]){1, 2, 3}, 3, &seed);
        check_walk(&txn, SLICE("\x07term9"), NULL, 0, &seed);
        assert_false(failed(txn.state));
    }
    fixture_remove(&fixture);
}

/* ---- sorting ---- */

static int compare_low(uint32_t a, uint32_t b, const void *context)
{
    const uint64_t *values = context;

    return (values[a] > values[b]) - (values[a] < values[b]);
}

static void items_are_sorted_by_prefix_then_comparison(void **state)
{
    static struct sort_item items[5000], scratch[5000];
    static uint64_t values[5000];
    static const size_t counts[] = {0, 1, 2, 63, 64, 65, 5000};
    uint64_t seed = 3;

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        for (size_t j = 0; j < counts[i]; j++) {
            values[j] = next_random(&seed);
            items[j] = (struct sort_item){values[j] % 40 << (values[j] % 3 * 24), (uint32_t)j};
        }
        sort_items(items, scratch, counts[i], compare_low, values);
        for (size_t j = 1; j < counts[i]; j++) {
            assert_true(items[j - 1].prefix <= items[j].prefix);
            if (items[j - 1].prefix == items[j].prefix)
                assert_true(values[items[j - 1].index] <= values[items[j].index]);
        }
        sort_items(items, scratch, counts[i], NULL, NULL);
        for (size_t j = 1; j < counts[i]; j++)
            assert_true(items[j - 1].prefix <= items[j].prefix);
    }
}

/* ---- records ---- */

static void a_record_reads_back_and_a_changed_one_does_not(void **state)
{
    struct record record = {
        .text_at = 0x123456789abcdef0,
        .text_bytes = 0xfedcba98,
        .text_check = 7,
        .version = {.us = -62135596800000000, .rest = 999999, .fraction = 12},
        .has_version = true,
        .spec = STIX_21,
        .type = 65535,
        .collection = 0x01020304,
    };
    uint8_t bytes[RECORD_BYTES];
    struct record back;

    (void)state;
    memset(record.uuid.bytes, 0xab, sizeof(record.uuid.bytes));
    memset(record.hash.bytes, 0xcd, sizeof(record.hash.bytes));
    record_encode(&record, bytes);
    assert_true(record_decode(bytes, &back));
    assert_int_equal(back.text_at, record.text_at);
    assert_int_equal(back.text_bytes, record.text_bytes);
    assert_int_equal(record_text_at(bytes), record.text_at);
    assert_int_equal(record_text_bytes(bytes), record.text_bytes);
    assert_int_equal(back.text_check, record.text_check);
    assert_int_equal(timestamp_cmp(&back.version, &record.version), 0);
    assert_int_equal(back.version.fraction, 12);
    assert_true(back.has_version);
    assert_int_equal(back.spec, STIX_21);
    assert_int_equal(back.type, 65535);
    assert_int_equal(back.collection, record.collection);
    assert_true(uuid_eq(&back.uuid, &record.uuid));
    assert_true(hash256_eq(&back.hash, &record.hash));
    for (size_t i = 0; i < RECORD_BYTES; i++) {
        bytes[i] ^= 1;
        assert_false(record_decode(bytes, &back));
        bytes[i] ^= 1;
    }
}

/* ---- Merkle roots ---- */

/* RFC 6962, 2.1, by its definition: split at the largest power of two below n. */
static struct hash256 root_of(const struct hash256 *leaves, size_t count)
{
    struct hash256 level[64];
    size_t width = count;

    /* Pairwise upward is the same tree: a lone last node rises. */
    memcpy(level, leaves, count * sizeof(*leaves));
    while (width > 1) {
        size_t next = 0;

        for (size_t i = 0; i < width; i += 2) {
            if (i + 1 == width) {
                level[next++] = level[i];
                continue;
            }
            uint8_t bytes[65] = {1};
            memcpy(bytes + 1, level[i].bytes, 32);
            memcpy(bytes + 33, level[i + 1].bytes, 32);
            level[next++] = sha256(slice_of(bytes, sizeof(bytes)));
        }
        width = next;
    }
    return level[0];
}

static void roots_are_those_of_rfc_6962(void **state)
{
    struct merkle merkle = {0};
    struct hash256 leaves[64], root = merkle_root(&merkle), wanted = sha256(SLICE(""));

    (void)state;
    assert_true(hash256_eq(&root, &wanted));
    for (size_t i = 0; i < 64; i++) {
        uint8_t leaf[2] = {0, (uint8_t)i};

        leaves[i] = sha256(slice_of(leaf, sizeof(leaf)));
        merkle_add(&merkle, &leaves[i]);
        root = merkle_root(&merkle);
        wanted = root_of(leaves, i + 1);
        assert_true(hash256_eq(&root, &wanted));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(postings_hold_what_a_list_holds),
        cmocka_unit_test(items_are_sorted_by_prefix_then_comparison),
        cmocka_unit_test(a_record_reads_back_and_a_changed_one_does_not),
        cmocka_unit_test(roots_are_those_of_rfc_6962),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
