#include "net/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/fault.h"
#include "base/slice.h"

#include "base/banned.h"

#define HOST_BYTES_MAX 256
#define PORT_BYTES_MAX 6

/* ---- Unix sockets ---- */

/* A file left by a process that was killed is taken away; one that answers belongs to somebody. */
static bool unix_is_stale(const struct sockaddr_un *address)
{
    struct stat status;
    int fd;

    if (lstat(address->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return false;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool refused = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
                   errno == ECONNREFUSED;
    (void)close(fd);
    return refused;
}

static result unix_open(slice path, struct listener *out, struct diag *diag)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (path.len == 0 || path.len >= sizeof address.sun_path)
        return diag_fail(diag, ERR_INVALID, "unix:%.*s: a path of 1 to %zu bytes is needed",
                         SLICE_ARG(path), sizeof address.sun_path - 1);
    memcpy(address.sun_path, path.at, path.len);
    if (unix_is_stale(&address))
        (void)unlink(address.sun_path);
    out->fd = FAULT_HERE() ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (out->fd < 0 || bind(out->fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return diag_errno(diag, errno, "unix:%s", address.sun_path);
    memcpy(out->path, address.sun_path, path.len + 1);
    (void)snprintf(out->address, sizeof out->address, "unix:%s", address.sun_path);
    if (listen(out->fd, SOMAXCONN) != 0)
        return diag_errno(diag, errno, "unix:%s", address.sun_path);
    return OK;
}

/* ---- TCP ---- */

static bool tcp_split(slice text, char host[HOST_BYTES_MAX], char port[PORT_BYTES_MAX])
{
    size_t colon = text.len;
    uint64_t number;

    while (colon > 0 && text.at[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    slice name = slice_head(text, colon - 1), digits = slice_from(text, colon);
    if (name.len >= 2 && name.at[0] == '[' && name.at[name.len - 1] == ']')
        name = slice_head(slice_from(name, 1), name.len - 2);
    else if (slice_find_byte(name, ':') != SIZE_MAX)
        return false; /* an IPv6 address without brackets: which colon is the port's? */
    if (!parse_u64(digits, &number) || number > UINT16_MAX || name.len >= HOST_BYTES_MAX)
        return false;
    if (name.len > 0)
        memcpy(host, name.at, name.len);
    host[name.len] = '\0';
    (void)snprintf(port, PORT_BYTES_MAX, "%u", (unsigned)number & UINT16_MAX);
    return true;
}

/* 0, or the errno of what failed. */
static int tcp_try(const struct addrinfo *info, bool every_address, int *out)
{
    int one = 1, zero = 0, number;
    int fd =
        FAULT_HERE() ? -1 : socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return errno != 0 ? errno : EIO;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (info->ai_family == AF_INET6) /* ":port" takes IPv4 as well, "[::]:port" does not */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, every_address ? &zero : &one, sizeof one);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0) {
        *out = fd;
        return 0;
    }
    number = errno;
    (void)close(fd);
    return number;
}

static void address_write(struct listener *out)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {0};
    socklen_t bytes = sizeof address;
    char text[INET6_ADDRSTRLEN] = "?";

    if (getsockname(out->fd, &address.any, &bytes) != 0)
        return;
    if (address.any.sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &address.v6.sin6_addr, text, sizeof text);
        (void)snprintf(out->address, sizeof out->address, "[%s]:%u", text,
                       (unsigned)ntohs(address.v6.sin6_port));
    } else {
        (void)inet_ntop(AF_INET, &address.v4.sin_addr, text, sizeof text);
        (void)snprintf(out->address, sizeof out->address, "%s:%u", text,
                       (unsigned)ntohs(address.v4.sin_port));
    }
}

static result tcp_open(const char *text, struct listener *out, struct diag *diag)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *infos = NULL;
    char host[HOST_BYTES_MAX], port[PORT_BYTES_MAX];
    int number = EADDRNOTAVAIL;

    if (!tcp_split(slice_text(text), host, port))
        return diag_fail(diag, ERR_INVALID,
                         "%s: no address to listen on (like 127.0.0.1:6443, [::1]:6443, :6443 or "
                         "unix:/path)",
                         text);
    bool every = host[0] == '\0';
    int unknown = getaddrinfo(every ? "::" : host, port, &hints, &infos);
    if (unknown != 0)
        return diag_fail(diag, ERR_INVALID, "%s: %s", text, gai_strerror(unknown));
    for (struct addrinfo *info = infos; info != NULL && number != 0; info = info->ai_next)
        number = tcp_try(info, every, &out->fd);
    freeaddrinfo(infos);
    if (number != 0 && every && (number == EAFNOSUPPORT || number == EADDRNOTAVAIL) &&
        getaddrinfo("0.0.0.0", port, &hints, &infos) == 0) { /* a machine without IPv6 */
        number = tcp_try(infos, every, &out->fd);
        freeaddrinfo(infos);
    }
    if (number != 0)
        return diag_errno(diag, number, "%s", text);
    address_write(out);
    return OK;
}

result listener_open(const char *text, struct listener *out, struct diag *diag)
{
    *out = (struct listener){.fd = -1};
    if (slice_starts(slice_text(text), SLICE("unix:"))) {
        result opened = unix_open(slice_from(slice_text(text), 5), out, diag);

        if (failed(opened))
            listener_close(out);
        return opened;
    }
    return tcp_open(text, out, diag);
}

void listener_close(struct listener *listener)
{
    if (listener->fd >= 0)
        (void)close(listener->fd);
    if (listener->path[0] != '\0')
        (void)unlink(listener->path);
    *listener = (struct listener){.fd = -1};
}
