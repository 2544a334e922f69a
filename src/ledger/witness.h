/* Witnessing (C2SP tlog-witness): this node cosigns the heads of other logs, after it has seen that
 * each goes on from the last; and has its own heads cosigned.
 */
#pragma once

#include "ledger/head.h"
#include "ledger/proof.h"

#define WITNESS_ORIGINS_MAX 1000
#define WITNESS_EVIDENCE_MAX 1000
#define WITNESS_BODY_BYTES_MAX (NOTE_BYTES_MAX + 64 * 64)

/* ---- origins this node witnesses; each change is an entry ---- */

struct witnessed {
    struct note_verifier verifier; /* its name is the origin */
    uint64_t size;                 /* of the last checkpoint that was cosigned; 0: none */
    slice note;                    /* that checkpoint; borrowed from the transaction */
};

/* ERR_INVALID: no vkey of a log; ERR_CONFLICT: this origin with another key. */
MUST_USE result witness_add(const struct ledger *ledger, slice vkey, slice actor,
                            struct diag *diag);
MUST_USE result witness_remove(const struct ledger *ledger, slice origin, slice actor,
                               struct diag *diag);
bool witness_at(struct kv_txn *txn, kv_table log, size_t index, struct witnessed *out);
bool witness_find(struct kv_txn *txn, kv_table log, slice origin, struct witnessed *out);

/* ---- add-checkpoint ---- */

struct witness_answer {
    int status;       /* HTTP's */
    bool is_size;     /* the body is the size of the last checkpoint: text/x.tlog.size */
    struct buf *body; /* borrowed */
};

/* What is wrong with a request is an answer; fails when this node itself does. */
MUST_USE result witness_add_checkpoint(const struct ledger *ledger, slice request,
                                       struct witness_answer *answer, struct diag *diag);

/* Two notes of one log that cannot both be true. */
struct evidence {
    uint64_t number;
    int64_t at_us;
    uint64_t old_size;
    struct tree_proof proof;
    slice first, second; /* borrowed from the transaction */
};
bool evidence_at(struct kv_txn *txn, kv_table log, uint64_t number, struct evidence *out);
/* SHA-256 of the record as it is kept, which its entry "witness.split" has; false: none there. */
bool evidence_hash(struct kv_txn *txn, kv_table log, uint64_t number, struct hash256 *out);

/* ---- derived again from entries ---- */

/* Kinds of the ledger itself, in a rebuild: the settings follow from the log; origins, heads and
 * evidence are facts.  False: not a kind of ours. */
bool ledger_apply(struct kv_txn *txn, kv_table log, slice kind, uint64_t number, slice entry);
void ledger_clear_derived(struct kv_txn *txn, kv_table log);

/* Make the settings an entry when they are not what the last such entry says.  settings: a JSON
 * object in canonical form. */
MUST_USE result ledger_note_settings(const struct ledger *ledger, slice settings, slice actor,
                                     struct diag *diag);

/* One entry in a transaction of its own, applied as a rebuild would. */
MUST_USE result ledger_note(const struct ledger *ledger, slice kind, slice body, uint64_t *number,
                            struct diag *diag);
