/* A ledger that speaks for itself: its keys, and the heads (checkpoints) that it signs and keeps.
 *
 * A head says how many entries the log has and what the root of its tree is.  Once signed it binds:
 * nothing is signed, and nothing opened, that contradicts one.
 */
#pragma once

#include "base/world.h"
#include "ledger/ledger.h"
#include "ledger/note.h"
#include "ledger/tree.h"

struct ledger {
    struct kv *kv; /* borrowed */
    kv_table log;
    const struct world *world; /* borrowed */
    char folder[4096];
    bool has_keys;              /* false only where a folder without them was opened for reading */
    bool is_exposed;            /* others on this machine may read a key: whoever serves says so */
    struct note_signer log_key; /* signs heads; its name is the origin */
    struct note_signer witness_key; /* cosigns heads of others */
    struct note_signer node_key;    /* the node's identity */
};

struct ledger_options {
    const char *folder;
    struct kv *kv;
    kv_table log;
    const struct world *world;
    const char *origin, *title; /* settings: what the log is called when its key is made */
    bool read_only;             /* make no keys */
};

/* Reads the keys, makes those that are missing. */
MUST_USE result ledger_open(const struct ledger_options *options, struct ledger *out,
                            struct diag *diag);
void ledger_close(struct ledger *ledger); /* wipes the keys */

/* Does the log bear out the last head that was signed, and the one in the file beside the database?
 * Costs a proof's look-ups, whatever the size.  ERR_CORRUPT says what does not fit. */
MUST_USE result ledger_check(const struct ledger *ledger, struct diag *diag);

/* The same for the head in a file; a file that is not there says nothing. */
MUST_USE result ledger_head_file_check(const struct ledger *ledger, struct kv_txn *txn,
                                       const char *path, struct diag *diag);

/* Sign a head when there is anything new.  ERR_CORRUPT when the log contradicts the last one. */
MUST_USE result ledger_head_sign(const struct ledger *ledger, bool *is_new, struct diag *diag);

/* Heads that are kept; each false when there is none.  note is borrowed from the transaction. */
bool ledger_head_last(struct kv_txn *txn, kv_table log, slice *note);
bool ledger_head_at(struct kv_txn *txn, kv_table log, uint64_t size, slice *note);
bool ledger_head_next(struct kv_txn *txn, kv_table log, uint64_t least_size, slice *note);
/* The same with the size that it is kept under, whatever it says itself: for who checks them all.
 */
bool ledger_head_from(struct kv_txn *txn, kv_table log, uint64_t least_size, uint64_t *size,
                      slice *note);

/* A head of ours taken apart.  ERR_CORRUPT: it cannot be. */
MUST_USE result ledger_head_parse(slice bytes, struct note *note, struct checkpoint *out,
                                  struct diag *diag);

/* Put cosignatures (whole lines) behind our signature of a head that is kept.  The caller has
 * verified them; a line that is there already is not put twice. */
MUST_USE result ledger_head_cosign(const struct ledger *ledger, uint64_t size, slice lines,
                                   struct diag *diag);

/* Keys of the table of facts: a letter and a number. */
#define LEDGER_FACT_KEY_BYTES 9
slice ledger_fact_key(char letter, uint64_t number, char out[LEDGER_FACT_KEY_BYTES]);

/* Write a file beside its place, make it durable, and move it there. */
MUST_USE result ledger_file_put(const char *path, unsigned mode, slice bytes, struct diag *diag);
