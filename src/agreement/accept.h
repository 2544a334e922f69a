/* Taking a version of an agreement in, from a file or a partner: checked, its signatures put
 * together with those that are kept, and an entry made where anything is new. */
#pragma once

#include "agreement/keep.h"

#define ACCEPT_BYTES_MAX ((size_t)1 << 20)

/* Signatures of one text, one a party: who came first stays. */
struct merged {
    struct signature items[PARTIES_MAX];
    size_t count;
};
void signatures_merge(struct merged *merged, const struct signature *signatures, size_t count);

/* Checked, put into canonical form with these signatures, and kept. */
MUST_USE result agreement_put(const struct keep_place *place, slice text,
                              const struct merged *signatures, slice actor, struct arena *arena,
                              struct diag *diag);

/* id_asked: the agreement it must be; empty: any.  *is_new: an entry was made.  What is signed is
 * changed by a higher version alone (ERR_CONFLICT). */
MUST_USE result agreement_accept(const struct keep_place *place, slice text, slice id_asked,
                                 slice actor, struct arena *arena, slice *id, bool *is_new,
                                 struct diag *diag);
