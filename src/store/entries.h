/* Entries of the log that the store writes and reads; docs/FORMATS.md has their members. */
#pragma once

#include "ledger/ledger.h"
#include "store/inside.h"

struct objects_entry {
    uint32_t collection;
    uint64_t first, count;
    int64_t added_us; /* of the first; read back only */
    struct hash256 root;
    slice origin, actor;
    const struct import_counts *counts; /* written only */
};

void entry_objects(struct kv_txn *txn, int64_t added_us, const struct objects_entry *entry);

/* An entry that is read back.  What is not there reads as nothing, 0 or false. */
struct entry {
    struct ledger_entry ledger;
    struct arena *arena; /* borrowed: where texts with escapes go */
};
uint64_t entry_number(const struct entry *entry, slice key);
slice entry_text(const struct entry *entry, slice key);
bool entry_true(const struct entry *entry, slice key);

/* Each false when the entry does not hold what it must. */

/* ---- collections.c ---- */

bool collection_get(struct kv_txn *txn, uint32_t number, struct collection *out);
bool collection_apply(struct kv_txn *txn, const struct entry *entry);
bool collection_apply_removal(struct kv_txn *txn, const struct entry *entry);

/* ---- types.c ---- */

bool types_apply(struct kv_txn *txn, const struct entry *entry);

/* ---- remove.c ---- */

bool removal_apply(struct store *store, struct kv_txn *txn, const struct entry *entry);
