#include "stix/pattern_lex.h"

#include "base/banned.h"

enum byte_class {
    BYTE_DIGIT = 1,
    BYTE_LETTER = 2, /* and "_" */
    BYTE_HYPHEN = 4,
    BYTE_UPPER = 8,
    BYTE_HEX = 16,
};

/* A letter an entry, in the order of ASCII: others, digits, upper case (hexadecimal or not), lower
 * case (the same), "_" and "-". */
#define O 0
#define D (BYTE_DIGIT | BYTE_HEX)
#define H (BYTE_LETTER | BYTE_UPPER | BYTE_HEX)
#define U (BYTE_LETTER | BYTE_UPPER)
#define X (BYTE_LETTER | BYTE_HEX)
#define L BYTE_LETTER
#define M BYTE_HYPHEN

/* clang-format off */
static const uint8_t classes[256] = {
    O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
    O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
    O, O, O, O, O, O, O, O, O, O, O, O, O, M, O, O,
    D, D, D, D, D, D, D, D, D, D, O, O, O, O, O, O,
    O, H, H, H, H, H, H, U, U, U, U, U, U, U, U, U,
    U, U, U, U, U, U, U, U, U, U, U, O, O, O, O, L,
    O, X, X, X, X, X, X, L, L, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L, O, O, O, O, O,
};
/* clang-format on */

/* In the order of enum pattern_token_kind from TOKEN_AND on.  Keywords are upper case, true and
 * false lower case; LAST has no use in the language, and is kept from use as a name by its grammar.
 */
static const slice keywords[] = {
    S("AND"),     S("OR"),         S("NOT"),      S("FOLLOWEDBY"), S("LIKE"),
    S("MATCHES"), S("ISSUPERSET"), S("ISSUBSET"), S("EXISTS"),     S("LAST"),
    S("IN"),      S("START"),      S("STOP"),     S("SECONDS"),    S("true"),
    S("false"),   S("WITHIN"),     S("REPEATS"),  S("TIMES"),
};

_Static_assert(TOKEN_BAD - TOKEN_AND == sizeof(keywords) / sizeof(keywords[0]),
               "a keyword a token");

/* 0 behind the end: no byte class, so that every scan stops there. */
static uint8_t byte_at(const struct pattern_lexer *lexer, size_t at)
{
    return at < lexer->text.len ? (uint8_t)lexer->text.at[at] : 0;
}

static uint8_t class_at(const struct pattern_lexer *lexer, size_t at)
{
    return classes[byte_at(lexer, at)];
}

/* Bytes of the white space character at `at`; 0 when there is none.  Unicode's White_Space
 * (STIX 2.1, 9.4): U+0085, 00A0, 1680, 2000..200A, 2028, 2029, 202F, 205F, 3000 besides the ASCII
 * ones. */
static unsigned space_bytes(const struct pattern_lexer *lexer, size_t at)
{
    uint8_t a = byte_at(lexer, at), b, c;

    if (a == ' ' || (a >= '\t' && a <= '\r'))
        return 1;
    if (a < 0xC2)
        return 0;
    b = byte_at(lexer, at + 1);
    if (a == 0xC2)
        return b == 0x85 || b == 0xA0 ? 2 : 0;
    c = byte_at(lexer, at + 2);
    if (a == 0xE1)
        return b == 0x9A && c == 0x80 ? 3 : 0;
    if (a == 0xE3)
        return b == 0x80 && c == 0x80 ? 3 : 0;
    if (a != 0xE2)
        return 0;
    if (b == 0x80)
        return (c >= 0x80 && c <= 0x8A) || c == 0xA8 || c == 0xA9 || c == 0xAF ? 3 : 0;
    return b == 0x81 && c == 0x9F ? 3 : 0;
}

/* Bytes of the comment at `at`: to the end of the line, or to the closing mark; 0 when there is
 * none. */
static size_t comment_bytes(const struct pattern_lexer *lexer, size_t at)
{
    size_t end = at + 2, close;

    if (byte_at(lexer, at + 1) == '/') {
        while (end < lexer->text.len && lexer->text.at[end] != '\n' && lexer->text.at[end] != '\r')
            end++;
        return end - at;
    }
    if (byte_at(lexer, at + 1) != '*')
        return 0;
    close = slice_find(slice_from(lexer->text, end), SLICE("*/"));
    return close == SIZE_MAX ? 0 : close + 4;
}

static void skip_blank(struct pattern_lexer *lexer)
{
    for (;;) {
        size_t bytes = space_bytes(lexer, lexer->at);

        if (bytes == 0 && byte_at(lexer, lexer->at) == '/')
            bytes = comment_bytes(lexer, lexer->at);
        if (bytes == 0)
            return;
        lexer->at += (uint32_t)bytes;
    }
}

static struct pattern_token bad(struct pattern_lexer *lexer, uint32_t at, const char *expected)
{
    lexer->expected = expected;
    lexer->bad_at = at;
    return (struct pattern_token){.kind = TOKEN_BAD, .at = lexer->at, .len = 1};
}

static struct pattern_token take(struct pattern_lexer *lexer, enum pattern_token_kind kind,
                                 size_t end)
{
    struct pattern_token token = {.kind = kind, .at = lexer->at, .len = (uint32_t)end - lexer->at};

    lexer->at = (uint32_t)end;
    return token;
}

/* 'text' with \' and \\ for ' and \; no other escape (STIX 2.1, 9.2). */
static struct pattern_token lex_string(struct pattern_lexer *lexer)
{
    struct pattern_token token;
    bool escaped = false;
    size_t at = lexer->at + 1u;

    for (; at < lexer->text.len && lexer->text.at[at] != '\''; at++) {
        if (lexer->text.at[at] != '\\')
            continue;
        at++;
        escaped = true;
        if (byte_at(lexer, at) != '\'' && byte_at(lexer, at) != '\\')
            return bad(lexer, (uint32_t)at, "\"'\" or \"\\\" behind the \"\\\"");
    }
    if (at >= lexer->text.len)
        return bad(lexer, (uint32_t)lexer->text.len, "a closing \"'\"");
    token = take(lexer, TOKEN_STRING, at + 1);
    token.escaped = escaped;
    return token;
}

static struct pattern_token lex_hex(struct pattern_lexer *lexer)
{
    size_t first = lexer->at + 2u, at = first;

    while (class_at(lexer, at) & BYTE_HEX)
        at++;
    if (byte_at(lexer, at) != '\'' || (at - first) % 2 != 0)
        return bad(lexer, (uint32_t)at, "hexadecimal digits in pairs, then \"'\"");
    return take(lexer, TOKEN_HEX, at + 1);
}

static bool is_base64(uint8_t byte)
{
    return (classes[byte] & (BYTE_LETTER | BYTE_DIGIT) && byte != '_') || byte == '+' ||
           byte == '/';
}

static bool is_line_feed(uint8_t byte)
{
    return byte == '\n' || byte == '\r';
}

/* Base64 with its padding; line feeds inside are ignored (STIX 2.1, 9.2). */
static struct pattern_token lex_binary(struct pattern_lexer *lexer)
{
    size_t at = lexer->at + 2u, digits = 0, pads = 0;

    for (; is_base64(byte_at(lexer, at)) || is_line_feed(byte_at(lexer, at)); at++)
        digits += !is_line_feed(byte_at(lexer, at));
    for (; byte_at(lexer, at) == '=' || is_line_feed(byte_at(lexer, at)); at++)
        pads += byte_at(lexer, at) == '=';
    if (byte_at(lexer, at) != '\'' || pads > 2 || (digits + pads) % 4 != 0 ||
        (pads > 0 && digits < 2))
        return bad(lexer, (uint32_t)at, "base64 in groups of four with its \"=\", then \"'\"");
    return take(lexer, TOKEN_BINARY, at + 1);
}

/* Two digits from `least` to `most`. */
static bool pair_within(const struct pattern_lexer *lexer, size_t at, unsigned least, unsigned most)
{
    unsigned value;

    if (!(class_at(lexer, at) & BYTE_DIGIT) || !(class_at(lexer, at + 1) & BYTE_DIGIT))
        return false;
    value = (byte_at(lexer, at) - '0') * 10u + (byte_at(lexer, at + 1) - '0');
    return value >= least && value <= most;
}

/* The shape of a timestamp, not its calendar: 30 February is well-formed here, and is found out by
 * pattern_literal_read. */
static struct pattern_token lex_timestamp(struct pattern_lexer *lexer)
{
    static const char shape[] = "    -  -  T  :  :  ";
    static const struct {
        uint8_t at, least, most;
    } fields[] = {{0, 0, 99},  {2, 0, 99},  {5, 1, 12}, {8, 1, 31},
                  {11, 0, 23}, {14, 0, 59}, {17, 0, 60}};
    const char *expected = "a timestamp such as t'2014-01-13T07:03:17Z'";
    size_t first = lexer->at + 2u, at = first + sizeof(shape) - 1;

    for (size_t i = 0; i < sizeof(shape) - 1; i++)
        if (shape[i] != ' ' && byte_at(lexer, first + i) != (uint8_t)shape[i])
            return bad(lexer, lexer->at, expected);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (!pair_within(lexer, first + fields[i].at, fields[i].least, fields[i].most))
            return bad(lexer, lexer->at, expected);
    if (byte_at(lexer, at) == '.') {
        at++;
        if (!(class_at(lexer, at) & BYTE_DIGIT))
            return bad(lexer, lexer->at, expected);
        while (class_at(lexer, at) & BYTE_DIGIT)
            at++;
    }
    if (byte_at(lexer, at) != 'Z' || byte_at(lexer, at + 1) != '\'')
        return bad(lexer, lexer->at, expected);
    return take(lexer, TOKEN_TIMESTAMP, at + 2);
}

/* "5", "-5", "0.25", ".25"; no plus sign, no exponent, no leading zero before an integer. */
static struct pattern_token lex_number(struct pattern_lexer *lexer)
{
    size_t first = lexer->at + (byte_at(lexer, lexer->at) == '-'), at = first;

    while (class_at(lexer, at) & BYTE_DIGIT)
        at++;
    if (byte_at(lexer, at) == '.' && class_at(lexer, at + 1) & BYTE_DIGIT) {
        at++;
        while (class_at(lexer, at) & BYTE_DIGIT)
            at++;
        return take(lexer, TOKEN_FLOAT, at);
    }
    if (at == first)
        return bad(lexer, lexer->at, NULL);
    if (at - first > 1 && byte_at(lexer, first) == '0')
        return bad(lexer, lexer->at, "a number without a leading zero");
    return take(lexer, TOKEN_INTEGER, at);
}

static enum pattern_token_kind keyword_of(slice word)
{
    if (!(classes[(uint8_t)word.at[0]] & BYTE_UPPER) && word.at[0] != 't' && word.at[0] != 'f')
        return TOKEN_NAME;
    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
        if (slice_eq(word, keywords[i]))
            return (enum pattern_token_kind)(TOKEN_AND + i);
    return TOKEN_NAME;
}

bool pattern_is_keyword(slice word)
{
    return keyword_of(word) != TOKEN_NAME;
}

static struct pattern_token lex_word(struct pattern_lexer *lexer)
{
    uint8_t seen = 0, class;
    size_t at = lexer->at;

    for (; (class = class_at(lexer, at) & (BYTE_LETTER | BYTE_DIGIT | BYTE_HYPHEN)) != 0; at++)
        seen |= class;
    if (at == lexer->at + 1u && byte_at(lexer, at) == '\'') {
        switch (lexer->text.at[lexer->at]) {
        case 'h':
            return lex_hex(lexer);
        case 'b':
            return lex_binary(lexer);
        case 't':
            return lex_timestamp(lexer);
        }
    }
    if (seen & BYTE_HYPHEN)
        return take(lexer, TOKEN_HYPHEN, at);
    return take(lexer, keyword_of(slice_of(lexer->text.at + lexer->at, at - lexer->at)), at);
}

struct pattern_token pattern_lex(struct pattern_lexer *lexer)
{
    uint8_t next;

    skip_blank(lexer);
    if (lexer->at >= lexer->text.len)
        return take(lexer, TOKEN_END, lexer->at);
    if (class_at(lexer, lexer->at) & BYTE_LETTER)
        return lex_word(lexer);
    next = byte_at(lexer, lexer->at + 1u);
    switch (byte_at(lexer, lexer->at)) {
    case '\'':
        return lex_string(lexer);
    case '[':
        return take(lexer, TOKEN_LBRACK, lexer->at + 1u);
    case ']':
        return take(lexer, TOKEN_RBRACK, lexer->at + 1u);
    case '(':
        return take(lexer, TOKEN_LPAREN, lexer->at + 1u);
    case ')':
        return take(lexer, TOKEN_RPAREN, lexer->at + 1u);
    case ',':
        return take(lexer, TOKEN_COMMA, lexer->at + 1u);
    case ':':
        return take(lexer, TOKEN_COLON, lexer->at + 1u);
    case '*':
        return take(lexer, TOKEN_STAR, lexer->at + 1u);
    case '=':
        return take(lexer, TOKEN_EQ, lexer->at + (next == '=' ? 2u : 1u));
    case '!':
        return next == '=' ? take(lexer, TOKEN_NE, lexer->at + 2u) : bad(lexer, lexer->at, NULL);
    case '<':
        if (next == '>')
            return take(lexer, TOKEN_NE, lexer->at + 2u);
        return next == '=' ? take(lexer, TOKEN_LE, lexer->at + 2u)
                           : take(lexer, TOKEN_LT, lexer->at + 1u);
    case '>':
        return next == '=' ? take(lexer, TOKEN_GE, lexer->at + 2u)
                           : take(lexer, TOKEN_GT, lexer->at + 1u);
    case '.':
        if (classes[next] & BYTE_DIGIT)
            return lex_number(lexer);
        return take(lexer, TOKEN_DOT, lexer->at + 1u);
    case '+':
        return bad(lexer, lexer->at,
                   classes[next] & BYTE_DIGIT ? "a number without the \"+\"" : NULL);
    default:
        return lex_number(lexer);
    }
}
