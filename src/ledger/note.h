/* Signed notes (C2SP signed-note) and what we sign with them: checkpoints (tlog-checkpoint) and
 * cosignatures of them (tlog-cosignature).
 *
 * A note is a text, a blank line, and signature lines.  Whoever reads one knows its keys
 * beforehand; lines of others are passed over.
 */
#pragma once

#include "base/buf.h"
#include "base/crypto.h"

#define NOTE_BYTES_MAX 16384
#define NOTE_SIGNATURES_MAX 32
#define NOTE_NAME_BYTES_MAX 255
#define NOTE_KEY_TEXT_BYTES_MAX (NOTE_NAME_BYTES_MAX + 96)
#define NOTE_ID_BYTES 4
#define NOTE_TIME_BYTES 8

/* The byte that tells what a key signs. */
enum note_kind {
    NOTE_ED25519 = 0x01,     /* the text itself */
    NOTE_COSIGNATURE = 0x04, /* the time and a checkpoint's text */
};

struct note_verifier {
    char name[NOTE_NAME_BYTES_MAX + 1];
    uint8_t id[NOTE_ID_BYTES];
    enum note_kind kind;
    uint8_t key[ED25519_PUBLIC_BYTES];
};

struct note_signer {
    struct note_verifier verifier;
    uint8_t seed[ED25519_SEED_BYTES];
};

/* A key's name: UTF-8 without controls, Unicode spaces and '+'. */
bool note_name_is_good(slice name);

void note_signer_init(slice name, enum note_kind kind, const uint8_t seed[ED25519_SEED_BYTES],
                      struct note_signer *out);    /* the name is good */
void note_signer_wipe(struct note_signer *signer); /* fits CLEANUP */

/* "name+id+base64": a vkey; with "PRIVATE+KEY+" in front, the secret. */
void note_verifier_write(const struct note_verifier *verifier, struct buf *out);
void note_signer_write(const struct note_signer *signer, struct buf *out);
MUST_USE result note_verifier_parse(slice text, struct note_verifier *out, struct diag *diag);
MUST_USE result note_signer_parse(slice text, struct note_signer *out, struct diag *diag);

struct note {
    slice text; /* with its last line feed; borrowed, as all here */
    slice all;
    struct note_signature {
        slice name, line, base64; /* line: with its line feed */
        uint8_t id[NOTE_ID_BYTES];
    } signatures[NOTE_SIGNATURES_MAX];
    size_t signature_count;
};

/* Fails ERR_INVALID with what is wrong; nothing is verified yet. */
MUST_USE result note_parse(slice bytes, struct note *out, struct diag *diag);

enum note_verdict {
    NOTE_UNSIGNED, /* by this key */
    NOTE_HOLDS,
    NOTE_FORGED, /* a line says so and is not true */
};

/* time_s: of a cosignature, seconds since 1970; may be NULL. */
enum note_verdict note_verify(const struct note *note, const struct note_verifier *verifier,
                              uint64_t *time_s);

/* Append a signature line over a text.  time_s: of a cosignature. */
void note_sign(slice text, const struct note_signer *signer, uint64_t time_s, struct buf *out);

/* ---- checkpoints ---- */

struct checkpoint {
    slice origin; /* borrowed */
    uint64_t size;
    struct hash256 root;
};

MUST_USE result checkpoint_parse(slice text, struct checkpoint *out, struct diag *diag);
void checkpoint_write(const struct checkpoint *checkpoint, struct buf *out);
