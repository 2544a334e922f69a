/* libentente-verify: check, offline and with public keys alone, what an Entente ledger says.
 *
 * A ledger is an RFC 6962 Merkle tree of entries.  Its *head* is a C2SP checkpoint: origin, number
 * of entries and root hash in a signed note.  Who trusts a log's key, and perhaps a number of
 * witnesses that cosign its heads, can check everything else against a head:
 *
 *     static struct entente_key keys[2];
 *     struct entente_trust trust = {.keys = keys, .key_count = 2, .quorum = 1};
 *     struct entente_proof proof;
 *     struct entente_why why;
 *     static uint8_t room[ENTENTE_ENTRY_BYTES_MAX];
 *
 *     if (!entente_start() || !entente_key_parse(log_vkey, &keys[0], &why) ||
 *         !entente_key_parse(witness_vkey, &keys[1], &why) ||
 *         !entente_proof_check(file, &trust, room, &proof, &why))
 *         return refused(why.text);
 *     use(proof.entry, proof.index, proof.head.size);
 *
 * Nothing here allocates, keeps state between calls or reads past the bytes it is given; each
 * function may be called from many threads at once.  What comes out borrows from what went in.  A
 * function that returns false has filled `why` and proven nothing: what it left in its
 * out-parameter is not to be used.  The formats are in docs/FORMATS.md, "The ledger".
 *
 * Needs libsodium alone: cc program.c -lentente-verify -lsodium
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ENTENTE_HASH_BYTES 32
#define ENTENTE_NAME_BYTES_MAX 255    /* of a key's name */
#define ENTENTE_NOTE_BYTES_MAX 16384  /* of a signed note, signatures and all */
#define ENTENTE_SIGNATURES_MAX 32     /* of a note */
#define ENTENTE_ENTRY_BYTES_MAX 65535 /* of an entry */
#define ENTENTE_PROOF_HASHES_MAX 63   /* of an inclusion or consistency proof */
#define ENTENTE_KEYS_MAX 256          /* in one trust */

/* A borrowed run of bytes. */
struct entente_bytes {
    const uint8_t *at;
    size_t count;
};

struct entente_hash {
    uint8_t bytes[ENTENTE_HASH_BYTES];
};

/* Why something was refused: one line, printable ASCII, NUL-terminated, whatever bytes it quotes.
 * Where it is one entry's fault, which. */
struct entente_why {
    char text[640];
    bool names_entry;
    uint64_t entry;
};

/* Once per process, before anything else here.  False when libsodium does not start. */
bool entente_start(void);

/* ---- keys ---- */

/* The signature types of C2SP signed-note that this library checks. */
enum entente_key_kind {
    ENTENTE_KEY_OTHER = 0,  /* well-formed, of another type: never matches */
    ENTENTE_KEY_LOG = 1,    /* Ed25519 over the note's text */
    ENTENTE_KEY_WITNESS = 4 /* tlog-cosignature: Ed25519 over a time and the text */
};

struct entente_key {
    char name[ENTENTE_NAME_BYTES_MAX + 1]; /* NUL-terminated */
    enum entente_key_kind kind;
    uint8_t id[4];
    uint8_t public_key[32];
};

/* A vkey: name+id+base64(type || public key).  The id must be the one that follows from the rest.
 */
bool entente_key_parse(struct entente_bytes vkey, struct entente_key *out, struct entente_why *why);

/* A file of vkeys, one a line; empty lines, and lines that begin with #, are passed over, and so
 * are keys of other types.  *count is how many there are already, and then how many there are. */
bool entente_keys_parse(struct entente_bytes file, struct entente_key *keys, size_t capacity,
                        size_t *count, struct entente_why *why);

/* Whom the caller believes.  A log is believed about itself alone: its key's name must be the
 * head's origin.  quorum: how many of the witnesses must have cosigned a head; a public key counts
 * once however many names it has, and the log's own never. */
struct entente_trust {
    const struct entente_key *keys; /* borrowed */
    size_t key_count, quorum;       /* at most ENTENTE_KEYS_MAX */
};

/* ---- signed notes ---- */

struct entente_note {
    struct entente_bytes text;       /* with its last line feed: what is signed */
    struct entente_bytes signatures; /* the signature lines */
};

/* Take a note apart: well-formed UTF-8 without controls, text, signature lines.  Checks no
 * signature. */
bool entente_note_parse(struct entente_bytes bytes, struct entente_note *out,
                        struct entente_why *why);

enum entente_signature {
    ENTENTE_SIGNATURE_ABSENT,
    ENTENTE_SIGNATURE_HOLDS,
    ENTENTE_SIGNATURE_BROKEN, /* the key's name and id are there, and it did not sign this */
};
/* time_s: of a cosignature, seconds since 1970; 0 for the log's own.  May be NULL. */
enum entente_signature entente_note_signed(const struct entente_note *note,
                                           const struct entente_key *key, uint64_t *time_s);

/* ---- heads: checkpoints ---- */

struct entente_cosignature {
    const struct entente_key *key; /* of the trust */
    uint64_t time_s;
};

struct entente_head {
    struct entente_bytes origin;
    uint64_t size; /* entries; below 2^63 */
    struct entente_hash root;
    const struct entente_key *key; /* of the trust: who signed */
    struct entente_cosignature cosignatures[ENTENTE_SIGNATURES_MAX];
    size_t cosignature_count;
};

/* Read a head without believing it: no signature is looked at. */
bool entente_head_parse(struct entente_bytes note, struct entente_head *out,
                        struct entente_why *why);
/* Check that the log signed it and that enough witnesses did.  Signatures of unknown keys are
 * passed over; one of a known key that does not hold refuses the head. */
bool entente_head_check(struct entente_bytes note, const struct entente_trust *trust,
                        struct entente_head *out, struct entente_why *why);

/* ---- the tree (RFC 6962, 2.1) ---- */

void entente_leaf_hash(struct entente_bytes entry, struct entente_hash *out);
void entente_node_hash(const struct entente_hash *left, const struct entente_hash *right,
                       struct entente_hash *out);
bool entente_hash_equal(const struct entente_hash *a, const struct entente_hash *b);

/* Does the leaf stand at index in the tree of size entries?  proof: sibling of the leaf first. */
bool entente_inclusion_check(uint64_t index, uint64_t size, const struct entente_hash *leaf,
                             const struct entente_hash *proof, size_t proof_count,
                             const struct entente_hash *root);
/* Is the tree of old_size entries the beginning of that of size?  Nothing (old_size 0) is the
 * beginning of everything. */
bool entente_consistency_check(uint64_t old_size, uint64_t size,
                               const struct entente_hash *old_root, const struct entente_hash *root,
                               const struct entente_hash *proof, size_t proof_count);

/* A tree as it grows from left to right, in 2 KiB.  Starts as {0}. */
struct entente_tree {
    uint64_t size;
    size_t count;
    uint8_t levels[64];
    struct entente_hash hashes[64];
};
/* Add a whole subtree of 2^level entries: a leaf's hash has level 0.  False when no such subtree
 * begins here. */
bool entente_tree_add(struct entente_tree *tree, unsigned level, const struct entente_hash *hash);
void entente_tree_root(const struct entente_tree *tree, struct entente_hash *out);

/* ---- files: each check parses, checks the head's signatures, then the proof ---- */

struct entente_proof {
    uint64_t index;
    struct entente_bytes entry; /* in `room` */
    struct entente_head head;
};
/* A *.tlog-proof whose extra data are the entry (C2SP tlog-proof). */
bool entente_proof_check(struct entente_bytes file, const struct entente_trust *trust,
                         uint8_t room[ENTENTE_ENTRY_BYTES_MAX], struct entente_proof *out,
                         struct entente_why *why);

struct entente_consistency {
    uint64_t old_size;
    struct entente_head head;
};
/* A *.tlog-consistency: that the log grew from an old head to the one in the file.  Yields the old
 * size first, so that the caller can look for the old head; then checks. */
bool entente_consistency_parse(struct entente_bytes file, const struct entente_trust *trust,
                               struct entente_consistency *out, struct entente_why *why);
bool entente_consistency_file_check(struct entente_bytes file, const struct entente_trust *trust,
                                    const struct entente_hash *old_root,
                                    struct entente_consistency *out, struct entente_why *why);

struct entente_bundle {
    struct entente_bytes filter; /* how the entries were chosen; proves nothing; may be empty */
    struct entente_bytes lines;  /* for entente_bundle_next */
    uint64_t entry_count;
    struct entente_head head;
};
/* A *.entente-bundle: entries of one log, all against one head. */
bool entente_bundle_check(struct entente_bytes file, const struct entente_trust *trust,
                          struct entente_bundle *out, struct entente_why *why);
/* The entries of a bundle that was checked, in order: `lines` moves on.  False at the end. */
bool entente_bundle_next(struct entente_bytes *lines, uint64_t *number,
                         struct entente_bytes *entry);

enum entente_document_kind {
    ENTENTE_DOCUMENT_HEAD,
    ENTENTE_DOCUMENT_PROOF,
    ENTENTE_DOCUMENT_CONSISTENCY,
    ENTENTE_DOCUMENT_BUNDLE,
};
struct entente_document {
    enum entente_document_kind kind;
    struct entente_bytes bytes;
};
/* Cut the next document off the front of a file: several may stand one behind another, each ends
 * with its head's signature lines.  Cuts only; what is malformed fails its check.  False at the
 * end. */
bool entente_document_next(struct entente_bytes *rest, struct entente_document *out);

/* ---- a folder that `entente ledger export` wrote (C2SP tlog-tiles) ---- */

struct entente_folder {
    struct entente_head head;
    uint8_t note[ENTENTE_NOTE_BYTES_MAX]; /* what the head borrows from */
    uint64_t entries_wrong;               /* not those whose hashes the tiles hold */
};
/* Hash every entry, compare with every tile, and what they make with the checkpoint.  heads: of
 * the same log, checked before, that the folder must continue; others are passed over.  Says which
 * entry is the first that is wrong.  Maps each file while it reads it: the one function that
 * touches the file system. */
bool entente_folder_check(const char *path, const struct entente_trust *trust,
                          const struct entente_head *heads, size_t head_count,
                          struct entente_folder *out, struct entente_why *why);

#ifdef __cplusplus
}
#endif
