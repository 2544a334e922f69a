/* Patterns against observed data, slowly and plainly: the oracle of the engine and the body of
 * `entente pattern test`.  Serves STIX 2.1 section 9. */
#pragma once

#include "stix/pattern.h"

/* bundle: observed-data objects and what they refer to (2.1), or observed-data with embedded objects
 * (2.0).  ERR_LIMIT when the search would pass EVAL_STEPS_MAX. */
#define EVAL_STEPS_MAX 200000000u
MUST_USE result pattern_eval(const struct pattern *pattern, const struct json_doc *bundle, struct arena *arena,
                             bool *matched, struct diag *diag);
