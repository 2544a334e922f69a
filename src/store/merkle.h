/* A Merkle tree's root over leaves that come one by one (RFC 6962, section 2.1). */
#pragma once

#include "base/crypto.h"

#define MERKLE_LEVELS_MAX 48

struct merkle {
    struct hash256 nodes[MERKLE_LEVELS_MAX]; /* whole subtrees, largest first */
    unsigned levels[MERKLE_LEVELS_MAX];
    unsigned count;
};

void merkle_add(struct merkle *merkle, const struct hash256 *leaf); /* the leaf's hash */
struct hash256 merkle_root(const struct merkle *merkle); /* of nothing: SHA-256 of nothing */
