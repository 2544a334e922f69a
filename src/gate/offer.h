/* The way between partners: what one may have of another, under the agreements both have signed.
 *
 * The same decision stands at both ends: the provider asks it of what goes out, the recipient of
 * what comes in.
 */
#pragma once

#include "agreement/keep.h"
#include "gate/look.h"
#include "gate/origin.h"

struct offer {
    struct keep_place keep;
    slice provider, recipient;
    struct store_view *view; /* borrowed */
    struct look look;
    struct markings markings;
    struct kept *agreements; /* in force, with both as parties */
    size_t agreement_count;
    struct arena arena, scratch; /* scratch: of one decision */
};

MUST_USE result offer_open(const struct keep_place *keep, struct store_view *view, slice provider,
                           slice recipient, struct offer *out, struct diag *diag);
void offer_close(struct offer *offer); /* fits CLEANUP; a zeroed one is fine */

struct offer_request {
    slice agreement;       /* under this one alone; empty: the one that gives most */
    const struct way *way; /* of what is passed on; NULL: it is the provider's own */
    int64_t hop;           /* where the way is not known: how often it was passed on */
    bool is_unasked;       /* no person let it go: not where the grant asks for a second one */
};

/* Good until the next call; text is the object's own unless it is redacted. */
struct offered {
    enum verdict verdict;
    const struct kept *agreement; /* NULL: there is none */
    struct decision decision;
    slice text, new_id;
};
MUST_USE result offer_decide(struct offer *offer, slice text, const struct offer_request *request,
                             struct offered *out, struct diag *diag);
