#include "ledger/tree.h"

#include "rows.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/encode.h"

#include "base/banned.h"

#define TREE 0
#define SIZES 131
static const char *const tables[] = {"tree", NULL};

struct fixture {
    char folder[64];
    struct kv *kv;
};

static int set_up(void **state)
{
    static struct fixture f;
    struct diag diag = {0};

    f = (struct fixture){.folder = "/tmp/entente-tree-XXXXXX"};
    assert_non_null(mkdtemp(f.folder));
    if (failed(kv_open(f.folder, (size_t)1 << 28, tables, &f.kv, &diag)))
        fail_msg("%s", diag.text);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char path[96];

    kv_close(&f->kv);
    (void)snprintf(path, sizeof(path), "%s/index.mdb", f->folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/index.mdb-lock", f->folder);
    (void)unlink(path);
    (void)rmdir(f->folder);
    return 0;
}

/* The definition of RFC 6962, 2.1, level by level: what has no right neighbour goes up as it is. */
static struct hash256 slow_root(const struct hash256 *leaves, size_t count)
{
    static struct hash256 row[SIZES];

    if (count == 0)
        return sha256(SLICE(""));
    memcpy(row, leaves, count * sizeof(row[0]));
    while (count > 1) {
        size_t next = 0;

        for (size_t i = 0; i < count; i += 2)
            row[next++] = i + 1 < count ? tree_join(&row[i], &row[i + 1]) : row[i];
        count = next;
    }
    return row[0];
}

static void leaf_of_number(size_t number, struct hash256 *out)
{
    char text[32];
    int bytes = snprintf(text, sizeof(text), "leaf %zu", number);

    *out = tree_leaf(slice_of(text, (size_t)bytes));
}

static void tree_fill(struct fixture *f, const struct hash256 *leaves, size_t count)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct diag diag = {0};

    kv_begin_write(f->kv, &txn, &diag);
    for (size_t i = 0; i < count; i++)
        tree_append(&txn, TREE, (int64_t)i - 5, &leaves[i]);
    if (failed(kv_commit(&txn)))
        fail_msg("%s", diag.text);
}

/* Those of the certificate-transparency project, which every other implementation is held to. */
static const struct {
    const char *name;
    slice leaf, root;
} reference[] = {
    {"1", S(""), S("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d")},
    {"2", S("00"), S("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125")},
    {"3", S("10"), S("aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77")},
    {"4", S("2021"), S("d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7")},
    {"5", S("3031"), S("4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4")},
    {"6", S("40414243"), S("76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef")},
    {"7", S("5051525354555657"),
     S("ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c")},
    {"8", S("606162636465666768696a6b6c6d6e6f"),
     S("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328")},
};

static void the_reference_leaves_give_the_reference_roots(void **state)
{
    struct fixture *f = *state;
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct diag diag = {0};
    char text[2 * SHA256_BYTES];

    kv_begin_write(f->kv, &txn, &diag);
    struct hash256 none = tree_root(&txn, TREE, 0);
    hex_encode(slice_of(none.bytes, sizeof(none.bytes)), text);
    assert_true(
        slice_eq(slice_of(text, sizeof(text)),
                 SLICE("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")));
    CHECK_ROWS(row, reference) {
        uint8_t bytes[16];

        assert_true(hex_decode(row->leaf, bytes, row->leaf.len / 2));
        struct hash256 leaf = tree_leaf(slice_of(bytes, row->leaf.len / 2));
        tree_append(&txn, TREE, 0, &leaf);
        struct hash256 root = tree_root(&txn, TREE, tree_count(&txn, TREE));
        hex_encode(slice_of(root.bytes, sizeof(root.bytes)), text);
        assert_true(slice_eq(slice_of(text, sizeof(text)), row->root));
    }
    assert_true(succeeded(txn.state));
}

static void roots_and_nodes_are_those_of_the_definition(void **state)
{
    static struct hash256 leaves[SIZES];
    struct fixture *f = *state;
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct diag diag = {0};

    for (size_t i = 0; i < SIZES; i++)
        leaf_of_number(i, &leaves[i]);
    tree_fill(f, leaves, SIZES);
    kv_begin_read(f->kv, &txn, &diag);
    assert_int_equal(tree_count(&txn, TREE), SIZES);
    for (size_t size = 0; size <= SIZES; size++) {
        struct hash256 root = tree_root(&txn, TREE, size), wanted = slow_root(leaves, size);

        assert_true(hash256_eq(&root, &wanted));
    }
    for (unsigned level = 0; level < 8; level++)
        for (size_t index = 0; (index + 1) << level <= SIZES; index++) {
            struct hash256 node = tree_node(&txn, TREE, level, index);
            struct hash256 wanted = slow_root(leaves + (index << level), (size_t)1 << level);

            assert_true(hash256_eq(&node, &wanted));
        }
    for (size_t i = 0; i < SIZES; i++) {
        int64_t us;

        assert_true(tree_reach(&txn, TREE, i, &us));
        assert_int_equal(us, (int64_t)i - 5);
    }
    assert_true(succeeded(txn.state));
}

/* A proof that was altered in any way is refused. */
static void inclusion_is_refused(uint64_t number, uint64_t size, const struct hash256 *leaf,
                                 const struct tree_proof *proof, const struct hash256 *root)
{
    struct tree_proof other = *proof;
    struct hash256 got;

    for (size_t i = 0; i < proof->count; i++) {
        other.hashes[i].bytes[i % SHA256_BYTES] ^= 1;
        assert_false(tree_inclusion_root(number, size, leaf, &other, &got) &&
                     hash256_eq(&got, root));
        other.hashes[i] = proof->hashes[i];
    }
    other.count = proof->count + 1;
    assert_false(tree_inclusion_root(number, size, leaf, &other, &got) && hash256_eq(&got, root));
    if (proof->count > 0) {
        other.count = proof->count - 1;
        assert_false(tree_inclusion_root(number, size, leaf, &other, &got) &&
                     hash256_eq(&got, root));
    }
    assert_false(tree_inclusion_root(size, size, leaf, proof, &got));
    if (size > 1)
        assert_false(tree_inclusion_root((number + 1) % size, size, leaf, proof, &got) &&
                     hash256_eq(&got, root));
}

static void every_entry_is_proven_in_every_tree(void **state)
{
    static struct hash256 leaves[SIZES];
    struct fixture *f = *state;
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct diag diag = {0};

    for (size_t i = 0; i < SIZES; i++)
        leaf_of_number(i, &leaves[i]);
    tree_fill(f, leaves, SIZES);
    kv_begin_read(f->kv, &txn, &diag);
    for (uint64_t size = 1; size <= SIZES; size++) {
        struct hash256 root = tree_root(&txn, TREE, size);

        for (uint64_t number = 0; number < size; number++) {
            struct tree_proof proof;
            struct hash256 got;

            tree_inclusion(&txn, TREE, number, size, &proof);
            assert_true(tree_inclusion_root(number, size, &leaves[number], &proof, &got));
            assert_true(hash256_eq(&got, &root));
            if (number % 7 == size % 7)
                inclusion_is_refused(number, size, &leaves[number], &proof, &root);
        }
    }
    assert_true(succeeded(txn.state));
}

static void consistency_is_refused(uint64_t old_size, const struct hash256 *old_root, uint64_t size,
                                   const struct hash256 *root, const struct tree_proof *proof)
{
    struct tree_proof other = *proof;
    struct hash256 wrong = *root;

    for (size_t i = 0; i < proof->count; i++) {
        other.hashes[i].bytes[i % SHA256_BYTES] ^= 1;
        assert_false(tree_is_consistent(old_size, old_root, size, root, &other));
        other.hashes[i] = proof->hashes[i];
    }
    other.count = proof->count + 1;
    assert_false(tree_is_consistent(old_size, old_root, size, root, &other));
    if (proof->count > 0) {
        other.count = proof->count - 1;
        assert_false(tree_is_consistent(old_size, old_root, size, root, &other));
    }
    wrong.bytes[5] ^= 1;
    if (old_size > 0) { /* a tree of nothing fits any */
        assert_false(tree_is_consistent(old_size, old_root, size, &wrong, proof));
        assert_false(tree_is_consistent(old_size, &wrong, size, root, proof));
    }
    assert_false(tree_is_consistent(size + 1, old_root, size, root, proof));
}

static void every_tree_is_consistent_with_every_later_one(void **state)
{
    static struct hash256 leaves[SIZES];
    struct fixture *f = *state;
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct diag diag = {0};

    for (size_t i = 0; i < SIZES; i++)
        leaf_of_number(i, &leaves[i]);
    tree_fill(f, leaves, SIZES);
    kv_begin_read(f->kv, &txn, &diag);
    for (uint64_t size = 0; size <= SIZES; size++) {
        struct hash256 root = tree_root(&txn, TREE, size);

        for (uint64_t old = 0; old <= size; old++) {
            struct hash256 old_root = tree_root(&txn, TREE, old);
            struct tree_proof proof;

            tree_consistency(&txn, TREE, old, size, &proof);
            assert_true(tree_is_consistent(old, &old_root, size, &root, &proof));
            if (old % 5 == size % 5)
                consistency_is_refused(old, &old_root, size, &root, &proof);
        }
    }
    assert_true(succeeded(txn.state));
}

static void a_row_that_is_gone_or_cut_is_told(void **state)
{
    struct fixture *f = *state;
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct hash256 leaves[4];
    struct tree_proof proof;
    struct diag diag = {0};

    for (size_t i = 0; i < 4; i++)
        leaf_of_number(i, &leaves[i]);
    tree_fill(f, leaves, 4);
    kv_begin_write(f->kv, &txn, &diag);
    assert_true(kv_delete(&txn, TREE, SLICE("\0\0\0\0\0\0\0\1")));
    tree_inclusion(&txn, TREE, 3, 4, &proof);
    assert_int_equal(txn.state.code, ERR_CORRUPT);
    assert_string_equal(diag.text, "tree: the row of entry 1 is missing");
    kv_abort(&txn);
    diag_reset(&diag);
    kv_begin_write(f->kv, &txn, &diag);
    kv_put(&txn, TREE, SLICE("\0\0\0\0\0\0\0\2"), SLICE("short"));
    tree_append(&txn, TREE, 0, &leaves[0]); /* looks at nothing of it */
    assert_true(succeeded(txn.state));
    tree_consistency(&txn, TREE, 3, 5, &proof);
    assert_int_equal(kv_commit(&txn).code, ERR_CORRUPT);
    assert_string_equal(diag.text, "tree: the row of entry 2 is not as it was written");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(the_reference_leaves_give_the_reference_roots),
        CASE(roots_and_nodes_are_those_of_the_definition),
        CASE(every_entry_is_proven_in_every_tree),
        CASE(every_tree_is_consistent_with_every_later_one),
        CASE(a_row_that_is_gone_or_cut_is_told),
    };

    return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
