#include "scan/sieve.h"

#include <assert.h>
#include <stdlib.h>

#include "base/fault.h"
#include "scan/sieve_lens.h"

#include "base/banned.h"

#define LINES_MAX SIEVE_BLOCK_BYTES_MAX

/* What is known of a block while it is gone through. */
struct passing {
    const struct sieve_lens *lens;
    struct sieve_scratch *scratch;
    slice block;
    struct sieve_lines *out;
    uint64_t line_count; /* before the window */
};

result sieve_scratch_new(struct sieve_scratch **out, struct diag *diag)
{
    size_t capacity = 0;

    *out = FAULT_HERE() ? NULL : table_grow(NULL, &capacity, 1, 1, sizeof(**out));
    return *out == NULL ? diag_fail(diag, ERR_LIMIT, "out of memory") : OK;
}

void sieve_scratch_free(struct sieve_scratch **scratch)
{
    table_free(*scratch);
    *scratch = NULL;
}

void sieve_lines_free(struct sieve_lines *lines)
{
    table_free(lines->at);
    *lines = (struct sieve_lines){0};
}

static result line_put(struct sieve_lines *out, const struct sieve_line *line, struct diag *diag)
{
    struct sieve_line *grown = out->at;

    if (out->count == out->capacity)
        grown = FAULT_HERE() ? NULL
                             : table_grow(out->at, &out->capacity, out->count + 1, LINES_MAX,
                                          sizeof(*grown));
    if (grown == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for %zu lines", out->count + 1);
    out->at = grown;
    out->at[out->count++] = *line;
    return OK;
}

/* ---- from places in a window to its lines ---- */

static int place_compare(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* The line of each place, each line once. */
static result hits_put(struct passing *passing, size_t from, size_t to, struct diag *diag)
{
    struct sieve_scratch *scratch = passing->scratch;
    const uint64_t *ends = scratch->ends;
    const char *block = passing->block.at;
    size_t word = 0, done = from;
    uint64_t before = passing->line_count;

    qsort(scratch->hits, scratch->hit_count, sizeof(scratch->hits[0]), place_compare);
    for (size_t i = 0; i < scratch->hit_count; i++) {
        size_t at = scratch->hits[i], bit = at - from, start, stop;
        const char *end;

        if (at < done)
            continue;
        for (; word < bit / 64; word++)
            before += (uint64_t)__builtin_popcountll(ends[word]);
        uint64_t below = ends[word] & ((1ull << (bit % 64)) - 1);
        end = at > from ? memrchr(block + from, '\n', at - from) : NULL;
        start = end == NULL ? from : (size_t)(end - block) + 1;
        end = memchr(block + at, '\n', to - at);
        stop = end == NULL ? to : (size_t)(end - block);
        done = stop + 1;
        struct sieve_line line = {
            .start = (uint32_t)start,
            .len = (uint32_t)(stop - start),
            .number = (uint32_t)(before + (uint64_t)__builtin_popcountll(below)),
        };
        TRY(line_put(passing->out, &line, diag));
    }
    return OK;
}

static sieve_window *window_of(const struct sieve_lens *lens)
{
#ifdef ENTENTE_X86
    if (lens->level == SIEVE_AVX512)
        return sieve_json_avx512;
    if (lens->level == SIEVE_AVX2)
        return sieve_json_avx2;
#endif
    (void)lens;
    return sieve_json_plain;
}

/* Every line of a run. */
static result all_put(struct passing *passing, size_t from, size_t to, struct diag *diag)
{
    while (from < to) {
        const char *end = memchr(passing->block.at + from, '\n', to - from);
        size_t stop = end == NULL ? to : (size_t)(end - passing->block.at);
        struct sieve_line line = {(uint32_t)from, (uint32_t)(stop - from),
                                  (uint32_t)passing->line_count++};

        TRY(line_put(passing->out, &line, diag));
        from = stop + 1;
    }
    return OK;
}

/* As many whole lines as a window takes; one line when it takes none. */
static size_t window_end(slice block, size_t from, bool *is_long)
{
    size_t room = block.len - from;
    const char *start = block.at + from, *end;

    *is_long = false;
    if (room <= WINDOW_BYTES_USUAL)
        return block.len;
    assert(start != NULL);
    end = memrchr(start, '\n', WINDOW_BYTES_USUAL);
    if (end == NULL)
        end = memchr(start, '\n', room);
    *is_long = end == NULL || (size_t)(end - start) >= WINDOW_BYTES;
    return end == NULL ? block.len : (size_t)(end - block.at) + 1;
}

result sieve_block(const struct sieve_lens *lens, struct sieve_scratch *scratch, slice block,
                   struct sieve_lines *out, struct diag *diag)
{
    struct passing passing = {lens, scratch, block, out, 0};
    sieve_window *window = window_of(lens);
    size_t from = 0;

    out->count = 0;
    if (block.len > SIEVE_BLOCK_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "a block of %zu bytes, over %zu", block.len,
                         SIEVE_BLOCK_BYTES_MAX);
    while (from < block.len) {
        bool is_long;
        size_t to = window_end(block, from, &is_long);

        if (lens->is_open || is_long) {
            TRY(all_put(&passing, from, to, diag));
        } else {
            scratch->hit_count = 0;
            scratch->end_count = 0;
            window(lens, scratch, block.at, from, to, block.len);
            TRY(hits_put(&passing, from, to, diag));
            passing.line_count += scratch->end_count;
        }
        from = to;
    }
    bool is_cut = block.len > 0 && block.at[block.len - 1] != '\n';
    out->line_count = passing.line_count + (is_cut && !lens->is_open ? 1 : 0);
    return OK;
}
