/* Listening, accepting, and the workers' loops. */
#include "net/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/time.h"
#include "net/http_conn.h"
#include "net/listen.h"

#include "base/banned.h"

#define THREADS_MAX 256
#define EVENTS_AT_ONCE 256
#define SWEEP_INTERVAL_MS 250
#define INBOX_WAKE (-1)
#define DESCRIPTORS_SPARE                                                                          \
    (128 + HTTP_SURPLUS_MAX) /* for the database, logs, files and the workers themselves */
#define ACCEPT_PAUSE_MS 100  /* when the process is out of descriptors */
#define STAGE_BYTES_MAX ((size_t)1 << 20)

struct http_server {
    struct http_shared shared;
    struct listener listener;
    int stop_fd; /* an eventfd: the acceptor ends */
    pthread_t acceptor;
    bool acceptor_runs;
    size_t worker_count; /* those whose thread runs */
    struct worker workers[];
};

/* What the acceptor sends a worker through its pipe. */
struct inbox_item {
    int fd; /* or INBOX_WAKE */
    bool is_surplus;
};

/* ---- a worker ---- */

static void inbox_read(struct worker *worker)
{
    struct inbox_item items[64];
    ssize_t bytes = read(worker->inbox_read_fd, items, sizeof items);

    for (size_t i = 0; bytes > 0 && i < (size_t)bytes / sizeof items[0]; i++)
        if (items[i].fd != INBOX_WAKE)
            conn_open(worker, items[i].fd, items[i].is_surplus);
}

static void again_run(struct worker *worker)
{
    struct conn *conn = worker->again, *next;

    worker->again = NULL;
    for (; conn != NULL; conn = next) {
        next = conn->again_next;
        conn->is_queued = false;
        conn_run(conn, 0);
    }
}

static void sweep(struct worker *worker)
{
    for (struct conn *conn = worker->conns, *next; conn != NULL; conn = next) {
        next = conn->next;
        if (http_is_stopping(worker->shared) && conn_is_idle(conn))
            conn_close(conn);
        else
            conn_check_time(conn);
    }
}

static int wait_ms(const struct worker *worker)
{
    if (worker->again != NULL)
        return 0;
    if (http_is_stopping(worker->shared))
        return 10;
    return worker->conns != NULL ? SWEEP_INTERVAL_MS : -1;
}

static void worker_loop(struct worker *worker)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    uint64_t swept_mono_ns = 0;

    for (;;) {
        int count = epoll_wait(worker->epoll_fd, events, EVENTS_AT_ONCE, wait_ms(worker));

        worker->now_mono_ns = time_mono_ns();
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                inbox_read(worker);
            else
                conn_run(events[i].data.ptr, events[i].events);
        }
        again_run(worker);
        bool stopping = http_is_stopping(worker->shared);
        if (stopping ||
            worker->now_mono_ns - swept_mono_ns > SWEEP_INTERVAL_MS * (NS_PER_S / 1000)) {
            swept_mono_ns = worker->now_mono_ns;
            sweep(worker);
        }
        if (stopping && (worker->conns == NULL ||
                         worker->now_mono_ns > atomic_load(&worker->shared->stop_mono_ns)))
            return;
    }
}

static void *worker_main(void *context)
{
    struct worker *worker = context;
    sigset_t pipe_only;

    /* splice() has no MSG_NOSIGNAL: a client that left would end the process. */
    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_only, NULL);
    worker_pipe_open(worker);
    worker_loop(worker);
    while (worker->conns != NULL)
        conn_close(worker->conns);
    for (size_t i = 0; i < worker->arena_count; i++)
        arena_free(&worker->arenas[i]);
    buf_free(&worker->stage);
    worker_pipe_close(worker);
    return NULL;
}

static void worker_close(struct worker *worker)
{
    if (worker->epoll_fd >= 0)
        (void)close(worker->epoll_fd);
    if (worker->inbox_read_fd >= 0)
        (void)close(worker->inbox_read_fd);
    if (worker->inbox_write_fd >= 0)
        (void)close(worker->inbox_write_fd);
}

static result worker_start(struct worker *worker, struct http_shared *shared, struct diag *diag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    int inbox[2] = {-1, -1}, error;

    worker->shared = shared;
    worker->stage = BUF(STAGE_BYTES_MAX);
    worker->inbox_read_fd = worker->inbox_write_fd = -1;
    worker->epoll_fd = FAULT_HERE() ? -1 : epoll_create1(EPOLL_CLOEXEC);
    if (worker->epoll_fd < 0 || FAULT_HERE() || pipe2(inbox, O_CLOEXEC) != 0) {
        error = errno;
        worker_close(worker);
        return diag_errno(diag, error, "cannot start an HTTP thread");
    }
    worker->inbox_read_fd = inbox[0];
    worker->inbox_write_fd = inbox[1];
    error = epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, inbox[0], &event) != 0 ? errno : 0;
    if (error == 0)
        error = FAULT_HERE() ? EAGAIN : pthread_create(&worker->thread, NULL, worker_main, worker);
    if (error != 0) {
        worker_close(worker);
        return diag_errno(diag, error, "cannot start an HTTP thread");
    }
    return OK;
}

/* ---- the acceptor ---- */

/* The worker with the fewest connections: a hash of addresses (SO_REUSEPORT) left one of two
 * threads with three quarters of 16 connections. */
static struct worker *worker_choose(struct http_server *server, size_t turn)
{
    struct worker *best = &server->workers[turn % server->worker_count];

    for (size_t i = 0; i < server->worker_count; i++) {
        struct worker *worker = &server->workers[i];

        if (atomic_load(&worker->connection_count) < atomic_load(&best->connection_count))
            best = worker;
    }
    return best;
}

/* Hand a new connection over.  When there are too many, a few more are taken to be told so; the
 * rest is closed. */
static void take(struct http_server *server, int fd, size_t turn)
{
    struct http_shared *shared = &server->shared;
    size_t count = atomic_load(&shared->connection_count), limit = shared->options.connections_max;
    struct inbox_item item = {.fd = fd, .is_surplus = count >= limit};

    if (item.is_surplus) {
        metric_add(METRIC_http_connections_refused, 1);
        log_event(LOG_LEVEL_WARN, "http.connections_max", "limit=%zu", limit);
    }
    if (item.is_surplus && count - limit >= HTTP_SURPLUS_MAX) {
        (void)close(fd);
        return;
    }
    struct worker *worker = worker_choose(server, turn);
    (void)atomic_fetch_add(&shared->connection_count, 1);
    (void)atomic_fetch_add(&worker->connection_count, 1);
    metric_add(METRIC_http_connections, 1); /* of all servers together */
    if (write(worker->inbox_write_fd, &item, sizeof item) != (ssize_t)sizeof item) {
        (void)atomic_fetch_sub(&shared->connection_count, 1);
        (void)atomic_fetch_sub(&worker->connection_count, 1);
        metric_add(METRIC_http_connections, (uint64_t)-1);
        (void)close(fd);
    }
}

/* Nothing to do about a client that is gone already; for want of descriptors, wait for some. */
static void accept_failed(int number)
{
    if (number != EMFILE && number != ENFILE && number != ENOMEM && number != ENOBUFS)
        return;
    metric_add(METRIC_http_connections_refused, 1);
    log_event(LOG_LEVEL_ERROR, "http.accept_failed", "error=\"%s\"", strerrordesc_np(number));
    (void)nanosleep(&(struct timespec){.tv_nsec = ACCEPT_PAUSE_MS * 1000000L}, NULL);
}

static void *acceptor_main(void *context)
{
    struct http_server *server = context;
    struct pollfd fds[2] = {{.fd = server->listener.fd, .events = POLLIN},
                            {.fd = server->stop_fd, .events = POLLIN}};

    for (size_t turn = 0; fds[1].revents == 0;) {
        if (poll(fds, 2, -1) <= 0 || (fds[0].revents & POLLIN) == 0)
            continue;
        /* cppcheck-suppress nullPointer ; who calls is of no interest: NULL is lawful */
        int fd = accept4(server->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            take(server, fd, turn++);
        else
            accept_failed(errno);
    }
    return NULL;
}

/* ---- start and stop ---- */

/* Each connection is a descriptor; the soft limit is often 1024 out of history alone. */
static void descriptors_raise(struct http_server_options *options)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur > DESCRIPTORS_SPARE &&
        limit.rlim_cur - DESCRIPTORS_SPARE < options->connections_max) {
        log_event(LOG_LEVEL_WARN, "http.descriptors_few",
                  "wanted=%zu taken=%zu advice=\"raise the limit of open files (LimitNOFILE)\"",
                  options->connections_max, (size_t)limit.rlim_cur - DESCRIPTORS_SPARE);
        options->connections_max = (size_t)limit.rlim_cur - DESCRIPTORS_SPARE;
    }
}

static result identity_load(const struct http_server_options *options, const char *certificate_file,
                            const char *key_file, struct tls_identity **out, struct diag *diag)
{
    struct tls_identity *identity = NULL;

    TRY(tls_identity_load(certificate_file, key_file, &identity, diag));
    result r = options->ask_clients ? tls_identity_ask_clients(identity, diag) : OK;
    if (failed(r))
        tls_identity_drop(&identity);
    *out = identity;
    return r;
}

static result server_run(struct http_server *server, struct diag *diag)
{
    const struct http_server_options *options = &server->shared.options;

    if (options->tls)
        TRY(identity_load(options, options->certificate_file, options->key_file,
                          &server->shared.box.identity, diag));
    TRY(listener_open(options->listen, &server->listener, diag));
    server->stop_fd = FAULT_HERE() ? -1 : eventfd(0, EFD_CLOEXEC);
    if (server->stop_fd < 0)
        return diag_errno(diag, errno, "cannot start the HTTP server");
    for (; server->worker_count < options->threads; server->worker_count++)
        TRY(worker_start(&server->workers[server->worker_count], &server->shared, diag));
    int error =
        FAULT_HERE() ? EAGAIN : pthread_create(&server->acceptor, NULL, acceptor_main, server);
    if (error != 0)
        return diag_errno(diag, error, "cannot start the HTTP server");
    server->acceptor_runs = true;
    return OK;
}

result http_server_start(const struct http_server_options *options, struct http_server **out,
                         struct diag *diag)
{
    size_t capacity = 0, bytes;
    unsigned threads = options->threads == 0 ? 1 : options->threads;

    if (threads > THREADS_MAX)
        return diag_fail(diag, ERR_LIMIT, "%u HTTP threads: at most %d", threads, THREADS_MAX);
    bytes = sizeof(struct http_server) + threads * sizeof(struct worker);
    struct http_server *server = FAULT_HERE() ? NULL : table_grow(NULL, &capacity, 1, 1, bytes);
    if (server == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for the HTTP server");
    memset(server, 0, bytes);
    server->shared.options = *options;
    server->shared.options.threads = threads;
    atomic_init(&server->shared.stop_mono_ns, UINT64_MAX);
    server->listener.fd = server->stop_fd = -1;
    (void)pthread_mutex_init(&server->shared.box.lock, NULL);
    descriptors_raise(&server->shared.options);

    result started = server_run(server, diag);
    if (failed(started)) {
        http_server_stop(&server, 0);
        return started;
    }
    *out = server;
    return OK;
}

const char *http_server_address(const struct http_server *server)
{
    return server->listener.address;
}

result http_server_reload_tls(struct http_server *server, const char *certificate_file,
                              const char *key_file, struct diag *diag)
{
    struct identity_box *box = &server->shared.box;
    struct tls_identity *fresh = NULL, *old;

    if (!server->shared.options.tls)
        return diag_fail(diag, ERR_INVALID, "%s: the server speaks plain HTTP",
                         server->listener.address);
    TRY(identity_load(&server->shared.options, certificate_file, key_file, &fresh, diag));
    (void)pthread_mutex_lock(&box->lock);
    old = box->identity;
    box->identity = fresh;
    (void)pthread_mutex_unlock(&box->lock);
    tls_identity_drop(&old); /* sessions under way hold it on */
    return OK;
}

void http_server_stop(struct http_server **server_at, unsigned grace_ms)
{
    struct http_server *server = *server_at;
    uint64_t one = 1;
    struct inbox_item wake = {.fd = INBOX_WAKE};

    if (server == NULL)
        return;
    if (server->acceptor_runs) {
        if (write(server->stop_fd, &one, sizeof one) == (ssize_t)sizeof one)
            (void)pthread_join(server->acceptor, NULL);
    }
    listener_close(&server->listener);
    atomic_store(&server->shared.stop_mono_ns, time_mono_ns() + grace_ms * (NS_PER_S / 1000));
    for (size_t i = 0; i < server->worker_count; i++) {
        struct worker *worker = &server->workers[i];

        if (write(worker->inbox_write_fd, &wake, sizeof wake) == (ssize_t)sizeof wake)
            (void)pthread_join(worker->thread, NULL);
        worker_close(worker);
    }
    if (server->stop_fd >= 0)
        (void)close(server->stop_fd);
    tls_identity_drop(&server->shared.box.identity);
    (void)pthread_mutex_destroy(&server->shared.box.lock);
    table_free(server);
    *server_at = NULL;
}
