/* Read JSON: one pass over simdjson's index gives a flat array of nodes that point
 * back into the text.
 *
 * A node knows where its raw text stands, so that unknown properties survive byte for
 * byte and nothing is copied.  An object's children are key, value, key, value; the next
 * sibling of a node is node + node->size.  No tree, no recursion, no allocation per value.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/result.h"

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

struct json_node {
    uint32_t at;   /* of its first byte in doc->text; of a string: behind the quote */
    uint32_t len;  /* bytes of its text; of a string: between the quotes */
    uint32_t size; /* nodes of this subtree, this one included */
    uint8_t kind;  /* enum json_kind */
    bool escaped;  /* a string with a backslash in it */
    bool repeated; /* an object in which a key stands twice, or a key that stood before in its
                      object */
    uint8_t spare;
};

struct json_doc {
    slice text; /* borrowed: the text that was parsed */
    const struct json_node
        *nodes; /* borrowed from the parser until its next parse; [0] is the root */
    size_t node_count;
};

/* Bytes behind a text that must be readable (their values do not matter). */
#define JSON_PADDING 64
#define JSON_DEPTH_MAX 1000
#define JSON_TEXT_BYTES_MAX ((size_t)4 << 30) /* exclusive */

/* Holds the memory of parses; one per thread, used again and again. */
struct json_parser;
MUST_USE result json_parser_new(size_t depth_max, struct json_parser **out, struct diag *diag);
void json_parser_free(struct json_parser **parser);

/* Parse one whole value.  text must have JSON_PADDING readable bytes behind it.
 * Fails ERR_INVALID "byte N: what is wrong" (RFC 8259; UTF-8; a lone surrogate escape is refused),
 * ERR_LIMIT when too deep or too long.  Duplicate keys are kept and marked `repeated`. */
MUST_USE result json_parse(struct json_parser *parser, slice text, struct json_doc *out,
                           struct diag *diag);

/* The same for text without padding: copies it first (doc->text is the copy). */
MUST_USE result json_parse_copy(struct json_parser *parser, slice text, struct json_doc *out,
                                struct diag *diag);

/* The value of a key of an object, the first when it is repeated; NULL when absent or
 * `object` is no object.  key is compared with unescaped text. */
const struct json_node *json_get(const struct json_doc *doc, const struct json_node *object,
                                 slice key);

/* Walk the children of an array or an object (anything else, or NULL, has none):
 *
 *     for (struct json_each each = json_each(doc, node); json_next(&each);)
 *         use(each.key, each.value);     key is NULL in an array
 */
struct json_each {
    const struct json_node *key, *value;
    const struct json_node *cursor, *end;
    bool in_object;
};
struct json_each json_each(const struct json_doc *doc, const struct json_node *container);
bool json_next(struct json_each *each);

size_t json_count(const struct json_doc *doc, const struct json_node *container); /* members */

/* The raw text, quotes of a string included. */
slice json_raw(const struct json_doc *doc, const struct json_node *node);

/* A string's text between the quotes, escapes as written: enough for values that hold none. */
static inline slice json_inner(const struct json_doc *doc, const struct json_node *node)
{
    return (slice){doc->text.at + node->at, node->len};
}

/* The readers of values below take a NULL node, as json_get gives for what is absent, for a value
 * of another kind. */

/* A string's value: borrowed from the text when nothing is escaped, else in the arena.
 * {NULL, 0} when the arena's budget is out or node is no string. */
slice json_string(const struct json_doc *doc, const struct json_node *node, struct arena *arena);

/* Is it a string with just this value? (escapes understood; NULL is none) */
bool json_is(const struct json_doc *doc, const struct json_node *node, slice value);

/* A number as an integer (no fraction, no exponent) or as a double.  False when it is not one. */
bool json_i64(const struct json_doc *doc, const struct json_node *node, int64_t *out);
bool json_double(const struct json_doc *doc, const struct json_node *node, double *out);
