#include "base/buf.h"

#include "rows.h"

#include "base/banned.h"

static void small_steps_make_a_text(void **state)
{
    CLEANUP(buf_free) struct buf buf = BUF(64);

    (void)state;
    buf_put(&buf, SLICE("a"));
    buf_byte(&buf, 'b');
    buf_printf(&buf, "%d", 12);
    buf_put(&buf, SLICE_NONE);
    assert_true(slice_eq(buf_slice(&buf), SLICE("ab12")) && !buf.overflowed);
    buf_reset(&buf);
    assert_true(slice_eq(buf_slice(&buf), SLICE("")));
}

static void past_the_ceiling_nothing_is_added(void **state)
{
    CLEANUP(buf_free) struct buf buf = BUF(8);

    (void)state;
    buf_put(&buf, SLICE("12345678"));
    assert_false(buf.overflowed);
    buf_byte(&buf, '9');
    assert_true(buf.overflowed && buf.len == 8);
    buf_put(&buf, SLICE(""));
    buf_printf(&buf, "x");
    assert_null(buf_reserve(&buf, 0));
    assert_int_equal(buf.len, 8);
    buf_reset(&buf);
    assert_false(buf.overflowed);
    buf_printf(&buf, "%s", "1234567"); /* printf wants room for its NUL as well */
    assert_true(buf.len == 7 && !buf.overflowed);
}

static void room_that_wraps_is_refused(void **state)
{
    CLEANUP(buf_free) struct buf buf = BUF(SIZE_MAX);

    (void)state;
    buf_byte(&buf, 'a');
    assert_null(buf_reserve(&buf, SIZE_MAX));
    assert_true(buf.overflowed && buf.len == 1);
}

static void numbers_are_read_back(void **state)
{
    static const uint64_t values[] = {0, 1, 127, 128, 255, 16383, 16384, UINT32_MAX, UINT64_MAX};
    CLEANUP(buf_free) struct buf buf = BUF(1024);

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        buf_u16(&buf, (uint16_t)values[i]);
        buf_u32(&buf, (uint32_t)values[i]);
        buf_u64(&buf, values[i]);
        buf_varint(&buf, values[i]);
    }
    struct reader reader = READER(buf_slice(&buf));
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_true(read_u16(&reader) == (uint16_t)values[i]);
        assert_true(read_u32(&reader) == (uint32_t)values[i]);
        assert_true(read_u64(&reader) == values[i]);
        assert_true(read_varint(&reader) == values[i]);
    }
    assert_true(reader.rest.len == 0 && !reader.broken);
}

/* Keys are compared as bytes, so the bytes must order as the numbers do. */
static void byte_order_is_number_order(void **state)
{
    CLEANUP(buf_free) struct buf buf = BUF(64);

    (void)state;
    buf_u32(&buf, 0x01020304);
    assert_true(slice_eq(buf_slice(&buf), SLICE("\1\2\3\4")));
    buf_reset(&buf);
    buf_u64(&buf, 255);
    buf_u64(&buf, 256);
    assert_true(slice_cmp(slice_head(buf_slice(&buf), 8), slice_from(buf_slice(&buf), 8)) < 0);
}

static const struct {
    const char *name;
    slice bytes;
    bool is_broken;
    uint64_t value;
} varints[] = {
    {"one byte", S("\x7f"), false, 127},
    {"greatest", S("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), false, UINT64_MAX},
    {"one bit too many", S("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), true, 0},
    {"one byte too many", S("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), true, 0},
    {"cut", S("\x80"), true, 0},
    {"empty", S(""), true, 0},
};

static void a_bad_varint_breaks_the_reader(void **state)
{
    (void)state;
    CHECK_ROWS(row, varints) {
        struct reader reader = READER(row->bytes);

        assert_true(read_varint(&reader) == row->value);
        assert_true(reader.broken == row->is_broken);
    }
}

static void a_reader_past_its_end_stays_broken(void **state)
{
    struct reader reader = READER(SLICE("\1\2\3"));

    (void)state;
    assert_int_equal(read_u32(&reader), 0);
    assert_true(reader.broken);
    assert_int_equal(read_u8(&reader), 0); /* though a byte is there */
    assert_null(read_bytes(&reader, 0).at);
    reader = READER(SLICE("\1\2\3"));
    assert_null(read_bytes(&reader, SIZE_MAX).at);
    assert_true(reader.broken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_steps_make_a_text),
        cmocka_unit_test(past_the_ceiling_nothing_is_added),
        cmocka_unit_test(room_that_wraps_is_refused),
        cmocka_unit_test(numbers_are_read_back),
        cmocka_unit_test(byte_order_is_number_order),
        cmocka_unit_test(a_bad_varint_breaks_the_reader),
        cmocka_unit_test(a_reader_past_its_end_stays_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
