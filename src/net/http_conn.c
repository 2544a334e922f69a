/* One connection, step by step: each phase has a function that does what can be done now. */
#include "net/http_conn.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/time.h"

#include "base/banned.h"

#define READ_BYTES ((size_t)16 << 10)
#define BODY_READ_BYTES ((size_t)256 << 10)
#define OUT_BYTES_MAX ((size_t)1 << 20)
#define STEPS_MAX 64 /* before other connections get their turn */

static void phase_set(struct conn *conn, enum conn_phase phase)
{
    conn->phase = phase;
    conn->phase_mono_ns = conn->moved_mono_ns = conn->worker->now_mono_ns;
    conn->moved_bytes = conn->acknowledged_bytes = 0;
}

/* ---- bytes in and out ---- */

static enum tls_step read_plain(struct conn *conn, char *at, size_t room, size_t *count)
{
    if (!conn->readable)
        return TLS_AGAIN;
    ssize_t got = FAULT_HERE() ? 0 : recv(conn->fd, at, room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        conn->readable = false;
        return TLS_AGAIN;
    }
    if (got <= 0)
        return got == 0 ? TLS_CLOSED : TLS_BROKEN;
    *count = (size_t)got;
    conn->readable = *count == room;
    return TLS_DONE;
}

static enum tls_step read_some(struct conn *conn, char *at, size_t room, size_t *count)
{
    enum tls_step step = conn->tls == NULL ? read_plain(conn, at, room, count)
                                           : tls_read(conn->tls, at, room, count, &conn->out);

    if (step == TLS_DONE)
        conn_moved(conn, *count);
    return step;
}

/* Append what came to `to`.  GO_ON: there is more than before. */
static enum go read_into(struct conn *conn, struct buf *to, size_t room)
{
    size_t count = 0;
    char *at = buf_reserve(to, room);

    if (at == NULL)
        return GO_CLOSE;
    switch (read_some(conn, at, room, &count)) {
    case TLS_DONE:
        to->len += count;
        return GO_ON;
    case TLS_AGAIN:
        return GO_WAIT;
    case TLS_CLOSED:
    case TLS_BROKEN:
        break;
    }
    return GO_CLOSE;
}

/* The first `bytes` of the input have been used. */
static void consume(struct conn *conn, size_t bytes)
{
    assert(bytes <= conn->in.len);
    conn->in.len -= bytes;
    if (conn->in.len > 0)
        memmove(conn->in.at, conn->in.at + bytes, conn->in.len);
}

/* What stands in front of everything else. */
static enum go out_send(struct conn *conn)
{
    size_t sent;
    enum go go = conn_send_bytes(conn, slice_from(buf_slice(&conn->out), conn->out_at), &sent);

    conn->out_at += sent;
    conn->waits_to_send = go == GO_WAIT;
    if (go == GO_ON) {
        buf_free(&conn->out);
        conn->out_at = 0;
    }
    return go;
}

/* A few bytes of our own in front of an answer. */
static bool out_put(struct conn *conn, slice bytes)
{
    if (conn->tls != NULL)
        return tls_write(conn->tls, bytes, &conn->out);
    buf_put(&conn->out, bytes);
    return !conn->out.overflowed;
}

/* ---- requests begin and end ---- */

static slice client_key_of(const struct conn *conn)
{
    return conn->has_client_key ? slice_of(conn->client_key, sizeof conn->client_key) : SLICE_NONE;
}

static bool exchange_begin(struct conn *conn)
{
    struct worker *worker = conn->worker;

    if (conn->exchange != NULL)
        return true;
    if (conn->arena.block == NULL && worker->arena_count > 0)
        conn->arena = worker->arenas[--worker->arena_count];
    conn->arena.budget_bytes = HTTP_REQUEST_ARENA_BYTES_MAX;
    conn->exchange = arena_new(&conn->arena, struct exchange, 1);
    if (conn->exchange == NULL)
        return false;
    conn->exchange->head.method = HTTP_OTHER;
    conn->exchange->request = (struct http_request){.method = HTTP_OTHER,
                                                    .peer = slice_text(conn->peer),
                                                    .is_tls = conn->tls != NULL,
                                                    .client_key = client_key_of(conn),
                                                    .arena = &conn->arena};
    conn->has_unread = true; /* until the request is known to be read to its end */
    conn->keep_alive = false;
    return true;
}

static void body_free(struct conn *conn)
{
    buf_free(&conn->body);
    if (conn->body_bytes_counted > 0)
        (void)atomic_fetch_sub(&conn->worker->shared->body_bytes, conn->body_bytes_counted);
    conn->body_bytes_counted = 0;
}

static void exchange_end(struct conn *conn)
{
    struct worker *worker = conn->worker;

    if (conn->exchange == NULL)
        return;
    answer_release(conn);
    body_free(conn);
    conn->exchange = NULL;
    arena_reset(&conn->arena);
    if (worker->arena_count < HTTP_ARENAS_KEPT && conn->arena.block != NULL)
        worker->arenas[worker->arena_count++] = conn->arena;
    else
        arena_free(&conn->arena);
    conn->arena = ARENA(HTTP_REQUEST_ARENA_BYTES_MAX);
    conn->scan = (struct http_scan){0};
    conn->chunks = (struct http_chunks){0};
}

static enum go answer_begin(struct conn *conn)
{
    if (conn->answer_head.overflowed)
        return GO_CLOSE;
    phase_set(conn, PHASE_ANSWER);
    return GO_ON;
}

static enum go refuse(struct conn *conn, int status)
{
    if (!exchange_begin(conn))
        return GO_CLOSE;
    conn->keep_alive = false;
    body_free(conn);
    answer_refuse(conn, status);
    return answer_begin(conn);
}

static bool may_keep_alive(const struct conn *conn)
{
    return conn->exchange->head.keep_alive && !http_is_stopping(conn->worker->shared);
}

static enum go handler_ask(struct conn *conn)
{
    const struct http_server_options *options = &conn->worker->shared->options;
    struct exchange *exchange = conn->exchange;

    exchange->response = (struct http_response){0};
    options->handle(options->context, &exchange->request, &exchange->response);
    if (exchange->response.is_held) {
        conn->phase = PHASE_HELD;
        return GO_WAIT;
    }
    conn->keep_alive = may_keep_alive(conn); /* it may be time to stop since */
    answer_prepare(conn);
    conn->worker->now_mono_ns = time_mono_ns(); /* a long handler is not the client's fault */
    return answer_begin(conn);
}

/* The request is whole. */
static enum go handle(struct conn *conn)
{
    conn->has_unread = false;
    conn->exchange->request.body = buf_slice(&conn->body);
    conn->exchange->request.since_mono_ns = time_mono_ns();
    return handler_ask(conn);
}

/* From the sweep, while nothing comes from the client. */
static void held_ask(struct conn *conn)
{
    enum go go = handler_ask(conn);

    if (go == GO_ON)
        conn_run(conn, 0);
    else if (go == GO_CLOSE)
        conn_close(conn);
}

/* ---- TLS ---- */

static enum go hello_step(struct conn *conn)
{
    char first;
    ssize_t got = recv(conn->fd, &first, 1, MSG_PEEK);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return GO_WAIT;
    if (got <= 0)
        return GO_CLOSE;
    if (first >= 'A' && first <= 'Z') /* plain HTTP at a TLS port: say so instead of hanging up */
        return refuse(conn, 400);

    struct identity_box *box = &conn->worker->shared->box;
    (void)pthread_mutex_lock(&box->lock);
    conn->tls = tls_accept(box->identity, conn->fd);
    (void)pthread_mutex_unlock(&box->lock);
    conn->phase = PHASE_HANDSHAKE; /* its time has begun with the connection's */
    return conn->tls != NULL ? GO_ON : GO_CLOSE;
}

static enum go handshake_step(struct conn *conn)
{
    enum tls_step step = tls_handshake(conn->tls, &conn->out);

    if (step == TLS_DONE) {
        conn->has_client_key = tls_session_client_key(conn->tls, conn->client_key);
        conn->phase = PHASE_HEAD;
    }
    if (step == TLS_DONE || (step == TLS_AGAIN && conn->out.len > 0))
        return GO_ON; /* by way of out_send */
    if (step == TLS_AGAIN)
        return GO_WAIT;
    metric_add(METRIC_tls_handshakes_failed, 1);
    (void)out_send(conn); /* the alert, if it goes at once */
    return GO_CLOSE;
}

/* ---- the head ---- */

/* What a body may hold and whether it is wanted at all. */
static enum go body_begin(struct conn *conn)
{
    const struct http_server_options *options = &conn->worker->shared->options;
    struct exchange *exchange = conn->exchange;
    const struct http_head *head = &exchange->head;
    size_t announced = head->content_length < SIZE_MAX ? (size_t)head->content_length : SIZE_MAX;
    bool has_body = head->is_chunked || announced > 0;

    conn->body_bytes_max = 0;
    if (conn->is_surplus)
        return refuse(conn, 503);
    if (options->begin != NULL && options->begin(options->context, &exchange->request, announced,
                                                 &conn->body_bytes_max, &exchange->response)) {
        /* A body that is here already can be stepped over; otherwise the connection ends. */
        conn->has_unread = head->is_chunked || announced > conn->in.len;
        conn->keep_alive = !conn->has_unread && may_keep_alive(conn);
        if (!conn->has_unread)
            consume(conn, announced);
        answer_prepare(conn);
        return answer_begin(conn);
    }
    if (announced > conn->body_bytes_max)
        return refuse(conn, 413);
    if (!has_body)
        return handle(conn);
    if (head->expects_continue && conn->in.len == 0 &&
        !out_put(conn, SLICE("HTTP/1.1 100 Continue\r\n\r\n")))
        return GO_CLOSE;
    conn->body = BUF(head->is_chunked ? conn->body_bytes_max : announced);
    conn->body_bytes_left = announced;
    phase_set(conn, PHASE_BODY);
    return GO_ON;
}

static enum go head_take(struct conn *conn, size_t head_bytes)
{
    if (!exchange_begin(conn))
        return GO_CLOSE;

    struct exchange *exchange = conn->exchange;
    slice text = arena_copy(&conn->arena, slice_head(buf_slice(&conn->in), head_bytes));
    if (text.at == NULL)
        return GO_CLOSE;
    int status = http_head_parse(text, &exchange->head);
    consume(conn, head_bytes);
    if (status != HTTP_WHOLE)
        return refuse(conn, status);
    exchange->request.method = exchange->head.method;
    exchange->request.path = exchange->head.path;
    exchange->request.query = exchange->head.query;
    exchange->request.headers = exchange->head.headers;
    exchange->request.header_count = exchange->head.header_count;
    return body_begin(conn);
}

static enum go head_step(struct conn *conn)
{
    size_t limit = conn->worker->shared->options.header_bytes_max, head_bytes = 0;
    int status = http_head_scan(&conn->scan, buf_slice(&conn->in), limit, &head_bytes);

    if (status == HTTP_WHOLE)
        return head_take(conn, head_bytes);
    if (status != HTTP_MORE)
        return refuse(conn, status);

    bool is_first = conn->in.len == 0;
    if (is_first && http_is_stopping(conn->worker->shared))
        return GO_CLOSE;
    conn->in.ceiling = limit + READ_BYTES;
    enum go go = read_into(conn, &conn->in, READ_BYTES);
    if (go == GO_ON && is_first && conn->served)
        conn->phase_mono_ns =
            conn->worker->now_mono_ns; /* a head has so long from its first byte */
    if (go == GO_WAIT && conn->in.len == 0)
        buf_free(&conn->in); /* thousands may be idle */
    return go;
}

/* ---- the body ---- */

/* Room for `bytes` more; false over the limit of all bodies together. */
static bool body_reserve(struct conn *conn, size_t bytes)
{
    atomic_size_t *total = &conn->worker->shared->body_bytes;

    if (atomic_load(total) > HTTP_BODIES_BYTES_MAX || FAULT_HERE() ||
        buf_reserve(&conn->body, bytes) == NULL)
        return false;
    (void)atomic_fetch_add(total, conn->body.capacity - conn->body_bytes_counted);
    conn->body_bytes_counted = conn->body.capacity;
    return true;
}

static enum go body_read_announced(struct conn *conn)
{
    if (conn->in.len > 0) {
        size_t bytes =
            conn->in.len < conn->body_bytes_left ? conn->in.len : (size_t)conn->body_bytes_left;

        if (!body_reserve(conn, bytes))
            return refuse(conn, 503);
        buf_put(&conn->body, slice_head(buf_slice(&conn->in), bytes));
        consume(conn, bytes);
        conn->body_bytes_left -= bytes;
    }
    if (conn->body_bytes_left == 0)
        return handle(conn);

    size_t room =
        conn->body_bytes_left < BODY_READ_BYTES ? (size_t)conn->body_bytes_left : BODY_READ_BYTES;
    if (!body_reserve(conn, room))
        return refuse(conn, 503);
    size_t before = conn->body.len;
    enum go go = read_into(conn, &conn->body, room);
    conn->body_bytes_left -= conn->body.len - before;
    return go;
}

static enum go body_read_chunks(struct conn *conn)
{
    slice rest = buf_slice(&conn->in), piece;
    int status;

    while ((status = http_chunks_next(&conn->chunks, &rest, &piece)) == HTTP_PIECE) {
        if (piece.len > conn->body_bytes_max - conn->body.len)
            return refuse(conn, 413);
        if (!body_reserve(conn, piece.len))
            return refuse(conn, 503);
        buf_put(&conn->body, piece);
    }
    consume(conn, conn->in.len - rest.len);
    if (status == HTTP_WHOLE)
        return handle(conn);
    if (status != HTTP_MORE)
        return refuse(conn, status);
    conn->in.ceiling = BODY_READ_BYTES;
    return read_into(conn, &conn->in, conn->in.ceiling / 2);
}

/* ---- the answer ---- */

static enum go answer_step(struct conn *conn)
{
    enum go go = conn_send_parts(conn);

    if (go != GO_ON)
        return go;
    conn->served = true;
    exchange_end(conn);
    if (conn->keep_alive) {
        phase_set(conn, PHASE_HEAD);
        return GO_ON;
    }
    if (conn->tls != NULL)
        tls_goodbye(conn->tls, &conn->out);
    phase_set(conn, PHASE_LINGER);
    if (conn->out.len > 0 && (go = out_send(conn)) != GO_ON)
        return go;
    return shutdown(conn->fd, SHUT_WR) == 0 ? GO_ON : GO_CLOSE;
}

/* Read and forget.  Closing with unread bytes would send a reset, which can overtake the answer. */
static enum go linger_step(struct conn *conn)
{
    char waste[4096];
    ssize_t got = recv(conn->fd, waste, sizeof waste, MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return GO_WAIT;
    if (got <= 0 || conn->moved_bytes > HTTP_LINGER_BYTES_MAX)
        return GO_CLOSE;
    conn_moved(conn, (size_t)got);
    return GO_ON;
}

/* ---- the loop ---- */

static enum go step(struct conn *conn)
{
    if (conn->out.len > conn->out_at) {
        enum go go = out_send(conn);

        if (go == GO_ON && conn->phase == PHASE_LINGER) /* the goodbye went late */
            return shutdown(conn->fd, SHUT_WR) == 0 ? GO_ON : GO_CLOSE;
        return go;
    }
    switch (conn->phase) {
    case PHASE_HELLO:
        return hello_step(conn);
    case PHASE_HANDSHAKE:
        return handshake_step(conn);
    case PHASE_HEAD:
        return head_step(conn);
    case PHASE_BODY:
        return conn->exchange->head.is_chunked ? body_read_chunks(conn) : body_read_announced(conn);
    case PHASE_HELD:
        return GO_WAIT;
    case PHASE_ANSWER:
        return answer_step(conn);
    case PHASE_LINGER:
        return linger_step(conn);
    }
    return GO_CLOSE;
}

static bool interest_set(struct conn *conn)
{
    uint32_t interest = conn->waits_to_send         ? EPOLLOUT
                        : conn->phase == PHASE_HELD ? EPOLLRDHUP /* what else comes may wait */
                                                    : EPOLLIN;
    struct epoll_event event = {.events = interest, .data.ptr = conn};

    if (interest == conn->interest)
        return true;
    conn->interest = interest;
    return epoll_ctl(conn->worker->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event) == 0;
}

static void again_put(struct conn *conn)
{
    if (conn->is_queued)
        return;
    conn->is_queued = true;
    conn->again_next = conn->worker->again;
    conn->worker->again = conn;
}

void conn_run(struct conn *conn, uint32_t events)
{
    enum go go = GO_ON;

    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        conn->readable = true;
        tls_wake(conn->tls);
    }
    if (conn->phase == PHASE_HELD && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        go = GO_CLOSE;
    if ((events & EPOLLERR) != 0 && conn->phase != PHASE_ANSWER && conn->phase != PHASE_BODY)
        go = GO_CLOSE;
    for (unsigned steps = 0; go == GO_ON && steps < STEPS_MAX; steps++)
        go = step(conn);
    if (go == GO_ON)
        again_put(conn);
    if (go == GO_CLOSE || !interest_set(conn))
        conn_close(conn);
}

/* ---- opening and closing ---- */

static void peer_write(struct conn *conn)
{
    struct sockaddr_storage address = {0};
    socklen_t bytes = sizeof address;
    const void *at = NULL;

    if (getpeername(conn->fd, (struct sockaddr *)&address, &bytes) == 0) {
        if (address.ss_family == AF_INET)
            at = &((struct sockaddr_in *)&address)->sin_addr;
        else if (address.ss_family == AF_INET6)
            at = &((struct sockaddr_in6 *)&address)->sin6_addr;
    }
    if (at == NULL || inet_ntop(address.ss_family, at, conn->peer, sizeof conn->peer) == NULL)
        memcpy(conn->peer, "local", sizeof "local");
}

static struct conn *conn_new(struct worker *worker, int fd, bool is_surplus)
{
    size_t capacity = 0;
    struct conn *conn = FAULT_HERE() ? NULL : table_grow(NULL, &capacity, 1, 1, sizeof *conn);

    if (conn == NULL)
        return NULL;
    *conn =
        (struct conn){.worker = worker, .fd = fd, .interest = EPOLLIN, .is_surplus = is_surplus};
    conn->in = BUF(READ_BYTES);
    conn->out = BUF(OUT_BYTES_MAX);
    conn->arena = ARENA(HTTP_REQUEST_ARENA_BYTES_MAX);
    peer_write(conn);
    phase_set(conn, worker->shared->options.tls ? PHASE_HELLO : PHASE_HEAD);
    return conn;
}

static void count_closed(struct worker *worker)
{
    (void)atomic_fetch_sub(&worker->connection_count, 1);
    (void)atomic_fetch_sub(&worker->shared->connection_count, 1);
    metric_add(METRIC_http_connections, (uint64_t)-1); /* of all servers together */
}

void conn_open(struct worker *worker, int fd, bool is_surplus)
{
    struct conn *conn = conn_new(worker, fd, is_surplus);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    int one = 1;

    /* Head and body leave in one call, so waiting to fill a segment only ever delays the end.  No
     * such option on a Unix socket: its refusal means nothing. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (conn == NULL || epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        table_free(conn);
        (void)close(fd);
        count_closed(worker);
        return;
    }
    conn->next = worker->conns;
    if (conn->next != NULL)
        conn->next->previous = conn;
    worker->conns = conn;
}

static void again_remove(struct conn *conn)
{
    struct conn **link = &conn->worker->again;

    while (conn->is_queued && *link != NULL && *link != conn)
        link = &(*link)->again_next;
    if (conn->is_queued && *link == conn)
        *link = conn->again_next;
}

void conn_close(struct conn *conn)
{
    struct worker *worker = conn->worker;

    again_remove(conn);
    if (conn->previous != NULL)
        conn->previous->next = conn->next;
    else
        worker->conns = conn->next;
    if (conn->next != NULL)
        conn->next->previous = conn->previous;

    exchange_end(conn);
    arena_free(&conn->arena);
    tls_session_free(&conn->tls);
    (void)close(conn->fd); /* takes it out of epoll */
    buf_free(&conn->in);
    buf_free(&conn->out);
    table_free(conn);
    count_closed(worker);
}

bool conn_is_idle(const struct conn *conn)
{
    return conn->phase == PHASE_HELLO || conn->phase == PHASE_LINGER || conn->phase == PHASE_HELD ||
           (conn->phase == PHASE_HEAD && conn->in.len == 0);
}

/* ---- time ---- */

/* Bytes in the socket's buffer have not reached anyone: progress is what the client took. */
static void answer_look(struct conn *conn)
{
    int queued = 0;

    if (ioctl(conn->fd, SIOCOUTQ, &queued) != 0 || queued < 0)
        return;
    uint64_t acknowledged =
        conn->moved_bytes > (uint64_t)queued ? conn->moved_bytes - (uint64_t)queued : 0;
    if (acknowledged > conn->acknowledged_bytes)
        conn->moved_mono_ns = conn->worker->now_mono_ns;
    conn->acknowledged_bytes = acknowledged;
}

/* A phase gets the idle time, and more only as bytes move at a decent rate. */
static bool is_late(const struct conn *conn, uint64_t progress_bytes)
{
    uint64_t idle_ns = conn->worker->shared->options.idle_s * NS_PER_S;
    uint64_t now = conn->worker->now_mono_ns;
    uint64_t allowed_ns = idle_ns + progress_bytes / HTTP_BYTES_PER_S_MIN * NS_PER_S;

    return now - conn->moved_mono_ns > idle_ns || now - conn->phase_mono_ns > allowed_ns;
}

void conn_check_time(struct conn *conn)
{
    uint64_t spent_ns = conn->worker->now_mono_ns - conn->phase_mono_ns;
    bool late = false;

    switch (conn->phase) {
    case PHASE_HELLO:
    case PHASE_HANDSHAKE:
    case PHASE_HEAD:
        late = is_late(conn, 0) || (conn->is_surplus && spent_ns > HTTP_SURPLUS_S * NS_PER_S);
        break;
    case PHASE_BODY:
        late = is_late(conn, conn->moved_bytes);
        break;
    case PHASE_HELD:
        held_ask(conn);
        return;
    case PHASE_ANSWER:
        answer_look(conn);
        late = is_late(conn, conn->acknowledged_bytes);
        break;
    case PHASE_LINGER:
        late = spent_ns > (conn->has_unread ? HTTP_LINGER_S : HTTP_LINGER_BRIEF_S) * NS_PER_S;
        break;
    }
    if (!late)
        return;
    if (conn->phase != PHASE_LINGER && !(conn->phase == PHASE_HEAD && conn->in.len == 0))
        metric_add(METRIC_http_timeouts, 1);
    if ((conn->phase == PHASE_HEAD && conn->in.len > 0) || conn->phase == PHASE_BODY) {
        if (refuse(conn, 408) == GO_ON)
            conn_run(conn, 0);
        else
            conn_close(conn);
        return;
    }
    conn_close(conn);
}
