#include "verify/building.h"

#include "base/banned.h"

#define LOG_SIZE 41

static struct cast cast;
static struct made_log made;
static struct entente_why why;
static uint8_t room[ENTENTE_ENTRY_BYTES_MAX];

static struct entente_bytes bytes_of(const struct buf *text)
{
    return bytes_of_slice(buf_slice(text));
}

static void proofs_hold_for_every_entry(void **state)
{
    (void)state;
    for (size_t size = 1; size <= LOG_SIZE; size += 4)
        for (size_t index = 0; index < size; index++) {
            CLEANUP(buf_free) struct buf file = BUF(1 << 16);
            struct entente_proof proof;

            proof_make(&file, &made, index, size, cast.signers);
            if (!entente_proof_check(bytes_of(&file), &cast.trust, room, &proof, &why))
                fail_msg("entry %zu of %zu: %s", index, size, why.text);
            assert_int_equal(proof.index, index);
            assert_int_equal(proof.head.size, size);
            assert_true(slice_eq(slice_of(proof.entry.at, proof.entry.count),
                                 buf_slice(&made.entries[index])));
        }
}

/* A file with `from` replaced by `to`, once. */
static void replaced(const struct buf *file, const char *from, const char *to, struct buf *out)
{
    size_t at = slice_find(buf_slice(file), slice_text(from));

    assert_true(at != SIZE_MAX);
    buf_put(out, slice_head(buf_slice(file), at));
    buf_put(out, slice_text(to));
    buf_put(out, slice_from(buf_slice(file), at + strlen(from)));
}

static const struct {
    const char *name, *from, *to, *why;
} bad_proofs[] = {
    {"another first line", "@v1", "@v2", "proof: its first line is not c2sp.org/tlog-proof@v1"},
    {"no entry", "extra ", "index ", "proof: holds no entry (the line \"extra\")"},
    {"an entry of no base64", "extra e", "extra !",
     "proof: its entry is not base64 of at most "
     "65535 bytes"},
    {"another entry", "extra eyJh", "extra eyJi",
     "entry 7: is not what stands there in harbour.example/ledger: entry and proof do not lead to "
     "the head's root"},
    {"another number", "index 7", "index 6",
     "entry 6: is not what stands there in harbour.example/ledger: entry and proof do not lead to "
     "the head's root"},
    {"past the end", "index 7", "index 41", "entry 41: the head has 41 entries"},
    {"a leading zero", "index 7", "index 07", "proof: no line \"index\" with a number"},
    {"no hash", "index 7\n", "index 7\nx\n", "proof: line 1 of its hashes is none"},
    {"another size", "ledger\n41", "ledger\n40",
     "head of harbour.example/ledger: the signature of harbour.example/ledger does not hold"},
};

static void bad_proofs_are_refused_with_words(void **state)
{
    CLEANUP(buf_free) struct buf file = BUF(1 << 16);

    (void)state;
    proof_make(&file, &made, 7, LOG_SIZE, cast.signers);
    CHECK_ROWS(row, bad_proofs) {
        CLEANUP(buf_free) struct buf bad = BUF(1 << 16);
        struct entente_proof proof;

        replaced(&file, row->from, row->to, &bad);
        assert_false(entente_proof_check(bytes_of(&bad), &cast.trust, room, &proof, &why));
        assert_string_equal(why.text, row->why);
    }
}

static void growth_holds_from_every_size(void **state)
{
    (void)state;
    for (size_t size = 0; size <= LOG_SIZE; size++)
        for (size_t old = 0; old <= size; old++) {
            CLEANUP(buf_free) struct buf file = BUF(1 << 16);
            struct entente_consistency proof;
            struct entente_hash root;

            growth_make(&file, &made, old, size, cast.signers);
            tree_hash(&made, 0, old, root.bytes);
            assert_true(entente_consistency_parse(bytes_of(&file), &cast.trust, &proof, &why));
            assert_int_equal(proof.old_size, old);
            if (!entente_consistency_file_check(bytes_of(&file), &cast.trust, &root, &proof, &why))
                fail_msg("%zu to %zu: %s", old, size, why.text);
            root.bytes[old % 32] ^= 4;
            assert_false(
                entente_consistency_file_check(bytes_of(&file), &cast.trust, &root, &proof, &why));
        }
}

/* ---- bundles ---- */

static void bundles_hold_whatever_they_hold(void **state)
{
    (void)state;
    for (size_t size = 0; size <= LOG_SIZE; size += 3)
        for (size_t step = 1; step <= LOG_SIZE; step += 5) {
            CLEANUP(buf_free) struct buf file = BUF(1 << 18);
            struct entente_bundle bundle;
            struct entente_bytes entry;
            uint64_t number, expected = 0;

            bundle_make(&file, &made, size, step, cast.signers);
            if (!entente_bundle_check(bytes_of(&file), &cast.trust, &bundle, &why))
                fail_msg("each %zu of %zu: %s", step, size, why.text);
            assert_int_equal(bundle.entry_count, (size + step - 1) / step);
            for (; entente_bundle_next(&bundle.lines, &number, &entry); expected += step) {
                assert_int_equal(number, expected);
                assert_true(
                    slice_eq(slice_of(entry.at, entry.count), buf_slice(&made.entries[number])));
            }
            assert_true(expected >= size);
        }
}

/* Whichever byte of an entry is flipped, that entry is named. */
static void an_altered_entry_is_named(void **state)
{
    CLEANUP(buf_free) struct buf file = BUF(1 << 18);
    struct entente_bundle bundle;
    struct entente_bytes entry, lines;
    uint64_t number;

    (void)state;
    bundle_make(&file, &made, LOG_SIZE, 5, cast.signers);
    assert_true(entente_bundle_check(bytes_of(&file), &cast.trust, &bundle, &why));
    lines = bundle.lines;
    while (entente_bundle_next(&lines, &number, &entry))
        for (size_t i = 0; i < entry.count; i += 3) {
            char *byte = file.at + (entry.at - (const uint8_t *)file.at) + i;
            struct entente_bundle unused;

            *byte ^= 1;
            assert_false(entente_bundle_check(bytes_of(&file), &cast.trust, &unused, &why));
            assert_true(why.names_entry && why.entry == number);
            *byte ^= 1;
        }
}

static const struct {
    const char *name, *from, *to, *why;
} bad_bundles[] = {
    {"another first line", "@v1", "@v2", "bundle: its first line is not entente-bundle@v1"},
    {"an entry of another number", "entry 10 ", "entry 11 ",
     "bundle: entry 11 stands where 10 belongs"},
    {"another word", "entry 10 ", "entri 10 ",
     "bundle: behind 10 entries: a line that is neither entry nor node"},
    {"a level too high", "node 1 ", "node 2 ", "bundle: a node of level 2 cannot begin at entry 2"},
    {"a level past all", "node 1 ", "node 63 ",
     "bundle: behind 2 entries: a line \"node\" takes a level and a hash"},
    {"a level too low", "node 1 ", "node 0 ", "bundle: entry 5 stands where 4 belongs"},
    {"no number", "entry 10 ", "entry x ",
     "bundle: behind 10 entries: a line \"entry\" takes a number, a hash and the entry"},
    {"cut off", "\n\nharbour", "\nharbour",
     "bundle: behind 41 entries: a line that is neither entry nor node"},
    {"controls in the filter", "filter each", "filter \x1b",
     "bundle: its line \"filter\" is no plain text"},
};

static void bad_bundles_are_refused_with_words(void **state)
{
    CLEANUP(buf_free) struct buf file = BUF(1 << 18);

    (void)state;
    bundle_make(&file, &made, LOG_SIZE, 5, cast.signers);
    CHECK_ROWS(row, bad_bundles) {
        CLEANUP(buf_free) struct buf bad = BUF(1 << 18);
        struct entente_bundle bundle;

        replaced(&file, row->from, row->to, &bad);
        assert_false(entente_bundle_check(bytes_of(&bad), &cast.trust, &bundle, &why));
        assert_string_equal(why.text, row->why);
    }
}

/* Entry and hash altered to agree: nothing names the entry, and it is refused all the same. */
static void an_entry_altered_with_its_hash_is_refused(void **state)
{
    CLEANUP(buf_free) struct buf file = BUF(1 << 18);
    struct made_log other = log_make(LOG_SIZE);
    struct entente_bundle bundle;

    (void)state;
    bundle_make(&file, &made, LOG_SIZE, 5, cast.signers);
    other.entries[10].at[2] ^= 1;
    leaf_make(&other, 10);
    size_t head_at = slice_find(buf_slice(&file), SLICE("\n\n"));
    CLEANUP(buf_free) struct buf bad = BUF(1 << 18);
    bundle_make(&bad, &other, LOG_SIZE, 5, cast.signers);
    bad.len = slice_find(buf_slice(&bad), SLICE("\n\n"));
    buf_put(&bad, slice_from(buf_slice(&file), head_at));
    assert_false(entente_bundle_check(bytes_of(&bad), &cast.trust, &bundle, &why));
    assert_string_equal(why.text, "bundle: each entry has the hash beside it, and together with "
                                  "the nodes they do not lead to the head's root: hashes were "
                                  "altered");
    log_free(&other);
}

/* ---- several in one file ---- */

static void documents_are_cut_where_their_signatures_end(void **state)
{
    static const enum entente_document_kind kinds[] = {
        ENTENTE_DOCUMENT_HEAD, ENTENTE_DOCUMENT_BUNDLE, ENTENTE_DOCUMENT_PROOF,
        ENTENTE_DOCUMENT_CONSISTENCY, ENTENTE_DOCUMENT_HEAD};
    CLEANUP(buf_free) struct buf file = BUF(1 << 18);
    struct entente_document document;
    struct entente_bytes rest;
    size_t ends[5], count = 0;

    (void)state;
    head_make(&file, &made, 5, cast.signers);
    ends[0] = file.len;
    bundle_make(&file, &made, 9, 2, cast.signers);
    ends[1] = file.len;
    proof_make(&file, &made, 0, 1, cast.signers);
    ends[2] = file.len;
    growth_make(&file, &made, 0, 0, cast.signers);
    ends[3] = file.len;
    head_make(&file, &made, 0, cast.signers);
    ends[4] = file.len;
    for (rest = bytes_of(&file); entente_document_next(&rest, &document); count++) {
        assert_true(count < 5);
        assert_int_equal(document.kind, kinds[count]);
        assert_ptr_equal(rest.at, (const uint8_t *)file.at + ends[count]);
    }
    assert_int_equal(count, 5);
}

static const struct {
    const char *name;
    slice file;
    size_t count;
} odd_files[] = {
    {"empty", S(""), 0},
    {"a line", S("x\n"), 1},
    {"no line", S("x"), 1},
    {"a head without signatures", S("o\n1\nx\n\nmore\n"), 1},
    {"a signature that is cut off", S("o\n1\nx\n\n\xe2\x80\x94 a b\n\xe2\x80\x94 a"), 1},
    {"a proof without a head", S("c2sp.org/tlog-proof@v1\nindex 0\n\n"), 1},
    {"two heads", S("o\n\n\xe2\x80\x94 a b\no\n\n\xe2\x80\x94 a b\n"), 2},
};

static void odd_files_are_cut_to_the_end(void **state)
{
    (void)state;
    CHECK_ROWS(row, odd_files) {
        struct entente_bytes rest = bytes_of_slice(row->file);
        struct entente_document document;
        size_t count = 0, bytes = 0;

        for (; entente_document_next(&rest, &document); count++)
            bytes += document.bytes.count;
        assert_int_equal(count, row->count);
        assert_int_equal(bytes, row->file.len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proofs_hold_for_every_entry),
        cmocka_unit_test(bad_proofs_are_refused_with_words),
        cmocka_unit_test(growth_holds_from_every_size),
        cmocka_unit_test(bundles_hold_whatever_they_hold),
        cmocka_unit_test(an_altered_entry_is_named),
        cmocka_unit_test(bad_bundles_are_refused_with_words),
        cmocka_unit_test(an_entry_altered_with_its_hash_is_refused),
        cmocka_unit_test(documents_are_cut_where_their_signatures_end),
        cmocka_unit_test(odd_files_are_cut_to_the_end),
    };

    cast_make(&cast);
    made = log_make(LOG_SIZE);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    log_free(&made);
    return failures;
}
