/* The seam to the world: clocks and chance come in through here, so that protocol
 * code is pure and a test can bend time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct world {
    int64_t (*now_us)(void *context);       /* the wall clock; may jump */
    uint64_t (*now_mono_ns)(void *context); /* the steady clock */
    void (*random)(void *context, void *out, size_t bytes);
    void *context;
};

/* The real one. */
extern const struct world world_real;
