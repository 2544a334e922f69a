/* How far files were scanned, kept in a small JSON file that is there whole or not at all. */
#pragma once

#include "scan/follow.h"

/* One file by what it is, not by its name: device, inode and its first bytes. */
struct position {
    char path[INPUT_PATH_BYTES_MAX];
    uint64_t device, inode;
    uint64_t offset, line_number; /* bytes and lines before the next one */
    size_t head_bytes;            /* of its beginning, up to FOLLOW_HEAD_BYTES, in: */
    uint64_t head_hash;
};

uint64_t position_hash(slice head);

/* Up to room positions; a file that is not there holds none.  ERR_INVALID when it is something
 * else. */
MUST_USE result positions_read(const char *path, struct position *out, size_t room, size_t *count,
                               struct diag *diag);
MUST_USE result positions_write(const char *path, const struct position *positions, size_t count,
                                struct diag *diag);
