/* The values of a pattern that hits wherever one of them stands: "=", IN and ISSUBSET, joined by OR
 * alone.  Of any other pattern a single value would say too much. */
#pragma once

#include "base/arena.h"
#include "formats/out.h"

struct export_value {
    bool is_known; /* of a kind that defences load */
    enum out_kind kind;
    slice text; /* in the form of stix_value_normal */
};

struct export_values {
    const struct export_value *items; /* in the arena */
    size_t count;
    bool is_simple;
    bool is_wrong; /* does not parse */
};

void export_values_read(slice pattern, slice pattern_type, struct arena *arena,
                        struct export_values *out);
