/* Intelligence in other forms than STIX, on its way in.
 *
 * A reader takes one form apart and writes STIX 2.1 objects, a line each; what it makes is a source
 * that store_import reads like any other.  Nothing is lost without a word: what a reader does not
 * take, or takes in part, is counted under its reason with the first places.
 *
 *     in_recognise(source, peek, &form, diag)
 *     in_open(source, &choice, &in, diag)
 *     store_import(store, in_source(in), ...)
 *     in_report(in)
 *
 * Ids follow from the content, so that a second import of the same list finds its own objects.
 */
#pragma once

#include "base/result.h"
#include "base/source.h"

enum in_form { IN_STIX, IN_LIST, IN_CSV };

#define IN_PEEK_BYTES ((size_t)64 << 10)
#define IN_LINE_BYTES_MAX ((size_t)64 << 10)  /* of a list */
#define IN_RECORD_BYTES_MAX ((size_t)1 << 20) /* of CSV, line ends in quotes included */
#define IN_COLUMNS_MAX 256
#define IN_LABELS_MAX 64
#define IN_VALID_DAYS_MAX 36500

/* "stix", "list", "hosts", "blocklist", "csv". */
bool in_form_find(slice name, enum in_form *out);
extern const char *const in_form_names; /* for messages */

/* A file of that form by the end of its name; packed ones too. */
bool in_is_named(slice path, enum in_form form);

/* By the first bytes, which are given back to the source; peek (of IN_PEEK_BYTES) is borrowed until
 * the source has read them. */
MUST_USE result in_recognise(struct source *source, char *peek, enum in_form *out,
                             struct diag *diag);

/* The published marking definition of "amber", "TLP:AMBER+STRICT", "white"; empty when none. */
slice in_tlp_id(slice word);

struct in_choice {
    enum in_form form;
    slice columns;       /* of CSV, "value,type,-": roles by position; empty: by the header */
    slice marking;       /* id of a marking definition for all objects; empty: none */
    int confidence;      /* -1: none */
    const slice *labels; /* for all objects */
    size_t label_count;
    unsigned valid_days; /* 0: without an end */
    int64_t date_us;     /* of objects whose form does not date them */
};

/* ---- what became of it ---- */

#define IN_KINDS_MAX 64
#define IN_PLACES_MAX 8
#define IN_REASON_BYTES_MAX 160
#define IN_VALUE_BYTES_MAX 96

struct in_place {
    uint64_t line;
    char value[IN_VALUE_BYTES_MAX]; /* printable */
};

struct in_kind {
    char reason[IN_REASON_BYTES_MAX];
    bool is_lost; /* not taken; else kept in another way, which the reason says */
    uint64_t count;
    struct in_place places[IN_PLACES_MAX]; /* the first ones */
    size_t place_count;
};

struct in_report {
    uint64_t objects, lost;             /* written; pieces of input that were not taken */
    struct in_kind kinds[IN_KINDS_MAX]; /* past them all is counted in the last */
    size_t kind_count;
};

struct in;

/* source and all that choice points to are borrowed as long as the reader lives. */
MUST_USE result in_open(struct source *source, const struct in_choice *choice, struct in **out,
                        struct diag *diag);
void in_close(struct in **in); /* fits CLEANUP */
struct source *in_source(struct in *in);
/* Complete when the source is at its end; not to be read while another thread reads the source. */
const struct in_report *in_report(const struct in *in);
