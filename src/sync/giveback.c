#include "sync/giveback.h"

#include <stdio.h>

#include "agreement/value.h"
#include "gate/origin.h"
#include "stix/id.h"

#include "base/banned.h"

#define DEPTH_MAX 64

/* Was it given by the partner, by whatever addition? */
static result is_given(struct store_view *view, slice id, slice partner, struct arena *arena,
                       bool *out, struct diag *diag)
{
    struct store_query query = {.ids = &id, .id_count = 1, .version_all = true};
    struct store_page page;

    *out = false;
    TRY(store_find(view, &query, 100, SIZE_MAX, false, arena, &page, diag));
    for (size_t i = 0; i < page.count && !*out; i++) {
        struct way way;
        bool is_ours;

        TRY(origin_of(view, page.seqs[i], arena, &way, &is_ours, diag));
        *out = !is_ours && slice_eq(way.hops[way.hop_count - 1].from, partner);
    }
    return OK;
}

/* UUIDv5 of the sighting's own id in the name space of its UUID: one to one, and not to be guessed
 * back without knowing it. */
static bool id_of(const struct store_item *sighting, char out[STIX_ID_BYTES_MAX + 1])
{
    struct stix_id id;
    char text[UUID_TEXT_BYTES];

    if (!stix_id_parse(slice_text(sighting->id), &id))
        return false;
    struct uuid made = uuid_v5(&id.uuid, SLICE("entente-give-back/1"));
    uuid_format(&made, text);
    (void)snprintf(out, STIX_ID_BYTES_MAX + 1, "sighting--%.*s", UUID_TEXT_BYTES, text);
    return true;
}

static void members_copy(struct value object, struct json_writer *w)
{
    static const slice kept[] = {S("created"),    S("modified"),        S("revoked"),
                                 S("first_seen"), S("last_seen"),       S("count"),
                                 S("confidence"), S("sighting_of_ref"), S("object_marking_refs")};

    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        struct value value = value_get(object, kept[i]);

        if (!value_is_there(value))
            continue;
        jw_key(w, kept[i]);
        jw_raw(w, json_raw(value.doc, value.node));
    }
}

result giveback_make(struct store_view *view, const struct store_item *sighting, slice own,
                     slice partner, struct arena *arena, struct buf *out, bool *is_due,
                     struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct json_writer w = JSON_WRITER(out);
    char id[STIX_ID_BYTES_MAX + 1];
    struct json_doc doc;
    struct way way;
    bool is_ours;
    slice of;

    *is_due = false;
    TRY(json_parser_new(DEPTH_MAX, &parser, diag));
    if (failed(json_parse_copy(parser, sighting->text, &doc, NULL)))
        return OK;
    struct value object = {&doc, doc.nodes};
    if (!value_text(value_get(object, SLICE("sighting_of_ref")), arena, &of) ||
        !id_of(sighting, id))
        return OK;
    TRY(origin_of(view, sighting->seq, arena, &way, &is_ours, diag));
    if (!is_ours)
        return OK;
    TRY(is_given(view, of, partner, arena, is_due, diag));
    if (!*is_due)
        return OK;
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("type"), SLICE("sighting"));
    jw_put_string(&w, SLICE("spec_version"), SLICE("2.1"));
    jw_put_string(&w, SLICE("id"), slice_text(id));
    jw_put_string(&w, SLICE("created_by_ref"), own);
    members_copy(object, &w);
    jw_object_end(&w);
    return out->overflowed ? diag_fail(diag, ERR_LIMIT, "no memory for a sighting") : OK;
}
