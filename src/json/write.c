#include "json/write.h"

#include <assert.h>

#include "json/escape.h"

#include "base/banned.h"

#define REPLACEMENT SLICE("\xEF\xBF\xBD") /* U+FFFD */

/* The comma before a member or an element; none between a key and its value. */
static void separate(struct json_writer *w)
{
    uint64_t level = (uint64_t)1 << w->depth;

    if (w->after_key)
        w->after_key = false;
    else if (w->has_members & level)
        buf_byte(w->out, ',');
    w->has_members |= level;
}

static void container_begin(struct json_writer *w, char bracket)
{
    separate(w);
    buf_byte(w->out, bracket);
    w->depth++;
    assert(w->depth < JSON_WRITE_DEPTH_MAX);
    w->has_members &= ~((uint64_t)1 << w->depth);
}

static void container_end(struct json_writer *w, char bracket)
{
    assert(w->depth > 0 && !w->after_key);
    w->depth--;
    buf_byte(w->out, bracket);
}

void jw_object_begin(struct json_writer *w)
{
    container_begin(w, '{');
}

void jw_object_end(struct json_writer *w)
{
    container_end(w, '}');
}

void jw_array_begin(struct json_writer *w)
{
    container_begin(w, '[');
}

void jw_array_end(struct json_writer *w)
{
    container_end(w, ']');
}

/* How many bytes at the front of s need no escape. */
static size_t plain_bytes(slice s)
{
    size_t i = 0;

    while (i < s.len && (uint8_t)s.at[i] >= 0x20 && s.at[i] != '"' && s.at[i] != '\\')
        i++;
    return i;
}

static void put_escaped(struct buf *out, slice s)
{
    while (s.len > 0) {
        size_t plain = plain_bytes(s);

        buf_put(out, slice_head(s, plain));
        s = slice_from(s, plain);
        if (s.len > 0) {
            char escape[JSON_ESCAPE_BYTES_MAX];

            buf_put(out, slice_of(escape, json_escape_put((uint8_t)s.at[0], escape)));
            s = slice_from(s, 1);
        }
    }
}

/* Bytes at the front of s that no UTF-8 text can hold, as Unicode recommends to replace them
 * (3.9, U+FFFD substitution of maximal subparts): a character's beginning counts once. */
static size_t bad_bytes(slice s)
{
    static const struct {
        uint8_t low, high, second_low, second_high, bytes;
    } heads[] = {
        {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
        {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
        {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    uint8_t head = (uint8_t)s.at[0];

    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        size_t taken = 1;

        if (head < heads[i].low || head > heads[i].high)
            continue;
        if (s.len < 2 || (uint8_t)s.at[1] < heads[i].second_low ||
            (uint8_t)s.at[1] > heads[i].second_high)
            return 1;
        for (taken = 2; taken < heads[i].bytes && taken < s.len; taken++)
            if (((uint8_t)s.at[taken] & 0xC0) != 0x80)
                break;
        return taken;
    }
    return 1;
}

/* Bytes of the well-formed character at the front of s; 0 when there is none. */
static size_t good_bytes(slice s)
{
    for (size_t bytes = 1; bytes <= JSON_UTF8_BYTES_MAX && bytes <= s.len; bytes++)
        if (utf8_valid(slice_head(s, bytes)))
            return bytes;
    return 0;
}

static void put_repaired(struct buf *out, slice s)
{
    while (s.len > 0) {
        size_t good = 0, bytes;

        while (good < s.len && (bytes = good_bytes(slice_from(s, good))) > 0)
            good += bytes;
        put_escaped(out, slice_head(s, good));
        s = slice_from(s, good);
        if (s.len > 0) {
            buf_put(out, REPLACEMENT);
            s = slice_from(s, bad_bytes(s));
        }
    }
}

static void put_quoted(struct buf *out, slice value)
{
    buf_byte(out, '"');
    if (utf8_valid(value))
        put_escaped(out, value);
    else
        put_repaired(out, value);
    buf_byte(out, '"');
}

void jw_key(struct json_writer *w, slice key)
{
    assert(!w->after_key);
    separate(w);
    put_quoted(w->out, key);
    buf_byte(w->out, ':');
    w->after_key = true;
}

void jw_string(struct json_writer *w, slice value)
{
    separate(w);
    put_quoted(w->out, value);
}

void jw_u64(struct json_writer *w, uint64_t value)
{
    char text[20];
    size_t at = sizeof text;

    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    jw_raw(w, slice_of(text + at, sizeof text - at));
}

void jw_i64(struct json_writer *w, int64_t value)
{
    if (value >= 0) {
        jw_u64(w, (uint64_t)value);
        return;
    }
    separate(w);
    buf_byte(w->out, '-');
    w->after_key = true; /* the digits belong to the sign: no comma between */
    jw_u64(w, -(uint64_t)value);
}

void jw_bool(struct json_writer *w, bool value)
{
    jw_raw(w, value ? SLICE("true") : SLICE("false"));
}

void jw_null(struct json_writer *w)
{
    jw_raw(w, SLICE("null"));
}

void jw_raw(struct json_writer *w, slice json)
{
    separate(w);
    buf_put(w->out, json);
}

void jw_put_string(struct json_writer *w, slice key, slice value)
{
    jw_key(w, key);
    jw_string(w, value);
}

void jw_put_u64(struct json_writer *w, slice key, uint64_t value)
{
    jw_key(w, key);
    jw_u64(w, value);
}

void jw_put_bool(struct json_writer *w, slice key, bool value)
{
    jw_key(w, key);
    jw_bool(w, value);
}
