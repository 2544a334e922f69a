/* What partners say to each other: batches of a feed, and the receipts for them (docs/FORMATS.md).
 *
 * Both are JSON.  A batch names the way of its objects, the root of a Merkle tree over its items,
 * and is signed by its provider; a receipt names the root and is signed by the recipient.
 */
#pragma once

#include "base/crypto.h"
#include "gate/origin.h"
#include "json/write.h"

#define SYNC_BATCH_BYTES_MAX ((size_t)64 << 20) /* unpacked */
#define SYNC_BATCH_ITEMS_MAX 10000
#define SYNC_WAYS_MAX 256
#define SYNC_RECEIPT_BYTES_MAX ((size_t)48 << 10) /* it fits into an entry of the log */
#define SYNC_RESULTS_MAX 200                      /* that a receipt names; the rest is a count */
#define SYNC_DEPTH_MAX 300
#define SYNC_REASON_BYTES_MAX 160
#define SYNC_CURSOR_BYTES_MAX 48

/* A place in a provider's feed: an entry of its log, and how far in it.  All in front was had. */
struct sync_cursor {
    uint64_t entry, index;
};
bool sync_cursor_parse(slice text, struct sync_cursor *out);
slice sync_cursor_format(struct sync_cursor cursor, char out[SYNC_CURSOR_BYTES_MAX]);
int sync_cursor_cmp(struct sync_cursor a, struct sync_cursor b);

enum sync_kind { SYNC_ITEM_OBJECT, SYNC_ITEM_AGREEMENT, SYNC_ITEM_STATE, SYNC_ITEM_RECALL };

/* ---- a batch being written ---- */

struct batch_writer {
    struct buf ways, items;
    struct json_writer way_writer, item_writer;
    size_t last_way_at; /* in `ways` */
    size_t way_count, item_count, object_count;
    struct hash256 *leaves; /* owned */
    size_t leaf_room;
};
MUST_USE result batch_begin(struct batch_writer *batch, struct diag *diag);
void batch_free(struct batch_writer *batch); /* fits CLEANUP */
/* way: JSON of the object's.  False: no room, which ends the batch. */
bool batch_object(struct batch_writer *batch, slice way, slice object);
/* An item of another kind: its JSON, with "kind". */
bool batch_item(struct batch_writer *batch, slice item);
size_t batch_bytes(const struct batch_writer *batch);
struct hash256 batch_root(const struct batch_writer *batch);

/* Who says it to whom, and what of the feed it is. */
struct batch_head {
    slice from, to;
    struct sync_cursor after, next;
    struct hash256 root;
    size_t count;     /* of items */
    slice checkpoint; /* the provider's last head, a signed note; empty: none */
};
void batch_write(const struct batch_writer *batch, const struct batch_head *head,
                 const uint8_t seed[ED25519_SEED_BYTES], struct buf *out);

/* ---- a batch that came ---- */

struct batch_item {
    enum sync_kind kind;
    struct value value;
    size_t way;   /* of an object */
    slice object; /* its text */
};

struct batch {
    struct json_doc doc;
    struct batch_head head;
    const struct way *ways;
    size_t way_count;
    const struct batch_item *items;
};

/* Read and verify: its form, its root, its signature by this key.  ERR_INVALID: it is no batch;
 * ERR_CORRUPT: other items than its root says, or not signed by the key; ERR_LIMIT. */
MUST_USE result batch_read(struct json_parser *parser, slice text,
                           const uint8_t key[ED25519_PUBLIC_BYTES], struct arena *arena,
                           struct batch *out, struct diag *diag);

/* ---- receipts ---- */

struct sync_result {
    uint64_t index; /* of the item */
    slice outcome;  /* "refused", "removed", "marked", "kept" */
    slice id, reason;
};

struct receipt {
    slice from, to; /* from: who took it in */
    struct sync_cursor after, next;
    struct hash256 root;
    uint64_t count, taken, held, refused; /* items; objects that were new, held, refused */
    const struct sync_result *results;
    size_t result_count;
    slice at;
};

/* Appends it, signed by this key. */
MUST_USE result receipt_write(const struct receipt *receipt, const uint8_t seed[ED25519_SEED_BYTES],
                              struct buf *out, struct diag *diag);
/* ERR_INVALID: it is no receipt; ERR_CORRUPT: it is not signed by this key. */
MUST_USE result receipt_read(struct json_parser *parser, slice text,
                             const uint8_t key[ED25519_PUBLIC_BYTES], struct arena *arena,
                             struct receipt *out, struct diag *diag);
