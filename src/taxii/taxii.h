/* TAXII 2.1, the server's side: a request becomes a response, purely.
 *
 * Opens no socket and reads no clock but through the node it is given.
 */
#pragma once

#include "account/account.h"
#include "agreement/keep.h"
#include "net/http.h"
#include "store/store.h"

struct taxii;

#define TAXII_KEY_BYTES 32

struct taxii_options {
    struct store *store;
    struct accounts *accounts;
    const struct config *config; /* copied */
    const struct world *world;
    const char
        *folder; /* the node's; POSTs that wait lie in folder/accepted.  Borrowed by taxii_new */
    /* Authenticates `next` values; kept between runs, a client may go on paging after a restart.
     * NULL: a random one for this process. */
    const uint8_t *next_key;
    const struct keep_place *keep; /* copied; NULL: a node without agreements */
    bool is_encrypted;             /* the way to the clients */
};

/* What the last run accepted and did not take in is taken in from now on, under its old status
 * ids.  One server at a time may have a folder. */
MUST_USE result taxii_new(const struct taxii_options *options, struct taxii **out,
                          struct diag *diag);
/* Waits for the POST that is being taken in; those behind it are the next start's. */
void taxii_free(struct taxii **taxii);

/* The key of `next` values of the node in this folder: read from folder/next.key, made on first
 * use. */
MUST_USE result taxii_key_load(const char *folder, const struct world *world,
                               uint8_t key[TAXII_KEY_BYTES], struct diag *diag);

/* The nth path that is answered, with its variable parts in braces, and its methods; false past the
 * last. */
bool taxii_route_at(size_t index, slice *path, slice *methods);

/* New settings, from now on (SIGHUP).  Copied. */
void taxii_configure(struct taxii *taxii, const struct config *config);

/* What is to be done now and then; called about once a second. */
void taxii_tick(struct taxii *taxii);

/* Wait until no POST is being taken in any more. */
void taxii_settle(struct taxii *taxii);

/* For http_server_options: the checks that need no body, the request, the server's own refusals. */
bool taxii_begin(void *taxii, const struct http_request *request, size_t body_bytes_announced,
                 size_t *body_bytes_max, struct http_response *early);
void taxii_handle(void *taxii, const struct http_request *request, struct http_response *response);
void taxii_refuse(void *taxii, int status, const struct http_request *request_or_null,
                  struct http_response *response);
