/* The words of a STIX pattern: text to tokens, one at a time (for pattern.c alone).
 *
 * A token is a place in the text; what it means (an escape undone, a number read, base64 decoded)
 * is worked out by pattern_literal_read when the parser has a use for it.
 */
#pragma once

#include "stix/pattern.h"

enum pattern_token_kind {
    TOKEN_END,
    TOKEN_LBRACK,
    TOKEN_RBRACK,
    TOKEN_LPAREN,
    TOKEN_RPAREN,
    TOKEN_COMMA,
    TOKEN_COLON,
    TOKEN_DOT,
    TOKEN_STAR,
    TOKEN_EQ,
    TOKEN_NE,
    TOKEN_LT,
    TOKEN_LE,
    TOKEN_GT,
    TOKEN_GE,
    TOKEN_INTEGER,
    TOKEN_FLOAT,
    TOKEN_STRING,
    TOKEN_BINARY,
    TOKEN_HEX,
    TOKEN_TIMESTAMP,
    TOKEN_NAME,   /* letters, digits, "_" */
    TOKEN_HYPHEN, /* the same with a "-" in it: an object type only */
    /* keywords, in the order of the table in pattern_lex.c */
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_NOT,
    TOKEN_FOLLOWEDBY,
    TOKEN_LIKE,
    TOKEN_MATCHES,
    TOKEN_ISSUPERSET,
    TOKEN_ISSUBSET,
    TOKEN_EXISTS,
    TOKEN_LAST,
    TOKEN_IN,
    TOKEN_START,
    TOKEN_STOP,
    TOKEN_SECONDS,
    TOKEN_TRUE,
    TOKEN_FALSE,
    TOKEN_WITHIN,
    TOKEN_REPEATS,
    TOKEN_TIMES,
    TOKEN_BAD, /* no token starts here; `expected` of the lexer says what is wrong, when it knows */
};

struct pattern_token {
    enum pattern_token_kind kind;
    bool escaped;     /* a string with a backslash in it */
    uint32_t at, len; /* of the whole token; quotes and prefix included */
};

struct pattern_lexer {
    slice text;           /* borrowed */
    uint32_t at;          /* of the next byte to look at */
    const char *expected; /* after TOKEN_BAD: in words, or NULL */
    uint32_t bad_at;      /* and where */
};

struct pattern_token pattern_lex(struct pattern_lexer *lexer);

/* A word that cannot be a name without quotes. */
bool pattern_is_keyword(slice word);

/* The value of a literal token.  Text without escapes borrows from the pattern, the rest goes to
 * the arena; false when its budget is out. */
bool pattern_literal_read(slice text, const struct pattern_token *token, struct arena *arena,
                          struct pattern_literal *out);

/* A decimal number of seconds ("5", "0.25") to the picosecond; what is longer than any clock runs
 * is cut to INT64_MAX microseconds. */
struct timestamp pattern_window_read(slice digits);
