/* Telemetry: a line of a sensor's log becomes an event, a list of STIX observables.
 *
 * A format is a shape (JSON, CSV, key=value ...) that takes a line apart into named fields, and a
 * map, a table that says which STIX object path each field's value belongs to.  Maps are text
 * (telemetry/map.h, docs/telemetry.md); those in src/telemetry/maps are compiled in, `--map FILE`
 * reads one more.
 *
 *     telemetry_stream_open(source, &choice, &stream, diag)
 *     while (telemetry_stream_next(stream, &event, &is_end, diag), !is_end)
 *         use(event.observables[i].path, event.observables[i].value);
 *
 * Values are given in the one form that stix_value_normal and url_normal make, so that they can be
 * compared with an indicator's byte for byte.
 */
#pragma once

#include "base/arena.h"
#include "base/result.h"
#include "base/source.h"

#define TELEMETRY_LINE_BYTES_MAX ((size_t)16 << 20)
#define TELEMETRY_OBSERVABLES_MAX 8192 /* of one line */
#define TELEMETRY_MAP_BYTES_MAX ((size_t)1 << 20)
#define TELEMETRY_DEPTH_MAX 128 /* nesting of a JSON line */

struct telemetry_observable {
    slice path;    /* "ipv4-addr:value", "file:hashes.'SHA-256'": borrowed from the map */
    slice value;   /* normalised; a number as its digits */
    slice raw;     /* as it stands in the line, escapes and all; empty for a value put together from
                      several fields */
    slice field;   /* of the source, as the map calls it: "dns.answers.rdata" */
    size_t offset; /* of raw in the line */
    uint32_t object; /* observables of one STIX object have the same number within the event */
};

/* Borrowed from the reader until its next line. */
struct telemetry_event {
    slice line;                        /* without its end */
    uint64_t line_number, line_offset; /* in the stream, from 1 and from 0 (unpacked) */
    const struct telemetry_observable *observables;
    size_t count;
    int64_t time_us; /* since 1970, when has_time */
    bool has_time;
    bool is_cut; /* it held more than TELEMETRY_OBSERVABLES_MAX */
};

/* ---- formats ---- */

struct telemetry_format {
    slice name; /* as --format takes it */
    slice help;
};

/* NULL past the last. */
const struct telemetry_format *telemetry_format_at(size_t index);

struct telemetry_map;

/* A map from its text, copied.  ERR_INVALID "line 7: no kind "adress"; ...", ERR_LIMIT past
 * TELEMETRY_MAP_BYTES_MAX.  *out is owned. */
MUST_USE result telemetry_map_read(slice text, struct telemetry_map **out, struct diag *diag);
void telemetry_map_free(struct telemetry_map **map);

/* Which format these lines, the first of a stream, are in: at least half of those that are not
 * blank look like it.  "text" when like no other. */
slice telemetry_recognise(const slice *lines, size_t count);

/* ---- one line at a time; one reader per thread and stream ---- */

struct telemetry_reader;

/* format: a name, ignored when a map is given, which says its shape itself.  map: borrowed, or
 * NULL.  now_us: for dates without a year (RFC 3164).  ERR_MISSING when there is no such format. */
MUST_USE result telemetry_reader_new(slice format, const struct telemetry_map *map, int64_t now_us,
                                     struct telemetry_reader **out, struct diag *diag);
void telemetry_reader_free(struct telemetry_reader **reader);

/* The map it goes by; borrowed from the reader. */
const struct telemetry_map *telemetry_reader_map(const struct telemetry_reader *reader);

/* Forget a table's header: the next line is that of another stream. */
void telemetry_reader_forget(struct telemetry_reader *reader);

/* line: without its end; needs no padding.  A header or a comment is an event without observables.
 * ERR_INVALID and ERR_LIMIT say why the line cannot be read; the next one can. */
MUST_USE result telemetry_read(struct telemetry_reader *reader, slice line,
                               struct telemetry_event *out, struct diag *diag);

/* ---- a whole stream ---- */

struct telemetry_choice {
    const char *format;              /* NULL: recognised by the first lines */
    const struct telemetry_map *map; /* borrowed, or NULL */
    int64_t now_us;
    /* Called for each line that cannot be read; may be NULL. */
    void (*report)(void *context, uint64_t line_number, const struct diag *why);
    void *context;
};

struct telemetry_counts {
    uint64_t lines, bytes;       /* read so far */
    uint64_t broken;             /* lines that cannot be read, among them: */
    uint64_t too_long;           /* over TELEMETRY_LINE_BYTES_MAX */
    uint64_t observables, empty; /* empty: lines without any */
};

struct telemetry_stream;

MUST_USE result telemetry_stream_open(struct source *source, const struct telemetry_choice *choice,
                                      struct telemetry_stream **out, struct diag *diag);
void telemetry_stream_close(struct telemetry_stream **stream);

/* The next line that can be read.  Fails only when the source does, or memory is out. */
MUST_USE result telemetry_stream_next(struct telemetry_stream *stream, struct telemetry_event *out,
                                      bool *is_end, struct diag *diag);

const struct telemetry_counts *telemetry_stream_counts(const struct telemetry_stream *stream);
slice telemetry_stream_format(const struct telemetry_stream *stream);
