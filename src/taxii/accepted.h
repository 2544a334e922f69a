/* Bodies of POSTs that were accepted and are not taken in yet: one file each, in FOLDER/accepted.
 *
 * Who reads 202 may forget what it sent, so that the body is on the disk before the answer goes out
 * and stays there until its objects are in the store.  docs/FORMATS.md has the bytes.
 */
#pragma once

#include "account/account.h"
#include "base/uuid.h"

/* Past either of these no POST is put off until later; one always fits. */
#define ACCEPTED_FILES_MAX 4096
#define ACCEPTED_BYTES_MAX ((size_t)512 << 20)

struct accepted_folder {
    int fd; /* owned */
};

struct accepted_post {
    struct uuid status, collection;
    uint64_t owner; /* status_owner(): whose name it was then */
    char account[ACCOUNT_NAME_BYTES_MAX + 1];
    int64_t requested_us;
    size_t body_bytes;
};

/* A file as it is read; the body is borrowed from it. */
struct accepted_file {
    struct accepted_post post;
    slice body;
    void *map; /* owned */
    size_t map_bytes;
};

/* Made when it is missing. */
MUST_USE result accepted_open(const char *node_folder, struct accepted_folder *out,
                              struct diag *diag);
void accepted_close(struct accepted_folder *folder);

/* Durable when it returns OK, not there at all when it fails: always ERR_IO, the sender is not to
 * blame. */
MUST_USE result accepted_write(const struct accepted_folder *folder,
                               const struct accepted_post *post, slice body, struct diag *diag);

/* ERR_CORRUPT: the file is none of ours, or not whole. */
MUST_USE result accepted_read(const struct accepted_folder *folder, const struct uuid *status,
                              struct accepted_file *out, struct diag *diag);
void accepted_file_end(struct accepted_file *file);

/* What was taken in needs no file.  A failure is logged: the next start takes the body in again and
 * finds all of it there. */
void accepted_remove(const struct accepted_folder *folder, const struct uuid *status);

/* Move a file out of the way, to NAME.broken, and log it: an administrator may want to look. */
void accepted_set_aside(const struct accepted_folder *folder, const struct uuid *status,
                        const char *why);

/* What the last run left, the oldest first; half-written files are removed, foreign ones are set
 * aside.  One that cannot be read just now is logged and left for the next start.  *out is owned:
 * table_free. */
MUST_USE result accepted_list(const struct accepted_folder *folder, struct accepted_post **out,
                              size_t *count, struct diag *diag);
