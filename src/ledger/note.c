#include "ledger/note.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/encode.h"
#include "base/fault.h"

#include "base/banned.h"

#define DASH "\xe2\x80\x94 " /* U+2014 and a space */
#define PRIVATE_PREFIX "PRIVATE+KEY+"
#define SIGNATURE_BYTES_MAX                                                                        \
    8192 /* room for keys of kinds we do not know, post-quantum ones too                           \
          */
#define KNOWN_BYTES_MAX (NOTE_ID_BYTES + NOTE_TIME_BYTES + ED25519_SIGNATURE_BYTES)
#define ID_DIGITS (2 * NOTE_ID_BYTES)

/* ---- names ---- */

/* The code point of a well-formed sequence of 1 to 3 bytes; no space has four. */
static uint32_t code_point(slice s, size_t step)
{
    const uint8_t *at = (const uint8_t *)s.at;

    if (step == 2)
        return (uint32_t)(at[0] & 0x1f) << 6 | (at[1] & 0x3f);
    if (step == 3)
        return (uint32_t)(at[0] & 0x0f) << 12 | (uint32_t)(at[1] & 0x3f) << 6 | (at[2] & 0x3f);
    return at[0];
}

/* Unicode's White_Space, and all controls. */
static bool is_space(uint32_t point)
{
    return point <= 0x20 || (point >= 0x7f && point <= 0xa0) || point == 0x1680 ||
           (point >= 0x2000 && point <= 0x200a) || point == 0x2028 || point == 0x2029 ||
           point == 0x202f || point == 0x205f || point == 0x3000;
}

bool note_name_is_good(slice name)
{
    if (name.len == 0 || name.len > NOTE_NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.len;) {
        slice rest = slice_from(name, i);
        size_t step = utf8_step(rest);

        if (step == 0 || rest.at[0] == '+' || (step < 4 && is_space(code_point(rest, step))))
            return false;
        i += step;
    }
    return true;
}

/* ---- keys ---- */

static void id_compute(struct note_verifier *verifier)
{
    struct sha256_state state;
    const uint8_t kind[2] = {'\n', (uint8_t)verifier->kind};

    sha256_init(&state);
    sha256_add(&state, slice_text(verifier->name));
    sha256_add(&state, slice_of(kind, sizeof(kind)));
    sha256_add(&state, slice_of(verifier->key, sizeof(verifier->key)));
    struct hash256 hash = sha256_end(&state);
    memcpy(verifier->id, hash.bytes, NOTE_ID_BYTES);
}

static void verifier_init(slice name, enum note_kind kind, struct note_verifier *out)
{
    *out = (struct note_verifier){.kind = kind};
    memcpy(out->name, name.at, name.len);
}

void note_signer_init(slice name, enum note_kind kind, const uint8_t seed[ED25519_SEED_BYTES],
                      struct note_signer *out)
{
    verifier_init(name, kind, &out->verifier);
    memcpy(out->seed, seed, ED25519_SEED_BYTES);
    ed25519_public(seed, out->verifier.key);
    id_compute(&out->verifier);
}

void note_signer_wipe(struct note_signer *signer)
{
    secret_wipe(signer, sizeof(*signer));
}

static void key_write(const struct note_verifier *verifier, const uint8_t bytes[32],
                      struct buf *out)
{
    uint8_t key[1 + 32] = {(uint8_t)verifier->kind};
    char id[ID_DIGITS];

    memcpy(key + 1, bytes, 32);
    hex_encode(slice_of(verifier->id, NOTE_ID_BYTES), id);
    buf_printf(out, "%s+%.*s+", verifier->name, ID_DIGITS, id);
    base64_encode(out, slice_of(key, sizeof(key)));
    secret_wipe(key, sizeof(key));
}

void note_verifier_write(const struct note_verifier *verifier, struct buf *out)
{
    key_write(verifier, verifier->key, out);
}

void note_signer_write(const struct note_signer *signer, struct buf *out)
{
    buf_put(out, SLICE(PRIVATE_PREFIX));
    key_write(&signer->verifier, signer->seed, out);
}

static void buf_wipe_free(struct buf *buf)
{
    if (buf->at != NULL)
        secret_wipe(buf->at, buf->capacity);
    buf_free(buf);
}

/* name, id and base64(kind || 32 bytes); yields the bytes, and the name, kind and id claimed. */
static result key_parse(slice text, struct note_verifier *out, uint8_t bytes[32], struct diag *diag)
{
    CLEANUP(buf_wipe_free) struct buf key = BUF(64);
    slice name, id, base64;

    if (!slice_cut(text, '+', &name, &text) || !slice_cut(text, '+', &id, &base64))
        return diag_fail(diag, ERR_INVALID, "is no key: takes name+id+base64");
    if (!note_name_is_good(name))
        return diag_fail(diag, ERR_INVALID, "is no key: its name is empty, long or holds spaces");
    if (base64.len > 60 || !base64_decode(&key, base64) || key.len != 33)
        return diag_fail(diag, ERR_INVALID, "is no key: takes base64 of 33 bytes");
    if (key.at[0] != NOTE_ED25519 && key.at[0] != NOTE_COSIGNATURE)
        return diag_fail(diag, ERR_INVALID, "is a key of a kind that is not known here: 0x%02x",
                         (unsigned)(uint8_t)key.at[0]);
    verifier_init(name, (enum note_kind)key.at[0], out);
    if (id.len != ID_DIGITS || !hex_decode(id, out->id, NOTE_ID_BYTES))
        return diag_fail(diag, ERR_INVALID, "is no key: its id takes 8 hexadecimal digits");
    memcpy(bytes, key.at + 1, 32);
    return OK;
}

static result id_check(const struct note_verifier *computed, const struct note_verifier *claimed,
                       struct diag *diag)
{
    if (memcmp(computed->id, claimed->id, NOTE_ID_BYTES) != 0 || FAULT_HERE())
        return diag_fail(diag, ERR_INVALID, "is no key: its id is not that of its bytes");
    return OK;
}

result note_verifier_parse(slice text, struct note_verifier *out, struct diag *diag)
{
    struct note_verifier claimed;

    TRY(key_parse(text, &claimed, claimed.key, diag));
    *out = claimed;
    id_compute(out);
    return id_check(out, &claimed, diag);
}

result note_signer_parse(slice text, struct note_signer *out, struct diag *diag)
{
    CLEANUP(note_signer_wipe) struct note_signer claimed;

    if (!slice_starts(text, SLICE(PRIVATE_PREFIX)))
        return diag_fail(diag, ERR_INVALID, "is no private key");
    TRY(key_parse(slice_from(text, sizeof(PRIVATE_PREFIX) - 1), &claimed.verifier, claimed.seed,
                  diag));
    note_signer_init(slice_text(claimed.verifier.name), claimed.verifier.kind, claimed.seed, out);
    return id_check(&out->verifier, &claimed.verifier, diag);
}

/* ---- reading ---- */

static bool is_text(slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if ((uint8_t)bytes.at[i] < 0x20 && bytes.at[i] != '\n')
            return false;
    return utf8_valid(bytes);
}

/* Where the last blank line stands: behind the text's last line feed. */
static bool text_end(slice bytes, size_t *end)
{
    for (size_t i = bytes.len; i >= 2; i--)
        if (bytes.at[i - 1] == '\n' && bytes.at[i - 2] == '\n') {
            *end = i - 1;
            return true;
        }
    return false;
}

static bool signature_parse(slice line, struct note_signature *out)
{
    CLEANUP(buf_free) struct buf bytes = BUF(SIGNATURE_BYTES_MAX);
    slice rest = slice_from(line, sizeof(DASH) - 1);

    if (!slice_starts(line, SLICE(DASH)) || !slice_cut(rest, ' ', &out->name, &out->base64))
        return false;
    out->base64 = slice_head(out->base64, out->base64.len - 1); /* the line feed */
    out->line = line;
    if (!note_name_is_good(out->name) || !base64_decode(&bytes, out->base64) ||
        bytes.len <= NOTE_ID_BYTES)
        return false;
    memcpy(out->id, bytes.at, NOTE_ID_BYTES);
    return true;
}

result note_parse(slice bytes, struct note *out, struct diag *diag)
{
    size_t end;

    out->signature_count = 0;
    if (bytes.len > NOTE_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "a note is of at most %d bytes", NOTE_BYTES_MAX);
    if (!is_text(bytes) || bytes.len == 0 || bytes.at[bytes.len - 1] != '\n')
        return diag_fail(diag, ERR_INVALID, "is no note: lines of UTF-8 without controls");
    if (!text_end(bytes, &end) || end == bytes.len - 1)
        return diag_fail(diag, ERR_INVALID, "is no note: it has no signatures");
    out->all = bytes;
    out->text = slice_head(bytes, end);
    for (slice rest = slice_from(bytes, end + 1); rest.len > 0;) {
        size_t line = slice_find_byte(rest, '\n') + 1;

        if (out->signature_count == NOTE_SIGNATURES_MAX)
            return diag_fail(diag, ERR_LIMIT, "a note has at most %d signatures",
                             NOTE_SIGNATURES_MAX);
        if (!signature_parse(slice_head(rest, line), &out->signatures[out->signature_count++]))
            return diag_fail(diag, ERR_INVALID, "is no note: signature %zu is malformed",
                             out->signature_count);
        rest = slice_from(rest, line);
    }
    return OK;
}

/* What a cosignature is over. */
static void cosigned_write(slice text, uint64_t time_s, struct buf *out)
{
    buf_printf(out, "cosignature/v1\ntime %" PRIu64 "\n", time_s);
    buf_put(out, text);
}

static bool cosignature_holds(slice text, const struct note_verifier *verifier, slice bytes,
                              uint64_t *time_s)
{
    CLEANUP(buf_free) struct buf message = BUF(NOTE_BYTES_MAX + 64);
    struct reader reader = READER(bytes);

    *time_s = read_u64(&reader);
    cosigned_write(text, *time_s, &message);
    return *time_s <= INT64_MAX && !message.overflowed &&
           ed25519_verify(verifier->key, buf_slice(&message), (const uint8_t *)reader.rest.at);
}

static enum note_verdict signature_verify(slice text, const struct note_signature *signature,
                                          const struct note_verifier *verifier, uint64_t *time_s)
{
    CLEANUP(buf_free) struct buf bytes = BUF(SIGNATURE_BYTES_MAX);
    bool is_cosignature = verifier->kind == NOTE_COSIGNATURE;
    size_t wanted = KNOWN_BYTES_MAX - (is_cosignature ? 0 : NOTE_TIME_BYTES);

    if (!base64_decode(&bytes, signature->base64) || bytes.len != wanted)
        return NOTE_FORGED;
    slice rest = slice_from(buf_slice(&bytes), NOTE_ID_BYTES);
    bool holds = is_cosignature ? cosignature_holds(text, verifier, rest, time_s)
                                : ed25519_verify(verifier->key, text, (const uint8_t *)rest.at);
    return holds ? NOTE_HOLDS : NOTE_FORGED;
}

/* Every line of the key must hold: one that does not refuses the note. */
enum note_verdict note_verify(const struct note *note, const struct note_verifier *verifier,
                              uint64_t *time_s)
{
    enum note_verdict verdict = NOTE_UNSIGNED;
    uint64_t seen_s = 0;

    assert(verifier != NULL);
    for (size_t i = 0; i < note->signature_count; i++) {
        const struct note_signature *signature = &note->signatures[i];

        if (!slice_eq(signature->name, slice_text(verifier->name)) ||
            memcmp(signature->id, verifier->id, NOTE_ID_BYTES) != 0)
            continue;
        verdict = signature_verify(note->text, signature, verifier, &seen_s);
        if (verdict == NOTE_FORGED)
            return verdict;
        if (time_s != NULL)
            *time_s = seen_s;
    }
    return verdict;
}

void note_sign(slice text, const struct note_signer *signer, uint64_t time_s, struct buf *out)
{
    CLEANUP(buf_free) struct buf message = BUF(NOTE_BYTES_MAX + 64);
    CLEANUP(buf_free) struct buf line = BUF(KNOWN_BYTES_MAX);
    uint8_t signature[ED25519_SIGNATURE_BYTES];

    buf_put(&line, slice_of(signer->verifier.id, NOTE_ID_BYTES));
    if (signer->verifier.kind == NOTE_COSIGNATURE) {
        cosigned_write(text, time_s, &message);
        buf_u64(&line, time_s);
    } else {
        buf_put(&message, text);
    }
    if (message.overflowed) {
        out->overflowed = true;
        return;
    }
    ed25519_sign(signer->seed, buf_slice(&message), signature);
    buf_put(&line, slice_of(signature, sizeof(signature)));
    buf_printf(out, DASH "%s ", signer->verifier.name);
    base64_encode(out, buf_slice(&line));
    buf_byte(out, '\n');
    if (line.overflowed)
        out->overflowed = true;
}

/* ---- checkpoints ---- */

static bool line_cut(slice *rest, slice *line)
{
    return slice_cut(*rest, '\n', line, rest) && line->len > 0;
}

/* One text for each number. */
static bool number_parse(slice text, uint64_t *out)
{
    return parse_u64(text, out) && (text.len == 1 || text.at[0] != '0');
}

static bool hash_parse(slice base64, struct hash256 *out)
{
    CLEANUP(buf_free) struct buf bytes = BUF(64);

    if (base64.len != 44 || !base64_decode(&bytes, base64) || bytes.len != SHA256_BYTES)
        return false;
    memcpy(out->bytes, bytes.at, SHA256_BYTES);
    return true;
}

result checkpoint_parse(slice text, struct checkpoint *out, struct diag *diag)
{
    slice line;

    if (!line_cut(&text, &out->origin))
        return diag_fail(diag, ERR_INVALID, "is no checkpoint: line 1 takes an origin");
    if (!line_cut(&text, &line) || !number_parse(line, &out->size) || out->size > INT64_MAX)
        return diag_fail(diag, ERR_INVALID, "is no checkpoint: line 2 takes the tree's size");
    if (!line_cut(&text, &line) || !hash_parse(line, &out->root))
        return diag_fail(diag, ERR_INVALID, "is no checkpoint: line 3 takes the root's hash");
    while (text.len > 0)
        if (!line_cut(&text, &line))
            return diag_fail(diag, ERR_INVALID, "is no checkpoint: it has an empty line");
    return OK;
}

void checkpoint_write(const struct checkpoint *checkpoint, struct buf *out)
{
    buf_printf(out, "%.*s\n%" PRIu64 "\n", SLICE_ARG(checkpoint->origin), checkpoint->size);
    base64_encode(out, slice_of(checkpoint->root.bytes, SHA256_BYTES));
    buf_byte(out, '\n');
}
