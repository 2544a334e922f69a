/* Input: what is scanned, in blocks of whole lines.
 *
 * A stream is one file, pipe or connection from its first byte on; a block is a run of its lines,
 * large enough that what happens once a block costs nothing and small enough to stay in a core's
 * cache from the read to the last look.  Where lines end is found once, here: a block never begins
 * or ends within a line (of CSV: within a record).
 *
 * input_files gives the blocks of files one after another; input_follow those of files that grow
 * and of connections, as they come.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "telemetry/telemetry.h"

#define INPUT_BLOCK_BYTES ((size_t)512 << 10)
#define INPUT_LINE_BYTES_MAX TELEMETRY_LINE_BYTES_MAX /* a longer line is passed over and told */
#define INPUT_PADDING 64                              /* readable bytes behind a block */
#define INPUT_HEADER_BYTES_MAX ((size_t)1 << 20)
#define INPUT_FILES_MAX ((size_t)4 << 20) /* named and in folders */
#define INPUT_PATH_BYTES_MAX 4096

/* What is told of an input that goes on all the same. */
enum input_trouble {
    INPUT_LOST,   /* cannot be opened or read on: an error */
    INPUT_LONG,   /* a line over INPUT_LINE_BYTES_MAX was passed over */
    INPUT_NOTICE, /* rotated, truncated, a connection came or went */
};

struct input_choice {
    const char *format;              /* NULL: each stream's is recognised by its first lines */
    const struct telemetry_map *map; /* borrowed, or NULL */
    /* name: of the stream; line: 0 when the words are of no line.  From one thread at a time. */
    void (*report)(void *context, enum input_trouble trouble, const char *name, uint64_t line,
                   const char *words);
    /* The stream ends or is dropped: its `context` goes with it.  May be NULL. */
    void (*forget)(void *stream_context);
    void *context; /* of report */
};

/* One file, pipe or connection.  Lives until its last holder lets it go. */
struct input_stream {
    char *name;    /* owned, NUL-terminated; const */
    void *context; /* of the stage that gives blocks on */
    /* ---- of the taker ---- */
    slice format;                      /* "" before its first block */
    bool is_csv, is_table;             /* is_table: lines before a block say what its columns are */
    const struct input_choice *choice; /* borrowed */
    uint64_t line_number, offset;      /* of the next block: lines before it, bytes before it */
    struct buf carry;                  /* owned: the line at the front of the next block */
    struct buf header;                 /* owned: header lines in force behind the last block */
    uint64_t header_id;                /* of that header, unique; 0: none */
    size_t block_bytes, line_bytes_max;
    bool is_skipping; /* within a line over the limit */
    bool is_begun;    /* a block was made */
    bool is_ended;
    uint32_t holders; /* atomic */
};

/* Which file a block is of; of followed files alone. */
struct input_place {
    uint64_t file; /* its number, from 1; 0: none */
    uint64_t device, inode, head_hash;
    size_t head_bytes;
};

/* Reused again and again; {0} at first. */
struct input_block {
    slice bytes;          /* INPUT_PADDING more can be read; the last line may lack its end */
    uint64_t line_number; /* of its first line, from 1 */
    uint64_t line_count;
    uint64_t offset;             /* of bytes in the stream (unpacked) */
    struct input_stream *stream; /* held */
    bool is_last;                /* of its stream; bytes may be empty */
    /* Tables: the header lines in force at its start, and the numbers that tell two headers apart,
     * at its start and behind it. */
    slice header;
    uint64_t header_before, header_after;
    slice format; /* static text, or the map's name */
    bool is_csv;
    struct input_place place;
    /* ---- owned by the block ---- */
    struct buf held, header_held;
};

void input_block_free(struct input_block *block);

/* Where a stream's bytes come from. */
enum input_state {
    INPUT_MORE, /* there may be more at once */
    INPUT_WAIT, /* none now: what is whole goes on */
    INPUT_END,
};
struct input_pull {
    /* Up to room bytes, room > 0; *count 0 with INPUT_WAIT or INPUT_END. */
    result (*read)(void *context, char *out, size_t room, size_t *count, enum input_state *state,
                   struct diag *diag);
    void *context;
};

/* name: copied.  choice: borrowed.  *out has one holder. */
MUST_USE result input_stream_new(const char *name, const struct input_choice *choice,
                                 struct input_stream **out, struct diag *diag);
void input_stream_release(struct input_stream **stream);

/* The next block; *found false when no whole line is there yet.  After a block that is_last there
 * is none.  A failure to read comes with what was whole before it given first. */
MUST_USE result input_fill(struct input_stream *stream, const struct input_pull *pull,
                           struct input_block *block, bool *found, struct diag *diag);

/* Forget everything but the name: what comes is the beginning of another file. */
void input_stream_restart(struct input_stream *stream);
/* Go on within a file; head: its beginning, which tells the format and a table's columns. */
void input_stream_resume(struct input_stream *stream, slice head, uint64_t offset,
                         uint64_t line_number);

size_t input_count_lines(slice bytes);
