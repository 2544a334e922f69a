/* Messages to a syslog server: a datagram each over UDP or a Unix socket, counted over TCP (RFC
 * 6587, 3.4.1). */
#pragma once

#include "base/result.h"
#include "base/slice.h"

struct syslog_line {
    int socket; /* -1: closed */
    bool is_stream;
};
#define SYSLOG_CLOSED ((struct syslog_line){.socket = -1})
#define SYSLOG_DATAGRAM_BYTES_MAX 65000

/* "udp://host:514", "tcp://host:601", "unix:/dev/log".  False: another kind of target. */
bool syslog_is_target(slice target);
/* ERR_INVALID for a target that makes no sense, ERR_IO when there is no way to it. */
MUST_USE result syslog_open(slice target, struct syslog_line *out, struct diag *diag);
void syslog_close(struct syslog_line *line); /* fits CLEANUP */
/* ERR_LIMIT: too long for a datagram; ERR_IO: the way is cut. */
MUST_USE result syslog_send(struct syslog_line *line, slice message, struct diag *diag);
