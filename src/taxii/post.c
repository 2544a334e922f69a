/* Objects come in and go: POST (TAXII 2.1, 5.5) and DELETE (5.7). */
#include "taxii/server.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "json/stream.h"

#include "base/banned.h"

#define LOOK_UP_BYTES_MAX ((size_t)1 << 20) /* of one object's query */
#define WINDOW_BYTES ((size_t)1 << 20)
#define UNVERSIONED_BYTES_MAX ((size_t)64 << 20)

/* An import by another process may take minutes, and a thread that waits for it answers nobody: a
 * POST is done later then, a DELETE is for the client to ask again. */
#define POST_PATIENCE_MS 1000
#define DELETE_BYTES_MAX ((size_t)64 << 20)
#define DELETE_PATIENCE_MS 250
#define NO_PATIENCE_MS 1

/* ---- the checks in front of the body ---- */

bool post_is_fit(struct exchange *exchange, size_t body_bytes, bool is_empty)
{
    const struct http_request *request = exchange->request;
    slice packing = slice_trim(http_header_find(request, SLICE("content-encoding")));
    size_t bytes_max = exchange->limits.content_bytes;

    if (body_bytes > bytes_max) {
        answer_error(exchange, 413, "The body is longer than max_content_length, %zu bytes.",
                     bytes_max);
        return false;
    }
    if (packing.len > 0 && !slice_eq_nocase(packing, SLICE("identity"))) {
        http_response_header(exchange->response, SLICE("Accept-Encoding"), SLICE("identity"));
        answer_error(exchange, 415, "Bodies are taken without Content-Encoding only.");
        return false;
    }
    /* Without a body no media type is wrong: the answer is that an envelope was expected. */
    if (!is_empty && !media_is_taxii(http_header_find(request, SLICE("content-type")))) {
        answer_error(exchange, 415, "Bodies are taken as %s only.", TAXII_MEDIA_TYPE);
        return false;
    }
    return true;
}

/* ---- taking in ---- */

/* What the import's reports need: where they go, and what must be looked up afterwards. */
struct intake {
    struct status *status;
    struct arena arena; /* owned: ids of objects that have no version of their own */
    slice *unversioned;
    size_t unversioned_count, unversioned_room;
};

static void intake_free(struct intake *intake)
{
    table_free(intake->unversioned);
    arena_free(&intake->arena);
}

static slice version_text(const struct import_report *report, int64_t otherwise_us,
                          char text[TIMESTAMP_TEXT_BYTES_MAX])
{
    size_t bytes = report->has_version ? timestamp_format(&report->version, text)
                                       : time_format_us(otherwise_us, text);

    return slice_of(text, bytes);
}

static bool unversioned_add(struct intake *intake, slice id)
{
    slice *grown =
        table_grow(intake->unversioned, &intake->unversioned_room, intake->unversioned_count + 1,
                   UNVERSIONED_BYTES_MAX / sizeof(slice), sizeof(slice));

    if (grown == NULL)
        return false;
    intake->unversioned = grown;
    slice copy = arena_copy(&intake->arena, id);
    if (copy.len == 0)
        return false;
    grown[intake->unversioned_count++] = copy;
    return true;
}

static void report_success(struct intake *intake, const struct import_report *report, slice message)
{
    char text[TIMESTAMP_TEXT_BYTES_MAX];
    struct status *status = intake->status;

    status->success_count++;
    if (report->has_version)
        status_detail(&status->successes, report->id, version_text(report, 0, text), message);
    else if (!unversioned_add(intake, report->id))
        status->successes.overflowed = true; /* a list is whole or absent */
}

static void report_failure(struct intake *intake, const struct import_report *report)
{
    char text[TIMESTAMP_TEXT_BYTES_MAX], place[48];
    struct status *status = intake->status;
    slice id = report->id;

    if (id.len == 0) {
        (void)snprintf(place, sizeof(place), "objects[%" PRIu64 "]", report->index);
        id = slice_text(place);
    }
    status->failure_count++;
    status_detail(&status->failures, id, version_text(report, status->requested_us, text),
                  report->reason);
}

static void on_report(void *context, const struct import_report *report)
{
    struct intake *intake = context;

    switch (report->outcome) {
    case IMPORT_TAKEN:
    case IMPORT_REPLACED:
    case IMPORT_OLDER:
        report_success(intake, report, SLICE_NONE);
        break;
    case IMPORT_HELD: /* 5.5: an exact duplicate is no error */
        report_success(intake, report, SLICE("already in the collection"));
        break;
    case IMPORT_CONFLICT:
    case IMPORT_REFUSED:
        report_failure(intake, report);
        break;
    }
}

/* Objects without modified and created have their date_added for a version (4.3.1), which is known
 * only now that they are in. */
static result list_unversioned(struct taxii *taxii, const struct job *job, struct intake *intake,
                               struct diag *diag)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    CLEANUP(arena_free) struct arena arena = ARENA(LOOK_UP_BYTES_MAX);
    char text[TIMESTAMP_TEXT_BYTES_MAX];
    struct store_page page;
    struct store_item item;

    if (intake->unversioned_count == 0)
        return OK;
    store_view_begin(taxii->store, &view, diag);
    for (size_t i = 0; i < intake->unversioned_count; i++) {
        struct store_query query = {.collection = job->collection,
                                    .ids = &intake->unversioned[i],
                                    .id_count = 1,
                                    .version_last = true};

        arena_reset(&arena);
        TRY(store_find(&view, &query, 1, SIZE_MAX, false, &arena, &page, diag));
        if (page.count == 0 || !store_item_at(&view, page.seqs[0], &item)) {
            intake->status->successes.overflowed = true; /* deleted meanwhile: no whole list */
            return OK;
        }
        status_detail(&intake->status->successes, intake->unversioned[i],
                      slice_of(text, timestamp_format(&item.version, text)), SLICE_NONE);
    }
    return OK;
}

result job_run(struct taxii *taxii, const struct job *job, struct status *status, struct diag *diag)
{
    CLEANUP(intake_free)
    struct intake intake = {.status = status, .arena = ARENA(UNVERSIONED_BYTES_MAX)};
    CLEANUP(source_close) struct source *source = NULL;
    struct import_options options = {.collection = job->collection,
                                     .mode = job->limits.mode,
                                     .object_bytes_max = job->limits.object_bytes,
                                     .json_depth_max = job->limits.json_depth,
                                     .origin = SLICE("taxii"),
                                     .actor = slice_text(job->actor),
                                     .threads = status->total > job->limits.sync_objects ? 0 : 1,
                                     .patience_ms = job->patience_ms,
                                     .report = on_report,
                                     .context = &intake};
    struct import_counts counts;

    TRY(source_of_memory(job->body, &source, diag));
    TRY(store_import(taxii->store, source, &options, &counts, diag));
    status->total = status->success_count + status->failure_count;
    log_event(LOG_LEVEL_INFO, "taxii.posted",
              "actor=%s collection=%" PRIu32 " objects=%" PRIu64 " refused=%" PRIu64, job->actor,
              job->collection, status->total, status->failure_count);
    return list_unversioned(taxii, job, &intake, diag);
}

/* ---- POST ---- */

static slice actor_of(const struct exchange *exchange)
{
    return exchange->is_known ? slice_text(exchange->account.name) : SLICE(ACCOUNT_ANONYMOUS);
}

/* False: it has to be done later. */
static bool post_now(struct exchange *exchange, struct status **status)
{
    CLEANUP(buf_free) struct buf json = BUF(ANSWER_BYTES_MAX);
    struct taxii *taxii = exchange->taxii;
    struct job job = {.body = exchange->request->body,
                      .collection = exchange->collection.number,
                      .patience_ms = statuses_wait(taxii) ? NO_PATIENCE_MS : POST_PATIENCE_MS,
                      .limits = exchange->limits};

    (void)snprintf(job.actor, sizeof(job.actor), "%.*s", SLICE_ARG(actor_of(exchange)));
    result r = job_run(taxii, &job, *status, &exchange->diag);
    if (r.code == ERR_CONFLICT)
        return false;
    if (failed(r)) {
        answer_failure(exchange, r, true);
        return true;
    }
    (*status)->is_complete = true;
    (*status)->finished_us = taxii->world->now_us(taxii->world->context);
    status_write(*status, &json);
    statuses_keep(taxii, *status);
    *status = NULL;
    answer_json(exchange, 202, &json);
    return true;
}

static void pending_add(struct json_parser *parser, slice object, struct arena *arena,
                        struct status *status)
{
    char when[TIMESTAMP_TEXT_BYTES_MAX];
    struct json_doc doc;
    slice id = SLICE_NONE, version = SLICE_NONE;

    arena_reset(arena);
    if (succeeded(json_parse(parser, object, &doc, NULL))) {
        const struct json_node *modified = json_get(&doc, doc.nodes, SLICE("modified"));

        if (modified == NULL)
            modified = json_get(&doc, doc.nodes, SLICE("created"));
        id = json_string(&doc, json_get(&doc, doc.nodes, SLICE("id")), arena);
        version = json_string(&doc, modified, arena);
    }
    if (version.len == 0)
        version = slice_of(when, time_format_us(status->requested_us, when));
    status_detail(&status->pendings, id, version, SLICE_NONE);
}

result pendings_list(slice body, const struct limits *limits, struct status *status,
                     struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 20);
    CLEANUP(source_close) struct source *source = NULL;
    CLEANUP(json_stream_close) struct json_stream *stream = NULL;
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct json_stream_limits stream_limits = {.object_bytes_max = limits->object_bytes,
                                               .window_bytes = WINDOW_BYTES,
                                               .depth_max = limits->json_depth};
    struct json_window window;

    TRY(json_parser_new(limits->json_depth, &parser, diag));
    TRY(source_of_memory(body, &source, diag));
    TRY(json_stream_open(source, &stream_limits, &stream, diag));
    do {
        TRY(json_stream_next(stream, &window, diag));
        for (size_t i = 0; i < window.count; i++)
            pending_add(parser, window.objects[i], &arena, status);
    } while (window.count > 0);
    return OK;
}

static result post_queue(struct exchange *exchange, struct status *status, struct buf *json)
{
    CLEANUP(job_free) struct job *job = NULL;
    slice body = exchange->request->body;

    TRY(pendings_list(body, &exchange->limits, status, &exchange->diag));
    TRY(job_new(status, &exchange->collection, actor_of(exchange), &exchange->limits, body.len,
                &job, &exchange->diag));
    TRY(statuses_queue(exchange->taxii, job, body, json, &exchange->diag));
    job = NULL; /* theirs */
    return OK;
}

static void post_later(struct exchange *exchange, struct status **status)
{
    CLEANUP(buf_free) struct buf json = BUF(ANSWER_BYTES_MAX);

    (*status)->pending_count = (*status)->total;
    result r = post_queue(exchange, *status, &json);
    if (failed(r)) {
        answer_failure(exchange, r, true);
        return;
    }
    *status = NULL;
    answer_json(exchange, 202, &json);
}

void post_objects(struct exchange *exchange)
{
    CLEANUP(status_free) struct status *status = NULL;
    slice body = exchange->request->body;
    uint64_t object_count;

    if (!post_is_fit(exchange, body.len, body.len == 0))
        return;
    result r = envelope_measure(body, &object_count, &exchange->diag);
    if (succeeded(r))
        r = status_new(exchange, &status, &exchange->diag);
    if (failed(r)) {
        answer_failure(exchange, r, true);
        return;
    }
    status->total = object_count;
    store_view_end(&exchange->view); /* a thread reads or writes, not both */
    if (object_count > exchange->limits.sync_objects || !post_now(exchange, &status))
        post_later(exchange, &status);
}

/* ---- DELETE ---- */

/* What the client may not have is not there for it, so it cannot remove it either. */
static result may_delete(struct exchange *exchange, bool *exists)
{
    CLEANUP(arena_free) struct arena memory = ARENA(DELETE_BYTES_MAX);
    struct reader_of reader =
        gate_reader(exchange->taxii->gate, &exchange->view, &exchange->account);

    if (exchange->is_known && gate_is_inside(&reader))
        return OK;
    return object_exists(exchange, &memory, exists);
}

void delete_object(struct exchange *exchange)
{
    struct taxii_query query;
    uint64_t count = 0;
    result r = query_parse(exchange->request->query, QUERY_VERSION | QUERY_SPEC_VERSION,
                           exchange->request->arena, &query, &exchange->diag);

    bool exists = true;
    if (succeeded(r))
        r = may_delete(exchange, &exists);
    store_view_end(&exchange->view);
    if (succeeded(r) && exists && !query.is_void)
        r = store_remove(exchange->taxii->store, exchange->collection.number,
                         exchange->route.object, &query.store, actor_of(exchange),
                         DELETE_PATIENCE_MS, &count, &exchange->diag);
    if (failed(r)) /* a conflict is with another writer, not with the URL: 503 */
        answer_failure(exchange, r, r.code == ERR_CONFLICT);
    else if (count == 0)
        answer_error(exchange, 404, "No such object, or no such version of it, is here.");
    else
        answer_empty(exchange, 200);
}
