/* The store: every version of every object, found by anything people ask for.
 *
 * An *addition* is the unit: one version of one object added to one collection.  Additions are
 * numbered from 0 (`seq`), and each has a date_added that is later than that of every lower number,
 * so order by number is order by date, for ever.  Texts lie in append-only segment files in that
 * order, separated by commas, so that a page of neighbours is one slice of mapped memory; a
 * directory of fixed-size records says where each text stands; LMDB holds the log and the indexes.
 *
 * A write is: texts and records to their files, made durable; then one LMDB transaction that names
 * them.  What no transaction names is cut at the next start.
 */
#pragma once

#include "base/config.h"
#include "base/crypto.h"
#include "base/source.h"
#include "base/world.h"
#include "kv/kv.h"
#include "stix/object.h"
#include "json/write.h"

struct store;

struct store_options {
    const char *folder;
    size_t map_bytes_max;
    bool create; /* make the folder and a new store when there is none */
    bool read_only;
    const char *const *more_tables; /* tables of other modules in the same file, NULL-terminated */
    const struct world *world;      /* NULL: the real one */
};

/* ERR_MISSING: no store there and !create.  ERR_CONFLICT "made by an older/newer format version N,
 * this program reads M".  Cuts what no transaction names and finishes or undoes an import that was
 * killed. */
MUST_USE result store_open(const struct store_options *options, struct store **out,
                           struct diag *diag);
void store_close(struct store **store);
struct kv *store_kv(struct store *store);
kv_table store_table(const struct store *store, const char *name); /* of more_tables */
kv_table store_log_table(const struct store *store);
const struct world *store_world(const struct store *store);

/* ---- views: what a reader sees; nothing a writer does changes it ---- */

struct store_view {
    struct store *store;
    struct kv_txn txn;
    uint64_t seq_end; /* additions there are: 0 .. seq_end-1 */
    /* What was looked up last, for the neighbours that are asked for next. */
    uint64_t date_first, date_end; /* of one import */
    int64_t date_us;
    uint32_t type_known; /* its code plus 1; 0: none */
    slice type_text;     /* borrowed from the transaction */
};

void store_view_begin(struct store *store, struct store_view *view, struct diag *diag);
void store_view_end(struct store_view *view); /* fits CLEANUP */

/* ---- collections ---- */

#define COLLECTION_TITLE_BYTES_MAX 256

struct collection {
    uint32_t number; /* from 1; inside this node */
    struct uuid id;  /* version 4 */
    char title[COLLECTION_TITLE_BYTES_MAX];
    char alias[COLLECTION_TITLE_BYTES_MAX]; /* empty: none */
    char description[1024];
    bool is_hidden; /* not listed for those without a right (it is 404 for them anyway) */
};

bool store_collection_find(struct store_view *view, slice id_or_alias, struct collection *out);
bool store_collection_at(struct store_view *view, size_t index, struct collection *out);
/* The one with the next higher number, 0 being in front of all.  A walk over all of them. */
bool store_collection_next(struct store_view *view, uint32_t after, struct collection *out);
/* id NULL: a new random one.  ERR_CONFLICT: id or alias in use; ERR_INVALID: no UUIDv4, bad alias.
 */
MUST_USE result store_collection_add(struct store *store, const struct uuid *id, slice title,
                                     slice alias, slice description, slice actor,
                                     struct collection *out, struct diag *diag);
MUST_USE result
store_collection_remove(struct store *store, uint32_t number, slice actor,
                        struct diag *diag); /* ERR_CONFLICT while it holds objects */

/* ---- additions ---- */

struct store_item {
    uint64_t seq;
    uint32_t collection;
    char id[STIX_ID_BYTES_MAX + 1];
    enum stix_spec spec;
    struct timestamp version; /* TAXII's: modified, created or date_added */
    int64_t added_us;
    struct hash256 hash; /* SHA-256 of the canonical form */
    slice text;          /* borrowed for the store's life; empty when the bytes were removed */
    bool is_superseded;  /* a later version is in the same collection */
    bool is_removed;
};

bool store_item_at(struct store_view *view, uint64_t seq, struct store_item *out);
/* Its date_added alone. */
int64_t store_added_us(struct store_view *view, uint64_t seq);
/* The same with text checked against the record's checksum: ERR_CORRUPT names file and offset. */
MUST_USE result store_item_check(struct store_view *view, uint64_t seq, struct diag *diag);
/* The root that stands in the log's entry of these additions, from their records: a Merkle tree
 * (RFC 6962, 2.1) over the hashes of the objects' canonical forms.  ERR_CORRUPT: there are not that
 * many, or a record has changed. */
MUST_USE result store_additions_root(struct store_view *view, uint64_t first, uint64_t count,
                                     struct hash256 *out, struct diag *diag);
/* Who walks through all of it says what lies behind him, so that the store's size does not become
 * the process's: additions [seq, seq_end) need not stay in memory.  Their texts stay readable. */
void store_pass(struct store_view *view, uint64_t seq, uint64_t seq_end);

/* ---- queries: filters are ANDed, the values of one filter ORed ---- */

enum version_filter { VERSION_LAST, VERSION_FIRST, VERSION_ALL, VERSION_LIST };

#define QUERY_VALUES_MAX 1000

struct store_query {
    uint32_t collection; /* 0: any; then each object version comes once */
    bool has_added_after;
    int64_t added_after_us; /* exclusive */
    uint64_t seq_from;      /* a page's start: additions below are not looked at */
    const slice *ids;
    size_t id_count; /* full ids */
    const slice *types;
    size_t type_count;
    const enum stix_spec *specs; /* none: any (the TAXII default is the caller's business) */
    size_t spec_count;
    bool spec_latest; /* of an object held in both specifications only the newer one's versions */
    bool version_last, version_first, version_all; /* all false and no list: last */
    const struct timestamp *versions;
    size_t version_count;
    /* and for `search` */
    const slice *creators;
    size_t creator_count;
    const slice *labels;
    size_t label_count;
    const slice *markings; /* ids of marking definitions */
    size_t marking_count;
    const slice *phases; /* "chain/phase", or "phase" for any chain */
    size_t phase_count;
    const slice *values; /* exact, normalised by the store for each kind */
    size_t value_count;
    const slice *words; /* all must stand in name, description, aliases; case folded; a trailing '*'
                           is a prefix */
    size_t word_count;
    const slice *refs_to; /* objects that point to one of these ids */
    size_t ref_to_count;
    const slice *refs_from; /* objects that one of these ids points to */
    size_t ref_from_count;
    bool has_modified_from, has_modified_until;
    struct timestamp modified_from, modified_until; /* inclusive, exclusive */
    bool newest_first; /* by modified, for `search`; paging by seq_from does not go with it */
};

/* A page of additions in order.  *more: there is at least one behind it; *next_seq: where it
 * starts. */
struct store_page {
    const uint64_t *seqs; /* in the arena, rising */
    size_t count;
    bool more;
    uint64_t next_seq;
    slice text; /* "object,object,...": from the map when they are neighbours, else put together in
                   the arena */
    bool text_stays; /* from the map: never moved or freed while the store is open */
};

/* limit_bytes: object text at most (one object always fits); SIZE_MAX for none.  with_text: fill
 * page->text. ERR_LIMIT past the arena, ERR_CORRUPT when the files disagree. */
MUST_USE result store_find(struct store_view *view, const struct store_query *query,
                           size_t limit_objects, size_t limit_bytes, bool with_text,
                           struct arena *arena, struct store_page *out, struct diag *diag);

uint64_t store_collection_count(struct store_view *view, uint32_t collection); /* live additions */

/* ---- writes: one at a time, in all processes ---- */

#define STORE_WAITS 0u /* patience_ms: as long as another writer takes */

/* ---- imports ---- */

enum import_outcome {
    IMPORT_TAKEN,    /* new */
    IMPORT_REPLACED, /* a newer version of one that is held */
    IMPORT_OLDER,    /* an older version than the one that is held; kept too */
    IMPORT_HELD,     /* this version is in the collection already */
    IMPORT_CONFLICT, /* same id and version, other content: the first is kept */
    IMPORT_REFUSED,  /* fails the check */
};

struct import_report {
    enum import_outcome outcome;
    uint64_t index;  /* in the input, from 0 */
    uint64_t offset; /* of its first byte in the unpacked input */
    slice id;        /* as written; empty when it has none */
    struct timestamp version;
    bool has_version;
    slice reason;                         /* of a refusal or conflict: "pattern: expected ..." */
    const struct stix_findings *findings; /* warnings */
};

struct import_options {
    uint32_t collection;
    enum stix_mode mode;
    size_t object_bytes_max, json_depth_max;
    slice origin;         /* where it came from, for the log: a file name, "taxii", a URL */
    slice actor;          /* who: account name or "cli" */
    unsigned threads;     /* 0: as many as there are, at most 4 */
    unsigned patience_ms; /* for another writer; then ERR_CONFLICT, with nothing reported */
    bool dry_run;
    bool broken_ok; /* lenient: whole objects in front of a cut are kept and the cut is reported */
    void (*report)(void *context,
                   const struct import_report *report); /* in input order; may be NULL */
    void (*progress)(void *context, uint64_t bytes_taken, uint64_t bytes_total, uint64_t objects);
    void *context;
};

struct import_counts {
    uint64_t taken, replaced, older, held, conflicts, refused, warned;
    uint64_t bytes;                        /* unpacked input */
    int64_t added_first_us, added_last_us; /* of what was added; 0 when nothing */
};

/* Take a stream of objects (bundle, envelope, array, NDJSON) in, all that pass the checks or, when
 * the stream is broken, none; durable when it returns OK.  Memory stays bounded whatever the size.
 */
MUST_USE result store_import(struct store *store, struct source *source,
                             const struct import_options *options, struct import_counts *counts,
                             struct diag *diag);

/* Remove additions of an object from a collection: its versions that the filter names (as TAXII
 * DELETE: none named = all).  Bytes go when no addition holds them any more; the log keeps that
 * they were there.  ERR_CONFLICT when another writer outlasts patience_ms. */
MUST_USE result store_remove(struct store *store, uint32_t collection, slice id,
                             const struct store_query *versions, slice actor, unsigned patience_ms,
                             uint64_t *count, struct diag *diag);

/* ---- the whole ---- */

struct store_status {
    uint64_t entries, additions, live, removed, segment_bytes, index_bytes, collections;
    uint32_t format;
};
void store_status(struct store_view *view, struct store_status *out);

/* Keep other writers of objects out, in all processes, while the tables are derived again. */
MUST_USE result store_lock(struct store *store, struct diag *diag);
void store_unlock(struct store *store);

/* SHA-256 over every derived table, in order: equal states have equal hashes. */
MUST_USE result store_state_hash(struct store_view *view, struct hash256 *out, struct diag *diag);

/* The tables of the database that are derived, and the one of the store's own facts, by index; NULL
 * past the last.  Equal contents have equal hashes. */
const char *store_table_name(const struct store *store, size_t index);
/* The store's own facts, which no entry gives: format and end of the texts.  ERR_CONFLICT while an
 * import is running, ERR_CORRUPT says what is wrong. */
MUST_USE result store_facts_check(struct store_view *view, struct diag *diag);
MUST_USE result store_table_hash(struct store *store, struct kv_txn *txn, size_t index,
                                 struct hash256 *out, struct diag *diag);

/* Re-derive the tables of objects and collections from one entry of the log.  False: not a kind of
 * ours. */
bool store_apply(struct store *store, struct kv_txn *txn, slice kind, uint64_t number, slice entry);
/* Empty the derived tables, before entries are applied again from the first. */
void store_clear_derived(struct store *store, struct kv_txn *txn);
