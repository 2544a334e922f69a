/* The stream keeps one stretch of text in memory: what no window has given out yet.  A small state
 * machine reads the text around the elements byte by byte; the elements themselves, nearly all of
 * it, are passed over by json_skip_container. */
#include "json/stream.h"

#include "json/escape.h"
#include "json/skip.h"

#include "base/banned.h"

#define WINDOW_BYTES_MIN 16
#define ELEMENTS_MAX ((size_t)1 << 32)
#define BYTE_ORDER_MARK SLICE("\xEF\xBB\xBF")

/* What may come next, white space aside. */
enum due {
    DUE_TOP,           /* an object or an array, or the end */
    DUE_END,           /* the end: a bare array stands alone */
    DUE_FIRST_ELEMENT, /* or ']' */
    DUE_ELEMENT,       /* behind a comma */
    DUE_ELEMENT_COMMA, /* or ']' */
    DUE_FIRST_KEY,     /* or '}' */
    DUE_KEY,           /* behind a comma */
    DUE_COLON,
    DUE_VALUE,        /* of a top-level member */
    DUE_MEMBER_COMMA, /* or '}' */
};

/* A value that is being passed over. */
enum passing { PASSING_NONE, PASSING_CONTAINER, PASSING_STRING, PASSING_SCALAR };

struct json_stream {
    struct source *source; /* borrowed */
    struct json_stream_limits limits;
    struct buf text;      /* owned, as all below */
    struct buf envelope;  /* "{" and its members so far */
    uint64_t text_offset; /* of text.at[0] in the stream */
    size_t at;            /* what is read of text */
    size_t top_at;        /* of the top-level object */
    size_t value_at;      /* of the value that is being passed over */
    size_t member_at;     /* of the key of the top-level member */
    enum due due;
    enum passing passing;
    struct json_skip skip;
    bool has_started, has_ended; /* reading from the source */
    bool has_value;              /* any top-level value was seen */
    bool in_envelope;            /* the top-level object is known to be one */
    bool in_object;              /* inside a top-level object */
    bool at_objects;             /* its member's key is "objects" */
    bool had_objects;            /* it was, before */
    slice *objects;
    size_t object_capacity;
    uint64_t *offsets;
    size_t offset_capacity;
    size_t count;
    uint64_t next_index;
    struct json_parser *parser; /* for what stands around the objects */
    struct diag failure;        /* of a window whose objects were given out first */
    enum err failed_with;
};

result json_stream_open(struct source *source, const struct json_stream_limits *limits,
                        struct json_stream **out, struct diag *diag)
{
    size_t one = 0, ceiling;
    struct json_stream *stream = table_grow(NULL, &one, 1, 1, sizeof *stream);

    if (stream == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a JSON stream");
    *stream = (struct json_stream){.source = source, .limits = *limits};
    if (stream->limits.window_bytes < WINDOW_BYTES_MIN)
        stream->limits.window_bytes = WINDOW_BYTES_MIN;
    if (!size_add(limits->object_bytes_max, stream->limits.window_bytes, &ceiling) ||
        !size_add(ceiling, ceiling / 2 + JSON_PADDING, &ceiling))
        ceiling = SIZE_MAX;
    stream->text = BUF(ceiling);
    stream->envelope = BUF(limits->object_bytes_max);
    result r = json_parser_new(limits->depth_max, &stream->parser, diag);
    if (failed(r)) {
        json_stream_close(&stream);
        return r;
    }
    *out = stream;
    return OK;
}

void json_stream_close(struct json_stream **stream)
{
    struct json_stream *gone = *stream;

    if (gone == NULL)
        return;
    buf_free(&gone->text);
    buf_free(&gone->envelope);
    table_free(gone->objects);
    table_free(gone->offsets);
    json_parser_free(&gone->parser);
    table_free(gone);
    *stream = NULL;
}

slice json_stream_envelope(const struct json_stream *stream)
{
    return buf_slice(&stream->envelope);
}

static result wrong(const struct json_stream *stream, const char *why, struct diag *diag)
{
    return diag_fail(diag, ERR_INVALID, "byte %llu: %s",
                     (unsigned long long)(stream->text_offset + stream->at), why);
}

/* ---- the text in memory ---- */

/* The first byte that is still needed: an object is given out whole, and a top-level one is not
 * known to be an envelope before its "objects" is seen. */
static size_t pending_at(const struct json_stream *stream)
{
    bool passing = stream->passing != PASSING_NONE;

    if (stream->in_object && !stream->in_envelope)
        return stream->top_at;
    switch (stream->due) {
    case DUE_COLON:
    case DUE_VALUE:
        return stream->member_at;
    case DUE_FIRST_KEY:
    case DUE_KEY:
    case DUE_FIRST_ELEMENT:
    case DUE_ELEMENT:
        return passing ? stream->value_at : stream->at;
    case DUE_TOP:
    case DUE_END:
    case DUE_ELEMENT_COMMA:
    case DUE_MEMBER_COMMA:
        break;
    }
    return stream->at;
}

static size_t less(size_t place, size_t gone)
{
    return place < gone ? 0 : place - gone;
}

/* Let go of what was given out. */
static void text_release(struct json_stream *stream)
{
    size_t gone = pending_at(stream);

    if (gone == 0)
        return;
    memmove(stream->text.at, stream->text.at + gone, stream->text.len - gone);
    stream->text.len -= gone;
    stream->text_offset += gone;
    stream->at -= gone;
    stream->value_at = less(stream->value_at, gone);
    stream->member_at = less(stream->member_at, gone);
    stream->top_at = less(stream->top_at, gone);
}

static result text_read(struct json_stream *stream, struct diag *diag)
{
    size_t wanted = stream->limits.window_bytes, count;

    while (wanted > 0 && !stream->has_ended) {
        char *room = buf_reserve(&stream->text, wanted + JSON_PADDING);

        if (room == NULL)
            return diag_fail(diag, ERR_LIMIT, "no memory for %zu bytes of JSON",
                             stream->text.len + wanted);
        TRY(source_read(stream->source, room, wanted, &count, diag));
        stream->text.len += count;
        wanted -= count;
        stream->has_ended = count == 0;
    }
    /* Readable behind the last object, and the same bytes every time. */
    char *padding = buf_reserve(&stream->text, JSON_PADDING);
    if (padding == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for %zu bytes of JSON", stream->text.len);
    memset(padding, 0, JSON_PADDING);
    if (!stream->has_started && slice_starts(buf_slice(&stream->text), BYTE_ORDER_MARK))
        stream->at = BYTE_ORDER_MARK.len;
    stream->has_started = true;
    return OK;
}

/* ---- what was passed over ---- */

static result object_limit(const struct json_stream *stream, size_t at, struct diag *diag)
{
    return diag_fail(diag, ERR_LIMIT, "byte %llu: an object of more than %zu bytes",
                     (unsigned long long)(stream->text_offset + at),
                     stream->limits.object_bytes_max);
}

/* One more element for the window; its place in memory is filled in when the window is given. */
static result element_push(struct json_stream *stream, size_t at, struct diag *diag)
{
    size_t len = stream->at - at;

    if (len > stream->limits.object_bytes_max)
        return object_limit(stream, at, diag);
    slice *objects = table_grow(stream->objects, &stream->object_capacity, stream->count + 1,
                                ELEMENTS_MAX, sizeof *objects);
    if (objects != NULL)
        stream->objects = objects;
    uint64_t *offsets = table_grow(stream->offsets, &stream->offset_capacity, stream->count + 1,
                                   ELEMENTS_MAX, sizeof *offsets);
    if (offsets != NULL)
        stream->offsets = offsets;
    if (objects == NULL || offsets == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for %zu objects", stream->count + 1);
    objects[stream->count] = slice_of(NULL, len);
    offsets[stream->count++] = stream->text_offset + at;
    return OK;
}

static result envelope_put(struct json_stream *stream, slice members, struct diag *diag)
{
    if (members.len > 0) {
        if (stream->envelope.len > 1)
            buf_byte(&stream->envelope, ',');
        buf_put(&stream->envelope, members);
    }
    if (stream->envelope.overflowed)
        return diag_fail(diag, ERR_LIMIT, "more than %zu bytes around the objects",
                         stream->limits.object_bytes_max);
    return OK;
}

static slice text_between(const struct json_stream *stream, size_t from, size_t to)
{
    return slice_of(stream->text.at + from, to - from);
}

/* "objects" has an array: what stands before it in the top-level object is around the objects. */
static result envelope_begin(struct json_stream *stream, struct diag *diag)
{
    size_t first = stream->top_at + 1; /* behind '{' */
    slice before = slice_trim(text_between(stream, first, stream->member_at));

    if (before.len > 0)
        before = slice_trim(slice_head(before, before.len - 1)); /* its last byte is the comma */
    buf_reset(&stream->envelope);
    buf_byte(&stream->envelope, '{');
    stream->in_envelope = true;
    return envelope_put(stream, before, diag);
}

static result envelope_end(struct json_stream *stream, struct diag *diag)
{
    struct json_doc doc;

    buf_byte(&stream->envelope, '}');
    TRY(envelope_put(stream, SLICE(""), diag));
    return diag_within(diag,
                       json_parse_copy(stream->parser, buf_slice(&stream->envelope), &doc, diag),
                       "the members around the objects");
}

static bool is_objects_key(slice raw)
{
    char value[64];
    slice inner = slice_of(raw.at + 1, raw.len - 2);
    size_t bad;

    if (memchr(inner.at, '\\', inner.len) == NULL)
        return slice_eq(inner, SLICE("objects"));
    if (inner.len > sizeof value || json_escapes_wrong(inner, &bad) != NULL)
        return false;
    return slice_eq(slice_of(value, json_unescape(inner, value)), SLICE("objects"));
}

static result key_passed(struct json_stream *stream, struct diag *diag)
{
    stream->at_objects = is_objects_key(text_between(stream, stream->value_at, stream->at));
    if (stream->at_objects && stream->had_objects && stream->in_envelope) {
        stream->at = stream->value_at;
        return wrong(stream, "\"objects\" stands twice", diag);
    }
    stream->due = DUE_COLON;
    return OK;
}

static result member_passed(struct json_stream *stream, struct diag *diag)
{
    stream->had_objects = stream->had_objects || stream->at_objects;
    stream->due = DUE_MEMBER_COMMA;
    if (!stream->in_envelope)
        return OK;
    return envelope_put(stream, text_between(stream, stream->member_at, stream->at), diag);
}

static result value_passed(struct json_stream *stream, struct diag *diag)
{
    stream->passing = PASSING_NONE;
    switch (stream->due) {
    case DUE_FIRST_KEY:
    case DUE_KEY:
        return key_passed(stream, diag);
    case DUE_VALUE:
        return member_passed(stream, diag);
    case DUE_FIRST_ELEMENT:
    case DUE_ELEMENT:
        stream->due = DUE_ELEMENT_COMMA;
        return element_push(stream, stream->value_at, diag);
    case DUE_TOP:
    case DUE_END:
    case DUE_ELEMENT_COMMA:
    case DUE_COLON:
    case DUE_MEMBER_COMMA:
        break;
    }
    return wrong(stream, "a value where none belongs", diag);
}

static bool is_scalar(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') || byte == '-' || byte == '+' || byte == '.';
}

/* Go on passing over the value; what is not finished waits for more text. */
static result pass(struct json_stream *stream, struct diag *diag)
{
    slice rest = text_between(stream, stream->at, stream->text.len);
    enum json_skip_state state = JSON_SKIP_MORE;
    size_t taken = 0;

    switch (stream->passing) {
    case PASSING_CONTAINER:
        state = json_skip_container(&stream->skip, rest, stream->limits.depth_max, &taken);
        break;
    case PASSING_STRING:
        state = json_skip_string(&stream->skip, rest, &taken);
        break;
    case PASSING_SCALAR:
        while (taken < rest.len && is_scalar(rest.at[taken]))
            taken++;
        state = taken < rest.len ? JSON_SKIP_DONE : JSON_SKIP_MORE;
        break;
    case PASSING_NONE:
        break;
    }
    stream->at += taken;
    if (state == JSON_SKIP_DEEP)
        return diag_fail(diag, ERR_LIMIT, "byte %llu: nested too deep",
                         (unsigned long long)(stream->text_offset + stream->at));
    return state == JSON_SKIP_DONE ? value_passed(stream, diag) : OK;
}

/* ---- the text around the elements ---- */

static result due_next(struct json_stream *stream, enum due due)
{
    stream->at++;
    stream->due = due;
    return OK;
}

static result value_begin(struct json_stream *stream, char head, struct diag *diag)
{
    stream->value_at = stream->at;
    stream->skip = (struct json_skip){0};
    if (head == '{' || head == '[')
        stream->passing = PASSING_CONTAINER;
    else if (head == '"')
        stream->passing = PASSING_STRING;
    else if (is_scalar(head))
        stream->passing = PASSING_SCALAR;
    else
        return wrong(stream, "expected a value", diag);
    return OK;
}

static result key_begin(struct json_stream *stream, char head, struct diag *diag)
{
    if (head != '"')
        return wrong(stream, "expected a key in quotes", diag);
    stream->member_at = stream->at;
    return value_begin(stream, head, diag);
}

static result top_begin(struct json_stream *stream, char head, struct diag *diag)
{
    if (head == '[' && stream->has_value)
        return wrong(stream, "an array behind an object", diag);
    if (head != '{' && head != '[')
        return wrong(stream,
                     stream->has_value ? "unexpected text behind a value"
                                       : "expected an object or an array of objects",
                     diag);
    stream->in_object = head == '{';
    stream->in_envelope = stream->at_objects = stream->had_objects = false;
    stream->has_value = true;
    stream->due = stream->in_object ? DUE_FIRST_KEY : DUE_FIRST_ELEMENT;
    stream->top_at = stream->at++;
    return OK;
}

/* Behind the ']' of the elements. */
static result array_end(struct json_stream *stream)
{
    stream->had_objects = true;
    return due_next(stream, stream->in_object ? DUE_MEMBER_COMMA : DUE_END);
}

/* Behind the '}' of a top-level object: it was the envelope, or it is an element itself. */
static result object_end(struct json_stream *stream, struct diag *diag)
{
    stream->at++;
    stream->due = DUE_TOP;
    stream->in_object = false;
    if (stream->in_envelope)
        return envelope_end(stream, diag);
    return element_push(stream, stream->top_at, diag);
}

static result member_value_begin(struct json_stream *stream, char head, struct diag *diag)
{
    if (head != '[' || !stream->at_objects || stream->had_objects)
        return value_begin(stream, head, diag);
    TRY(envelope_begin(stream, diag));
    stream->at++;
    stream->due = DUE_FIRST_ELEMENT;
    return OK;
}

/* One token of the text around the elements: head is its first byte. */
static result step(struct json_stream *stream, char head, struct diag *diag)
{
    switch (stream->due) {
    case DUE_TOP:
        return top_begin(stream, head, diag);
    case DUE_END:
        return wrong(stream, "unexpected text behind a value", diag);
    case DUE_FIRST_ELEMENT:
    case DUE_ELEMENT:
        if (head == ']' && stream->due == DUE_FIRST_ELEMENT)
            return array_end(stream);
        return value_begin(stream, head, diag);
    case DUE_ELEMENT_COMMA:
        if (head == ']')
            return array_end(stream);
        return head == ',' ? due_next(stream, DUE_ELEMENT)
                           : wrong(stream, "expected ',' or ']'", diag);
    case DUE_FIRST_KEY:
    case DUE_KEY:
        if (head == '}' && stream->due == DUE_FIRST_KEY)
            return object_end(stream, diag);
        return key_begin(stream, head, diag);
    case DUE_COLON:
        return head == ':' ? due_next(stream, DUE_VALUE)
                           : wrong(stream, "expected ':' behind a key", diag);
    case DUE_VALUE:
        return member_value_begin(stream, head, diag);
    case DUE_MEMBER_COMMA:
        if (head == '}')
            return object_end(stream, diag);
        return head == ',' ? due_next(stream, DUE_KEY) : wrong(stream, "expected ',' or '}'", diag);
    }
    return OK;
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* Through all text in memory. */
static result scan(struct json_stream *stream, struct diag *diag)
{
    while (stream->at < stream->text.len) {
        char head = stream->text.at[stream->at];

        if (stream->passing != PASSING_NONE)
            TRY(pass(stream, diag));
        else if (is_space(head))
            stream->at++;
        else
            TRY(step(stream, head, diag));
    }
    size_t pending = pending_at(stream);
    if (stream->at - pending > stream->limits.object_bytes_max)
        return object_limit(stream, pending, diag);
    return OK;
}

static result end_check(const struct json_stream *stream, struct diag *diag)
{
    if (!stream->has_value)
        return diag_fail(diag, ERR_INVALID, "the text is empty");
    if (stream->due == DUE_TOP || stream->due == DUE_END)
        return OK;
    if (stream->passing != PASSING_NONE)
        return diag_fail(diag, ERR_INVALID,
                         "byte %llu: the text ends inside what began at byte %llu",
                         (unsigned long long)(stream->text_offset + stream->at),
                         (unsigned long long)(stream->text_offset + stream->value_at));
    return wrong(stream,
                 stream->in_object ? "the text ends before its object does"
                                   : "the text ends before its array does",
                 diag);
}

static result window_fill(struct json_stream *stream, struct diag *diag)
{
    stream->count = 0;
    while (stream->count == 0 && !stream->has_ended) {
        text_release(stream);
        TRY(text_read(stream, diag));
        TRY(scan(stream, diag));
        if (stream->has_ended)
            TRY(end_check(stream, diag));
    }
    return OK;
}

result json_stream_next(struct json_stream *stream, struct json_window *out, struct diag *diag)
{
    if (stream->failed_with != ERR_NONE)
        return diag_fail(diag, stream->failed_with, "%s", stream->failure.text);
    diag_reset(&stream->failure);
    result r = window_fill(stream, &stream->failure);
    /* Whole objects in front of a break are given out; the call behind them fails. */
    stream->failed_with = r.code;
    if (failed(r) && stream->count == 0)
        return diag_fail(diag, r.code, "%s", stream->failure.text);
    for (size_t i = 0; i < stream->count; i++)
        stream->objects[i].at = stream->text.at + (stream->offsets[i] - stream->text_offset);
    *out = (struct json_window){.objects = stream->objects,
                                .count = stream->count,
                                .first_index = stream->next_index,
                                .offsets = stream->offsets};
    stream->next_index += stream->count;
    return OK;
}
