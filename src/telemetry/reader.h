/* A reader: a shape takes a line apart and hands each field to the event's builder. */
#pragma once

#include "telemetry/event.h"
#include "json/json.h"

#define COLUMNS_MAX 1024
#define TABLE_ARENA_BYTES_MAX ((size_t)4 << 20)

/* Columns of a table, as its header names them. */
struct table {
    struct arena arena; /* owned */
    slice *names;       /* NULL before a header */
    bool *is_list;      /* of each: a set or a vector */
    size_t count;
    char separator, list_separator;
    slice empty, unset;
};

struct telemetry_reader {
    struct event_builder event;
    struct telemetry_map *map_owned; /* NULL when the map is the caller's */
    enum telemetry_shape shape;
    struct json_parser *parser; /* owned; NULL when the shape needs none */
    struct table table;
};

/* Each reads one line: fields go to reader->event.  ERR_INVALID when the line is not of the shape.
 */
typedef result shape_read(struct telemetry_reader *reader, slice line, struct diag *diag);

shape_read shape_json;
shape_read shape_zeek_tsv;
shape_read shape_csv;
shape_read shape_kv;
shape_read shape_cef;
shape_read shape_syslog;
shape_read shape_bind;
shape_read shape_unbound;
shape_read shape_dnsmasq;
shape_read shape_web;
shape_read shape_text;

/* How many key=value pairs a text holds. */
size_t pairs_count(slice text);
void pairs_take(struct telemetry_reader *reader, slice text);

/* The header of RFC 3164 or 5424 in front of a message; false when there is none.  Parts that are
 * absent are empty. */
struct syslog_line {
    slice time, host, message; /* message: with its tag, structured data and all */
};
bool syslog_split(slice line, struct syslog_line *out);

/* All of the shapes, by enum telemetry_shape. */
extern shape_read *const shape_readers[];
