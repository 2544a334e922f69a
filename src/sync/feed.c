#include "sync/feed.h"

#include "agreement/release.h"
#include "gate/offer.h"
#include "sync/giveback.h"
#include "sync/items.h"
#include "sync/recall.h"

#include "base/banned.h"

#define ENTRY_BYTES_MAX ((size_t)96 << 20)

struct feed {
    const struct sync_place *place;
    slice partner;
    struct store_view view;
    struct offer offer;
    struct json_parser *parser; /* of entries; owned */
    struct arena arena;         /* of one entry */
    struct batch_writer *out;   /* NULL: objects alone are walked, all of them */
    bool (*take)(void *context, slice way, slice object);
    void *context;
    struct feed_end *end;
    struct sync_cursor at;
    bool is_full;
};

static void feed_close(struct feed *feed)
{
    offer_close(&feed->offer);
    store_view_end(&feed->view);
    json_parser_free(&feed->parser);
    arena_free(&feed->arena);
}

/* ---- objects ---- */

/* The way of what leaves: as it came, and to the partner. */
static slice way_onward(struct feed *feed, const struct way *way, const struct offered *offered)
{
    CLEANUP(buf_free) struct buf text = BUF(ORIGIN_TEXT_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&text);
    size_t before = way != NULL ? way->hop_count : 0;
    const struct decision *decision = &offered->decision;
    slice obligations[OBLIGATIONS_MAX];
    struct hop hops[ORIGIN_HOPS_MAX];
    struct way onward = {.agreement = offered->agreement->terms.id,
                         .hash = slice_text(offered->agreement->hash_text),
                         .hops = hops,
                         .hop_count = before + 1,
                         .obligations = {obligations, decision->obligation_count}};

    if (before >= ORIGIN_HOPS_MAX)
        return SLICE_NONE;
    for (size_t i = 0; way != NULL && i < before; i++)
        hops[i] = way->hops[i];
    hops[before] = (struct hop){feed->place->keep.own, feed->partner, onward.agreement};
    for (size_t i = 0; i < decision->obligation_count; i++)
        obligations[i] =
            arena_printf(&feed->arena, "%.*s=%.*s", SLICE_ARG(decision->obligations[i].name),
                         SLICE_ARG(decision->obligations[i].value));
    way_write(&onward, &w);
    return text.overflowed ? SLICE_NONE : arena_copy(&feed->arena, buf_slice(&text));
}

/* One object's text to the batch, if the gate lets it. */
static result object_offer(struct feed *feed, slice text, const struct way *way,
                           const struct offer_request *request, struct diag *diag)
{
    struct offered offered;

    if (way != NULL && way_passes(way, feed->partner))
        return OK; /* it has it */
    TRY(offer_decide(&feed->offer, text, request, &offered, diag));
    if (offered.verdict != VERDICT_SHARE && offered.verdict != VERDICT_REDACT) {
        feed->end->withheld++;
        feed->end->why = reason_name(offered.decision.reasons[0]);
        return OK;
    }
    slice onward = way_onward(feed, way, &offered);
    if (onward.at == NULL)
        return OK; /* it has gone through too many hands */
    feed->is_full = feed->out != NULL ? !batch_object(feed->out, onward, offered.text)
                                      : !feed->take(feed->context, onward, offered.text);
    return OK;
}

static result version_find(struct feed *feed, slice id, slice version, struct store_item *item,
                           bool *found, struct diag *diag)
{
    struct timestamp when;
    struct store_query query = {.ids = &id, .id_count = 1};
    struct store_page page;

    if (timestamp_parse(version, &when)) {
        query.versions = &when;
        query.version_count = 1;
    } else
        query.version_last = true;
    TRY(store_find(&feed->view, &query, 1, SIZE_MAX, false, &feed->arena, &page, diag));
    *found = page.count > 0 && store_item_at(&feed->view, page.seqs[0], item) && item->text.len > 0;
    return feed->view.txn.state;
}

static result release_offer(struct feed *feed, struct value entry, struct diag *diag)
{
    slice object, version, agreement;
    struct store_item item;
    struct way way;
    bool found, is_ours;

    if (!value_is(value_get(entry, SLICE("partner")), feed->partner) ||
        !value_text(value_get(entry, SLICE("object")), &feed->arena, &object) ||
        !value_text(value_get(entry, SLICE("version")), &feed->arena, &version) ||
        !value_text(value_get(entry, SLICE("agreement")), &feed->arena, &agreement))
        return OK;
    if (recall_is_behind(feed->place, &feed->view.txn, object, feed->at.entry))
        return OK;
    TRY(version_find(feed, object, version, &item, &found, diag));
    if (!found)
        return OK;
    TRY(origin_of(&feed->view, item.seq, &feed->arena, &way, &is_ours, diag));
    struct offer_request request = {.agreement = agreement, .way = is_ours ? NULL : &way};
    return object_offer(feed, item.text, is_ours ? NULL : &way, &request, diag);
}

/* ---- give-back: sightings of what the partner gave ---- */

static result sighting_offer(struct feed *feed, const struct store_item *item, struct diag *diag)
{
    CLEANUP(buf_free) struct buf text = BUF((size_t)1 << 20);
    struct offer_request request = {.is_unasked = true};
    bool is_due;

    TRY(giveback_make(&feed->view, item, feed->place->keep.own, feed->partner, &feed->arena, &text,
                      &is_due, diag));
    if (!is_due)
        return OK;
    size_t before = feed->out != NULL ? feed->out->object_count : 0;
    TRY(object_offer(feed, buf_slice(&text), NULL, &request, diag));
    feed->end->sightings += feed->out != NULL && feed->out->object_count > before;
    return OK;
}

static result additions_offer(struct feed *feed, struct value entry, struct diag *diag)
{
    struct value first = value_get(entry, SLICE("first")), count = value_get(entry, SLICE("count"));
    int64_t from = 0, many = 0;

    if (!value_is_there(first) || !value_is_there(count) ||
        !json_i64(first.doc, first.node, &from) || !json_i64(count.doc, count.node, &many))
        return OK;
    for (; feed->at.index < (uint64_t)many && !feed->is_full; feed->at.index++) {
        struct store_item item;

        if (!store_item_at(&feed->view, (uint64_t)from + feed->at.index, &item)) {
            TRY(feed->view.txn.state);
            continue;
        }
        if (item.is_removed || item.is_superseded ||
            !slice_starts(slice_text(item.id), SLICE("sighting--")))
            continue;
        TRY(sighting_offer(feed, &item, diag));
        if (feed->is_full)
            break; /* it goes with the next batch */
    }
    return OK;
}

/* ---- the walk ---- */

static result item_offer(struct feed *feed, slice kind, struct value entry, struct diag *diag)
{
    CLEANUP(buf_free) struct buf item = BUF((size_t)1 << 20);
    bool is_due;

    TRY(item_of_entry(feed->place, &feed->view.txn, kind, entry, feed->partner, &feed->arena, &item,
                      &is_due, diag));
    if (is_due)
        feed->is_full = !batch_item(feed->out, buf_slice(&item));
    return OK;
}

static result entry_offer(struct feed *feed, slice text, struct diag *diag)
{
    struct ledger_entry entry;

    TRY(ledger_parse(feed->parser, text, &entry, diag));
    struct value root = {&entry.doc, entry.doc.nodes};
    if (slice_eq(entry.kind, SLICE(RELEASE_GO)))
        return release_offer(feed, root, diag);
    if (slice_eq(entry.kind, SLICE("objects")))
        return additions_offer(feed, root, diag);
    return feed->out != NULL ? item_offer(feed, entry.kind, root, diag) : OK;
}

static bool is_enough(const struct feed *feed)
{
    return feed->out != NULL &&
           (feed->out->object_count >= FEED_OBJECTS_MAX || batch_bytes(feed->out) >= FEED_BYTES);
}

static result walk(struct feed *feed, struct diag *diag)
{
    kv_table log = feed->place->keep.log;
    uint64_t count = ledger_count(&feed->view.txn, log), looked = 0;
    slice text;

    while (feed->at.entry < count && !is_enough(feed) &&
           (feed->out == NULL || looked++ < FEED_ENTRIES_MAX)) {
        if (!ledger_read(&feed->view.txn, log, feed->at.entry, &text))
            return diag_fail(diag, ERR_CORRUPT, "entry %llu of the log is missing",
                             (unsigned long long)feed->at.entry);
        arena_reset(&feed->arena);
        TRY(diag_within(diag, entry_offer(feed, text, diag), "log: entry %llu",
                        (unsigned long long)feed->at.entry));
        if (feed->is_full)
            break;
        feed->at = (struct sync_cursor){feed->at.entry + 1, 0};
    }
    feed->end->next = feed->at;
    return feed->view.txn.state;
}

result feed_fill(const struct sync_place *place, slice partner, struct sync_cursor after,
                 struct batch_writer *out, struct feed_end *end, struct diag *diag)
{
    CLEANUP(feed_close)
    struct feed feed = {.place = place,
                        .partner = partner,
                        .arena = ARENA(ENTRY_BYTES_MAX),
                        .out = out,
                        .end = end,
                        .at = after};

    *end = (struct feed_end){.next = after, .why = SLICE("")};
    TRY(json_parser_new(LEDGER_DEPTH_MAX, &feed.parser, diag));
    store_view_begin(place->store, &feed.view, diag);
    TRY(feed.view.txn.state);
    TRY(offer_open(&place->keep, &feed.view, place->keep.own, partner, &feed.offer, diag));
    return walk(&feed, diag);
}

result feed_walk(const struct sync_place *place, slice partner,
                 bool (*take)(void *context, slice way, slice object), void *context,
                 struct diag *diag)
{
    struct feed_end end = {.why = SLICE("")};
    CLEANUP(feed_close)
    struct feed feed = {.place = place,
                        .partner = partner,
                        .arena = ARENA(ENTRY_BYTES_MAX),
                        .take = take,
                        .context = context,
                        .end = &end};

    TRY(json_parser_new(LEDGER_DEPTH_MAX, &feed.parser, diag));
    store_view_begin(place->store, &feed.view, diag);
    TRY(feed.view.txn.state);
    TRY(offer_open(&place->keep, &feed.view, place->keep.own, partner, &feed.offer, diag));
    return walk(&feed, diag);
}
