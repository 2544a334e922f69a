/* Postings: for each term the additions it stands in, in order.
 *
 * A term's list is cut into blocks, each one pair of the table "terms":
 *
 *     term | first seq, 6 bytes  ->  empty, or: last seq, 6 bytes | differences as varints
 *
 * No term is the beginning of another: they are of one length, or end in a byte that is in none.
 * A block is full at POSTING_BLOCK_BYTES of differences.  Where blocks end is no part of the
 * state: the state hash is over terms and seqs.
 */
#pragma once

#include "base/arena.h"
#include "kv/kv.h"

#define SEQ_BYTES 6
#define SEQ_NONE UINT64_MAX
#define TERM_BYTES_MAX 80 /* field, text, end mark */
#define POSTING_BLOCK_BYTES 1000

/* Add seqs, ascending and all behind those that are there.  is_last: no key of the table is at or
 * behind the term, so that nothing needs to be looked for. */
void posting_append(struct kv_cursor *cursor, slice term, const uint64_t *seqs, size_t count,
                    bool is_last);

/* Take one out. */
void posting_drop(struct kv_txn *txn, kv_table terms, slice term, uint64_t seq);

/* Take out whatever is not below end, at the cursor's block.  True: the block is gone, and the
 * cursor stands where kv_cursor_delete leaves it. */
bool posting_cut(struct kv_cursor *cursor, uint64_t end);

/* The seqs of the cursor's block, into room for POSTING_BLOCK_SEQS_MAX. */
#define POSTING_BLOCK_SEQS_MAX (POSTING_BLOCK_BYTES + 16)
size_t posting_decode(slice key, slice value, uint64_t *seqs);

/* A walk through one term's list. */
struct posting_walk {
    struct kv_cursor cursor;
    uint8_t term[TERM_BYTES_MAX];
    size_t term_bytes;
    bool is_rewound;
    uint64_t seq, last; /* the present one, SEQ_NONE at the end; the last of its block */
    struct {
        const uint8_t *at, *end;
    } rest; /* differences behind the present one */
};

void posting_open(struct posting_walk *walk, struct kv_txn *txn, kv_table terms, slice term);
void posting_close(struct posting_walk *walk);
/* The first seq at or behind target; never goes back.  SEQ_NONE at the end. */
uint64_t posting_seek(struct posting_walk *walk, uint64_t target);
/* So that the next seek may go back. */
void posting_rewind(struct posting_walk *walk);
