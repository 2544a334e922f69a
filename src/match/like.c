#include "match/like.h"

#include "base/banned.h"

/* Bytes of the character at `at`. */
static size_t character_bytes(slice text, size_t at, bool is_octets)
{
    size_t bytes = 1;

    if (is_octets)
        return 1;
    while (at + bytes < text.len && ((uint8_t)text.at[at + bytes] & 0xC0) == 0x80)
        bytes++;
    return bytes;
}

bool like_matches(slice pattern, slice subject, bool is_octets)
{
    size_t p = 0, s = 0;
    size_t run = SIZE_MAX, run_end = 0; /* the last "%", and where its run ends as tried so far */

    while (s < subject.len) {
        size_t bytes = character_bytes(subject, s, is_octets);

        if (p < pattern.len && pattern.at[p] == '%') {
            run = p++;
            run_end = s;
        } else if (p < pattern.len && pattern.at[p] == '_') {
            p++;
            s += bytes;
        } else if (p < pattern.len && pattern.at[p] == subject.at[s]) {
            p++;
            s++;
        } else if (run != SIZE_MAX) {
            /* Only the last "%" need be lengthened: what stood before it matched as early as can
             * be. */
            run_end += character_bytes(subject, run_end, is_octets);
            s = run_end;
            p = run + 1;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.at[p] == '%')
        p++;
    return p == pattern.len;
}

slice like_run(slice pattern)
{
    slice longest = SLICE("");
    size_t first = 0;

    for (size_t i = 0; i <= pattern.len; i++) {
        if (i < pattern.len && pattern.at[i] != '%' && pattern.at[i] != '_')
            continue;
        if (i - first > longest.len)
            longest = slice_of(pattern.at + first, i - first);
        first = i + 1;
    }
    return longest;
}
