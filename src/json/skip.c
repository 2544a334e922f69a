#include "json/skip.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/banned.h"

#define BLOCK_BYTES 64

/* A bit for each byte of a block, the first the lowest. */
struct marks {
    uint64_t quote, backslash, open, close;
};

/* '{' and '[', '}' and ']' differ in this bit alone. */
#define BRACKET_CASE 0x20

#if defined(__SSE2__)

static inline uint64_t equal(const __m128i in[4], char byte)
{
    const __m128i wanted = _mm_set1_epi8(byte);
    uint64_t bits = 0;

    for (int i = 0; i < 4; i++)
        bits |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(in[i], wanted)) << 16 * i;
    return bits;
}

static inline struct marks block_marks(const char *at)
{
    __m128i in[4], folded[4];

    for (int i = 0; i < 4; i++) {
        in[i] = _mm_loadu_si128((const __m128i *)(const void *)(at + 16 * i));
        folded[i] = _mm_or_si128(in[i], _mm_set1_epi8(BRACKET_CASE));
    }
    return (struct marks){equal(in, '"'), equal(in, '\\'), equal(folded, '{'), equal(folded, '}')};
}

#else

static inline struct marks block_marks(const char *at)
{
    struct marks marks = {0};

    for (int i = 0; i < BLOCK_BYTES; i++) {
        uint64_t folded = (uint8_t)at[i] | BRACKET_CASE;

        marks.quote |= (uint64_t)(at[i] == '"') << i;
        marks.backslash |= (uint64_t)(at[i] == '\\') << i;
        marks.open |= (uint64_t)(folded == '{') << i;
        marks.close |= (uint64_t)(folded == '}') << i;
    }
    return marks;
}

#endif

/* The bytes a backslash stands before; *escaped carries over from block to block. */
static inline uint64_t escaped_bytes(uint64_t backslash, bool *escaped)
{
    uint64_t hit = *escaped;

    backslash &= ~hit;
    *escaped = false;
    while (backslash != 0) {
        uint64_t first = backslash & -backslash;

        *escaped = first >> 63;
        hit |= first << 1;
        backslash &= ~(first | first << 1);
    }
    return hit;
}

/* Bit n is the parity of the bits 0 to n: inside a string from its opening quote on. */
static inline uint64_t parity(uint64_t bits)
{
    for (int shift = 1; shift < 64; shift *= 2)
        bits ^= bits << shift;
    return bits;
}

/* One bracket after another, where the value may end or be too deep. */
static enum json_skip_state brackets_walk(struct json_skip *skip, uint64_t open, uint64_t close,
                                          size_t depth_max, size_t *taken)
{
    for (uint64_t both = open | close; both != 0; both &= both - 1) {
        bool opens = open & both & -both;

        *taken = (size_t)__builtin_ctzll(both);
        if (opens && skip->depth == depth_max)
            return JSON_SKIP_DEEP;
        skip->depth += opens ? 1 : (size_t)-1;
        if (skip->depth == 0) {
            ++*taken;
            return JSON_SKIP_DONE;
        }
    }
    *taken = BLOCK_BYTES;
    return JSON_SKIP_MORE;
}

static inline enum json_skip_state block_skip(struct json_skip *skip, const char *at,
                                              size_t depth_max, size_t *taken)
{
    struct marks marks = block_marks(at);
    uint64_t escaped = 0;

    if (marks.backslash != 0 || skip->escaped)
        escaped = escaped_bytes(marks.backslash, &skip->escaped);
    uint64_t in_string = parity(marks.quote & ~escaped) ^ -(uint64_t)skip->in_string;
    uint64_t open = marks.open & ~in_string, close = marks.close & ~in_string;
    size_t opens = (size_t)__builtin_popcountll(open), closes = (size_t)__builtin_popcountll(close);

    skip->in_string = in_string >> 63;
    if (skip->depth <= closes || skip->depth + opens > depth_max)
        return brackets_walk(skip, open, close, depth_max, taken);
    skip->depth += opens - closes;
    *taken = BLOCK_BYTES;
    return JSON_SKIP_MORE;
}

/* The same a byte at a time, for what is left of a block. */
static enum json_skip_state byte_skip(struct json_skip *skip, char byte, size_t depth_max)
{
    if (skip->escaped)
        skip->escaped = false;
    else if (byte == '\\')
        skip->escaped = true;
    else if (byte == '"')
        skip->in_string = !skip->in_string;
    if (skip->in_string)
        return JSON_SKIP_MORE;
    char folded = (char)(byte | BRACKET_CASE);
    if (folded == '{') {
        if (skip->depth == depth_max)
            return JSON_SKIP_DEEP;
        skip->depth++;
    }
    if (folded == '}' && --skip->depth == 0)
        return JSON_SKIP_DONE;
    return JSON_SKIP_MORE;
}

enum json_skip_state json_skip_container(struct json_skip *skip, slice text, size_t depth_max,
                                         size_t *taken)
{
    enum json_skip_state state;
    size_t at = 0, more;

    for (; text.len - at >= BLOCK_BYTES; at += BLOCK_BYTES) {
        state = block_skip(skip, text.at + at, depth_max, &more);
        if (state != JSON_SKIP_MORE) {
            *taken = at + more;
            return state;
        }
    }
    for (; at < text.len; at++) {
        state = byte_skip(skip, text.at[at], depth_max);
        if (state != JSON_SKIP_MORE) {
            *taken = at + (state == JSON_SKIP_DONE);
            return state;
        }
    }
    *taken = text.len;
    return JSON_SKIP_MORE;
}

enum json_skip_state json_skip_string(struct json_skip *skip, slice text, size_t *taken)
{
    for (size_t at = 0; at < text.len; at++) {
        if (skip->escaped) {
            skip->escaped = false;
        } else if (text.at[at] == '\\') {
            skip->escaped = true;
        } else if (text.at[at] == '"') {
            if (skip->in_string) {
                *taken = at + 1;
                return JSON_SKIP_DONE;
            }
            skip->in_string = true;
        }
    }
    *taken = text.len;
    return JSON_SKIP_MORE;
}
