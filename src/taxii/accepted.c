#include "taxii/accepted.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/time.h"
#include "json/json.h"
#include "json/write.h"

#include "base/banned.h"

#define FORMAT 1
#define HEAD_BYTES_MAX 1024 /* of the first line */
#define HEAD_DEPTH_MAX 4
#define LISTED_MAX ((size_t)1 << 20) /* far more than are ever written */
#define NAME_BYTES (UUID_TEXT_BYTES + sizeof(".json"))

static void name_put(const struct uuid *status, const char *ending, char out[NAME_BYTES])
{
    char id[UUID_TEXT_BYTES];

    uuid_format(status, id);
    (void)snprintf(out, NAME_BYTES, "%.*s%s", UUID_TEXT_BYTES, id, ending);
}

/* ---- the folder ---- */

static void fd_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* nothing is written without a sync that was checked */
    *fd = -1;
}

result accepted_open(const char *node_folder, struct accepted_folder *out, struct diag *diag)
{
    out->fd = -1;
    CLEANUP(fd_close)
    int node =
        FAULT_HERE() ? (errno = EIO, -1) : open(node_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (node < 0)
        return diag_errno(diag, errno, "%s", node_folder);
    if (FAULT_HERE() || (mkdirat(node, "accepted", 0700) != 0 && errno != EEXIST))
        return diag_errno(diag, errno, "%s/accepted: cannot be made", node_folder);
    if (FAULT_HERE() || fsync(node) != 0)
        return diag_errno(diag, errno, "%s: cannot be made durable", node_folder);
    out->fd = FAULT_HERE() ? (errno = EIO, -1)
                           : openat(node, "accepted", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return out->fd >= 0 ? OK : diag_errno(diag, errno, "%s/accepted", node_folder);
}

void accepted_close(struct accepted_folder *folder)
{
    fd_close(&folder->fd);
}

/* ---- writing ---- */

static void head_write(const struct accepted_post *post, struct buf *out)
{
    struct json_writer w = JSON_WRITER(out);
    char id[UUID_TEXT_BYTES], when[TIMESTAMP_TEXT_BYTES_MAX];

    jw_object_begin(&w);
    jw_put_u64(&w, SLICE("format"), FORMAT);
    uuid_format(&post->status, id);
    jw_put_string(&w, SLICE("status"), slice_of(id, sizeof(id)));
    uuid_format(&post->collection, id);
    jw_put_string(&w, SLICE("collection"), slice_of(id, sizeof(id)));
    jw_put_string(&w, SLICE("account"), slice_text(post->account));
    jw_put_u64(&w, SLICE("owner"), post->owner);
    jw_put_string(&w, SLICE("requested"), slice_of(when, time_format_us(post->requested_us, when)));
    jw_put_u64(&w, SLICE("body_bytes"), post->body_bytes);
    jw_object_end(&w);
    buf_byte(out, '\n');
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

/* False: errno says why, and what was begun under either name is for the caller to remove. */
static bool file_make(int folder, const char *part, const char *whole, slice head, slice body)
{
    CLEANUP(fd_close)
    int fd = FAULT_HERE()
                 ? (errno = EIO, -1)
                 : openat(folder, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 || !write_all(fd, head) || !write_all(fd, body))
        return false;
    if (FAULT_HERE() || fsync(fd) != 0)
        return false;
    if (FAULT_HERE() || renameat(folder, part, folder, whole) != 0)
        return false;
    return !FAULT_HERE() && fsync(folder) == 0;
}

result accepted_write(const struct accepted_folder *folder, const struct accepted_post *post,
                      slice body, struct diag *diag)
{
    CLEANUP(buf_free) struct buf head = BUF(HEAD_BYTES_MAX);
    char part[NAME_BYTES], whole[NAME_BYTES];

    name_put(&post->status, ".tmp", part);
    name_put(&post->status, ".json", whole);
    head_write(post, &head);
    if (head.overflowed)
        return diag_fail(diag, ERR_IO, "no memory to keep an accepted body");
    errno = EIO;
    if (file_make(folder->fd, part, whole, buf_slice(&head), body))
        return OK;
    int number = errno;
    (void)unlinkat(folder->fd, part, 0);
    (void)unlinkat(folder->fd, whole, 0);
    result r = diag_errno(diag, number, "accepted/%s: cannot be kept", whole);
    r.code = ERR_IO; /* a full or forbidden disk is ours, whatever its number */
    return r;
}

/* ---- reading ---- */

static bool uuid_member(const struct json_doc *doc, slice key, struct uuid *out)
{
    const struct json_node *node = json_get(doc, doc->nodes, key);

    return node != NULL && node->kind == JSON_STRING && uuid_parse(json_inner(doc, node), out);
}

static bool number_member(const struct json_doc *doc, slice key, int64_t *out)
{
    return json_i64(doc, json_get(doc, doc->nodes, key), out) && *out >= 0;
}

static bool post_from(const struct json_doc *doc, struct accepted_post *out)
{
    const struct json_node *account = json_get(doc, doc->nodes, SLICE("account"));
    const struct json_node *requested = json_get(doc, doc->nodes, SLICE("requested"));
    struct timestamp when;
    int64_t format, owner, bytes;

    if (!number_member(doc, SLICE("format"), &format) || format != FORMAT ||
        !number_member(doc, SLICE("owner"), &owner) ||
        !number_member(doc, SLICE("body_bytes"), &bytes))
        return false;
    if (!uuid_member(doc, SLICE("status"), &out->status) ||
        !uuid_member(doc, SLICE("collection"), &out->collection))
        return false;
    if (account == NULL || account->kind != JSON_STRING || account->len > ACCOUNT_NAME_BYTES_MAX)
        return false;
    if (requested == NULL || requested->kind != JSON_STRING ||
        !timestamp_parse(json_inner(doc, requested), &when))
        return false;
    memcpy(out->account, doc->text.at + account->at, account->len);
    out->account[account->len] = '\0';
    out->owner = (uint64_t)owner;
    out->requested_us = when.us;
    out->body_bytes = (size_t)bytes;
    return true;
}

static result head_read(slice text, struct accepted_file *out, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct json_doc doc;
    slice head;

    if (!slice_cut(slice_head(text, HEAD_BYTES_MAX), '\n', &head, &out->body))
        return diag_fail(diag, ERR_CORRUPT, "it does not begin with a line of ours");
    out->body = slice_from(text, head.len + 1);
    TRY(json_parser_new(HEAD_DEPTH_MAX, &parser, diag));
    result r = json_parse_copy(parser, head, &doc, diag);
    if (failed(r))
        return FAIL(r.code == ERR_INVALID ? ERR_CORRUPT : r.code);
    if (!post_from(&doc, &out->post))
        return diag_fail(diag, ERR_CORRUPT, "its first line is not one of ours");
    if (out->post.body_bytes != out->body.len)
        return diag_fail(diag, ERR_CORRUPT, "it holds %zu bytes of a body of %zu", out->body.len,
                         out->post.body_bytes);
    return OK;
}

/* Mapped, not read in: a body may be as large as max_content_length and is gone through once. */
static result file_map(int folder, const char *name, struct accepted_file *out, struct diag *diag)
{
    struct stat stat;

    CLEANUP(fd_close)
    int fd = FAULT_HERE() ? (errno = EIO, -1)
                          : openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ELOOP)
        return diag_fail(diag, ERR_CORRUPT, "it is a symbolic link");
    if (fd < 0 || FAULT_HERE() || fstat(fd, &stat) != 0)
        return diag_errno(diag, errno, "it cannot be opened");
    if (!S_ISREG(stat.st_mode) || stat.st_size == 0)
        return diag_fail(diag, ERR_CORRUPT, "it is empty, or no file");
    void *map = FAULT_HERE() ? (errno = ENOMEM, MAP_FAILED)
                             : mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return diag_errno(diag, errno, "it cannot be mapped");
    out->map = map;
    out->map_bytes = (size_t)stat.st_size;
    return OK;
}

void accepted_file_end(struct accepted_file *file)
{
    if (file->map != NULL)
        (void)munmap(file->map, file->map_bytes);
    *file = (struct accepted_file){0};
}

result accepted_read(const struct accepted_folder *folder, const struct uuid *status,
                     struct accepted_file *out, struct diag *diag)
{
    char name[NAME_BYTES];

    *out = (struct accepted_file){0};
    name_put(status, ".json", name);
    result r = file_map(folder->fd, name, out, diag);
    if (succeeded(r))
        r = head_read(slice_of(out->map, out->map_bytes), out, diag);
    if (succeeded(r) && !uuid_eq(&out->post.status, status))
        r = diag_fail(diag, ERR_CORRUPT, "it is of another status");
    if (failed(r))
        accepted_file_end(out);
    return diag_within(diag, r, "accepted/%s", name);
}

/* ---- removing ---- */

void accepted_remove(const struct accepted_folder *folder, const struct uuid *status)
{
    char name[NAME_BYTES];

    name_put(status, ".json", name);
    /* Not synced: should the removal be lost in a crash, the objects are found to be there. */
    if ((FAULT_HERE() || unlinkat(folder->fd, name, 0) != 0) && errno != ENOENT)
        log_event(LOG_LEVEL_WARN, "taxii.accepted_stays", "file=accepted/%s errno=%d", name, errno);
}

static void set_aside(int folder, const char *name, const char *why)
{
    char shown[NAME_MAX + 1], aside[NAME_MAX + sizeof(".broken")];

    (void)printable(shown, sizeof(shown), slice_text(name));
    (void)snprintf(aside, sizeof(aside), "%s.broken", name);
    bool is_aside = !FAULT_HERE() && renameat(folder, name, folder, aside) == 0;
    log_event(LOG_LEVEL_ERROR, "taxii.accepted_broken", "file=\"accepted/%s\" %s why=\"%s\"", shown,
              is_aside ? "renamed=.broken" : "stays=1", why);
}

void accepted_set_aside(const struct accepted_folder *folder, const struct uuid *status,
                        const char *why)
{
    char name[NAME_BYTES];

    name_put(status, ".json", name);
    set_aside(folder->fd, name, why);
}

/* ---- the last run's ---- */

struct listing {
    const struct accepted_folder *folder;
    struct accepted_post *posts; /* owned */
    size_t count, room;
};

static result post_add(struct listing *listing, const struct uuid *status, const char *name,
                       struct diag *diag)
{
    CLEANUP(accepted_file_end) struct accepted_file file = {0};
    struct diag words = {0};
    struct accepted_post *grown = FAULT_HERE()
                                      ? NULL
                                      : table_grow(listing->posts, &listing->room,
                                                   listing->count + 1, LISTED_MAX, sizeof(*grown));

    if (grown == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory to list what was accepted");
    listing->posts = grown;
    result r = accepted_read(listing->folder, status, &file, &words);
    if (succeeded(r))
        grown[listing->count++] = file.post;
    else if (r.code == ERR_CORRUPT)
        set_aside(listing->folder->fd, name, words.text);
    else
        log_event(LOG_LEVEL_ERROR, "taxii.accepted_unread", "why=\"%s\"", words.text);
    return OK;
}

static result name_take(struct listing *listing, const char *name, struct diag *diag)
{
    slice text = slice_text(name);
    slice stem = slice_head(text, UUID_TEXT_BYTES), ending = slice_from(text, UUID_TEXT_BYTES);
    char own[NAME_BYTES];
    struct uuid status;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || slice_ends(text, SLICE(".broken")))
        return OK;
    bool is_ours = uuid_parse(stem, &status);
    if (is_ours && slice_eq(ending, SLICE(".tmp"))) {
        (void)unlinkat(listing->folder->fd, name, 0); /* nobody was told that it is accepted */
        return OK;
    }
    if (is_ours)
        name_put(&status, ".json", own);
    if (is_ours && strcmp(name, own) == 0)
        return post_add(listing, &status, name, diag);
    set_aside(listing->folder->fd, name, "no such name is given here");
    return OK;
}

static int by_age(const void *a, const void *b)
{
    const struct accepted_post *one = a, *other = b;

    if (one->requested_us != other->requested_us)
        return one->requested_us < other->requested_us ? -1 : 1;
    return memcmp(one->status.bytes, other->status.bytes, sizeof(one->status.bytes));
}

static result folder_read(struct listing *listing, struct diag *diag)
{
    struct dirent *item;
    result r = OK;

    int fd = FAULT_HERE() ? (errno = EIO, -1)
                          : openat(listing->folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (stream == NULL) {
        int number = errno;

        fd_close(&fd);
        return diag_errno(diag, number, "accepted");
    }
    /* A rename may show a file once more, under its new name, which is passed over. */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's readdir is safe on a stream of one's own */
    while (succeeded(r) && (errno = 0, item = readdir(stream)) != NULL)
        r = name_take(listing, item->d_name, diag);
    if (succeeded(r) && errno != 0)
        r = diag_errno(diag, errno, "accepted: cannot be listed");
    (void)closedir(stream);
    return r;
}

result accepted_list(const struct accepted_folder *folder, struct accepted_post **out,
                     size_t *count, struct diag *diag)
{
    struct listing listing = {.folder = folder};
    result r = folder_read(&listing, diag);

    if (failed(r)) {
        table_free(listing.posts);
        return r;
    }
    if (listing.count > 1)
        qsort(listing.posts, listing.count, sizeof(*listing.posts), by_age);
    *out = listing.posts;
    *count = listing.count;
    return OK;
}
