/* One connection of the HTTP server: bytes in, one request at a time, bytes out.
 *
 * Belongs to one worker thread and is touched by no other.  Internal to the server: others
 * include net/server.h.
 */
#pragma once

#include "net/http_parse.h"
#include "net/server.h"
#include "net/tls.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

/* Named limits that no option sets. */
#define HTTP_REQUEST_ARENA_BYTES_MAX ((size_t)64 << 20)
#define HTTP_BODIES_BYTES_MAX ((size_t)1 << 30)   /* of all requests that are being taken in */
#define HTTP_BYTES_PER_S_MIN 1024                 /* slower, past the idle time: closed */
#define HTTP_LINGER_BYTES_MAX ((uint64_t)1 << 30) /* thrown away behind a refused body */
#define HTTP_LINGER_S 30
#define HTTP_LINGER_BRIEF_S 2 /* when nothing was left unread */
#define HTTP_SURPLUS_MAX                                                                           \
    64                      /* connections over connections_max that hear a 503; more are closed   \
                             */
#define HTTP_SURPLUS_S 5    /* the time they have to ask */
#define HTTP_ARENAS_KEPT 32 /* a worker's store of emptied arenas */

#define NS_PER_S UINT64_C(1000000000)

/* The certificate in use: replaced by http_server_reload_tls, taken up by new sessions. */
struct identity_box {
    pthread_mutex_t lock;
    struct tls_identity *identity; /* guarded by lock; NULL on a plain server */
};

/* What workers share. */
struct http_shared {
    struct http_server_options options;
    struct identity_box box;
    atomic_size_t connection_count;
    atomic_size_t body_bytes;
    _Atomic uint64_t stop_mono_ns; /* when the grace ends; UINT64_MAX until told to stop */
};

static inline bool http_is_stopping(const struct http_shared *shared)
{
    return atomic_load(&shared->stop_mono_ns) != UINT64_MAX;
}

struct conn;

/* A thread with its epoll; the fields are its own but for connection_count. */
struct worker {
    pthread_t thread;
    struct http_shared *shared; /* borrowed */
    int epoll_fd;
    int inbox_read_fd, inbox_write_fd; /* a pipe: descriptors come through it, or INBOX_WAKE */
    atomic_size_t connection_count;    /* raised by the acceptor, lowered by the worker */
    uint64_t now_mono_ns;
    struct conn *conns;                           /* owned, doubly linked */
    struct conn *again;                           /* have work for which no event will come */
    struct buf stage;                             /* records on their way to a socket */
    int splice_read_fd, splice_write_fd, null_fd; /* -1: none */
    char date[32];
    int64_t date_s;
    struct arena arenas[HTTP_ARENAS_KEPT];
    size_t arena_count;
};

enum conn_phase {
    PHASE_HELLO, /* TLS server: the first byte has not come */
    PHASE_HANDSHAKE,
    PHASE_HEAD,
    PHASE_BODY,
    PHASE_HELD, /* the handler has nothing to say yet */
    PHASE_ANSWER,
    PHASE_LINGER, /* answered and shut down; reading on, so that no reset eats the answer */
};

/* One request and its answer; lives in the connection's arena. */
struct exchange {
    struct http_head head;
    struct http_request request;
    struct http_response response;
};

/* Answer head, then head, middle, tail of the body. */
#define CONN_PARTS_MAX 4
#define CONN_PART_MIDDLE 2

struct conn {
    struct conn *next, *previous; /* the worker's list */
    struct conn *again_next;
    struct worker *worker;
    struct tls_session *tls; /* owned; NULL when plain */
    int fd;
    enum conn_phase phase;
    uint32_t interest;  /* what epoll was told */
    bool readable;      /* an event said so, and no short read has come since */
    bool is_queued;     /* in the worker's again list */
    bool waits_to_send; /* for EPOLLOUT */
    bool keep_alive;    /* behind the present answer */
    bool has_unread;    /* the client is still sending what we refused */
    bool served;        /* at least one answer went out */
    bool is_surplus;    /* over connections_max: what it asks for is answered with 503 */
    bool has_client_key;
    uint8_t client_key[ED25519_PUBLIC_BYTES];
    char peer[INET6_ADDRSTRLEN];

    uint64_t phase_mono_ns, moved_mono_ns; /* when it began; when a byte last moved */
    uint64_t moved_bytes;                  /* in this phase */
    uint64_t acknowledged_bytes;           /* of an answer, as of the last look */

    struct buf in; /* read and not yet consumed */
    struct http_scan scan;
    struct buf out; /* must leave before anything else: handshakes, left-over records, 100 */
    size_t out_at;

    struct arena arena;
    struct exchange *exchange; /* in the arena; NULL between requests */
    struct http_chunks chunks;
    struct buf body;
    size_t body_bytes_max, body_bytes_counted;
    uint64_t body_bytes_left;

    struct buf answer_head, packed;
    slice parts[CONN_PARTS_MAX];
    size_t part_index;
};

/* What a step came to. */
enum go {
    GO_ON,   /* the phase may have changed: take the next step */
    GO_WAIT, /* for an event */
    GO_CLOSE,
};

/* fd becomes the connection's; closed when that fails. */
void conn_open(struct worker *worker, int fd, bool is_surplus);
void conn_close(struct conn *conn);

/* Something may be done: an event, or its turn in the again list. */
void conn_run(struct conn *conn, uint32_t events);

/* Close it, or tell the client, when it is over its time. */
void conn_check_time(struct conn *conn);

/* No request is under way. */
bool conn_is_idle(const struct conn *conn);

static inline void conn_moved(struct conn *conn, size_t bytes)
{
    conn->moved_bytes += bytes;
    conn->moved_mono_ns = conn->worker->now_mono_ns;
}

/* http_send.c.  GO_ON: everything went; GO_WAIT: the socket is full.  conn_send_bytes sends them as
 * they are and says how many went; conn_send_parts sends the rest of the answer, encrypted where
 * the connection is. */
enum go conn_send_bytes(struct conn *conn, slice bytes, size_t *sent);
enum go conn_send_parts(struct conn *conn);

/* The pipe through which memory that stays goes to sockets; without one it is copied. */
void worker_pipe_open(struct worker *worker);
void worker_pipe_close(struct worker *worker);

/* http_answer.c: make the answer's parts from exchange->response, or one of our own. */
void answer_prepare(struct conn *conn);
void answer_refuse(struct conn *conn, int status);
void answer_release(struct conn *conn);
