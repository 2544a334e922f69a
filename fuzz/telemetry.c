/* A log from anyone, in each format: every byte of what is found is read, and lies where it is said
 * to; the whole as a map as well. */
#include <assert.h>

#include "base/buf.h"
#include "telemetry/telemetry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sum;

static void touch(slice s)
{
    for (size_t i = 0; i < s.len; i++)
        sum += (uint8_t)s.at[i];
}

static void event_touch(const struct telemetry_event *event)
{
    for (size_t i = 0; i < event->count; i++) {
        const struct telemetry_observable *one = &event->observables[i];

        touch(one->path);
        touch(one->value);
        touch(one->field);
        touch(one->raw);
        assert(one->value.len > 0 && one->path.len > 0);
        assert(one->raw.len == 0 || event->line.at + one->offset == one->raw.at);
        assert(one->offset + one->raw.len <= event->line.len);
    }
}

static void stream_touch(slice text, const struct telemetry_choice *choice)
{
    CLEANUP(source_close) struct source *source = NULL;
    CLEANUP(telemetry_stream_close) struct telemetry_stream *stream = NULL;
    struct telemetry_event event;
    bool is_end = false;

    /* Bytes that look packed and are not are refused when they are read. */
    if (failed(source_of_memory(text, &source, NULL)) ||
        failed(telemetry_stream_open(source, choice, &stream, NULL)))
        return;
    while (succeeded(telemetry_stream_next(stream, &event, &is_end, NULL)) && !is_end)
        event_touch(&event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(telemetry_map_free) struct telemetry_map *map = NULL;
    struct telemetry_choice choice = {.now_us = 1767225600000000};
    slice text = slice_of(data, size);
    struct diag diag = {0};

    stream_touch(text, &choice);
    for (size_t i = 0; telemetry_format_at(i) != NULL; i++) {
        choice.format = telemetry_format_at(i)->name.at; /* a literal: NUL behind */
        stream_touch(text, &choice);
    }
    result r = telemetry_map_read(text, &map, &diag);
    assert(failed(r) == (diag.text[0] != '\0') && failed(r) == (map == NULL));
    if (map != NULL) {
        choice.map = map;
        stream_touch(text, &choice);
    }
    return 0;
}
