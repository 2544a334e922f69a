/* The HTTP server: listeners, connections, limits, TLS; hands whole requests to a handler.
 *
 * libmicrohttpd speaks HTTP; the epoll loops are ours.  Every connection has limits: header
 * bytes, body bytes, idle time, total time for a request; reaching one is counted and answered
 * (400, 408, 413, 431) or, before a request is known, closed.
 */
#pragma once

#include "net/http.h"

struct http_server;

struct http_server_options {
    const char *listen; /* "127.0.0.1:6443", "[::1]:6443", ":6443", "unix:/path", port 0: any */
    unsigned threads;
    size_t connections_max;
    size_t header_bytes_max;
    unsigned idle_s; /* a connection that moves no byte for this long is closed; also slow headers and bodies */
    bool tls;
    const char *certificate_file, *key_file; /* PEM, when tls */

    /* Asked when the headers are in, before the body: how many body bytes are taken, 0 for none.
     * May answer at once (returns true with *early filled): 401, 403, 404, 411, 413, 415.  The rest of the
     * body is then read and thrown away up to a limit, so that the client sees the answer. */
    bool (*begin)(void *context, const struct http_request *request, size_t body_bytes_announced,
                  size_t *body_bytes_max, struct http_response *early);
    /* The whole request; runs on one of the server's threads. */
    void (*handle)(void *context, const struct http_request *request, struct http_response *response);
    /* An answer the server itself has to give (400 bad request line, 408, 413, 431 ...), so that the
     * application may word it in its own media type.  May be NULL. */
    void (*refuse)(void *context, int status, const struct http_request *request_or_null,
                   struct http_response *response);
    void *context;
};

/* Listening when it returns. */
MUST_USE result http_server_start(const struct http_server_options *options,
                                  struct http_server **out, struct diag *diag);

/* "127.0.0.1:41233": where it really listens. */
const char *http_server_address(const struct http_server *server);

/* New certificate and key for connections from now on; the old ones stay on a failure. */
MUST_USE result http_server_reload_tls(struct http_server *server, const char *certificate_file,
                                       const char *key_file, struct diag *diag);

/* No new connections; requests under way are finished, at most grace_ms; then closed and freed. */
void http_server_stop(struct http_server **server, unsigned grace_ms);
