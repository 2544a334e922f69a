#include "store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"

#include "base/banned.h"

#define DIRECTORY_MAP_BYTES (ADDITIONS_MAX * RECORD_BYTES)
#define APPEND_BYTES ((size_t)4 << 20) /* written in pieces of this size */
#define RESERVE_BYTES_MIN ((uint64_t)1 << 20)
#define RESERVE_BYTES_MAX ((uint64_t)64 << 20)
#define PUNCH_BYTES 4096

static void segment_name(uint64_t segment, char out[16])
{
    (void)snprintf(out, 16, "%06u", (unsigned)segment);
}

static result folder_open(int at, const char *path, bool create, int *out, struct diag *diag)
{
    if (create && mkdirat(at, path, 0700) != 0 && errno != EEXIST)
        return diag_errno(diag, errno, "%s: cannot be made", path);
    *out = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*out < 0)
        return diag_errno(diag, errno, "%s", path);
    return OK;
}

result files_open(struct store_files *files, const char *folder, bool create, struct diag *diag)
{
    files->folder_fd = files->segments_fd = files->directory_fd = -1;
    if (pthread_mutex_init(&files->guard, NULL) != 0)
        return diag_fail(diag, ERR_IO, "no mutex to be had");
    TRY(folder_open(AT_FDCWD, folder, create, &files->folder_fd, diag));
    TRY(diag_within(diag,
                    folder_open(files->folder_fd, "segments", create, &files->segments_fd, diag),
                    "%s", folder));
    files->directory_fd =
        openat(files->folder_fd, "directory", O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
    /* Who may only read opens it so; writing is refused later, with its own words. */
    if (files->directory_fd < 0 && (errno == EACCES || errno == EROFS))
        files->directory_fd = openat(files->folder_fd, "directory", O_RDONLY | O_CLOEXEC);
    if (files->directory_fd < 0 || FAULT_HERE())
        return diag_errno(diag, errno, "%s/directory", folder);
    void *map = mmap(NULL, DIRECTORY_MAP_BYTES, PROT_READ, MAP_SHARED | MAP_NORESERVE,
                     files->directory_fd, 0);
    if (map == MAP_FAILED)
        return diag_errno(diag, errno, "%s/directory: cannot be mapped", folder);
    files->directory = map;
    return OK;
}

static void fd_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* nothing is written without a sync that was checked */
    *fd = -1;
}

void files_close(struct store_files *files)
{
    for (size_t i = 0; i < SEGMENTS_MAX; i++) {
        const char *map = atomic_load_explicit(&files->segments[i], memory_order_relaxed);

        if (map != NULL)
            (void)munmap((void *)(uintptr_t)map, SEGMENT_BYTES);
    }
    if (files->directory != NULL)
        (void)munmap((void *)(uintptr_t)files->directory, DIRECTORY_MAP_BYTES);
    fd_close(&files->directory_fd);
    fd_close(&files->segments_fd);
    fd_close(&files->folder_fd);
    (void)pthread_mutex_destroy(&files->guard);
}

static result length_check(int at, const char *name, uint64_t need, struct diag *diag)
{
    struct stat stat;

    if (fstatat(at, name, &stat, 0) != 0) {
        if (errno == ENOENT)
            return diag_fail(diag, ERR_CORRUPT, "%s: is gone, %llu bytes of it are in use", name,
                             (unsigned long long)need);
        return diag_errno(diag, errno, "%s", name);
    }
    if ((uint64_t)stat.st_size < need)
        return diag_fail(diag, ERR_CORRUPT, "%s: holds %llu bytes, %llu are in use: it was cut",
                         name, (unsigned long long)stat.st_size, (unsigned long long)need);
    return OK;
}

/* The last segment is as long as the end says; those in front are whole (segment_finish). */
result files_check(struct store_files *files, uint64_t additions, uint64_t text_end,
                   struct diag *diag)
{
    uint64_t last = text_end / SEGMENT_BYTES;

    if (additions > ADDITIONS_MAX || last >= SEGMENTS_MAX)
        return diag_fail(diag, ERR_CORRUPT,
                         "table meta: names %llu additions and %llu bytes of text, more than a "
                         "store holds",
                         (unsigned long long)additions, (unsigned long long)text_end);
    TRY(length_check(files->folder_fd, "directory", additions * RECORD_BYTES, diag));
    for (uint64_t segment = 0; segment * SEGMENT_BYTES < text_end; segment++) {
        uint64_t need = segment == last ? text_end % SEGMENT_BYTES : SEGMENT_BYTES;
        char name[16];

        segment_name(segment, name);
        TRY(diag_within(diag, length_check(files->segments_fd, name, need, diag), "segments"));
    }
    return OK;
}

static const char *segment_map(struct store_files *files, uint64_t segment)
{
    const char *map = NULL;
    char name[16];

    (void)pthread_mutex_lock(&files->guard);
    map = atomic_load_explicit(&files->segments[segment], memory_order_acquire);
    if (map == NULL && !FAULT_HERE()) {
        segment_name(segment, name);
        int fd = openat(files->segments_fd, name, O_RDONLY | O_CLOEXEC);
        void *at = fd < 0 ? MAP_FAILED
                          : mmap(NULL, SEGMENT_BYTES, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
        if (at != MAP_FAILED) {
            map = at;
            atomic_store_explicit(&files->segments[segment], map, memory_order_release);
        }
        fd_close(&fd);
    }
    (void)pthread_mutex_unlock(&files->guard);
    return map;
}

slice files_text(struct store_files *files, uint64_t at, size_t bytes)
{
    uint64_t segment = at / SEGMENT_BYTES;

    if (segment >= SEGMENTS_MAX || at % SEGMENT_BYTES + bytes > SEGMENT_BYTES)
        return SLICE_NONE;
    const char *map = atomic_load_explicit(&files->segments[segment], memory_order_acquire);
    if (map == NULL)
        map = segment_map(files, segment);
    return map == NULL ? SLICE_NONE : slice_of(map + at % SEGMENT_BYTES, bytes);
}

/* Whole pages alone; what is asked of them again comes from the file again. */
static void pages_pass(const char *map, uint64_t from, uint64_t end)
{
    uint64_t first = (from + PUNCH_BYTES - 1) / PUNCH_BYTES * PUNCH_BYTES;
    uint64_t last = end / PUNCH_BYTES * PUNCH_BYTES;

    if (map != NULL && first < last)
        (void)madvise((void *)(uintptr_t)(map + first), (size_t)(last - first), MADV_DONTNEED);
}

void files_pass(struct store_files *files, uint64_t at, uint64_t end, uint64_t seq,
                uint64_t seq_end)
{
    pages_pass((const char *)files->directory, seq * RECORD_BYTES, seq_end * RECORD_BYTES);
    while (at < end && at / SEGMENT_BYTES < SEGMENTS_MAX) {
        uint64_t segment = at / SEGMENT_BYTES, segment_end = (segment + 1) * SEGMENT_BYTES;
        uint64_t stop = end < segment_end ? end : segment_end;
        const char *map = atomic_load_explicit(&files->segments[segment], memory_order_acquire);

        pages_pass(map, at % SEGMENT_BYTES, stop - segment * SEGMENT_BYTES);
        at = stop;
    }
}

static result write_all(int fd, const char *from, size_t bytes, uint64_t at, struct diag *diag)
{
    while (bytes > 0) {
        if (FAULT_HERE())
            return diag_errno(diag, EIO, "object files cannot be written");
        ssize_t count = pwrite(fd, from, bytes, (off_t)at);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return diag_errno(diag, count < 0 ? errno : ENOSPC, "object files cannot be written");
        from += count;
        bytes -= (size_t)count;
        at += (uint64_t)count;
    }
    return OK;
}

/* Holes are whole pages; what hangs over at both ends is overwritten with spaces. */
result files_punch(struct store_files *files, uint64_t at, size_t bytes, struct diag *diag)
{
    char spaces[PUNCH_BYTES];
    char name[16];
    uint64_t from = at % SEGMENT_BYTES, end = from + bytes;
    uint64_t hole = (from + PUNCH_BYTES - 1) / PUNCH_BYTES * PUNCH_BYTES;
    uint64_t hole_end = end / PUNCH_BYTES * PUNCH_BYTES;
    result r = OK;

    memset(spaces, ' ', sizeof(spaces));
    segment_name(at / SEGMENT_BYTES, name);
    int fd = openat(files->segments_fd, name, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return diag_errno(diag, errno, "segments/%s", name);
    for (uint64_t position = from; succeeded(r) && position < end; position += PUNCH_BYTES)
        r = write_all(fd, spaces,
                      end - position < PUNCH_BYTES ? (size_t)(end - position) : PUNCH_BYTES,
                      position, diag);
    /* A file system without holes keeps the spaces. */
    if (succeeded(r) && hole_end > hole)
        (void)fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)hole,
                        (off_t)(hole_end - hole));
    if (succeeded(r) && (FAULT_HERE() || fdatasync(fd) != 0))
        r = diag_errno(diag, errno, "segments/%s: cannot be made durable", name);
    fd_close(&fd);
    return r;
}

result files_cut(struct store_files *files, uint64_t additions, uint64_t text_end,
                 struct diag *diag)
{
    char name[16];
    uint64_t segment = text_end / SEGMENT_BYTES;

    if (FAULT_HERE() || ftruncate(files->directory_fd, (off_t)(additions * RECORD_BYTES)) != 0)
        return diag_errno(diag, errno, "directory: cannot be cut");
    segment_name(segment, name);
    int fd = openat(files->segments_fd, name, O_RDWR | O_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, (off_t)(text_end % SEGMENT_BYTES)) != 0) {
        int number = errno;
        fd_close(&fd);
        return diag_errno(diag, number, "segments/%s: cannot be cut", name);
    }
    fd_close(&fd);
    /* Segments behind that one are nobody's.  One that is mapped stays: its name is used again. */
    for (segment++; segment < SEGMENTS_MAX; segment++) {
        segment_name(segment, name);
        fd = openat(files->segments_fd, name, O_RDWR | O_CLOEXEC);
        if (fd < 0)
            return OK;
        int number = ftruncate(fd, 0) == 0 ? 0 : errno;
        fd_close(&fd);
        if (number != 0)
            return diag_errno(diag, number, "segments/%s: cannot be cut", name);
    }
    return OK;
}

void appender_begin(struct appender *appender, struct store_files *files, uint64_t additions,
                    uint64_t text_end, struct diag *diag)
{
    *appender = (struct appender){
        .files = files,
        .diag = diag,
        .text_end = text_end,
        .text_at = text_end,
        .additions = additions,
        .record_at = additions,
        .segment_fd = -1,
        .text = BUF(SEGMENT_BYTES + APPEND_BYTES + 1),
        .records = BUF(2 * APPEND_BYTES),
    };
}

/* Set disk space aside in growing steps, so that a sync has no sizes to write and a full disk
 * shows early.  A refusal is no failure: the write itself will tell. */
static void reserve(int fd, uint64_t end, uint64_t ceiling, uint64_t *reserved)
{
    struct stat stat;

    if (*reserved == 0 && fstat(fd, &stat) == 0)
        *reserved = (uint64_t)stat.st_size;
    if (end <= *reserved)
        return;
    uint64_t step = end / 4;
    step = step < RESERVE_BYTES_MIN ? RESERVE_BYTES_MIN : step;
    step = step > RESERVE_BYTES_MAX ? RESERVE_BYTES_MAX : step;
    uint64_t target = end + step < ceiling ? end + step : ceiling;
    if (posix_fallocate(fd, (off_t)*reserved, (off_t)(target - *reserved)) == 0)
        *reserved = target;
}

static result segment_use(struct appender *appender, uint64_t segment)
{
    char name[16];

    if (appender->segment_fd >= 0 && appender->segment == segment)
        return OK;
    if (segment >= SEGMENTS_MAX)
        return diag_fail(appender->diag, ERR_LIMIT, "the store holds %d segments, no more",
                         SEGMENTS_MAX);
    if (appender->segment_fd >= 0 && fdatasync(appender->segment_fd) != 0)
        return diag_errno(appender->diag, errno, "a segment cannot be made durable");
    fd_close(&appender->segment_fd);
    segment_name(segment, name);
    appender->segment_fd =
        openat(appender->files->segments_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (appender->segment_fd < 0 || FAULT_HERE())
        return diag_errno(appender->diag, errno, "segments/%s", name);
    appender->segment = segment;
    appender->allocated = 0;
    appender->made_segment = true;
    return OK;
}

static result text_write(struct appender *appender)
{
    uint64_t at = appender->text_at % SEGMENT_BYTES;

    if (appender->text.len == 0)
        return OK;
    TRY(segment_use(appender, appender->text_at / SEGMENT_BYTES));
    reserve(appender->segment_fd, at + appender->text.len, SEGMENT_BYTES, &appender->allocated);
    TRY(write_all(appender->segment_fd, appender->text.at, appender->text.len, at, appender->diag));
    /* Let the disk begin while we go on; the sync at the end then finds little left. */
    (void)sync_file_range(appender->segment_fd, (off_t)at, (off_t)appender->text.len,
                          SYNC_FILE_RANGE_WRITE);
    appender->text_at += appender->text.len;
    buf_reset(&appender->text);
    return OK;
}

static result records_write(struct appender *appender)
{
    uint64_t at = appender->record_at * RECORD_BYTES;

    if (appender->records.len == 0)
        return OK;
    reserve(appender->files->directory_fd, at + appender->records.len, DIRECTORY_MAP_BYTES,
            &appender->reserved);
    TRY(write_all(appender->files->directory_fd, appender->records.at, appender->records.len, at,
                  appender->diag));
    (void)sync_file_range(appender->files->directory_fd, (off_t)at, (off_t)appender->records.len,
                          SYNC_FILE_RANGE_WRITE);
    appender->record_at += appender->records.len / RECORD_BYTES;
    buf_reset(&appender->records);
    return OK;
}

/* A segment that others follow is as long as any: one that was cut is told by its length. */
static result segment_finish(struct appender *appender)
{
    TRY(text_write(appender));
    TRY(segment_use(appender, appender->text_end / SEGMENT_BYTES));
    if (FAULT_HERE() || ftruncate(appender->segment_fd, (off_t)SEGMENT_BYTES) != 0 ||
        fsync(appender->segment_fd) != 0)
        return diag_errno(appender->diag, errno, "a segment cannot be finished");
    return OK;
}

void appender_text(struct appender *appender, slice text, struct record *record)
{
    uint64_t at = appender->text_end % SEGMENT_BYTES;

    if (failed(appender->state))
        return;
    /* A comma stands between neighbours; a text that does not fit begins the next segment. */
    if (at != 0 && at + 1 + text.len > SEGMENT_BYTES) {
        appender->state = segment_finish(appender);
        appender->text_end += SEGMENT_BYTES - at;
        appender->text_at = appender->text_end;
    } else if (appender->text_end % SEGMENT_BYTES != 0) {
        buf_byte(&appender->text, ',');
        appender->text_end++;
    }
    record->text_at = appender->text_end;
    record->text_bytes = (uint32_t)text.len;
    buf_put(&appender->text, text);
    appender->text_end += text.len;
    if (appender->text.overflowed && succeeded(appender->state))
        appender->state = diag_fail(appender->diag, ERR_LIMIT, "no memory for object text");
    if (succeeded(appender->state) && appender->text.len >= APPEND_BYTES)
        appender->state = text_write(appender);
}

void appender_record(struct appender *appender, const struct record *record)
{
    if (failed(appender->state))
        return;
    if (appender->additions >= ADDITIONS_MAX) {
        appender->state = diag_fail(appender->diag, ERR_LIMIT, "the store is full: %llu additions",
                                    (unsigned long long)ADDITIONS_MAX);
        return;
    }
    char *room = buf_reserve(&appender->records, RECORD_BYTES);
    if (room == NULL) {
        appender->state = diag_fail(appender->diag, ERR_LIMIT, "no memory for records");
        return;
    }
    record_encode(record, (uint8_t *)room);
    appender->records.len += RECORD_BYTES;
    appender->additions++;
    if (appender->records.len >= APPEND_BYTES)
        appender->state = records_write(appender);
}

const uint8_t *appender_record_at(const struct appender *appender, uint64_t seq)
{
    if (seq < appender->record_at)
        return files_record(appender->files, seq);
    return (const uint8_t *)appender->records.at + (seq - appender->record_at) * RECORD_BYTES;
}

static result appender_sync(struct appender *appender)
{
    if (FAULT_HERE() || (appender->segment_fd >= 0 && fdatasync(appender->segment_fd) != 0))
        return diag_errno(appender->diag, errno, "a segment cannot be made durable");
    if (FAULT_HERE() || fdatasync(appender->files->directory_fd) != 0)
        return diag_errno(appender->diag, errno, "the directory cannot be made durable");
    if (appender->made_segment && fsync(appender->files->segments_fd) != 0)
        return diag_errno(appender->diag, errno, "segments/ cannot be made durable");
    appender->made_segment = false;
    return OK;
}

result appender_flush(struct appender *appender, bool sync)
{
    if (succeeded(appender->state))
        appender->state = text_write(appender);
    if (succeeded(appender->state))
        appender->state = records_write(appender);
    if (succeeded(appender->state) && sync)
        appender->state = appender_sync(appender);
    return appender->state;
}

void appender_end(struct appender *appender)
{
    fd_close(&appender->segment_fd);
    buf_free(&appender->text);
    buf_free(&appender->records);
}
