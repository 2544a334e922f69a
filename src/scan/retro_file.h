/* One hour's file: docs/FORMATS.md has its bytes. */
#pragma once

#include "base/buf.h"
#include "scan/retro.h"
#include "scan/whole.h"

#define RETRO_NAME_BYTES 24 /* "2026-11-23T22.hour" */

struct retro_entry {
    slice path, value;
    uint16_t first_s, last_s; /* within the hour */
};

int retro_entry_order(const struct retro_entry *a, const struct retro_entry *b);

void retro_name(int64_t hour, char out[RETRO_NAME_BYTES]);
bool retro_name_read(slice name, int64_t *hour);

/* ---- writing: entries come in order, each (path, value) once ---- */

struct retro_writer {
    struct buf blocks, index, paths, keys; /* owned */
    int64_t hour;
    uint64_t count;
    uint32_t path_count, block_count;
    uint64_t key_count;
    char path[512], value[RETRO_VALUE_BYTES_MAX]; /* of the entry before */
    size_t path_bytes, value_bytes;
    uint64_t block_at;
    uint32_t block_entries;
};

void retro_writer_begin(struct retro_writer *writer, int64_t hour);
void retro_writer_put(struct retro_writer *writer, const struct retro_entry *entry);
/* The whole file's bytes; ERR_LIMIT past RETRO_FILE_BYTES_MAX. */
MUST_USE result retro_writer_end(struct retro_writer *writer, struct buf *out, struct diag *diag);
void retro_writer_free(struct retro_writer *writer);

/* ---- reading ---- */

struct retro_reader {
    struct whole file; /* owned */
    char name[RETRO_NAME_BYTES];
    int64_t hour;
    uint64_t count;
    slice filter; /* whole pages */
    slice index;  /* of blocks */
    slice bytes;  /* of all blocks */
    slice *paths; /* in the arena */
    uint32_t path_count, block_count;
    struct arena arena; /* owned */
    /* the walk */
    uint32_t block;
    uint32_t left; /* entries of the block */
    struct reader in;
    char value[RETRO_VALUE_BYTES_MAX];
    size_t value_bytes;
};

/* ERR_CORRUPT "retro/2026-11-23T22.hour: ..." */
MUST_USE result retro_reader_open(const char *folder, int64_t hour, struct retro_reader *out,
                                  struct diag *diag);
void retro_reader_close(struct retro_reader *reader); /* fits CLEANUP */
/* Is the value, or a name below it, among the hour's?  Never false when it is. */
MUST_USE result retro_reader_may_hold(const struct retro_reader *reader, slice value, bool *may,
                                      struct diag *diag);
/* The next entry, borrowed until the next call. */
MUST_USE result retro_reader_next(struct retro_reader *reader, struct retro_entry *out,
                                  bool *is_end, struct diag *diag);
