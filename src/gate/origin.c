#include "gate/origin.h"

#include "ledger/ledger.h"

#include "base/banned.h"

#define OBLIGATIONS_TEXT_MAX 16

static bool hops_read(struct value list, struct arena *arena, struct way *out)
{
    struct hop *hops;
    size_t count = 0;

    if (!value_is_of(list, JSON_ARRAY))
        return false;
    hops = arena_new(arena, struct hop, ORIGIN_HOPS_MAX);
    for (struct json_each each = json_each(list.doc, list.node); json_next(&each);) {
        struct value one = {list.doc, each.value};

        if (hops == NULL || count == ORIGIN_HOPS_MAX ||
            !value_text(value_get(one, SLICE("from")), arena, &hops[count].from) ||
            !value_text(value_get(one, SLICE("to")), arena, &hops[count].to) ||
            !value_text(value_get(one, SLICE("agreement")), arena, &hops[count].agreement))
            return false;
        count++;
    }
    out->hops = hops;
    out->hop_count = count;
    return count > 0;
}

bool way_read(struct value value, struct arena *arena, struct way *out)
{
    *out = (struct way){0};
    if (!value_is_of(value, JSON_OBJECT) || value_repeats(value))
        return false;
    out->raw = json_raw(value.doc, value.node);
    return out->raw.len <= ORIGIN_TEXT_BYTES_MAX &&
           value_text(value_get(value, SLICE("agreement")), arena, &out->agreement) &&
           value_text(value_get(value, SLICE("hash")), arena, &out->hash) &&
           value_texts(value_get(value, SLICE("obligations")), arena, &out->obligations) &&
           out->obligations.count <= OBLIGATIONS_TEXT_MAX &&
           hops_read(value_get(value, SLICE("path")), arena, out);
}

void way_write(const struct way *way, struct json_writer *w)
{
    jw_object_begin(w);
    jw_put_string(w, SLICE("agreement"), way->agreement);
    jw_put_string(w, SLICE("hash"), way->hash);
    jw_key(w, SLICE("obligations"));
    jw_array_begin(w);
    for (size_t i = 0; i < way->obligations.count; i++)
        jw_string(w, way->obligations.at[i]);
    jw_array_end(w);
    jw_key(w, SLICE("path"));
    jw_array_begin(w);
    for (size_t i = 0; i < way->hop_count; i++) {
        jw_object_begin(w);
        jw_put_string(w, SLICE("agreement"), way->hops[i].agreement);
        jw_put_string(w, SLICE("from"), way->hops[i].from);
        jw_put_string(w, SLICE("to"), way->hops[i].to);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_object_end(w);
}

bool way_passes(const struct way *way, slice organisation)
{
    for (size_t i = 0; i < way->hop_count; i++)
        if (slice_eq(way->hops[i].from, organisation) || slice_eq(way->hops[i].to, organisation))
            return true;
    return false;
}

/* The text outlives the parser: a copy of it in the arena stands behind all slices. */
static result way_of_text(slice text, struct arena *arena, struct way *out, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    slice kept = arena_copy(arena, text);
    struct json_doc doc;

    TRY(json_parser_new(LEDGER_DEPTH_MAX, &parser, diag));
    TRY(json_parse_copy(parser, kept, &doc, diag));
    doc.text = kept;
    if (!way_read((struct value){&doc, doc.nodes}, arena, out))
        return diag_fail(diag, ERR_CORRUPT, "the way of a partner's objects cannot be read");
    return OK;
}

result origin_of(struct store_view *view, uint64_t seq, struct arena *arena, struct way *out,
                 bool *is_ours, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    kv_table log = store_log_table(view->store);
    uint64_t behind = ledger_seek(&view->txn, log, store_added_us(view, seq) + 1);
    struct ledger_entry entry;
    slice text, origin;

    *is_ours = true;
    if (behind == 0 || !ledger_read(&view->txn, log, behind - 1, &text))
        return diag_fail(diag, ERR_CORRUPT, "no entry of the log took addition %llu in",
                         (unsigned long long)seq);
    if (slice_find(text, SLICE("\"origin\":\"" ORIGIN_HEAD)) == SIZE_MAX)
        return OK;
    TRY(json_parser_new(LEDGER_DEPTH_MAX, &parser, diag));
    TRY(ledger_parse(parser, text, &entry, diag));
    origin = json_string(&entry.doc, json_get(&entry.doc, entry.doc.nodes, SLICE("origin")), arena);
    if (origin.at == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for the way of an object");
    if (!slice_starts(origin, SLICE(ORIGIN_HEAD)))
        return OK;
    *is_ours = false;
    return way_of_text(slice_from(origin, sizeof(ORIGIN_HEAD) - 1), arena, out, diag);
}

result origin_of_object(struct store_view *view, slice id, struct arena *arena, struct way *out,
                        bool *is_ours, struct diag *diag)
{
    struct store_query query = {.ids = &id, .id_count = 1, .version_last = true};
    struct store_page page;

    *is_ours = true;
    TRY(store_find(view, &query, 1, SIZE_MAX, false, arena, &page, diag));
    return page.count > 0 ? origin_of(view, page.seqs[0], arena, out, is_ours, diag) : OK;
}

static const struct terms_grant *grant_of(const struct kept *kept, const struct hop *hop)
{
    for (size_t i = 0; i < kept->terms.grant_count; i++)
        if (slice_eq(kept->terms.grants[i].provider, hop->from) &&
            texts_hold(kept->terms.grants[i].recipients, hop->to))
            return &kept->terms.grants[i];
    return NULL;
}

struct texts origin_upstream(const struct keep_place *keep, struct kv_txn *txn,
                             const struct way *way, struct arena *arena)
{
    CLEANUP(kept_free) struct kept kept = {0};
    const struct texts nobody = {0};
    struct diag diag = {0};
    bool found = false;

    if (failed(keep_read_in_force(keep, txn, way->agreement, arena, &kept, &found, &diag)) ||
        !found || !kept.terms.is_signed)
        return nobody;
    const struct terms_grant *grant = grant_of(&kept, &way->hops[way->hop_count - 1]);
    if (grant == NULL)
        return nobody;
    slice *classes = arena_new(arena, slice, grant->onward.count + 1);
    for (size_t i = 0; classes != NULL && i < grant->onward.count; i++)
        classes[i] = arena_copy(arena, grant->onward.at[i]);
    return classes != NULL ? (struct texts){classes, grant->onward.count} : nobody;
}

void origin_ask(const struct keep_place *keep, struct kv_txn *txn, const struct way *way,
                struct arena *arena, struct decide_request *request)
{
    request->hop = (int64_t)way->hop_count;
    request->has_upstream = true;
    request->upstream = origin_upstream(keep, txn, way, arena);
    request->originator = way->hops[0].from;
}
