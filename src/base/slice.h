/* A borrowed run of bytes: the only string type inside the program.
 *
 * NUL-terminated text exists at the edges alone, where libc or a library asks
 * for it.  A slice owns nothing; whoever made the bytes says how long they last.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const char *at;
    size_t len;
} slice;

/* A slice of a string literal: SLICE in expressions, S in static tables. */
#define SLICE(literal) ((slice){"" literal, sizeof(literal) - 1})
#define S(literal)                                                                                 \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }

/* For printf: printf("%.*s", SLICE_ARG(name)). */
#define SLICE_ARG(s) (int)(s).len, (s).at

#define SLICE_NONE ((slice){NULL, 0})

static inline slice slice_of(const void *at, size_t len)
{
    return (slice){(const char *)at, len};
}

/* text may be NULL: an empty slice. */
static inline slice slice_text(const char *text)
{
    return (slice){text, text ? strlen(text) : 0};
}

/* memcmp() of two slices of one length.  A slice with a length has bytes: the type's promise, which
 * costs nothing to say, UBSan checks and the static analyzers rely on. */
static inline bool slice_same_bytes(const char *a, const char *b, size_t len)
{
    if (len == 0)
        return true;
    if (a == NULL || b == NULL)
        __builtin_unreachable();
    return memcmp(a, b, len) == 0;
}

static inline bool slice_eq(slice a, slice b)
{
    return a.len == b.len && slice_same_bytes(a.at, b.at, a.len);
}

static inline bool slice_starts(slice s, slice head)
{
    return s.len >= head.len && slice_same_bytes(s.at, head.at, head.len);
}

static inline bool slice_ends(slice s, slice tail)
{
    return s.len >= tail.len &&
           (tail.len == 0 || slice_same_bytes(s.at + s.len - tail.len, tail.at, tail.len));
}

/* What is left behind the first `count` bytes; all of them when there are fewer. */
static inline slice slice_from(slice s, size_t count)
{
    if (count > s.len)
        count = s.len;
    return (slice){s.at + count, s.len - count};
}

/* At most the first `count` bytes. */
static inline slice slice_head(slice s, size_t count)
{
    return (slice){s.at, count < s.len ? count : s.len};
}

/* Byte order; a prefix sorts first.  < 0, 0 or > 0. */
int slice_cmp(slice a, slice b);

/* Equal but for ASCII case. */
bool slice_eq_nocase(slice a, slice b);

/* Split at the first separator.  Without one, false: head is all of s, tail empty. */
bool slice_cut(slice s, char separator, slice *head, slice *tail);

/* Position of the first occurrence, or SIZE_MAX. */
size_t slice_find(slice s, slice needle);
size_t slice_find_byte(slice s, char byte);

/* Without the spaces, tabs, CR and LF at both ends. */
slice slice_trim(slice s);

/* Numbers from outside: no sign but where said, no spaces, no trailing bytes,
 * no overflow.  False leaves *out untouched. */
bool parse_u64(slice s, uint64_t *out);
bool parse_i64(slice s, int64_t *out); /* one leading '-' allowed */
bool parse_size(slice s, size_t *out);

/* Sums and products that say when they wrapped (false; *out unspecified). */
static inline bool size_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline bool size_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool utf8_valid(slice s);

/* Bytes of the well-formed UTF-8 sequence at the front; 0 when there is none. */
size_t utf8_step(slice s);

/* text with what could steer a terminal (controls, directional overrides, bytes that are not
 * UTF-8) shown as \xHH; cut with "..." when out is full.  NUL-terminated; room is at least 4.
 * Returns the bytes before the NUL. */
size_t printable(char *out, size_t room, slice text);
