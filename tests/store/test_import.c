#include "fixture.h"

#include "base/banned.h"

static int setup(void **state)
{
    static struct fixture fixture;

    fixture_make(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_remove(*state);
    return 0;
}

static void a_bundle_is_taken_in_and_read_back(void **state)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 20);
    struct fixture *fixture = *state;
    struct store_query query = {.collection = fixture->collection.number};
    struct import_counts counts = import_indicators(fixture, 1, 3, 0);
    struct store_page page;
    struct store_item item;
    struct diag diag = {0};

    assert_int_equal(counts.taken, 3);
    assert_int_equal(counts.added_last_us, counts.added_first_us + 2);
    store_view_begin(fixture->store, &view, &diag);
    assert_false(failed(store_find(&view, &query, 2, SIZE_MAX, true, &arena, &page, &diag)));
    assert_int_equal(page.count, 2);
    assert_true(page.more);
    assert_int_equal(page.next_seq, 2);
    assert_true(slice_starts(page.text, SLICE("{\"type\":\"indicator\"")));
    assert_true(slice_ends(page.text, SLICE("\"2020-01-01T00:00:00Z\"}")));
    assert_true(store_item_at(&view, 1, &item));
    assert_string_equal(item.id, "indicator--00000000-0000-4000-8000-000000000002");
    assert_int_equal(item.added_us, counts.added_first_us + 1);
    assert_false(failed(store_item_check(&view, 1, &diag)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_bundle_is_taken_in_and_read_back, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
