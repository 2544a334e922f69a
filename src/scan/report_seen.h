/* What has been counted for each sighting: a small database beside the store, sighted/index.mdb.
 *
 * A row holds the smallest REPORT_DIGESTS_MAX digests of the events that were counted.  Up to so
 * many, the row knows each event and the count is exact; above, the count follows from how densely
 * the digests lie (k minimum values).  Rows of the same events are the same whatever the order, and
 * the union of a row with itself is the row, which is why a log may be read twice.
 *
 * The database is working memory, not history: when it is lost, counts never fall, but a log that
 * is read again beside new events may be under-counted.
 */
#pragma once

#include "base/uuid.h"
#include "kv/kv.h"
#include "scan/report.h"

#define SEEN_FOLDER "sighted"
#define SEEN_UNTIMED INT64_MIN /* the window of an indicator's events that have no time */

struct seen_value {
    slice path, value;
};

struct seen_row {
    struct uuid indicator;
    int64_t window_us; /* its start, or SEEN_UNTIMED */
    int64_t first_us, last_us;
    int64_t touched_us; /* when it was written last */
    slice markings;     /* ids with commas between */
    struct seen_value values[REPORT_VALUES_MAX];
    size_t value_count;
    uint64_t *digests; /* sorted, distinct; room for REPORT_DIGESTS_MAX */
    size_t digest_count;
    uint32_t record_count; /* values that the record knows of this window */
    bool is_over;          /* more were seen than are kept */
};

struct seen {
    struct kv *kv; /* owned */
    int lock;      /* held while rows and their sightings are written */
};

MUST_USE result seen_open(const char *node_folder, struct seen *out, struct diag *diag);
void seen_close(struct seen *seen);
/* One writer among all processes, from its rows to its sightings. */
MUST_USE result seen_lock(struct seen *seen, struct diag *diag);
void seen_unlock(struct seen *seen);

/* A row that is not there is empty.  Lives in the arena.  ERR_LIMIT past it; a broken row counts as
 * none. */
MUST_USE result seen_read(struct kv_txn *txn, const struct uuid *indicator, int64_t window_us,
                          struct arena *arena, struct seen_row *out, struct diag *diag);
void seen_write(struct kv_txn *txn, const struct seen_row *row, bool is_due);

/* True: it was not there, and is now (or would be, were it small enough). */
bool seen_add(struct seen_row *row, uint64_t digest);
bool seen_has(const struct seen_row *row, uint64_t digest);
bool seen_add_value(struct seen_row *row, slice path, slice value);
uint64_t seen_count(const struct seen_row *row);

/* Rows whose sighting is still to be written: the first at or behind *indicator and *window_us. */
bool seen_due_next(struct kv_txn *txn, struct uuid *indicator, int64_t *window_us);
void seen_due_done(struct kv_txn *txn, const struct uuid *indicator, int64_t window_us);

/* Forget rows that were neither of a window nor written since a date, and are not due. */
void seen_forget(struct kv_txn *txn, int64_t before_us);
