#include "scan/allow_keep.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/time.h"
#include "ledger/ledger.h"
#include "scan/whole.h"
#include "json/write.h"

#include "base/banned.h"

#define FOLDER "allow"
#define KIND_ADD SLICE("allow.add")
#define KIND_REMOVE SLICE("allow.remove")
#define RECORD_BYTES_MAX 65535
#define APPLY_ARENA_BYTES_MAX ((size_t)1 << 20)
#define VALUES_BYTES_MAX ((size_t)1 << 30)
#define HEX_BYTES (2 * SHA256_BYTES + 1)
#define PATH_BYTES_MAX 4200

const char *const allow_tables[] = {"allow", NULL};

static void hex_of(const struct hash256 *hash, char out[HEX_BYTES])
{
    hex_encode(slice_of(hash->bytes, SHA256_BYTES), out);
    out[HEX_BYTES - 1] = '\0';
}

static void folder_of(const struct allow_place *place, char out[PATH_BYTES_MAX])
{
    (void)snprintf(out, PATH_BYTES_MAX, "%s/" FOLDER, place->folder);
}

/* ---- records of the table ---- */

static void put_text(struct buf *out, slice text)
{
    buf_u16(out, (uint16_t)text.len);
    buf_put(out, text);
}

static slice take_text(struct reader *reader)
{
    return read_bytes(reader, read_u16(reader));
}

static void record_write(const struct allow_kept *kept, struct buf *out)
{
    buf_put(out, slice_of(kept->hash.bytes, SHA256_BYTES));
    buf_byte(out, (char)kept->list.type);
    buf_u64(out, kept->value_count);
    buf_u64(out, (uint64_t)kept->added_us);
    put_text(out, kept->list.version);
    put_text(out, kept->list.description);
    buf_u16(out, (uint16_t)kept->list.attribute_count);
    for (size_t i = 0; i < kept->list.attribute_count; i++)
        put_text(out, kept->list.attributes[i]);
}

static bool record_read(slice name, slice record, struct arena *arena, struct allow_kept *out)
{
    struct reader reader = READER(arena_copy(arena, record));
    slice hash = read_bytes(&reader, SHA256_BYTES);

    *out = (struct allow_kept){.list.name = arena_copy(arena, name)};
    if (hash.len == SHA256_BYTES)
        memcpy(out->hash.bytes, hash.at, SHA256_BYTES);
    unsigned type = read_u8(&reader);
    out->list.type = (enum allow_type)type;
    out->value_count = read_u64(&reader);
    out->added_us = (int64_t)read_u64(&reader);
    out->list.version = take_text(&reader);
    out->list.description = take_text(&reader);
    out->list.attribute_count = read_u16(&reader);
    if (reader.broken || type >= ALLOW_TYPE_COUNT ||
        out->list.attribute_count > ALLOW_ATTRIBUTES_MAX)
        return false;
    slice *attributes = arena_new(arena, slice, out->list.attribute_count + 1);
    for (size_t i = 0; attributes != NULL && i < out->list.attribute_count; i++)
        attributes[i] = take_text(&reader);
    out->list.attributes = attributes;
    return attributes != NULL && !reader.broken && reader.rest.len == 0;
}

/* ---- entries ---- */

/* What an entry says, held against what it must be. */
struct said {
    struct ledger_entry entry;
    struct arena *arena;
    bool wrong;
};

static slice said_text(struct said *said, slice key, size_t bytes_max)
{
    const struct json_node *node = json_get(&said->entry.doc, said->entry.doc.nodes, key);
    slice text = json_string(&said->entry.doc, node, said->arena);

    if (node != NULL && (text.at == NULL || text.len > bytes_max))
        said->wrong = true;
    return text.at == NULL || said->wrong ? SLICE("") : text;
}

static void apply_add(const struct allow_place *place, struct kv_txn *txn, struct said *said)
{
    CLEANUP(buf_free) struct buf record = BUF(RECORD_BYTES_MAX);
    struct allow_kept kept = {.added_us = said->entry.at_us};
    const struct json_node *attributes =
        json_get(&said->entry.doc, said->entry.doc.nodes, SLICE("attributes"));
    const struct json_node *values =
        json_get(&said->entry.doc, said->entry.doc.nodes, SLICE("values"));
    slice name = said_text(said, SLICE("name"), ALLOW_NAME_BYTES_MAX);
    slice hash = said_text(said, SLICE("hash"), 2 * SHA256_BYTES);
    int64_t count = 0;
    slice *texts = arena_new(said->arena, slice, json_count(&said->entry.doc, attributes) + 1);

    kept.list.version = said_text(said, SLICE("version"), ALLOW_NAME_BYTES_MAX);
    kept.list.description = said_text(said, SLICE("description"), ALLOW_TEXT_BYTES_MAX);
    if (name.len == 0 || !hex_decode(hash, kept.hash.bytes, SHA256_BYTES) || texts == NULL ||
        !allow_type_parse(said_text(said, SLICE("type"), 16), &kept.list.type) || values == NULL ||
        !json_i64(&said->entry.doc, values, &count) || count < 0)
        said->wrong = true;
    kept.value_count = (uint64_t)count;
    for (struct json_each each = json_each(&said->entry.doc, attributes);
         texts != NULL && json_next(&each);)
        texts[kept.list.attribute_count++] = json_string(&said->entry.doc, each.value, said->arena);
    kept.list.attributes = texts;
    if (said->wrong || said->arena->overflowed)
        return;
    record_write(&kept, &record);
    said->wrong = record.overflowed;
    kv_put(txn, place->table, name, buf_slice(&record));
}

static void apply_remove(const struct allow_place *place, struct kv_txn *txn, struct said *said)
{
    slice name = said_text(said, SLICE("name"), ALLOW_NAME_BYTES_MAX);

    if (name.len == 0 || said->wrong || !kv_delete(txn, place->table, name))
        said->wrong = true;
}

bool allow_apply(const struct allow_place *place, struct kv_txn *txn, slice kind, uint64_t number,
                 slice text)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(arena_free) struct arena arena = ARENA(APPLY_ARENA_BYTES_MAX);
    struct said said = {.arena = &arena};
    bool is_add = slice_eq(kind, KIND_ADD);

    if (!is_add && !slice_eq(kind, KIND_REMOVE))
        return false;
    result r = json_parser_new(LEDGER_DEPTH_MAX, &parser, txn->diag);
    if (succeeded(r))
        r = ledger_parse(parser, text, &said.entry, txn->diag);
    if (failed(r)) {
        kv_fail(txn, diag_within(txn->diag, r, "log: entry %" PRIu64, number));
        return true;
    }
    if (is_add)
        apply_add(place, txn, &said);
    else
        apply_remove(place, txn, &said);
    if (said.wrong || arena.overflowed)
        kv_fail(txn, diag_fail(txn->diag, ERR_CORRUPT,
                               "log: entry %" PRIu64 " of a warning list "
                               "is not what it must be",
                               number));
    return true;
}

void allow_clear_derived(const struct allow_place *place, struct kv_txn *txn)
{
    kv_clear(txn, place->table);
}

/* ---- changes ---- */

static void entry_append(const struct allow_place *place, struct kv_txn *txn, slice kind,
                         const struct buf *body)
{
    int64_t now_us = place->world->now_us(place->world->context);
    uint64_t number;
    slice entry;

    if (body->overflowed) {
        kv_fail(txn, diag_fail(txn->diag, ERR_LIMIT,
                               "the list's description and attributes are "
                               "too long for an entry of the log"));
        return;
    }
    ledger_append(txn, place->log, kind, ledger_next_us(txn, place->log, now_us), buf_slice(body),
                  &number);
    if (ledger_read(txn, place->log, number, &entry))
        (void)allow_apply(place, txn, kind, number, entry);
}

static void add_body(const struct allow_list *list, const struct hash256 *hash, slice actor,
                     struct buf *body)
{
    struct json_writer w = JSON_WRITER(body);
    char hex[HEX_BYTES];

    hex_of(hash, hex);
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("actor"), actor);
    jw_put_string(&w, SLICE("name"), list->name);
    jw_put_string(&w, SLICE("type"), slice_text(allow_type_name(list->type)));
    jw_put_string(&w, SLICE("hash"), slice_text(hex));
    jw_put_u64(&w, SLICE("values"), list->value_count);
    if (list->version.len > 0)
        jw_put_string(&w, SLICE("version"), list->version);
    if (list->description.len > 0)
        jw_put_string(&w, SLICE("description"), list->description);
    if (list->attribute_count > 0) {
        jw_key(&w, SLICE("attributes"));
        jw_array_begin(&w);
        for (size_t i = 0; i < list->attribute_count; i++)
            jw_string(&w, list->attributes[i]);
        jw_array_end(&w);
    }
    jw_object_end(&w);
}

static bool is_same(const struct allow_kept *kept, const struct allow_list *list,
                    const struct hash256 *hash)
{
    bool same = hash256_eq(&kept->hash, hash) && kept->list.type == list->type &&
                slice_eq(kept->list.version, list->version) &&
                slice_eq(kept->list.description, list->description) &&
                kept->list.attribute_count == list->attribute_count;

    for (size_t i = 0; same && i < list->attribute_count; i++)
        same = slice_eq(kept->list.attributes[i], list->attributes[i]);
    return same;
}

static bool kept_find(const struct allow_place *place, struct kv_txn *txn, slice name,
                      struct arena *arena, struct allow_kept *out)
{
    slice record;

    return kv_get(txn, place->table, name, &record) && record_read(name, record, arena, out);
}

/* Values that no list has any more go; a file that stays behind is found again by its hash. */
static void values_sweep(const struct allow_place *place, const struct hash256 *hash)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)64 << 20);
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    const struct allow_kept *lists;
    size_t count;
    struct diag diag = {0};
    char path[PATH_BYTES_MAX + HEX_BYTES], hex[HEX_BYTES];

    kv_begin_read(place->kv, &txn, &diag);
    if (failed(allow_all(place, &txn, &arena, &lists, &count, &diag)))
        return;
    for (size_t i = 0; i < count; i++)
        if (hash256_eq(&lists[i].hash, hash))
            return;
    hex_of(hash, hex);
    (void)snprintf(path, sizeof(path), "%s/" FOLDER "/%s", place->folder, hex);
    (void)unlink(path);
}

static result values_write(const struct allow_place *place, const struct allow_list *list,
                           struct hash256 *hash, struct diag *diag)
{
    CLEANUP(buf_free) struct buf bytes = BUF(VALUES_BYTES_MAX);
    char folder[PATH_BYTES_MAX], hex[HEX_BYTES];

    for (size_t i = 0; i < list->value_count; i++) {
        buf_put(&bytes, list->values[i]);
        buf_byte(&bytes, '\n');
    }
    if (bytes.overflowed)
        return diag_fail(diag, ERR_LIMIT, "the list is too large for the memory it may use");
    *hash = sha256(buf_slice(&bytes));
    hex_of(hash, hex);
    folder_of(place, folder);
    TRY(whole_folder(place->folder, FOLDER, diag));
    return whole_write(folder, hex, buf_slice(&bytes), diag);
}

result allow_keep(const struct allow_place *place, const struct allow_list *list, slice actor,
                  bool *is_new, struct diag *diag)
{
    CLEANUP(buf_free) struct buf body = BUF(LEDGER_ENTRY_BYTES_MAX);
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 20);
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct allow_kept before = {0};
    struct hash256 hash;

    TRY(values_write(place, list, &hash, diag));
    kv_begin_write(place->kv, &txn, diag);
    bool was_there = kept_find(place, &txn, list->name, &arena, &before);
    *is_new = !was_there || !is_same(&before, list, &hash);
    if (!*is_new)
        return txn.state;
    if (!was_there && kv_count(&txn, place->table) >= ALLOW_LISTS_MAX)
        return diag_fail(diag, ERR_LIMIT, "the node has %d warning lists, and takes no more",
                         ALLOW_LISTS_MAX);
    add_body(list, &hash, actor, &body);
    entry_append(place, &txn, KIND_ADD, &body);
    TRY(kv_commit(&txn));
    if (was_there)
        values_sweep(place, &before.hash);
    return OK;
}

result allow_drop(const struct allow_place *place, slice name, slice actor, struct diag *diag)
{
    CLEANUP(buf_free) struct buf body = BUF(LEDGER_ENTRY_BYTES_MAX);
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 20);
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct json_writer w = JSON_WRITER(&body);
    struct allow_kept kept = {0};

    kv_begin_write(place->kv, &txn, diag);
    if (name.len == 0 || name.len > ALLOW_NAME_BYTES_MAX ||
        !kept_find(place, &txn, name, &arena, &kept))
        return failed(txn.state)
                   ? txn.state
                   : diag_fail(diag, ERR_MISSING, "no warning list \"%.*s\"", SLICE_ARG(name));
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("actor"), actor);
    jw_put_string(&w, SLICE("name"), name);
    jw_object_end(&w);
    entry_append(place, &txn, KIND_REMOVE, &body);
    TRY(kv_commit(&txn));
    values_sweep(place, &kept.hash);
    return OK;
}

/* ---- reading ---- */

result allow_all(const struct allow_place *place, struct kv_txn *txn, struct arena *arena,
                 const struct allow_kept **out, size_t *count, struct diag *diag)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor = {0};
    size_t room = (size_t)kv_count(txn, place->table);
    struct allow_kept *lists = arena_new(arena, struct allow_kept, room + 1);

    *out = lists;
    *count = 0;
    if (lists == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for warning lists");
    kv_cursor_open(txn, place->table, &cursor);
    for (bool more = kv_seek(&cursor, SLICE("")); more && *count < room; more = kv_next(&cursor))
        if (!record_read(cursor.key, cursor.value, arena, &lists[(*count)++]))
            return diag_fail(diag, ERR_CORRUPT, "warning list \"%.*s\": its record is broken",
                             SLICE_ARG(cursor.key));
    return txn->state;
}

/* The values, borrowed from the mapped file. */
static result values_read(const struct allow_place *place, const struct allow_kept *kept,
                          struct arena *arena, struct whole *file, struct allow_list *out,
                          struct diag *diag)
{
    char folder[PATH_BYTES_MAX], hex[HEX_BYTES];
    slice rest, line;

    folder_of(place, folder);
    hex_of(&kept->hash, hex);
    result r = whole_map(folder, hex, VALUES_BYTES_MAX, file, diag);
    if (failed(r))
        return diag_within(diag, r, "warning list \"%.*s\"", SLICE_ARG(kept->list.name));
    struct hash256 hash = sha256(file->bytes);
    if (!hash256_eq(&hash, &kept->hash))
        return diag_fail(diag, ERR_CORRUPT,
                         "warning list \"%.*s\": %s/%s is not what was kept; add the list again",
                         SLICE_ARG(kept->list.name), folder, hex);
    *out = kept->list;
    slice *values = arena_new(arena, slice, kept->value_count + 1);
    rest = file->bytes;
    while (values != NULL && rest.len > 0 && out->value_count < kept->value_count) {
        slice_cut(rest, '\n', &line, &rest);
        values[out->value_count++] = line;
    }
    out->values = values;
    return values != NULL ? OK : diag_fail(diag, ERR_LIMIT, "no memory for warning lists");
}

static result load_files(const struct allow_place *place, const struct allow_kept *kept,
                         size_t count, struct whole *files, struct arena *arena, struct allow **out,
                         struct diag *diag)
{
    struct allow_list *lists = arena_new(arena, struct allow_list, count + 1);

    if (lists == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for warning lists");
    for (size_t i = 0; i < count; i++)
        TRY(values_read(place, &kept[i], arena, &files[i], &lists[i], diag));
    return allow_build(lists, count, out, diag);
}

result allow_load(const struct allow_place *place, struct allow **out, struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA(ALLOW_ARENA_BYTES_MAX);
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    const struct allow_kept *kept;
    size_t count;

    *out = NULL;
    kv_begin_read(place->kv, &txn, diag);
    TRY(allow_all(place, &txn, &arena, &kept, &count, diag));
    struct whole *files = arena_new(&arena, struct whole, count + 1);
    if (files == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for warning lists");
    result r = load_files(place, kept, count, files, &arena, out, diag);
    for (size_t i = 0; i < count; i++)
        whole_unmap(&files[i]);
    return r;
}
