#include "base/pack.h"

#include "base/fault.h"

#include "rows.h"

#include "base/banned.h"

#define CEILING ((size_t)8 << 20)

static const enum packing packings[] = {PACK_NONE, PACK_GZIP, PACK_ZSTD};

/* Text that packs well, of any size. */
static void fill(struct buf *buf, size_t bytes)
{
    while (buf->len < bytes)
        buf_printf(buf, "{\"id\":\"indicator--%zu\"},", buf->len * 7919);
    buf->len = bytes;
    assert_false(buf->overflowed);
}

static void what_is_packed_comes_out_again(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 4096, 65536, 1000000};

    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
            CLEANUP(buf_free) struct buf plain = BUF(CEILING), packed = BUF(CEILING);
            CLEANUP(buf_free) struct buf back = BUF(sizes[k]); /* exactly enough */

            fill(&plain, sizes[k]);
            assert_true(succeeded(pack(packings[i], buf_slice(&plain), &packed, NULL)));
            assert_true(succeeded(unpack(packings[i], buf_slice(&packed), &back, NULL)));
            assert_true(slice_eq(buf_slice(&back), buf_slice(&plain)));
            if (packings[i] != PACK_NONE && sizes[k] >= 4096)
                assert_true(packed.len < plain.len / 4);
        }
}

static void members_in_a_row_are_one_body(void **state)
{
    (void)state;
    for (size_t i = 1; i < 3; i++) {
        CLEANUP(buf_free) struct buf packed = BUF(CEILING), back = BUF(CEILING);

        assert_true(succeeded(pack(packings[i], SLICE("one,"), &packed, NULL)));
        assert_true(succeeded(pack(packings[i], SLICE(""), &packed, NULL)));
        assert_true(succeeded(pack(packings[i], SLICE("two"), &packed, NULL)));
        assert_true(succeeded(unpack(packings[i], buf_slice(&packed), &back, NULL)));
        assert_true(slice_eq(buf_slice(&back), SLICE("one,two")));
    }
}

static void output_goes_behind_what_is_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        CLEANUP(buf_free) struct buf packed = BUF(CEILING), back = BUF(9);

        assert_true(succeeded(pack(packings[i], SLICE("body"), &packed, NULL)));
        buf_put(&back, SLICE("head "));
        assert_true(succeeded(unpack(packings[i], buf_slice(&packed), &back, NULL)));
        assert_true(slice_eq(buf_slice(&back), SLICE("head body")));
    }
}

static void a_bomb_ends_at_the_ceiling(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        CLEANUP(buf_free) struct buf plain = BUF(CEILING), packed = BUF(CEILING);
        struct diag diag = {0};

        fill(&plain, 100000);
        assert_true(succeeded(pack(packings[i], buf_slice(&plain), &packed, NULL)));
        for (size_t ceiling = 0; ceiling < 100000; ceiling += 9999) {
            CLEANUP(buf_free) struct buf back = BUF(ceiling);

            diag_reset(&diag);
            assert_int_equal(unpack(packings[i], buf_slice(&packed), &back, &diag).code, ERR_LIMIT);
            assert_true(diag.text[0] != '\0');
            assert_true(back.capacity <= ceiling);
        }
        CLEANUP(buf_free) struct buf short_by_one = BUF(99999);
        assert_int_equal(unpack(packings[i], buf_slice(&packed), &short_by_one, NULL).code,
                         ERR_LIMIT);
    }
}

static void a_cut_or_altered_body_is_refused(void **state)
{
    (void)state;
    for (size_t i = 1; i < 3; i++) {
        CLEANUP(buf_free) struct buf plain = BUF(CEILING), packed = BUF(CEILING);
        CLEANUP(buf_free) struct buf back = BUF(CEILING);

        fill(&plain, 3000);
        assert_true(succeeded(pack(packings[i], buf_slice(&plain), &packed, NULL)));
        for (size_t bytes = 0; bytes < packed.len; bytes++) {
            struct diag diag = {0};

            buf_reset(&back);
            slice cut = slice_head(buf_slice(&packed), bytes);
            assert_int_equal(unpack(packings[i], cut, &back, &diag).code, ERR_INVALID);
            assert_true(diag.text[0] != '\0');
        }
        buf_byte(&packed, 'x'); /* something behind the end */
        buf_reset(&back);
        assert_int_equal(unpack(packings[i], buf_slice(&packed), &back, NULL).code, ERR_INVALID);
    }
}

static void an_altered_gzip_body_never_passes_for_another(void **state)
{
    CLEANUP(buf_free) struct buf plain = BUF(CEILING), packed = BUF(CEILING), back = BUF(CEILING);

    (void)state;
    fill(&plain, 500);
    assert_true(succeeded(pack(PACK_GZIP, buf_slice(&plain), &packed, NULL)));
    for (size_t i = 10; i < packed.len; i++) { /* behind the header, which may say what it likes */
        buf_reset(&back);
        packed.at[i] ^= 0x10;
        assert_true(failed(unpack(PACK_GZIP, buf_slice(&packed), &back, NULL)));
        packed.at[i] ^= 0x10;
    }
}

#ifdef ENTENTE_FAULTS
static void every_failure_has_words(void **state)
{
    (void)state;
    for (size_t i = 1; i < 3; i++) {
        unsigned long nth = 0;
        result r;

        do {
            CLEANUP(buf_free) struct buf packed = BUF(CEILING), back = BUF(CEILING);
            struct diag diag = {0};

            fault_arm(++nth);
            r = pack(packings[i], SLICE("body"), &packed, &diag);
            if (succeeded(r))
                r = unpack(packings[i], buf_slice(&packed), &back, &diag);
            assert_true(failed(r) == fault_fired());
            assert_true(failed(r) == (diag.text[0] != '\0'));
            assert_true(failed(r) || slice_eq(buf_slice(&back), SLICE("body")));
        } while (failed(r));
        assert_true(nth > 3);
    }
    fault_arm(0);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_comes_out_again),
        cmocka_unit_test(members_in_a_row_are_one_body),
        cmocka_unit_test(output_goes_behind_what_is_there),
        cmocka_unit_test(a_bomb_ends_at_the_ceiling),
        cmocka_unit_test(a_cut_or_altered_body_is_refused),
        cmocka_unit_test(an_altered_gzip_body_never_passes_for_another),
#ifdef ENTENTE_FAULTS
        cmocka_unit_test(every_failure_has_words),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
