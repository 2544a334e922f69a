/* TAXII 2.1, the client's side: discover, list, poll page by page, resume, push. */
#pragma once

#include "net/client.h"
#include "store/store.h"

struct taxii_remote_options {
    const char *url;  /* discovery, an API root, a collection, or just the host */
    const char *user; /* with password_file */
    const char *password_file, *token_file; /* their first line */
    const char *ca_file, *pin_sha256_hex;
    bool plain_http; /* http:// to others than this machine */
    unsigned timeout_s, retries_max;
    size_t page_objects; /* limit asked for; 0: the server's choice */
    size_t page_bytes_max;
    const struct world *world;
    void (*sleep)(void *context, uint64_t ms); /* between retries; NULL: really; tests bend it */
    void *sleep_context;
};

struct taxii_remote;

/* Reads the secrets; asks nothing of the server yet. */
MUST_USE result taxii_remote_open(const struct taxii_remote_options *options,
                                  struct taxii_remote **out, struct diag *diag);
void taxii_remote_close(struct taxii_remote **remote);

struct taxii_remote_collection {
    char url[1024]; /* .../collections/ID/ */
    char id[64], title[256];
    bool can_read, can_write;
};

/* Every collection of every API root the URL leads to; roots that do not answer are reported
 * through `warn` and passed over.  Credentials go to the host of the URL alone.  *out is borrowed
 * until the next call.  Fails ERR_DENIED on 401 and 403, ERR_MISSING on 404, ERR_IO when nobody
 * answers. */
MUST_USE result taxii_remote_list(struct taxii_remote *remote, void (*warn)(void *, const char *),
                                  void *context, const struct taxii_remote_collection **out,
                                  size_t *count, struct diag *diag);

/* Where a poll stands: kept by the caller between runs as text ("added_after" of the last page that
 * was durable).  Empty: from the beginning. */
struct taxii_position {
    char added_after[64];
};

/* One page after another, each handed to `take` (its objects as a TAXII envelope); the position
 * moves only when `take` said OK.  Backs off on 429 and 5xx and honours Retry-After.
 *
 * In the middle of a poll the position stays just below the last date seen, since servers exist
 * that give a whole load one date: a resumed poll then brings a few objects again and never leaves
 * one out. */
MUST_USE result taxii_remote_poll(struct taxii_remote *remote, const char *collection_url,
                                  struct taxii_position *position,
                                  result (*take)(void *context, slice envelope, struct diag *diag),
                                  void *context, struct diag *diag);

/* POST an envelope and wait for its status resource to be complete.  The status document is in the
 * arena. */
MUST_USE result taxii_remote_push(struct taxii_remote *remote, const char *collection_url,
                                  slice envelope, struct arena *arena, slice *status_json,
                                  struct diag *diag);
