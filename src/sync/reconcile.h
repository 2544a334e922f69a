/* Which objects does one side hold and the other not?  Range-based set reconciliation, in the form
 * of the negentropy protocol, version 1.
 *
 * Both sides sort what they hold by sequence number and id.  The initiator sends fingerprints of
 * ranges; whoever finds that a range differs cuts it into smaller ones, and short ranges go as
 * lists of ids.  Nothing here sends or waits: messages go in and come out, the caller carries them.
 * The responder remembers nothing between messages; the initiator learns the differences.
 */
#pragma once

#include "base/arena.h"
#include "sync/reconcile_wire.h"

#define RECONCILE_FRAME_BYTES_MIN ((size_t)4 << 10)
#define RECONCILE_FRAME_BYTES ((size_t)256 << 10)      /* the usual limit of what is sent */
#define RECONCILE_MESSAGE_BYTES_MAX ((size_t)16 << 20) /* of what is taken */
#define RECONCILE_ROUNDS_MAX 4096
#define RECONCILE_NEEDS_MAX ((size_t)16 << 20)
#define RECONCILE_ITEMS_MAX ((size_t)64 << 20)

struct reconcile_set {
    const struct reconcile_item *items; /* borrowed, sorted, none twice */
    size_t count;
};

/* ERR_INVALID: out of order, twice the same, or a sequence number that is RECONCILE_END. */
MUST_USE result reconcile_set_check(const struct reconcile_set *set, struct diag *diag);
/* Brings items in order: for who has gathered them in another. */
void reconcile_sort(struct reconcile_item *items, size_t count);

/* The responder: one message, one answer of at most frame_bytes. */
MUST_USE result reconcile_answer(const struct reconcile_set *set, size_t frame_bytes, slice message,
                                 struct buf *out, struct diag *diag);

/* The initiator. */
struct reconcile {
    struct reconcile_set set; /* borrowed items */
    size_t frame_bytes;
    size_t rounds;
    size_t have_count; /* of ours that the partner lacks */
    size_t need_count; /* of the partner's that we lack */
    struct arena arena;
    bool *haves;                          /* a mark for each of our items */
    uint8_t (*needs)[RECONCILE_ID_BYTES]; /* in order once it is done, none twice */
    size_t need_capacity;
};

/* `first`: the message that opens the talk.  ERR_INVALID: the set is not in order; ERR_LIMIT: the
 * set or the frame is beyond the limits. */
MUST_USE result reconcile_begin(const struct reconcile_set *set, size_t frame_bytes,
                                struct reconcile *out, struct buf *first, struct diag *diag);
/* Takes an answer.  *is_done: the differences are known and nothing is to be sent; else `next` is.
 * ERR_INVALID: the partner broke the protocol; ERR_LIMIT: it goes on beyond reason. */
MUST_USE result reconcile_step(struct reconcile *talk, slice answer, struct buf *next,
                               bool *is_done, struct diag *diag);
void reconcile_free(struct reconcile *talk); /* fits CLEANUP */
