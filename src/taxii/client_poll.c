/* Objects fetched page by page (TAXII 2.1, 3.5), and objects sent (5.5). */
#include "taxii/remote.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/encode.h"

#include "base/banned.h"

#define QUERY_BYTES_MAX 8192
#define NEXT_BYTES_MAX 4096
#define EMPTY_PAGES_MAX 3 /* in a row, each saying there is more */
#define LIMIT_WHEN_TOO_LARGE 100
#define STATUS_WAIT_MS_MAX ((uint64_t)3600 * 1000)

struct poll {
    struct taxii_remote *remote;
    const char *collection_url;
    char added_after[64];      /* of the requests under way */
    char next[NEXT_BYTES_MAX]; /* empty: none */
    size_t limit;              /* 0: the server's choice */
    unsigned empty_pages;
    int64_t began_us; /* the server's clock at the first answer, else ours; 0: not yet */
};

/* What one page says about itself. */
struct page_facts {
    bool more, has_objects;
    bool has_first, has_last;
    int64_t first_us, last_us;
    slice next; /* in the answer's arena */
};

static void parameter_put(struct buf *url, const char *name, slice value)
{
    buf_byte(url, slice_find_byte(buf_slice(url), '?') == SIZE_MAX ? '?' : '&');
    buf_put(url, slice_text(name));
    buf_byte(url, '=');
    percent_encode(url, value);
}

static result page_request(struct poll *poll, struct remote_answer *answer, struct diag *diag)
{
    CLEANUP(buf_free) struct buf url = BUF(URL_BYTES_MAX + 3 * QUERY_BYTES_MAX);
    char number[24];

    buf_put(&url, slice_text(poll->collection_url));
    buf_put(&url, SLICE("objects/"));
    if (poll->added_after[0] != '\0')
        parameter_put(&url, "added_after", slice_text(poll->added_after));
    if (poll->limit > 0) {
        (void)snprintf(number, sizeof(number), "%zu", poll->limit);
        parameter_put(&url, "limit", slice_text(number));
    }
    if (poll->next[0] != '\0')
        parameter_put(&url, "next", slice_text(poll->next));
    buf_byte(&url, '\0');
    if (url.overflowed)
        return diag_fail(diag, ERR_LIMIT, "a URL too long to ask for");
    return remote_request(poll->remote, "GET", url.at, SLICE_NONE, answer, diag);
}

/* A page over our limit of bytes is asked for again with fewer objects. */
static result page_fetch(struct poll *poll, struct remote_answer *answer, struct diag *diag)
{
    for (;;) {
        struct diag why = {0};
        result r = page_request(poll, answer, &why);

        if (succeeded(r))
            return OK;
        if (r.code != ERR_LIMIT || poll->limit == 1)
            return diag_fail(diag, r.code, "%s", why.text);
        poll->limit = poll->limit > 1 ? poll->limit / 2 : LIMIT_WHEN_TOO_LARGE;
    }
}

static bool header_date(const struct remote_answer *answer, slice name, int64_t *us)
{
    struct timestamp when;

    if (!timestamp_parse_rfc3339(slice_trim(http_client_header(&answer->http, name)), &when))
        return false;
    *us = when.us;
    return true;
}

static result page_read(struct poll *poll, const struct remote_answer *answer,
                        struct page_facts *out, struct diag *diag)
{
    const struct json_doc *doc = &answer->doc;
    const struct json_node *more, *objects;

    *out = (struct page_facts){0};
    if (doc->node_count == 0)
        return OK; /* 204, or an empty body: nothing new */
    if (doc->nodes->kind != JSON_OBJECT)
        return diag_fail(diag, ERR_INVALID, "%s: the answer is no envelope", poll->collection_url);
    more = json_get(doc, doc->nodes, SLICE("more"));
    objects = json_get(doc, doc->nodes, SLICE("objects"));
    out->more = more != NULL && more->kind == JSON_TRUE;
    out->has_objects =
        objects != NULL && objects->kind == JSON_ARRAY && json_count(doc, objects) > 0;
    out->has_first = header_date(answer, SLICE("x-taxii-date-added-first"), &out->first_us);
    out->has_last = header_date(answer, SLICE("x-taxii-date-added-last"), &out->last_us);
    out->next =
        json_string(doc, json_get(doc, doc->nodes, SLICE("next")), &poll->remote->answer_arena);
    if (poll->remote->answer_arena.overflowed || out->next.len >= sizeof(poll->next))
        return diag_fail(diag, ERR_LIMIT, "%s: \"next\" is too long", poll->collection_url);
    return OK;
}

static void position_set(char out[64], int64_t us)
{
    char text[TIMESTAMP_TEXT_BYTES_MAX];

    (void)snprintf(out, 64, "%.*s", (int)time_format_us(us, text), text);
}

static void position_raise(struct taxii_position *position, int64_t us)
{
    struct timestamp now_at;

    if (!timestamp_parse_rfc3339(slice_text(position->added_after), &now_at) || now_at.us < us)
        position_set(position->added_after, us);
}

/* The page is durable.  While there is more, stay one step below its last date: what follows may
 * bear the same.  A server that tells no dates is asked, next time, for what came after this poll
 * began. */
static void position_move(const struct poll *poll, const struct page_facts *page,
                          struct taxii_position *position)
{
    if (page->has_last && page->has_objects)
        position_raise(position, page->more ? page->last_us - 1 : page->last_us);
    else if (!page->more && !page->has_last)
        position_raise(position, poll->began_us);
}

/* Where the next page is; fails when the server leads us nowhere. */
static result advance(struct poll *poll, const struct page_facts *page, struct diag *diag)
{
    poll->empty_pages = page->has_objects ? 0 : poll->empty_pages + 1;
    if (poll->empty_pages > EMPTY_PAGES_MAX)
        return diag_fail(diag, ERR_INVALID, "%s: page after page is empty, each promising more",
                         poll->collection_url);
    if (page->next.len > 0) {
        if (slice_eq(page->next, slice_text(poll->next)))
            return diag_fail(diag, ERR_INVALID,
                             "%s: the server gives the same page again and again",
                             poll->collection_url);
        (void)snprintf(poll->next, sizeof(poll->next), "%.*s", SLICE_ARG(page->next));
        return OK;
    }
    char after[64];
    if (!page->has_last)
        return diag_fail(diag, ERR_INVALID,
                         "%s: there is more, but neither \"next\" nor X-TAXII-Date-Added-Last",
                         poll->collection_url);
    position_set(after, page->last_us);
    if (slice_eq(slice_text(after), slice_text(poll->added_after)))
        return diag_fail(diag, ERR_INVALID, "%s: the server gives the same page again and again",
                         poll->collection_url);
    memcpy(poll->added_after, after, sizeof(after));
    poll->next[0] = '\0';
    return OK;
}

/* The Date field of the first answer (RFC 9110, 6.6.1), less two seconds for its coarseness. */
static void remember_beginning(struct poll *poll, const struct remote_answer *answer)
{
    const struct world *world = poll->remote->world;

    if (poll->began_us != 0)
        return;
    if (!http_date_parse(slice_trim(http_client_header(&answer->http, SLICE("date"))),
                         &poll->began_us))
        poll->began_us = world->now_us(world->context);
    poll->began_us -= 2000000;
}

result taxii_remote_poll(struct taxii_remote *remote, const char *collection_url,
                         struct taxii_position *position,
                         result (*take)(void *context, slice envelope, struct diag *diag),
                         void *context, struct diag *diag)
{
    struct poll poll = {
        .remote = remote, .collection_url = collection_url, .limit = remote->page_objects};
    struct remote_answer answer;
    struct page_facts page;

    memcpy(poll.added_after, position->added_after, sizeof(poll.added_after));
    do {
        TRY(page_fetch(&poll, &answer, diag));
        remember_beginning(&poll, &answer);
        TRY(page_read(&poll, &answer, &page, diag));
        if (page.has_objects)
            TRY(take(context, answer.http.body, diag));
        position_move(&poll, &page, position);
        if (page.more)
            TRY(advance(&poll, &page, diag));
    } while (page.more);
    return OK;
}

/* ---- push ---- */

/* .../root/collections/ID/ -> .../root/status/STATUS/ */
static result status_url(const char *collection_url, slice id, char out[URL_BYTES_MAX],
                         struct diag *diag)
{
    CLEANUP(buf_free) struct buf tail = BUF(URL_BYTES_MAX);
    slice root = slice_text(collection_url);

    for (unsigned slashes = 0; root.len > 0; root.len--)
        if (root.at[root.len - 1] == '/' && ++slashes == 3)
            break;
    buf_put(&tail, root);
    buf_put(&tail, SLICE("status/"));
    percent_encode(&tail, id);
    if (tail.overflowed)
        return diag_fail(diag, ERR_LIMIT, "the URL of the status is too long");
    return url_join("", buf_slice(&tail), out, diag);
}

static result status_read(struct taxii_remote *remote, const struct remote_answer *answer,
                          bool *is_complete, slice *id, struct diag *diag)
{
    const struct json_doc *doc = &answer->doc;

    if (doc->node_count == 0 || doc->nodes->kind != JSON_OBJECT)
        return diag_fail(diag, ERR_INVALID,
                         "the server took it in, but its status is no JSON object");
    *is_complete = !json_is(doc, json_get(doc, doc->nodes, SLICE("status")), SLICE("pending"));
    *id = json_string(doc, json_get(doc, doc->nodes, SLICE("id")), &remote->answer_arena);
    if (!*is_complete && id->len == 0)
        return diag_fail(diag, ERR_INVALID, "the server's status has no id to ask for");
    return OK;
}

result taxii_remote_push(struct taxii_remote *remote, const char *collection_url, slice envelope,
                         struct arena *arena, slice *status_json, struct diag *diag)
{
    struct remote_answer answer;
    char url[URL_BYTES_MAX];
    bool is_complete = false;
    uint64_t waited_ms = 0;
    slice id;

    TRY(url_join(collection_url, SLICE("objects/"), url, diag));
    TRY(remote_request(remote, "POST", url, envelope, &answer, diag));
    TRY(status_read(remote, &answer, &is_complete, &id, diag));
    if (!is_complete)
        TRY(status_url(collection_url, id, url, diag));
    for (unsigned attempt = 0; !is_complete; attempt++) {
        uint64_t ms = remote_backoff_ms(remote, attempt);

        if (waited_ms > STATUS_WAIT_MS_MAX)
            return diag_fail(diag, ERR_IO, "%s: still pending", url);
        remote_pause(remote, ms);
        waited_ms += ms;
        TRY(remote_request(remote, "GET", url, SLICE_NONE, &answer, diag));
        TRY(status_read(remote, &answer, &is_complete, &id, diag));
    }
    *status_json = arena_copy(arena, answer.http.body);
    if (arena->overflowed)
        return diag_fail(diag, ERR_LIMIT, "the status is too long");
    return OK;
}
