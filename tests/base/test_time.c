#include "base/time.h"

#include "rows.h"

#include "base/banned.h"

#define DAY_US 86400000000ll

static const struct {
    const char *name;
    slice text;
    int64_t us;
    uint32_t rest;
} written[] = {
    {"the epoch", S("1970-01-01T00:00:00Z"), 0, 0},
    {"milliseconds", S("2016-01-20T12:31:12.123Z"), 1453293072123000, 0},
    {"microseconds", S("2016-01-20T12:31:12.123456Z"), 1453293072123456, 0},
    {"one digit", S("2016-01-20T12:31:12.1Z"), 1453293072100000, 0},
    {"nanoseconds are kept", S("2016-01-20T12:31:12.123456789Z"), 1453293072123456, 789000},
    {"twelve digits", S("2016-01-20T12:31:12.123456789012Z"), 1453293072123456, 789012},
    {"zeros are kept", S("2016-01-20T12:31:12.000000000Z"), 1453293072000000, 0},
    {"before the epoch", S("1969-12-31T23:59:59.999999Z"), -1, 0},
    {"before the epoch, finer", S("1969-12-31T23:59:59.9999995Z"), -1, 500000},
    {"first", S("0001-01-01T00:00:00Z"), -62135596800000000, 0},
    {"last", S("9999-12-31T23:59:59.999999Z"), 253402300799999999, 0},
    {"leap day", S("2024-02-29T00:00:00Z"), 1709164800000000, 0},
    {"leap day of a 400th year", S("2000-02-29T00:00:00Z"), 951782400000000, 0},
};

static void a_date_is_written_as_it_was_read(void **state)
{
    (void)state;
    CHECK_ROWS(row, written) {
        char text[TIMESTAMP_TEXT_BYTES_MAX];
        struct timestamp timestamp;

        assert_true(timestamp_parse(row->text, &timestamp));
        assert_true(timestamp.us == row->us && timestamp.rest == row->rest);
        assert_true(slice_eq(slice_of(text, timestamp_format(&timestamp, text)), row->text));
    }
}

static const struct {
    const char *name;
    slice text;
} refused[] = {
    {"empty", S("")},
    {"date alone", S("2016-01-20")},
    {"no zone", S("2016-01-20T12:31:12")},
    {"offset", S("2016-01-20T12:31:12+00:00")},
    {"lower case zone", S("2016-01-20T12:31:12z")},
    {"lower case t", S("2016-01-20t12:31:12Z")},
    {"space for T", S("2016-01-20 12:31:12Z")},
    {"space behind", S("2016-01-20T12:31:12Z ")},
    {"space before", S(" 2016-01-20T12:31:12Z")},
    {"zero byte behind", S("2016-01-20T12:31:12Z\0")},
    {"point without digits", S("2016-01-20T12:31:12.Z")},
    {"comma", S("2016-01-20T12:31:12,5Z")},
    {"two points", S("2016-01-20T12:31:12.5.5Z")},
    {"no such month", S("2016-13-20T12:31:12Z")},
    {"month 0", S("2016-00-20T12:31:12Z")},
    {"day 0", S("2016-01-00T12:31:12Z")},
    {"day 31 of 30", S("2016-04-31T12:31:12Z")},
    {"no leap day", S("2023-02-29T12:31:12Z")},
    {"no leap day in a 100th year", S("1900-02-29T12:31:12Z")},
    {"hour 24", S("2016-01-20T24:00:00Z")},
    {"minute 60", S("2016-01-20T12:60:12Z")},
    {"second 61", S("2016-12-31T23:59:61Z")},
    {"leap second at noon", S("2016-12-31T12:59:60Z")},
    {"year 0", S("0000-01-20T12:31:12Z")},
    {"year of five digits", S("12016-01-20T12:31:12Z")},
    {"sign", S("-016-01-20T12:31:12Z")},
    {"one digit short", S("2016-1-20T12:31:12Z")},
    {"finer than we keep", S("2016-01-20T12:31:12.1234567890123Z")},
    {"letters", S("2016-01-20T12:31:1xZ")},
};

static void what_is_no_stix_date_is_refused(void **state)
{
    (void)state;
    CHECK_ROWS(row, refused) {
        struct timestamp timestamp = {.us = 42};

        assert_false(timestamp_parse(row->text, &timestamp));
        assert_true(timestamp.us == 42);
    }
}

/* Every prefix of a good date is no date. */
static void a_cut_date_is_refused(void **state)
{
    slice whole = SLICE("2016-01-20T12:31:12.123456Z");
    struct timestamp timestamp;

    (void)state;
    for (size_t bytes = 0; bytes < whole.len; bytes++)
        assert_false(timestamp_parse(slice_head(whole, bytes), &timestamp));
    assert_true(timestamp_parse(whole, &timestamp));
}

static const struct {
    const char *name;
    slice text, same;
} offsets[] = {
    {"east", S("2016-01-20T21:31:12+09:00"), S("2016-01-20T12:31:12Z")},
    {"west, over midnight", S("2016-01-19T23:31:12-02:30"), S("2016-01-20T02:01:12Z")},
    {"lower case", S("2016-01-20t12:31:12z"), S("2016-01-20T12:31:12Z")},
    {"leap second abroad", S("2017-01-01T08:59:60+09:00"), S("2017-01-01T00:00:00Z")},
};

static void rfc3339_is_read_where_asked_for(void **state)
{
    (void)state;
    CHECK_ROWS(row, offsets) {
        struct timestamp a, b;

        assert_true(timestamp_parse_rfc3339(row->text, &a) && timestamp_parse(row->same, &b));
        assert_int_equal(timestamp_cmp(&a, &b), 0);
    }
    struct timestamp t;
    assert_false(timestamp_parse_rfc3339(SLICE("2016-01-20T12:31:12+24:00"), &t));
    assert_false(timestamp_parse_rfc3339(SLICE("2016-01-20T12:31:12+0900"), &t));
    assert_false(timestamp_parse_rfc3339(SLICE("2016-01-20T12:31:12+09:60"), &t));
}

/* An offset may carry a lawful date out of the years that can be written again. */
static void an_offset_does_not_leave_the_years(void **state)
{
    struct timestamp t = {.us = 42};

    (void)state;
    assert_false(timestamp_parse_rfc3339(SLICE("9999-12-31T23:59:59-01:00"), &t));
    assert_false(timestamp_parse_rfc3339(SLICE("0001-01-01T00:00:00+01:00"), &t));
    assert_true(t.us == 42);
}

/* All the days of 400 years, by counting. */
static void every_day_is_the_next_one_after_the_last(void **state)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct timestamp timestamp;
    int64_t expected = -11676096000000000; /* 1600-01-01 */
    char text[32], back[TIMESTAMP_TEXT_BYTES_MAX];

    (void)state;
    for (unsigned year = 1600; year < 2000; year++) {
        bool is_leap = year % 4 == 0 && (year % 100 != 0 || year == 1600);

        for (unsigned month = 0; month < 12; month++)
            for (unsigned day = 1; day <= days[month] + (month == 1 && is_leap ? 1u : 0u); day++) {
                int bytes =
                    snprintf(text, sizeof(text), "%04u-%02u-%02uT00:00:00Z", year, month + 1, day);

                assert_true(timestamp_parse(slice_of(text, (size_t)bytes), &timestamp));
                assert_true(timestamp.us == expected);
                assert_true(slice_eq(slice_of(back, timestamp_format(&timestamp, back)),
                                     slice_of(text, (size_t)bytes)));
                expected += DAY_US;
            }
    }
    assert_true(expected == 946684800000000); /* 2000-01-01 */
}

static void dates_compare_by_value(void **state)
{
    struct timestamp a, b, c;

    (void)state;
    assert_true(timestamp_parse(SLICE("2016-01-20T12:31:12.1Z"), &a));
    assert_true(timestamp_parse(SLICE("2016-01-20T12:31:12.100Z"), &b));
    assert_true(timestamp_parse(SLICE("2016-01-20T12:31:12.100000001Z"), &c));
    assert_int_equal(timestamp_cmp(&a, &b), 0);
    assert_true(timestamp_cmp(&b, &c) < 0 && timestamp_cmp(&c, &b) > 0);
}

static void taxii_dates_have_six_digits(void **state)
{
    char text[TIMESTAMP_TEXT_BYTES_MAX];

    (void)state;
    assert_true(
        slice_eq(slice_of(text, time_format_us(0, text)), SLICE("1970-01-01T00:00:00.000000Z")));
    assert_true(
        slice_eq(slice_of(text, time_format_us(-1, text)), SLICE("1969-12-31T23:59:59.999999Z")));
}

static void clocks_go_forward(void **state)
{
    uint64_t before = time_mono_ns();

    (void)state;
    assert_true(time_mono_ns() >= before && before > 0);
    assert_true(time_now_us() > 1700000000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_date_is_written_as_it_was_read),
        cmocka_unit_test(what_is_no_stix_date_is_refused),
        cmocka_unit_test(a_cut_date_is_refused),
        cmocka_unit_test(rfc3339_is_read_where_asked_for),
        cmocka_unit_test(an_offset_does_not_leave_the_years),
        cmocka_unit_test(every_day_is_the_next_one_after_the_last),
        cmocka_unit_test(dates_compare_by_value),
        cmocka_unit_test(taxii_dates_have_six_digits),
        cmocka_unit_test(clocks_go_forward),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
