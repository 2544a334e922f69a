#include "ledger/tile.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"

#include "base/banned.h"

#define PATH_BYTES_MAX 4200
#define TILE_HEIGHT 8
#define TILE_BYTES_MAX (TILE_WIDTH * (2 + (size_t)LEDGER_ENTRY_BYTES_MAX))
#define GROUP_DIGITS 3
#define TILE_LEVELS_MAX 8 /* 2^63 entries fill no more */

/* ---- paths ---- */

static bool digits_parse(slice text, uint64_t *out)
{
    return parse_u64(text, out) && (text.len == 1 || text.at[0] != '0');
}

/* x001/x234/067 */
static bool index_parse(slice path, uint64_t *out)
{
    uint64_t index = 0, group;
    slice part;
    bool more = true, is_first = true;

    while (more) {
        more = slice_cut(path, '/', &part, &path);
        if (more != (part.len == GROUP_DIGITS + 1 && part.at[0] == 'x'))
            return false;
        part = slice_from(part, more ? 1 : 0);
        if (part.len != GROUP_DIGITS || !parse_u64(part, &group) || index > UINT64_MAX / 2000)
            return false;
        if (is_first && more && group == 0)
            return false; /* one path for each number */
        index = index * 1000 + group;
        is_first = false;
    }
    *out = index;
    return true;
}

/* The suffix ".p/W", where there is one, taken off. */
static bool width_parse(slice *path, unsigned *out)
{
    size_t at = slice_find(*path, SLICE(".p/"));
    uint64_t width;

    *out = TILE_WIDTH;
    if (at == SIZE_MAX)
        return true;
    if (!digits_parse(slice_from(*path, at + 3), &width) || width == 0 || width >= TILE_WIDTH)
        return false;
    *out = (unsigned)width;
    *path = slice_head(*path, at);
    return true;
}

bool tile_path_parse(slice path, struct tile *out)
{
    uint64_t level = 0;
    slice kind;

    *out = (struct tile){0};
    if (path.len >= TILE_PATH_BYTES_MAX || !slice_starts(path, SLICE("tile/")))
        return false;
    if (!slice_cut(slice_from(path, 5), '/', &kind, &path))
        return false;
    out->is_entries = slice_eq(kind, SLICE("entries"));
    if (!out->is_entries && (!digits_parse(kind, &level) || level >= TILE_LEVELS_MAX))
        return false;
    out->level = (unsigned)level;
    return width_parse(&path, &out->width) && index_parse(path, &out->index);
}

size_t tile_path_write(const struct tile *tile, char out[TILE_PATH_BYTES_MAX])
{
    char digits[TILE_PATH_BYTES_MAX / 2];
    int bytes = tile->is_entries ? snprintf(out, TILE_PATH_BYTES_MAX, "tile/entries")
                                 : snprintf(out, TILE_PATH_BYTES_MAX, "tile/%u", tile->level);
    size_t count = 1;

    for (uint64_t rest = tile->index / 1000; rest > 0; rest /= 1000)
        count++;
    int width = snprintf(digits, sizeof(digits), "%0*llu", (int)(count * GROUP_DIGITS),
                         (unsigned long long)tile->index);
    for (int i = 0; i < width; i += GROUP_DIGITS)
        bytes += snprintf(out + bytes, TILE_PATH_BYTES_MAX - (size_t)bytes, "/%s%.3s",
                          i + GROUP_DIGITS < width ? "x" : "", digits + i);
    if (tile->width < TILE_WIDTH)
        bytes += snprintf(out + bytes, TILE_PATH_BYTES_MAX - (size_t)bytes, ".p/%u", tile->width);
    return (size_t)bytes;
}

/* ---- contents ---- */

/* Hashes at a level of tiles in a tree of this size. */
static uint64_t level_hashes(uint64_t size, unsigned level)
{
    return level * TILE_HEIGHT > 62 ? 0 : size >> (level * TILE_HEIGHT);
}

bool tile_is_in(const struct tile *tile, uint64_t size)
{
    uint64_t hashes = level_hashes(size, tile->is_entries ? 0 : tile->level);

    return tile->index <= hashes / TILE_WIDTH && hashes - tile->index * TILE_WIDTH >= tile->width;
}

static void entries_write(struct kv_txn *txn, kv_table log, const struct tile *tile,
                          struct buf *out)
{
    for (uint64_t i = 0; i < tile->width && succeeded(txn->state); i++) {
        uint64_t number = tile->index * TILE_WIDTH + i;
        slice entry;

        if (!ledger_read(txn, log, number, &entry) || FAULT_HERE()) {
            if (succeeded(txn->state))
                kv_fail(txn, diag_fail(txn->diag, ERR_CORRUPT, "log: entry %llu is missing",
                                       (unsigned long long)number));
            return;
        }
        buf_u16(out, (uint16_t)entry.len);
        buf_put(out, entry);
    }
}

void tile_write(struct kv_txn *txn, kv_table log, const struct tile *tile, struct buf *out)
{
    if (tile->is_entries)
        entries_write(txn, log, tile, out);
    for (uint64_t i = 0; !tile->is_entries && i < tile->width; i++) {
        struct hash256 hash = tree_node(txn, ledger_tree_table(log), tile->level * TILE_HEIGHT,
                                        tile->index * TILE_WIDTH + i);
        buf_put(out, slice_of(hash.bytes, SHA256_BYTES));
    }
    if (out->overflowed)
        kv_fail(txn, diag_fail(txn->diag, ERR_LIMIT, "no memory for a tile"));
}

/* ---- export ---- */

struct exporter {
    const struct ledger *ledger;
    struct kv_txn txn;
    const char *folder;
    struct tile_export *counts;
    struct diag *diag;
};

/* The folders in front of a file. */
static result folders_make(const char *path, size_t from, struct diag *diag)
{
    char part[PATH_BYTES_MAX];

    for (size_t i = from; path[i] != '\0'; i++) {
        if (path[i] != '/')
            continue;
        (void)snprintf(part, sizeof(part), "%.*s", (int)i, path);
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return diag_errno(diag, errno, "%s", part);
    }
    return OK;
}

/* What a whole tile makes useless: the partial ones of its place. */
static void partials_remove(const char *path)
{
    char old[PATH_BYTES_MAX + 16];

    for (unsigned width = 1; width < TILE_WIDTH; width++) {
        (void)snprintf(old, sizeof(old), "%s.p/%u", path, width);
        (void)unlink(old);
    }
    (void)snprintf(old, sizeof(old), "%s.p", path);
    (void)rmdir(old);
}

static result tile_put(struct exporter *exporter, const struct tile *tile)
{
    CLEANUP(buf_free) struct buf bytes = BUF(TILE_BYTES_MAX);
    char path[PATH_BYTES_MAX], name[TILE_PATH_BYTES_MAX];
    struct stat about;

    (void)tile_path_write(tile, name);
    (void)snprintf(path, sizeof(path), "%s/%s", exporter->folder, name);
    if (stat(path, &about) == 0) { /* it never changes, and was put there whole */
        exporter->counts->kept++;
        return OK;
    }
    tile_write(&exporter->txn, exporter->ledger->log, tile, &bytes);
    TRY(exporter->txn.state);
    TRY(folders_make(path, strlen(exporter->folder) + 1, exporter->diag));
    TRY(ledger_file_put(path, 0644, buf_slice(&bytes), exporter->diag));
    exporter->counts->written++;
    if (tile->width == TILE_WIDTH)
        partials_remove(path);
    return OK;
}

static result level_put(struct exporter *exporter, bool is_entries, unsigned level)
{
    uint64_t hashes = level_hashes(exporter->counts->size, level);

    for (uint64_t index = 0; index * TILE_WIDTH < hashes; index++) {
        uint64_t rest = hashes - index * TILE_WIDTH;
        struct tile tile = {is_entries, level, index,
                            rest < TILE_WIDTH ? (unsigned)rest : TILE_WIDTH};

        TRY(tile_put(exporter, &tile));
    }
    return OK;
}

static result text_put(struct exporter *exporter, const char *name, slice text)
{
    char path[PATH_BYTES_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", exporter->folder, name);
    return ledger_file_put(path, 0644, text, exporter->diag);
}

static result all_put(struct exporter *exporter)
{
    CLEANUP(buf_free) struct buf vkey = BUF(NOTE_KEY_TEXT_BYTES_MAX + 1);
    struct checkpoint checkpoint;
    char path[PATH_BYTES_MAX];
    struct note note;
    slice head;

    if (!ledger_head_last(&exporter->txn, exporter->ledger->log, &head)) {
        TRY(exporter->txn.state);
        return diag_fail(exporter->diag, ERR_MISSING, "there is no head yet");
    }
    TRY(ledger_head_parse(head, &note, &checkpoint, exporter->diag));
    exporter->counts->size = checkpoint.size;
    (void)snprintf(path, sizeof(path), "%s/checkpoint", exporter->folder);
    /* One that is there already is of this log, and of a history that goes on here. */
    TRY(ledger_head_file_check(exporter->ledger, &exporter->txn, path, exporter->diag));
    TRY(level_put(exporter, true, 0));
    for (unsigned level = 0; level < TILE_LEVELS_MAX; level++)
        TRY(level_put(exporter, false, level));
    note_verifier_write(&exporter->ledger->log_key.verifier, &vkey);
    buf_byte(&vkey, '\n');
    TRY(text_put(exporter, "log.vkey", buf_slice(&vkey)));
    return text_put(exporter, "checkpoint", head);
}

result tile_export(const struct ledger *ledger, const char *folder, struct tile_export *out,
                   struct diag *diag)
{
    struct exporter exporter = {.ledger = ledger, .folder = folder, .counts = out, .diag = diag};

    *out = (struct tile_export){0};
    if (strlen(folder) > PATH_BYTES_MAX - TILE_PATH_BYTES_MAX - 64)
        return diag_fail(diag, ERR_LIMIT, "%s: the path is too long", folder);
    if (mkdir(folder, 0755) != 0 && errno != EEXIST)
        return diag_errno(diag, errno, "%s", folder);
    kv_begin_read(ledger->kv, &exporter.txn, diag);
    result r = exporter.txn.state;
    if (succeeded(r))
        r = all_put(&exporter);
    kv_abort(&exporter.txn);
    return r;
}
