/* Telemetry that sensors send to a running node: read, recorded, held against the rules of now;
 * hits become sightings.
 *
 * Any number of threads send at once.  Temporal rules see the events of all as one stream, in the
 * order in which they come; what they remember is lost when the ruleset is swapped.
 */
#pragma once

#include "scan/live.h"
#include "scan/report.h"
#include "scan/retro.h"

#define SENSOR_UNPACKED_BYTES_MAX ((size_t)256 << 20) /* of one body */

struct sensor_options {
    struct live_options live; /* news, tick and context are the sensor's own */
    struct report_place report;
    struct retro_place retro;
};

struct sensor;

MUST_USE result sensor_open(const struct sensor_options *options, struct sensor **out,
                            struct diag *diag);
/* What was not written yet is. */
void sensor_close(struct sensor **sensor);

struct sensor_counts {
    uint64_t lines, events, bytes, hits, broken;
    char format[32];
    char first_broken[256]; /* "line 7: ..."; empty: none */
};

/* A body of whole lines, packed or not.  format: NULL when it is to be told.  Sightings of its hits
 * are durable when it returns OK.  ERR_MISSING: no such format; ERR_INVALID, ERR_LIMIT: the body.
 */
MUST_USE result sensor_take(struct sensor *sensor, slice body, const char *format,
                            struct sensor_counts *counts, struct diag *diag);
