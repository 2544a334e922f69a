#include "base/crypto.h"

#include <assert.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>

#include "base/banned.h"

/* nettle's headers rename this to its own; the name is ours here. */
#undef sha256_init

static_assert(sizeof(struct sha256_ctx) <= sizeof(((struct sha256_state *)0)->opaque),
              "room for nettle's state");

static struct sha256_ctx *context(struct sha256_state *state)
{
    return (struct sha256_ctx *)(void *)state->opaque;
}

void sha256_init(struct sha256_state *state)
{
    nettle_sha256_init(context(state));
}

void sha256_add(struct sha256_state *state, slice bytes)
{
    nettle_sha256_update(context(state), bytes.len, (const uint8_t *)bytes.at);
}

struct hash256 sha256_end(struct sha256_state *state)
{
    struct hash256 hash;

    nettle_sha256_digest(context(state), sizeof(hash.bytes), hash.bytes);
    return hash;
}

struct hash256 sha256(slice bytes)
{
    struct sha256_state state;

    sha256_init(&state);
    sha256_add(&state, bytes);
    return sha256_end(&state);
}

#define HMAC_BLOCK_BYTES 64

struct hash256 hmac_sha256(slice key, slice message)
{
    char inner[HMAC_BLOCK_BYTES], outer[HMAC_BLOCK_BYTES];
    struct hash256 short_key, hash;
    struct sha256_state state;

    if (key.len > HMAC_BLOCK_BYTES) {
        short_key = sha256(key);
        key = slice_of(short_key.bytes, sizeof(short_key.bytes));
    }
    for (size_t i = 0; i < HMAC_BLOCK_BYTES; i++) {
        inner[i] = (char)((i < key.len ? key.at[i] : 0) ^ 0x36);
        outer[i] = (char)((i < key.len ? key.at[i] : 0) ^ 0x5c);
    }
    sha256_init(&state);
    sha256_add(&state, slice_of(inner, sizeof(inner)));
    sha256_add(&state, message);
    hash = sha256_end(&state);
    sha256_init(&state);
    sha256_add(&state, slice_of(outer, sizeof(outer)));
    sha256_add(&state, slice_of(hash.bytes, sizeof(hash.bytes)));
    hash = sha256_end(&state);
    secret_wipe(inner, sizeof(inner));
    secret_wipe(outer, sizeof(outer));
    return hash;
}

void sha1_pair(slice first, slice second, uint8_t out[SHA1_BYTES])
{
    struct sha1_ctx state;

    nettle_sha1_init(&state);
    nettle_sha1_update(&state, first.len, (const uint8_t *)first.at);
    nettle_sha1_update(&state, second.len, (const uint8_t *)second.at);
    nettle_sha1_digest(&state, SHA1_BYTES, out);
}
