#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/arena.h"

#include "base/banned.h"

void buf_free(struct buf *buf)
{
    table_free(buf->at);
    *buf = BUF(buf->ceiling);
}

void buf_reset(struct buf *buf)
{
    buf->len = 0;
    buf->overflowed = false;
}

static bool buf_room(struct buf *buf, size_t bytes)
{
    size_t need;

    if (buf->overflowed)
        return false;
    if (bytes <= buf->capacity - buf->len && buf->at != NULL)
        return true;
    if (size_add(buf->len, bytes, &need)) {
        char *moved = table_grow(buf->at, &buf->capacity, need, buf->ceiling, 1);

        if (moved != NULL) {
            buf->at = moved;
            return true;
        }
    }
    buf->overflowed = true;
    return false;
}

char *buf_reserve(struct buf *buf, size_t bytes)
{
    return buf_room(buf, bytes) ? buf->at + buf->len : NULL;
}

void buf_put(struct buf *buf, slice s)
{
    if (s.len == 0 || !buf_room(buf, s.len))
        return;
    memcpy(buf->at + buf->len, s.at, s.len);
    buf->len += s.len;
}

void buf_byte(struct buf *buf, char byte)
{
    if (buf_room(buf, 1))
        buf->at[buf->len++] = byte;
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int bytes = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (bytes < 0) {
        buf->overflowed = true;
        return;
    }
    if (!buf_room(buf, (size_t)bytes + 1))
        return;
    va_start(args, format);
    (void)vsnprintf(buf->at + buf->len, (size_t)bytes + 1, format, args);
    va_end(args);
    buf->len += (size_t)bytes;
}

static void buf_big_endian(struct buf *buf, uint64_t value, size_t bytes)
{
    if (!buf_room(buf, bytes))
        return;
    for (size_t i = bytes; i-- > 0;)
        buf->at[buf->len++] = (char)(value >> (8 * i));
}

void buf_u16(struct buf *buf, uint16_t value)
{
    buf_big_endian(buf, value, 2);
}

void buf_u32(struct buf *buf, uint32_t value)
{
    buf_big_endian(buf, value, 4);
}

void buf_u64(struct buf *buf, uint64_t value)
{
    buf_big_endian(buf, value, 8);
}

void buf_varint(struct buf *buf, uint64_t value)
{
    while (value >= 0x80) {
        buf_byte(buf, (char)(value | 0x80));
        value >>= 7;
    }
    buf_byte(buf, (char)value);
}

slice read_bytes(struct reader *reader, size_t count)
{
    if (reader->broken || reader->rest.len < count) {
        reader->broken = true;
        return SLICE_NONE;
    }
    slice taken = slice_head(reader->rest, count);
    reader->rest = slice_from(reader->rest, count);
    return taken;
}

static uint64_t read_big_endian(struct reader *reader, size_t bytes)
{
    slice taken = read_bytes(reader, bytes);
    uint64_t value = 0;

    for (size_t i = 0; i < taken.len; i++)
        value = value << 8 | (unsigned char)taken.at[i];
    return value;
}

uint8_t read_u8(struct reader *reader)
{
    return (uint8_t)read_big_endian(reader, 1);
}

uint16_t read_u16(struct reader *reader)
{
    return (uint16_t)read_big_endian(reader, 2);
}

uint32_t read_u32(struct reader *reader)
{
    return (uint32_t)read_big_endian(reader, 4);
}

uint64_t read_u64(struct reader *reader)
{
    return read_big_endian(reader, 8);
}

uint64_t read_varint(struct reader *reader)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = read_u8(reader);

        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    reader->broken = true;
    return 0;
}
