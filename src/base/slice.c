#include "base/slice.h"

#include "base/banned.h"

int slice_cmp(slice a, slice b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter == 0 ? 0 : memcmp(a.at, b.at, shorter);

    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

bool slice_eq_nocase(slice a, slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.at[i]) != lower(b.at[i]))
            return false;
    return true;
}

bool slice_cut(slice s, char separator, slice *head, slice *tail)
{
    size_t position = slice_find_byte(s, separator);

    if (position == SIZE_MAX) {
        *head = s;
        *tail = slice_from(s, s.len);
        return false;
    }
    *head = slice_head(s, position);
    *tail = slice_from(s, position + 1);
    return true;
}

size_t slice_find(slice s, slice needle)
{
    if (needle.len == 0)
        return 0;
    if (s.len < needle.len)
        return SIZE_MAX;
    const char *found = memmem(s.at, s.len, needle.at, needle.len);
    return found == NULL ? SIZE_MAX : (size_t)(found - s.at);
}

size_t slice_find_byte(slice s, char byte)
{
    if (s.len == 0)
        return SIZE_MAX;
    const char *found = memchr(s.at, byte, s.len);
    return found == NULL ? SIZE_MAX : (size_t)(found - s.at);
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

slice slice_trim(slice s)
{
    while (s.len > 0 && is_space(s.at[0]))
        s = slice_from(s, 1);
    while (s.len > 0 && is_space(s.at[s.len - 1]))
        s.len--;
    return s;
}

bool parse_u64(slice s, uint64_t *out)
{
    uint64_t value = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.at[i] - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

bool parse_i64(slice s, int64_t *out)
{
    bool is_negative = s.len > 0 && s.at[0] == '-';
    uint64_t magnitude;

    if (!parse_u64(is_negative ? slice_from(s, 1) : s, &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + (is_negative ? 1 : 0))
        return false;
    *out = is_negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool parse_size(slice s, size_t *out)
{
    uint64_t value;

    if (!parse_u64(s, &value) || value > SIZE_MAX)
        return false;
    *out = (size_t)value;
    return true;
}

/* Bytes of the well-formed sequence that starts at `at`, 0 when there is none. */
static size_t utf8_sequence(const unsigned char *at, size_t room)
{
    static const struct {
        unsigned char first_least, first_most, second_least, second_most, bytes;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (at[0] < forms[i].first_least || at[0] > forms[i].first_most)
            continue;
        if (room < forms[i].bytes)
            return 0;
        if (forms[i].bytes > 1 && (at[1] < forms[i].second_least || at[1] > forms[i].second_most))
            return 0;
        for (size_t k = 2; k < forms[i].bytes; k++)
            if ((at[k] & 0xc0) != 0x80)
                return 0;
        return forms[i].bytes;
    }
    return 0;
}

bool utf8_valid(slice s)
{
    const unsigned char *bytes = (const unsigned char *)s.at;

    for (size_t i = 0; i < s.len;) {
        size_t step = utf8_sequence(bytes + i, s.len - i);

        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

size_t utf8_step(slice s)
{
    return s.len == 0 ? 0 : utf8_sequence((const unsigned char *)s.at, s.len);
}
