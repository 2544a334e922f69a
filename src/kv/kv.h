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

struct kv;
typedef unsigned kv_table;

/* Opens or makes folder/index.mdb.  Names every table the program uses (NULL-terminated list) once.
 * Fails ERR_LIMIT when the map cannot be made that large, ERR_CONFLICT when this process has
 * the folder open already, ERR_CORRUPT or ERR_INVALID when the file is none of ours,
 * ERR_IO otherwise. */
MUST_USE result kv_open(const char *folder, size_t map_bytes_max, const char *const *tables,
                        struct kv **out, struct diag *diag);
void kv_close(struct kv **kv);

struct kv_txn {
    struct kv *kv;
    void *handle;
    bool is_write;
    result state;      /* the first failure */
    struct diag *diag; /* borrowed: where its words go; may be NULL */
};

/* The position in the list given to kv_open is the table's handle. */

void kv_begin_read(struct kv *kv, struct kv_txn *txn, struct diag *diag);
void kv_begin_write(struct kv *kv, struct kv_txn *txn, struct diag *diag); /* waits for the other writer */

/* Durable when it returns OK.  ERR_LIMIT: the map is full (named by its setting); ERR_IO: disk full or
 * broken, with the words.  The transaction is over either way. */
MUST_USE result kv_commit(struct kv_txn *txn);
void kv_abort(struct kv_txn *txn); /* harmless on a finished or zeroed one; fits CLEANUP */

/* The value, borrowed from the map until the transaction ends or writes. */
bool kv_get(struct kv_txn *txn, kv_table table, slice key, slice *value);
void kv_put(struct kv_txn *txn, kv_table table, slice key, slice value);
/* Keys that come in ascending order, behind all that are there: faster and fills pages. */
void kv_append(struct kv_txn *txn, kv_table table, slice key, slice value);
bool kv_delete(struct kv_txn *txn, kv_table table, slice key); /* was it there? */
uint64_t kv_count(struct kv_txn *txn, kv_table table);
void kv_clear(struct kv_txn *txn, kv_table table);

/* Walks.  A cursor belongs to its transaction and is closed before it ends. */
struct kv_cursor {
    struct kv_txn *txn;
    void *handle;
    slice key, value; /* borrowed, at the present position */
};
void kv_cursor_open(struct kv_txn *txn, kv_table table, struct kv_cursor *cursor);
void kv_cursor_close(struct kv_cursor *cursor); /* fits CLEANUP */
bool kv_seek(struct kv_cursor *cursor, slice key); /* the first key >= key */
bool kv_seek_last_before(struct kv_cursor *cursor, slice key); /* the last key < key; empty key: the last of all */
bool kv_next(struct kv_cursor *cursor);
bool kv_prev(struct kv_cursor *cursor);
void kv_cursor_put(struct kv_cursor *cursor, slice key, slice value); /* near the position: fast for sorted runs */
void kv_cursor_delete(struct kv_cursor *cursor); /* the present one; then kv_next gives the one behind */

/* Bytes of the file in use, and the map's ceiling. */
uint64_t kv_bytes_used(struct kv *kv);
