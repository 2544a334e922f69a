/* What the exchange keeps: an entry of the log for each batch that left, that came, and for each
 * receipt; one table derived, with a row a partner and kind.
 */
#pragma once

#include "agreement/keep.h"
#include "ledger/head.h"
#include "store/store.h"

extern const char *const sync_tables[];

struct sync_place {
    struct store *store;         /* borrowed, as all here */
    struct keep_place keep;      /* agreements, partners, the node's own identity */
    kv_table table;              /* of sync_tables[0] */
    const struct ledger *ledger; /* its keys */
    const char *folder;
};

/* Kinds of entries. */
#define SYNC_SENT "sync.sent"         /* a batch was made for a partner */
#define SYNC_RECEIPT "sync.receipt"   /* the partner's signed word that it took one in */
#define SYNC_RECEIVED "sync.received" /* a batch of a partner was taken in, with our receipt */
#define SYNC_AGAIN "sync.again"       /* objects left once more, for a repair */
#define SYNC_REPAIRED "sync.repaired" /* and were taken in */
#define SYNC_RECALL "recall"          /* what was given shall be removed */
#define SYNC_REFUSED "sync.refused"   /* a partner did what it may not */

/* What is known of a partner and a kind; texts stand in the arena. */
struct sync_row {
    uint64_t batches, objects, sightings, refused; /* all of them; sightings are objects, too */
    int64_t at_us;                                 /* of the last */
    slice after, next, root, why;                  /* of the last; empty where it has none */
    slice receipt;                                 /* its JSON */
    uint64_t count;                                /* of the last */
};

/* False: there is none, and *out is zeroed. */
bool sync_row(const struct sync_place *place, struct kv_txn *txn, const char *kind, slice partner,
              struct arena *arena, struct sync_row *out);

/* Append an entry; body: its members, a JSON object with "partner". */
MUST_USE result sync_note(const struct sync_place *place, const char *kind, slice body,
                          struct diag *diag);
/* The same when the partner's last entry of this kind ended where this one begins ("0.0" when there
 * is none); else ERR_CONFLICT, and nothing is noted. */
MUST_USE result sync_note_next(const struct sync_place *place, const char *kind, slice partner,
                               slice after, slice body, struct diag *diag);
/* Note what a partner did that it may not; not again while the last such row says the same. */
void sync_note_refused(const struct sync_place *place, slice partner, const char *why);

/* Derive the table from an entry; false: not a kind of ours. */
bool sync_apply(const struct sync_place *place, struct kv_txn *txn, slice kind, uint64_t number,
                slice entry);
void sync_clear_derived(const struct sync_place *place, struct kv_txn *txn);

/* A partner as the exchange needs it: known, confirmed, and where it is. */
struct sync_partner {
    slice id, name, url; /* in the arena */
    uint8_t key[ED25519_PUBLIC_BYTES];
    bool is_confirmed;
};
bool sync_partner(const struct sync_place *place, struct kv_txn *txn, slice id, struct arena *arena,
                  struct sync_partner *out);
