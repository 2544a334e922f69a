/* A pattern in plain words: its tree, and how each part of it is found. */
#pragma once

#include "base/buf.h"
#include "stix/pattern.h"

/* Text, a line a part, indented.  Fails ERR_LIMIT when out is full or the arena's budget is out. */
MUST_USE result pattern_explain(const struct pattern *pattern, struct arena *arena, struct buf *out,
                                struct diag *diag);

const char *pattern_way(const struct pattern_node *node); /* how a comparison is found, in words */
