/* The feed for a partner: what of the node's log it may have, in the order of the log.
 *
 * It is no list that is kept: each time it is made anew from the log, the store and the agreements
 * in force, by the decision of the gate.  So what may not leave any more does not, however long ago
 * it was released.
 */
#pragma once

#include "sync/place.h"
#include "sync/wire.h"

#define FEED_OBJECTS_MAX 5000 /* of one batch */
#define FEED_BYTES ((size_t)8 << 20)
#define FEED_ENTRIES_MAX 200000 /* looked at for one batch */

struct feed_end {
    struct sync_cursor next;
    uint64_t sightings; /* that go back */
    uint64_t withheld;  /* released once, and refused now */
    slice why;          /* the last one's reason; static */
};

/* All objects of the feed, as they would leave now.  take: false ends the walk. */
MUST_USE result feed_walk(const struct sync_place *place, slice partner,
                          bool (*take)(void *context, slice way, slice object), void *context,
                          struct diag *diag);

/* Fill a batch from a cursor on.  The batch stays empty when there is nothing for the partner. */
MUST_USE result feed_fill(const struct sync_place *place, slice partner, struct sync_cursor after,
                          struct batch_writer *out, struct feed_end *end, struct diag *diag);
