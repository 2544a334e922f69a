/* A ruleset's tables, flat: sections of fixed-size records that name each other by position and
 * text by its offset, so that they can be written to a file and mapped back as they are
 * (docs/FORMATS.md).
 *
 * A value record is one value of one path and what it hits: a simple rule (its target is the rule's
 * position) or, with TARGET_PART, a part: one observation expression of a rule with more to it,
 * whose nodes are then evaluated.  Equal values form a chain.
 */
#pragma once

#include "base/buf.h"
#include "scan/rules.h"

#include <stdatomic.h>

#define PATHS_MAX 4096u /* different object paths in all rules */
#define VALUE_BYTES_MAX UINT16_MAX
#define NONE UINT32_MAX
#define TARGET_PART 0x80000000u

/* ---- records ---- */

enum path_class {
    PATH_TEXT,
    PATH_DOMAIN,
    PATH_ADDRESS, /* ipv4-addr:value, ipv6-addr:value and what refers to them */
    PATH_URL,
    PATH_EMAIL,
    PATH_HASH,
    PATH_REFERENCE_TYPE, /* "..._ref.type": asked of the values of "..._ref.value" */
};

enum {
    PATH_HAS_VALUES = 1,     /* exact ones */
    PATH_HAS_SUBDOMAINS = 2, /* of which some also hit what is below them */
    PATH_HAS_NETWORKS = 4,
    PATH_HAS_NUMBERS = 8, /* values that are integers: leading zeros do not count */
    PATH_IS_OPEN = 16,
};

struct path_record {
    uint32_t text, len; /* canonical: without list steps, hashes by their STIX names */
    uint32_t type_len;
    uint32_t class, flags;
    uint32_t value_path;   /* of PATH_REFERENCE_TYPE: the path of the values; else itself */
    uint64_t prefixes4[1]; /* bit n: there is a network of n bits */
    uint64_t prefixes6[3];
};

enum {
    VALUE_PATH_MASK = 0x0FFF,
    VALUE_SUBDOMAINS = 0x1000,
    VALUE_NETWORK = 0x2000,
    VALUE_NUMBER = 0x4000
};

struct value_record {
    uint32_t text;
    uint16_t len;
    uint16_t path; /* and VALUE_ bits */
    uint32_t target;
    uint32_t next; /* position of the next equal one; NONE */
};

/* A slot of the index: the position of the chain's first record, and bits of its hash. */
struct value_slot {
    uint32_t tag;
    uint32_t position; /* NONE: free */
};

enum {
    RULE_HAS_UUID = 1, /* id is "indicator--" and uuid; else a text whose place is in uuid */
    RULE_IS_LINE = 2,  /* id is "list:NUMBER" */
    RULE_IS_PROGRAM =
        4, /* first: of its parts; else of its value, its only one when the pattern has no text */
    RULE_IS_TEMPORAL = 8,
    RULE_HAS_PATTERN = 16, /* pattern text is kept */
    RULE_IS_DEAD = 32,     /* while it is built: a later version came */
    RULE_IS_PCRE = 64,
};

struct rule_record {
    uint8_t id[16];
    uint32_t name, pattern; /* texts, when name_len, pattern_len > 0 */
    uint32_t pattern_len;
    uint16_t name_len;
    uint16_t flags;
    uint32_t meta;
    uint32_t first;
};

struct meta_record {
    uint32_t source, source_len, creator, creator_len, markings, markings_len;
    int32_t confidence;
    uint32_t tlp;
    int64_t valid_from_us, valid_until_us;
};

/* One observation expression: count nodes from first on, children before parents. */
struct part_record {
    uint32_t rule, first, count;
    uint32_t number; /* among the observation expressions of the rule's pattern */
};

enum node_kind {
    NODE_AND,
    NODE_OR,
    NODE_EXISTS,
    NODE_TEXT,   /* values[first .. +count]: texts for =, IN, <, ... */
    NODE_NUMBER, /* the same with numbers */
    NODE_BOOLEAN,
    NODE_OCTETS,
    NODE_TIME,
    NODE_LIKE,
    NODE_MATCHES,
    NODE_NETWORK, /* ISSUBSET, ISSUPERSET */
    NODE_NEVER,   /* compares what cannot be equal */
};

struct node_record {
    uint8_t kind, op; /* enum node_kind, enum pattern_op */
    uint8_t negated, flags;
    uint32_t left, right; /* within the part; of a comparison: its first literal, how many */
    uint32_t path;
    uint32_t type, type_len;
};
enum { NODE_OCTET_PATH = 1, NODE_NOCASE = 2 };

struct literal_record {
    uint32_t text, len;
    uint8_t is_integer, boolean, is_impossible;
    uint8_t has_subdomains; /* an equal one, or a name below it */
    uint32_t rest;          /* of a timestamp, below a microsecond */
    union {
        int64_t integer; /* also a timestamp's microseconds, and of MATCHES its number among them */
        double real;
    };
};

/* What is looked at without an exact value: sorted by path, then kind. */
struct open_record {
    uint32_t path; /* of OPEN_LINE: NONE */
    uint32_t kind;
    uint32_t part;
    uint32_t node; /* of OPEN_TEXT: the LIKE or MATCHES */
};

enum section {
    SECTION_TEXT,
    SECTION_PATHS,
    SECTION_RULES,
    SECTION_METAS,
    SECTION_VALUES,
    SECTION_SLOTS,
    SECTION_PARTS,
    SECTION_NODES,
    SECTION_LITERALS,
    SECTION_OPENS,
    SECTION_COUNT,
};

/* The open records of one path and kind. */
struct open_run {
    uint32_t path, first, count;
};

struct ruleset {
    atomic_uint holders;
    void *at[SECTION_COUNT]; /* owned, or in the map */
    size_t count[SECTION_COUNT];
    size_t capacity[SECTION_COUNT]; /* while it is built */
    void *map;                      /* NULL: the sections are owned */
    size_t map_bytes;
    uint64_t seed;
    bool is_temporal;
    bool has_types; /* OPEN_TYPE, OPEN_LINE are among the open paths */
    bool has_lines;
    size_t regex_count; /* numbers of MATCHES end below it */
    struct rules_counts counts;
    struct open_path *open_paths; /* owned: the different ones */
    struct open_run *open_runs;   /* owned: of each its records */
    size_t open_path_count;
    struct texts *texts; /* owned: scan/texts.h */
};

static inline const char *image_text(const struct ruleset *set)
{
    return (const char *)set->at[SECTION_TEXT];
}

static inline slice image_slice(const struct ruleset *set, uint32_t at, size_t len)
{
    return slice_of(image_text(set) + at, len);
}

#define IMAGE_TABLE(name, type, section)                                                           \
    static inline type *name(const struct ruleset *set)                                            \
    {                                                                                              \
        return (type *)set->at[section];                                                           \
    }
IMAGE_TABLE(image_paths, struct path_record, SECTION_PATHS)
IMAGE_TABLE(image_rules, struct rule_record, SECTION_RULES)
IMAGE_TABLE(image_metas, struct meta_record, SECTION_METAS)
IMAGE_TABLE(image_values, struct value_record, SECTION_VALUES)
IMAGE_TABLE(image_slots, struct value_slot, SECTION_SLOTS)
IMAGE_TABLE(image_parts, struct part_record, SECTION_PARTS)
IMAGE_TABLE(image_nodes, struct node_record, SECTION_NODES)
IMAGE_TABLE(image_literals, struct literal_record, SECTION_LITERALS)
IMAGE_TABLE(image_opens, struct open_record, SECTION_OPENS)

extern const size_t section_element_bytes[SECTION_COUNT];

/* ---- looking a value up ---- */

__extension__ typedef unsigned __int128 image_wide;

static inline uint64_t image_mix(uint64_t a, uint64_t b)
{
    image_wide product = (image_wide)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Multiply and fold, eight bytes a step.  key: path and VALUE_NETWORK. */
static inline uint64_t image_hash(uint64_t seed, uint32_t key, slice value)
{
    uint64_t hash = seed ^ (key * 0x9E3779B97F4A7C15u), word = 0;
    const char *at = value.at;
    size_t len = value.len;

    for (; len >= 8; len -= 8, at += 8) {
        memcpy(&word, at, 8);
        hash = image_mix(hash ^ word, 0xA0761D6478BD642Fu);
    }
    word = 0;
    if (len > 0)
        memcpy(&word, at, len);
    return image_mix(hash ^ word, 0xE7037ED1A0B428DBu ^ value.len);
}

static inline size_t image_slot_first(const struct ruleset *set, uint64_t hash)
{
    return (size_t)(((image_wide)hash * set->count[SECTION_SLOTS]) >> 64);
}

/* The first record of the chain of a value; NONE. */
uint32_t image_find(const struct ruleset *set, uint32_t path, bool is_network, slice value);

/* The path with this canonical text; NONE. */
uint32_t image_path_find(const struct ruleset *set, slice canonical);

/* What every ruleset needs besides its sections, built or mapped. */
MUST_USE result image_finish(struct ruleset *set, struct diag *diag);
MUST_USE result image_index(struct ruleset *set, struct diag *diag);
void image_free(struct ruleset *set);
