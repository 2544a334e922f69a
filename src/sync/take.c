#include "sync/take.h"

#include <stdio.h>

#include "base/encode.h"
#include "base/time.h"
#include "gate/offer.h"
#include "sync/items.h"

#include "base/banned.h"

#define TAKE_BYTES_MAX ((size_t)64 << 20)
#define RESULTS_MAX 150
#define REASON_BYTES_MAX 100
#define OBJECT_BYTES_MAX ((size_t)32 << 20)
#define OBJECT_DEPTH_MAX 256

struct taking {
    const struct sync_place *place;
    const struct sync_partner *partner;
    const struct batch *batch;
    struct store_view view;
    struct offer offer;
    struct arena arena, one; /* one: of one object */
    struct collection collection;
    struct buf list;   /* objects of one way, for one import */
    uint64_t *indexes; /* of the list's objects in the batch */
    size_t listed;
    struct sync_result *results;
    size_t result_count;
    struct taken *out;
};

static void taking_close(struct taking *t)
{
    offer_close(&t->offer);
    store_view_end(&t->view);
    arena_free(&t->arena);
    arena_free(&t->one);
    buf_free(&t->list);
}

static void refuse(struct taking *t, uint64_t index, slice id, slice why)
{
    t->out->refused++;
    (void)printable(t->out->why, sizeof(t->out->why), why);
    if (t->result_count == RESULTS_MAX)
        return;
    char *words = arena_new(&t->arena, char, REASON_BYTES_MAX + 1);
    slice kept = arena_copy(&t->arena, slice_head(id, STIX_ID_BYTES_MAX));
    if (words == NULL || kept.at == NULL)
        return;
    size_t bytes = printable(words, REASON_BYTES_MAX, why);
    t->results[t->result_count++] = (struct sync_result){
        .index = index,
        .outcome = SLICE("refused"),
        .id = kept.len > 0 ? kept : SLICE("unknown"),
        .reason = slice_of(words, bytes),
    };
}

/* ---- what may come in ---- */

/* Nothing is taken under an agreement that we do not hold in the same text. */
static const struct kept *agreement_of(const struct taking *t, const struct way *way)
{
    for (size_t i = 0; i < t->offer.agreement_count; i++) {
        const struct kept *kept = &t->offer.agreements[i];

        if (slice_eq(kept->terms.id, way->agreement) &&
            slice_eq(slice_text(kept->hash_text), way->hash))
            return kept;
    }
    return NULL;
}

static const char *way_fault(const struct taking *t, const struct way *way)
{
    const struct hop *last = &way->hops[way->hop_count - 1];
    slice own = t->place->keep.own;

    if (!slice_eq(last->from, t->partner->id) || !slice_eq(last->to, own) ||
        !slice_eq(last->agreement, way->agreement))
        return "its way does not lead from the partner to this node";
    for (size_t i = 0; i + 1 < way->hop_count; i++)
        if (slice_eq(way->hops[i].from, own) || slice_eq(way->hops[i].to, own))
            return "it was here before: its way is a loop";
    return agreement_of(t, way) == NULL ? "AGREEMENT_HASH_MISMATCH" : NULL;
}

/* What the provider could see that we cannot: where the object points to. */
static bool is_of_references(enum reason reason)
{
    return reason == REASON_REF_DROPPED || reason == REASON_REF_LIST_EMPTY ||
           reason == REASON_REF_NOT_SHAREABLE_REQUIRED || reason == REASON_OK ||
           reason == REASON_UNMARKED_DEFAULTED || reason == REASON_WAIVER_APPLIED ||
           reason == REASON_RECALL_ALWAYS || reason == REASON_GRANULAR_RELAXATION_IGNORED;
}

static bool may_come_in(const struct offered *offered, slice *why)
{
    const struct decision *decision = &offered->decision;

    *why = SLICE("");
    if (offered->verdict == VERDICT_SHARE)
        return true;
    for (size_t i = 0; i < decision->reason_count; i++) {
        if (is_of_references(decision->reasons[i]))
            continue;
        *why = reason_name(decision->reasons[i]);
        return false;
    }
    return decision->reason_count > 0;
}

static slice id_of(const struct batch_item *item, struct arena *arena)
{
    slice id = SLICE("");

    (void)value_text(value_get(value_get(item->value, SLICE("object")), SLICE("id")), arena, &id);
    return id;
}

/* Is this version in the store, in whatever collection? */
static result is_held(struct taking *t, const struct batch_item *item, slice id, bool *out,
                      struct diag *diag)
{
    struct value object = value_get(item->value, SLICE("object"));
    struct store_query query = {.ids = &id, .id_count = 1, .version_last = true};
    struct store_page page;
    struct timestamp when;
    slice version;

    if (value_text(value_get(object, SLICE("modified")), &t->one, &version) ||
        value_text(value_get(object, SLICE("created")), &t->one, &version)) {
        if (!timestamp_parse(version, &when)) {
            *out = false;
            return OK;
        }
        query.version_last = false;
        query.versions = &when;
        query.version_count = 1;
    }
    TRY(store_find(&t->view, &query, 1, SIZE_MAX, false, &t->one, &page, diag));
    *out = page.count > 0;
    return t->view.txn.state;
}

static result object_sift(struct taking *t, uint64_t index, struct diag *diag)
{
    const struct batch_item *item = &t->batch->items[index];
    const struct way *way = &t->batch->ways[item->way];
    struct offer_request request = {.agreement = way->agreement,
                                    .hop = (int64_t)way->hop_count - 1};
    const char *fault = way_fault(t, way);
    struct offered offered;
    bool held;

    arena_reset(&t->one);
    slice id = id_of(item, &t->one), why;
    if (fault != NULL) {
        refuse(t, index, id, slice_text(fault));
        return OK;
    }
    TRY(is_held(t, item, id, &held, diag));
    if (held) {
        t->out->held++;
        return OK;
    }
    TRY(offer_decide(&t->offer, item->object, &request, &offered, diag));
    if (!may_come_in(&offered, &why)) {
        refuse(t, index, id, why);
        return OK;
    }
    if (t->listed > 0)
        buf_byte(&t->list, ',');
    buf_put(&t->list, item->object);
    t->indexes[t->listed++] = index;
    return t->list.overflowed ? diag_fail(diag, ERR_LIMIT, "no memory for a batch") : OK;
}

/* ---- taking in ---- */

static void import_noted(void *context, const struct import_report *report)
{
    struct taking *t = context;
    uint64_t index = report->index < t->listed ? t->indexes[report->index] : 0;

    switch (report->outcome) {
    case IMPORT_TAKEN:
    case IMPORT_REPLACED:
    case IMPORT_OLDER:
        t->out->objects++;
        t->out->sightings += slice_starts(report->id, SLICE("sighting--"));
        return;
    case IMPORT_HELD:
        t->out->held++;
        return;
    case IMPORT_CONFLICT:
    case IMPORT_REFUSED:
        refuse(t, index, report->id, report->reason);
        return;
    }
}

/* Objects and their way are one entry: neither is ever without the other. */
static result list_import(struct taking *t, size_t way, struct diag *diag)
{
    CLEANUP(source_close) struct source *source = NULL;
    CLEANUP(buf_free) struct buf list = BUF(SYNC_BATCH_BYTES_MAX + 2), origin = BUF(16384);
    struct import_counts counts = {0};
    struct json_writer w = JSON_WRITER(&origin);

    if (t->listed == 0)
        return OK;
    buf_put(&origin, SLICE(ORIGIN_HEAD));
    way_write(&t->batch->ways[way], &w);
    buf_byte(&list, '[');
    buf_put(&list, buf_slice(&t->list));
    buf_byte(&list, ']');
    if (list.overflowed || origin.overflowed || origin.len > ORIGIN_TEXT_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "no memory for a batch");
    const struct import_options options = {
        .collection = t->collection.number,
        .mode = STIX_NORMAL,
        .object_bytes_max = OBJECT_BYTES_MAX,
        .json_depth_max = OBJECT_DEPTH_MAX,
        .origin = buf_slice(&origin),
        .actor = t->partner->id,
        .threads = 1,
        .patience_ms = STORE_WAITS,
        .report = import_noted,
        .context = t,
    };
    TRY(source_of_memory(buf_slice(&list), &source, diag));
    TRY(store_import(t->place->store, source, &options, &counts, diag));
    buf_reset(&t->list);
    t->listed = 0;
    return OK;
}

static result objects_take(struct taking *t, struct diag *diag)
{
    const struct batch *batch = t->batch;
    size_t way = SIZE_MAX;

    for (size_t i = 0; i < batch->head.count; i++) {
        if (batch->items[i].kind != SYNC_ITEM_OBJECT)
            continue;
        if (batch->items[i].way != way && way != SIZE_MAX)
            TRY(list_import(t, way, diag));
        way = batch->items[i].way;
        TRY(object_sift(t, i, diag));
    }
    return way != SIZE_MAX ? list_import(t, way, diag) : OK;
}

static result collection_of_partners(struct taking *t, struct diag *diag)
{
    for (int try = 0; try < 2; try++) {
        CLEANUP(store_view_end) struct store_view view = {0};
        struct diag why = {0};

        store_view_begin(t->place->store, &view, &why);
        if (store_collection_find(&view, SLICE(PARTNERS_ALIAS), &t->collection))
            return OK;
        store_view_end(&view);
        result r = store_collection_add(t->place->store, NULL, SLICE(PARTNERS_TITLE),
                                        SLICE(PARTNERS_ALIAS), SLICE("What partners gave"),
                                        t->partner->id, &t->collection, &why);
        if (succeeded(r))
            return OK;
        if (r.code != ERR_CONFLICT)
            return diag_fail(diag, r.code, "%s", why.text);
    }
    return diag_fail(diag, ERR_CONFLICT, "the collection of partners' objects cannot be made");
}

/* ---- what is no object ---- */

static result items_take(struct taking *t, struct diag *diag)
{
    for (size_t i = 0; i < t->batch->head.count; i++) {
        struct sync_result one;

        if (t->batch->items[i].kind == SYNC_ITEM_OBJECT)
            continue;
        arena_reset(&t->one);
        TRY(item_take(t->place, t->partner->id, &t->batch->items[i], &t->one, &one, diag));
        if (slice_eq(one.outcome, SLICE("refused")))
            refuse(t, i, one.id, one.reason);
        else if (one.outcome.len > 0 && t->result_count < RESULTS_MAX) {
            one.index = i;
            one.id = arena_copy(&t->arena, one.id);
            t->results[t->result_count++] = one;
        }
    }
    return OK;
}

/* ---- the receipt ---- */

static result received_note(struct taking *t, slice receipt, struct diag *diag)
{
    CLEANUP(buf_free) struct buf body = BUF(LEDGER_ENTRY_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&body);
    const struct batch_head *head = &t->batch->head;
    char after[SYNC_CURSOR_BYTES_MAX], next[SYNC_CURSOR_BYTES_MAX];
    slice from = sync_cursor_format(head->after, after);

    jw_object_begin(&w);
    jw_put_string(&w, SLICE("partner"), t->partner->id);
    jw_put_string(&w, SLICE("after"), from);
    jw_put_string(&w, SLICE("next"), sync_cursor_format(head->next, next));
    jw_put_u64(&w, SLICE("objects"), t->out->objects);
    jw_put_u64(&w, SLICE("sightings"), t->out->sightings);
    jw_put_u64(&w, SLICE("held"), t->out->held);
    jw_put_u64(&w, SLICE("refused"), t->out->refused);
    if (t->out->why[0] != '\0')
        jw_put_string(&w, SLICE("why"), slice_text(t->out->why));
    jw_key(&w, SLICE("receipt"));
    jw_raw(&w, receipt);
    jw_object_end(&w);
    if (body.overflowed)
        return diag_fail(diag, ERR_LIMIT, "a receipt is too long for an entry of the log");
    return sync_note_next(t->place, SYNC_RECEIVED, t->partner->id, from, buf_slice(&body), diag);
}

static result receipt_make(struct taking *t, struct buf *out, struct diag *diag)
{
    const struct world *world = t->place->keep.world;
    const struct batch_head *head = &t->batch->head;
    char now[TIMESTAMP_TEXT_BYTES_MAX];
    struct receipt receipt = {
        .from = t->place->keep.own,
        .to = t->partner->id,
        .after = head->after,
        .next = head->next,
        .root = head->root,
        .count = head->count,
        .taken = t->out->objects,
        .held = t->out->held,
        .refused = t->out->refused,
        .results = t->results,
        .result_count = t->result_count,
        .at = slice_of(now, time_format_us(world->now_us(world->context), now)),
    };

    return receipt_write(&receipt, t->place->ledger->node_key.seed, out, diag);
}

static result head_check(const struct taking *t, struct diag *diag)
{
    const struct batch_head *head = &t->batch->head;
    char text[SYNC_CURSOR_BYTES_MAX];
    struct sync_row row;

    if (!slice_eq(head->from, t->partner->id) || !slice_eq(head->to, t->place->keep.own))
        return diag_fail(diag, ERR_DENIED, "the batch is of another pair of nodes");
    slice next = SLICE("0.0"), after = sync_cursor_format(head->after, text);
    struct arena *arena = (struct arena *)(uintptr_t)&t->arena;
    struct kv_txn *txn = (struct kv_txn *)(uintptr_t)&t->view.txn;
    if (sync_row(t->place, txn, SYNC_RECEIVED, t->partner->id, arena, &row))
        next = row.next;
    return slice_eq(next, after) ? OK
                                 : diag_fail(diag, ERR_CONFLICT,
                                             "the batch goes on from %.*s, and %.*s was asked for",
                                             SLICE_ARG(after), SLICE_ARG(next));
}

static result taking_open(struct taking *t, struct diag *diag)
{
    *t->out = (struct taken){0};
    t->indexes = arena_new(&t->arena, uint64_t, t->batch->head.count + 1);
    t->results = arena_new(&t->arena, struct sync_result, RESULTS_MAX);
    if (t->indexes == NULL || t->results == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a batch");
    TRY(collection_of_partners(t, diag));
    store_view_begin(t->place->store, &t->view, diag);
    return t->view.txn.state;
}

static result again_note(const struct taking *t, struct diag *diag)
{
    CLEANUP(buf_free) struct buf body = BUF(LEDGER_ENTRY_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&body);
    char root[2 * SHA256_BYTES];

    hex_encode(slice_of(t->batch->head.root.bytes, SHA256_BYTES), root);
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("partner"), t->partner->id);
    jw_put_string(&w, SLICE("root"), slice_of(root, sizeof(root)));
    jw_put_u64(&w, SLICE("objects"), t->out->objects);
    jw_put_u64(&w, SLICE("held"), t->out->held);
    jw_put_u64(&w, SLICE("refused"), t->out->refused);
    jw_object_end(&w);
    return sync_note(t->place, SYNC_REPAIRED, buf_slice(&body), diag);
}

static struct taking taking_of(const struct sync_place *place, const struct sync_partner *partner,
                               const struct batch *batch, struct taken *out)
{
    return (struct taking){.place = place,
                           .partner = partner,
                           .batch = batch,
                           .arena = ARENA(TAKE_BYTES_MAX),
                           .one = ARENA(TAKE_BYTES_MAX),
                           .list = BUF(SYNC_BATCH_BYTES_MAX),
                           .out = out};
}

result sync_take_again(const struct sync_place *place, const struct sync_partner *partner,
                       const struct batch *batch, struct taken *out, struct diag *diag)
{
    CLEANUP(taking_close) struct taking t = taking_of(place, partner, batch, out);

    if (!slice_eq(batch->head.from, partner->id) || !slice_eq(batch->head.to, place->keep.own))
        return diag_fail(diag, ERR_DENIED, "the batch is of another pair of nodes");
    TRY(taking_open(&t, diag));
    TRY(offer_open(&place->keep, &t.view, partner->id, place->keep.own, &t.offer, diag));
    TRY(objects_take(&t, diag));
    return again_note(&t, diag);
}

result sync_take(const struct sync_place *place, const struct sync_partner *partner,
                 const struct batch *batch, struct taken *out, struct buf *receipt,
                 struct diag *diag)
{
    CLEANUP(taking_close) struct taking t = taking_of(place, partner, batch, out);

    TRY(taking_open(&t, diag));
    TRY(head_check(&t, diag));
    TRY(offer_open(&place->keep, &t.view, partner->id, place->keep.own, &t.offer, diag));
    TRY(objects_take(&t, diag));
    TRY(items_take(&t, diag));
    TRY(receipt_make(&t, receipt, diag));
    return received_note(&t, buf_slice(receipt), diag);
}
