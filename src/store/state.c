/* The store as a function of its log: derive again, and a hash to compare by. */
#include "store/bytes.h"
#include "store/derive.h"
#include "store/entries.h"
#include "store/object_open.h"

#include "base/banned.h"

#define HASH_BUFFER_BYTES ((size_t)1 << 16)
#define ENTRY_ARENA_BYTES_MAX ((size_t)16 << 20)
#define TERMS_BYTES_MAX ((size_t)1 << 30)
#define DERIVE_BYTES_MAX ((size_t)128 << 20)

/* All that an entry's application writes to; what is not here is fact, or work to be done. */
static const enum store_table derived[] = {
    TABLE_TYPES, TABLE_COLLECTIONS, TABLE_NAMES, TABLE_IDS,     TABLE_VERSIONS, TABLE_TERMS,
    TABLE_RUNS,  TABLE_DEAD,        TABLE_DATES, TABLE_MOMENTS, TABLE_COUNTS,
};
#define DERIVED_COUNT (sizeof(derived) / sizeof(derived[0]))

/* ---- hash ---- */

struct state_hash {
    struct sha256_state sha;
    struct buf buf;
};

static void hash_flush(struct state_hash *hash, size_t least)
{
    if (hash->buf.len < least)
        return;
    sha256_add(&hash->sha, buf_slice(&hash->buf));
    buf_reset(&hash->buf);
}

static void hash_bytes(struct state_hash *hash, slice bytes)
{
    buf_u32(&hash->buf, (uint32_t)bytes.len);
    buf_put(&hash->buf, bytes);
    hash_flush(hash, HASH_BUFFER_BYTES);
}

/* Where a term's blocks end depends on when they were written, and says nothing. */
static void hash_terms(struct state_hash *hash, struct kv_cursor *cursor)
{
    uint8_t term[KV_KEY_BYTES_MAX];
    uint64_t seqs[POSTING_BLOCK_SEQS_MAX];
    size_t term_bytes = 0;

    for (bool more = kv_seek(cursor, SLICE("")); more; more = kv_next(cursor)) {
        size_t bytes = cursor->key.len - SEQ_BYTES;

        if (bytes != term_bytes || memcmp(term, cursor->key.at, bytes) != 0) {
            term_bytes = bytes;
            memcpy(term, cursor->key.at, bytes);
            hash_bytes(hash, slice_of(term, bytes));
        }
        size_t count = posting_decode(cursor->key, cursor->value, seqs);
        for (size_t i = 0; i < count; i++)
            buf_u64(&hash->buf, seqs[i]);
        /* What a walk skips by must be what it would have come to. */
        if (cursor->value.len >= SEQ_BYTES &&
            bytes_get(cursor->value.at, SEQ_BYTES) != seqs[count - 1])
            hash_bytes(hash, cursor->value);
        hash_flush(hash, HASH_BUFFER_BYTES);
    }
}

static void hash_table(struct state_hash *hash, struct kv_cursor *cursor)
{
    for (bool more = kv_seek(cursor, SLICE("")); more; more = kv_next(cursor)) {
        hash_bytes(hash, cursor->key);
        hash_bytes(hash, cursor->value);
    }
}

static void hash_rows(struct state_hash *hash, struct kv_txn *txn, kv_table table)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor = {0};

    kv_cursor_open(txn, table, &cursor);
    if (table == TABLE_TERMS)
        hash_terms(hash, &cursor);
    else
        hash_table(hash, &cursor);
}

/* buf: its memory, for the caller to free. */
static result hash_end(struct state_hash *hash, struct buf *buf, const struct kv_txn *txn,
                       struct hash256 *out, struct diag *diag)
{
    hash_flush(hash, 0);
    *out = sha256_end(&hash->sha);
    *buf = hash->buf;
    if (buf->overflowed)
        return diag_fail(diag, ERR_LIMIT, "no memory to hash in");
    return txn->state;
}

/* Derived tables of the store, its facts, and the tables of other modules. */
static bool table_at(const struct store *store, size_t index, kv_table *out)
{
    if (index < DERIVED_COUNT)
        *out = derived[index];
    else if (index == DERIVED_COUNT)
        *out = TABLE_META;
    else
        *out = TABLE_COUNT + (kv_table)(index - DERIVED_COUNT - 1);
    return store->tables[*out] != NULL;
}

const char *store_table_name(const struct store *store, size_t index)
{
    kv_table table;

    return table_at(store, index, &table) ? store->tables[table] : NULL;
}

result store_table_hash(struct store *store, struct kv_txn *txn, size_t index, struct hash256 *out,
                        struct diag *diag)
{
    CLEANUP(buf_free) struct buf buf = BUF(8 * HASH_BUFFER_BYTES);
    struct state_hash hash = {.buf = buf};
    kv_table table;

    if (!table_at(store, index, &table))
        return diag_fail(diag, ERR_MISSING, "there is no table %zu", index);
    sha256_init(&hash.sha);
    hash_rows(&hash, txn, table);
    return hash_end(&hash, &buf, txn, out, diag);
}

result store_facts_check(struct store_view *view, struct diag *diag)
{
    static const char *const names[] = {META_FORMAT,  META_SEQ_END,     META_TEXT_END,
                                        META_PENDING, META_COLLECTIONS, META_REMOVED};
    struct kv_txn *txn = &view->txn;
    uint64_t text_end = 0, rows = 0;
    struct record last;
    slice value;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        rows += kv_get(txn, TABLE_META, slice_text(names[i]), &value);
    if (meta_get(txn, META_FORMAT, 0) != STORE_FORMAT || rows != kv_count(txn, TABLE_META))
        return diag_fail(diag, ERR_CORRUPT, "table meta: holds what this program did not write");
    if (meta_get(txn, META_PENDING, 0) != 0)
        return diag_fail(diag, ERR_CONFLICT, "an import is running: ask again when it is done");
    TRY(files_check(&view->store->files, view->seq_end, meta_get(txn, META_TEXT_END, 0), diag));
    if (view->seq_end > 0) {
        if (!record_decode(files_record(&view->store->files, view->seq_end - 1), &last))
            return diag_fail(diag, ERR_CORRUPT,
                             "directory: record at byte %llu: bytes have changed",
                             (unsigned long long)((view->seq_end - 1) * RECORD_BYTES));
        text_end = last.text_at + last.text_bytes;
    }
    if (meta_get(txn, META_TEXT_END, 0) != text_end)
        return diag_fail(diag, ERR_CORRUPT, "table meta: the end of the texts is another");
    return txn->state;
}

result store_state_hash(struct store_view *view, struct hash256 *out, struct diag *diag)
{
    CLEANUP(buf_free) struct buf buf = BUF(8 * HASH_BUFFER_BYTES);
    struct state_hash hash = {.buf = buf};
    struct kv_txn *txn = &view->txn;

    if (meta_get(txn, META_PENDING, 0) != 0)
        return diag_fail(diag, ERR_CONFLICT, "an import is running: ask again when it is done");
    sha256_init(&hash.sha);
    buf_u64(&hash.buf, view->seq_end);
    buf_u64(&hash.buf, meta_get(txn, META_REMOVED, 0));
    for (size_t i = 0; i < DERIVED_COUNT; i++) {
        buf_u64(&hash.buf, i);
        hash_rows(&hash, txn, derived[i]);
    }
    /* Tables of other modules are derived from the same log. */
    for (kv_table table = TABLE_COUNT; view->store->tables[table] != NULL; table++) {
        hash_bytes(&hash, slice_text(view->store->tables[table]));
        hash_rows(&hash, txn, table);
    }
    return hash_end(&hash, &buf, txn, out, diag);
}

/* ---- derive again ---- */

void store_clear_derived(struct store *store, struct kv_txn *txn)
{
    (void)store;
    for (size_t i = 0; i < DERIVED_COUNT; i++)
        kv_clear(txn, derived[i]);
    meta_drop(txn, META_SEQ_END);
    meta_drop(txn, META_REMOVED);
    meta_drop(txn, META_COLLECTIONS);
}

struct rederive {
    struct opener opener;
    struct derivation derivation;
    struct term_sink sink;
    struct buf terms;
};

static bool addition_derive(struct store *store, struct rederive *work, uint64_t seq,
                            uint32_t collection)
{
    struct stix_object object;
    struct record record;
    struct held held;

    if (!record_decode(files_record(&store->files, seq), &record) ||
        record.collection != collection)
        return false;
    buf_reset(&work->terms);
    if (opener_open(&work->opener, &store->files, &record, &object))
        terms_of(&object, &work->opener.arena, &work->sink);
    derivation_look_up(&work->derivation, &record, &held);
    derivation_add(&work->derivation, &record, &held, buf_slice(&work->terms));
    if (gather_bytes(&work->derivation.gather) > DERIVE_BYTES_MAX)
        gather_flush(&work->derivation.gather, work->derivation.txn, 0);
    return succeeded(work->opener.state) && !work->terms.overflowed &&
           !work->opener.arena.overflowed;
}

static bool objects_derive(struct store *store, struct kv_txn *txn, struct rederive *work,
                           const struct entry *entry)
{
    uint32_t collection = (uint32_t)entry_number(entry, SLICE("collection"));
    uint64_t first = entry_number(entry, SLICE("first"));
    uint64_t count = entry_number(entry, SLICE("count"));
    bool good = true;

    term_sink_init(&work->sink, &work->terms, store->seed);
    derivation_init(&work->derivation, store, txn, NULL, collection, first);
    for (uint64_t i = 0; good && i < count && succeeded(txn->state); i++)
        good = addition_derive(store, work, first + i, collection);
    gather_flush(&work->derivation.gather, txn, 0);
    derivation_finish(&work->derivation, txn, entry->ledger.at_us);
    derivation_free(&work->derivation);
    return good;
}

static bool objects_apply(struct store *store, struct kv_txn *txn, const struct entry *entry)
{
    size_t capacity = 0;
    struct rederive *work = table_grow(NULL, &capacity, 1, 1, sizeof(*work));

    if (work == NULL)
        return false;
    memset(work, 0, sizeof(*work));
    work->terms = BUF(TERMS_BYTES_MAX);
    bool good =
        succeeded(opener_init(&work->opener, txn->diag)) && objects_derive(store, txn, work, entry);
    opener_free(&work->opener);
    buf_free(&work->terms);
    table_free(work);
    return good;
}

static bool entry_apply(struct store *store, struct kv_txn *txn, slice kind,
                        const struct entry *entry)
{
    if (slice_eq(kind, SLICE("objects")))
        return objects_apply(store, txn, entry);
    if (slice_eq(kind, SLICE("types")))
        return types_apply(txn, entry);
    if (slice_eq(kind, SLICE("remove")))
        return removal_apply(store, txn, entry);
    if (slice_eq(kind, SLICE("collection")))
        return collection_apply(txn, entry);
    return collection_apply_removal(txn, entry);
}

static bool is_ours(slice kind)
{
    static const slice kinds[] = {S("objects"), S("types"), S("remove"), S("collection"),
                                  S("collection-removed")};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (slice_eq(kind, kinds[i]))
            return true;
    return false;
}

bool store_apply(struct store *store, struct kv_txn *txn, slice kind, uint64_t number, slice text)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(arena_free) struct arena arena = ARENA(ENTRY_ARENA_BYTES_MAX);
    struct entry entry = {.arena = &arena};
    struct diag diag = {0};

    if (!is_ours(kind))
        return false;
    if (failed(json_parser_new(LEDGER_DEPTH_MAX, &parser, &diag)) ||
        failed(ledger_parse(parser, text, &entry.ledger, &diag)) ||
        !entry_apply(store, txn, kind, &entry)) {
        if (succeeded(txn->state))
            txn->state =
                diag_fail(txn->diag, ERR_CORRUPT, "entry %llu of the log (%.*s) cannot be applied",
                          (unsigned long long)number, SLICE_ARG(kind));
    }
    return true;
}
