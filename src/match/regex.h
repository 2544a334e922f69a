/* Regular expressions of MATCHES: PCRE2 behind one file.
 *
 * As STIX 2.1, 9.6.1 asks: search, DOTALL, Unicode for text, octets for binary properties.  A match
 * is bounded in steps and in memory; an expression that reaches a bound has not matched, and says
 * so.
 */
#pragma once

#include "base/result.h"
#include "base/slice.h"
#include "stix/pattern.h"

#define REGEX_STEPS_MAX 2000000u /* of one search */
#define REGEX_DEPTH_MAX 20000u   /* of backtracking within it */
#define REGEX_HEAP_KIB_MAX 32768u

struct regex {
    void *code, *match, *limits; /* owned; of the library */
};

/* is_octets: subjects are bytes, one "." is one of them.  *out is owned: regex_free.
 * Fails ERR_INVALID with what is wrong and the offset in the expression. */
MUST_USE result regex_compile(slice expression, bool is_octets, struct regex *out,
                              struct diag *diag);
void regex_free(struct regex *regex);

enum regex_answer { REGEX_NO, REGEX_YES, REGEX_GAVE_UP };

/* Text subjects are UTF-8 and in normal form C already. */
enum regex_answer regex_search(const struct regex *regex, slice subject);

/* Does every MATCHES of the pattern hold an expression that compiles?  ERR_INVALID with the place
 * of the comparison in the pattern and the library's words, as pattern_parse has them.  error may
 * be NULL. */
MUST_USE result regex_check(const struct pattern *pattern, struct pattern_error *error,
                            struct diag *diag);
