/* Observed data, ready to be asked: each observation with its time and its objects.
 *
 * Takes a bundle of observed-data and what they refer to (2.1), observed-data with the objects
 * inside (2.0), an array of such bundles or observed-data, or one observed-data alone.
 */
#pragma once

#include "base/time.h"
#include "json/json.h"

#define OBSERVED_BYTES_MAX ((size_t)256 << 20)

struct observed_object {
    slice key; /* its id, or its name in "objects" */
    slice type;
    const struct json_node *node;
};

struct observation {
    struct timestamp first, last;          /* first_observed, last_observed */
    uint64_t count;                        /* number_observed: so many observations are in it */
    const struct observed_object *objects; /* sorted by key */
    size_t object_count;
};

struct observed {
    const struct json_doc *doc; /* borrowed */
    const struct observation *observations;
    size_t count;
};

/* In the arena, borrowing from doc.  Fails ERR_INVALID "observed-data N: ..." when one lacks its
 * times, ERR_LIMIT past the arena's budget. */
MUST_USE result observed_read(const struct json_doc *doc, const struct json_node *root,
                              struct arena *arena, struct observed *out, struct diag *diag);

/* The object of an observation that a reference names; NULL when it is not among them
 * (STIX 2.1, 9.7.4: what object_refs does not list is not there). */
const struct observed_object *observed_find(const struct observation *observation, slice key);
