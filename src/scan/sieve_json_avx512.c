/* AVX-512 (BW, VL, VBMI, VBMI2). */
#include <immintrin.h>

#include "scan/sieve_json.h"
#include "scan/sieve_x86.h"

#include "base/banned.h"

#define VECTOR 64

/* Kept in registers for a window: written out as constants they are made anew for each vector. */
struct vectors {
    __m512i last, before; /* the lens's marks */
    __m512i order;        /* 0 to 63 */
    __m512i quote, colon, blank, letter_u, escape, newline, brace;
};

/* Places of interest among 64 bytes; 3 bytes before them can be read. */
static inline uint64_t places(const struct vectors *v, const char *at, uint64_t *ends)
{
    __m512i here = _mm512_loadu_si512(at), back1 = _mm512_loadu_si512(at - 1);
    __m512i back2 = _mm512_loadu_si512(at - 2), back3 = _mm512_loadu_si512(at - 3);
    __mmask64 colons = _mm512_cmpeq_epi8_mask(here, v->colon);
    __mmask64 keys = _mm512_mask_cmpeq_epi8_mask(colons, back1, v->quote);
    __mmask64 apart = _mm512_mask_cmple_epu8_mask(colons, back1, v->blank);
    __mmask64 hidden =
        _mm512_mask_cmpeq_epi8_mask(_mm512_cmpeq_epi8_mask(here, v->letter_u), back1, v->escape);
    __mmask64 newlines = _mm512_cmpeq_epi8_mask(here, v->newline);
    __mmask64 broken = _mm512_mask_cmpneq_epi8_mask(newlines, back1, v->brace);
    __m512i last = _mm512_permutexvar_epi8(back2, v->last);
    __m512i before = _mm512_permutexvar_epi8(back3, v->before);

    keys = _mm512_mask_test_epi8_mask(keys, last, before);
    *ends = newlines;
    return _cvtmask64_u64(_kor_mask64(_kor_mask64(keys, apart), _kor_mask64(hidden, broken)));
}

static inline size_t places_put(const struct vectors *vectors, uint32_t *found, uint64_t mask,
                                size_t base)
{
    size_t count = (size_t)_mm_popcnt_u64(mask);
    __m512i bytes = _mm512_maskz_compress_epi8(mask, vectors->order);
    __m512i start = _mm512_set1_epi32((int)(uint32_t)base);

    _mm512_storeu_si512(
        found, _mm512_add_epi32(_mm512_cvtepu8_epi32(_mm512_castsi512_si128(bytes)), start));
    if (__builtin_expect(count > 16, 0)) {
        for (size_t i = 16; i < count; i += 16) {
            bytes = _mm512_permutexvar_epi8(_mm512_add_epi8(vectors->order, _mm512_set1_epi8(16)),
                                            bytes);
            _mm512_storeu_si512(
                found + i,
                _mm512_add_epi32(_mm512_cvtepu8_epi32(_mm512_castsi512_si128(bytes)), start));
        }
    }
    return count;
}

/* Where 64 bytes, and 3 before them, are not all there: a copy. */
static uint64_t places_at_edge(const struct vectors *vectors, const struct view *view, size_t base,
                               uint64_t *ends)
{
    char copy[2 * VECTOR] = {0};
    size_t before = base - view->from < 3 ? base - view->from : 3;
    size_t behind = view->to - base < VECTOR ? view->to - base : VECTOR;
    uint64_t mask;

    copy[VECTOR - 1] = '\n'; /* a window begins with a line */
    memcpy(copy + VECTOR - before, view->block + base - before, before + behind);
    mask = places(vectors, copy + VECTOR, ends);
    if (behind < VECTOR) {
        mask &= (1ull << behind) - 1;
        *ends &= (1ull << behind) - 1;
    }
    return mask;
}

__attribute__((noinline)) static size_t level_collect(const struct view *view)
{
    struct sieve_scratch *scratch = view->scratch;
    struct vectors vectors = {
        .last = _mm512_loadu_si512(view->lens->last),
        .before = _mm512_loadu_si512(view->lens->before),
        .quote = _mm512_set1_epi8('"'),
        .colon = _mm512_set1_epi8(':'),
        .blank = _mm512_set1_epi8(' '),
        .letter_u = _mm512_set1_epi8('u'),
        .escape = _mm512_set1_epi8('\\'),
        .newline = _mm512_set1_epi8('\n'),
        .brace = _mm512_set1_epi8('}'),
    };
    uint8_t order[VECTOR];
    uint64_t end_count = 0;
    uint64_t *ends = scratch->ends;
    size_t count = 0, base = view->from;

    for (size_t i = 0; i < VECTOR; i++)
        order[i] = (uint8_t)i;
    vectors.order = _mm512_loadu_si512(order);
    while (base < view->to) {
        bool is_edge = base == view->from || view->to - base < VECTOR;
        uint64_t mask = is_edge ? places_at_edge(&vectors, view, base, ends)
                                : places(&vectors, view->block + base, ends);

        count += places_put(&vectors, scratch->found + count, mask, base);
        end_count += (uint64_t)_mm_popcnt_u64(*ends++);
        base += VECTOR;
    }
    *ends = 0;
    scratch->end_count = end_count;
    return count;
}

static bool level_address(const struct sieve_lens *lens, const char *at, uint32_t *out)
{
    return x86_address(lens, at, out);
}

static enum name_form level_name(const struct sieve_lens *lens, const char *at, uint64_t *hash)
{
    __m512i text = _mm512_loadu_si512(at);
    __m512i folded = _mm512_or_si512(text, _mm512_set1_epi8(0x20));
    uint64_t quotes = _mm512_cmpeq_epi8_mask(text, _mm512_set1_epi8('"'));
    uint64_t dots = _mm512_cmpeq_epi8_mask(text, _mm512_set1_epi8('.'));
    uint64_t letters = _mm512_cmple_epu8_mask(_mm512_sub_epi8(folded, _mm512_set1_epi8('a')),
                                              _mm512_set1_epi8(25));
    uint64_t digits =
        _mm512_cmple_epu8_mask(_mm512_sub_epi8(text, _mm512_set1_epi8('0')), _mm512_set1_epi8(9));
    uint64_t marks = _mm512_cmpeq_epi8_mask(text, _mm512_set1_epi8('-')) |
                     _mm512_cmpeq_epi8_mask(text, _mm512_set1_epi8('_'));

    return x86_name(lens, at, quotes, dots, ~(letters | digits | marks | dots), hash);
}

void sieve_json_avx512(const struct sieve_lens *lens, struct sieve_scratch *scratch,
                       const char *block, size_t from, size_t to, size_t limit)
{
    json_window(lens, scratch, block, from, to, limit);
}
