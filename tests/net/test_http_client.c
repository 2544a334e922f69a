/* The client against our own server, and against a server that says whatever a row tells it to. */
#include "rows.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/fault.h"
#include "base/log.h"
#include "net/client.h"
#include "net/listen.h"
#include "net/server.h"
#include "net/tls.h"

#include "base/banned.h"

#define BODY_MAX ((size_t)1 << 20)
#define BIG_BYTES (8 * BODY_MAX)
#define URL_MAX 256

/* ---- what the server does ---- */

struct world_of_tests {
    char folder[32], certificate[64], key[64], other_certificate[64], other_key[64];
    char pin[2 * SHA256_BYTES + 1];
    struct http_server *plain, *tls, *elsewhere;
};

static struct world_of_tests world;
static atomic_uint handled, with_credentials;
static char big[BIG_BYTES];
static struct buf bomb_gzip = {.ceiling = 2 * BIG_BYTES}, bomb_zstd = {.ceiling = 2 * BIG_BYTES};

static bool app_begin(void *context, const struct http_request *request, size_t announced,
                      size_t *body_bytes_max, struct http_response *early)
{
    (void)context, (void)request, (void)announced, (void)early;
    *body_bytes_max = BIG_BYTES;
    return false;
}

static void packed_answer(struct http_response *response, const struct buf *bytes, slice coding)
{
    http_response_header(response, SLICE("Content-Encoding"), coding);
    response->middle = buf_slice(bytes);
}

static void app_handle(void *context, const struct http_request *request,
                       struct http_response *response)
{
    slice path = request->path;

    (void)context;
    (void)atomic_fetch_add(&handled, 1);
    if (http_header_find(request, SLICE("authorization")).at != NULL)
        (void)atomic_fetch_add(&with_credentials, 1);
    response->status = 200;
    http_response_header(response, SLICE("X-Method"),
                         arena_printf(request->arena, "%d", (int)request->method));
    if (slice_eq(path, SLICE("/big"))) {
        response->middle = slice_of(big, sizeof big);
    } else if (slice_eq(path, SLICE("/text"))) {
        response->middle = slice_of(big, 100000);
        response->compress = true;
    } else if (slice_eq(path, SLICE("/bomb/gzip"))) {
        packed_answer(response, &bomb_gzip, SLICE("gzip"));
    } else if (slice_eq(path, SLICE("/bomb/zstd"))) {
        packed_answer(response, &bomb_zstd, SLICE("zstd"));
    } else if (slice_eq(path, SLICE("/coding"))) {
        packed_answer(response, &bomb_gzip, SLICE("br"));
    } else if (slice_eq(path, SLICE("/to/elsewhere")) || slice_eq(path, SLICE("/to/plain"))) {
        response->status = 302;
        http_response_header(response, SLICE("Location"),
                             arena_printf(request->arena, "http://localhost%s/here",
                                          strrchr(http_server_address(world.elsewhere), ':')));
    } else if (slice_eq(path, SLICE("/loop"))) {
        response->status = 302;
        http_response_header(response, SLICE("Location"), SLICE("/loop"));
    } else if (slice_eq(path, SLICE("/missing"))) {
        response->status = 404;
        response->middle = SLICE("not here");
    } else if (slice_eq(path, SLICE("/many"))) {
        response->middle = request->body;
    } else {
        response->middle = request->body.len > 0 ? request->body : SLICE("hello");
    }
}

static struct http_server *server_start(bool tls)
{
    struct http_server_options options = {.listen = tls ? "0.0.0.0:0" : "127.0.0.1:0",
                                          .threads = 1,
                                          .connections_max = 100,
                                          .header_bytes_max = 8192,
                                          .idle_s = 30,
                                          .tls = tls,
                                          .certificate_file = world.certificate,
                                          .key_file = world.key,
                                          .begin = app_begin,
                                          .handle = app_handle};
    struct http_server *server = NULL;
    struct diag diag = {0};

    if (failed(http_server_start(&options, &server, &diag)))
        fail_msg("%s", diag.text);
    return server;
}

static void pin_of(const char *certificate, char out[2 * SHA256_BYTES + 1])
{
    struct hash256 print;

    assert_true(succeeded(tls_fingerprint(certificate, &print, NULL)));
    hex_encode(slice_of(print.bytes, sizeof print.bytes), out);
    out[2 * SHA256_BYTES] = '\0';
}

static int group_start(void **state)
{
    static const char *const names[] = {"localhost", "127.0.0.1", NULL};
    struct diag diag = {0};

    (void)state;
    log_set(LOG_LEVEL_ERROR, LOG_FORM_TEXT);
    memset(big, 'a', sizeof big);
    memcpy(world.folder, "/tmp/entente-client-XXXXXX", 27);
    assert_non_null(mkdtemp(world.folder));
    (void)snprintf(world.certificate, sizeof world.certificate, "%s/c", world.folder);
    (void)snprintf(world.key, sizeof world.key, "%s/k", world.folder);
    (void)snprintf(world.other_certificate, sizeof world.other_certificate, "%s/c2", world.folder);
    (void)snprintf(world.other_key, sizeof world.other_key, "%s/k2", world.folder);
    assert_true(succeeded(crypto_start(&diag)));
    assert_true(succeeded(tls_make_certificate(world.certificate, world.key, names, 30, &diag)));
    assert_true(succeeded(
        tls_make_certificate(world.other_certificate, world.other_key, names, 30, &diag)));
    pin_of(world.certificate, world.pin);
    assert_true(succeeded(pack(PACK_GZIP, slice_of(big, sizeof big), &bomb_gzip, &diag)));
    assert_true(succeeded(pack(PACK_ZSTD, slice_of(big, sizeof big), &bomb_zstd, &diag)));
    world.plain = server_start(false);
    world.tls = server_start(true);
    world.elsewhere = server_start(false);
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1/", 1), 0); /* nobody may heed it */
    assert_int_equal(setenv("https_proxy", "http://127.0.0.1:1/", 1), 0);
    return 0;
}

static int group_stop(void **state)
{
    (void)state;
    http_server_stop(&world.plain, 1000);
    http_server_stop(&world.tls, 1000);
    http_server_stop(&world.elsewhere, 1000);
    (void)unlink(world.certificate);
    (void)unlink(world.key);
    (void)unlink(world.other_certificate);
    (void)unlink(world.other_key);
    buf_free(&bomb_gzip);
    buf_free(&bomb_zstd);
    return rmdir(world.folder);
}

/* ---- asking ---- */

struct asked {
    struct arena arena;
    struct http_client_response response;
    struct diag diag;
    result result;
};

static void asked_free(struct asked *asked)
{
    arena_free(&asked->arena);
}

static void url_write(char out[URL_MAX], const struct http_server *server, const char *path)
{
    bool tls = server == world.tls;

    (void)snprintf(out, URL_MAX, "%s://127.0.0.1%s%s", tls ? "https" : "http",
                   strrchr(http_server_address(server), ':'), path);
}

static struct asked ask(struct http_client *client, const char *method, const char *url, slice body)
{
    static const struct http_header headers[] = {{{"Authorization", 13}, {"Basic secret", 12}},
                                                 {{"X-Empty", 7}, {"", 0}}};
    struct asked asked = {.arena = ARENA(4 * BIG_BYTES)};

    asked.result = http_client_request(client, method, url, headers, 2, body, &asked.arena,
                                       &asked.response, &asked.diag);
    assert_true(failed(asked.result) == (asked.diag.text[0] != '\0'));
    if (failed(asked.result))
        assert_memory_equal(asked.diag.text, url, strlen(url));
    return asked;
}

static struct http_client *client_new(struct http_client_options options)
{
    struct http_client *client = NULL;
    struct diag diag = {0};

    options.body_bytes_max = options.body_bytes_max != 0 ? options.body_bytes_max : BODY_MAX;
    if (failed(http_client_new(&options, &client, &diag)))
        fail_msg("%s", diag.text);
    return client;
}

static const struct {
    const char *name, *method, *path;
    slice body;
    int status;
    slice method_number, answer;
} requests[] = {
    {"get", "GET", "/", S(""), 200, S("0"), S("hello")},
    {"post", "POST", "/", S("abc"), 200, S("2"), S("abc")},
    {"get behind a post", "GET", "/", S(""), 200, S("0"), S("hello")},
    {"head", "HEAD", "/", S(""), 200, S("1"), S("")},
    {"get behind a head", "GET", "/", S(""), 200, S("0"), S("hello")},
    {"empty post", "POST", "/", S(""), 200, S("2"), S("hello")},
    {"put", "PUT", "/", S("x"), 200, S("3"), S("x")},
    {"delete", "DELETE", "/", S(""), 200, S("4"), S("hello")},
    {"a 404 is an answer", "GET", "/missing", S(""), 404, S("0"), S("not here")},
};

static void requests_of_every_kind_are_answered_on_one_client(void **state)
{
    struct http_client *client = client_new((struct http_client_options){0});
    char url[URL_MAX];

    (void)state;
    CHECK_ROWS(row, requests) {
        url_write(url, world.plain, row->path);
        CLEANUP(asked_free)
        struct asked asked =
            ask(client, row->method, url, row->body.len > 0 ? row->body : SLICE_NONE);

        assert_int_equal(asked.result.code, ERR_NONE);
        assert_int_equal(asked.response.status, row->status);
        assert_true(slice_eq(asked.response.body, row->answer));
        assert_true(
            slice_eq(http_client_header(&asked.response, SLICE("x-method")), row->method_number));
    }
    http_client_free(&client);
    assert_null(client);
}

static void packed_answers_arrive_unpacked(void **state)
{
    struct http_client *client = client_new((struct http_client_options){0});
    char url[URL_MAX];

    (void)state;
    url_write(url, world.plain, "/text");
    CLEANUP(asked_free) struct asked asked = ask(client, "GET", url, SLICE_NONE);
    assert_true(
        slice_eq(http_client_header(&asked.response, SLICE("content-encoding")), SLICE("zstd")));
    assert_int_equal(asked.response.body.len, 100000);
    assert_memory_equal(asked.response.body.at, big, 100000);
    http_client_free(&client);
}

static void a_big_body_goes_both_ways(void **state)
{
    char url[URL_MAX];

    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct http_client *client = client_new((struct http_client_options){
            .body_bytes_max = BIG_BYTES, .pin_sha256_hex = tls ? world.pin : NULL});

        url_write(url, tls ? world.tls : world.plain, "/many");
        CLEANUP(asked_free)
        struct asked asked = ask(client, "POST", url, slice_of(big, sizeof big));
        assert_int_equal(asked.result.code, ERR_NONE);
        assert_int_equal(asked.response.body.len, BIG_BYTES);
        assert_memory_equal(asked.response.body.at, big, BIG_BYTES);
        http_client_free(&client);
    }
}

/* ---- whom it trusts ---- */

static void the_pinned_certificate_is_taken(void **state)
{
    char url[URL_MAX], colons[3 * SHA256_BYTES + 1] = "";
    size_t at = 0;

    (void)state;
    for (size_t i = 0; i < SHA256_BYTES; i++) { /* as openssl prints it */
        colons[at++] = world.pin[2 * i];
        colons[at++] = world.pin[2 * i + 1];
        colons[at++] = ':';
    }
    colons[at - 1] = '\0';
    url_write(url, world.tls, "/");
    for (int form = 0; form < 2; form++) {
        struct http_client *client =
            client_new((struct http_client_options){.pin_sha256_hex = form ? colons : world.pin});

        for (int again = 0; again < 2; again++) { /* on the connection that is there as well */
            CLEANUP(asked_free) struct asked asked = ask(client, "GET", url, SLICE_NONE);
            assert_int_equal(asked.result.code, ERR_NONE);
            assert_int_equal(asked.response.status, 200);
        }
        http_client_free(&client);
    }
}

static const struct {
    const char *name;
    bool pin_other, pin_own, ca_own, ca_other, ca_absent, plain;
    const char *host;
    enum err code;
    const char *words;
} trust[] = {
    {"another pin", .pin_other = true, .host = "127.0.0.1", .code = ERR_DENIED,
     .words = "not the pinned one; its SHA-256 is "},
    {"a pin over plain HTTP", .pin_own = true, .plain = true, .host = "127.0.0.1",
     .code = ERR_DENIED, .words = "showed none"},
    {"the system's authorities", .host = "127.0.0.1", .code = ERR_DENIED, .words = "certificate"},
    {"another authority", .ca_other = true, .host = "127.0.0.1", .code = ERR_DENIED,
     .words = "certificate"},
    {"an authority that is not there", .ca_absent = true, .host = "127.0.0.1", .code = ERR_INVALID,
     .words = ""},
    {"the right one", .ca_own = true, .host = "127.0.0.1", .code = ERR_NONE, .words = ""},
    {"the right one by name", .ca_own = true, .host = "localhost", .code = ERR_NONE, .words = ""},
    {"the right one, at an address it does not name", .ca_own = true, .host = "127.0.0.2",
     .code = ERR_DENIED, .words = ""},
};

/* Whoever is refused has not seen the request. */
static void nobody_else_gets_the_request(void **state)
{
    char url[URL_MAX], other[2 * SHA256_BYTES + 1];

    (void)state;
    pin_of(world.other_certificate, other);
    CHECK_ROWS(row, trust) {
        struct http_client *client = client_new(
            (struct http_client_options){.pin_sha256_hex = row->pin_other ? other
                                                           : row->pin_own ? world.pin
                                                                          : NULL,
                                         .ca_file = row->ca_own      ? world.certificate
                                                    : row->ca_other  ? world.other_certificate
                                                    : row->ca_absent ? "/nowhere/ca.pem"
                                                                     : NULL});
        const struct http_server *server = row->plain ? world.plain : world.tls;
        unsigned before = atomic_load(&handled);

        (void)snprintf(url, sizeof url, "%s://%s%s/", row->plain ? "http" : "https", row->host,
                       strrchr(http_server_address(server), ':'));
        CLEANUP(asked_free) struct asked asked = ask(client, "GET", url, SLICE_NONE);
        assert_int_equal(asked.result.code, row->code);
        assert_non_null(strstr(asked.diag.text, row->words));
        assert_int_equal(atomic_load(&handled) - before, row->code == ERR_NONE ? 1 : 0);
        http_client_free(&client);
    }
}

static void a_new_certificate_is_taken_up_without_dropping_anyone(void **state)
{
    struct http_client *old = client_new((struct http_client_options){.pin_sha256_hex = world.pin});
    struct http_server *server = server_start(true);
    char url[URL_MAX], other[2 * SHA256_BYTES + 1];
    struct diag diag = {0};

    (void)state;
    (void)snprintf(url, sizeof url, "https://127.0.0.1%s/",
                   strrchr(http_server_address(server), ':'));
    CLEANUP(asked_free) struct asked first = ask(old, "GET", url, SLICE_NONE);
    assert_int_equal(first.result.code, ERR_NONE);

    /* A wrong pair is refused and changes nothing. */
    assert_true(failed(http_server_reload_tls(server, world.other_certificate, world.key, &diag)));
    assert_non_null(strstr(diag.text, world.key));
    CLEANUP(asked_free) struct asked second = ask(old, "GET", url, SLICE_NONE);
    assert_int_equal(second.result.code, ERR_NONE);

    diag_reset(&diag);
    assert_true(
        succeeded(http_server_reload_tls(server, world.other_certificate, world.other_key, &diag)));
    CLEANUP(asked_free) struct asked third = ask(old, "GET", url, SLICE_NONE); /* same connection */
    assert_int_equal(third.result.code, ERR_NONE);
    pin_of(world.other_certificate, other);
    struct http_client *fresh = client_new((struct http_client_options){.pin_sha256_hex = other});
    CLEANUP(asked_free) struct asked fourth = ask(fresh, "GET", url, SLICE_NONE);
    assert_int_equal(fourth.result.code, ERR_NONE);
    http_client_free(&old);
    http_client_free(&fresh);
    http_server_stop(&server, 1000);
    assert_true(failed(http_server_reload_tls(world.plain, world.certificate, world.key, &diag)));
}

/* ---- redirects ---- */

static void credentials_do_not_follow_to_another_host(void **state)
{
    struct http_client *client = client_new((struct http_client_options){0});
    char url[URL_MAX];
    unsigned before = atomic_load(&with_credentials);

    (void)state;
    url_write(url, world.plain, "/to/elsewhere");
    CLEANUP(asked_free) struct asked asked = ask(client, "GET", url, SLICE_NONE);
    assert_int_equal(asked.response.status, 200); /* followed, and only the first saw them */
    assert_true(slice_eq(asked.response.body, SLICE("hello")));
    assert_int_equal(atomic_load(&with_credentials) - before, 1);
    assert_null(http_client_header(&asked.response, SLICE("location")).at);

    CLEANUP(asked_free) struct asked posted = ask(client, "POST", url, SLICE("x"));
    assert_int_equal(posted.response.status, 302);
    http_client_free(&client);
}

static void no_redirect_leads_from_https_to_http_or_in_circles(void **state)
{
    struct http_client *client =
        client_new((struct http_client_options){.ca_file = world.certificate});
    char url[URL_MAX];

    (void)state;
    url_write(url, world.tls, "/to/plain");
    CLEANUP(asked_free) struct asked down = ask(client, "GET", url, SLICE_NONE);
    assert_int_equal(down.result.code, ERR_INVALID);
    url_write(url, world.plain, "/loop");
    CLEANUP(asked_free) struct asked round = ask(client, "GET", url, SLICE_NONE);
    assert_int_equal(round.result.code, ERR_INVALID);
    http_client_free(&client);
}

/* ---- what it does not swallow ---- */

static const struct {
    const char *name, *path;
    enum err code;
} hostile[] = {
    {"over the limit", "/big", ERR_LIMIT},
    {"a gzip bomb", "/bomb/gzip", ERR_LIMIT},
    {"a zstd bomb", "/bomb/zstd", ERR_LIMIT},
    {"packed in another way", "/coding", ERR_INVALID},
};

static void too_large_answers_are_refused(void **state)
{
    struct http_client *client = client_new((struct http_client_options){0});
    char url[URL_MAX];

    (void)state;
    CHECK_ROWS(row, hostile) {
        url_write(url, world.plain, row->path);
        CLEANUP(asked_free) struct asked asked = ask(client, "GET", url, SLICE_NONE);
        assert_int_equal(asked.result.code, row->code);
    }
    url_write(url, world.plain, "/"); /* and the client is as good as before */
    CLEANUP(asked_free) struct asked asked = ask(client, "GET", url, SLICE_NONE);
    assert_int_equal(asked.result.code, ERR_NONE);
    http_client_free(&client);
}

static const struct {
    const char *name;
    slice said;
    bool stays; /* says nothing more, but does not hang up */
    enum err code;
} liars[] = {
    {"hangs up", S(""), false, ERR_IO},
    {"says nothing", S(""), true, ERR_IO},
    {"stops in the header", S("HTTP/1.1 200 OK\r\nContent-"), true, ERR_IO},
    {"stops in the body", S("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), true, ERR_IO},
    {"a short body", S("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), false, ERR_IO},
    {"a cut chunk", S("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc"), false,
     ERR_IO},
    {"half a gzip",
     S("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"),
     false, ERR_INVALID},
    {"speaks something else", S("220 mail.example ESMTP\r\n"), false, ERR_INVALID},
    {"a body to the end is fine", S("HTTP/1.1 200 OK\r\n\r\nabc"), false, ERR_NONE},
};

struct liar {
    struct listener listener;
    slice said;
    bool stays;
};

static void *liar_main(void *context)
{
    const struct liar *liar = context;
    char request[4096];
    int fd = -1;

    while (fd < 0)
        fd = accept(liar->listener.fd, NULL, NULL);
    (void)recv(fd, request, sizeof request, 0);
    (void)send(fd, liar->said.at, liar->said.len, MSG_NOSIGNAL);
    while (liar->stays && recv(fd, request, sizeof request, 0) > 0) {
    }
    (void)close(fd);
    return NULL;
}

static void servers_that_stop_or_lie_are_given_up(void **state)
{
    char url[URL_MAX];

    (void)state;
    CHECK_ROWS(row, liars) {
        struct http_client *client = client_new((struct http_client_options){.idle_timeout_s = 1});
        struct liar liar = {.said = row->said, .stays = row->stays};
        pthread_t thread;

        assert_true(succeeded(listener_open("127.0.0.1:0", &liar.listener, NULL)));
        assert_int_equal(pthread_create(&thread, NULL, liar_main, &liar), 0);
        (void)snprintf(url, sizeof url, "http://%s/", liar.listener.address);
        CLEANUP(asked_free) struct asked asked = ask(client, "GET", url, SLICE_NONE);
        assert_int_equal(asked.result.code, row->code);
        http_client_free(&client);
        assert_int_equal(pthread_join(thread, NULL), 0);
        listener_close(&liar.listener);
    }
}

static const struct {
    const char *name, *url;
    enum err code;
} urls[] = {
    {"nothing", "", ERR_INVALID},
    {"no URL", "http://", ERR_INVALID},
    {"another scheme", "file:///etc/passwd", ERR_INVALID},
    {"a password in it", "http://user:secret@127.0.0.1:1/", ERR_INVALID},
    {"nobody listens", "http://127.0.0.1:1/", ERR_IO},
    {"no such name", "http://nowhere.invalid/", ERR_IO},
};

static void urls_that_lead_nowhere_fail_in_words(void **state)
{
    struct http_client *client = client_new((struct http_client_options){0});

    (void)state;
    CHECK_ROWS(row, urls) {
        CLEANUP(asked_free) struct asked asked = ask(client, "GET", row->url, SLICE_NONE);
        assert_int_equal(asked.result.code, row->code);
    }
    http_client_free(&client);
}

static void a_header_with_a_line_break_is_not_sent(void **state)
{
    static const struct http_header header = {{"X", 1}, {"a\r\nY: b", 7}};
    struct http_client *client = client_new((struct http_client_options){0});
    struct http_client_response response;
    struct arena arena = ARENA(BODY_MAX);
    unsigned before = atomic_load(&handled);
    char url[URL_MAX];

    (void)state;
    url_write(url, world.plain, "/");
    assert_int_equal(
        http_client_request(client, "GET", url, &header, 1, SLICE_NONE, &arena, &response, NULL)
            .code,
        ERR_INVALID);
    assert_int_equal(atomic_load(&handled), before);
    http_client_free(&client);
}

static void an_arena_that_is_too_small_is_a_limit(void **state)
{
    struct http_client *client = client_new((struct http_client_options){0});
    struct http_client_response response;
    struct diag diag = {0};
    char url[URL_MAX];

    (void)state;
    url_write(url, world.plain, "/text");
    for (size_t budget = 0; budget < 4000; budget += 1000) {
        CLEANUP(arena_free) struct arena arena = ARENA(budget);

        assert_int_equal(
            http_client_request(client, "GET", url, NULL, 0, SLICE_NONE, &arena, &response, &diag)
                .code,
            ERR_LIMIT);
    }
    http_client_free(&client);
}

static void what_is_no_pin_is_refused(void **state)
{
    static const char *const pins[] = {"", "ab", "zz", "0123", NULL};
    struct http_client *client = NULL;

    (void)state;
    for (size_t i = 0; pins[i] != NULL; i++)
        assert_int_equal(
            http_client_new(&(struct http_client_options){.pin_sha256_hex = pins[i]}, &client, NULL)
                .code,
            ERR_INVALID);
    assert_null(client);
}

#ifdef ENTENTE_FAULTS
static void making_a_client_fails_step_by_step(void **state)
{
    struct http_client *client = NULL;
    unsigned long nth = 0;
    result r;

    (void)state;
    do {
        struct diag diag = {0};

        fault_arm(++nth);
        r = http_client_new(&(struct http_client_options){0}, &client, &diag);
        bool fired = fault_fired();
        fault_arm(0);
        assert_true(failed(r) == fired);
        assert_true(failed(r) == (diag.text[0] != '\0') && failed(r) == (client == NULL));
        assert_true(nth < 100);
    } while (failed(r));
    assert_true(nth > 5);
    http_client_free(&client);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_of_every_kind_are_answered_on_one_client),
        cmocka_unit_test(packed_answers_arrive_unpacked),
        cmocka_unit_test(a_big_body_goes_both_ways),
        cmocka_unit_test(the_pinned_certificate_is_taken),
        cmocka_unit_test(nobody_else_gets_the_request),
        cmocka_unit_test(a_new_certificate_is_taken_up_without_dropping_anyone),
        cmocka_unit_test(credentials_do_not_follow_to_another_host),
        cmocka_unit_test(no_redirect_leads_from_https_to_http_or_in_circles),
        cmocka_unit_test(too_large_answers_are_refused),
        cmocka_unit_test(servers_that_stop_or_lie_are_given_up),
        cmocka_unit_test(urls_that_lead_nowhere_fail_in_words),
        cmocka_unit_test(a_header_with_a_line_break_is_not_sent),
        cmocka_unit_test(an_arena_that_is_too_small_is_a_limit),
        cmocka_unit_test(what_is_no_pin_is_refused),
#ifdef ENTENTE_FAULTS
        cmocka_unit_test(making_a_client_fails_step_by_step),
#endif
    };

    return cmocka_run_group_tests(tests, group_start, group_stop);
}
