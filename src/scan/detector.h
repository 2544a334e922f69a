/* Events asked of a ruleset.
 *
 * detector_block is pure: any number of workers, each with blocks of its own, in any order.  What
 * it finds goes through detector_settle, block after block in the order of the input, where the
 * rules that need several events have their memory.
 *
 *     for each block, any thread:  detector_block(worker, &block, &found, diag)
 *     in input order, one thread:  detector_settle(state, &found, diag); use found.hits
 */
#pragma once

#include "scan/rules.h"
#include "telemetry/telemetry.h"

#define HITS_OF_EVENT_MAX 4096 /* more are counted, not given */
#define BLOCK_HITS_BYTES_MAX ((size_t)1 << 30)
#define HIT_FIELDS_MAX 16                   /* of one hit */
#define STATE_BYTES_MAX ((size_t)256 << 20) /* of all rules that wait for more events */
#define STATE_EVENTS_MAX 256 /* events, or runs of alike ones, that one rule remembers */

struct hit_field {
    slice path, field, value; /* copied */
    size_t offset;            /* of the value in the line */
};

/* An event that a hit of several events needed, besides the one that completed it. */
struct hit_event {
    uint64_t line_number, line_offset;
    int64_t time_us;
};

/* Lives as long as its block_hits is not reset; line is borrowed from the block. */
struct hit {
    uint32_t rule; /* ruleset_rule */
    slice line;
    uint64_t line_number, line_offset; /* in the stream, from 1 and from 0 */
    bool has_time;
    int64_t time_us;
    const struct hit_field *fields; /* may be none: NOT, a comparison of absence */
    size_t field_count;
    const struct hit_event *events; /* of a temporal rule: earlier ones, in order; else none */
    size_t event_count;
};

struct block_counts {
    uint64_t lines;   /* given to telemetry_read */
    uint64_t broken;  /* that could not be read */
    uint64_t checked; /* rules evaluated because a guard was there */
    uint64_t dropped; /* hits over HITS_OF_EVENT_MAX or BLOCK_HITS_BYTES_MAX */
    uint64_t gave_up; /* regular expressions that reached a limit */
};

struct mark; /* an event that fits one part of a temporal rule; detector.c's business */

struct block_hits {
    struct arena arena; /* owned */
    struct hit *hits;   /* owned; by line */
    size_t count, capacity;
    struct mark *marks; /* owned */
    size_t mark_count, mark_capacity;
    struct block_counts counts;
    /* Of each line that cannot be read; set by the caller before detector_block, may be NULL. */
    void (*report)(void *context, uint64_t line_number, const struct diag *why);
    void *context;
};

void block_hits_init(struct block_hits *hits);
void block_hits_reset(struct block_hits *hits); /* empty, memory kept; report stays */
void block_hits_free(struct block_hits *hits);

/* One thread's. */
struct detector_worker;
/* The worker holds the ruleset. */
MUST_USE result detector_worker_new(const struct ruleset *set, struct detector_worker **out,
                                    struct diag *diag);
void detector_worker_free(struct detector_worker **worker);

/* A run of whole lines of one input. */
struct detector_block {
    slice bytes;          /* the last line may lack its end */
    uint64_t line_number; /* of the first line, from 1 */
    uint64_t offset;      /* of bytes in the stream */
    /* Where the lines start that the sieve let through, in order; NULL: every line is read. */
    const uint32_t *lines;
    size_t line_count;
    struct telemetry_reader *reader; /* borrowed; of this stream and this thread */
    bool is_csv;                     /* records may go on over lines */
    /* Of each event that is read and holds an observable; may be NULL. */
    void (*event)(void *context, const struct telemetry_event *event);
    void *event_context;
};

/* Adds to out.  Fails ERR_LIMIT when memory is out. */
MUST_USE result detector_block(struct detector_worker *worker, const struct detector_block *block,
                               struct block_hits *out, struct diag *diag);
/* The same for an event that was read already; its line must live as long as out. */
MUST_USE result detector_event(struct detector_worker *worker, const struct telemetry_event *event,
                               struct block_hits *out, struct diag *diag);

/* What temporal rules remember of one stream, or of several that are one (the caller's choice). */
struct detector_state;

struct state_counts {
    uint64_t marks;      /* taken in */
    uint64_t remembered; /* held now */
    uint64_t bytes;      /* of them */
    uint64_t forgotten;  /* out of every window: no match can need them */
    uint64_t evicted;    /* over STATE_EVENTS_MAX or STATE_BYTES_MAX: a match may be missed */
};

/* The state holds the ruleset.  now_us: the time of events without one. */
MUST_USE result detector_state_new(const struct ruleset *set, int64_t now_us,
                                   struct detector_state **out, struct diag *diag);
void detector_state_free(struct detector_state **state);

/* Adds the hits of temporal rules, in line order; marks are used up.  Blocks come in the order of
 * the stream. */
MUST_USE result detector_settle(struct detector_state *state, struct block_hits *hits,
                                struct diag *diag);
const struct state_counts *detector_state_counts(const struct detector_state *state);
