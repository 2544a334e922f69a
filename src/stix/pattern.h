/* STIX patterns (STIX 2.1 section 9, STIX 2.0 part 5): text to tree.
 *
 * The tree is flat: nodes in an array, children by index, so that no walk recurses.
 */
#pragma once

#include "base/arena.h"
#include "base/result.h"
#include "base/time.h"
#include "stix/object.h"

#define PATTERN_BYTES_MAX (1u << 20)
#define PATTERN_NODES_MAX (1u << 18)
#define PATTERN_DEPTH_MAX 256

enum pattern_node_kind {
    /* observation expressions */
    PATTERN_OBSERVATION, /* [ comparison ] : left */
    PATTERN_FOLLOWEDBY,
    PATTERN_OBS_OR,
    PATTERN_OBS_AND,
    PATTERN_WITHIN,  /* left, number (seconds, may be a fraction) */
    PATTERN_REPEATS, /* left, count */
    PATTERN_START_STOP, /* left, start, stop */
    /* comparison expressions */
    PATTERN_OR,
    PATTERN_AND,
    PATTERN_COMPARE, /* path, op, negated, literals */
    PATTERN_EXISTS,  /* path */
};

enum pattern_op {
    PATTERN_EQ, PATTERN_NE, PATTERN_LT, PATTERN_LE, PATTERN_GT, PATTERN_GE,
    PATTERN_IN, PATTERN_LIKE, PATTERN_MATCHES, PATTERN_ISSUBSET, PATTERN_ISSUPERSET,
};

enum pattern_literal_kind {
    PATTERN_STRING, PATTERN_INTEGER, PATTERN_FLOAT, PATTERN_BOOLEAN,
    PATTERN_BINARY, /* b'...' : decoded bytes in text */
    PATTERN_HEX,    /* h'...' : decoded bytes in text */
    PATTERN_TIMESTAMP,
};

struct pattern_literal {
    enum pattern_literal_kind kind;
    slice text; /* a string without its escapes; decoded bytes; the digits as written of a number */
    int64_t integer;
    double real;
    bool boolean;
    struct timestamp timestamp;
};

enum pattern_step_kind { PATTERN_KEY, PATTERN_INDEX, PATTERN_ANY };

struct pattern_step {
    enum pattern_step_kind kind;
    slice key;
    int64_t index;
};

struct pattern_path {
    slice type; /* "file" */
    const struct pattern_step *steps;
    size_t step_count;
    slice text; /* as written, for messages */
};

struct pattern_node {
    enum pattern_node_kind kind;
    uint32_t left, right; /* positions in the array; children stand before their parents */
    struct pattern_path path;
    enum pattern_op op;
    bool negated;
    const struct pattern_literal *literals; /* one, or the set of IN */
    size_t literal_count;
    double seconds;
    uint64_t repeats;
    struct timestamp start, stop;
    uint32_t at, len; /* the text it came from */
};

struct pattern {
    const struct pattern_node *nodes;
    size_t node_count; /* the root is the last */
    slice text;
};

/* What is wrong and where: line and column from 1, columns in characters. */
struct pattern_error {
    uint32_t line, column, at;
    char expected[256]; /* in words: 'a closing "]"' */
};

/* Fails ERR_INVALID: diag says "line 1, column 42: expected a closing "]""; ERR_LIMIT past a limit.
 * Lives in the arena, borrows from text. */
MUST_USE result pattern_parse(slice text, enum stix_spec spec, struct arena *arena,
                              struct pattern *out, struct pattern_error *error, struct diag *diag);

/* The values its comparisons name (=, IN, ISSUBSET; not negated), for look-up and for atoms. */
MUST_USE result pattern_values(const struct pattern *pattern, struct arena *arena,
                               const struct stix_value **values, size_t *count);
