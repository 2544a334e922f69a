/* What STIX says each object holds: one table, schema.def, and the look-ups over it.
 *
 * A shape is a set of properties: a type's own, an extension's, or that of an object inside
 * another. Everything here is constant; the indexes are made once, by whichever thread comes first.
 */
#pragma once

#include "stix/object.h"

/* STIX 2.1, 2.10: integers stay within what a double holds exactly. */
#define INTEGER_MAX (((int64_t)1 << 53) - 1)

#define SHAPE_PROPERTIES_MAX 64 /* a bit each in a uint64_t */

/* How a value is written, and what is asked of it. */
enum property_kind {
    KIND_TYPE, /* the object's own type, checked before all else */
    KIND_ID,   /* its own id */
    KIND_SPEC_VERSION,
    KIND_STRING,
    KIND_INTEGER,
    KIND_FLOAT,
    KIND_BOOLEAN,
    KIND_TIMESTAMP,
    KIND_REF,
    KIND_OPEN, /* a term of a vocabulary that others may add to */
    KIND_ENUM, /* a term of a closed one */
    KIND_HASHES,
    KIND_DICTIONARY,
    KIND_OBJECT, /* of a shape */
    KIND_EXTENSIONS,
    KIND_OBSERVABLES, /* STIX 2.0: the objects of observed-data, by key */
    KIND_SELECTOR,    /* of a granular marking */
    KIND_ANY,         /* a rule of its own says more */
};

/* The syntax of a string, where it has one. */
enum property_syntax {
    SYNTAX_NONE,
    SYNTAX_HEX,
    SYNTAX_BASE64,
    SYNTAX_LANGUAGE,
    SYNTAX_URL,
    SYNTAX_IPV4,
    SYNTAX_IPV6,
    SYNTAX_MAC,
    SYNTAX_DOMAIN,
    SYNTAX_EMAIL,
    SYNTAX_RELATIONSHIP, /* a relationship_type */
    SYNTAX_PROTOCOL,
    SYNTAX_COUNTRY,
    SYNTAX_CHARSET,
    SYNTAX_CPE,
    SYNTAX_COUNT,
};

/* What the values of a dictionary are. */
enum property_entries {
    ENTRIES_ANY,
    ENTRIES_STRINGS,
    ENTRIES_NAMED_NUMBERS, /* strings or integers */
    ENTRIES_INTEGERS,
    ENTRIES_STRING_LISTS,
};

/* Which versions of STIX have a property, and how much is lost without it. */
enum {
    IN_20 = 1,
    IN_21 = 2,
    MUST_20 = 4,
    MUST_21 = 8,
    USED = 16, /* the program reads it: absent or broken, the object is of no use */
};

/* What the program keeps of a value. */
enum property_use {
    USE_NONE,
    USE_TEXT,  /* words are taken from it */
    USE_VALUE, /* an observable's identifying value */
    USE_LABEL,
    USE_NAME,
    USE_DESCRIPTION,
    USE_CREATOR,
    USE_CREATED,
    USE_MODIFIED,
    USE_REVOKED,
    USE_PATTERN,
    USE_PATTERN_TYPE,
    USE_MARKING, /* a reference to a marking-definition */
};

struct vocab {
    const char *name;
    const slice *words;
    size_t count;
};

/* What a reference may point to: every type of some classes, and types by name. */
struct targets {
    const char *words; /* "an identity", for messages */
    unsigned classes;  /* a bit per enum stix_class */
    const slice *types;
    size_t count;
};

struct property {
    slice name;
    uint8_t kind;   /* enum property_kind */
    uint8_t syntax; /* enum property_syntax */
    uint8_t when;
    uint8_t use;  /* enum property_use */
    bool is_list; /* of values of the kind */
    bool has_range;
    uint8_t shape;   /* of KIND_OBJECT: enum shape_id */
    uint8_t entries; /* of KIND_DICTIONARY: enum property_entries */
    int64_t least, most;
    const struct vocab *vocab;
    const struct targets *targets;
};

enum shape_id {
#define P(name, presence, use, ...)
#define COMMON
#define COMMON_BASE
#define COMMON_SCO
#define COMMON_UNLABELLED
#define TYPE(id, name, class, when) SHAPE_##id,
#define PART(id, name, when) SHAPE_##id,
#define EXTENSION(id, name, owner, when) SHAPE_##id,
#define END(id)
#include "stix/schema.def"
#undef TYPE
#undef PART
#undef EXTENSION
#undef END
#undef P
#undef COMMON
#undef COMMON_BASE
#undef COMMON_SCO
#undef COMMON_UNLABELLED
    SHAPE_COUNT,
};

enum shape_role { SHAPE_IS_TYPE, SHAPE_IS_PART, SHAPE_IS_EXTENSION };

struct shape {
    slice name;
    uint8_t id;    /* enum shape_id */
    uint8_t role;  /* enum shape_role */
    uint8_t class; /* of a type: enum stix_class */
    uint8_t owner; /* of an extension: the type it extends */
    uint8_t when;
    const struct property *properties;
    size_t count;
};

extern const struct shape shapes[SHAPE_COUNT];

/* Make the indexes; costs nothing after the first call.  Before any look-up. */
void schema_start(void);

/* The type's shape; NULL when STIX has no such type. */
const struct shape *schema_type(slice name);

/* The predefined extension of a type; NULL when it has none of that name. */
const struct shape *schema_extension(const struct shape *owner, slice name);

/* The property's position in shape->properties; -1 when that version of STIX has none of the name.
 */
int schema_property(const struct shape *shape, enum stix_spec spec, slice name);

/* A bit per property: those the version of STIX asks for. */
uint64_t schema_required(const struct shape *shape, enum stix_spec spec);

/* The object path of a property whose values are looked up: "file:name". */
slice schema_path(const struct shape *shape, const struct property *property);

bool vocab_has(const struct vocab *vocab, slice word);
bool targets_allow(const struct targets *targets, slice type);

/* The algorithms a hashes dictionary names: 2.0 and 2.1 have lists of their own. */
const struct vocab *schema_hash_names(enum stix_spec spec);
