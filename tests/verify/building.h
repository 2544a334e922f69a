/* A small log of our own for the verifier's tests: the tree as RFC 6962 defines it, by plain
 * recursion, and the files a node would hand out about it.  Slow, obvious, and nothing of it is
 * shared with what is tested. */
#pragma once

#include <sodium.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/encode.h"
#include "entente/verify.h"
#include "rows.h"

#define TEXT_BYTES_MAX ((size_t)256 << 20)

struct signer {
    char name[64];
    uint8_t type, id[4], public_key[32], secret[64];
    char vkey[160];
};

static inline struct entente_bytes bytes_of_slice(slice text)
{
    return (struct entente_bytes){(const uint8_t *)text.at, text.len};
}

static inline void hash_of(const uint8_t *bytes, size_t count, uint8_t out[32])
{
    crypto_hash_sha256(out, bytes, count);
}

/* ---- keys and notes ---- */

static inline struct signer signer_make(const char *name, uint8_t type, uint8_t seed_byte)
{
    struct signer signer = {.type = type};
    uint8_t seed[32], material[33], named[128], hash[32];
    struct buf text = BUF(256);
    char hex[8];
    int bytes = snprintf(signer.name, sizeof(signer.name), "%s", name);

    memset(seed, seed_byte, sizeof(seed));
    crypto_sign_seed_keypair(signer.public_key, signer.secret, seed);
    material[0] = type;
    memcpy(material + 1, signer.public_key, 32);
    memcpy(named, name, (size_t)bytes);
    named[bytes] = '\n';
    memcpy(named + bytes + 1, material, 33);
    hash_of(named, (size_t)bytes + 34, hash);
    memcpy(signer.id, hash, 4);
    hex_encode(slice_of(hash, 4), hex);
    buf_printf(&text, "%s+%.8s+", name, hex);
    base64_encode(&text, slice_of(material, 33));
    (void)snprintf(signer.vkey, sizeof(signer.vkey), "%.*s", SLICE_ARG(buf_slice(&text)));
    buf_free(&text);
    return signer;
}

static inline struct entente_key key_of(const struct signer *signer)
{
    struct entente_key key;
    struct entente_why why = {0};

    if (!entente_key_parse(bytes_of_slice(slice_text(signer->vkey)), &key, &why))
        fail_msg("%s: %s", signer->vkey, why.text);
    return key;
}

/* The signature line of one signer below a note's text; time_s for witnesses. */
static inline void note_sign(struct buf *out, slice text, const struct signer *signer,
                             uint64_t time_s)
{
    struct buf message = BUF(1 << 16), raw = BUF(256);
    uint8_t signature[64];

    if (signer->type == 4)
        buf_printf(&message, "cosignature/v1\ntime %llu\n", (unsigned long long)time_s);
    buf_put(&message, text);
    crypto_sign_detached(signature, NULL, (const uint8_t *)message.at, message.len, signer->secret);
    buf_put(&raw, slice_of(signer->id, 4));
    if (signer->type == 4)
        buf_u64(&raw, time_s);
    buf_put(&raw, slice_of(signature, 64));
    buf_printf(out, "\xe2\x80\x94 %s ", signer->name);
    base64_encode(out, buf_slice(&raw));
    buf_byte(out, '\n');
    buf_free(&message);
    buf_free(&raw);
}

/* ---- the log ---- */

struct made_log {
    struct buf *entries;
    size_t count;
    uint8_t (*leaves)[32];
};

static inline void log_free(struct made_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        buf_free(&log->entries[i]);
    free(log->entries);
    free(log->leaves);
}

static inline void leaf_make(struct made_log *log, size_t i)
{
    struct buf leaf = BUF(1 << 17);

    buf_byte(&leaf, 0);
    buf_put(&leaf, buf_slice(&log->entries[i]));
    hash_of((const uint8_t *)leaf.at, leaf.len, log->leaves[i]);
    buf_free(&leaf);
}

static inline struct made_log log_make(size_t count)
{
    struct made_log log = {.count = count};

    log.entries = calloc(count + 1, sizeof(log.entries[0]));
    log.leaves = calloc(count + 1, sizeof(log.leaves[0]));
    assert_true(log.entries != NULL && log.leaves != NULL);
    for (size_t i = 0; i < count; i++) {
        log.entries[i] = BUF(1 << 16);
        buf_printf(&log.entries[i],
                   "{\"at\":\"2026-11-23T10:%02zu:%02zu.000000Z\",\"kind\":\"release\",\"n\":%zu}",
                   i / 60 % 60, i % 60, i);
        leaf_make(&log, i);
    }
    return log;
}

static inline void join(const uint8_t left[32], const uint8_t right[32], uint8_t out[32])
{
    uint8_t bytes[65] = {1};

    memcpy(bytes + 1, left, 32);
    memcpy(bytes + 33, right, 32);
    hash_of(bytes, sizeof(bytes), out);
}

static inline size_t split_of(size_t count)
{
    size_t half = 1;

    while (half * 2 < count)
        half *= 2;
    return half;
}

/* MTH(D[first:end]). */
static inline void tree_hash(const struct made_log *log, size_t first, size_t end, uint8_t out[32])
{
    uint8_t left[32], right[32];

    if (end - first <= 1) {
        if (end == first)
            hash_of(NULL, 0, out);
        else
            memcpy(out, log->leaves[first], 32);
        return;
    }
    size_t half = split_of(end - first);
    tree_hash(log, first, first + half, left);
    tree_hash(log, first + half, end, right);
    join(left, right, out);
}

struct hash_list {
    uint8_t at[64][32];
    size_t count;
};

/* PATH(index - first, D[first:end]). */
static inline void path_make(const struct made_log *log, size_t index, size_t first, size_t end,
                             struct hash_list *out)
{
    if (end - first <= 1)
        return;
    size_t middle = first + split_of(end - first);
    if (index < middle) {
        path_make(log, index, first, middle, out);
        tree_hash(log, middle, end, out->at[out->count++]);
    } else {
        path_make(log, index, middle, end, out);
        tree_hash(log, first, middle, out->at[out->count++]);
    }
}

/* SUBPROOF(old - first, D[first:end], is_whole). */
static inline void consistency_make(const struct made_log *log, size_t old, size_t first,
                                    size_t end, bool is_whole, struct hash_list *out)
{
    if (old == end) {
        if (!is_whole)
            tree_hash(log, first, end, out->at[out->count++]);
        return;
    }
    size_t middle = first + split_of(end - first);
    if (old <= middle) {
        consistency_make(log, old, first, middle, is_whole, out);
        tree_hash(log, middle, end, out->at[out->count++]);
    } else {
        consistency_make(log, old, middle, end, false, out);
        tree_hash(log, first, middle, out->at[out->count++]);
    }
}

/* ---- files ---- */

static inline void hash_line(struct buf *out, const uint8_t hash[32])
{
    base64_encode(out, slice_of(hash, 32));
    buf_byte(out, '\n');
}

/* The head of the first `size` entries; signers are NULL-terminated, the log's first. */
static inline void head_make(struct buf *out, const struct made_log *log, size_t size,
                             const struct signer *const *signers)
{
    struct buf text = BUF(1 << 14);
    uint8_t root[32];

    tree_hash(log, 0, size, root);
    buf_printf(&text, "%s\n%zu\n", signers[0]->name, size);
    hash_line(&text, root);
    buf_put(out, buf_slice(&text));
    buf_byte(out, '\n');
    for (size_t i = 0; signers[i] != NULL; i++)
        note_sign(out, buf_slice(&text), signers[i], 1795000000 + i);
    buf_free(&text);
}

static inline void proof_make(struct buf *out, const struct made_log *log, size_t index,
                              size_t size, const struct signer *const *signers)
{
    struct hash_list path = {.count = 0};

    path_make(log, index, 0, size, &path);
    buf_printf(out, "c2sp.org/tlog-proof@v1\nextra ");
    base64_encode(out, buf_slice(&log->entries[index]));
    buf_printf(out, "\nindex %zu\n", index);
    for (size_t i = 0; i < path.count; i++)
        hash_line(out, path.at[i]);
    buf_byte(out, '\n');
    head_make(out, log, size, signers);
}

static inline void growth_make(struct buf *out, const struct made_log *log, size_t old, size_t size,
                               const struct signer *const *signers)
{
    struct hash_list proof = {.count = 0};

    if (old > 0)
        consistency_make(log, old, 0, size, true, &proof);
    buf_printf(out, "old %zu\n", old);
    for (size_t i = 0; i < proof.count; i++)
        hash_line(out, proof.at[i]);
    buf_byte(out, '\n');
    head_make(out, log, size, signers);
}

/* Does the bundle hold any entry of first..end-1?  It holds each `step`-th. */
static inline bool range_is_held(size_t first, size_t end, size_t step)
{
    return (first + step - 1) / step * step < end;
}

/* A bundle of each step-th entry of the first `size`. */
static inline void bundle_make(struct buf *out, const struct made_log *log, size_t size,
                               size_t step, const struct signer *const *signers)
{
    size_t position = 0;

    buf_printf(out, "entente-bundle@v1\nfilter each %zu\n", step);
    while (position < size) {
        unsigned level = 0;
        uint8_t hash[32];

        if (range_is_held(position, position + 1, step)) {
            buf_printf(out, "entry %zu ", position);
            base64_encode(out, slice_of(log->leaves[position], 32));
            buf_byte(out, ' ');
            buf_put(out, buf_slice(&log->entries[position]));
            buf_byte(out, '\n');
            position++;
            continue;
        }
        while (position % ((size_t)2 << level) == 0 && position + ((size_t)2 << level) <= size &&
               !range_is_held(position, position + ((size_t)2 << level), step))
            level++;
        tree_hash(log, position, position + ((size_t)1 << level), hash);
        buf_printf(out, "node %u ", level);
        hash_line(out, hash);
        position += (size_t)1 << level;
    }
    buf_byte(out, '\n');
    head_make(out, log, size, signers);
}

/* ---- folders of tiles ---- */

/* A file of a folder with the folders above it. */
static inline void file_put(const char *folder, const char *name, slice bytes)
{
    char path[512];
    FILE *file;

    for (size_t i = 0; name[i] != '\0'; i++)
        if (name[i] == '/') {
            (void)snprintf(path, sizeof(path), "%.400s/%.*s", folder, (int)(i < 100 ? i : 100),
                           name);
            (void)mkdir(path, 0700);
        }
    (void)snprintf(path, sizeof(path), "%.400s/%.100s", folder, name);
    file = fopen(path, "wb");
    assert_non_null(file);
    if (bytes.len > 0)
        assert_int_equal(fwrite(bytes.at, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
}

/* Small logs only: below 256,000 entries, so that an index has three digits. */
static inline void tile_name(char out[64], const char *level, size_t index, size_t width)
{
    int at = snprintf(out, 64, "tile/%s/%03zu", level, index);

    if (width < 256)
        (void)snprintf(out + at, 64 - (size_t)at, ".p/%zu", width);
}

static inline void tiles_make(const char *folder, const struct made_log *log, size_t size,
                              unsigned level)
{
    size_t hashes = size >> (8 * level), each = (size_t)1 << (8 * level);
    char name[64], number[4];

    (void)snprintf(number, sizeof(number), "%u", level);
    for (size_t first = 0; first < hashes; first += 256) {
        struct buf tile = BUF(1 << 14);
        size_t width = hashes - first < 256 ? hashes - first : 256;

        for (size_t i = first; i < first + width; i++) {
            uint8_t hash[32];

            tree_hash(log, i * each, (i + 1) * each, hash);
            buf_put(&tile, slice_of(hash, 32));
        }
        tile_name(name, number, first / 256, width);
        file_put(folder, name, buf_slice(&tile));
        buf_free(&tile);
    }
}

static inline void folder_make(const char *folder, const struct made_log *log, size_t size,
                               const struct signer *const *signers)
{
    struct buf head = BUF(1 << 14);
    char name[64];

    for (size_t first = 0; first < size; first += 256) {
        struct buf bundle = BUF((size_t)1 << 25);
        size_t width = size - first < 256 ? size - first : 256;

        for (size_t i = first; i < first + width; i++) {
            buf_u16(&bundle, (uint16_t)log->entries[i].len);
            buf_put(&bundle, buf_slice(&log->entries[i]));
        }
        tile_name(name, "entries", first / 256, width);
        file_put(folder, name, buf_slice(&bundle));
        buf_free(&bundle);
    }
    for (unsigned level = 0; size >> (8 * level) > 0; level++)
        tiles_make(folder, log, size, level);
    head_make(&head, log, size, signers);
    file_put(folder, "checkpoint", buf_slice(&head));
    buf_free(&head);
}

/* Two witnesses, and a third that nobody trusts. */
struct cast {
    struct signer log, first, second, stranger;
    struct entente_key keys[3];
    struct entente_trust trust;
    const struct signer *signers[4];
};

static inline void cast_make(struct cast *cast)
{
    assert_true(entente_start());
    cast->log = signer_make("harbour.example/ledger", 1, 1);
    cast->first = signer_make("lighthouse.example/witness", 4, 2);
    cast->second = signer_make("pier.example/witness", 4, 3);
    cast->stranger = signer_make("stranger.example", 4, 4);
    cast->keys[0] = key_of(&cast->log);
    cast->keys[1] = key_of(&cast->first);
    cast->keys[2] = key_of(&cast->second);
    cast->trust = (struct entente_trust){.keys = cast->keys, .key_count = 3, .quorum = 1};
    cast->signers[0] = &cast->log;
    cast->signers[1] = &cast->first;
    cast->signers[2] = &cast->stranger;
    cast->signers[3] = NULL;
}
