#include "scan/follow_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/time.h"

#include "base/banned.h"

#define RESUME_HEAD_BYTES ((size_t)64 << 10)

static void tell(const struct follow_file *file, enum input_trouble trouble, const char *words)
{
    file->input->report(file->input->context, trouble, file->path, 0, words);
}

result follow_file_init(struct follow_file *file, const char *path, uint64_t number,
                        const struct input_choice *input, struct diag *diag)
{
    *file = (struct follow_file){.path = path, .input = input, .number = number, .fd = -1};
    TRY(input_stream_new(path, input, &file->stream, diag));
    file->stream->block_bytes = FOLLOW_BLOCK_BYTES;
    return OK;
}

static void file_close(struct follow_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd); /* read only: nothing can be lost */
    file->fd = -1;
}

void follow_file_free(struct follow_file *file)
{
    file_close(file);
    input_stream_release(&file->stream);
}

/* ---- what file it is ---- */

static void head_read(struct follow_file *file)
{
    ssize_t count = file->head_bytes == FOLLOW_HEAD_BYTES
                        ? 0
                        : pread(file->fd, file->head, FOLLOW_HEAD_BYTES, 0);

    if (count > (ssize_t)file->head_bytes)
        file->head_bytes = (size_t)count;
}

static bool head_is_same(const struct follow_file *file)
{
    char now[FOLLOW_HEAD_BYTES];
    ssize_t count = pread(file->fd, now, file->head_bytes, 0);

    return count == (ssize_t)file->head_bytes && memcmp(now, file->head, file->head_bytes) == 0;
}

/* 0, or the errno of what failed. */
static int file_open(struct follow_file *file, const char *path)
{
    struct stat status;
    /* Not to wait for the other end of a pipe. */
    int fd = FAULT_HERE() ? (errno = EIO, -1) : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return errno;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        (void)close(fd);
        return S_ISDIR(status.st_mode) ? EISDIR : ESPIPE;
    }
    file_close(file);
    file->fd = fd;
    file->device = status.st_dev;
    file->inode = status.st_ino;
    file->at = 0;
    file->head_bytes = 0;
    file->grown_mono_ns = time_mono_ns();
    file->is_quiet = file->is_rotated = file->is_ending = file->is_told_missing = false;
    head_read(file);
    return 0;
}

static bool is_packed(const struct follow_file *file)
{
    slice head = slice_of(file->head, file->head_bytes);

    return slice_starts(head, SLICE("\x1f\x8b")) || slice_starts(head, SLICE("\x28\xb5\x2f\xfd"));
}

/* Its path leads to it (again): from the beginning. */
static void file_begin(struct follow_file *file)
{
    bool was_told = file->is_told_missing;
    int number = file_open(file, file->path);

    if (number == 0) {
        input_stream_restart(file->stream);
        if (is_packed(file)) {
            if (!was_told)
                tell(file, INPUT_LOST, "is packed: it cannot be followed");
            file->is_told_missing = true;
            file_close(file);
        }
        return;
    }
    if (!file->is_told_missing)
        tell(file, INPUT_LOST,
             number == ESPIPE ? "is no file that can be followed" : strerrordesc_np(number));
    file->is_told_missing = true;
}

/* ---- going on where the last scan stopped ---- */

static bool is_position(const struct follow_file *file, const struct position *position)
{
    char head[FOLLOW_HEAD_BYTES];
    struct stat status;

    return file->device == position->device && file->inode == position->inode &&
           fstat(file->fd, &status) == 0 && (uint64_t)status.st_size >= position->offset &&
           pread(file->fd, head, position->head_bytes, 0) == (ssize_t)position->head_bytes &&
           position_hash(slice_of(head, position->head_bytes)) == position->head_hash;
}

static result position_take(struct follow_file *file, const struct position *position,
                            struct diag *diag)
{
    CLEANUP(buf_free) struct buf head = BUF(RESUME_HEAD_BYTES);
    char *room = buf_reserve(&head, RESUME_HEAD_BYTES);
    size_t wanted = position->offset < RESUME_HEAD_BYTES ? position->offset : RESUME_HEAD_BYTES;
    ssize_t count = room == NULL ? -1 : pread(file->fd, room, wanted, 0);

    if (count < 0 || lseek(file->fd, (off_t)position->offset, SEEK_SET) < 0)
        return diag_errno(diag, errno, "%s", file->path);
    input_stream_resume(file->stream, slice_of(room, (size_t)count), position->offset,
                        position->line_number);
    file->at = position->offset;
    file->told = *position;
    file->has_told = true;
    return OK;
}

/* The file of a position may have been renamed since, within its folder. */
static bool renamed_open(struct follow_file *file, const struct position *position)
{
    char folder[INPUT_PATH_BYTES_MAX], path[2 * INPUT_PATH_BYTES_MAX];
    const char *slash = strrchr(file->path, '/');
    const struct dirent *entry;
    bool is_found = false;

    if (slash == NULL)
        (void)snprintf(folder, sizeof(folder), ".");
    else
        (void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - file->path) + 1, file->path);
    DIR *stream = opendir(folder);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): safe on a stream of one's own */
    while (stream != NULL && !is_found && (entry = readdir(stream)) != NULL) {
        if (entry->d_ino != position->inode)
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        is_found = file_open(file, path) == 0 && is_position(file, position) && !is_packed(file);
    }
    if (stream != NULL)
        (void)closedir(stream);
    return is_found;
}

result follow_file_start(struct follow_file *file, const struct position *positions, size_t count,
                         struct diag *diag)
{
    file_begin(file);
    for (size_t i = 0; file->fd >= 0 && i < count; i++)
        if (is_position(file, &positions[i]))
            return position_take(file, &positions[i], diag);
    for (size_t i = 0; i < count; i++) {
        if (!slice_eq(slice_text(positions[i].path), slice_text(file->path)))
            continue;
        if (!renamed_open(file, &positions[i])) {
            file_begin(file);
            continue;
        }
        tell(file, INPUT_NOTICE, "was renamed since: the rest of it comes first");
        file->is_rotated = true;
        return position_take(file, &positions[i], diag);
    }
    return OK;
}

result follow_file_join(struct follow_file *file, const struct position *positions, size_t count,
                        struct diag *diag)
{
    file_begin(file);
    for (size_t i = 0; file->fd >= 0 && i < count; i++)
        if (is_position(file, &positions[i]))
            return position_take(file, &positions[i], diag);
    return OK;
}

/* ---- changes ---- */

static void truncated(struct follow_file *file)
{
    tell(file, INPUT_NOTICE, "was cut: read again from its beginning");
    (void)lseek(file->fd, 0, SEEK_SET);
    file->at = 0;
    file->head_bytes = 0;
    head_read(file);
    input_stream_restart(file->stream);
}

result follow_file_look(struct follow_file *file, struct diag *diag)
{
    struct stat now, held;

    (void)diag;
    file->is_quiet = false;
    if (file->fd < 0) {
        file->is_over = file->is_member && stat(file->path, &now) != 0;
        if (!file->is_over)
            file_begin(file);
        return OK;
    }
    if (fstat(file->fd, &held) == 0 && ((uint64_t)held.st_size < file->at || !head_is_same(file)))
        truncated(file);
    else
        head_read(file);
    bool is_there = stat(file->path, &now) == 0;
    if (is_there && (now.st_ino != file->inode || (uint64_t)now.st_dev != file->device))
        file->is_rotated = true;
    else if (file->is_member)
        file->is_rotated = !is_there; /* its new name may have been found since */
    return OK;
}

/* ---- reading ---- */

static result file_read(void *context, char *out, size_t room, size_t *count,
                        enum input_state *state, struct diag *diag)
{
    struct follow_file *file = context;
    ssize_t got;

    *count = 0;
    *state = INPUT_WAIT;
    if (file->is_ending) { /* nobody will write the end of its last line */
        *out = '\n';
        *count = 1;
        return OK;
    }
    do {
        got = FAULT_HERE() ? (errno = EIO, -1) : read(file->fd, out, room);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return diag_errno(diag, errno, "%s", file->path);
    if (got > 0) {
        *state = INPUT_MORE;
        *count = (size_t)got;
        file->at += (uint64_t)got;
        file->grown_mono_ns = time_mono_ns();
    }
    return OK;
}

static void place_put(const struct follow_file *file, struct input_block *block)
{
    block->place = (struct input_place){
        .file = file->number,
        .device = file->device,
        .inode = file->inode,
        .head_bytes = file->head_bytes,
        .head_hash = position_hash(slice_of(file->head, file->head_bytes)),
    };
}

static result block_read(struct follow_file *file, struct input_block *block, bool *found,
                         struct diag *diag)
{
    struct input_pull pull = {.read = file_read, .context = file};

    TRY(input_fill(file->stream, &pull, block, found, diag));
    if (*found)
        place_put(file, block);
    return OK;
}

result follow_file_next(struct follow_file *file, struct input_block *block, bool *found,
                        struct diag *diag)
{
    *found = false;
    if (file->is_over) {
        *found = true;
        return follow_file_last(file, block, diag);
    }
    if (file->fd < 0 || file->is_quiet)
        return OK;
    TRY(block_read(file, block, found, diag));
    if (*found)
        return OK;
    file->is_quiet = true;
    if (!file->is_rotated ||
        time_mono_ns() - file->grown_mono_ns < FOLLOW_LINGER_MS * UINT64_C(1000000))
        return OK;
    if (file->stream->carry.len > 0 && !file->stream->is_skipping) {
        file->is_ending = true;
        TRY(block_read(file, block, found, diag));
        file->is_ending = false;
    }
    file->is_over = file->is_member;
    if (file->is_over)
        return OK;
    tell(file, INPUT_NOTICE, "was rotated: the new file is read");
    file_begin(file);
    return OK;
}

static result nothing_read(void *context, char *out, size_t room, size_t *count,
                           enum input_state *state, struct diag *diag)
{
    (void)context;
    (void)out;
    (void)room;
    (void)diag;
    *count = 0;
    *state = INPUT_END;
    return OK;
}

result follow_file_last(struct follow_file *file, struct input_block *block, struct diag *diag)
{
    struct input_pull pull = {.read = nothing_read};
    bool found;

    buf_reset(&file->stream->carry);
    TRY(input_fill(file->stream, &pull, block, &found, diag));
    block->place = (struct input_place){0};
    return OK;
}
