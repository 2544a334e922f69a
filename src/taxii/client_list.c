/* Where a URL leads: discovery, API roots, collections (TAXII 2.1, 4.1, 4.2, 5.1, 5.2). */
#include "taxii/remote.h"

#include <stdio.h>

#include "base/banned.h"

#define ROOTS_MAX 256
#define ROOTS_BYTES_MAX ((size_t)1 << 20)

struct listing {
    struct taxii_remote *remote;
    void (*warn)(void *context, const char *words);
    void *context;
    struct arena arena; /* owned: outlives the answers it was read from */
    slice roots[ROOTS_MAX];
    size_t root_count, root_failures;
};

static void listing_free(struct listing *listing)
{
    arena_free(&listing->arena);
}

static void warn(struct listing *listing, const char *words)
{
    if (listing->warn != NULL)
        listing->warn(listing->context, words);
}

static void text_put(const struct json_doc *doc, const struct json_node *object, slice key,
                     struct arena *arena, char *out, size_t room)
{
    slice value = json_string(doc, json_get(doc, object, key), arena);

    (void)snprintf(out, room, "%.*s", SLICE_ARG(value));
}

static bool is_true(const struct json_doc *doc, const struct json_node *object, slice key)
{
    const struct json_node *value = json_get(doc, object, key);

    return value != NULL && value->kind == JSON_TRUE;
}

/* url: of the collection itself, or NULL to make it from collections_url and the id. */
static result collection_add(struct listing *listing, const struct json_doc *doc,
                             const struct json_node *object, const char *collections_url,
                             const char *url, struct diag *diag)
{
    struct taxii_remote *remote = listing->remote;
    struct taxii_remote_collection *grown =
        table_grow(remote->collections, &remote->collection_room, remote->collection_count + 1,
                   REMOTE_COLLECTIONS_MAX, sizeof(*grown));

    if (grown == NULL)
        return diag_fail(diag, ERR_LIMIT, "the server has more than %d collections",
                         REMOTE_COLLECTIONS_MAX);
    remote->collections = grown;
    struct taxii_remote_collection *out = &grown[remote->collection_count];
    slice id = json_string(doc, json_get(doc, object, SLICE("id")), &listing->arena);
    if (id.len == 0 || id.len >= sizeof(out->id) || slice_find_byte(id, '/') != SIZE_MAX ||
        slice_find_byte(id, '?') != SIZE_MAX)
        return diag_fail(diag, ERR_INVALID, "a collection without a usable id");
    *out = (struct taxii_remote_collection){.can_read = is_true(doc, object, SLICE("can_read")),
                                            .can_write = is_true(doc, object, SLICE("can_write"))};
    text_put(doc, object, SLICE("id"), &listing->arena, out->id, sizeof(out->id));
    text_put(doc, object, SLICE("title"), &listing->arena, out->title, sizeof(out->title));
    if (url != NULL)
        TRY(url_join(url, SLICE_NONE, out->url, diag));
    else
        TRY(url_join(collections_url, id, out->url, diag));
    remote->collection_count++;
    return OK;
}

static result collections_read(struct listing *listing, const struct json_doc *doc,
                               const char *collections_url, struct diag *diag)
{
    const struct json_node *list = json_get(doc, doc->nodes, SLICE("collections"));

    if (list == NULL)
        return OK; /* 5.1.1: none, so no key */
    if (list->kind != JSON_ARRAY)
        return diag_fail(diag, ERR_INVALID, "%s: \"collections\" is no list", collections_url);
    for (struct json_each each = json_each(doc, list); json_next(&each);) {
        struct diag why = {0};
        result r = collection_add(listing, doc, each.value, collections_url, NULL, &why);

        if (r.code == ERR_LIMIT)
            return diag_fail(diag, r.code, "%s", why.text);
        if (failed(r))
            warn(listing, why.text);
    }
    return OK;
}

static result root_visit(struct listing *listing, const char *root_url, struct diag *diag)
{
    char url[URL_BYTES_MAX];
    struct remote_answer answer;

    TRY(url_join(root_url, SLICE("collections/"), url, diag));
    TRY(remote_request(listing->remote, "GET", url, SLICE_NONE, &answer, diag));
    if (answer.doc.node_count == 0)
        return diag_fail(diag, ERR_INVALID, "%s: the answer is empty", url);
    return collections_read(listing, &answer.doc, url, diag);
}

/* Copies first: the document goes with the next request. */
static result roots_read(struct listing *listing, const struct json_doc *doc, struct diag *diag)
{
    const struct json_node *roots = json_get(doc, doc->nodes, SLICE("api_roots"));

    if (roots == NULL)
        return OK;
    for (struct json_each each = json_each(doc, roots); json_next(&each);) {
        slice root = json_string(doc, each.value, &listing->arena);

        if (listing->root_count == ROOTS_MAX)
            return diag_fail(diag, ERR_LIMIT, "the server names more than %d API roots", ROOTS_MAX);
        slice copy = arena_copy(&listing->arena, root);
        if (listing->arena.overflowed)
            return diag_fail(diag, ERR_LIMIT, "the server's list of API roots is too long");
        listing->roots[listing->root_count++] = copy;
    }
    return OK;
}

static result roots_visit(struct listing *listing, const char *discovery_url, struct diag *diag)
{
    struct diag why = {0};
    result last = OK;

    for (size_t i = 0; i < listing->root_count; i++) {
        char url[URL_BYTES_MAX];

        diag_reset(&why);
        result r = url_resolve(discovery_url, listing->roots[i], url, &why);
        if (succeeded(r))
            r = root_visit(listing, url, &why);
        if (failed(r)) {
            warn(listing, why.text);
            last = r;
            listing->root_failures++;
        }
    }
    if (listing->root_count > 0 && listing->root_failures == listing->root_count)
        return diag_fail(diag, last.code, "no API root answers; the last: %s", why.text);
    return OK;
}

/* Told by what it holds, since URLs say nothing: TAXII leaves all but /taxii2/ to the server. */
static result document_read(struct listing *listing, const struct json_doc *doc, const char *url,
                            struct diag *diag)
{
    const struct json_node *root = doc->nodes;

    if (doc->node_count == 0 || root->kind != JSON_OBJECT)
        return diag_fail(diag, ERR_INVALID, "%s: is no TAXII 2.1 resource", url);
    if (json_get(doc, root, SLICE("can_read")) != NULL)
        return collection_add(listing, doc, root, NULL, url, diag);
    if (json_get(doc, root, SLICE("collections")) != NULL)
        return collections_read(listing, doc, url, diag);
    if (json_get(doc, root, SLICE("max_content_length")) != NULL ||
        json_get(doc, root, SLICE("versions")) != NULL)
        return root_visit(listing, url, diag);
    if (json_get(doc, root, SLICE("title")) == NULL)
        return diag_fail(diag, ERR_INVALID, "%s: is no TAXII 2.1 resource", url);
    TRY(roots_read(listing, doc, diag));
    return roots_visit(listing, url, diag);
}

/* A bare host stands for its discovery (8.2.1), the objects of a collection for the collection. */
static result start_url(const struct taxii_remote *remote, char out[URL_BYTES_MAX],
                        struct diag *diag)
{
    slice url = slice_text(remote->url);

    if (slice_ends(url, SLICE("/objects/")))
        return url_join("", slice_head(url, url.len - SLICE("objects/").len), out, diag);
    slice path = slice_from(url, slice_find(url, SLICE("://")) + 3);
    if (slice_find_byte(path, '/') == path.len - 1)
        return url_join(remote->url, SLICE("taxii2/"), out, diag);
    return url_join(remote->url, SLICE_NONE, out, diag);
}

result taxii_remote_list(struct taxii_remote *remote, void (*warn_with)(void *, const char *),
                         void *context, const struct taxii_remote_collection **out, size_t *count,
                         struct diag *diag)
{
    CLEANUP(listing_free)
    struct listing listing = {
        .remote = remote, .warn = warn_with, .context = context, .arena = ARENA(ROOTS_BYTES_MAX)};
    struct remote_answer answer;
    char url[URL_BYTES_MAX];

    remote->collection_count = 0;
    TRY(start_url(remote, url, diag));
    TRY(remote_request(remote, "GET", url, SLICE_NONE, &answer, diag));
    TRY(document_read(&listing, &answer.doc, url, diag));
    *out = remote->collections;
    *count = remote->collection_count;
    return OK;
}
