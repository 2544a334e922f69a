/* What the files of libentente-verify share: text from outside, the two primitives, files.
 *
 * The library stands alone (include/entente/verify.h is its manual), so that it installs where
 * nothing else of Entente is; it takes nothing from other modules but base/banned.h.
 */
#pragma once

#include "entente/verify.h"

#define INSIDE __attribute__((visibility("hidden")))

/* "text" of a literal, without its NUL. */
#define BYTES(literal) ((struct entente_bytes){(const uint8_t *)"" literal, sizeof(literal) - 1})

/* ---- refusals ---- */

/* Write the words and return false.  Bytes that are not printable ASCII are shown as \xHH. */
INSIDE bool refuse(struct entente_why *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
INSIDE bool refuse_entry(struct entente_why *why, uint64_t entry, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Put "context: " in front of the words of a refusal, and return false. */
INSIDE bool refuse_within(struct entente_why *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* For printf's %.*s; what is longer than anyone reads is cut. */
#define SHOWN(bytes) (int)((bytes).count < 200 ? (bytes).count : 200), (const char *)(bytes).at

/* ---- text ---- */

INSIDE bool bytes_equal(struct entente_bytes a, struct entente_bytes b);
INSIDE bool bytes_start(struct entente_bytes bytes, struct entente_bytes head);
INSIDE struct entente_bytes bytes_from(struct entente_bytes bytes, size_t count);
INSIDE struct entente_bytes bytes_head(struct entente_bytes bytes, size_t count);
/* Cut at the first `separator`; without one, false and nothing is changed. */
INSIDE bool bytes_cut(struct entente_bytes *rest, uint8_t separator, struct entente_bytes *head);

/* The next line without its line feed, cut off the front; false when no whole line is left. */
INSIDE bool line_next(struct entente_bytes *rest, struct entente_bytes *line);

/* Decimal without sign or leading zeros, below 2^63. */
INSIDE bool number_parse(struct entente_bytes text, uint64_t *out);
/* RFC 4648, 4, with padding and zero bits behind the end: one text for each run of bytes. */
INSIDE bool base64_parse(struct entente_bytes text, uint8_t *out, size_t room, size_t *count);
INSIDE bool hash_parse(struct entente_bytes text, struct entente_hash *out);
#define HASH_TEXT_BYTES 44
INSIDE void hash_print(const struct entente_hash *hash, char out[HASH_TEXT_BYTES + 1]);
/* Well-formed UTF-8 without ASCII controls but line feeds. */
INSIDE bool text_is_plain(struct entente_bytes text);
/* A key's name: not empty, no Unicode space, no plus. */
INSIDE bool name_is_plain(struct entente_bytes name);

/* ---- primitives: libsodium stands behind them ---- */

INSIDE struct entente_hash hash_pieces(const struct entente_bytes *pieces, size_t count);
INSIDE bool ed25519_holds(const uint8_t public_key[32], struct entente_bytes message,
                          const uint8_t signature[64]);

/* ---- notes ---- */

struct signature {
    struct entente_bytes name;
    uint8_t bytes[ENTENTE_NOTE_BYTES_MAX]; /* key id and what follows */
    size_t count;
};
/* The next signature line; false when it is malformed or there is none. */
INSIDE bool signature_next(struct entente_bytes *rest, struct signature *out);

/* ---- files ---- */

struct loaded {
    struct entente_bytes bytes;
    size_t mapped_bytes; /* 0: nothing */
};
/* A regular file of at most `most` bytes, read whole into memory of its own.  A refusal does not
 * name the path; load_named's does. */
INSIDE bool load_file(int folder, const char *path, size_t most, struct loaded *out,
                      struct entente_why *why);
INSIDE bool load_named(int folder, const char *path, size_t most, struct loaded *out,
                       struct entente_why *why);
INSIDE void loaded_free(struct loaded *loaded); /* fits a cleanup attribute */
#define LOADED __attribute__((cleanup(loaded_free))) struct loaded
