/* Files that are there whole or not at all: written under another name, made durable, renamed. */
#pragma once

#include "base/result.h"
#include "base/slice.h"

/* Make folder/inner (one level, mode 0700) when it is not there; durable. */
MUST_USE result whole_folder(const char *folder, const char *inner, struct diag *diag);

/* folder/name holds just these bytes when it returns OK, and is as it was when it fails. */
MUST_USE result whole_write(const char *folder, const char *name, slice bytes, struct diag *diag);

/* A file's bytes, mapped: as they were when it was opened, whatever takes its name later. */
struct whole {
    slice bytes;
    void *at; /* owned */
    size_t len;
};
/* ERR_MISSING when there is none, ERR_LIMIT past bytes_max. */
MUST_USE result whole_map(const char *folder, const char *name, size_t bytes_max, struct whole *out,
                          struct diag *diag);
void whole_unmap(struct whole *whole); /* fits CLEANUP */
