/* Many expressions asked of a value at once: Vectorscan behind one file.
 *
 * It errs on one side alone: it may name an expression that does not match, and never leaves out
 * one that match/regex.h or a search for the literal would find.  What the library cannot do goes
 * to a slow list, whose expressions are named for every value.
 */
#pragma once

#include "base/result.h"
#include "base/slice.h"

#define MULTI_EXPRESSIONS_MAX ((size_t)1 << 24)
#define MULTI_EXPRESSION_BYTES_MAX 2048u /* longer ones are slow */
#define MULTI_LITERALS_MAX 20000u        /* of one database: it takes a second at most */
#define MULTI_REGEXES_MAX 64u            /* of one database */
#define MULTI_BUILD_MS_MAX 20000u        /* when it has passed, what has no database yet is slow */

enum multi_kind {
    MULTI_LITERAL, /* these bytes stand in the value */
    MULTI_TEXT,    /* a regular expression as regex_compile(is_octets = false) takes it */
    MULTI_OCTETS,  /* the same of bytes */
    MULTI_KIND_COUNT,
};

struct multi_expression {
    slice text; /* borrowed while it is built; an empty literal is slow */
    uint32_t id;
    enum multi_kind kind;
    bool is_nocase; /* of a regular expression */
};

struct multi_counts {
    size_t expressions;
    size_t prefiltered; /* of which the library knows something weaker only */
    size_t slow;
    size_t databases;
    size_t bytes; /* of them */
};

/* const once built: any number of threads may ask, each with a scratch of its own. */
struct multi;
/* Fails ERR_LIMIT when memory is out.  *out is owned. */
MUST_USE result multi_build(const struct multi_expression *expressions, size_t count,
                            struct multi **out, struct diag *diag);
void multi_free(struct multi **multi);
const struct multi_counts *multi_counts(const struct multi *multi);

/* Working memory of one thread: for every multi that it was fitted to. */
struct multi_scratch;
MUST_USE result multi_scratch_new(struct multi_scratch **out, struct diag *diag);
MUST_USE result multi_scratch_fit(struct multi_scratch *scratch, const struct multi *multi,
                                  struct diag *diag);
void multi_scratch_free(struct multi_scratch **scratch);

/* The ids whose expressions may match, until found says false.  Values of MULTI_TEXT are UTF-8.
 * found must not search with the same scratch. */
void multi_search(const struct multi *multi, struct multi_scratch *scratch, slice value,
                  bool (*found)(void *context, uint32_t id), void *context);
