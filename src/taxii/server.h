/* The inside of the TAXII server: what its files share.  Others include taxii.h.
 *
 * A request is an `exchange`: it is admitted (who asks, for what, by which right, in which media
 * type), then its endpoint's handler answers.  Every answer is made by answer_json,
 * answer_empty or answer_error, so that the media type stands on all of them.
 */
#pragma once

#include <pthread.h>

#include "base/crypto.h"
#include "gate/gate.h"
#include "taxii/accepted.h"
#include "taxii/reads.h"
#include "taxii/taxii.h"
#include "json/write.h"

#define TAXII_MEDIA_TYPE "application/taxii+json;version=2.1"
#define STIX_MEDIA_TYPE_21 "application/stix+json;version=2.1"
#define STIX_MEDIA_TYPE_20 "application/stix+json;version=2.0"
#define ANSWER_BYTES_MAX ((size_t)64 << 20) /* of an answer that is no page of objects */

struct statuses;

struct taxii {
    struct arena arena; /* owned: this struct lives in it */
    struct store *store;
    struct accounts *accounts;
    const struct world *world;
    struct gate *gate;   /* owned: what leaves passes it */
    struct reads *reads; /* owned: and is counted */
    bool is_encrypted;
    uint8_t next_key[TAXII_KEY_BYTES];
    struct statuses *statuses;       /* owned */
    struct accepted_folder accepted; /* owned */
    pthread_rwlock_t config_lock;
    struct config config; /* guarded by config_lock */
};

/* The numbers a request needs, taken under the lock once. */
struct limits {
    size_t content_bytes, page_objects, page_objects_max, page_bytes, sync_objects;
    size_t object_bytes, json_depth, status_keep_s;
    enum stix_mode mode;
};

/* Under the config_lock. */
struct limits limits_of(const struct config *config);

enum endpoint {
    ENDPOINT_DISCOVERY,
    ENDPOINT_API_ROOT,
    ENDPOINT_STATUS,
    ENDPOINT_COLLECTIONS,
    ENDPOINT_COLLECTION,
    ENDPOINT_MANIFEST,
    ENDPOINT_OBJECTS,
    ENDPOINT_OBJECT,
    ENDPOINT_VERSIONS,
    ENDPOINT_COUNT,
};

struct route {
    enum endpoint endpoint;
    slice collection; /* id or alias, decoded; in the request's arena, as are the next two */
    slice object;     /* id of an object */
    slice status;     /* id of a status */
};

struct exchange {
    struct taxii *taxii;
    const struct http_request *request;
    struct http_response *response;
    struct limits limits;
    struct route route;
    bool is_known; /* else without an account */
    struct account account;
    struct store_view view;
    struct collection collection; /* of the collection's endpoints */
    unsigned rights;              /* on it */
    struct diag diag;
};

/* ---- answers (answer.c) ---- */

/* The words of a failure under a status of ours; 5xx words go to the log, not to the client. */
void answer_error(struct exchange *exchange, int status, const char *format, ...) PRINTF_LIKE(3, 4);
/* A failed call's diag under the status that its code maps to.  in_body: what failed is the
 * sender's body, not the sender's URL. */
void answer_failure(struct exchange *exchange, result failure, bool in_body);
void answer_json(struct exchange *exchange, int status, struct buf *json); /* empties json */
void answer_empty(struct exchange *exchange, int status);
void answer_media_type(struct http_response *response);
int status_of(enum err code, bool in_body);

/* ---- what leaves (page.c) ---- */

/* Is there anything of the route's object that the client may have?  Tells "no such object" (404)
 * from "nothing of it fits your filters" (an empty answer). */
MUST_USE result object_exists(struct exchange *exchange, struct arena *memory, bool *exists);

/* ---- media types (media.c) ---- */

/* Does any Accept field take our media type?  (RFC 9110, 12.5.1; absent: yes) */
bool media_accepted(const struct http_request *request);
/* Is a Content-Type ours, with our version or none? */
bool media_is_taxii(slice content_type);

/* ---- queries (query.c) ---- */

enum {
    QUERY_ADDED_AFTER = 1,
    QUERY_LIMIT = 2,
    QUERY_NEXT = 4,
    QUERY_ID = 8,
    QUERY_TYPE = 16,
    QUERY_VERSION = 32,
    QUERY_SPEC_VERSION = 64,
    QUERY_PAGING = QUERY_ADDED_AFTER | QUERY_LIMIT | QUERY_NEXT,
};

struct taxii_query {
    unsigned present;         /* which of the above stood in the URL */
    struct store_query store; /* lists live in the request's arena */
    size_t limit;             /* as asked for; 0: not asked */
    slice next;
    bool is_void; /* asks for specifications that do not exist: nothing matches */
};

/* Read the URL's query.  allowed: the parameters this endpoint has; others are passed over, as
 * TAXII 2.1, 3.4 lets us.  Fails ERR_INVALID on a malformed or repeated one. */
MUST_USE result query_parse(slice query, unsigned allowed, struct arena *arena,
                            struct taxii_query *out, struct diag *diag);

/* ---- `next` (cursor.c) ---- */

#define CURSOR_TEXT_BYTES 32

/* The value is opaque and bound by a MAC to endpoint, collection, object and query. */
void cursor_make(const struct exchange *exchange, const struct taxii_query *query, uint64_t seq,
                 char out[CURSOR_TEXT_BYTES]);
bool cursor_read(const struct exchange *exchange, const struct taxii_query *query, uint64_t *seq);

/* ---- routes (route.c) ---- */

/* The setting without its slashes. */
slice route_root(slice api_root);

/* False: no endpoint has this path. */
bool route_parse(slice path, slice api_root, struct arena *arena, struct route *out);

/* ---- the endpoints ---- */

void get_discovery(struct exchange *exchange);
void get_api_root(struct exchange *exchange);
void get_status(struct exchange *exchange);
void get_collections(struct exchange *exchange);
void get_collection(struct exchange *exchange);
void get_manifest(struct exchange *exchange);
void get_objects(struct exchange *exchange);
void get_versions(struct exchange *exchange);
void post_objects(struct exchange *exchange);
void delete_object(struct exchange *exchange);

/* Does any collection let in those without an account? */
bool anonymous_is_welcome(struct exchange *exchange);

/* ---- what a POST carries (envelope.c) ---- */

/* Is the text a TAXII envelope: one JSON object with the one member "objects", an array, at its
 * top? Counts what the array holds.  Looks at structure alone; the import checks the rest. */
MUST_USE result envelope_measure(slice json, uint64_t *object_count, struct diag *diag);

/* ---- POSTs (post.c) and what became of them (status.c) ---- */

/* The checks that need no body: its media type, its packing, its announced length.  False:
 * answered. is_empty: nothing comes, so that no media type is asked for. */
bool post_is_fit(struct exchange *exchange, size_t body_bytes, bool is_empty);

#define STATUS_LIST_BYTES_MAX                                                                      \
    ((size_t)16 << 20) /* JSON of one list of a status; longer ones are left out */
#define STATUSES_BYTES_MAX ((size_t)128 << 20) /* of all; then the oldest finished ones go */

/* What became of one POST.  While it is pending only its worker writes to it, under the lock. */
struct status {
    struct arena arena;  /* owned: this struct lives in it */
    struct status *next; /* the next younger */
    struct uuid id;
    uint64_t owner; /* status_owner() of who sent it */
    int64_t requested_us, finished_us;
    bool is_complete;
    uint64_t total, success_count, failure_count, pending_count;
    /* Details as JSON, comma-separated.  A list is whole or, past STATUS_LIST_BYTES_MAX, absent: a
     * list that does not agree with its count is refused by clients. */
    struct buf successes, failures, pendings;
    char why[DIAG_TEXT_BYTES_MAX]; /* of a POST that failed as a whole */
};

uint64_t status_owner(const struct exchange *exchange);
MUST_USE result status_new(const struct exchange *exchange, struct status **out, struct diag *diag);
MUST_USE result status_restore(const struct accepted_post *post, struct status **out,
                               struct diag *diag);
void status_free(struct status **status);
void status_detail(struct buf *list, slice id, slice version, slice message);
void status_write(const struct status *status, struct buf *json);

/* Keep it, to be asked for; the statuses own it from now on. */
void statuses_keep(struct taxii *taxii, struct status *status);

/* All that was pending has failed, and why.  Its text is logged, too. */
void status_fail(struct status *status, const struct diag *diag);

/* A POST that is done later, in order, by one thread. */
struct job {
    struct arena arena; /* owned: this struct lives in it */
    struct job *next;
    struct status *status; /* borrowed: kept until it is complete */
    slice body;            /* borrowed, while the job runs; of one that waits it is in its file */
    size_t body_bytes;
    uint32_t collection;
    struct uuid collection_id;
    unsigned patience_ms; /* for another writer; STORE_WAITS */
    struct limits limits;
    char actor[ACCOUNT_NAME_BYTES_MAX + 1];
};

MUST_USE result job_new(struct status *status, const struct collection *collection, slice actor,
                        const struct limits *limits, size_t body_bytes, struct job **out,
                        struct diag *diag);
void job_free(struct job **job);

/* Take the job, which becomes theirs, and its status, when its body is on the disk.  Yields the
 * status's text as it is at that moment.  Fails ERR_IO when too much waits already or the disk
 * takes no more; then both stay the caller's. */
MUST_USE result statuses_queue(struct taxii *taxii, struct job *job, slice body, struct buf *json,
                               struct diag *diag);

/* The same for a job whose body is on the disk. */
void statuses_queue_again(struct taxii *taxii, struct job *job);

/* Name what waits in `pendings`: ids and versions, as they stand in the body. */
MUST_USE result pendings_list(slice body, const struct limits *limits, struct status *status,
                              struct diag *diag);

/* Take up what the last run left (resume.c).  Fails when there is no memory for it; what is wrong
 * with one POST is logged. */
MUST_USE result accepted_resume(struct taxii *taxii, struct diag *diag);

/* Is a POST waiting or under way there? */
bool statuses_wait(struct taxii *taxii);

/* Take the body's objects in and fill the status's counts and lists.  ERR_CONFLICT: another writer
 * outlasted patience_ms, and nothing was done. */
MUST_USE result job_run(struct taxii *taxii, const struct job *job, struct status *status,
                        struct diag *diag);

MUST_USE result statuses_new(struct taxii *taxii, struct statuses **out, struct diag *diag);
void statuses_free(struct statuses **statuses);
void statuses_settle(struct statuses *statuses);
