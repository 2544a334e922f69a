#include "fixture.h"

#include "base/banned.h"

static struct fixture fixture;

static int setup(void **state)
{
    (void)state;
    fixture_make(&fixture);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_remove(&fixture);
    return 0;
}

#define ID "5f8a1f0e-5c1b-4c55-9d3a-0f8a2f6f8f10"

static const struct {
    const char *name;
    const char *id; /* NULL: any */
    slice title, alias;
    enum err code;
} rows[] = {
    {"plain", NULL, S("Feeds"), S("feeds"), ERR_NONE},
    {"without an alias", NULL, S("Feeds"), S(""), ERR_NONE},
    {"with an id", ID, S("T"), S(""), ERR_NONE},
    {"the id again", ID, S("T"), S(""), ERR_CONFLICT},
    {"the alias again", NULL, S("T"), S("feeds"), ERR_CONFLICT},
    {"not version 4", "5f8a1f0e-5c1b-1c55-9d3a-0f8a2f6f8f10", S("T"), S(""), ERR_INVALID},
    {"no title", NULL, S(""), S(""), ERR_INVALID},
    {"alias with a slash", NULL, S("T"), S("a/b"), ERR_INVALID},
    {"alias with a dot in front", NULL, S("T"), S(".."), ERR_INVALID},
    {"alias that is an id", NULL, S("T"), S(ID), ERR_INVALID},
    {"title that is no UTF-8", NULL, S("\xff"), S(""), ERR_INVALID},
    {"Japanese title", NULL, S("脅威情報"), S(""), ERR_NONE},
};

static void collections_are_made_or_refused(void **state)
{
    (void)state;
    CHECK_ROWS(row, rows) {
        struct collection made, found;
        struct uuid id;
        struct diag diag = {0};

        if (row->id != NULL)
            assert_true(uuid_parse(slice_text(row->id), &id));
        result r = store_collection_add(fixture.store, row->id != NULL ? &id : NULL, row->title,
                                        row->alias, SLICE("about"), SLICE("test"), &made, &diag);
        assert_int_equal(r.code, row->code);
        assert_int_equal(failed(r), diag.text[0] != '\0');
        if (failed(r))
            continue;
        CLEANUP(store_view_end) struct store_view view = {0};
        char text[UUID_TEXT_BYTES];
        store_view_begin(fixture.store, &view, &diag);
        uuid_format(&made.id, text);
        assert_int_equal(uuid_version(&made.id), 4);
        assert_true(store_collection_find(&view, slice_of(text, sizeof(text)), &found));
        assert_true(slice_eq(slice_text(found.title), row->title));
        assert_string_equal(found.description, "about");
        if (row->alias.len > 0)
            assert_true(store_collection_find(&view, row->alias, &found));
        assert_int_equal(found.number, made.number);
    }
    check_rebuild(&fixture);
}

static void an_id_is_found_in_any_case(void **state)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    struct collection made, found;
    struct uuid id;
    struct diag diag = {0};

    (void)state;
    assert_true(uuid_parse(SLICE(ID), &id));
    assert_false(failed(store_collection_add(fixture.store, &id, SLICE("T"), SLICE(""), SLICE(""),
                                             SLICE("test"), &made, &diag)));
    store_view_begin(fixture.store, &view, &diag);
    assert_true(
        store_collection_find(&view, SLICE("5F8A1F0E-5C1B-4C55-9D3A-0F8A2F6F8F10"), &found));
    assert_false(store_collection_find(&view, SLICE("5F8A1F0E"), &found));
    assert_false(store_collection_find(&view, SLICE(""), &found));
    assert_true(store_collection_at(&view, 0, &found));
    assert_true(store_collection_at(&view, 1, &found));
    assert_false(store_collection_at(&view, 2, &found));
    found.number = 0;
    for (uint32_t number = 1; number <= 2; number++) { /* the walk meets each once, in order */
        assert_true(store_collection_next(&view, found.number, &found));
        assert_int_equal(found.number, number);
    }
    assert_false(store_collection_next(&view, found.number, &found));
    assert_false(store_collection_next(&view, UINT32_MAX, &found));
}

static void one_that_holds_objects_stays(void **state)
{
    slice id = SLICE("indicator--00000000-0000-4000-8000-000000000000");
    struct collection again;
    struct diag diag = {0};
    uint64_t count;
    uint32_t number = fixture.collection.number;

    (void)state;
    (void)import_indicators(&fixture, 0, 1, 0);
    assert_int_equal(store_collection_remove(fixture.store, number, SLICE("test"), &diag).code,
                     ERR_CONFLICT);
    diag_reset(&diag);
    assert_false(failed(
        store_remove(fixture.store, number, id, NULL, SLICE("test"), STORE_WAITS, &count, &diag)));
    if (failed(store_collection_remove(fixture.store, number, SLICE("test"), &diag)))
        fail_msg("%s", diag.text);
    assert_int_equal(store_collection_remove(fixture.store, number, SLICE("test"), &diag).code,
                     ERR_MISSING);
    diag_reset(&diag);
    assert_false(failed(store_collection_add(fixture.store, NULL, SLICE("T"), SLICE("one"),
                                             SLICE(""), SLICE("test"), &again, &diag)));
    assert_true(again.number > number);
    check_rebuild(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(collections_are_made_or_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(an_id_is_found_in_any_case, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_holds_objects_stays, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
