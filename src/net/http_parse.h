/* Reading HTTP/1.1 requests (RFC 9112) from bytes, purely: opens nothing, keeps nothing.
 *
 * Strict where leniency has let requests be smuggled past a proxy: lines end in CR LF, no
 * control characters, one Content-Length, never beside a Transfer-Encoding, no folded lines.
 * The functions answer with an HTTP status: HTTP_MORE when bytes are missing, HTTP_WHOLE when
 * the thing is complete, else the status to refuse with.
 */
#pragma once

#include "net/http.h"

enum { HTTP_MORE = 0, HTTP_PIECE = 100, HTTP_WHOLE = 200 };

/* A longer request line is refused with 414. */
#define HTTP_LINE_BYTES_MAX ((size_t)16 << 10)

/* How far the search for a head's end has come. */
struct http_scan {
    size_t line_at; /* where the first line that is not complete starts */
    bool has_request_line;
};

/* Does `in` hold a whole head?  Call again with the same *scan when more bytes came behind.
 * *head_bytes: its length with the empty line, when HTTP_WHOLE.  Refuses what can already be
 * told: 400, 414 (line too long), 431 (over head_bytes_max), 501, 505. */
int http_head_scan(struct http_scan *scan, slice in, size_t head_bytes_max, size_t *head_bytes);

struct http_head {
    enum http_method method;
    slice path, query;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    uint64_t content_length; /* 0 when is_chunked or no body comes */
    bool is_chunked, keep_alive, is_http_1_0, expects_continue;
};

/* Take a whole head apart; the slices point into it.  HTTP_WHOLE, or 400, 414, 417, 431, 501, 505.
 */
int http_head_parse(slice bytes, struct http_head *out);

/* A body in chunks (RFC 9112, 7.1).  Start zeroed. */
struct http_chunks {
    int state;
    uint64_t left;     /* bytes of this chunk that are still to come */
    size_t line_bytes; /* of chunk extensions or trailers so far */
};

/* Extensions of one chunk, or all trailers: more is refused. */
#define HTTP_CHUNK_LINE_BYTES_MAX 4096

/* Takes bytes off the front of *in.  HTTP_PIECE: *piece holds content; HTTP_WHOLE: the body and its
 * trailers are through; HTTP_MORE: *in is used up; else 400 or 431. */
int http_chunks_next(struct http_chunks *chunks, slice *in, slice *piece);
