#include "rows.h"
#include "taxii/server.h"

static const struct {
    const char *name;
    slice json;
    bool ok;
    uint64_t count;
} envelopes[] = {
    {"one", S("{\"objects\":[{}]}"), true, 1},
    {"two with space", S(" { \"objects\" : [ {} , {} ] }\r\n\t "), true, 2},
    {"other members around", S("{\"more\":true,\"objects\":[{\"a\":[1,2]},{}],\"x_a\":{\"b\":[]}}"),
     true, 2},
    {"a bundle", S("{\"type\":\"bundle\",\"id\":\"bundle--x\",\"objects\":[{}]}"), true, 1},
    {"brackets in strings", S("{\"objects\":[{\"a\":\"]}\\\"]\"}]}"), true, 1},
    {"\"objects\" deeper down", S("{\"x_a\":{\"objects\":[1]},\"objects\":[{}]}"), true, 1},
    {"things that are no objects", S("{\"objects\":[1,\"a\",null,[]]}"), true, 4},
    {"empty", S(""), false, 0},
    {"space", S(" \n"), false, 0},
    {"no objects", S("{}"), false, 0},
    {"an empty list", S("{\"objects\":[]}"), false, 0},
    {"objects of another kind", S("{\"objects\":{}}"), false, 0},
    {"objects twice", S("{\"objects\":[{}],\"objects\":[{}]}"), false, 0},
    {"a bare array", S("[{}]"), false, 0},
    {"a bare object", S("{\"type\":\"indicator\"}"), false, 0},
    {"two envelopes", S("{\"objects\":[{}]}{\"objects\":[{}]}"), false, 0},
    {"a tail", S("{\"objects\":[{}]} x"), false, 0},
    {"a NUL behind", S("{\"objects\":[{}]}\0"), false, 0},
    {"cut in the envelope", S("{\"objects\":[{}]"), false, 0},
    {"cut in the list", S("{\"objects\":[{},"), false, 0},
    {"cut in an object", S("{\"objects\":[{\"a\":1"), false, 0},
    {"cut in a string", S("{\"objects\":[{\"a\":\"b"), false, 0},
    {"cut behind a backslash", S("{\"objects\":[{\"a\":\"b\\"), false, 0},
    {"cut in a key", S("{\"objec"), false, 0},
    {"a hole in the list", S("{\"objects\":[{},,{}]}"), false, 0},
    {"a comma too many", S("{\"objects\":[{},]}"), false, 0},
    {"no colon", S("{\"objects\" [{}]}"), false, 0},
    {"a key without quotes", S("{objects:[{}]}"), false, 0},
    {"text", S("hello"), false, 0},
};

static void an_envelope_is_told_from_what_is_none(void **state)
{
    (void)state;
    CHECK_ROWS(row, envelopes) {
        struct diag diag = {0};
        uint64_t count;
        result r = envelope_measure(row->json, &count, &diag);

        assert_true(succeeded(r) == row->ok);
        assert_true(failed(r) == (diag.text[0] != '\0'));
        assert_true(succeeded(r) || r.code == ERR_INVALID);
        if (row->ok)
            assert_int_equal(count, row->count);
    }
}

static void depth_costs_nothing(void **state)
{
    enum { LEVELS = 100000 };
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);
    uint64_t count;

    (void)state;
    buf_put(&json, SLICE("{\"objects\":[{\"a\":"));
    for (size_t i = 0; i < LEVELS; i++)
        buf_byte(&json, '[');
    assert_true(failed(envelope_measure(buf_slice(&json), &count, NULL)));
    for (size_t i = 0; i < LEVELS; i++)
        buf_byte(&json, ']');
    buf_put(&json, SLICE("}]}"));
    assert_true(succeeded(envelope_measure(buf_slice(&json), &count, NULL)));
    assert_int_equal(count, 1);
}

static void every_cut_of_a_good_envelope_is_refused(void **state)
{
    slice whole = SLICE("{\"more\":false,\"objects\":[{\"a\":\"\\\"\"},{\"b\":[{}]}]}");

    (void)state;
    for (size_t len = 0; len < whole.len; len++) {
        uint64_t count;

        assert_true(failed(envelope_measure(slice_head(whole, len), &count, NULL)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_envelope_is_told_from_what_is_none),
        cmocka_unit_test(depth_costs_nothing),
        cmocka_unit_test(every_cut_of_a_good_envelope_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
