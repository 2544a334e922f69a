/* AVX2 and BMI2. */
#include <immintrin.h>

#include "scan/sieve_json.h"
#include "scan/sieve_x86.h"

#include "base/banned.h"

#define VECTOR 64 /* two of 32 */

static inline __m256i load(const char *at)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)at);
}

static inline uint64_t equal(__m256i low, __m256i high, char byte)
{
    __m256i wanted = _mm256_set1_epi8(byte);

    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted)) |
           (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted)) << 32;
}

static inline uint64_t at_most(__m256i low, __m256i high, char byte)
{
    __m256i most = _mm256_set1_epi8(byte);

    return equal(_mm256_subs_epu8(low, most), _mm256_subs_epu8(high, most), 0);
}

struct carry {
    uint64_t quotes, escapes, blanks, braces; /* the last byte of the vector before */
};

struct places {
    uint64_t keys, odd, ends;
};

static inline struct places places_of(const char *at, struct carry *carry)
{
    __m256i low = load(at), high = load(at + 32);
    uint64_t quotes = equal(low, high, '"'), escapes = equal(low, high, '\\');
    uint64_t blanks = at_most(low, high, ' '), braces = equal(low, high, '}');
    uint64_t colons = equal(low, high, ':'), newlines = equal(low, high, '\n');
    struct places out = {
        .keys = colons & (quotes << 1 | carry->quotes),
        .odd = (colons & (blanks << 1 | carry->blanks)) |
               (equal(low, high, 'u') & (escapes << 1 | carry->escapes)) |
               (newlines & ~(braces << 1 | carry->braces)),
        .ends = newlines,
    };

    *carry = (struct carry){quotes >> 63, escapes >> 63, blanks >> 63, braces >> 63};
    return out;
}

static size_t all_put(uint32_t *found, size_t count, uint64_t mask, size_t base)
{
    for (; mask != 0; mask = _blsr_u64(mask))
        found[count++] = (uint32_t)(base + _tzcnt_u64(mask));
    return count;
}

/* Of the keys those whose last two bytes may be of interest: written first, kept when they are. */
static inline size_t keys_put(const struct view *view, size_t count, uint64_t mask, size_t base)
{
    uint32_t *found = view->scratch->found;
    const uint64_t *pairs = view->lens->pairs;

    for (; mask != 0; mask = _blsr_u64(mask)) {
        size_t at = base + (size_t)_tzcnt_u64(mask);
        const uint8_t *end = (const uint8_t *)view->block + at;
        uint32_t pair = (end[-3] & 31u) | (end[-2] & 31u) << 5;

        found[count] = (uint32_t)at;
        count += pairs[pair >> 6] >> (pair & 63) & 1;
    }
    return count;
}

static size_t level_collect(const struct view *view)
{
    struct sieve_scratch *scratch = view->scratch;
    struct carry carry = {.blanks = 1};
    uint64_t *ends = scratch->ends;
    size_t count = 0, base = view->from;

    while (base < view->to) {
        size_t behind = view->to - base;
        char copy[VECTOR] = {0};
        const char *at = view->block + base;

        if (behind < VECTOR) {
            memcpy(copy, at, behind);
            at = copy;
        }
        struct places places = places_of(at, &carry);
        if (behind < VECTOR) {
            uint64_t inside = (1ull << behind) - 1;

            places =
                (struct places){places.keys & inside, places.odd & inside, places.ends & inside};
        }
        if (base == view->from) { /* keys that begin before the window can be read */
            places.odd |= places.keys;
            places.keys = 0;
        }
        if (__builtin_expect(places.odd != 0, 0)) /* all of them, in order */
            count = all_put(scratch->found, count, places.keys | places.odd, base);
        else
            count = keys_put(view, count, places.keys, base);
        *ends++ = places.ends;
        scratch->end_count += (uint64_t)_mm_popcnt_u64(places.ends);
        base += VECTOR;
    }
    *ends = 0;
    return count;
}

static bool level_address(const struct sieve_lens *lens, const char *at, uint32_t *out)
{
    return x86_address(lens, at, out);
}

static enum name_form level_name(const struct sieve_lens *lens, const char *at, uint64_t *hash)
{
    __m256i low = load(at), high = load(at + 32), fold = _mm256_set1_epi8(0x20);
    __m256i a = _mm256_set1_epi8('a'), zero = _mm256_set1_epi8('0');
    uint64_t quotes = equal(low, high, '"'), dots = equal(low, high, '.');
    uint64_t letters = at_most(_mm256_sub_epi8(_mm256_or_si256(low, fold), a),
                               _mm256_sub_epi8(_mm256_or_si256(high, fold), a), 25);
    uint64_t digits = at_most(_mm256_sub_epi8(low, zero), _mm256_sub_epi8(high, zero), 9);
    uint64_t marks = equal(low, high, '-') | equal(low, high, '_');

    return x86_name(lens, at, quotes, dots, ~(letters | digits | marks | dots), hash);
}

void sieve_json_avx2(const struct sieve_lens *lens, struct sieve_scratch *scratch,
                     const char *block, size_t from, size_t to, size_t limit)
{
    json_window(lens, scratch, block, from, to, limit);
}
