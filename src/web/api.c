#include "web/api.h"

#include "base/encode.h"
#include "base/log.h"
#include "base/time.h"
#include "web/api_call.h"

#include "base/banned.h"

#define JSON_TYPE "application/json"
#define COOKIE_TLS "__Host-entente"
#define COOKIE_PLAIN "entente" /* on loopback: browsers refuse the prefix without TLS */
#define LOGIN_DEPTH_MAX 4
#define ROLES_THAT_READ (ROLE_ADMIN | ROLE_ANALYST | ROLE_RELEASER | ROLE_READER)
#define ROLES_ALL (ROLES_THAT_READ | ROLE_SENSOR)

static void session_show(struct api_call *call);
static void session_drop(struct api_call *call);
static void routes_show(struct api_call *call);

/* NULL handler: the log-in, which alone asks for nobody in particular. */
static const struct route {
    slice path, verb;
    enum http_method method;
    unsigned roles; /* any of these */
    bool is_inside; /* not for members below the node */
    void (*handle)(struct api_call *call);
} routes[] = {
    {S(""), S("GET"), HTTP_GET, ROLES_ALL, false, routes_show},
    {S("/session"), S("POST"), HTTP_POST, ROLES_ALL, false, NULL},
    {S("/session"), S("GET"), HTTP_GET, ROLES_ALL, false, session_show},
    {S("/session"), S("DELETE"), HTTP_DELETE, ROLES_ALL, false, session_drop},
    {S("/situation"), S("GET"), HTTP_GET, ROLES_THAT_READ, false, api_situation},
    {S("/objects"), S("GET"), HTTP_GET, ROLES_THAT_READ, false, api_objects},
    {S("/objects/{id}"), S("GET"), HTTP_GET, ROLES_THAT_READ, false, api_object},
    {S("/objects/{id}/false"), S("POST"), HTTP_POST, ROLE_ADMIN | ROLE_ANALYST, true,
     api_object_false},
    {S("/partners"), S("GET"), HTTP_GET, ROLES_THAT_READ, true, api_partners},
    {S("/agreements"), S("GET"), HTTP_GET, ROLES_THAT_READ, true, api_agreements},
    {S("/agreements/{id}"), S("GET"), HTTP_GET, ROLES_THAT_READ, true, api_agreement},
    {S("/audit"), S("GET"), HTTP_GET, ROLE_ADMIN, true, api_audit},
    {S("/accounts"), S("GET"), HTTP_GET, ROLE_ADMIN, true, api_accounts},
    {S("/settings"), S("GET"), HTTP_GET, ROLE_ADMIN, true, api_settings},
};
#define ROUTES (sizeof(routes) / sizeof(routes[0]))

result api_door_open(struct api_door *door, struct node *node, struct diag *diag)
{
    struct keep_place keep = node_keep(node);
    const struct gate_options options = {.keep = &keep, .world = store_world(node->store)};

    *door = (struct api_door){.node = node, .config = node->config};
    TRY(sessions_new(node->accounts, options.world, &door->sessions, diag));
    return gate_open(&options, &door->gate, diag);
}

void api_door_close(struct api_door *door)
{
    sessions_free(&door->sessions);
    gate_close(&door->gate);
}

bool api_is_path(const struct http_request *request)
{
    return slice_eq(request->path, SLICE(API_PATH)) ||
           slice_starts(request->path, SLICE(API_PATH "/"));
}

/* ---- answers ---- */

static void answer(struct api_call *call, int status)
{
    struct http_response *response = call->response;

    response->status = status;
    response->head = arena_copy(call->request->arena, buf_slice(&call->out));
    response->no_body = call->request->method == HTTP_HEAD || status == 204;
    response->compress = true;
    if (status != 204)
        http_response_header(response, SLICE("Content-Type"), SLICE(JSON_TYPE));
    http_response_header(response, SLICE("Cache-Control"), SLICE("no-store"));
    http_response_header(response, SLICE("X-Content-Type-Options"), SLICE("nosniff"));
    http_response_header(response, SLICE("Content-Security-Policy"),
                         SLICE("default-src 'none'; frame-ancestors 'none'"));
    http_response_header(response, SLICE("Cross-Origin-Resource-Policy"), SLICE("same-origin"));
}

void call_refuse(struct api_call *call, int status, slice words)
{
    buf_reset(&call->out);
    call->w = JSON_WRITER(&call->out);
    jw_object_begin(&call->w);
    jw_put_string(&call->w, SLICE("error"), words);
    jw_object_end(&call->w);
    answer(call, status);
}

void call_failed(struct api_call *call, result why)
{
    switch (why.code) {
    case ERR_INVALID:
        call_refuse(call, 400, slice_text(call->diag.text));
        return;
    case ERR_MISSING:
        call_refuse(call, 404, slice_text(call->diag.text));
        return;
    case ERR_CONFLICT:
        call_refuse(call, 409, slice_text(call->diag.text));
        return;
    case ERR_DENIED:
        call_refuse(call, 403, slice_text(call->diag.text));
        return;
    case ERR_NONE:
    case ERR_LIMIT:
    case ERR_IO:
    case ERR_CORRUPT:
        break;
    }
    log_event(LOG_LEVEL_ERROR, "api.failed", "why=\"%s\"", call->diag.text);
    call_refuse(call, 503, SLICE("the node cannot answer this now; its log says why"));
}

void call_put_us(struct api_call *call, slice key, int64_t us)
{
    char text[TIMESTAMP_TEXT_BYTES_MAX];

    jw_put_string(&call->w, key, slice_of(text, time_format_us(us, text)));
}

bool call_number(struct api_call *call, slice name, size_t least, size_t most, size_t fallback,
                 size_t *out)
{
    bool broken = false;
    slice word;

    *out = fallback;
    if (http_query_find(call->request, name, 0, &word, &broken)) {
        if (parse_size(word, out) && *out >= least && *out <= most)
            return true;
    } else if (!broken) {
        return true;
    }
    call_refuse(
        call, 400,
        arena_printf(call->request->arena, "%.*s: takes %zu to %zu", SLICE_ARG(name), least, most));
    return false;
}

/* ---- who asks ---- */

static slice cookie_name(const struct http_request *request)
{
    return request->is_tls ? SLICE(COOKIE_TLS) : SLICE(COOKIE_PLAIN);
}

/* The session's text in the Cookie field; empty: none. */
static slice cookie_find(const struct http_request *request)
{
    slice rest = http_header_find(request, SLICE("cookie")), pair, name, value;

    while (rest.len > 0) {
        (void)slice_cut(rest, ';', &pair, &rest);
        if (slice_cut(slice_trim(pair), '=', &name, &value) && slice_eq(name, cookie_name(request)))
            return value;
    }
    return SLICE_NONE;
}

static void cookie_set(struct api_call *call, slice text)
{
    slice name = cookie_name(call->request);

    http_response_header(
        call->response, SLICE("Set-Cookie"),
        arena_printf(call->request->arena, "%.*s=%.*s; Path=/; HttpOnly; SameSite=Strict%s%s",
                     SLICE_ARG(name), SLICE_ARG(text), call->request->is_tls ? "; Secure" : "",
                     text.len == 0 ? "; Max-Age=0" : ""));
}

static void refuse_wait(struct api_call *call, unsigned wait_s)
{
    http_response_header(call->response, SLICE("Retry-After"),
                         arena_printf(call->request->arena, "%u", wait_s));
    call_refuse(call, 429, SLICE("log-ins failed too often: wait, then try again"));
}

static void refuse_nobody(struct api_call *call)
{
    /* Not Basic: a browser would ask for a password in a window of its own and keep it. */
    http_response_header(call->response, SLICE("WWW-Authenticate"),
                         SLICE("Bearer realm=\"Entente\""));
    call_refuse(call, 401, SLICE("log in, or send a token"));
}

/* A browser says where a request comes from; who says nothing is no browser. */
static bool is_same_site(const struct http_request *request)
{
    slice site = http_header_find(request, SLICE("sec-fetch-site"));
    slice origin = http_header_find(request, SLICE("origin"));
    slice host = http_header_find(request, SLICE("host"));
    slice scheme = request->is_tls ? SLICE("https://") : SLICE("http://");

    if (site.len > 0 && !slice_eq(site, SLICE("same-origin")) && !slice_eq(site, SLICE("none")))
        return false;
    return origin.len == 0 ||
           (slice_starts(origin, scheme) && slice_eq(slice_from(origin, scheme.len), host));
}

static bool is_csrf_safe(const struct api_call *call)
{
    slice given = http_header_find(call->request, SLICE("x-entente-csrf"));
    char wanted[SESSION_TEXT_BYTES + 1];

    if (call->request->method == HTTP_GET || call->request->method == HTTP_HEAD ||
        call->session.len == 0)
        return true;
    session_csrf(call->session, wanted);
    return is_same_site(call->request) && secret_eq(given, slice_of(wanted, SESSION_TEXT_BYTES));
}

/* A password is for the log-in alone: what a browser sends by itself must not change anything. */
static bool know(struct api_call *call)
{
    slice authorization = http_header_find(call->request, SLICE("authorization"));
    struct kv_txn *txn = &call->view.txn;
    unsigned wait_s = 0;

    if (authorization.len == 0) {
        slice text = cookie_find(call->request);

        if (session_find(call->door->sessions, txn, text, &call->account)) {
            call->session = text;
            return true;
        }
    } else if (authorization.len > 7 &&
               slice_eq_nocase(slice_head(authorization, 7), SLICE("Bearer "))) {
        switch (account_login(call->door->node->accounts, txn, authorization, call->request->peer,
                              &call->account, &wait_s)) {
        case LOGIN_OK:
            return true;
        case LOGIN_WAIT:
            refuse_wait(call, wait_s);
            return false;
        case LOGIN_NONE:
        case LOGIN_WRONG:
            break;
        }
    }
    refuse_nobody(call);
    return false;
}

static bool is_admitted(struct api_call *call, const struct route *route)
{
    slice own = slice_text(call->door->node->identity);

    if (!know(call))
        return false;
    slice organisation = slice_text(call->account.organisation);
    call->is_inside = organisation.len == 0 || slice_eq(organisation, own);
    if ((call->account.roles & route->roles) == 0)
        call_refuse(call, 403, SLICE("this account has no role for that"));
    else if (route->is_inside && !call->is_inside)
        call_refuse(call, 403, SLICE("this is for the node's own organisation"));
    else if (!is_csrf_safe(call))
        call_refuse(call, 403, SLICE("a change wants the session's word in X-Entente-Csrf"));
    else
        return true;
    return false;
}

/* ---- the session ---- */

static void session_write(struct api_call *call, slice text)
{
    CLEANUP(buf_free) struct buf roles = BUF(ROLES_TEXT_BYTES_MAX);
    const struct node *node = call->door->node;
    char csrf[SESSION_TEXT_BYTES + 1];
    slice role, rest;

    role_format(call->account.roles, &roles);
    jw_object_begin(&call->w);
    jw_put_string(&call->w, SLICE("name"), slice_text(call->account.name));
    jw_key(&call->w, SLICE("roles"));
    jw_array_begin(&call->w);
    for (rest = buf_slice(&roles); rest.len > 0;) {
        (void)slice_cut(rest, ',', &role, &rest);
        jw_string(&call->w, role);
    }
    jw_array_end(&call->w);
    jw_put_string(&call->w, SLICE("organisation"), slice_text(call->account.organisation));
    jw_put_string(&call->w, SLICE("node"), slice_text(node->identity));
    jw_put_string(&call->w, SLICE("title"), slice_text(call->door->config.title));
    if (text.len > 0) {
        session_csrf(text, csrf);
        jw_put_string(&call->w, SLICE("csrf"), slice_of(csrf, SESSION_TEXT_BYTES));
    }
    jw_object_end(&call->w);
}

static void session_show(struct api_call *call)
{
    session_write(call, call->session);
}

static void session_drop(struct api_call *call)
{
    session_end(call->door->sessions, call->session);
    cookie_set(call, SLICE(""));
    log_event(LOG_LEVEL_INFO, "session.ended", "account=%s", call->account.name);
    answer(call, 204);
}

/* Name and password as account_login takes them; the text is in the call's arena, for wiping. */
static slice credentials_read(struct api_call *call)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(buf_free) struct buf text = BUF((size_t)8 << 10);
    struct json_doc doc;

    if (failed(json_parser_new(LOGIN_DEPTH_MAX, &parser, &call->diag)) ||
        failed(json_parse_copy(parser, call->request->body, &doc, &call->diag)))
        return SLICE_NONE;
    slice name = json_string(&doc, json_get(&doc, doc.nodes, SLICE("name")), &call->arena);
    slice password = json_string(&doc, json_get(&doc, doc.nodes, SLICE("password")), &call->arena);
    if (name.len == 0 || name.len > ACCOUNT_NAME_BYTES_MAX || password.len == 0 ||
        password.len > PASSWORD_BYTES_MAX || slice_find_byte(name, ':') != SIZE_MAX)
        return SLICE_NONE;
    slice pair = arena_printf(&call->arena, "%.*s:%.*s", SLICE_ARG(name), SLICE_ARG(password));
    buf_put(&text, SLICE("Basic "));
    base64_encode(&text, pair);
    slice made = arena_copy(&call->arena, buf_slice(&text));
    secret_wipe(text.at, text.len);
    secret_wipe((char *)(uintptr_t)pair.at, pair.len);
    return made;
}

/* Always a new secret, and the one that came along is over: nobody can have us use theirs. */
static void session_make(struct api_call *call)
{
    char text[SESSION_TEXT_BYTES + 1];

    if (!session_begin(call->door->sessions, &call->view.txn, call->account.number, text)) {
        refuse_nobody(call);
        return;
    }
    session_end(call->door->sessions, cookie_find(call->request));
    cookie_set(call, slice_of(text, SESSION_TEXT_BYTES));
    session_write(call, slice_of(text, SESSION_TEXT_BYTES));
    log_event(LOG_LEVEL_INFO, "session.begun", "account=%s peer=%.*s", call->account.name,
              SLICE_ARG(call->request->peer));
    answer(call, 201);
}

static void log_in(struct api_call *call)
{
    slice type = http_header_find(call->request, SLICE("content-type"));
    unsigned wait_s = 0;

    /* A form of another site can send neither this type nor this origin. */
    if (!slice_starts(type, SLICE(JSON_TYPE)) || !is_same_site(call->request)) {
        call_refuse(call, 403, SLICE("log in with application/json, from the node's own pages"));
        return;
    }
    slice credentials = credentials_read(call);
    if (credentials.len == 0) {
        call_refuse(call, 400, SLICE("takes {\"name\": ..., \"password\": ...}"));
        return;
    }
    enum login verdict = account_login(call->door->node->accounts, &call->view.txn, credentials,
                                       call->request->peer, &call->account, &wait_s);
    secret_wipe((char *)(uintptr_t)credentials.at, credentials.len);
    switch (verdict) {
    case LOGIN_OK:
        session_make(call);
        return;
    case LOGIN_WAIT:
        refuse_wait(call, wait_s);
        return;
    case LOGIN_NONE:
    case LOGIN_WRONG:
        break;
    }
    refuse_nobody(call);
}

/* ---- routes ---- */

static void routes_show(struct api_call *call)
{
    jw_object_begin(&call->w);
    jw_key(&call->w, SLICE("routes"));
    jw_array_begin(&call->w);
    for (size_t i = 0; i < ROUTES; i++) {
        CLEANUP(buf_free) struct buf roles = BUF(ROLES_TEXT_BYTES_MAX);

        role_format(routes[i].roles, &roles);
        jw_object_begin(&call->w);
        jw_put_string(&call->w, SLICE("path"),
                      arena_printf(&call->arena, API_PATH "%.*s", SLICE_ARG(routes[i].path)));
        jw_put_string(&call->w, SLICE("method"), routes[i].verb);
        jw_put_string(&call->w, SLICE("roles"), buf_slice(&roles));
        jw_put_bool(&call->w, SLICE("inside"), routes[i].is_inside);
        jw_object_end(&call->w);
    }
    jw_array_end(&call->w);
    jw_object_end(&call->w);
}

/* Is it this route's path?  id: what stands at {id}. */
static bool is_route(const struct route *route, slice path, slice *id)
{
    size_t open = slice_find_byte(route->path, '{');

    if (open == SIZE_MAX)
        return slice_eq(route->path, path);
    slice head = slice_head(route->path, open);
    slice tail = slice_from(route->path, open + sizeof("{id}") - 1);
    if (!slice_starts(path, head) || path.len <= head.len + tail.len || !slice_ends(path, tail))
        return false;
    *id = slice_of(path.at + head.len, path.len - head.len - tail.len);
    return slice_find_byte(*id, '/') == SIZE_MAX;
}

static const struct route *route_find(struct api_call *call)
{
    slice path = slice_from(call->request->path, sizeof(API_PATH) - 1);
    enum http_method method = call->request->method == HTTP_HEAD ? HTTP_GET : call->request->method;
    CLEANUP(buf_free) struct buf allow = BUF(256);

    if (slice_ends(path, SLICE("/")))
        path.len--;
    for (size_t i = 0; i < ROUTES; i++) {
        if (!is_route(&routes[i], path, &call->id))
            continue;
        if (routes[i].method == method)
            return &routes[i];
        buf_printf(&allow, "%s%.*s", allow.len > 0 ? ", " : "", SLICE_ARG(routes[i].verb));
    }
    if (allow.len == 0) {
        call_refuse(call, 404, SLICE("the API has nothing at this path"));
        return NULL;
    }
    http_response_header(call->response, SLICE("Allow"),
                         arena_copy(call->request->arena, buf_slice(&allow)));
    call_refuse(call, 405, SLICE("this method is not for here"));
    return NULL;
}

static void call_free(struct api_call *call)
{
    store_view_end(&call->view);
    buf_free(&call->out);
    arena_free(&call->arena);
}

void api_handle(struct api_door *door, const struct http_request *request,
                struct http_response *response)
{
    CLEANUP(call_free)
    struct api_call call = {.door = door,
                            .request = request,
                            .response = response,
                            .arena = ARENA(CALL_ARENA_BYTES_MAX),
                            .out = BUF(CALL_ANSWER_BYTES_MAX)};
    const struct route *route = route_find(&call);

    if (route == NULL)
        return;
    call.w = JSON_WRITER(&call.out);
    store_view_begin(door->node->store, &call.view, &call.diag);
    if (call.diag.code != ERR_NONE) {
        call_failed(&call, call.view.txn.state);
        return;
    }
    if (route->handle == NULL) {
        log_in(&call);
        return;
    }
    if (!is_admitted(&call, route))
        return;
    call.reader = gate_reader(door->gate, &call.view, &call.account);
    call.reader.is_encrypted = request->is_tls;
    route->handle(&call);
    if (response->status != 0)
        return;
    if (failed(call.view.txn.state))
        call_failed(&call, call.view.txn.state);
    else if (call.out.overflowed || call.arena.overflowed)
        call_refuse(&call, 413, SLICE("the answer is too long: ask for less"));
    else
        answer(&call, 200);
}
