/* A node at work: its servers, its certificate, its signals.  What `serve` runs and `init`
 * prepares. */
#pragma once

#include "base/crypto.h"
#include "node/node.h"

/* The certificate in force: the one the settings name, else the node's own, made on the first call.
 * Yields its fingerprint. */
MUST_USE result service_certificate(struct node *node, struct hash256 *fingerprint,
                                    struct diag *diag);

struct service_options {
    const char *listen, *listen_ops, *listen_exchange; /* NULL: as the settings say */
    bool plain_http;                                   /* asked for by name */
    void (*started)(void *context, const char *url, const char *ops_url,
                    const struct hash256 *fingerprint);
    void *context;
};

/* The nth path that `serve` answers, with its variable parts in braces, and its methods; false past
 * the last. */
bool service_route_at(size_t index, slice *path, slice *methods);

/* Serve until SIGTERM or SIGINT, then finish what is under way.  SIGHUP reads settings and
 * certificates again; what is wrong with them is logged and the old ones stay. */
MUST_USE result service_run(struct node *node, const struct service_options *options,
                            struct diag *diag);
