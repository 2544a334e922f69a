/* Having heads cosigned: the client's side of C2SP tlog-witness. */
#pragma once

#include "ledger/witness.h"
#include "net/client.h"

#define COSIGNERS_MAX 16
#define COSIGNER_URL_BYTES_MAX 512
#define COSIGNER_PIN_BYTES_MAX 96

struct cosigner {
    struct note_verifier verifier;
    char url[COSIGNER_URL_BYTES_MAX]; /* submission prefix; the call is URL/add-checkpoint */
    char pin[COSIGNER_PIN_BYTES_MAX]; /* SHA-256 of its certificate; empty: authorities decide */
};

struct cosigners {
    struct cosigner at[COSIGNERS_MAX];
    size_t count;
};

/* The setting: "VKEY URL [PIN]; VKEY URL [PIN]".  ERR_INVALID names what is wrong. */
MUST_USE result cosigners_parse(slice setting, struct cosigners *out, struct diag *diag);

/* How many of them have cosigned a head. */
size_t cosigners_of(const struct note *head, const struct cosigners *cosigners);

/* Ask one for its cosignature of the last head, and keep it.  Asks nothing when it is there.
 * ERR_CORRUPT: it has seen another history of this log, or more of it: words say which. */
MUST_USE result cosigner_ask(const struct ledger *ledger, const struct cosigner *cosigner,
                             struct diag *diag);
