/* Sockets that listen: an address as text becomes one, or a line that says why not. */
#pragma once

#include "base/result.h"

#include <sys/un.h>

#define LISTENER_ADDRESS_BYTES_MAX (sizeof(struct sockaddr_un) + 16)

struct listener {
    int fd;                                   /* owned; -1 when closed */
    char address[LISTENER_ADDRESS_BYTES_MAX]; /* where it really listens, as options spell it */
    char path[sizeof(struct sockaddr_un)];    /* of a Unix socket: removed on close; else "" */
};

/* text: "127.0.0.1:6443", "[::1]:6443", "name:6443", ":6443" (every address), "unix:/path"; port 0
 * takes a free one.  Fails ERR_INVALID (not such a form), ERR_IO with the address in front. */
MUST_USE result listener_open(const char *text, struct listener *out, struct diag *diag);
void listener_close(struct listener *listener);
