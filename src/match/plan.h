/* A pattern's observation operators, made ready for bind.c: repetitions written out, START and STOP
 * applied, what cannot matter left out.  Children stand before parents, a subtree is one run. */
#pragma once

#include "match/bind.h"

enum plan_kind {
    PLAN_NEED, /* so many observations that fit */
    PLAN_BOTH,
    PLAN_EITHER,
    PLAN_BEFORE, /* FOLLOWEDBY */
    PLAN_WITHIN,
};

struct plan_node {
    enum plan_kind kind;
    uint32_t left, right;
    uint32_t first;          /* of the run that is its subtree */
    uint64_t demand;         /* of a need */
    uint8_t *fits;           /* of a need: per observation */
    struct timestamp window; /* of WITHIN */
};

struct plan {
    const struct observed *observed;
    struct plan_node *nodes; /* the root is the last */
    size_t count, capacity;
};

MUST_USE result plan_build(const struct pattern *pattern, const struct observed *observed,
                           uint8_t *fits, struct arena *arena, struct plan *out, struct diag *diag);
