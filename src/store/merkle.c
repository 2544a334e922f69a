#include "store/merkle.h"

#include <assert.h>

#include "ledger/tree.h"

#include "base/banned.h"

void merkle_add(struct merkle *merkle, const struct hash256 *leaf)
{
    unsigned top = merkle->count;

    assert(top < MERKLE_LEVELS_MAX);
    merkle->nodes[top] = *leaf;
    merkle->levels[top] = 0;
    for (; top > 0 && merkle->levels[top - 1] == merkle->levels[top]; top--) {
        merkle->nodes[top - 1] = tree_join(&merkle->nodes[top - 1], &merkle->nodes[top]);
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
        root = tree_join(&merkle->nodes[i - 1], &root);
    return root;
}
