/* The HTTP client (libcurl): one request, one answer, with limits and no surprises.
 *
 * TLS (1.2 or later) is checked against the system's authorities, a given file, or a pinned
 * certificate (SHA-256 of its DER form), always before the request leaves.  GET and HEAD follow a
 * few redirects, never from https to http and never with an Authorization to another host; other
 * methods give the 3xx back.  No proxy, cookie or netrc is taken from the surroundings.
 * A client belongs to one thread; it keeps its connection between requests.
 */
#pragma once

#include "net/http.h"

struct http_client;

/* 0 takes the default. */
struct http_client_options {
    unsigned connect_timeout_s; /* name, TCP and TLS; default 30 */
    unsigned idle_timeout_s;    /* no byte for that long; default 60 */
    size_t body_bytes_max;      /* as sent and as unpacked; default 64 MiB */
    const char *ca_file;        /* copied; NULL: the system's */
    const char *pin_sha256_hex; /* NULL: none; else the one certificate that is taken, CA or not */
    const char *user_agent;     /* copied; NULL: entente/VERSION */
    /* Between partners: TLS 1.3 with a certificate of our own, and the one Ed25519 key that is
     * taken. */
    const char *certificate_file, *key_file; /* copied; NULL: none is shown */
    const uint8_t *pin_key;                  /* ED25519_PUBLIC_BYTES, copied; NULL: none */
    bool (*is_over)(void *context);          /* asked about once a second; true ends the request */
    void *is_over_context;
};

struct http_client_response {
    int status;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    slice body; /* unpacked (gzip, zstd) */
};

/* Fails ERR_INVALID for a pin that is not 64 hexadecimal digits (":" between them is fine). */
MUST_USE result http_client_new(const struct http_client_options *options, struct http_client **out,
                                struct diag *diag);
void http_client_free(struct http_client **client);

/* headers: what to send besides the usual.  The answer lives in the arena.  Any status is OK here.
 * Fails ERR_IO when no whole answer came (name, connect, time-out, cut), ERR_DENIED when the server
 * is not who it should be (certificate), ERR_LIMIT for an answer over body_bytes_max, ERR_INVALID
 * for a URL or an answer that is none; always with the URL in front. */
MUST_USE result http_client_request(struct http_client *client, const char *method, const char *url,
                                    const struct http_header *headers, size_t header_count,
                                    slice body, struct arena *arena,
                                    struct http_client_response *out, struct diag *diag);

/* The first of that name, in any case; {NULL, 0} when absent. */
slice http_client_header(const struct http_client_response *response, slice name);
