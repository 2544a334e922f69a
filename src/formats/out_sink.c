/* Where an export's bytes go: in pieces to a taker, or to a file that is put in place whole. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "formats/out.h"

#include "base/banned.h"

#define SINK_CEILING ((size_t)64 << 20) /* one step writes no more */
#define COMPARE_BYTES ((size_t)1 << 16)

void out_sink_begin(struct out_sink *sink, result (*take)(void *, slice, struct diag *),
                    void *context, struct diag *diag)
{
    *sink =
        (struct out_sink){.buf = BUF(SINK_CEILING), .take = take, .context = context, .diag = diag};
}

static void sink_flush(struct out_sink *sink)
{
    if (sink->buf.overflowed && succeeded(sink->state))
        sink->state = diag_fail(sink->diag, ERR_LIMIT, "no memory for an export");
    if (succeeded(sink->state) && sink->buf.len > 0)
        sink->state = sink->take(sink->context, buf_slice(&sink->buf), sink->diag);
    buf_reset(&sink->buf);
}

void out_sink_step(struct out_sink *sink)
{
    if (sink->buf.len >= OUT_SINK_BYTES || sink->buf.overflowed)
        sink_flush(sink);
}

result out_sink_end(struct out_sink *sink)
{
    sink_flush(sink);
    buf_free(&sink->buf);
    return sink->state;
}

/* ---- files ---- */

/* A link stays, and what it points to is replaced. */
result out_file_begin(struct out_file *file, const char *path, struct diag *diag)
{
    char real[PATH_MAX];
    struct stat about;

    *file = OUT_FILE;
    const char *named = realpath(path, real) != NULL ? real : path;
    int len = snprintf(file->path, sizeof(file->path), "%s", named);
    if (len < 0 || (size_t)len >= sizeof(file->path))
        return diag_fail(diag, ERR_LIMIT, "%s: the path is too long", path);
    if (stat(named, &about) == 0 && !S_ISREG(about.st_mode)) {
        /* A pipe or a device takes the bytes as they come. */
        file->fd = S_ISDIR(about.st_mode) ? -1 : open(named, O_WRONLY | O_CLOEXEC);
        if (file->fd >= 0)
            return OK;
        return S_ISDIR(about.st_mode) ? diag_fail(diag, ERR_INVALID, "%s: is a folder", path)
                                      : diag_errno(diag, errno, "%s", path);
    }
    (void)snprintf(file->beside, sizeof(file->beside), "%s.%ld.part", file->path, (long)getpid());
    file->fd = open(file->beside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file->fd < 0) {
        int number = errno;

        file->beside[0] = '\0'; /* not ours to remove */
        return diag_errno(diag, number, "%s", file->path);
    }
    return OK;
}

result out_file_take(void *context, slice bytes, struct diag *diag)
{
    const struct out_file *file = context;

    while (bytes.len > 0) {
        if (FAULT_HERE())
            return diag_errno(diag, EIO, "%s", file->path);
        ssize_t count = write(file->fd, bytes.at, bytes.len);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return diag_errno(diag, count < 0 ? errno : ENOSPC, "%s", file->path);
        bytes = slice_from(bytes, (size_t)count);
    }
    return OK;
}

static size_t read_whole(int fd, char *room, size_t bytes, off_t at)
{
    size_t have = 0;

    while (have < bytes) {
        ssize_t count = pread(fd, room + have, bytes - have, at + (off_t)have);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        have += (size_t)count;
    }
    return have;
}

/* What cannot be read is taken for different. */
static bool is_same(int fd, const char *path)
{
    char ours[COMPARE_BYTES], theirs[COMPARE_BYTES];
    int other = open(path, O_RDONLY | O_CLOEXEC);
    bool same = other >= 0;
    off_t at = 0;

    while (same) {
        size_t count = read_whole(fd, ours, sizeof(ours), at);

        same = read_whole(other, theirs, sizeof(theirs), at) == count &&
               memcmp(ours, theirs, count) == 0;
        at += (off_t)count;
        if (count < sizeof(ours))
            break;
    }
    if (other >= 0)
        (void)close(other);
    return same;
}

/* Without this the name may be lost with the power, though the bytes are there. */
static result folder_sync(const char *path, struct diag *diag)
{
    char folder[4096];
    int len = snprintf(folder, sizeof(folder), "%s", path);
    char *slash = len > 0 && (size_t)len < sizeof(folder) ? strrchr(folder, '/') : NULL;

    if (slash != NULL)
        slash[slash == folder ? 1 : 0] = '\0';
    int fd = open(slash != NULL ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return diag_errno(diag, errno, "%s", path);
    result r = fsync(fd) == 0 || errno == EINVAL ? OK : diag_errno(diag, errno, "%s", path);
    (void)close(fd);
    return r;
}

result out_file_commit(struct out_file *file, bool only_changed, bool *is_changed,
                       struct diag *diag)
{
    result r = OK;
    bool is_stream = file->beside[0] == '\0';

    *is_changed = true;
    if (is_stream) {
        if (close(file->fd) != 0)
            r = diag_errno(diag, errno, "%s", file->path);
        file->fd = -1;
        return r;
    }
    if (only_changed && is_same(file->fd, file->path)) {
        *is_changed = false;
        out_file_abort(file);
        return OK;
    }
    struct stat about;
    if (stat(file->path, &about) == 0) /* who may read it stays as it was */
        (void)fchmod(file->fd, about.st_mode & 07777);
    if (FAULT_HERE() || fsync(file->fd) != 0)
        r = diag_errno(diag, errno, "%s", file->path);
    if (close(file->fd) != 0 && succeeded(r))
        r = diag_errno(diag, errno, "%s", file->path);
    file->fd = -1;
    if (succeeded(r) && (FAULT_HERE() || rename(file->beside, file->path) != 0))
        r = diag_errno(diag, errno, "%s", file->path);
    if (failed(r)) {
        (void)unlink(file->beside);
        return r;
    }
    return folder_sync(file->path, diag);
}

void out_file_abort(struct out_file *file)
{
    if (file->fd < 0)
        return;
    (void)close(file->fd);
    file->fd = -1;
    if (file->beside[0] != '\0')
        (void)unlink(file->beside);
}
