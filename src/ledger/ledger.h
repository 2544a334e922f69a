/* The log: every change of a node's state is one entry, appended and never altered.
 *
 * An entry is one canonical JSON object (RFC 8785) of at most LEDGER_ENTRY_BYTES_MAX bytes with the
 * members "kind", "at" (strictly increasing), and what the kind asks for.  Entries hold hashes and
 * decisions, never content.  The log knows no STIX; who appends also derives tables in the same
 * transaction.
 */
#pragma once

#include "json/write.h"
#include "kv/kv.h"

#define LEDGER_ENTRY_BYTES_MAX 65535

/* at_us for the next entry: the wall clock, but always later than the last entry, and later than any
 * `reach_us` an entry said it used (a clock that jumps back harms nothing). */
int64_t ledger_next_us(struct kv_txn *txn, kv_table log, int64_t now_us);

/* Append.  body: the members besides "at" and "kind" as a JSON object text ("{}" for none); the entry is
 * put in canonical form here.  Failures stay in the transaction. */
void ledger_append(struct kv_txn *txn, kv_table log, slice kind, int64_t at_us, slice body,
                   uint64_t *number);

/* An entry's text; false past the last. */
bool ledger_read(struct kv_txn *txn, kv_table log, uint64_t number, slice *entry);
uint64_t ledger_count(struct kv_txn *txn, kv_table log);
