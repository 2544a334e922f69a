/* One followed file through its life: opened, read, rotated, truncated, opened again. */
#pragma once

#include "scan/positions.h"

struct follow_file {
    const char *path; /* borrowed; of a folder's file owned by the follow */
    bool is_member;   /* of a folder: it is known by what it is, not by its name */
    bool is_over;     /* a folder's file that went away: its last block is due */
    const struct input_choice *input;
    uint64_t number; /* from 1 */
    int fd;          /* owned; -1: not there */
    struct input_stream *stream;
    uint64_t device, inode;
    uint64_t at;                  /* bytes read of it */
    char head[FOLLOW_HEAD_BYTES]; /* its first bytes, as far as they are there */
    size_t head_bytes;
    uint64_t grown_mono_ns; /* when it last grew */
    bool is_quiet;          /* nothing to read when last tried */
    bool is_rotated;        /* another file has its path */
    bool is_ending;         /* its last line gets an end if it has none */
    bool is_told_missing;
    struct position told; /* guarded by the follow's lock */
    bool has_told;
};

MUST_USE result follow_file_init(struct follow_file *file, const char *path, uint64_t number,
                                 const struct input_choice *input, struct diag *diag);
void follow_file_free(struct follow_file *file);

/* Where it is to begin: at one of these positions if it, or a renamed one beside it, is that file.
 */
MUST_USE result follow_file_start(struct follow_file *file, const struct position *positions,
                                  size_t count, struct diag *diag);

/* The same for a file found in a folder: one that another name led to before is gone on with, and
 * none is looked for under another name. */
MUST_USE result follow_file_join(struct follow_file *file, const struct position *positions,
                                 size_t count, struct diag *diag);

/* Was it rotated, truncated, did it come?  Called when something may have changed. */
MUST_USE result follow_file_look(struct follow_file *file, struct diag *diag);

MUST_USE result follow_file_next(struct follow_file *file, struct input_block *block, bool *found,
                                 struct diag *diag);
/* An empty last block; half a line is left for the next time. */
MUST_USE result follow_file_last(struct follow_file *file, struct input_block *block,
                                 struct diag *diag);
