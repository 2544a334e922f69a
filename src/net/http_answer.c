/* Answers: the head that goes in front of a body, packing, and the server's own refusals. */
#include "net/http_conn.h"

#include <stdio.h>
#include <time.h>

#include "base/metrics.h"
#include "base/time.h"

#include "base/banned.h"

#define ANSWER_HEAD_BYTES_MAX ((size_t)64 << 10)
#define PACK_BYTES_MIN 1024 /* below, the gain is eaten by the fields that tell of it */

static slice reason_of(int status)
{
    static const struct {
        int status;
        slice reason;
    } reasons[] = {
        {200, S("OK")},
        {201, S("Created")},
        {202, S("Accepted")},
        {204, S("No Content")},
        {206, S("Partial Content")},
        {301, S("Moved Permanently")},
        {302, S("Found")},
        {303, S("See Other")},
        {304, S("Not Modified")},
        {307, S("Temporary Redirect")},
        {308, S("Permanent Redirect")},
        {400, S("Bad Request")},
        {401, S("Unauthorized")},
        {403, S("Forbidden")},
        {404, S("Not Found")},
        {405, S("Method Not Allowed")},
        {406, S("Not Acceptable")},
        {408, S("Request Timeout")},
        {409, S("Conflict")},
        {410, S("Gone")},
        {411, S("Length Required")},
        {412, S("Precondition Failed")},
        {413, S("Content Too Large")},
        {414, S("URI Too Long")},
        {415, S("Unsupported Media Type")},
        {416, S("Range Not Satisfiable")},
        {417, S("Expectation Failed")},
        {422, S("Unprocessable Content")},
        {429, S("Too Many Requests")},
        {431, S("Request Header Fields Too Large")},
        {500, S("Internal Server Error")},
        {501, S("Not Implemented")},
        {502, S("Bad Gateway")},
        {503, S("Service Unavailable")},
        {504, S("Gateway Timeout")},
        {505, S("HTTP Version Not Supported")},
        {507, S("Insufficient Storage")},
    };

    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return SLICE("Unknown");
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7), made once a second. */
static slice date_now(struct worker *worker)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now_s = (time_t)(time_now_us() / 1000000);
    struct tm tm;

    if (worker->date_s != (int64_t)now_s && gmtime_r(&now_s, &tm) != NULL) {
        worker->date_s = (int64_t)now_s;
        (void)snprintf(worker->date, sizeof worker->date, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                       days[tm.tm_wday], tm.tm_mday % 100, months[tm.tm_mon],
                       (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min, tm.tm_sec);
    }
    return slice_text(worker->date);
}

/* ---- packing ---- */

/* The body as one run of bytes: where it lies when it is one already, else put together. */
static slice body_joined(const struct http_response *response, struct buf *room)
{
    if (response->head.len + response->tail.len == 0)
        return response->middle;
    if (response->middle.len + response->tail.len == 0)
        return response->head;
    buf_put(room, response->head);
    buf_put(room, response->middle);
    buf_put(room, response->tail);
    return buf_slice(room);
}

/* Replace the body by its packed form, when the client takes one and it is smaller. */
static enum packing body_pack(struct conn *conn, size_t body_bytes)
{
    struct http_response *response = &conn->exchange->response;
    enum packing packing =
        http_packing_accepted(http_header_find(&conn->exchange->request, SLICE("accept-encoding")));
    CLEANUP(buf_free) struct buf room = BUF(body_bytes);

    if (packing == PACK_NONE)
        return PACK_NONE;
    slice body = body_joined(response, &room);
    conn->packed = BUF(body_bytes + body_bytes / 8 + PACK_BYTES_MIN); /* packers want some spare */
    if (room.overflowed || failed(pack(packing, body, &conn->packed, NULL)) ||
        conn->packed.len >= body_bytes) {
        buf_free(&conn->packed); /* no smaller, or no memory: it goes as it is */
        return PACK_NONE;
    }
    response->head = response->tail = SLICE_NONE;
    response->middle = buf_slice(&conn->packed);
    response->middle_stays = false;
    return packing;
}

/* ---- the head ---- */

/* A line break in a value would start a field of its own. */
static void value_put(struct buf *out, slice value)
{
    size_t start = out->len;

    buf_put(out, value);
    for (size_t i = start; i < out->len; i++)
        if ((unsigned char)out->at[i] < ' ' && out->at[i] != '\t')
            out->at[i] = ' ';
}

static void field_put(struct buf *out, slice name, slice value)
{
    value_put(out, name);
    buf_put(out, SLICE(": "));
    value_put(out, value);
    buf_put(out, SLICE("\r\n"));
}

static void number_put(struct buf *out, size_t number)
{
    char digits[20];
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    buf_put(out, slice_of(digits + at, sizeof digits - at));
}

static bool status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static void head_write(struct conn *conn, enum packing packing, size_t body_bytes)
{
    static const slice packing_names[] = {
        [PACK_NONE] = S(""), [PACK_GZIP] = S("gzip"), [PACK_ZSTD] = S("zstd")};
    const struct http_response *response = &conn->exchange->response;
    struct buf *out = &conn->answer_head;

    *out = BUF(ANSWER_HEAD_BYTES_MAX);
    (void)buf_reserve(out, 512);
    buf_put(out, SLICE("HTTP/1.1 "));
    number_put(out, (size_t)response->status);
    buf_byte(out, ' ');
    buf_put(out, reason_of(response->status));
    buf_put(out, SLICE("\r\n"));
    field_put(out, SLICE("Date"), date_now(conn->worker));
    for (size_t i = 0; i < response->header_count; i++)
        field_put(out, response->headers[i].name, response->headers[i].value);
    if (response->compress)
        field_put(out, SLICE("Vary"), SLICE("Accept-Encoding"));
    if (packing != PACK_NONE)
        field_put(out, SLICE("Content-Encoding"), packing_names[packing]);
    if (status_has_body(response->status)) {
        buf_put(out, SLICE("Content-Length: "));
        number_put(out, body_bytes);
        buf_put(out, SLICE("\r\n"));
    }
    if (!conn->keep_alive)
        buf_put(out, SLICE("Connection: close\r\n"));
    else if (conn->exchange->head.is_http_1_0)
        buf_put(out, SLICE("Connection: keep-alive\r\n"));
    buf_put(out, SLICE("\r\n"));
}

static void count_answer(int status, size_t body_bytes)
{
    metric_add(METRIC_http_requests, 1);
    metric_add(METRIC_http_sent, body_bytes);
    if (status >= 400 && status <= 499)
        metric_add(METRIC_http_responses_4xx, 1);
    if (status >= 500)
        metric_add(METRIC_http_responses_5xx, 1);
}

void answer_prepare(struct conn *conn)
{
    struct http_response *response = &conn->exchange->response;
    enum packing packing = PACK_NONE;

    if (response->status < 200 || response->status > 599) /* the handler answered nothing */
        *response = (struct http_response){.status = 500,
                                           .release = response->release,
                                           .release_context = response->release_context};
    size_t bytes = response->head.len + response->middle.len + response->tail.len;
    if (response->compress && bytes >= PACK_BYTES_MIN && status_has_body(response->status)) {
        packing = body_pack(conn, bytes);
        bytes = response->head.len + response->middle.len + response->tail.len;
    }
    head_write(conn, packing, bytes);

    bool has_body = status_has_body(response->status) && !response->no_body &&
                    conn->exchange->request.method != HTTP_HEAD;
    conn->part_index = 0;
    conn->parts[0] = buf_slice(&conn->answer_head);
    conn->parts[1] = has_body ? response->head : SLICE_NONE;
    conn->parts[2] = has_body ? response->middle : SLICE_NONE;
    conn->parts[3] = has_body ? response->tail : SLICE_NONE;
    count_answer(response->status, has_body ? bytes : 0);
}

/* ---- the server's own words ---- */

void answer_refuse(struct conn *conn, int status)
{
    const struct http_server_options *options = &conn->worker->shared->options;
    struct http_response *response = &conn->exchange->response;

    *response = (struct http_response){.status = status};
    if (options->refuse != NULL)
        options->refuse(options->context, status, &conn->exchange->request, response);
    if (response->header_count == 0 && response->head.len + response->middle.len == 0) {
        response->status = status;
        http_response_header(response, SLICE("Content-Type"), SLICE("text/plain"));
        response->middle = reason_of(status);
        response->tail = SLICE("\n");
    }
    if (status == 503)
        http_response_header(response, SLICE("Retry-After"), SLICE("5"));
    answer_prepare(conn);
}

void answer_release(struct conn *conn)
{
    struct exchange *exchange = conn->exchange;

    if (exchange != NULL && exchange->response.release != NULL)
        exchange->response.release(exchange->response.release_context);
    if (exchange != NULL)
        exchange->response = (struct http_response){0};
    buf_free(&conn->answer_head);
    buf_free(&conn->packed);
}
