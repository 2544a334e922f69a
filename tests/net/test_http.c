#include "rows.h"

#include "net/http.h"

#include "base/banned.h"

static const struct {
    const char *name;
    slice header;
    enum packing packing;
} accepted[] = {
    {"nothing said", S(""), PACK_NONE},
    {"gzip alone", S("gzip"), PACK_GZIP},
    {"its old name", S("x-gzip"), PACK_GZIP},
    {"other case", S("GZip"), PACK_GZIP},
    {"zstd before gzip", S("gzip, zstd"), PACK_ZSTD},
    {"as curl says", S("deflate, gzip, br, zstd"), PACK_ZSTD},
    {"as requests says", S("gzip, deflate"), PACK_GZIP},
    {"weights decide", S("zstd;q=0.5, gzip;q=0.8"), PACK_GZIP},
    {"weights with spaces", S("zstd ; q=0.5 , gzip ; q=0.8"), PACK_GZIP},
    {"three digits", S("zstd;q=0.501, gzip;q=0.500"), PACK_ZSTD},
    {"zero is no", S("gzip;q=0"), PACK_NONE},
    {"zero in full", S("gzip;q=0.000"), PACK_NONE},
    {"identity is liked better", S("gzip;q=0.5, identity"), PACK_NONE},
    {"identity is liked as well", S("gzip, identity"), PACK_GZIP},
    {"identity refused", S("gzip;q=0.1, identity;q=0"), PACK_GZIP},
    {"anything", S("*"), PACK_GZIP},
    {"anything but gzip", S("gzip;q=0, *"), PACK_NONE},
    {"nothing at all", S("*;q=0"), PACK_NONE},
    {"codings we lack", S("br, deflate"), PACK_NONE},
    {"a weight over one is none", S("gzip;q=1.5"), PACK_NONE},
    {"a weight of four digits is none", S("gzip;q=0.1234"), PACK_NONE},
    {"a weight that is no number", S("gzip;q=high"), PACK_NONE},
    {"an empty weight", S("gzip;q="), PACK_NONE},
    {"empty items", S(",, gzip ,,"), PACK_GZIP},
    {"a broken item harms no other", S("zstd;q=x, gzip"), PACK_GZIP},
    {"other parameters", S("gzip;level=9;q=0.3"), PACK_GZIP},
    {"no prefix of a name", S("gzi, zst"), PACK_NONE},
};

static void the_best_packing_is_taken(void **state)
{
    (void)state;
    CHECK_ROWS(row, accepted)
        assert_int_equal(http_packing_accepted(row->header), row->packing);
}

static const struct {
    const char *name;
    slice query, key;
    size_t nth;
    bool found, broken;
    slice value;
} queries[] = {
    {"the only one", S("limit=5"), S("limit"), 0, true, false, S("5")},
    {"one of several", S("a=1&limit=5&b=2"), S("limit"), 0, true, false, S("5")},
    {"absent", S("a=1"), S("limit"), 0, false, false, S("")},
    {"no query", S(""), S("limit"), 0, false, false, S("")},
    {"empty value", S("limit="), S("limit"), 0, true, false, S("")},
    {"without =", S("limit"), S("limit"), 0, true, false, S("")},
    {"= in the value", S("next=a=b"), S("next"), 0, true, false, S("a=b")},
    {"escaped value", S("next=a%20b%2Fc"), S("next"), 0, true, false, S("a b/c")},
    {"plus stays", S("added_after=2020-01-01T00:00:00+01"), S("added_after"), 0, true, false,
     S("2020-01-01T00:00:00+01")},
    {"escaped name", S("match%5Btype%5D=malware"), S("match[type]"), 0, true, false, S("malware")},
    {"plain brackets", S("match[type]=malware"), S("match[type]"), 0, true, false, S("malware")},
    {"the second of a name", S("a=1&a=2"), S("a"), 1, true, false, S("2")},
    {"a third that is not there", S("a=1&a=2"), S("a"), 2, false, false, S("")},
    {"broken escape", S("a=%zz"), S("a"), 0, false, true, S("")},
    {"cut escape", S("a=%4"), S("a"), 0, false, true, S("")},
    {"broken name", S("%zz=1&a=2"), S("a"), 0, true, false, S("2")},
    {"case matters", S("Limit=5"), S("limit"), 0, false, false, S("")},
    {"empty pairs", S("&&a=1&"), S("a"), 0, true, false, S("1")},
    {"a NUL comes through as a byte", S("a=x%00y"), S("a"), 0, true, false, S("x\0y")},
};

static void query_parameters_are_found_and_decoded(void **state)
{
    (void)state;
    CHECK_ROWS(row, queries) {
        CLEANUP(arena_free) struct arena arena = ARENA(1 << 16);
        struct http_request request = {.query = row->query, .arena = &arena};
        slice value = SLICE("");
        bool broken = true;

        assert_true(http_query_find(&request, row->key, row->nth, &value, &broken) == row->found);
        assert_true(broken == row->broken);
        assert_true(!row->found || slice_eq(value, row->value));
    }
}

static void without_memory_a_parameter_is_broken_and_not_empty(void **state)
{
    struct arena arena = ARENA(0);
    struct http_request request = {.query = SLICE("a=%41"), .arena = &arena};
    slice value;
    bool broken = false;

    (void)state;
    assert_false(http_query_find(&request, SLICE("a"), 0, &value, &broken));
    assert_true(broken);
}

static void a_header_is_found_in_any_case_and_the_first_counts(void **state)
{
    const struct http_header headers[] = {
        {SLICE("Accept"), SLICE("one")}, {SLICE("ACCEPT"), SLICE("two")}, {SLICE("X"), SLICE("")}};
    struct http_request request = {.headers = headers, .header_count = 3};

    (void)state;
    assert_true(slice_eq(http_header_find(&request, SLICE("accept")), SLICE("one")));
    assert_null(http_header_find(&request, SLICE("accep")).at);
    assert_non_null(http_header_find(&request, SLICE("x")).at);
}

static void response_headers_past_the_limit_are_not_written(void **state)
{
    struct http_response response = {0};

    (void)state;
    for (size_t i = 0; i < HTTP_RESPONSE_HEADERS_MAX + 3; i++)
        http_response_header(&response, SLICE("A"), SLICE("b"));
    assert_int_equal(response.header_count, HTTP_RESPONSE_HEADERS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_packing_is_taken),
        cmocka_unit_test(query_parameters_are_found_and_decoded),
        cmocka_unit_test(without_memory_a_parameter_is_broken_and_not_empty),
        cmocka_unit_test(a_header_is_found_in_any_case_and_the_first_counts),
        cmocka_unit_test(response_headers_past_the_limit_are_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
