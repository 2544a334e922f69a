/* Indicators of the store, page by page, into a set. */
#include "export/export.h"

#include <stdlib.h>

#include "export/along.h"
#include "export/permit.h"
#include "export/values.h"
#include "gate/origin.h"
#include "ledger/tree.h"
#include "store/merkle.h"

#include "base/banned.h"

#define PAGE_OBJECTS 2000
#define PAGE_ARENA_BYTES_MAX ((size_t)256 << 20)
#define LENT_BYTES_MAX ((size_t)1 << 30)
#define ID_PREFIX "indicator--"

struct gathering {
    struct export *export;
    const struct export_choice *choice;
    struct out_format wanted; /* the format, or all of a folder together */
    enum out_use use;
    struct store_view *view;
    uint32_t partners;          /* the collection of what partners gave; 0: none */
    struct permit permit;       /* owned */
    struct json_parser *parser; /* owned */
    struct arena arena;         /* of one indicator */
    struct along along;         /* owned; of whole objects */
    struct merkle merkle;
    int64_t passed_us; /* the last date at which an indicator began or ceased to hold */
    int64_t until_us;
};

/* What of an indicator is asked. */
struct facts {
    slice name, creator, pattern, pattern_type;
    const struct json_node *markings, *granular;
    int64_t valid_from_us, valid_until_us, modified_us;
    int confidence; /* -1: none */
    bool is_revoked;
};

/* ---- reading ---- */

static int64_t time_of(slice text, int64_t otherwise)
{
    struct timestamp time;

    return timestamp_parse(text, &time) ? time.us : otherwise;
}

/* What a key's value is for; by its length first, since most keys are none of these. */
static void fact_read(const struct json_doc *doc, const struct json_node *node, slice key,
                      struct arena *arena, struct facts *out)
{
    int64_t number;

    switch (key.len) {
    case sizeof("name") - 1:
        if (slice_eq(key, SLICE("name")))
            out->name = json_string(doc, node, arena);
        break;
    case sizeof("pattern") - 1:
        if (slice_eq(key, SLICE("pattern")))
            out->pattern = json_string(doc, node, arena);
        else if (slice_eq(key, SLICE("revoked")))
            out->is_revoked = node->kind == JSON_TRUE;
        break;
    case sizeof("modified") - 1:
        if (slice_eq(key, SLICE("modified")))
            out->modified_us = time_of(json_string(doc, node, arena), INT64_MIN);
        break;
    case sizeof("valid_from") - 1:
        if (slice_eq(key, SLICE("valid_from")))
            out->valid_from_us = time_of(json_string(doc, node, arena), INT64_MIN);
        else if (slice_eq(key, SLICE("confidence")) && json_i64(doc, node, &number) &&
                 number >= 0 && number <= 100)
            out->confidence = (int)number;
        break;
    case sizeof("valid_until") - 1:
        if (slice_eq(key, SLICE("valid_until")))
            out->valid_until_us = time_of(json_string(doc, node, arena), INT64_MAX);
        break;
    case sizeof("pattern_type") - 1:
        if (slice_eq(key, SLICE("pattern_type")))
            out->pattern_type = json_string(doc, node, arena);
        break;
    case sizeof("created_by_ref") - 1:
        if (slice_eq(key, SLICE("created_by_ref")))
            out->creator = json_string(doc, node, arena);
        break;
    case sizeof("granular_markings") - 1:
        if (slice_eq(key, SLICE("granular_markings")))
            out->granular = node;
        break;
    case sizeof("object_marking_refs") - 1:
        if (slice_eq(key, SLICE("object_marking_refs")))
            out->markings = node;
        break;
    default:
        break;
    }
}

static void facts_read(const struct json_doc *doc, struct arena *arena, struct facts *out)
{
    *out = (struct facts){.valid_from_us = INT64_MIN,
                          .valid_until_us = INT64_MAX,
                          .modified_us = INT64_MIN,
                          .confidence = -1};
    for (struct json_each each = json_each(doc, doc->nodes); json_next(&each);)
        fact_read(doc, each.value, json_inner(doc, each.key), arena, out);
}

static enum out_tlp tlp_of(const struct json_doc *doc, const struct json_node *refs,
                           struct arena *arena)
{
    static const enum out_tlp of[] = {
        [TLP_CLEAR] = OUT_CLEAR, [TLP_GREEN] = OUT_GREEN,
        [TLP_AMBER] = OUT_AMBER, [TLP_AMBER_STRICT] = OUT_AMBER_STRICT,
        [TLP_RED] = OUT_RED,     [TLP_NONE] = OUT_TLP_NONE};
    enum out_tlp most = OUT_TLP_NONE;
    enum tlp tlp;

    for (struct json_each each = json_each(doc, refs); json_next(&each);) {
        slice id = json_string(doc, each.value, arena);

        if (id.at != NULL && tlp_of_id(id, &tlp) && of[tlp] > most)
            most = of[tlp];
    }
    return most;
}

/* ---- one indicator ---- */

static void date_passes(struct gathering *g, int64_t us)
{
    if (us <= g->choice->now_us && us > g->passed_us)
        g->passed_us = us;
    if (us > g->choice->now_us && us < g->export->next_us)
        g->export->next_us = us;
}

/* What can be told without its pattern.  OUT_REASON_COUNT: nothing is against it. */
static enum out_reason facts_judge(struct gathering *g, const struct facts *facts, enum out_tlp tlp,
                                   enum out_use permitted)
{
    const struct export_choice *choice = g->choice;

    date_passes(g, facts->valid_from_us);
    date_passes(g, facts->valid_until_us);
    if (facts->is_revoked)
        return OUT_WHY_REVOKED;
    if (facts->valid_until_us <= choice->now_us)
        return OUT_WHY_EXPIRED;
    if (facts->valid_from_us > choice->now_us)
        return OUT_WHY_EARLY;
    if (facts->confidence >= 0 && facts->confidence < choice->confidence_least)
        return OUT_WHY_CONFIDENCE;
    if (choice->tlp_most != OUT_TLP_NONE && tlp > choice->tlp_most)
        return OUT_WHY_TLP;
    if (permitted < g->use)
        return OUT_WHY_FORBIDDEN;
    if (facts->pattern_type.len > 0 && !slice_eq_nocase(facts->pattern_type, SLICE("stix")) &&
        !g->wanted.has_objects)
        return OUT_WHY_LANGUAGE;
    return OUT_REASON_COUNT;
}

static enum out_reason value_take(struct gathering *g, const struct export_value *value)
{
    const struct export_choice *choice = g->choice;
    enum out_kind kind = value->kind;

    if (!value->is_known || (OUT_KIND(kind) & g->wanted.kinds & choice->kinds) == 0)
        return OUT_WHY_KIND;
    if (!g->wanted.has_networks && slice_find_byte(value->text, '/') != SIZE_MAX &&
        (OUT_KIND(kind) & OUT_ADDRESSES) != 0)
        return OUT_WHY_KIND;
    if (choice->is_allowed != NULL &&
        choice->is_allowed(choice->context, out_kind_path(kind), value->text))
        return OUT_WHY_ALLOWED;
    switch (out_set_add(&g->export->set, kind, value->text)) {
    case OUT_TAKEN:
        return OUT_REASON_COUNT;
    case OUT_BROAD:
        return OUT_WHY_BROAD;
    case OUT_MALFORMED:
    case OUT_FULL:
        break;
    }
    return OUT_WHY_MALFORMED;
}

/* Whole objects are taken with any pattern, but for those all of whose values are noise. */
static enum out_reason object_take(struct gathering *g, const struct export_values *values)
{
    const struct export_choice *choice = g->choice;

    if (choice->is_allowed == NULL || values->count == 0 || !values->is_simple)
        return OUT_REASON_COUNT;
    for (size_t i = 0; i < values->count; i++) {
        const struct export_value *value = &values->items[i];

        if (!value->is_known ||
            !choice->is_allowed(choice->context, out_kind_path(value->kind), value->text))
            return OUT_REASON_COUNT;
    }
    return OUT_WHY_ALLOWED;
}

static enum out_reason values_take(struct gathering *g, const struct export_values *values)
{
    enum out_reason why = OUT_REASON_COUNT;
    bool is_taken = false;

    if (g->wanted.has_objects)
        return object_take(g, values);
    if (!values->is_simple)
        return values->is_wrong ? OUT_WHY_WRONG : OUT_WHY_COMPOUND;
    for (size_t i = 0; i < values->count; i++) {
        enum out_reason one = value_take(g, &values->items[i]);

        is_taken |= one == OUT_REASON_COUNT;
        if (one < why)
            why = one;
    }
    return is_taken ? OUT_REASON_COUNT : why == OUT_REASON_COUNT ? OUT_WHY_COMPOUND : why;
}

static result copy_keep(struct gathering *g, slice text, uint32_t *number, struct diag *diag)
{
    struct export *export = g->export;
    slice kept = arena_copy(&export->arena, text);

    if (export->copy_count == export->copy_capacity) {
        slice *moved = table_grow(export->copies, &export->copy_capacity, export->copy_count + 1,
                                  OUT_VALUES_MAX, sizeof(slice));

        if (moved == NULL)
            return diag_fail(diag, ERR_LIMIT, "no memory for an export");
        export->copies = moved;
    }
    if (kept.at == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for an export");
    export->copies[export->copy_count++] = kept;
    *number = (uint32_t) export->copy_count;
    return OK;
}

static result along_take(struct gathering *g, const struct json_doc *doc, const struct facts *facts,
                         struct diag *diag)
{
    TRY(along_meet(&g->along, facts->creator, diag));
    for (struct json_each each = json_each(doc, facts->markings); json_next(&each);)
        TRY(along_meet(&g->along, json_string(doc, each.value, &g->arena), diag));
    for (struct json_each each = json_each(doc, facts->granular); json_next(&each);)
        TRY(along_meet(&g->along,
                       json_string(doc, json_get(doc, each.value, SLICE("marking_ref")), &g->arena),
                       diag));
    return OK;
}

static bool uuid_of(slice id, struct uuid *out)
{
    return slice_starts(id, SLICE(ID_PREFIX)) &&
           uuid_parse(slice_from(id, sizeof(ID_PREFIX) - 1), out);
}

static result indicator_take(struct gathering *g, const struct store_item *item, slice id,
                             slice text, enum action allowed, struct diag *diag)
{
    struct export *export = g->export;
    struct export_values values = {.is_simple = true};
    enum action permitted = ACTION_NONE;
    struct out_origin origin = {.seq = item->seq};
    struct facts facts;
    struct json_doc doc;

    arena_reset(&g->arena);
    export->looked_at++;
    TRY(diag_within(diag, json_parse_copy(g->parser, text, &doc, diag), "%s", item->id));
    facts_read(&doc, &g->arena, &facts);
    TRY(permit_of(&g->permit, &doc, facts.markings, facts.granular, facts.creator, &permitted,
                  diag));
    if (allowed < permitted)
        permitted = allowed;
    enum out_tlp tlp = tlp_of(&doc, facts.markings, &g->arena);
    enum out_reason why = facts_judge(g, &facts, tlp, permit_use(permitted));
    if (why == OUT_REASON_COUNT)
        export_values_read(facts.pattern, facts.pattern_type, &g->arena, &values);
    if (g->arena.overflowed)
        return diag_fail(diag, ERR_LIMIT, "%s: takes more memory than there is", item->id);
    if (why == OUT_REASON_COUNT && !uuid_of(id, &origin.uuid))
        why = OUT_WHY_MALFORMED;
    if (why == OUT_REASON_COUNT) {
        origin.valid_from_us = facts.valid_from_us;
        origin.valid_until_us = facts.valid_until_us;
        origin.modified_us = facts.modified_us;
        origin.confidence = (int8_t)facts.confidence;
        origin.tlp = (uint8_t)tlp;
        origin.permitted = (uint8_t)permit_use(permitted);
        if (g->wanted.has_objects && text.at != item->text.at)
            TRY(copy_keep(g, text, &origin.copy, diag));
        if (!out_set_origin(&export->set, origin, facts.name, facts.creator))
            return diag_fail(diag, ERR_LIMIT, "no memory for an export");
        why = values_take(g, &values);
        if (why != OUT_REASON_COUNT)
            export->set.origin_count--;
    }
    if (export->set.is_full)
        return diag_fail(diag, ERR_LIMIT, "no memory for an export");
    if (why != OUT_REASON_COUNT) {
        export->head.left_out[why]++;
        return OK;
    }
    export->head.indicators++;
    if (g->wanted.has_objects)
        TRY(along_take(g, &doc, &facts, diag));
    if (facts.valid_until_us < g->until_us)
        g->until_us = facts.valid_until_us;
    struct hash256 leaf = tree_leaf(slice_of(item->hash.bytes, SHA256_BYTES));
    merkle_add(&g->merkle, &leaf);
    return OK;
}

/* ---- pages ---- */

static bool has_right(const struct gathering *g, uint32_t collection)
{
    return g->choice->may_read == NULL ||
           g->choice->may_read(g->choice->context, g->view, collection);
}

static result answer_take(struct gathering *g, const struct store_item *item,
                          const struct gate_answer *answer, struct diag *diag)
{
    if (answer->verdict == VERDICT_SHARE)
        return indicator_take(g, item, slice_text(item->id), item->text, answer->permitted, diag);
    if (answer->verdict == VERDICT_REDACT)
        return indicator_take(g, item, answer->new_id, answer->text, answer->permitted, diag);
    g->export->head.left_out[OUT_WHY_WITHHELD]++;
    return OK;
}

/* Inside the own organisation nearly all goes as it is, and a page at a time is asked; of what a
 * partner gave the gate says what its giver permits. */
static result page_inside(struct gathering *g, struct store_page *page, struct arena *arena,
                          struct diag *diag)
{
    size_t before = page->count;
    const slice *ids = NULL;
    struct store_item item;

    TRY(gate_page(g->choice->gate, g->view, g->choice->reader, false, arena, page, &ids, diag));
    g->export->head.left_out[OUT_WHY_WITHHELD] += before - page->count;
    for (size_t i = 0; i < page->count; i++) {
        struct gate_answer answer = {.verdict = VERDICT_SHARE, .permitted = ACTION_DIRECT};

        if (!store_item_at(g->view, page->seqs[i], &item))
            continue;
        bool is_given = g->partners != 0 && item.collection == g->partners;
        if (is_given || (ids != NULL && ids[i].at != NULL))
            TRY(gate_decide(g->choice->gate, g->view, g->choice->reader, &item, arena, &answer,
                            diag));
        TRY(answer_take(g, &item, &answer, diag));
    }
    return g->view->txn.state;
}

static result page_outside(struct gathering *g, struct store_page *page, struct arena *arena,
                           struct diag *diag)
{
    struct store_item item;

    for (size_t i = 0; i < page->count; i++) {
        struct gate_answer answer = {.verdict = VERDICT_REFUSE};

        if (!store_item_at(g->view, page->seqs[i], &item))
            continue;
        if (has_right(g, item.collection))
            TRY(gate_decide(g->choice->gate, g->view, g->choice->reader, &item, arena, &answer,
                            diag));
        TRY(answer_take(g, &item, &answer, diag));
    }
    return g->view->txn.state;
}

/* A node with one collection that holds anything: there "the last version" needs no look at others.
 */
static uint32_t only_collection(struct store_view *view)
{
    struct collection collection;
    uint32_t found = 0;

    for (uint32_t after = 0; store_collection_next(view, after, &collection);
         after = collection.number) {
        if (store_collection_count(view, collection.number) == 0)
            continue;
        if (found != 0)
            return 0;
        found = collection.number;
    }
    return found;
}

static result pages_take(struct gathering *g, struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA(PAGE_ARENA_BYTES_MAX);
    static const slice types[] = {S("indicator")};
    struct store_query query = {
        .types = types, .type_count = 1, .collection = g->choice->collection};
    struct store_page page = {.more = true};
    bool is_inside = gate_is_inside(g->choice->reader) && g->choice->may_read == NULL;
    uint64_t passed = 0;

    if (query.collection == 0)
        query.collection = only_collection(g->view);
    while (page.more) {
        arena_reset(&arena);
        TRY(store_find(g->view, &query, PAGE_OBJECTS, SIZE_MAX, false, &arena, &page, diag));
        query.seq_from = page.next_seq;
        if (page.count == 0)
            continue;
        uint64_t last = page.seqs[page.count - 1];
        TRY(is_inside ? page_inside(g, &page, &arena, diag) : page_outside(g, &page, &arena, diag));
        store_pass(g->view, passed, last);
        passed = last;
    }
    return OK;
}

/* ---- the whole ---- */

/* A folder's formats are gathered for together. */
static struct out_format wanted_of(const struct export_choice *choice)
{
    struct out_format all = {0};

    if (choice->folder == NULL)
        return *choice->format;
    for (size_t i = 0; choice->folder->formats[i] != NULL; i++) {
        const struct out_format *one = out_format_find(slice_text(choice->folder->formats[i]));

        all.kinds |= one->kinds;
        all.use = one->use > all.use ? one->use : all.use;
        all.is_joined |= one->is_joined;
        all.has_below |= one->has_below;
        all.has_origins |= one->has_origins;
        all.has_networks |= one->has_networks;
        all.has_objects |= one->has_objects;
    }
    return all;
}

static void head_fill(struct gathering *g)
{
    struct out_head *head = &g->export->head;

    head->title = g->choice->title;
    head->identity = g->choice->identity;
    head->until_us = g->until_us;
    head->as_of_us = g->passed_us;
    if (g->view->seq_end > 0) {
        int64_t added_us = store_added_us(g->view, g->view->seq_end - 1);

        if (added_us > head->as_of_us)
            head->as_of_us = added_us;
    }
    g->export->root = merkle_root(&g->merkle);
}

static int by_uuid(const void *a, const void *b)
{
    const struct out_origin *left = a, *right = b;

    return memcmp(left->uuid.bytes, right->uuid.bytes, sizeof(left->uuid.bytes));
}

/* Whole objects are in the order of their ids; no value points to them. */
static result objects_close(struct gathering *g, struct diag *diag)
{
    struct out_set *set = &g->export->set;

    if (!g->wanted.has_objects)
        return OK;
    if (set->origin_count > 1)
        qsort(set->origins, set->origin_count, sizeof(struct out_origin), by_uuid);
    return along_gather(&g->along, g->export, diag);
}

static void gathering_free(struct gathering *g)
{
    permit_free(&g->permit);
    along_free(&g->along);
    json_parser_free(&g->parser);
    arena_free(&g->arena);
}

result export_gather(struct store_view *view, const struct export_choice *choice,
                     struct export *out, struct diag *diag)
{
    CLEANUP(gathering_free)
    struct gathering g = {.export = out,
                          .choice = choice,
                          .wanted = wanted_of(choice),
                          .view = view,
                          .arena = ARENA((size_t)64 << 20),
                          .along = {.arena = ARENA((size_t)16 << 20)},
                          .passed_us = INT64_MIN,
                          .until_us = INT64_MAX};
    struct collection partners;
    struct out_exact exact = {choice->is_suffix, choice->context, choice->exact_domains};

    *out = (struct export){
        .choice = *choice, .view = view, .arena = ARENA(LENT_BYTES_MAX), .next_us = INT64_MAX};
    g.use = choice->has_use && g.wanted.has_choice ? choice->use : g.wanted.use;
    out->set.has_names = g.wanted.has_origins;
    out->set.is_block = g.use != OUT_READ; /* what hits everything is no alarm either */
    if (store_collection_find(view, SLICE(PARTNERS_ALIAS), &partners))
        g.partners = partners.number;
    TRY(json_parser_new(JSON_DEPTH_MAX, &g.parser, diag));
    TRY(permit_init(&g.permit, view, choice->keep, choice->now_us, diag));
    TRY(pages_take(&g, diag));
    out_set_close(&out->set, g.wanted.is_joined, g.wanted.has_below, &exact);
    head_fill(&g);
    TRY(objects_close(&g, diag));
    return view->txn.state;
}

void export_free(struct export *export)
{
    out_set_free(&export->set);
    table_free(export->copies);
    table_free(export->along);
    arena_free(&export->arena);
}
