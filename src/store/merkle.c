#include "store/merkle.h"

#include <assert.h>

#include "base/banned.h"

static struct hash256 join(const struct hash256 *left, const struct hash256 *right)
{
    uint8_t bytes[1 + 2 * SHA256_BYTES] = {1};

    memcpy(bytes + 1, left->bytes, SHA256_BYTES);
    memcpy(bytes + 1 + SHA256_BYTES, right->bytes, SHA256_BYTES);
    return sha256(slice_of(bytes, sizeof(bytes)));
}

void merkle_add(struct merkle *merkle, const struct hash256 *leaf)
{
    unsigned top = merkle->count;

    assert(top < MERKLE_LEVELS_MAX);
    merkle->nodes[top] = *leaf;
    merkle->levels[top] = 0;
    for (; top > 0 && merkle->levels[top - 1] == merkle->levels[top]; top--) {
        merkle->nodes[top - 1] = join(&merkle->nodes[top - 1], &merkle->nodes[top]);
        merkle->levels[top - 1]++;
    }
    merkle->count = top + 1;
}

struct hash256 merkle_root(const struct merkle *merkle)
{
    if (merkle->count == 0)
        return sha256(SLICE(""));
    struct hash256 root = merkle->nodes[merkle->count - 1];
    for (unsigned i = merkle->count - 1; i > 0; i--)
        root = join(&merkle->nodes[i - 1], &root);
    return root;
}
