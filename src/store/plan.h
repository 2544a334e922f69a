/* A query made ready: what to walk, what to test. */
#pragma once

#include "store/branch.h"
#include "store/object_open.h"

#define PLAN_FILTERS_MAX 256
#define WORD_PARTS_MAX 32

/* A word of a query that is found as several in a row, or the beginning of one. */
struct phrase {
    slice parts[WORD_PARTS_MAX]; /* in the arena */
    size_t count;
    bool is_prefix; /* the last is the beginning of a word */
};

struct plan {
    struct store_view *view;         /* borrowed */
    const struct store_query *query; /* borrowed */
    struct arena *arena;             /* borrowed */
    struct branches *filters;        /* in the arena; NULL: none */
    size_t filter_count;
    struct phrase *phrases; /* in the arena: to be looked for in the text */
    size_t phrase_count;
    struct run_walk runs;
    struct dead_cache dead;
    struct opener *opener; /* in the arena; NULL until an object must be read */
    result opener_state;   /* why there is none, when one was needed */
    bool is_open;
    bool matches_nothing;
    bool specs_mixed; /* which specification a version is in decides on others */
    bool is_plain;    /* a collection's additions, whatever they are, as long as none is dead */
    bool wants_last, wants_first, wants_all;
    uint64_t seq_from;
    struct diag *diag; /* borrowed */
};

MUST_USE result plan_open(struct plan *plan, struct store_view *view,
                          const struct store_query *query, struct arena *arena, struct diag *diag);
void plan_close(struct plan *plan); /* fits CLEANUP */

/* The next addition at or behind seq that the query asks for; SEQ_NONE at the end. */
uint64_t plan_next(struct plan *plan, uint64_t seq);
/* How far the query asks for every addition from seq on, which it asks for. */
uint64_t plan_stretch(struct plan *plan, uint64_t seq);
/* Is this one asked for? */
bool plan_accepts(struct plan *plan, uint64_t seq);
