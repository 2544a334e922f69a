#include "base/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

#include "base/arena.h"
#include "base/fault.h"
#include "base/pack.h"

#include "base/banned.h"

#define TAKE_BYTES ((size_t)128 << 10)
#define MAGIC_BYTES 4

struct source {
    const char *name; /* borrowed: path, or words for what has none */
    int descriptor;   /* owned when is_file and not standard input; else -1 */
    slice memory;     /* borrowed: what is left of it */
    bool is_memory;   /* bytes come from `memory` */
    bool is_closing;  /* descriptor is ours to close */
    bool is_at_end;   /* nothing left to take from file or memory */
    bool is_waiting;  /* a read may wait for another process */
    bool is_inside;   /* of a gzip member or zstd frame that has not ended */
    enum packing packing;
    uint64_t taken_bytes, total_bytes;
    struct source_maker maker; /* when it has a read */
    slice unread;              /* borrowed: given back, to be read again first */
    size_t at, len;            /* what is taken and not yet used: buffer[at .. at + len) */
    z_stream gzip;             /* when packing says so */
    ZSTD_DCtx *zstd;           /* owned, when packing says so */
    char buffer[TAKE_BYTES];
};

static ssize_t descriptor_read(const struct source *source, char *out, size_t room)
{
    ssize_t got;

    do {
        got = FAULT_HERE() ? (errno = EIO, -1) : read(source->descriptor, out, room);
    } while (got < 0 && errno == EINTR);
    return got;
}

/* More bytes behind those that wait; is_at_end when there are none. */
static result take(struct source *source, struct diag *diag)
{
    if (source->at > 0) { /* what waits is short, or nothing */
        memmove(source->buffer, source->buffer + source->at, source->len);
        source->at = 0;
    }
    size_t end = source->at + source->len, room = sizeof(source->buffer) - end;
    ssize_t got;

    if (source->is_at_end || room == 0)
        return OK;
    if (source->is_memory) {
        slice head = slice_head(source->memory, room);

        if (head.len > 0)
            memcpy(source->buffer + end, head.at, head.len);
        source->memory = slice_from(source->memory, head.len);
        got = (ssize_t)head.len;
    } else {
        got = descriptor_read(source, source->buffer + end, room);
    }
    if (got < 0)
        return diag_errno(diag, errno, "cannot read");
    source->len += (size_t)got;
    source->taken_bytes += (uint64_t)got;
    source->is_at_end = got == 0;
    return OK;
}

static void use(struct source *source, size_t bytes)
{
    source->at += bytes;
    source->len -= bytes;
}

static bool gzip_starts(const struct source *source)
{
    return source->len >= 2 && memcmp(source->buffer + source->at, "\x1f\x8b", 2) == 0;
}

/* A zstd frame (RFC 8878, 3.1.1) or one that is to be skipped (3.1.2). */
static bool zstd_starts(const struct source *source)
{
    const unsigned char *at = (const unsigned char *)source->buffer + source->at;

    if (source->len < MAGIC_BYTES)
        return false;
    return memcmp(at, "\x28\xb5\x2f\xfd", MAGIC_BYTES) == 0 ||
           ((at[0] & 0xf0) == 0x50 && memcmp(at + 1, "\x2a\x4d\x18", MAGIC_BYTES - 1) == 0);
}

/* Look at the first bytes, and get the unpacker ready. */
static result packing_find(struct source *source, struct diag *diag)
{
    while (source->len < MAGIC_BYTES && !source->is_at_end)
        TRY(take(source, diag));
    if (gzip_starts(source)) {
        /* 16: a gzip header is wanted, checked and checksummed; 15: any window. */
        if (FAULT_HERE() || inflateInit2(&source->gzip, 15 + 16) != Z_OK)
            return diag_fail(diag, ERR_LIMIT, "no memory for gzip");
        source->packing = PACK_GZIP;
    } else if (zstd_starts(source)) {
        source->zstd = FAULT_HERE() ? NULL : ZSTD_createDCtx();
        if (source->zstd == NULL)
            return diag_fail(diag, ERR_LIMIT, "no memory for zstd");
        source->packing = PACK_ZSTD;
    }
    return OK;
}

static result source_new(struct source **out, struct diag *diag)
{
    size_t capacity = 0;
    struct source *source = table_grow(NULL, &capacity, 1, 1, sizeof(*source));

    if (source == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory to read with");
    memset(source, 0, offsetof(struct source, buffer));
    source->descriptor = -1;
    *out = source;
    return OK;
}

static result file_open(struct source *source, const char *path, struct diag *diag)
{
    struct stat status;

    if (strcmp(path, "-") == 0) {
        source->name = "standard input";
        source->descriptor = STDIN_FILENO;
    } else {
        source->name = path;
        source->descriptor = open(path, O_RDONLY | O_CLOEXEC);
        source->is_closing = source->descriptor >= 0;
    }
    if (source->descriptor < 0 || FAULT_HERE() || fstat(source->descriptor, &status) != 0)
        return diag_errno(diag, errno, "cannot open");
    if (S_ISDIR(status.st_mode))
        return diag_fail(diag, ERR_INVALID, "is a folder");
    if (S_ISREG(status.st_mode))
        source->total_bytes = (uint64_t)status.st_size;
    source->is_waiting = !S_ISREG(status.st_mode);
    return OK;
}

result source_open(const char *path, struct source **out, struct diag *diag)
{
    CLEANUP(source_close) struct source *source = NULL;

    TRY(source_new(&source, diag));
    TRY(diag_within(diag, file_open(source, path, diag), "%s", path));
    TRY(diag_within(diag, packing_find(source, diag), "%s", source->name));
    *out = source;
    source = NULL;
    return OK;
}

result source_of_memory(slice bytes, struct source **out, struct diag *diag)
{
    CLEANUP(source_close) struct source *source = NULL;

    TRY(source_new(&source, diag));
    source->name = "memory";
    source->is_memory = true;
    source->memory = bytes;
    source->total_bytes = bytes.len;
    TRY(packing_find(source, diag));
    *out = source;
    source = NULL;
    return OK;
}

result source_of_maker(const struct source_maker *maker, struct source **out, struct diag *diag)
{
    struct source *source = NULL;

    TRY(source_new(&source, diag));
    source->name = maker->name;
    source->maker = *maker;
    *out = source;
    return OK;
}

void source_close(struct source **source)
{
    if (*source == NULL)
        return;
    if ((*source)->packing == PACK_GZIP)
        (void)inflateEnd(&(*source)->gzip);
    ZSTD_freeDCtx((*source)->zstd);
    if ((*source)->is_closing)
        (void)close((*source)->descriptor); /* read only: nothing can be lost */
    table_free(*source);
    *source = NULL;
}

static result read_plain(struct source *source, char *out, size_t room, size_t *count,
                         struct diag *diag)
{
    if (source->len == 0 && !source->is_memory && !source->is_at_end && room >= TAKE_BYTES) {
        ssize_t got = descriptor_read(source, out, room); /* large reads need no copy */

        if (got < 0)
            return diag_errno(diag, errno, "cannot read");
        source->taken_bytes += (uint64_t)got;
        source->is_at_end = got == 0;
        *count = (size_t)got;
        return OK;
    }
    if (source->len == 0)
        TRY(take(source, diag));
    *count = source->len < room ? source->len : room;
    memcpy(out, source->buffer + source->at, *count);
    use(source, *count);
    return OK;
}

static result ends_early(const char *what, struct diag *diag)
{
    return diag_fail(diag, ERR_INVALID, "%s ends early: the file is cut short", what);
}

/* Between two members: the next one must start, or the file end. */
static result gzip_next(struct source *source, struct diag *diag)
{
    while (source->len < 2 && !source->is_at_end)
        TRY(take(source, diag));
    if (source->len == 0)
        return OK;
    if (!gzip_starts(source))
        return diag_fail(diag, ERR_INVALID, "bytes that are not gzip follow the gzip data");
    if (inflateReset(&source->gzip) != Z_OK)
        return diag_fail(diag, ERR_IO, "gzip cannot start again");
    source->is_inside = true;
    return OK;
}

static result read_gzip(struct source *source, char *out, size_t room, size_t *count,
                        struct diag *diag)
{
    z_stream *gzip = &source->gzip;
    unsigned wanted = room < UINT32_MAX ? (unsigned)room : UINT32_MAX;

    for (;;) {
        if (!source->is_inside) {
            TRY(gzip_next(source, diag));
            if (!source->is_inside)
                return OK;
        }
        if (source->len == 0)
            TRY(take(source, diag));
        gzip->next_in = (unsigned char *)source->buffer + source->at;
        gzip->avail_in = (unsigned)source->len;
        gzip->next_out = (unsigned char *)out;
        gzip->avail_out = wanted;
        int code = inflate(gzip, Z_NO_FLUSH);
        use(source, source->len - gzip->avail_in);
        *count = wanted - gzip->avail_out;
        if (code == Z_STREAM_END)
            source->is_inside = false;
        else if (code == Z_MEM_ERROR)
            return diag_fail(diag, ERR_LIMIT, "no memory for gzip");
        else if (code != Z_OK && code != Z_BUF_ERROR)
            return diag_fail(diag, ERR_INVALID, "broken gzip: %s",
                             gzip->msg != NULL ? gzip->msg : "not what it says");
        if (*count > 0)
            return OK;
        if (source->is_inside && source->len == 0 && source->is_at_end)
            return ends_early("gzip data", diag);
    }
}

static result read_zstd(struct source *source, char *out, size_t room, size_t *count,
                        struct diag *diag)
{
    for (;;) {
        if (source->len == 0)
            TRY(take(source, diag));
        if (source->len == 0 && !source->is_inside)
            return OK;
        ZSTD_inBuffer in = {source->buffer + source->at, source->len, 0};
        ZSTD_outBuffer made = {out, room, 0};
        size_t hint = ZSTD_decompressStream(source->zstd, &made, &in);
        if (ZSTD_isError(hint))
            return diag_fail(diag, ERR_INVALID, "broken zstd: %s", ZSTD_getErrorName(hint));
        use(source, in.pos);
        source->is_inside = hint != 0;
        *count = made.pos;
        if (made.pos > 0)
            return OK;
        if (source->is_inside && source->len == 0 && source->is_at_end)
            return ends_early("zstd data", diag);
    }
}

result source_read(struct source *source, char *out, size_t room, size_t *count, struct diag *diag)
{
    *count = 0;
    if (room == 0)
        return OK;
    if (source->unread.len > 0) {
        *count = source->unread.len < room ? source->unread.len : room;
        memcpy(out, source->unread.at, *count);
        source->unread = slice_from(source->unread, *count);
        return OK;
    }
    if (source->maker.read != NULL)
        return source->maker.read(source->maker.context, out, room, count, diag);
    switch (source->packing) {
    case PACK_NONE:
        return read_plain(source, out, room, count, diag);
    case PACK_GZIP:
        return read_gzip(source, out, room, count, diag);
    case PACK_ZSTD:
        return read_zstd(source, out, room, count, diag);
    }
    return OK;
}

void source_unread(struct source *source, slice bytes)
{
    source->unread = bytes;
}

uint64_t source_bytes_taken(const struct source *source)
{
    if (source->maker.behind != NULL)
        source = source->maker.behind;
    return source->taken_bytes - source->len;
}

uint64_t source_bytes_total(const struct source *source)
{
    if (source->maker.behind != NULL)
        source = source->maker.behind;
    return source->total_bytes;
}

int source_waits_for(const struct source *source)
{
    bool is_waiting = source->is_waiting && source->packing == PACK_NONE && source->len == 0 &&
                      !source->is_at_end;

    return is_waiting ? source->descriptor : -1;
}

const char *source_name(const struct source *source)
{
    return source->name;
}
