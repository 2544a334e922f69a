/* One line, or several, read in a format: what came of it as "path=value" lines. */
#pragma once

#include "base/buf.h"
#include "rows.h"
#include "telemetry/telemetry.h"

#define NOW_US 1767225600000000 /* 2026-01-01T00:00:00Z */

/* The first failure ends it.  *time_us is the last event's, 0 without. */
static inline result lines_read(slice format, const struct telemetry_map *map, slice text,
                                struct buf *out, int64_t *time_us, struct diag *diag)
{
    CLEANUP(telemetry_reader_free) struct telemetry_reader *reader = NULL;
    slice line;

    *time_us = 0;
    TRY(telemetry_reader_new(format, map, NOW_US, &reader, diag));
    while (text.len > 0) {
        struct telemetry_event event;

        (void)slice_cut(text, '\n', &line, &text);
        TRY(telemetry_read(reader, line, &event, diag));
        if (event.has_time)
            *time_us = event.time_us;
        for (size_t i = 0; i < event.count; i++) {
            const struct telemetry_observable *one = &event.observables[i];

            assert_true(one->raw.len == 0 || (one->offset + one->raw.len <= event.line.len &&
                                              event.line.at + one->offset == one->raw.at));
            buf_printf(out, "%.*s=%.*s\n", SLICE_ARG(one->path), SLICE_ARG(one->value));
        }
    }
    assert_false(out->overflowed);
    return OK;
}

/* Is each line of `wanted` a line of `text`? */
static inline bool has_lines(slice text, slice wanted)
{
    slice line;

    while (wanted.len > 0) {
        bool found = false;

        (void)slice_cut(wanted, '\n', &line, &wanted);
        for (slice rest = text, one; rest.len > 0 && !found;) {
            (void)slice_cut(rest, '\n', &one, &rest);
            found = slice_eq(one, line);
        }
        if (!found)
            return false;
    }
    return true;
}
