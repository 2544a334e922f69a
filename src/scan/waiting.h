/* One temporal rule that waits for more events.
 *
 * What is remembered of an event is its time and which expressions of the rule it fits.  From these
 * the earliest moment is worked out by which the pattern can be complete:
 *
 *   n of expression k from t on    the time of the n-th event that fits, not before t
 *   a AND b, a OR b                the later, the earlier of both
 *   a FOLLOWEDBY b                 b's from the moment on at which a is complete
 *   a WITHIN n                     the first moment c at which a is complete from c - n on
 *
 * This is exact while each event fits one expression only.  Where one fits several, or a repeated
 * part has times in it, match/bind.h has the last word: every expression wants events of its own.
 */
#pragma once

#include "scan/image.h"
#include "stix/pattern.h"

#define WAITING_EXPRESSIONS_MAX 64 /* of one temporal rule */
#define NEVER INT64_MAX

enum wait_kind { WAIT_NEED, WAIT_BOTH, WAIT_EITHER, WAIT_BEFORE, WAIT_WITHIN };

/* Children before parents, the root is the last. */
struct wait_node {
    enum wait_kind kind;
    uint32_t left, right;
    uint32_t expression; /* of a need */
    uint64_t demand;
    int64_t reach_us; /* of WITHIN: an event may be so much before the last one */
};

struct wait_event {
    int64_t first_us, last_us; /* of a run of alike ones */
    uint64_t mask, count;
    uint64_t line_number, line_offset;
    bool is_used; /* by the search that was done last */
};

struct waiting {
    uint32_t rule;
    struct pattern pattern; /* in the state's arena */
    struct wait_node *nodes;
    uint32_t node_count, expression_count;
    int64_t start_us[WAITING_EXPRESSIONS_MAX]; /* START: not before; STOP: before */
    int64_t stop_us[WAITING_EXPRESSIONS_MAX];
    uint64_t least;            /* so many events are needed, whichever they are */
    bool has_times;            /* FOLLOWEDBY or WITHIN: it matters when an event was */
    bool needs_bind;           /* repeats what has times or choices in it */
    bool is_over;              /* it cannot be run: too many expressions */
    struct wait_event *events; /* owned; by first_us */
    uint32_t count;
    size_t capacity;
    uint64_t bind_at; /* after so many events more bind is asked again */
};

/* The rule's operators from its pattern's text; is_over when it is beyond the limits. */
MUST_USE result waiting_open(struct waiting *waiting, uint32_t rule, slice text,
                             struct arena *arena, struct diag *diag);

/* Is the pattern complete with the event at new_us among those remembered? */
MUST_USE result waiting_is_complete(struct waiting *waiting, int64_t new_us, struct arena *arena,
                                    bool *out, struct diag *diag);
