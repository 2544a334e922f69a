#include "scan/follow.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
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
    struct follow_file *files;        /* owned */
    size_t file_count;
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

static void folder_watch(const struct follow *follow, const char *path)
{
    char folder[INPUT_PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        (void)snprintf(folder, sizeof(folder), ".");
    else
        (void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path) + 1, path);
    /* Fails where there is no such folder yet, or too many are watched: then files are looked at
     * every FOLLOW_LOOK_MS. */
    (void)inotify_add_watch(follow->watch, folder,
                            IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE);
}

static result files_start(struct follow *follow, const struct follow_choice *choice,
                          struct diag *diag)
{
    size_t capacity = 0, positions_capacity = 0, known = 0, count = choice->path_count;

    if (count == 0)
        return OK;
    if (count > FOLLOW_FILES_MAX)
        return diag_fail(diag, ERR_LIMIT, "more than %d files to follow", FOLLOW_FILES_MAX);
    follow->files = table_grow(NULL, &capacity, count, FOLLOW_FILES_MAX, sizeof(*follow->files));
    follow->positions = table_grow(NULL, &positions_capacity, FOLLOW_FILES_MAX, FOLLOW_FILES_MAX,
                                   sizeof(*follow->positions));
    if (follow->files == NULL || follow->positions == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    if (choice->state_path != NULL)
        TRY(positions_read(choice->state_path, follow->positions, FOLLOW_FILES_MAX, &known, diag));
    for (size_t i = 0; i < count; i++) {
        struct follow_file *file = &follow->files[follow->file_count++];

        TRY(follow_file_init(file, choice->paths[i], i + 1, choice->input, diag));
        folder_watch(follow, choice->paths[i]);
        TRY(follow_file_start(file, follow->positions, known, diag));
    }
    return OK;
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
    for (size_t i = 0; i < follow->file_count; i++)
        follow_file_free(&follow->files[i]);
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

static void watch_drain(const struct follow *follow)
{
    char events[4096];

    while (follow->watch >= 0 && read(follow->watch, events, sizeof(events)) > 0)
        ;
}

static result files_look(struct follow *follow, struct diag *diag)
{
    for (size_t i = 0; i < follow->file_count; i++)
        TRY(follow_file_look(&follow->files[i], diag));
    return OK;
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
    int ready = poll(on, count, follow->file_count > 0 ? FOLLOW_LOOK_MS : -1);
    if (ready < 0)
        return errno == EINTR ? OK : diag_errno(diag, errno, "poll");
    follow->is_stopping |= on[0].revents != 0;
    if (on[1].revents != 0)
        watch_drain(follow);
    for (size_t i = 0; i < FOLLOW_CONNECTIONS_MAX; i++)
        if (on[first_connection + i].revents != 0)
            follow->connections[i].is_quiet = false;
    for (size_t i = 0; i < follow->listener_count; i++)
        if (on[2 + i].revents != 0)
            TRY(connection_take(follow, &follow->listeners[i], diag));
    if (ready == 0)
        TRY(follow_save(follow, diag)); /* it is quiet: what was told last is kept as well */
    return on[1].revents != 0 || ready == 0 ? files_look(follow, diag) : OK;
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
    if (index < follow->file_count)
        return follow_file_next(&follow->files[index], block, found, diag);
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

        if (!file->stream->is_ended)
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
