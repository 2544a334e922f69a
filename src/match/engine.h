/* Many patterns at once: a look-up a value tells which of them can match, and only those are
 * evaluated.
 *
 * Of each pattern a set of exact values is kept of which the data must hold one, or the pattern is
 * false
 * ("a" OR "b": both; "a" AND anything: "a" alone).  A pattern that asks for no exact value in this
 * way is always evaluated.  The look-up errs on one side alone: it may name a pattern that does not
 * match, and never leaves out one that does.
 */
#pragma once

#include "match/eval.h"

#define ENGINE_PATTERNS_MAX ((size_t)1 << 24)
#define ENGINE_VALUES_MAX ((size_t)1 << 26)

struct engine_atom {
    uint64_t hash; /* of a value */
    uint32_t pattern;
};

/* const after engine_build: any number of threads may ask. */
struct engine {
    const struct pattern *patterns; /* borrowed */
    size_t pattern_count;
    const struct engine_atom *atoms; /* sorted */
    size_t atom_count;
    const uint32_t *always; /* patterns without such a set */
    size_t always_count;
};

/* In the arena; the patterns must outlive it.  Fails ERR_LIMIT past the arena or a limit above. */
MUST_USE result engine_build(const struct pattern *patterns, size_t count, struct arena *arena,
                             struct engine *out, struct diag *diag);

/* The patterns that can match, by position, in order. */
MUST_USE result engine_candidates(const struct engine *engine, const struct json_doc *doc,
                                  const struct json_node *root, struct arena *arena,
                                  const uint32_t **out, size_t *count, struct diag *diag);

struct engine_outcome {
    const uint32_t *matched; /* positions, in order; in the arena */
    size_t matched_count;
    size_t evaluated_count;  /* candidates */
    size_t unanswered_count; /* reached a limit of evaluation; not among the matched */
    size_t observation_count;
};

/* scratch is reset for each candidate.  Fails as pattern_eval does, but for its limits: those are
 * counted. */
MUST_USE result engine_match(const struct engine *engine, const struct json_doc *doc,
                             const struct json_node *root, struct arena *arena,
                             struct arena *scratch, struct engine_outcome *out, struct diag *diag);
