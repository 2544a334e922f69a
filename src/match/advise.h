/* What is odd about a well-formed pattern: parts that can never be true, or that change nothing. */
#pragma once

#include "base/buf.h"
#include "stix/pattern.h"

struct advice {
    uint32_t at;      /* in the pattern's text */
    const char *rule; /* short, for counting: "impossible", "types", "hash", "network", "window" */
    slice text;       /* in words */
};

/* In the order of the text; in the arena.  Fails ERR_LIMIT past its budget. */
MUST_USE result pattern_advise(const struct pattern *pattern, struct arena *arena,
                               const struct advice **out, size_t *count, struct diag *diag);
