#include "store/store.h"

#include "ledger/ledger.h"
#include "ledger/tree.h"
#include "store/hash.h"
#include "store/inside.h"
#include "store/merkle.h"
#include "store/postings.h"
#include "store/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"

#include "base/banned.h"

#define GATHER_BYTES_MAX ((size_t)128 << 20)
#define SINGLE_PUTS_MAX 200000
#define BATCH_PUTS_MAX 32768 /* each may touch a page of its own: 128 MiB held at most */

static const char *const table_names[TABLE_COUNT] = {
    [TABLE_META] = "meta",     [TABLE_LOG] = "log",         [TABLE_TREE] = "tree",
    [TABLE_LEDGER] = "ledger", [TABLE_TYPES] = "types",     [TABLE_COLLECTIONS] = "collections",
    [TABLE_NAMES] = "names",   [TABLE_IDS] = "ids",         [TABLE_VERSIONS] = "versions",
    [TABLE_TERMS] = "terms",   [TABLE_RUNS] = "runs",       [TABLE_DEAD] = "dead",
    [TABLE_DATES] = "dates",   [TABLE_MOMENTS] = "moments", [TABLE_COUNTS] = "counts",
    [TABLE_HOLES] = "holes",
};

static result tables_list(struct store *store, const char *const *more, struct diag *diag)
{
    size_t count = 0;

    for (; count < TABLE_COUNT; count++)
        store->tables[count] = table_names[count];
    for (size_t i = 0; more != NULL && more[i] != NULL; i++) {
        if (count == KV_TABLES_MAX)
            return diag_fail(diag, ERR_LIMIT, "more than %d tables", KV_TABLES_MAX);
        store->tables[count++] = more[i];
    }
    return OK;
}

/* What is there: a store, a folder without one, nothing. */
static result folder_check(const struct store_options *options, struct diag *diag)
{
    char path[4200];
    struct stat stat_index;

    if (strlen(options->folder) >= sizeof(((struct store *)NULL)->folder))
        return diag_fail(diag, ERR_INVALID, "the folder's path is too long");
    (void)snprintf(path, sizeof(path), "%s/index.mdb", options->folder);
    if (options->create || stat(path, &stat_index) == 0)
        return OK;
    if (errno == ENOENT || errno == ENOTDIR)
        return diag_fail(diag, ERR_MISSING, "%s: no store there", options->folder);
    return diag_errno(diag, errno, "%s", options->folder);
}

static result format_check(struct store *store, bool create, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};

    kv_begin_read(store->kv, &txn, diag);
    uint64_t format = meta_get(&txn, META_FORMAT, 0);
    bool is_empty = kv_count(&txn, TABLE_META) == 0;
    result state = txn.state;
    kv_abort(&txn);
    TRY(state);
    if (format == STORE_FORMAT)
        return ledger_tree_complete(store->kv, TABLE_LOG, diag);
    bool is_older = format >= STORE_FORMAT_OLDEST && format < STORE_FORMAT;
    if (!is_older && (!is_empty || !create))
        return diag_fail(diag, format == 0 ? ERR_CORRUPT : ERR_CONFLICT,
                         format == 0 ? "%s: holds no store of this program"
                                     : "%s: made by %s format version %llu, this program reads %d",
                         store->folder, format > STORE_FORMAT ? "a newer" : "an older",
                         (unsigned long long)format, STORE_FORMAT);
    TRY(ledger_tree_complete(store->kv, TABLE_LOG, diag));
    kv_begin_write(store->kv, &txn, diag);
    meta_put(&txn, META_FORMAT, STORE_FORMAT);
    return kv_commit(&txn);
}

/* The files may reach further than what is named, never less far. */
static result files_agree(struct store *store, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};

    kv_begin_read(store->kv, &txn, diag);
    uint64_t seq_end = meta_get(&txn, META_SEQ_END, 0);
    uint64_t text_end = meta_get(&txn, META_TEXT_END, 0);
    TRY(txn.state);
    return diag_within(diag, files_check(&store->files, seq_end, text_end, diag), "%s",
                       store->folder);
}

static result lock_open(struct store *store, struct diag *diag)
{
    store->lock_fd = openat(store->files.folder_fd, "write.lock",
                            O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (store->lock_fd < 0 && !store->read_only)
        return diag_errno(diag, errno, "%s/write.lock", store->folder);
    if (pthread_mutex_init(&store->writing, NULL) != 0)
        return diag_fail(diag, ERR_IO, "no mutex to be had");
    store->has_mutex = true;
    return OK;
}

static result open_all(struct store *store, const struct store_options *options, struct diag *diag)
{
    TRY(tables_list(store, options->more_tables, diag));
    TRY(files_open(&store->files, options->folder, options->create, diag));
    TRY(kv_open(options->folder, options->map_bytes_max, store->tables, &store->kv, diag));
    TRY(format_check(store, options->create && !options->read_only, diag));
    TRY(files_agree(store, diag));
    TRY(lock_open(store, diag));
    return options->read_only ? OK : writer_tidy(store, diag);
}

result store_open(const struct store_options *options, struct store **out, struct diag *diag)
{
    size_t capacity = 0;

    *out = NULL;
    TRY(folder_check(options, diag));
    struct store *store = FAULT_HERE() ? NULL : table_grow(NULL, &capacity, 1, 1, sizeof(*store));
    if (store == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a store");
    memset(store, 0, sizeof(*store));
    (void)snprintf(store->folder, sizeof(store->folder), "%s", options->folder);
    store->world = options->world != NULL ? options->world : &world_real;
    store->limits = (struct store_limits){GATHER_BYTES_MAX, SINGLE_PUTS_MAX, BATCH_PUTS_MAX};
    store->read_only = options->read_only;
    store->lock_fd = -1;
    random_bytes(&store->seed, sizeof(store->seed));
    result r = open_all(store, options, diag);
    *out = store;
    if (failed(r))
        store_close(out);
    return r;
}

void store_close(struct store **place)
{
    struct store *store = *place;

    if (store == NULL)
        return;
    kv_close(&store->kv);
    files_close(&store->files);
    if (store->lock_fd >= 0)
        (void)close(store->lock_fd);
    if (store->has_mutex)
        (void)pthread_mutex_destroy(&store->writing);
    table_free(store);
    *place = NULL;
}

struct kv *store_kv(struct store *store)
{
    return store->kv;
}

kv_table store_table(const struct store *store, const char *name)
{
    kv_table table = 0;

    while (store->tables[table] != NULL && strcmp(store->tables[table], name) != 0)
        table++;
    return table;
}

kv_table store_log_table(const struct store *store)
{
    (void)store;
    return TABLE_LOG;
}

const struct world *store_world(const struct store *store)
{
    return store->world;
}

void store_view_begin(struct store *store, struct store_view *view, struct diag *diag)
{
    *view = (struct store_view){.store = store};
    kv_begin_read(store->kv, &view->txn, diag);
    view->seq_end = meta_get(&view->txn, META_SEQ_END, 0);
}

void store_view_end(struct store_view *view)
{
    kv_abort(&view->txn);
}

/* ---- items ---- */

/* Neighbours are mostly of one type. */
static slice type_text(struct store_view *view, uint16_t code)
{
    if (view->type_known == (uint32_t)code + 1)
        return view->type_text;
    if (!type_name(&view->txn, code, &view->type_text))
        return SLICE_NONE;
    view->type_known = (uint32_t)code + 1;
    return view->type_text;
}

bool store_item_at(struct store_view *view, uint64_t seq, struct store_item *out)
{
    struct record record;

    if (seq >= view->seq_end || !record_decode(files_record(&view->store->files, seq), &record))
        return false;
    struct stix_id id = {type_text(view, record.type), record.uuid};
    if (id.type.len == 0)
        return false;
    *out = (struct store_item){
        .seq = seq,
        .collection = record.collection,
        .spec = (enum stix_spec)record.spec,
        .added_us = date_of(view, seq),
        .hash = record.hash,
        .is_superseded = dead_is(&view->txn, DEAD_SUPERSEDED, seq),
        .is_removed = dead_is(&view->txn, DEAD_REMOVED, seq),
    };
    out->id[stix_id_format(&id, out->id)] = '\0';
    out->version = record.version;
    if (!record.has_version)
        out->version = (struct timestamp){.us = out->added_us, .fraction = 6};
    if (!out->is_removed)
        out->text = files_text(&view->store->files, record.text_at, record.text_bytes);
    return true;
}

int64_t store_added_us(struct store_view *view, uint64_t seq)
{
    return date_of(view, seq);
}

void store_pass(struct store_view *view, uint64_t seq, uint64_t seq_end)
{
    struct store_files *files = &view->store->files;
    struct record first, last;

    if (seq >= seq_end || seq_end > view->seq_end ||
        !record_decode(files_record(files, seq), &first) ||
        !record_decode(files_record(files, seq_end - 1), &last))
        return;
    files_pass(files, first.text_at, last.text_at + last.text_bytes, seq, seq_end);
}

result store_item_check(struct store_view *view, uint64_t seq, struct diag *diag)
{
    struct record record;

    if (seq >= view->seq_end)
        return diag_fail(diag, ERR_MISSING, "there is no addition %llu", (unsigned long long)seq);
    if (!record_decode(files_record(&view->store->files, seq), &record))
        return diag_fail(diag, ERR_CORRUPT, "directory: record at byte %llu: bytes have changed",
                         (unsigned long long)(seq * RECORD_BYTES));
    if (dead_is(&view->txn, DEAD_REMOVED, seq))
        return OK;
    slice text = files_text(&view->store->files, record.text_at, record.text_bytes);
    if (text.at != NULL && record.text_at % SEGMENT_BYTES != 0 && text.at[-1] != ',')
        return diag_fail(diag, ERR_CORRUPT, "segments/%06llu: byte %llu: no comma between texts",
                         (unsigned long long)(record.text_at / SEGMENT_BYTES),
                         (unsigned long long)(record.text_at % SEGMENT_BYTES - 1));
    if (text.at == NULL || store_check32(text) != record.text_check)
        return diag_fail(diag, ERR_CORRUPT, "segments/%06llu: text at byte %llu: %s",
                         (unsigned long long)(record.text_at / SEGMENT_BYTES),
                         (unsigned long long)(record.text_at % SEGMENT_BYTES),
                         text.at == NULL ? "cannot be read" : "bytes have changed");
    return OK;
}

result store_additions_root(struct store_view *view, uint64_t first, uint64_t count,
                            struct hash256 *out, struct diag *diag)
{
    struct merkle merkle = {0};
    struct record record;

    if (first > view->seq_end || count > view->seq_end - first)
        return diag_fail(diag, ERR_CORRUPT, "there are %llu additions, not %llu",
                         (unsigned long long)view->seq_end, (unsigned long long)(first + count));
    for (uint64_t seq = first; seq < first + count; seq++) {
        if (!record_decode(files_record(&view->store->files, seq), &record))
            return diag_fail(diag, ERR_CORRUPT,
                             "directory: record at byte %llu: bytes have changed",
                             (unsigned long long)(seq * RECORD_BYTES));
        struct hash256 leaf = tree_leaf(slice_of(record.hash.bytes, SHA256_BYTES));
        merkle_add(&merkle, &leaf);
    }
    *out = merkle_root(&merkle);
    return OK;
}

void store_status(struct store_view *view, struct store_status *out)
{
    struct kv_txn *txn = &view->txn;

    *out = (struct store_status){
        .entries = kv_count(txn, TABLE_LOG),
        .additions = view->seq_end,
        .removed = meta_get(txn, META_REMOVED, 0),
        .segment_bytes = meta_get(txn, META_TEXT_END, 0),
        .index_bytes = kv_bytes_used(view->store->kv),
        .collections = kv_count(txn, TABLE_COLLECTIONS),
        .format = STORE_FORMAT,
    };
    struct collection collection = {0};
    while (store_collection_next(view, collection.number, &collection))
        out->live += store_collection_count(view, collection.number);
}
