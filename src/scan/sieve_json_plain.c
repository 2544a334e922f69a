/* Plain C: for any machine, and what the other levels are held against. */
#include "scan/sieve_json.h"

#include "base/banned.h"

/* The bytes at which the levels stop: behind which a key's value stands, or where a line is odd. */
static bool is_place(const struct sieve_lens *lens, const char *block, size_t at, size_t from)
{
    char before = at > from ? block[at - 1] : '\n';

    if (block[at] == ':')
        return before == '"' || (uint8_t)before <= ' ';
    if (block[at] == '\n')
        return before != '}';
    (void)lens;
    return block[at] == 'u' && before == '\\';
}

static size_t level_collect(const struct view *view)
{
    struct sieve_scratch *scratch = view->scratch;
    size_t count = 0;

    memset(scratch->ends, 0, sizeof(scratch->ends));
    for (size_t at = view->from; at < view->to; at++) {
        size_t bit = at - view->from;

        if (view->block[at] == '\n')
            scratch->ends[bit / 64] |= 1ull << (bit % 64);
        scratch->end_count += view->block[at] == '\n';
        if (is_place(view->lens, view->block, at, view->from))
            scratch->found[count++] = (uint32_t)at;
    }
    return count;
}

/* Each value is judged by itself. */
static bool level_address(const struct sieve_lens *lens, const char *at, uint32_t *out)
{
    (void)lens;
    (void)at;
    *out = 0;
    return false;
}

static enum name_form level_name(const struct sieve_lens *lens, const char *at, uint64_t *hash)
{
    (void)lens;
    (void)at;
    *hash = 0;
    return NAME_ODD;
}

void sieve_json_plain(const struct sieve_lens *lens, struct sieve_scratch *scratch,
                      const char *block, size_t from, size_t to, size_t limit)
{
    json_window(lens, scratch, block, from, to, limit);
}
