/* TLS and X.509 (GnuTLS): certificates made and read, sessions of the server.
 *
 * A session encrypts into and decrypts from memory and the caller's socket without ever
 * waiting; the server's loop decides when to call again.
 */
#pragma once

#include "base/buf.h"
#include "base/crypto.h"
#include "base/result.h"

#include <sys/types.h>

/* A self-signed ECDSA P-256 certificate for these names and addresses (NULL behind the last),
 * valid `days`; writes both PEM files (key mode 0600) and never over existing ones
 * (ERR_CONFLICT). */
MUST_USE result tls_make_certificate(const char *certificate_file, const char *key_file,
                                     const char *const *names, unsigned days, struct diag *diag);

/* A certificate for an Ed25519 key, signed by itself and without an end: whoever knows the key
 * knows its holder, and no clock matters.  What stands in the files already is left when it is of
 * this key. */
MUST_USE result tls_key_certificate(const char *certificate_file, const char *key_file,
                                    const uint8_t seed[ED25519_SEED_BYTES], struct diag *diag);

/* SHA-256 of the DER form of the first certificate in a PEM file. */
MUST_USE result tls_fingerprint(const char *certificate_file, struct hash256 *out,
                                struct diag *diag);

/* ---- the server's side ---- */

/* Certificate chain, key and what belongs to them; counted, so that sessions under way keep the
 * old one when a new one is put in place. */
struct tls_identity;

/* Fails ERR_MISSING or ERR_IO (a file cannot be read), ERR_INVALID (no PEM, key of another
 * certificate), always naming the file. */
MUST_USE result tls_identity_load(const char *certificate_file, const char *key_file,
                                  struct tls_identity **out, struct diag *diag);
struct tls_identity *tls_identity_hold(struct tls_identity *identity);
void tls_identity_drop(struct tls_identity **identity); /* freed with the last */

/* From now on sessions are of TLS 1.3 and ask the client for a certificate; who it is, is for the
 * caller to find by its key.  Before the first session. */
MUST_USE result tls_identity_ask_clients(struct tls_identity *identity, struct diag *diag);

struct tls_session;

/* What a step came to. */
enum tls_step {
    TLS_DONE,
    TLS_AGAIN, /* the socket has no more bytes */
    TLS_CLOSED,
    TLS_BROKEN,
};

/* Reads from fd (borrowed, non-blocking).  NULL when memory is out. */
struct tls_session *tls_accept(struct tls_identity *identity, int fd);
void tls_session_free(struct tls_session **session);

/* What goes to the peer is appended to `out`: the caller sends it. */
enum tls_step tls_handshake(struct tls_session *session, struct buf *out);
enum tls_step tls_read(struct tls_session *session, char *at, size_t room, size_t *count,
                       struct buf *out);

/* An event of the socket tells that there is more to read.  NULL is fine. */
void tls_wake(struct tls_session *session);

/* One record holds at most so much. */
#define TLS_RECORD_BYTES_MAX ((size_t)16384)

/* Append `plain` (at most one record) to `out`, encrypted; false when that failed. */
bool tls_write(struct tls_session *session, slice plain, struct buf *out);

/* Append the word that no more will come. */
void tls_goodbye(struct tls_session *session, struct buf *out);

/* The Ed25519 key by which the client has proved itself; false when it showed none. */
bool tls_session_client_key(const struct tls_session *session, uint8_t out[ED25519_PUBLIC_BYTES]);

/* ---- the client's side ---- */

/* The same of the peer of a GnuTLS session, as libcurl hands it out. */
bool tls_peer_key(void *gnutls_session, uint8_t out[ED25519_PUBLIC_BYTES]);

/* SHA-256 of the certificate that the peer of this GnuTLS session (as libcurl hands it out) showed;
 * false when it showed none. */
bool tls_peer_fingerprint(void *gnutls_session, struct hash256 *out);
