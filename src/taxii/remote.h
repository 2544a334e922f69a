/* The inside of the TAXII client: one conversation with one server.  Others include client.h. */
#pragma once

#include "base/world.h"
#include "taxii/client.h"
#include "json/json.h"

#define URL_BYTES_MAX 1024
#define REMOTE_COLLECTIONS_MAX 10000

struct taxii_remote {
    struct arena arena;         /* owned: this struct lives in it */
    struct http_client *http;   /* owned */
    struct json_parser *parser; /* owned */
    struct arena answer_arena;  /* owned: the present answer */
    const struct world *world;
    void (*sleep)(void *context, uint64_t ms);
    void *sleep_context;
    unsigned retries_max;
    size_t page_objects;
    bool plain_http, has_answered;
    char url[URL_BYTES_MAX];                     /* as given, without its query, with its slash */
    char origin[URL_BYTES_MAX];                  /* of url: the one place credentials go to */
    slice authorization;                         /* header's value; empty: none */
    struct taxii_remote_collection *collections; /* owned */
    size_t collection_count, collection_room;
};

/* An answer and what it holds; good until the next request. */
struct remote_answer {
    struct http_client_response http;
    struct json_doc doc; /* of a 2xx with a body; else node_count 0 */
};

/* Ask until it answers, pauses included.  OK on 2xx; else the words of the server's error message:
 * ERR_DENIED on 401 and 403, ERR_MISSING on 404 and 410, ERR_IO on what is worth a retry,
 * ERR_INVALID on the rest and on an answer that is no JSON. */
MUST_USE result remote_request(struct taxii_remote *remote, const char *method, const char *url,
                               slice body, struct remote_answer *out, struct diag *diag);

/* Pause at least `ms`, longer each further try, not in step with other clients. */
void remote_pause(struct taxii_remote *remote, uint64_t ms);
uint64_t remote_backoff_ms(struct taxii_remote *remote, unsigned attempt);

/* Retry-After (RFC 9110, 10.2.3), seconds or a date: milliseconds from now.  False: neither. */
bool http_date_parse(slice text, int64_t *us);
bool retry_after_parse(slice value, int64_t now_us, uint64_t *ms);

/* "https://host:port" in lower case, the port always there.  False: no URL of http or https. */
bool url_origin(slice url, char out[URL_BYTES_MAX]);

/* `reference` as it stands in a document fetched from `base`; slash at the end, no query. */
MUST_USE result url_resolve(const char *base, slice reference, char out[URL_BYTES_MAX],
                            struct diag *diag);
MUST_USE result url_join(const char *base, slice tail, char out[URL_BYTES_MAX], struct diag *diag);
