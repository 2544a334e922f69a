#include "scan/follow.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/time.h"
#include "net/listen.h"
#include "scan/follow_file.h"

#include "base/banned.h"

#define POLLED_MAX (2 + FOLLOW_LISTENERS_MAX + FOLLOW_CONNECTIONS_MAX)
#define CONNECTION_LINE_BYTES_MAX ((size_t)2 << 20) /* all together stay within some 256 MB */

struct connection {
    int fd; /* owned; -1: none */
    struct input_stream *stream;
    bool is_quiet, is_stopping;
};

struct follow {
    const struct input_choice *input; /* borrowed */
    const char *state_path;           /* borrowed; NULL: positions are not kept */
    struct follow_file *files;        /* owned: FOLLOW_FILES_MAX, so that none ever moves */
    size_t file_count;                /* those without a stream are free again */
    const char **folders;             /* owned; the paths borrowed */
    size_t folder_count;
    bool is_crowded; /* more files than may be followed: told */
    struct listener listeners[FOLLOW_LISTENERS_MAX];
    size_t listener_count;
    struct connection connections[FOLLOW_CONNECTIONS_MAX];
    size_t turn; /* who is asked first: each in its turn */
    int stop_event, watch;
    bool is_stopping;
    /* Guards each file's `told`, which is set behind the blocks, and what follows. */
    pthread_mutex_t told_lock;
    struct position *positions; /* owned: room to write them from */
    uint64_t saved_mono_ns;
    bool is_unsaved;
};

/* ---- opening ---- */

static void folder_watch(const struct follow *follow, const char *folder)
{
    /* Fails where there is no such folder yet, or too many are watched: then files are looked at
     * every FOLLOW_LOOK_MS. */
    (void)inotify_add_watch(follow->watch, folder,
                            IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE);
}

static void folder_of_watch(const struct follow *follow, const char *path)
{
    char folder[INPUT_PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        (void)snprintf(folder, sizeof(folder), ".");
    else
        (void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path) + 1, path);
    folder_watch(follow, folder);
}

/* ---- folders ---- */

static bool is_folder(const char *path)
{
    struct stat status;

    return slice_ends(slice_text(path), SLICE("/")) ||
           (stat(path, &status) == 0 && S_ISDIR(status.st_mode));
}

static void member_drop(struct follow *follow, struct follow_file *file)
{
    (void)pthread_mutex_lock(&follow->told_lock);
    table_free((char *)(uintptr_t)file->path); /* a copy of its own */
    follow_file_free(file);
    *file = (struct follow_file){.fd = -1};
    (void)pthread_mutex_unlock(&follow->told_lock);
}

static char *path_copy(const char *path)
{
    size_t bytes = strlen(path) + 1, capacity = 0;
    char *copy = FAULT_HERE() ? NULL : table_grow(NULL, &capacity, bytes, bytes, 1);

    if (copy != NULL)
        memcpy(copy, path, bytes);
    return copy;
}

/* A place that is free, at the end if there is none before; NULL: there are too many files. */
static struct follow_file *file_room(struct follow *follow)
{
    for (size_t i = 0; i < follow->file_count; i++)
        if (follow->files[i].stream == NULL)
            return &follow->files[i];
    if (follow->file_count == FOLLOW_FILES_MAX)
        return NULL;
    (void)pthread_mutex_lock(&follow->told_lock);
    struct follow_file *file = &follow->files[follow->file_count++];
    *file = (struct follow_file){.fd = -1};
    (void)pthread_mutex_unlock(&follow->told_lock);
    return file;
}

static result member_add(struct follow *follow, const char *path, size_t known, struct diag *diag)
{
    struct follow_file *file = file_room(follow);

    if (file == NULL) {
        if (!follow->is_crowded)
            follow->input->report(follow->input->context, INPUT_LOST, path, 0,
                                  "too many files to follow: it is passed over");
        follow->is_crowded = true;
        return OK;
    }
    char *own = path_copy(path);
    if (own == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    result r =
        follow_file_init(file, own, (uint64_t)(file - follow->files) + 1, follow->input, diag);
    if (failed(r)) {
        table_free(own);
        *file = (struct follow_file){.fd = -1};
        return r;
    }
    file->is_member = true; /* which owns its path */
    r = follow_file_join(file, follow->positions, known, diag);
    if (failed(r))
        member_drop(follow, file);
    return r;
}

/* Is it followed?  A folder's file that was renamed goes by its new name from now on. */
static result is_followed(struct follow *follow, const char *path, const struct stat *status,
                          bool *out, struct diag *diag)
{
    *out = false;
    for (size_t i = 0; i < follow->file_count && !*out; i++) {
        struct follow_file *file = &follow->files[i];

        if (file->stream == NULL)
            continue;
        bool is_it = file->fd >= 0 && file->inode == status->st_ino &&
                     file->device == (uint64_t)status->st_dev;
        bool is_named = strcmp(file->path, path) == 0;
        *out = is_it || (is_named && (file->fd < 0 || !file->is_member));
        if (!is_it || is_named || !file->is_member)
            continue;
        char *own = path_copy(path);
        if (own == NULL)
            return diag_fail(diag, ERR_LIMIT, "out of memory");
        (void)pthread_mutex_lock(&follow->told_lock);
        table_free((char *)(uintptr_t)file->path);
        file->path = own;
        file->is_rotated = false;
        (void)pthread_mutex_unlock(&follow->told_lock);
    }
    return OK;
}

/* One that is packed was written whole by somebody: what it holds was followed before. */
static bool is_packed_name(slice name)
{
    static const slice endings[] = {S(".gz"), S(".zst"), S(".xz"), S(".bz2"), S(".zip")};

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        if (slice_ends(name, endings[i]))
            return true;
    return false;
}

static result folder_look(struct follow *follow, const char *folder, size_t known,
                          struct diag *diag)
{
    char path[INPUT_PATH_BYTES_MAX];
    const struct dirent *entry;
    struct stat status;
    bool is_there;
    result r = OK;
    DIR *stream = opendir(folder);

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): safe on a stream of one's own */
    while (stream != NULL && succeeded(r) && (entry = readdir(stream)) != NULL) {
        int bytes = snprintf(path, sizeof(path), "%s%s%s", folder,
                             slice_ends(slice_text(folder), SLICE("/")) ? "" : "/", entry->d_name);

        if (entry->d_name[0] == '.' || is_packed_name(slice_text(entry->d_name)) ||
            bytes >= (int)sizeof(path) || stat(path, &status) != 0 || !S_ISREG(status.st_mode))
            continue;
        r = is_followed(follow, path, &status, &is_there, diag);
        if (succeeded(r) && !is_there)
            r = member_add(follow, path, known, diag);
    }
    if (stream != NULL)
        (void)closedir(stream);
    return r;
}

/* known: positions that were kept, in follow->positions; 0 once these may have been written over.
 */
static result folders_look(struct follow *follow, size_t known, struct diag *diag)
{
    for (size_t i = 0; i < follow->folder_count; i++)
        TRY(folder_look(follow, follow->folders[i], known, diag));
    return OK;
}

static result tables_make(struct follow *follow, size_t paths, struct diag *diag)
{
    size_t capacity = 0, positions_capacity = 0, folders_capacity = 0;

    follow->files =
        table_grow(NULL, &capacity, FOLLOW_FILES_MAX, FOLLOW_FILES_MAX, sizeof(*follow->files));
    follow->positions = table_grow(NULL, &positions_capacity, FOLLOW_FILES_MAX, FOLLOW_FILES_MAX,
                                   sizeof(*follow->positions));
    follow->folders =
        table_grow(NULL, &folders_capacity, paths, FOLLOW_FILES_MAX, sizeof(*follow->folders));
    if (follow->files == NULL || follow->positions == NULL || follow->folders == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    return OK;
}

static result files_start(struct follow *follow, const struct follow_choice *choice,
                          struct diag *diag)
{
    size_t known = 0, count = choice->path_count;

    if (count == 0)
        return OK;
    if (count > FOLLOW_FILES_MAX)
        return diag_fail(diag, ERR_LIMIT, "more than %d files to follow", FOLLOW_FILES_MAX);
    TRY(tables_make(follow, count, diag));
    if (choice->state_path != NULL)
        TRY(positions_read(choice->state_path, follow->positions, FOLLOW_FILES_MAX, &known, diag));
    for (size_t i = 0; i < count; i++) {
        if (is_folder(choice->paths[i])) {
            follow->folders[follow->folder_count++] = choice->paths[i];
            folder_watch(follow, choice->paths[i]);
            continue;
        }
        struct follow_file *file = &follow->files[follow->file_count];

        *file = (struct follow_file){.fd = -1};
        follow->file_count++;
        TRY(follow_file_init(file, choice->paths[i], follow->file_count, choice->input, diag));
        folder_of_watch(follow, choice->paths[i]);
        TRY(follow_file_start(file, follow->positions, known, diag));
    }
    return folders_look(follow, known, diag);
}

static result listeners_start(struct follow *follow, const struct follow_choice *choice,
                              struct diag *diag)
{
    char address[LISTENER_ADDRESS_BYTES_MAX];

    if (choice->socket_count > FOLLOW_LISTENERS_MAX)
        return diag_fail(diag, ERR_LIMIT, "more than %d sockets", FOLLOW_LISTENERS_MAX);
    for (size_t i = 0; i < choice->socket_count; i++) {
        (void)snprintf(address, sizeof(address), "unix:%s", choice->sockets[i]);
        if (strlen(choice->sockets[i]) + sizeof("unix:") > sizeof(address))
            return diag_fail(diag, ERR_INVALID, "%s: too long for a socket's path",
                             choice->sockets[i]);
        TRY(listener_open(address, &follow->listeners[i], diag));
        follow->listener_count++;
    }
    return OK;
}

result follow_open(const struct follow_choice *choice, struct follow **out, struct diag *diag)
{
    CLEANUP(follow_close) struct follow *follow = NULL;
    size_t capacity = 0;

    *out = NULL;
    follow = FAULT_HERE() ? NULL : table_grow(NULL, &capacity, 1, 1, sizeof(*follow));
    if (follow == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    *follow = (struct follow){.input = choice->input, .state_path = choice->state_path};
    (void)pthread_mutex_init(&follow->told_lock, NULL);
    for (size_t i = 0; i < FOLLOW_CONNECTIONS_MAX; i++)
        follow->connections[i].fd = -1;
    follow->stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    follow->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (follow->stop_event < 0)
        return diag_errno(diag, errno, "eventfd");
    TRY(listeners_start(follow, choice, diag));
    TRY(files_start(follow, choice, diag));
    *out = follow;
    follow = NULL;
    return OK;
}

static void connection_close(struct connection *connection)
{
    if (connection->fd >= 0)
        (void)close(connection->fd); /* nothing was written to it */
    connection->fd = -1;
    input_stream_release(&connection->stream);
}

void follow_close(struct follow **held)
{
    struct follow *follow = *held;

    if (follow == NULL)
        return;
    for (size_t i = 0; i < follow->file_count; i++) {
        if (follow->files[i].is_member)
            member_drop(follow, &follow->files[i]);
        else
            follow_file_free(&follow->files[i]);
    }
    for (size_t i = 0; i < FOLLOW_CONNECTIONS_MAX; i++)
        connection_close(&follow->connections[i]);
    for (size_t i = 0; i < follow->listener_count; i++)
        listener_close(&follow->listeners[i]);
    if (follow->watch >= 0)
        (void)close(follow->watch);
    if (follow->stop_event >= 0)
        (void)close(follow->stop_event);
    (void)pthread_mutex_destroy(&follow->told_lock);
    table_free(follow->positions);
    table_free((void *)follow->folders);
    table_free(follow->files);
    table_free(follow);
    *held = NULL;
}

void follow_stop(struct follow *follow)
{
    uint64_t one = 1;

    (void)!write(follow->stop_event, &one, sizeof(one)); /* full: it is raised already */
}

/* ---- connections ---- */

static result connection_read(void *context, char *out, size_t room, size_t *count,
                              enum input_state *state, struct diag *diag)
{
    struct connection *connection = context;
    ssize_t got;

    (void)diag;
    *count = 0;
    do {
        got = recv(connection->fd, out, room, MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        *count = (size_t)got;
        *state = INPUT_MORE;
        return OK;
    }
    /* A sender that breaks off is one that ends; at a stop what was sent is taken, no more. */
    bool is_waiting = got < 0 && errno == EAGAIN;
    *state = is_waiting && !connection->is_stopping ? INPUT_WAIT : INPUT_END;
    return OK;
}

static result connection_next(struct connection *connection, struct input_block *block, bool *found,
                              struct diag *diag)
{
    struct input_pull pull = {.read = connection_read, .context = connection};

    TRY(input_fill(connection->stream, &pull, block, found, diag));
    if (!*found) {
        connection->is_quiet = true;
        return OK;
    }
    block->place = (struct input_place){0};
    if (block->is_last)
        connection_close(connection);
    return OK;
}

static result connection_take(struct follow *follow, const struct listener *listener,
                              struct diag *diag)
{
    const struct input_choice *input = follow->input;
    size_t free_one = 0;
    /* cppcheck-suppress nullPointer ; who calls is of no interest: NULL is lawful */
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) /* it went away again */
        return OK;
    while (free_one < FOLLOW_CONNECTIONS_MAX && follow->connections[free_one].fd >= 0)
        free_one++;
    if (free_one == FOLLOW_CONNECTIONS_MAX) {
        (void)close(fd);
        input->report(input->context, INPUT_LOST, listener->path, 0,
                      "too many connections at once: one was closed");
        return OK;
    }
    struct connection *connection = &follow->connections[free_one];
    *connection = (struct connection){.fd = fd};
    TRY(input_stream_new(listener->path, input, &connection->stream, diag));
    connection->stream->block_bytes = FOLLOW_BLOCK_BYTES;
    connection->stream->line_bytes_max = CONNECTION_LINE_BYTES_MAX;
    return OK;
}

/* ---- waiting ---- */

/* *has_come: a name came or went, too; else files only grew. */
static void watch_drain(const struct follow *follow, bool *has_come)
{
    _Alignas(struct inotify_event) char events[4096];
    struct inotify_event event;
    ssize_t count;

    while (follow->watch >= 0 && (count = read(follow->watch, events, sizeof(events))) > 0)
        for (size_t at = 0; at + sizeof(event) <= (size_t)count; at += sizeof(event) + event.len) {
            memcpy(&event, events + at, sizeof(event));
            *has_come |= (event.mask & ~(uint32_t)IN_MODIFY) != 0;
        }
}

static result files_look(struct follow *follow, bool has_come, struct diag *diag)
{
    for (size_t i = 0; i < follow->file_count; i++)
        if (follow->files[i].stream != NULL)
            TRY(follow_file_look(&follow->files[i], diag));
    return has_come ? folders_look(follow, 0, diag) : OK;
}

/* Until something may be there: a stop, a file that changed, a new connection, bytes of one. */
static result follow_wait(struct follow *follow, struct diag *diag)
{
    struct pollfd on[POLLED_MAX] = {{.fd = follow->stop_event, .events = POLLIN},
                                    {.fd = follow->watch, .events = POLLIN}};
    size_t count = 2, first_connection = 2 + follow->listener_count;

    for (size_t i = 0; i < follow->listener_count; i++)
        on[count++] = (struct pollfd){.fd = follow->listeners[i].fd, .events = POLLIN};
    for (size_t i = 0; i < FOLLOW_CONNECTIONS_MAX; i++)
        on[count++] = (struct pollfd){.fd = follow->connections[i].fd, .events = POLLIN};
    bool has_files = follow->file_count + follow->folder_count > 0, has_come = false;
    int ready = poll(on, count, has_files ? FOLLOW_LOOK_MS : -1);
    if (ready < 0)
        return errno == EINTR ? OK : diag_errno(diag, errno, "poll");
    follow->is_stopping |= on[0].revents != 0;
    if (on[1].revents != 0)
        watch_drain(follow, &has_come);
    for (size_t i = 0; i < FOLLOW_CONNECTIONS_MAX; i++)
        if (on[first_connection + i].revents != 0)
            follow->connections[i].is_quiet = false;
    for (size_t i = 0; i < follow->listener_count; i++)
        if (on[2 + i].revents != 0)
            TRY(connection_take(follow, &follow->listeners[i], diag));
    if (ready == 0)
        TRY(follow_save(follow, diag)); /* it is quiet: what was told last is kept as well */
    return on[1].revents != 0 || ready == 0 ? files_look(follow, has_come || ready == 0, diag) : OK;
}

static bool is_stop_asked(struct follow *follow)
{
    struct pollfd on = {.fd = follow->stop_event, .events = POLLIN};

    follow->is_stopping |= poll(&on, 1, 0) > 0;
    return follow->is_stopping;
}

/* ---- blocks ---- */

/* Files first, connections behind them, beginning with whose turn it is. */
static result one_next(struct follow *follow, size_t index, struct input_block *block, bool *found,
                       struct diag *diag)
{
    if (index < follow->file_count) {
        struct follow_file *file = &follow->files[index];

        if (file->stream == NULL)
            return OK;
        TRY(follow_file_next(file, block, found, diag));
        if (*found && file->is_member && block->is_last)
            member_drop(follow, file);
        return OK;
    }
    struct connection *connection = &follow->connections[index - follow->file_count];
    if (connection->fd < 0 || connection->is_quiet)
        return OK;
    return connection_next(connection, block, found, diag);
}

/* What the connections have sent is still taken; each stream gives its last block. */
static result stopping_next(struct follow *follow, struct input_block *block, bool *is_end,
                            struct diag *diag)
{
    bool found = false;

    for (size_t i = 0; i < FOLLOW_CONNECTIONS_MAX; i++) {
        struct connection *connection = &follow->connections[i];

        connection->is_stopping = true;
        if (connection->fd < 0)
            continue;
        TRY(connection_next(connection, block, &found, diag));
        if (found)
            return OK;
    }
    for (size_t i = 0; i < follow->file_count; i++) {
        struct follow_file *file = &follow->files[i];

        if (file->stream != NULL && !file->stream->is_ended)
            return follow_file_last(file, block, diag);
    }
    *is_end = true;
    return OK;
}

result follow_next(struct follow *follow, struct input_block *block, bool *is_end,
                   struct diag *diag)
{
    size_t all = follow->file_count + FOLLOW_CONNECTIONS_MAX;
    bool found = false;

    *is_end = false;
    while (!is_stop_asked(follow)) {
        for (size_t i = 0; i < all; i++) {
            size_t index = (follow->turn + i) % all;

            TRY(one_next(follow, index, block, &found, diag));
            if (found) {
                follow->turn = index + 1;
                return OK;
            }
        }
        TRY(follow_wait(follow, diag));
    }
    return stopping_next(follow, block, is_end, diag);
}

/* ---- positions ---- */

/* With the lock held. */
static result positions_save(struct follow *follow, struct diag *diag)
{
    size_t count = 0;

    for (size_t i = 0; i < follow->file_count; i++)
        if (follow->files[i].has_told)
            follow->positions[count++] = follow->files[i].told;
    follow->saved_mono_ns = time_mono_ns();
    follow->is_unsaved = false;
    return positions_write(follow->state_path, follow->positions, count, diag);
}

static void position_set(struct follow_file *file, const struct input_block *block)
{
    struct position *told = &file->told;

    *told = (struct position){
        .device = block->place.device,
        .inode = block->place.inode,
        .head_bytes = block->place.head_bytes,
        .head_hash = block->place.head_hash,
        .offset = block->offset + block->bytes.len,
        .line_number = block->line_number + block->line_count - 1,
    };
    (void)snprintf(told->path, sizeof(told->path), "%s", file->path);
    file->has_told = true;
}

result follow_told(struct follow *follow, const struct input_block *block, struct diag *diag)
{
    result r = OK;

    if (follow->state_path == NULL || block->place.file == 0)
        return OK;
    (void)pthread_mutex_lock(&follow->told_lock);
    if (follow->files[block->place.file - 1].stream != NULL) /* else it went away meanwhile */
        position_set(&follow->files[block->place.file - 1], block);
    follow->is_unsaved = true;
    if (time_mono_ns() - follow->saved_mono_ns >= FOLLOW_SAVE_MS * UINT64_C(1000000))
        r = positions_save(follow, diag);
    (void)pthread_mutex_unlock(&follow->told_lock);
    return r;
}

result follow_save(struct follow *follow, struct diag *diag)
{
    result r = OK;

    (void)pthread_mutex_lock(&follow->told_lock);
    if (follow->state_path != NULL && follow->is_unsaved)
        r = positions_save(follow, diag);
    (void)pthread_mutex_unlock(&follow->told_lock);
    return r;
}
