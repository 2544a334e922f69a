/* A folder of tiles and entry bundles (C2SP tlog-tiles), against its checkpoint.
 *
 * From left to right: the entries of each bundle against the hashes of the tile of level 0, each
 * whole tile against its hash in the level above, all of them together against the root.  So the
 * first thing that was altered is named: an entry, a tile, or the head.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "verify/inside.h"

#include "base/banned.h"

#define TILE_HASHES 256
#define TILE_BITS 8
#define LEVELS_MAX 8
#define PATH_BYTES 80
#define BUNDLE_BYTES_MAX ((size_t)TILE_HASHES * (2 + ENTENTE_ENTRY_BYTES_MAX))

/* The tiles of level 1 and up, as the level below makes them. */
struct made_tile {
    uint64_t index; /* of the tile that is being filled */
    size_t count;
    struct entente_hash hashes[TILE_HASHES];
};

struct walk {
    int folder;
    uint64_t size;
    struct entente_tree tree;
    struct made_tile above[LEVELS_MAX]; /* [0] is level 1 */
    const struct entente_head *heads;
    size_t head_count;
    struct entente_folder *out;
    struct entente_why *why;
};

/* "tile/LEVEL/x001/x234/067.p/5"; level NULL-terminated: a number or "entries". */
static void tile_path(char out[PATH_BYTES], const char *level, uint64_t index, size_t width)
{
    int at = snprintf(out, PATH_BYTES, "tile/%s/", level);
    uint64_t scale = 1;

    while (index / scale >= 1000)
        scale *= 1000;
    for (; scale > 1; scale /= 1000)
        at +=
            snprintf(out + at, PATH_BYTES - (size_t)at, "x%03u/", (unsigned)(index / scale % 1000));
    at += snprintf(out + at, PATH_BYTES - (size_t)at, "%03u", (unsigned)(index % 1000));
    if (width < TILE_HASHES)
        (void)snprintf(out + at, PATH_BYTES - (size_t)at, ".p/%zu", width);
}

static bool tile_load(struct walk *walk, unsigned level, uint64_t index, size_t width,
                      struct entente_hash hashes[TILE_HASHES], char path[PATH_BYTES])
{
    LOADED loaded = {0};
    char name[4];

    (void)snprintf(name, sizeof(name), "%u", level);
    tile_path(path, name, index, width);
    if (!load_named(walk->folder, path, TILE_HASHES * sizeof(hashes[0]), &loaded, walk->why))
        return false;
    if (loaded.bytes.count != width * sizeof(hashes[0]))
        return refuse(walk->why, "%s: %zu bytes, not %zu hashes", path, loaded.bytes.count, width);
    memcpy(hashes, loaded.bytes.at, loaded.bytes.count);
    return true;
}

/* ---- entries ---- */

static bool entry_next(struct entente_bytes *rest, struct entente_bytes *entry)
{
    size_t count;

    if (rest->count < 2)
        return false;
    count = (size_t)rest->at[0] << 8 | rest->at[1];
    if (rest->count - 2 < count)
        return false;
    *entry = bytes_head(bytes_from(*rest, 2), count);
    *rest = bytes_from(*rest, 2 + count);
    return true;
}

/* Every entry of a bundle against its hash.  The first that is wrong is told, all are counted. */
static bool entries_check(struct walk *walk, uint64_t first, struct entente_bytes bundle,
                          const struct entente_hash *hashes, size_t width, const char *path)
{
    struct entente_bytes entry;
    struct entente_hash hash;

    for (size_t i = 0; i < width; i++) {
        uint64_t number = first + i;

        if (!entry_next(&bundle, &entry)) {
            /* Behind one that is wrong the lengths are none either: the first is what is told. */
            if (walk->out->entries_wrong++ == 0)
                (void)refuse_entry(walk->why, number, "entry %" PRIu64 ": %s is cut off in it",
                                   number, path);
            return false;
        }
        entente_leaf_hash(entry, &hash);
        if (!entente_hash_equal(&hash, &hashes[i]) && walk->out->entries_wrong++ == 0)
            (void)refuse_entry(walk->why, number,
                               "entry %" PRIu64 ": %s has another than the one whose hash is in "
                               "the tile",
                               number, path);
    }
    if (walk->out->entries_wrong > 0)
        return false;
    if (bundle.count > 0)
        return refuse_entry(walk->why, first + width,
                            "%s: %zu bytes behind entry %" PRIu64 ", its last", path, bundle.count,
                            first + width - 1);
    return true;
}

/* ---- tiles ---- */

static bool tile_compare(struct walk *walk, unsigned level, size_t width)
{
    struct made_tile *made = &walk->above[level - 1];
    struct entente_hash hashes[TILE_HASHES];
    char path[PATH_BYTES];

    if (!tile_load(walk, level, made->index, width, hashes, path))
        return false;
    for (size_t i = 0; i < width; i++)
        if (!entente_hash_equal(&hashes[i], &made->hashes[i])) {
            uint64_t below = made->index * TILE_HASHES + i;
            unsigned bits = TILE_BITS * level;

            return refuse_entry(walk->why, below << bits,
                                "entries %" PRIu64 " to %" PRIu64 ": tile %" PRIu64
                                " of level %u and %s disagree",
                                below << bits, ((below + 1) << bits) - 1, below, level - 1, path);
        }
    return true;
}

static struct entente_hash tile_hash(const struct entente_hash hashes[TILE_HASHES])
{
    struct entente_tree tree = {0};
    struct entente_hash hash;

    for (size_t i = 0; i < TILE_HASHES; i++)
        (void)entente_tree_add(&tree, 0, &hashes[i]); /* from 0 a leaf always fits */
    entente_tree_root(&tree, &hash);
    return hash;
}

/* A whole tile's hash goes into the level above, which may become whole in turn. */
static bool hash_rises(struct walk *walk, struct entente_hash hash)
{
    for (unsigned level = 1; level <= LEVELS_MAX; level++) {
        struct made_tile *made = &walk->above[level - 1];

        made->hashes[made->count++] = hash;
        if (made->count < TILE_HASHES)
            return true;
        if (!tile_compare(walk, level, TILE_HASHES))
            return false;
        hash = tile_hash(made->hashes);
        made->index++;
        made->count = 0;
    }
    return true;
}

/* Heads that end in this tile: the folder must have had them. */
static bool heads_check(struct walk *walk, const struct entente_hash *hashes, size_t width)
{
    for (size_t i = 0; i < walk->head_count; i++) {
        const struct entente_head *head = &walk->heads[i];
        struct entente_tree tree = walk->tree;
        struct entente_hash root;

        if (!bytes_equal(head->origin, walk->out->head.origin) || head->size <= tree.size ||
            head->size - tree.size > width)
            continue;
        for (size_t k = 0; tree.size < head->size; k++)
            (void)entente_tree_add(&tree, 0, &hashes[k]);
        entente_tree_root(&tree, &root);
        if (!entente_hash_equal(&root, &head->root))
            return refuse(walk->why,
                          "another history: the first %" PRIu64 " entries are not those of the "
                          "head with %" PRIu64 " entries that %s signed before",
                          head->size, head->size, head->key != NULL ? head->key->name : "the log");
    }
    return true;
}

static bool stretch_check(struct walk *walk, uint64_t index, size_t width)
{
    LOADED bundle = {0};
    struct entente_hash hashes[TILE_HASHES];
    char path[PATH_BYTES];

    if (!tile_load(walk, 0, index, width, hashes, path))
        return false;
    tile_path(path, "entries", index, width);
    if (!load_named(walk->folder, path, BUNDLE_BYTES_MAX, &bundle, walk->why) ||
        !entries_check(walk, index * TILE_HASHES, bundle.bytes, hashes, width, path) ||
        !heads_check(walk, hashes, width))
        return false;
    if (width == TILE_HASHES) {
        struct entente_hash hash = tile_hash(hashes);

        return entente_tree_add(&walk->tree, TILE_BITS, &hash) && hash_rises(walk, hash);
    }
    for (size_t i = 0; i < width; i++)
        (void)entente_tree_add(&walk->tree, 0, &hashes[i]);
    return true;
}

static bool walk_all(struct walk *walk)
{
    struct entente_hash root;

    for (uint64_t first = 0; first < walk->size; first += TILE_HASHES) {
        uint64_t left = walk->size - first;

        if (!stretch_check(walk, first / TILE_HASHES,
                           left < TILE_HASHES ? (size_t)left : TILE_HASHES))
            return false;
    }
    for (unsigned level = 1; level <= LEVELS_MAX; level++)
        if (walk->above[level - 1].count > 0 &&
            !tile_compare(walk, level, walk->above[level - 1].count))
            return false;
    entente_tree_root(&walk->tree, &root);
    if (!entente_hash_equal(&root, &walk->out->head.root))
        return refuse(walk->why, "entries and tiles agree, and are not those of the head: its root "
                                 "hash is another");
    return true;
}

/* ---- the head ---- */

static bool head_load(struct walk *walk, const struct entente_trust *trust)
{
    LOADED loaded = {0};

    if (!load_named(walk->folder, "checkpoint", ENTENTE_NOTE_BYTES_MAX, &loaded, walk->why))
        return false;
    memcpy(walk->out->note, loaded.bytes.at, loaded.bytes.count);
    if (!entente_head_check((struct entente_bytes){walk->out->note, loaded.bytes.count}, trust,
                            &walk->out->head, walk->why))
        return refuse_within(walk->why, "checkpoint");
    for (size_t i = 0; i < walk->head_count; i++)
        if (bytes_equal(walk->heads[i].origin, walk->out->head.origin) &&
            walk->heads[i].size > walk->out->head.size)
            return refuse(walk->why,
                          "cut or rolled back: %" PRIu64 " entries, and there was a head with "
                          "%" PRIu64,
                          walk->out->head.size, walk->heads[i].size);
    walk->size = walk->out->head.size;
    return true;
}

bool entente_folder_check(const char *path, const struct entente_trust *trust,
                          const struct entente_head *heads, size_t head_count,
                          struct entente_folder *out, struct entente_why *why)
{
    struct walk walk = {.heads = heads, .head_count = head_count, .out = out, .why = why};
    char words[128];
    bool holds;

    memset(out, 0, sizeof(*out));
    walk.folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (walk.folder < 0)
        return refuse(why, "%s", strerror_r(errno, words, sizeof(words)));
    holds = head_load(&walk, trust) && walk_all(&walk);
    (void)close(walk.folder);
    return holds;
}
