/* Random alterations of files, from a seed that is printed. */
#pragma once

#include "base/buf.h"

/* xorshift64*: the same everywhere, so that a seed tells all. */
static inline uint64_t dice(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static inline size_t dice_below(uint64_t *state, size_t count)
{
    return (size_t)(dice(state) % count);
}

/* The line that holds the byte at `at`, with its line feed. */
static inline slice line_at(slice text, size_t at)
{
    size_t first = at, end = at;

    while (first > 0 && text.at[first - 1] != '\n')
        first--;
    while (end < text.len && text.at[end] != '\n')
        end++;
    return slice_head(slice_from(text, first), end < text.len ? end - first + 1 : end - first);
}

static inline void put_from(struct buf *out, slice text, const char *at)
{
    buf_put(out, slice_from(text, (size_t)(at - text.at)));
}

static inline void put_until(struct buf *out, slice text, const char *at)
{
    buf_put(out, slice_head(text, (size_t)(at - text.at)));
}

/* Two lines change places. */
static inline void lines_swap(slice text, slice a, slice b, struct buf *out)
{
    if (a.at > b.at) {
        slice c = a;
        a = b;
        b = c;
    }
    put_until(out, text, a.at);
    if (a.at == b.at) {
        put_from(out, text, a.at);
        return;
    }
    buf_put(out, b);
    buf_put(out, slice_of(a.at + a.len, (size_t)(b.at - a.at) - a.len));
    buf_put(out, a);
    put_from(out, text, b.at + b.len);
}

/* One alteration of a text that is not empty. */
static inline void altered(slice text, uint64_t *state, struct buf *out)
{
    size_t at = dice_below(state, text.len), other = dice_below(state, text.len);
    slice line = line_at(text, at);

    switch (dice_below(state, 8)) {
    case 0: /* a bit */
    case 1:
        buf_put(out, text);
        out->at[at] = (char)((unsigned char)out->at[at] ^ 1u << dice_below(state, 8));
        break;
    case 2: /* a byte goes */
        buf_put(out, slice_head(text, at));
        buf_put(out, slice_from(text, at + 1));
        break;
    case 3: /* a byte comes */
        buf_put(out, slice_head(text, at));
        buf_byte(out, (char)dice_below(state, 256));
        buf_put(out, slice_from(text, at));
        break;
    case 4: /* a line goes */
        put_until(out, text, line.at);
        put_from(out, text, line.at + line.len);
        break;
    case 5: /* a line comes twice */
        put_until(out, text, line.at);
        buf_put(out, line);
        put_from(out, text, line.at);
        break;
    case 6:
        lines_swap(text, line, line_at(text, other), out);
        break;
    default: /* the tail is cut */
        buf_put(out, slice_head(text, at));
    }
}
