#include "web/telemetry.h"

#include "base/log.h"
#include "web/answer.h"
#include "json/write.h"

#include "base/banned.h"

#define ANSWER_BYTES_MAX ((size_t)1 << 16)
#define FORMAT_BYTES_MAX 64

bool telemetry_is_path(const struct http_request *request)
{
    return slice_eq(request->path, SLICE(TELEMETRY_PATH)) ||
           slice_eq(request->path, SLICE(TELEMETRY_PATH "/"));
}

/* ---- answers ---- */

static void counts_answer(const struct http_request *request, struct http_response *response,
                          const struct sensor_counts *counts, bool with_hits)
{
    CLEANUP(buf_free) struct buf json = BUF(ANSWER_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&json);

    jw_object_begin(&w);
    jw_put_string(&w, SLICE("format"), slice_text(counts->format));
    jw_put_u64(&w, SLICE("bytes"), counts->bytes);
    jw_put_u64(&w, SLICE("lines"), counts->lines);
    jw_put_u64(&w, SLICE("events"), counts->events);
    if (with_hits)
        jw_put_u64(&w, SLICE("hits"), counts->hits);
    jw_put_u64(&w, SLICE("broken"), counts->broken);
    if (counts->first_broken[0] != '\0')
        jw_put_string(&w, SLICE("first_broken"), slice_text(counts->first_broken));
    jw_object_end(&w);
    web_put(request, response, 200, &json);
}

/* ---- admission ---- */

static bool is_admitted(const struct telemetry_door *door, const struct http_request *request,
                        struct http_response *response, bool *is_inside)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct account account;
    unsigned wait_s = 0;

    kv_begin_read(door->kv, &txn, NULL);
    if (failed(txn.state)) {
        web_refuse(request, response, 503, SLICE("the node cannot look accounts up now"));
        return false;
    }
    switch (account_login(door->accounts, &txn, http_header_find(request, SLICE("authorization")),
                          request->peer, &account, &wait_s)) {
    case LOGIN_OK:
        *is_inside = account.organisation[0] == '\0' ||
                     slice_eq(slice_text(account.organisation), door->own);
        if ((account.roles & (ROLE_SENSOR | ROLE_ADMIN)) != 0)
            return true;
        web_refuse(request, response, 403, SLICE("telemetry is for accounts with the role sensor"));
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
    web_refuse(request, response, 401, SLICE("telemetry is for accounts with the role sensor"));
    return false;
}

/* What can be said without the body; true: it may come. */
static bool is_fit(const struct telemetry_door *door, const struct http_request *request,
                   struct http_response *response)
{
    bool is_inside;
    slice packing = http_header_find(request, SLICE("content-encoding"));

    if (request->method != HTTP_POST) {
        http_response_header(response, SLICE("Allow"), SLICE("POST"));
        web_refuse(request, response, 405, SLICE("telemetry is sent by POST"));
    } else if (!is_admitted(door, request, response, &is_inside)) {
        return false;
    } else if (door->sensor == NULL) {
        web_refuse(request, response, 503,
                   SLICE("this node takes no telemetry (setting \"detect\")"));
    } else if (packing.len > 0 && !slice_eq_nocase(packing, SLICE("gzip")) &&
               !slice_eq_nocase(packing, SLICE("zstd")) &&
               !slice_eq_nocase(packing, SLICE("identity"))) {
        http_response_header(response, SLICE("Accept-Encoding"), SLICE("gzip, zstd"));
        web_refuse(request, response, 415, SLICE("Content-Encoding: gzip, zstd or none"));
    } else {
        return true;
    }
    return false;
}

bool telemetry_begin(const struct telemetry_door *door, const struct http_request *request,
                     size_t *body_bytes_max, struct http_response *early)
{
    *body_bytes_max = door->body_bytes_max;
    return !is_fit(door, request, early);
}

/* ---- the body ---- */

static int status_of(result r)
{
    switch (r.code) {
    case ERR_INVALID:
    case ERR_MISSING:
        return 400;
    case ERR_LIMIT:
        return 413;
    case ERR_NONE:
    case ERR_CONFLICT:
    case ERR_DENIED:
    case ERR_IO:
    case ERR_CORRUPT:
        break;
    }
    return 503;
}

void telemetry_handle(const struct telemetry_door *door, const struct http_request *request,
                      struct http_response *response)
{
    struct sensor_counts counts;
    struct diag diag = {0};
    char *format = NULL;
    slice name;
    bool broken = false, is_inside = false;

    if (door->sensor == NULL || request->method != HTTP_POST) {
        (void)is_fit(door, request, response); /* the same words as before the body */
        return;
    }
    if (http_query_find(request, SLICE("format"), 0, &name, &broken) && name.len > 0 &&
        name.len <= FORMAT_BYTES_MAX)
        format = arena_text(request->arena, name);
    if (broken) {
        web_refuse(request, response, 400, SLICE("the query's escapes are broken"));
        return;
    }
    if (!is_admitted(door, request, response, &is_inside))
        return;
    result r = sensor_take(door->sensor, request->body, format, &counts, &diag);
    if (succeeded(r)) {
        counts_answer(request, response, &counts, is_inside);
        return;
    }
    int status = status_of(r);
    if (status == 503) {
        log_event(LOG_LEVEL_ERROR, "telemetry.failed", "why=\"%s\"", diag.text);
        web_refuse(request, response, status, SLICE("the node cannot take telemetry now"));
    } else {
        web_refuse(request, response, status, slice_text(diag.text));
    }
}
