#include "store/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/banned.h"

uint64_t store_hash64(slice bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.at, bytes.len, seed);
}
