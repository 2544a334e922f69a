/* The endpoints that say what there is: discovery, the API root, collections. */
#include "taxii/server.h"

#include "base/banned.h"

#define COLLECTIONS_LISTED_MAX 100000
#define HOST_BYTES_MAX 255

bool anonymous_is_welcome(struct exchange *exchange)
{
    struct collection collection = {0};

    for (size_t i = 0; i < COLLECTIONS_LISTED_MAX; i++) {
        if (!store_collection_next(&exchange->view, collection.number, &collection))
            return false;
        if (account_rights(exchange->taxii->accounts, &exchange->view.txn, NULL,
                           collection.number) != 0)
            return true;
    }
    return false;
}

/* What may stand in our URLs of what the client calls us: a name or address and a port. */
static bool is_plain_host(slice host)
{
    if (host.len == 0 || host.len > HOST_BYTES_MAX)
        return false;
    for (size_t i = 0; i < host.len; i++) {
        char byte = host.at[i];
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || byte == '.' || byte == '-' || byte == ':' ||
                     byte == '[' || byte == ']';

        if (!plain)
            return false;
    }
    return true;
}

/* TAXII 2.1, 4.1.1: an absolute HTTPS URL or one relative to the server.  Relative where we cannot
 * know that clients come by HTTPS. */
static void root_url_put(struct exchange *exchange, const struct config *config, struct buf *out)
{
    slice public_url = slice_text(config->public_url);
    slice host = http_header_find(exchange->request, SLICE("host"));
    slice root = route_root(slice_text(config->api_root));

    while (public_url.len > 0 && public_url.at[public_url.len - 1] == '/')
        public_url = slice_head(public_url, public_url.len - 1);
    if (slice_starts(public_url, SLICE("https://"))) {
        buf_put(out, public_url);
    } else if (exchange->request->is_tls && is_plain_host(host)) {
        buf_put(out, SLICE("https://"));
        buf_put(out, host);
    }
    buf_byte(out, '/');
    buf_put(out, root);
    if (root.len > 0)
        buf_byte(out, '/');
}

static void put_unless_empty(struct json_writer *w, slice key, const char *text)
{
    if (text[0] != '\0')
        jw_put_string(w, key, slice_text(text));
}

static void discovery_write(struct exchange *exchange, const struct config *config,
                            struct json_writer *w)
{
    CLEANUP(buf_free) struct buf root = BUF(2 * CONFIG_TEXT_BYTES_MAX + HOST_BYTES_MAX + 16);

    root_url_put(exchange, config, &root);
    jw_object_begin(w);
    jw_put_string(w, SLICE("title"), slice_text(config->title));
    put_unless_empty(w, SLICE("description"), config->description);
    put_unless_empty(w, SLICE("contact"), config->contact);
    jw_put_string(w, SLICE("default"), buf_slice(&root));
    jw_key(w, SLICE("api_roots"));
    jw_array_begin(w);
    jw_string(w, buf_slice(&root));
    jw_array_end(w);
    jw_object_end(w);
}

void get_discovery(struct exchange *exchange)
{
    CLEANUP(buf_free) struct buf json = BUF(ANSWER_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&json);
    struct taxii *taxii = exchange->taxii;

    (void)pthread_rwlock_rdlock(&taxii->config_lock);
    discovery_write(exchange, &taxii->config, &w);
    (void)pthread_rwlock_unlock(&taxii->config_lock);
    answer_json(exchange, 200, &json);
}

void get_api_root(struct exchange *exchange)
{
    CLEANUP(buf_free) struct buf json = BUF(ANSWER_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&json);
    struct taxii *taxii = exchange->taxii;

    jw_object_begin(&w);
    (void)pthread_rwlock_rdlock(&taxii->config_lock);
    jw_put_string(&w, SLICE("title"), slice_text(taxii->config.title));
    put_unless_empty(&w, SLICE("description"), taxii->config.description);
    (void)pthread_rwlock_unlock(&taxii->config_lock);
    jw_key(&w, SLICE("versions"));
    jw_array_begin(&w);
    jw_string(&w, SLICE(TAXII_MEDIA_TYPE));
    jw_array_end(&w);
    jw_put_u64(&w, SLICE("max_content_length"), exchange->limits.content_bytes);
    jw_object_end(&w);
    answer_json(exchange, 200, &json);
}

static void collection_write(struct json_writer *w, const struct collection *collection,
                             unsigned rights)
{
    char id[UUID_TEXT_BYTES];

    uuid_format(&collection->id, id);
    jw_object_begin(w);
    jw_put_string(w, SLICE("id"), slice_of(id, sizeof(id)));
    jw_put_string(w, SLICE("title"), slice_text(collection->title));
    put_unless_empty(w, SLICE("description"), collection->description);
    put_unless_empty(w, SLICE("alias"), collection->alias);
    jw_put_bool(w, SLICE("can_read"), (rights & RIGHT_READ) != 0);
    jw_put_bool(w, SLICE("can_write"), (rights & RIGHT_WRITE) != 0);
    jw_key(w, SLICE("media_types"));
    jw_array_begin(w);
    jw_string(w, SLICE(STIX_MEDIA_TYPE_21));
    jw_string(w, SLICE(STIX_MEDIA_TYPE_20));
    jw_array_end(w);
    jw_object_end(w);
}

/* In the order they were made, so the same on every request (3.3).  Without any the key is left out
 * (5.1.1). */
void get_collections(struct exchange *exchange)
{
    CLEANUP(buf_free) struct buf json = BUF(ANSWER_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&json);
    const struct account *account = exchange->is_known ? &exchange->account : NULL;
    struct collection collection = {0};
    bool any = false;

    jw_object_begin(&w);
    for (size_t i = 0; i < COLLECTIONS_LISTED_MAX; i++) {
        if (!store_collection_next(&exchange->view, collection.number, &collection))
            break;
        unsigned rights = account_rights(exchange->taxii->accounts, &exchange->view.txn, account,
                                         collection.number);
        if (rights == 0)
            continue; /* not there for this client, as in every other endpoint */
        if (!any) {
            jw_key(&w, SLICE("collections"));
            jw_array_begin(&w);
            any = true;
        }
        collection_write(&w, &collection, rights);
    }
    if (any)
        jw_array_end(&w);
    jw_object_end(&w);
    answer_json(exchange, 200, &json);
}

void get_collection(struct exchange *exchange)
{
    CLEANUP(buf_free) struct buf json = BUF(ANSWER_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&json);

    collection_write(&w, &exchange->collection, exchange->rights);
    answer_json(exchange, 200, &json);
}
