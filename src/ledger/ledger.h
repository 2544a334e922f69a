/* The log: every change of a node's state is one entry, appended and never altered.
 *
 * An entry is one canonical JSON object (RFC 8785) of at most LEDGER_ENTRY_BYTES_MAX bytes with the
 * members "kind", "at" (strictly increasing), and what the kind asks for.  Its key is its number,
 * from 0. Entries hold hashes and decisions, never content.  The log knows no STIX; who appends
 * also derives tables in the same transaction, by the very code that derives them again from the
 * entry.
 */
#pragma once

#include "kv/kv.h"
#include "json/json.h"
#include "json/write.h"

#define LEDGER_ENTRY_BYTES_MAX 65535 /* what 16 bits count: C2SP tlog-tiles, entry bundles */

/* The ledger's tables stand side by side in the list that kv_open is given: where a function asks
 * for the log's handle, the tree is the table behind it and the ledger's facts the one behind that.
 */
#define LEDGER_TABLES "log", "tree", "ledger"
#define LEDGER_TABLE_COUNT 3

static inline kv_table ledger_tree_table(kv_table log)
{
    return log + 1;
}

static inline kv_table ledger_fact_table(kv_table log)
{
    return log + 2;
}

#define LEDGER_DEPTH_MAX 32

/* at_us for the next entry: the wall clock, but always later than the last entry's "at" and than
 * its "reach" (a clock that jumps back harms nothing).  An entry that uses up more dates than its
 * own, as an import of n objects does, says in its body how far it came: "reach", a date not before
 * "at", which time_format_us writes.  Every date after "at" up to "reach" is that entry's own.
 * Since each entry is later than all before it, the last one alone decides. */
int64_t ledger_next_us(struct kv_txn *txn, kv_table log, int64_t now_us);

/* Append, to the log and to its tree.  kind: of [a-z0-9._-]; at_us: from ledger_next_us in this
 * transaction; body: the members besides "at" and "kind" as a JSON object text ("{}" for none); the
 * entry is put in canonical form here. Failures stay in the transaction: ERR_INVALID for a body
 * that is no object, repeats a member or has a bad "reach", ERR_LIMIT past LEDGER_ENTRY_BYTES_MAX.
 */
void ledger_append(struct kv_txn *txn, kv_table log, slice kind, int64_t at_us, slice body,
                   uint64_t *number);

/* An entry's text, borrowed as kv_get's values are; false past the last. */
bool ledger_read(struct kv_txn *txn, kv_table log, uint64_t number, slice *entry);
uint64_t ledger_count(struct kv_txn *txn, kv_table log);

/* A log that was written without its tree gets it, in transactions of bounded size; one that has it
 * costs a look at two counts.  ERR_CORRUPT when the tree is of more entries than there are. */
MUST_USE result ledger_tree_complete(struct kv *kv, kv_table log, struct diag *diag);

struct ledger_entry;

/* While all is derived again: the leaf of the next entry, which was taken apart from this text. */
void ledger_tree_derive(struct kv_txn *txn, kv_table log, const struct ledger_entry *entry,
                        slice text);

/* The first entry whose "at" is `us` or later; ledger_count when there is none. */
uint64_t ledger_seek(struct kv_txn *txn, kv_table log, int64_t us);

/* An entry taken apart, for those who derive tables from it.  doc and kind are borrowed from the
 * parser until its next parse. */
struct ledger_entry {
    struct json_doc doc;
    slice kind;
    int64_t at_us, reach_us; /* reach_us is at_us when the entry names none */
};
MUST_USE result ledger_parse(struct json_parser *parser, slice text, struct ledger_entry *out,
                             struct diag *diag); /* ERR_CORRUPT: no entry of ours */
