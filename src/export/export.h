/* Which indicators go into an export: those of the node that the reader may have, that may be used
 * as the format uses them, that hold now, and that are no noise.
 *
 * The gate decides what a reader gets; markings and the agreement with the indicator's maker decide
 * what may be done with it.  The rest is the caller's choice.  What stays out is counted with its
 * reason.
 */
#pragma once

#include "formats/out.h"
#include "gate/gate.h"
#include "ledger/witness.h"
#include "json/write.h"

struct export_choice {
    const struct out_format *format; /* or of a folder the formats, which say what is gathered: */
    const struct out_folder *folder;
    uint32_t kinds; /* of values; OUT_ALL: all that the format takes */
    bool has_use;   /* use instead of the format's, for formats with has_choice */
    enum out_use use;
    int confidence_least;
    enum out_tlp tlp_most; /* OUT_TLP_NONE: any */
    uint32_t collection;   /* 0: any */
    bool exact_domains;
    slice zone;
    unsigned version;
    int64_t now_us;
    slice title, identity; /* the node's */

    struct gate *gate; /* borrowed */
    const struct reader_of *reader;
    const struct keep_place *keep; /* NULL: a node without agreements */
    /* May the reader read a collection?  NULL: all of them. */
    bool (*may_read)(void *context, struct store_view *view, uint32_t collection);
    /* Is a value on a warning list?  Is a name a public suffix?  NULL: never. */
    bool (*is_allowed)(void *context, slice path, slice value);
    bool (*is_suffix)(void *context, slice name);
    void *context;
};

/* What was gathered; ready to be written as often as wanted, while the view stays. */
struct export
{
    struct out_set set;
    struct out_head head;
    struct export_choice choice;
    uint64_t looked_at;
    struct hash256 root; /* over the hashes of the indicators that are in it, in order */
    struct store_view *view;
    struct arena arena; /* of texts that are lent out */
    int64_t next_us;    /* when it would be another one, whatever comes in; INT64_MAX: never */
    /* For formats of whole objects: redacted copies, and what goes along with all of them. */
    slice *copies, *along; /* owned; texts in the arena or the store */
    size_t copy_count, copy_capacity, along_count, along_capacity;
};

/* ERR_LIMIT past memory, ERR_CORRUPT when the store disagrees with itself. */
MUST_USE result export_gather(struct store_view *view, const struct export_choice *choice,
                              struct export *out, struct diag *diag);
void export_free(struct export *export); /* fits CLEANUP */

/* Write it in a format: the choice's, or one of its folder's. */
void export_write(struct export *export, const struct out_format *format, struct out_sink *sink);

/* The entry of the log that says what leaves, to whom and how much of it, before it does.  Nothing
 * when it is empty.  number: the entry's; may be NULL. */
MUST_USE result export_note(const struct ledger *ledger, const struct export *export, slice actor,
                            slice query, uint64_t *number, struct diag *diag);

/* The report, as an object of JSON. */
void export_report(const struct export *export, struct json_writer *w);
