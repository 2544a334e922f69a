#include "net/syslog.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/banned.h"

#define TIMEOUT_S 10
#define HOST_BYTES_MAX 256

bool syslog_is_target(slice target)
{
    return slice_starts(target, SLICE("udp://")) || slice_starts(target, SLICE("tcp://")) ||
           slice_starts(target, SLICE("unix:"));
}

static result unix_open(slice path, struct syslog_line *out, struct diag *diag)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (path.len == 0 || path.len >= sizeof(address.sun_path))
        return diag_fail(diag, ERR_INVALID, "unix:%.*s: takes a path", SLICE_ARG(path));
    memcpy(address.sun_path, path.at, path.len);
    out->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (out->socket < 0 ||
        connect(out->socket, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        int number = errno;

        syslog_close(out);
        return diag_errno(diag, number, "unix:%.*s", SLICE_ARG(path));
    }
    return OK;
}

/* "host:port", "[::1]:port" */
static bool address_split(slice address, char host[HOST_BYTES_MAX], char port[16])
{
    size_t colon = address.len;

    while (colon > 0 && address.at[colon - 1] != ':')
        colon--;
    if (colon < 2 || colon == address.len || address.len - colon >= 16)
        return false;
    slice name = slice_head(address, colon - 1), number = slice_from(address, colon);
    if (name.len > 2 && name.at[0] == '[' && name.at[name.len - 1] == ']')
        name = slice_of(name.at + 1, name.len - 2);
    if (name.len >= HOST_BYTES_MAX)
        return false;
    (void)snprintf(host, HOST_BYTES_MAX, "%.*s", SLICE_ARG(name));
    (void)snprintf(port, 16, "%.*s", SLICE_ARG(number));
    return true;
}

static int connect_to(const struct addrinfo *address)
{
    struct timeval patience = {.tv_sec = TIMEOUT_S};
    int made = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, 0);

    if (made < 0)
        return -1;
    (void)setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(made, address->ai_addr, address->ai_addrlen) == 0)
        return made;
    int number = errno;
    (void)close(made);
    errno = number;
    return -1;
}

result syslog_open(slice target, struct syslog_line *out, struct diag *diag)
{
    char host[HOST_BYTES_MAX], port[16];
    struct addrinfo *found = NULL;

    *out = SYSLOG_CLOSED;
    if (slice_starts(target, SLICE("unix:")))
        return unix_open(slice_from(target, sizeof("unix:") - 1), out, diag);
    out->is_stream = slice_starts(target, SLICE("tcp://"));
    if (!address_split(slice_from(target, sizeof("tcp://") - 1), host, port))
        return diag_fail(diag, ERR_INVALID, "%.*s: takes HOST:PORT", SLICE_ARG(target));
    const struct addrinfo hints = {.ai_socktype = out->is_stream ? SOCK_STREAM : SOCK_DGRAM,
                                   .ai_flags = AI_ADDRCONFIG};
    int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0)
        return diag_fail(diag, ERR_IO, "%.*s: %s", SLICE_ARG(target), gai_strerror(code));
    for (const struct addrinfo *one = found; one != NULL && out->socket < 0; one = one->ai_next)
        out->socket = connect_to(one);
    int number = errno;
    freeaddrinfo(found);
    return out->socket >= 0 ? OK : diag_errno(diag, number, "%.*s", SLICE_ARG(target));
}

void syslog_close(struct syslog_line *line)
{
    if (line->socket >= 0)
        (void)close(line->socket);
    line->socket = -1;
}

static result all_send(int socket, slice bytes, struct diag *diag)
{
    while (bytes.len > 0) {
        ssize_t count = send(socket, bytes.at, bytes.len, MSG_NOSIGNAL);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return diag_errno(diag, count < 0 ? errno : EPIPE, "syslog");
        bytes = slice_from(bytes, (size_t)count);
    }
    return OK;
}

result syslog_send(struct syslog_line *line, slice message, struct diag *diag)
{
    char head[32];

    if (!line->is_stream && message.len > SYSLOG_DATAGRAM_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "syslog: %zu bytes are too many for one datagram",
                         message.len);
    if (line->is_stream) {
        int len = snprintf(head, sizeof(head), "%zu ", message.len);

        TRY(all_send(line->socket, slice_of(head, (size_t)len), diag));
    }
    return all_send(line->socket, message, diag);
}
