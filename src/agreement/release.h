/* Releases: what people let go to whom, each an entry of the log; and what waits for a second
 * person.
 *
 * Where an agreement asks for it, one person submits and another approves or sends back.  That
 * nobody approves their own is seen to here, in the transaction that would.
 */
#pragma once

#include "agreement/keep.h"

#define RELEASE_GO "release"
#define RELEASE_SUBMIT "release.submit"
#define RELEASE_APPROVE "release.approve"
#define RELEASE_SEND_BACK "release.send-back"

/* One object let go to one recipient. */
struct release_row {
    slice object, version, agreement, recipient;
    slice new_id; /* empty: it leaves as it is */
    const slice *removed;
    size_t removed_count;
    slice result_tlp; /* empty: not said */
};

enum submission_state { SUBMISSION_WAITING, SUBMISSION_APPROVED, SUBMISSION_SENT_BACK };

struct submission {
    slice id, actor, reason;
    struct texts objects, agreements;
    enum submission_state state;
};

/* Let them go, all or none.  submission: which is approved by it; empty: none was needed. */
MUST_USE result release_go(const struct keep_place *place, const struct release_row *rows,
                           size_t count, slice submission, slice reason, slice actor,
                           struct diag *diag);
/* id: of the submission's, "release--UUID". */
MUST_USE result release_submit(const struct keep_place *place, const struct submission *submission,
                               struct diag *diag);
/* ERR_MISSING: no such; ERR_CONFLICT: decided already; ERR_DENIED: it is actor's own. */
MUST_USE result release_send_back(const struct keep_place *place, slice id, slice reason,
                                  slice actor, struct diag *diag);

/* Texts stand in the arena. */
bool release_find(const struct keep_place *place, struct kv_txn *txn, slice id, struct arena *arena,
                  struct submission *out);
bool release_at(const struct keep_place *place, struct kv_txn *txn, size_t index,
                struct arena *arena, struct submission *out);
/* Was an object let go, and in which version last? */
bool release_version(const struct keep_place *place, struct kv_txn *txn, slice object,
                     slice agreement, slice recipient, slice *version);

bool release_is_kind(slice kind);
/* For keep_apply: derive from an entry.  False: it is not what it must be. */
bool release_apply(const struct keep_place *place, struct kv_txn *txn, slice kind,
                   struct value entry);
