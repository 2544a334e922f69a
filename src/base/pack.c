#include "base/pack.h"

#include "base/fault.h"

#include <libdeflate.h>
#include <zstd.h>

#include "base/banned.h"

/* Measured on pages of STIX: past these, time grows much faster than the answer shrinks. */
#define GZIP_LEVEL 6
#define ZSTD_LEVEL 3

/* RFC 9659: a content coding of zstd needs no window over 8 MB. */
#define ZSTD_WINDOW_LOG_MAX 23

/* The first guess at what a packed body becomes; doubled while it is too little. */
#define UNPACK_RATIO 4
#define UNPACK_ROOM_BYTES_MIN 4096

static void compressor_free(struct libdeflate_compressor **compressor)
{
    libdeflate_free_compressor(*compressor);
}

static void decompressor_free(struct libdeflate_decompressor **decompressor)
{
    libdeflate_free_decompressor(*decompressor);
}

static void dctx_free(ZSTD_DCtx **dctx)
{
    ZSTD_freeDCtx(*dctx);
}

static result over_ceiling(const struct buf *out, struct diag *diag)
{
    return diag_fail(diag, ERR_LIMIT, "unpacks to more than %zu bytes", out->ceiling);
}

static result gzip_pack(slice bytes, struct buf *out, struct diag *diag)
{
    CLEANUP(compressor_free)
    struct libdeflate_compressor *compressor =
        FAULT_HERE() ? NULL : libdeflate_alloc_compressor(GZIP_LEVEL);
    if (compressor == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for gzip");

    size_t room = libdeflate_gzip_compress_bound(compressor, bytes.len);
    char *at = buf_reserve(out, room);
    if (at == NULL)
        return diag_fail(diag, ERR_LIMIT, "gzip needs room for %zu bytes, %zu are allowed", room,
                         out->ceiling);
    size_t count = libdeflate_gzip_compress(compressor, bytes.at, bytes.len, at, room);
    if (count == 0)
        return diag_fail(diag, ERR_IO, "gzip of %zu bytes failed", bytes.len);
    out->len += count;
    return OK;
}

static result zstd_pack(slice bytes, struct buf *out, struct diag *diag)
{
    size_t room = ZSTD_compressBound(bytes.len);
    char *at = FAULT_HERE() ? NULL : buf_reserve(out, room);

    if (at == NULL)
        return diag_fail(diag, ERR_LIMIT, "zstd needs room for %zu bytes, %zu are allowed", room,
                         out->ceiling);
    size_t count = ZSTD_compress(at, room, bytes.at, bytes.len, ZSTD_LEVEL);
    if (ZSTD_isError(count))
        return diag_fail(diag, ERR_IO, "zstd: %s", ZSTD_getErrorName(count));
    out->len += count;
    return OK;
}

/* Room for about `wanted` bytes, less when the ceiling is near.  What comes back may be 0 bytes: an
 * empty body still unpacks into that. */
static char *room_near(struct buf *out, size_t wanted, size_t *room)
{
    size_t left = out->ceiling - out->len;

    *room = wanted < left ? wanted : left;
    return *room == 0 ? out->at : buf_reserve(out, *room);
}

/* One gzip member off the head of *rest.  The length in its trailer is only the sender's word
 * (and modulo 2^32), so the room is found by trying: in all at most twice the work. */
static result gzip_member(struct libdeflate_decompressor *decompressor, slice *rest,
                          struct buf *out, struct diag *diag)
{
    size_t wanted = rest->len < SIZE_MAX / UNPACK_RATIO ? rest->len * UNPACK_RATIO : rest->len;

    if (wanted < UNPACK_ROOM_BYTES_MIN)
        wanted = UNPACK_ROOM_BYTES_MIN;
    for (;;) {
        size_t room, taken = 0, made = 0;
        char none[1];
        char *at = room_near(out, wanted, &room);

        if (room > 0 && at == NULL)
            return diag_fail(diag, ERR_LIMIT, "no memory to unpack %zu bytes", room);
        switch (libdeflate_gzip_decompress_ex(decompressor, rest->at, rest->len,
                                              room > 0 ? at : none, room, &taken, &made)) {
        case LIBDEFLATE_SUCCESS:
            out->len += made;
            *rest = slice_from(*rest, taken);
            return OK;
        case LIBDEFLATE_INSUFFICIENT_SPACE:
            if (room < wanted)
                return over_ceiling(out, diag);
            wanted *= 2;
            break;
        case LIBDEFLATE_BAD_DATA:
        case LIBDEFLATE_SHORT_OUTPUT:
            return diag_fail(diag, ERR_INVALID, "broken gzip: cut short or altered");
        }
    }
}

static result gzip_unpack(slice bytes, struct buf *out, struct diag *diag)
{
    CLEANUP(decompressor_free)
    struct libdeflate_decompressor *decompressor =
        FAULT_HERE() ? NULL : libdeflate_alloc_decompressor();
    if (decompressor == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for gzip");

    do {
        TRY(gzip_member(decompressor, &bytes, out, diag));
    } while (bytes.len > 0);
    return OK;
}

static result zstd_unpack(slice bytes, struct buf *out, struct diag *diag)
{
    CLEANUP(dctx_free) ZSTD_DCtx *dctx = FAULT_HERE() ? NULL : ZSTD_createDCtx();
    ZSTD_inBuffer in = {bytes.at, bytes.len, 0};
    size_t wanted = UNPACK_ROOM_BYTES_MIN;

    if (dctx == NULL ||
        ZSTD_isError(ZSTD_DCtx_setParameter(dctx, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX)))
        return diag_fail(diag, ERR_LIMIT, "no memory for zstd");
    for (;;) {
        char beyond[1]; /* where the byte past the ceiling shows itself */
        size_t room;
        char *at = room_near(out, wanted, &room);

        if (room > 0 && at == NULL)
            return diag_fail(diag, ERR_LIMIT, "no memory to unpack %zu bytes", room);
        ZSTD_outBuffer piece = {room > 0 ? at : beyond, room > 0 ? room : sizeof(beyond), 0};
        size_t hint = ZSTD_decompressStream(dctx, &piece, &in);
        if (ZSTD_isError(hint))
            return diag_fail(diag, ERR_INVALID, "broken zstd: %s", ZSTD_getErrorName(hint));
        if (room == 0 && piece.pos > 0)
            return over_ceiling(out, diag);
        out->len += room > 0 ? piece.pos : 0;
        if (hint == 0 && in.pos == in.size)
            return OK; /* a frame's end, and nothing behind it */
        if (in.pos == in.size && piece.pos < piece.size)
            return diag_fail(diag, ERR_INVALID, "broken zstd: ends early");
        wanted = out->len < UNPACK_ROOM_BYTES_MIN ? UNPACK_ROOM_BYTES_MIN : out->len;
    }
}

result pack(enum packing packing, slice bytes, struct buf *out, struct diag *diag)
{
    switch (packing) {
    case PACK_GZIP:
        return gzip_pack(bytes, out, diag);
    case PACK_ZSTD:
        return zstd_pack(bytes, out, diag);
    case PACK_NONE:
        break;
    }
    buf_put(out, bytes);
    return out->overflowed
               ? diag_fail(diag, ERR_LIMIT, "%zu bytes, %zu are allowed", bytes.len, out->ceiling)
               : OK;
}

result unpack(enum packing packing, slice bytes, struct buf *out, struct diag *diag)
{
    switch (packing) {
    case PACK_GZIP:
        return gzip_unpack(bytes, out, diag);
    case PACK_ZSTD:
        return zstd_unpack(bytes, out, diag);
    case PACK_NONE:
        break;
    }
    buf_put(out, bytes);
    return out->overflowed ? over_ceiling(out, diag) : OK;
}
