#include "match/normal.h"

#include <uninorm.h>

#include <stdlib.h>

#include "base/banned.h"

/* No character below U+0300 (CC 80 in UTF-8) ever joins another. */
static bool is_plain(slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((uint8_t)text.at[i] >= 0xCC)
            return false;
    return true;
}

static void library_free(uint8_t **bytes)
{
    free(*bytes); /* tidy: the library allocates its answer */
}

slice text_normal(slice text, struct arena *arena)
{
    CLEANUP(library_free) uint8_t *joined = NULL;
    size_t len = 0;

    if (is_plain(text))
        return text;
    joined = u8_normalize(UNINORM_NFC, (const uint8_t *)text.at, text.len, NULL, &len);
    if (joined == NULL) {
        arena->overflowed = true;
        return SLICE_NONE;
    }
    return arena_copy(arena, slice_of(joined, len));
}
