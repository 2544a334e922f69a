#include "scan/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"

#include "base/banned.h"

#define PATH_BYTES_MAX 4400

static void fd_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* nothing is written without a sync that was checked */
    *fd = -1;
}

result whole_folder(const char *folder, const char *inner, struct diag *diag)
{
    CLEANUP(fd_close)
    int fd = FAULT_HERE() ? (errno = EIO, -1) : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return diag_errno(diag, errno, "%s", folder);
    if (faccessat(fd, inner, F_OK, 0) == 0)
        return OK;
    if (FAULT_HERE() || (mkdirat(fd, inner, 0700) != 0 && errno != EEXIST))
        return diag_errno(diag, errno, "%s/%s: cannot be made", folder, inner);
    if (FAULT_HERE() || fsync(fd) != 0)
        return diag_errno(diag, errno, "%s: cannot be made durable", folder);
    return OK;
}

static bool write_all(int fd, slice bytes)
{
    while (bytes.len > 0) {
        ssize_t count = FAULT_HERE() ? (errno = ENOSPC, -1) : write(fd, bytes.at, bytes.len);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        bytes = slice_from(bytes, (size_t)count);
    }
    return true;
}

/* False: errno says why. */
static bool file_make(int folder, const char *part, const char *name, slice bytes)
{
    CLEANUP(fd_close)
    int fd = FAULT_HERE() ? (errno = EIO, -1)
                          : openat(folder, part,
                                   O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 || !write_all(fd, bytes))
        return false;
    if (FAULT_HERE() || fsync(fd) != 0)
        return false;
    if (FAULT_HERE() || renameat(folder, part, folder, name) != 0)
        return false;
    return !FAULT_HERE() && fsync(folder) == 0;
}

result whole_write(const char *folder, const char *name, slice bytes, struct diag *diag)
{
    char part[PATH_BYTES_MAX];
    CLEANUP(fd_close)
    int fd = FAULT_HERE() ? (errno = EIO, -1) : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return diag_errno(diag, errno, "%s", folder);
    /* Two processes may write the same name at once: each has a part of its own. */
    (void)snprintf(part, sizeof(part), "%s.%ld.tmp", name, (long)getpid());
    if (file_make(fd, part, name, bytes))
        return OK;
    int number = errno;
    (void)unlinkat(fd, part, 0); /* is not there when its making failed */
    return diag_errno(diag, number, "%s/%s", folder, name);
}

result whole_map(const char *folder, const char *name, size_t bytes_max, struct whole *out,
                 struct diag *diag)
{
    char path[PATH_BYTES_MAX];
    struct stat stat;

    *out = (struct whole){0};
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    CLEANUP(fd_close)
    int fd = FAULT_HERE() ? (errno = EIO, -1) : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &stat) != 0)
        return diag_errno(diag, errno, "%s", path);
    if (!S_ISREG(stat.st_mode))
        return diag_fail(diag, ERR_INVALID, "%s: is no file", path);
    if ((uint64_t)stat.st_size > bytes_max)
        return diag_fail(diag, ERR_LIMIT, "%s: has more than %zu bytes", path, bytes_max);
    if (stat.st_size == 0)
        return OK;
    void *at =
        FAULT_HERE() ? MAP_FAILED : mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return diag_errno(diag, errno, "%s: cannot be mapped", path);
    *out = (struct whole){.at = at, .len = (size_t)stat.st_size};
    out->bytes = slice_of(at, out->len);
    return OK;
}

void whole_unmap(struct whole *whole)
{
    if (whole->at != NULL)
        (void)munmap(whole->at, whole->len);
    *whole = (struct whole){0};
}
