#include "rows.h"
#include "taxii/server.h"

#define ALL (QUERY_PAGING | QUERY_ID | QUERY_TYPE | QUERY_VERSION | QUERY_SPEC_VERSION)

static const struct {
    const char *name;
    slice query;
    bool ok;
} queries[] = {
    {"empty", S(""), true},
    {"date", S("added_after=2016-11-04T03:04:05.123456Z"), true},
    {"date of whole seconds", S("added_after=2016-11-04T03:04:05Z"), true},
    {"date in nanoseconds", S("added_after=2016-11-04T03:04:05.123456789Z"), true},
    {"date with an escape", S("added_after=2016-11-04T03%3A04%3A05Z"), true},
    {"date with an offset", S("added_after=2016-11-04T03:04:05+09:00"), true},
    {"date alone", S("added_after=2016-11-04"), false},
    {"no date", S("added_after=yesterday"), false},
    {"empty date", S("added_after="), false},
    {"date without value", S("added_after"), false},
    {"month 13", S("added_after=2016-13-04T03:04:05Z"), false},
    {"two dates", S("added_after=2016-11-04T03:04:05Z,2017-11-04T03:04:05Z"), false},
    {"date twice", S("added_after=2016-11-04T03:04:05Z&added_after=2016-11-04T03:04:05Z"), false},
    {"limit 1", S("limit=1"), true},
    {"limit of a thousand million", S("limit=1000000000"), true},
    {"limit past 64 bits", S("limit=99999999999999999999999999"), true},
    {"limit 0", S("limit=0"), false},
    {"limit 000", S("limit=000"), false},
    {"limit -1", S("limit=-1"), false},
    {"limit +1", S("limit=+1"), false},
    {"limit abc", S("limit=abc"), false},
    {"limit 1.5", S("limit=1.5"), false},
    {"limit with a space", S("limit=%201"), false},
    {"limit empty", S("limit="), false},
    {"limit twice", S("limit=1&limit=2"), false},
    {"next", S("next=abc"), true},
    {"next empty", S("next="), false},
    {"next twice", S("next=a&next=b"), false},
    {"one type", S("match[type]=indicator"), true},
    {"escaped brackets", S("match%5Btype%5D=indicator%2Cmalware"), true},
    {"types", S("match[type]=indicator,malware,x-own"), true},
    {"type empty", S("match[type]="), false},
    {"types with a hole", S("match[type]=indicator,,malware"), false},
    {"types with a tail", S("match[type]=indicator,"), false},
    {"type twice", S("match[type]=indicator&match[type]=malware"), false},
    {"type twice, once escaped", S("match[type]=indicator&match%5Btype%5D=malware"), false},
    {"id", S("match[id]=indicator--3600ad1b-fff1-4c98-bcc9-4de3bc2e2ffb"), true},
    {"id that is a number", S("match[id]=7"), true},
    {"id empty", S("match[id]="), false},
    {"last", S("match[version]=last"), true},
    {"first and last", S("match[version]=first,last"), true},
    {"all", S("match[version]=all"), true},
    {"a version", S("match[version]=2016-01-01T01:01:01.000Z"), true},
    {"a version in nanoseconds", S("match[version]=2016-01-01T01:01:01.000000001Z"), true},
    {"versions mixed", S("match[version]=first,2018-03-02T01:01:01.123Z,last"), true},
    {"all and last", S("match[version]=all,last"), false},
    {"all and a version", S("match[version]=2018-03-02T01:01:01.123Z,all"), false},
    {"last twice", S("match[version]=last,last"), false},
    {"a version twice", S("match[version]=2018-03-02T01:01:01Z,2018-03-02T01:01:01.000Z"), false},
    {"latest", S("match[version]=latest"), false},
    {"version in other case", S("match[version]=LAST"), false},
    {"version with an offset", S("match[version]=2018-03-02T01:01:01+00:00"), false},
    {"version of a date", S("match[version]=2018-03-02"), false},
    {"version parameter twice", S("match[version]=last&match[version]=first"), false},
    {"2.1", S("match[spec_version]=2.1"), true},
    {"2.0 and 2.1", S("match[spec_version]=2.0,2.1"), true},
    {"a specification to come", S("match[spec_version]=3.0"), true},
    {"specification that is none", S("match[spec_version]=two"), false},
    {"specification 2", S("match[spec_version]=2"), false},
    {"specification empty", S("match[spec_version]="), false},
    {"unknown field", S("match[colour]=red&match[colour]=blue"), true},
    {"unknown parameter", S("page=3&&x"), true},
    {"broken escape", S("limit=%zz"), false},
    {"escape cut short", S("limit=1%4"), false},
    {"no UTF-8", S("match[type]=%ff"), false},
};

static void queries_are_taken_or_refused_with_words(void **state)
{
    (void)state;
    CHECK_ROWS(row, queries) {
        CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
        struct taxii_query query;
        struct diag diag = {0};
        result r = query_parse(row->query, ALL, &arena, &query, &diag);

        assert_true(succeeded(r) == row->ok);
        assert_true(failed(r) == (diag.text[0] != '\0'));
        assert_true(succeeded(r) || r.code == ERR_INVALID);
    }
}

static struct taxii_query parsed(slice text, unsigned allowed, struct arena *arena)
{
    struct taxii_query query;

    assert_true(succeeded(query_parse(text, allowed, arena, &query, NULL)));
    return query;
}

static void values_come_out_as_they_went_in(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
    struct taxii_query query =
        parsed(SLICE("match[type]=a-b,c%2Cd&match[id]=x--1&limit=25&"
                     "match[version]=first,2018-03-02T01:01:01.123Z&match[spec_version]=2.0,9.9"
                     "&added_after=1970-01-01T00:00:01.5Z"),
               ALL, &arena);

    (void)state;
    assert_int_equal(query.store.type_count, 3);
    assert_true(slice_eq(query.store.types[2], SLICE("d")));
    assert_int_equal(query.store.id_count, 1);
    assert_true(slice_eq(query.store.ids[0], SLICE("x--1")));
    assert_int_equal(query.limit, 25);
    assert_true(query.store.version_first && !query.store.version_last && !query.store.version_all);
    assert_int_equal(query.store.version_count, 1);
    assert_int_equal(query.store.versions[0].us, 1519952461123000);
    assert_int_equal(query.store.spec_count, 1);
    assert_int_equal(query.store.specs[0], STIX_20);
    assert_true(query.store.has_added_after && !query.is_void);
    assert_int_equal(query.store.added_after_us, 1500000);
}

static void digits_past_the_microsecond_do_not_move_added_after(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
    struct taxii_query query =
        parsed(SLICE("added_after=1970-01-01T00:00:00.000001999Z"), ALL, &arena);

    (void)state;
    assert_int_equal(query.store.added_after_us, 1);
}

static void a_specification_nobody_has_matches_nothing(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);

    (void)state;
    assert_true(parsed(SLICE("match[spec_version]=3.0"), ALL, &arena).is_void);
}

static void fields_of_other_endpoints_are_passed_over(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
    struct taxii_query query = parsed(SLICE("match[type]=malware&limit=0"), QUERY_VERSION, &arena);

    (void)state;
    assert_int_equal(query.store.type_count, 0);
    assert_int_equal(query.present, 0);
}

/* `count` values "2.1" behind match[type]= */
static slice many_values(struct arena *arena, size_t count)
{
    slice head = SLICE("match[type]=");
    char *text = arena_new(arena, char, head.len + count * 4);

    assert_non_null(text);
    memcpy(text, head.at, head.len);
    for (size_t i = 0; i < count; i++)
        memcpy(text + head.len + i * 4, "2.1,", 4);
    return slice_of(text, head.len + count * 4 - 1);
}

static void there_is_a_limit_to_values(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
    struct taxii_query query;

    (void)state;
    assert_true(
        succeeded(query_parse(many_values(&arena, QUERY_VALUES_MAX), ALL, &arena, &query, NULL)));
    assert_int_equal(query.store.type_count, QUERY_VALUES_MAX);
    assert_true(
        failed(query_parse(many_values(&arena, QUERY_VALUES_MAX + 1), ALL, &arena, &query, NULL)));
}

static void a_query_past_its_arena_is_a_failure_with_words(void **state)
{
    (void)state;
    for (size_t budget = 0; budget < 4096; budget += 7) {
        CLEANUP(arena_free) struct arena arena = ARENA(budget);
        struct taxii_query query;
        struct diag diag = {0};
        result r = query_parse(SLICE("match[type]=a,b&match[version]=first,2018-03-02T01:01:01Z"),
                               ALL, &arena, &query, &diag);

        assert_true(failed(r) == (diag.text[0] != '\0'));
        assert_true(succeeded(r) || r.code == ERR_LIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_are_taken_or_refused_with_words),
        cmocka_unit_test(values_come_out_as_they_went_in),
        cmocka_unit_test(digits_past_the_microsecond_do_not_move_added_after),
        cmocka_unit_test(a_specification_nobody_has_matches_nothing),
        cmocka_unit_test(fields_of_other_endpoints_are_passed_over),
        cmocka_unit_test(there_is_a_limit_to_values),
        cmocka_unit_test(a_query_past_its_arena_is_a_failure_with_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
