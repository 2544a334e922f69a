#include "scan/report.h"

#include <stdio.h>

#include "json/json.h"
#include "json/write.h"

#include "base/banned.h"

struct version {
    char created[TIMESTAMP_TEXT_BYTES_MAX], modified[TIMESTAMP_TEXT_BYTES_MAX];
};

/* A new object is made now; of one that is held `created` stays, and `modified` grows. */
static result version_next(struct store_view *view, const struct collection *collection, slice id,
                           int64_t now_us, struct version *out, struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 20);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct timestamp created, modified;
    struct json_doc doc;
    slice text;

    out->created[time_format_us(now_us, out->created)] = '\0';
    out->modified[time_format_us(now_us, out->modified)] = '\0';
    TRY(report_held(view, collection, id, &arena, &text, diag));
    if (text.len == 0)
        return OK;
    TRY(json_parser_new(16, &parser, diag));
    TRY(json_parse_copy(parser, text, &doc, diag));
    if (!timestamp_parse(json_string(&doc, json_get(&doc, doc.nodes, SLICE("created")), &arena),
                         &created) ||
        !timestamp_parse(json_string(&doc, json_get(&doc, doc.nodes, SLICE("modified")), &arena),
                         &modified))
        return arena.overflowed
                   ? diag_fail(diag, ERR_LIMIT, "no memory to read \"%.*s\"", SLICE_ARG(id))
                   : OK;
    if (now_us <= modified.us)
        now_us = modified.us + 1000;
    out->created[timestamp_format(&created, out->created)] = '\0';
    out->modified[time_format_us(now_us, out->modified)] = '\0';
    return OK;
}

static void head_write(struct json_writer *w, const char *type, const char *id,
                       const struct version *version, const struct report_identity *identity)
{
    jw_object_begin(w);
    jw_put_string(w, SLICE("type"), slice_text(type));
    jw_put_string(w, SLICE("spec_version"), SLICE("2.1"));
    jw_put_string(w, SLICE("id"), slice_text(id));
    jw_put_string(w, SLICE("created_by_ref"), slice_text(identity->id));
    jw_put_string(w, SLICE("created"), slice_text(version->created));
    jw_put_string(w, SLICE("modified"), slice_text(version->modified));
}

static void markings_write(struct json_writer *w, const struct json_doc *doc)
{
    const struct json_node *refs = json_get(doc, doc->nodes, SLICE("object_marking_refs"));

    if (refs == NULL || refs->kind != JSON_ARRAY)
        return;
    jw_key(w, SLICE("object_marking_refs"));
    jw_raw(w, json_raw(doc, refs));
}

struct answer {
    const struct report_place *place;
    struct report_identity identity;
    struct collection collection;
    struct json_doc indicator;
};

static result opinion_write(struct answer *answer, struct store_view *view,
                            const struct report_opinion *opinion, struct buf *out,
                            struct diag *diag)
{
    struct json_writer w = JSON_WRITER(out);
    const struct world *world = store_world(answer->place->store);
    char id[STIX_ID_BYTES_MAX + 1], name[STIX_ID_BYTES_MAX + 16];
    struct version version;

    (void)snprintf(name, sizeof(name), "opinion|%.*s", SLICE_ARG(opinion->indicator));
    report_id(&answer->identity, "opinion", slice_text(name), id);
    TRY(version_next(view, &answer->collection, slice_text(id), world->now_us(world->context),
                     &version, diag));
    head_write(&w, "opinion", id, &version, &answer->identity);
    if (opinion->comment.len > 0)
        jw_put_string(&w, SLICE("explanation"), opinion->comment);
    jw_put_string(&w, SLICE("opinion"), SLICE("strongly-disagree"));
    jw_key(&w, SLICE("object_refs"));
    jw_array_begin(&w);
    jw_string(&w, opinion->indicator);
    jw_array_end(&w);
    markings_write(&w, &answer->indicator);
    jw_object_end(&w);
    return OK;
}

static result none_write(struct answer *answer, struct store_view *view,
                         const struct report_opinion *opinion, struct buf *out, struct diag *diag)
{
    struct json_writer w = JSON_WRITER(out);
    const struct world *world = store_world(answer->place->store);
    char id[STIX_ID_BYTES_MAX + 1], name[STIX_ID_BYTES_MAX + 16];
    struct version version;

    (void)snprintf(name, sizeof(name), "false|%.*s", SLICE_ARG(opinion->indicator));
    report_id(&answer->identity, "sighting", slice_text(name), id);
    TRY(version_next(view, &answer->collection, slice_text(id), world->now_us(world->context),
                     &version, diag));
    head_write(&w, "sighting", id, &version, &answer->identity);
    if (opinion->comment.len > 0)
        jw_put_string(&w, SLICE("description"), opinion->comment);
    jw_put_u64(&w, SLICE("count"), 0);
    jw_put_string(&w, SLICE("sighting_of_ref"), opinion->indicator);
    jw_key(&w, SLICE("where_sighted_refs"));
    jw_array_begin(&w);
    jw_string(&w, slice_text(answer->identity.id));
    jw_array_end(&w);
    markings_write(&w, &answer->indicator);
    jw_object_end(&w);
    return OK;
}

/* The indicator, from whatever collection: its markings go on to what is said of it. */
static result indicator_read(struct store_view *view, slice id, struct json_parser *parser,
                             struct answer *answer, struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 20);
    const struct collection any = {0};
    struct stix_id parsed;
    slice text;

    if (!stix_id_parse(id, &parsed) || !slice_eq(parsed.type, SLICE("indicator")))
        return diag_fail(diag, ERR_INVALID, "\"%.*s\" is no indicator's id", SLICE_ARG(id));
    TRY(report_held(view, &any, id, &arena, &text, diag));
    if (text.len == 0)
        return diag_fail(diag, ERR_MISSING, "%.*s: the node holds no such indicator",
                         SLICE_ARG(id));
    return json_parse_copy(parser, text, &answer->indicator, diag);
}

result report_false(const struct report_place *place, const struct report_opinion *opinion,
                    struct diag *diag)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(buf_free) struct buf objects = BUF((size_t)1 << 20);
    struct answer answer = {.place = place};

    TRY(json_parser_new(256, &parser, diag));
    store_view_begin(place->store, &view, diag);
    TRY(indicator_read(&view, opinion->indicator, parser, &answer, diag));
    store_view_end(&view);
    TRY(report_identity(place, &answer.identity, diag));
    TRY(report_collection(place->store, place->actor, &answer.collection, diag));
    TRY(report_identity_object(place, &answer.identity, &answer.collection, &objects, diag));
    store_view_begin(place->store, &view, diag);
    if (objects.len > 0)
        buf_byte(&objects, ',');
    TRY(opinion_write(&answer, &view, opinion, &objects, diag));
    buf_byte(&objects, ',');
    TRY(none_write(&answer, &view, opinion, &objects, diag));
    store_view_end(&view);
    if (objects.overflowed)
        return diag_fail(diag, ERR_LIMIT, "the comment or the indicator's markings are too long");
    return report_import(place, &answer.collection, buf_slice(&objects), diag);
}
