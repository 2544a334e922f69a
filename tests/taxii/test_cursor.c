#include "rows.h"
#include "taxii/server.h"

/* A request for a page, as far as cursors look at it. */
struct page_request {
    struct taxii taxii;
    struct exchange exchange;
    struct taxii_query query;
    struct timestamp version;
    slice type;
    enum stix_spec spec;
};

static void request_make(struct page_request *request)
{
    *request = (struct page_request){.version = {.us = 5}, .type = SLICE("indicator")};
    memset(request->taxii.next_key, 7, sizeof(request->taxii.next_key));
    request->exchange.taxii = &request->taxii;
    request->exchange.route.endpoint = ENDPOINT_OBJECTS;
    request->exchange.collection.id.bytes[0] = 1;
    request->query.store = (struct store_query){.has_added_after = true,
                                                .added_after_us = 9,
                                                .types = &request->type,
                                                .type_count = 1,
                                                .versions = &request->version,
                                                .version_count = 1,
                                                .specs = &request->spec,
                                                .spec_count = 1};
}

static void a_cursor_comes_back_as_its_position(void **state)
{
    static const uint64_t positions[] = {0, 1, 255, 1000000, UINT64_MAX};
    struct page_request request;
    char text[CURSOR_TEXT_BYTES];

    (void)state;
    request_make(&request);
    for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++) {
        uint64_t seq = 42;

        cursor_make(&request.exchange, &request.query, positions[i], text);
        request.query.next = slice_of(text, sizeof(text));
        assert_true(cursor_read(&request.exchange, &request.query, &seq));
        assert_true(seq == positions[i]);
        request.query.limit = 3; /* the limit may change from page to page */
        assert_true(cursor_read(&request.exchange, &request.query, &seq));
    }
}

static void every_bit_of_a_cursor_counts(void **state)
{
    struct page_request request;
    char text[CURSOR_TEXT_BYTES];
    uint64_t seq;

    (void)state;
    request_make(&request);
    cursor_make(&request.exchange, &request.query, 77, text);
    request.query.next = slice_of(text, sizeof(text));
    for (size_t i = 0; i < sizeof(text); i++) {
        char kept = text[i];

        text[i] = kept == 'A' ? 'B' : 'A';
        assert_false(cursor_read(&request.exchange, &request.query, &seq));
        text[i] = kept;
    }
    assert_true(cursor_read(&request.exchange, &request.query, &seq));
    request.query.next = slice_of(text, sizeof(text) - 1);
    assert_false(cursor_read(&request.exchange, &request.query, &seq));
    request.query.next = SLICE("77");
    assert_false(cursor_read(&request.exchange, &request.query, &seq));
}

static void change_key(struct page_request *r)
{
    r->taxii.next_key[31] = 0;
}
static void change_endpoint(struct page_request *r)
{
    r->exchange.route.endpoint = ENDPOINT_MANIFEST;
}
static void change_collection(struct page_request *r)
{
    r->exchange.collection.id.bytes[15] = 1;
}
static void change_object(struct page_request *r)
{
    r->exchange.route.object = SLICE("x");
}
static void change_added_after(struct page_request *r)
{
    r->query.store.added_after_us++;
}
static void change_type(struct page_request *r)
{
    r->type = SLICE("malware");
}
static void drop_type(struct page_request *r)
{
    r->query.store.type_count = 0;
}
static void type_becomes_id(struct page_request *r)
{
    r->query.store.type_count = 0;
    r->query.store.ids = &r->type;
    r->query.store.id_count = 1;
}
static void change_version(struct page_request *r)
{
    r->version.rest = 1;
}
static void change_keyword(struct page_request *r)
{
    r->query.store.version_first = true;
}
static void change_spec(struct page_request *r)
{
    r->spec = STIX_21;
}

static const struct {
    const char *name;
    void (*change)(struct page_request *);
} changes[] = {
    {"another server's", change_key},
    {"another endpoint", change_endpoint},
    {"another collection", change_collection},
    {"another object", change_object},
    {"another added_after", change_added_after},
    {"another type", change_type},
    {"no type", drop_type},
    {"an id for a type", type_becomes_id},
    {"another version", change_version},
    {"a keyword more", change_keyword},
    {"another specification", change_spec},
};

static void a_cursor_belongs_to_its_query(void **state)
{
    (void)state;
    CHECK_ROWS(row, changes) {
        struct page_request request;
        char text[CURSOR_TEXT_BYTES];
        uint64_t seq;

        request_make(&request);
        cursor_make(&request.exchange, &request.query, 77, text);
        request.query.next = slice_of(text, sizeof(text));
        row->change(&request);
        assert_false(cursor_read(&request.exchange, &request.query, &seq));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cursor_comes_back_as_its_position),
        cmocka_unit_test(every_bit_of_a_cursor_counts),
        cmocka_unit_test(a_cursor_belongs_to_its_query),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
