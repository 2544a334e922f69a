#include "base/slice.h"

#include "rows.h"

#include "base/banned.h"

static const struct {
    const char *name;
    slice in, head, tail;
    bool found;
} cuts[] = {
    {"in the middle", S("a=b"), S("a"), S("b"), true},
    {"at the end", S("a="), S("a"), S(""), true},
    {"at the start", S("=b"), S(""), S("b"), true},
    {"first of several", S("a=b=c"), S("a"), S("b=c"), true},
    {"absent", S("ab"), S("ab"), S(""), false},
    {"empty", S(""), S(""), S(""), false},
};

static void cut_splits_at_the_first_separator(void **state)
{
    (void)state;
    CHECK_ROWS(row, cuts) {
        slice head, tail;

        assert_true(slice_cut(row->in, '=', &head, &tail) == row->found);
        assert_true(slice_eq(head, row->head) && slice_eq(tail, row->tail));
    }
}

static void nothing_is_read_behind_a_null_slice(void **state)
{
    slice head, tail;

    (void)state;
    assert_true(slice_eq(SLICE_NONE, SLICE("")));
    assert_int_equal(slice_cmp(SLICE_NONE, SLICE("")), 0);
    assert_true(slice_starts(SLICE("a"), SLICE_NONE) && slice_ends(SLICE("a"), SLICE_NONE));
    assert_false(slice_cut(SLICE_NONE, 'x', &head, &tail));
    assert_true(slice_find_byte(SLICE_NONE, 'x') == SIZE_MAX);
    assert_true(slice_find(SLICE_NONE, SLICE("x")) == SIZE_MAX);
    assert_true(slice_trim(SLICE_NONE).len == 0 && utf8_valid(SLICE_NONE));
    assert_true(slice_text(NULL).len == 0 && utf8_step(SLICE_NONE) == 0);
}

static const struct {
    const char *name;
    slice a, b;
    int order;
} orders[] = {
    {"equal", S("ab"), S("ab"), 0},
    {"prefix first", S("a"), S("ab"), -1},
    {"bytes, not signed", S("\x7f"), S("\x80"), -1},
    {"zero byte counts", S("a\0b"), S("a\0a"), 1},
    {"empty first", S(""), S("\0"), -1},
};

static void order_is_that_of_bytes(void **state)
{
    (void)state;
    CHECK_ROWS(row, orders) {
        int order = slice_cmp(row->a, row->b), back = slice_cmp(row->b, row->a);

        assert_int_equal((order > 0) - (order < 0), row->order);
        assert_int_equal((back > 0) - (back < 0), -row->order);
    }
}

static const struct {
    const char *name;
    slice a, b;
    bool is_equal;
} cases[] = {
    {"same", S("abc"), S("ABC"), true},
    {"other length", S("abc"), S("ABCD"), false},
    {"not letters", S("[{@`"), S("{[`@"), false},
    {"beyond ASCII is not folded", S("\xc3\xa4"), S("\xc3\x84"), false},
};

static void case_is_ignored_for_ascii_letters_alone(void **state)
{
    (void)state;
    CHECK_ROWS(row, cases)
        assert_true(slice_eq_nocase(row->a, row->b) == row->is_equal);
}

static void parts_never_leave_the_slice(void **state)
{
    slice s = SLICE("abc");

    (void)state;
    assert_true(slice_eq(slice_from(s, 4), SLICE("")));
    assert_true(slice_eq(slice_from(s, SIZE_MAX), SLICE("")));
    assert_true(slice_eq(slice_head(s, SIZE_MAX), s));
    assert_true(slice_eq(slice_trim(SLICE(" \t\r\n a b \n")), SLICE("a b")));
    assert_true(slice_eq(slice_trim(SLICE(" \t\r\n")), SLICE("")));
    assert_true(slice_find(SLICE("aab"), SLICE("ab")) == 1);
    assert_true(slice_find(SLICE("aab"), SLICE("")) == 0);
    assert_true(slice_find(SLICE("a"), SLICE("ab")) == SIZE_MAX);
}

static const struct {
    const char *name;
    slice in;
    bool is_number;
    uint64_t value;
} numbers[] = {
    {"zero", S("0"), true, 0},
    {"leading zeros", S("007"), true, 7},
    {"greatest", S("18446744073709551615"), true, UINT64_MAX},
    {"one more", S("18446744073709551616"), false, 0},
    {"wraps twice", S("99999999999999999999999"), false, 0},
    {"empty", S(""), false, 0},
    {"plus", S("+1"), false, 0},
    {"minus", S("-1"), false, 0},
    {"minus zero", S("-0"), false, 0},
    {"space before", S(" 1"), false, 0},
    {"space behind", S("1 "), false, 0},
    {"zero byte behind", S("1\0"), false, 0},
    {"hexadecimal", S("0x1"), false, 0},
    {"fraction", S("1.0"), false, 0},
    {"exponent", S("1e3"), false, 0},
    {"other digits", S("\xd9\xa1"), false, 0},
};

static void a_number_is_digits_and_nothing_else(void **state)
{
    (void)state;
    CHECK_ROWS(row, numbers) {
        uint64_t value = 42;

        assert_true(parse_u64(row->in, &value) == row->is_number);
        assert_true(value == (row->is_number ? row->value : 42));
    }
}

static const struct {
    const char *name;
    slice in;
    bool is_number;
    int64_t value;
} signed_numbers[] = {
    {"greatest", S("9223372036854775807"), true, INT64_MAX},
    {"one more", S("9223372036854775808"), false, 0},
    {"least", S("-9223372036854775808"), true, INT64_MIN},
    {"one less", S("-9223372036854775809"), false, 0},
    {"minus alone", S("-"), false, 0},
    {"two minuses", S("--1"), false, 0},
    {"plus", S("+1"), false, 0},
    {"minus one", S("-1"), true, -1},
};

static void a_signed_number_has_one_minus_at_most(void **state)
{
    (void)state;
    CHECK_ROWS(row, signed_numbers) {
        int64_t value = 42;

        assert_true(parse_i64(row->in, &value) == row->is_number);
        assert_true(value == (row->is_number ? row->value : 42));
    }
}

static void sums_and_products_say_when_they_wrap(void **state)
{
    size_t out;

    (void)state;
    assert_true(size_add(SIZE_MAX - 1, 1, &out) && out == SIZE_MAX);
    assert_false(size_add(SIZE_MAX, 1, &out));
    assert_true(size_mul(SIZE_MAX / 2, 2, &out));
    assert_false(size_mul(SIZE_MAX / 2 + 1, 2, &out));
}

static const struct {
    const char *name;
    slice in;
    bool is_valid;
} texts[] = {
    {"ASCII", S("abc\0\x7f"), true},
    {"two bytes, least and greatest", S("\xc2\x80\xdf\xbf"), true},
    {"three bytes, least and greatest", S("\xe0\xa0\x80\xef\xbf\xbf"), true},
    {"four bytes, least and greatest", S("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), true},
    {"around the surrogates", S("\xed\x9f\xbf\xee\x80\x80"), true},
    {"overlong slash", S("\xc0\xaf"), false},
    {"overlong in three", S("\xe0\x9f\xbf"), false},
    {"overlong in four", S("\xf0\x8f\xbf\xbf"), false},
    {"surrogate", S("\xed\xa0\x80"), false},
    {"past the last", S("\xf4\x90\x80\x80"), false},
    {"no such lead", S("\xf8\x88\x80\x80\x80"), false},
    {"continuation alone", S("\x80"), false},
    {"cut in two", S("a\xc2"), false},
    {"cut in three", S("\xe3\x81"), false},
    {"cut in four", S("\xf0\x9f\x98"), false},
    {"bad third byte", S("\xe3\x81\x41"), false},
    {"bad fourth byte", S("\xf0\x9f\x98\xc0"), false},
};

static void only_well_formed_utf8_is_text(void **state)
{
    (void)state;
    CHECK_ROWS(row, texts)
        assert_true(utf8_valid(row->in) == row->is_valid);
}

/* Every code point, and that nothing of two bytes is taken that no code point makes. */
static void utf8_is_right_for_every_code_point(void **state)
{
    size_t taken = 0;

    (void)state;
    for (uint32_t point = 0; point < 0x110000; point++) {
        unsigned char b[4] = {
            (unsigned char)(0xf0 | point >> 18), (unsigned char)(0x80 | (point >> 12 & 63)),
            (unsigned char)(0x80 | (point >> 6 & 63)), (unsigned char)(0x80 | (point & 63))};
        size_t bytes = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

        if (bytes == 1)
            b[3] = (unsigned char)point;
        if (bytes == 2)
            b[2] = (unsigned char)(0xc0 | point >> 6);
        if (bytes == 3)
            b[1] = (unsigned char)(0xe0 | point >> 12);
        bool is_surrogate = point >= 0xd800 && point < 0xe000;
        assert_int_equal(utf8_step(slice_of(b + 4 - bytes, bytes)), is_surrogate ? 0 : bytes);
    }
    for (unsigned pair = 0; pair < 0x10000; pair++) {
        unsigned char b[2] = {(unsigned char)(pair >> 8), (unsigned char)pair};

        taken += utf8_valid(slice_of(b, 2));
    }
    assert_int_equal(taken, 128 * 128 + 1920);
}

static const struct {
    const char *name;
    slice in;
    size_t room;
    const char *out;
} shown[] = {
    {"plain", S("abc"), 16, "abc"},
    {"Japanese stays", S("\xe3\x81\x82"), 16, "\xe3\x81\x82"},
    {"escape sequences", S("\x1b[31m"), 16, "\\x1b[31m"},
    {"zero byte", S("a\0b"), 16, "a\\x00b"},
    {"C1 control",
     S("\xc2\x9b"
       "1m"),
     16, "\\xc2\\x9b1m"},
    {"right-to-left override",
     S("\xe2\x80\xae"
       "a"),
     32,
     "\\xe2\\x80\\xae"
     "a"},
    {"isolate", S("\xe2\x81\xa6"), 32, "\\xe2\\x81\\xa6"},
    {"not UTF-8", S("\xff"), 16, "\\xff"},
    {"cut", S("abcdefgh"), 8, "abcd..."},
    {"exactly full", S("abcd"), 8, "abcd"},
    {"never half a character", S("a\xe3\x81\x82\xe3\x81\x82"), 8, "a\xe3\x81\x82..."},
    {"nothing but dots", S("abcdef"), 4, "..."},
};

static void outside_bytes_cannot_steer_a_terminal(void **state)
{
    (void)state;
    CHECK_ROWS(row, shown) {
        char out[40];

        assert_true(row->room <= sizeof(out));
        assert_int_equal(printable(out, row->room, row->in), strlen(row->out));
        assert_string_equal(out, row->out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_splits_at_the_first_separator),
        cmocka_unit_test(nothing_is_read_behind_a_null_slice),
        cmocka_unit_test(order_is_that_of_bytes),
        cmocka_unit_test(case_is_ignored_for_ascii_letters_alone),
        cmocka_unit_test(parts_never_leave_the_slice),
        cmocka_unit_test(a_number_is_digits_and_nothing_else),
        cmocka_unit_test(a_signed_number_has_one_minus_at_most),
        cmocka_unit_test(sums_and_products_say_when_they_wrap),
        cmocka_unit_test(only_well_formed_utf8_is_text),
        cmocka_unit_test(utf8_is_right_for_every_code_point),
        cmocka_unit_test(outside_bytes_cannot_steer_a_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
