/* Words of a text, for look-up: case folded, cut at what is neither letter nor digit.
 *
 * Runs of Chinese, Japanese and Korean characters, which have no spaces, give a word for each
 * character: it with the one behind it, the last one alone.  A word that stands right behind the
 * one before, with nothing or one of . - _ @ : / between them, is `joined`: "T1566.001" is two
 * words that are found as one by asking for both, joined.
 */
#pragma once

#include "base/slice.h"

#define WORD_BYTES_MAX 64 /* what is longer is cut */

struct word_walk {
    slice text; /* borrowed */
    size_t at;
    char bytes[WORD_BYTES_MAX + 8];
    slice word;     /* the present one, in `bytes` */
    bool joined;    /* with the one before */
    bool is_wide;   /* of a run without spaces ... */
    bool is_single; /* ... one character */
};

#define WORD_WALK(s) ((struct word_walk){.text = (s)})

bool word_next(struct word_walk *walk);
