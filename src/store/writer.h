/* A write to the store: one writer at a time, in all processes; all of it or nothing.
 *
 * Object files are written behind what is named.  Index batches of a large import may be committed
 * before its end; readers look at no addition at or past seq_end, and META_PENDING says that
 * there is something to undo when the writer does not come to its end.
 */
#pragma once

#include "store/derive.h"

struct writer {
    struct store *store; /* borrowed; NULL: not begun */
    struct diag *diag;   /* borrowed */
    struct kv_txn txn;   /* a read while objects are taken, a write at the end */
    uint64_t seq_first;  /* additions that were named when it began */
    uint64_t text_first;
    bool is_pending; /* index batches were committed */
    bool is_committed;
    struct appender files;
    struct derivation derivation;
};

/* Waits for the other writer: patience_ms, then ERR_CONFLICT; STORE_WAITS: to its end.  Undoes what
 * one that was killed left. */
MUST_USE result writer_begin(struct store *store, unsigned patience_ms, struct writer *writer,
                             struct diag *diag);

/* Index what was taken so far when it has grown large.  The read transaction is renewed. */
MUST_USE result writer_spill(struct writer *writer);

/* The end of all that was taken: files durable, a write transaction open with all indexes in it. */
MUST_USE result writer_seal(struct writer *writer);
MUST_USE result writer_commit(struct writer *writer);

/* After a commit: give back the bytes of texts that it removed. */
MUST_USE result writer_punch(struct writer *writer, struct diag *diag);

/* Undo what was not committed, let the next writer in.  Harmless after a commit; fits CLEANUP. */
void writer_end(struct writer *writer);

/* At start: undo an import that was killed, give bytes back that a removal left; not when another
 * process is writing, which does it itself. */
MUST_USE result writer_tidy(struct store *store, struct diag *diag);
