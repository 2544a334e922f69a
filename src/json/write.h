/* Write JSON: a run of small steps into a buf, commas by themselves, checked once at the end. */
#pragma once

#include "base/buf.h"

#define JSON_WRITE_DEPTH_MAX 64

struct json_writer {
    struct buf *out; /* borrowed */
    unsigned depth;
    uint64_t has_members; /* a bit per level */
    bool after_key;
};

#define JSON_WRITER(buf) ((struct json_writer){.out = (buf)})

void jw_object_begin(struct json_writer *w);
void jw_object_end(struct json_writer *w);
void jw_array_begin(struct json_writer *w);
void jw_array_end(struct json_writer *w);
void jw_key(struct json_writer *w, slice key);
void jw_string(struct json_writer *w,
               slice value); /* escapes as RFC 8785 does; bad UTF-8 becomes U+FFFD */
void jw_u64(struct json_writer *w, uint64_t value);
void jw_i64(struct json_writer *w, int64_t value);
void jw_bool(struct json_writer *w, bool value);
void jw_null(struct json_writer *w);
void jw_raw(struct json_writer *w, slice json); /* a value that is JSON already */

/* key and value in one step */
void jw_put_string(struct json_writer *w, slice key, slice value);
void jw_put_u64(struct json_writer *w, slice key, uint64_t value);
void jw_put_bool(struct json_writer *w, slice key, bool value);
