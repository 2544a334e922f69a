/* Maps: which field of a source is which STIX property.  The text form is described in
 * docs/telemetry.md; those compiled in are the files of src/telemetry/maps. */
#pragma once

#include "telemetry/telemetry.h"

enum telemetry_kind {
#define KIND(name, word, path, help) KIND_##name,
#include "telemetry/kinds.def"
#undef KIND
};

enum telemetry_shape {
#define SHAPE(name, word, help) SHAPE_##name,
#include "telemetry/shapes.def"
#undef SHAPE
};

#define MAP_RULES_MAX 16384
#define MAP_NEEDS_MAX 16      /* alternatives */
#define MAP_NEED_FIELDS_MAX 4 /* of one */
#define MAP_PREFIXES_MAX 8
#define MAP_FIELD_BYTES_MAX 256

struct map_rule {
    slice field;
    enum telemetry_kind kind;
    slice path;    /* empty: the kind knows */
    slice label;   /* which object of its type; empty: the one of this list element */
    uint32_t next; /* rule of a field with the same hash, + 1 */
    uint32_t hash;
};

struct map_need {
    slice fields[MAP_NEED_FIELDS_MAX];
    size_t count;
};

struct telemetry_map {
    struct arena arena; /* owned: holds all text */
    slice name;
    enum telemetry_shape shape;
    struct map_need needs[MAP_NEEDS_MAX];
    size_t need_count;
    struct map_rule *rules;
    size_t rule_count;
    uint32_t *buckets; /* first rule + 1 by hash, in the order of the map */
    size_t bucket_mask;
    const struct map_rule *rest; /* the rule "*", or NULL */
};

/* The first rule of a field, or NULL; the following by map_rule_next.  Case does not count. */
const struct map_rule *map_rule_find(const struct telemetry_map *map, slice field);
const struct map_rule *map_rule_next(const struct telemetry_map *map, const struct map_rule *rule,
                                     slice field);

/* Compiled in: NULL-terminated lines without their ends; NULL when there is none of this name. */
const char *const *map_builtin(slice name);
MUST_USE result map_read_builtin(slice name, struct telemetry_map **out, struct diag *diag);

/* The shape of a format, or of the map where one is given. */
enum telemetry_shape telemetry_shape_of(slice format, const struct telemetry_map *map);
