#include "verify/building.h"

#include "base/banned.h"

/* The example of C2SP signed-note, and the one of Go's note package. */
#define EXAMPLE_KEY "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
#define EXAMPLE                                                                                    \
    "This is an example message.\n\n"                                                              \
    "\xe2\x80\x94 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXs"  \
    "YjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
#define GO_KEY "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
#define GO_TEXT                                                                                    \
    "If you think cryptography is the answer to your problem,\n"                                   \
    "then you don't know what your problem is.\n"
#define GO_LINE                                                                                    \
    "\xe2\x80\x94 PeterNeumann "                                                                   \
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvq"                          \
    "fqdngotpRZb6KE6RyyBwJnAM=\n"
#define OTHER_LINE "\xe2\x80\x94 other.example AAAAAAA=\n"

static struct cast cast;
static struct entente_why why;

static struct entente_key parsed(slice vkey)
{
    struct entente_key key;

    if (!entente_key_parse(bytes_of_slice(vkey), &key, &why))
        fail_msg("%s", why.text);
    return key;
}

static const struct {
    const char *name;
    slice key, note;
    bool is_note;
    enum entente_signature found;
} notes[] = {
    {"C2SP's", S(EXAMPLE_KEY), S(EXAMPLE), true, ENTENTE_SIGNATURE_HOLDS},
    {"Go's", S(GO_KEY), S(GO_TEXT "\n" GO_LINE), true, ENTENTE_SIGNATURE_HOLDS},
    {"beside a key nobody knows", S(GO_KEY), S(GO_TEXT "\n" OTHER_LINE GO_LINE OTHER_LINE), true,
     ENTENTE_SIGNATURE_HOLDS},
    {"of another", S(EXAMPLE_KEY), S(GO_TEXT "\n" GO_LINE), true, ENTENTE_SIGNATURE_ABSENT},
    {"another text", S(GO_KEY), S("x" GO_TEXT "\n" GO_LINE), true, ENTENTE_SIGNATURE_BROKEN},
    {"the name and id without a signature", S(GO_KEY),
     S(GO_TEXT "\n\xe2\x80\x94 PeterNeumann x08gowA=\n"), true, ENTENTE_SIGNATURE_BROKEN},
    {"the first line of a key decides", S(GO_KEY),
     S(GO_TEXT "\n\xe2\x80\x94 PeterNeumann x08gowA=\n" GO_LINE), true, ENTENTE_SIGNATURE_BROKEN},
    {"no signature", S(GO_KEY), S(GO_TEXT "\n"), false, ENTENTE_SIGNATURE_ABSENT},
    {"no empty line", S(GO_KEY), S(GO_TEXT GO_LINE), false, ENTENTE_SIGNATURE_ABSENT},
    {"nothing", S(GO_KEY), S(""), false, ENTENTE_SIGNATURE_ABSENT},
    {"its last line feed cut off", S(GO_KEY), S("a\n\n\xe2\x80\x94 x AAAAAAA="), false,
     ENTENTE_SIGNATURE_ABSENT},
    {"words behind the signature", S(GO_KEY), S(GO_TEXT "\n" GO_LINE "more\n"), false,
     ENTENTE_SIGNATURE_ABSENT},
    {"a control character", S(GO_KEY), S("a\tb\n\n" OTHER_LINE), false, ENTENTE_SIGNATURE_ABSENT},
    {"a carriage return", S(GO_KEY), S("a\r\n\n" OTHER_LINE), false, ENTENTE_SIGNATURE_ABSENT},
    {"no UTF-8", S(GO_KEY), S("a\xff\n\n" OTHER_LINE), false, ENTENTE_SIGNATURE_ABSENT},
    {"a surrogate", S(GO_KEY), S("a\xed\xa0\x80\n\n" OTHER_LINE), false, ENTENTE_SIGNATURE_ABSENT},
    {"overlong UTF-8", S(GO_KEY), S("a\xc0\xaf\n\n" OTHER_LINE), false, ENTENTE_SIGNATURE_ABSENT},
    {"a hyphen for the dash", S(GO_KEY), S("a\n\n- x AAAAAAA=\n"), false, ENTENTE_SIGNATURE_ABSENT},
    {"no name", S(GO_KEY), S("a\n\n\xe2\x80\x94  AAAAAAA=\n"), false, ENTENTE_SIGNATURE_ABSENT},
    {"a plus in the name", S(GO_KEY), S("a\n\n\xe2\x80\x94 x+y AAAAAAA=\n"), false,
     ENTENTE_SIGNATURE_ABSENT},
    {"a wide space in the name", S(GO_KEY), S("a\n\n\xe2\x80\x94 x\xe3\x80\x80y AAAAAAA=\n"), false,
     ENTENTE_SIGNATURE_ABSENT},
    {"an id alone", S(GO_KEY), S("a\n\n\xe2\x80\x94 x AAAAAA==\n"), false,
     ENTENTE_SIGNATURE_ABSENT},
    {"bits behind base64's end", S(GO_KEY), S("a\n\n\xe2\x80\x94 x AAAAAAB=\n"), false,
     ENTENTE_SIGNATURE_ABSENT},
    {"no padding", S(GO_KEY), S("a\n\n\xe2\x80\x94 x AAAAAAA\n"), false, ENTENTE_SIGNATURE_ABSENT},
};

static void notes_are_opened_and_their_signatures_checked(void **state)
{
    (void)state;
    CHECK_ROWS(row, notes) {
        struct entente_key key = parsed(row->key);
        struct entente_note note;
        bool is_note = entente_note_parse(bytes_of_slice(row->note), &note, &why);

        assert_true(is_note == row->is_note);
        if (is_note)
            assert_int_equal(entente_note_signed(&note, &key, NULL), row->found);
        else
            assert_true(why.text[0] != '\0');
    }
}

static void a_note_has_32_signatures_at_most(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 16);
    struct entente_note note;

    (void)state;
    buf_put(&text, SLICE("a\n\n"));
    for (size_t i = 0; i < ENTENTE_SIGNATURES_MAX; i++)
        buf_put(&text, SLICE(OTHER_LINE));
    assert_true(entente_note_parse(bytes_of_slice(buf_slice(&text)), &note, &why));
    buf_put(&text, SLICE(OTHER_LINE));
    assert_false(entente_note_parse(bytes_of_slice(buf_slice(&text)), &note, &why));
    assert_string_equal(why.text, "note: over 32 signatures");
}

/* ---- keys ---- */

static const struct {
    const char *name;
    slice key;
    const char *why;
} bad_keys[] = {
    {"nothing", S(""), "\"\" is no key: takes NAME+ID+BASE64"},
    {"no id", S("name"), "\"name\" is no key: takes NAME+ID+BASE64"},
    {"a space", S("a b+c74f20a3+ARpc"),
     "key \"a b\": its name has a space, or none or over 255 bytes"},
    {"no name", S("+c74f20a3+ARpc"), "key \"\": its name has a space, or none or over 255 bytes"},
    {"a short id", S("a+c74f20a+ARpc"), "key a: its id is not 8 hexadecimal digits"},
    {"capitals", S("a+C74F20A3+ARpc"), "key a: its id is not 8 hexadecimal digits"},
    {"a short key", S("a+c74f20a3+ARpc"), "key a: its last part is not base64 of a type and a key"},
    {"no base64", S("a+c74f20a3+!"), "key a: its last part is not base64 of a type and a key"},
    {"a letter wrong in the name",
     S("PeterNeumanm+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"),
     "key PeterNeumanm: its id does not follow from its name and key: a typing error"},
    {"a terminal's controls", S("\x1b[31m"), "\"\\x1b[31m\" is no key: takes NAME+ID+BASE64"},
};

static void bad_keys_are_refused_with_words(void **state)
{
    struct entente_key key;

    (void)state;
    CHECK_ROWS(row, bad_keys) {
        assert_false(entente_key_parse(bytes_of_slice(row->key), &key, &why));
        assert_string_equal(why.text, row->why);
    }
}

static void a_file_of_keys_is_read(void **state)
{
    static const char file[] = "# of the harbour\n" EXAMPLE_KEY "\n\n"
                               "future.example+00000000+BkFBQUE=\n" GO_KEY;
    struct entente_key keys[3];
    size_t count = 0;

    (void)state;
    assert_true(entente_keys_parse(bytes_of_slice(slice_text(file)), keys, 3, &count, &why));
    assert_int_equal(count, 2);
    assert_string_equal(keys[1].name, "PeterNeumann");
    count = 2;
    assert_false(entente_keys_parse(bytes_of_slice(slice_text(file)), keys, 3, &count, &why));
    assert_string_equal(why.text, "line 5: over 3 keys");
    count = 0;
    assert_false(entente_keys_parse(bytes_of_slice(SLICE("#\nkey\n")), keys, 3, &count, &why));
    assert_string_equal(why.text, "line 2: \"key\" is no key: takes NAME+ID+BASE64");
}

/* ---- heads ---- */

static void head_of(struct buf *out, const struct signer *const *signers)
{
    struct made_log log = log_make(5);

    head_make(out, &log, 5, signers);
    log_free(&log);
}

static void a_head_needs_its_log_and_its_quorum(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 14);
    struct entente_trust trust = cast.trust;
    struct entente_head head;

    (void)state;
    head_of(&text, cast.signers);
    assert_true(entente_head_check(bytes_of_slice(buf_slice(&text)), &trust, &head, &why));
    assert_int_equal(head.size, 5);
    assert_int_equal(head.cosignature_count, 1);
    assert_string_equal(head.cosignatures[0].key->name, cast.first.name);
    assert_int_equal(head.cosignatures[0].time_s, 1795000001);
    trust.quorum = 2; /* the stranger's does not count */
    assert_false(entente_head_check(bytes_of_slice(buf_slice(&text)), &trust, &head, &why));
    assert_string_equal(why.text, "head of harbour.example/ledger: cosigned by 1 of the witnesses, "
                                  "2 are asked for");
    trust = (struct entente_trust){.keys = cast.keys + 1, .key_count = 2};
    assert_false(entente_head_check(bytes_of_slice(buf_slice(&text)), &trust, &head, &why));
    assert_string_equal(why.text, "head of harbour.example/ledger: not signed by a key of that log "
                                  "that is trusted here");
}

/* A key that is trusted for one log cannot speak for another. */
static void a_log_speaks_for_itself_alone(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 14);
    struct signer liar = cast.log;
    const struct signer *signers[] = {&liar, NULL};
    struct entente_trust trust = {.keys = cast.keys, .key_count = 3};
    struct entente_head head;
    char *at;

    (void)state;
    (void)snprintf(liar.name, sizeof(liar.name), "another.example/ledger");
    head_of(&text, signers);
    buf_byte(&text, '\0');
    at = strstr(text.at, "\xe2\x80\x94 another");
    assert_non_null(at);
    memcpy(at + 4, "harbour", 7); /* the same length: the signature is of harbour's key now */
    text.len--;
    assert_false(entente_head_check(bytes_of_slice(buf_slice(&text)), &trust, &head, &why));
    assert_string_equal(why.text, "head of another.example/ledger: not signed by a key of that log "
                                  "that is trusted here");
}

/* One witness under two names, or the log under a witness's name, is no second opinion. */
static void a_witness_counts_once(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 14);
    struct signer twin = signer_make("twin.example/witness", 4, 2);
    struct signer self = signer_make("harbour.example/own-witness", 4, 1);
    const struct signer *signers[] = {&cast.log, &cast.first, &twin, &self, NULL};
    struct entente_key keys[] = {cast.keys[0], cast.keys[1], key_of(&twin), key_of(&self)};
    struct entente_trust trust = {.keys = keys, .key_count = 4, .quorum = 1};
    struct entente_head head;

    (void)state;
    head_of(&text, signers);
    assert_true(entente_head_check(bytes_of_slice(buf_slice(&text)), &trust, &head, &why));
    assert_int_equal(head.cosignature_count, 1);
    trust.quorum = 2;
    assert_false(entente_head_check(bytes_of_slice(buf_slice(&text)), &trust, &head, &why));
}

static const struct {
    const char *name;
    slice text;
    bool is_head;
} head_texts[] = {
    {"three lines", S("o\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"), true},
    {"an extension", S("o\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\nmore\n"), true},
    {"nothing", S("o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"), true},
    {"an empty line", S("o\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\nmore\n"), false},
    {"no origin", S("\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"), false},
    {"a leading zero", S("o\n05\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"), false},
    {"a sign", S("o\n+5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"), false},
    {"2^63", S("o\n9223372036854775808\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"), false},
    {"2^63 - 1", S("o\n9223372036854775807\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"), true},
    {"a short hash", S("o\n5\nCsUYapGG\n"), false},
    {"no hash", S("o\n5\n"), false},
};

static void a_head_is_read_strictly(void **state)
{
    (void)state;
    CHECK_ROWS(row, head_texts) {
        CLEANUP(buf_free) struct buf note = BUF(1 << 14);
        struct entente_head head;

        buf_put(&note, row->text);
        buf_put(&note, SLICE("\n" OTHER_LINE));
        assert_true(entente_head_parse(bytes_of_slice(buf_slice(&note)), &head, &why) ==
                    row->is_head);
    }
}

/* The example of tlog-cosignature has the form that is read here. */
static void the_example_of_cosignatures_is_read(void **state)
{
    static const char note[] =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "\xe2\x80\x94 example.com/behind-the-sofa "
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/"
        "Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
        "\xe2\x80\x94 witness.example.com/w1 "
        "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/"
        "zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
    struct entente_head head;

    (void)state;
    assert_true(entente_head_parse(bytes_of_slice(slice_text(note)), &head, &why));
    assert_int_equal(head.size, 20852163);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notes_are_opened_and_their_signatures_checked),
        cmocka_unit_test(a_note_has_32_signatures_at_most),
        cmocka_unit_test(bad_keys_are_refused_with_words),
        cmocka_unit_test(a_file_of_keys_is_read),
        cmocka_unit_test(a_head_needs_its_log_and_its_quorum),
        cmocka_unit_test(a_log_speaks_for_itself_alone),
        cmocka_unit_test(a_witness_counts_once),
        cmocka_unit_test(a_head_is_read_strictly),
        cmocka_unit_test(the_example_of_cosignatures_is_read),
    };

    cast_make(&cast);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
