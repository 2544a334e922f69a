/* The endpoints that give out pages: objects, one object, manifest, versions. */
#include "taxii/server.h"

#include <assert.h>

#include "base/banned.h"

#define PAGE_SLACK_BYTES ((size_t)32 << 20) /* positions, and what a merge of filters needs */

struct page {
    struct taxii_query query;
    struct store_page found;
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

/* Is there anything of the object at all?  Tells "no such object" (404) from "nothing of it fits
 * your filters" (an empty answer). */
static result object_exists(struct exchange *exchange, struct page *page, bool *exists)
{
    struct store_query query = {.collection = exchange->collection.number,
                                .ids = &exchange->route.object,
                                .id_count = 1,
                                .version_all = true};
    struct store_page any;

    TRY(store_find(&exchange->view, &query, 1, SIZE_MAX, false, page->memory, &any,
                   &exchange->diag));
    *exists = any.count > 0;
    return OK;
}

static result page_find(struct exchange *exchange, bool with_text, struct page *page)
{
    const struct limits *limits = &exchange->limits;
    bool exists = true;

    page->memory = arena_new(exchange->request->arena, struct arena, 1);
    if (page->memory == NULL)
        return diag_fail(&exchange->diag, ERR_IO, "no memory for this request");
    *page->memory = ARENA(limits->page_bytes + limits->object_bytes + PAGE_SLACK_BYTES);
    TRY(query_read(exchange, page));
    size_t wanted = page->query.limit > 0 ? page->query.limit : limits->page_objects;
    if (!page->query.is_void)
        TRY(store_find(&exchange->view, &page->query.store, least(wanted, limits->page_objects_max),
                       limits->page_bytes, with_text, page->memory, &page->found, &exchange->diag));
    if (page->found.count == 0 && exchange->route.object.len > 0)
        TRY(object_exists(exchange, page, &exists));
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
static_assert(sizeof(more_head) ==
                  MORE_HEAD_NEXT_AT + CURSOR_TEXT_BYTES + sizeof("\",\"objects\":["),
              "as many blanks as the cursor has digits");

/* Head, text and tail leave as they are; the text is the store's own memory when the page's objects
 * are neighbours there. */
static void envelope_answer(struct exchange *exchange, struct page *page)
{
    struct http_response *response = exchange->response;
    struct arena *arena = exchange->request->arena;

    if (page->found.count == 0) {
        response->head = SLICE("{}");
    } else if (page->found.more) {
        char *head = arena_new(arena, char, sizeof(more_head));

        if (head != NULL) {
            memcpy(head, more_head, sizeof(more_head));
            cursor_make(exchange, &page->query, page->found.next_seq, head + MORE_HEAD_NEXT_AT);
        }
        response->head = slice_of(head, head == NULL ? 0 : sizeof(more_head) - 1);
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
            if (store_item_at(&exchange->view, page.found.seqs[i], &item))
                write(&w, &item);
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
