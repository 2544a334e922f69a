/* Big-endian numbers in keys and records: byte order is number order. */
#pragma once

#include <stdint.h>

static inline void bytes_put(uint8_t *at, uint64_t value, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        at[i] = (uint8_t)(value >> (8 * (count - 1 - i)));
}

static inline uint64_t bytes_get(const void *from, unsigned count)
{
    const uint8_t *at = from;
    uint64_t value = 0;

    for (unsigned i = 0; i < count; i++)
        value = value << 8 | at[i];
    return value;
}

/* A signed number that sorts by its bytes. */
static inline uint64_t bytes_biased(int64_t value)
{
    return (uint64_t)value ^ ((uint64_t)1 << 63);
}

static inline int64_t bytes_unbiased(uint64_t value)
{
    return (int64_t)(value ^ ((uint64_t)1 << 63));
}
