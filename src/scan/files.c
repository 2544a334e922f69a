/* Files one after another; folders are walked without recursion: a stack of paths, the next on
 * top. */
#include "scan/files.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/source.h"

#include "base/banned.h"

/* How long the first lines of a pipe are waited for, so that its format is told by several. */
#define SETTLE_MS 100

struct waiting_path {
    char *path;    /* owned */
    bool is_found; /* in a folder: not named by the user */
};

struct input_files {
    const struct input_choice *choice; /* borrowed */
    struct waiting_path *stack;        /* owned; the next path last */
    size_t count, capacity;
    struct source *source; /* owned; NULL between files */
    char *path;            /* owned; of the source */
    struct input_stream *stream;
    int stop_event;  /* owned: eventfd */
    bool is_settled; /* a pipe was quiet: what it gave so far goes on at once */
};

static void lost(const struct input_files *files, const char *path, const char *words)
{
    files->choice->report(files->choice->context, INPUT_LOST, path, 0, words);
}

/* folder may be NULL. */
static result path_push(struct input_files *files, const char *folder, const char *name,
                        struct diag *diag)
{
    bool has_slash = folder != NULL && slice_ends(slice_text(folder), SLICE("/"));
    size_t capacity = 0;
    size_t bytes = strlen(name) + 1 + (folder == NULL ? 0 : strlen(folder) + !has_slash);
    struct waiting_path *moved = table_grow(files->stack, &files->capacity, files->count + 1,
                                            INPUT_FILES_MAX, sizeof(*moved));

    if (moved == NULL)
        return diag_fail(diag, ERR_LIMIT, "more than %zu files", INPUT_FILES_MAX);
    files->stack = moved;
    char *path = table_grow(NULL, &capacity, bytes, SIZE_MAX, 1);
    if (path == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    (void)snprintf(path, bytes, "%s%s%s", folder == NULL ? "" : folder,
                   folder == NULL || has_slash ? "" : "/", name);
    files->stack[files->count++] = (struct waiting_path){path, folder != NULL};
    return OK;
}

static int by_name_backwards(const void *a, const void *b)
{
    const struct waiting_path *left = a, *right = b;

    return strcmp(right->path, left->path);
}

/* What lies in a folder goes on the stack, the first name on top. */
static result folder_push(struct input_files *files, const char *folder, struct diag *diag)
{
    DIR *stream = FAULT_HERE() ? NULL : opendir(folder);
    size_t before = files->count;
    const struct dirent *entry;
    result r = OK;

    if (stream == NULL) {
        lost(files, folder, strerrordesc_np(errno));
        return OK;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): safe on a stream of one's own */
    while (succeeded(r) && (entry = readdir(stream)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            r = path_push(files, folder, entry->d_name, diag);
    (void)closedir(stream);
    qsort(files->stack + before, files->count - before, sizeof(*files->stack), by_name_backwards);
    return r;
}

/* A folder's files by name and its folders after their own; no links to folders and nothing that
 * is neither, as it might never end. */
static result path_open(struct input_files *files, const struct waiting_path *next,
                        struct diag *diag)
{
    struct stat status, link;
    struct diag why = {0};
    bool is_there = stat(next->path, &status) == 0;

    if (is_there && S_ISDIR(status.st_mode)) {
        bool is_link = lstat(next->path, &link) == 0 && S_ISLNK(link.st_mode);

        return next->is_found && is_link ? OK : folder_push(files, next->path, diag);
    }
    if (is_there && next->is_found && !S_ISREG(status.st_mode))
        return OK;
    if (failed(source_open(next->path, &files->source, &why))) {
        slice words = slice_text(why.text), head = slice_text(next->path);

        if (slice_starts(words, head)) /* the path is said already */
            words = slice_from(words, head.len + 2);
        lost(files, next->path, words.at);
        return OK;
    }
    return input_stream_new(source_name(files->source), files->choice, &files->stream, diag);
}

static void file_end(struct input_files *files)
{
    source_close(&files->source);
    input_stream_release(&files->stream);
    table_free(files->path);
    files->path = NULL;
    files->is_settled = false;
}

static result file_next(struct input_files *files, struct diag *diag)
{
    while (files->stream == NULL && files->count > 0) {
        struct waiting_path next = files->stack[--files->count];
        result r = path_open(files, &next, diag);

        if (files->source != NULL)
            files->path = next.path; /* the source's name is this text */
        else
            table_free(next.path);
        TRY(r);
    }
    return OK;
}

/* Can bytes of a pipe be read without waiting?  *is_stopped: somebody asks to stop. */
static bool is_ready(const struct input_files *files, int fd, int timeout_ms, bool *is_stopped)
{
    struct pollfd on[2] = {{.fd = fd, .events = POLLIN},
                           {.fd = files->stop_event, .events = POLLIN}};

    while (poll(on, 2, timeout_ms) < 0 && errno == EINTR)
        ;
    *is_stopped = on[1].revents != 0;
    return on[0].revents != 0;
}

static result file_read(void *context, char *out, size_t room, size_t *count,
                        enum input_state *state, struct diag *diag)
{
    struct input_files *files = context;
    int fd = source_waits_for(files->source);
    struct diag why = {0};
    bool is_stopped = false;

    (void)diag;
    *count = 0;
    *state = INPUT_MORE;
    if (fd >= 0) {
        bool is_first = !files->stream->is_begun && !files->is_settled;
        bool is_there = is_ready(files, fd, is_first ? SETTLE_MS : 0, &is_stopped);

        files->is_settled = !is_there;
        *state = is_stopped ? INPUT_END : is_there ? INPUT_MORE : INPUT_WAIT;
        if (*state != INPUT_MORE)
            return OK;
    }
    if (failed(source_read(files->source, out, room, count, &why))) {
        lost(files, files->stream->name, why.text); /* what came before it is scanned */
        *state = INPUT_END;
        return OK;
    }
    if (*count == 0)
        *state = INPUT_END;
    return OK;
}

result input_files_next(struct input_files *files, struct input_block *block, bool *is_end,
                        struct diag *diag)
{
    struct input_pull pull = {.read = file_read, .context = files};
    bool found = false, is_stopped = false;

    *is_end = false;
    for (;;) {
        TRY(file_next(files, diag));
        *is_end = files->stream == NULL;
        if (*is_end)
            return OK;
        TRY(diag_within(diag, input_fill(files->stream, &pull, block, &found, diag), "%s",
                        files->stream->name));
        if (found && block->is_last)
            file_end(files);
        if (found)
            return OK;
        if (is_ready(files, source_waits_for(files->source), -1, &is_stopped))
            files->is_settled = files->stream->is_begun;
    }
}

result input_files_open(const char *const *paths, size_t count, const struct input_choice *choice,
                        struct input_files **out, struct diag *diag)
{
    CLEANUP(input_files_close) struct input_files *files = NULL;
    size_t capacity = 0;

    *out = NULL;
    files = FAULT_HERE() ? NULL : table_grow(NULL, &capacity, 1, 1, sizeof(*files));
    if (files == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    *files = (struct input_files){.choice = choice, .stop_event = -1};
    files->stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (files->stop_event < 0)
        return diag_errno(diag, errno, "eventfd");
    for (size_t i = count; i-- > 0;)
        TRY(path_push(files, NULL, paths[i], diag));
    *out = files;
    files = NULL;
    return OK;
}

void input_files_close(struct input_files **held)
{
    struct input_files *files = *held;

    if (files == NULL)
        return;
    file_end(files);
    while (files->count > 0)
        table_free(files->stack[--files->count].path);
    table_free(files->stack);
    if (files->stop_event >= 0)
        (void)close(files->stop_event);
    table_free(files);
    *held = NULL;
}

void input_files_stop(struct input_files *files)
{
    uint64_t one = 1;

    (void)!write(files->stop_event, &one, sizeof(one)); /* full: it is raised already */
}
