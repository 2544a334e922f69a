/* The endpoints that give out pages: objects, one object, manifest, versions. */
#include "taxii/server.h"

#include <assert.h>

#include "base/banned.h"

#define VERSIONS_LOOKED_AT 1000 /* for one that the client may have */
#define ROUNDS_MAX 256 /* pages looked at for one with something in it; then it asks again */
#define PAGE_SLACK_BYTES ((size_t)32 << 20) /* positions, and what a merge of filters needs */

struct page {
    struct taxii_query query;
    struct store_page found;
    const slice *ids;     /* of redacted copies; NULL: there are none */
    struct arena *memory; /* owned; in the request's arena */
};

/* What each endpoint may be asked for (the tables of TAXII 2.1, 5.3, 5.4, 5.6, 5.8). */
static const unsigned allowed_in[ENDPOINT_COUNT] = {
    [ENDPOINT_MANIFEST] = QUERY_PAGING | QUERY_ID | QUERY_TYPE | QUERY_VERSION | QUERY_SPEC_VERSION,
    [ENDPOINT_OBJECTS] = QUERY_PAGING | QUERY_ID | QUERY_TYPE | QUERY_VERSION | QUERY_SPEC_VERSION,
    [ENDPOINT_OBJECT] = QUERY_PAGING | QUERY_VERSION | QUERY_SPEC_VERSION,
    [ENDPOINT_VERSIONS] = QUERY_PAGING | QUERY_SPEC_VERSION,
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void memory_release(void *context)
{
    arena_free(context);
}

static void page_free(struct page *page)
{
    if (page->memory != NULL)
        arena_free(page->memory);
}

static result query_read(struct exchange *exchange, struct page *page)
{
    struct store_query *store = &page->query.store;

    TRY(query_parse(exchange->request->query, allowed_in[exchange->route.endpoint],
                    exchange->request->arena, &page->query, &exchange->diag));
    store->collection = exchange->collection.number;
    store->spec_latest = store->spec_count == 0;
    if (exchange->route.object.len > 0) {
        store->ids = &exchange->route.object;
        store->id_count = 1;
    }
    if (exchange->route.endpoint == ENDPOINT_VERSIONS)
        store->version_all = true;
    if (page->query.next.len > 0 && !cursor_read(exchange, &page->query, &store->seq_from))
        return diag_fail(
            &exchange->diag, ERR_INVALID,
            "next: is none that this server gave for this collection and these filters");
    return OK;
}

/* Leave of a page what the client may have. */
static result page_sift(struct exchange *exchange, bool with_text, struct arena *memory,
                        struct store_page *page, const slice **ids)
{
    struct reader_of reader = gate_reader(exchange->taxii->gate, &exchange->view,
                                          exchange->is_known ? &exchange->account : NULL);

    reader.is_encrypted = exchange->taxii->is_encrypted;
    return gate_page(exchange->taxii->gate, &exchange->view, &reader, with_text, memory, page, ids,
                     &exchange->diag);
}

result object_exists(struct exchange *exchange, struct arena *memory, bool *exists)
{
    struct store_query query = {.collection = exchange->collection.number,
                                .ids = &exchange->route.object,
                                .id_count = 1,
                                .version_all = true};
    struct store_page any;

    TRY(store_find(&exchange->view, &query, VERSIONS_LOOKED_AT, SIZE_MAX, false, memory, &any,
                   &exchange->diag));
    TRY(page_sift(exchange, false, memory, &any, NULL));
    *exists = any.count > 0;
    return OK;
}

/* Pages until one holds something that the client may have. */
static result page_fill(struct exchange *exchange, bool with_text, size_t wanted, struct page *page)
{
    const struct limits *limits = &exchange->limits;

    for (size_t round = 0; round < ROUNDS_MAX; round++) {
        TRY(store_find(&exchange->view, &page->query.store, least(wanted, limits->page_objects_max),
                       limits->page_bytes, with_text, page->memory, &page->found, &exchange->diag));
        TRY(page_sift(exchange, with_text, page->memory, &page->found, &page->ids));
        if (page->found.count > 0 || !page->found.more)
            return OK;
        arena_reset(page->memory);
        page->query.store.seq_from = page->found.next_seq;
    }
    return OK;
}

static result page_find(struct exchange *exchange, bool with_text, struct page *page)
{
    const struct limits *limits = &exchange->limits;
    bool exists = true;

    page->memory = arena_new(exchange->request->arena, struct arena, 1);
    if (page->memory == NULL)
        return diag_fail(&exchange->diag, ERR_IO, "no memory for this request");
    *page->memory = ARENA(2 * limits->page_bytes + 2 * limits->object_bytes + PAGE_SLACK_BYTES);
    TRY(query_read(exchange, page));
    size_t wanted = page->query.limit > 0 ? page->query.limit : limits->page_objects;
    if (!page->query.is_void)
        TRY(page_fill(exchange, with_text, wanted, page));
    if (page->found.count == 0 && exchange->route.object.len > 0)
        TRY(object_exists(exchange, page->memory, &exists));
    if (!exists)
        return diag_fail(&exchange->diag, ERR_MISSING, "no such object in this collection");
    return OK;
}

static slice date_text(struct exchange *exchange, int64_t us)
{
    char text[TIMESTAMP_TEXT_BYTES_MAX];

    return arena_copy(exchange->request->arena, slice_of(text, time_format_us(us, text)));
}

/* TAXII 2.1, 3.2: on every 200 of these endpoints, so on an empty one too.  There both are the
 * added_after of the request, the position from which to ask again; 1970 when it had none. */
static void dates_put(struct exchange *exchange, const struct page *page)
{
    int64_t first_us = page->query.store.added_after_us, last_us = first_us;

    if (page->found.count > 0) {
        first_us = store_added_us(&exchange->view, page->found.seqs[0]);
        last_us = store_added_us(&exchange->view, page->found.seqs[page->found.count - 1]);
    }
    http_response_header(exchange->response, SLICE("X-TAXII-Date-Added-First"),
                         date_text(exchange, first_us));
    http_response_header(exchange->response, SLICE("X-TAXII-Date-Added-Last"),
                         date_text(exchange, last_us));
}

static void more_put(struct json_writer *w, struct exchange *exchange, const struct page *page)
{
    char next[CURSOR_TEXT_BYTES];

    if (!page->found.more)
        return;
    cursor_make(exchange, &page->query, page->found.next_seq, next);
    jw_put_bool(w, SLICE("more"), true);
    jw_put_string(w, SLICE("next"), slice_of(next, sizeof(next)));
}

/* The cursor takes the place of the blanks. */
static const char more_head[] = "{\"more\":true,\"next\":\""
                                "                                "
                                "\",\"objects\":[";
#define MORE_HEAD_NEXT_AT (sizeof("{\"more\":true,\"next\":\"") - 1)
#define MORE_HEAD_NEXT_END (MORE_HEAD_NEXT_AT + CURSOR_TEXT_BYTES + 1) /* behind its quote */
static_assert(sizeof(more_head) ==
                  MORE_HEAD_NEXT_AT + CURSOR_TEXT_BYTES + sizeof("\",\"objects\":["),
              "as many blanks as the cursor has digits");

/* Head, text and tail leave as they are; the text is the store's own memory when the page's objects
 * are neighbours there. */
static void envelope_answer(struct exchange *exchange, struct page *page)
{
    struct http_response *response = exchange->response;
    struct arena *arena = exchange->request->arena;

    if (page->found.count == 0 && !page->found.more) {
        response->head = SLICE("{}");
    } else if (page->found.more) {
        char *head = arena_new(arena, char, sizeof(more_head));

        if (head != NULL) {
            memcpy(head, more_head, sizeof(more_head));
            cursor_make(exchange, &page->query, page->found.next_seq, head + MORE_HEAD_NEXT_AT);
        }
        bool is_empty = page->found.count == 0; /* no list is empty: the key is left out */
        response->head = slice_of(head, head == NULL ? 0
                                        : is_empty   ? MORE_HEAD_NEXT_END
                                                     : sizeof(more_head) - 1);
        response->tail = is_empty ? SLICE("}") : SLICE_NONE;
    } else {
        response->head = SLICE("{\"objects\":[");
    }
    if (page->found.count > 0) {
        response->middle = page->found.text;
        response->middle_stays = page->found.text_stays;
        response->tail = SLICE("]}");
    }
    response->status = 200;
    response->compress = true;
    response->release = memory_release;
    response->release_context = page->memory;
    page->memory = NULL; /* freed when the answer is sent */
    answer_media_type(response);
}

void get_objects(struct exchange *exchange)
{
    CLEANUP(page_free) struct page page = {0};
    result found = page_find(exchange, true, &page);

    if (failed(found)) {
        answer_failure(exchange, found, false);
        return;
    }
    dates_put(exchange, &page);
    reads_note(exchange->taxii->reads, exchange->is_known ? &exchange->account : NULL,
               exchange->collection.number, page.found.seqs, page.found.count);
    envelope_answer(exchange, &page);
}

static void record_write(struct json_writer *w, const struct store_item *item)
{
    char text[TIMESTAMP_TEXT_BYTES_MAX];

    jw_object_begin(w);
    jw_put_string(w, SLICE("id"), slice_text(item->id));
    jw_put_string(w, SLICE("date_added"), slice_of(text, time_format_us(item->added_us, text)));
    jw_put_string(w, SLICE("version"), slice_of(text, timestamp_format(&item->version, text)));
    jw_put_string(w, SLICE("media_type"),
                  item->spec == STIX_20 ? SLICE(STIX_MEDIA_TYPE_20) : SLICE(STIX_MEDIA_TYPE_21));
    jw_object_end(w);
}

static void version_write(struct json_writer *w, const struct store_item *item)
{
    char text[TIMESTAMP_TEXT_BYTES_MAX];

    jw_string(w, slice_of(text, timestamp_format(&item->version, text)));
}

/* A copy that leaves redacted is another object, and named so everywhere. */
static void redacted_name(const struct page *page, size_t index, struct store_item *item)
{
    if (page->ids == NULL || page->ids[index].at == NULL ||
        page->ids[index].len >= sizeof(item->id))
        return;
    memcpy(item->id, page->ids[index].at, page->ids[index].len);
    item->id[page->ids[index].len] = '\0';
}

/* A page of what is known about objects, under `key`; without any the key is left out
 * (5.3.1, 5.8.1). */
static void list_answer(struct exchange *exchange, slice key,
                        void (*write)(struct json_writer *, const struct store_item *))
{
    CLEANUP(page_free) struct page page = {0};
    CLEANUP(buf_free) struct buf json = BUF(ANSWER_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&json);
    struct store_item item;
    result found = page_find(exchange, false, &page);

    if (failed(found)) {
        answer_failure(exchange, found, false);
        return;
    }
    jw_object_begin(&w);
    more_put(&w, exchange, &page);
    if (page.found.count > 0) {
        jw_key(&w, key);
        jw_array_begin(&w);
        for (size_t i = 0; i < page.found.count; i++)
            if (store_item_at(&exchange->view, page.found.seqs[i], &item)) {
                redacted_name(&page, i, &item);
                write(&w, &item);
            }
        jw_array_end(&w);
    }
    jw_object_end(&w);
    dates_put(exchange, &page);
    answer_json(exchange, 200, &json);
}

void get_manifest(struct exchange *exchange)
{
    list_answer(exchange, SLICE("objects"), record_write);
}

void get_versions(struct exchange *exchange)
{
    list_answer(exchange, SLICE("versions"), version_write);
}
