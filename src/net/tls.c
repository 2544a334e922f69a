#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/arena.h"
#include "base/fault.h"
#include "base/time.h"

#include "base/banned.h"

/* TLS 1.2 and 1.3, AEAD ciphers with forward secrecy alone.  AES-128 goes first: 128 bits are
 * enough and it is a third faster than AES-256 on both ends. */
#define PRIORITIES                                                                                 \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM:+CHACHA20-POLY1305:"      \
    "+AES-256-GCM:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:%SERVER_PRECEDENCE"

/* Between partners. */
#define PRIORITIES_PARTNERS                                                                        \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+CHACHA20-POLY1305:+AES-256-GCM:"      \
    "%SERVER_PRECEDENCE"

#define PEM_BYTES_MAX ((size_t)1 << 20)
#define CHAIN_CERTIFICATES_MAX 16
#define PATH_BYTES_MAX 4300

/* ---- small glue: GnuTLS objects freed with their scope ---- */

static void crt_free(gnutls_x509_crt_t *crt)
{
    if (*crt != NULL)
        gnutls_x509_crt_deinit(*crt);
}

static void key_free(gnutls_x509_privkey_t *key)
{
    if (*key != NULL)
        gnutls_x509_privkey_deinit(*key);
}

static void datum_free(gnutls_datum_t *datum)
{
    gnutls_free(datum->data);
}

static result tls_fail(struct diag *diag, enum err code, int error, const char *what)
{
    return diag_fail(diag, code, "%s: %s", what, gnutls_strerror(error));
}

/* The buffer's bytes are wiped by the caller where they are a key. */
static result pem_read(const char *path, struct buf *out, struct diag *diag)
{
    int fd = FAULT_HERE() ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = -1;

    if (fd < 0 && errno == ENOENT)
        return diag_fail(diag, ERR_MISSING, "%s: no such file", path);
    if (fd < 0)
        return diag_errno(diag, errno, "%s", path);
    while (buf_reserve(out, 4096) != NULL && (count = read(fd, out->at + out->len, 4096)) > 0)
        out->len += (size_t)count;
    int number = errno;
    (void)close(fd);
    if (out->overflowed)
        return diag_fail(diag, ERR_LIMIT, "%s: over %zu bytes, so hardly a PEM file", path,
                         PEM_BYTES_MAX);
    return count < 0 ? diag_errno(diag, number, "%s", path) : OK;
}

static gnutls_datum_t datum_of(const struct buf *buf)
{
    return (gnutls_datum_t){(unsigned char *)buf->at, (unsigned)buf->len};
}

static void buf_wipe(struct buf *buf)
{
    if (buf->at != NULL)
        secret_wipe(buf->at, buf->capacity);
    buf_free(buf);
}

/* ---- making a certificate ---- */

static int crt_add_name(gnutls_x509_crt_t crt, const char *name, unsigned flags)
{
    unsigned char address[16];

    if (inet_pton(AF_INET, name, address) == 1)
        return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address, 4, flags);
    if (inet_pton(AF_INET6, name, address) == 1)
        return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address, 16, flags);
    return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name,
                                                (unsigned)strlen(name), flags);
}

#define SERIAL_BYTES 16
#define CLOCK_SKEW_S 3600 /* a reader whose clock is behind ours takes the certificate too */
#define DAY_S 86400

static int crt_fill(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *const *names,
                    unsigned days)
{
    time_t now = (time_t)(time_now_us() / 1000000);
    unsigned char serial[SERIAL_BYTES];
    int error = 0;

    random_bytes(serial, sizeof serial);
    serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, of full length */
    if ((error = gnutls_x509_crt_set_version(crt, 3)) < 0 ||
        (error = gnutls_x509_crt_set_serial(crt, serial, sizeof serial)) < 0 ||
        (error = gnutls_x509_crt_set_key(crt, key)) < 0 ||
        (error = gnutls_x509_crt_set_activation_time(crt, now - CLOCK_SKEW_S)) < 0 ||
        (error = gnutls_x509_crt_set_expiration_time(crt, now + (time_t)days * DAY_S)) < 0 ||
        (error = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, names[0],
                                               (unsigned)strlen(names[0]))) < 0)
        return error;
    for (size_t i = 0; names[i] != NULL; i++)
        if ((error = crt_add_name(crt, names[i], i == 0 ? GNUTLS_FSAN_SET : GNUTLS_FSAN_APPEND)) <
            0)
            return error;
    if ((error = gnutls_x509_crt_set_basic_constraints(crt, 0, -1)) < 0 ||
        (error = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE)) < 0 ||
        (error = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0)) < 0 ||
        (error = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_CLIENT, 0)) < 0)
        return error;
    return gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
}

static result file_write_new(const char *path, mode_t mode, slice bytes, struct diag *diag)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

    if (fd < 0 && errno == EEXIST)
        return diag_fail(diag, ERR_CONFLICT, "%s: there already; it is not written over", path);
    if (fd < 0)
        return diag_errno(diag, errno, "%s", path);
    bool written =
        !FAULT_HERE() && write(fd, bytes.at, bytes.len) == (ssize_t)bytes.len && fsync(fd) == 0;
    int number = errno;
    if (close(fd) != 0 || !written) {
        (void)unlink(path);
        return diag_errno(diag, number, "%s", path);
    }
    return OK;
}

static slice datum_slice(const gnutls_datum_t *datum)
{
    return slice_of(datum->data, datum->size);
}

result tls_make_certificate(const char *certificate_file, const char *key_file,
                            const char *const *names, unsigned days, struct diag *diag)
{
    CLEANUP(crt_free) gnutls_x509_crt_t crt = NULL;
    CLEANUP(key_free) gnutls_x509_privkey_t key = NULL;
    CLEANUP(datum_free) gnutls_datum_t crt_pem = {NULL, 0};
    CLEANUP(datum_free) gnutls_datum_t key_pem = {NULL, 0};
    int error;

    if (names[0] == NULL)
        return diag_fail(diag, ERR_INVALID, "a certificate needs at least one name");
    if ((error = gnutls_x509_privkey_init(&key)) < 0 ||
        (error = gnutls_x509_privkey_generate(
             key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0)) < 0 ||
        (error = gnutls_x509_crt_init(&crt)) < 0 || (error = crt_fill(crt, key, names, days)) < 0 ||
        (error = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &crt_pem)) < 0 ||
        (error = gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &key_pem)) < 0)
        return tls_fail(diag, ERR_INVALID, error, "cannot make a certificate");

    result written = file_write_new(key_file, 0600, datum_slice(&key_pem), diag);
    secret_wipe(key_pem.data, key_pem.size);
    TRY(written);
    written = file_write_new(certificate_file, 0644, datum_slice(&crt_pem), diag);
    if (failed(written)) /* a key without its certificate would block the next try */
        (void)unlink(key_file);
    return written;
}

/* ---- fingerprints ---- */

result tls_fingerprint(const char *certificate_file, struct hash256 *out, struct diag *diag)
{
    CLEANUP(buf_free) struct buf pem = BUF(PEM_BYTES_MAX);
    CLEANUP(crt_free) gnutls_x509_crt_t crt = NULL;
    CLEANUP(datum_free) gnutls_datum_t der = {NULL, 0};
    int error;

    TRY(pem_read(certificate_file, &pem, diag));
    gnutls_datum_t text = datum_of(&pem);
    if ((error = gnutls_x509_crt_init(&crt)) < 0 ||
        (error = gnutls_x509_crt_import(crt, &text, GNUTLS_X509_FMT_PEM)) < 0 ||
        (error = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der)) < 0)
        return diag_fail(diag, ERR_INVALID, "%s: no certificate in PEM form: %s", certificate_file,
                         gnutls_strerror(error));
    *out = sha256(datum_slice(&der));
    return OK;
}

bool tls_peer_fingerprint(void *gnutls_session, struct hash256 *out)
{
    unsigned count = 0;
    const gnutls_datum_t *chain =
        gnutls_certificate_get_peers((gnutls_session_t)gnutls_session, &count);

    if (chain == NULL || count == 0)
        return false;
    *out = sha256(slice_of(chain[0].data, chain[0].size));
    return true;
}

static bool crt_key(gnutls_x509_crt_t crt, uint8_t out[ED25519_PUBLIC_BYTES])
{
    CLEANUP(datum_free) gnutls_datum_t x = {NULL, 0};
    gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;

    if (gnutls_x509_crt_get_pk_ecc_raw(crt, &curve, &x, NULL) < 0 ||
        curve != GNUTLS_ECC_CURVE_ED25519 || x.size != ED25519_PUBLIC_BYTES)
        return false;
    memcpy(out, x.data, ED25519_PUBLIC_BYTES);
    return true;
}

bool tls_peer_key(void *gnutls_session, uint8_t out[ED25519_PUBLIC_BYTES])
{
    CLEANUP(crt_free) gnutls_x509_crt_t crt = NULL;
    unsigned count = 0;
    const gnutls_datum_t *chain =
        gnutls_certificate_get_peers((gnutls_session_t)gnutls_session, &count);

    return chain != NULL && count > 0 && gnutls_x509_crt_init(&crt) >= 0 &&
           gnutls_x509_crt_import(crt, &chain[0], GNUTLS_X509_FMT_DER) >= 0 && crt_key(crt, out);
}

/* ---- a certificate for a key that is there ---- */

static bool file_is_of_key(const char *certificate_file, const char *key_file,
                           const uint8_t public_key[ED25519_PUBLIC_BYTES])
{
    CLEANUP(buf_free) struct buf pem = BUF(PEM_BYTES_MAX);
    CLEANUP(crt_free) gnutls_x509_crt_t crt = NULL;
    uint8_t found[ED25519_PUBLIC_BYTES];

    if (access(key_file, R_OK) != 0 || failed(pem_read(certificate_file, &pem, NULL)))
        return false;
    gnutls_datum_t text = datum_of(&pem);
    return gnutls_x509_crt_init(&crt) >= 0 &&
           gnutls_x509_crt_import(crt, &text, GNUTLS_X509_FMT_PEM) >= 0 && crt_key(crt, found) &&
           memcmp(found, public_key, sizeof found) == 0;
}

static result file_replace(const char *path, mode_t mode, slice bytes, struct diag *diag)
{
    char beside[PATH_BYTES_MAX];

    if (snprintf(beside, sizeof beside, "%s.%ld", path, (long)gettid()) >= (int)sizeof beside)
        return diag_fail(diag, ERR_INVALID, "%s: too long for a path", path);
    (void)unlink(beside);
    TRY(file_write_new(beside, mode, bytes, diag));
    return rename(beside, path) == 0 ? OK : diag_errno(diag, errno, "%s", path);
}

static int key_certificate_fill(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
    static const char name[] = "entente";
    unsigned char serial[SERIAL_BYTES];
    int error = 0;

    random_bytes(serial, sizeof serial);
    serial[0] = (serial[0] & 0x7f) | 0x40;
    if ((error = gnutls_x509_crt_set_version(crt, 3)) < 0 ||
        (error = gnutls_x509_crt_set_serial(crt, serial, sizeof serial)) < 0 ||
        (error = gnutls_x509_crt_set_key(crt, key)) < 0 ||
        (error = gnutls_x509_crt_set_activation_time(crt, 0)) < 0 ||
        (error = gnutls_x509_crt_set_expiration_time(crt, GNUTLS_X509_NO_WELL_DEFINED_EXPIRATION)) <
            0 ||
        (error = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                               sizeof name - 1)) < 0)
        return error;
    return gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA512, 0);
}

result tls_key_certificate(const char *certificate_file, const char *key_file,
                           const uint8_t seed[ED25519_SEED_BYTES], struct diag *diag)
{
    CLEANUP(crt_free) gnutls_x509_crt_t crt = NULL;
    CLEANUP(key_free) gnutls_x509_privkey_t key = NULL;
    CLEANUP(datum_free) gnutls_datum_t crt_pem = {NULL, 0};
    CLEANUP(datum_free) gnutls_datum_t key_pem = {NULL, 0};
    uint8_t public_key[ED25519_PUBLIC_BYTES], secret[ED25519_SEED_BYTES];
    int error;

    ed25519_public(seed, public_key);
    if (file_is_of_key(certificate_file, key_file, public_key))
        return OK;
    memcpy(secret, seed, sizeof secret);
    gnutls_datum_t x = {public_key, sizeof public_key}, k = {secret, sizeof secret};
    if ((error = gnutls_x509_privkey_init(&key)) >= 0)
        error = gnutls_x509_privkey_import_ecc_raw(key, GNUTLS_ECC_CURVE_ED25519, &x, NULL, &k);
    secret_wipe(secret, sizeof secret);
    if (error < 0 || (error = gnutls_x509_crt_init(&crt)) < 0 ||
        (error = key_certificate_fill(crt, key)) < 0 ||
        (error = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &crt_pem)) < 0 ||
        (error = gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &key_pem)) < 0)
        return tls_fail(diag, ERR_INVALID, error, "cannot make a certificate of the node's key");
    result written = file_replace(key_file, 0600, datum_slice(&key_pem), diag);
    secret_wipe(key_pem.data, key_pem.size);
    TRY(written);
    return file_replace(certificate_file, 0644, datum_slice(&crt_pem), diag);
}

/* ---- identities ---- */

struct tls_identity {
    atomic_size_t holders;
    gnutls_certificate_credentials_t credentials; /* owned */
    gnutls_priority_t priorities;                 /* owned */
    gnutls_datum_t ticket_key;                    /* owned; GnuTLS turns it over by itself */
    bool asks_clients;
};

static void identity_free(struct tls_identity **identity)
{
    if (*identity == NULL)
        return;
    if ((*identity)->credentials != NULL)
        gnutls_certificate_free_credentials((*identity)->credentials);
    if ((*identity)->priorities != NULL)
        gnutls_priority_deinit((*identity)->priorities);
    if ((*identity)->ticket_key.data != NULL)
        secret_wipe((*identity)->ticket_key.data, (*identity)->ticket_key.size);
    gnutls_free((*identity)->ticket_key.data);
    table_free(*identity);
    *identity = NULL;
}

/* GnuTLS's words for a wrong pair do not say which file: each is tried by itself first. */
static result pair_load(struct tls_identity *identity, const char *certificate_file,
                        const char *key_file, struct diag *diag)
{
    CLEANUP(buf_free) struct buf chain = BUF(PEM_BYTES_MAX);
    CLEANUP(buf_wipe) struct buf secret = BUF(PEM_BYTES_MAX);
    CLEANUP(key_free) gnutls_x509_privkey_t key = NULL;
    struct hash256 ignored;
    int error;

    TRY(tls_fingerprint(certificate_file, &ignored, diag));
    TRY(pem_read(certificate_file, &chain, diag));
    TRY(pem_read(key_file, &secret, diag));
    gnutls_datum_t chain_pem = datum_of(&chain), key_pem = datum_of(&secret);
    if ((error = gnutls_x509_privkey_init(&key)) < 0 ||
        (error = gnutls_x509_privkey_import2(key, &key_pem, GNUTLS_X509_FMT_PEM, NULL, 0)) < 0)
        return diag_fail(diag, ERR_INVALID, "%s: no private key in PEM form: %s", key_file,
                         gnutls_strerror(error));
    error = gnutls_certificate_set_x509_key_mem2(identity->credentials, &chain_pem, &key_pem,
                                                 GNUTLS_X509_FMT_PEM, NULL, 0);
    if (error == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        return diag_fail(diag, ERR_INVALID, "%s: not the key of %s", key_file, certificate_file);
    if (error < 0)
        return diag_fail(diag, ERR_INVALID, "%s, %s: %s", certificate_file, key_file,
                         gnutls_strerror(error));
    return OK;
}

result tls_identity_load(const char *certificate_file, const char *key_file,
                         struct tls_identity **out, struct diag *diag)
{
    size_t capacity = 0;
    CLEANUP(identity_free)
    struct tls_identity *identity = table_grow(NULL, &capacity, 1, 1, sizeof *identity);
    int error;

    if (identity == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a certificate");
    *identity = (struct tls_identity){0};
    atomic_init(&identity->holders, 1);
    if ((error = gnutls_certificate_allocate_credentials(&identity->credentials)) < 0 ||
        (error = gnutls_priority_init(&identity->priorities, PRIORITIES, NULL)) < 0 ||
        (error = gnutls_session_ticket_key_generate(&identity->ticket_key)) < 0)
        return tls_fail(diag, ERR_IO, error, "cannot set up TLS");
    TRY(pair_load(identity, certificate_file, key_file, diag));
    *out = identity;
    identity = NULL;
    return OK;
}

result tls_identity_ask_clients(struct tls_identity *identity, struct diag *diag)
{
    gnutls_priority_t priorities = NULL;
    int error = gnutls_priority_init(&priorities, PRIORITIES_PARTNERS, NULL);

    if (error < 0)
        return tls_fail(diag, ERR_IO, error, "cannot set up TLS");
    gnutls_priority_deinit(identity->priorities);
    identity->priorities = priorities;
    identity->asks_clients = true;
    return OK;
}

struct tls_identity *tls_identity_hold(struct tls_identity *identity)
{
    (void)atomic_fetch_add(&identity->holders, 1);
    return identity;
}

void tls_identity_drop(struct tls_identity **identity)
{
    if (*identity != NULL && atomic_fetch_sub(&(*identity)->holders, 1) == 1)
        identity_free(identity);
    *identity = NULL;
}

/* ---- sessions ---- */

/* Read ahead of GnuTLS, which asks for a record's head and its body apart: a request of the usual
 * size is one recv(). */
#define AHEAD_BYTES 1024

struct tls_session {
    gnutls_session_t tls;          /* owned */
    struct tls_identity *identity; /* held */
    struct buf *out;               /* borrowed for one call: where records go */
    int fd;                        /* borrowed: where bytes come from */
    bool is_dry;                   /* the socket had no more; tls_wake() says it may have again */
    size_t ahead_at, ahead_end;    /* what of ahead[] is not taken yet */
    char ahead[AHEAD_BYTES];
};

static ssize_t ahead_take(struct tls_session *session, void *at, size_t room)
{
    size_t left = session->ahead_end - session->ahead_at;
    size_t taken = left < room ? left : room;

    memcpy(at, session->ahead + session->ahead_at, taken);
    session->ahead_at += taken;
    return (ssize_t)taken;
}

static ssize_t socket_read(struct tls_session *session, char *at, size_t room)
{
    ssize_t got = -1;
    int error = EAGAIN;

    if (!session->is_dry) {
        got = recv(session->fd, at, room, 0);
        error = errno;
        session->is_dry = got < 0 ? error == EAGAIN : got > 0 && (size_t)got < room;
    }
    if (got < 0)
        gnutls_transport_set_errno(session->tls, error);
    return got;
}

static ssize_t pull(gnutls_transport_ptr_t context, void *at, size_t room)
{
    struct tls_session *session = context;

    if (session->ahead_at == session->ahead_end && room >= AHEAD_BYTES)
        return socket_read(session, at, room);
    if (session->ahead_at == session->ahead_end) {
        ssize_t got = socket_read(session, session->ahead, AHEAD_BYTES);

        if (got <= 0)
            return got;
        session->ahead_at = 0;
        session->ahead_end = (size_t)got;
    }
    return ahead_take(session, at, room);
}

void tls_wake(struct tls_session *session)
{
    if (session != NULL)
        session->is_dry = false;
}

/* GnuTLS hands over each record; they are gathered, so that one call sends many of them. */
static ssize_t push(gnutls_transport_ptr_t context, const void *at, size_t bytes)
{
    struct tls_session *session = context;

    if (session->out == NULL) {
        gnutls_transport_set_errno(session->tls, EIO);
        return -1;
    }
    buf_put(session->out, slice_of(at, bytes));
    if (session->out->overflowed) {
        gnutls_transport_set_errno(session->tls, ENOMEM);
        return -1;
    }
    return (ssize_t)bytes;
}

static int session_set_up(struct tls_session *session)
{
    static const gnutls_datum_t protocol = {(unsigned char *)(uintptr_t) "http/1.1", 8};
    int error;

    if ((error = gnutls_priority_set(session->tls, session->identity->priorities)) < 0 ||
        (error = gnutls_credentials_set(session->tls, GNUTLS_CRD_CERTIFICATE,
                                        session->identity->credentials)) < 0 ||
        /* Who comes with a ticket shows no key. */
        (!session->identity->asks_clients &&
         (error = gnutls_session_ticket_enable_server(session->tls,
                                                      &session->identity->ticket_key)) < 0) ||
        (error = gnutls_alpn_set_protocols(session->tls, &protocol, 1, 0)) < 0)
        return error;
    gnutls_transport_set_ptr(session->tls, session);
    gnutls_transport_set_pull_function(session->tls, pull);
    gnutls_transport_set_push_function(session->tls, push);
    gnutls_certificate_server_set_request(
        session->tls, session->identity->asks_clients ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_IGNORE);
    gnutls_handshake_set_timeout(session->tls,
                                 GNUTLS_INDEFINITE_TIMEOUT); /* the server has its own */
    return 0;
}

struct tls_session *tls_accept(struct tls_identity *identity, int fd)
{
    size_t capacity = 0;
    struct tls_session *session =
        FAULT_HERE() ? NULL : table_grow(NULL, &capacity, 1, 1, sizeof *session);

    if (session == NULL)
        return NULL;
    *session = (struct tls_session){.identity = tls_identity_hold(identity), .fd = fd};
    unsigned tickets = identity->asks_clients ? GNUTLS_NO_TICKETS : 0;
    if (gnutls_init(&session->tls, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | tickets) <
            0 ||
        session_set_up(session) < 0)
        tls_session_free(&session);
    return session;
}

bool tls_session_client_key(const struct tls_session *session, uint8_t out[ED25519_PUBLIC_BYTES])
{
    return session->identity->asks_clients && tls_peer_key(session->tls, out);
}

void tls_session_free(struct tls_session **session)
{
    if (*session == NULL)
        return;
    if ((*session)->tls != NULL)
        gnutls_deinit((*session)->tls);
    tls_identity_drop(&(*session)->identity);
    table_free(*session);
    *session = NULL;
}

static enum tls_step step_of(long error)
{
    if (error == GNUTLS_E_AGAIN || error == GNUTLS_E_INTERRUPTED)
        return TLS_AGAIN;
    return error == GNUTLS_E_PREMATURE_TERMINATION ? TLS_CLOSED : TLS_BROKEN;
}

enum tls_step tls_handshake(struct tls_session *session, struct buf *out)
{
    int error;

    session->out = out;
    do {
        error = gnutls_handshake(session->tls);
    } while (error < 0 && error != GNUTLS_E_AGAIN && gnutls_error_is_fatal(error) == 0);
    if (error < 0 && error != GNUTLS_E_AGAIN) /* the peer may read why */
        (void)gnutls_alert_send_appropriate(session->tls, error);
    session->out = NULL;
    return error >= 0 ? TLS_DONE : step_of(error);
}

enum tls_step tls_read(struct tls_session *session, char *at, size_t room, size_t *count,
                       struct buf *out)
{
    ssize_t got;

    /* Not fatal: alerts that warn, and handshake messages behind the handshake (a key update, which
     * may want an answer: hence `out`).  A try to renegotiate is not answered. */
    session->out = out;
    do {
        got = gnutls_record_recv(session->tls, at, room);
    } while (got < 0 && got != GNUTLS_E_AGAIN && got != GNUTLS_E_REHANDSHAKE &&
             gnutls_error_is_fatal((int)got) == 0);
    session->out = NULL;
    *count = got > 0 ? (size_t)got : 0;
    if (got == 0)
        return TLS_CLOSED;
    return got > 0 ? TLS_DONE : step_of(got);
}

bool tls_write(struct tls_session *session, slice plain, struct buf *out)
{
    session->out = out;
    ssize_t written = gnutls_record_send(session->tls, plain.at, plain.len);
    session->out = NULL;
    return written == (ssize_t)plain.len;
}

void tls_goodbye(struct tls_session *session, struct buf *out)
{
    session->out = out;
    (void)gnutls_bye(session->tls, GNUTLS_SHUT_WR);
    session->out = NULL;
}
