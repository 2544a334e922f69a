/* A card: what a node shows of itself to a partner (docs/FORMATS.md). */
#pragma once

#include "agreement/document.h"

#define CARD_URL_BYTES_MAX 512
#define CARD_BYTES_MAX ((size_t)16 << 10)

struct card {
    slice id, name;
    slice url; /* where the node is reached by partners, "https://HOST:PORT"; empty: not said */
    uint8_t key[ED25519_PUBLIC_BYTES];
};

/* Reads one and verifies that its own key has signed it; whether the key is the partner's is for
 * people to compare.  Texts are borrowed or stand in the arena.  ERR_INVALID: it is no card;
 * ERR_CORRUPT: another text was signed. */
MUST_USE result card_read(struct value card, struct arena *arena, struct card *out,
                          struct diag *diag);

/* May it stand in a card?  "https://HOST:PORT" with a path, perhaps, and no slash at its end. */
bool card_url_is_good(slice url);

/* Appends what is signed of a card with this hash. */
void card_message(const struct hash256 *hash, struct buf *out);
