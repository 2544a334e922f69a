/* A node's ruleset that keeps itself current.
 *
 * A thread looks at the log a few times a second.  When indicators came, by whatever process, were
 * revoked or removed, when a warning list changed, or when a rule's valid_until has passed, it
 * builds a new ruleset beside the old one and puts it in its place whole.  Who holds the old one
 * finishes with it.
 */
#pragma once

#include "scan/allow_keep.h"
#include "scan/rules.h"

#define LIVE_LOOK_MS 200
#define LIVE_NEWS_MAX 100000 /* ids of one swap that are handed on; more are only run */

struct live_options {
    struct store *store; /* borrowed */
    struct allow_place allow;
    struct rules_choice choice; /* now_us and is_allowed are live's own */
    /* After a swap, from live's thread: a ruleset of the indicators alone that came since the one
     * before.  Not called for what was there at the start.  May be NULL. */
    void (*news)(void *context, const struct ruleset *news);
    /* Each LIVE_LOOK_MS, from live's thread.  May be NULL. */
    void (*tick)(void *context);
    void *context;
};

struct live;

/* The first ruleset is there when it returns OK. */
MUST_USE result live_open(const struct live_options *options, struct live **out, struct diag *diag);
void live_close(struct live **live);

/* The ruleset of now; the caller's to release.  *generation (may be NULL) grows with each swap. */
struct ruleset *live_hold(struct live *live, uint64_t *generation);
