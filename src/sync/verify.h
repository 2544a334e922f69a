/* Are we in sync?  What a partner gave this node against what its feed holds for it now, by set
 * reconciliation; what is missing is asked for once more.
 */
#pragma once

#include "sync/feed.h"
#include "sync/pull.h"
#include "sync/reconcile.h"

#define SYNC_RECONCILE_PATH "/partner/v1/reconcile"
#define SYNC_OBJECTS_PATH "/partner/v1/objects"
#define VERIFY_OBJECTS_MAX 1000 /* asked for at once */
#define VERIFY_BODY_BYTES_MAX ((size_t)VERIFY_OBJECTS_MAX * (2 * SHA256_BYTES + 1))

/* Of each object the newest version, by time and the hash of its canonical form. */
struct verify_set {
    struct verify_item *items; /* owned; in the order of `sorted` */
    struct reconcile_item *sorted;
    size_t count, item_room, sorted_room;
};
void verify_set_free(struct verify_set *set); /* fits CLEANUP */
/* What the feed holds for a partner. */
MUST_USE result verify_set_out(const struct sync_place *place, slice partner,
                               struct verify_set *out, struct diag *diag);
/* What came from a partner. */
MUST_USE result verify_set_in(const struct sync_place *place, slice partner, struct verify_set *out,
                              struct diag *diag);

/* The provider's answers: a message of the reconciliation; a batch of the objects whose hashes are
 * asked for, a line each. */
MUST_USE result verify_batch(const struct sync_place *place, slice partner, slice hashes,
                             struct batch_writer *out, struct diag *diag);

struct verified {
    uint64_t missing, surplus; /* before the repair */
    uint64_t repaired, held, refused;
    uint64_t bytes, rounds; /* of the reconciliation */
    char why[SYNC_REASON_BYTES_MAX];
};
/* told: each id that differs; may be NULL. */
MUST_USE result sync_verify(struct puller *puller, bool is_dry,
                            void (*told)(void *context, slice id, bool is_missing), void *context,
                            struct verified *out, struct diag *diag);
