#include "fixture.h"

#include "store/inside.h"

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

/* ---- what becomes of an object ---- */

#define BODY(modified, content)                                                                    \
    "{\"type\":\"malware\",\"spec_version\":\"2.1\",\"id\":\"malware--11111111-1111-4111-8111-"    \
    "111111111111\",\"created\":\"2020-01-01T00:00:00.000Z\",\"modified\":\"" modified             \
    "\",\"name\":\"" content "\",\"is_family\":false}"
#define OLD BODY("2020-01-01T00:00:00.000Z", "a")
#define MIDDLE BODY("2021-01-01T00:00:00.000Z", "a")
#define NEW BODY("2022-01-01T00:00:00.000Z", "a")
#define MIDDLE_SPACED                                                                              \
    "{ \"is_family\" : false, \"name\":\"\\u0061\",\"type\":\"malware\",\"spec_version\":\"2.1\"," \
    "\"id\":\"malware--11111111-1111-4111-8111-111111111111\","                                    \
    "\"created\":\"2020-01-01T00:00:00.000Z\",\"modified\":\"2021-01-01T00:00:00.000Z\"}"
#define ADDRESS(extra)                                                                             \
    "{\"type\":\"ipv4-addr\",\"spec_version\":\"2.1\",\"id\":\"ipv4-addr--ff26c055-6336-5bc5-"     \
    "b98d-"                                                                                        \
    "13d6226742dd\",\"value\":\"198.51.100.3\"" extra "}"

static const struct {
    const char *name;
    const char *first, *second; /* imports */
    bool elsewhere;             /* the second goes to another collection */
    uint64_t taken, replaced, older, held, conflicts, refused;
} outcomes[] = {
    {"new", OLD, NULL, false, 1, 0, 0, 0, 0, 0},
    {"again", OLD, OLD, false, 0, 0, 0, 1, 0, 0},
    {"again, written otherwise", MIDDLE, MIDDLE_SPACED, false, 0, 0, 0, 1, 0, 0},
    {"newer", OLD, NEW, false, 0, 1, 0, 0, 0, 0},
    {"older", NEW, OLD, false, 0, 0, 1, 0, 0, 0},
    {"same version, other content", OLD, BODY("2020-01-01T00:00:00.000Z", "b"), false, 0, 0, 0, 0,
     1, 0},
    {"in another collection", OLD, OLD, true, 1, 0, 0, 0, 0, 0},
    {"in another collection, other content", OLD, BODY("2020-01-01T00:00:00.000Z", "b"), true, 0, 0,
     0, 0, 1, 0},
    {"twice in one stream", "[" OLD "," OLD "]", NULL, false, 1, 0, 0, 1, 0, 0},
    {"two contents in one stream", "[" OLD "," BODY("2020-01-01T00:00:00.000Z", "b") "]", NULL,
     false, 1, 0, 0, 0, 1, 0},
    {"three versions in one stream", "[" MIDDLE "," NEW "," OLD "]", NULL, false, 1, 1, 1, 0, 0, 0},
    {"an address", ADDRESS(""), NULL, false, 1, 0, 0, 0, 0, 0},
    {"an address again", ADDRESS(""), ADDRESS(""), false, 0, 0, 0, 1, 0, 0},
    {"an address with more", ADDRESS(""), ADDRESS(",\"defanged\":true"), false, 0, 0, 0, 0, 1, 0},
    {"no id", "{\"type\":\"malware\"}", NULL, false, 0, 0, 0, 0, 0, 1},
    {"id of the wrong kind", "{\"type\":\"malware\",\"id\":7}", NULL, false, 0, 0, 0, 0, 0, 1},
    {"a key twice",
     "{\"type\":\"malware\",\"type\":\"malware\",\"spec_version\":\"2.1\",\"id\":\"malware--"
     "11111111-"
     "1111-4111-8111-111111111111\",\"created\":\"2020-01-01T00:00:00.000Z\",\"modified\":\"2020-"
     "01-"
     "01T00:00:00.000Z\",\"name\":\"a\",\"is_family\":false}",
     NULL, false, 0, 0, 0, 0, 0, 1},
};

static uint32_t second_collection(struct fixture *fixture)
{
    struct collection collection;
    struct diag diag = {0};

    if (failed(store_collection_add(fixture->store, NULL, SLICE("second"), SLICE(""), SLICE(""),
                                    SLICE("test"), &collection, &diag)))
        fail_msg("%s", diag.text);
    return collection.number;
}

static void each_outcome_is_told(void **state)
{
    (void)state;
    CHECK_ROWS(row, outcomes) {
        struct fixture fixture;
        struct import_counts counts;

        fixture_make(&fixture);
        uint32_t other = second_collection(&fixture);
        counts = import_ok(&fixture, fixture.collection.number, slice_text(row->first));
        if (row->second != NULL)
            counts = import_ok(&fixture, row->elsewhere ? other : fixture.collection.number,
                               slice_text(row->second));
        assert_int_equal(counts.taken, row->taken);
        assert_int_equal(counts.replaced, row->replaced);
        assert_int_equal(counts.older, row->older);
        assert_int_equal(counts.held, row->held);
        assert_int_equal(counts.conflicts, row->conflicts);
        assert_int_equal(counts.refused, row->refused);
        check_rebuild(&fixture);
        fixture_remove(&fixture);
    }
}

/* ---- reports ---- */

struct reports {
    uint64_t count, refused, refused_index, next_index;
    char reason[256];
    char id[128];
};

static void on_report(void *context, const struct import_report *report)
{
    struct reports *reports = context;

    assert_int_equal(report->index, reports->next_index++);
    reports->count++;
    if (report->outcome != IMPORT_REFUSED)
        return;
    reports->refused++;
    reports->refused_index = report->index;
    (void)snprintf(reports->reason, sizeof(reports->reason), "%.*s", SLICE_ARG(report->reason));
    (void)snprintf(reports->id, sizeof(reports->id), "%.*s", SLICE_ARG(report->id));
}

static result import_with(struct fixture *fixture, slice text, struct import_options options,
                          struct import_counts *counts, struct diag *diag)
{
    CLEANUP(source_close) struct source *source = NULL;

    options.collection = fixture->collection.number;
    options.object_bytes_max = (size_t)32 << 20;
    options.json_depth_max = 256;
    options.origin = options.actor = SLICE("test");
    TRY(source_of_memory(text, &source, diag));
    return store_import(fixture->store, source, &options, counts, diag);
}

static void one_bad_among_ten_thousand_is_named(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF((size_t)1 << 26);
    struct fixture *fixture = *state;
    struct reports reports = {0};
    struct import_counts counts;
    struct diag diag = {0};

    buf_byte(&text, '[');
    for (unsigned i = 0; i < 10000; i++) {
        put_indicator(&text, i, 0);
        buf_byte(&text, ',');
        if (i == 7776)
            buf_put(&text, SLICE("{\"type\":\"indicator\",\"id\":\"indicator--bad\"},"));
    }
    text.len--;
    buf_byte(&text, ']');
    for (unsigned threads = 1; threads <= 3; threads += 2) {
        memset(&reports, 0, sizeof(reports));
        if (failed(import_with(fixture, buf_slice(&text),
                               (struct import_options){.mode = STIX_NORMAL,
                                                       .threads = threads,
                                                       .report = on_report,
                                                       .context = &reports},
                               &counts, &diag)))
            fail_msg("%s", diag.text);
        assert_int_equal(reports.count, 10001);
        assert_int_equal(reports.refused, 1);
        assert_int_equal(reports.refused_index, 7777);
        assert_string_equal(reports.id, "indicator--bad");
        assert_non_null(strstr(reports.reason, "id"));
        assert_int_equal(counts.refused, 1);
        assert_int_equal(counts.taken + counts.held, 10000);
    }
    assert_int_equal(counts.held, 10000);
}

static uint64_t additions(struct fixture *fixture)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    struct diag diag = {0};

    store_view_begin(fixture->store, &view, &diag);
    return view.seq_end;
}

static const struct {
    const char *name;
    const char *tail;
} breaks[] = {
    {"cut behind an object", ","},
    {"cut inside an object", ",{\"type\":\"mal"},
    {"rubbish between objects", ",]]"},
    {"not closed", ""},
};

static void a_broken_stream_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct hash256 before = state_hash(fixture);

    CHECK_ROWS(row, breaks) {
        CLEANUP(buf_free) struct buf text = BUF((size_t)1 << 22);
        struct import_counts counts;
        struct diag diag = {0};

        buf_byte(&text, '[');
        put_indicator(&text, 1, 0);
        buf_put(&text, slice_text(row->tail));
        result r =
            import_into(fixture, fixture->collection.number, buf_slice(&text), &counts, &diag);
        assert_int_equal(r.code, ERR_INVALID);
        assert_true(diag.text[0] != '\0');
        assert_int_equal(additions(fixture), 0);
    }
    struct hash256 after = state_hash(fixture);
    assert_memory_equal(before.bytes, after.bytes, sizeof(before.bytes));
}

static void the_front_of_a_cut_stream_is_kept_when_asked(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF((size_t)1 << 22);
    struct fixture *fixture = *state;
    struct import_counts counts;
    struct diag diag = {0};

    buf_byte(&text, '[');
    for (unsigned i = 0; i < 3; i++) {
        put_indicator(&text, i, 0);
        buf_byte(&text, ',');
    }
    buf_put(&text, SLICE("{\"type\":\"mal"));
    if (failed(import_with(
            fixture, buf_slice(&text),
            (struct import_options){.mode = STIX_LENIENT, .threads = 1, .broken_ok = true}, &counts,
            &diag)))
        fail_msg("%s", diag.text);
    assert_int_equal(counts.taken, 3);
    assert_int_equal(counts.refused, 1);
    assert_int_equal(additions(fixture), 3);
}

static void a_dry_run_counts_and_leaves_nothing(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF((size_t)1 << 22);
    struct fixture *fixture = *state;
    struct import_counts counts;
    struct diag diag = {0};

    put_indicators(&text, 0, 5, 0);
    struct hash256 before = state_hash(fixture);
    if (failed(
            import_with(fixture, buf_slice(&text),
                        (struct import_options){.mode = STIX_NORMAL, .threads = 1, .dry_run = true},
                        &counts, &diag)))
        fail_msg("%s", diag.text);
    assert_int_equal(counts.taken, 5);
    assert_int_equal(counts.added_first_us, 0);
    struct hash256 after = state_hash(fixture);
    assert_memory_equal(before.bytes, after.bytes, sizeof(before.bytes));
    assert_int_equal(import_indicators(fixture, 0, 5, 0).taken, 5);
}

static void a_collection_that_is_not_there_takes_nothing(void **state)
{
    struct import_counts counts;
    struct diag diag = {0};

    assert_int_equal(import_into(*state, 77, SLICE("[]"), &counts, &diag).code, ERR_MISSING);
}

/* ---- dates ---- */

static void dates_rise_though_the_clock_jumps_back(void **state)
{
    struct fixture *fixture = *state;
    int64_t last = 0;

    for (unsigned i = 0; i < 10; i++) {
        struct import_counts counts = import_indicators(fixture, i * 100, 50, 0);

        assert_true(counts.added_first_us > last);
        assert_int_equal(counts.added_last_us, counts.added_first_us + 49);
        last = counts.added_last_us;
        fixture->now_us -= (int64_t)3600 * 1000000 * (i % 3);
        if (i == 5)
            fixture_reopen(fixture);
    }
}

static void an_addition_is_found_by_its_date(void **state)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    struct fixture *fixture = *state;
    struct diag diag = {0};
    struct store_item item;

    for (unsigned i = 0; i < 20; i++)
        (void)import_indicators(fixture, i * 10, 1 + i % 4, 0);
    store_view_begin(fixture->store, &view, &diag);
    for (uint64_t seq = 0; seq < view.seq_end; seq++) {
        CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 20);
        struct store_query query = {.collection = fixture->collection.number,
                                    .has_added_after = true};
        struct store_page page;

        assert_true(store_item_at(&view, seq, &item));
        for (int64_t shift = -1; shift <= 1; shift++) {
            query.added_after_us = item.added_us + shift;
            assert_false(
                failed(store_find(&view, &query, 1, SIZE_MAX, false, &arena, &page, &diag)));
            uint64_t expected = 0;
            struct store_item other;
            while (store_item_at(&view, expected, &other) && other.added_us <= query.added_after_us)
                expected++;
            assert_int_equal(page.count, expected < view.seq_end ? 1 : 0);
            if (page.count == 1)
                assert_int_equal(page.seqs[0], expected);
        }
    }
}

/* ---- any order gives the same ---- */

static void any_order_of_imports_leaves_the_same_live_objects(void **state)
{
    static const char *const versions[] = {OLD, MIDDLE, NEW, ADDRESS("")};
    static const unsigned orders[][4] = {{0, 1, 2, 3}, {2, 1, 0, 3}, {1, 3, 2, 0}, {3, 2, 0, 1}};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 20);
        struct fixture fixture;
        struct store_page page;
        struct store_item item;
        struct diag diag = {0};
        struct store_view view;

        fixture_make(&fixture);
        for (size_t j = 0; j < 4; j++)
            (void)import_ok(&fixture, fixture.collection.number,
                            slice_text(versions[orders[i][j]]));
        store_view_begin(fixture.store, &view, &diag);
        struct store_query query = {.collection = fixture.collection.number};
        assert_false(failed(store_find(&view, &query, 10, SIZE_MAX, true, &arena, &page, &diag)));
        assert_int_equal(page.count, 2);
        assert_int_equal(store_collection_count(&view, fixture.collection.number), 2);
        for (size_t j = 0; j < page.count; j++) {
            assert_true(store_item_at(&view, page.seqs[j], &item));
            assert_true(slice_eq(item.text, SLICE(NEW)) || slice_eq(item.text, SLICE(ADDRESS(""))));
        }
        store_view_end(&view);
        fixture_remove(&fixture);
    }
}

/* ---- large imports: index batches are committed on the way ---- */

static void make_limits_small(struct fixture *fixture)
{
    fixture->store->limits = (struct store_limits){2000, 50, 37};
}

static void a_large_import_is_one_step(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF((size_t)1 << 26);
    struct fixture *fixture = *state;
    struct import_counts counts;
    struct diag diag = {0};

    (void)import_indicators(fixture, 500, 100, 0);
    struct hash256 before = state_hash(fixture);
    make_limits_small(fixture);
    put_indicators(&text, 0, 3000, 1);
    /* Broken at its very end: all that was committed on the way is taken back. */
    assert_true(failed(import_into(fixture, fixture->collection.number,
                                   slice_head(buf_slice(&text), text.len - 1), &counts, &diag)));
    struct hash256 after = state_hash(fixture);
    assert_memory_equal(before.bytes, after.bytes, sizeof(before.bytes));

    counts = import_ok(fixture, fixture->collection.number, buf_slice(&text));
    assert_int_equal(counts.taken, 2900);
    assert_int_equal(counts.replaced, 100);
    check_rebuild(fixture);
    assert_int_equal(import_ok(fixture, fixture->collection.number, buf_slice(&text)).held, 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_bundle_is_taken_in_and_read_back, setup, teardown),
        cmocka_unit_test(each_outcome_is_told),
        cmocka_unit_test_setup_teardown(one_bad_among_ten_thousand_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broken_stream_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_front_of_a_cut_stream_is_kept_when_asked, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_dry_run_counts_and_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_collection_that_is_not_there_takes_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(dates_rise_though_the_clock_jumps_back, setup, teardown),
        cmocka_unit_test_setup_teardown(an_addition_is_found_by_its_date, setup, teardown),
        cmocka_unit_test(any_order_of_imports_leaves_the_same_live_objects),
        cmocka_unit_test_setup_teardown(a_large_import_is_one_step, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
