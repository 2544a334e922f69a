#include "scan/report.h"

#include <stdio.h>

#include "json/json.h"
#include "json/write.h"

#include "base/banned.h"

#define OBJECT_BYTES_MAX ((size_t)1 << 20)

result report_collection(struct store *store, slice actor, struct collection *out,
                         struct diag *diag)
{
    for (int try = 0; try < 2; try++) {
        CLEANUP(store_view_end) struct store_view view = {0};
        struct diag why = {0};

        store_view_begin(store, &view, &why);
        if (store_collection_find(&view, SLICE(REPORT_ALIAS), out))
            return OK;
        if (why.code != ERR_NONE)
            return diag_fail(diag, why.code, "%s", why.text);
        store_view_end(&view);
        result r = store_collection_add(
            store, NULL, SLICE(REPORT_TITLE), SLICE(REPORT_ALIAS),
            SLICE("What this node has seen of indicators, and what it thinks of them"), actor, out,
            &why);
        /* Another process may have made it just now. */
        if (r.code != ERR_CONFLICT)
            return failed(r) ? diag_fail(diag, r.code, "%s", why.text) : OK;
    }
    return diag_fail(diag, ERR_CONFLICT,
                     "a collection \"" REPORT_TITLE "\" can be neither found "
                     "nor made");
}

result report_held(struct store_view *view, const struct collection *collection, slice id,
                   struct arena *arena, slice *text, struct diag *diag)
{
    struct store_query query = {
        .collection = collection->number, .ids = &id, .id_count = 1, .version_last = true};
    struct store_page page;
    struct store_item item;

    *text = SLICE_NONE;
    TRY(store_find(view, &query, 1, SIZE_MAX, false, arena, &page, diag));
    if (page.count > 0 && store_item_at(view, page.seqs[0], &item))
        *text = item.text;
    return view->txn.state;
}

static void refusal_note(void *context, const struct import_report *report)
{
    struct diag *why = context;

    if ((report->outcome == IMPORT_REFUSED || report->outcome == IMPORT_CONFLICT) &&
        why->code == ERR_NONE && report->id.len > 0 && !slice_starts(report->id, SLICE("ipv")))
        (void)diag_fail(why, ERR_INVALID, "%.*s: %.*s", SLICE_ARG(report->id),
                        SLICE_ARG(report->reason))
            .code;
}

result report_import(const struct report_place *place, const struct collection *collection,
                     slice objects, struct diag *diag)
{
    CLEANUP(source_close) struct source *source = NULL;
    CLEANUP(buf_free) struct buf list = BUF((size_t)1 << 30);
    struct import_counts counts = {0};
    struct diag why = {0};
    struct import_options options = {
        .collection = collection->number,
        .mode = STIX_NORMAL,
        .object_bytes_max = OBJECT_BYTES_MAX,
        .json_depth_max = 16,
        .origin = SLICE("scan"),
        .actor = place->actor,
        .threads = 1,
        .patience_ms = STORE_WAITS,
        .report = refusal_note,
        .context = &why,
    };

    buf_byte(&list, '[');
    buf_put(&list, objects);
    buf_byte(&list, ']');
    if (list.overflowed)
        return diag_fail(diag, ERR_LIMIT, "no memory for sightings");
    TRY(source_of_memory(buf_slice(&list), &source, diag));
    TRY(store_import(place->store, source, &options, &counts, diag));
    return why.code != ERR_NONE ? diag_fail(diag, why.code, "sighting not kept: %s", why.text) : OK;
}

/* Has the identity this name?  And when its last version is from. */
static result identity_read(slice text, slice title, bool *is_current, struct timestamp *modified,
                            struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 20);
    struct json_doc doc;

    TRY(json_parser_new(16, &parser, diag));
    TRY(json_parse_copy(parser, text, &doc, diag));
    slice when = json_string(&doc, json_get(&doc, doc.nodes, SLICE("modified")), &arena);
    (void)timestamp_parse(when, modified);
    *is_current = json_is(&doc, json_get(&doc, doc.nodes, SLICE("name")), title);
    return arena.overflowed ? diag_fail(diag, ERR_LIMIT, "no memory for the node's identity") : OK;
}

result report_identity_object(const struct report_place *place,
                              const struct report_identity *identity,
                              const struct collection *collection, struct buf *out,
                              struct diag *diag)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 20);
    struct json_writer w = JSON_WRITER(out);
    const struct world *world = store_world(place->store);
    slice created = slice_of(identity->created, identity->created_bytes), modified = created, text;
    char when[TIMESTAMP_TEXT_BYTES_MAX];
    struct timestamp before = {0};

    store_view_begin(place->store, &view, diag);
    TRY(report_held(&view, collection, slice_text(identity->id), &arena, &text, diag));
    if (text.len > 0) {
        int64_t now_us = world->now_us(world->context);
        bool is_current;

        TRY(identity_read(text, place->title, &is_current, &before, diag));
        if (is_current)
            return OK;
        modified =
            slice_of(when, time_format_us(now_us > before.us ? now_us : before.us + 1000, when));
    }
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("type"), SLICE("identity"));
    jw_put_string(&w, SLICE("spec_version"), SLICE("2.1"));
    jw_put_string(&w, SLICE("id"), slice_text(identity->id));
    jw_put_string(&w, SLICE("created"), created);
    jw_put_string(&w, SLICE("modified"), modified);
    jw_put_string(&w, SLICE("name"), place->title);
    jw_put_string(&w, SLICE("identity_class"), SLICE("organization"));
    jw_object_end(&w);
    return view.txn.state;
}
