/* What a feed carries besides objects: versions of agreements with their signatures, suspensions,
 * recalls. */
#pragma once

#include "sync/place.h"
#include "sync/wire.h"

/* An entry of the log as an item for a partner.  *is_due: there is one, in `out`. */
MUST_USE result item_of_entry(const struct sync_place *place, struct kv_txn *txn, slice kind,
                              struct value entry, slice partner, struct arena *arena,
                              struct buf *out, bool *is_due, struct diag *diag);

/* Take a partner's item in.  *out: what became of it; no outcome for what went as it should. */
MUST_USE result item_take(const struct sync_place *place, slice partner,
                          const struct batch_item *item, struct arena *arena,
                          struct sync_result *out, struct diag *diag);
