/* Random JSON values from a printed seed; SEED=... runs the same again. */
#pragma once

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"

struct random {
    uint64_t state;
};

/* splitmix64 */
static inline uint64_t random_u64(struct random *random)
{
    uint64_t z = random->state += 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static inline size_t random_below(struct random *random, size_t bound)
{
    return (size_t)(random_u64(random) % bound);
}

static inline struct random random_start(const char *what)
{
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    fprintf(stderr, "# %s: SEED=%" PRIu64 "\n", what, seed);
    return (struct random){seed};
}

#define RANDOM_PICK(random, table)                                                                 \
    ((table)[random_below((random), sizeof(table) / sizeof(*(table)))])

static inline void random_space(struct random *random, struct buf *out)
{
    while (random_below(random, 4) == 0)
        buf_byte(out, " \t\n\r"[random_below(random, 4)]);
}

static inline void random_inner(struct random *random, struct buf *out)
{
    static const char *const pieces[] = {
        "a",
        "b",
        "key",
        " ",
        "{",
        "[",
        "]}",
        ",:",
        "\\\"",
        "\\\\",
        "\\/",
        "\\b",
        "\\n",
        "\\u0000",
        "\\u00e9",
        "\\u0041",
        "\\uD83D\\uDE00",
        "\\uFB33",
        "\xC3\xA9",
        "\xEF\xAC\xB3",
        "\xF0\x9F\x98\x80",
        "indicator--",
        "\x7F",
    };

    for (size_t count = random_below(random, 9); count > 0; count--)
        buf_put(out, slice_text(RANDOM_PICK(random, pieces)));
}

static inline void random_scalar(struct random *random, struct buf *out)
{
    static const char *const scalars[] = {"null",
                                          "true",
                                          "false",
                                          "0",
                                          "-0",
                                          "1",
                                          "-1.5",
                                          "1e5",
                                          "1E-7",
                                          "1e300",
                                          "12345678901234567890",
                                          "0.1",
                                          "\"\""};

    if (random_below(random, 2) == 0) {
        buf_put(out, slice_text(RANDOM_PICK(random, scalars)));
        return;
    }
    buf_byte(out, '"');
    random_inner(random, out);
    buf_byte(out, '"');
}

/* Keys differ by the number behind them. */
static inline void random_key(struct random *random, struct buf *out)
{
    buf_byte(out, '"');
    random_inner(random, out);
    buf_printf(out, "%zu\"", out->len);
    random_space(random, out);
    buf_byte(out, ':');
    random_space(random, out);
}

#define RANDOM_DEPTH_MAX 12

/* One value with up to some 60 others inside. */
static inline void random_json(struct random *random, struct buf *out)
{
    char closers[RANDOM_DEPTH_MAX];
    size_t depth = 0, left = random_below(random, 60);
    bool first = true;

    random_space(random, out);
    do {
        if (depth > 0 && (left == 0 || random_below(random, 5) == 0)) {
            buf_byte(out, closers[--depth]);
            first = false;
        } else {
            if (depth > 0 && !first)
                buf_byte(out, ',');
            random_space(random, out);
            if (depth > 0 && closers[depth - 1] == '}')
                random_key(random, out);
            first = left > 0 && depth < RANDOM_DEPTH_MAX && random_below(random, 3) > 0;
            left -= left > 0;
            if (first) {
                bool object = random_below(random, 2) == 0;

                closers[depth++] = object ? '}' : ']';
                buf_byte(out, object ? '{' : '[');
            } else {
                random_scalar(random, out);
            }
        }
        random_space(random, out);
    } while (depth > 0);
}
