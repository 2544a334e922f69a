#include "node/node.h"

#include "ledger/witness.h"
#include "json/canonical.h"
#include "json/write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"

#include "base/banned.h"

#define PID_TEXT_BYTES 24

static result folder_set(const char *folder, struct node *out, struct diag *diag)
{
    memset(out, 0, sizeof(*out));
    if (folder[0] == '\0' || strlen(folder) >= sizeof(out->folder))
        return diag_fail(diag, ERR_INVALID, "a node's folder is named in 1 to %zu bytes",
                         sizeof(out->folder) - 1);
    (void)snprintf(out->folder, sizeof(out->folder), "%s", folder);
    return OK;
}

static result config_read(struct node *node, struct diag *diag)
{
    char path[sizeof(node->folder) + 16];

    config_defaults(&node->config);
    (void)snprintf(path, sizeof(path), "%s/entente.yaml", node->folder);
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return OK;
    return config_load(path, &node->config, diag);
}

static result accounts_of(struct node *node, struct diag *diag)
{
    struct store *store = node->store;
    struct account_options options = {
        .kv = store_kv(store),
        .log = store_log_table(store),
        .users = store_table(store, account_tables[0]),
        .tokens = store_table(store, account_tables[1]),
        .grants = store_table(store, account_tables[2]),
        .login_failures_max = node->config.login_failures_max,
        .login_pause_s_max = node->config.login_pause_s_max,
        .world = store_world(store),
    };

    return accounts_open(&options, &node->accounts, diag);
}

/* Tables of the modules above the store, in its file. */
static const char *const *tables_of_node(void)
{
    static const char *tables[8];
    size_t count = 0;

    for (size_t i = 0; account_tables[i] != NULL; i++)
        tables[count++] = account_tables[i];
    tables[count++] = allow_tables[0];
    tables[count++] = keep_tables[0];
    tables[count] = sync_tables[0];
    return tables;
}

/* The name space of nodes' identities, which follow from their keys. */
static const struct uuid identities = {{0x5b, 0x0e, 0x2f, 0x61, 0x93, 0x1d, 0x4c, 0x7a, 0x8e, 0x24,
                                        0xd7, 0x40, 0x9a, 0x6c, 0x3b, 0xf8}};

static void identity_of(struct node *node)
{
    const uint8_t *key = node->ledger.node_key.verifier.key;
    char text[UUID_TEXT_BYTES];

    if (!node->ledger.has_keys)
        return;
    struct uuid uuid = uuid_v5(&identities, slice_of(key, ED25519_PUBLIC_BYTES));
    uuid_format(&uuid, text);
    (void)snprintf(node->identity, sizeof(node->identity), "identity--%.*s", UUID_TEXT_BYTES, text);
}

struct keep_place node_keep(const struct node *node)
{
    return (struct keep_place){
        .kv = store_kv(node->store),
        .log = store_log_table(node->store),
        .table = store_table(node->store, keep_tables[0]),
        .world = store_world(node->store),
        .own = slice_text(node->identity),
        .key = node->ledger.has_keys ? node->ledger.node_key.verifier.key : NULL,
    };
}

struct sync_place node_sync(const struct node *node)
{
    return (struct sync_place){
        .store = node->store,
        .keep = node_keep(node),
        .table = store_table(node->store, sync_tables[0]),
        .ledger = &node->ledger,
        .folder = node->folder,
    };
}

struct allow_place node_allow(const struct node *node)
{
    return (struct allow_place){
        .kv = store_kv(node->store),
        .log = store_log_table(node->store),
        .table = store_table(node->store, allow_tables[0]),
        .folder = node->folder,
        .world = store_world(node->store),
    };
}

struct report_place node_report(const struct node *node, slice actor)
{
    return (struct report_place){
        .store = node->store,
        .folder = node->folder,
        .own = slice_text(node->identity),
        .title = slice_text(node->config.title),
        .actor = actor,
        .window_us = (int64_t)node->config.sighting_window_s * 1000000,
        .keep_us = (int64_t)node->config.sighting_keep_d * 86400 * 1000000,
    };
}

static result ledger_of(struct node *node, bool read_only, struct diag *diag)
{
    const struct ledger_options options = {
        .folder = node->folder,
        .kv = store_kv(node->store),
        .log = store_log_table(node->store),
        .world = store_world(node->store),
        .origin = node->config.ledger_origin,
        .title = node->config.title,
        .read_only = read_only,
    };

    TRY(ledger_open(&options, &node->ledger, diag));
    identity_of(node);
    return OK;
}

struct retro_place node_retro(const struct node *node)
{
    return (struct retro_place){.folder = node->folder,
                                .share_bytes = node->config.retro_bytes_max};
}

static result node_start(struct node *node, bool create, bool read_only, struct diag *diag)
{
    TRY(config_read(node, diag));
    struct store_options options = {
        .folder = node->folder,
        .map_bytes_max = node->config.store_bytes_max,
        .create = create,
        .read_only = read_only,
        .more_tables = tables_of_node(),
    };
    TRY(store_open(&options, &node->store, diag));
    /* A new one has its keys when its settings are known: node_keys. */
    TRY(ledger_of(node, create || read_only, diag));
    return accounts_of(node, diag);
}

static result node_start_or_close(struct node *node, bool create, bool read_only, struct diag *diag)
{
    result r = node_start(node, create, read_only, diag);

    if (failed(r))
        node_close(node);
    return r;
}

/* Names that may be there before a node is: its settings, and what a file system puts in itself. */
static bool name_is_known(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "entente.yaml") == 0 ||
           strcmp(name, "lost+found") == 0;
}

static const struct dirent *item_next(DIR *listing)
{
    /* The listing is its caller's own, and readdir_r is no better. */
    /* cppcheck-suppress readdirCalled */
    return readdir(listing); /* NOLINT(concurrency-mt-unsafe) */
}

/* A folder is the node's own: nothing else in it may be taken for, or spoiled by, the node. */
static result folder_is_free(const struct node *node, struct diag *diag)
{
    char index[sizeof(node->folder) + 16];
    result r = OK;

    (void)snprintf(index, sizeof(index), "%s/index.mdb", node->folder);
    if (access(index, F_OK) == 0)
        return diag_fail(diag, ERR_CONFLICT, "%s: a node is there already", node->folder);
    DIR *listing = opendir(node->folder);
    if (listing == NULL)
        return errno == ENOENT ? OK : diag_errno(diag, errno, "%s", node->folder);
    for (const struct dirent *item; succeeded(r) && (item = item_next(listing)) != NULL;)
        if (!name_is_known(item->d_name))
            r = diag_fail(diag, ERR_CONFLICT,
                          "%s: holds other files (\"%s\"); a node wants a folder of its own",
                          node->folder, item->d_name);
    (void)closedir(listing);
    return r;
}

result node_create(const char *folder, struct node *out, struct diag *diag)
{
    TRY(folder_set(folder, out, diag));
    TRY(folder_is_free(out, diag));
    return node_start_or_close(out, true, false, diag);
}

result node_open_to_mend(const char *folder, struct node *out, struct diag *diag)
{
    TRY(folder_set(folder, out, diag));
    return node_start_or_close(out, false, false, diag);
}

result node_open(const char *folder, bool read_only, struct node *out, struct diag *diag)
{
    TRY(folder_set(folder, out, diag));
    TRY(node_start_or_close(out, false, read_only, diag));
    result r = ledger_check(&out->ledger, diag);
    if (failed(r))
        node_close(out);
    return r;
}

result node_keys(struct node *node, struct diag *diag)
{
    return ledger_of(node, false, diag);
}

void node_close(struct node *node)
{
    ledger_close(&node->ledger);
    accounts_close(&node->accounts);
    store_close(&node->store);
}

static result hash_now(struct node *node, struct hash256 *out, struct diag *diag)
{
    CLEANUP(store_view_end) struct store_view view = {0};

    store_view_begin(node->store, &view, diag);
    return store_state_hash(&view, out, diag);
}

static void entry_apply(struct node *node, struct kv_txn *txn, struct json_parser *parser,
                        uint64_t number)
{
    struct ledger_entry entry;
    slice text;

    if (!ledger_read(txn, store_log_table(node->store), number, &text)) {
        if (succeeded(txn->state))
            txn->state = diag_fail(txn->diag, ERR_CORRUPT, "entry %llu of the log is missing",
                                   (unsigned long long)number);
        return;
    }
    result r = ledger_parse(parser, text, &entry, txn->diag);
    if (failed(r)) {
        txn->state = r;
        return;
    }
    ledger_tree_derive(txn, store_log_table(node->store), &entry, text);
    struct allow_place allow = node_allow(node);
    struct keep_place keep = node_keep(node);
    struct sync_place sync = node_sync(node);
    if (!store_apply(node->store, txn, entry.kind, number, text) &&
        !allow_apply(&allow, txn, entry.kind, number, text) &&
        !keep_apply(&keep, txn, entry.kind, number, text) &&
        !sync_apply(&sync, txn, entry.kind, number, text) &&
        !account_apply(node->accounts, txn, entry.kind, number, text) &&
        !ledger_apply(txn, store_log_table(node->store), entry.kind, number, text) &&
        succeeded(txn->state))
        txn->state = diag_fail(txn->diag, ERR_CONFLICT,
                               "entry %llu of the log is of a kind this program does not know: "
                               "\"%.*s\"",
                               (unsigned long long)number, SLICE_ARG(entry.kind));
}

void node_derive(struct node *node, struct kv_txn *txn)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    uint64_t count = ledger_count(txn, store_log_table(node->store));
    struct allow_place allow = node_allow(node);
    struct keep_place keep = node_keep(node);
    struct sync_place sync = node_sync(node);
    result made = json_parser_new(LEDGER_DEPTH_MAX, &parser, txn->diag);

    if (failed(made)) {
        kv_fail(txn, made);
        return;
    }
    store_clear_derived(node->store, txn);
    account_clear_derived(node->accounts, txn);
    ledger_clear_derived(txn, store_log_table(node->store));
    allow_clear_derived(&allow, txn);
    keep_clear_derived(&keep, txn);
    sync_clear_derived(&sync, txn);
    for (uint64_t number = 0; number < count && succeeded(txn->state); number++)
        entry_apply(node, txn, parser, number);
}

static result rebuild_locked(struct node *node, struct hash256 *before, struct hash256 *after,
                             struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};

    TRY(hash_now(node, before, diag));
    kv_begin_write(store_kv(node->store), &txn, diag);
    node_derive(node, &txn);
    TRY(kv_commit(&txn));
    TRY(hash_now(node, after, diag));
    return ledger_check(&node->ledger, diag);
}

result node_rebuild(struct node *node, struct hash256 *before, struct hash256 *after,
                    struct diag *diag)
{
    TRY(store_lock(node->store, diag));
    result r = rebuild_locked(node, before, after, diag);
    store_unlock(node->store);
    return r;
}

result node_note_settings(struct node *node, const char *actor, struct diag *diag)
{
    CLEANUP(buf_free) struct buf text = BUF(LEDGER_ENTRY_BYTES_MAX), sorted = BUF((size_t)1 << 17);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct json_writer w = JSON_WRITER(&text);
    struct config_item item;
    struct json_doc doc;

    jw_object_begin(&w);
    for (size_t i = 0; config_item_at(&node->config, i, &item); i++)
        if (!slice_eq(slice_text(item.value), slice_text(item.fallback)))
            jw_put_string(&w, slice_text(item.name), slice_text(item.value));
    jw_object_end(&w);
    if (text.overflowed)
        return diag_fail(diag, ERR_LIMIT, "the settings are too long for an entry of the log");
    TRY(json_parser_new(LEDGER_DEPTH_MAX, &parser, diag));
    TRY(json_parse_copy(parser, buf_slice(&text), &doc, diag));
    TRY(json_canonical(&doc, doc.nodes, &sorted, diag));
    return ledger_note_settings(&node->ledger, buf_slice(&sorted), slice_text(actor), diag);
}

/* The lock is the kernel's, so that a killed server leaves none; the number is for the words. */
result node_lock_serve(struct node *node, int *lock, struct diag *diag)
{
    char path[sizeof(node->folder) + 16], text[PID_TEXT_BYTES] = {0};

    (void)snprintf(path, sizeof(path), "%s/serve.lock", node->folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || FAULT_HERE())
        return diag_errno(diag, errno, "%s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int number = errno;
        ssize_t count = pread(fd, text, sizeof(text) - 1, 0);

        (void)close(fd);
        if (number != EWOULDBLOCK)
            return diag_errno(diag, number, "%s", path);
        return diag_fail(diag, ERR_CONFLICT, "%s: is being served by process %.*s already",
                         node->folder, count > 0 ? (int)strcspn(text, "\n") : 1,
                         count > 0 ? text : "?");
    }
    int bytes = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)bytes, 0) != bytes) {
        result r = diag_errno(diag, errno, "%s", path);
        (void)close(fd);
        return r;
    }
    *lock = fd;
    return OK;
}
