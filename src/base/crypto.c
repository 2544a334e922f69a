#include "base/crypto.h"

#include <assert.h>
#include <sodium.h>

#include "base/fault.h"

#include "base/banned.h"

static_assert(ED25519_SEED_BYTES == crypto_sign_SEEDBYTES &&
                  ED25519_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES &&
                  ED25519_SIGNATURE_BYTES == crypto_sign_BYTES,
              "Ed25519 is Ed25519");
static_assert(PASSWORD_HASH_BYTES_MAX >= crypto_pwhash_STRBYTES, "room for a password hash");

bool hash256_eq(const struct hash256 *a, const struct hash256 *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void random_bytes(void *out, size_t bytes)
{
    randombytes_buf(out, bytes);
}

result crypto_start(struct diag *diag)
{
    if (FAULT_HERE() || sodium_init() < 0)
        return diag_fail(diag, ERR_IO, "the system gives no random bytes");
    return OK;
}

bool secret_eq(slice a, slice b)
{
    return a.len == b.len && (a.len == 0 || sodium_memcmp(a.at, b.at, a.len) == 0);
}

void secret_wipe(void *at, size_t bytes)
{
    sodium_memzero(at, bytes);
}

result password_hash(slice password, char out[PASSWORD_HASH_BYTES_MAX], struct diag *diag)
{
    memset(out, 0, PASSWORD_HASH_BYTES_MAX);
    if (FAULT_HERE() ||
        crypto_pwhash_str(out, password.at, password.len, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                          crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
        return diag_fail(diag, ERR_IO, "no memory for hashing a password");
    return OK;
}

bool password_verify(const char *hash, slice password)
{
    return crypto_pwhash_str_verify(hash, password.at, password.len) == 0;
}

/* ---- Ed25519: the library's secret key is the seed with the public key behind it ---- */

struct ed25519_secret {
    uint8_t bytes[crypto_sign_SECRETKEYBYTES], public_key[crypto_sign_PUBLICKEYBYTES];
};

static void secret_forget(struct ed25519_secret *secret)
{
    secret_wipe(secret, sizeof(*secret));
}

void ed25519_public(const uint8_t seed[ED25519_SEED_BYTES], uint8_t out[ED25519_PUBLIC_BYTES])
{
    CLEANUP(secret_forget) struct ed25519_secret secret;

    (void)crypto_sign_seed_keypair(out, secret.bytes, seed); /* cannot fail */
}

void ed25519_sign(const uint8_t seed[ED25519_SEED_BYTES], slice message,
                  uint8_t out[ED25519_SIGNATURE_BYTES])
{
    CLEANUP(secret_forget) struct ed25519_secret secret;

    (void)crypto_sign_seed_keypair(secret.public_key, secret.bytes, seed);
    (void)crypto_sign_detached(out, NULL, (const uint8_t *)message.at, message.len, secret.bytes);
}

bool ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_BYTES], slice message,
                    const uint8_t signature[ED25519_SIGNATURE_BYTES])
{
    return crypto_sign_verify_detached(signature, (const uint8_t *)message.at, message.len,
                                       public_key) == 0;
}
