#include "ledger/tree.h"

#include <assert.h>

#include "base/buf.h"
#include "base/fault.h"

#include "base/banned.h"

#define KEY_BYTES 8
#define REACH_BYTES 8
#define ROW_BYTES_MAX (REACH_BYTES + (TREE_LEVELS_MAX + 1) * SHA256_BYTES)
#define REACH_BIAS (UINT64_C(1) << 63)

struct hash256 tree_leaf(slice entry)
{
    static const uint8_t prefix = 0;
    struct sha256_state state;

    sha256_init(&state);
    sha256_add(&state, slice_of(&prefix, 1));
    sha256_add(&state, entry);
    return sha256_end(&state);
}

struct hash256 tree_join(const struct hash256 *left, const struct hash256 *right)
{
    uint8_t bytes[1 + 2 * SHA256_BYTES] = {1};

    memcpy(bytes + 1, left->bytes, SHA256_BYTES);
    memcpy(bytes + 1 + SHA256_BYTES, right->bytes, SHA256_BYTES);
    return sha256(slice_of(bytes, sizeof(bytes)));
}

/* ---- rows ---- */

static slice key_of(uint64_t number, char bytes[KEY_BYTES])
{
    for (size_t i = 0; i < KEY_BYTES; i++)
        bytes[i] = (char)(number >> (56 - 8 * i));
    return slice_of(bytes, KEY_BYTES);
}

/* How many whole subtrees, its own leaf included, the entry completes. */
static unsigned row_hashes(uint64_t number)
{
    return 1 + (unsigned)__builtin_ctzll(~number);
}

static bool row_read(struct kv_txn *txn, kv_table tree, uint64_t number, slice *row)
{
    char bytes[KEY_BYTES];

    if (failed(txn->state))
        return false;
    bool found = kv_get(txn, tree, key_of(number, bytes), row);
    if (found && row->len == REACH_BYTES + row_hashes(number) * SHA256_BYTES && !FAULT_HERE())
        return true;
    if (succeeded(txn->state))
        kv_fail(txn, diag_fail(txn->diag, ERR_CORRUPT, "tree: the row of entry %llu %s",
                               (unsigned long long)number,
                               found ? "is not as it was written" : "is missing"));
    return false;
}

uint64_t tree_count(struct kv_txn *txn, kv_table tree)
{
    return kv_count(txn, tree);
}

bool tree_reach(struct kv_txn *txn, kv_table tree, uint64_t number, int64_t *us)
{
    struct reader reader;
    slice row;

    if (!row_read(txn, tree, number, &row))
        return false;
    reader = READER(row);
    *us = (int64_t)(read_u64(&reader) - REACH_BIAS);
    return true;
}

struct hash256 tree_node(struct kv_txn *txn, kv_table tree, unsigned level, uint64_t index)
{
    struct hash256 hash = {0};
    slice row;

    assert(level < TREE_LEVELS_MAX);
    if (row_read(txn, tree, ((index + 1) << level) - 1, &row))
        memcpy(hash.bytes, row.at + REACH_BYTES + (size_t)level * SHA256_BYTES, SHA256_BYTES);
    return hash;
}

void tree_append(struct kv_txn *txn, kv_table tree, int64_t reach_us, const struct hash256 *leaf)
{
    uint64_t number = tree_count(txn, tree), reach = (uint64_t)reach_us + REACH_BIAS;
    unsigned count = row_hashes(number);
    uint8_t row[ROW_BYTES_MAX];
    struct hash256 hash = *leaf;
    char key[KEY_BYTES];
    size_t bytes = REACH_BYTES;

    (void)key_of(reach, key); /* the same eight bytes, high first */
    memcpy(row, key, REACH_BYTES);
    for (unsigned level = 0; level < count; level++) {
        if (level > 0) {
            struct hash256 left = tree_node(txn, tree, level - 1, (number >> (level - 1)) - 1);

            hash = tree_join(&left, &hash);
        }
        memcpy(row + bytes, hash.bytes, SHA256_BYTES);
        bytes += SHA256_BYTES;
    }
    kv_append(txn, tree, key_of(number, key), slice_of(row, bytes));
}

/* ---- roots: whole subtrees, joined from the right ---- */

/* Of the entries from `first`, a multiple of a power of two that is not less than end - first. */
static struct hash256 range_root(struct kv_txn *txn, kv_table tree, uint64_t first, uint64_t end)
{
    uint64_t rest = end - first;
    struct hash256 root = {0};
    bool has_root = false;

    for (; rest > 0; rest &= rest - 1) {
        unsigned level = (unsigned)__builtin_ctzll(rest);
        /* What is left of `rest` above this bit lies in front of this subtree. */
        uint64_t start = first + (rest & (rest - 1));
        struct hash256 node = tree_node(txn, tree, level, start >> level);

        root = has_root ? tree_join(&node, &root) : node;
        has_root = true;
    }
    return root;
}

struct hash256 tree_root(struct kv_txn *txn, kv_table tree, uint64_t size)
{
    return size == 0 ? sha256(SLICE("")) : range_root(txn, tree, 0, size);
}

/* ---- proofs: from the root down, so the list is turned round at the end ---- */

static void proof_push(struct tree_proof *proof, struct hash256 hash)
{
    assert(proof->count < TREE_PROOF_HASHES_MAX);
    proof->hashes[proof->count++] = hash;
}

static void proof_turn(struct tree_proof *proof)
{
    for (size_t i = 0; i < proof->count / 2; i++) {
        struct hash256 swap = proof->hashes[i];

        proof->hashes[i] = proof->hashes[proof->count - 1 - i];
        proof->hashes[proof->count - 1 - i] = swap;
    }
}

/* The largest power of two below n > 1. */
static uint64_t split_of(uint64_t n)
{
    return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

void tree_inclusion(struct kv_txn *txn, kv_table tree, uint64_t number, uint64_t size,
                    struct tree_proof *out)
{
    uint64_t low = 0, high = size;

    assert(number < size);
    out->count = 0;
    while (high - low > 1 && succeeded(txn->state)) {
        uint64_t middle = low + split_of(high - low);

        if (number < middle) {
            proof_push(out, range_root(txn, tree, middle, high));
            high = middle;
        } else {
            proof_push(out, range_root(txn, tree, low, middle));
            low = middle;
        }
    }
    proof_turn(out);
}

void tree_consistency(struct kv_txn *txn, kv_table tree, uint64_t old_size, uint64_t size,
                      struct tree_proof *out)
{
    uint64_t low = 0, high = size;

    assert(old_size <= size);
    out->count = 0;
    if (old_size == 0 || old_size == size)
        return;
    while (high != old_size && succeeded(txn->state)) {
        uint64_t middle = low + split_of(high - low);

        if (old_size <= middle) {
            proof_push(out, range_root(txn, tree, middle, high));
            high = middle;
        } else {
            proof_push(out, range_root(txn, tree, low, middle));
            low = middle;
        }
    }
    if (low > 0) /* else it is the old tree itself, whose root the other side has */
        proof_push(out, range_root(txn, tree, low, high));
    proof_turn(out);
}

/* ---- the other side ---- */

/* RFC 9162, 2.1.3.2. */
bool tree_inclusion_root(uint64_t number, uint64_t size, const struct hash256 *leaf,
                         const struct tree_proof *proof, struct hash256 *out)
{
    struct hash256 hash = *leaf;

    if (number >= size)
        return false;
    uint64_t first = number, last = size - 1;
    for (size_t i = 0; i < proof->count; i++) {
        if (last == 0)
            return false;
        if ((first & 1) == 1 || first == last) {
            hash = tree_join(&proof->hashes[i], &hash);
            while ((first & 1) == 0 && first != 0) {
                first >>= 1;
                last >>= 1;
            }
        } else {
            hash = tree_join(&hash, &proof->hashes[i]);
        }
        first >>= 1;
        last >>= 1;
    }
    *out = hash;
    return last == 0;
}

/* RFC 9162, 2.1.4.2, for 0 < old_size < size. */
static bool growth_holds(uint64_t old_size, const struct hash256 *old_root, uint64_t size,
                         const struct hash256 *root, const struct tree_proof *proof)
{
    uint64_t first = old_size - 1, last = size - 1;
    size_t i = 0;
    bool is_whole = (old_size & (old_size - 1)) == 0;

    if (proof->count == 0)
        return false;
    for (; (first & 1) == 1; first >>= 1)
        last >>= 1;
    /* An old tree that is one whole subtree is its own first hash. */
    struct hash256 before = is_whole ? *old_root : proof->hashes[i++];
    struct hash256 after = before;
    for (; i < proof->count; i++) {
        if (last == 0)
            return false;
        if ((first & 1) == 1 || first == last) {
            before = tree_join(&proof->hashes[i], &before);
            after = tree_join(&proof->hashes[i], &after);
            while ((first & 1) == 0 && first != 0) {
                first >>= 1;
                last >>= 1;
            }
        } else {
            after = tree_join(&after, &proof->hashes[i]);
        }
        first >>= 1;
        last >>= 1;
    }
    return last == 0 && hash256_eq(&before, old_root) && hash256_eq(&after, root);
}

bool tree_is_consistent(uint64_t old_size, const struct hash256 *old_root, uint64_t size,
                        const struct hash256 *root, const struct tree_proof *proof)
{
    if (old_size > size)
        return false;
    if (old_size == size)
        return proof->count == 0 && hash256_eq(old_root, root);
    if (old_size == 0)
        return proof->count == 0;
    return growth_holds(old_size, old_root, size, root, proof);
}
