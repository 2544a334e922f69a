/* The store's own files: the directory of records and the segments of object text.
 *
 * Both are mapped once, further than they reach, so that growth by this or another process is
 * seen without a new map and no slice handed out ever moves.  Nothing past what a transaction
 * has named is read.  One appender at a time writes behind the named end.
 */
#pragma once

#include "base/buf.h"
#include "store/record.h"

#include <pthread.h>
#include <stdatomic.h>

#define SEGMENT_BYTES ((uint64_t)256 << 20)
#define SEGMENTS_MAX 16384                          /* 4 TiB of text */
#define ADDITIONS_MAX ((uint64_t)780 * 1000 * 1000) /* what the directory's map covers */

struct store_files {
    int folder_fd, segments_fd, directory_fd;
    const uint8_t *directory; /* mapped */
    pthread_mutex_t guard;    /* of mapping one more segment */
    _Atomic(const char *) segments[SEGMENTS_MAX];
};

MUST_USE result files_open(struct store_files *files, const char *folder, bool create,
                           struct diag *diag);
void files_close(struct store_files *files);

/* Are the files as long as what was named?  ERR_CORRUPT says which is not: reading would end the
 * process (SIGBUS). */
MUST_USE result files_check(struct store_files *files, uint64_t additions, uint64_t text_end,
                            struct diag *diag);

static inline const uint8_t *files_record(const struct store_files *files, uint64_t seq)
{
    return files->directory + seq * RECORD_BYTES;
}

/* Named text; {NULL, 0} when its segment cannot be mapped. */
slice files_text(struct store_files *files, uint64_t at, size_t bytes);
/* The pages of texts in [at, end) and of records in [seq, seq_end) need not stay in memory. */
void files_pass(struct store_files *files, uint64_t at, uint64_t end, uint64_t seq,
                uint64_t seq_end);

/* Give the bytes of a removed text back: overwritten with spaces, then whole pages punched out. */
MUST_USE result files_punch(struct store_files *files, uint64_t at, size_t bytes,
                            struct diag *diag);

/* Cut both files behind what was named. */
MUST_USE result files_cut(struct store_files *files, uint64_t additions, uint64_t text_end,
                          struct diag *diag);

/* Writes behind the named end; sticky: after its first failure it does nothing. */
struct appender {
    struct store_files *files;
    struct diag *diag; /* borrowed */
    result state;
    uint64_t text_end;            /* behind the last text */
    uint64_t additions;           /* records there are */
    int segment_fd;               /* of text_end's segment; -1: not open */
    uint64_t segment;             /* its number */
    bool made_segment;            /* the folder must be made durable too */
    struct buf text, records;     /* owned: not written yet */
    uint64_t text_at;             /* where text goes */
    uint64_t record_at;           /* number of the first record in `records` */
    uint64_t allocated, reserved; /* of the segment and the directory: bytes set aside */
};

void appender_begin(struct appender *appender, struct store_files *files, uint64_t additions,
                    uint64_t text_end, struct diag *diag);
/* Where the text stands now; record->text_at and text_bytes are set. */
void appender_text(struct appender *appender, slice text, struct record *record);
void appender_record(struct appender *appender, const struct record *record);
/* The record of an addition that may not be written yet. */
const uint8_t *appender_record_at(const struct appender *appender, uint64_t seq);
/* Write out what is buffered; durable when sync. */
MUST_USE result appender_flush(struct appender *appender, bool sync);
void appender_end(struct appender *appender); /* fits CLEANUP */
