#include "rows.h"

#include <ftw.h>
#include <unistd.h>

#include "base/fault.h"
#include "node/node.h"
#include "scan/report_seen.h"
#include "json/json.h"

#include "base/banned.h"

#define HOUR_US ((int64_t)3600 * 1000000)
#define T0 ((int64_t)1767225600 * 1000000) /* 2026-01-01T00:00:00Z */
#define INDICATOR "indicator--00000001-0000-4000-8000-000000000001"
#define TLP_GREEN "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"

struct place {
    char top[64], folder[80];
    struct node node;
    struct report_place report;
};

static int unlink_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int place_make(void **state)
{
    static struct place place;
    struct collection collection;
    struct diag diag = {0};

    (void)snprintf(place.top, sizeof(place.top), "/tmp/entente-report-XXXXXX");
    assert_non_null(mkdtemp(place.top));
    (void)snprintf(place.folder, sizeof(place.folder), "%s/node", place.top);
    assert_false(failed(crypto_start(&diag)));
    assert_false(failed(node_create(place.folder, &place.node, &diag)));
    assert_false(failed(node_keys(&place.node, &diag)));
    assert_false(failed(store_collection_add(place.node.store, NULL, SLICE("first"), SLICE("first"),
                                             SLICE(""), SLICE("test"), &collection, &diag)));
    place.report = node_report(&place.node, SLICE("test"));
    *state = &place;
    return 0;
}

static int place_remove(void **state)
{
    struct place *place = *state;

    node_close(&place->node);
    assert_int_equal(nftw(place->top, unlink_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    return 0;
}

static const struct rule rule = {
    .id = S(INDICATOR), .name = S("one"), .markings = S(TLP_GREEN), .confidence = -1};

static void take(struct report *report, const char *line, int64_t time_us)
{
    struct hit_field field = {
        .path = SLICE("ipv4-addr:value"), .field = SLICE("dest_ip"), .value = SLICE("192.0.2.7")};
    struct hit hit = {.line = slice_text(line),
                      .has_time = time_us != 0,
                      .time_us = time_us,
                      .fields = &field,
                      .field_count = 1};
    struct diag diag = {0};

    if (failed(report_take(report, &rule, &hit, &diag)))
        fail_msg("%s", diag.text);
}

/* One report of these lines, all at a time. */
static struct report_counts lines_report(struct place *place, const char *const *lines,
                                         int64_t time_us)
{
    struct report_counts counts;
    struct report *report;
    struct diag diag = {0};

    if (failed(report_open(&place->report, &report, &diag)))
        fail_msg("%s", diag.text);
    for (; *lines != NULL; lines++)
        take(report, *lines, time_us);
    if (failed(report_flush(report, &counts, &diag)))
        fail_msg("%s", diag.text);
    report_close(&report);
    return counts;
}

struct object {
    char type[32], id[STIX_ID_BYTES_MAX + 1], text[4096];
    int64_t count;
};

/* The objects of a type in the collection of sightings, last versions. */
static size_t objects_of(struct place *place, slice type, struct object *out, size_t room)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)16 << 20);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(store_view_end) struct store_view view = {0};
    struct collection collection;
    struct store_query query = {.types = &type, .type_count = 1, .version_last = true};
    struct store_page page;
    struct diag diag = {0};

    store_view_begin(place->node.store, &view, &diag);
    if (!store_collection_find(&view, SLICE(REPORT_ALIAS), &collection))
        return 0;
    query.collection = collection.number;
    assert_false(failed(json_parser_new(64, &parser, &diag)));
    assert_false(failed(store_find(&view, &query, 1000, SIZE_MAX, false, &arena, &page, &diag)));
    for (size_t i = 0; i < page.count && i < room; i++) {
        struct store_item item;
        struct json_doc doc;

        assert_true(store_item_at(&view, page.seqs[i], &item));
        assert_false(failed(json_parse_copy(parser, item.text, &doc, &diag)));
        (void)snprintf(out[i].id, sizeof(out[i].id), "%s", item.id);
        (void)snprintf(out[i].text, sizeof(out[i].text), "%.*s", SLICE_ARG(item.text));
        out[i].count = -1;
        (void)json_i64(&doc, json_get(&doc, doc.nodes, SLICE("count")), &out[i].count);
    }
    return page.count;
}

static struct object only_sighting(struct place *place)
{
    struct object object[2];

    assert_int_equal(objects_of(place, SLICE("sighting"), object, 2), 1);
    return object[0];
}

static void a_hit_becomes_a_sighting_with_what_was_observed(void **state)
{
    struct place *place = *state;
    struct object object[4];
    struct report_counts counts =
        lines_report(place, (const char *const[]){"a", "b", NULL}, T0 + 5);

    assert_int_equal(counts.hits, 2);
    assert_int_equal(counts.events, 2);
    assert_int_equal(counts.made, 1);
    struct object sighting = only_sighting(place);
    assert_int_equal(sighting.count, 2);
    assert_non_null(strstr(sighting.text, "\"sighting_of_ref\":\"" INDICATOR "\""));
    assert_non_null(strstr(sighting.text, "\"first_seen\":\"2026-01-01T00:00:00.000005Z\""));
    assert_non_null(strstr(sighting.text, "\"object_marking_refs\":[\"" TLP_GREEN "\"]"));
    assert_int_equal(objects_of(place, SLICE("identity"), object, 4), 1);
    char where[STIX_ID_BYTES_MAX + 32];
    (void)snprintf(where, sizeof(where), "\"where_sighted_refs\":[\"%s\"]", object[0].id);
    assert_non_null(strstr(sighting.text, where));
    assert_int_equal(objects_of(place, SLICE("observed-data"), object, 4), 1);
    assert_non_null(strstr(sighting.text, object[0].id));
    assert_non_null(strstr(object[0].text, "\"number_observed\":2"));
    assert_int_equal(objects_of(place, SLICE("ipv4-addr"), object + 1, 3), 1);
    assert_non_null(strstr(object[0].text, object[1].id));
    assert_non_null(strstr(object[1].text, "\"value\":\"192.0.2.7\""));
}

static void the_same_log_twice_counts_nothing_twice(void **state)
{
    struct place *place = *state;
    const char *const lines[] = {"a", "b", "b", NULL}, *const more[] = {"b", "c", "a", "b", NULL};

    assert_int_equal(lines_report(place, lines, T0).events, 3);
    struct object first = only_sighting(place);
    assert_int_equal(first.count, 3);
    struct report_counts again = lines_report(place, lines, T0);
    assert_int_equal(again.events, 0);
    assert_int_equal(again.made + again.updated, 0);
    struct object second = only_sighting(place);
    assert_string_equal(first.text, second.text);
    /* The log has grown by a line, and was shuffled. */
    struct report_counts grown = lines_report(place, more, T0);
    assert_int_equal(grown.events, 1);
    assert_int_equal(grown.updated, 1);
    second = only_sighting(place);
    assert_string_equal(first.id, second.id);
    assert_int_equal(second.count, 4);
}

static void each_window_has_its_own(void **state)
{
    struct place *place = *state;
    struct object object[4];

    (void)lines_report(place, (const char *const[]){"a", NULL}, T0);
    (void)lines_report(place, (const char *const[]){"b", NULL}, T0 + HOUR_US - 1);
    (void)lines_report(place, (const char *const[]){"c", NULL}, T0 + HOUR_US);
    (void)lines_report(place, (const char *const[]){"d", NULL}, T0 - 1);
    assert_int_equal(objects_of(place, SLICE("sighting"), object, 4), 3);
}

static void events_without_a_time_are_known_again(void **state)
{
    struct place *place = *state;

    assert_int_equal(lines_report(place, (const char *const[]){"a", "b", NULL}, 0).events, 2);
    struct object before = only_sighting(place);
    assert_int_equal(lines_report(place, (const char *const[]){"b", "a", NULL}, 0).events, 0);
    struct object after = only_sighting(place);
    assert_string_equal(before.text, after.text);
}

static void counts_of_many_are_estimates_that_do_not_grow_by_repeats(void **state)
{
    struct place *place = *state;
    int64_t count = 0;

    for (int round = 0; round < 2; round++) {
        struct report *report;
        struct diag diag = {0};

        assert_false(failed(report_open(&place->report, &report, &diag)));
        for (int i = 0; i < 20000; i++) {
            char line[32];

            (void)snprintf(line, sizeof(line), "line %d", i);
            take(report, line, T0);
        }
        assert_false(failed(report_flush(report, NULL, &diag)));
        report_close(&report);
        struct object sighting = only_sighting(place);
        assert_true(sighting.count > 19000 && sighting.count < 21000);
        assert_true(round == 0 || count == sighting.count);
        count = sighting.count;
    }
}

static void a_lost_memory_never_lowers_a_count(void **state)
{
    struct place *place = *state;
    char path[128];

    (void)lines_report(place, (const char *const[]){"a", "b", "c", NULL}, T0);
    (void)snprintf(path, sizeof(path), "%s/sighted", place->folder);
    assert_int_equal(nftw(path, unlink_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    (void)lines_report(place, (const char *const[]){"a", "d", NULL}, T0 + 7);
    struct object sighting = only_sighting(place);
    assert_int_equal(sighting.count, 3);
    assert_non_null(strstr(sighting.text, "\"last_seen\":\"2026-01-01T00:00:00.000007Z\""));
}

static void the_record_counts_values_until_events_are_more(void **state)
{
    struct place *place = *state;
    struct hit hit = {.line = SLICE("hour path value"), .has_time = true, .time_us = T0};

    for (int round = 0; round < 2; round++) {
        struct report *report;
        struct diag diag = {0};

        assert_false(failed(report_open(&place->report, &report, &diag)));
        assert_false(failed(report_take_record(report, &rule, &hit, &diag)));
        assert_false(failed(report_flush(report, NULL, &diag)));
        report_close(&report);
        assert_int_equal(only_sighting(place).count, 1);
    }
    (void)lines_report(place, (const char *const[]){"a", NULL}, T0);
    assert_int_equal(only_sighting(place).count, 1);
    (void)lines_report(place, (const char *const[]){"b", NULL}, T0);
    assert_int_equal(only_sighting(place).count, 2);
}

static void what_is_no_indicator_is_counted_alone(void **state)
{
    struct place *place = *state;
    struct rule plain = rule;
    struct hit hit = {.line = SLICE("a")};
    struct report_counts counts;
    struct report *report;
    struct object object[1];
    struct diag diag = {0};

    plain.id = SLICE("list:17");
    assert_false(failed(report_open(&place->report, &report, &diag)));
    assert_false(failed(report_take(report, &plain, &hit, &diag)));
    assert_false(failed(report_flush(report, &counts, &diag)));
    assert_int_equal(counts.anonymous, 1);
    assert_int_equal(objects_of(place, SLICE("sighting"), object, 1), 0);
    report_close(&report);
}

static const struct {
    const char *name;
    slice path, value;
    const char *json; /* part of it; NULL: no object */
} observables[] = {
    {"an address", S("ipv6-addr:value"), S("2001:db8::1"), "\"value\":\"2001:db8::1\""},
    {"a hash", S("file:hashes.'SHA-256'"),
     S("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
     "\"hashes\":{\"SHA-256\":\"e3b0"},
    {"a hash without quotes", S("file:hashes.MD5"), S("d41d8cd98f00b204e9800998ecf8427e"),
     "\"hashes\":{\"MD5\":\"d41d"},
    {"a number", S("autonomous-system:number"), S("64500"), "\"number\":64500"},
    {"a command line", S("process:command_line"), S("a \"b\""), "\"command_line\":\"a \\\"b\\\"\""},
    {"no number", S("autonomous-system:number"), S("x"), NULL},
    {"a port alone", S("network-traffic:dst_port"), S("80"), NULL},
    {"no path", S("value"), S("x"), NULL},
    {"nothing", S("url:value"), S(""), NULL},
};

static void a_value_becomes_an_object_when_it_can_stand_alone(void **state)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct place *place = *state;
    struct report_identity identity;
    struct diag diag = {0};

    assert_false(failed(json_parser_new(16, &parser, &diag)));
    assert_false(failed(report_identity(&place->report, &identity, &diag)));
    CHECK_ROWS(row, observables) {
        CLEANUP(buf_free) struct buf json = BUF(1 << 16);
        char id[STIX_ID_BYTES_MAX + 1];
        bool made = report_observable(&identity, parser, row->path, row->value, &json, id);

        assert_true(made == (row->json != NULL));
        buf_byte(&json, '\0');
        assert_true(!made || strstr(json.at, row->json) != NULL);
        assert_true(!made || strstr(json.at, id) != NULL);
    }
}

static void every_failure_is_told_and_done_again(void **state)
{
    struct place *place = *state;
    unsigned long nth = 0;
    bool fired;

    (void)lines_report(place, (const char *const[]){"warm", NULL}, T0);
    do {
        struct report *report;
        struct diag diag = {0};

        assert_false(failed(report_open(&place->report, &report, &diag)));
        take(report, "a", T0);
        fault_arm(++nth);
        result r = report_flush(report, NULL, &diag);
        fired = fault_fired();
        fault_arm(0);
        assert_true(!failed(r) || fired);
        if (failed(r) != (diag.text[0] != '\0'))
            fail_msg("step %lu: code %d, \"%s\"", nth, (int)r.code, diag.text);
        report_close(&report);
        (void)lines_report(place, (const char *const[]){"a", NULL}, T0);
        assert_int_equal(only_sighting(place).count, 2);
    } while (fired && nth < 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define HOLDS(test) cmocka_unit_test_setup_teardown(test, place_make, place_remove)
        HOLDS(a_hit_becomes_a_sighting_with_what_was_observed),
        HOLDS(the_same_log_twice_counts_nothing_twice),
        HOLDS(each_window_has_its_own),
        HOLDS(events_without_a_time_are_known_again),
        HOLDS(counts_of_many_are_estimates_that_do_not_grow_by_repeats),
        HOLDS(a_lost_memory_never_lowers_a_count),
        HOLDS(the_record_counts_values_until_events_are_more),
        HOLDS(what_is_no_indicator_is_counted_alone),
        HOLDS(a_value_becomes_an_object_when_it_can_stand_alone),
#ifdef ENTENTE_FAULTS
        HOLDS(every_failure_is_told_and_done_again),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
