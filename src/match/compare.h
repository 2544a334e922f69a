/* One comparison asked of one object: does a value at the path stand so to the constant?
 * Serves STIX 2.1, 9.2, 9.6 and 9.7. */
#pragma once

#include "base/buf.h"
#include "match/observed.h"
#include "match/regex.h"
#include "stix/pattern.h"

#define COMPARE_SCRATCH_BYTES_MAX ((size_t)64 << 20)

struct comparer {
    const struct json_doc *doc; /* borrowed */
    struct arena scratch;       /* values without their escapes, for one comparison */
    struct buf octets;          /* a binary property's bytes */
    /* The nodes a path has led to so far, each once. */
    uint32_t *now, *next; /* owned; positions in doc->nodes */
    size_t now_count, next_count, now_capacity, next_capacity;
    uint32_t *seen; /* owned; per node of the document: the step that last added it */
    size_t seen_capacity;
    uint32_t stamp;
    uint64_t steps;         /* taken, for the caller's bound */
    uint64_t regex_gave_up; /* searches that reached a limit and so did not match */
};

MUST_USE result comparer_open(const struct json_doc *doc, struct comparer *out, struct diag *diag);
void comparer_close(struct comparer *comparer);

/* node: PATTERN_COMPARE or PATTERN_EXISTS; regex: its expression compiled, for MATCHES.  An object
 * of another type, and a path that leads to nothing, is never true, whatever the operator (9.6);
 * only NOT EXISTS is true of an object of its type where the path leads to nothing. Fails ERR_LIMIT
 * when memory is out. */
MUST_USE result compare(struct comparer *comparer, const struct pattern_node *node,
                        const struct regex *regex, const struct observation *observation,
                        const struct observed_object *object, bool *out, struct diag *diag);

/* Is the property at the end of the path binary ("_bin", "_hex")?  Then it is compared as octets.
 */
bool path_is_octets(const struct pattern_path *path);

/* Text as octets, code point by code point (9.2).  False when one is over U+00FF; {NULL, 0} in *out
 * when the arena's budget is out. */
bool text_octets(slice text, struct arena *arena, slice *out);
