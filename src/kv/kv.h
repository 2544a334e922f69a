/* Ordered tables with transactions (LMDB): one writer, readers that never wait.
 *
 * A transaction is sticky: after its first failure each call on it does nothing and
 * kv_commit returns that failure.  Keys are at most KV_KEY_BYTES_MAX and sort by byte.
 * Several processes may have the same folder open; writers take turns.
 */
#pragma once

#include "base/result.h"
#include "base/slice.h"

#define KV_KEY_BYTES_MAX 511
#define KV_TABLES_MAX 48
#define KV_READERS_MAX 1024 /* read transactions at once, over all processes */
#define KV_MAP_BYTES_MIN ((size_t)64 << 20)

struct kv;
typedef unsigned kv_table;

/* Opens or makes folder/index.mdb.
 *
 * map_bytes_max  the file's ceiling, in address space (sparse); halved until the machine grants it
 * tables         every table the program uses, NULL-terminated, copied; missing ones are made
 *
 * Waits for no writer unless a table is missing.  Fails ERR_LIMIT when not even KV_MAP_BYTES_MIN or
 * what the file holds can be mapped, ERR_CONFLICT when this process has the folder open already or
 * another version of the library made it, ERR_INVALID when the file is no database of ours,
 * ERR_CORRUPT when it is cut short, ERR_MISSING without the folder, ERR_DENIED without rights to
 * it, ERR_IO otherwise. */
MUST_USE result kv_open(const char *folder, size_t map_bytes_max, const char *const *tables,
                        struct kv **out, struct diag *diag);
void kv_close(struct kv **kv); /* its transactions are over; NULL is fine */

struct kv_txn {
    struct kv *kv;
    void *handle;
    bool is_write;
    result state;      /* the first failure */
    struct diag *diag; /* borrowed: where its words go; may be NULL */
};

/* The position in the list given to kv_open is the table's handle. */

/* A read transaction sees the state at its begin for as long as it lasts, and may move between
 * threads; beginning one is cheap (it reuses handles).  A write transaction waits for the other
 * writer, of whatever process, and is ended by the thread that began it, which has no other. */
void kv_begin_read(struct kv *kv, struct kv_txn *txn, struct diag *diag);
void kv_begin_write(struct kv *kv, struct kv_txn *txn, struct diag *diag);

/* Durable when it returns OK.  ERR_LIMIT: the map is full (named by its setting); ERR_IO: disk full
 * or broken, with the words; nothing is changed then.  The transaction is over either way. */
MUST_USE result kv_commit(struct kv_txn *txn);
void kv_abort(struct kv_txn *txn); /* harmless on a finished or zeroed one; fits CLEANUP */

/* Make the transaction fail for the caller's own reason, so that a run of steps is checked once at
 * kv_commit: kv_fail(txn, diag_fail(txn->diag, ERR_CORRUPT, "entry 7: ...")).  The first one stays.
 */
void kv_fail(struct kv_txn *txn, result why);

/* The value, borrowed from the map until the transaction ends or writes. */
bool kv_get(struct kv_txn *txn, kv_table table, slice key, slice *value);
void kv_put(struct kv_txn *txn, kv_table table, slice key, slice value);
/* Keys that come in ascending order, behind all that are there: faster and fills pages. */
void kv_append(struct kv_txn *txn, kv_table table, slice key, slice value);
bool kv_delete(struct kv_txn *txn, kv_table table, slice key); /* was it there? */
uint64_t kv_count(struct kv_txn *txn, kv_table table);
void kv_clear(struct kv_txn *txn, kv_table table);

/* Walks.  A cursor belongs to its transaction; closing it after that has ended is harmless.  A
 * fresh cursor stands before the first key: kv_next gives the first, kv_prev the last. */
struct kv_cursor {
    struct kv_txn *txn;
    kv_table table;
    void *handle;
    slice key, value; /* borrowed, at the present position */
};
void kv_cursor_open(struct kv_txn *txn, kv_table table, struct kv_cursor *cursor);
void kv_cursor_close(struct kv_cursor *cursor);    /* fits CLEANUP */
bool kv_seek(struct kv_cursor *cursor, slice key); /* the first key >= key */
bool kv_seek_last_before(struct kv_cursor *cursor,
                         slice key); /* last key < key; empty: last of all */
bool kv_next(struct kv_cursor *cursor);
bool kv_prev(struct kv_cursor *cursor);
/* Near the position: fast for sorted runs.  key and value of the cursor are empty afterwards. */
void kv_cursor_put(struct kv_cursor *cursor, slice key, slice value);
void kv_cursor_delete(
    struct kv_cursor *cursor); /* the present one; then kv_next gives the one behind */

uint64_t kv_bytes_used(struct kv *kv); /* of the file, free pages inside included */
uint64_t kv_bytes_max(struct kv *kv);  /* what this process could map of what it asked for */
