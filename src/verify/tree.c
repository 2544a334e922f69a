/* The Merkle tree of RFC 6962, 2.1: hashes, proofs, and a tree as it grows. */
#include <string.h>

#include "verify/inside.h"

#include "base/banned.h"

#define LEVEL_MAX 62

void entente_leaf_hash(struct entente_bytes entry, struct entente_hash *out)
{
    const struct entente_bytes pieces[] = {BYTES("\0"), entry};

    *out = hash_pieces(pieces, 2);
}

void entente_node_hash(const struct entente_hash *left, const struct entente_hash *right,
                       struct entente_hash *out)
{
    const struct entente_bytes pieces[] = {
        BYTES("\1"), {left->bytes, sizeof(left->bytes)}, {right->bytes, sizeof(right->bytes)}};

    *out = hash_pieces(pieces, 3);
}

bool entente_hash_equal(const struct entente_hash *a, const struct entente_hash *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* ---- proofs (the procedures of RFC 9162, 2.1.3.2 and 2.1.4.2) ---- */

/* Where a proof stands: a node and the last node of its level, counted from 0. */
struct climb {
    uint64_t node, last;
};

static void climb_up(struct climb *climb)
{
    climb->node >>= 1;
    climb->last >>= 1;
}

/* Is the next hash the left neighbour?  Levels at which the last node has none are skipped. */
static bool climb_is_right(struct climb *climb)
{
    if ((climb->node & 1) == 0 && climb->node != climb->last)
        return false;
    while ((climb->node & 1) == 0 && climb->node != 0)
        climb_up(climb);
    return true;
}

bool entente_inclusion_check(uint64_t index, uint64_t size, const struct entente_hash *leaf,
                             const struct entente_hash *proof, size_t proof_count,
                             const struct entente_hash *root)
{
    struct climb climb = {index, size - 1};
    struct entente_hash hash = *leaf;

    if (index >= size)
        return false;
    for (size_t i = 0; i < proof_count; i++) {
        if (climb.last == 0)
            return false;
        if (climb_is_right(&climb))
            entente_node_hash(&proof[i], &hash, &hash);
        else
            entente_node_hash(&hash, &proof[i], &hash);
        climb_up(&climb);
    }
    return climb.last == 0 && entente_hash_equal(&hash, root);
}

static bool consistency_climb(struct climb climb, const struct entente_hash *first,
                              const struct entente_hash *proof, size_t proof_count,
                              const struct entente_hash *old_root, const struct entente_hash *root)
{
    struct entente_hash old_hash = *first, hash = *first;

    for (size_t i = 0; i < proof_count; i++) {
        if (climb.last == 0)
            return false;
        if (climb_is_right(&climb)) {
            entente_node_hash(&proof[i], &old_hash, &old_hash);
            entente_node_hash(&proof[i], &hash, &hash);
        } else {
            entente_node_hash(&hash, &proof[i], &hash);
        }
        climb_up(&climb);
    }
    return climb.last == 0 && entente_hash_equal(&old_hash, old_root) &&
           entente_hash_equal(&hash, root);
}

bool entente_consistency_check(uint64_t old_size, uint64_t size,
                               const struct entente_hash *old_root, const struct entente_hash *root,
                               const struct entente_hash *proof, size_t proof_count)
{
    struct climb climb = {old_size - 1, size - 1};
    struct entente_tree nothing = {0};
    struct entente_hash empty;

    if (old_size > size)
        return false;
    if (old_size == size)
        return proof_count == 0 && entente_hash_equal(old_root, root);
    if (old_size == 0) {
        entente_tree_root(&nothing, &empty);
        return proof_count == 0 && entente_hash_equal(old_root, &empty);
    }
    /* An old tree of a power of two is a node of the new one, and the proof leaves it out. */
    if ((old_size & (old_size - 1)) != 0) {
        if (proof_count == 0)
            return false;
        while ((climb.node & 1) != 0)
            climb_up(&climb);
        return consistency_climb(climb, &proof[0], proof + 1, proof_count - 1, old_root, root);
    }
    while ((climb.node & 1) != 0)
        climb_up(&climb);
    return consistency_climb(climb, old_root, proof, proof_count, old_root, root);
}

/* ---- a tree as it grows ---- */

bool entente_tree_add(struct entente_tree *tree, unsigned level, const struct entente_hash *hash)
{
    if (level > LEVEL_MAX || (tree->size & ((UINT64_C(1) << level) - 1)) != 0 ||
        tree->size + (UINT64_C(1) << level) > INT64_MAX)
        return false;
    tree->size += UINT64_C(1) << level;
    tree->hashes[tree->count] = *hash;
    tree->levels[tree->count++] = (uint8_t)level;
    while (tree->count > 1 && tree->levels[tree->count - 1] == tree->levels[tree->count - 2]) {
        struct entente_hash *left = &tree->hashes[tree->count - 2];

        entente_node_hash(left, &tree->hashes[tree->count - 1], left);
        tree->levels[tree->count - 2]++;
        tree->count--;
    }
    return true;
}

void entente_tree_root(const struct entente_tree *tree, struct entente_hash *out)
{
    if (tree->count == 0) {
        *out = hash_pieces(NULL, 0);
        return;
    }
    *out = tree->hashes[tree->count - 1];
    for (size_t i = tree->count - 1; i-- > 0;)
        entente_node_hash(&tree->hashes[i], out, out);
}
