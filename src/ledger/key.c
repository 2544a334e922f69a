#include "ledger/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/fault.h"

#include "base/banned.h"

#define PATH_BYTES_MAX 4200
#define CHANCE_BYTES 4 /* in an origin that is made from a title */
#define SLUG_BYTES_MAX 64

struct key_text {
    char bytes[NOTE_KEY_TEXT_BYTES_MAX + 16];
};

static void key_text_wipe(struct key_text *text)
{
    secret_wipe(text, sizeof(*text));
}

/* ---- reading ---- */

static result key_read(const char *path, enum note_kind kind, struct note_signer *out,
                       bool *is_exposed, struct diag *diag)
{
    CLEANUP(key_text_wipe) struct key_text text;
    struct stat about;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (file < 0 || FAULT_HERE())
        return diag_errno(diag, file < 0 ? errno : EIO, "%s", path);
    ssize_t bytes = read(file, text.bytes, sizeof(text.bytes));
    int number = errno;
    bool is_private = fstat(file, &about) == 0 && (about.st_mode & 077) == 0;
    (void)close(file);
    if (bytes < 0)
        return diag_errno(diag, number, "%s", path);
    *is_exposed = *is_exposed || !is_private;
    TRY(diag_within(diag,
                    note_signer_parse(slice_trim(slice_of(text.bytes, (size_t)bytes)), out, diag),
                    "%s", path));
    if (out->verifier.kind != kind)
        return diag_fail(diag, ERR_INVALID, "%s: is a key of another kind", path);
    return OK;
}

/* ---- making ---- */

/* "Tokyo CERT" is tokyo-cert; a title without a letter or digit of ours is node. */
static size_t slug_of(const char *title, char out[SLUG_BYTES_MAX])
{
    size_t bytes = 0;

    for (; *title != '\0' && bytes < SLUG_BYTES_MAX; title++) {
        char c = *title;

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            out[bytes++] = c;
        else if (bytes > 0 && out[bytes - 1] != '-')
            out[bytes++] = '-';
    }
    while (bytes > 0 && out[bytes - 1] == '-')
        bytes--;
    if (bytes > 0)
        return bytes;
    memcpy(out, "node", 4);
    return 4;
}

static result origin_of(const struct ledger_options *options, char out[NOTE_NAME_BYTES_MAX + 1],
                        struct diag *diag)
{
    char slug[SLUG_BYTES_MAX], digits[2 * CHANCE_BYTES];
    uint8_t chance[CHANCE_BYTES];
    slice origin = slice_text(options->origin);

    if (origin.len > 0) {
        if (!note_name_is_good(origin) || origin.len > NOTE_NAME_BYTES_MAX - 16)
            return diag_fail(diag, ERR_INVALID,
                             "ledger_origin = \"%.*s\": takes a name without spaces and \"+\"",
                             SLICE_ARG(origin));
        memcpy(out, origin.at, origin.len);
        out[origin.len] = '\0';
        return OK;
    }
    options->world->random(options->world->context, chance, sizeof(chance));
    hex_encode(slice_of(chance, sizeof(chance)), digits);
    (void)snprintf(out, NOTE_NAME_BYTES_MAX + 1, "%.*s/%.*s", (int)slug_of(options->title, slug),
                   slug, (int)sizeof(digits), digits);
    return OK;
}

/* Under a name of its own first; of two processes that make it, one wins and both read the same. */
static result key_put(const char *path, slice text, struct diag *diag)
{
    char beside[PATH_BYTES_MAX + 32];
    result r = OK;

    (void)snprintf(beside, sizeof(beside), "%s.%ld", path, (long)getpid());
    TRY(ledger_file_put(beside, 0600, text, diag));
    if (FAULT_HERE() || (link(beside, path) != 0 && errno != EEXIST))
        r = diag_errno(diag, errno, "%s", path);
    (void)unlink(beside);
    return r;
}

static result key_make(const struct ledger_options *options, const char *path, const char *name,
                       enum note_kind kind, struct diag *diag)
{
    CLEANUP(note_signer_wipe) struct note_signer signer;
    CLEANUP(key_text_wipe) struct key_text text;
    struct buf out = {.at = text.bytes,
                      .capacity = sizeof(text.bytes),
                      .ceiling = sizeof(text.bytes)}; /* never grows, so never moves */
    uint8_t seed[ED25519_SEED_BYTES];

    options->world->random(options->world->context, seed, sizeof(seed));
    note_signer_init(slice_text(name), kind, seed, &signer);
    secret_wipe(seed, sizeof(seed));
    note_signer_write(&signer, &out);
    buf_byte(&out, '\n');
    return key_put(path, buf_slice(&out), diag);
}

/* suffix: behind the origin; NULL: it is the origin's own key. */
static result key_open(const struct ledger_options *options, const char *file, const char *suffix,
                       enum note_kind kind, const char *origin, struct note_signer *out,
                       bool *is_exposed, struct diag *diag)
{
    char path[PATH_BYTES_MAX], name[NOTE_NAME_BYTES_MAX + 1];

    (void)snprintf(path, sizeof(path), "%s/keys/%s", options->folder, file);
    if (options->read_only || access(path, F_OK) == 0)
        return key_read(path, kind, out, is_exposed, diag);
    if (suffix == NULL)
        TRY(origin_of(options, name, diag));
    else
        (void)snprintf(name, sizeof(name), "%.*s%s", NOTE_NAME_BYTES_MAX - 16, origin, suffix);
    TRY(key_make(options, path, name, kind, diag));
    return key_read(path, kind, out, is_exposed, diag);
}

result ledger_keys_open(const struct ledger_options *options, struct ledger *out, struct diag *diag)
{
    const char *origin = out->log_key.verifier.name;
    char folder[PATH_BYTES_MAX];

    (void)snprintf(folder, sizeof(folder), "%s/keys", options->folder);
    if (!options->read_only && mkdir(folder, 0700) != 0 && errno != EEXIST)
        return diag_errno(diag, errno, "%s", folder);
    if (options->read_only && access(folder, F_OK) != 0 && errno == ENOENT)
        return OK;
    TRY(key_open(options, "log.key", NULL, NOTE_ED25519, NULL, &out->log_key, &out->is_exposed,
                 diag));
    TRY(key_open(options, "witness.key", "/witness", NOTE_COSIGNATURE, origin, &out->witness_key,
                 &out->is_exposed, diag));
    TRY(key_open(options, "node.key", "/node", NOTE_ED25519, origin, &out->node_key,
                 &out->is_exposed, diag));
    out->has_keys = true;
    return OK;
}
