/* A string's escapes (RFC 8259, section 7): checked once by the parser, understood by everyone
 * else. */
#pragma once

#include "base/slice.h"

/* The code points of a checked string's text, as it stands between the quotes. */
struct json_chars {
    const char *at, *end;
};

#define JSON_CHARS(inner) ((struct json_chars){(inner).at, (inner).at + (inner).len})

/* The next code point; false at the end. */
bool json_chars_next(struct json_chars *chars, uint32_t *code);

/* Write the value of a checked string; out has room for inner.len bytes.  Returns its length. */
size_t json_unescape(slice inner, char *out);

/* NULL when every escape is right, else what is wrong, and with *at where (from inner.at). */
const char *json_escapes_wrong(slice inner, size_t *at);

#define JSON_UTF8_BYTES_MAX 4
size_t json_utf8_put(uint32_t code, char *out); /* returns the bytes written */

#define JSON_ESCAPE_BYTES_MAX 6

/* A code point as RFC 8785 (3.2.2.2) writes it inside a string: `"`, `\` and control characters
 * by their shortest escapes, all others as UTF-8.  Returns the bytes written. */
size_t json_escape_put(uint32_t code, char *out);
