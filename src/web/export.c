#include "web/export.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/time.h"
#include "export/export.h"
#include "ledger/ledger.h"
#include "scan/rules.h"
#include "web/answer.h"

#include "base/banned.h"

#define ANSWER_BYTES_MAX ((size_t)1 << 16)
#define KEY_BYTES_MAX 2048
#define ETAG_BYTES (2 * SHA256_BYTES + 2)
#define VERSION_DEFAULT 7
#define ONLY_MAX 16
#define ROLES_THAT_READ (ROLE_ADMIN | ROLE_ANALYST | ROLE_RELEASER | ROLE_READER)

/* A file, held by the door and by every answer that is still being sent. */
struct kept_export {
    struct buf body; /* owned */
    char etag[ETAG_BYTES];
    char key[KEY_BYTES_MAX];
    uint64_t entries; /* of the log, for which it holds */
    int64_t next_us;  /* and until when */
    uint64_t used;
    unsigned holders;
};

static void kept_release(void *context)
{
    struct kept_export *kept = context;

    if (kept != NULL && __atomic_sub_fetch(&kept->holders, 1, __ATOMIC_ACQ_REL) == 0) {
        buf_free(&kept->body);
        table_free(kept);
    }
}

static struct kept_export *kept_new(slice key)
{
    size_t capacity = 0;
    struct kept_export *kept = table_grow(NULL, &capacity, 1, 1, sizeof(struct kept_export));

    if (kept == NULL)
        return NULL;
    *kept = (struct kept_export){.body = BUF(EXPORT_BODY_BYTES_MAX), .holders = 1};
    memcpy(kept->key, key.at, key.len);
    kept->key[key.len] = '\0';
    return kept;
}

result export_door_open(struct export_door *door, struct node *node, struct diag *diag)
{
    struct keep_place keep = node_keep(node);
    const struct gate_options options = {.keep = &keep, .world = store_world(node->store)};

    *door = (struct export_door){.node = node};
    (void)pthread_mutex_init(&door->lock, NULL);
    return gate_open(&options, &door->gate, diag);
}

void export_door_close(struct export_door *door)
{
    if (door->node == NULL)
        return;
    for (size_t i = 0; i < EXPORT_KEPT_MAX; i++)
        kept_release(door->kept[i]);
    noise_close(&door->noise);
    gate_close(&door->gate);
    (void)pthread_mutex_destroy(&door->lock);
    door->node = NULL;
}

bool export_is_path(const struct http_request *request)
{
    return slice_starts(request->path, SLICE(EXPORT_PATH)) ||
           slice_eq(request->path, SLICE("/export"));
}

/* ---- answers ---- */

static void formats_answer(const struct http_request *request, struct http_response *response)
{
    CLEANUP(buf_free) struct buf json = BUF(ANSWER_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&json);

    jw_object_begin(&w);
    jw_key(&w, SLICE("formats"));
    jw_array_begin(&w);
    for (size_t i = 0; out_format_at(i) != NULL; i++) {
        const struct out_format *format = out_format_at(i);

        jw_object_begin(&w);
        jw_put_string(&w, SLICE("name"), format->name);
        jw_put_string(&w, SLICE("media_type"), format->media);
        jw_put_string(&w, SLICE("use"), out_use_name(format->use));
        jw_put_string(&w, SLICE("description"), format->help);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    web_put(request, response, 200, &json);
}

/* ---- who asks ---- */

static bool is_admitted(const struct export_door *door, struct kv_txn *txn,
                        const struct http_request *request, struct account *account,
                        struct http_response *response)
{
    unsigned wait_s = 0;

    switch (account_login(door->node->accounts, txn,
                          http_header_find(request, SLICE("authorization")), request->peer, account,
                          &wait_s)) {
    case LOGIN_OK:
        if ((account->roles & ROLES_THAT_READ) != 0)
            return true;
        web_refuse(request, response, 403, SLICE("exports are for accounts that may read"));
        return false;
    case LOGIN_WAIT:
        http_response_header(response, SLICE("Retry-After"),
                             arena_printf(request->arena, "%u", wait_s));
        web_refuse(request, response, 429, SLICE("log-ins failed too often"));
        return false;
    case LOGIN_NONE:
    case LOGIN_WRONG:
        break;
    }
    http_response_header(response, SLICE("WWW-Authenticate"), SLICE("Bearer realm=\"Entente\""));
    http_response_header(response, SLICE("WWW-Authenticate"), SLICE("Basic realm=\"Entente\""));
    web_refuse(request, response, 401, SLICE("exports are for accounts: send a token"));
    return false;
}

/* ---- what is asked for ---- */

struct asking {
    struct export_door *door;
    const struct http_request *request;
    struct store_view view;
    struct account account;
    struct reader_of reader;
    struct export_choice choice;
};

static void asking_end(struct asking *asking)
{
    store_view_end(&asking->view);
}

static bool may_read(void *context, struct store_view *view, uint32_t collection)
{
    const struct asking *a = context;

    return (account_rights(a->door->node->accounts, &view->txn, &a->account, collection) &
            RIGHT_READ) != 0;
}

static bool is_allowed(void *context, slice path, slice value)
{
    return noise_is_allowed(&((struct asking *)context)->door->noise, path, value);
}

static bool is_suffix(void *context, slice name)
{
    return noise_is_suffix(&((struct asking *)context)->door->noise, name);
}

/* NULL: all is well; else what is wrong, for people. */
static const char *option_kinds(struct asking *a)
{
    slice word;
    bool broken = false;
    size_t i = 0;

    for (; i < ONLY_MAX && http_query_find(a->request, SLICE("only"), i, &word, &broken); i++) {
        uint32_t kinds = out_kinds_parse(word);

        if (kinds == 0)
            return "only: takes ipv4, ipv6, domain, url, email, file-name, md5, sha1, sha256 ...";
        a->choice.kinds = (i == 0 ? 0 : a->choice.kinds) | kinds;
    }
    return broken ? "the query's escapes are broken" : NULL;
}

static bool option_number(const struct asking *a, slice name, size_t least, size_t most,
                          size_t *out)
{
    bool broken = false;
    slice word;

    if (!http_query_find(a->request, name, 0, &word, &broken))
        return !broken;
    return parse_size(word, out) && *out >= least && *out <= most;
}

static const char *option_tlp(struct asking *a)
{
    static const enum out_tlp of[] = {[TLP_CLEAR] = OUT_CLEAR,
                                      [TLP_GREEN] = OUT_GREEN,
                                      [TLP_AMBER] = OUT_AMBER,
                                      [TLP_AMBER_STRICT] = OUT_AMBER_STRICT,
                                      [TLP_RED] = OUT_RED};
    bool broken = false;
    enum tlp tlp;
    slice word;

    if (!http_query_find(a->request, SLICE("max-tlp"), 0, &word, &broken))
        return NULL;
    if (!tlp_parse(word, &tlp) || tlp == TLP_NONE)
        return "max-tlp: takes clear, green, amber, amber+strict or red";
    a->choice.tlp_most = of[tlp];
    return NULL;
}

static const char *option_collection(struct asking *a)
{
    struct collection collection;
    bool broken = false;
    slice word;

    if (!http_query_find(a->request, SLICE("collection"), 0, &word, &broken))
        return NULL;
    if (!store_collection_find(&a->view, word, &collection) ||
        !may_read(a, &a->view, collection.number))
        return "there is no such collection";
    a->choice.collection = collection.number;
    return NULL;
}

static const char *option_use(struct asking *a)
{
    bool broken = false;
    slice word;

    if (!http_query_find(a->request, SLICE("use"), 0, &word, &broken))
        return NULL;
    if (!a->choice.format->has_choice || !out_use_parse(word, &a->choice.use))
        return "use: of list and csv, read, detect, lookup or block";
    a->choice.has_use = true;
    return NULL;
}

static const char *options_read(struct asking *a)
{
    size_t least = a->door->node->config.export_confidence_least, version = VERSION_DEFAULT;
    size_t exact = 0;
    const char *wrong = option_kinds(a);

    if (wrong == NULL && !option_number(a, SLICE("min-confidence"), 0, 100, &least))
        wrong = "min-confidence: takes 0 to 100";
    if (wrong == NULL && !option_number(a, SLICE("suricata-version"), 6, 8, &version))
        wrong = "suricata-version: takes 6, 7 or 8";
    if (wrong == NULL && !option_number(a, SLICE("exact-domains"), 0, 1, &exact))
        wrong = "exact-domains: takes 0 or 1";
    if (wrong == NULL)
        wrong = option_tlp(a);
    if (wrong == NULL)
        wrong = option_collection(a);
    if (wrong == NULL)
        wrong = option_use(a);
    a->choice.confidence_least = (int)least;
    a->choice.version = (unsigned)version;
    a->choice.exact_domains = exact == 1;
    return wrong;
}

static void choice_fill(struct asking *a, const struct keep_place *keep)
{
    const struct node *node = a->door->node;

    a->reader = gate_reader(a->door->gate, &a->view, &a->account);
    a->reader.is_encrypted = a->request->is_tls;
    a->choice.title = slice_text(node->config.title);
    a->choice.identity = slice_text(node->identity);
    a->choice.now_us = time_now_us();
    a->choice.gate = a->door->gate;
    a->choice.reader = &a->reader;
    a->choice.keep = keep;
    a->choice.may_read = may_read;
    a->choice.is_allowed = is_allowed;
    a->choice.is_suffix = is_suffix;
    a->choice.context = a;
}

/* ---- making and keeping ---- */

static result body_take(void *context, slice bytes, struct diag *diag)
{
    struct buf *body = context;

    buf_put(body, bytes);
    return body->overflowed ? diag_fail(diag, ERR_LIMIT, "the file has more than %zu bytes",
                                        EXPORT_BODY_BYTES_MAX)
                            : OK;
}

static uint64_t entry_count(struct export_door *door, struct store_view *view)
{
    return ledger_count(&view->txn, store_log_table(door->node->store));
}

static result noise_fresh(struct export_door *door, uint64_t entries, struct diag *diag)
{
    if (door->noise_entries == entries + 1)
        return OK;
    noise_close(&door->noise);
    door->noise_entries = 0;
    TRY(noise_open(door->node, &door->noise, diag));
    door->noise_entries = entries + 1;
    return OK;
}

static void etag_of(slice body, char out[ETAG_BYTES])
{
    struct hash256 hash = sha256(body);

    out[0] = '"';
    hex_encode(slice_of(hash.bytes, SHA256_BYTES), out + 1);
    out[ETAG_BYTES - 1] = '"';
}

/* The one with this key; else the place of the one that was not asked for the longest. */
static size_t place_of(const struct export_door *door, const char *key)
{
    size_t oldest = 0;

    for (size_t i = 0; i < EXPORT_KEPT_MAX; i++) {
        const struct kept_export *kept = door->kept[i];

        if (kept != NULL && strcmp(kept->key, key) == 0)
            return i;
        if (kept == NULL || (door->kept[oldest] != NULL && kept->used < door->kept[oldest]->used))
            oldest = i;
    }
    return oldest;
}

static size_t bytes_kept(const struct export_door *door)
{
    size_t bytes = 0;

    for (size_t i = 0; i < EXPORT_KEPT_MAX; i++)
        bytes += door->kept[i] != NULL ? door->kept[i]->body.capacity : 0;
    return bytes;
}

/* What left before, under another number of entries, is told of once. */
static result make(struct asking *a, const struct kept_export *before, struct kept_export *out,
                   struct diag *diag)
{
    CLEANUP(export_free) struct export export = {0};
    struct export_door *door = a->door;
    struct out_sink sink;

    TRY(export_gather(&a->view, &a->choice, &export, diag));
    out_sink_begin(&sink, body_take, &out->body, diag);
    export_write(&export, a->choice.format, &sink);
    TRY(out_sink_end(&sink));
    etag_of(buf_slice(&out->body), out->etag);
    out->next_us = export.next_us;
    out->entries = entry_count(door, &a->view);
    if (before != NULL && memcmp(before->etag, out->etag, ETAG_BYTES) == 0)
        return OK;
    uint64_t number = UINT64_MAX;
    TRY(export_note(&door->node->ledger, &export, slice_text(a->account.name), a->request->query,
                    &number, diag));
    if (number == out->entries) /* our own entry, right behind what we saw, changes nothing */
        out->entries++;
    return OK;
}

static bool is_fresh(const struct kept_export *kept, const char *key, uint64_t entries,
                     int64_t now_us)
{
    return kept != NULL && strcmp(kept->key, key) == 0 && kept->entries >= entries &&
           now_us < kept->next_us;
}

/* Under the lock.  *out has a holder for the caller. */
static result kept_find(struct asking *a, slice key, struct kept_export **out, struct diag *diag)
{
    struct export_door *door = a->door;
    uint64_t entries = entry_count(door, &a->view);
    char name[KEY_BYTES_MAX];

    (void)snprintf(name, sizeof(name), "%.*s", SLICE_ARG(key));
    size_t place = place_of(door, name);
    struct kept_export *kept = door->kept[place];
    bool is_same = kept != NULL && strcmp(kept->key, name) == 0;

    if (!is_fresh(kept, name, entries, a->choice.now_us)) {
        struct kept_export *made = kept_new(slice_text(name));

        if (made == NULL)
            return diag_fail(diag, ERR_LIMIT, "no memory for an export");
        result r = noise_fresh(door, entries, diag);
        if (succeeded(r))
            r = make(a, is_same ? kept : NULL, made, diag);
        if (failed(r)) {
            kept_release(made);
            return r;
        }
        kept_release(kept);
        door->kept[place] = kept = made;
    }
    kept->used = ++door->uses;
    (void)__atomic_add_fetch(&kept->holders, 1, __ATOMIC_ACQ_REL);
    if (bytes_kept(door) > EXPORT_KEPT_BYTES_MAX) {
        kept_release(door->kept[place]);
        door->kept[place] = NULL;
    }
    *out = kept;
    return OK;
}

static bool etag_is_named(slice list, slice etag)
{
    slice one;

    for (bool more = list.len > 0; more;) {
        more = slice_cut(list, ',', &one, &list);
        one = slice_trim(one);
        if (slice_starts(one, SLICE("W/")))
            one = slice_from(one, 2);
        if (slice_eq(one, etag) || slice_eq(one, SLICE("*")))
            return true;
    }
    return false;
}

static void file_answer(struct asking *a, struct kept_export *kept, struct http_response *response)
{
    const struct http_request *request = a->request;
    char room[OUT_ROOM_BYTES];
    slice etag = arena_copy(request->arena, slice_of(kept->etag, ETAG_BYTES));
    slice file = out_file_name(a->choice.format, a->choice.identity, room);

    http_response_header(response, SLICE("ETag"), etag);
    http_response_header(response, SLICE("Cache-Control"), SLICE("private, no-cache"));
    http_response_header(response, SLICE("Vary"), SLICE("Authorization"));
    if (etag_is_named(http_header_find(request, SLICE("if-none-match")), etag)) {
        response->status = 304;
        response->no_body = true;
        kept_release(kept);
        return;
    }
    response->status = 200;
    http_response_header(response, SLICE("Content-Type"), a->choice.format->media);
    http_response_header(
        response, SLICE("Content-Disposition"),
        arena_printf(request->arena, "attachment; filename=\"%.*s\"", SLICE_ARG(file)));
    response->middle = buf_slice(&kept->body);
    response->release = kept_release;
    response->release_context = kept;
    response->compress = true;
    response->no_body = request->method == HTTP_HEAD;
}

static void file_find(struct asking *a, struct http_response *response)
{
    const struct http_request *request = a->request;
    struct export_door *door = a->door;
    struct keep_place keep = node_keep(door->node);
    struct kept_export *kept = NULL;
    struct diag diag = {0};
    const char *wrong = options_read(a);

    if (wrong != NULL) {
        web_refuse(request, response, 400, slice_text(wrong));
        return;
    }
    choice_fill(a, &keep);
    slice key =
        arena_printf(request->arena, "%.*s\n%s\n%d\n%.*s", SLICE_ARG(a->choice.format->name),
                     a->account.name, a->reader.is_encrypted, SLICE_ARG(request->query));
    if (key.at == NULL || key.len >= KEY_BYTES_MAX) {
        web_refuse(request, response, 414, SLICE("the query is too long"));
        return;
    }
    (void)pthread_mutex_lock(&door->lock);
    result r = kept_find(a, key, &kept, &diag);
    (void)pthread_mutex_unlock(&door->lock);
    if (succeeded(r)) {
        file_answer(a, kept, response);
        return;
    }
    log_event(LOG_LEVEL_ERROR, "export.failed", "format=%.*s why=\"%s\"",
              SLICE_ARG(a->choice.format->name), diag.text);
    web_refuse(request, response, 503, SLICE("the file cannot be made now"));
}

void export_handle(struct export_door *door, const struct http_request *request,
                   struct http_response *response)
{
    CLEANUP(asking_end) struct asking a = {.door = door, .request = request};
    slice name = slice_from(request->path, sizeof(EXPORT_PATH) - 1);
    struct diag diag = {0};

    if (request->method != HTTP_GET && request->method != HTTP_HEAD) {
        http_response_header(response, SLICE("Allow"), SLICE("GET, HEAD"));
        web_refuse(request, response, 405, SLICE("exports are fetched by GET"));
        return;
    }
    store_view_begin(door->node->store, &a.view, &diag);
    if (diag.code != ERR_NONE) {
        web_refuse(request, response, 503, SLICE("the store cannot be read now"));
        return;
    }
    if (!is_admitted(door, &a.view.txn, request, &a.account, response))
        return;
    if (slice_ends(name, SLICE("/")))
        name.len--;
    a.choice.kinds = OUT_ALL;
    a.choice.format = name.len > 0 ? out_format_find(name) : NULL;
    if (name.len == 0)
        formats_answer(request, response);
    else if (a.choice.format == NULL)
        web_refuse(request, response, 404, SLICE("there is no such format; /export/ lists them"));
    else
        file_find(&a, response);
    response->no_body |= request->method == HTTP_HEAD;
}
