/* The observation operators: are there different observations, one for each observation expression,
 * that stand to each other as the pattern asks?  Serves STIX 2.1, 9.5.
 *
 * Each expression fits some observations.  REPEATS is "AND itself" so many times, START and STOP
 * leave out observations, and the two that compare times are turned into bounds each expression can
 * be held against alone:
 *
 *   a FOLLOWEDBY b    there is a moment that every observation of a has begun by, and none of b has
 *                     ended before; the beginning of one of a's observations is such a moment
 *   a WITHIN n        there is a moment such that every observation of a ends at or after it, and
 * begins less than n seconds after it; the end of one of a's is such a moment
 *
 * So the search tries those moments, and sides of OR, one after the other.  What is then left is to
 * give every expression its own observations, which is a flow and not a search: an observed-data
 * holds number_observed observations, an expression wants as many as it is repeated.
 */
#pragma once

#include "match/observed.h"
#include "stix/pattern.h"

#define BIND_PARTS_MAX 4096 /* of a pattern with its repetitions written out */
#define BIND_FLOW_CELLS_MAX ((size_t)4 * 1000000) /* expressions times observed-data */

/* fits: for the k-th PATTERN_OBSERVATION of the pattern and observation o, fits[k * count + o].
 * Changed by the call.  Fails ERR_LIMIT when *steps would pass steps_most, or past a limit above.
 */
MUST_USE result bind_search(const struct pattern *pattern, const struct observed *observed,
                            uint8_t *fits, struct arena *arena, uint64_t *steps,
                            uint64_t steps_most, bool *out, struct diag *diag);
