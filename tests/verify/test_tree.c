#include "verify/building.h"

#include "base/banned.h"

/* The leaves and roots of RFC 6962's reference implementation. */
static const struct {
    const char *name; /* the leaf in hexadecimal digits */
    const char *root; /* of the tree up to it */
} reference[] = {
    {"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
    {"00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
    {"10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
    {"2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
    {"3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
    {"40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
    {"5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
    {"606162636465666768696a6b6c6d6e6f",
     "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
};

static void root_is(const struct entente_tree *tree, const char *hex)
{
    struct entente_hash root, wanted;

    entente_tree_root(tree, &root);
    assert_true(hex_decode(slice_text(hex), wanted.bytes, 32));
    assert_true(entente_hash_equal(&root, &wanted));
}

static void the_reference_trees_have_their_roots(void **state)
{
    struct entente_tree tree = {0};

    (void)state;
    root_is(&tree, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK_ROWS(row, reference) {
        uint8_t leaf[16];
        size_t bytes = strlen(row->name) / 2;
        struct entente_hash hash;

        assert_true(hex_decode(slice_text(row->name), leaf, bytes));
        entente_leaf_hash((struct entente_bytes){leaf, bytes}, &hash);
        assert_true(entente_tree_add(&tree, 0, &hash));
        root_is(&tree, row->root);
    }
}

#define SIZE_MAX_HERE 70

static struct entente_hash root_of(const struct made_log *log, size_t size)
{
    struct entente_hash root;

    tree_hash(log, 0, size, root.bytes);
    return root;
}

/* All of a small domain: each proof holds in its place and in no other. */
static void every_inclusion_proof_holds_where_it_belongs(void **state)
{
    struct made_log log = log_make(SIZE_MAX_HERE);

    (void)state;
    for (size_t size = 1; size <= SIZE_MAX_HERE; size++) {
        struct entente_hash root = root_of(&log, size);

        for (size_t index = 0; index < size; index++) {
            struct hash_list path = {.count = 0};
            struct entente_hash proof[64], leaf;

            path_make(&log, index, 0, size, &path);
            memcpy(proof, path.at, sizeof(path.at));
            memcpy(leaf.bytes, log.leaves[index], 32);
            assert_true(entente_inclusion_check(index, size, &leaf, proof, path.count, &root));
            for (size_t other = 0; other <= size; other++)
                assert_true(entente_inclusion_check(other, size, &leaf, proof, path.count, &root) ==
                            (other == index));
            assert_false(entente_inclusion_check(index, size, &leaf, proof, path.count + 1, &root));
            if (path.count > 0) {
                assert_false(
                    entente_inclusion_check(index, size, &leaf, proof, path.count - 1, &root));
                proof[index % path.count].bytes[size % 32] ^= 1;
                assert_false(entente_inclusion_check(index, size, &leaf, proof, path.count, &root));
            }
        }
    }
    log_free(&log);
}

static void every_consistency_proof_holds_where_it_belongs(void **state)
{
    struct made_log log = log_make(SIZE_MAX_HERE);

    (void)state;
    for (size_t size = 0; size <= SIZE_MAX_HERE; size++)
        for (size_t old = 0; old <= size; old++) {
            struct entente_hash root = root_of(&log, size), old_root = root_of(&log, old),
                                proof[65];
            struct hash_list made = {.count = 0};

            if (old > 0)
                consistency_make(&log, old, 0, size, true, &made);
            memcpy(proof, made.at, sizeof(made.at));
            assert_true(entente_consistency_check(old, size, &old_root, &root, proof, made.count));
            assert_false(entente_consistency_check(size + 1, size, &old_root, &root, proof, 0));
            assert_false(
                entente_consistency_check(old, size, &old_root, &root, proof, made.count + 1));
            if (made.count > 0) {
                proof[size % made.count].bytes[old % 32] ^= 1;
                assert_false(
                    entente_consistency_check(old, size, &old_root, &root, proof, made.count));
                proof[size % made.count].bytes[old % 32] ^= 1;
                assert_false(
                    entente_consistency_check(old, size, &old_root, &root, proof, made.count - 1));
            }
            old_root.bytes[size % 32] ^= 1;
            assert_false(entente_consistency_check(old, size, &old_root, &root, proof, made.count));
            old_root.bytes[size % 32] ^= 1;
            root.bytes[size % 32] ^= 1;
            assert_true(entente_consistency_check(old, size, &old_root, &root, proof, made.count) ==
                        (old == 0 && size > 0));
        }
    log_free(&log);
}

static void a_subtree_begins_where_its_size_divides(void **state)
{
    struct entente_tree tree = {0};
    struct entente_hash hash = {{0}};

    (void)state;
    assert_false(entente_tree_add(&tree, 63, &hash));
    assert_true(entente_tree_add(&tree, 62, &hash));
    assert_false(entente_tree_add(&tree, 62, &hash)); /* 2^63 */
    for (unsigned level = 62; level-- > 0;)
        assert_true(entente_tree_add(&tree, level, &hash));
    assert_int_equal(tree.size, INT64_MAX);
    assert_int_equal(tree.count, 63);
    assert_false(entente_tree_add(&tree, 0, &hash));
    tree = (struct entente_tree){0};
    assert_true(entente_tree_add(&tree, 0, &hash));
    assert_false(entente_tree_add(&tree, 1, &hash));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_trees_have_their_roots),
        cmocka_unit_test(every_inclusion_proof_holds_where_it_belongs),
        cmocka_unit_test(every_consistency_proof_holds_where_it_belongs),
        cmocka_unit_test(a_subtree_begins_where_its_size_divides),
    };

    assert_true(entente_start());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
