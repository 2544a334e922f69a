#include "base/crypto.h"

#include "base/encode.h"
#include "base/fault.h"
#include "base/world.h"

#include "rows.h"

#include "base/banned.h"

static const struct {
    const char *name;
    slice in, sha256, sha1;
} digests[] = {
    /* FIPS 180-4's examples */
    {"nothing", S(""), S("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
     S("da39a3ee5e6b4b0d3255bfef95601890afd80709")},
    {"abc", S("abc"), S("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
     S("a9993e364706816aba3e25717850c26c9cd0d89d")},
    {"two blocks", S("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
     S("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
     S("84983e441c3bd26ebaae4aa1f95129e5e54670f1")},
};

static void digests_are_those_of_the_standard(void **state)
{
    (void)state;
    CHECK_ROWS(row, digests) {
        struct hash256 hash = sha256(row->in);
        uint8_t short_hash[SHA1_BYTES];
        char text[2 * SHA256_BYTES];

        hex_encode(slice_of(hash.bytes, sizeof(hash.bytes)), text);
        assert_true(slice_eq(slice_of(text, sizeof(text)), row->sha256));
        for (size_t cut = 0; cut <= row->in.len; cut++) {
            sha1_pair(slice_head(row->in, cut), slice_from(row->in, cut), short_hash);
            hex_encode(slice_of(short_hash, sizeof(short_hash)), text);
            assert_true(slice_eq(slice_of(text, 2 * sizeof(short_hash)), row->sha1));
        }
    }
}

static void pieces_hash_as_the_whole(void **state)
{
    char bytes[300];
    struct sha256_state hashing;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 7);
    struct hash256 whole = sha256(slice_of(bytes, sizeof(bytes)));
    for (size_t step = 1; step < sizeof(bytes); step += 13) {
        sha256_init(&hashing);
        for (size_t at = 0; at < sizeof(bytes); at += step)
            sha256_add(&hashing, slice_head(slice_from(slice_of(bytes, sizeof(bytes)), at), step));
        struct hash256 hash = sha256_end(&hashing);
        assert_true(hash256_eq(&hash, &whole));
    }
    struct hash256 other = whole;
    other.bytes[31] ^= 1;
    assert_false(hash256_eq(&other, &whole));
}

static void a_password_is_known_by_its_hash(void **state)
{
    char hash[PASSWORD_HASH_BYTES_MAX], again[PASSWORD_HASH_BYTES_MAX];

    (void)state;
    assert_true(succeeded(password_hash(SLICE("correct horse"), hash, NULL)));
    assert_true(succeeded(password_hash(SLICE("correct horse"), again, NULL)));
    assert_true(slice_starts(slice_text(hash), SLICE("$argon2id$v=19$")));
    assert_string_not_equal(hash, again); /* salted */
    assert_true(password_verify(hash, SLICE("correct horse")));
    assert_false(password_verify(hash, SLICE("correct hors")));
    assert_false(password_verify(hash, SLICE("correct horse\0")));
    assert_false(password_verify(hash, SLICE("")));
    assert_false(password_verify("", SLICE("")));
    assert_false(password_verify("$argon2id$v=19$", SLICE("correct horse")));
    hash[strlen(hash) - 1] ^= 1;
    assert_false(password_verify(hash, SLICE("correct horse")));
}

static void secrets_compare_whole(void **state)
{
    char secret[] = "token";

    (void)state;
    assert_true(secret_eq(SLICE("token"), slice_text(secret)));
    assert_false(secret_eq(SLICE("token"), SLICE("tokens")));
    assert_false(secret_eq(SLICE("token"), SLICE("tokeN")));
    assert_true(secret_eq(SLICE_NONE, SLICE("")));
    secret_wipe(secret, sizeof(secret));
    assert_memory_equal(secret, "\0\0\0\0\0", sizeof(secret));
}

static void chance_does_not_repeat(void **state)
{
    uint8_t a[16], b[16];

    (void)state;
    random_bytes(a, sizeof(a));
    world_real.random(world_real.context, b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    assert_true(world_real.now_us(NULL) > 0 && world_real.now_mono_ns(NULL) > 0);
}

#ifdef ENTENTE_FAULTS
static void failures_have_words(void **state)
{
    char hash[PASSWORD_HASH_BYTES_MAX];
    struct diag diag = {0};

    (void)state;
    fault_arm(1);
    assert_int_equal(password_hash(SLICE("x"), hash, &diag).code, ERR_IO);
    assert_true(fault_fired() && diag.text[0] != '\0');
    diag_reset(&diag);
    fault_arm(1);
    assert_int_equal(crypto_start(&diag).code, ERR_IO);
    assert_true(fault_fired() && diag.text[0] != '\0');
    fault_arm(0);
}
#endif

static int start(void **state)
{
    (void)state;
    return failed(crypto_start(NULL));
}

static const struct {
    const char *name;
    slice seed, public_key, message, signature;
} signatures[] = {
    /* RFC 8032, 7.1 */
    {"of nothing", S("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
     S("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"), S(""),
     S("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf"
       "9"
       "b46bd25bf5f0595bbe24655141438e7a100b")},
    {"of a byte", S("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
     S("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"), S("r"),
     S("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f"
       "1"
       "1d8c387b2eaeb4302aeeb00d291612bb0c00")},
};

static void signatures_are_those_of_the_standard(void **state)
{
    (void)state;
    CHECK_ROWS(row, signatures) {
        uint8_t seed[ED25519_SEED_BYTES], wanted_key[ED25519_PUBLIC_BYTES];
        uint8_t wanted[ED25519_SIGNATURE_BYTES], key[ED25519_PUBLIC_BYTES];
        uint8_t signature[ED25519_SIGNATURE_BYTES];

        assert_true(hex_decode(row->seed, seed, sizeof(seed)));
        assert_true(hex_decode(row->public_key, wanted_key, sizeof(wanted_key)));
        assert_true(hex_decode(row->signature, wanted, sizeof(wanted)));
        ed25519_public(seed, key);
        assert_memory_equal(key, wanted_key, sizeof(key));
        ed25519_sign(seed, row->message, signature);
        assert_memory_equal(signature, wanted, sizeof(signature));
        assert_true(ed25519_verify(key, row->message, signature));
        assert_false(ed25519_verify(key, SLICE("other"), signature));
        for (size_t i = 0; i < sizeof(signature); i++) {
            signature[i] ^= 1;
            assert_false(ed25519_verify(key, row->message, signature));
            signature[i] ^= 1;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_those_of_the_standard),
        cmocka_unit_test(signatures_are_those_of_the_standard),
        cmocka_unit_test(pieces_hash_as_the_whole),
        cmocka_unit_test(a_password_is_known_by_its_hash),
        cmocka_unit_test(secrets_compare_whole),
        cmocka_unit_test(chance_does_not_repeat),
#ifdef ENTENTE_FAULTS
        cmocka_unit_test(failures_have_words),
#endif
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
