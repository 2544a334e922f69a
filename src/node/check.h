/* What a folder holds, held against itself: each entry of the log against the tree, each head
 * against the tree and the log's key, the additions that an entry names against their records and
 * texts, the facts of a witness against their signatures, and every table against what the log
 * derives.
 *
 * What no reader reaches is not looked at: free pages of the database, and what lies in a file
 * behind its end as the database names it.
 */
#pragma once

#include "node/node.h"

struct node_check {
    bool log_only; /* entries, tree, heads and facts; neither additions nor tables.  Set when the
                    * store cannot be read. */
    void (*tell)(void *context, const struct diag *diag); /* of one thing that does not hold */
    void *context;
    uint64_t entries, heads, additions, broken;
};

/* Looks to the end, whatever is found; the tables are derived in a transaction that is not kept, so
 * that other writers wait and nothing changes.  The caller reads `broken`. */
void node_check(struct node *node, struct node_check *check);

/* The log alone, as this transaction sees it. */
void node_check_log(struct node *node, struct kv_txn *txn, struct node_check *check);
