#include "taxii/server.h"

#include <stdio.h>

#include "base/log.h"

#include "base/banned.h"

#define WORDS_BYTES_MAX 1024
#define ERROR_BYTES_MAX 8192

/* The one place where our errors become HTTP's (TAXII 2.1, 3.6).  A body that is not understood is
 * 422 where a URL is 400; and a body within max_content_length is never 413 (4.2.1), whichever of
 * our other limits it passes. */
static const struct {
    int in_url, in_body;
} statuses_of[] = {
    [ERR_NONE] = {500, 500},    [ERR_INVALID] = {400, 422},  [ERR_LIMIT] = {400, 422},
    [ERR_MISSING] = {404, 404}, [ERR_CONFLICT] = {409, 503}, [ERR_DENIED] = {403, 403},
    [ERR_IO] = {503, 503},      [ERR_CORRUPT] = {500, 500},
};

int status_of(enum err code, bool in_body)
{
    return in_body ? statuses_of[code].in_body : statuses_of[code].in_url;
}

/* bare: the whole error message for a refusal in front of any request, when there is no memory of
 * a request to word it in. */
#define BARE(status, title) S("{\"title\":\"" title "\",\"http_status\":\"" #status "\"}")
#define TITLE(status, title)                                                                       \
    {                                                                                              \
        status, title, BARE(status, title)                                                         \
    }

static const struct title {
    int status;
    const char *title;
    slice bare;
} titles[] = {
    TITLE(400, "Bad request"),
    TITLE(401, "Log-in needed"),
    TITLE(403, "Forbidden"),
    TITLE(404, "Not found"),
    TITLE(405, "Method not allowed here"),
    TITLE(406, "Media type not available"),
    TITLE(408, "Request took too long"),
    TITLE(409, "Conflict"),
    TITLE(411, "Length needed"),
    TITLE(413, "Request body too large"),
    TITLE(414, "Request line too long"),
    TITLE(415, "Media type not supported"),
    TITLE(417, "Expectation not met"),
    TITLE(422, "Content not processable"),
    TITLE(429, "Too many failed log-ins"),
    TITLE(431, "Header fields too large"),
    TITLE(501, "Method not known"),
    TITLE(503, "Try again later"),
    TITLE(505, "HTTP version not supported"),
    TITLE(500, "Internal error"), /* last: stands in for any other */
};

static const struct title *title_of(int status)
{
    const struct title *title = titles;

    while (title->status != status && title->status != 500)
        title++;
    return title;
}

void answer_media_type(struct http_response *response)
{
    http_response_header(response, SLICE("Content-Type"), SLICE(TAXII_MEDIA_TYPE));
}

/* RFC 9110, 11.6.1: a challenge for each way in. */
static void challenges_put(struct http_response *response)
{
    http_response_header(response, SLICE("WWW-Authenticate"),
                         SLICE("Basic realm=\"Entente\", charset=\"UTF-8\""));
    http_response_header(response, SLICE("WWW-Authenticate"), SLICE("Bearer realm=\"Entente\""));
}

static void answer_bare(struct http_response *response, int status)
{
    response->status = status;
    response->head = title_of(status)->bare;
    answer_media_type(response);
    if (status == 401)
        challenges_put(response);
}

static void error_write(struct json_writer *w, int status, slice error_id, slice words)
{
    char number[12];

    (void)snprintf(number, sizeof(number), "%d", status);
    jw_object_begin(w);
    jw_put_string(w, SLICE("title"), slice_text(title_of(status)->title));
    if (words.len > 0)
        jw_put_string(w, SLICE("description"), words);
    jw_put_string(w, SLICE("error_id"), error_id);
    jw_put_string(w, SLICE("http_status"), slice_text(number)); /* 3.6.1: a string */
    jw_object_end(w);
}

/* Not of a method or an HTTP version that is not spoken here. */
static bool is_our_fault(int status)
{
    return status >= 500 && status != 501 && status != 505;
}

static void error_respond(const struct world *world, const struct http_request *request,
                          struct http_response *response, int status, const char *words)
{
    CLEANUP(buf_free) struct buf json = BUF(ERROR_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&json);
    char error_id[UUID_TEXT_BYTES];
    uint8_t random[16];

    world->random(world->context, random, sizeof(random));
    struct uuid uuid = uuid_v4(random);
    uuid_format(&uuid, error_id);
    if (is_our_fault(status)) {
        log_event(LOG_LEVEL_ERROR, "taxii.failed", "status=%d error_id=%.*s why=\"%s\"", status,
                  UUID_TEXT_BYTES, error_id, words);
        words = "The server's log says more under this error_id.";
    }
    error_write(&w, status, slice_of(error_id, UUID_TEXT_BYTES), slice_text(words));
    slice body = arena_copy(request->arena, buf_slice(&json));
    if (json.overflowed || body.len == 0) {
        answer_bare(response, status);
        return;
    }
    response->status = status;
    response->head = body;
    answer_media_type(response);
    if (status == 401)
        challenges_put(response);
}

void answer_error(struct exchange *exchange, int status, const char *format, ...)
{
    char words[WORDS_BYTES_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    error_respond(exchange->taxii->world, exchange->request, exchange->response, status, words);
}

void answer_failure(struct exchange *exchange, result failure, bool in_body)
{
    int status = status_of(failure.code, in_body);

    if (status == 503)
        http_response_header(exchange->response, SLICE("Retry-After"), SLICE("5"));
    answer_error(exchange, status, "%s", exchange->diag.text);
}

static void json_release(void *context)
{
    buf_free(context);
}

/* Takes the buffer over: nothing is copied, and it is freed when the answer is sent. */
void answer_json(struct exchange *exchange, int status, struct buf *json)
{
    struct buf *kept = arena_new(exchange->request->arena, struct buf, 1);

    if (json->overflowed || kept == NULL) {
        answer_error(exchange, 500, "the answer does not fit into the memory for one request");
        return;
    }
    *kept = *json;
    *json = BUF(0);
    exchange->response->status = status;
    exchange->response->middle = buf_slice(kept);
    exchange->response->release = json_release;
    exchange->response->release_context = kept;
    exchange->response->compress = true;
    answer_media_type(exchange->response);
}

void answer_empty(struct exchange *exchange, int status)
{
    exchange->response->status = status;
    answer_media_type(exchange->response);
}

void taxii_refuse(void *context, int status, const struct http_request *request,
                  struct http_response *response)
{
    struct taxii *taxii = context;

    if (request == NULL || request->arena == NULL)
        answer_bare(response, status);
    else
        error_respond(taxii->world, request, response, status, "");
    if (request != NULL && request->method == HTTP_HEAD)
        response->no_body = true;
}
