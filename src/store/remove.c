/* Removal: the bytes go, that they were there stays. */
#include "store/entries.h"
#include "store/object_open.h"
#include "store/plan.h"
#include "store/writer.h"

#include "base/log.h"
#include "ledger/ledger.h"

#include "base/banned.h"

#define SEQS_PER_ENTRY 4000 /* of at most 15 digits: an entry holds 64 KiB */
#define REMOVAL_ARENA_BYTES_MAX ((size_t)256 << 20)

static void terms_drop(struct kv_txn *txn, const struct stix_object *object, struct opener *opener,
                       uint64_t seq)
{
    CLEANUP(buf_free) struct buf terms = BUF(SEGMENT_BYTES);
    struct term_sink *sink = arena_new(&opener->arena, struct term_sink, 1);
    struct term term;
    slice rest;

    if (sink == NULL) {
        opener->state = diag_fail(opener->diag, ERR_LIMIT, "no memory to remove an object");
        return;
    }
    term_sink_init(sink, &terms, 0);
    terms_of(object, &opener->arena, sink);
    for (rest = buf_slice(&terms); term_next(&rest, &term);)
        posting_drop(txn, TABLE_TERMS, term.bytes, seq);
    if (terms.overflowed || opener->arena.overflowed)
        opener->state = diag_fail(opener->diag, ERR_LIMIT, "no memory to remove an object");
}

/* Does another addition that is still there hold the same bytes? */
static bool text_is_held(struct store *store, struct kv_txn *txn, const struct record *record)
{
    struct id_version version;
    struct id_walk walk;
    bool held = false;

    id_open(&walk, txn, &record->uuid, record->type);
    while (!held && id_next(&walk, &version)) {
        struct record other;

        held = record_decode(files_record(&store->files, version.seq), &other) &&
               other.text_at == record->text_at;
    }
    id_close(&walk);
    return held;
}

static void hole_note(struct kv_txn *txn, const struct record *record)
{
    uint8_t key[8], value[4];

    bytes_put(key, record->text_at, sizeof(key));
    bytes_put(value, record->text_bytes, sizeof(value));
    kv_put(txn, TABLE_HOLES, slice_of(key, sizeof(key)), slice_of(value, sizeof(value)));
}

/* What is the newest now was perhaps superseded by what is gone. */
static void newest_revive(struct store *store, struct kv_txn *txn, const struct record *gone)
{
    struct id_version version;
    struct id_walk walk;
    uint64_t newest = SEQ_NONE;

    id_open(&walk, txn, &gone->uuid, gone->type);
    while (id_next(&walk, &version)) {
        struct record other;

        if (record_decode(files_record(&store->files, version.seq), &other) &&
            other.collection == gone->collection)
            newest = version.seq;
    }
    id_close(&walk);
    if (newest == SEQ_NONE || !dead_is(txn, DEAD_SUPERSEDED, newest))
        return;
    dead_set(txn, DEAD_SUPERSEDED, &newest, 1, false);
    count_add(txn, gone->collection, 1);
}

static void addition_drop(struct store *store, struct kv_txn *txn, struct opener *opener,
                          uint64_t seq)
{
    struct stix_object object;
    struct record record;
    uint8_t bytes[TERM_BYTES_MAX];

    if (seq >= meta_get(txn, META_SEQ_END, 0) || dead_is(txn, DEAD_REMOVED, seq) ||
        !record_decode(files_record(&store->files, seq), &record))
        return;
    if (opener_open(opener, &store->files, &record, &object))
        terms_drop(txn, &object, opener, seq);
    if (failed(opener->state) && succeeded(txn->state))
        txn->state = opener->state;
    posting_drop(txn, TABLE_TERMS, term_type(record.type, bytes), seq);
    id_drop(txn, &record, seq);
    dead_set(txn, DEAD_REMOVED, &seq, 1, true);
    if (!dead_is(txn, DEAD_SUPERSEDED, seq))
        count_add(txn, record.collection, -1);
    newest_revive(store, txn, &record);
    meta_put(txn, META_REMOVED, meta_get(txn, META_REMOVED, 0) + 1);
    if (!text_is_held(store, txn, &record))
        hole_note(txn, &record);
}

static void removal_append(struct kv_txn *txn, uint32_t collection, slice id, const uint64_t *seqs,
                           size_t count, int64_t now, slice actor)
{
    CLEANUP(buf_free) struct buf body = BUF(LEDGER_ENTRY_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&body);
    uint64_t number;

    jw_object_begin(&w);
    jw_put_u64(&w, SLICE("collection"), collection);
    jw_put_string(&w, SLICE("object"), id);
    jw_put_string(&w, SLICE("actor"), slice_head(actor, COLLECTION_TITLE_BYTES_MAX));
    jw_key(&w, SLICE("seqs"));
    jw_array_begin(&w);
    for (size_t i = 0; i < count; i++)
        jw_u64(&w, seqs[i]);
    jw_array_end(&w);
    jw_object_end(&w);
    ledger_append(txn, TABLE_LOG, SLICE("remove"), ledger_next_us(txn, TABLE_LOG, now),
                  buf_slice(&body), &number);
}

/* The filter's additions of the one object, in a view of what is there now. */
static result removal_find(struct store *store, uint32_t collection, slice id,
                           const struct store_query *versions, struct arena *arena,
                           struct store_page *page, struct diag *diag)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    struct store_query query = {0};

    if (versions != NULL)
        query = *versions;
    query.collection = collection;
    query.ids = &id;
    query.id_count = 1;
    if (!query.version_first && !query.version_last && query.version_count == 0)
        query.version_all = true;
    store_view_begin(store, &view, diag);
    return store_find(&view, &query, SIZE_MAX, SIZE_MAX, false, arena, page, diag);
}

result store_remove(struct store *store, uint32_t collection, slice id,
                    const struct store_query *versions, slice actor, unsigned patience_ms,
                    uint64_t *count, struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA(REMOVAL_ARENA_BYTES_MAX);
    CLEANUP(writer_end) struct writer writer = {0};
    CLEANUP(opener_free) struct opener opener = {0};
    struct store_page page;

    *count = 0;
    TRY(writer_begin(store, patience_ms, &writer, diag));
    TRY(removal_find(store, collection, id, versions, &arena, &page, diag));
    if (page.count == 0)
        return OK;
    TRY(opener_init(&opener, diag));
    kv_abort(&writer.txn);
    kv_begin_write(store->kv, &writer.txn, diag);
    int64_t now = store->world->now_us(store->world->context);
    for (size_t i = 0; i < page.count; i += SEQS_PER_ENTRY) {
        size_t some = page.count - i < SEQS_PER_ENTRY ? page.count - i : SEQS_PER_ENTRY;

        for (size_t j = i; j < i + some; j++)
            addition_drop(store, &writer.txn, &opener, page.seqs[j]);
        removal_append(&writer.txn, collection, id, page.seqs + i, some, now, actor);
    }
    TRY(writer_commit(&writer));
    *count = page.count;
    /* The removal stands; bytes that could not be given back now are at the next start. */
    struct diag later = {0};
    if (failed(writer_punch(&writer, &later)))
        log_event(LOG_LEVEL_WARN, "store.punch_failed", "reason=\"%s\"", later.text);
    return OK;
}

bool removal_apply(struct store *store, struct kv_txn *txn, const struct entry *entry)
{
    CLEANUP(opener_free) struct opener opener = {0};
    const struct json_node *seqs =
        json_get(&entry->ledger.doc, &entry->ledger.doc.nodes[0], SLICE("seqs"));

    if (seqs == NULL || seqs->kind != JSON_ARRAY || failed(opener_init(&opener, txn->diag)))
        return false;
    for (struct json_each each = json_each(&entry->ledger.doc, seqs); json_next(&each);) {
        int64_t seq;

        if (!json_i64(&entry->ledger.doc, each.value, &seq) || seq < 0)
            return false;
        addition_drop(store, txn, &opener, (uint64_t)seq);
    }
    return true;
}
