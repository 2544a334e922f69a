/* Objects of a stream, checked by several threads, handed on in input order.
 *
 * A window of the stream is a batch.  Whoever is free fetches the next window or checks one that
 * was fetched; the caller takes checked batches in order.  A stream of one window starts no thread.
 */
#pragma once

#include "store/check.h"
#include "store/store.h"
#include "json/stream.h"

struct batch {
    result state; /* of the fetch; its words in diag */
    struct diag diag;
    bool is_last; /* nothing in it and nothing behind it */
    size_t count;
    uint64_t first_index;
    uint64_t bytes_taken; /* of the source, when it was fetched */
    const struct checked *objects;
    const uint64_t *offsets;
    struct buf texts, terms; /* owned: minified objects, their terms */
    struct arena arena;      /* owned */
    struct buf raw;          /* owned: the window's text */
    slice *inputs;           /* in the arena */
};

struct pipeline;

MUST_USE result pipeline_open(struct source *source, const struct import_options *options,
                              uint64_t seed, struct pipeline **out, struct diag *diag);
/* The next batch, borrowed until the next call. */
const struct batch *pipeline_next(struct pipeline *pipeline);
void pipeline_close(struct pipeline **pipeline); /* fits CLEANUP */
