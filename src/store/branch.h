/* Ways to walk additions in ascending order, and the union of several. */
#pragma once

#include "store/ids.h"
#include "store/postings.h"

enum branch_kind {
    BRANCH_POSTING, /* of a term */
    BRANCH_VERSION, /* of one version */
    BRANCH_SEQS,    /* a sorted list */
    BRANCH_BITS,    /* a set over all additions */
};

struct branch {
    enum branch_kind kind;
    uint64_t seq; /* where it stands; SEQ_NONE at the end */
    union {
        struct posting_walk posting;
        struct {
            struct kv_cursor cursor;
            uint64_t us;
            uint32_t rest;
        } version;
        struct {
            const uint64_t *at; /* in the arena */
            size_t count, next;
        } seqs;
        struct {
            const uint64_t *words; /* in the arena */
            uint64_t end;
        } bits;
    };
};

/* Additions that any of its branches has: one filter of a query. */
struct branches {
    struct branch *at; /* in the arena */
    size_t count, capacity;
};

/* NULL: past the arena's budget, or more than announced. */
struct branch *branch_new(struct branches *branches, enum branch_kind kind);

/* Once it is filled in: to its first addition. */
void branch_start(struct branch *branch);

/* The first at or behind target; only forward. */
uint64_t branches_seek(struct branches *branches, uint64_t target);
/* Is it in?  In any order. */
bool branches_contain(struct branches *branches, uint64_t seq);
void branches_close(struct branches *branches);
