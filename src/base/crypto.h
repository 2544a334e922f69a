/* Hashes, passwords, random bytes, comparisons that take the same time.
 *
 * libsodium stands behind passwords, keys and random bytes (crypto.c); nettle, with
 * SHA-NI where the machine has it, behind SHA-256 and SHA-1 (sha.c).
 */
#pragma once

#include "base/result.h"
#include "base/slice.h"

#include <stdalign.h>

#define SHA256_BYTES 32
#define SHA1_BYTES 20

struct hash256 {
    uint8_t bytes[SHA256_BYTES];
};

struct hash256 sha256(slice bytes);
/* Of two pieces, one behind the other: what UUIDv5 needs, and nothing else here does. */
void sha1_pair(slice first, slice second, uint8_t out[SHA1_BYTES]);

/* In pieces. */
struct sha256_state {
    alignas(16) uint8_t opaque[128];
};
void sha256_init(struct sha256_state *state);
void sha256_add(struct sha256_state *state, slice bytes);
struct hash256 sha256_end(struct sha256_state *state);

/* HMAC-SHA256 (RFC 2104). */
struct hash256 hmac_sha256(slice key, slice message);

bool hash256_eq(const struct hash256 *a, const struct hash256 *b);

void random_bytes(void *out, size_t bytes); /* never fails once crypto_start succeeded */

/* Once per process, before anything else here. */
MUST_USE result crypto_start(struct diag *diag);

/* Equal, in time that depends on the length alone. */
bool secret_eq(slice a, slice b);
void secret_wipe(void *at, size_t bytes);

/* Argon2id of libsodium in its own text form ("$argon2id$v=19$..."). */
#define PASSWORD_HASH_BYTES_MAX 128
MUST_USE result password_hash(slice password, char out[PASSWORD_HASH_BYTES_MAX], struct diag *diag);
bool password_verify(const char *hash, slice password);

/* ---- Ed25519 (RFC 8032) ---- */

#define ED25519_SEED_BYTES 32
#define ED25519_PUBLIC_BYTES 32
#define ED25519_SIGNATURE_BYTES 64

/* The public key and signatures follow from the seed, which is the secret. */
void ed25519_public(const uint8_t seed[ED25519_SEED_BYTES], uint8_t out[ED25519_PUBLIC_BYTES]);
void ed25519_sign(const uint8_t seed[ED25519_SEED_BYTES], slice message,
                  uint8_t out[ED25519_SIGNATURE_BYTES]);
/* False, too, for public keys and signatures that are in no canonical form or of small order. */
bool ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_BYTES], slice message,
                    const uint8_t signature[ED25519_SIGNATURE_BYTES]);
