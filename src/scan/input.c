#include "scan/input.h"

#include <stdio.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/fault.h"
#include "telemetry/map.h"

#include "base/banned.h"

#define BLOCK_HELD_BYTES_MAX (INPUT_LINE_BYTES_MAX + 4 * INPUT_BLOCK_BYTES)
#define BLOCK_KEPT_BYTES_MAX (2 * INPUT_BLOCK_BYTES) /* larger ones are given back */
#define SAMPLE_LINES 16
#define RECORD_LINES_MAX 64 /* of a CSV record with line ends in quotes */

/* ---- streams ---- */

result input_stream_new(const char *name, const struct input_choice *choice,
                        struct input_stream **out, struct diag *diag)
{
    size_t capacity = 0, name_capacity = 0, bytes = strlen(name) + 1;
    struct input_stream *stream = table_grow(NULL, &capacity, 1, 1, sizeof(*stream));

    *out = NULL;
    if (stream == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    *stream = (struct input_stream){.choice = choice,
                                    .carry = BUF(BLOCK_HELD_BYTES_MAX),
                                    .header = BUF(INPUT_HEADER_BYTES_MAX),
                                    .block_bytes = INPUT_BLOCK_BYTES,
                                    .line_bytes_max = INPUT_LINE_BYTES_MAX,
                                    .holders = 1};
    stream->name = table_grow(NULL, &name_capacity, bytes, bytes, 1);
    if (stream->name == NULL) {
        input_stream_release(&stream);
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    }
    memcpy(stream->name, name, bytes);
    *out = stream;
    return OK;
}

void input_stream_release(struct input_stream **held)
{
    struct input_stream *stream = *held;

    *held = NULL;
    if (stream == NULL || __atomic_sub_fetch(&stream->holders, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    if (stream->context != NULL && stream->choice->forget != NULL)
        stream->choice->forget(stream->context);
    buf_free(&stream->carry);
    buf_free(&stream->header);
    table_free(stream->name);
    table_free(stream);
}

void input_block_free(struct input_block *block)
{
    input_stream_release(&block->stream);
    buf_free(&block->held);
    buf_free(&block->header_held);
}

/* ---- lines ---- */

static size_t count_plain(slice bytes)
{
    size_t count = 0;

    for (size_t i = 0; i < bytes.len; i++)
        count += bytes.at[i] == '\n';
    return count;
}

#if defined(__x86_64__)
/* 255 steps of 32 bytes fit the byte counters. */
__attribute__((target("avx2"))) static size_t count_avx2(slice bytes)
{
    const __m256i wanted = _mm256_set1_epi8('\n'), zero = _mm256_setzero_si256();
    __m256i sums = zero;
    size_t at = 0;

    while (bytes.len - at >= 32) {
        __m256i counts = zero;

        for (int step = 0; step < 255 && bytes.len - at >= 32; step++, at += 32) {
            __m256i chunk = _mm256_loadu_si256((const __m256i *)(const void *)(bytes.at + at));

            counts = _mm256_sub_epi8(counts, _mm256_cmpeq_epi8(chunk, wanted));
        }
        sums = _mm256_add_epi64(sums, _mm256_sad_epu8(counts, zero));
    }
    return (size_t)_mm256_extract_epi64(sums, 0) + (size_t)_mm256_extract_epi64(sums, 1) +
           (size_t)_mm256_extract_epi64(sums, 2) + (size_t)_mm256_extract_epi64(sums, 3) +
           count_plain(slice_from(bytes, at));
}
#endif

size_t input_count_lines(slice bytes)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        return count_avx2(bytes);
#endif
    return count_plain(bytes);
}

/* How much of a text is whole lines: up to and with the last line end; 0: no line is whole. */
static size_t whole_lines(slice text)
{
    const char *end = text.len == 0 ? NULL : memrchr(text.at, '\n', text.len);

    return end == NULL ? 0 : (size_t)(end - text.at) + 1;
}

/* The same for CSV: back to a line end outside quotes, unless there is none among the last
 * RECORD_LINES_MAX lines: then a quote is stray, and lines are lines. */
static size_t whole_records(slice text)
{
    size_t last = whole_lines(text), end = last, lines = 0;
    bool is_quoted = false;

    for (size_t i = 0; i < last; i++)
        is_quoted ^= text.at[i] == '"';
    while (is_quoted && end > 0 && lines < RECORD_LINES_MAX) {
        slice line = slice_head(text, end - 1);
        size_t start = whole_lines(line);

        for (size_t i = start; i < end; i++)
            is_quoted ^= text.at[i] == '"';
        end = start;
        lines++;
    }
    if (end > 0)
        return end;
    return lines == RECORD_LINES_MAX || text.len > INPUT_LINE_BYTES_MAX ? last : 0;
}

/* ---- what a stream is ---- */

/* Empty when more lines are needed to tell: one line that may be the header of a table. */
static slice format_of(slice text, bool is_all)
{
    slice lines[SAMPLE_LINES], rest = text;
    size_t count = 0;

    while (count < SAMPLE_LINES && rest.len > 0)
        (void)slice_cut(rest, '\n', &lines[count++], &rest);
    if (count == 1 && !is_all) {
        slice twice[2] = {lines[0], lines[0]};

        if (slice_eq(telemetry_recognise(twice, 2), SLICE("csv")))
            return SLICE_NONE;
    }
    return telemetry_recognise(lines, count);
}

static void format_know(struct input_stream *stream, slice text, bool is_all)
{
    const struct input_choice *choice = stream->choice;

    if (stream->format.len > 0 || text.len == 0)
        return;
    if (choice->map != NULL)
        stream->format = choice->map->name;
    else if (choice->format != NULL)
        stream->format = slice_text(choice->format);
    else
        stream->format = format_of(text, is_all);
    if (stream->format.len == 0)
        return;
    enum telemetry_shape shape = telemetry_shape_of(stream->format, choice->map);
    stream->is_csv = shape == SHAPE_CSV;
    stream->is_table = shape == SHAPE_CSV || shape == SHAPE_ZEEK_TSV;
}

static void header_is_new(struct input_stream *stream)
{
    static uint64_t ids; /* atomic; of all streams, so that a thread's reader knows its own */

    stream->header_id = __atomic_add_fetch(&ids, 1, __ATOMIC_RELAXED);
}

/* Zeek: lines that begin with "#", from "#separator" on; "#open" and "#close" say nothing. */
static void zeek_line(struct input_stream *stream, slice line)
{
    if (slice_starts(line, SLICE("#separator")))
        buf_reset(&stream->header);
    if (slice_starts(line, SLICE("#open")) || slice_starts(line, SLICE("#close")))
        return;
    buf_put(&stream->header, line);
    buf_byte(&stream->header, '\n');
    header_is_new(stream);
}

static void zeek_follow(struct input_stream *stream, slice text)
{
    slice rest = text, line;

    for (;;) {
        const char *mark = rest.len == 0 ? NULL : memchr(rest.at, '#', rest.len);

        if (mark == NULL)
            return;
        bool is_line = mark == text.at || mark[-1] == '\n';
        rest = slice_from(rest, (size_t)(mark - rest.at) + !is_line);
        if (!is_line)
            continue;
        (void)slice_cut(rest, '\n', &line, &rest);
        zeek_line(stream, line);
    }
}

/* CSV: the first record that is not blank. */
static void csv_follow(struct input_stream *stream, slice text)
{
    slice rest = text, line;
    bool is_quoted = false;
    size_t end = 0;

    if (stream->header.len > 0)
        return;
    while (rest.len > 0 && (rest.at[0] == '\n' || rest.at[0] == '\r'))
        rest = slice_from(rest, 1);
    while (end < rest.len && (is_quoted || rest.at[end] != '\n'))
        is_quoted ^= rest.at[end++] == '"';
    if (end == rest.len) /* a quote that does not close: the line alone */
        (void)slice_cut(rest, '\n', &line, &rest);
    else
        line = slice_head(rest, end);
    if (slice_trim(line).len == 0)
        return;
    buf_put(&stream->header, line);
    header_is_new(stream);
}

/* The header in force at the block's start goes with it; what the block says of headers is for the
 * next. */
static void header_look(struct input_stream *stream, slice text)
{
    if (stream->is_csv)
        csv_follow(stream, text);
    else if (stream->is_table)
        zeek_follow(stream, text);
}

static void header_follow(struct input_stream *stream, struct input_block *block)
{
    buf_reset(&block->header_held);
    buf_put(&block->header_held, buf_slice(&stream->header));
    block->header = buf_slice(&block->header_held);
    block->header_before = stream->header_id;
    header_look(stream, block->bytes);
    block->header_after = stream->header_id;
}

void input_stream_restart(struct input_stream *stream)
{
    buf_reset(&stream->carry);
    buf_reset(&stream->header);
    stream->header_id = 0;
    stream->format = SLICE_NONE;
    stream->is_csv = stream->is_table = stream->is_skipping = false;
    stream->is_begun = stream->is_ended = false;
    stream->offset = stream->line_number = 0;
}

void input_stream_resume(struct input_stream *stream, slice head, uint64_t offset,
                         uint64_t line_number)
{
    input_stream_restart(stream);
    format_know(stream, head, true);
    header_look(stream, head);
    stream->offset = offset;
    stream->line_number = line_number;
    stream->is_begun = offset > 0;
}

/* ---- blocks ---- */

/* How much of what is held makes a block; 0: nothing yet. */
static size_t whole(struct input_stream *stream, slice text)
{
    size_t lines = whole_lines(text);

    format_know(stream, slice_head(text, lines), false);
    if (stream->format.len == 0)
        return 0;
    return stream->is_csv ? whole_records(text) : lines;
}

static void block_begin(struct input_stream *stream, struct input_block *block)
{
    struct buf swapped = block->held;

    /* The stream's buffer, with the line it holds, becomes the block's: nothing is copied. */
    buf_reset(&swapped);
    if (swapped.capacity > BLOCK_KEPT_BYTES_MAX)
        buf_free(&swapped);
    swapped.ceiling = BLOCK_HELD_BYTES_MAX;
    block->held = stream->carry;
    stream->carry = swapped;
    if (block->stream != stream) {
        input_stream_release(&block->stream);
        (void)__atomic_add_fetch(&stream->holders, 1, __ATOMIC_RELAXED);
        block->stream = stream;
    }
    block->header_held.ceiling = INPUT_HEADER_BYTES_MAX;
    block->bytes = SLICE_NONE;
    block->line_count = 0;
    block->is_last = false;
}

/* Nothing is whole yet: what is held goes back. */
static void block_undo(struct input_stream *stream, struct input_block *block)
{
    struct buf swapped = stream->carry;

    stream->carry = block->held;
    block->held = swapped;
}

static result block_end(struct input_stream *stream, struct input_block *block, size_t len,
                        bool is_last, struct diag *diag)
{
    static const slice mark = S("\xEF\xBB\xBF");
    struct buf *held = &block->held;

    buf_put(&stream->carry, slice_from(buf_slice(held), len));
    if (stream->carry.overflowed || buf_reserve(held, INPUT_PADDING) == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    block->bytes = slice_head(buf_slice(held), len);
    if (stream->offset == 0 && slice_starts(block->bytes, mark)) {
        block->bytes = slice_from(block->bytes, mark.len);
        stream->offset = mark.len;
    }
    format_know(stream, block->bytes, is_last);
    block->format = stream->format;
    block->is_csv = stream->is_csv;
    block->offset = stream->offset;
    block->line_number = stream->line_number + 1;
    block->line_count = input_count_lines(block->bytes);
    if (block->bytes.len > 0 && block->bytes.at[block->bytes.len - 1] != '\n')
        block->line_count++;
    block->is_last = is_last;
    header_follow(stream, block);
    stream->offset += block->bytes.len;
    stream->line_number += block->line_count;
    stream->is_begun = true;
    stream->is_ended = is_last;
    return OK;
}

/* Bytes of a line over the limit are passed over, from held[from] on, up to its end. */
static void line_skip(struct input_stream *stream, struct buf *held)
{
    size_t end = slice_find_byte(buf_slice(held), '\n');
    size_t bytes = end == SIZE_MAX ? held->len : end + 1;

    stream->offset += bytes;
    held->len -= bytes;
    memmove(held->at, held->at + bytes, held->len);
    if (end != SIZE_MAX) {
        stream->is_skipping = false;
        stream->line_number++;
    }
}

static void line_is_long(struct input_stream *stream)
{
    char words[80];

    (void)snprintf(words, sizeof(words), "a line over %zu bytes: passed over",
                   stream->line_bytes_max);
    stream->is_skipping = true;
    stream->choice->report(stream->choice->context, INPUT_LONG, stream->name,
                           stream->line_number + 1, words);
}

static result more_read(struct input_stream *stream, const struct input_pull *pull,
                        struct buf *held, enum input_state *state, struct diag *diag)
{
    size_t room =
        held->len < stream->block_bytes ? stream->block_bytes - held->len : stream->block_bytes;
    char *at = FAULT_HERE() ? NULL : buf_reserve(held, room + INPUT_PADDING);
    size_t count = 0;

    if (at == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    TRY(pull->read(pull->context, at, room, &count, state, diag));
    held->len += count;
    if (stream->is_skipping)
        line_skip(stream, held);
    return OK;
}

result input_fill(struct input_stream *stream, const struct input_pull *pull,
                  struct input_block *block, bool *found, struct diag *diag)
{
    enum input_state state = INPUT_MORE;
    struct buf *held = &block->held;

    *found = false;
    if (stream->is_ended)
        return OK;
    block_begin(stream, block);
    for (;;) {
        TRY(more_read(stream, pull, held, &state, diag));
        if (state == INPUT_END) {
            stream->line_number += stream->is_skipping;
            *found = true;
            return block_end(stream, block, held->len, true, diag);
        }
        if (held->len < stream->block_bytes && state == INPUT_MORE)
            continue;
        size_t len = whole(stream, buf_slice(held));
        if (len > 0) {
            *found = true;
            return block_end(stream, block, len, false, diag);
        }
        if (held->len > stream->line_bytes_max) {
            line_is_long(stream);
            line_skip(stream, held);
        }
        if (state == INPUT_WAIT) {
            block_undo(stream, block);
            return OK;
        }
    }
}
