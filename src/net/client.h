/* The HTTP client (libcurl): one request, one answer, with limits and no surprises.
 *
 * TLS is checked against the system's authorities, a given file, or a pinned certificate
 * (SHA-256 of its DER form); redirects are not followed with credentials to another host.
 */
#pragma once

#include "net/http.h"

struct http_client;

struct http_client_options {
    unsigned connect_timeout_s, idle_timeout_s; /* no byte for that long */
    size_t body_bytes_max;
    const char *ca_file;        /* NULL: the system's */
    const char *pin_sha256_hex; /* NULL: none; else the one certificate that is taken, CA or not */
    const char *user_agent;
};

struct http_client_response {
    int status;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    slice body; /* unpacked */
};

MUST_USE result http_client_new(const struct http_client_options *options, struct http_client **out,
                                struct diag *diag);
void http_client_free(struct http_client **client);

/* headers: what to send besides the usual.  The answer lives in the arena.  ERR_IO with words when
 * no answer came (name, connect, TLS, time-out); any status is OK here. */
MUST_USE result http_client_request(struct http_client *client, const char *method, const char *url,
                                    const struct http_header *headers, size_t header_count,
                                    slice body, struct arena *arena,
                                    struct http_client_response *out, struct diag *diag);

slice http_client_header(const struct http_client_response *response, slice name);
