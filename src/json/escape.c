#include "json/escape.h"

#include "base/banned.h"

#define UNICODE_ESCAPE_BYTES 6 /* \u0041 */

/* What stands behind a backslash, and the byte it means; 0 for everything else. */
static const char short_escapes[256] = {
    ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
};

static int hex_value(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte = (char)(byte | 0x20);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The unit of "\uXXXX" at `at`, or -1 when there is none. */
static int32_t unicode_escape(const char *at, const char *end)
{
    int32_t unit = 0;

    if (end - at < UNICODE_ESCAPE_BYTES || at[0] != '\\' || at[1] != 'u')
        return -1;
    for (int i = 2; i < UNICODE_ESCAPE_BYTES; i++) {
        int digit = hex_value(at[i]);

        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static bool is_high_surrogate(int32_t unit)
{
    return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low_surrogate(int32_t unit)
{
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

static uint32_t escape_next(struct json_chars *chars)
{
    char mark = short_escapes[(uint8_t)chars->at[1]];

    if (mark != 0) {
        chars->at += 2;
        return (uint8_t)mark;
    }
    int32_t unit = unicode_escape(chars->at, chars->end);
    chars->at += UNICODE_ESCAPE_BYTES;
    if (!is_high_surrogate(unit))
        return (uint32_t)unit;
    int32_t low = unicode_escape(chars->at, chars->end);
    chars->at += UNICODE_ESCAPE_BYTES;
    return 0x10000 + ((uint32_t)(unit - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
}

bool json_chars_next(struct json_chars *chars, uint32_t *code)
{
    static const uint8_t head_bits[5] = {0, 0x7F, 0x1F, 0x0F, 0x07};

    if (chars->at >= chars->end)
        return false;
    uint8_t head = (uint8_t)*chars->at;
    if (head == '\\') {
        *code = escape_next(chars);
        return true;
    }
    size_t bytes = head < 0x80 ? 1 : head < 0xE0 ? 2 : head < 0xF0 ? 3 : 4;
    *code = head & head_bits[bytes];
    for (size_t i = 1; i < bytes; i++)
        *code = *code << 6 | ((uint8_t)chars->at[i] & 0x3F);
    chars->at += bytes;
    return true;
}

size_t json_utf8_put(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

size_t json_unescape(slice inner, char *out)
{
    struct json_chars chars = JSON_CHARS(inner);
    char *to = out;

    while (chars.at < chars.end) {
        const char *backslash = memchr(chars.at, '\\', (size_t)(chars.end - chars.at));
        size_t plain = (size_t)((backslash == NULL ? chars.end : backslash) - chars.at);

        memcpy(to, chars.at, plain);
        to += plain;
        chars.at += plain;
        if (backslash != NULL)
            to += json_utf8_put(escape_next(&chars), to);
    }
    return (size_t)(to - out);
}

/* Bytes of the escape at `at`; 0 and *why when it is none. */
static size_t escape_check(const char *at, const char *end, const char **why)
{
    if (end - at >= 2 && short_escapes[(uint8_t)at[1]] != 0)
        return 2;
    int32_t unit = unicode_escape(at, end);
    if (unit < 0) {
        *why = end - at >= 2 && at[1] == 'u' ? "\\u without four hexadecimal digits"
                                             : "no such escape in a string";
        return 0;
    }
    if (is_low_surrogate(unit)) {
        *why = "a low surrogate without a high one before it";
        return 0;
    }
    if (!is_high_surrogate(unit))
        return UNICODE_ESCAPE_BYTES;
    if (is_low_surrogate(unicode_escape(at + UNICODE_ESCAPE_BYTES, end)))
        return (size_t)2 * UNICODE_ESCAPE_BYTES;
    *why = "a high surrogate without a low one behind it";
    return 0;
}

const char *json_escapes_wrong(slice inner, size_t *at)
{
    const char *end = inner.at + inner.len, *from = inner.at, *why = NULL;

    while (from < end && (from = memchr(from, '\\', (size_t)(end - from))) != NULL) {
        size_t bytes = escape_check(from, end, &why);

        if (bytes == 0) {
            *at = (size_t)(from - inner.at);
            return why;
        }
        from += bytes;
    }
    return NULL;
}

size_t json_escape_put(uint32_t code, char *out)
{
    static const char letters[0x20] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    static const char hex[] = "0123456789abcdef";

    if (code >= 0x20 && code != '"' && code != '\\')
        return json_utf8_put(code, out);
    out[0] = '\\';
    out[1] = code >= 0x20 ? (char)code : letters[code];
    if (out[1] != 0)
        return 2;
    memcpy(out + 1, "u00", 3);
    out[4] = hex[code >> 4];
    out[5] = hex[code & 0xF];
    return JSON_ESCAPE_BYTES_MAX;
}
