#include "cli/service.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/supervisor.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/ledger_clerk.h"
#include "net/server.h"
#include "net/tls.h"
#include "scan/watch.h"
#include "sync/door.h"
#include "sync/runner.h"
#include "taxii/taxii.h"
#include "web/api.h"
#include "web/export.h"
#include "web/ledger.h"
#include "web/setup.h"
#include "web/telemetry.h"

#include "base/banned.h"

#define CERTIFICATE_DAYS 825
#define STOP_GRACE_MS 5000
#define TICK_MS 1000
#define OPS_CONNECTIONS_MAX 64
#define OPS_BODY_BYTES_MAX 4096
#define EXCHANGE_THREADS 2
#define EXCHANGE_CONNECTIONS_MAX 2000
#define EXCHANGE_IDLE_S 600 /* a partner's line stays open between two questions */
#define PATH_BYTES_MAX 4200
#define NAMES_MAX 8

struct service {
    struct node *node;
    struct taxii *taxii;
    struct ledger_web ledger;
    struct clerk *clerk;        /* owned */
    struct telemetry_door door; /* its sensor is owned */
    struct watch *watch;        /* owned; NULL: no telemetry is read */
    struct export_door exports;
    struct api_door api;
    struct sync_place sync;
    struct sync_door *partners;                  /* owned */
    struct sync_runner *puller;                  /* owned */
    struct http_server *server, *ops, *exchange; /* exchange: NULL when partners cannot reach us */
    char certificate_file[PATH_BYTES_MAX], key_file[PATH_BYTES_MAX];
    volatile bool is_ready;
};

/* ---- the certificate ---- */

static void certificate_paths(const struct node *node, char certificate[PATH_BYTES_MAX],
                              char key[PATH_BYTES_MAX])
{
    const struct config *config = &node->config;

    if (config->tls_certificate_file[0] != '\0') {
        (void)snprintf(certificate, PATH_BYTES_MAX, "%s", config->tls_certificate_file);
        (void)snprintf(key, PATH_BYTES_MAX, "%s", config->tls_key_file);
        return;
    }
    (void)snprintf(certificate, PATH_BYTES_MAX, "%s/tls/certificate.pem", node->folder);
    (void)snprintf(key, PATH_BYTES_MAX, "%s/tls/key.pem", node->folder);
}

/* The host of "host:port", without the brackets of an IPv6 address; empty for ":port". */
static slice listen_host(slice listen)
{
    size_t colon = listen.len;

    while (colon > 0 && listen.at[colon - 1] != ':')
        colon--;
    slice host = slice_head(listen, colon > 0 ? colon - 1 : 0);
    if (host.len >= 2 && host.at[0] == '[')
        host = slice_of(host.at + 1, host.len - 2);
    return host;
}

static result certificate_make(const struct node *node, const char *certificate, const char *key,
                               struct diag *diag)
{
    const char *names[NAMES_MAX] = {"localhost", "127.0.0.1", "::1"};
    char folder[PATH_BYTES_MAX], machine[256] = "", host[256];
    slice listens = listen_host(slice_text(node->config.listen));
    size_t count = 3;

    (void)snprintf(folder, sizeof(folder), "%s/tls", node->folder);
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return diag_errno(diag, errno, "%s", folder);
    if (gethostname(machine, sizeof(machine) - 1) == 0 && machine[0] != '\0')
        names[count++] = machine;
    (void)snprintf(host, sizeof(host), "%.*s", SLICE_ARG(listens));
    if (listens.len > 0 && !slice_eq(listens, SLICE("127.0.0.1")) &&
        !slice_eq(listens, SLICE("::1")) && !slice_eq(listens, SLICE("localhost")) &&
        !slice_eq(listens, SLICE("0.0.0.0")) && !slice_eq(listens, SLICE("::")))
        names[count++] = host;
    names[count] = NULL;
    return tls_make_certificate(certificate, key, names, CERTIFICATE_DAYS, diag);
}

result service_certificate(struct node *node, struct hash256 *fingerprint, struct diag *diag)
{
    char certificate[PATH_BYTES_MAX], key[PATH_BYTES_MAX];

    certificate_paths(node, certificate, key);
    if (node->config.tls_certificate_file[0] == '\0' && access(certificate, F_OK) != 0)
        TRY(certificate_make(node, certificate, key, diag));
    return tls_fingerprint(certificate, fingerprint, diag);
}

/* ---- the main listener: a door each for what is no TAXII, then TAXII ---- */

static bool is_setup(const struct http_request *request)
{
    return slice_starts(request->path, SLICE(SETUP_PATH));
}

static bool setup_door_begin(struct service *service, const struct http_request *request,
                             size_t *body_bytes_max, struct http_response *early)
{
    (void)service;
    (void)request;
    (void)early;
    *body_bytes_max = SETUP_BODY_BYTES_MAX;
    return false;
}

static void setup_door(struct service *service, const struct http_request *request,
                       struct http_response *response)
{
    setup_handle(service->node->accounts, request, response);
}

static bool is_ledger(const struct http_request *request)
{
    return ledger_web_is_path(request->path);
}

static bool ledger_door_begin(struct service *service, const struct http_request *request,
                              size_t *body_bytes_max, struct http_response *early)
{
    (void)service;
    (void)early;
    *body_bytes_max = ledger_web_body_bytes_max(request->path);
    return false;
}

static void ledger_door(struct service *service, const struct http_request *request,
                        struct http_response *response)
{
    ledger_web_handle(&service->ledger, request, response);
}

static bool telemetry_door_begin(struct service *service, const struct http_request *request,
                                 size_t *body_bytes_max, struct http_response *early)
{
    return telemetry_begin(&service->door, request, body_bytes_max, early);
}

static void telemetry_door(struct service *service, const struct http_request *request,
                           struct http_response *response)
{
    telemetry_handle(&service->door, request, response);
}

static bool export_door_begin(struct service *service, const struct http_request *request,
                              size_t *body_bytes_max, struct http_response *early)
{
    (void)service;
    (void)request;
    (void)early;
    *body_bytes_max = 0;
    return false;
}

static void export_door(struct service *service, const struct http_request *request,
                        struct http_response *response)
{
    export_handle(&service->exports, request, response);
}

static bool api_door_begin(struct service *service, const struct http_request *request,
                           size_t *body_bytes_max, struct http_response *early)
{
    (void)service;
    (void)request;
    (void)early;
    *body_bytes_max = API_BODY_BYTES_MAX;
    return false;
}

static void api_door(struct service *service, const struct http_request *request,
                     struct http_response *response)
{
    api_handle(&service->api, request, response);
}

/* Every way into the main listener that is not TAXII's; service_route_at lists them, and a test
 * asks of each what it lets out. */
static const struct door {
    slice path, methods; /* for people and tests */
    bool (*is_at)(const struct http_request *request);
    bool (*begin)(struct service *service, const struct http_request *request,
                  size_t *body_bytes_max, struct http_response *early);
    void (*handle)(struct service *service, const struct http_request *request,
                   struct http_response *response);
} doors[] = {
    {S("/setup/{secret}"), S("GET, HEAD, POST"), is_setup, setup_door_begin, setup_door},
    {S("/ledger/{file}"), S("GET, HEAD"), is_ledger, ledger_door_begin, ledger_door},
    {S("/witness/add-checkpoint"), S("POST"), is_ledger, ledger_door_begin, ledger_door},
    {S("/export/{format}"), S("GET, HEAD"), export_is_path, export_door_begin, export_door},
    {S("/api/v1/{resource}"), S("GET, HEAD, POST, DELETE"), api_is_path, api_door_begin, api_door},
    {S("/telemetry"), S("POST"), telemetry_is_path, telemetry_door_begin, telemetry_door},
};
#define DOORS (sizeof(doors) / sizeof(doors[0]))

static const struct door *door_of(const struct http_request *request)
{
    for (size_t i = 0; i < DOORS; i++)
        if (doors[i].is_at(request))
            return &doors[i];
    return NULL;
}

static bool main_begin(void *context, const struct http_request *request, size_t body_bytes,
                       size_t *body_bytes_max, struct http_response *early)
{
    const struct door *door = door_of(request);
    struct service *service = context;

    return door != NULL ? door->begin(service, request, body_bytes_max, early)
                        : taxii_begin(service->taxii, request, body_bytes, body_bytes_max, early);
}

static void main_handle(void *context, const struct http_request *request,
                        struct http_response *response)
{
    const struct door *door = door_of(request);
    struct service *service = context;

    if (door != NULL)
        door->handle(service, request, response);
    else
        taxii_handle(service->taxii, request, response);
}

static void main_refuse(void *context, int status, const struct http_request *request,
                        struct http_response *response)
{
    struct service *service = context;

    taxii_refuse(service->taxii, status, request, response);
}

/* ---- the operations listener: health and metrics ---- */

static void ops_text(struct http_response *response, int status, slice type, slice body)
{
    response->status = status;
    response->head = body;
    http_response_header(response, SLICE("Content-Type"), type);
    http_response_header(response, SLICE("Cache-Control"), SLICE("no-store"));
}

static void ops_metrics(struct service *service, const struct http_request *request,
                        struct http_response *response)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 20);
    CLEANUP(store_view_end) struct store_view view = {0};
    struct store_status status;
    struct diag diag = {0};

    store_view_begin(service->node->store, &view, &diag);
    store_status(&view, &status);
    metric_set(METRIC_store_objects, status.live);
    metric_set(METRIC_store_segment, status.segment_bytes);
    metric_set(METRIC_ledger_entries, status.entries);
    metrics_write(&text);
    ops_text(response, 200, SLICE("application/openmetrics-text; version=1.0.0; charset=utf-8"),
             arena_copy(request->arena, buf_slice(&text)));
}

/* Ready means: the store answers. */
static void ops_ready(struct service *service, const struct http_request *request,
                      struct http_response *response)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    struct diag diag = {0};

    (void)request;
    if (service->is_ready)
        store_view_begin(service->node->store, &view, &diag);
    if (service->is_ready && diag.code == ERR_NONE)
        ops_text(response, 200, SLICE("text/plain; charset=utf-8"), SLICE("ready\n"));
    else
        ops_text(response, 503, SLICE("text/plain; charset=utf-8"), SLICE("not ready\n"));
}

static void ops_alive(struct service *service, const struct http_request *request,
                      struct http_response *response)
{
    (void)service;
    (void)request;
    ops_text(response, 200, SLICE("text/plain; charset=utf-8"), SLICE("alive\n"));
}

static const struct {
    slice path;
    void (*handle)(struct service *service, const struct http_request *request,
                   struct http_response *response);
} ops_doors[] = {{S("/livez"), ops_alive}, {S("/readyz"), ops_ready}, {S("/metrics"), ops_metrics}};
#define OPS_DOORS (sizeof(ops_doors) / sizeof(ops_doors[0]))

static void ops_handle(void *context, const struct http_request *request,
                       struct http_response *response)
{
    struct service *service = context;

    response->no_body = request->method == HTTP_HEAD;
    if (request->method != HTTP_GET && request->method != HTTP_HEAD) {
        ops_text(response, 405, SLICE("text/plain; charset=utf-8"), SLICE("GET only\n"));
        return;
    }
    for (size_t i = 0; i < OPS_DOORS; i++) {
        if (slice_eq(request->path, ops_doors[i].path)) {
            ops_doors[i].handle(service, request, response);
            return;
        }
    }
    ops_text(response, 404, SLICE("text/plain; charset=utf-8"),
             SLICE("/livez, /readyz and /metrics\n"));
}

bool service_route_at(size_t index, slice *path, slice *methods)
{
    if (index < DOORS) {
        *path = doors[index].path;
        *methods = doors[index].methods;
        return true;
    }
    if (index < DOORS + OPS_DOORS) {
        *path = ops_doors[index - DOORS].path;
        *methods = SLICE("GET, HEAD");
        return true;
    }
    if (sync_door_route_at(index - DOORS - OPS_DOORS, path, methods))
        return true;
    slice ignored;
    size_t partners = 0;
    while (sync_door_route_at(partners, &ignored, &ignored))
        partners++;
    return taxii_route_at(index - DOORS - OPS_DOORS - partners, path, methods);
}

static bool ops_begin(void *context, const struct http_request *request, size_t body_bytes,
                      size_t *body_bytes_max, struct http_response *early)
{
    (void)context;
    (void)request;
    (void)body_bytes;
    (void)early;
    *body_bytes_max = OPS_BODY_BYTES_MAX;
    return false;
}

/* ---- start, reload, stop ---- */

static bool is_loopback(slice listen)
{
    slice host = listen_host(listen);

    return slice_starts(listen, SLICE("unix:")) || slice_starts(host, SLICE("127.")) ||
           slice_eq(host, SLICE("::1")) || slice_eq(host, SLICE("localhost"));
}

static result start_main(struct service *service, const struct service_options *options, bool tls,
                         struct diag *diag)
{
    const struct config *config = &service->node->config;
    const char *listen = options->listen != NULL ? options->listen : config->listen;
    struct http_server_options server = {
        .listen = listen,
        .threads = (unsigned)config->http_threads,
        .connections_max = config->http_connections_max,
        .header_bytes_max = config->http_header_bytes_max,
        .idle_s = (unsigned)config->http_idle_s,
        .tls = tls,
        .certificate_file = service->certificate_file,
        .key_file = service->key_file,
        .begin = main_begin,
        .handle = main_handle,
        .refuse = main_refuse,
        .context = service,
    };

    if (!tls && !is_loopback(slice_text(listen)) && !options->plain_http && !config->plain_http)
        return diag_fail(diag, ERR_DENIED,
                         "%s: plain HTTP on an address that is not loopback wants --plain-http",
                         listen);
    return http_server_start(&server, &service->server, diag);
}

static result start_ops(struct service *service, const struct service_options *options,
                        struct diag *diag)
{
    const struct config *config = &service->node->config;
    const char *listen = options->listen_ops != NULL ? options->listen_ops : config->listen_ops;
    struct http_server_options ops = {
        .listen = listen,
        .threads = 1,
        .connections_max = OPS_CONNECTIONS_MAX,
        .header_bytes_max = config->http_header_bytes_max,
        .idle_s = (unsigned)config->http_idle_s,
        .begin = ops_begin,
        .handle = ops_handle,
        .context = service,
    };

    if (!is_loopback(slice_text(listen)))
        return diag_fail(diag, ERR_DENIED, "listen_ops = \"%s\": takes a loopback address", listen);
    return http_server_start(&ops, &service->ops, diag);
}

/* Partners have a listener of their own: there who asks is known by a key, and nobody else. */
static result start_exchange(struct service *service, const struct service_options *options,
                             struct diag *diag)
{
    const struct config *config = &service->node->config;
    const char *listen =
        options->listen_exchange != NULL ? options->listen_exchange : config->exchange_listen;
    char certificate[SYNC_PATH_BYTES_MAX], key[SYNC_PATH_BYTES_MAX];

    service->sync = node_sync(service->node);
    TRY(sync_certificate(&service->sync, certificate, key, diag));
    TRY(sync_runner_start(&service->sync, &service->puller, diag));
    if (listen[0] == '\0')
        return OK;
    TRY(sync_door_open(&service->sync, &service->partners, diag));
    struct http_server_options exchange = {
        .listen = listen,
        .threads = EXCHANGE_THREADS,
        .connections_max = EXCHANGE_CONNECTIONS_MAX,
        .header_bytes_max = config->http_header_bytes_max,
        .idle_s = EXCHANGE_IDLE_S,
        .tls = true,
        .ask_clients = true,
        .certificate_file = certificate,
        .key_file = key,
        .begin = sync_door_begin,
        .handle = sync_door_handle,
        .context = service->partners,
    };
    return http_server_start(&exchange, &service->exchange, diag);
}

static result reload(struct service *service, bool tls, struct diag *diag)
{
    static struct config fresh; /* too large for the stack; this thread alone reloads */
    struct config *next = &fresh;
    char path[PATH_BYTES_MAX];

    (void)snprintf(path, sizeof(path), "%s/entente.yaml", service->node->folder);
    TRY(config_load(path, next, diag));
    struct node probe = {.config = *next};
    (void)snprintf(probe.folder, sizeof(probe.folder), "%s", service->node->folder);
    certificate_paths(&probe, service->certificate_file, service->key_file);
    if (tls)
        TRY(http_server_reload_tls(service->server, service->certificate_file, service->key_file,
                                   diag));
    TRY(clerk_configure(service->clerk, next, diag));
    taxii_configure(service->taxii, next);
    ledger_web_configure(&service->ledger, next);
    service->node->config = *next;
    TRY(node_note_settings(service->node, "cli", diag));
    cli_log_configure(next);
    return OK;
}

static void reload_logged(struct service *service, bool tls)
{
    struct diag diag = {0};

    supervisor_notify("RELOADING=1");
    if (failed(reload(service, tls, &diag)))
        log_event(LOG_LEVEL_ERROR, "config.reload_failed", "why=\"%s\"", diag.text);
    else
        log_event(LOG_LEVEL_INFO, "config.reloaded", "folder=%s", service->node->folder);
    supervisor_notify("READY=1");
}

/* Signals are taken here and nowhere else: every thread is started with them blocked. */
static void signals_block(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, set, NULL);
}

static void wait_for_stop(struct service *service, const sigset_t *signals, bool tls)
{
    for (;;) {
        struct timespec tick = {.tv_sec = TICK_MS / 1000, .tv_nsec = TICK_MS % 1000 * 1000000};
        int signal_number = sigtimedwait(signals, NULL, &tick);

        if (signal_number == SIGTERM || signal_number == SIGINT)
            return;
        if (signal_number == SIGHUP)
            reload_logged(service, tls);
        taxii_tick(service->taxii);
        supervisor_notify("WATCHDOG=1");
    }
}

static void service_stop(struct service *service)
{
    supervisor_notify("STOPPING=1");
    service->is_ready = false;
    if (service->server != NULL)
        http_server_stop(&service->server, STOP_GRACE_MS);
    sync_runner_stop(&service->puller);
    if (service->exchange != NULL)
        http_server_stop(&service->exchange, STOP_GRACE_MS);
    sync_door_close(&service->partners);
    if (service->ops != NULL)
        http_server_stop(&service->ops, STOP_GRACE_MS);
    if (service->taxii != NULL)
        taxii_free(&service->taxii);
    watch_close(&service->watch);
    sensor_close(&service->door.sensor);
    clerk_stop(&service->clerk);
    ledger_web_free(&service->ledger);
    export_door_close(&service->exports);
    api_door_close(&service->api);
}

/* Telemetry is taken in from the first request on. */
static result start_sensor(struct service *service, struct diag *diag)
{
    struct node *node = service->node;
    struct sensor_options options = {
        .live = {.store = node->store,
                 .allow = node_allow(node),
                 .choice = {.confidence_least = -1}},
        .report = node_report(node, SLICE("serve")),
        .retro = node_retro(node),
    };

    service->door.accounts = node->accounts;
    service->door.own = slice_text(node->identity);
    service->door.kv = store_kv(node->store);
    service->door.body_bytes_max = node->config.telemetry_body_bytes_max;
    return node->config.detect ? sensor_open(&options, &service->door.sensor, diag) : OK;
}

static result start_watch(struct service *service, struct diag *diag)
{
    const struct node *node = service->node;
    char state_path[PATH_BYTES_MAX];
    struct watch_options options = {
        .sensor = service->door.sensor,
        .follow = node->config.telemetry_follow,
        .listen = node->config.telemetry_listen,
        .state_path = state_path,
    };

    (void)snprintf(state_path, sizeof(state_path), "%s/telemetry.json", node->folder);
    return options.sensor != NULL ? watch_open(&options, &service->watch, diag) : OK;
}

static result service_start(struct service *service, const struct service_options *options,
                            bool tls, struct diag *diag)
{
    uint8_t next_key[TAXII_KEY_BYTES];
    struct keep_place keep = node_keep(service->node);
    struct taxii_options taxii = {
        .store = service->node->store,
        .accounts = service->node->accounts,
        .config = &service->node->config,
        .world = store_world(service->node->store),
        .folder = service->node->folder,
        .next_key = next_key,
        .keep = &keep,
        .is_encrypted = tls,
    };

    TRY(node_note_settings(service->node, "cli", diag));
    ledger_web_init(&service->ledger, &service->node->ledger, service->node->accounts,
                    &service->node->config);
    TRY(clerk_start(&service->node->ledger, &service->node->config, &service->clerk, diag));
    TRY(taxii_key_load(service->node->folder, taxii.world, next_key, diag));
    TRY(taxii_new(&taxii, &service->taxii, diag));
    TRY(export_door_open(&service->exports, service->node, diag));
    TRY(api_door_open(&service->api, service->node, diag));
    TRY(start_sensor(service, diag));
    TRY(start_watch(service, diag));
    TRY(start_ops(service, options, diag));
    TRY(start_exchange(service, options, diag));
    return start_main(service, options, tls, diag);
}

result service_run(struct node *node, const struct service_options *options, struct diag *diag)
{
    bool tls = node->config.tls && !options->plain_http;
    struct service service = {.node = node};
    struct hash256 fingerprint = {0};
    char url[512], ops_url[512];
    sigset_t signals;

    signals_block(&signals);
    if (tls)
        TRY(service_certificate(node, &fingerprint, diag));
    certificate_paths(node, service.certificate_file, service.key_file);
    result r = service_start(&service, options, tls, diag);
    if (succeeded(r)) {
        (void)snprintf(url, sizeof(url), "http%s://%s", tls ? "s" : "",
                       http_server_address(service.server));
        (void)snprintf(ops_url, sizeof(ops_url), "http://%s", http_server_address(service.ops));
        service.is_ready = true;
        options->started(options->context, url, ops_url, tls ? &fingerprint : NULL);
        log_event(LOG_LEVEL_INFO, "serve.started", "url=%s ops=%s exchange=%s", url, ops_url,
                  service.exchange != NULL ? http_server_address(service.exchange) : "none");
        supervisor_notify("READY=1");
        wait_for_stop(&service, &signals, tls);
        log_event(LOG_LEVEL_INFO, "serve.stopping", "url=%s", url);
    }
    service_stop(&service);
    if (succeeded(r))
        log_event(LOG_LEVEL_INFO, "serve.stopped", "url=%s", url);
    return r;
}
