#include "scan/report_seen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/hash.h"
#include "json/json.h"
#include "json/write.h"

#include "base/banned.h"

#define CELL_ARENA_BYTES_MAX ((size_t)512 << 20)
#define ROW_ARENA_BYTES_MAX ((size_t)8 << 20)
#define DUE_BATCH 500 /* sightings of one import */
#define OBJECTS_BYTES_MAX ((size_t)512 << 20)
#define ORDINALS_MAX 1000000 /* of one line that is repeated byte for byte */

/* One indicator in one window, since the last flush. */
struct cell {
    struct uuid indicator;
    int64_t window_us; /* SEEN_UNTIMED for events without a time */
    bool is_record;    /* of values that the record knows */
    int64_t first_us, last_us;
    slice markings;
    struct seen_value values[REPORT_VALUES_MAX];
    size_t value_count;
    uint32_t next; /* in its bucket, plus 1 */
};

/* One line of one cell, and how often it came. */
struct event {
    uint64_t digest;
    uint32_t cell, count;
};

#define BUCKETS ((size_t)1 << 16)
#define EVENT_SLOTS ((size_t)1 << 21)

struct report {
    struct report_place place;
    struct report_identity identity;
    struct seen seen;
    struct arena arena;  /* of cells' texts */
    struct cell **cells; /* owned; each in the arena */
    size_t cell_count, cell_capacity;
    uint32_t *buckets;    /* owned: first cell plus 1 */
    struct event *events; /* owned; count 0: free */
    size_t event_slots, event_count;
    struct report_counts counts;
};

/* ---- open, close ---- */

static result rooms_make(struct report *report, struct diag *diag)
{
    size_t buckets = 0, slots = 0;

    report->buckets = table_grow(NULL, &buckets, BUCKETS, BUCKETS, sizeof(*report->buckets));
    report->event_slots = 1024;
    report->events =
        table_grow(NULL, &slots, report->event_slots, EVENT_SLOTS, sizeof(*report->events));
    if (report->buckets == NULL || report->events == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for sightings");
    memset(report->buckets, 0, BUCKETS * sizeof(*report->buckets));
    memset(report->events, 0, report->event_slots * sizeof(*report->events));
    return OK;
}

static result report_start(struct report *report, struct diag *diag)
{
    struct collection collection;

    TRY(rooms_make(report, diag));
    /* The log's first entry may be this collection's. */
    TRY(report_collection(report->place.store, report->place.actor, &collection, diag));
    TRY(report_identity(&report->place, &report->identity, diag));
    return seen_open(report->place.folder, &report->seen, diag);
}

result report_open(const struct report_place *place, struct report **out, struct diag *diag)
{
    size_t capacity = 0;
    struct report *report = table_grow(NULL, &capacity, 1, 1, sizeof(*report));

    *out = NULL;
    if (report == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for sightings");
    *report =
        (struct report){.place = *place, .seen.lock = -1, .arena = ARENA(CELL_ARENA_BYTES_MAX)};
    result r = report_start(report, diag);
    if (failed(r))
        report_close(&report);
    *out = report;
    return diag_within(diag, r, "sightings");
}

void report_close(struct report **report)
{
    if (*report == NULL)
        return;
    seen_close(&(*report)->seen);
    arena_free(&(*report)->arena);
    table_free((*report)->cells);
    table_free((*report)->buckets);
    table_free((*report)->events);
    table_free(*report);
    *report = NULL;
}

/* ---- taking hits ---- */

static int64_t window_of(const struct report *report, int64_t time_us)
{
    int64_t window = time_us / report->place.window_us * report->place.window_us;

    return window > time_us ? window - report->place.window_us : window;
}

static struct cell *cell_at(struct report *report, const struct uuid *indicator, int64_t window_us,
                            bool is_record, uint32_t *index)
{
    uint64_t hash = store_hash64(slice_of(indicator->bytes, 16), (uint64_t)window_us);
    uint32_t *bucket = &report->buckets[hash % BUCKETS];

    for (uint32_t at = *bucket; at != 0; at = report->cells[at - 1]->next)
        if (report->cells[at - 1]->window_us == window_us &&
            report->cells[at - 1]->is_record == is_record &&
            uuid_eq(&report->cells[at - 1]->indicator, indicator)) {
            *index = at - 1;
            return report->cells[at - 1];
        }
    void *grown = table_grow(report->cells, &report->cell_capacity, report->cell_count + 1,
                             REPORT_CELLS_MAX, sizeof(void *));
    struct cell *cell = grown == NULL ? NULL : arena_new(&report->arena, struct cell, 1);
    if (grown != NULL)
        report->cells = grown;
    if (cell == NULL)
        return NULL;
    *cell = (struct cell){.indicator = *indicator,
                          .window_us = window_us,
                          .is_record = is_record,
                          .first_us = INT64_MAX,
                          .last_us = INT64_MIN,
                          .next = *bucket};
    *index = (uint32_t)report->cell_count;
    report->cells[report->cell_count++] = cell;
    *bucket = *index + 1;
    return cell;
}

static struct event *event_slot(struct event *events, size_t slots, uint64_t digest, uint32_t cell)
{
    size_t at = (digest ^ (uint64_t)cell * 0x9e3779b97f4a7c15u) % slots;

    while (events[at].count != 0 && (events[at].digest != digest || events[at].cell != cell))
        at = (at + 1) % slots;
    return &events[at];
}

static bool events_grow(struct report *report)
{
    size_t slots = 0, wanted = 2 * report->event_slots;
    struct event *events = table_grow(NULL, &slots, wanted, EVENT_SLOTS, sizeof(*events));

    if (events == NULL)
        return false;
    memset(events, 0, wanted * sizeof(*events));
    for (size_t i = 0; i < report->event_slots; i++)
        if (report->events[i].count != 0)
            *event_slot(events, wanted, report->events[i].digest, report->events[i].cell) =
                report->events[i];
    table_free(report->events);
    report->events = events;
    report->event_slots = wanted;
    return true;
}

static bool event_put(struct report *report, uint64_t digest, uint32_t cell)
{
    struct event *event = event_slot(report->events, report->event_slots, digest, cell);

    if (event->count == 0) {
        if (report->event_count == REPORT_EVENTS_MAX)
            return false;
        report->event_count++;
        event->digest = digest;
        event->cell = cell;
    }
    if (event->count < ORDINALS_MAX)
        event->count++;
    return 2 * report->event_count < report->event_slots || report->event_slots >= EVENT_SLOTS ||
           events_grow(report);
}

static void values_take(struct report *report, struct cell *cell, const struct hit *hit)
{
    for (size_t i = 0; i < hit->field_count && cell->value_count < REPORT_VALUES_MAX; i++) {
        const struct hit_field *field = &hit->fields[i];
        bool is_known = field->value.len == 0 || field->value.len > REPORT_VALUE_BYTES_MAX;

        for (size_t k = 0; !is_known && k < cell->value_count; k++)
            is_known = slice_eq(cell->values[k].value, field->value) &&
                       slice_eq(cell->values[k].path, field->path);
        if (!is_known)
            cell->values[cell->value_count++] = (struct seen_value){
                arena_copy(&report->arena, field->path), arena_copy(&report->arena, field->value)};
    }
}

/* False: there is no room, and a flush makes it. */
static bool hit_take(struct report *report, const struct uuid *indicator, slice markings,
                     const struct hit *hit, bool is_record)
{
    int64_t window_us = hit->has_time ? window_of(report, hit->time_us) : SEEN_UNTIMED;
    uint32_t index;
    struct cell *cell = cell_at(report, indicator, window_us, is_record, &index);

    if (cell == NULL)
        return false;
    if (cell->markings.at == NULL)
        cell->markings = arena_copy(&report->arena, slice_head(markings, 60000));
    if (hit->has_time && hit->time_us < cell->first_us)
        cell->first_us = hit->time_us;
    if (hit->has_time && hit->time_us > cell->last_us)
        cell->last_us = hit->time_us;
    values_take(report, cell, hit);
    return event_put(report, store_hash64(hit->line, 0), index) && !report->arena.overflowed;
}

static result take(struct report *report, const struct rule *rule, const struct hit *hit,
                   bool is_record, struct diag *diag)
{
    struct stix_id id;

    report->counts.hits++;
    if (!stix_id_parse(rule->id, &id) || !slice_eq(id.type, SLICE("indicator"))) {
        report->counts.anonymous++;
        return OK;
    }
    if (report->cell_count < REPORT_CELLS_MAX && report->event_count < REPORT_EVENTS_MAX &&
        hit_take(report, &id.uuid, rule->markings, hit, is_record))
        return OK;
    TRY(report_flush(report, NULL, diag));
    if (!hit_take(report, &id.uuid, rule->markings, hit, is_record))
        return diag_fail(diag, ERR_LIMIT, "no memory for sightings");
    return OK;
}

result report_take(struct report *report, const struct rule *rule, const struct hit *hit,
                   struct diag *diag)
{
    return take(report, rule, hit, false, diag);
}

result report_take_record(struct report *report, const struct rule *rule, const struct hit *hit,
                          struct diag *diag)
{
    return take(report, rule, hit, true, diag);
}

/* ---- from cells to rows ---- */

static int event_order(const void *a, const void *b)
{
    const struct event *x = a, *y = b;

    if (x->cell != y->cell)
        return x->cell < y->cell ? -1 : 1;
    return x->digest < y->digest ? -1 : x->digest > y->digest;
}

/* The same line again is another event: the first, the second, the third of its kind. */
static uint64_t ordinal_digest(uint64_t digest, uint32_t ordinal)
{
    if (ordinal == 0)
        return digest;
    uint64_t pair[2] = {digest, ordinal};

    return store_hash64(slice_of(pair, sizeof(pair)), 1);
}

struct flushing {
    struct report *report;
    struct kv_txn *txn;
    struct arena arena; /* of one row */
    int64_t now_us;
    struct diag *diag;
};

static void row_spread(struct seen_row *row, const struct cell *cell, int64_t first_us,
                       int64_t last_us)
{
    bool is_new = row->digest_count == 0 && row->record_count == 0;

    row->first_us = is_new || first_us < row->first_us ? first_us : row->first_us;
    row->last_us = is_new || last_us > row->last_us ? last_us : row->last_us;
    if (row->markings.len == 0)
        row->markings = cell->markings;
    for (size_t i = 0; i < cell->value_count; i++)
        (void)seen_add_value(row, cell->values[i].path, cell->values[i].value);
}

/* Asked again, the record gives the same values, so the larger number is all of them. */
static result record_merge(struct flushing *flushing, const struct cell *cell, size_t count)
{
    struct seen_row row;

    arena_reset(&flushing->arena);
    TRY(seen_read(flushing->txn, &cell->indicator, cell->window_us, &flushing->arena, &row,
                  flushing->diag));
    uint64_t before = seen_count(&row);
    row_spread(&row, cell, cell->first_us, cell->last_us);
    if (count > row.record_count)
        row.record_count = (uint32_t)count;
    row.touched_us = flushing->now_us;
    seen_write(flushing->txn, &row, seen_count(&row) != before);
    return flushing->txn->state;
}

static result cell_merge(struct flushing *flushing, const struct cell *cell,
                         const struct event *events, size_t count)
{
    struct report *report = flushing->report;
    bool is_timed = cell->window_us != SEEN_UNTIMED;
    int64_t window_us = is_timed ? cell->window_us : window_of(report, flushing->now_us);
    struct seen_row row, untimed = {0};
    uint64_t before = report->counts.events;

    arena_reset(&flushing->arena);
    TRY(seen_read(flushing->txn, &cell->indicator, window_us, &flushing->arena, &row,
                  flushing->diag));
    if (!is_timed)
        TRY(seen_read(flushing->txn, &cell->indicator, SEEN_UNTIMED, &flushing->arena, &untimed,
                      flushing->diag));
    row_spread(&row, cell,
               is_timed           ? cell->first_us
               : row.digest_count ? row.first_us
                                  : flushing->now_us,
               is_timed           ? cell->last_us
               : row.digest_count ? row.last_us
                                  : flushing->now_us);
    for (size_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < events[i].count; k++) {
            uint64_t digest = ordinal_digest(events[i].digest, k);

            /* Known from an earlier window: it is the same log again. */
            if (!is_timed && !seen_add(&untimed, digest))
                continue;
            if (!is_timed)
                row.last_us = flushing->now_us;
            report->counts.events += seen_add(&row, digest);
        }
    /* Rows over the limit cannot tell a new event from an old one, so they are always due. */
    row.touched_us = untimed.touched_us = flushing->now_us;
    seen_write(flushing->txn, &row, report->counts.events != before || row.is_over);
    if (!is_timed)
        seen_write(flushing->txn, &untimed, false);
    return flushing->txn->state;
}

static size_t events_pack(struct report *report)
{
    size_t count = 0;

    for (size_t i = 0; i < report->event_slots; i++)
        if (report->events[i].count != 0)
            report->events[count++] = report->events[i];
    qsort(report->events, count, sizeof(*report->events), event_order);
    return count;
}

static void cells_clear(struct report *report)
{
    report->cell_count = report->event_count = 0;
    memset(report->buckets, 0, BUCKETS * sizeof(*report->buckets));
    memset(report->events, 0, report->event_slots * sizeof(*report->events));
    arena_reset(&report->arena);
}

static result cells_merge(struct report *report, int64_t now_us, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct flushing flushing = {.report = report,
                                .txn = &txn,
                                .arena = ARENA(ROW_ARENA_BYTES_MAX),
                                .now_us = now_us,
                                .diag = diag};
    size_t count = events_pack(report);
    result r = OK;

    kv_begin_write(report->seen.kv, &txn, diag);
    for (size_t i = 0, end; succeeded(r) && i < count; i = end) {
        for (end = i; end < count && report->events[end].cell == report->events[i].cell;)
            end++;
        const struct cell *cell = report->cells[report->events[i].cell];
        r = cell->is_record ? record_merge(&flushing, cell, end - i)
                            : cell_merge(&flushing, cell, &report->events[i], end - i);
    }
    arena_free(&flushing.arena);
    seen_forget(&txn, now_us - report->place.keep_us);
    if (succeeded(r))
        r = kv_commit(&txn);
    cells_clear(report);
    return r;
}

/* ---- from rows to sightings ---- */

struct telling {
    struct report *report;
    struct collection collection;
    struct store_view view;
    struct json_parser *parser; /* owned */
    struct buf objects;         /* owned */
    struct arena arena;
    int64_t now_us;
    uint64_t made, updated;
};

/* What the store holds of a sighting. */
struct held {
    bool is_held;
    slice created, first_seen, last_seen, refs; /* refs: of its observed-data, an array's inside */
    struct timestamp modified;
    int64_t count;
};

static slice text_at(const struct json_doc *doc, slice key, struct arena *arena)
{
    return arena_copy(arena, json_string(doc, json_get(doc, doc->nodes, key), arena));
}

static result held_read(struct telling *telling, const char *id, struct held *out,
                        struct diag *diag)
{
    struct json_doc doc;
    slice text;

    *out = (struct held){0};
    TRY(report_held(&telling->view, &telling->collection, slice_text(id), &telling->arena, &text,
                    diag));
    if (text.len == 0)
        return OK;
    TRY(json_parse_copy(telling->parser, text, &doc, diag));
    out->is_held = true;
    out->created = text_at(&doc, SLICE("created"), &telling->arena);
    out->first_seen = text_at(&doc, SLICE("first_seen"), &telling->arena);
    out->last_seen = text_at(&doc, SLICE("last_seen"), &telling->arena);
    (void)timestamp_parse(text_at(&doc, SLICE("modified"), &telling->arena), &out->modified);
    (void)json_i64(&doc, json_get(&doc, doc.nodes, SLICE("count")), &out->count);
    return OK;
}

static void object_begin(struct telling *telling, struct json_writer *w)
{
    if (telling->objects.len > 0)
        buf_byte(&telling->objects, ',');
    *w = JSON_WRITER(&telling->objects);
}

static void put_time(struct json_writer *w, slice key, int64_t us)
{
    char text[TIMESTAMP_TEXT_BYTES_MAX];

    jw_put_string(w, key, slice_of(text, time_format_us(us, text)));
}

static void put_markings(struct json_writer *w, slice markings)
{
    if (markings.len == 0)
        return;
    jw_key(w, SLICE("object_marking_refs"));
    jw_array_begin(w);
    while (markings.len > 0) {
        slice one;

        slice_cut(markings, ',', &one, &markings);
        jw_string(w, one);
    }
    jw_array_end(w);
}

/* A version is later than the one before it, whatever the clock says. */
static int64_t version_after(const struct telling *telling, const struct held *held)
{
    bool is_late = held->is_held && held->modified.us >= telling->now_us;

    return is_late ? held->modified.us + 1000 : telling->now_us;
}

/* What every object of ours begins with. */
static void head_write(struct telling *telling, struct json_writer *w, const char *type,
                       const char *id, const struct held *held, int64_t modified_us)
{
    const struct report_identity *identity = &telling->report->identity;

    object_begin(telling, w);
    jw_object_begin(w);
    jw_put_string(w, SLICE("type"), slice_text(type));
    jw_put_string(w, SLICE("spec_version"), SLICE("2.1"));
    jw_put_string(w, SLICE("id"), slice_text(id));
    jw_put_string(w, SLICE("created_by_ref"), slice_text(identity->id));
    if (held->is_held)
        jw_put_string(w, SLICE("created"), held->created);
    else
        put_time(w, SLICE("created"), modified_us);
    put_time(w, SLICE("modified"), modified_us);
}

/* Observables first, so that what refers to them comes behind; their ids in refs. */
static size_t observables_write(struct telling *telling, const struct seen_row *row,
                                struct json_writer *refs)
{
    size_t count = 0;

    for (size_t i = 0; i < row->value_count; i++) {
        CLEANUP(buf_free) struct buf json = BUF(16 * REPORT_VALUE_BYTES_MAX);
        char id[STIX_ID_BYTES_MAX + 1];
        struct json_writer w;

        if (!report_observable(&telling->report->identity, telling->parser, row->values[i].path,
                               row->values[i].value, &json, id))
            continue;
        object_begin(telling, &w);
        jw_raw(&w, buf_slice(&json));
        jw_string(refs, slice_text(id));
        count++;
    }
    return count;
}

static result observed_write(struct telling *telling, const struct seen_row *row, const char *id,
                             uint64_t count, slice refs, struct diag *diag)
{
    struct held held;
    struct json_writer w;

    TRY(held_read(telling, id, &held, diag));
    head_write(telling, &w, "observed-data", id, &held, version_after(telling, &held));
    put_time(&w, SLICE("first_observed"), row->first_us);
    put_time(&w, SLICE("last_observed"), row->last_us);
    jw_put_u64(&w, SLICE("number_observed"), count > 0 ? count : 1);
    jw_key(&w, SLICE("object_refs"));
    jw_raw(&w, refs);
    put_markings(&w, row->markings);
    jw_object_end(&w);
    return OK;
}

/* Nothing that the store does not say already? */
static bool is_told(const struct held *held, const struct seen_row *row, uint64_t count)
{
    char first[TIMESTAMP_TEXT_BYTES_MAX], last[TIMESTAMP_TEXT_BYTES_MAX];

    return held->is_held && (uint64_t)held->count == count &&
           slice_eq(held->first_seen, slice_of(first, time_format_us(row->first_us, first))) &&
           slice_eq(held->last_seen, slice_of(last, time_format_us(row->last_us, last)));
}

/* A row may be younger than its sighting, when the database was lost. */
static void row_widen(struct seen_row *row, const struct held *held, uint64_t *count)
{
    struct timestamp time;

    if (timestamp_parse(held->first_seen, &time) && time.us < row->first_us)
        row->first_us = time.us;
    if (timestamp_parse(held->last_seen, &time) && time.us > row->last_us)
        row->last_us = time.us;
    if (held->count > 0 && (uint64_t)held->count > *count)
        *count = (uint64_t)held->count;
}

static result sighting_write(struct telling *telling, struct seen_row *row, struct diag *diag)
{
    CLEANUP(buf_free) struct buf refs = BUF((size_t)1 << 16);
    struct json_writer refs_writer = JSON_WRITER(&refs), w;
    char id[STIX_ID_BYTES_MAX + 1], observed[STIX_ID_BYTES_MAX + 1], name[160];
    char indicator[UUID_TEXT_BYTES];
    uint64_t count = seen_count(row);
    struct held held;

    uuid_format(&row->indicator, indicator);
    (void)snprintf(name, sizeof(name), "indicator--%.*s|%" PRId64 "|%" PRId64, UUID_TEXT_BYTES,
                   indicator, row->window_us, telling->report->place.window_us);
    report_id(&telling->report->identity, "sighting", slice_text(name), id);
    report_id(&telling->report->identity, "observed-data", slice_text(name), observed);
    TRY(held_read(telling, id, &held, diag));
    row_widen(row, &held, &count);
    if (is_told(&held, row, count))
        return OK;
    jw_array_begin(&refs_writer);
    bool has_observed = observables_write(telling, row, &refs_writer) > 0;
    jw_array_end(&refs_writer);
    if (has_observed)
        TRY(observed_write(telling, row, observed, count, buf_slice(&refs), diag));
    head_write(telling, &w, "sighting", id, &held, version_after(telling, &held));
    put_time(&w, SLICE("first_seen"), row->first_us);
    put_time(&w, SLICE("last_seen"), row->last_us);
    jw_put_u64(&w, SLICE("count"), count);
    (void)snprintf(name, sizeof(name), "indicator--%.*s", UUID_TEXT_BYTES, indicator);
    jw_put_string(&w, SLICE("sighting_of_ref"), slice_text(name));
    if (has_observed) {
        jw_key(&w, SLICE("observed_data_refs"));
        jw_array_begin(&w);
        jw_string(&w, slice_text(observed));
        jw_array_end(&w);
    }
    jw_key(&w, SLICE("where_sighted_refs"));
    jw_array_begin(&w);
    jw_string(&w, slice_text(telling->report->identity.id));
    jw_array_end(&w);
    put_markings(&w, row->markings);
    jw_object_end(&w);
    telling->made += !held.is_held;
    telling->updated += held.is_held;
    return OK;
}

/* Up to DUE_BATCH sightings from the place on; *indicator and *window_us move behind them. */
static result batch_write(struct telling *telling, struct kv_txn *txn, struct uuid *indicator,
                          int64_t *window_us, size_t *count, struct diag *diag)
{
    *count = 0;
    while (*count < DUE_BATCH && seen_due_next(txn, indicator, window_us)) {
        struct seen_row row;

        arena_reset(&telling->arena);
        TRY(seen_read(txn, indicator, *window_us, &telling->arena, &row, diag));
        if (seen_count(&row) > 0)
            TRY(sighting_write(telling, &row, diag));
        seen_due_done(txn, indicator, *window_us);
        (*count)++;
    }
    if (telling->objects.overflowed || telling->arena.overflowed)
        return diag_fail(diag, ERR_LIMIT, "no memory for sightings");
    return txn->state;
}

static result batch_tell(struct telling *telling, struct uuid *indicator, int64_t *window_us,
                         size_t *count, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    const struct report_place *place = &telling->report->place;

    buf_reset(&telling->objects);
    TRY(report_identity_object(place, &telling->report->identity, &telling->collection,
                               &telling->objects, diag));
    size_t identity_bytes = telling->objects.len;
    kv_begin_write(telling->report->seen.kv, &txn, diag);
    store_view_begin(place->store, &telling->view, diag);
    result r = telling->view.txn.state;
    if (succeeded(r))
        r = batch_write(telling, &txn, indicator, window_us, count, diag);
    store_view_end(&telling->view);
    TRY(r);
    /* The import comes first: killed between the two, the rows are still due and say the same. */
    if (telling->objects.len > identity_bytes)
        TRY(report_import(place, &telling->collection, buf_slice(&telling->objects), diag));
    return kv_commit(&txn);
}

static result tell(struct report *report, int64_t now_us, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct telling telling = {.report = report,
                              .objects = BUF(OBJECTS_BYTES_MAX),
                              .arena = ARENA(ROW_ARENA_BYTES_MAX),
                              .now_us = now_us};
    struct uuid indicator = {0};
    int64_t window_us = SEEN_UNTIMED;
    size_t count = 0;

    TRY(json_parser_new(256, &parser, diag));
    telling.parser = parser;
    result r =
        report_collection(report->place.store, report->place.actor, &telling.collection, diag);
    do {
        if (succeeded(r))
            r = batch_tell(&telling, &indicator, &window_us, &count, diag);
    } while (succeeded(r) && count > 0);
    buf_free(&telling.objects);
    arena_free(&telling.arena);
    report->counts.made += telling.made;
    report->counts.updated += telling.updated;
    return r;
}

result report_flush(struct report *report, struct report_counts *counts, struct diag *diag)
{
    const struct world *world = store_world(report->place.store);
    int64_t now_us = world->now_us(world->context);

    TRY(seen_lock(&report->seen, diag));
    result r = cells_merge(report, now_us, diag);
    if (succeeded(r))
        r = tell(report, now_us, diag);
    seen_unlock(&report->seen);
    if (counts != NULL)
        *counts = report->counts;
    return diag_within(diag, r, "sightings");
}
