/* From entries of the log to tables: the same steps when something is written and when all is
 * derived again. */
#pragma once

#include "store/gather.h"
#include "store/ids.h"

/* What one entry of objects changes, gathered. */
struct derivation {
    struct store *store;          /* borrowed */
    struct kv_txn *txn;           /* borrowed: where ids are looked up */
    const struct appender *files; /* borrowed: records that are not written yet; NULL: none */
    uint32_t collection;
    uint64_t first, next; /* seqs */
    struct gather gather;
    uint64_t *superseded; /* owned */
    size_t superseded_count, superseded_capacity;
    bool out_of_memory;
};

void derivation_init(struct derivation *derivation, struct store *store, struct kv_txn *txn,
                     const struct appender *files, uint32_t collection, uint64_t first);
void derivation_free(struct derivation *derivation);

/* What is held of an id. */
struct held {
    bool is_here;      /* this version, in this collection ... */
    uint64_t here;     /* ... as this addition */
    bool is_elsewhere; /* this version, in another collection */
    uint64_t elsewhere;
    bool has_newest; /* any version in this collection */
    struct id_version newest;
};
void derivation_look_up(struct derivation *derivation, const struct record *record,
                        struct held *held);

/* The next addition: its identifier, which version is superseded now, its terms (as term_sink wrote
 * them; without the type's). */
void derivation_add(struct derivation *derivation, const struct record *record,
                    const struct held *held, slice terms);

/* Runs, the dead, dates, counts and the end: in the transaction that names the additions. */
void derivation_finish(struct derivation *derivation, struct kv_txn *txn, int64_t added_us);
