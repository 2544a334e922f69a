/* Building an event: a shape gives fields, the map's rules make observables of them. */
#pragma once

#include "telemetry/map.h"

enum {
    URL_PART_SCHEME,
    URL_PART_HOST,
    URL_PART_PORT,
    URL_PART_PATH,
    URL_PART_QUERY,
    URL_PART_COUNT
};

/* STIX objects of one type that hold several properties: those of one list element and label. */
struct event_group {
    slice type, label;
    uint32_t element, object;
};

#define EVENT_GROUPS_MAX 64

struct event_builder {
    const struct telemetry_map *map; /* borrowed */
    struct arena arena;              /* of one event */
    slice line;                      /* borrowed: the line as it came */
    int64_t now_us;
    struct telemetry_observable *observables; /* owned */
    size_t count, capacity;
    uint32_t object_count;
    struct event_group groups[EVENT_GROUPS_MAX];
    size_t group_count;
    slice url[URL_PART_COUNT];
    slice url_field; /* of the path */
    int64_t time_us;
    bool has_time, is_cut, is_full; /* full: out of memory */
};

/* One field of a line.  raw: where its value stands in the line (inside builder->line, or empty);
 * value: without escapes.  element: the list element it stands in, 0 for none. */
struct event_field {
    slice name, value, raw;
    uint32_t element;
};

void event_begin(struct event_builder *builder, slice line);
void event_take(struct event_builder *builder, const struct event_field *field);
/* A field by its name alone, its value a run of bytes of the line. */
void event_take_raw(struct event_builder *builder, slice name, slice value);
/* What needs several fields, then the result. */
MUST_USE result event_end(struct event_builder *builder, struct telemetry_event *out,
                          struct diag *diag);
void event_free(struct event_builder *builder);

/* An observable of a rule's field; the path's own object for those of one property. */
void event_put(struct event_builder *builder, slice path, slice label, slice value,
               const struct event_field *field);

/* Address, name or neither: ipv4-addr:value, ipv6-addr:value, domain-name:value. */
bool event_put_address(struct event_builder *builder, slice value, const struct event_field *field,
                       slice path, slice label);
bool event_put_host(struct event_builder *builder, slice value, const struct event_field *field);
void event_put_url(struct event_builder *builder, slice value, const struct event_field *field);
bool event_put_email(struct event_builder *builder, slice value, const struct event_field *field,
                     slice path, slice label);
bool event_put_hash(struct event_builder *builder, slice value, const struct event_field *field,
                    slice path, slice label);

/* telemetry/tokens.c: all that can be told by its form. */
void tokens_take(struct event_builder *builder, const struct event_field *field);

/* ---- telemetry/forms.c: what a text looks like ---- */

enum address_form { ADDRESS_NONE, ADDRESS_V4, ADDRESS_V6 };
enum address_form address_form(slice text); /* with or without a prefix length */
bool domain_is_well_formed(slice text);     /* two labels or more, a last one with a letter */
bool host_split(slice text, slice *host, slice *port); /* "[::1]:443", "a.example:80", "::1" */
slice hash_algorithm(slice digits); /* "'SHA-256'", as in a path; empty when it is no hash */
/* telemetry/when.c: a time in one of the ways logs write it; false when it is none. */
bool when_parse(slice text, int64_t now_us, int64_t *out_us);
