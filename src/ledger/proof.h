/* Proofs as files (docs/FORMATS.md): of one entry, of consistency, of many entries. */
#pragma once

#include "ledger/head.h"

/* C2SP tlog-proof; the extra data are the entry. */
void proof_write(slice entry, uint64_t number, const struct tree_proof *proof, slice head,
                 struct buf *out);

/* What tlog-witness posts: from an old size to a checkpoint. */
void consistency_write(uint64_t old_size, const struct tree_proof *proof, slice head,
                       struct buf *out);

struct consistency {
    uint64_t old_size;
    struct tree_proof proof;
    struct note note; /* borrowed from the bytes */
    struct checkpoint checkpoint;
};
MUST_USE result consistency_parse(slice bytes, struct consistency *out, struct diag *diag);

/* A bundle, entry by entry, ascending; what lies between them goes in as hashes.  Failures stay in
 * the transaction; the caller takes the bytes out of `out` whenever it likes. */
struct bundle {
    struct kv_txn *txn; /* borrowed, as are the others */
    kv_table log;
    struct buf *out;
    uint64_t at, size; /* size: of the head */
};
void bundle_begin(struct bundle *bundle, slice filter); /* filter: one line, or empty */
void bundle_entry(struct bundle *bundle, uint64_t number, slice entry);
void bundle_end(struct bundle *bundle, slice head);
