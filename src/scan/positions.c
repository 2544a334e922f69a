#include "scan/positions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/source.h"
#include "json/json.h"
#include "json/write.h"

#include "base/banned.h"

#define ARENA_BYTES_MAX ((size_t)1 << 20)
#define READ_BYTES ((size_t)64 << 10)

/* FNV-1a: it tells files apart, and guards nothing. */
uint64_t position_hash(slice head)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < head.len; i++)
        hash = (hash ^ (uint8_t)head.at[i]) * 0x100000001b3u;
    return hash;
}

/* ---- reading ---- */

static result file_read(const char *path, struct buf *out, struct diag *diag)
{
    CLEANUP(source_close) struct source *source = NULL;
    size_t count = 0;

    TRY(source_open(path, &source, diag));
    do {
        char *room = buf_reserve(out, READ_BYTES);

        if (room == NULL)
            return diag_fail(diag, ERR_LIMIT, "%s: over %zu bytes", path, FOLLOW_STATE_BYTES_MAX);
        TRY(diag_within(diag, source_read(source, room, READ_BYTES, &count, diag), "%s", path));
        out->len += count;
    } while (count > 0);
    return OK;
}

/* Numbers are strings: an inode may be over 2^53. */
static bool number_of(const struct json_doc *doc, const struct json_node *object, slice key,
                      uint64_t *out)
{
    const struct json_node *node = json_get(doc, object, key);

    return node != NULL && node->kind == JSON_STRING && parse_u64(json_inner(doc, node), out);
}

static bool position_of(const struct json_doc *doc, const struct json_node *object,
                        struct arena *arena, struct position *out)
{
    slice path = json_string(doc, json_get(doc, object, SLICE("path")), arena);
    uint64_t head_bytes;

    *out = (struct position){0};
    if (path.len == 0 || path.len >= sizeof(out->path) || memchr(path.at, '\0', path.len) != NULL ||
        !number_of(doc, object, SLICE("device"), &out->device) ||
        !number_of(doc, object, SLICE("inode"), &out->inode) ||
        !number_of(doc, object, SLICE("offset"), &out->offset) ||
        !number_of(doc, object, SLICE("line"), &out->line_number) ||
        !number_of(doc, object, SLICE("head_bytes"), &head_bytes) ||
        !number_of(doc, object, SLICE("head_hash"), &out->head_hash) ||
        head_bytes > FOLLOW_HEAD_BYTES)
        return false;
    memcpy(out->path, path.at, path.len);
    out->head_bytes = (size_t)head_bytes;
    return true;
}

result positions_read(const char *path, struct position *out, size_t room, size_t *count,
                      struct diag *diag)
{
    CLEANUP(buf_free) struct buf text = BUF(FOLLOW_STATE_BYTES_MAX);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(arena_free) struct arena arena = ARENA(ARENA_BYTES_MAX);
    struct json_doc doc;

    *count = 0;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return OK;
    TRY(file_read(path, &text, diag));
    TRY(json_parser_new(8, &parser, diag));
    TRY(diag_within(diag, json_parse_copy(parser, buf_slice(&text), &doc, diag), "%s", path));
    const struct json_node *list = json_get(&doc, doc.nodes, SLICE("positions"));
    if (list == NULL || list->kind != JSON_ARRAY)
        return diag_fail(diag, ERR_INVALID, "%s: holds no positions of a scan", path);
    for (struct json_each each = json_each(&doc, list); json_next(&each) && *count < room;) {
        if (!position_of(&doc, each.value, &arena, &out[*count]))
            return diag_fail(diag, ERR_INVALID, "%s: position %zu is none", path, *count);
        (*count)++;
    }
    return OK;
}

/* ---- writing ---- */

static void number_put(struct json_writer *w, slice key, uint64_t number)
{
    char digits[24];
    int bytes = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);

    jw_put_string(w, key, slice_of(digits, (size_t)bytes));
}

static void position_put(struct json_writer *w, const struct position *position)
{
    jw_object_begin(w);
    jw_put_string(w, SLICE("path"), slice_text(position->path));
    number_put(w, SLICE("device"), position->device);
    number_put(w, SLICE("inode"), position->inode);
    number_put(w, SLICE("offset"), position->offset);
    number_put(w, SLICE("line"), position->line_number);
    number_put(w, SLICE("head_bytes"), position->head_bytes);
    number_put(w, SLICE("head_hash"), position->head_hash);
    jw_object_end(w);
}

static bool all_written(int fd, slice bytes)
{
    while (bytes.len > 0) {
        ssize_t count = FAULT_HERE() ? (errno = EIO, -1) : write(fd, bytes.at, bytes.len);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        bytes = slice_from(bytes, (size_t)count);
    }
    return true;
}

static result file_write(const char *path, slice bytes, struct diag *diag)
{
    char beside[INPUT_PATH_BYTES_MAX];
    int length = snprintf(beside, sizeof(beside), "%s.new", path);

    if (length < 0 || (size_t)length >= sizeof(beside))
        return diag_fail(diag, ERR_LIMIT, "%s: the path is too long", path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return diag_errno(diag, errno, "%s", beside);
    bool is_written = all_written(fd, bytes) && fdatasync(fd) == 0;
    int number = errno;
    if (close(fd) != 0 && is_written) {
        is_written = false;
        number = errno;
    }
    if (!is_written)
        return diag_errno(diag, number, "%s", beside);
    return rename(beside, path) == 0 ? OK : diag_errno(diag, errno, "%s", path);
}

result positions_write(const char *path, const struct position *positions, size_t count,
                       struct diag *diag)
{
    CLEANUP(buf_free) struct buf text = BUF(FOLLOW_STATE_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&text);

    jw_object_begin(&w);
    jw_key(&w, SLICE("positions"));
    jw_array_begin(&w);
    for (size_t i = 0; i < count; i++)
        position_put(&w, &positions[i]);
    jw_array_end(&w);
    jw_object_end(&w);
    buf_byte(&text, '\n');
    if (text.overflowed)
        return diag_fail(diag, ERR_LIMIT, "%s: over %zu bytes", path, FOLLOW_STATE_BYTES_MAX);
    return file_write(path, buf_slice(&text), diag);
}
