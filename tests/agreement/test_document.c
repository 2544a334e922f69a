#include "agreement/document.h"

#include "deciding.h"

#include <dirent.h>

#define GOLDEN "tests/golden/agreement"

static slice file_read(const char *name, struct arena *arena)
{
    char path[512];
    char *text = arena_new(arena, char, 1 << 16);

    (void)snprintf(path, sizeof(path), "%s/%s", GOLDEN, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return SLICE_NONE;
    size_t bytes = fread(text, 1, 1 << 16, file);
    assert_int_equal(fclose(file), 0);
    return slice_of(text, bytes);
}

static void why_write(const char *name, const char *words)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/%s", GOLDEN, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    (void)fprintf(file, "%s\n", words);
    assert_int_equal(fclose(file), 0);
}

static void golden_check(struct deciding_texts *t, const char *name)
{
    struct diag diag = {0};
    char why[300];
    struct value document = deciding_parse(t, 0, file_read(name, &t->arena));
    bool is_ok = succeeded(document_check(document, &t->arena, &diag));

    if (is_ok != (strncmp(name, "ok_", 3) == 0))
        fail_msg("%s: %s", name, is_ok ? "is let through" : diag.text);
    if (is_ok)
        return;
    (void)snprintf(why, sizeof(why), "%.*s.why", (int)(strlen(name) - 5), name);
    if (getenv("GOLDEN") != NULL)
        why_write(why, diag.text);
    slice expected = slice_trim(file_read(why, &t->arena));
    if (!slice_eq(expected, slice_text(diag.text)))
        fail_msg("%s: says \"%s\", expected \"%.*s\"", name, diag.text, SLICE_ARG(expected));
}

static void bad_documents_are_told_in_one_line(void **state)
{
    struct deciding_texts t;
    DIR *folder = opendir(GOLDEN);
    size_t count = 0;

    (void)state;
    assert_non_null(folder);
    deciding_open(&t);
    for (const struct dirent *item; (item = readdir(folder)) != NULL;) {
        if (!slice_ends(slice_text(item->d_name), SLICE(".json")))
            continue;
        golden_check(&t, item->d_name);
        count++;
    }
    assert_true(count > 20);
    (void)closedir(folder);
    deciding_close(&t);
}

static struct signature signed_by(const char *party, uint8_t chance, const struct hash256 *hash)
{
    uint8_t seed[ED25519_SEED_BYTES], message[DOCUMENT_SIGNED_BYTES];
    struct signature out = {.party = slice_text(party)};

    memset(seed, chance, sizeof(seed));
    document_signed_bytes(hash, message);
    ed25519_public(seed, out.key);
    ed25519_sign(seed, slice_of(message, sizeof(message)), out.bytes);
    return out;
}

static void signatures_hold_for_the_text_they_sign_alone(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 20);
    struct deciding_texts t;
    struct signature both[2];
    const struct signature *found;
    struct hash256 hash, again;
    size_t count = 0;

    (void)state;
    deciding_open(&t);
    struct value document = deciding_parse(&t, 0, file_read("ok_bilateral.json", &t.arena));
    assert_true(succeeded(document_hash(document, &hash, NULL)));
    both[0] = signed_by(A2, 2, &hash);
    both[1] = signed_by(A1, 1, &hash);
    assert_true(succeeded(document_write(document, both, 2, &text, NULL)));
    document = deciding_parse(&t, 1, buf_slice(&text));
    assert_true(succeeded(document_hash(document, &again, NULL)));
    assert_true(hash256_eq(&hash, &again)); /* signatures are not part of it */
    assert_true(succeeded(document_signatures(document, &hash, &t.arena, &found, &count, NULL)));
    assert_int_equal(count, 2);
    assert_true(slice_eq(found[0].party, SLICE(A1)));
    hash.bytes[0] ^= 1;
    assert_int_equal(document_signatures(document, &hash, &t.arena, &found, &count, NULL).code,
                     ERR_CORRUPT);
    deciding_close(&t);
}

static void every_change_changes_the_hash(void **state)
{
    struct deciding_texts t;
    struct hash256 first, second;

    (void)state;
    deciding_open(&t);
    assert_true(
        succeeded(document_hash(deciding_parse(&t, 0, SLICE("{\"a\":1,\"b\":[]}")), &first, NULL)));
    assert_true(succeeded(document_hash(
        deciding_parse(&t, 0, SLICE("{ \"b\" : [ ], \"a\" : 1.0 }")), &second, NULL)));
    assert_true(hash256_eq(&first, &second)); /* the same in canonical form */
    assert_true(succeeded(
        document_hash(deciding_parse(&t, 0, SLICE("{\"a\":2,\"b\":[]}")), &second, NULL)));
    assert_false(hash256_eq(&first, &second));
    deciding_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_documents_are_told_in_one_line),
        cmocka_unit_test(signatures_hold_for_the_text_they_sign_alone),
        cmocka_unit_test(every_change_changes_the_hash),
    };
    struct diag diag = {0};

    if (failed(crypto_start(&diag)))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
