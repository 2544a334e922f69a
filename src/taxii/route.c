#include "taxii/server.h"

#include "base/encode.h"

#include "base/banned.h"

#define SEGMENTS_MAX 6
#define SEGMENT_BYTES_MAX 1024

/* The parts of a path between its slashes, decoded; an empty last part is the trailing slash that
 * TAXII asks for (3.1) and many clients forget: both spellings name the same thing. */
struct segments {
    slice items[SEGMENTS_MAX];
    size_t count;
};

static bool segment_decode(slice raw, struct arena *arena, slice *out)
{
    CLEANUP(buf_free) struct buf decoded = BUF(SEGMENT_BYTES_MAX);

    if (raw.len > 0 && slice_find_byte(raw, '%') == SIZE_MAX && utf8_valid(raw)) {
        *out = arena_copy(arena, raw);
        return out->len > 0;
    }
    if (raw.len == 0 || !percent_decode(&decoded, raw) || !utf8_valid(buf_slice(&decoded)))
        return false;
    *out = arena_copy(arena, buf_slice(&decoded));
    return out->len > 0;
}

static bool segments_split(slice path, struct arena *arena, struct segments *out)
{
    slice part, rest = path;

    out->count = 0;
    while (rest.len > 0) {
        (void)slice_cut(rest, '/', &part, &rest);
        if (out->count == SEGMENTS_MAX || !segment_decode(part, arena, &out->items[out->count]))
            return false;
        out->count++;
    }
    return true;
}

/* Behind the API root.  {} stands for any one part. */
static const struct shape {
    enum endpoint endpoint;
    size_t part_count;
    slice parts[5];
} shapes[] = {
    {ENDPOINT_API_ROOT, 0, {S("")}},
    {ENDPOINT_STATUS, 2, {S("status"), S("{}")}},
    {ENDPOINT_COLLECTIONS, 1, {S("collections")}},
    {ENDPOINT_COLLECTION, 2, {S("collections"), S("{}")}},
    {ENDPOINT_MANIFEST, 3, {S("collections"), S("{}"), S("manifest")}},
    {ENDPOINT_OBJECTS, 3, {S("collections"), S("{}"), S("objects")}},
    {ENDPOINT_OBJECT, 4, {S("collections"), S("{}"), S("objects"), S("{}")}},
    {ENDPOINT_VERSIONS, 5, {S("collections"), S("{}"), S("objects"), S("{}"), S("versions")}},
};

static bool shape_fits(const struct shape *shape, const struct segments *segments)
{
    if (shape->part_count != segments->count)
        return false;
    for (size_t i = 0; i < shape->part_count; i++)
        if (!slice_eq(shape->parts[i], SLICE("{}")) &&
            !slice_eq(shape->parts[i], segments->items[i]))
            return false;
    return true;
}

slice route_root(slice s)
{
    while (s.len > 0 && s.at[0] == '/')
        s = slice_from(s, 1);
    while (s.len > 0 && s.at[s.len - 1] == '/')
        s = slice_head(s, s.len - 1);
    return s;
}

/* What is left of path behind "/head", if the path stands under it. */
static bool under(slice path, slice head, slice *rest)
{
    if (path.len == 0 || path.at[0] != '/')
        return false;
    path = slice_from(path, 1);
    if (head.len == 0) {
        *rest = path;
        return true;
    }
    if (!slice_starts(path, head))
        return false;
    path = slice_from(path, head.len);
    if (path.len > 0 && path.at[0] != '/')
        return false;
    *rest = slice_from(path, 1);
    return true;
}

bool route_parse(slice path, slice api_root, struct arena *arena, struct route *out)
{
    struct segments segments;
    slice rest;

    *out = (struct route){0};
    if (under(path, SLICE("taxii2"), &rest) && rest.len == 0) {
        out->endpoint = ENDPOINT_DISCOVERY;
        return true;
    }
    if (!under(path, route_root(api_root), &rest) || !segments_split(rest, arena, &segments))
        return false;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        if (!shape_fits(&shapes[i], &segments))
            continue;
        out->endpoint = shapes[i].endpoint;
        if (out->endpoint == ENDPOINT_STATUS)
            out->status = segments.items[1];
        else if (segments.count > 1)
            out->collection = segments.items[1];
        if (segments.count > 3)
            out->object = segments.items[3];
        return true;
    }
    return false;
}
