/* The server on a real socket, spoken to in raw bytes by clients good and bad. */
#include "rows.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/metrics.h"
#include "net/server.h"
#include "net/tls.h"

#include "base/banned.h"

#define BODY_MAX 1000
#define BIG_BYTES ((size_t)8 << 20)
#define STAYING_BYTES ((size_t)300001) /* spliced when there are several connections */
#define HEADER_MAX 8192

/* ---- an application ---- */

static char big[BIG_BYTES];
static atomic_uint released;
static atomic_bool gate_open; /* /wait answers when it is */

static void count_release(void *context)
{
    (void)context;
    (void)atomic_fetch_add(&released, 1);
}

/* "/deny" is answered before its body is read; others take BODY_MAX bytes. */
static bool app_begin(void *context, const struct http_request *request, size_t announced,
                      size_t *body_bytes_max, struct http_response *early)
{
    (void)context;
    (void)announced;
    *body_bytes_max = slice_eq(request->path, SLICE("/large")) ? BIG_BYTES : BODY_MAX;
    if (!slice_eq(request->path, SLICE("/deny")))
        return false;
    early->status = 401;
    http_response_header(early, SLICE("Content-Type"), SLICE("test/early"));
    early->head = SLICE("who are you?");
    return true;
}

static void app_handle(void *context, const struct http_request *request,
                       struct http_response *response)
{
    (void)context;
    response->status = 200;
    http_response_header(response, SLICE("Content-Type"), SLICE("test/answer"));
    response->head = SLICE("[");
    response->middle = request->body;
    response->tail = SLICE("]");
    response->release = count_release;
    if (slice_eq(request->path, SLICE("/big"))) {
        response->middle = slice_of(big, sizeof big);
    } else if (slice_eq(request->path, SLICE("/stays"))) {
        response->middle = slice_of(big, STAYING_BYTES);
        response->middle_stays = true;
    } else if (slice_eq(request->path, SLICE("/text"))) {
        response->middle = slice_of(big, 4000);
        response->compress = true;
    } else if (slice_eq(request->path, SLICE("/empty"))) {
        response->status = 204;
    } else if (slice_eq(request->path, SLICE("/nothing"))) {
        response->status = 0;
    } else if (slice_eq(request->path, SLICE("/inject"))) {
        http_response_header(response, SLICE("X-In"), SLICE("a\r\nSet-Cookie: b"));
    } else if (slice_eq(request->path, SLICE("/about"))) {
        response->head =
            arena_printf(request->arena, "%.*s %.*s %d %d", SLICE_ARG(request->peer),
                         SLICE_ARG(request->query), (int)request->method, request->is_tls);
        response->tail = SLICE_NONE;
    } else if (slice_eq(request->path, SLICE("/wait"))) {
        while (!atomic_load(&gate_open))
            (void)poll(NULL, 0, 1);
    }
}

static void app_refuse(void *context, int status, const struct http_request *request,
                       struct http_response *response)
{
    (void)context;
    response->status = status;
    http_response_header(response, SLICE("Content-Type"), SLICE("test/refusal"));
    response->head =
        request != NULL && request->arena != NULL
            ? arena_printf(request->arena, "refused %d %.*s", status, SLICE_ARG(request->path))
            : SLICE("refused");
}

static struct http_server *start(const struct http_server_options *changes)
{
    struct http_server_options options = {
        .listen = changes->listen != NULL ? changes->listen : "127.0.0.1:0",
        .threads = 2,
        .connections_max = changes->connections_max != 0 ? changes->connections_max : 1000,
        .header_bytes_max = HEADER_MAX,
        .idle_s = changes->idle_s != 0 ? changes->idle_s : 30,
        .tls = changes->tls,
        .certificate_file = changes->certificate_file,
        .key_file = changes->key_file,
        .begin = app_begin,
        .handle = app_handle,
        .refuse = app_refuse,
    };
    struct http_server *server = NULL;
    struct diag diag = {0};

    if (failed(http_server_start(&options, &server, &diag)))
        fail_msg("%s", diag.text);
    return server;
}

/* ---- a client of raw bytes ---- */

static int dial(const struct http_server *server)
{
    const char *text = http_server_address(server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 20};
    uint64_t port;

    assert_true(parse_u64(slice_text(strrchr(text, ':') + 1), &port));
    address.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    return fd;
}

static void say(int fd, slice bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.at, bytes.len, MSG_NOSIGNAL);

        assert_true(sent > 0);
        bytes = slice_from(bytes, (size_t)sent);
    }
}

/* One byte more; false at the end, whether by FIN or reset. */
static bool hear_some(int fd, struct buf *out, size_t room)
{
    char *at = buf_reserve(out, room);

    assert_non_null(at);
    ssize_t got = recv(fd, at, room, 0);
    if (got < 0)
        assert_true(errno == ECONNRESET); /* and never a time-out */
    out->len += got > 0 ? (size_t)got : 0;
    return got > 0;
}

static slice field(slice answer, slice name)
{
    slice line, key, value;

    while (slice_cut(answer, '\n', &line, &answer) && line.len > 1)
        if (slice_cut(line, ':', &key, &value) && slice_eq_nocase(key, name))
            return slice_trim(value);
    return SLICE_NONE;
}

static int status_of(slice answer)
{
    uint64_t status;

    assert_true(answer.len > 12 && slice_starts(answer, SLICE("HTTP/1.1 ")));
    assert_true(parse_u64(slice_head(slice_from(answer, 9), 3), &status));
    return (int)status;
}

static slice body_of(slice answer)
{
    size_t end = slice_find(answer, SLICE("\r\n\r\n"));

    assert_true(end != SIZE_MAX);
    return slice_from(answer, end + 4);
}

/* One answer with its announced body (none for HEAD), from a connection that stays open. */
static void hear_answer(int fd, struct buf *out, bool is_head)
{
    size_t end, length = 0;

    buf_reset(out);
    while ((end = slice_find(buf_slice(out), SLICE("\r\n\r\n"))) == SIZE_MAX)
        assert_true(hear_some(fd, out, 1)); /* the next answer is left where it is */
    slice said = field(buf_slice(out), SLICE("content-length"));
    assert_true(said.at == NULL || parse_size(said, &length));
    length = is_head ? 0 : length;
    while (out->len < end + 4 + length)
        assert_true(hear_some(fd, out, end + 4 + length - out->len));
}

/* All until the server closes. */
static void hear_all(int fd, struct buf *out)
{
    buf_reset(out);
    while (hear_some(fd, out, 65536)) {
    }
    (void)close(fd);
}

#define HEAR_MAX (2 * BIG_BYTES)

/* ---- answers ---- */

#define H "Host: a\r\n"
#define C "Connection: close\r\n"

static const struct {
    const char *name;
    slice request;
    int status;
    slice type, body;
} exchanges[] = {
    {"get", S("GET / HTTP/1.1\r\n" H C "\r\n"), 200, S("test/answer"), S("[]")},
    {"get on 1.0", S("GET / HTTP/1.0\r\n\r\n"), 200, S("test/answer"), S("[]")},
    {"head", S("HEAD / HTTP/1.1\r\n" H C "\r\n"), 200, S("test/answer"), S("")},
    {"post", S("POST / HTTP/1.1\r\n" H C "Content-Length: 3\r\n\r\nabc"), 200, S("test/answer"),
     S("[abc]")},
    {"empty post", S("POST / HTTP/1.1\r\n" H C "Content-Length: 0\r\n\r\n"), 200, S("test/answer"),
     S("[]")},
    {"post without length", S("POST / HTTP/1.1\r\n" H C "\r\n"), 200, S("test/answer"), S("[]")},
    {"chunks",
     S("POST / HTTP/1.1\r\n" H C
       "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
     200, S("test/answer"), S("[abc]")},
    {"no content", S("GET /empty HTTP/1.1\r\n" H C "\r\n"), 204, S("test/answer"), S("")},
    {"about", S("OPTIONS /about?a=b HTTP/1.1\r\n" H C "\r\n"), 200, S("test/answer"),
     S("127.0.0.1 a=b 5 0")},
    {"a handler that answers nothing", S("GET /nothing HTTP/1.1\r\n" H C "\r\n"), 500, S(""),
     S("")},
    {"early", S("GET /deny HTTP/1.1\r\n" H C "\r\n"), 401, S("test/early"), S("who are you?")},
    {"early with a body", S("POST /deny HTTP/1.1\r\n" H C "Content-Length: 3\r\n\r\nabc"), 401,
     S("test/early"), S("who are you?")},
    {"bad request line", S("GET\r\n\r\n"), 400, S("test/refusal"), S("refused 400 ")},
    {"noise", S("\x16\x03\x01"), 400, S("test/refusal"), S("refused 400 ")},
    {"no host", S("GET / HTTP/1.1\r\n\r\n"), 400, S("test/refusal"), S("refused 400 ")},
    {"NUL in a header", S("GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n"), 400, S("test/refusal"),
     S("refused 400 ")},
    {"bad length", S("POST / HTTP/1.1\r\n" H "Content-Length: x\r\n\r\n"), 400, S("test/refusal"),
     S("refused 400 ")},
    {"length and chunks",
     S("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
     400, S("test/refusal"), S("refused 400 ")},
    {"bad chunk", S("POST /p HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 400,
     S("test/refusal"), S("refused 400 /p")},
    {"unknown coding", S("POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\n\r\n"), 501,
     S("test/refusal"), S("refused 501 ")},
    {"unknown expectation", S("POST / HTTP/1.1\r\n" H "Expect: tea\r\n\r\n"), 417,
     S("test/refusal"), S("refused 417 ")},
    {"HTTP/2", S("GET / HTTP/2.0\r\n" H "\r\n"), 505, S("test/refusal"), S("refused 505 ")},
    {"too long by announcement", S("POST /p HTTP/1.1\r\n" H "Content-Length: 1001\r\n\r\nabc"), 413,
     S("test/refusal"), S("refused 413 /p")},
    {"far too long", S("POST /p HTTP/1.1\r\n" H "Content-Length: 18446744073709551615\r\n\r\nabc"),
     413, S("test/refusal"), S("refused 413 /p")},
};

static void every_request_gets_its_answer(void **state)
{
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);

    CHECK_ROWS(row, exchanges) {
        int fd = dial(*state);

        say(fd, row->request);
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        hear_all(fd, &heard);
        slice answer = buf_slice(&heard);
        assert_int_equal(status_of(answer), row->status);
        assert_non_null(field(answer, SLICE("date")).at);
        assert_true(slice_eq(field(answer, SLICE("connection")), SLICE("close")));
        assert_true(row->status == 500 ||
                    slice_eq(field(answer, SLICE("content-type")), row->type));
        assert_true(slice_eq(body_of(answer), row->body));
    }
}

static void head_is_get_without_the_body(void **state)
{
    CLEANUP(buf_free) struct buf get = BUF(HEAR_MAX);
    CLEANUP(buf_free) struct buf head = BUF(HEAR_MAX);
    int fd = dial(*state);

    say(fd, SLICE("GET /big HTTP/1.1\r\n" H "\r\n"));
    hear_answer(fd, &get, false);
    say(fd, SLICE("HEAD /big HTTP/1.1\r\n" H "\r\n"));
    hear_answer(fd, &head, true);
    assert_int_equal(body_of(buf_slice(&head)).len, 0);
    assert_int_equal(body_of(buf_slice(&get)).len, BIG_BYTES + 2);
    assert_true(slice_eq(field(buf_slice(&get), SLICE("content-length")),
                         field(buf_slice(&head), SLICE("content-length"))));
    (void)close(fd);
}

static void requests_that_come_at_once_are_answered_in_order(void **state)
{
    enum { REQUESTS = 500 };
    CLEANUP(buf_free) struct buf sent = BUF(1 << 20);
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);
    char body[32];
    int fd = dial(*state);

    for (int i = 0; i < REQUESTS; i++)
        buf_printf(&sent, "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n%05d", i);
    say(fd, buf_slice(&sent));
    for (int i = 0; i < REQUESTS; i++) {
        hear_answer(fd, &heard, false);
        (void)snprintf(body, sizeof body, "[%05d]", i);
        assert_true(slice_eq(body_of(buf_slice(&heard)), slice_text(body)));
    }
    (void)close(fd);
}

static void a_client_that_waits_for_100_hears_it(void **state)
{
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);
    int fd = dial(*state);

    say(fd, SLICE("POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
    while (!slice_ends(buf_slice(&heard), SLICE("\r\n\r\n")))
        assert_true(hear_some(fd, &heard, 1));
    assert_true(slice_eq(buf_slice(&heard), SLICE("HTTP/1.1 100 Continue\r\n\r\n")));
    say(fd, SLICE("ab"));
    hear_answer(fd, &heard, false);
    assert_true(slice_eq(body_of(buf_slice(&heard)), SLICE("[ab]")));
    (void)close(fd);
}

static void a_refused_expectation_needs_no_body(void **state)
{
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);
    int fd = dial(*state);

    say(fd, SLICE("POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 2000\r\n\r\n"));
    hear_answer(fd, &heard, false);
    assert_int_equal(status_of(buf_slice(&heard)), 413);
    (void)close(fd);
}

static void chunks_that_grow_past_the_limit_are_refused(void **state)
{
    CLEANUP(buf_free) struct buf sent = BUF(1 << 16);
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);
    int fd = dial(*state);

    buf_put(&sent, SLICE("POST /p HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"));
    for (int chunk = 0; chunk < 3; chunk++) {
        buf_put(&sent, SLICE("190\r\n"));
        for (int i = 0; i < 0x190; i++)
            buf_byte(&sent, 'x');
        buf_put(&sent, SLICE("\r\n"));
    }
    say(fd, buf_slice(&sent));
    hear_answer(fd, &heard, false);
    assert_int_equal(status_of(buf_slice(&heard)), 413);
    assert_true(slice_eq(body_of(buf_slice(&heard)), SLICE("refused 413 /p")));
    (void)close(fd);
}

static void the_body_behind_a_refusal_is_read_so_that_the_answer_arrives(void **state)
{
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);
    int fd = dial(*state);

    say(fd, SLICE("POST /p HTTP/1.1\r\n" H "Content-Length: 8388608\r\n\r\n"));
    say(fd, slice_of(big, BIG_BYTES)); /* never fails, though the answer came long ago */
    hear_all(fd, &heard);
    assert_int_equal(status_of(buf_slice(&heard)), 413);
}

static void bytes_behind_the_announced_body_are_another_request(void **state)
{
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);
    int fd = dial(*state);

    say(fd, SLICE("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabcdef\r\n\r\n"));
    hear_answer(fd, &heard, false);
    assert_true(slice_eq(body_of(buf_slice(&heard)), SLICE("[abc]")));
    hear_answer(fd, &heard, false);
    assert_int_equal(status_of(buf_slice(&heard)), 400);
    (void)close(fd);
}

static void a_body_that_ends_early_reaches_no_handler(void **state)
{
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);
    int fd = dial(*state);
    unsigned before = atomic_load(&released);

    say(fd, SLICE("POST / HTTP/1.1\r\n" H "Content-Length: 30\r\n\r\nabc"));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    hear_all(fd, &heard);
    assert_int_equal(heard.len, 0);
    assert_int_equal(atomic_load(&released), before);
}

static void floods_are_refused(void **state)
{
    static const struct {
        const char *name;
        slice start, more;
        size_t times;
        int status;
    } floods[] = {
        {"one endless field", S("GET / HTTP/1.1\r\n" H "X: "), S("a"), HEADER_MAX, 431},
        {"many fields", S("GET / HTTP/1.1\r\n" H), S("A: b\r\n"), HTTP_HEADERS_MAX, 431},
        {"endless fields", S("GET / HTTP/1.1\r\n" H), S("A: b\r\n"), HEADER_MAX / 6, 431},
        {"a huge URL", S("GET /"), S("a"), 2 * HEADER_MAX, 414},
    };
    CLEANUP(buf_free) struct buf sent = BUF(1 << 20);
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);

    CHECK_ROWS(row, floods) {
        int fd = dial(*state);

        buf_reset(&sent);
        buf_put(&sent, row->start);
        for (size_t i = 0; i < row->times; i++)
            buf_put(&sent, row->more);
        buf_put(&sent, SLICE("\r\n\r\n"));
        say(fd, buf_slice(&sent));
        hear_answer(fd, &heard, false);
        assert_int_equal(status_of(buf_slice(&heard)), row->status);
        assert_true(
            slice_eq(field(buf_slice(&heard), SLICE("content-type")), SLICE("test/refusal")));
        (void)close(fd);
    }
}

static void a_value_cannot_start_a_field_of_its_own(void **state)
{
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);
    int fd = dial(*state);

    say(fd, SLICE("GET /inject HTTP/1.1\r\n" H "\r\n"));
    hear_answer(fd, &heard, false);
    assert_null(field(buf_slice(&heard), SLICE("set-cookie")).at);
    assert_true(slice_eq(field(buf_slice(&heard), SLICE("x-in")), SLICE("a  Set-Cookie: b")));
    (void)close(fd);
}

static void answers_are_packed_as_the_client_asks(void **state)
{
    static const struct {
        const char *name;
        slice accept;
        enum packing packing;
        slice encoding;
    } packings[] = {
        {"gzip", S("Accept-Encoding: gzip\r\n"), PACK_GZIP, S("gzip")},
        {"zstd", S("Accept-Encoding: zstd\r\n"), PACK_ZSTD, S("zstd")},
        {"none", S(""), PACK_NONE, S("")},
    };
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);
    CLEANUP(buf_free) struct buf sent = BUF(1 << 16);
    CLEANUP(buf_free) struct buf unpacked = BUF(BIG_BYTES);

    CHECK_ROWS(row, packings) {
        int fd = dial(*state);

        buf_reset(&sent);
        buf_reset(&unpacked);
        buf_put(&sent, SLICE("GET /text HTTP/1.1\r\n" H));
        buf_put(&sent, row->accept);
        buf_put(&sent, SLICE("\r\n"));
        say(fd, buf_slice(&sent));
        hear_answer(fd, &heard, false);
        slice answer = buf_slice(&heard);
        assert_true(slice_eq(field(answer, SLICE("vary")), SLICE("Accept-Encoding")));
        assert_true(slice_eq(field(answer, SLICE("content-encoding")), row->encoding));
        if (row->packing == PACK_NONE)
            buf_put(&unpacked, body_of(answer));
        else
            assert_true(succeeded(unpack(row->packing, body_of(answer), &unpacked, NULL)));
        assert_int_equal(unpacked.len, 4002);
        assert_true(unpacked.at[0] == '[' && unpacked.at[4001] == ']');
        (void)close(fd);
    }
}

/* ---- many clients ---- */

static void any_number_of_clients_at_once_is_served(void **state)
{
    static const size_t numbers[] = {1, 16, 127, 128, 129, 256};
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);
    int fds[256];

    for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++) {
        for (size_t i = 0; i < numbers[n]; i++)
            fds[i] = dial(*state);
        for (int round = 0; round < 3; round++) {
            for (size_t i = 0; i < numbers[n]; i++)
                say(fds[i], SLICE("GET / HTTP/1.1\r\n" H "\r\n"));
            for (size_t i = 0; i < numbers[n]; i++) {
                hear_answer(fds[i], &heard, false);
                assert_int_equal(status_of(buf_slice(&heard)), 200);
            }
        }
        for (size_t i = 0; i < numbers[n]; i++)
            (void)close(fds[i]);
    }
}

static void many_big_answers_at_once_arrive_whole(void **state)
{
    enum { CLIENTS = 24 };
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);
    int fds[CLIENTS];

    for (size_t i = 0; i < CLIENTS; i++) {
        fds[i] = dial(*state);
        say(fds[i], SLICE("GET /big HTTP/1.1\r\n" H "\r\n"));
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        hear_answer(fds[i], &heard, false);
        slice body = body_of(buf_slice(&heard));
        assert_int_equal(body.len, BIG_BYTES + 2);
        assert_memory_equal(body.at + 1, big, BIG_BYTES);
        (void)close(fds[i]);
    }
}

/* Readers that are slower than the server fill its sockets: what a pipe still held goes again. */
static void memory_that_stays_arrives_whole_without_a_copy(void **state)
{
    enum { CLIENTS = 24, REQUESTS = 40 };
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);
    int fds[CLIENTS], gone = dial(*state);

    for (size_t i = 0; i < CLIENTS; i++) {
        fds[i] = dial(*state);
        for (size_t n = 0; n < REQUESTS; n++)
            say(fds[i], SLICE("GET /stays HTTP/1.1\r\n" H "\r\n"));
    }
    for (size_t n = 0; n < REQUESTS; n++) /* and one who leaves in the middle */
        say(gone, SLICE("GET /stays HTTP/1.1\r\n" H "\r\n"));
    assert_true(hear_some(gone, &heard, 100));
    (void)close(gone);
    for (size_t i = 0; i < CLIENTS; i++) {
        for (size_t n = 0; n < REQUESTS; n++) {
            hear_answer(fds[i], &heard, false);
            slice body = body_of(buf_slice(&heard));
            assert_int_equal(body.len, STAYING_BYTES + 2);
            assert_memory_equal(body.at + 1, big, STAYING_BYTES);
            assert_true(body.at[0] == '[' && body.at[STAYING_BYTES + 1] == ']');
        }
        (void)close(fds[i]);
    }
}

static void ten_thousand_half_open_connections_disturb_nobody(void **state)
{
    enum { HALF_OPEN_MAX = 10000 };
    static int fds[HALF_OPEN_MAX];
    long limit = sysconf(_SC_OPEN_MAX); /* both ends are ours */
    size_t count = 0;
    struct http_server *server = start(&(struct http_server_options){.connections_max = 12000});
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);

    (void)state;
    while (count < HALF_OPEN_MAX && (long)(2 * count) < limit - 400) {
        fds[count] = dial(server);
        if (count % 2 == 0)
            say(fds[count], SLICE("GET / HT"));
        count++;
    }
    assert_true(count > 100);
    for (int i = 0; i < 20; i++) {
        int fd = dial(server);

        say(fd, SLICE("GET / HTTP/1.1\r\n" H C "\r\n"));
        hear_all(fd, &heard);
        assert_int_equal(status_of(buf_slice(&heard)), 200);
    }
    while (count > 0)
        (void)close(fds[--count]);
    http_server_stop(&server, 0);
}

static void connections_over_the_limit_are_told_so_and_counted(void **state)
{
    enum { LIMIT = 16, TOLD = 64 };
    struct http_server *server = start(&(struct http_server_options){.connections_max = LIMIT});
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);
    uint64_t refused = metric_get(METRIC_http_connections_refused);
    slice request = SLICE("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc");
    int fds[LIMIT + TOLD], one_more;

    (void)state;
    for (size_t i = 0; i < LIMIT; i++) {
        fds[i] = dial(server);
        say(fds[i], SLICE("GET / HTTP/1.1\r\n" H "\r\n"));
        hear_answer(fds[i], &heard, false);
    }
    one_more = dial(server);
    say(one_more, request);
    hear_all(one_more, &heard); /* and then it is closed, though it asked to go on */
    assert_int_equal(status_of(buf_slice(&heard)), 503);
    assert_true(slice_find(buf_slice(&heard), SLICE("test/refusal")) != SIZE_MAX);
    assert_true(slice_find(buf_slice(&heard), SLICE("Retry-After: ")) != SIZE_MAX);
    assert_int_equal(metric_get(METRIC_http_connections_refused), refused + 1);
    say(fds[0], SLICE("GET / HTTP/1.1\r\n" H "\r\n")); /* those inside go on */
    hear_answer(fds[0], &heard, false);
    assert_int_equal(status_of(buf_slice(&heard)), 200);

    for (size_t i = LIMIT; i < LIMIT + TOLD; i++) /* who keeps silent does not use up the node */
        fds[i] = dial(server);
    do {
        one_more = dial(server);
        (void)send(one_more, request.at, request.len, MSG_NOSIGNAL);
        hear_all(one_more, &heard);
    } while (heard.len > 0);
    for (size_t i = 0; i < LIMIT + TOLD; i++)
        (void)close(fds[i]);
    do { /* their leaving makes room, as soon as the server noticed */
        one_more = dial(server);
        (void)send(one_more, request.at, request.len, MSG_NOSIGNAL);
        (void)shutdown(one_more, SHUT_WR);
        hear_all(one_more, &heard);
    } while (heard.len == 0 || status_of(buf_slice(&heard)) == 503);
    assert_int_equal(status_of(buf_slice(&heard)), 200);
    http_server_stop(&server, 0);
}

/* ---- slow clients ---- */

static const struct {
    const char *name;
    slice said;
    slice drip; /* one byte of it now and then */
    int status; /* 0: closed without a word */
} slow[] = {
    {"says nothing", S(""), S(""), 0},
    {"stops in the head", S("GET / HTTP/1.1\r\nHo"), S(""), 408},
    {"drips its head", S("GET / HTTP/1.1\r\nX: "), S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
     408},
    {"stops in the body", S("POST / HTTP/1.1\r\n" H "Content-Length: 900\r\n\r\nab"), S(""), 408},
    {"drips its body", S("POST / HTTP/1.1\r\n" H "Content-Length: 900\r\n\r\nab"),
     S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 408},
    {"stops in a chunk", S("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n9\r\na"),
     S(""), 408},
};

static void slow_clients_are_let_go(void **state)
{
    enum { SLOW = sizeof slow / sizeof slow[0], DRIP_MS = 100 };
    struct http_server *server = start(&(struct http_server_options){.idle_s = 1});
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);
    int fds[SLOW];

    (void)state;
    for (size_t i = 0; i < SLOW; i++) {
        fds[i] = dial(server);
        say(fds[i], slow[i].said);
    }
    for (size_t drip = 0; drip < 40; drip++) { /* four times the idle time */
        for (size_t i = 0; i < SLOW; i++)
            if (drip < slow[i].drip.len)
                (void)send(fds[i], slow[i].drip.at + drip, 1, MSG_NOSIGNAL);
        (void)poll(NULL, 0, DRIP_MS);
    }
    for (size_t i = 0; i < SLOW; i++) {
        hear_all(fds[i], &heard);
        assert_true(slow[i].status == 0 ? heard.len == 0
                                        : status_of(buf_slice(&heard)) == slow[i].status);
    }
    http_server_stop(&server, 0);
}

static void who_does_not_take_the_answer_loses_it(void **state)
{
    struct http_server *server = start(&(struct http_server_options){.idle_s = 1});
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);
    unsigned before = atomic_load(&released);
    int fd = dial(server), gone = dial(server);

    (void)state;
    say(fd, SLICE("GET /big HTTP/1.1\r\n" H "\r\n"));
    say(gone, SLICE("GET /big HTTP/1.1\r\n" H "\r\n"));
    assert_true(hear_some(gone, &heard, 100));
    (void)close(gone);
    while (atomic_load(&released) < before + 2) /* both bodies are given back */
        (void)poll(NULL, 0, 10);
    (void)close(fd);
    http_server_stop(&server, 0);
}

/* ---- TLS: what comes before and instead of it (the rest: test_http_client.c) ---- */

static const struct {
    const char *name;
    slice said;
    int status; /* 0: no HTTP answer */
} strangers[] = {
    {"plain HTTP", S("GET / HTTP/1.1\r\n" H "\r\n"), 400},
    {"plain HTTP with a body", S("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc"), 400},
    {"noise", S("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09"), 0},
    {"SSH", S("ssh-2.0-x\r\n\r\n"), 0},
    {"a record that is too long", S("\x16\x03\x01\xff\xff\x01\x00\x00\x00\x00"), 0},
    {"an alert", S("\x15\x03\x03\x00\x02\x02\x28"), 0},
    {"a hello that stops", S("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), 0},
    {"nothing", S(""), 0},
};

static void strangers_at_a_tls_port_are_answered_or_let_go(void **state)
{
    enum { STRANGERS = sizeof strangers / sizeof strangers[0] };
    static const char *const names[] = {"localhost", NULL};
    char folder[] = "/tmp/entente-http-XXXXXX", certificate[48], key[48];
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);
    int fds[STRANGERS];

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(certificate, sizeof certificate, "%s/c", folder);
    (void)snprintf(key, sizeof key, "%s/k", folder);
    assert_true(succeeded(crypto_start(NULL)));
    assert_true(succeeded(tls_make_certificate(certificate, key, names, 1, NULL)));
    struct http_server *server = start(&(struct http_server_options){
        .idle_s = 1, .tls = true, .certificate_file = certificate, .key_file = key});
    for (size_t i = 0; i < STRANGERS; i++) {
        fds[i] = dial(server);
        say(fds[i], strangers[i].said);
    }
    for (size_t i = 0; i < STRANGERS; i++) { /* each ends, by itself or for the time it took */
        hear_all(fds[i], &heard);
        if (strangers[i].status != 0)
            assert_int_equal(status_of(buf_slice(&heard)), strangers[i].status);
        else
            assert_false(slice_starts(buf_slice(&heard), SLICE("HTTP")));
    }
    http_server_stop(&server, 0);
    assert_int_equal(unlink(certificate) + unlink(key) + rmdir(folder), 0);
}

/* ---- start and stop ---- */

static void *stop_main(void *context)
{
    http_server_stop(context, 20000);
    return NULL;
}

static void stopping_lets_the_present_request_finish(void **state)
{
    struct http_server *server = start(&(struct http_server_options){.idle_s = 30});
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);
    pthread_t stopper;
    int busy = dial(server), idle = dial(server);

    (void)state;
    atomic_store(&gate_open, false);
    say(idle, SLICE("GET / HTTP/1.1\r\n" H "\r\n"));
    hear_answer(idle, &heard, false);
    say(busy, SLICE("GET /wait HTTP/1.1\r\n" H "\r\n"));
    (void)poll(NULL, 0, 50);
    assert_int_equal(pthread_create(&stopper, NULL, stop_main, &server), 0);
    hear_all(idle, &heard); /* closed at once */
    assert_int_equal(heard.len, 0);
    atomic_store(&gate_open, true);
    hear_all(busy, &heard);
    assert_int_equal(status_of(buf_slice(&heard)), 200);
    assert_true(slice_eq(field(buf_slice(&heard), SLICE("connection")), SLICE("close")));
    assert_int_equal(pthread_join(stopper, NULL), 0);
    assert_null(server);
}

static void a_unix_socket_serves_and_leaves_no_file(void **state)
{
    char folder[] = "/tmp/entente-http-XXXXXX", listen_at[64], path[48];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP(buf_free) struct buf heard = BUF(HEAR_MAX);

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/s", folder);
    (void)snprintf(listen_at, sizeof listen_at, "unix:%s", path);
    struct http_server *server = start(&(struct http_server_options){.listen = listen_at});
    assert_string_equal(http_server_address(server), listen_at);
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    say(fd, SLICE("GET /about HTTP/1.1\r\n" H C "\r\n"));
    hear_all(fd, &heard);
    assert_true(slice_starts(body_of(buf_slice(&heard)), SLICE("local")));
    http_server_stop(&server, 0);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(rmdir(folder), 0);
}

#ifdef ENTENTE_FAULTS
static void starting_fails_step_by_step_without_traces(void **state)
{
    struct http_server_options options = {
        .listen = "127.0.0.1:0", .threads = 2, .connections_max = 10, .handle = app_handle};
    struct http_server *server = NULL;
    unsigned long nth = 0;
    result r;

    (void)state;
    do {
        struct diag diag = {0};

        fault_arm(++nth);
        r = http_server_start(&options, &server, &diag);
        bool fired = fault_fired();
        fault_arm(0);
        assert_true(failed(r) == fired);
        assert_true(failed(r) == (diag.text[0] != '\0'));
        assert_true(failed(r) == (server == NULL));
        assert_true(nth < 100);
    } while (failed(r));
    assert_true(nth > 5);
    http_server_stop(&server, 0);
}
#endif

static int group_start(void **state)
{
    log_set(LOG_LEVEL_ERROR, LOG_FORM_TEXT);
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)('a' + i % 23);
    *state = start(&(struct http_server_options){0});
    return 0;
}

static int group_stop(void **state)
{
    struct http_server *server = *state;

    http_server_stop(&server, 1000);
    return server == NULL ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_gets_its_answer),
        cmocka_unit_test(head_is_get_without_the_body),
        cmocka_unit_test(requests_that_come_at_once_are_answered_in_order),
        cmocka_unit_test(a_client_that_waits_for_100_hears_it),
        cmocka_unit_test(a_refused_expectation_needs_no_body),
        cmocka_unit_test(chunks_that_grow_past_the_limit_are_refused),
        cmocka_unit_test(the_body_behind_a_refusal_is_read_so_that_the_answer_arrives),
        cmocka_unit_test(bytes_behind_the_announced_body_are_another_request),
        cmocka_unit_test(a_body_that_ends_early_reaches_no_handler),
        cmocka_unit_test(floods_are_refused),
        cmocka_unit_test(a_value_cannot_start_a_field_of_its_own),
        cmocka_unit_test(answers_are_packed_as_the_client_asks),
        cmocka_unit_test(any_number_of_clients_at_once_is_served),
        cmocka_unit_test(many_big_answers_at_once_arrive_whole),
        cmocka_unit_test(memory_that_stays_arrives_whole_without_a_copy),
        cmocka_unit_test(ten_thousand_half_open_connections_disturb_nobody),
        cmocka_unit_test(connections_over_the_limit_are_told_so_and_counted),
        cmocka_unit_test(slow_clients_are_let_go),
        cmocka_unit_test(who_does_not_take_the_answer_loses_it),
        cmocka_unit_test(strangers_at_a_tls_port_are_answered_or_let_go),
        cmocka_unit_test(stopping_lets_the_present_request_finish),
        cmocka_unit_test(a_unix_socket_serves_and_leaves_no_file),
#ifdef ENTENTE_FAULTS
        cmocka_unit_test(starting_fails_step_by_step_without_traces),
#endif
    };

    return cmocka_run_group_tests(tests, group_start, group_stop);
}
