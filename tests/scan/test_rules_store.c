/* Indicators out of a node's store. */
#include "detecting.h"
#include "store/fixture.h"

#include "base/banned.h"

#define INDICATOR(id, modified, pattern, more)                                                     \
    "{\"type\":\"indicator\",\"spec_version\":\"2.1\",\"id\":\"indicator--00000000-0000-4000-"     \
    "8000-00000000000" id "\",\"created\":\"2025-01-01T00:00:00.000Z\","                           \
    "\"modified\":\"" modified "T00:00:00.000Z\",\"valid_from\":\"2025-01-01T00:00:00Z\","         \
    "\"pattern\":\"" pattern "\"," more "}"
#define IS_STIX "\"pattern_type\":\"stix\""
#define IP(last) "[ipv4-addr:value = '203.0.113." last "']"
#define OTHER                                                                                      \
    "{\"type\":\"malware\",\"spec_version\":\"2.1\",\"id\":\"malware--11111111-1111-4111-8111-"    \
    "111111111111\",\"created\":\"2025-01-01T00:00:00.000Z\",\"modified\":\"2025-01-01T00:00:"     \
    "00.000Z\",\"name\":\"a\",\"is_family\":false}"

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

static struct ruleset *store_rules(struct fixture *fixture, struct rules_counts *counts)
{
    CLEANUP(ruleset_builder_free) struct ruleset_builder *builder = NULL;
    CLEANUP(store_view_end) struct store_view view = {0};
    const struct rules_choice choice = {.now_us = NOW_US};
    struct ruleset *set = NULL;
    struct diag diag = {0};

    assert_true(succeeded(ruleset_builder_new(&choice, &builder, &diag)));
    store_view_begin(fixture->store, &view, &diag);
    if (failed(rules_add_store(builder, SLICE("node"), &view, &diag)))
        fail_msg("%s", diag.text);
    *counts = *rules_counts(builder);
    assert_true(succeeded(ruleset_build(builder, &set, &diag)));
    return set;
}

/* What the store holds, and what of it is run: by the address that a line has. */
static const struct {
    const char *name;
    const char *first, *second; /* imports */
    slice line;
    size_t hits;
    uint64_t taken, run, revoked, expired;
} cases[] = {
    {"one", INDICATOR("1", "2025-01-01", IP("1"), IS_STIX), NULL, S("see 203.0.113.1\n"), 1, 1, 1,
     0, 0},
    {"what is no indicator", OTHER, NULL, S("see 203.0.113.1\n"), 0, 0, 0, 0, 0},
    {"nothing of an older version", INDICATOR("1", "2025-01-01", IP("1"), IS_STIX),
     INDICATOR("1", "2025-02-01", IP("2"), IS_STIX), S("see 203.0.113.1\n"), 0, 1, 1, 0, 0},
    {"the newer version", INDICATOR("1", "2025-01-01", IP("1"), IS_STIX),
     INDICATOR("1", "2025-02-01", IP("2"), IS_STIX), S("see 203.0.113.2\n"), 1, 1, 1, 0, 0},
    {"the newer version, when it came first", INDICATOR("1", "2025-02-01", IP("2"), IS_STIX),
     INDICATOR("1", "2025-01-01", IP("1"), IS_STIX), S("203.0.113.1 203.0.113.2\n"), 1, 1, 1, 0, 0},
    {"revoked later", INDICATOR("1", "2025-01-01", IP("1"), IS_STIX),
     INDICATOR("1", "2025-02-01", IP("1"), IS_STIX ",\"revoked\":true"), S("see 203.0.113.1\n"), 0,
     1, 0, 1, 0},
    {"expired",
     INDICATOR("1", "2025-01-01", IP("1"), IS_STIX ",\"valid_until\":\"2025-03-01T00:00:00Z\""),
     NULL, S("see 203.0.113.1\n"), 0, 1, 0, 0, 1},
    {"two", INDICATOR("1", "2025-01-01", IP("1"), IS_STIX),
     INDICATOR("2", "2025-01-01", IP("2"), IS_STIX), S("203.0.113.1 203.0.113.2\n"), 2, 2, 2, 0, 0},
    {"an expression",
     INDICATOR("1", "2025-01-01", "beacon=[0-9a-f]{4}", "\"pattern_type\":\"pcre\""), NULL,
     S("GET /a?beacon=00ff\n"), 1, 1, 1, 0, 0},
};

static void current_indicators_are_run(void **state)
{
    (void)state;
    CHECK_ROWS(row, cases) {
        CLEANUP(block_hits_free) struct block_hits hits;
        struct fixture fixture;
        struct rules_counts counts;

        fixture_make(&fixture);
        (void)import_ok(&fixture, fixture.collection.number, slice_text(row->first));
        if (row->second != NULL)
            (void)import_ok(&fixture, fixture.collection.number, slice_text(row->second));
        CLEANUP(ruleset_release) struct ruleset *set = store_rules(&fixture, &counts);
        text_detect(set, SLICE("text"), row->line, &hits);
        assert_int_equal(hits.count, row->hits);
        assert_int_equal(counts.taken, row->taken);
        assert_int_equal(counts.of[RULES_RUN], row->run);
        assert_int_equal(counts.of[RULES_REVOKED], row->revoked);
        assert_int_equal(counts.of[RULES_EXPIRED], row->expired);
        assert_int_equal(ruleset_count(set), row->run);
        fixture_remove(&fixture);
    }
}

static void one_in_two_collections_hits_once(void **state)
{
    CLEANUP(block_hits_free) struct block_hits hits;
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
    struct fixture *fixture = *state;
    slice text = SLICE(INDICATOR("1", "2025-01-01", IP("1"), IS_STIX));
    struct collection second;
    struct rules_counts counts;
    struct rule rule;

    assert_true(succeeded(store_collection_add(fixture->store, NULL, SLICE("second"), SLICE(""),
                                               SLICE(""), SLICE("test"), &second, NULL)));
    (void)import_ok(fixture, fixture->collection.number, text);
    (void)import_ok(fixture, second.number, text);
    CLEANUP(ruleset_release) struct ruleset *set = store_rules(fixture, &counts);
    text_detect(set, SLICE("text"), SLICE("see 203.0.113.1\n"), &hits);
    assert_int_equal(hits.count, 1);
    assert_int_equal(ruleset_count(set), 1);
    assert_int_equal(counts.of[RULES_REPEATED], 1);
    assert_true(ruleset_rule(set, 0, &arena, &rule));
    assert_true(slice_eq(rule.source, SLICE("node")));
    assert_true(slice_eq(rule.id, SLICE("indicator--00000000-0000-4000-8000-000000000001")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(current_indicators_are_run),
        cmocka_unit_test_setup_teardown(one_in_two_collections_hits_once, setup, teardown),
    };

    return cmocka_run_group_tests_name("scan/rules_store", tests, NULL, NULL);
}
