#include "json/keys.h"

#include <endian.h>

#include "json/escape.h"

#include "base/banned.h"

/* Up to this many are put in order by plain insertion. */
#define INSERTION_COUNT_MAX 24

#define BYTES_NOT_ASCII 0x8080808080808080u

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

int json_key_cmp(const struct json_doc *doc, const struct json_node *a, const struct json_node *b)
{
    slice left = json_inner(doc, a), right = json_inner(doc, b);
    size_t shorter = left.len < right.len ? left.len : right.len;

    if (a->escaped || b->escaped)
        return escaped_cmp(left, right);
    for (size_t i = 0; i < shorter; i++)
        if (left.at[i] != right.at[i])
            return utf16_order((uint8_t)left.at[i]) - utf16_order((uint8_t)right.at[i]);
    return (left.len > right.len) - (left.len < right.len);
}

static uint64_t rank_bytes(slice value)
{
    uint64_t rank = 0;

    for (size_t i = 0; i < sizeof rank; i++)
        rank = rank << 8 | (i < value.len ? utf16_order((uint8_t)value.at[i]) : 0);
    return rank;
}

static uint64_t rank_escaped(slice inner)
{
    struct json_chars chars = JSON_CHARS(inner);
    char value[sizeof(uint64_t) + JSON_UTF8_BYTES_MAX] = {0};
    uint32_t code;

    for (size_t bytes = 0; bytes < sizeof(uint64_t) && json_chars_next(&chars, &code);)
        bytes += json_utf8_put(code, value + bytes);
    return rank_bytes(slice_of(value, sizeof(uint64_t)));
}

uint64_t json_key_rank(const struct json_doc *doc, const struct json_node *key)
{
    slice inner = json_inner(doc, key);
    uint64_t rank;

    if (key->escaped)
        return rank_escaped(inner);
    if (inner.len == 0)
        return 0;
    memcpy(&rank, inner.at, sizeof rank); /* the text has padding */
    rank = be64toh(rank);
    if (inner.len < sizeof rank)
        rank &= ~(uint64_t)0 << 8 * (sizeof rank - inner.len);
    return rank & BYTES_NOT_ASCII ? rank_bytes(inner) : rank;
}

static inline bool is_before(const struct json_doc *doc, const struct json_member *a,
                             const struct json_member *b)
{
    if (a->rank != b->rank)
        return a->rank < b->rank;
    int order = json_key_cmp(doc, &doc->nodes[a->key], &doc->nodes[b->key]);
    return order != 0 ? order < 0 : a->key < b->key;
}

static void insertion_sort(const struct json_doc *doc, struct json_member *members, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct json_member moving = members[i];
        size_t to = i;

        for (; to > 0 && is_before(doc, &moving, &members[to - 1]); to--)
            members[to] = members[to - 1];
        members[to] = moving;
    }
}

static void merge(const struct json_doc *doc, const struct json_member *from, size_t middle,
                  size_t count, struct json_member *to)
{
    size_t left = 0, right = middle;

    for (size_t i = 0; i < count; i++) {
        bool take_right =
            left == middle || (right < count && is_before(doc, &from[right], &from[left]));

        to[i] = from[take_right ? right++ : left++];
    }
}

struct json_member *json_members_sort(const struct json_doc *doc, struct json_member *members,
                                      struct json_member *spare, size_t count)
{
    for (size_t i = 0; i < count; i += INSERTION_COUNT_MAX)
        insertion_sort(doc, members + i,
                       count - i < INSERTION_COUNT_MAX ? count - i : INSERTION_COUNT_MAX);
    for (size_t run = INSERTION_COUNT_MAX; run < count; run *= 2) {
        for (size_t i = 0; i < count; i += 2 * run) {
            size_t rest = count - i;

            merge(doc, members + i, rest < run ? rest : run, rest < 2 * run ? rest : 2 * run,
                  spare + i);
        }
        struct json_member *sorted = spare;
        spare = members;
        members = sorted;
    }
    return members;
}
