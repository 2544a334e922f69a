/* Recall: what was given shall be removed by all who have it, and each answers.
 *
 * A recall is an entry of the log.  Partners who were given one of its objects get it as an item of
 * their feed, under the ids that they hold; they remove what came from here, pass the recall on to
 * those whom they gave it, and answer in the receipt.
 */
#pragma once

#include "sync/place.h"
#include "sync/wire.h"

#define RECALL_OBJECTS_MAX 100
#define RECALL_REASON_BYTES_MAX 1000

struct recall {
    slice id; /* "recall--UUID" */
    struct texts objects;
    slice reason, actor;
    uint64_t number; /* of its entry */
    int64_t at_us;
};

/* ERR_LIMIT: too many objects, or too long a reason. */
MUST_USE result recall_note(const struct sync_place *place, const struct recall *recall,
                            struct diag *diag);
/* The nth; texts in the arena.  False past the last. */
bool recall_at(const struct sync_place *place, struct kv_txn *txn, size_t index,
               struct arena *arena, struct recall *out);
bool recall_find(const struct sync_place *place, struct kv_txn *txn, slice id, struct arena *arena,
                 struct recall *out);

/* What a partner was given of an object: its id, and those of redacted copies.  Looks through the
 * releases, for a recall is rare. */
MUST_USE result recall_given(const struct sync_place *place, struct kv_txn *txn, slice object,
                             slice partner, struct arena *arena, struct texts *out,
                             struct diag *diag);
/* "removed" or "kept", and when; false: no answer yet. */
bool recall_answer(const struct sync_place *place, struct kv_txn *txn, slice recall, slice partner,
                   struct arena *arena, slice *outcome, slice *at);
/* Was it recalled by an entry behind this one? */
bool recall_is_behind(const struct sync_place *place, struct kv_txn *txn, slice object,
                      uint64_t number);

/* The item for a partner; *is_due: it was given something of it. */
MUST_USE result recall_item(const struct sync_place *place, struct kv_txn *txn, struct value entry,
                            slice partner, struct arena *arena, struct buf *out, bool *is_due,
                            struct diag *diag);
/* A partner's item: remove what came from it and note it for those behind us.  *out: the answer. */
MUST_USE result recall_take(const struct sync_place *place, slice partner, struct value item,
                            struct arena *arena, struct sync_result *out, struct diag *diag);

/* For sync_apply.  False: it is not what it must be. */
bool recall_apply(const struct sync_place *place, struct kv_txn *txn, uint64_t number,
                  struct value entry, struct arena *arena);
bool recall_apply_receipt(const struct sync_place *place, struct kv_txn *txn, struct value entry,
                          struct arena *arena);
