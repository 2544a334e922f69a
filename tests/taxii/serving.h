/* A TAXII server on a store of its own, asked without a network in between. */
#pragma once

#include <ftw.h>
#include <string.h>
#include <unistd.h>

#include "rows.h"
#include "taxii/server.h"

#define NOW_US INT64_C(1764000000000000) /* 2025-11-24T16:00:00Z */
#define MEDIA TAXII_MEDIA_TYPE

/* Collections: `open` to reader (r) and writer (rw); `drop`, where the writer may write and not
 * read; `secret`, granted to nobody: admins alone see it. */
enum { OPEN, DROP, SECRET, COLLECTIONS };

enum person { NOBODY, READER, WRITER, ADMIN, WRONG, PEOPLE };

struct serving {
    char folder[64];
    int64_t now_us;
    uint8_t chance;
    struct world world;
    struct config config;
    struct store *store;
    struct accounts *accounts;
    struct taxii *taxii;
    struct collection collections[COLLECTIONS];
    char tokens[PEOPLE][TOKEN_TEXT_BYTES_MAX + 16];
    struct json_parser *parser;

    /* the next question */
    const char *accept, *content_type, *encoding, *host;
    bool is_tls;
    /* the last answer */
    struct arena arena;
    struct http_request request;
    struct http_header headers[8];
    struct http_response response;
    struct buf body;
    struct json_doc doc; /* node_count 0: no body */
};

static inline int64_t serving_now_us(void *context)
{
    return ((struct serving *)context)->now_us;
}

static inline uint64_t serving_mono_ns(void *context)
{
    return (uint64_t)((struct serving *)context)->now_us * 1000;
}

static inline void serving_random(void *context, void *out, size_t bytes)
{
    struct serving *s = context;

    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)out)[i] = (uint8_t)(s->chance++ * 37 + i);
}

static inline void must(result r, const struct diag *diag)
{
    if (failed(r))
        print_error("# %s\n", diag->text);
    assert_true(succeeded(r));
}

static inline void serving_accounts(struct serving *s)
{
    static const struct {
        enum person person;
        slice name;
        unsigned roles;
    } people[] = {{READER, S("reader"), ROLE_READER},
                  {WRITER, S("writer"), ROLE_ANALYST},
                  {ADMIN, S("admin"), ROLE_ADMIN}};
    struct diag diag = {0};

    for (size_t i = 0; i < 3; i++) {
        struct account account;
        struct account_token token;
        char text[TOKEN_TEXT_BYTES_MAX];

        must(account_add(s->accounts, people[i].name, people[i].roles, SLICE(""), SLICE("test"),
                         &account, &diag),
             &diag);
        must(account_token_add(s->accounts, people[i].name, SLICE("t"), 0, SLICE("test"), text,
                               &token, &diag),
             &diag);
        (void)snprintf(s->tokens[people[i].person], sizeof(s->tokens[0]), "Bearer %s", text);
    }
    (void)snprintf(s->tokens[WRONG], sizeof(s->tokens[0]),
                   "Bearer ent_0000000000000000_0000000000000000000000000000000000000000000");
}

static inline void serving_grant(struct serving *s, slice name, int collection, unsigned rights)
{
    struct diag diag = {0};

    must(account_grant(s->accounts, name, s->collections[collection].number, rights, SLICE("test"),
                       &diag),
         &diag);
}

static inline void serving_collections(struct serving *s)
{
    static const struct {
        slice title, alias;
    } wanted[COLLECTIONS] = {
        {S("Open to many"), S("open")}, {S("Drop box"), S("drop")}, {S("Secret"), S("secret")}};
    struct diag diag = {0};

    for (size_t i = 0; i < COLLECTIONS; i++)
        must(store_collection_add(s->store, NULL, wanted[i].title, wanted[i].alias,
                                  SLICE("for tests"), SLICE("test"), &s->collections[i], &diag),
             &diag);
    serving_grant(s, SLICE("reader"), OPEN, RIGHT_READ);
    serving_grant(s, SLICE("writer"), OPEN, RIGHT_READ | RIGHT_WRITE);
    serving_grant(s, SLICE("writer"), DROP, RIGHT_WRITE);
}

static inline void serving_open(struct serving *s)
{
    struct store_options options = {.folder = s->folder,
                                    .map_bytes_max = (size_t)256 << 20,
                                    .create = true,
                                    .more_tables = account_tables,
                                    .world = &s->world};
    struct account_options accounts = {
        .login_failures_max = 3, .login_pause_s_max = 60, .world = &s->world};
    struct diag diag = {0};

    must(store_open(&options, &s->store, &diag), &diag);
    accounts.kv = store_kv(s->store);
    accounts.log = store_log_table(s->store);
    accounts.users = store_table(s->store, account_tables[0]);
    accounts.tokens = store_table(s->store, account_tables[1]);
    accounts.grants = store_table(s->store, account_tables[2]);
    must(accounts_open(&accounts, &s->accounts, &diag), &diag);
}

static inline void serving_start(struct serving *s)
{
    struct taxii_options options = {.store = s->store,
                                    .accounts = s->accounts,
                                    .config = &s->config,
                                    .world = &s->world,
                                    .folder = s->folder};
    struct diag diag = {0};

    must(taxii_new(&options, &s->taxii, &diag), &diag);
}

static inline int serving_setup(void **state)
{
    static struct serving serving;
    struct diag diag = {0};
    struct serving *s = &serving;

    *s = (struct serving){.now_us = NOW_US,
                          .accept = MEDIA,
                          .content_type = MEDIA,
                          .host = "node.example:6443",
                          .arena = ARENA((size_t)64 << 20),
                          .body = BUF((size_t)256 << 20)};
    s->world = (struct world){.now_us = serving_now_us,
                              .now_mono_ns = serving_mono_ns,
                              .random = serving_random,
                              .context = s};
    config_defaults(&s->config);
    must(crypto_start(&diag), &diag);
    (void)snprintf(s->folder, sizeof(s->folder), "/tmp/entente-taxii-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    must(json_parser_new(1000, &s->parser, &diag), &diag);
    serving_open(s);
    serving_accounts(s);
    serving_collections(s);
    serving_start(s);
    *state = s;
    return 0;
}

static inline int serving_unlink(const char *path, const struct stat *stat, int type,
                                 struct FTW *where)
{
    (void)stat;
    (void)type;
    (void)where;
    return remove(path);
}

static inline int serving_teardown(void **state)
{
    struct serving *s = *state;

    taxii_free(&s->taxii);
    accounts_close(&s->accounts);
    store_close(&s->store);
    json_parser_free(&s->parser);
    arena_free(&s->arena);
    buf_free(&s->body);
    return nftw(s->folder, serving_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- asking ---- */

static inline slice header_of(const struct serving *s, const char *name)
{
    for (size_t i = 0; i < s->response.header_count; i++)
        if (slice_eq_nocase(s->response.headers[i].name, slice_text(name)))
            return s->response.headers[i].value;
    return SLICE_NONE;
}

static inline size_t header_count_of(const struct serving *s, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < s->response.header_count; i++)
        count += slice_eq_nocase(s->response.headers[i].name, slice_text(name));
    return count;
}

static inline void header_add(struct serving *s, slice name, const char *value)
{
    if (value != NULL && value[0] != '\0')
        s->headers[s->request.header_count++] = (struct http_header){name, slice_text(value)};
}

static inline void request_make(struct serving *s, enum person who, enum http_method method,
                                const char *url, slice body)
{
    slice path, query;

    arena_reset(&s->arena);
    (void)slice_cut(slice_text(url), '?', &path, &query);
    s->request = (struct http_request){.method = method,
                                       .path = path,
                                       .query = query,
                                       .headers = s->headers,
                                       .body = body,
                                       .peer = SLICE("192.0.2.1"),
                                       .is_tls = s->is_tls,
                                       .arena = &s->arena};
    header_add(s, SLICE("Host"), s->host);
    header_add(s, SLICE("Accept"), s->accept);
    header_add(s, SLICE("Authorization"), s->tokens[who]);
    if (method == HTTP_POST)
        header_add(s, SLICE("Content-Type"), s->content_type);
    header_add(s, SLICE("Content-Encoding"), s->encoding);
    s->response = (struct http_response){0};
}

static inline const struct json_node *member(const struct serving *s, const char *key)
{
    return s->doc.node_count == 0 ? NULL : json_get(&s->doc, s->doc.nodes, slice_text(key));
}

/* The text of a string under `key` of an object, as written; empty when there is none. */
static inline slice text_of(const struct serving *s, const struct json_node *object,
                            const char *key)
{
    const struct json_node *node =
        object == NULL ? NULL : json_get(&s->doc, object, slice_text(key));

    return node == NULL || node->kind != JSON_STRING ? SLICE_NONE : json_inner(&s->doc, node);
}

static inline bool member_has_kind(const struct serving *s, const char *key, enum json_kind kind)
{
    const struct json_node *node = member(s, key);

    return node != NULL && node->kind == kind;
}

static inline bool member_is(const struct serving *s, const char *key, const char *value)
{
    const struct json_node *node = member(s, key);

    return node != NULL && json_is(&s->doc, node, slice_text(value));
}

/* What holds of every answer there is: its media type; an error's own account of its status. */
static inline void answer_check(struct serving *s)
{
    char status[12];
    struct diag diag = {0};

    assert_int_equal(header_count_of(s, "content-type"), 1);
    assert_true(slice_eq(header_of(s, "content-type"), SLICE(MEDIA)));
    assert_true(s->response.no_body == (s->request.method == HTTP_HEAD));
    s->doc = (struct json_doc){0};
    if (s->body.len > 0)
        must(json_parse_copy(s->parser, buf_slice(&s->body), &s->doc, &diag), &diag);
    if (s->response.status < 400)
        return;
    (void)snprintf(status, sizeof(status), "%d", s->response.status);
    assert_true(member_is(s, "http_status", status));
    assert_non_null(member(s, "title"));
    if (s->response.status == 401)
        assert_int_equal(header_count_of(s, "www-authenticate"), 2);
}

static inline void answer_take(struct serving *s)
{
    buf_reset(&s->body);
    buf_put(&s->body, s->response.head);
    buf_put(&s->body, s->response.middle);
    buf_put(&s->body, s->response.tail);
    if (s->response.release != NULL)
        s->response.release(s->response.release_context);
    answer_check(s);
}

static inline int ask(struct serving *s, enum person who, enum http_method method, const char *url,
                      slice body)
{
    request_make(s, who, method, url, body);
    taxii_handle(s->taxii, &s->request, &s->response);
    answer_take(s);
    return s->response.status;
}

static inline int get(struct serving *s, enum person who, const char *url)
{
    return ask(s, who, HTTP_GET, url, SLICE_NONE);
}

static inline int post(struct serving *s, enum person who, const char *url, slice body)
{
    return ask(s, who, HTTP_POST, url, body);
}

/* ---- objects to ask about ---- */

#define URL_BYTES 512

static inline const char *url_of(char out[URL_BYTES], const char *alias, const char *rest)
{
    (void)snprintf(out, URL_BYTES, "/api/collections/%s/%s", alias, rest);
    return out;
}

static inline void indicator_put(struct buf *out, unsigned number, const char *modified)
{
    buf_printf(out,
               "{\"type\":\"indicator\",\"spec_version\":\"2.1\","
               "\"id\":\"indicator--%08x-0000-4000-8000-000000000000\","
               "\"created\":\"2020-01-01T00:00:00.000Z\",\"modified\":\"%s\","
               "\"valid_from\":\"2020-01-01T00:00:00Z\",\"name\":\"number %u\","
               "\"pattern_type\":\"stix\",\"pattern\":\"[domain-name:value = 'd%u.example']\"}",
               number, modified, number, number);
}

static inline void address_put(struct buf *out, unsigned number)
{
    buf_printf(out,
               "{\"type\":\"ipv4-addr\",\"spec_version\":\"2.1\","
               "\"id\":\"ipv4-addr--%08x-0000-4000-8000-000000000000\",\"value\":\"192.0.2.%u\"}",
               number, number);
}

static inline void envelope_put(struct buf *out, unsigned from, unsigned count)
{
    buf_put(out, SLICE("{\"objects\":["));
    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            buf_byte(out, ',');
        indicator_put(out, from + i, "2020-01-01T00:00:00.000Z");
    }
    buf_put(out, SLICE("]}"));
}

/* `count` indicators, numbered from `from`, into the collection `open`. */
static inline void fill(struct serving *s, unsigned from, unsigned count)
{
    CLEANUP(buf_free) struct buf json = BUF((size_t)64 << 20);

    envelope_put(&json, from, count);
    assert_int_equal(post(s, WRITER, "/api/collections/open/objects/", buf_slice(&json)), 202);
    taxii_settle(s->taxii);
}

static inline uint64_t number_of(const struct serving *s, const char *key)
{
    int64_t value = -1;

    assert_true(json_i64(&s->doc, member(s, key), &value));
    return (uint64_t)value;
}

static inline size_t list_count(const struct serving *s, const char *key)
{
    const struct json_node *list = member(s, key);

    return list == NULL ? 0 : json_count(&s->doc, list);
}
