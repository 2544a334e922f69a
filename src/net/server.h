/* The HTTP server: listeners, connections, limits, TLS; hands whole requests to a handler.
 *
 * HTTP/1.1 and 1.0, by a core of our own (docs/adr/0003) on epoll loops, one a thread.  Every
 * connection has limits: header bytes, body bytes, idle time, a decent rate for what takes longer;
 * reaching one is counted and answered (408, 413, 414, 431, 503) or, where no answer can be heard,
 * ends in a close.
 */
#pragma once

#include "net/http.h"

struct http_server;

struct http_server_options {
    const char *listen; /* "127.0.0.1:6443", "[::1]:6443", ":6443", "unix:/path", port 0: any */
    unsigned threads;
    size_t connections_max;
    size_t header_bytes_max;
    unsigned idle_s; /* a connection that moves no byte for this long is closed; also slow headers
                        and bodies */
    bool tls;
    const char *certificate_file, *key_file; /* PEM, when tls */
    bool ask_clients; /* TLS 1.3 alone, and clients show a key: request->client_key */

    /* Asked once for every request, when its head is in and before its body: how many body bytes
     * are taken (0 when it says nothing; more is refused with 413).  body_bytes_announced is 0 for
     * no body and for one in chunks.  May answer at once (true, with *early filled): 401, 403, 404,
     * 411, 413, 415.  What the client goes on sending is then read and thrown away up to a limit,
     * so that it sees the answer.  NULL: no request has a body. */
    bool (*begin)(void *context, const struct http_request *request, size_t body_bytes_announced,
                  size_t *body_bytes_max, struct http_response *early);
    /* The whole request; runs on one of the server's threads. */
    void (*handle)(void *context, const struct http_request *request,
                   struct http_response *response);
    /* An answer the server itself has to give (400, 408, 413, 414, 417, 431, 501, 503, 505), so
     * that the application may word it in its own media type.  The request is there with its arena
     * and peer; when its head could not be read, the method is HTTP_OTHER and the rest empty.  May
     * be NULL: then a line of plain text goes out. */
    void (*refuse)(void *context, int status, const struct http_request *request,
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
