/* Bundles: entries of one log, and hashes of all that stands between them. */
#include <string.h>

#include "verify/inside.h"

#include "base/banned.h"

#define FIRST_LINE BYTES("entente-bundle@v1\n")

/* "entry N HASH ENTRY" without its first word. */
static bool entry_take(struct entente_bytes line, uint64_t *number, struct entente_hash *hash,
                       struct entente_bytes *entry)
{
    struct entente_bytes number_text, hash_text;

    *entry = line;
    return bytes_cut(entry, ' ', &number_text) && bytes_cut(entry, ' ', &hash_text) &&
           number_parse(number_text, number) && hash_parse(hash_text, hash) &&
           entry->count <= ENTENTE_ENTRY_BYTES_MAX;
}

static bool entry_add(struct entente_bytes line, struct entente_tree *tree, struct entente_why *why)
{
    struct entente_bytes entry;
    struct entente_hash said, hash;
    uint64_t number;

    if (!entry_take(line, &number, &said, &entry))
        return refuse(why,
                      "bundle: behind %llu entries: a line \"entry\" takes a number, a hash "
                      "and the entry",
                      (unsigned long long)tree->size);
    if (number != tree->size)
        return refuse_entry(why, tree->size, "bundle: entry %llu stands where %llu belongs",
                            (unsigned long long)number, (unsigned long long)tree->size);
    entente_leaf_hash(entry, &hash);
    if (!entente_hash_equal(&hash, &said))
        return refuse_entry(why, number,
                            "entry %llu: is not the one that was bundled: its hash is "
                            "another",
                            (unsigned long long)number);
    if (!entente_tree_add(tree, 0, &hash))
        return refuse(why, "bundle: too many entries");
    return true;
}

/* "node LEVEL HASH" without its first word. */
static bool node_add(struct entente_bytes line, struct entente_tree *tree, struct entente_why *why)
{
    struct entente_bytes level_text;
    struct entente_hash hash;
    uint64_t level;

    if (!bytes_cut(&line, ' ', &level_text) || !number_parse(level_text, &level) || level > 62 ||
        !hash_parse(line, &hash))
        return refuse(why, "bundle: behind %llu entries: a line \"node\" takes a level and a hash",
                      (unsigned long long)tree->size);
    if (!entente_tree_add(tree, (unsigned)level, &hash))
        return refuse(why, "bundle: a node of level %llu cannot begin at entry %llu",
                      (unsigned long long)level, (unsigned long long)tree->size);
    return true;
}

/* All lines up to the empty one in front of the head. */
static bool lines_take(struct entente_bytes *rest, struct entente_tree *tree, uint64_t *entry_count,
                       struct entente_why *why)
{
    struct entente_bytes line;

    while (line_next(rest, &line)) {
        if (line.count == 0)
            return true;
        if (bytes_start(line, BYTES("entry "))) {
            if (!entry_add(bytes_from(line, 6), tree, why))
                return false;
            (*entry_count)++;
        } else if (bytes_start(line, BYTES("node "))) {
            if (!node_add(bytes_from(line, 5), tree, why))
                return false;
        } else {
            return refuse(why, "bundle: behind %llu entries: a line that is neither entry nor node",
                          (unsigned long long)tree->size);
        }
    }
    return refuse(why, "bundle: cut off behind %llu entries", (unsigned long long)tree->size);
}

static bool start_take(struct entente_bytes *rest, struct entente_bundle *out,
                       struct entente_why *why)
{
    if (!bytes_start(*rest, FIRST_LINE))
        return refuse(why, "bundle: its first line is not entente-bundle@v1");
    *rest = bytes_from(*rest, FIRST_LINE.count);
    out->filter = bytes_head(*rest, 0);
    if (!bytes_start(*rest, BYTES("filter ")))
        return true;
    if (!line_next(rest, &out->filter) || !text_is_plain(out->filter))
        return refuse(why, "bundle: its line \"filter\" is no plain text");
    out->filter = bytes_from(out->filter, 7);
    return true;
}

bool entente_bundle_check(struct entente_bytes file, const struct entente_trust *trust,
                          struct entente_bundle *out, struct entente_why *why)
{
    struct entente_bytes rest = file;
    struct entente_tree tree = {0};
    struct entente_hash root;

    memset(out, 0, sizeof(*out));
    if (!start_take(&rest, out, why))
        return false;
    out->lines = rest;
    if (!lines_take(&rest, &tree, &out->entry_count, why) ||
        !entente_head_check(rest, trust, &out->head, why))
        return false;
    if (tree.size != out->head.size)
        return refuse(why, "bundle: covers %llu entries, its head has %llu",
                      (unsigned long long)tree.size, (unsigned long long)out->head.size);
    entente_tree_root(&tree, &root);
    if (!entente_hash_equal(&root, &out->head.root))
        return refuse(why, "bundle: each entry has the hash beside it, and together with the nodes "
                           "they do not lead to the head's root: hashes were altered");
    return true;
}

bool entente_bundle_next(struct entente_bytes *lines, uint64_t *number, struct entente_bytes *entry)
{
    struct entente_bytes line;
    struct entente_hash hash;

    while (line_next(lines, &line) && line.count > 0)
        if (bytes_start(line, BYTES("entry ")))
            return entry_take(bytes_from(line, 6), number, &hash, entry);
    *lines = bytes_head(*lines, 0); /* the head is no line of the bundle */
    return false;
}
