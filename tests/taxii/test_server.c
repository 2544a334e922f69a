/* Who may ask for what, and in which media type: the first half of every answer. */
#include "taxii/serving.h"

static void discovery_names_the_root_that_is_there(void **state)
{
    struct serving *s = *state;

    assert_int_equal(get(s, READER, "/taxii2/"), 200);
    assert_true(member_is(s, "title", s->config.title));
    assert_true(member_is(s, "default", "/api/"));
    assert_int_equal(list_count(s, "api_roots"), 1);
    assert_true(json_is(&s->doc, member(s, "api_roots") + 1, SLICE("/api/")));
    assert_null(member(s, "contact")); /* empty: left out */
    assert_int_equal(get(s, READER, "/api/"), 200);
}

static const struct {
    const char *name;
    bool is_tls;
    const char *host, *public_url, *root;
} root_urls[] = {
    {"plain HTTP: relative", false, "node.example", "", "/api/"},
    {"TLS: where the client came", true, "node.example:6443", "", "https://node.example:6443/api/"},
    {"TLS, IPv6", true, "[2001:db8::1]:6443", "", "https://[2001:db8::1]:6443/api/"},
    {"TLS, no Host", true, NULL, "", "/api/"},
    {"TLS, a Host with a path", true, "node.example/x", "", "/api/"},
    {"TLS, a Host with quotes", true, "a\"b", "", "/api/"},
    {"as told", false, "10.0.0.1", "https://intel.example/", "https://intel.example/api/"},
    {"as told, below a path", true, "10.0.0.1", "https://intel.example/node",
     "https://intel.example/node/api/"},
    {"no HTTPS: not told", false, "10.0.0.1", "http://intel.example", "/api/"},
};

static void root_urls_are_https_or_relative(void **state)
{
    struct serving *s = *state;

    CHECK_ROWS(row, root_urls) {
        (void)snprintf(s->config.public_url, sizeof(s->config.public_url), "%s", row->public_url);
        taxii_configure(s->taxii, &s->config);
        s->is_tls = row->is_tls;
        s->host = row->host;
        assert_int_equal(get(s, READER, "/taxii2/"), 200);
        assert_true(member_is(s, "default", row->root));
    }
}

static void the_root_says_what_it_speaks_and_takes(void **state)
{
    struct serving *s = *state;

    s->config.taxii_content_bytes_max = 123456;
    (void)snprintf(s->config.description, sizeof(s->config.description), "said here");
    taxii_configure(s->taxii, &s->config);
    assert_int_equal(get(s, READER, "/api/"), 200);
    assert_true(member_is(s, "title", s->config.title));
    assert_true(member_is(s, "description", "said here"));
    assert_int_equal(list_count(s, "versions"), 1);
    assert_true(json_is(&s->doc, member(s, "versions") + 1, SLICE(MEDIA)));
    assert_int_equal(number_of(s, "max_content_length"), 123456);
}

static void the_root_moves_with_its_setting(void **state)
{
    struct serving *s = *state;

    (void)snprintf(s->config.api_root, sizeof(s->config.api_root), "trust/one");
    taxii_configure(s->taxii, &s->config);
    assert_int_equal(get(s, READER, "/api/"), 404);
    assert_int_equal(get(s, READER, "/trust/one/"), 200);
    assert_int_equal(get(s, READER, "/taxii2/"), 200);
    assert_true(member_is(s, "default", "/trust/one/"));
}

#define OBJECT "indicator--00000001-0000-4000-8000-000000000000"

/* Each endpoint asked by each person.  The collections' own names stand in the URL. */
static const struct {
    const char *name;
    enum http_method method;
    const char *url;
    int status[PEOPLE]; /* NOBODY, READER, WRITER, ADMIN, WRONG */
} rights[] = {
    {"discovery", HTTP_GET, "/taxii2/", {401, 200, 200, 200, 401}},
    {"root", HTTP_GET, "/api/", {401, 200, 200, 200, 401}},
    {"collections", HTTP_GET, "/api/collections/", {401, 200, 200, 200, 401}},
    {"open", HTTP_GET, "/api/collections/open/", {401, 200, 200, 200, 401}},
    {"open, no slash", HTTP_GET, "/api/collections/open", {401, 200, 200, 200, 401}},
    {"open, objects", HTTP_GET, "/api/collections/open/objects/", {401, 200, 200, 200, 401}},
    {"open, manifest", HTTP_GET, "/api/collections/open/manifest/", {401, 200, 200, 200, 401}},
    {"open, object",
     HTTP_GET,
     "/api/collections/open/objects/" OBJECT "/",
     {401, 200, 200, 200, 401}},
    {"open, versions",
     HTTP_GET,
     "/api/collections/open/objects/" OBJECT "/versions/",
     {401, 200, 200, 200, 401}},
    {"open, HEAD", HTTP_HEAD, "/api/collections/open/objects/", {401, 200, 200, 200, 401}},
    {"open, POST", HTTP_POST, "/api/collections/open/objects/", {401, 403, 422, 422, 401}},
    {"open, DELETE",
     HTTP_DELETE,
     "/api/collections/open/objects/indicator--ffffffff-0000-4000-8000-000000000000/",
     {401, 403, 404, 404, 401}},
    {"drop", HTTP_GET, "/api/collections/drop/", {401, 404, 200, 200, 401}},
    {"drop, objects", HTTP_GET, "/api/collections/drop/objects/", {401, 404, 403, 200, 401}},
    {"drop, manifest", HTTP_GET, "/api/collections/drop/manifest/", {401, 404, 403, 200, 401}},
    {"drop, object",
     HTTP_GET,
     "/api/collections/drop/objects/" OBJECT "/",
     {401, 404, 403, 404, 401}},
    {"drop, versions",
     HTTP_GET,
     "/api/collections/drop/objects/" OBJECT "/versions/",
     {401, 404, 403, 404, 401}},
    {"drop, POST", HTTP_POST, "/api/collections/drop/objects/", {401, 404, 422, 422, 401}},
    {"drop, DELETE",
     HTTP_DELETE,
     "/api/collections/drop/objects/" OBJECT "/",
     {401, 404, 403, 404, 401}},
    {"secret", HTTP_GET, "/api/collections/secret/", {401, 404, 404, 200, 401}},
    {"secret, objects", HTTP_GET, "/api/collections/secret/objects/", {401, 404, 404, 200, 401}},
    {"secret, POST", HTTP_POST, "/api/collections/secret/objects/", {401, 404, 404, 422, 401}},
    {"secret, DELETE",
     HTTP_DELETE,
     "/api/collections/secret/objects/" OBJECT "/",
     {401, 404, 404, 404, 401}},
    {"no collection", HTTP_GET, "/api/collections/none/objects/", {401, 404, 404, 404, 401}},
    {"no status",
     HTTP_GET,
     "/api/status/2d086da7-4bdc-4f91-900e-d77486753710/",
     {401, 404, 404, 404, 401}},
    {"status of no UUID", HTTP_GET, "/api/status/7/", {401, 404, 404, 404, 401}},
    {"no path of TAXII", HTTP_GET, "/api/channels/", {404, 404, 404, 404, 401}},
    {"TAXII 1", HTTP_GET, "/taxii/", {404, 404, 404, 404, 401}},
    {"a method of another endpoint",
     HTTP_DELETE,
     "/api/collections/open/",
     {401, 405, 405, 405, 401}},
    {"POST to the manifest",
     HTTP_POST,
     "/api/collections/open/manifest/",
     {401, 405, 405, 405, 401}},
    {"PUT", HTTP_PUT, "/api/collections/open/objects/", {401, 405, 405, 405, 401}},
    {"no known method", HTTP_OTHER, "/taxii2/", {401, 405, 405, 405, 401}},
    {"OPTIONS", HTTP_OPTIONS, "/api/collections/open/objects/", {401, 200, 200, 200, 401}},
};

static void everyone_gets_what_is_theirs(void **state)
{
    struct serving *s = *state;

    fill(s, 1, 1);
    CHECK_ROWS(row, rights) {
        for (enum person who = NOBODY; who < WRONG; who++)
            assert_int_equal(ask(s, who, row->method, row->url, SLICE_NONE), row->status[who]);
    }
}

static void a_wrong_token_opens_nothing(void **state)
{
    struct serving *s = *state;

    s->config.login_failures_max = 1000;
    CHECK_ROWS(row, rights) {
        int status = ask(s, WRONG, row->method, row->url, SLICE_NONE);

        assert_true(status == 401 || status == 429);
        if (status == 401)
            assert_true(slice_starts(header_of(s, "www-authenticate"), SLICE("Basic realm=")));
        s->now_us += INT64_C(3600000000); /* past any pause */
    }
}

static void who_fails_again_and_again_has_to_wait(void **state)
{
    struct serving *s = *state;
    int status = 0;

    for (int i = 0; i < 20 && status != 429; i++)
        status = get(s, WRONG, "/taxii2/");
    assert_int_equal(status, 429);
    uint64_t seconds = 0;
    assert_true(parse_u64(header_of(s, "retry-after"), &seconds));
    assert_true(seconds > 0 && seconds <= 60);
}

static void methods_that_are_not_there_name_those_that_are(void **state)
{
    struct serving *s = *state;

    assert_int_equal(ask(s, READER, HTTP_PUT, "/api/collections/open/objects/", SLICE_NONE), 405);
    assert_true(slice_eq(header_of(s, "allow"), SLICE("GET, HEAD, POST, OPTIONS")));
    assert_int_equal(ask(s, READER, HTTP_OPTIONS, "/taxii2/", SLICE_NONE), 200);
    assert_true(slice_eq(header_of(s, "allow"), SLICE("GET, HEAD, OPTIONS")));
    assert_int_equal(
        ask(s, READER, HTTP_OPTIONS, "/api/collections/open/objects/" OBJECT "/", SLICE_NONE), 200);
    assert_true(slice_eq(header_of(s, "allow"), SLICE("GET, HEAD, DELETE, OPTIONS")));
}

static void anonymous_sees_what_is_granted_to_it(void **state)
{
    struct serving *s = *state;

    serving_grant(s, SLICE(ACCOUNT_ANONYMOUS), OPEN, RIGHT_READ);
    assert_int_equal(get(s, NOBODY, "/taxii2/"), 200);
    assert_int_equal(get(s, NOBODY, "/api/"), 200);
    assert_int_equal(get(s, NOBODY, "/api/collections/"), 200);
    assert_int_equal(list_count(s, "collections"), 1);
    assert_int_equal(get(s, NOBODY, "/api/collections/open/objects/"), 200);
    assert_int_equal(post(s, NOBODY, "/api/collections/open/objects/", SLICE("{}")), 401);
    assert_int_equal(get(s, NOBODY, "/api/collections/drop/"), 401);
    assert_int_equal(get(s, NOBODY, "/api/collections/none/"),
                     401);                            /* told apart from drop by nothing */
    assert_int_equal(get(s, WRONG, "/taxii2/"), 401); /* wrong is worse than none */
}

static void listed(struct serving *s, enum person who, size_t count, unsigned first_rights)
{
    struct json_each each;

    assert_int_equal(get(s, who, "/api/collections/"), 200);
    assert_int_equal(list_count(s, "collections"), count);
    each = json_each(&s->doc, member(s, "collections"));
    assert_true(json_next(&each));
    const struct json_node *can_read = json_get(&s->doc, each.value, SLICE("can_read"));
    const struct json_node *can_write = json_get(&s->doc, each.value, SLICE("can_write"));
    assert_true(can_read->kind == ((first_rights & RIGHT_READ) ? JSON_TRUE : JSON_FALSE));
    assert_true(can_write->kind == ((first_rights & RIGHT_WRITE) ? JSON_TRUE : JSON_FALSE));
}

static void collections_are_listed_with_the_rights_of_who_asks(void **state)
{
    struct serving *s = *state;

    listed(s, READER, 1, RIGHT_READ);
    listed(s, WRITER, 2, RIGHT_READ | RIGHT_WRITE);
    listed(s, ADMIN, COLLECTIONS, RIGHT_READ | RIGHT_WRITE);
}

static void a_list_without_collections_is_an_empty_object(void **state)
{
    struct serving *s = *state;

    serving_grant(s, SLICE("reader"), OPEN, 0);
    assert_int_equal(get(s, READER, "/api/collections/"), 200);
    assert_true(slice_eq(buf_slice(&s->body), SLICE("{}")));
}

static void a_collection_has_all_its_members(void **state)
{
    struct serving *s = *state;
    char id[UUID_TEXT_BYTES + 1] = "", url[URL_BYTES];
    struct uuid uuid;

    uuid_format(&s->collections[OPEN].id, id);
    assert_int_equal(get(s, READER, url_of(url, id, "")), 200);
    assert_true(member_is(s, "id", id));
    assert_true(member_is(s, "title", "Open to many"));
    assert_true(member_is(s, "alias", "open"));
    assert_true(member_is(s, "description", "for tests"));
    assert_true(member_has_kind(s, "can_read", JSON_TRUE));
    assert_true(member_has_kind(s, "can_write", JSON_FALSE));
    assert_true(json_is(&s->doc, member(s, "media_types") + 1, SLICE(STIX_MEDIA_TYPE_21)));
    assert_int_equal(list_count(s, "media_types"), 2);
    assert_true(uuid_parse(slice_text(id), &uuid) && uuid_version(&uuid) == 4 &&
                uuid_is_rfc(&uuid));
}

static void an_alias_stands_for_one_collection(void **state)
{
    struct serving *s = *state;
    struct collection second;
    struct diag diag = {0};
    result r = store_collection_add(s->store, NULL, SLICE("Another"), SLICE("open"), SLICE(""),
                                    SLICE("test"), &second, &diag);

    assert_int_equal(r.code, ERR_CONFLICT);
    assert_int_equal(get(s, READER, "/api/collections/open/"), 200);
    assert_true(member_is(s, "title", "Open to many"));
}

static void collections_come_in_the_same_order_every_time(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf first = BUF(1 << 20);

    assert_int_equal(get(s, ADMIN, "/api/collections/"), 200);
    buf_put(&first, buf_slice(&s->body));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(get(s, ADMIN, "/api/collections/"), 200);
        assert_true(slice_eq(buf_slice(&first), buf_slice(&s->body)));
    }
}

static const char *const acceptable[] = {
    NULL,
    "application/taxii+json;version=2.1",
    "application/taxii+json",
    "*/*",
    "application/*",
    "Application/TAXII+json ; Version=\"2.1\";q=0.3, text/html;q=0.1"};
static const char *const unacceptable[] = {"application/taxii+json;version=2.0", "application/json",
                                           "text/html", "application/vnd.oasis.stix+json"};

static void every_endpoint_asks_for_its_media_type(void **state)
{
    struct serving *s = *state;

    fill(s, 1, 1);
    CHECK_ROWS(row, rights) {
        if (row->method != HTTP_GET && row->method != HTTP_HEAD)
            continue;
        for (size_t i = 0; i < sizeof(acceptable) / sizeof(acceptable[0]); i++) {
            s->accept = acceptable[i];
            assert_int_equal(ask(s, WRITER, row->method, row->url, SLICE_NONE),
                             row->status[WRITER]);
        }
        for (size_t i = 0; row->status[WRITER] == 200 && i < 4; i++) {
            s->accept = unacceptable[i];
            assert_int_equal(ask(s, WRITER, row->method, row->url, SLICE_NONE), 406);
        }
    }
}

static void head_answers_as_get_without_a_body(void **state)
{
    struct serving *s = *state;

    fill(s, 1, 3);
    assert_int_equal(get(s, READER, "/api/collections/open/objects/"), 200);
    size_t headers = s->response.header_count, bytes = s->body.len;
    assert_int_equal(ask(s, READER, HTTP_HEAD, "/api/collections/open/objects/", SLICE_NONE), 200);
    assert_true(s->response.no_body);
    assert_int_equal(s->response.header_count, headers);
    assert_int_equal(s->body.len, bytes); /* for Content-Length */
}

static void the_servers_own_refusals_are_worded_as_ours(void **state)
{
    static const int statuses[] = {400, 408, 411, 413, 414, 417, 431, 501, 505, 500, 599};
    struct serving *s = *state;

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        request_make(s, NOBODY, HTTP_GET, "/x", SLICE_NONE);
        taxii_refuse(s->taxii, statuses[i], &s->request, &s->response);
        answer_take(s);
        assert_int_equal(s->response.status, statuses[i]);
        s->response = (struct http_response){0};
        taxii_refuse(s->taxii, statuses[i], NULL, &s->response);
        assert_true(slice_eq(header_of(s, "content-type"), SLICE(MEDIA)));
        assert_true(slice_starts(s->response.head, SLICE("{\"title\":\"")));
    }
}

static void errors_have_names_of_their_own(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf first = BUF(1 << 16);
    struct uuid uuid;

    assert_int_equal(get(s, READER, "/api/nothing/"), 404);
    slice id = json_string(&s->doc, member(s, "error_id"), &s->arena);
    assert_true(uuid_parse(id, &uuid));
    assert_non_null(member(s, "description"));
    assert_true(member_has_kind(s, "http_status", JSON_STRING));
    buf_put(&first, id);
    assert_int_equal(get(s, READER, "/api/nothing/"), 404);
    assert_false(member_is(s, "error_id", ""));
    assert_false(json_is(&s->doc, member(s, "error_id"), buf_slice(&first)));
}

static void the_key_of_next_is_kept_in_the_folder(void **state)
{
    struct serving *s = *state;
    uint8_t first[TAXII_KEY_BYTES], second[TAXII_KEY_BYTES];
    struct diag diag = {0};
    char path[128];

    must(taxii_key_load(s->folder, &s->world, first, &diag), &diag);
    must(taxii_key_load(s->folder, &s->world, second, &diag), &diag);
    assert_memory_equal(first, second, TAXII_KEY_BYTES);
    (void)snprintf(path, sizeof(path), "%s/next.key", s->folder);
    assert_int_equal(truncate(path, 7), 0);
    result r = taxii_key_load(s->folder, &s->world, second, &diag);
    assert_int_equal(r.code, ERR_CORRUPT);
    assert_int_equal(unlink(path), 0);
    diag_reset(&diag);
    r = taxii_key_load("/nonexistent", &s->world, second, &diag);
    assert_true(failed(r) && diag.text[0] != '\0');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, serving_setup, serving_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(discovery_names_the_root_that_is_there),
        TEST(root_urls_are_https_or_relative),
        TEST(the_root_says_what_it_speaks_and_takes),
        TEST(the_root_moves_with_its_setting),
        TEST(everyone_gets_what_is_theirs),
        TEST(a_wrong_token_opens_nothing),
        TEST(who_fails_again_and_again_has_to_wait),
        TEST(methods_that_are_not_there_name_those_that_are),
        TEST(anonymous_sees_what_is_granted_to_it),
        TEST(collections_are_listed_with_the_rights_of_who_asks),
        TEST(a_list_without_collections_is_an_empty_object),
        TEST(a_collection_has_all_its_members),
        TEST(an_alias_stands_for_one_collection),
        TEST(collections_come_in_the_same_order_every_time),
        TEST(every_endpoint_asks_for_its_media_type),
        TEST(head_answers_as_get_without_a_body),
        TEST(the_servers_own_refusals_are_worded_as_ours),
        TEST(errors_have_names_of_their_own),
        TEST(the_key_of_next_is_kept_in_the_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
