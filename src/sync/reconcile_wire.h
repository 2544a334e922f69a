/* The words of a reconciliation message, byte for byte (docs/FORMATS.md, "Reconciliation"). */
#pragma once

#include "base/buf.h"
#include "base/crypto.h"

#define RECONCILE_ID_BYTES SHA256_BYTES
#define RECONCILE_PRINT_BYTES 16
#define RECONCILE_END UINT64_MAX /* "infinity": no item has this sequence number */

struct reconcile_item {
    uint64_t seq;
    uint8_t id[RECONCILE_ID_BYTES];
};

/* The place between two items: everything before it is less. */
struct bound {
    uint64_t seq;
    uint8_t id[RECONCILE_ID_BYTES]; /* zeros behind the prefix */
    size_t prefix_bytes;
};
#define BOUND_END ((struct bound){.seq = RECONCILE_END})

/* By sequence number, then by id. */
int bound_cmp(const struct bound *bound, const struct reconcile_item *item);
/* The shortest one that has `last` before it and `next` not. */
struct bound bound_between(const struct reconcile_item *last, const struct reconcile_item *next);

/* Sequence numbers are written as differences, from 0 at a message's beginning. */
void bound_write(const struct bound *bound, uint64_t *seq_last, struct buf *out);
/* Not below `before`, where the range begins. */
MUST_USE result bound_read(struct reader *from, const struct bound *before, struct bound *out,
                           struct diag *diag);

/* Base 128, the highest digit first, none too many. */
void digits_write(uint64_t number, struct buf *out);
MUST_USE result digits_read(struct reader *from, uint64_t *out, struct diag *diag);

/* Of the ids alone: the sequence numbers say where a range ends. */
void fingerprint(const struct reconcile_item *items, size_t count,
                 uint8_t out[RECONCILE_PRINT_BYTES]);
