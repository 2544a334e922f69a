/* Patterns against observed data, slowly and plainly: the oracle of the engine and the body of
 * `entente pattern test`.  Serves STIX 2.1 section 9. */
#pragma once

#include "stix/pattern.h"
#include "json/json.h"

#define EVAL_STEPS_MAX 200000000u
#define EVAL_CELLS_MAX ((size_t)1 << 26) /* observation expressions times observed-data */

struct eval_outcome {
    bool matched;
    size_t observation_count; /* observed-data that were asked */
    uint64_t regex_gave_up; /* searches that reached a limit of match/regex.h, and did not match */
};

/* root: a bundle of observed-data and what they refer to (2.1), observed-data with the objects
 * inside (2.0), or an array of those.  The arena is used for working memory.
 *
 * Fails ERR_INVALID when the data lacks a time or an expression of MATCHES does not compile (ask
 * regex_check first), ERR_LIMIT when the search would pass EVAL_STEPS_MAX. */
MUST_USE result pattern_eval(const struct pattern *pattern, const struct json_doc *doc,
                             const struct json_node *root, struct arena *arena,
                             struct eval_outcome *out, struct diag *diag);
