#include "taxii/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fault.h"

#include "base/banned.h"

#define STRAY_BODY_BYTES_MAX 65536 /* of a GET or DELETE: taken and not looked at */
#define TAXII_BYTES_MAX (sizeof(struct taxii) + 4096)

/* What one method of an endpoint does and the right it asks for. */
struct endpoint_action {
    void (*handle)(struct exchange *exchange);
    unsigned rights;
};

static const struct endpoint_row {
    slice path, allow;
    struct endpoint_action get, post, delete;
    bool in_collection;
} endpoints[ENDPOINT_COUNT] = {
    [ENDPOINT_DISCOVERY] = {S("/taxii2/"), S("GET, HEAD, OPTIONS"), .get = {get_discovery, 0}},
    [ENDPOINT_API_ROOT] = {S("/{root}/"), S("GET, HEAD, OPTIONS"), .get = {get_api_root, 0}},
    [ENDPOINT_STATUS] = {S("/{root}/status/{status}/"), S("GET, HEAD, OPTIONS"),
                         .get = {get_status, 0}},
    [ENDPOINT_COLLECTIONS] = {S("/{root}/collections/"), S("GET, HEAD, OPTIONS"),
                              .get = {get_collections, 0}},
    [ENDPOINT_COLLECTION] = {S("/{root}/collections/{collection}/"), S("GET, HEAD, OPTIONS"),
                             .get = {get_collection, 0}, .in_collection = true},
    [ENDPOINT_MANIFEST] = {S("/{root}/collections/{collection}/manifest/"), S("GET, HEAD, OPTIONS"),
                           .get = {get_manifest, RIGHT_READ}, .in_collection = true},
    [ENDPOINT_OBJECTS] = {S("/{root}/collections/{collection}/objects/"),
                          S("GET, HEAD, POST, OPTIONS"), .get = {get_objects, RIGHT_READ},
                          .post = {post_objects, RIGHT_WRITE}, .in_collection = true},
    [ENDPOINT_OBJECT] = {S("/{root}/collections/{collection}/objects/{object}/"),
                         S("GET, HEAD, DELETE, OPTIONS"), .get = {get_objects, RIGHT_READ},
                         .delete = {delete_object, RIGHT_READ | RIGHT_WRITE},
                         .in_collection = true},
    [ENDPOINT_VERSIONS] = {S("/{root}/collections/{collection}/objects/{object}/versions/"),
                           S("GET, HEAD, OPTIONS"), .get = {get_versions, RIGHT_READ},
                           .in_collection = true},
};

bool taxii_route_at(size_t index, slice *path, slice *methods)
{
    if (index >= ENDPOINT_COUNT)
        return false;
    *path = endpoints[index].path;
    *methods = endpoints[index].allow;
    return true;
}

static const struct endpoint_action *action_of(const struct endpoint_row *row,
                                               enum http_method method)
{
    const struct endpoint_action *action = NULL;

    if (method == HTTP_GET || method == HTTP_HEAD)
        action = &row->get;
    else if (method == HTTP_POST)
        action = &row->post;
    else if (method == HTTP_DELETE)
        action = &row->delete;
    return action != NULL && action->handle != NULL ? action : NULL;
}

/* ---- admission ---- */

static void ask_to_log_in(struct exchange *exchange)
{
    answer_error(exchange, 401, "This needs a user and password, or a token, with a right to it.");
}

static bool log_in(struct exchange *exchange)
{
    const struct http_request *request = exchange->request;
    unsigned wait_s = 0;

    switch (account_login(exchange->taxii->accounts, &exchange->view.txn,
                          http_header_find(request, SLICE("authorization")), request->peer,
                          &exchange->account, &wait_s)) {
    case LOGIN_OK:
        exchange->is_known = true;
        return true;
    case LOGIN_NONE:
        return true;
    case LOGIN_WRONG:
        ask_to_log_in(exchange);
        return false;
    case LOGIN_WAIT:
        http_response_header(exchange->response, SLICE("Retry-After"),
                             arena_printf(request->arena, "%u", wait_s));
        answer_error(exchange, 429, "Log-ins failed too often; try again in %u seconds.", wait_s);
        return false;
    }
    return false;
}

struct limits limits_of(const struct config *config)
{
    struct limits limits = {
        .content_bytes = config->taxii_content_bytes_max,
        .page_objects = config->taxii_page_objects,
        .page_objects_max = config->taxii_page_objects_max,
        .page_bytes = config->taxii_page_bytes_max,
        .sync_objects = config->taxii_sync_objects_max,
        .object_bytes = config->object_bytes_max,
        .json_depth = config->json_depth_max,
        .status_keep_s = config->taxii_status_keep_s,
        .mode = STIX_NORMAL,
    };

    (void)stix_mode_parse(slice_text(config->check), &limits.mode);
    return limits;
}

/* Settings are read here, once, under the lock. */
static bool find_route(struct exchange *exchange)
{
    struct taxii *taxii = exchange->taxii;
    const struct config *config = &taxii->config;

    (void)pthread_rwlock_rdlock(&taxii->config_lock);
    exchange->limits = limits_of(config);
    bool found = route_parse(exchange->request->path, slice_text(config->api_root),
                             exchange->request->arena, &exchange->route);
    (void)pthread_rwlock_unlock(&taxii->config_lock);
    if (exchange->request->arena->overflowed)
        answer_error(exchange, 503, "no memory for the path");
    else if (!found)
        answer_error(exchange, 404, "Nothing of TAXII is at this path.");
    else
        return true;
    return false;
}

/* A collection one has no right to is not there for one: 404 (TAXII 2.1, 5.2 to 5.8; the table of
 * 5.7 asks for it), or 401 while the client has not said who it is. */
static bool find_collection(struct exchange *exchange)
{
    const struct account *account = exchange->is_known ? &exchange->account : NULL;
    bool found =
        store_collection_find(&exchange->view, exchange->route.collection, &exchange->collection);

    exchange->rights = found ? account_rights(exchange->taxii->accounts, &exchange->view.txn,
                                              account, exchange->collection.number)
                             : 0;
    if (failed(exchange->view.txn.state))
        answer_failure(exchange, exchange->view.txn.state, false);
    else if (exchange->rights != 0)
        return true;
    else if (exchange->is_known)
        answer_error(exchange, 404, "No such collection.");
    else
        ask_to_log_in(exchange);
    return false;
}

/* One that it knows of and may not use so: 403. */
static bool has_rights(struct exchange *exchange, const struct endpoint_action *action)
{
    if ((exchange->rights & action->rights) == action->rights)
        return true;
    if (exchange->is_known)
        answer_error(exchange, 403, "You have no right to do this in this collection.");
    else
        ask_to_log_in(exchange);
    return false;
}

static bool may_enter(struct exchange *exchange, const struct endpoint_row *row)
{
    if (row->in_collection)
        return find_collection(exchange);
    if (exchange->is_known || anonymous_is_welcome(exchange))
        return true;
    ask_to_log_in(exchange);
    return false;
}

/* Who asks, for what, by which right, in which media type.  NULL: answered already. */
static const struct endpoint_action *admit(struct exchange *exchange)
{
    if (failed(exchange->view.txn.state)) {
        answer_failure(exchange, exchange->view.txn.state, false);
        return NULL;
    }
    if (!log_in(exchange) || !find_route(exchange))
        return NULL;
    const struct endpoint_row *row = &endpoints[exchange->route.endpoint];
    const struct endpoint_action *action = action_of(row, exchange->request->method);

    if (!may_enter(exchange, row))
        return NULL;
    if (action == NULL) {
        http_response_header(exchange->response, SLICE("Allow"), row->allow);
        if (exchange->request->method == HTTP_OPTIONS)
            answer_empty(exchange, 200);
        else
            answer_error(exchange, 405, "Allowed here: %.*s.", SLICE_ARG(row->allow));
        return NULL;
    }
    if (!has_rights(exchange, action))
        return NULL;
    if (!media_accepted(exchange->request)) {
        answer_error(exchange, 406,
                     "This server answers in %s; the Accept header takes none of it.",
                     TAXII_MEDIA_TYPE);
        return NULL;
    }
    return action;
}

/* ---- the exchange ---- */

static void exchange_begin(struct exchange *exchange, struct taxii *taxii,
                           const struct http_request *request, struct http_response *response)
{
    *exchange = (struct exchange){.taxii = taxii, .request = request, .response = response};
    store_view_begin(taxii->store, &exchange->view, &exchange->diag);
}

static void exchange_end(struct exchange *exchange)
{
    store_view_end(&exchange->view);
}

void taxii_handle(void *context, const struct http_request *request, struct http_response *response)
{
    CLEANUP(exchange_end) struct exchange exchange;

    exchange_begin(&exchange, context, request, response);
    const struct endpoint_action *action = admit(&exchange);
    if (action != NULL)
        action->handle(&exchange);
    if (request->method == HTTP_HEAD)
        response->no_body = true;
}

bool taxii_begin(void *context, const struct http_request *request, size_t body_bytes_announced,
                 size_t *body_bytes_max, struct http_response *early)
{
    CLEANUP(exchange_end) struct exchange exchange = {0};
    bool is_announced = http_header_find(request, SLICE("content-length")).at != NULL;

    *body_bytes_max = STRAY_BODY_BYTES_MAX;
    if (request->method != HTTP_POST)
        return false; /* nothing that must be said before the body, so all waits for taxii_handle */
    exchange_begin(&exchange, context, request, early);
    if (admit(&exchange) == NULL || !post_is_fit(&exchange, is_announced ? body_bytes_announced : 0,
                                                 is_announced && body_bytes_announced == 0))
        return true;
    *body_bytes_max = exchange.limits.content_bytes;
    return false;
}

/* ---- the server as a whole ---- */

result taxii_new(const struct taxii_options *options, struct taxii **out, struct diag *diag)
{
    struct arena arena = ARENA(TAXII_BYTES_MAX);
    struct taxii *taxii = arena_new(&arena, struct taxii, 1);

    *out = NULL;
    if (taxii == NULL || FAULT_HERE()) {
        arena_free(&arena);
        return diag_fail(diag, ERR_LIMIT, "no memory for the TAXII server");
    }
    *taxii = (struct taxii){.arena = arena,
                            .store = options->store,
                            .accounts = options->accounts,
                            .world = options->world,
                            .is_encrypted = options->is_encrypted,
                            .accepted = {.fd = -1},
                            .config = *options->config};
    if (options->next_key != NULL)
        memcpy(taxii->next_key, options->next_key, TAXII_KEY_BYTES);
    else
        taxii->world->random(taxii->world->context, taxii->next_key, TAXII_KEY_BYTES);
    (void)pthread_rwlock_init(&taxii->config_lock, NULL);
    const struct gate_options gate = {.keep = options->keep, .world = options->world};
    result made = gate_open(&gate, &taxii->gate, diag);
    if (succeeded(made))
        made = reads_new(options->store, options->config->ledger_reads_s, &taxii->reads, diag);
    if (succeeded(made))
        made = accepted_open(options->folder, &taxii->accepted, diag);
    if (succeeded(made))
        made = statuses_new(taxii, &taxii->statuses, diag);
    if (succeeded(made))
        made = accepted_resume(taxii, diag);
    *out = taxii;
    if (failed(made))
        taxii_free(out);
    return made;
}

void taxii_free(struct taxii **taxii)
{
    if (*taxii == NULL)
        return;
    statuses_free(&(*taxii)->statuses);
    accepted_close(&(*taxii)->accepted);
    reads_free(&(*taxii)->reads);
    gate_close(&(*taxii)->gate);
    (void)pthread_rwlock_destroy(&(*taxii)->config_lock);
    secret_wipe((*taxii)->next_key, TAXII_KEY_BYTES);
    struct arena arena = (*taxii)->arena;
    *taxii = NULL;
    arena_free(&arena);
}

void taxii_configure(struct taxii *taxii, const struct config *config)
{
    (void)pthread_rwlock_wrlock(&taxii->config_lock);
    taxii->config = *config;
    (void)pthread_rwlock_unlock(&taxii->config_lock);
    reads_configure(taxii->reads, config->ledger_reads_s);
}

void taxii_tick(struct taxii *taxii)
{
    reads_tick(taxii->reads);
}

void taxii_settle(struct taxii *taxii)
{
    statuses_settle(taxii->statuses);
}

/* ---- the key of `next` ---- */

static void descriptor_close(int *descriptor)
{
    if (*descriptor >= 0)
        (void)close(*descriptor);
}

static result key_make(const char *path, const struct world *world, uint8_t key[TAXII_KEY_BYTES],
                       struct diag *diag)
{
    CLEANUP(descriptor_close)
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (file < 0)
        return diag_errno(diag, errno, "%s", path);
    world->random(world->context, key, TAXII_KEY_BYTES);
    if (FAULT_HERE() || write(file, key, TAXII_KEY_BYTES) != TAXII_KEY_BYTES || fsync(file) != 0) {
        int number = errno;

        (void)unlink(path);
        return diag_errno(diag, number, "%s", path);
    }
    return OK;
}

result taxii_key_load(const char *folder, const struct world *world, uint8_t key[TAXII_KEY_BYTES],
                      struct diag *diag)
{
    char path[4096];
    uint8_t extra;

    if (snprintf(path, sizeof(path), "%s/next.key", folder) >= (int)sizeof(path))
        return diag_fail(diag, ERR_INVALID, "%s: path too long", folder);
    CLEANUP(descriptor_close) int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 && errno == ENOENT)
        return key_make(path, world, key, diag);
    if (file < 0)
        return diag_errno(diag, errno, "%s", path);
    if (read(file, key, TAXII_KEY_BYTES) != TAXII_KEY_BYTES || read(file, &extra, 1) != 0)
        return diag_fail(diag, ERR_CORRUPT, "%s: is no key of %d bytes", path, TAXII_KEY_BYTES);
    return OK;
}
