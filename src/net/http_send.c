/* Bytes of an answer on their way out: copied, spliced, or encrypted. */
#include "net/http_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fault.h"

#include "base/banned.h"

/* Records encrypted before one send(): fewer, larger calls are a fifth faster than one a record;
 * more than this falls out of the second-level cache. */
#define STAGE_BYTES ((size_t)8 * TLS_RECORD_BYTES_MAX)

/* When splicing beats copying (bench/bench_http.sh): less and the extra calls cost more; more, or
 * few connections, and the reader's own work on whole pages costs more than the copy. */
#define SPLICE_BYTES_MIN ((size_t)64 << 10)
#define SPLICE_BYTES_MAX ((size_t)512 << 10)
#define SPLICE_CONNECTIONS_MIN 4    /* of this worker */
#define SPLICE_PIPE_BYTES (1 << 20) /* what an unprivileged process may have */

enum go conn_send_bytes(struct conn *conn, slice bytes, size_t *sent)
{
    *sent = 0;
    while (*sent < bytes.len) {
        ssize_t count =
            send(conn->fd, bytes.at + *sent, bytes.len - *sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return errno == EAGAIN ? GO_WAIT : GO_CLOSE;
        *sent += (size_t)count;
        conn_moved(conn, (size_t)count);
    }
    return GO_ON;
}

/* ---- the parts ---- */

static void parts_skip_empty(struct conn *conn)
{
    while (conn->part_index < CONN_PARTS_MAX && conn->parts[conn->part_index].len == 0)
        conn->part_index++;
}

static bool parts_left(struct conn *conn)
{
    parts_skip_empty(conn);
    return conn->part_index < CONN_PARTS_MAX;
}

/* `bytes` of the parts have gone. */
static void parts_consume(struct conn *conn, size_t bytes)
{
    while (bytes > 0) {
        slice *part = &conn->parts[conn->part_index];
        size_t taken = bytes < part->len ? bytes : part->len;

        *part = slice_from(*part, taken);
        bytes -= taken;
        if (part->len == 0)
            conn->part_index++;
    }
}

/* ---- without a copy ---- */

void worker_pipe_open(struct worker *worker)
{
    int fds[2];

    worker->splice_read_fd = worker->splice_write_fd = worker->null_fd = -1;
    if (FAULT_HERE() || pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return;
    worker->splice_read_fd = fds[0];
    worker->splice_write_fd = fds[1];
    (void)fcntl(fds[1], F_SETPIPE_SZ, SPLICE_PIPE_BYTES); /* smaller works too */
    worker->null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (worker->null_fd < 0)
        worker_pipe_close(worker);
}

void worker_pipe_close(struct worker *worker)
{
    int *const fds[] = {&worker->splice_read_fd, &worker->splice_write_fd, &worker->null_fd};

    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (*fds[i] >= 0)
            (void)close(*fds[i]);
        *fds[i] = -1;
    }
}

/* What the socket had no room for is offered again from memory: empty the pipe for the next. */
static void pipe_drain(struct worker *worker, size_t bytes)
{
    while (bytes > 0) {
        ssize_t count =
            splice(worker->splice_read_fd, NULL, worker->null_fd, NULL, bytes, SPLICE_F_NONBLOCK);

        if (count <= 0) { /* never seen; better no pipe than one with a stranger's bytes */
            worker_pipe_close(worker);
            return;
        }
        bytes -= (size_t)count;
    }
}

static bool may_splice(const struct conn *conn)
{
    size_t bytes = conn->parts[CONN_PART_MIDDLE].len;

    return conn->part_index == CONN_PART_MIDDLE && conn->exchange->response.middle_stays &&
           bytes >= SPLICE_BYTES_MIN && bytes <= SPLICE_BYTES_MAX &&
           conn->worker->splice_read_fd >= 0 &&
           atomic_load(&conn->worker->connection_count) >= SPLICE_CONNECTIONS_MIN;
}

/* The socket refers to the pages of the mapped file, as sendfile() would make it, and the client's
 * read is the only copy: many clients then share one set of pages in the cache instead of each
 * filling it with a copy (128 connections, pages of 291 KB: a third more answers). */
static enum go send_spliced(struct conn *conn)
{
    struct worker *worker = conn->worker;
    slice middle = conn->parts[CONN_PART_MIDDLE];
    struct iovec iov = {(void *)(uintptr_t)middle.at, middle.len};
    ssize_t offered = vmsplice(worker->splice_write_fd, &iov, 1, SPLICE_F_NONBLOCK), count;

    if (offered <= 0) { /* the kernel will not: copy from now on */
        worker_pipe_close(worker);
        return GO_ON;
    }
    unsigned more =
        conn->parts[CONN_PARTS_MAX - 1].len > 0 || (size_t)offered < middle.len ? SPLICE_F_MORE : 0;
    for (size_t left = (size_t)offered; left > 0; left -= (size_t)count) {
        count = splice(worker->splice_read_fd, NULL, conn->fd, NULL, left,
                       SPLICE_F_NONBLOCK | SPLICE_F_MOVE | more);
        if (count <= 0) {
            int number = errno;

            pipe_drain(worker, left);
            return count < 0 && (number == EAGAIN || number == EINTR) ? GO_WAIT : GO_CLOSE;
        }
        conn_moved(conn, (size_t)count);
        parts_consume(conn, (size_t)count);
    }
    return GO_ON;
}

/* ---- copied ---- */

static enum go send_copied(struct conn *conn)
{
    struct iovec iov[CONN_PARTS_MAX];
    struct msghdr message = {.msg_iov = iov};
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    size_t first = conn->part_index;

    for (; conn->part_index < CONN_PARTS_MAX && !may_splice(conn); conn->part_index++)
        if (conn->parts[conn->part_index].len > 0)
            iov[message.msg_iovlen++] =
                (struct iovec){(void *)(uintptr_t)conn->parts[conn->part_index].at,
                               conn->parts[conn->part_index].len};
    if (conn->part_index < CONN_PARTS_MAX)
        flags |= MSG_MORE; /* the spliced part fills the segment */
    conn->part_index = first;
    ssize_t sent = sendmsg(conn->fd, &message, flags);
    if (sent < 0)
        return errno == EINTR ? GO_ON : errno == EAGAIN ? GO_WAIT : GO_CLOSE;
    conn_moved(conn, (size_t)sent);
    parts_consume(conn, (size_t)sent);
    return GO_ON;
}

static enum go send_plain(struct conn *conn)
{
    enum go go = GO_ON;

    while (go == GO_ON && parts_left(conn))
        go = may_splice(conn) ? send_spliced(conn) : send_copied(conn);
    return go;
}

/* ---- encrypted ---- */

/* The next record's content.  Short parts are joined, since each record costs its own head, tag and
 * call, and a client's read. */
static slice record_take(struct conn *conn, char room[TLS_RECORD_BYTES_MAX])
{
    size_t filled = 0;

    parts_skip_empty(conn);
    if (conn->parts[conn->part_index].len >= TLS_RECORD_BYTES_MAX) {
        slice record = slice_head(conn->parts[conn->part_index], TLS_RECORD_BYTES_MAX);

        parts_consume(conn, record.len);
        return record;
    }
    while (filled < TLS_RECORD_BYTES_MAX && parts_left(conn)) {
        slice piece = slice_head(conn->parts[conn->part_index], TLS_RECORD_BYTES_MAX - filled);

        memcpy(room + filled, piece.at, piece.len);
        filled += piece.len;
        parts_consume(conn, piece.len);
    }
    return slice_of(room, filled);
}

static enum go send_tls(struct conn *conn)
{
    struct buf *stage = &conn->worker->stage;
    char room[TLS_RECORD_BYTES_MAX];
    /* A client alone decrypts a record while the next is made. */
    bool is_alone = atomic_load(&conn->worker->shared->connection_count) == 1;
    size_t stage_bytes = is_alone ? TLS_RECORD_BYTES_MAX : STAGE_BYTES, sent;
    enum go go = GO_ON;

    while (go == GO_ON && parts_left(conn)) {
        buf_reset(stage);
        while (stage->len < stage_bytes && parts_left(conn))
            if (!tls_write(conn->tls, record_take(conn, room), stage))
                return GO_CLOSE;
        go = conn_send_bytes(conn, buf_slice(stage), &sent);
        if (go == GO_WAIT) { /* the rest is encrypted and cannot be taken back */
            buf_put(&conn->out, slice_from(buf_slice(stage), sent));
            if (conn->out.overflowed)
                go = GO_CLOSE;
        }
    }
    return go;
}

enum go conn_send_parts(struct conn *conn)
{
    enum go go = conn->tls != NULL ? send_tls(conn) : send_plain(conn);

    conn->waits_to_send = go == GO_WAIT;
    return go;
}
