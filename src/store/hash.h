/* Fast hashes of bytes (XXH3): checksums of texts and records, and slots of tables in memory. */
#pragma once

#include "base/slice.h"

uint64_t store_hash64(slice bytes, uint64_t seed);

static inline uint32_t store_check32(slice bytes)
{
    return (uint32_t)store_hash64(bytes, 0);
}
