/* A node: one folder with its store, its accounts, its settings, opened as one.
 *
 *     folder/entente.yaml  settings       folder/index.mdb      log and indexes (LMDB)
 *     folder/directory     addition records       folder/segments/NNNNNN  object texts
 *     folder/keys/         keys of the log, the witness and the node; folder/ledger.head: last head
 *     folder/tls/          certificate and key that the node made for itself
 *     folder/serve.lock    held by the one server     folder/allow/HASH  values of a warning list
 *     folder/sighted/      which events were counted (scan/report_seen.h)
 */
#pragma once

#include "account/account.h"
#include "agreement/keep.h"
#include "base/config.h"
#include "ledger/head.h"
#include "scan/allow_keep.h"
#include "scan/report.h"
#include "scan/retro.h"
#include "store/store.h"
#include "sync/place.h"

struct node {
    struct config config;
    struct store *store;       /* owned */
    struct accounts *accounts; /* owned */
    struct ledger ledger;      /* keys and heads */
    char folder[4096];
    char identity[64]; /* "identity--UUID": follows from its key; empty without one */
};

/* A new one has no keys yet: their name follows from settings that its maker knows. */
MUST_USE result node_create(const char *folder, struct node *out, struct diag *diag);
MUST_USE result node_keys(struct node *node, struct diag *diag);
/* ERR_CORRUPT, too, when the log is not what was signed: cut, altered, or of an older copy. */
MUST_USE result node_open(const char *folder, bool read_only, struct node *out, struct diag *diag);
/* The same without that look at the tables, for node_rebuild, which may put them right. */
MUST_USE result node_open_to_mend(const char *folder, struct node *out, struct diag *diag);
void node_close(struct node *node);

/* Derive every table again from the log, in one transaction; before and after are the state hashes.
 * ERR_CORRUPT when the log itself is not what was signed. */
MUST_USE result node_rebuild(struct node *node, struct hash256 *before, struct hash256 *after,
                             struct diag *diag);

/* The same into this transaction, for who looks and does not keep it; a failure stays in it. */
void node_derive(struct node *node, struct kv_txn *txn);

/* Be the one server of the folder.  ERR_CONFLICT names the process that is. */
MUST_USE result node_lock_serve(struct node *node, int *lock, struct diag *diag);

/* Where its warning lists are; borrowed from the node. */
struct allow_place node_allow(const struct node *node);
/* Where its agreements and partners are; borrowed from the node. */
struct keep_place node_keep(const struct node *node);
/* What its exchange with partners keeps; borrowed from the node. */
struct sync_place node_sync(const struct node *node);
/* What it reports as; borrowed from the node.  actor is borrowed, too. */
struct report_place node_report(const struct node *node, slice actor);

/* Make settings that differ from their defaults an entry, when the last such entry says otherwise.
 */
MUST_USE result node_note_settings(struct node *node, const char *actor, struct diag *diag);

/* Where its record of past observables is; borrowed from the node. */
struct retro_place node_retro(const struct node *node);
