#include "rows.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/fault.h"
#include "net/tls.h"

#include "base/banned.h"

#define PATH_BYTES 96

struct files {
    char folder[32], certificate[PATH_BYTES], key[PATH_BYTES], other[PATH_BYTES];
};

static const char *const names[] = {"node.example", "127.0.0.1", "::1", NULL};

static int files_make(void **state)
{
    static struct files files;
    struct diag diag = {0};

    memcpy(files.folder, "/tmp/entente-tls-XXXXXX", 24);
    if (mkdtemp(files.folder) == NULL || failed(crypto_start(&diag)))
        return -1;
    (void)snprintf(files.certificate, PATH_BYTES, "%s/certificate.pem", files.folder);
    (void)snprintf(files.key, PATH_BYTES, "%s/key.pem", files.folder);
    (void)snprintf(files.other, PATH_BYTES, "%s/other", files.folder);
    *state = &files;
    return failed(tls_make_certificate(files.certificate, files.key, names, 30, &diag)) ? -1 : 0;
}

static int files_remove(void **state)
{
    struct files *files = *state;

    (void)unlink(files->certificate);
    (void)unlink(files->key);
    (void)unlink(files->other);
    return rmdir(files->folder);
}

static void file_put(const char *path, slice bytes)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes.at, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
}

static void a_certificate_is_made_that_openssl_reads_alike(void **state)
{
    const struct files *files = *state;
    char command[512], line[256], hex[2 * SHA256_BYTES + 1] = "";
    struct hash256 print;
    struct stat status;
    size_t at = 0;

    assert_int_equal(stat(files->key, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_true(succeeded(tls_fingerprint(files->certificate, &print, NULL)));
    hex_encode(slice_of(print.bytes, sizeof print.bytes), hex);

    /* openssl, where it is installed, prints "sha256 Fingerprint=AB:CD:..." */
    (void)snprintf(command, sizeof command,
                   "openssl x509 -in %s -noout -fingerprint -sha256 2>/dev/null",
                   files->certificate);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    bool heard = fgets(line, sizeof line, pipe) != NULL;
    (void)pclose(pipe);
    if (!heard)
        skip();
    for (const char *c = strchr(line, '=') + 1; *c != '\0' && *c != '\n'; c++)
        if (*c != ':')
            assert_int_equal(hex[at++], *c >= 'A' && *c <= 'F' ? *c + 32 : *c);
    assert_int_equal(at, 2 * SHA256_BYTES);
}

static void existing_files_are_never_written_over(void **state)
{
    const struct files *files = *state;
    struct hash256 before, after;
    struct diag diag = {0};

    assert_true(succeeded(tls_fingerprint(files->certificate, &before, &diag)));
    assert_int_equal(tls_make_certificate(files->certificate, files->key, names, 30, &diag).code,
                     ERR_CONFLICT);
    assert_non_null(strstr(diag.text, files->key));

    diag_reset(&diag); /* nor is a key left behind when only the certificate is there */
    assert_int_equal(tls_make_certificate(files->certificate, files->other, names, 30, &diag).code,
                     ERR_CONFLICT);
    assert_int_not_equal(access(files->other, F_OK), 0);
    assert_true(succeeded(tls_fingerprint(files->certificate, &after, &diag)));
    assert_true(hash256_eq(&before, &after));
}

static void a_certificate_needs_a_name(void **state)
{
    static const char *const none[] = {NULL};
    const struct files *files = *state;
    struct diag diag = {0};

    assert_int_equal(tls_make_certificate(files->other, files->other, none, 30, &diag).code,
                     ERR_INVALID);
}

static void an_identity_is_loaded_held_and_dropped(void **state)
{
    const struct files *files = *state;
    struct tls_identity *identity = NULL, *held;
    struct diag diag = {0};

    assert_true(succeeded(tls_identity_load(files->certificate, files->key, &identity, &diag)));
    held = tls_identity_hold(identity);
    tls_identity_drop(&identity);
    assert_null(identity);
    struct tls_session *session = tls_accept(held, -1);
    assert_non_null(session);
    tls_identity_drop(&held); /* the session holds it on */
    tls_session_free(&session);
    assert_null(session);
}

/* Each file in turn is wrong: the words name the one that is. */
static void a_wrong_file_is_named(void **state)
{
    static const slice contents[] = {S(""), S("not PEM at all\n"),
                                     S("-----BEGIN CERTIFICATE-----\nAAAA\n"
                                       "-----END CERTIFICATE-----\n")};
    const struct files *files = *state;
    struct tls_identity *identity = NULL;

    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        struct diag diag = {0};

        file_put(files->other, contents[i]);
        assert_int_equal(tls_identity_load(files->other, files->key, &identity, &diag).code,
                         ERR_INVALID);
        assert_memory_equal(diag.text, files->other, strlen(files->other));
        diag_reset(&diag);
        assert_int_equal(tls_identity_load(files->certificate, files->other, &identity, &diag).code,
                         ERR_INVALID);
        assert_memory_equal(diag.text, files->other, strlen(files->other));
        assert_null(identity);
    }
    struct diag diag = {0};

    assert_int_equal(unlink(files->other), 0);
    assert_int_equal(tls_identity_load(files->other, files->key, &identity, &diag).code,
                     ERR_MISSING);
    assert_non_null(strstr(diag.text, files->other));
    diag_reset(&diag);
    assert_int_equal(tls_identity_load(files->certificate, files->folder, &identity, &diag).code,
                     ERR_INVALID);
    assert_non_null(strstr(diag.text, files->folder));
}

static void the_key_of_another_certificate_is_refused(void **state)
{
    const struct files *files = *state;
    char second[PATH_BYTES];
    struct tls_identity *identity = NULL;
    struct diag diag = {0};

    (void)snprintf(second, sizeof second, "%s/second", files->folder);
    assert_true(succeeded(tls_make_certificate(second, files->other, names, 30, &diag)));
    assert_int_equal(tls_identity_load(files->certificate, files->other, &identity, &diag).code,
                     ERR_INVALID);
    assert_non_null(strstr(diag.text, files->other));
    assert_non_null(strstr(diag.text, "not the key of"));
    assert_int_equal(unlink(second), 0);
    assert_int_equal(unlink(files->other), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_made_that_openssl_reads_alike),
        cmocka_unit_test(existing_files_are_never_written_over),
        cmocka_unit_test(a_certificate_needs_a_name),
        cmocka_unit_test(an_identity_is_loaded_held_and_dropped),
        cmocka_unit_test(a_wrong_file_is_named),
        cmocka_unit_test(the_key_of_another_certificate_is_refused),
    };

    return cmocka_run_group_tests(tests, files_make, files_remove);
}
