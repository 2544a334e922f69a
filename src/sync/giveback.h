/* What goes back to who gave an indicator: that it was seen, how often, first and last; and nothing
 * of whom it was seen at.
 *
 * The sighting that leaves is another object than the node's own: made of it without observed data
 * and places, under an id that follows from the own one's, so that a later count is its next
 * version.
 */
#pragma once

#include "store/store.h"

/* *is_due: is it a sighting by this node of something that the partner gave?  Then `out` has the
 * object that may go back. */
MUST_USE result giveback_make(struct store_view *view, const struct store_item *sighting, slice own,
                              slice partner, struct arena *arena, struct buf *out, bool *is_due,
                              struct diag *diag);
