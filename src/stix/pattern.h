/* STIX patterns (STIX 2.1 section 9, STIX 2.0 part 5): text to tree.
 *
 * The tree is flat: nodes in an array, children by index, so that no walk recurses.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/result.h"
#include "base/time.h"
#include "stix/object.h"

#define PATTERN_BYTES_MAX (1u << 20)
#define PATTERN_NODES_MAX (1u << 18)
#define PATTERN_DEPTH_MAX 256 /* parentheses within parentheses */
#define PATTERN_STEPS_MAX 64  /* of an object path */

enum pattern_node_kind {
    /* observation expressions */
    PATTERN_OBSERVATION, /* [ comparison ] : left */
    PATTERN_FOLLOWEDBY,
    PATTERN_OBS_OR,
    PATTERN_OBS_AND,
    PATTERN_WITHIN,     /* left, seconds and window */
    PATTERN_REPEATS,    /* left, repeats */
    PATTERN_START_STOP, /* left, start, stop */
    /* comparison expressions */
    PATTERN_OR,
    PATTERN_AND,
    PATTERN_COMPARE, /* path, op, negated, literals */
    PATTERN_EXISTS,  /* path, negated */
};

enum pattern_op {
    PATTERN_EQ,
    PATTERN_NE,
    PATTERN_LT,
    PATTERN_LE,
    PATTERN_GT,
    PATTERN_GE,
    PATTERN_IN,
    PATTERN_LIKE,
    PATTERN_MATCHES,
    PATTERN_ISSUBSET,
    PATTERN_ISSUPERSET,
};

enum pattern_literal_kind {
    PATTERN_STRING,
    PATTERN_INTEGER,
    PATTERN_FLOAT, /* also an integer that 64 bits do not hold */
    PATTERN_BOOLEAN,
    PATTERN_BINARY, /* b'...' : decoded bytes in text */
    PATTERN_HEX,    /* h'...' : decoded bytes in text */
    PATTERN_TIMESTAMP,
};

struct pattern_literal {
    enum pattern_literal_kind kind;
    slice text; /* a string without its escapes; decoded bytes; the digits as written of a number */
    int64_t integer;
    double real; /* of an integer too */
    bool boolean;
    bool
        is_impossible; /* a timestamp on a day no calendar has: well-formed, and equal to nothing */
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
    slice seconds;           /* of WITHIN, as written */
    struct timestamp window; /* the same, exactly: a length of time */
    uint64_t repeats;
    struct timestamp start, stop;
    uint32_t at, len; /* the text it came from */
};

struct pattern {
    const struct pattern_node *nodes;
    size_t node_count; /* the root is the last */
    slice text;
    /* Well-formed, but a constant in it is not valid: a day that no calendar has, a set of several
     * data types.  It matches nothing (STIX 2.1, 9.4). */
    bool is_impossible;
};

/* What is wrong and where: line and column from 1, columns in characters. */
struct pattern_error {
    uint32_t line, column, at;
    char expected[256]; /* in words: 'a closing "]"' */
};

/* Fails ERR_INVALID: diag says "line 1, column 42: expected a closing "]""; ERR_LIMIT past a limit.
 * Lives in the arena, borrows from text.  error may be NULL; it is filled on ERR_INVALID.
 *
 * STIX_20 differs by what that edition had: no EXISTS, START and STOP may be plain strings, a
 * qualifier may be repeated.  Whether a regular expression compiles is not asked here: see
 * match/regex.h. */
MUST_USE result pattern_parse(slice text, enum stix_spec spec, struct arena *arena,
                              struct pattern *out, struct pattern_error *error, struct diag *diag);

/* Line and column of a byte of the text; at, line and column of *error are set. */
void pattern_locate(slice text, uint32_t at, struct pattern_error *error);

/* The pattern as text again, in one form: single spaces, no comments, only the parentheses and
 * quotes it needs.  Parsing that text gives the same tree. */
void pattern_print(const struct pattern *pattern, struct buf *out);
void pattern_print_literal(const struct pattern_literal *literal, struct buf *out);
void pattern_print_path(const struct pattern_path *path, struct buf *out);
void pattern_print_node(const struct pattern_node *node, struct buf *out); /* a comparison alone */

const char *pattern_op_name(enum pattern_op op); /* "=", "NOT" left out, "ISSUBSET" ... */

/* The values its comparisons name (=, IN, ISSUBSET; not negated), for look-up and for atoms.
 *
 * kind is the path in one form ("file:hashes.'SHA-256'", whatever way the hash was spelled); a
 * value behind a reference ("network-traffic:src_ref.value") goes by what it is: an address or a
 * name. */
MUST_USE result pattern_values(const struct pattern *pattern, struct arena *arena,
                               const struct stix_value **values, size_t *count);
