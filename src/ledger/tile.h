/* Tiles and entry bundles (C2SP tlog-tiles, height 8): the ledger as static files, over HTTP or in
 * a folder. */
#pragma once

#include "ledger/head.h"

#define TILE_WIDTH 256
#define TILE_PATH_BYTES_MAX 96

struct tile {
    bool is_entries;
    unsigned level;
    uint64_t index;
    unsigned width; /* TILE_WIDTH: whole */
};

/* "tile/0/x001/067.p/5", "tile/entries/000". */
bool tile_path_parse(slice path, struct tile *out);
size_t tile_path_write(const struct tile *tile, char out[TILE_PATH_BYTES_MAX]);

/* Does a tree of this size have it? */
bool tile_is_in(const struct tile *tile, uint64_t size);
/* Failures stay in the transaction. */
void tile_write(struct kv_txn *txn, kv_table log, const struct tile *tile, struct buf *out);

/* Write all that a verifier needs into a folder: whole tiles that are there are left as they are,
 * the checkpoint comes last, so that a reader finds what any checkpoint asks for. */
struct tile_export {
    uint64_t size, written, kept; /* entries; files */
};
MUST_USE result tile_export(const struct ledger *ledger, const char *folder,
                            struct tile_export *out, struct diag *diag);
