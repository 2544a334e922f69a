/* What an import adds to the indexes, gathered in memory and put into them in order.
 *
 * Random-order writes cost LMDB a page each; sorted ones fill pages.  So identifiers and terms of
 * many additions are held here and flushed together.
 */
#pragma once

#include "base/buf.h"
#include "store/inside.h"
#include "store/postings.h"
#include "store/record.h"
#include "store/terms.h"

#define GATHER_IDS_MAX ((size_t)1 << 21)
#define GATHER_TERMS_MAX ((size_t)1 << 22)

struct gather_id {
    struct uuid uuid;
    uint64_t us; /* as in keys: biased; 0 without a version */
    uint32_t rest;
    uint16_t type;
    uint32_t previous; /* one with the same id, plus 1; 0: none */
};

struct gather_term {
    uint64_t hash;
    uint64_t last;
    uint32_t key_at;
    uint32_t count;
    uint32_t head, tail; /* chunks of differences, plus 1; 0: none */
    uint32_t first;      /* minus first_seq */
    uint8_t key_bytes;
};

struct gather_chunk {
    uint32_t next; /* plus 1 */
    uint8_t used;
    uint8_t bytes[27];
};

struct gather {
    uint64_t first_seq; /* of ids[0] */
    uint64_t seed;      /* of the slots' hash, so that nobody can aim at one slot */
    struct gather_id *ids;
    size_t id_count, id_capacity;
    uint32_t *id_slots;
    size_t id_slot_count, id_slot_capacity;
    struct gather_term *terms;
    size_t term_count, term_capacity;
    uint32_t *term_slots;
    size_t term_slot_count, term_slot_capacity;
    struct gather_chunk *chunks;
    size_t chunk_count, chunk_capacity;
    struct buf keys;
    bool out_of_memory; /* sticky */
};

void gather_init(struct gather *gather, uint64_t first_seq, uint64_t seed);
void gather_free(struct gather *gather);
size_t gather_bytes(const struct gather *gather);
size_t gather_puts(const struct gather *gather); /* how many pairs a flush will write */

/* The next addition's identifier. */
void gather_add(struct gather *gather, const struct record *record);
/* The newest-gathered entry of an id, plus 1; 0: none.  Older ones by ->previous. */
uint32_t gather_find(const struct gather *gather, const struct uuid *uuid, uint16_t type);
/* A term of an addition, once for each. */
void gather_term(struct gather *gather, const struct term *term, uint64_t seq);

/* What will be looked up soon, so that memory has it ready. */
void gather_expect_id(const struct gather *gather, const struct uuid *uuid);
void gather_expect_term(const struct gather *gather, uint64_t hash);

/* Put it all into the tables and be empty.  puts_max: commit after so many and go on in a new
 * transaction (0: never). */
void gather_flush(struct gather *gather, struct kv_txn *txn, size_t puts_max);
