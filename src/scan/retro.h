/* The record: which observables were seen in each hour, so that a new indicator is asked of the
 * past.
 *
 * An hour is one file of the node's folder `retro`: the distinct (path, value) pairs in order, each
 * with its first and last second, behind a filter that says quickly when a value is not among them.
 * A file is written whole or not at all and every part of it is checked before it is believed.  The
 * files together keep to a share of the disk: the oldest hours go first, and that is told.
 *
 * The record knows values, not events: a rule that needs several of them in one event is not
 * answered by it.
 */
#pragma once

#include "scan/detector.h"

#define RETRO_FOLDER "retro"
#define RETRO_VALUE_BYTES_MAX 2048 /* longer values are not recorded */
#define RETRO_PATHS_MAX 4096
#define RETRO_MEMORY_BYTES_MAX ((size_t)96 << 20) /* before it is written to the hours' files */
#define RETRO_ENTRIES_MAX ((size_t)1 << 20)       /* likewise */
#define RETRO_FLUSH_S 60
#define RETRO_FILE_BYTES_MAX ((size_t)2 << 30)
#define RETRO_HOURS_MAX 1000000 /* files in the folder */

struct retro_place {
    const char *folder; /* the node's; borrowed */
    uint64_t share_bytes;
};

/* ---- recording; any thread ---- */

struct retro;

MUST_USE result retro_open(const struct retro_place *place, struct retro **out, struct diag *diag);
void retro_close(struct retro **retro); /* what was not flushed is lost */

/* Values of an event, under the hour of its time, or of now without one. */
void retro_take(struct retro *retro, const struct telemetry_event *event);
/* To the files, durable.  Fails ERR_IO when the disk is full; what was taken is kept for the next
 * time, as far as memory goes, and what was lost is in the words. */
MUST_USE result retro_flush(struct retro *retro, struct diag *diag);
/* The same when it is time for it. */
MUST_USE result retro_flush_due(struct retro *retro, struct diag *diag);

/* ---- asking ---- */

struct retro_question {
    const struct ruleset *set;
    bool has_since;
    int64_t since_us;
    /* Each rule that a value of an hour fits.  hit->line is a digest of hour, path and value, the
     * same whenever it is asked; hit->time_us the first second. */
    void (*hit)(void *context, const struct rule *rule, const struct hit *hit);
    /* An hour that cannot be read, and why; the rest is asked all the same.  May be NULL. */
    void (*broken)(void *context, const struct diag *why);
    void *context;
};

struct retro_answer {
    size_t hour_count, skipped_count; /* skipped: by their filters */
    size_t broken_count;
    uint64_t hits;
    size_t several_count;     /* rules that need several values of one event, or several events */
    int64_t first_us, end_us; /* of the record: its first hour, and the end of its last; 0: empty */
};

MUST_USE result retro_ask(const struct retro_place *place, const struct retro_question *question,
                          struct retro_answer *out, struct diag *diag);
