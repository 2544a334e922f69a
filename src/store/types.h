/* Type names met in one import: those that have a code, and new ones that get theirs at its end. */
#pragma once

#include "store/inside.h"

#define TYPES_NEW_MAX 4096 /* one import may bring */
#define TYPES_CACHED 256

struct types {
    struct arena arena; /* owned */
    struct kv_txn *txn; /* borrowed */
    slice fresh[TYPES_NEW_MAX];
    size_t fresh_count;
    uint32_t known; /* codes given before */
    struct {
        slice name;
        uint16_t code;
    } cache[TYPES_CACHED];
};

void types_init(struct types *types, struct kv_txn *txn);
void types_free(struct types *types); /* fits CLEANUP */
/* False: too many. */
bool types_intern(struct types *types, slice name, uint16_t *code);
/* Entries of the log and rows for the new ones. */
void types_finish(struct types *types, struct kv_txn *txn, int64_t at_us);
