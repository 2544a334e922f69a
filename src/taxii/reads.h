/* Who read what over TAXII: counted as pages leave, and entered in the log in batches, one entry
 * "read" for each account and collection.
 *
 * An entry says how many requests and objects there were and, exactly, of which additions: as runs
 * of their numbers, which the log's entries of objects give hashes to.  What is not yet entered is
 * lost when the process is killed; a stop enters it.
 */
#pragma once

#include "account/account.h"
#include "store/store.h"

#define READS_ROWS_MAX 256 /* accounts and collections between two batches */
#define READS_RUNS_MAX 64  /* of one of them; then the batch ends early */

struct reads;

MUST_USE result reads_new(struct store *store, size_t interval_s, struct reads **out,
                          struct diag *diag);
void reads_free(struct reads **reads); /* enters what is left; NULL is fine */
void reads_configure(struct reads *reads, size_t interval_s);

/* These additions, rising, leave for an account, NULL: for anyone.  Safe from any thread. */
void reads_note(struct reads *reads, const struct account *account, uint32_t collection,
                const uint64_t *seqs, size_t count);

/* Enter what is due.  Called about once a second. */
void reads_tick(struct reads *reads);
