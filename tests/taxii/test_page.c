/* Pages: what a query finds, in which order, and how one gets to the next page. */
#include "base/encode.h"
#include "taxii/serving.h"

#define OBJECTS "/api/collections/open/objects/"
#define MANIFEST "/api/collections/open/manifest/"

static char *url_with(char out[URL_BYTES * 2], const char *base, const char *query)
{
    (void)snprintf(out, URL_BYTES * 2, "%s?%s", base, query);
    return out;
}

/* The number in an indicator's id, as serving.h makes them. */
static unsigned id_number(const struct serving *s, const struct json_node *object)
{
    slice id = slice_from(text_of(s, object, "id"), SLICE("indicator--").len);
    uint8_t bytes[4] = {0};

    assert_int_equal(id.len, UUID_TEXT_BYTES);
    assert_true(hex_decode(slice_head(id, 8), bytes, sizeof(bytes)));
    return (unsigned)bytes[0] << 24 | (unsigned)bytes[1] << 16 | (unsigned)bytes[2] << 8 | bytes[3];
}

/* `next` of the last answer, escaped for nothing: it needs none. */
static bool next_of(const struct serving *s, char out[CURSOR_TEXT_BYTES + 1])
{
    const struct json_node *next = member(s, "next");

    if (!member_has_kind(s, "more", JSON_TRUE) || next == NULL)
        return false;
    assert_int_equal(next->len, CURSOR_TEXT_BYTES);
    memcpy(out, s->doc.text.at + next->at, CURSOR_TEXT_BYTES);
    out[CURSOR_TEXT_BYTES] = '\0';
    return true;
}

/* Walk all pages and check that the objects are from..from+count-1, each once, in order. */
static unsigned walk(struct serving *s, const char *base, const char *query, unsigned from,
                     unsigned count)
{
    char url[URL_BYTES * 2], next[CURSOR_TEXT_BYTES + 1] = "";
    unsigned seen = 0, pages = 0;

    (void)snprintf(url, sizeof(url), "%s?%s", base, query);
    do {
        assert_int_equal(get(s, READER, url), 200);
        pages++;
        for (struct json_each each = json_each(&s->doc, member(s, "objects")); json_next(&each);)
            assert_int_equal(id_number(s, each.value), from + seen++);
        assert_true(seen <= count);
        bool more = next_of(s, next);
        assert_true(more == (seen < count));
        (void)snprintf(url, sizeof(url), "%s?%s&next=%s", base, query, next);
    } while (seen < count);
    return pages;
}

static void pages_give_every_object_once_and_in_order(void **state)
{
    struct serving *s = *state;

    fill(s, 0, 20);
    fill(s, 20, 17);
    assert_int_equal(walk(s, OBJECTS, "limit=1", 0, 37), 37);
    assert_int_equal(walk(s, OBJECTS, "limit=10", 0, 37), 4);
    assert_int_equal(walk(s, OBJECTS, "limit=37", 0, 37), 1);
    assert_int_equal(walk(s, OBJECTS, "limit=1000000000", 0, 37), 1);
    assert_int_equal(walk(s, OBJECTS, "", 0, 37), 1);
    assert_int_equal(walk(s, MANIFEST, "limit=7", 0, 37), 6);
    assert_int_equal(walk(s, OBJECTS, "limit=5&match[type]=indicator", 0, 37), 8);
}

static void the_server_has_limits_of_its_own(void **state)
{
    struct serving *s = *state;

    fill(s, 0, 30);
    s->config.taxii_page_objects = 8;
    s->config.taxii_page_objects_max = 12;
    taxii_configure(s->taxii, &s->config);
    assert_int_equal(walk(s, OBJECTS, "", 0, 30), 4);
    assert_int_equal(walk(s, OBJECTS, "limit=1000000000", 0, 30), 3);
    s->config.taxii_page_bytes_max = 1; /* one object always fits */
    taxii_configure(s->taxii, &s->config);
    assert_int_equal(walk(s, OBJECTS, "limit=12", 0, 30), 30);
}

static void pages_go_on_while_others_write(void **state)
{
    struct serving *s = *state;
    char url[URL_BYTES * 2] = OBJECTS "?limit=3", next[CURSOR_TEXT_BYTES + 1];
    unsigned written = 10, seen = 0;
    bool more;

    fill(s, 0, 10);
    do {
        assert_int_equal(get(s, READER, url), 200);
        for (struct json_each each = json_each(&s->doc, member(s, "objects")); json_next(&each);)
            assert_int_equal(id_number(s, each.value), seen++);
        more = next_of(s, next);
        (void)snprintf(url, sizeof(url), OBJECTS "?limit=3&next=%s", next);
        if (written < 40) {
            fill(s, written, 3);
            written += 3;
        }
    } while (more);
    assert_int_equal(seen, 40);
}

static void added_after_goes_on_where_the_last_header_said(void **state)
{
    struct serving *s = *state;
    char query[128] = "limit=4";
    unsigned seen = 0;
    size_t count;

    fill(s, 0, 11);
    do {
        char url[URL_BYTES * 2];

        assert_int_equal(get(s, READER, url_with(url, OBJECTS, query)), 200);
        count = list_count(s, "objects");
        for (struct json_each each = json_each(&s->doc, member(s, "objects")); json_next(&each);)
            assert_int_equal(id_number(s, each.value), seen++);
        (void)snprintf(query, sizeof(query), "limit=4&added_after=%.*s",
                       SLICE_ARG(header_of(s, "x-taxii-date-added-last")));
    } while (count > 0);
    assert_int_equal(seen, 11);
}

static void dates_of_additions_strictly_increase(void **state)
{
    struct serving *s = *state;
    struct timestamp before = {.us = INT64_MIN}, date;

    fill(s, 0, 5);
    s->now_us -= INT64_C(86400000000); /* the clock jumps back a day */
    fill(s, 5, 5);
    assert_int_equal(get(s, READER, MANIFEST), 200);
    assert_int_equal(list_count(s, "objects"), 10);
    for (struct json_each each = json_each(&s->doc, member(s, "objects")); json_next(&each);) {
        slice text = text_of(s, each.value, "date_added");

        assert_int_equal(text.len, SLICE("YYYY-MM-DDTHH:MM:SS.ssssssZ").len);
        assert_true(timestamp_parse(text, &date));
        assert_true(timestamp_cmp(&before, &date) < 0);
        before = date;
    }
}

static void the_headers_hold_the_first_and_last_date(void **state)
{
    static const char *const urls[] = {
        OBJECTS, MANIFEST, OBJECTS "indicator--00000001-0000-4000-8000-000000000000/",
        OBJECTS "indicator--00000001-0000-4000-8000-000000000000/versions/"};
    struct serving *s = *state;
    char first[64], last[64];
    size_t i = 0;

    fill(s, 0, 3);
    assert_int_equal(get(s, READER, MANIFEST), 200);
    for (struct json_each each = json_each(&s->doc, member(s, "objects")); json_next(&each); i++) {
        slice date = text_of(s, each.value, "date_added");

        if (i == 0)
            (void)snprintf(first, sizeof(first), "%.*s", SLICE_ARG(date));
        (void)snprintf(last, sizeof(last), "%.*s", SLICE_ARG(date));
    }
    assert_true(slice_eq(header_of(s, "x-taxii-date-added-first"), slice_text(first)));
    assert_true(slice_eq(header_of(s, "x-taxii-date-added-last"), slice_text(last)));
    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct timestamp date;

        assert_int_equal(get(s, READER, urls[i]), 200);
        assert_true(timestamp_parse(header_of(s, "x-taxii-date-added-first"), &date));
        assert_true(timestamp_parse(header_of(s, "x-taxii-date-added-last"), &date));
    }
}

static void an_answer_without_objects_is_an_empty_envelope(void **state)
{
    static const char *const queries[] = {
        OBJECTS "?match[type]=malware",
        OBJECTS "?match[spec_version]=3.0",
        OBJECTS "?match[spec_version]=2.0",
        OBJECTS "?match[id]=7",
        OBJECTS "?added_after=2100-01-01T00:00:00Z",
        MANIFEST "?match[type]=malware",
        OBJECTS "indicator--00000001-0000-4000-8000-000000000000/"
                "?match[version]=1999-01-01T00:00:00Z",
        OBJECTS "indicator--00000001-0000-4000-8000-000000000000/versions/"
                "?added_after=2100-01-01T00:00:00Z"};
    struct serving *s = *state;

    fill(s, 0, 3);
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        assert_int_equal(get(s, READER, queries[i]), 200);
        assert_true(slice_eq(buf_slice(&s->body), SLICE("{}")));
        assert_int_equal(header_count_of(s, "x-taxii-date-added-first"), 1);
        assert_int_equal(header_count_of(s, "x-taxii-date-added-last"), 1);
    }
    assert_int_equal(get(s, READER, OBJECTS "?added_after=2100-01-01T00:00:00Z"), 200);
    assert_true(
        slice_eq(header_of(s, "x-taxii-date-added-last"), SLICE("2100-01-01T00:00:00.000000Z")));
}

/* Collection and endpoint the value is taken from, then where it is used. */
static const struct {
    const char *name, *use;
    enum person who;
    int status;
} uses[] = {
    {"where it came from", OBJECTS "?limit=2&match[type]=indicator", READER, 200},
    {"another limit", OBJECTS "?limit=3&match[type]=indicator", READER, 200},
    {"another user of the same right", OBJECTS "?match[type]=indicator", WRITER, 200},
    {"no filter", OBJECTS "?limit=2", READER, 400},
    {"another filter", OBJECTS "?match[type]=malware", READER, 400},
    {"another added_after", OBJECTS "?match[type]=indicator&added_after=2020-01-01T00:00:00Z",
     READER, 400},
    {"the manifest", MANIFEST "?match[type]=indicator", READER, 400},
    {"another collection", "/api/collections/drop/objects/?match[type]=indicator", ADMIN, 400},
    {"no right to it", "/api/collections/secret/objects/?match[type]=indicator", READER, 404},
    {"nobody", OBJECTS "?match[type]=indicator", NOBODY, 401},
};

static void next_is_read_again_with_its_query_and_rights(void **state)
{
    struct serving *s = *state;
    char next[CURSOR_TEXT_BYTES + 1], url[URL_BYTES * 2];

    fill(s, 0, 5);
    CHECK_ROWS(row, uses) {
        assert_int_equal(get(s, READER, OBJECTS "?limit=2&match[type]=indicator"), 200);
        assert_true(next_of(s, next));
        (void)snprintf(url, sizeof(url), "%s&next=%s", row->use, next);
        assert_int_equal(get(s, row->who, url), row->status);
    }
    assert_int_equal(get(s, READER, OBJECTS "?next=forged"), 400);
    assert_int_equal(get(s, READER, OBJECTS "?next=00000000000000000000000000000000"), 400);
    assert_int_equal(get(s, READER, OBJECTS "?next=2"), 400);
    serving_grant(s, SLICE("reader"), OPEN, 0); /* the right goes between two pages */
    (void)snprintf(url, sizeof(url), OBJECTS "?limit=2&match[type]=indicator&next=%s", next);
    assert_int_equal(get(s, READER, url), 404);
}

static const char *const malformed[] = {"limit=0",
                                        "limit=-1",
                                        "limit=abc",
                                        "limit=",
                                        "limit=1&limit=1",
                                        "added_after=yesterday",
                                        "added_after=",
                                        "match[version]=newest",
                                        "match[version]=all,last",
                                        "match[version]=2018-03-02T01:01:01Z,2018-03-02T01:01:01Z",
                                        "match[type]=",
                                        "match[type]=a&match[type]=b",
                                        "match[spec_version]=x",
                                        "match[id]=,",
                                        "next=",
                                        "limit=%zz"};

static void malformed_queries_are_400_with_words(void **state)
{
    struct serving *s = *state;
    char url[URL_BYTES * 2];

    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        assert_int_equal(get(s, READER, url_with(url, OBJECTS, malformed[i])), 400);
        assert_non_null(member(s, "description"));
        assert_int_equal(get(s, READER, url_with(url, MANIFEST, malformed[i])), 400);
    }
}

/* ---- versions and specifications ---- */

#define TWO "indicator--00000002-0000-4000-8000-000000000000"
#define V1 "2020-01-01T00:00:00.000Z"
#define V2 "2021-01-01T00:00:00.000Z"
#define V3 "2022-01-01T00:00:00.000Z"

/* Object 2 in three versions, the second added last; object 3 in one; an address. */
static void fill_versions(struct serving *s)
{
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);

    buf_put(&json, SLICE("{\"objects\":["));
    indicator_put(&json, 2, V1);
    buf_byte(&json, ',');
    indicator_put(&json, 2, V3);
    buf_byte(&json, ',');
    indicator_put(&json, 2, V2);
    buf_byte(&json, ',');
    indicator_put(&json, 3, V1);
    buf_byte(&json, ',');
    address_put(&json, 4);
    buf_put(&json, SLICE("]}"));
    assert_int_equal(post(s, WRITER, OBJECTS, buf_slice(&json)), 202);
    assert_int_equal(number_of(s, "success_count"), 5);
}

static const struct {
    const char *name, *query, *versions; /* in order of addition */
} versions[] = {
    {"last by default", "match[id]=" TWO, V3},
    {"last", "match[version]=last&match[id]=" TWO, V3},
    {"first", "match[version]=first&match[id]=" TWO, V1},
    {"first and last", "match[version]=first,last&match[id]=" TWO, V1 "," V3},
    {"all", "match[version]=all&match[id]=" TWO, V1 "," V3 "," V2},
    {"one", "match[version]=" V2 "&match[id]=" TWO, V2},
    {"one, other digits", "match[version]=2021-01-01T00:00:00Z&match[id]=" TWO, V2},
    {"two", "match[version]=" V2 "," V1 "&match[id]=" TWO, V1 "," V2},
    {"one and first", "match[version]=first," V2 "&match[id]=" TWO, V1 "," V2},
    {"none of these", "match[version]=1999-01-01T00:00:00Z&match[id]=" TWO, ""},
    {"all of a type", "match[version]=all&match[type]=indicator", V1 "," V3 "," V2 "," V1},
    {"last of two ids", "match[id]=indicator--00000003-0000-4000-8000-000000000000," TWO,
     V3 "," V1},
    {"with another type", "match[id]=" TWO "&match[type]=malware", ""},
    {"with two types", "match[id]=" TWO "&match[type]=malware,indicator", V3},
    {"of 2.1", "match[spec_version]=2.1&match[id]=" TWO, V3},
    {"of either", "match[spec_version]=2.0,2.1&match[id]=" TWO, V3},
    {"of 2.0", "match[spec_version]=2.0&match[id]=" TWO, ""},
};

static void versions_in_manifest(struct serving *s, char out[512])
{
    out[0] = '\0';
    if (member(s, "objects") == NULL)
        return;
    for (struct json_each each = json_each(&s->doc, member(s, "objects")); json_next(&each);) {
        slice version = text_of(s, each.value, "version");
        size_t used = strlen(out);

        (void)snprintf(out + used, 512 - used, "%s%.*s", used > 0 ? "," : "", SLICE_ARG(version));
    }
}

static void version_filters_choose_as_specified(void **state)
{
    struct serving *s = *state;
    char url[URL_BYTES * 2], found[512];
    size_t count;

    fill_versions(s);
    CHECK_ROWS(row, versions) {
        assert_int_equal(get(s, READER, url_with(url, MANIFEST, row->query)), 200);
        versions_in_manifest(s, found);
        assert_string_equal(found, row->versions);
        count = list_count(s, "objects");
        assert_int_equal(get(s, READER, url_with(url, OBJECTS, row->query)), 200);
        assert_int_equal(list_count(s, "objects"), count);
    }
}

static void one_object_takes_the_same_version_filters(void **state)
{
    struct serving *s = *state;

    fill_versions(s);
    assert_int_equal(get(s, READER, OBJECTS TWO "/"), 200);
    assert_int_equal(list_count(s, "objects"), 1);
    assert_true(slice_find(buf_slice(&s->body), SLICE("\"modified\":\"" V3 "\"")) != SIZE_MAX);
    assert_int_equal(get(s, READER, OBJECTS TWO "/?match[version]=all"), 200);
    assert_int_equal(list_count(s, "objects"), 3);
    assert_int_equal(get(s, READER, OBJECTS TWO "/?match[version]=all&limit=2"), 200);
    assert_int_equal(list_count(s, "objects"), 2);
    assert_true(member_has_kind(s, "more", JSON_TRUE));
    assert_int_equal(get(s, READER, OBJECTS TWO "/?match[version]=" V2), 200);
    assert_int_equal(list_count(s, "objects"), 1);
    assert_int_equal(get(s, READER, OBJECTS TWO "/?match[version]=soon"), 400);
    assert_int_equal(get(s, READER, OBJECTS "indicator--ffffffff-0000-4000-8000-000000000000/"),
                     404);
    assert_int_equal(get(s, READER, OBJECTS "7/"), 404);
}

static void versions_are_listed(void **state)
{
    struct serving *s = *state;

    fill_versions(s);
    assert_int_equal(get(s, READER, OBJECTS TWO "/versions/"), 200);
    assert_true(
        slice_eq(buf_slice(&s->body), SLICE("{\"versions\":[\"" V1 "\",\"" V3 "\",\"" V2 "\"]}")));
    assert_int_equal(get(s, READER, OBJECTS TWO "/versions/?limit=2"), 200);
    assert_int_equal(list_count(s, "versions"), 2);
    assert_true(member_has_kind(s, "more", JSON_TRUE));
    assert_int_equal(
        get(s, READER, OBJECTS "indicator--ffffffff-0000-4000-8000-000000000000/versions/"), 404);
}

static void an_object_without_version_has_its_date_of_addition(void **state)
{
    struct serving *s = *state;
    char version[64] = "", url[URL_BYTES * 2], query[128];

    fill_versions(s);
    assert_int_equal(get(s, READER, MANIFEST "?match[type]=ipv4-addr"), 200);
    const struct json_node *record = member(s, "objects") + 1;
    slice date = text_of(s, record, "date_added");
    assert_true(json_is(&s->doc, json_get(&s->doc, record, SLICE("version")), date));
    (void)snprintf(version, sizeof(version), "%.*s", SLICE_ARG(date));
    (void)snprintf(query, sizeof(query), "match[type]=ipv4-addr&match[version]=%s", version);
    assert_int_equal(get(s, READER, url_with(url, OBJECTS, query)), 200);
    assert_int_equal(list_count(s, "objects"), 1);
}

/* A marking definition has no `modified`. */
static void an_object_without_modified_goes_by_created(void **state)
{
    static const char json[] =
        "{\"objects\":[{\"type\":\"marking-definition\",\"spec_version\":\"2.1\","
        "\"id\":\"marking-definition--00000001-0000-4000-8000-000000000000\","
        "\"created\":\"2020-02-03T04:05:06.789Z\",\"definition_type\":\"statement\","
        "\"definition\":{\"statement\":\"mine\"}}]}";
    struct serving *s = *state;

    assert_int_equal(post(s, WRITER, OBJECTS, slice_of(json, sizeof(json) - 1)), 202);
    assert_true(slice_find(buf_slice(&s->body),
                           SLICE("\"version\":\"2020-02-03T04:05:06.789Z\"")) != SIZE_MAX);
    assert_int_equal(get(s, READER, MANIFEST), 200);
    assert_true(json_is(&s->doc, json_get(&s->doc, member(s, "objects") + 1, SLICE("version")),
                        SLICE("2020-02-03T04:05:06.789Z")));
    assert_int_equal(get(s, READER, OBJECTS "?match[version]=2020-02-03T04:05:06.789Z"), 200);
    assert_int_equal(list_count(s, "objects"), 1);
    assert_int_equal(get(s, READER,
                         OBJECTS
                         "marking-definition--00000001-0000-4000-8000-000000000000/versions/"),
                     200);
    assert_true(
        slice_eq(buf_slice(&s->body), SLICE("{\"versions\":[\"2020-02-03T04:05:06.789Z\"]}")));
}

static void a_manifest_record_has_all_its_members(void **state)
{
    struct serving *s = *state;

    fill(s, 1, 1);
    assert_int_equal(get(s, READER, MANIFEST), 200);
    const struct json_node *record = member(s, "objects") + 1;
    assert_int_equal(json_count(&s->doc, record), 4);
    assert_true(json_is(&s->doc, json_get(&s->doc, record, SLICE("id")),
                        SLICE("indicator--00000001-0000-4000-8000-000000000000")));
    assert_true(json_is(&s->doc, json_get(&s->doc, record, SLICE("version")), SLICE(V1)));
    assert_true(json_is(&s->doc, json_get(&s->doc, record, SLICE("media_type")),
                        SLICE(STIX_MEDIA_TYPE_21)));
}

/* The same indicator as STIX 2.0 has it (no spec_version), one version older than 2.1's. */
static void fill_specifications(struct serving *s)
{
    static const char json[] =
        "{\"objects\":[{\"type\":\"indicator\",\"id\":\"" TWO "\","
        "\"created\":\"2019-01-01T00:00:00.000Z\",\"modified\":\"2023-01-01T00:00:00.000Z\","
        "\"labels\":[\"malicious-activity\"],\"valid_from\":\"2019-01-01T00:00:00Z\","
        "\"pattern\":\"[domain-name:value = 'a.example']\"},"
        "{\"type\":\"indicator\",\"id\":\"indicator--00000005-0000-4000-8000-000000000000\","
        "\"created\":\"2019-01-01T00:00:00.000Z\",\"modified\":\"2019-01-01T00:00:00.000Z\","
        "\"labels\":[\"malicious-activity\"],\"valid_from\":\"2019-01-01T00:00:00Z\","
        "\"pattern\":\"[domain-name:value = 'b.example']\"}]}";

    assert_int_equal(post(s, WRITER, OBJECTS, slice_of(json, sizeof(json) - 1)), 202);
    assert_int_equal(number_of(s, "success_count"), 2);
    fill(s, 2, 1);
}

static const struct {
    const char *name, *query, *versions;
} specifications[] = {
    {"each object in the newest it is held in", "", "2019-01-01T00:00:00.000Z," V1},
    {"all versions of that", "match[version]=all", "2019-01-01T00:00:00.000Z," V1},
    {"2.1", "match[spec_version]=2.1", V1},
    {"2.0", "match[spec_version]=2.0", "2023-01-01T00:00:00.000Z,2019-01-01T00:00:00.000Z"},
    {"all versions of both", "match[spec_version]=2.0,2.1&match[version]=all",
     "2023-01-01T00:00:00.000Z,2019-01-01T00:00:00.000Z," V1},
};

static void without_a_specification_the_newest_is_given(void **state)
{
    struct serving *s = *state;
    char url[URL_BYTES * 2], found[512];

    fill_specifications(s);
    CHECK_ROWS(row, specifications) {
        assert_int_equal(get(s, READER, url_with(url, MANIFEST, row->query)), 200);
        versions_in_manifest(s, found);
        assert_string_equal(found, row->versions);
    }
    assert_int_equal(get(s, READER, MANIFEST "?match[spec_version]=2.0&limit=1"), 200);
    assert_true(json_is(&s->doc, json_get(&s->doc, member(s, "objects") + 1, SLICE("media_type")),
                        SLICE(STIX_MEDIA_TYPE_20)));
}

static void objects_come_back_as_they_were_sent(void **state)
{
    static const char object[] =
        "{\"x_own\":{\"b\":1.50,\"a\":[1e3,\"\\u00e9\"]},\"type\":\"x-own-thing\","
        "\"spec_version\":\"2.1\",\"id\":\"x-own-thing--00000001-0000-4000-8000-000000000000\","
        "\"created\":\"2020-01-01T00:00:00.000Z\",\"modified\":\"2020-01-01T00:00:00.000Z\"}";
    struct serving *s = *state;
    char json[1024];

    (void)snprintf(json, sizeof(json), "{ \"objects\" : [ %s ] }", object);
    assert_int_equal(post(s, WRITER, OBJECTS, slice_text(json)), 202);
    (void)snprintf(json, sizeof(json), "{\"objects\":[%s]}", object);
    assert_int_equal(get(s, READER, OBJECTS), 200);
    assert_true(slice_eq(buf_slice(&s->body), slice_text(json)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, serving_setup, serving_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_give_every_object_once_and_in_order),
        TEST(the_server_has_limits_of_its_own),
        TEST(pages_go_on_while_others_write),
        TEST(added_after_goes_on_where_the_last_header_said),
        TEST(dates_of_additions_strictly_increase),
        TEST(the_headers_hold_the_first_and_last_date),
        TEST(an_answer_without_objects_is_an_empty_envelope),
        TEST(next_is_read_again_with_its_query_and_rights),
        TEST(malformed_queries_are_400_with_words),
        TEST(version_filters_choose_as_specified),
        TEST(one_object_takes_the_same_version_filters),
        TEST(versions_are_listed),
        TEST(an_object_without_version_has_its_date_of_addition),
        TEST(an_object_without_modified_goes_by_created),
        TEST(a_manifest_record_has_all_its_members),
        TEST(without_a_specification_the_newest_is_given),
        TEST(objects_come_back_as_they_were_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
