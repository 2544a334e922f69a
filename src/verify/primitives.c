/* SHA-256 and Ed25519: the one file that knows libsodium. */
#include <sodium.h>

#include "verify/inside.h"

#include "base/banned.h"

bool entente_start(void)
{
    return sodium_init() >= 0;
}

struct entente_hash hash_pieces(const struct entente_bytes *pieces, size_t count)
{
    crypto_hash_sha256_state state;
    struct entente_hash hash;

    (void)crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < count; i++)
        (void)crypto_hash_sha256_update(&state, pieces[i].at, pieces[i].count);
    (void)crypto_hash_sha256_final(&state, hash.bytes);
    return hash;
}

bool ed25519_holds(const uint8_t public_key[32], struct entente_bytes message,
                   const uint8_t signature[64])
{
    return crypto_sign_verify_detached(signature, message.at, message.count, public_key) == 0;
}
