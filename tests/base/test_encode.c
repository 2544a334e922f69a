#include "base/encode.h"

#include "rows.h"

#include "base/banned.h"

static void hexadecimal_goes_there_and_back(void **state)
{
    unsigned char all[256], back[256];
    char text[512];

    (void)state;
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (unsigned char)i;
    hex_encode(slice_of(all, sizeof(all)), text);
    assert_true(slice_eq(slice_head(slice_of(text, sizeof(text)), 6), SLICE("000102")));
    assert_true(hex_decode(slice_of(text, sizeof(text)), back, sizeof(back)));
    assert_memory_equal(all, back, sizeof(all));
    assert_true(hex_decode(SLICE("aBCdEf"), back, 3));
    assert_memory_equal(back, "\xab\xcd\xef", 3);
}

static const struct {
    const char *name;
    slice text;
    size_t bytes;
} bad_hex[] = {
    {"odd", S("abc"), 1},     {"short", S("ab"), 2},      {"long", S("abcd"), 1},
    {"no digit", S("ag"), 1}, {"space", S(" a"), 1},      {"sign", S("+1"), 1},
    {"prefix", S("0x"), 1},   {"past the f", S("@`"), 1}, {"not ASCII", S("\xe1\x81"), 1},
};

static void bad_hexadecimal_is_refused(void **state)
{
    uint8_t out[4];

    (void)state;
    CHECK_ROWS(row, bad_hex)
        assert_false(hex_decode(row->text, out, row->bytes));
}

static const struct {
    const char *name;
    slice bytes, text, url;
} base64s[] = {
    /* RFC 4648, 10 */
    {"nothing", S(""), S(""), S("")},
    {"f", S("f"), S("Zg=="), S("Zg")},
    {"fo", S("fo"), S("Zm8="), S("Zm8")},
    {"foo", S("foo"), S("Zm9v"), S("Zm9v")},
    {"foob", S("foob"), S("Zm9vYg=="), S("Zm9vYg")},
    {"fooba", S("fooba"), S("Zm9vYmE="), S("Zm9vYmE")},
    {"foobar", S("foobar"), S("Zm9vYmFy"), S("Zm9vYmFy")},
    {"62 and 63", S("\xfb\xff\xfe"), S("+//+"), S("-__-")},
    {"zero bytes", S("\0\0"), S("AAA="), S("AAA")},
};

static void base64_goes_there_and_back(void **state)
{
    (void)state;
    CHECK_ROWS(row, base64s) {
        CLEANUP(buf_free) struct buf buf = BUF(64);

        base64_encode(&buf, row->bytes);
        assert_true(slice_eq(buf_slice(&buf), row->text));
        buf_reset(&buf);
        base64url_encode(&buf, row->bytes);
        assert_true(slice_eq(buf_slice(&buf), row->url));
        buf_reset(&buf);
        assert_true(base64_decode(&buf, row->text));
        assert_true(slice_eq(buf_slice(&buf), row->bytes));
        buf_reset(&buf);
        assert_true(base64url_decode(&buf, row->url));
        assert_true(slice_eq(buf_slice(&buf), row->bytes));
    }
}

static const struct {
    const char *name;
    slice text;
} bad_base64[] = {
    {"padding missing", S("Zg")},
    {"padding short", S("Zg=")},
    {"padding alone", S("====")},
    {"three paddings", S("Z===")},
    {"padding within", S("Zg==Zg==")},
    {"URL alphabet", S("-__-")},
    {"left-over bits", S("Zh==")},
    {"left-over bits of three", S("Zm9=")},
    {"space", S("Zm 9")},
    {"new line", S("Zm9v\n")},
    {"one character", S("Z")},
    {"zero byte", S("Zm9\0")},
    {"not ASCII", S("Zm9\xc3")},
};

static void each_value_has_one_spelling_in_base64(void **state)
{
    (void)state;
    CHECK_ROWS(row, bad_base64) {
        CLEANUP(buf_free) struct buf buf = BUF(64);

        assert_false(base64_decode(&buf, row->text));
    }
    CLEANUP(buf_free) struct buf buf = BUF(64);
    assert_false(base64url_decode(&buf, SLICE("Zg==")));
    assert_false(base64url_decode(&buf, SLICE("+//+")));
    assert_false(base64url_decode(&buf, SLICE("Zm9vY")));
}

static void a_result_over_the_ceiling_is_no_result(void **state)
{
    CLEANUP(buf_free) struct buf buf = BUF(2);

    (void)state;
    assert_false(base64_decode(&buf, SLICE("Zm9v")));
    buf_reset(&buf);
    assert_false(percent_decode(&buf, SLICE("abc")));
}

static const struct {
    const char *name;
    slice text, plain;
    bool is_good;
} percents[] = {
    {"plain", S("a+b"), S("a+b"), true},
    {"escapes", S("%2Fa%20%c3%A4"), S("/a \xc3\xa4"), true},
    {"zero byte", S("a%00b"), S("a\0b"), true},
    {"only once", S("%2525"), S("%25"), true},
    {"empty", S(""), S(""), true},
    {"cut after one", S("a%2"), S(""), false},
    {"cut at once", S("a%"), S(""), false},
    {"no digit", S("%zz"), S(""), false},
    {"sign", S("%+1"), S(""), false},
};

static void percent_escapes_are_undone_once(void **state)
{
    (void)state;
    CHECK_ROWS(row, percents) {
        CLEANUP(buf_free) struct buf buf = BUF(64);

        assert_true(percent_decode(&buf, row->text) == row->is_good);
        assert_true(!row->is_good || slice_eq(buf_slice(&buf), row->plain));
    }
}

static void every_byte_survives_percent_escapes(void **state)
{
    CLEANUP(buf_free) struct buf buf = BUF(1024), back = BUF(1024);
    unsigned char all[256];

    (void)state;
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (unsigned char)i;
    percent_encode(&buf, slice_of(all, sizeof(all)));
    assert_int_equal(buf.len, 66 + 3 * 190); /* 66 unreserved characters: RFC 3986, 2.3 */
    assert_true(percent_decode(&back, buf_slice(&buf)));
    assert_true(slice_eq(buf_slice(&back), slice_of(all, sizeof(all))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hexadecimal_goes_there_and_back),
        cmocka_unit_test(bad_hexadecimal_is_refused),
        cmocka_unit_test(base64_goes_there_and_back),
        cmocka_unit_test(each_value_has_one_spelling_in_base64),
        cmocka_unit_test(a_result_over_the_ceiling_is_no_result),
        cmocka_unit_test(percent_escapes_are_undone_once),
        cmocka_unit_test(every_byte_survives_percent_escapes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
