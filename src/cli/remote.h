/* What pull and push share: the options that name a server, and the positions kept between runs.
 *
 * Positions are one small file a remote collection, in the node's folder: replaced whole, so that a
 * kill leaves the old position or the new one. */
#pragma once

#include "cli/cli.h"
#include "taxii/client.h"

#define REMOTE_POSITION_BYTES_MAX 256

MUST_USE int remote_open(const struct cli *cli, const struct node *node,
                         struct taxii_remote **remote);

/* what: "pull" or "push".  An empty position: from the start. */
MUST_USE result remote_position_load(const struct node *node, const char *what, const char *url,
                                     uint32_t collection, char out[REMOTE_POSITION_BYTES_MAX],
                                     struct diag *diag);
MUST_USE result remote_position_save(const struct node *node, const char *what, const char *url,
                                     uint32_t collection, const char *position, struct diag *diag);
