#include "stix/pattern_lex.h"

#include "base/encode.h"

#include <errno.h>
#include <stdlib.h>

#include "base/banned.h"

/* Digits a double or a window is read from; what stands behind cannot change either. */
#define NUMBER_DIGITS_MAX 400

static bool read_string(slice inner, bool escaped, struct arena *arena, slice *out)
{
    char *text;
    size_t len = 0;

    *out = inner;
    if (!escaped)
        return true;
    text = arena_new(arena, char, inner.len);
    if (text == NULL)
        return false;
    for (size_t i = 0; i < inner.len; i++) {
        if (inner.at[i] == '\\')
            i++;
        text[len++] = inner.at[i];
    }
    *out = slice_of(text, len);
    return true;
}

static bool read_hex(slice inner, struct arena *arena, slice *out)
{
    uint8_t *bytes = arena_new(arena, uint8_t, inner.len / 2 + 1);

    if (bytes == NULL || !hex_decode(inner, bytes, inner.len / 2))
        return false;
    *out = slice_of(bytes, inner.len / 2);
    return true;
}

static unsigned base64_value(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return (unsigned)(digit - 'A');
    if (digit >= 'a' && digit <= 'z')
        return (unsigned)(digit - 'a') + 26;
    if (digit >= '0' && digit <= '9')
        return (unsigned)(digit - '0') + 52;
    return digit == '+' ? 62 : 63;
}

/* The lexer has checked the alphabet and the padding; line feeds are still in it. */
static bool read_base64(slice inner, struct arena *arena, slice *out)
{
    uint8_t *bytes = arena_new(arena, uint8_t, inner.len / 4 * 3 + 3);
    uint32_t bits = 0;
    unsigned held = 0;
    size_t len = 0;

    if (bytes == NULL)
        return false;
    for (size_t i = 0; i < inner.len && inner.at[i] != '='; i++) {
        if (inner.at[i] == '\n' || inner.at[i] == '\r')
            continue;
        bits = bits << 6 | base64_value(inner.at[i]);
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[len++] = (uint8_t)(bits >> held);
        }
    }
    *out = slice_of(bytes, len);
    return true;
}

static double read_double(slice digits)
{
    char text[NUMBER_DIGITS_MAX + 1];
    slice head = slice_head(digits, NUMBER_DIGITS_MAX);

    memcpy(text, head.at, head.len);
    text[head.len] = '\0';
    return strtod(text, NULL); /* tidy: the lexer made sure of its form */
}

/* An integer past 64 bits is lawful text; it becomes a real number. */
static void read_integer(slice digits, struct pattern_literal *out)
{
    if (parse_i64(digits, &out->integer)) {
        out->real = (double)out->integer;
        return;
    }
    out->kind = PATTERN_FLOAT;
    out->real = read_double(digits);
}

/* A date no calendar has is lawful text too (the grammar asks for two digits up to 31), but nothing
 * happened on it: the literal is marked, and the pattern matches nothing (STIX 2.1, 9.4). */
static void read_timestamp(slice inner, struct pattern_literal *out)
{
    char cut[sizeof("2014-01-13T07:03:17.") - 1 + TIMESTAMP_FRACTION_MAX + 1];
    size_t most = sizeof(cut) - 1;

    if (timestamp_parse(inner, &out->timestamp))
        return;
    if (inner.len <= sizeof(cut)) {
        out->is_impossible = true;
        return;
    }
    memcpy(cut, inner.at, most);
    cut[most] = 'Z';
    out->is_impossible = !timestamp_parse(slice_of(cut, sizeof(cut)), &out->timestamp);
}

bool pattern_literal_read(slice text, const struct pattern_token *token, struct arena *arena,
                          struct pattern_literal *out)
{
    slice whole = slice_of(text.at + token->at, token->len), inner = whole;
    unsigned prefix = token->kind == TOKEN_STRING ? 1 : 2;

    *out = (struct pattern_literal){.text = whole};
    if (token->kind >= TOKEN_STRING && token->kind <= TOKEN_TIMESTAMP)
        inner = slice_of(whole.at + prefix, whole.len - prefix - 1);
    switch (token->kind) {
    case TOKEN_STRING:
        out->kind = PATTERN_STRING;
        return read_string(inner, token->escaped, arena, &out->text);
    case TOKEN_HEX:
        out->kind = PATTERN_HEX;
        return read_hex(inner, arena, &out->text);
    case TOKEN_BINARY:
        out->kind = PATTERN_BINARY;
        return read_base64(inner, arena, &out->text);
    case TOKEN_TIMESTAMP:
        out->kind = PATTERN_TIMESTAMP;
        out->text = inner;
        read_timestamp(inner, out);
        return true;
    case TOKEN_FLOAT:
        out->kind = PATTERN_FLOAT;
        out->real = read_double(whole);
        return true;
    case TOKEN_INTEGER:
        out->kind = PATTERN_INTEGER;
        read_integer(whole, out);
        return true;
    default: /* true and false; the parser asks for no other token's value */
        out->kind = PATTERN_BOOLEAN;
        out->boolean = token->kind == TOKEN_TRUE;
        return true;
    }
}

struct timestamp pattern_window_read(slice digits)
{
    const uint64_t seconds_most = INT64_MAX / 1000000 - 1;
    slice whole, fraction;
    uint64_t seconds = 0, parts = 0;
    struct timestamp window = {.us = INT64_MAX};

    (void)slice_cut(digits, '.', &whole, &fraction); /* without a point, fraction is empty */
    for (size_t i = 0; i < whole.len; i++) {
        seconds = seconds * 10 + (uint64_t)(whole.at[i] - '0');
        if (seconds > seconds_most)
            return window;
    }
    for (size_t i = 0; i < TIMESTAMP_FRACTION_MAX; i++)
        parts = parts * 10 + (i < fraction.len ? (uint64_t)(fraction.at[i] - '0') : 0);
    window.us = (int64_t)(seconds * 1000000 + parts / 1000000);
    window.rest = (uint32_t)(parts % 1000000);
    return window;
}
