/* What the levels for x86-64 share: a dotted address in a few steps (SSSE3 and later). */
#pragma once

#include <immintrin.h>

#include "scan/sieve_lens.h"

static inline bool x86_address(const struct sieve_lens *lens, const char *at, uint32_t *out)
{
    __m128i text = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i digits = _mm_sub_epi8(text, _mm_set1_epi8('0'));
    __m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
    uint32_t number = (uint32_t)_mm_movemask_epi8(is_digit);
    uint32_t dots = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8('.')));
    uint32_t end = (uint32_t)__builtin_ctz(~(number | dots));
    uint32_t positions = (dots & ((1u << end) - 1)) | 1u << end;
    uint32_t slot = shuffle_slot(lens->shuffle_factor, positions);
    __m128i places = _mm_loadu_si128((const __m128i *)(const void *)lens->shuffles[slot].places);
    __m128i grouped = _mm_shuffle_epi8(digits, places);
    __m128i pairs = _mm_maddubs_epi16(grouped, _mm_set1_epi32(0x00010A64)); /* 100, 10, 1, 0 */
    __m128i octets = _mm_madd_epi16(pairs, _mm_set1_epi16(1));
    __m128i high = _mm_cmpgt_epi32(octets, _mm_set1_epi32(255));
    __m128i packed = _mm_shuffle_epi8(octets, _mm_set1_epi32(0x0004080C)); /* network order */

    *out = (uint32_t)_mm_cvtsi128_si32(packed);
    return lens->shuffle_ids[slot] == positions && end < 16 && at[end] == '"' &&
           _mm_movemask_epi8(high) == 0;
}

/* The four words before a name's end, as sieve_hash takes them; masks leave what does not belong to
 * the name. */
static inline uint64_t x86_tail_hash(const struct sieve_lens *lens, const char *end, size_t len)
{
    const uint64_t *masks = lens->tail_masks[len];
    uint64_t words[4];

    for (size_t i = 0; i < 4; i++)
        words[i] = (sieve_load64(end - 8 - 8 * i) | SIEVE_FOLD) & masks[i];
    return sieve_hash_words(words, len);
}

/* From the masks of a value's first 64 bytes: which is its end, where its dots are, what is
 * neither letter, digit, hyphen, underscore nor dot. */
static inline enum name_form x86_name(const struct sieve_lens *lens, const char *at,
                                      uint64_t quotes, uint64_t dots, uint64_t others,
                                      uint64_t *hash)
{
    uint64_t inside = _blsmsk_u64(quotes) >> 1; /* below the first quote */
    size_t end = (size_t)_tzcnt_u64(quotes);

    if (quotes == 0 || (others & inside) != 0)
        return NAME_ODD;
    if (end == 0)
        return NAME_NOTHING;
    if (at[end - 1] == '.')
        end--;
    dots &= end > 0 ? ~0ull >> (64 - end) : 0;
    if (end == 0 || dots == 0)
        return lens->sieve->has_bare_name != 0 ? NAME_ODD : NAME_NOTHING;
    if ((uint8_t)(at[end - 1] - '0') <= 9)
        return NAME_ADDRESS;
    uint64_t rest = dots ^ 1ull << (63 - _lzcnt_u64(dots));
    size_t start = 64 - (size_t)_lzcnt_u64(rest); /* behind the last but one dot */
    size_t len = end - start < SIEVE_TAIL_BYTES ? end - start : SIEVE_TAIL_BYTES;

    *hash = x86_tail_hash(lens, at + end, len);
    return lens->sieve->has_top_level != 0 ? NAME_ODD : NAME_PLAIN;
}
