/* Where an object of the store came from: made here, or given by a partner under an agreement.
 *
 * What a partner gave is taken in with its way as the import's origin, so that object and way are
 * one entry of the log and neither is ever without the other.
 */
#pragma once

#include "agreement/decide.h"
#include "agreement/keep.h"
#include "store/store.h"

#define PARTNERS_ALIAS "partners" /* of the collection that partners' objects lie in */
#define ORIGIN_HEAD "partner "
#define ORIGIN_HOPS_MAX 16
#define ORIGIN_TEXT_BYTES_MAX 8000

/* Who gave it to whom, under which agreement. */
struct hop {
    slice from, to, agreement;
};

/* The way of objects up to their taker.  `hops` begins with who gave it away first. */
struct way {
    slice agreement, hash; /* of the last hop: "agreement--...", "sha256:..." */
    const struct hop *hops;
    size_t hop_count;
    struct texts obligations; /* "name=value" */
    slice raw;                /* its JSON */
};

/* {"agreement", "hash", "obligations", "path": [{"agreement", "from", "to"}]}; texts are borrowed
 * or stand in the arena.  False: it is no such thing, or has no or too many hops. */
bool way_read(struct value value, struct arena *arena, struct way *out);
void way_write(const struct way *way, struct json_writer *w);
/* Was it in that organisation's hands? */
bool way_passes(const struct way *way, slice organisation);

/* The way of an addition; *is_ours: it has none.  Texts stand in the arena.  Fails rather than take
 * a way it cannot read for none. */
MUST_USE result origin_of(struct store_view *view, uint64_t seq, struct arena *arena,
                          struct way *out, bool *is_ours, struct diag *diag);

/* The same of an object's newest version, in whatever collection. */
MUST_USE result origin_of_object(struct store_view *view, slice id, struct arena *arena,
                                 struct way *out, bool *is_ours, struct diag *diag);

/* To whom what came this way may be passed on: as the agreement it came under says today; nobody,
 * when that is none any more. */
struct texts origin_upstream(const struct keep_place *keep, struct kv_txn *txn,
                             const struct way *way, struct arena *arena);
/* What a decision has to know of what is passed on. */
void origin_ask(const struct keep_place *keep, struct kv_txn *txn, const struct way *way,
                struct arena *arena, struct decide_request *request);
