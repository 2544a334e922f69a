#include "store/postings.h"

#include "store/bytes.h"

#include <assert.h>

#include "base/banned.h"

#define VARINT_BYTES_MAX 10
#define KEY_BYTES_MAX (TERM_BYTES_MAX + SEQ_BYTES)

struct block {
    uint64_t first, last;
    bool is_there; /* in the table already */
    size_t bytes;
    uint8_t differences[POSTING_BLOCK_BYTES + VARINT_BYTES_MAX];
};

static size_t key_make(slice term, uint64_t seq, uint8_t out[KEY_BYTES_MAX])
{
    assert(term.len <= TERM_BYTES_MAX);
    memcpy(out, term.at, term.len);
    bytes_put(out + term.len, seq, SEQ_BYTES);
    return term.len + SEQ_BYTES;
}

static bool key_is_of(slice key, slice term)
{
    return key.len == term.len + SEQ_BYTES && slice_starts(key, term);
}

static uint64_t key_first(slice key)
{
    return bytes_get(key.at + key.len - SEQ_BYTES, SEQ_BYTES);
}

static size_t varint_put(uint8_t *at, uint64_t value)
{
    size_t count = 0;

    for (; value >= 0x80; value >>= 7)
        at[count++] = (uint8_t)(value | 0x80);
    at[count++] = (uint8_t)value;
    return count;
}

/* Our own bytes; a broken one ends the walk instead of running past the block. */
static bool varint_get(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    unsigned shift = 0;

    for (*value = 0; *at < end && shift < 63; shift += 7) {
        uint8_t byte = *(*at)++;

        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static void block_load(struct kv_cursor *cursor, struct block *block)
{
    block->is_there = true;
    block->first = block->last = key_first(cursor->key);
    block->bytes = 0;
    if (cursor->value.len <= SEQ_BYTES ||
        cursor->value.len - SEQ_BYTES > sizeof(block->differences))
        return;
    block->last = bytes_get(cursor->value.at, SEQ_BYTES);
    block->bytes = cursor->value.len - SEQ_BYTES;
    memcpy(block->differences, cursor->value.at + SEQ_BYTES, block->bytes);
}

static void block_store(struct kv_cursor *cursor, slice term, const struct block *block,
                        bool is_last)
{
    uint8_t key[KEY_BYTES_MAX], value[SEQ_BYTES + sizeof(block->differences)];
    size_t key_bytes = key_make(term, block->first, key), bytes = 0;

    if (block->bytes > 0) {
        bytes_put(value, block->last, SEQ_BYTES);
        memcpy(value + SEQ_BYTES, block->differences, block->bytes);
        bytes = SEQ_BYTES + block->bytes;
    }
    if (is_last)
        kv_append(cursor->txn, cursor->table, slice_of(key, key_bytes), slice_of(value, bytes));
    else
        kv_cursor_put(cursor, slice_of(key, key_bytes), slice_of(value, bytes));
}

static bool last_block(struct kv_cursor *cursor, slice term)
{
    uint8_t key[KEY_BYTES_MAX];
    size_t key_bytes = key_make(term, UINT64_MAX, key);

    return kv_seek_last_before(cursor, slice_of(key, key_bytes)) && key_is_of(cursor->key, term);
}

void posting_append(struct kv_cursor *cursor, slice term, const uint64_t *seqs, size_t count,
                    bool is_last)
{
    struct block block;
    bool is_open = !is_last && last_block(cursor, term);

    if (is_open)
        block_load(cursor, &block);
    for (size_t i = 0; i < count; i++) {
        if (is_open && block.bytes >= POSTING_BLOCK_BYTES) {
            block_store(cursor, term, &block, is_last);
            is_open = false;
        }
        if (!is_open) {
            block.first = block.last = seqs[i];
            block.bytes = 0;
            is_open = true;
            continue;
        }
        assert(seqs[i] > block.last);
        block.bytes += varint_put(block.differences + block.bytes, seqs[i] - block.last);
        block.last = seqs[i];
    }
    if (is_open)
        block_store(cursor, term, &block, is_last);
}

size_t posting_decode(slice key, slice value, uint64_t *seqs)
{
    uint64_t seq = key_first(key), difference;
    size_t count = 0;

    seqs[count++] = seq;
    if (value.len <= SEQ_BYTES)
        return count;
    const uint8_t *at = (const uint8_t *)value.at + SEQ_BYTES;
    const uint8_t *end = (const uint8_t *)value.at + value.len;
    while (count < POSTING_BLOCK_SEQS_MAX && varint_get(&at, end, &difference))
        seqs[count++] = seq += difference;
    return count;
}

/* Put the block at the cursor again with these seqs alone. */
static bool block_replace(struct kv_cursor *cursor, const uint64_t *seqs, size_t count)
{
    uint8_t term[KV_KEY_BYTES_MAX];
    struct block block = {0};
    size_t term_bytes = cursor->key.len - SEQ_BYTES;
    bool keeps_key = count > 0 && seqs[0] == key_first(cursor->key);

    memcpy(term, cursor->key.at, term_bytes);
    if (!keeps_key)
        kv_cursor_delete(cursor);
    if (count == 0)
        return true;
    block.first = block.last = seqs[0];
    for (size_t i = 1; i < count; i++) {
        block.bytes += varint_put(block.differences + block.bytes, seqs[i] - block.last);
        block.last = seqs[i];
    }
    block_store(cursor, slice_of(term, term_bytes), &block, false);
    return false;
}

void posting_drop(struct kv_txn *txn, kv_table terms, slice term, uint64_t seq)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor = {0};
    uint64_t seqs[POSTING_BLOCK_SEQS_MAX];
    uint8_t key[KEY_BYTES_MAX];
    size_t key_bytes = key_make(term, seq + 1, key), kept = 0;

    kv_cursor_open(txn, terms, &cursor);
    if (!kv_seek_last_before(&cursor, slice_of(key, key_bytes)) || !key_is_of(cursor.key, term))
        return;
    size_t count = posting_decode(cursor.key, cursor.value, seqs);
    for (size_t i = 0; i < count; i++)
        if (seqs[i] != seq)
            seqs[kept++] = seqs[i];
    if (kept < count)
        (void)block_replace(&cursor, seqs, kept);
}

bool posting_cut(struct kv_cursor *cursor, uint64_t end)
{
    uint64_t seqs[POSTING_BLOCK_SEQS_MAX];
    size_t count = posting_decode(cursor->key, cursor->value, seqs), kept = 0;

    while (kept < count && seqs[kept] < end)
        kept++;
    return kept < count ? block_replace(cursor, seqs, kept) : false;
}

static uint64_t walk_block(struct posting_walk *walk)
{
    slice value = walk->cursor.value;

    if (!key_is_of(walk->cursor.key, slice_of(walk->term, walk->term_bytes)))
        return walk->seq = SEQ_NONE;
    walk->seq = walk->last = key_first(walk->cursor.key);
    walk->rest.at = walk->rest.end = NULL;
    if (value.len > SEQ_BYTES) {
        walk->last = bytes_get(value.at, SEQ_BYTES);
        walk->rest.at = (const uint8_t *)value.at + SEQ_BYTES;
        walk->rest.end = (const uint8_t *)value.at + value.len;
    }
    return walk->seq;
}

void posting_open(struct posting_walk *walk, struct kv_txn *txn, kv_table terms, slice term)
{
    assert(term.len <= TERM_BYTES_MAX);
    memcpy(walk->term, term.at, term.len);
    walk->term_bytes = term.len;
    kv_cursor_open(txn, terms, &walk->cursor);
    walk->seq = kv_seek(&walk->cursor, term) ? walk_block(walk) : SEQ_NONE;
}

void posting_close(struct posting_walk *walk)
{
    kv_cursor_close(&walk->cursor);
}

/* To the block that may hold target: the last that begins at or before it, else the one behind. */
static uint64_t walk_jump(struct posting_walk *walk, uint64_t target)
{
    uint8_t key[KEY_BYTES_MAX];
    size_t key_bytes = key_make(slice_of(walk->term, walk->term_bytes), target + 1, key);

    bool is_behind = kv_seek_last_before(&walk->cursor, slice_of(key, key_bytes));
    if (is_behind && walk_block(walk) != SEQ_NONE && walk->last >= target)
        return walk->seq;
    bool there = is_behind ? kv_next(&walk->cursor)
                           : kv_seek(&walk->cursor, slice_of(walk->term, walk->term_bytes));
    return walk->seq = there ? walk_block(walk) : SEQ_NONE;
}

uint64_t posting_seek(struct posting_walk *walk, uint64_t target)
{
    uint64_t difference;

    if (walk->seq >= target && !walk->is_rewound)
        return walk->seq;
    if (target >= (uint64_t)1 << (8 * SEQ_BYTES))
        return walk->seq = SEQ_NONE;
    if (walk->last < target || walk->is_rewound)
        (void)walk_jump(walk, target);
    walk->is_rewound = false;
    while (walk->seq < target) {
        if (!varint_get(&walk->rest.at, walk->rest.end, &difference))
            return walk->seq = SEQ_NONE;
        walk->seq += difference;
    }
    return walk->seq;
}

void posting_rewind(struct posting_walk *walk)
{
    walk->is_rewound = true;
}
