/* RFC 8785, the JSON Canonicalization Scheme, and plain minifying.
 *
 * Two objects are equal when the SHA-256 of their canonical forms is: keys sorted by
 * UTF-16 code units, numbers as ECMAScript writes them, strings with the fewest escapes.
 */
#pragma once

#include "base/crypto.h"
#include "json/json.h"

/* Fails ERR_INVALID on a repeated key or a number that no double holds (NaN, over the range),
 * ERR_LIMIT when out is full; then out holds a part.  doc's text has its padding still. */
MUST_USE result json_canonical(const struct json_doc *doc, const struct json_node *node,
                               struct buf *out, struct diag *diag);

/* SHA-256 over the canonical form; scratch is reset and used for it. */
MUST_USE result json_canonical_hash(const struct json_doc *doc, const struct json_node *node,
                                    struct buf *scratch, struct hash256 *out, struct diag *diag);

/* The text as it came, less insignificant white space; keys, order, numbers and escapes as written.
 */
void json_minify(const struct json_doc *doc, const struct json_node *node, struct buf *out);
