/* Objects that come and go: POST, its status, DELETE. */
#include <fcntl.h>
#include <sys/file.h>

#include "base/fault.h"
#include "taxii/serving.h"

#define OBJECTS "/api/collections/open/objects/"
#define ONE "indicator--00000001-0000-4000-8000-000000000000"

static slice one_envelope(struct buf *json, unsigned number)
{
    buf_reset(json);
    envelope_put(json, number, 1);
    return buf_slice(json);
}

/* The status's id; good as long as s->doc. */
static slice status_id(const struct serving *s)
{
    return text_of(s, s->doc.nodes, "id");
}

static int get_status_again(struct serving *s, enum person who, const char *id)
{
    char url[URL_BYTES];

    (void)snprintf(url, sizeof(url), "/api/status/%s/", id);
    return get(s, who, url);
}

static void status_check(const struct serving *s, const char *status, uint64_t total,
                         uint64_t successes, uint64_t failures, uint64_t pendings)
{
    struct uuid id;
    struct timestamp when;

    assert_true(member_is(s, "status", status));
    assert_true(uuid_parse(status_id(s), &id) && uuid_version(&id) == 4);
    assert_true(timestamp_parse(text_of(s, s->doc.nodes, "request_timestamp"), &when));
    assert_int_equal(number_of(s, "total_count"), total);
    assert_int_equal(number_of(s, "success_count"), successes);
    assert_int_equal(number_of(s, "failure_count"), failures);
    assert_int_equal(number_of(s, "pending_count"), pendings);
    assert_int_equal(list_count(s, "successes"), successes);
    assert_int_equal(list_count(s, "failures"), failures);
    assert_int_equal(list_count(s, "pendings"), pendings);
}

/* Member `key` of the index-th detail in a list of the status. */
static bool detail_is(const struct serving *s, const char *list, size_t index, const char *key,
                      const char *value)
{
    struct json_each each = json_each(&s->doc, member(s, list));

    for (size_t i = 0; i <= index; i++)
        if (!json_next(&each))
            return false;
    return json_is(&s->doc, json_get(&s->doc, each.value, slice_text(key)), slice_text(value));
}

static void a_post_is_accepted_and_tells_of_each_object(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);

    buf_put(&json, SLICE("{\"objects\":["));
    indicator_put(&json, 1, "2020-01-01T00:00:00.000Z");
    buf_put(&json, SLICE(",{\"type\":\"indicator\",\"id\":7},"));
    address_put(&json, 2);
    buf_put(&json, SLICE("]}"));
    assert_int_equal(post(s, WRITER, OBJECTS, buf_slice(&json)), 202);
    status_check(s, "complete", 3, 2, 1, 0);
    assert_true(detail_is(s, "successes", 0, "id", ONE));
    assert_true(detail_is(s, "successes", 0, "version", "2020-01-01T00:00:00.000Z"));
    assert_true(
        detail_is(s, "successes", 1, "id", "ipv4-addr--00000002-0000-4000-8000-000000000000"));
    struct json_each each = json_each(&s->doc, member(s, "failures"));
    assert_true(json_next(&each));
    assert_true(text_of(s, each.value, "id").len > 0);
    assert_true(text_of(s, each.value, "version").len > 0);
    assert_true(text_of(s, each.value, "message").len > 0);
}

static void an_object_without_version_is_told_with_its_date_of_addition(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);
    char version[64];

    buf_put(&json, SLICE("{\"objects\":["));
    address_put(&json, 2);
    buf_put(&json, SLICE("]}"));
    assert_int_equal(post(s, WRITER, OBJECTS, buf_slice(&json)), 202);
    struct json_each each = json_each(&s->doc, member(s, "successes"));
    assert_true(json_next(&each));
    slice told = text_of(s, each.value, "version");
    (void)snprintf(version, sizeof(version), "%.*s", SLICE_ARG(told));
    assert_int_equal(get(s, WRITER, "/api/collections/open/manifest/"), 200);
    assert_true(json_is(&s->doc, json_get(&s->doc, member(s, "objects") + 1, SLICE("version")),
                        slice_text(version)));
}

static void an_exact_duplicate_is_no_error(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);

    for (int i = 0; i < 2; i++) {
        assert_int_equal(post(s, WRITER, OBJECTS, one_envelope(&json, 1)), 202);
        status_check(s, "complete", 1, 1, 0, 0);
    }
    assert_true(detail_is(s, "successes", 0, "message", "already in the collection"));
    assert_int_equal(get(s, READER, OBJECTS), 200);
    assert_int_equal(list_count(s, "objects"), 1);
}

static void other_content_under_the_same_version_is_a_failure(void **state)
{
    struct serving *s = *state;
    static const char other[] =
        "{\"objects\":[{\"type\":\"indicator\",\"spec_version\":\"2.1\",\"id\":\"" ONE "\","
        "\"created\":\"2020-01-01T00:00:00.000Z\",\"modified\":\"2020-01-01T00:00:00.000Z\","
        "\"valid_from\":\"2020-01-01T00:00:00Z\",\"name\":\"other\",\"pattern_type\":\"stix\","
        "\"pattern\":\"[domain-name:value = 'other.example']\"}]}";

    fill(s, 1, 1);
    assert_int_equal(post(s, WRITER, OBJECTS, slice_of(other, sizeof(other) - 1)), 202);
    status_check(s, "complete", 1, 0, 1, 0);
    assert_int_equal(get(s, READER, OBJECTS), 200);
    assert_true(slice_find(buf_slice(&s->body), SLICE("\"name\":\"number 1\"")) != SIZE_MAX);
}

static const struct {
    const char *name;
    slice body;
    int status;
} bodies[] = {
    {"empty", S(""), 422},
    {"space", S("  "), 422},
    {"no JSON", S("hello"), 422},
    {"cut", S("{\"objects\":[{\"type\":"), 422},
    {"no objects", S("{}"), 422},
    {"an empty list", S("{\"objects\":[]}"), 422},
    {"a bare object", S("{\"type\":\"indicator\"}"), 422},
    {"a bare array", S("[{\"type\":\"indicator\"}]"), 422},
    {"two envelopes", S("{\"objects\":[{}]}{\"objects\":[{}]}"), 422},
    {"objects that are none", S("{\"objects\":\"all\"}"), 422},
};

static void a_body_that_is_no_envelope_is_422(void **state)
{
    struct serving *s = *state;

    CHECK_ROWS(row, bodies) {
        assert_int_equal(post(s, WRITER, OBJECTS, row->body), row->status);
        assert_non_null(member(s, "description"));
    }
    s->content_type = NULL; /* an empty body needs no type */
    assert_int_equal(post(s, WRITER, OBJECTS, SLICE("")), 422);
    assert_int_equal(get(s, READER, OBJECTS), 200);
    assert_int_equal(list_count(s, "objects"), 0);
}

static void things_that_are_no_objects_fail_one_by_one(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);

    buf_put(&json, SLICE("{\"objects\":[1,null,\"x\",[],{},{\"id\":{}},"));
    indicator_put(&json, 1, "2020-01-01T00:00:00.000Z");
    buf_put(&json, SLICE("]}"));
    int status = post(s, WRITER, OBJECTS, buf_slice(&json));
    assert_true(status == 202 || status == 422);
    if (status == 202)
        status_check(s, "complete", 7, 1, 6, 0);
}

static void a_number_for_an_id_poisons_nothing(void **state)
{
    struct serving *s = *state;
    slice bad = SLICE("{\"objects\":[{\"type\":\"indicator\",\"spec_version\":\"2.1\",\"id\":7,"
                      "\"created\":\"2020-01-01T00:00:00.000Z\","
                      "\"modified\":\"2020-01-01T00:00:00.000Z\"},{\"type\":4,\"id\":[]}]}");

    fill(s, 1, 2);
    assert_int_equal(post(s, WRITER, OBJECTS, bad), 202);
    status_check(s, "complete", 2, 0, 2, 0);
    assert_int_equal(get(s, READER, OBJECTS), 200);
    assert_int_equal(list_count(s, "objects"), 2);
    assert_int_equal(get(s, READER, OBJECTS "?match[id]=7"), 200);
    assert_int_equal(get(s, READER, "/api/collections/open/manifest/"), 200);
    assert_int_equal(list_count(s, "objects"), 2);
}

static void a_hundred_thousand_levels_are_refused_cleanly(void **state)
{
    enum { LEVELS = 100000 };
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);
    int status;

    buf_put(&json, SLICE("{\"objects\":[{\"type\":\"x-deep\",\"a\":"));
    for (size_t i = 0; i < LEVELS; i++)
        buf_byte(&json, '[');
    for (size_t i = 0; i < LEVELS; i++)
        buf_byte(&json, ']');
    buf_put(&json, SLICE("}]}"));
    status = post(s, WRITER, OBJECTS, buf_slice(&json));
    assert_true(status == 422 || (status == 202 && number_of(s, "failure_count") == 1));
    json.len /= 2; /* and when it never comes back up */
    assert_int_equal(post(s, WRITER, OBJECTS, buf_slice(&json)), 422);
    assert_int_equal(get(s, READER, OBJECTS), 200);
}

static void a_body_over_the_limit_is_413(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);
    struct http_response early = {0};
    size_t bytes_max;

    fill(s, 1, 1);
    s->config.taxii_content_bytes_max = 1024;
    taxii_configure(s->taxii, &s->config);
    one_envelope(&json, 2);
    while (json.len < 1024)
        buf_byte(&json, ' ');
    assert_int_equal(post(s, WRITER, OBJECTS, buf_slice(&json)), 202); /* just the limit */
    buf_byte(&json, ' ');
    assert_int_equal(post(s, WRITER, OBJECTS, buf_slice(&json)), 413);
    request_make(s, WRITER, HTTP_POST, OBJECTS, SLICE_NONE); /* announced, before a byte comes */
    header_add(s, SLICE("Content-Length"), "1025");
    assert_true(taxii_begin(s->taxii, &s->request, 1025, &bytes_max, &early));
    assert_int_equal(early.status, 413);
    request_make(s, WRITER, HTTP_POST, OBJECTS, SLICE_NONE);
    header_add(s, SLICE("Content-Length"), "1024");
    assert_false(taxii_begin(s->taxii, &s->request, 1024, &bytes_max, &early));
    assert_int_equal(bytes_max, 1024);
}

static const struct {
    const char *name, *accept, *content_type, *encoding;
    int status;
} types[] = {
    {"as specified", MEDIA, MEDIA, NULL, 202},
    {"without version", "application/taxii+json", "application/taxii+json", NULL, 202},
    {"with a charset", MEDIA, "application/taxii+json; charset=utf-8", NULL, 202},
    {"identity", MEDIA, MEDIA, "identity", 202},
    {"JSON", MEDIA, "application/json", NULL, 415},
    {"2.0", MEDIA, "application/taxii+json;version=2.0", NULL, 415},
    {"STIX", MEDIA, "application/stix+json;version=2.1", NULL, 415},
    {"no type", MEDIA, NULL, NULL, 415},
    {"packed", MEDIA, MEDIA, "gzip", 415},
    {"an answer in 2.0", "application/taxii+json;version=2.0", MEDIA, NULL, 406},
};

static void a_post_is_taken_in_our_media_type_alone(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);

    CHECK_ROWS(row, types) {
        struct http_response early = {0};
        size_t bytes_max;

        s->accept = row->accept;
        s->content_type = row->content_type;
        s->encoding = row->encoding;
        assert_int_equal(post(s, WRITER, OBJECTS, one_envelope(&json, 1)), row->status);
        request_make(s, WRITER, HTTP_POST, OBJECTS, SLICE_NONE); /* and before the body */
        header_add(s, SLICE("Transfer-Encoding"), "chunked");
        assert_true(taxii_begin(s->taxii, &s->request, 0, &bytes_max, &early) ==
                    (row->status != 202));
        assert_int_equal(early.status, row->status == 202 ? 0 : row->status);
    }
}

static void rights_are_looked_at_before_the_body_comes(void **state)
{
    static const struct {
        enum person who;
        int status;
    } expected[] = {{NOBODY, 401}, {READER, 403}, {WRONG, 401}};
    struct serving *s = *state;

    for (size_t i = 0; i < 3; i++) {
        struct http_response early = {0};
        size_t bytes_max;

        request_make(s, expected[i].who, HTTP_POST, OBJECTS, SLICE_NONE);
        assert_true(taxii_begin(s->taxii, &s->request, 10, &bytes_max, &early));
        assert_int_equal(early.status, expected[i].status);
        assert_int_equal(post(s, expected[i].who, OBJECTS, SLICE("{}")), expected[i].status);
    }
}

/* ---- the status ---- */

static void a_large_post_is_pending_and_then_complete(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);
    char id[UUID_TEXT_BYTES + 1] = "";

    s->config.taxii_sync_objects_max = 10;
    taxii_configure(s->taxii, &s->config);
    envelope_put(&json, 0, 11);
    json.len -= 2;
    buf_put(&json, SLICE(",{\"type\":\"indicator\",\"id\":\"indicator--x\"}]}"));
    assert_int_equal(post(s, WRITER, OBJECTS, buf_slice(&json)), 202);
    status_check(s, "pending", 12, 0, 0, 12);
    assert_true(detail_is(s, "pendings", 1, "id", ONE));
    assert_true(detail_is(s, "pendings", 1, "version", "2020-01-01T00:00:00.000Z"));
    memcpy(id, status_id(s).at, UUID_TEXT_BYTES);
    taxii_settle(s->taxii);
    assert_int_equal(get_status_again(s, WRITER, id), 200);
    status_check(s, "complete", 12, 11, 1, 0);
    assert_int_equal(get(s, READER, OBJECTS), 200);
    assert_int_equal(list_count(s, "objects"), 11);
}

static void a_large_post_that_is_broken_fails_as_a_whole(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);
    char id[UUID_TEXT_BYTES + 1] = "";

    s->config.taxii_sync_objects_max = 1;
    taxii_configure(s->taxii, &s->config);
    envelope_put(&json, 0, 3);
    json.len -= 2;
    buf_put(&json, SLICE(" {}]}")); /* no comma: the outline does not see it, the import does */
    int status = post(s, WRITER, OBJECTS, buf_slice(&json));
    if (status == 422)
        return; /* seen at once: as good */
    assert_int_equal(status, 202);
    memcpy(id, status_id(s).at, UUID_TEXT_BYTES);
    taxii_settle(s->taxii);
    assert_int_equal(get_status_again(s, WRITER, id), 200);
    assert_true(member_is(s, "status", "complete"));
    assert_int_equal(number_of(s, "success_count"), 0);
    assert_int_equal(number_of(s, "failure_count"), number_of(s, "total_count"));
    assert_non_null(member(s, "x_entente_message"));
    assert_int_equal(get(s, READER, OBJECTS), 200);
    assert_int_equal(list_count(s, "objects"), 0);
}

static void a_status_is_for_its_sender_and_for_admins(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);
    char id[UUID_TEXT_BYTES + 1] = "";

    assert_int_equal(post(s, WRITER, OBJECTS, one_envelope(&json, 1)), 202);
    memcpy(id, status_id(s).at, UUID_TEXT_BYTES);
    assert_int_equal(get_status_again(s, WRITER, id), 200);
    status_check(s, "complete", 1, 1, 0, 0);
    assert_int_equal(get_status_again(s, ADMIN, id), 200);
    assert_int_equal(get_status_again(s, READER, id), 404);
    assert_int_equal(get_status_again(s, NOBODY, id), 401);
    serving_grant(s, SLICE(ACCOUNT_ANONYMOUS), OPEN, RIGHT_READ);
    assert_int_equal(get_status_again(s, NOBODY, id), 404);
}

static void a_status_is_kept_for_its_time(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);
    char id[UUID_TEXT_BYTES + 1] = "";

    assert_int_equal(post(s, WRITER, OBJECTS, one_envelope(&json, 1)), 202);
    memcpy(id, status_id(s).at, UUID_TEXT_BYTES);
    s->now_us += INT64_C(86400000000);
    assert_int_equal(get_status_again(s, WRITER, id), 200);
    s->now_us += 1000000;
    assert_int_equal(get_status_again(s, WRITER, id), 404);
    assert_int_equal(post(s, WRITER, OBJECTS, one_envelope(&json, 2)), 202); /* sweeps it out */
    assert_int_equal(get_status_again(s, WRITER, id), 404);
}

static void what_was_accepted_is_taken_in_whenever_the_end_comes(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);

    s->config.taxii_sync_objects_max = 1;
    taxii_configure(s->taxii, &s->config);
    for (unsigned i = 0; i < 5; i++) {
        buf_reset(&json);
        envelope_put(&json, i * 10, 10);
        assert_int_equal(post(s, WRITER, OBJECTS, buf_slice(&json)), 202);
    }
    taxii_free(&s->taxii);
    serving_start(s);
    taxii_settle(s->taxii);
    assert_int_equal(get(s, READER, OBJECTS), 200);
    assert_int_equal(list_count(s, "objects"), 50);
}

/* Another process imports for minutes: nobody who asks this one may have to wait for it. */
static void a_post_during_a_long_import_is_done_later(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);
    char path[128], id[UUID_TEXT_BYTES + 1] = "";

    fill(s, 7, 1);
    (void)snprintf(path, sizeof(path), "%s/write.lock", s->folder);
    int lock = open(path, O_RDWR | O_CLOEXEC);
    assert_true(lock >= 0 && flock(lock, LOCK_EX) == 0);
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(post(s, WRITER, OBJECTS, one_envelope(&json, i)), 202);
        status_check(s, "pending", 1, 0, 0, 1);
    }
    memcpy(id, status_id(s).at, UUID_TEXT_BYTES);
    assert_int_equal(ask(s, WRITER, HTTP_DELETE, OBJECTS ONE "/", SLICE_NONE), 503);
    assert_int_equal(get(s, READER, OBJECTS), 200);
    assert_int_equal(list_count(s, "objects"), 1);
    assert_int_equal(close(lock), 0);
    statuses_settle(s->taxii->statuses);
    assert_int_equal(get_status_again(s, WRITER, id), 200);
    status_check(s, "complete", 1, 1, 0, 0);
    assert_int_equal(get(s, READER, OBJECTS), 200);
    assert_int_equal(list_count(s, "objects"), 3);
}

/* ---- DELETE ---- */

static void a_deleted_object_is_gone_from_everywhere(void **state)
{
    struct serving *s = *state;

    fill(s, 0, 3);
    assert_int_equal(ask(s, WRITER, HTTP_DELETE, OBJECTS ONE "/", SLICE_NONE), 200);
    assert_int_equal(s->body.len, 0);
    assert_int_equal(get(s, READER, OBJECTS ONE "/"), 404);
    assert_int_equal(get(s, READER, OBJECTS ONE "/versions/"), 404);
    assert_int_equal(get(s, READER, OBJECTS "?match[id]=" ONE), 200);
    assert_int_equal(list_count(s, "objects"), 0);
    assert_int_equal(get(s, READER, OBJECTS), 200);
    assert_int_equal(list_count(s, "objects"), 2);
    assert_int_equal(get(s, READER, "/api/collections/open/manifest/?match[version]=all"), 200);
    assert_int_equal(list_count(s, "objects"), 2);
    assert_int_equal(ask(s, WRITER, HTTP_DELETE, OBJECTS ONE "/", SLICE_NONE), 404);
    fill(s, 1, 1); /* and may come again */
    assert_int_equal(get(s, READER, OBJECTS ONE "/"), 200);
}

static void one_version_can_be_deleted(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);

    buf_put(&json, SLICE("{\"objects\":["));
    indicator_put(&json, 1, "2020-01-01T00:00:00.000Z");
    buf_byte(&json, ',');
    indicator_put(&json, 1, "2021-01-01T00:00:00.000Z");
    buf_byte(&json, ',');
    indicator_put(&json, 1, "2022-01-01T00:00:00.000Z");
    buf_put(&json, SLICE("]}"));
    assert_int_equal(post(s, WRITER, OBJECTS, buf_slice(&json)), 202);
    assert_int_equal(ask(s, WRITER, HTTP_DELETE,
                         OBJECTS ONE "/?match[version]=2021-01-01T00:00:00.000Z", SLICE_NONE),
                     200);
    assert_int_equal(get(s, READER, OBJECTS ONE "/versions/"), 200);
    assert_int_equal(list_count(s, "versions"), 2);
    assert_int_equal(ask(s, WRITER, HTTP_DELETE, OBJECTS ONE "/?match[version]=last", SLICE_NONE),
                     200);
    assert_int_equal(get(s, READER, OBJECTS ONE "/"), 200);
    assert_true(slice_find(buf_slice(&s->body),
                           SLICE("\"modified\":\"2020-01-01T00:00:00.000Z\"")) != SIZE_MAX);
    assert_int_equal(ask(s, WRITER, HTTP_DELETE,
                         OBJECTS ONE "/?match[version]=1999-01-01T00:00:00.000Z", SLICE_NONE),
                     404);
    assert_int_equal(ask(s, WRITER, HTTP_DELETE, OBJECTS ONE "/?match[version]=often", SLICE_NONE),
                     400);
    assert_int_equal(
        ask(s, WRITER, HTTP_DELETE, OBJECTS ONE "/?match[spec_version]=2.0", SLICE_NONE), 404);
    assert_int_equal(ask(s, WRITER, HTTP_DELETE, OBJECTS ONE "/?match[version]=all", SLICE_NONE),
                     200);
    assert_int_equal(get(s, READER, OBJECTS ONE "/"), 404);
}

#ifdef ENTENTE_FAULTS
/* Whatever step fails, the answer is a 5xx of ours or right, and the server lives on. */
static void every_failing_step_is_an_answer(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);
    bool fired;

    one_envelope(&json, 1);
    for (unsigned long nth = 1;; nth++) {
        request_make(s, WRITER, HTTP_POST, OBJECTS, buf_slice(&json));
        fault_arm(nth);
        taxii_handle(s->taxii, &s->request, &s->response);
        fired = fault_fired();
        fault_arm(0);
        answer_take(s);
        assert_true(s->response.status == 202 || s->response.status == 401 ||
                    s->response.status == 409 || s->response.status == 422 ||
                    s->response.status >= 500);
        if (!fired)
            break;
    }
    assert_int_equal(s->response.status, 202);
    assert_int_equal(get(s, READER, OBJECTS ONE "/"), 200);
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, serving_setup, serving_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_post_is_accepted_and_tells_of_each_object),
        TEST(an_object_without_version_is_told_with_its_date_of_addition),
        TEST(an_exact_duplicate_is_no_error),
        TEST(other_content_under_the_same_version_is_a_failure),
        TEST(a_body_that_is_no_envelope_is_422),
        TEST(things_that_are_no_objects_fail_one_by_one),
        TEST(a_number_for_an_id_poisons_nothing),
        TEST(a_hundred_thousand_levels_are_refused_cleanly),
        TEST(a_body_over_the_limit_is_413),
        TEST(a_post_is_taken_in_our_media_type_alone),
        TEST(rights_are_looked_at_before_the_body_comes),
        TEST(a_large_post_is_pending_and_then_complete),
        TEST(a_large_post_that_is_broken_fails_as_a_whole),
        TEST(a_status_is_for_its_sender_and_for_admins),
        TEST(a_status_is_kept_for_its_time),
        TEST(what_was_accepted_is_taken_in_whenever_the_end_comes),
        TEST(a_post_during_a_long_import_is_done_later),
        TEST(a_deleted_object_is_gone_from_everywhere),
        TEST(one_version_can_be_deleted),
#ifdef ENTENTE_FAULTS
        TEST(every_failing_step_is_an_answer),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
