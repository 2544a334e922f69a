#include "ledger/note.h"

#include "rows.h"

#include "base/banned.h"

/* The example of C2SP signed-note, and its key as Go's note package has it. */
#define PETER_KEY "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
#define PETER_TEXT                                                                                 \
    "If you think cryptography is the answer to your problem,\n"                                   \
    "then you don't know what your problem is.\n"
#define PETER_LINE                                                                                 \
    "\xe2\x80\x94 PeterNeumann "                                                                   \
    "x08go/ZJkuBS9UG/"                                                                             \
    "SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"

static void the_known_note_verifies_and_no_altered_one_does(void **state)
{
    static char bytes[] = PETER_TEXT "\n" PETER_LINE;
    static struct note note;
    struct note_verifier verifier;
    struct diag diag = {0};
    size_t count = sizeof(bytes) - 1;

    (void)state;
    if (failed(note_verifier_parse(SLICE(PETER_KEY), &verifier, &diag)))
        fail_msg("%s", diag.text);
    assert_true(succeeded(note_parse(slice_of(bytes, count), &note, &diag)));
    assert_true(slice_eq(note.text, SLICE(PETER_TEXT)));
    assert_int_equal(note_verify(&note, &verifier, NULL), NOTE_HOLDS);
    for (size_t i = 0; i < count; i++) {
        bytes[i] ^= 1;
        assert_false(succeeded(note_parse(slice_of(bytes, count), &note, NULL)) &&
                     note_verify(&note, &verifier, NULL) == NOTE_HOLDS);
        bytes[i] ^= 1;
    }
    for (size_t cut = 0; cut < count; cut++)
        assert_false(succeeded(note_parse(slice_of(bytes, cut), &note, NULL)) &&
                     note_verify(&note, &verifier, NULL) == NOTE_HOLDS);
}

static const struct {
    const char *name;
    slice key;
    const char *words;
} bad_keys[] = {
    {"empty", S(""), "takes name+id+base64"},
    {"a name alone", S("PeterNeumann"), "takes name+id+base64"},
    {"another id", S("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"),
     "its id is not that of its bytes"},
    {"a short id", S("PeterNeumann+c74f20+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"),
     "8 hexadecimal digits"},
    {"a space in the name",
     S("Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"), "its name"},
    {"a wide space",
     S("Peter\xe3\x80\x80Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"),
     "its name"},
    {"no base64", S("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T"),
     "33 bytes"},
    {"a kind of others", S("PeterNeumann+c74f20a3+Bhpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"),
     "0x06"},
};

static void what_is_no_key_is_refused(void **state)
{
    (void)state;
    CHECK_ROWS(row, bad_keys) {
        struct note_verifier verifier;
        struct diag diag = {0};

        assert_int_equal(note_verifier_parse(row->key, &verifier, &diag).code, ERR_INVALID);
        if (strstr(diag.text, row->words) == NULL)
            fail_msg("\"%s\"", diag.text);
    }
}

static void keys_are_written_as_they_are_read(void **state)
{
    static const enum note_kind kinds[] = {NOTE_ED25519, NOTE_COSIGNATURE};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(buf_free) struct buf secret = BUF(1024), open = BUF(1024), again = BUF(1024);
        uint8_t seed[ED25519_SEED_BYTES] = {1, 2, 3, (uint8_t)i};
        struct note_signer signer, back;
        struct note_verifier verifier;

        note_signer_init(SLICE("example.com/w1"), kinds[i], seed, &signer);
        note_signer_write(&signer, &secret);
        assert_true(succeeded(note_signer_parse(buf_slice(&secret), &back, NULL)));
        note_signer_write(&back, &again);
        assert_true(slice_eq(buf_slice(&secret), buf_slice(&again)));
        note_verifier_write(&signer.verifier, &open);
        assert_true(succeeded(note_verifier_parse(buf_slice(&open), &verifier, NULL)));
        assert_memory_equal(verifier.key, signer.verifier.key, sizeof(verifier.key));
        assert_int_equal(note_signer_parse(buf_slice(&open), &back, NULL).code, ERR_INVALID);
    }
}

static void signatures_and_cosignatures_stand_side_by_side(void **state)
{
    CLEANUP(buf_free) struct buf bytes = BUF(NOTE_BYTES_MAX);
    uint8_t one[ED25519_SEED_BYTES] = {1}, two[ED25519_SEED_BYTES] = {2};
    struct checkpoint head = {SLICE("example.com/log"), 42, {{7}}}, read_back;
    struct note_signer log, witness, stranger;
    static struct note note;
    uint64_t time_s = 0;

    (void)state;
    note_signer_init(SLICE("example.com/log"), NOTE_ED25519, one, &log);
    note_signer_init(SLICE("example.com/w"), NOTE_COSIGNATURE, two, &witness);
    note_signer_init(SLICE("example.com/w"), NOTE_COSIGNATURE, one, &stranger);
    checkpoint_write(&head, &bytes);
    size_t text = bytes.len;
    buf_byte(&bytes, '\n');
    note_sign(slice_head(buf_slice(&bytes), text), &log, 0, &bytes);
    note_sign(slice_head(buf_slice(&bytes), text), &witness, 1679315147, &bytes);
    assert_true(succeeded(note_parse(buf_slice(&bytes), &note, NULL)));
    assert_int_equal(note.signature_count, 2);
    assert_int_equal(note_verify(&note, &log.verifier, NULL), NOTE_HOLDS);
    assert_int_equal(note_verify(&note, &witness.verifier, &time_s), NOTE_HOLDS);
    assert_int_equal(time_s, 1679315147);
    assert_int_equal(note_verify(&note, &stranger.verifier, NULL), NOTE_UNSIGNED);
    assert_true(succeeded(checkpoint_parse(note.text, &read_back, NULL)));
    assert_int_equal(read_back.size, 42);
    assert_true(hash256_eq(&read_back.root, &head.root));
}

static void a_line_of_a_known_key_that_does_not_hold_refuses_the_note(void **state)
{
    CLEANUP(buf_free) struct buf bytes = BUF(NOTE_BYTES_MAX);
    uint8_t seed[ED25519_SEED_BYTES] = {1};
    struct note_signer log;
    static struct note note;

    (void)state;
    note_signer_init(SLICE("a"), NOTE_ED25519, seed, &log);
    buf_put(&bytes, SLICE("text\n\n"));
    note_sign(SLICE("text\n"), &log, 0, &bytes);
    note_sign(SLICE("other\n"), &log, 0, &bytes);
    assert_true(succeeded(note_parse(buf_slice(&bytes), &note, NULL)));
    assert_int_equal(note_verify(&note, &log.verifier, NULL), NOTE_FORGED);
}

#define ROOT "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="

static const struct {
    const char *name;
    slice text;
    const char *words; /* NULL: it is one */
} checkpoints[] = {
    {"the specification's", S("example.com/behind-the-sofa\n20852163\n" ROOT "\n"), NULL},
    {"with extensions", S("a\n1\n" ROOT "\nmore\nand more\n"), NULL},
    {"of nothing", S("a\n0\n" ROOT "\n"), NULL},
    {"no origin", S("\n1\n" ROOT "\n"), "origin"},
    {"a leading zero", S("a\n01\n" ROOT "\n"), "size"},
    {"a sign", S("a\n+1\n" ROOT "\n"), "size"},
    {"too large", S("a\n9223372036854775808\n" ROOT "\n"), "size"},
    {"no root", S("a\n1\n"), "hash"},
    {"a short root", S("a\n1\nCsUYapGGPo4=\n"), "hash"},
    {"no last line feed", S("a\n1\n" ROOT), "hash"},
    {"an empty line", S("a\n1\n" ROOT "\n\nx\n"), "empty line"},
};

static void checkpoints_are_read_strictly(void **state)
{
    (void)state;
    CHECK_ROWS(row, checkpoints) {
        struct checkpoint checkpoint;
        struct diag diag = {0};
        result r = checkpoint_parse(row->text, &checkpoint, &diag);

        assert_int_equal(r.code, row->words == NULL ? ERR_NONE : ERR_INVALID);
        assert_true(row->words == NULL || strstr(diag.text, row->words) != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_known_note_verifies_and_no_altered_one_does),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(keys_are_written_as_they_are_read),
        cmocka_unit_test(signatures_and_cosignatures_stand_side_by_side),
        cmocka_unit_test(a_line_of_a_known_key_that_does_not_hold_refuses_the_note),
        cmocka_unit_test(checkpoints_are_read_strictly),
    };

    return cmocka_run_group_tests_name("note", tests, NULL, NULL);
}
