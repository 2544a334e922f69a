#include "store/bytes.h"
#include "store/entries.h"
#include "store/writer.h"

#include "ledger/ledger.h"

#include "base/banned.h"

#define COLLECTION_ENTRY_BYTES_MAX 8192

/* number 4 -> id 16 | hidden 1 | title, alias, description: length 2 and bytes each */
static slice number_key(uint32_t number, uint8_t out[4])
{
    bytes_put(out, number, 4);
    return slice_of(out, 4);
}

static void text_read(struct reader *reader, char *out, size_t room)
{
    slice text = read_bytes(reader, read_u16(reader));

    if (text.len >= room)
        reader->broken = true;
    else if (text.len > 0)
        memcpy(out, text.at, text.len);
}

static bool collection_read(slice key, slice value, struct collection *out)
{
    struct reader reader = READER(value);
    slice id = read_bytes(&reader, sizeof(out->id.bytes));

    memset(out, 0, sizeof(*out));
    if (key.len != 4 || id.len != sizeof(out->id.bytes))
        return false;
    out->number = (uint32_t)bytes_get(key.at, 4);
    memcpy(out->id.bytes, id.at, id.len);
    out->is_hidden = read_u8(&reader) != 0;
    text_read(&reader, out->title, sizeof(out->title));
    text_read(&reader, out->alias, sizeof(out->alias));
    text_read(&reader, out->description, sizeof(out->description));
    return !reader.broken;
}

static void text_put(struct buf *out, const char *text)
{
    slice s = slice_text(text);

    buf_u16(out, (uint16_t)s.len);
    buf_put(out, s);
}

static slice id_text(const struct uuid *id, char out[UUID_TEXT_BYTES])
{
    uuid_format(id, out);
    return slice_of(out, UUID_TEXT_BYTES);
}

static void collection_write(struct kv_txn *txn, const struct collection *collection)
{
    CLEANUP(buf_free) struct buf value = BUF(COLLECTION_ENTRY_BYTES_MAX);
    char id[UUID_TEXT_BYTES];
    uint8_t key[4];
    slice number = number_key(collection->number, key);

    buf_put(&value, slice_of(collection->id.bytes, sizeof(collection->id.bytes)));
    buf_byte(&value, collection->is_hidden ? 1 : 0);
    text_put(&value, collection->title);
    text_put(&value, collection->alias);
    text_put(&value, collection->description);
    if (value.overflowed && succeeded(txn->state))
        txn->state = diag_fail(txn->diag, ERR_LIMIT, "no memory for a collection");
    kv_put(txn, TABLE_COLLECTIONS, number, buf_slice(&value));
    kv_put(txn, TABLE_NAMES, id_text(&collection->id, id), number);
    if (collection->alias[0] != '\0')
        kv_put(txn, TABLE_NAMES, slice_text(collection->alias), number);
}

bool collection_get(struct kv_txn *txn, uint32_t number, struct collection *out)
{
    uint8_t key[4];
    slice value;

    return kv_get(txn, TABLE_COLLECTIONS, number_key(number, key), &value) &&
           collection_read(slice_of(key, sizeof(key)), value, out);
}

static bool collection_named(struct kv_txn *txn, slice name, struct collection *out)
{
    char id[UUID_TEXT_BYTES];
    struct uuid uuid;
    slice number;

    if (uuid_parse(name, &uuid))
        name = id_text(&uuid, id); /* in whatever case it was written */
    if (name.len == 0 || name.len > KV_KEY_BYTES_MAX || !kv_get(txn, TABLE_NAMES, name, &number) ||
        number.len != 4)
        return false;
    return collection_get(txn, (uint32_t)bytes_get(number.at, 4), out);
}

bool store_collection_find(struct store_view *view, slice id_or_alias, struct collection *out)
{
    return collection_named(&view->txn, id_or_alias, out);
}

bool store_collection_at(struct store_view *view, size_t index, struct collection *out)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor = {0};

    kv_cursor_open(&view->txn, TABLE_COLLECTIONS, &cursor);
    bool there = kv_seek(&cursor, SLICE(""));
    while (there && index > 0) {
        there = kv_next(&cursor);
        index--;
    }
    return there && collection_read(cursor.key, cursor.value, out);
}

bool store_collection_next(struct store_view *view, uint32_t after, struct collection *out)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor = {0};
    uint8_t key[4];

    if (after == UINT32_MAX)
        return false;
    kv_cursor_open(&view->txn, TABLE_COLLECTIONS, &cursor);
    return kv_seek(&cursor, number_key(after + 1, key)) &&
           collection_read(cursor.key, cursor.value, out);
}

/* An alias stands in URLs and on command lines, and must never pass for an id. */
static bool alias_valid(slice alias)
{
    struct uuid uuid;

    if (alias.len >= COLLECTION_TITLE_BYTES_MAX || uuid_parse(alias, &uuid))
        return false;
    for (size_t i = 0; i < alias.len; i++) {
        char c = alias.at[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            (i == 0 || (c != '-' && c != '_' && c != '.')))
            return false;
    }
    return true;
}

static result texts_check(slice title, slice alias, slice description, struct diag *diag)
{
    struct collection *room = NULL;

    if (title.len == 0 || title.len >= sizeof(room->title))
        return diag_fail(diag, ERR_INVALID, "a title takes 1 to %zu bytes",
                         sizeof(room->title) - 1);
    if (!utf8_valid(title) || !utf8_valid(description))
        return diag_fail(diag, ERR_INVALID, "title or description is not UTF-8");
    if (description.len >= sizeof(room->description))
        return diag_fail(diag, ERR_INVALID, "a description takes at most %zu bytes",
                         sizeof(room->description) - 1);
    if (!alias_valid(alias))
        return diag_fail(diag, ERR_INVALID,
                         "alias \"%.*s\": takes letters, digits, \"-\", \"_\" and \".\", begins "
                         "with a letter or digit and is no UUID",
                         SLICE_ARG(alias));
    return OK;
}

static void text_set(char *out, slice text)
{
    if (text.len > 0)
        memcpy(out, text.at, text.len);
    out[text.len] = '\0';
}

static void collection_append(struct kv_txn *txn, const struct collection *collection, int64_t now,
                              slice actor)
{
    CLEANUP(buf_free) struct buf body = BUF(COLLECTION_ENTRY_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&body);
    uint64_t number;
    char id[UUID_TEXT_BYTES];

    jw_object_begin(&w);
    jw_put_u64(&w, SLICE("number"), collection->number);
    jw_put_string(&w, SLICE("id"), id_text(&collection->id, id));
    jw_put_string(&w, SLICE("title"), slice_text(collection->title));
    jw_put_string(&w, SLICE("alias"), slice_text(collection->alias));
    jw_put_string(&w, SLICE("description"), slice_text(collection->description));
    jw_put_bool(&w, SLICE("hidden"), collection->is_hidden);
    jw_put_string(&w, SLICE("actor"), slice_head(actor, COLLECTION_TITLE_BYTES_MAX));
    jw_object_end(&w);
    ledger_append(txn, TABLE_LOG, SLICE("collection"), ledger_next_us(txn, TABLE_LOG, now),
                  buf_slice(&body), &number);
}

static uint32_t next_number(struct kv_txn *txn)
{
    return (uint32_t)meta_get(txn, META_COLLECTIONS, 0) + 1;
}

static void collection_make(struct kv_txn *txn, const struct collection *collection)
{
    collection_write(txn, collection);
    /* Numbers are never given twice: a record names its collection by it for ever. */
    if (collection->number > meta_get(txn, META_COLLECTIONS, 0))
        meta_put(txn, META_COLLECTIONS, collection->number);
}

static result names_free(struct kv_txn *txn, const struct collection *wanted, struct diag *diag)
{
    struct collection other;
    char id[UUID_TEXT_BYTES];

    if (collection_named(txn, id_text(&wanted->id, id), &other))
        return diag_fail(diag, ERR_CONFLICT, "collection %.*s is there already", UUID_TEXT_BYTES,
                         id);
    if (wanted->alias[0] != '\0' && collection_named(txn, slice_text(wanted->alias), &other))
        return diag_fail(diag, ERR_CONFLICT, "alias \"%s\" is in use for \"%s\"", wanted->alias,
                         other.title);
    return txn->state;
}

static result writable(const struct store *store, struct diag *diag)
{
    return store->read_only
               ? diag_fail(diag, ERR_DENIED, "%s: opened for reading only", store->folder)
               : OK;
}

result store_collection_add(struct store *store, const struct uuid *id, slice title, slice alias,
                            slice description, slice actor, struct collection *out,
                            struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    const struct world *world = store->world;
    uint8_t random[16];

    memset(out, 0, sizeof(*out));
    TRY(writable(store, diag));
    TRY(texts_check(title, alias, description, diag));
    if (id != NULL && (uuid_version(id) != 4 || !uuid_is_rfc(id)))
        return diag_fail(diag, ERR_INVALID, "a collection's id is a version 4 UUID");
    world->random(world->context, random, sizeof(random));
    out->id = id != NULL ? *id : uuid_v4(random);
    text_set(out->title, title);
    text_set(out->alias, alias);
    text_set(out->description, description);

    kv_begin_write(store->kv, &txn, diag);
    TRY(names_free(&txn, out, diag));
    out->number = next_number(&txn);
    collection_make(&txn, out);
    collection_append(&txn, out, world->now_us(world->context), actor);
    return kv_commit(&txn);
}

static void collection_unmake(struct kv_txn *txn, const struct collection *collection)
{
    char id[UUID_TEXT_BYTES];
    uint8_t key[4];

    (void)kv_delete(txn, TABLE_COLLECTIONS, number_key(collection->number, key));
    (void)kv_delete(txn, TABLE_NAMES, id_text(&collection->id, id));
    if (collection->alias[0] != '\0')
        (void)kv_delete(txn, TABLE_NAMES, slice_text(collection->alias));
}

static void removal_append(struct kv_txn *txn, uint32_t collection, int64_t now, slice actor)
{
    CLEANUP(buf_free) struct buf body = BUF(COLLECTION_ENTRY_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&body);
    uint64_t number;

    jw_object_begin(&w);
    jw_put_u64(&w, SLICE("number"), collection);
    jw_put_string(&w, SLICE("actor"), slice_head(actor, COLLECTION_TITLE_BYTES_MAX));
    jw_object_end(&w);
    ledger_append(txn, TABLE_LOG, SLICE("collection-removed"), ledger_next_us(txn, TABLE_LOG, now),
                  buf_slice(&body), &number);
}

static bool holds_objects(struct kv_txn *txn, uint32_t number)
{
    uint8_t key[4];
    slice count;

    return kv_get(txn, TABLE_COUNTS, number_key(number, key), &count);
}

/* An import holds the write lock and no transaction while it reads: a collection must not go away
 * under it. */
result store_collection_remove(struct store *store, uint32_t number, slice actor, struct diag *diag)
{
    CLEANUP(writer_end) struct writer writer = {0};
    struct collection collection;

    TRY(writable(store, diag));
    TRY(writer_begin(store, STORE_WAITS, &writer, diag));
    kv_abort(&writer.txn);
    kv_begin_write(store->kv, &writer.txn, diag);
    if (!collection_get(&writer.txn, number, &collection)) {
        TRY(writer.txn.state);
        return diag_fail(diag, ERR_MISSING, "there is no collection %u", number);
    }
    if (holds_objects(&writer.txn, number))
        return diag_fail(diag, ERR_CONFLICT, "\"%s\" holds objects: remove them first",
                         collection.title);
    collection_unmake(&writer.txn, &collection);
    removal_append(&writer.txn, number, store->world->now_us(store->world->context), actor);
    return writer_commit(&writer);
}

/* ---- from the log ---- */

static void text_get(const struct entry *entry, slice key, char *out, size_t room)
{
    slice text = entry_text(entry, key);

    if (text.len < room)
        text_set(out, text);
}

bool collection_apply(struct kv_txn *txn, const struct entry *entry)
{
    struct collection collection = {0};

    collection.number = (uint32_t)entry_number(entry, SLICE("number"));
    text_get(entry, SLICE("title"), collection.title, sizeof(collection.title));
    text_get(entry, SLICE("alias"), collection.alias, sizeof(collection.alias));
    text_get(entry, SLICE("description"), collection.description, sizeof(collection.description));
    collection.is_hidden = entry_true(entry, SLICE("hidden"));
    if (!uuid_parse(entry_text(entry, SLICE("id")), &collection.id))
        return false;
    collection_make(txn, &collection);
    return true;
}

bool collection_apply_removal(struct kv_txn *txn, const struct entry *entry)
{
    struct collection collection;

    if (!collection_get(txn, (uint32_t)entry_number(entry, SLICE("number")), &collection))
        return false;
    collection_unmake(txn, &collection);
    return true;
}
