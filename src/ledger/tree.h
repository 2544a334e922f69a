/* The Merkle tree over the log's entries (RFC 6962, 2.1): roots and proofs, kept up with each
 * append.
 *
 * The table has a row an entry: how far the entry's dates reach, its leaf's hash, and the hash of
 * each whole subtree that it completes.  So an append writes one row behind all others and reads
 * one on average, and any node of the tree is one look-up: nothing is ever altered.
 */
#pragma once

#include "base/crypto.h"
#include "kv/kv.h"

#define TREE_LEVELS_MAX 63
#define TREE_PROOF_HASHES_MAX 64 /* of a proof in a tree of less than 2^63 entries */

struct hash256 tree_leaf(slice entry);
struct hash256 tree_join(const struct hash256 *left, const struct hash256 *right);

/* ---- the table; failures stay in the transaction ---- */

uint64_t tree_count(struct kv_txn *txn, kv_table tree);
/* The leaf of the next entry.  ERR_CORRUPT when a row in front is missing. */
void tree_append(struct kv_txn *txn, kv_table tree, int64_t reach_us, const struct hash256 *leaf);
bool tree_reach(struct kv_txn *txn, kv_table tree, uint64_t number, int64_t *us);

/* Hash of the whole subtree `index` of 2^level leaves. */
struct hash256 tree_node(struct kv_txn *txn, kv_table tree, unsigned level, uint64_t index);
/* Of the first `size` entries; there must be that many. */
struct hash256 tree_root(struct kv_txn *txn, kv_table tree, uint64_t size);

struct tree_proof {
    struct hash256 hashes[TREE_PROOF_HASHES_MAX];
    size_t count;
};

/* RFC 6962, 2.1.1: entry `number` is in the tree of `size` > number entries. */
void tree_inclusion(struct kv_txn *txn, kv_table tree, uint64_t number, uint64_t size,
                    struct tree_proof *out);
/* RFC 6962, 2.1.2: the tree of `size` entries begins with that of old_size <= size; empty for
 * old_size 0 or size. */
void tree_consistency(struct kv_txn *txn, kv_table tree, uint64_t old_size, uint64_t size,
                      struct tree_proof *out);

/* ---- the other side; pure ---- */

/* The root that a proof gives; false when the proof is too short or too long for these numbers. */
bool tree_inclusion_root(uint64_t number, uint64_t size, const struct hash256 *leaf,
                         const struct tree_proof *proof, struct hash256 *out);
bool tree_is_consistent(uint64_t old_size, const struct hash256 *old_root, uint64_t size,
                        const struct hash256 *root, const struct tree_proof *proof);
