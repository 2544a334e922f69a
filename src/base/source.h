/* Bytes from a file, a pipe or memory, unpacked on the way (gzip, zstd).
 *
 * What the bytes are is told by their magic numbers, not by the name.  Concatenated
 * gzip members and zstd frames are read through.  A packed stream that ends early
 * fails ERR_INVALID ("ends early"), so a cut file is never taken for a whole one.
 */
#pragma once

#include "base/result.h"
#include "base/slice.h"

struct source;

/* path "-" is standard input.  *out is owned: source_close. */
MUST_USE result source_open(const char *path, struct source **out, struct diag *diag);
MUST_USE result source_of_memory(slice bytes, struct source **out, struct diag *diag); /* borrowed */
void source_close(struct source **source);

/* Up to `room` bytes; *count 0 only at the end. */
MUST_USE result source_read(struct source *source, char *out, size_t room, size_t *count,
                            struct diag *diag);

/* For progress: bytes taken from the file (packed), and its size, 0 when unknown. */
uint64_t source_bytes_taken(const struct source *source);
uint64_t source_bytes_total(const struct source *source);
const char *source_name(const struct source *source);
