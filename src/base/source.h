/* Bytes from a file, a pipe or memory, unpacked on the way (gzip, zstd).
 *
 * What the bytes are is told by their magic numbers, not by the name.  Concatenated
 * gzip members and zstd frames are read through.  A packed stream that ends early
 * fails ERR_INVALID ("ends early"), so a cut file is never taken for a whole one.
 */
#pragma once

#include "base/result.h"
#include "base/slice.h"

#include <stdint.h>

struct source;

/* path "-" is standard input; path is borrowed for as long as the source lives, and its name stands
 * before the words of a failure.  *out is owned: source_close.  ERR_MISSING, ERR_DENIED,
 * ERR_INVALID for a folder. */
MUST_USE result source_open(const char *path, struct source **out, struct diag *diag);
MUST_USE result source_of_memory(slice bytes, struct source **out,
                                 struct diag *diag); /* borrowed */

/* Bytes that a function makes: read as source_read is, with the maker's context. */
struct source_maker {
    result (*read)(void *context, char *out, size_t room, size_t *count, struct diag *diag);
    void *context;
    const char *name;            /* borrowed */
    const struct source *behind; /* borrowed: whose progress is told; NULL: none */
};
MUST_USE result source_of_maker(const struct source_maker *maker, struct source **out,
                                struct diag *diag);
void source_close(struct source **source);

/* Up to `room` bytes; *count 0 only at the end.  The words of a failure do not name the source:
 * the caller, who knows where in it he is, puts source_name in front. */
MUST_USE result source_read(struct source *source, char *out, size_t room, size_t *count,
                            struct diag *diag);

/* Give bytes back that were read, to be read again first; borrowed until they are. */
void source_unread(struct source *source, slice bytes);

/* For progress: bytes of the file (packed) that are used up, and its size, 0 when unknown. */
uint64_t source_bytes_taken(const struct source *source);
uint64_t source_bytes_total(const struct source *source);

/* What the next source_read may wait for: a pipe's or terminal's descriptor; -1 when it will not
 * wait for long (a file, memory, packed bytes). */
int source_waits_for(const struct source *source);
const char *source_name(const struct source *source);
