#include "base/encode.h"

#include "base/banned.h"

#define HEX_STEP 4 /* bytes that become eight digits at once */

/* Each byte's two halves side by side, then all eight to digits: '0' on, and 39 more past '9'. */
static void hex_step(const char *bytes, char *out)
{
    uint64_t x = 0;

    for (unsigned i = 0; i < HEX_STEP; i++)
        x |= (uint64_t)(unsigned char)bytes[i] << (16 * i);
    x = ((x >> 4) & UINT64_C(0x000F000F000F000F)) | ((x & UINT64_C(0x000F000F000F000F)) << 8);
    uint64_t letters = ((x + UINT64_C(0x0606060606060606)) >> 4) & UINT64_C(0x0101010101010101);
    x += UINT64_C(0x3030303030303030) + letters * ('a' - '0' - 10);
    for (unsigned i = 0; i < 2 * HEX_STEP; i++)
        out[i] = (char)(x >> (8 * i));
}

void hex_encode(slice bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";
    size_t i = 0;

    for (; i + HEX_STEP <= bytes.len; i += HEX_STEP)
        hex_step(bytes.at + i, out + 2 * i);
    for (; i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.at[i];

        out[2 * i] = digits[byte >> 4];
        out[2 * i + 1] = digits[byte & 15];
    }
}

/* A digit's value plus 1; 0: it is none. */
static const uint8_t hex_values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

static int hex_value(char digit)
{
    return hex_values[(unsigned char)digit] - 1;
}

bool hex_decode(slice text, uint8_t *out, size_t out_bytes)
{
    if (text.len % 2 != 0 || text.len / 2 != out_bytes)
        return false;
    for (size_t i = 0; i < out_bytes; i++) {
        int high = hex_value(text.at[2 * i]), low = hex_value(text.at[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void base64_put(struct buf *out, slice bytes, const char *digits, bool is_padded)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        slice group = slice_head(slice_from(bytes, i), 3);
        uint32_t bits = 0;

        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < group.len ? (unsigned char)group.at[k] : 0);
        for (size_t k = 0; k < 4; k++) {
            if (k <= group.len)
                buf_byte(out, digits[bits >> (18 - 6 * k) & 63]);
            else if (is_padded)
                buf_byte(out, '=');
        }
    }
}

void base64_encode(struct buf *out, slice bytes)
{
    base64_put(out, bytes, base64_digits, true);
}

void base64url_encode(struct buf *out, slice bytes)
{
    base64_put(out, bytes, base64url_digits, false);
}

static int base64_value(char digit, const char *digits)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    if (digit == digits[62])
        return 62;
    return digit == digits[63] ? 63 : -1;
}

/* text without padding.  Left-over bits must be zero, so that each value has one spelling. */
static bool base64_take(struct buf *out, slice text, const char *digits)
{
    uint32_t bits = 0;
    unsigned held = 0;

    if (text.len % 4 == 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int value = base64_value(text.at[i], digits);

        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            buf_byte(out, (char)(bits >> held));
            bits &= (1u << held) - 1;
        }
    }
    return bits == 0 && !out->overflowed;
}

bool base64_decode(struct buf *out, slice text)
{
    if (text.len % 4 != 0)
        return false;
    for (int padding = 0; padding < 2 && text.len > 0 && text.at[text.len - 1] == '='; padding++)
        text.len--;
    return base64_take(out, text, base64_digits);
}

bool base64url_decode(struct buf *out, slice text)
{
    return base64_take(out, text, base64url_digits);
}

bool percent_decode(struct buf *out, slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte;

        if (text.at[i] != '%') {
            buf_byte(out, text.at[i]);
            continue;
        }
        if (!hex_decode(slice_head(slice_from(text, i + 1), 2), &byte, 1))
            return false;
        buf_byte(out, (char)byte);
        i += 2;
    }
    return !out->overflowed;
}

static bool is_unreserved(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

void percent_encode(struct buf *out, slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];

        if (is_unreserved(text.at[i]))
            buf_byte(out, text.at[i]);
        else
            buf_printf(out, "%%%02X", byte);
    }
}
