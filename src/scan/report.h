/* What a hit becomes: a STIX sighting with observed-data, one for each indicator and window of
 * time.
 *
 *     report_open(&place, &report, diag)
 *     report_take(report, &rule, &hit, diag)       for each hit
 *     report_flush(report, &counts, diag)          sums, then writes what has changed
 *     report_close(&report)
 *
 * Ids follow from node, indicator and window, so that a repeat makes a new version of the same
 * sighting with a higher count.  What has been counted is known by a digest of each event's line,
 * so that reading the same log twice counts nothing twice, from whatever file, in whatever order;
 * docs/detection-results.md says how far that goes.
 */
#pragma once

#include "scan/detector.h"
#include "store/store.h"

#define REPORT_ALIAS "sightings" /* of the collection that sightings lie in */
#define REPORT_TITLE "Sightings"
#define REPORT_DIGESTS_MAX                                                                         \
    4096                     /* of one sighting; a count above is an estimate, within 2 % or so */
#define REPORT_VALUES_MAX 64 /* observed values of one sighting; more are left out */
#define REPORT_VALUE_BYTES_MAX 2048
#define REPORT_CELLS_MAX                                                                           \
    ((size_t)1 << 16)                       /* sightings summed in memory before they are written  \
                                             */
#define REPORT_EVENTS_MAX ((size_t)1 << 20) /* distinct events, likewise */
#define REPORT_COUNT_MAX 999999999          /* STIX 2.1, 5.2: sighting, count */

struct report_place {
    struct store *store;
    const char *folder; /* the node's; borrowed */
    slice own;          /* the node's identity, as its card has it; borrowed */
    slice title;        /* the node's name, for its identity; borrowed */
    slice actor;        /* who reports, for the log; borrowed */
    int64_t window_us, keep_us;
};

struct report_counts {
    uint64_t hits; /* taken */
    uint64_t
        anonymous;   /* hits of rules that are no STIX indicators: there is nothing to refer to */
    uint64_t events; /* new ones: not counted before */
    uint64_t made, updated; /* sightings */
};

struct report;

MUST_USE result report_open(const struct report_place *place, struct report **out,
                            struct diag *diag);
/* A lost report loses what was not flushed. */
void report_close(struct report **report);

/* Copies what it needs; may flush.  One thread at a time. */
MUST_USE result report_take(struct report *report, const struct rule *rule, const struct hit *hit,
                            struct diag *diag);
/* The same for a hit of the record of past hours (scan/retro.h), which knows values and not events:
 * a sighting counts its values while they are more than the events that were counted. */
MUST_USE result report_take_record(struct report *report, const struct rule *rule,
                                   const struct hit *hit, struct diag *diag);
/* Durable when it returns OK.  *counts: since report_open; may be NULL. */
MUST_USE result report_flush(struct report *report, struct report_counts *counts,
                             struct diag *diag);

/* ---- the node as STIX has it (report_identity.c) ---- */

struct report_identity {
    struct uuid name_space; /* of the node's derived ids; also its identity's UUID */
    char id[STIX_ID_BYTES_MAX + 1];
    char created[TIMESTAMP_TEXT_BYTES_MAX];
    size_t created_bytes;
};

/* Its date is that of the log's entry 0.  ERR_MISSING without a log or an identity. */
MUST_USE result report_identity(const struct report_place *place, struct report_identity *out,
                                struct diag *diag);
/* "type--" and the UUIDv5 of the node and name. */
void report_id(const struct report_identity *identity, const char *type, slice name,
               char out[STIX_ID_BYTES_MAX + 1]);

/* ---- objects of our own (report_write.c) ---- */

/* The collection of sightings, made on first use. */
MUST_USE result report_collection(struct store *store, slice actor, struct collection *out,
                                  struct diag *diag);
/* The node's identity object as JSON, when the collection does not hold it as it is now. */
MUST_USE result report_identity_object(const struct report_place *place,
                                       const struct report_identity *identity,
                                       const struct collection *collection, struct buf *out,
                                       struct diag *diag);
/* Take objects in, commas between them; ERR_INVALID when one of them is refused. */
MUST_USE result report_import(const struct report_place *place, const struct collection *collection,
                              slice objects, struct diag *diag);

/* The last version of an object in the collection (number 0: in any); empty when it holds none.
 * *text is borrowed for the store's life. */
MUST_USE result report_held(struct store_view *view, const struct collection *collection, slice id,
                            struct arena *arena, slice *text, struct diag *diag);

/* An observed value as a STIX object with its id (report_sco.c).  False when the path belongs to no
 * object that can stand alone. */
bool report_observable(const struct report_identity *identity, struct json_parser *parser,
                       slice path, slice value, struct buf *json, char id[STIX_ID_BYTES_MAX + 1]);

/* ---- false positives (report_false.c) ---- */

struct report_opinion {
    slice indicator; /* its id */
    slice comment;   /* empty: none */
};
/* An Opinion that strongly disagrees with the indicator, and a Sighting with count 0; said again,
 * both get a new version.  ERR_MISSING when the node holds no such indicator. */
MUST_USE result report_false(const struct report_place *place, const struct report_opinion *opinion,
                             struct diag *diag);
