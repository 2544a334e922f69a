#include "json/keys.h"

#include "json/escape.h"

#include "base/banned.h"

/* Up to this many are put in order by plain insertion. */
#define INSERTION_COUNT_MAX 24

/* UTF-8 orders as code points do, and UTF-16 differs in one thing: what needs two units
 * (U+10000 and up, first bytes F0 to F4) comes before U+E000 to U+FFFF (first bytes EE and EF). */
static uint8_t utf16_order(uint8_t byte)
{
    return byte == 0xEE || byte == 0xEF ? (uint8_t)(byte + 8) : byte;
}

static uint32_t code_order(uint32_t code)
{
    return code >= 0xE000 && code < 0x10000 ? code + 0x110000 : code;
}

static int escaped_cmp(slice a, slice b)
{
    struct json_chars left = JSON_CHARS(a), right = JSON_CHARS(b);

    for (;;) {
        uint32_t l = 0, r = 0;
        bool more_left = json_chars_next(&left, &l), more_right = json_chars_next(&right, &r);

        if (!more_left || !more_right)
            return more_left - more_right;
        if (l != r)
            return code_order(l) < code_order(r) ? -1 : 1;
    }
}

int json_key_cmp(const struct json_member *a, const struct json_member *b)
{
    size_t shorter = a->inner.len < b->inner.len ? a->inner.len : b->inner.len;

    if (a->escaped || b->escaped)
        return escaped_cmp(a->inner, b->inner);
    for (size_t i = 0; i < shorter; i++)
        if (a->inner.at[i] != b->inner.at[i])
            return utf16_order((uint8_t)a->inner.at[i]) - utf16_order((uint8_t)b->inner.at[i]);
    return (a->inner.len > b->inner.len) - (a->inner.len < b->inner.len);
}

uint64_t json_key_rank(slice inner, bool escaped)
{
    struct json_chars chars = JSON_CHARS(inner);
    char value[sizeof(uint64_t) + JSON_UTF8_BYTES_MAX] = {0};
    uint64_t rank = 0;
    uint32_t code;

    if (escaped) {
        for (size_t bytes = 0; bytes < sizeof rank && json_chars_next(&chars, &code);)
            bytes += json_utf8_put(code, value + bytes);
        inner = slice_of(value, sizeof rank);
    }
    for (size_t i = 0; i < sizeof rank; i++)
        rank = rank << 8 | (i < inner.len ? utf16_order((uint8_t)inner.at[i]) : 0);
    return rank;
}

static bool is_before(const struct json_member *a, const struct json_member *b)
{
    if (a->rank != b->rank)
        return a->rank < b->rank;
    int order = json_key_cmp(a, b);
    return order != 0 ? order < 0 : a->key < b->key;
}

static void insertion_sort(struct json_member *members, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct json_member moving = members[i];
        size_t to = i;

        for (; to > 0 && is_before(&moving, &members[to - 1]); to--)
            members[to] = members[to - 1];
        members[to] = moving;
    }
}

static void merge(const struct json_member *from, size_t middle, size_t count,
                  struct json_member *to)
{
    size_t left = 0, right = middle;

    for (size_t i = 0; i < count; i++) {
        bool take_right = left == middle || (right < count && is_before(&from[right], &from[left]));

        to[i] = from[take_right ? right++ : left++];
    }
}

struct json_member *json_members_sort(struct json_member *members, struct json_member *spare,
                                      size_t count)
{
    for (size_t i = 0; i < count; i += INSERTION_COUNT_MAX)
        insertion_sort(members + i,
                       count - i < INSERTION_COUNT_MAX ? count - i : INSERTION_COUNT_MAX);
    for (size_t run = INSERTION_COUNT_MAX; run < count; run *= 2) {
        for (size_t i = 0; i < count; i += 2 * run) {
            size_t rest = count - i;

            merge(members + i, rest < run ? rest : run, rest < 2 * run ? rest : 2 * run, spare + i);
        }
        struct json_member *sorted = spare;
        spare = members;
        members = sorted;
    }
    return members;
}
