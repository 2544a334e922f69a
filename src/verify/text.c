/* Text from outside: lines, numbers, base64, names; and the words of refusals. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "verify/inside.h"

#include "base/banned.h"

/* ---- refusals ---- */

/* Copy what was written with everything that is not printable ASCII shown as \xHH. */
static void words_put(struct entente_why *why, const char *words)
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;

    for (; *words != '\0' && at + 5 < sizeof(why->text); words++) {
        unsigned char byte = (unsigned char)*words;

        if (byte >= 0x20 && byte < 0x7f) {
            why->text[at++] = *words;
        } else {
            why->text[at++] = '\\';
            why->text[at++] = 'x';
            why->text[at++] = digits[byte >> 4];
            why->text[at++] = digits[byte & 15];
        }
    }
    why->text[at] = '\0';
}

__attribute__((format(printf, 2, 0))) static void
words_format(struct entente_why *why, const char *format, va_list arguments)
{
    char words[sizeof(why->text)];

    if (vsnprintf(words, sizeof(words), format, arguments) < 0)
        words[0] = '\0';
    words_put(why, words);
}

bool refuse(struct entente_why *why, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    words_format(why, format, arguments);
    va_end(arguments);
    why->names_entry = false;
    why->entry = 0;
    return false;
}

bool refuse_entry(struct entente_why *why, uint64_t entry, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    words_format(why, format, arguments);
    va_end(arguments);
    why->names_entry = true;
    why->entry = entry;
    return false;
}

bool refuse_within(struct entente_why *why, const char *format, ...)
{
    struct entente_why inner = *why;
    char words[2 * sizeof(why->text) + 2];
    va_list arguments;

    va_start(arguments, format);
    words_format(why, format, arguments);
    va_end(arguments);
    (void)snprintf(words, sizeof(words), "%s: %s", why->text, inner.text);
    words_put(why, words);
    return false;
}

/* ---- runs of bytes ---- */

bool bytes_equal(struct entente_bytes a, struct entente_bytes b)
{
    return a.count == b.count && (a.count == 0 || memcmp(a.at, b.at, a.count) == 0);
}

struct entente_bytes bytes_head(struct entente_bytes bytes, size_t count)
{
    return (struct entente_bytes){bytes.at, count < bytes.count ? count : bytes.count};
}

struct entente_bytes bytes_from(struct entente_bytes bytes, size_t count)
{
    if (count > bytes.count)
        count = bytes.count;
    return (struct entente_bytes){count > 0 ? bytes.at + count : bytes.at, bytes.count - count};
}

bool bytes_start(struct entente_bytes bytes, struct entente_bytes head)
{
    return bytes.count >= head.count && bytes_equal(bytes_head(bytes, head.count), head);
}

bool bytes_cut(struct entente_bytes *rest, uint8_t separator, struct entente_bytes *head)
{
    const uint8_t *at = rest->count > 0 ? memchr(rest->at, separator, rest->count) : NULL;

    if (at == NULL)
        return false;
    *head = bytes_head(*rest, (size_t)(at - rest->at));
    *rest = bytes_from(*rest, head->count + 1);
    return true;
}

bool line_next(struct entente_bytes *rest, struct entente_bytes *line)
{
    return bytes_cut(rest, '\n', line);
}

/* ---- numbers, base64 ---- */

bool number_parse(struct entente_bytes text, uint64_t *out)
{
    uint64_t number = 0;

    if (text.count == 0 || text.count > 19 || (text.count > 1 && text.at[0] == '0'))
        return false;
    for (size_t i = 0; i < text.count; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        number = number * 10 + (text.at[i] - '0'); /* 19 digits fit 64 bits */
    }
    if (number > INT64_MAX)
        return false;
    *out = number;
    return true;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* 0 to 63, or 64 for what is no digit. */
static unsigned base64_value(uint8_t digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26u;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52u;
    return digit == '+' ? 62 : digit == '/' ? 63 : 64;
}

/* Four digits with `padding` equals signs at their end, as 24 bits. */
static bool base64_group(const uint8_t *at, size_t padding, uint32_t *bits)
{
    *bits = 0;
    for (size_t i = 0; i < 4 - padding; i++) {
        unsigned value = base64_value(at[i]);

        if (value == 64)
            return false;
        *bits |= value << (18 - 6 * i);
    }
    return (*bits & ((1u << (8 * padding)) - 1)) == 0;
}

bool base64_parse(struct entente_bytes text, uint8_t *out, size_t room, size_t *count)
{
    size_t padding = 0;
    uint32_t bits;

    *count = 0;
    if (text.count % 4 != 0)
        return false;
    while (padding < 2 && padding < text.count && text.at[text.count - 1 - padding] == '=')
        padding++;
    if (text.count / 4 * 3 - padding > room)
        return false;
    for (size_t i = 0; i < text.count; i += 4) {
        size_t short_by = i + 4 == text.count ? padding : 0;

        if (!base64_group(text.at + i, short_by, &bits))
            return false;
        for (size_t k = 0; k < 3 - short_by; k++)
            out[(*count)++] = (uint8_t)(bits >> (16 - 8 * k));
    }
    return true;
}

bool hash_parse(struct entente_bytes text, struct entente_hash *out)
{
    size_t count;

    return base64_parse(text, out->bytes, sizeof(out->bytes), &count) &&
           count == sizeof(out->bytes);
}

void hash_print(const struct entente_hash *hash, char out[HASH_TEXT_BYTES + 1])
{
    size_t at = 0;

    for (size_t i = 0; i < ENTENTE_HASH_BYTES; i += 3) {
        uint32_t bits = (uint32_t)hash->bytes[i] << 16 | (uint32_t)hash->bytes[i + 1] << 8;

        bits |= i + 2 < ENTENTE_HASH_BYTES ? hash->bytes[i + 2] : 0;
        for (size_t k = 0; k < 4; k++)
            out[at++] = base64_digits[bits >> (18 - 6 * k) & 63];
    }
    out[HASH_TEXT_BYTES - 1] = '='; /* 32 bytes are ten groups and two thirds */
    out[HASH_TEXT_BYTES] = '\0';
}

/* ---- UTF-8 ---- */

/* Bytes of the well-formed sequence at the front (RFC 3629), and what it stands for; 0: none. */
static size_t utf8_step(struct entente_bytes text, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = text.at[0];
    size_t count = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;

    if (first >= 0xf8 || (first >= 0x80 && first < 0xc0) || count > text.count)
        return 0;
    *code = count == 1 ? first : first & (0xffu >> (count + 1));
    for (size_t i = 1; i < count; i++) {
        if ((text.at[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (text.at[i] & 0x3f);
    }
    if (*code < least[count] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
        return 0;
    return count;
}

bool text_is_plain(struct entente_bytes text)
{
    uint32_t code;

    while (text.count > 0) {
        size_t step = utf8_step(text, &code);

        if (step == 0 || (code < 0x20 && code != '\n'))
            return false;
        text = bytes_from(text, step);
    }
    return true;
}

/* Unicode's White_Space. */
static bool is_space(uint32_t code)
{
    return (code >= 0x09 && code <= 0x0d) || code == 0x20 || code == 0x85 || code == 0xa0 ||
           code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 ||
           code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

bool name_is_plain(struct entente_bytes name)
{
    uint32_t code = 0;

    if (name.count == 0 || !text_is_plain(name))
        return false;
    while (name.count > 0) {
        name = bytes_from(name, utf8_step(name, &code));
        if (is_space(code) || code == '+')
            return false;
    }
    return true;
}
