/* Certificates (GnuTLS): make one for a node, print its fingerprint. */
#pragma once

#include "base/crypto.h"
#include "base/result.h"

/* A self-signed ECDSA P-256 certificate for these names and addresses, valid `days`; writes both PEM
 * files (key mode 0600) and never over existing ones (ERR_CONFLICT). */
MUST_USE result tls_make_certificate(const char *certificate_file, const char *key_file,
                                     const char *const *names, unsigned days, struct diag *diag);

/* SHA-256 of the DER form of the first certificate in a PEM file. */
MUST_USE result tls_fingerprint(const char *certificate_file, struct hash256 *out,
                                struct diag *diag);
