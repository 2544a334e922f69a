/* The way in: a partner's batch, checked, taken in, and answered by a receipt. */
#pragma once

#include "sync/place.h"
#include "sync/wire.h"

#define PARTNERS_TITLE "Partners"

struct taken {
    uint64_t objects, held, refused; /* new ones; held already */
    uint64_t sightings;              /* of the new ones */
    char why[SYNC_REASON_BYTES_MAX]; /* the last refusal's; empty: none */
};

/* Take in what may come in, note it with our receipt, and append that receipt to `receipt`.
 *
 * Durable when it returns OK; done again after a crash in between it takes nothing twice.
 * ERR_DENIED: the batch is not for us or not from this partner; ERR_CONFLICT: it is not the next
 * one (a repetition, or another process was faster). */
MUST_USE result sync_take(const struct sync_place *place, const struct sync_partner *partner,
                          const struct batch *batch, struct taken *out, struct buf *receipt,
                          struct diag *diag);

/* The same for objects that were asked for once more: the cursor stays, and there is no receipt. */
MUST_USE result sync_take_again(const struct sync_place *place, const struct sync_partner *partner,
                                const struct batch *batch, struct taken *out, struct diag *diag);
