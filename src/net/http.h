/* HTTP as plain structs: what a request is and what an answer is, whatever library carries them. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/pack.h"

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER
};

#define HTTP_HEADERS_MAX 64

struct http_header {
    slice name, value;
};

struct http_request {
    enum http_method method;
    slice path;                        /* percent-encoded as it came, without the query */
    slice query;                       /* as it came, without '?' */
    const struct http_header *headers; /* several of one name stay apart, in order */
    size_t header_count;
    slice body;
    slice peer; /* address of the client as text */
    bool is_tls;
    slice client_key;       /* Ed25519, by which the client has proved itself; empty: by none */
    uint64_t since_mono_ns; /* when it was whole */
    struct arena *arena;    /* for the handler: dies after the answer is sent */
};

/* The first value of a header field, name in any case; {NULL, 0} when absent. */
slice http_header_find(const struct http_request *request, slice name);

/* A query parameter, percent-decoded into the request's arena: the `nth` of that name.
 * False when absent or its escapes are broken (*broken set then). */
bool http_query_find(const struct http_request *request, slice name, size_t nth, slice *value,
                     bool *broken);

#define HTTP_RESPONSE_HEADERS_MAX 16

/* Body: head + middle + tail, sent without being put together first.  head and tail live in the
 * request's arena; middle may be any memory that stays until release(release_context) is called,
 * once, after the answer is sent or given up. */
struct http_response {
    int status;
    struct http_header headers[HTTP_RESPONSE_HEADERS_MAX];
    size_t header_count;
    slice head, middle, tail;
    bool middle_stays; /* never moved or freed, even after release (the store's mapped files): may
                          be sent without a copy */
    void (*release)(void *context); /* may be NULL */
    void *release_context;
    bool is_held;  /* nothing to say yet: the handler is asked again within half a second, as often
                      as it says so; it minds since_mono_ns and takes nothing from the arena */
    bool no_body;  /* HEAD, 204: the headers alone */
    bool compress; /* may be packed as the client's Accept-Encoding allows */
};

/* name and value must live as long as the request's arena (or for ever). */
void http_response_header(struct http_response *response, slice name, slice value);

/* The packing a client takes best (RFC 9110, 12.5.3: q-values, identity;q=0, *). */
enum packing http_packing_accepted(slice accept_encoding);
