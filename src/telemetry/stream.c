/* Lines out of a source of any size, in bounded memory. */
#include "telemetry/reader.h"

#include "base/banned.h"

#define READ_BYTES ((size_t)256 << 10)
#define HELD_BYTES_MAX (TELEMETRY_LINE_BYTES_MAX + 2 * READ_BYTES)
#define SAMPLE_LINES 16
#define RECORD_LINES_MAX 64 /* of a CSV record with line ends in quotes */

struct telemetry_stream {
    struct source *source; /* borrowed */
    struct telemetry_choice choice;
    struct telemetry_reader *reader; /* owned */
    slice format;
    struct buf held; /* what is read; from `at` on not yet used */
    size_t at;
    uint64_t offset; /* of held.at[at] in the stream */
    struct telemetry_counts counts;
    bool is_end;
};

static result held_fill(struct telemetry_stream *stream, struct diag *diag)
{
    struct buf *held = &stream->held;
    size_t count = 0;

    if (stream->at > 0) {
        held->len -= stream->at;
        memmove(held->at, held->at + stream->at, held->len);
        stream->at = 0;
    }
    char *room = buf_reserve(held, READ_BYTES);
    if (room == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    TRY(diag_within(diag, source_read(stream->source, room, READ_BYTES, &count, diag), "%s",
                    source_name(stream->source)));
    held->len += count;
    stream->is_end = count == 0;
    return OK;
}

/* Where the record at the front ends: at a line's end, for CSV at one outside quotes.  SIZE_MAX
 * when it is not all there. */
static size_t record_end(const struct telemetry_stream *stream, slice rest)
{
    bool is_csv = stream->reader != NULL && stream->reader->shape == SHAPE_CSV;
    size_t first = slice_find_byte(rest, '\n'), lines = 0;
    bool is_quoted = false;

    if (!is_csv)
        return first;
    for (size_t i = 0; i < rest.len; i++) {
        is_quoted ^= rest.at[i] == '"';
        if (rest.at[i] != '\n')
            continue;
        if (!is_quoted)
            return i;
        if (++lines == RECORD_LINES_MAX)
            return first; /* a stray quote: that line alone is broken */
    }
    return stream->is_end ? first : SIZE_MAX;
}

static void used(struct telemetry_stream *stream, size_t bytes)
{
    stream->at += bytes;
    stream->offset += bytes;
    stream->counts.bytes += bytes;
}

/* The next line; *found false at the end.  One over the limit comes as its first bytes, and what is
 * left of it is passed over. */
static result line_next(struct telemetry_stream *stream, slice *line, bool *found, bool *is_long,
                        struct diag *diag)
{
    *is_long = false;
    for (;;) {
        slice rest = slice_of(stream->held.at + stream->at, stream->held.len - stream->at);
        size_t end = record_end(stream, rest);

        *found = end != SIZE_MAX || rest.len > 0;
        if (end == SIZE_MAX && stream->is_end) {
            *line = rest;
            used(stream, rest.len);
            return OK;
        }
        if (end != SIZE_MAX) {
            *line = slice_head(rest, end);
            used(stream, end + 1);
            return OK;
        }
        if (rest.len > TELEMETRY_LINE_BYTES_MAX) {
            *is_long = true;
            used(stream, rest.len);
        }
        TRY(held_fill(stream, diag));
    }
}

static result format_choose(struct telemetry_stream *stream, struct diag *diag)
{
    slice lines[SAMPLE_LINES], rest;
    size_t count = 0;

    while (!stream->is_end && stream->held.len < READ_BYTES)
        TRY(held_fill(stream, diag));
    rest = buf_slice(&stream->held);
    while (count < SAMPLE_LINES && rest.len > 0) {
        bool is_whole = slice_cut(rest, '\n', &lines[count], &rest);

        if (!is_whole && !stream->is_end && count > 0)
            break;
        count++;
    }
    stream->format = telemetry_recognise(lines, count);
    return OK;
}

static result stream_prepare(struct telemetry_stream *stream, struct diag *diag)
{
    const struct telemetry_choice *choice = &stream->choice;

    if (choice->map != NULL)
        stream->format = choice->map->name;
    else if (choice->format != NULL)
        stream->format = slice_text(choice->format);
    else
        TRY(format_choose(stream, diag));
    return telemetry_reader_new(stream->format, choice->map, choice->now_us, &stream->reader, diag);
}

result telemetry_stream_open(struct source *source, const struct telemetry_choice *choice,
                             struct telemetry_stream **out, struct diag *diag)
{
    CLEANUP(telemetry_stream_close) struct telemetry_stream *stream = NULL;
    size_t capacity = 0;

    *out = NULL;
    stream = table_grow(NULL, &capacity, 1, 1, sizeof(*stream));
    if (stream == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    *stream =
        (struct telemetry_stream){.source = source, .choice = *choice, .held = BUF(HELD_BYTES_MAX)};
    TRY(stream_prepare(stream, diag));
    *out = stream;
    stream = NULL;
    return OK;
}

void telemetry_stream_close(struct telemetry_stream **stream)
{
    if (*stream == NULL)
        return;
    telemetry_reader_free(&(*stream)->reader);
    buf_free(&(*stream)->held);
    table_free(*stream);
    *stream = NULL;
}

static void broken(struct telemetry_stream *stream, const struct diag *why)
{
    stream->counts.broken++;
    if (stream->choice.report != NULL)
        stream->choice.report(stream->choice.context, stream->counts.lines, why);
}

result telemetry_stream_next(struct telemetry_stream *stream, struct telemetry_event *out,
                             bool *is_end, struct diag *diag)
{
    for (;;) {
        struct diag why = {0};
        slice line;
        bool found, is_long;
        result r;

        uint64_t offset = stream->offset;
        TRY(line_next(stream, &line, &found, &is_long, diag));
        *is_end = !found && !is_long;
        if (*is_end)
            return OK;
        stream->counts.lines++;
        if (is_long) {
            stream->counts.too_long++;
            r = diag_fail(&why, ERR_LIMIT, "a line over %zu bytes", TELEMETRY_LINE_BYTES_MAX);
        } else {
            r = telemetry_read(stream->reader, line, out, &why);
        }
        if (failed(r)) {
            broken(stream, &why);
            continue;
        }
        out->line_number = stream->counts.lines;
        out->line_offset = offset;
        stream->counts.observables += out->count;
        stream->counts.empty += out->count == 0;
        return OK;
    }
}

const struct telemetry_counts *telemetry_stream_counts(const struct telemetry_stream *stream)
{
    return &stream->counts;
}

slice telemetry_stream_format(const struct telemetry_stream *stream)
{
    return stream->format;
}
