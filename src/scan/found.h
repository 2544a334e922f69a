/* What a worker has found in the event at hand. */
#pragma once

#include "scan/detector.h"
#include "scan/program.h"
#include "scan/texts.h"

#define PATH_SEEN_SLOTS 512 /* paths of telemetry, as they are met */
#define PENDING_SLOTS (HITS_OF_EVENT_MAX * 4)
#define PATH_TEXT_BYTES_MAX 512

/* A rule that hits the event, with the observables that say so. */
struct pending {
    uint32_t rule, part; /* part: TARGET_PART and its position, or NONE */
    uint32_t count;
    uint32_t observables[HIT_FIELDS_MAX];
};

struct path_known {
    char text[PATH_TEXT_BYTES_MAX];
    size_t len;
    uint32_t path;
};

struct detector_worker {
    struct ruleset *set; /* held */
    struct program program;
    struct text_scratch *texts; /* owned */
    struct pending *pendings;   /* owned: HITS_OF_EVENT_MAX */
    size_t pending_count;
    uint32_t *slots;   /* owned: PENDING_SLOTS; position + 1 in pendings, by rule or part */
    uint32_t *touched; /* owned: slots in use */
    size_t touched_count;
    uint32_t *parts; /* owned: candidates, each once by the slots */
    size_t part_count, parts_capacity;
    struct path_known *known; /* owned: PATH_SEEN_SLOTS */
    uint32_t observable;      /* being looked up */
    uint64_t dropped;
    bool is_full;
};

struct mark {
    uint32_t rule, number; /* of its observation expression */
    slice line;
    uint64_t line_number, line_offset;
    int64_t time_us;
    bool has_time;
    const struct hit_field *fields;
    size_t field_count;
};
