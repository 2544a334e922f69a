/* Membership as runs of neighbours, death as bits in blocks. */
#include "store/bytes.h"
#include "store/inside.h"
#include "store/postings.h"

#include "base/banned.h"

#define RUN_KEY_BYTES (4 + SEQ_BYTES)

static slice run_key(uint32_t collection, uint64_t first, uint8_t out[RUN_KEY_BYTES])
{
    bytes_put(out, collection, 4);
    bytes_put(out + 4, first, SEQ_BYTES);
    return slice_of(out, RUN_KEY_BYTES);
}

/* Reads the run at the cursor; false when it is another collection's. */
static bool run_read(const struct kv_cursor *cursor, uint32_t collection, uint64_t *first,
                     uint64_t *end)
{
    if (cursor->key.len != RUN_KEY_BYTES || bytes_get(cursor->key.at, 4) != collection ||
        cursor->value.len != 8)
        return false;
    *first = bytes_get(cursor->key.at + 4, SEQ_BYTES);
    *end = *first + bytes_get(cursor->value.at, 8);
    return true;
}

void run_add(struct kv_txn *txn, uint32_t collection, uint64_t first, uint64_t count)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor = {0};
    uint8_t key[RUN_KEY_BYTES], value[8];
    uint64_t last_first, last_end;

    if (count == 0)
        return;
    kv_cursor_open(txn, TABLE_RUNS, &cursor);
    if (kv_seek_last_before(&cursor, run_key(collection, first, key)) &&
        run_read(&cursor, collection, &last_first, &last_end) && last_end == first) {
        count += first - last_first;
        first = last_first;
    }
    bytes_put(value, count, sizeof(value));
    kv_cursor_put(&cursor, run_key(collection, first, key), slice_of(value, sizeof(value)));
}

void run_open(struct run_walk *walk, struct store_view *view, uint32_t collection)
{
    *walk =
        (struct run_walk){.txn = &view->txn, .collection = collection, .seq_end = view->seq_end};
    if (collection == 0)
        walk->end = view->seq_end;
    else
        kv_cursor_open(&view->txn, TABLE_RUNS, &walk->cursor);
}

void run_close(struct run_walk *walk)
{
    if (walk->collection != 0)
        kv_cursor_close(&walk->cursor);
}

uint64_t run_seek(struct run_walk *walk, uint64_t target)
{
    uint8_t key[RUN_KEY_BYTES];

    if (target >= walk->seq_end)
        return SEQ_NONE;
    if (target < walk->end)
        return target > walk->first ? target : walk->first;
    if (walk->collection == 0)
        return SEQ_NONE;
    /* The last run that begins at or before target may hold it; else the one behind. */
    bool there = kv_seek_last_before(&walk->cursor, run_key(walk->collection, target + 1, key));
    if (!there || !run_read(&walk->cursor, walk->collection, &walk->first, &walk->end) ||
        walk->end <= target) {
        if (!kv_seek(&walk->cursor, run_key(walk->collection, target, key)) ||
            !run_read(&walk->cursor, walk->collection, &walk->first, &walk->end)) {
            walk->first = walk->end = SEQ_NONE;
            return SEQ_NONE;
        }
    }
    return target > walk->first ? target : walk->first;
}

void count_add(struct kv_txn *txn, uint32_t collection, int64_t change)
{
    uint8_t key[4], value[8];
    slice held;
    uint64_t count = 0;

    bytes_put(key, collection, sizeof(key));
    if (kv_get(txn, TABLE_COUNTS, slice_of(key, sizeof(key)), &held) && held.len == sizeof(value))
        count = bytes_get(held.at, sizeof(value));
    count += (uint64_t)change;
    bytes_put(value, count, sizeof(value));
    if (count == 0)
        (void)kv_delete(txn, TABLE_COUNTS, slice_of(key, sizeof(key)));
    else
        kv_put(txn, TABLE_COUNTS, slice_of(key, sizeof(key)), slice_of(value, sizeof(value)));
}

uint64_t store_collection_count(struct store_view *view, uint32_t collection)
{
    uint8_t key[4];
    slice held;

    bytes_put(key, collection, sizeof(key));
    if (!kv_get(&view->txn, TABLE_COUNTS, slice_of(key, sizeof(key)), &held) || held.len != 8)
        return 0;
    return bytes_get(held.at, 8);
}

/* ---- the dead ---- */

static bool dead_load(struct kv_txn *txn, uint64_t block, uint8_t bits[2 * DEAD_BLOCK_BYTES])
{
    uint8_t key[8];
    slice held;

    bytes_put(key, block, sizeof(key));
    bool there = kv_get(txn, TABLE_DEAD, slice_of(key, sizeof(key)), &held) &&
                 held.len == 2 * DEAD_BLOCK_BYTES;
    if (there)
        memcpy(bits, held.at, held.len);
    else
        memset(bits, 0, 2 * DEAD_BLOCK_BYTES);
    return there;
}

/* A block without any dead has no entry: so that equal states are equal tables. */
static void dead_store(struct kv_txn *txn, uint64_t block, const uint8_t *bits)
{
    static const uint8_t none[2 * DEAD_BLOCK_BYTES];
    uint8_t key[8];

    bytes_put(key, block, sizeof(key));
    if (memcmp(bits, none, sizeof(none)) == 0)
        (void)kv_delete(txn, TABLE_DEAD, slice_of(key, sizeof(key)));
    else
        kv_put(txn, TABLE_DEAD, slice_of(key, sizeof(key)), slice_of(bits, sizeof(none)));
}

void dead_set(struct kv_txn *txn, enum dead_kind kind, const uint64_t *seqs, size_t count,
              bool value)
{
    uint8_t bits[2 * DEAD_BLOCK_BYTES];

    for (size_t i = 0; i < count;) {
        uint64_t block = seqs[i] / DEAD_BLOCK_SEQS;

        (void)dead_load(txn, block, bits);
        for (; i < count && seqs[i] / DEAD_BLOCK_SEQS == block; i++) {
            unsigned bit = (unsigned)(seqs[i] % DEAD_BLOCK_SEQS);
            uint8_t *byte = &bits[kind * DEAD_BLOCK_BYTES + bit / 8];

            *byte = (uint8_t)(value ? *byte | 1u << bit % 8 : *byte & ~(1u << bit % 8));
        }
        dead_store(txn, block, bits);
    }
}

static void dead_cache_fill(struct dead_cache *cache, struct kv_txn *txn, uint64_t seq)
{
    uint64_t block = seq / DEAD_BLOCK_SEQS;
    uint8_t key[8];
    slice held;

    if (cache->block == block + 1)
        return;
    bytes_put(key, block, sizeof(key));
    cache->block = block + 1;
    cache->bits = NULL;
    if (kv_get(txn, TABLE_DEAD, slice_of(key, sizeof(key)), &held) &&
        held.len == 2 * DEAD_BLOCK_BYTES)
        cache->bits = (const uint8_t *)held.at;
}

bool dead_cached(struct dead_cache *cache, struct kv_txn *txn, enum dead_kind kind, uint64_t seq)
{
    unsigned bit = (unsigned)(seq % DEAD_BLOCK_SEQS);

    dead_cache_fill(cache, txn, seq);
    return cache->bits != NULL &&
           (cache->bits[kind * DEAD_BLOCK_BYTES + bit / 8] >> bit % 8 & 1) != 0;
}

bool dead_clean(struct dead_cache *cache, struct kv_txn *txn, uint64_t seq)
{
    dead_cache_fill(cache, txn, seq);
    return cache->bits == NULL;
}

bool dead_is(struct kv_txn *txn, enum dead_kind kind, uint64_t seq)
{
    struct dead_cache cache = {0};

    return dead_cached(&cache, txn, kind, seq);
}
