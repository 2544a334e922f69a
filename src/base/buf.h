/* A growable run of bytes with a ceiling: builds texts and encodes numbers.
 *
 * Sticky: after the first refusal (ceiling reached, memory out) every call does
 * nothing, and buf_overflowed says so once at the end of a run of small steps.
 */
#pragma once

#include "base/result.h"
#include "base/slice.h"

struct buf {
    char *at;        /* owned */
    size_t len;      /* bytes written */
    size_t capacity; /* bytes held */
    size_t ceiling;  /* never grows past this */
    bool overflowed;
};

#define BUF(ceiling_bytes) ((struct buf){.ceiling = (ceiling_bytes)})

void buf_free(struct buf *buf);
void buf_reset(struct buf *buf); /* empty, memory kept, not overflowed */

/* Room for `bytes` more, to be written at the returned place and then counted by
 * adding to buf->len; NULL when over the ceiling. */
char *buf_reserve(struct buf *buf, size_t bytes);

void buf_put(struct buf *buf, slice s);
void buf_byte(struct buf *buf, char byte);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_u16(struct buf *buf, uint16_t value); /* big-endian, as in keys and records */
void buf_u32(struct buf *buf, uint32_t value);
void buf_u64(struct buf *buf, uint64_t value);
void buf_varint(struct buf *buf, uint64_t value); /* LEB128, 7 bits a byte, low first */

static inline slice buf_slice(const struct buf *buf)
{
    return (slice){buf->at, buf->len};
}

/* The counterpart: reads what buf_* wrote.  Sticky as well: past the end or on a
 * bad varint it gives zeros and `broken` is set. */
struct reader {
    slice rest; /* borrowed */
    bool broken;
};

#define READER(s) ((struct reader){.rest = (s)})

uint8_t read_u8(struct reader *reader);
uint16_t read_u16(struct reader *reader);
uint32_t read_u32(struct reader *reader);
uint64_t read_u64(struct reader *reader);
uint64_t read_varint(struct reader *reader);
slice read_bytes(struct reader *reader, size_t count);
