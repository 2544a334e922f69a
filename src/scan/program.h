/* The nodes of one observation expression asked of one event. */
#pragma once

#include "match/regex.h"
#include "scan/image.h"
#include "telemetry/telemetry.h"

struct program {
    const struct ruleset *set;
    const struct telemetry_event *event;
    uint32_t *paths; /* owned: of each observable, its path in the ruleset; NONE */
    uint8_t *used;   /* owned: of each observable: a comparison held of it */
    size_t capacity, used_capacity;
    struct regex *regexes; /* owned: compiled when first asked */
    size_t regex_capacity;
    struct arena arena; /* of one part and event */
    uint64_t gave_up;
};

MUST_USE result program_open(struct program *program, const struct ruleset *set, struct diag *diag);
void program_close(struct program *program);

/* Room for an event's observables. */
MUST_USE bool program_begin(struct program *program, const struct telemetry_event *event);

/* Is all of it true of one object of the event?  used tells of which observables.  False when
 * memory is out: *out is unspecified. */
MUST_USE bool program_run(struct program *program, const struct part_record *part, bool *out);
