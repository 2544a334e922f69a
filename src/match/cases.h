/* Reference cases: one JSON object a line, a pattern and, in most, observations to hold it against.
 *
 *     {"id": "own-0001", "pattern": "[a:b = 1]", "stix_version": "2.1", "observations": [...]}
 *
 * Without observations the question is whether the pattern is one; with them, whether it matches.
 */
#pragma once

#include "stix/pattern.h"
#include "json/json.h"

#define CASE_BYTES_MAX ((size_t)64 << 20)
#define CASE_ARENA_BYTES_MAX ((size_t)512 << 20)

enum case_verdict { CASE_VALID, CASE_INVALID, CASE_MATCH, CASE_NO_MATCH };

const char *
case_verdict_name(enum case_verdict verdict); /* "valid", "invalid", "match", "nomatch" */

struct case_answer {
    slice id; /* in the arena, or borrowed from doc */
    enum case_verdict verdict;
    bool is_limited; /* a limit was reached: CASE_NO_MATCH for want of an answer; words in diag */
};

/* A constant that is not valid leaves a pattern well-formed, but it cannot be run: with
 * observations the verdict is CASE_INVALID.  Words on why go into *diag with CASE_INVALID too.
 * Fails ERR_INVALID when the line is no case at all. */
MUST_USE result case_answer(const struct json_doc *doc, enum stix_spec spec_default,
                            struct arena *arena, struct case_answer *out, struct diag *diag);
