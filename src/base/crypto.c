#include "base/crypto.h"

#include <assert.h>
#include <sodium.h>

#include "base/fault.h"

#include "base/banned.h"

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
