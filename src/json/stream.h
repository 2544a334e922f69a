/* Objects out of a stream of any size, in bounded memory.
 *
 * Takes what intelligence comes in: a STIX bundle or TAXII envelope ({... "objects": [...] ...}),
 * a bare array of objects, one object, objects one after another (NDJSON).  Yields windows:
 * runs of whole objects, by their text, with padding behind, ready for json_parse.  Text outside
 * the objects is checked too: a stream that is cut or broken anywhere fails as a whole.
 */
#pragma once

#include "base/source.h"
#include "json/json.h"

struct json_stream;

struct json_stream_limits {
    size_t object_bytes_max; /* one object's text */
    size_t window_bytes;     /* aim for this much a window */
    size_t depth_max;
};

/* Borrowed until the next window. */
struct json_window {
    const slice *objects; /* each one with readable padding behind */
    size_t count;
    uint64_t first_index;    /* of objects[0] in the stream, from 0 */
    const uint64_t *offsets; /* of each object's first byte in the (unpacked) stream */
};

MUST_USE result json_stream_open(struct source *source, const struct json_stream_limits *limits,
                                 struct json_stream **out, struct diag *diag);
void json_stream_close(struct json_stream **stream);

/* The next window; count 0 at the end.  Whole objects in front of a break come first, the failure
 * with the call behind them, and with every one after.  A single object over object_bytes_max fails
 * ERR_LIMIT; broken or cut JSON between objects ERR_INVALID with the byte's offset.  The inside of
 * an object is only scanned for its end; json_parse checks it.  Elements that are no objects
 * (numbers, strings, arrays) are given out as well, for the caller to refuse each by itself.  A
 * top-level object is an envelope when its "objects" is an array (in STIX 2.0's observed-data it is
 * an object). */
MUST_USE result json_stream_next(struct json_stream *stream, struct json_window *out,
                                 struct diag *diag);

/* The members that stood around "objects" (type, id, spec_version ...), as one JSON object's text;
 * empty when there is no envelope, of several the last one's.  Complete only after the end was
 * reached; valid JSON then. */
slice json_stream_envelope(const struct json_stream *stream);
