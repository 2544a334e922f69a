/* The agreement as a document: what two or more parties sign.
 *
 * Its hash is the SHA-256 of its canonical form (RFC 8785) without "signatures"; each party signs
 * the hash with its node's Ed25519 key.  A change is a new document of a higher version, which all
 * sign again.  docs/FORMATS.md has every member.
 */
#pragma once

#include "agreement/terms.h"
#include "base/crypto.h"

#define DOCUMENT_BYTES_MAX ((size_t)48 << 10) /* it fits into an entry of the log */
#define DOCUMENT_DEPTH_MAX 24
#define PARTIES_MAX 64
#define GRANTS_MAX 256

/* Is it an agreement that may be signed?  Fails ERR_INVALID with the place and the rule:
 * `grants[1].tlp.max: "pink" is no TLP level (clear, green, amber, amber+strict, red)`; ERR_LIMIT
 * past a limit above. */
MUST_USE result document_check(struct value document, struct arena *arena, struct diag *diag);

/* Fails as json_canonical does. */
MUST_USE result document_hash(struct value document, struct hash256 *out, struct diag *diag);

/* What is signed: "entente-agreement/1", a line feed, the hash's 32 bytes. */
#define DOCUMENT_SIGNED_BYTES 52
void document_signed_bytes(const struct hash256 *hash, uint8_t out[DOCUMENT_SIGNED_BYTES]);

/* One of "signatures": whose it is and by which key; whether that is the party's key is the
 * caller's question. */
struct signature {
    slice party;
    uint8_t key[ED25519_PUBLIC_BYTES];
    uint8_t bytes[ED25519_SIGNATURE_BYTES];
};

/* Reads and verifies every signature of a document against its hash.  Fails ERR_INVALID on one that
 * cannot be read or is of no party, ERR_CORRUPT `signatures[1]: does not sign this text`. */
MUST_USE result document_signatures(struct value document, const struct hash256 *hash,
                                    struct arena *arena, const struct signature **out,
                                    size_t *count, struct diag *diag);

/* The document in canonical form with these signatures, in the order of their parties. */
MUST_USE result document_write(struct value document, const struct signature *signatures,
                               size_t count, struct buf *out, struct diag *diag);
