/* Signed notes, and heads: notes that say how long a log is and what its root hash is. */
#include <stdio.h>
#include <string.h>

#include "verify/inside.h"

#include "base/banned.h"

#define KEY_ID_BYTES 4
#define ED25519_BYTES 64
#define TIME_BYTES 8

/* ---- signature lines ---- */

/* An em dash and a space. */
#define SIGNATURE_START BYTES("\xe2\x80\x94 ")

bool signature_next(struct entente_bytes *rest, struct signature *out)
{
    struct entente_bytes line;

    if (!line_next(rest, &line) || !bytes_start(line, SIGNATURE_START))
        return false;
    line = bytes_from(line, SIGNATURE_START.count);
    return bytes_cut(&line, ' ', &out->name) && name_is_plain(out->name) &&
           base64_parse(line, out->bytes, sizeof(out->bytes), &out->count) &&
           out->count > KEY_ID_BYTES;
}

/* The text ends where the last empty line stands. */
static bool note_split(struct entente_bytes bytes, struct entente_note *out)
{
    for (size_t i = bytes.count; i >= 2; i--)
        if (bytes.at[i - 2] == '\n' && bytes.at[i - 1] == '\n') {
            out->text = bytes_head(bytes, i - 1);
            out->signatures = bytes_from(bytes, i);
            return out->signatures.count > 0;
        }
    return false;
}

bool entente_note_parse(struct entente_bytes bytes, struct entente_note *out,
                        struct entente_why *why)
{
    struct signature signature = {0};
    struct entente_bytes rest;
    size_t count = 0;

    if (bytes.count > ENTENTE_NOTE_BYTES_MAX)
        return refuse(why, "note: over %d bytes", ENTENTE_NOTE_BYTES_MAX);
    if (!text_is_plain(bytes))
        return refuse(why, "note: not UTF-8 without control characters");
    if (!note_split(bytes, out))
        return refuse(why, "note: no signatures behind an empty line");
    for (rest = out->signatures; rest.count > 0; count++) {
        if (count == ENTENTE_SIGNATURES_MAX)
            return refuse(why, "note: over %d signatures", ENTENTE_SIGNATURES_MAX);
        if (!signature_next(&rest, &signature))
            return refuse(why, "note: signature line %zu is malformed", count + 1);
    }
    return true;
}

/* ---- signatures ---- */

static uint64_t time_of(const uint8_t bytes[TIME_BYTES])
{
    uint64_t time_s = 0;

    for (size_t i = 0; i < TIME_BYTES; i++)
        time_s = time_s << 8 | bytes[i];
    return time_s;
}

/* C2SP tlog-cosignature: what is signed is two lines in front of the note's text. */
static bool cosignature_holds(const struct entente_note *note, const struct entente_key *key,
                              const struct signature *signature, uint64_t *time_s)
{
    uint8_t message[ENTENTE_NOTE_BYTES_MAX + 64];
    const uint8_t *at = signature->bytes + KEY_ID_BYTES;
    int head;

    if (signature->count != KEY_ID_BYTES + TIME_BYTES + ED25519_BYTES)
        return false;
    *time_s = time_of(at);
    if (*time_s > INT64_MAX || note->text.count > ENTENTE_NOTE_BYTES_MAX)
        return false;
    head =
        snprintf((char *)message, 64, "cosignature/v1\ntime %llu\n", (unsigned long long)*time_s);
    memcpy(message + head, note->text.at, note->text.count);
    return ed25519_holds(key->public_key,
                         (struct entente_bytes){message, (size_t)head + note->text.count},
                         at + TIME_BYTES);
}

static bool signature_holds(const struct entente_note *note, const struct entente_key *key,
                            const struct signature *signature, uint64_t *time_s)
{
    *time_s = 0;
    if (key->kind == ENTENTE_KEY_WITNESS)
        return cosignature_holds(note, key, signature, time_s);
    return signature->count == KEY_ID_BYTES + ED25519_BYTES &&
           ed25519_holds(key->public_key, note->text, signature->bytes + KEY_ID_BYTES);
}

static bool signature_is_of(const struct signature *signature, const struct entente_key *key)
{
    return key->kind != ENTENTE_KEY_OTHER &&
           bytes_equal(signature->name,
                       (struct entente_bytes){(const uint8_t *)key->name, strlen(key->name)}) &&
           memcmp(signature->bytes, key->id, KEY_ID_BYTES) == 0;
}

/* The first line with the key's name and id decides, as in Go's note package. */
enum entente_signature entente_note_signed(const struct entente_note *note,
                                           const struct entente_key *key, uint64_t *time_s)
{
    struct entente_bytes rest = note->signatures;
    struct signature signature = {0};
    uint64_t unused = 0;

    while (rest.count > 0 && signature_next(&rest, &signature))
        if (signature_is_of(&signature, key))
            return signature_holds(note, key, &signature, time_s != NULL ? time_s : &unused)
                       ? ENTENTE_SIGNATURE_HOLDS
                       : ENTENTE_SIGNATURE_BROKEN;
    return ENTENTE_SIGNATURE_ABSENT;
}

/* ---- heads ---- */

/* C2SP tlog-checkpoint: origin, size, root hash; then extension lines, none of them empty. */
static bool head_lines(struct entente_bytes text, struct entente_head *out, struct entente_why *why)
{
    struct entente_bytes line;

    if (!line_next(&text, &out->origin) || out->origin.count == 0)
        return refuse(why, "head: no origin in its first line");
    if (!line_next(&text, &line) || !number_parse(line, &out->size))
        return refuse(why, "head: its second line is not a number of entries");
    if (!line_next(&text, &line) || !hash_parse(line, &out->root))
        return refuse(why, "head: its third line is not a root hash");
    while (text.count > 0)
        if (!line_next(&text, &line) || line.count == 0)
            return refuse(why, "head: an empty line in its text");
    return true;
}

bool entente_head_parse(struct entente_bytes note, struct entente_head *out,
                        struct entente_why *why)
{
    struct entente_note parts;

    memset(out, 0, sizeof(*out));
    return entente_note_parse(note, &parts, why) && head_lines(parts.text, out, why);
}

static bool key_is_of_log(const struct entente_key *key, const struct entente_head *head)
{
    return key->kind == ENTENTE_KEY_LOG &&
           bytes_equal(head->origin,
                       (struct entente_bytes){(const uint8_t *)key->name, strlen(key->name)});
}

/* A witness counts once, whatever names its key has, and no log is its own witness. */
static bool counts(const struct entente_head *head, const struct entente_trust *trust,
                   const struct entente_key *key)
{
    for (size_t i = 0; i < head->cosignature_count; i++)
        if (memcmp(head->cosignatures[i].key->public_key, key->public_key, 32) == 0)
            return false;
    for (size_t i = 0; i < trust->key_count; i++)
        if (key_is_of_log(&trust->keys[i], head) &&
            memcmp(trust->keys[i].public_key, key->public_key, 32) == 0)
            return false;
    return head->cosignature_count < ENTENTE_SIGNATURES_MAX;
}

static bool signatures_gather(const struct entente_note *note, const struct entente_trust *trust,
                              struct entente_head *head, struct entente_why *why)
{
    for (size_t i = 0; i < trust->key_count; i++) {
        const struct entente_key *key = &trust->keys[i];
        uint64_t time_s = 0;
        enum entente_signature found = entente_note_signed(note, key, &time_s);

        if (found == ENTENTE_SIGNATURE_BROKEN)
            return refuse(why, "head of %.*s: the signature of %s does not hold",
                          SHOWN(head->origin), key->name);
        if (found == ENTENTE_SIGNATURE_ABSENT)
            continue;
        if (key_is_of_log(key, head))
            head->key = key;
        else if (key->kind == ENTENTE_KEY_WITNESS && counts(head, trust, key))
            head->cosignatures[head->cosignature_count++] =
                (struct entente_cosignature){.key = key, .time_s = time_s};
    }
    return true;
}

bool entente_head_check(struct entente_bytes note, const struct entente_trust *trust,
                        struct entente_head *out, struct entente_why *why)
{
    struct entente_note parts = {0};

    memset(out, 0, sizeof(*out));
    if (!entente_note_parse(note, &parts, why) || !head_lines(parts.text, out, why) ||
        !signatures_gather(&parts, trust, out, why))
        return false;
    if (out->key == NULL)
        return refuse(why, "head of %.*s: not signed by a key of that log that is trusted here",
                      SHOWN(out->origin));
    if (out->cosignature_count < trust->quorum)
        return refuse(why, "head of %.*s: cosigned by %zu of the witnesses, %zu are asked for",
                      SHOWN(out->origin), out->cosignature_count, trust->quorum);
    return true;
}
