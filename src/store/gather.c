#include "store/gather.h"

#include "base/arena.h"
#include "store/bytes.h"
#include "store/hash.h"
#include "store/ids.h"
#include "store/sort.h"

#include <assert.h>

#include "base/fault.h"

#include "base/banned.h"

#define KEYS_BYTES_MAX ((size_t)192 << 20)
#define CHUNKS_MAX ((size_t)8 << 20)
#define SLOTS_MIN 1024
#define FLUSH_AHEAD 8 /* items whose memory is asked for before their turn */

void gather_init(struct gather *gather, uint64_t first_seq, uint64_t seed)
{
    *gather = (struct gather){.first_seq = first_seq, .seed = seed, .keys = BUF(KEYS_BYTES_MAX)};
}

void gather_free(struct gather *gather)
{
    table_free(gather->ids);
    table_free(gather->id_slots);
    table_free(gather->terms);
    table_free(gather->term_slots);
    table_free(gather->chunks);
    buf_free(&gather->keys);
    *gather = (struct gather){0};
}

size_t gather_bytes(const struct gather *gather)
{
    return gather->id_count * (sizeof(*gather->ids) + 2 * sizeof(struct sort_item)) +
           gather->term_count * (sizeof(*gather->terms) + 2 * sizeof(struct sort_item)) +
           (gather->id_slot_count + gather->term_slot_count) * sizeof(uint32_t) +
           gather->chunk_count * sizeof(*gather->chunks) + gather->keys.len;
}

size_t gather_puts(const struct gather *gather)
{
    return 2 * gather->id_count + gather->term_count;
}

/* Room for `need` elements in the table whose pointer stands at `place`. */
static bool grow(struct gather *gather, void *place, size_t *capacity, size_t need, size_t ceiling,
                 size_t bytes)
{
    void *table;

    if (need <= *capacity)
        return true;
    memcpy(&table, place, sizeof(table));
    table = FAULT_HERE() ? NULL : table_grow(table, capacity, need, ceiling, bytes);
    if (table == NULL) {
        gather->out_of_memory = true;
        return false;
    }
    memcpy(place, &table, sizeof(table));
    return true;
}

#define GROW(gather, field, capacity, need, ceiling)                                               \
    grow(gather, &(gather)->field, &(gather)->capacity, need, ceiling, sizeof(*(gather)->field))

static uint64_t id_hash(const struct gather *gather, const struct uuid *uuid)
{
    return store_hash64(slice_of(uuid->bytes, sizeof(uuid->bytes)), gather->seed);
}

static uint32_t *id_slot(const struct gather *gather, const struct uuid *uuid, uint16_t type)
{
    size_t mask = gather->id_slot_count - 1;
    size_t at = id_hash(gather, uuid) & mask;

    for (;; at = (at + 1) & mask) {
        uint32_t *slot = &gather->id_slots[at];

        if (*slot == 0 ||
            (gather->ids[*slot - 1].type == type && uuid_eq(&gather->ids[*slot - 1].uuid, uuid)))
            return slot;
    }
}

static uint32_t *term_slot(const struct gather *gather, uint64_t hash, slice term)
{
    size_t mask = gather->term_slot_count - 1;

    for (size_t at = hash & mask;; at = (at + 1) & mask) {
        uint32_t *slot = &gather->term_slots[at];
        const struct gather_term *here = *slot == 0 ? NULL : &gather->terms[*slot - 1];

        if (here == NULL || (here->hash == hash && here->key_bytes == term.len &&
                             memcmp(gather->keys.at + here->key_at, term.at, term.len) == 0))
            return slot;
    }
}

/* Slots are at least twice the entries, a power of two. */
static bool id_slots_grow(struct gather *gather)
{
    size_t count = gather->id_slot_count == 0 ? SLOTS_MIN : gather->id_slot_count;

    while (count < 2 * (gather->id_count + 1))
        count *= 2;
    if (count == gather->id_slot_count)
        return true;
    if (!GROW(gather, id_slots, id_slot_capacity, count, 4 * GATHER_IDS_MAX))
        return false;
    memset(gather->id_slots, 0, count * sizeof(*gather->id_slots));
    gather->id_slot_count = count;
    for (size_t i = 0; i < gather->id_count; i++)
        *id_slot(gather, &gather->ids[i].uuid, gather->ids[i].type) = (uint32_t)i + 1;
    return true;
}

static bool term_slots_grow(struct gather *gather)
{
    size_t count = gather->term_slot_count == 0 ? SLOTS_MIN : gather->term_slot_count;

    while (count < 2 * (gather->term_count + 1))
        count *= 2;
    if (count == gather->term_slot_count)
        return true;
    if (!GROW(gather, term_slots, term_slot_capacity, count, 4 * GATHER_TERMS_MAX))
        return false;
    memset(gather->term_slots, 0, count * sizeof(*gather->term_slots));
    gather->term_slot_count = count;
    for (size_t i = 0; i < gather->term_count; i++) {
        size_t at = gather->terms[i].hash & (count - 1);

        while (gather->term_slots[at] != 0)
            at = (at + 1) & (count - 1);
        gather->term_slots[at] = (uint32_t)i + 1;
    }
    return true;
}

void gather_add(struct gather *gather, const struct record *record)
{
    if (gather->out_of_memory || !id_slots_grow(gather) ||
        !GROW(gather, ids, id_capacity, gather->id_count + 1, GATHER_IDS_MAX))
        return;
    uint32_t *slot = id_slot(gather, &record->uuid, record->type);
    gather->ids[gather->id_count++] = (struct gather_id){
        .uuid = record->uuid,
        .type = record->type,
        .us = record_key_us(record),
        .rest = record_key_rest(record),
        .previous = *slot,
    };
    *slot = (uint32_t)gather->id_count;
}

uint32_t gather_find(const struct gather *gather, const struct uuid *uuid, uint16_t type)
{
    return gather->id_count == 0 ? 0 : *id_slot(gather, uuid, type);
}

static void chunk_byte(struct gather *gather, struct gather_term *term, uint8_t byte)
{
    struct gather_chunk *tail = term->tail == 0 ? NULL : &gather->chunks[term->tail - 1];

    if (tail == NULL || tail->used == sizeof(tail->bytes)) {
        if (!GROW(gather, chunks, chunk_capacity, gather->chunk_count + 1, CHUNKS_MAX))
            return;
        assert(gather->chunks != NULL);
        gather->chunks[gather->chunk_count++] = (struct gather_chunk){0};
        if (term->tail == 0)
            term->head = (uint32_t)gather->chunk_count;
        else
            gather->chunks[term->tail - 1].next = (uint32_t)gather->chunk_count;
        term->tail = (uint32_t)gather->chunk_count;
        tail = &gather->chunks[term->tail - 1];
    }
    tail->bytes[tail->used++] = byte;
}

static struct gather_term *term_new(struct gather *gather, slice term, uint64_t hash, uint64_t seq)
{
    if (!term_slots_grow(gather) ||
        !GROW(gather, terms, term_capacity, gather->term_count + 1, GATHER_TERMS_MAX))
        return NULL;
    uint32_t key_at = (uint32_t)gather->keys.len;
    buf_put(&gather->keys, term);
    if (gather->keys.overflowed) {
        gather->out_of_memory = true;
        return NULL;
    }
    *term_slot(gather, hash, term) = (uint32_t)gather->term_count + 1;
    struct gather_term *made = &gather->terms[gather->term_count++];
    *made = (struct gather_term){
        .hash = hash,
        .key_at = key_at,
        .key_bytes = (uint8_t)term.len,
        .first = (uint32_t)(seq - gather->first_seq),
        .last = seq,
        .count = 1,
    };
    return made;
}

void gather_expect_id(const struct gather *gather, const struct uuid *uuid)
{
    if (gather->id_slot_count > 0)
        __builtin_prefetch(&gather->id_slots[id_hash(gather, uuid) & (gather->id_slot_count - 1)]);
}

void gather_expect_term(const struct gather *gather, uint64_t hash)
{
    if (gather->term_slot_count > 0)
        __builtin_prefetch(&gather->term_slots[hash & (gather->term_slot_count - 1)]);
}

void gather_term(struct gather *gather, const struct term *term, uint64_t seq)
{
    assert(term->bytes.len <= TERM_BYTES_MAX);
    if (gather->out_of_memory)
        return;
    uint32_t found = gather->term_slot_count == 0 ? 0 : *term_slot(gather, term->hash, term->bytes);
    if (found == 0) {
        (void)term_new(gather, term->bytes, term->hash, seq);
        return;
    }
    struct gather_term *here = &gather->terms[found - 1];
    if (here->last == seq)
        return;
    uint64_t difference = seq - here->last;
    for (; difference >= 0x80; difference >>= 7)
        chunk_byte(gather, here, (uint8_t)(difference | 0x80));
    chunk_byte(gather, here, (uint8_t)difference);
    here->last = seq;
    here->count++;
}

/* ---- flush ---- */

struct flush {
    struct gather *gather;
    struct kv_txn *txn;
    struct kv_cursor cursor;
    uint8_t last[KV_KEY_BYTES_MAX]; /* of the table, before anything was put */
    size_t last_bytes;
    size_t puts, puts_max;
    struct sort_item *items, *scratch;
    uint64_t *seqs;
    size_t item_capacity, scratch_capacity, seq_capacity;
};

static void flush_begin(struct flush *flush, kv_table table)
{
    kv_cursor_open(flush->txn, table, &flush->cursor);
    flush->last_bytes = 0;
    if (kv_seek_last_before(&flush->cursor, SLICE_NONE)) {
        flush->last_bytes = flush->cursor.key.len;
        memcpy(flush->last, flush->cursor.key.at, flush->last_bytes);
    }
}

/* Keys behind all that were there are appended: no place is looked for, and pages are filled. */
static bool flush_appends(const struct flush *flush, slice key)
{
    return slice_cmp(key, slice_of(flush->last, flush->last_bytes)) > 0;
}

static void flush_put(struct flush *flush, kv_table table, slice key)
{
    if (flush_appends(flush, key))
        kv_append(flush->txn, table, key, SLICE(""));
    else
        kv_cursor_put(&flush->cursor, key, SLICE(""));
}

static void flush_expect(const struct flush *flush, const void *table, size_t bytes, size_t at,
                         size_t count)
{
    if (at + FLUSH_AHEAD < count)
        __builtin_prefetch((const char *)table + flush->items[at + FLUSH_AHEAD].index * bytes);
}

/* After a run of puts the batch is committed, so that pages held in memory stay bounded. */
static void flush_step(struct flush *flush, kv_table table, size_t puts)
{
    flush->puts += puts;
    if (flush->puts_max == 0 || flush->puts < flush->puts_max || failed(flush->txn->state))
        return;
    struct kv *kv = flush->txn->kv;
    struct diag *diag = flush->txn->diag;
    kv_cursor_close(&flush->cursor);
    result r = kv_commit(flush->txn);
    if (succeeded(r)) {
        kv_begin_write(kv, flush->txn, diag);
    } else {
        flush->txn->state = r; /* the next step and the last commit see it */
    }
    kv_cursor_open(flush->txn, table, &flush->cursor);
    flush->puts = 0;
}

static int id_compare(uint32_t a, uint32_t b, const void *context)
{
    const struct gather *gather = context;
    const struct gather_id *left = &gather->ids[a], *right = &gather->ids[b];
    int order = memcmp(left->uuid.bytes, right->uuid.bytes, sizeof(left->uuid.bytes));

    if (order == 0)
        order = (left->type > right->type) - (left->type < right->type);
    if (order == 0)
        order = (left->us > right->us) - (left->us < right->us);
    if (order == 0)
        order = (left->rest > right->rest) - (left->rest < right->rest);
    return order == 0 ? (a > b) - (a < b) : order;
}

static int version_compare(uint32_t a, uint32_t b, const void *context)
{
    const struct gather *gather = context;
    uint32_t left = gather->ids[a].rest, right = gather->ids[b].rest;

    return left != right ? (left > right) - (left < right) : (a > b) - (a < b);
}

static int term_compare(uint32_t a, uint32_t b, const void *context)
{
    const struct gather *gather = context;
    const struct gather_term *left = &gather->terms[a], *right = &gather->terms[b];

    return slice_cmp(slice_of(gather->keys.at + left->key_at, left->key_bytes),
                     slice_of(gather->keys.at + right->key_at, right->key_bytes));
}

static void flush_ids(struct flush *flush)
{
    struct gather *gather = flush->gather;

    for (size_t i = 0; i < gather->id_count; i++)
        flush->items[i] = (struct sort_item){bytes_get(gather->ids[i].uuid.bytes, 8), (uint32_t)i};
    sort_items(flush->items, flush->scratch, gather->id_count, id_compare, gather);
    flush_begin(flush, TABLE_IDS);
    for (size_t i = 0; i < gather->id_count; i++) {
        const struct gather_id *id = &gather->ids[flush->items[i].index];
        flush_expect(flush, gather->ids, sizeof(*gather->ids), i, gather->id_count);
        uint8_t key[ID_KEY_BYTES];

        id_key_make(&(struct id_key){id->uuid, id->type, id->us, id->rest,
                                     gather->first_seq + flush->items[i].index},
                    key);
        flush_put(flush, TABLE_IDS, slice_of(key, sizeof(key)));
        flush_step(flush, TABLE_IDS, 1);
    }
    kv_cursor_close(&flush->cursor);
}

static void flush_versions(struct flush *flush)
{
    struct gather *gather = flush->gather;
    size_t count = 0;

    for (size_t i = 0; i < gather->id_count; i++)
        if (gather->ids[i].us != 0)
            flush->items[count++] = (struct sort_item){gather->ids[i].us, (uint32_t)i};
    sort_items(flush->items, flush->scratch, count, version_compare, gather);
    flush_begin(flush, TABLE_VERSIONS);
    for (size_t i = 0; i < count; i++) {
        const struct gather_id *id = &gather->ids[flush->items[i].index];
        flush_expect(flush, gather->ids, sizeof(*gather->ids), i, count);
        uint8_t key[VERSION_KEY_BYTES];

        version_key_make(id->us, id->rest, gather->first_seq + flush->items[i].index, key);
        flush_put(flush, TABLE_VERSIONS, slice_of(key, sizeof(key)));
        flush_step(flush, TABLE_VERSIONS, 1);
    }
    kv_cursor_close(&flush->cursor);
}

static uint64_t term_prefix(const struct gather *gather, const struct gather_term *term)
{
    uint8_t head[8] = {0};

    memcpy(head, gather->keys.at + term->key_at, term->key_bytes < 8 ? term->key_bytes : 8);
    return bytes_get(head, 8);
}

static void term_seqs(const struct gather *gather, const struct gather_term *term, uint64_t *seqs)
{
    uint64_t seq = gather->first_seq + term->first, difference = 0;
    unsigned shift = 0;
    size_t count = 0;

    seqs[count++] = seq;
    for (uint32_t at = term->head; at != 0; at = gather->chunks[at - 1].next)
        for (unsigned i = 0; i < gather->chunks[at - 1].used; i++) {
            uint8_t byte = gather->chunks[at - 1].bytes[i];

            difference |= (uint64_t)(byte & 0x7f) << shift;
            shift += 7;
            if (byte < 0x80) {
                seqs[count++] = seq += difference;
                difference = 0;
                shift = 0;
            }
        }
    assert(count == term->count);
}

static void flush_terms(struct flush *flush)
{
    struct gather *gather = flush->gather;

    for (size_t i = 0; i < gather->term_count; i++)
        flush->items[i] = (struct sort_item){term_prefix(gather, &gather->terms[i]), (uint32_t)i};
    sort_items(flush->items, flush->scratch, gather->term_count, term_compare, gather);
    flush_begin(flush, TABLE_TERMS);
    for (size_t i = 0; i < gather->term_count; i++) {
        const struct gather_term *term = &gather->terms[flush->items[i].index];
        slice key = slice_of(gather->keys.at + term->key_at, term->key_bytes);

        flush_expect(flush, gather->terms, sizeof(*gather->terms), i, gather->term_count);
        term_seqs(gather, term, flush->seqs);
        posting_append(&flush->cursor, key, flush->seqs, term->count, flush_appends(flush, key));
        flush_step(flush, TABLE_TERMS, 1 + term->count / POSTING_BLOCK_BYTES);
    }
    kv_cursor_close(&flush->cursor);
}

static bool flush_room(struct flush *flush)
{
    struct gather *gather = flush->gather;
    size_t need = gather->id_count > gather->term_count ? gather->id_count : gather->term_count;

    return grow(gather, &flush->items, &flush->item_capacity, need, GATHER_TERMS_MAX,
                sizeof(*flush->items)) &&
           grow(gather, &flush->scratch, &flush->scratch_capacity, need, GATHER_TERMS_MAX,
                sizeof(*flush->scratch)) &&
           grow(gather, &flush->seqs, &flush->seq_capacity, gather->id_count + 1,
                GATHER_IDS_MAX + 1, sizeof(*flush->seqs));
}

void gather_flush(struct gather *gather, struct kv_txn *txn, size_t puts_max)
{
    struct flush flush = {.gather = gather, .txn = txn, .puts_max = puts_max};

    if (!gather->out_of_memory && gather->id_count > 0 && flush_room(&flush)) {
        flush_ids(&flush);
        flush_versions(&flush);
        flush_terms(&flush);
    }
    table_free(flush.items);
    table_free(flush.scratch);
    table_free(flush.seqs);
    if (gather->out_of_memory && succeeded(txn->state))
        txn->state = diag_fail(txn->diag, ERR_LIMIT, "no memory to gather the indexes in");
    gather->first_seq += gather->id_count;
    gather->id_count = gather->term_count = gather->chunk_count = 0;
    gather->id_slot_count = gather->term_slot_count = 0;
    buf_reset(&gather->keys);
}
