/* The recipient's side: asking a partner for what comes next, taking it in, sending the receipt.
 *
 * The cursor is in the log, in the same entry as the receipt, so a cut line or a crash is made up
 * for by asking again: what was taken in is not asked for, and a receipt that may not have arrived
 * is sent again.
 */
#pragma once

#include "net/client.h"
#include "sync/take.h"

#define SYNC_FEED_PATH "/partner/v1/feed"
#define SYNC_RECEIPTS_PATH "/partner/v1/receipts"
#define SYNC_WAIT_S_MAX 300

struct puller {
    const struct sync_place *place;
    slice partner;              /* its id; borrowed */
    struct http_client *client; /* owned */
    char url[600];
    uint8_t key[ED25519_PUBLIC_BYTES];
    struct sync_cursor looked; /* further than the log's cursor: nothing was there for us */
    bool has_looked;
    bool is_receipt_sent;           /* the last one, as far as we know */
    unsigned wait_s;                /* the longest that is asked for */
    bool (*is_over)(void *context); /* may be NULL */
    void *context;
};

/* ERR_MISSING: no such partner, or its card has no URL; ERR_DENIED: its key was not confirmed. */
MUST_USE result puller_open(const struct sync_place *place, slice partner, unsigned wait_s,
                            bool (*is_over)(void *context), void *context, struct puller *out,
                            struct diag *diag);
void puller_close(struct puller *puller); /* fits CLEANUP */

/* One batch, if there is one within wait_s.  *is_any: there was. */
MUST_USE result puller_step(struct puller *puller, unsigned wait_s, struct taken *out, bool *is_any,
                            struct diag *diag);

/* A question of another kind: 200 with an answer, or a failure. */
MUST_USE result puller_post(struct puller *puller, const char *path, slice body,
                            struct arena *arena, struct http_client_response *out,
                            struct diag *diag);

/* The node's own certificate for the exchange, made when it is not there: paths of it. */
#define SYNC_PATH_BYTES_MAX 4200
MUST_USE result sync_certificate(const struct sync_place *place,
                                 char certificate[SYNC_PATH_BYTES_MAX],
                                 char key[SYNC_PATH_BYTES_MAX], struct diag *diag);
