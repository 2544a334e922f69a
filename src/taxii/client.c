#include "taxii/remote.h"

#include <stdio.h>
#include <time.h>

#include "base/encode.h"
#include "base/fault.h"
#include "base/log.h"

#include "base/banned.h"

#define MEDIA_TYPE "application/taxii+json;version=2.1"
#define SECRET_BYTES_MAX 4096
#define ANSWER_SLACK_BYTES ((size_t)1 << 20)
#define PAGE_BYTES_DEFAULT ((size_t)64 << 20)
#define JSON_LEVELS_MAX 512
#define BACKOFF_MS_FIRST 1000u
#define BACKOFF_MS_MAX 60000u
#define RETRY_AFTER_MS_MAX 3600000u /* a server that wants more is left alone */

/* ---- pauses ---- */

static void really_sleep(void *context, uint64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

    (void)context;
    (void)nanosleep(&left, NULL); /* a signal that cuts it short makes the retry earlier, no more */
}

void remote_pause(struct taxii_remote *remote, uint64_t ms)
{
    remote->sleep(remote->sleep_context, ms);
}

uint64_t remote_backoff_ms(struct taxii_remote *remote, unsigned attempt)
{
    uint64_t ms = BACKOFF_MS_FIRST << (attempt < 6 ? attempt : 6);
    uint16_t chance;

    if (ms > BACKOFF_MS_MAX)
        ms = BACKOFF_MS_MAX;
    remote->world->random(remote->world->context, &chance, sizeof(chance));
    return ms / 2 + ms / 2 * chance / UINT16_MAX; /* many clients must not come back as one */
}

/* ---- one request ---- */

static bool is_loopback(slice origin)
{
    slice port, host = slice_from(origin, SLICE("http://").len);

    if (slice_starts(host, SLICE("[::1]:")))
        return true;
    (void)slice_cut(host, ':', &host, &port);
    if (slice_eq(host, SLICE("localhost")))
        return true;
    for (size_t i = 0; i < host.len; i++)
        if (host.at[i] != '.' && (host.at[i] < '0' || host.at[i] > '9'))
            return false; /* 127.example.com */
    return slice_starts(host, SLICE("127."));
}

/* May this URL be asked at all, and with credentials?  TAXII 2.1, 8.5.1: HTTPS. */
static result url_check(const struct taxii_remote *remote, const char *url, bool *is_home,
                        struct diag *diag)
{
    char origin[URL_BYTES_MAX];

    if (!url_origin(slice_text(url), origin))
        return diag_fail(diag, ERR_INVALID, "\"%s\" is no http or https URL", url);
    if (slice_find_byte(slice_text(origin), '@') != SIZE_MAX)
        return diag_fail(diag, ERR_INVALID,
                         "a URL with a user in it; give user and password apart");
    if (slice_starts(slice_text(origin), SLICE("http://")) && !remote->plain_http &&
        !is_loopback(slice_text(origin)))
        return diag_fail(diag, ERR_DENIED, "%s: plain HTTP is not used unless asked for", url);
    *is_home = slice_eq(slice_text(origin), slice_text(remote->origin));
    return OK;
}

static bool is_worth_a_retry(int status)
{
    return status == 408 || status == 425 || status == 429 || status == 500 || status == 502 ||
           status == 503 || status == 504;
}

/* The words of a TAXII error message (3.6.1), as far as there are any. */
static result refusal(struct taxii_remote *remote, const char *url,
                      const struct http_client_response *answer, struct diag *diag)
{
    enum err code = answer->status == 401 || answer->status == 403   ? ERR_DENIED
                    : answer->status == 404 || answer->status == 410 ? ERR_MISSING
                    : is_worth_a_retry(answer->status)               ? ERR_IO
                                                                     : ERR_INVALID;
    struct json_doc doc;
    slice title = SLICE_NONE, description = SLICE_NONE;

    if (succeeded(json_parse_copy(remote->parser, answer->body, &doc, NULL))) {
        title = json_string(&doc, json_get(&doc, doc.nodes, SLICE("title")), &remote->answer_arena);
        description = json_string(&doc, json_get(&doc, doc.nodes, SLICE("description")),
                                  &remote->answer_arena);
    }
    return diag_fail(diag, code, "%s: HTTP %d%s%.*s%s%.*s", url, answer->status,
                     title.len > 0 ? ": " : "", SLICE_ARG(title), description.len > 0 ? ": " : "",
                     SLICE_ARG(description));
}

static result request_once(struct taxii_remote *remote, const char *method, const char *url,
                           slice body, bool is_home, struct http_client_response *out,
                           struct diag *diag)
{
    struct http_header headers[3] = {{SLICE("Accept"), SLICE(MEDIA_TYPE)}};
    size_t count = 1;

    if (body.at != NULL)
        headers[count++] = (struct http_header){SLICE("Content-Type"), SLICE(MEDIA_TYPE)};
    if (is_home && remote->authorization.len > 0)
        headers[count++] = (struct http_header){SLICE("Authorization"), remote->authorization};
    arena_reset(&remote->answer_arena);
    return http_client_request(remote->http, method, url, headers, count, body,
                               &remote->answer_arena, out, diag);
}

/* How long to wait before another try; false: there is no point. */
static bool should_retry(struct taxii_remote *remote, result r,
                         const struct http_client_response *answer, unsigned attempt, uint64_t *ms)
{
    uint64_t asked_ms;

    if (attempt >= remote->retries_max)
        return false;
    *ms = remote_backoff_ms(remote, attempt);
    if (failed(r)) /* a server that never answered yet is mistyped rather than busy */
        return r.code == ERR_IO && remote->has_answered;
    if (!is_worth_a_retry(answer->status))
        return false;
    if (retry_after_parse(http_client_header(answer, SLICE("retry-after")),
                          remote->world->now_us(remote->world->context), &asked_ms)) {
        if (asked_ms > RETRY_AFTER_MS_MAX)
            return false;
        if (asked_ms > *ms)
            *ms = asked_ms;
    }
    return true;
}

result remote_request(struct taxii_remote *remote, const char *method, const char *url, slice body,
                      struct remote_answer *out, struct diag *diag)
{
    bool is_home;
    result r;

    *out = (struct remote_answer){0};
    TRY(url_check(remote, url, &is_home, diag));
    for (unsigned attempt = 0;; attempt++) {
        struct diag why = {0};
        uint64_t ms;

        r = request_once(remote, method, url, body, is_home, &out->http, &why);
        remote->has_answered = remote->has_answered || succeeded(r);
        if (!should_retry(remote, r, &out->http, attempt, &ms)) {
            if (failed(r))
                return diag_fail(diag, r.code, "%s", why.text); /* names the URL already */
            break;
        }
        log_event(LOG_LEVEL_DEBUG, "taxii.retry", "url=%s status=%d wait_ms=%llu", url,
                  failed(r) ? 0 : out->http.status, (unsigned long long)ms);
        remote_pause(remote, ms);
    }
    if (out->http.status < 200 || out->http.status > 299)
        return refusal(remote, url, &out->http, diag);
    if (out->http.body.len > 0)
        return diag_within(diag, json_parse_copy(remote->parser, out->http.body, &out->doc, diag),
                           "%s", url);
    return OK;
}

/* ---- the conversation ---- */

/* The first line of a file, into the remote's arena. */
static result secret_read(struct taxii_remote *remote, const char *path, slice *out,
                          struct diag *diag)
{
    CLEANUP(source_close) struct source *source = NULL;
    char text[SECRET_BYTES_MAX];
    size_t used = 0, count;

    TRY(source_open(path, &source, diag));
    do {
        TRY(source_read(source, text + used, sizeof(text) - used, &count, diag));
        used += count;
    } while (count > 0 && used < sizeof(text));
    slice rest, line = slice_of(text, used);
    (void)slice_cut(line, '\n', &line, &rest);
    line = slice_trim(line);
    *out = arena_copy(&remote->arena, line);
    secret_wipe(text, sizeof(text));
    if (out->len == 0 || used == sizeof(text))
        return diag_fail(diag, ERR_INVALID, "%s: holds no secret in its first line", path);
    return OK;
}

static result authorization_make(struct taxii_remote *remote,
                                 const struct taxii_remote_options *options, struct diag *diag)
{
    CLEANUP(buf_free) struct buf plain = BUF(SECRET_BYTES_MAX * 2);
    CLEANUP(buf_free) struct buf packed = BUF(SECRET_BYTES_MAX * 3);
    slice secret;

    if (options->token_file != NULL) {
        TRY(secret_read(remote, options->token_file, &secret, diag));
        remote->authorization = arena_printf(&remote->arena, "Bearer %.*s", SLICE_ARG(secret));
    } else if (options->user != NULL) {
        if (options->password_file == NULL)
            return diag_fail(diag, ERR_INVALID, "a user needs a password file");
        if (slice_find_byte(slice_text(options->user), ':') != SIZE_MAX)
            return diag_fail(diag, ERR_INVALID, "a user name holds no colon (RFC 7617)");
        TRY(secret_read(remote, options->password_file, &secret, diag));
        buf_put(&plain, slice_text(options->user));
        buf_byte(&plain, ':');
        buf_put(&plain, secret);
        base64_encode(&packed, buf_slice(&plain));
        remote->authorization =
            arena_printf(&remote->arena, "Basic %.*s", SLICE_ARG(buf_slice(&packed)));
    }
    return OK;
}

static result remote_fill(struct taxii_remote *remote, const struct taxii_remote_options *options,
                          struct diag *diag)
{
    size_t body_bytes_max =
        options->page_bytes_max > 0 ? options->page_bytes_max : PAGE_BYTES_DEFAULT;
    struct http_client_options http = {.connect_timeout_s = options->timeout_s,
                                       .idle_timeout_s = options->timeout_s,
                                       .body_bytes_max = body_bytes_max,
                                       .ca_file = options->ca_file,
                                       .pin_sha256_hex = options->pin_sha256_hex,
                                       .user_agent = "entente/" ENTENTE_VERSION};
    bool is_home;

    remote->answer_arena = ARENA(body_bytes_max * 3 + ANSWER_SLACK_BYTES);
    TRY(url_resolve(options->url, slice_text(options->url), remote->url, diag));
    if (!url_origin(slice_text(remote->url), remote->origin))
        return diag_fail(diag, ERR_INVALID, "\"%s\" is no http or https URL", options->url);
    TRY(url_check(remote, remote->url, &is_home, diag));
    TRY(authorization_make(remote, options, diag));
    TRY(json_parser_new(JSON_LEVELS_MAX, &remote->parser, diag));
    return http_client_new(&http, &remote->http, diag);
}

result taxii_remote_open(const struct taxii_remote_options *options, struct taxii_remote **out,
                         struct diag *diag)
{
    struct arena arena = ARENA(sizeof(struct taxii_remote) + 4 * SECRET_BYTES_MAX);
    struct taxii_remote *remote = arena_new(&arena, struct taxii_remote, 1);

    *out = NULL;
    if (remote == NULL || FAULT_HERE()) {
        arena_free(&arena);
        return diag_fail(diag, ERR_LIMIT, "no memory for a TAXII client");
    }
    *remote = (struct taxii_remote){
        .arena = arena,
        .world = options->world != NULL ? options->world : &world_real,
        .sleep = options->sleep != NULL ? options->sleep : really_sleep,
        .sleep_context = options->sleep_context,
        .retries_max = options->retries_max,
        .page_objects = options->page_objects,
        .plain_http = options->plain_http,
    };
    result r = remote_fill(remote, options, diag);
    *out = remote;
    if (failed(r))
        taxii_remote_close(out);
    return r;
}

void taxii_remote_close(struct taxii_remote **remote)
{
    if (*remote == NULL)
        return;
    http_client_free(&(*remote)->http);
    json_parser_free(&(*remote)->parser);
    arena_free(&(*remote)->answer_arena);
    table_free((*remote)->collections);
    struct arena arena = (*remote)->arena;
    *remote = NULL;
    arena_free(&arena);
}
