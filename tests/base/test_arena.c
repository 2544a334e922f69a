#include "base/arena.h"

#include "base/fault.h"
#include "base/result.h"

#include "rows.h"

#include "base/banned.h"

static void memory_is_zeroed_and_aligned(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);

    (void)state;
    for (size_t i = 1; i < 200; i++) {
        char *odd = arena_new(&arena, char, i);
        uint64_t *number = arena_new(&arena, uint64_t, 3);
        max_align_t *wide = arena_new(&arena, max_align_t, 1);

        assert_non_null(odd);
        assert_int_equal((uintptr_t)number % alignof(uint64_t), 0);
        assert_int_equal((uintptr_t)wide % alignof(max_align_t), 0);
        for (size_t k = 0; k < i; k++)
            assert_int_equal(odd[k], 0);
        assert_true(number[0] == 0 && number[1] == 0 && number[2] == 0);
        memset(odd, 0xff, i);
        memset(number, 0xff, 3 * sizeof(*number));
        memset(wide, 0xff, sizeof(*wide));
    }
}

static void memory_used_before_a_reset_is_zero_again(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(4096);

    (void)state;
    for (int round = 0; round < 3; round++) {
        char *bytes = arena_new(&arena, char, 4096);

        assert_non_null(bytes);
        for (size_t i = 0; i < 4096; i++)
            assert_int_equal(bytes[i], 0);
        memset(bytes, 0xee, 4096);
        arena_reset(&arena);
    }
}

static void past_the_budget_nothing_is_given_until_a_reset(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(100);

    (void)state;
    assert_non_null(arena_new(&arena, char, 100));
    assert_null(arena_new(&arena, char, 1));
    assert_true(arena.overflowed);
    assert_null(arena_new(&arena, char, 0)); /* sticky: even what would fit */
    arena_reset(&arena);
    assert_false(arena.overflowed);
    assert_non_null(arena_new(&arena, char, 100));
}

static void the_budget_holds_for_many_small_objects(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(1000);
    size_t count = 0;

    (void)state;
    while (arena_new(&arena, char, 10) != NULL)
        count++;
    assert_int_equal(count, 100);
}

static const struct {
    const char *name;
    size_t count, bytes;
} wraps[] = {
    {"product wraps to nothing", SIZE_MAX / 2 + 1, 2},
    {"product wraps to little", SIZE_MAX / 8 + 2, 8},
    {"sum wraps", SIZE_MAX, 1},
    {"all there is", SIZE_MAX / 2, 1},
};

static void counts_that_wrap_are_refused(void **state)
{
    (void)state;
    CHECK_ROWS(row, wraps) {
        CLEANUP(arena_free) struct arena arena = ARENA(SIZE_MAX);

        assert_non_null(arena_new(&arena, char, 10));
        assert_null(arena_alloc(&arena, row->count, row->bytes, 1));
        assert_true(arena.overflowed);
    }
}

static void an_object_may_be_larger_than_a_block(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)32 << 20);

    (void)state;
    char *small = arena_new(&arena, char, 10);
    char *large = arena_new(&arena, char, (size_t)16 << 20);
    char *again = arena_new(&arena, char, 10);
    assert_true(small != NULL && large != NULL && again != NULL);
    large[0] = large[((size_t)16 << 20) - 1] = 1;
}

static void an_arena_may_be_freed_twice_and_used_again(void **state)
{
    struct arena arena = ARENA(64);

    (void)state;
    arena_free(&arena);
    assert_non_null(arena_new(&arena, char, 64));
    arena_free(&arena);
    arena_free(&arena);
    assert_non_null(arena_new(&arena, char, 64));
    arena_free(&arena);
}

static void copies_are_copies(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(64);
    char bytes[] = {'a', '\0', 'b'};

    (void)state;
    slice copy = arena_copy(&arena, slice_of(bytes, 3));
    char *text = arena_text(&arena, SLICE("abc"));
    slice printed = arena_printf(&arena, "%d-%s", 7, "x");
    bytes[0] = 'z';
    assert_true(slice_eq(copy, slice_of("a\0b", 3)));
    assert_string_equal(text, "abc");
    assert_true(slice_eq(printed, SLICE("7-x")));
    assert_true(slice_eq(arena_copy(&arena, SLICE_NONE), SLICE("")) && !arena.overflowed);
    assert_null(arena_text(&arena, slice_of(bytes, SIZE_MAX)));
    assert_true(arena.overflowed);
    assert_null(arena_printf(&arena, "%s", "x").at);
}

static void a_table_grows_to_its_ceiling_and_no_further(void **state)
{
    size_t capacity = 0;
    uint32_t *table = NULL;

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        uint32_t *moved = table_grow(table, &capacity, i + 1, 1000, sizeof(*table));

        assert_non_null(moved);
        assert_true(capacity > i && capacity <= 1000);
        table = moved;
        table[i] = (uint32_t)i;
    }
    assert_null(table_grow(table, &capacity, 1001, 1000, sizeof(*table)));
    assert_int_equal(capacity, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(table[i], i);
    table_free(table);
}

static void a_table_of_absurd_size_is_refused(void **state)
{
    size_t capacity = 0;

    (void)state;
    assert_null(table_grow(NULL, &capacity, SIZE_MAX / 4, SIZE_MAX, 8));
    assert_null(table_grow(NULL, &capacity, SIZE_MAX, SIZE_MAX, 1));
    assert_int_equal(capacity, 0);
}

#ifdef ENTENTE_FAULTS
static void memory_that_runs_out_is_an_overflow(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(64);
    size_t capacity = 0;

    (void)state;
    fault_arm(1);
    assert_null(arena_new(&arena, char, 1));
    assert_true(fault_fired() && arena.overflowed);
    fault_arm(1);
    assert_null(table_grow(NULL, &capacity, 1, 1, 1));
    assert_true(fault_fired());
    fault_arm(0);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(memory_used_before_a_reset_is_zero_again),
        cmocka_unit_test(past_the_budget_nothing_is_given_until_a_reset),
        cmocka_unit_test(the_budget_holds_for_many_small_objects),
        cmocka_unit_test(counts_that_wrap_are_refused),
        cmocka_unit_test(an_object_may_be_larger_than_a_block),
        cmocka_unit_test(an_arena_may_be_freed_twice_and_used_again),
        cmocka_unit_test(copies_are_copies),
        cmocka_unit_test(a_table_grows_to_its_ceiling_and_no_further),
        cmocka_unit_test(a_table_of_absurd_size_is_refused),
#ifdef ENTENTE_FAULTS
        cmocka_unit_test(memory_that_runs_out_is_an_overflow),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
