/* A block of telemetry asked of a ruleset: the reader of the
 * block's format reads its lines, the detector evaluates.
 *
 * A scanner is const once made and shared; each thread has a worker, which keeps a reader for every
 * format it meets.
 */
#pragma once

#include "scan/detector.h"
#include "scan/input.h"

struct scanner;

struct scanner_choice {
    const struct telemetry_map *map; /* borrowed, or NULL: the block's format says */
    int64_t now_us;                  /* for dates without a year */
    bool is_slow;                    /* every line is read: what the sieve is compared with */
    /* Of each event that is read, from any thread; may be NULL.  With is_slow: of all. */
    void (*event)(void *context, const struct telemetry_event *event);
    void *event_context;
};

/* Holds the ruleset. */
MUST_USE result scanner_new(const struct ruleset *set, const struct scanner_choice *choice,
                            struct scanner **out, struct diag *diag);
void scanner_free(struct scanner **scanner);

struct scanner_worker;
/* The scanner must outlive it. */
MUST_USE result scanner_worker_new(struct scanner *scanner, struct scanner_worker **out,
                                   struct diag *diag);
void scanner_worker_free(struct scanner_worker **worker);

/* Adds to out.  Pure but for the worker: blocks in any order. */
MUST_USE result scanner_block(struct scanner_worker *worker, const struct input_block *block,
                              struct block_hits *out, struct diag *diag);
