#include "ledger/ledger.h"

#include "rows.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/fault.h"

#include "base/banned.h"

#define LOG 0
static const char *const tables[] = {LEDGER_TABLES, "other", NULL};

struct fixture {
    char folder[64];
    struct kv *kv;
};

static int set_up(void **state)
{
    static struct fixture f;
    struct diag diag = {0};

    f = (struct fixture){.folder = "/tmp/entente-ledger-XXXXXX"};
    assert_non_null(mkdtemp(f.folder));
    if (failed(kv_open(f.folder, (size_t)1 << 28, tables, &f.kv, &diag)))
        fail_msg("%s", diag.text);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char path[96];

    kv_close(&f->kv);
    (void)snprintf(path, sizeof(path), "%s/index.mdb", f->folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/index.mdb-lock", f->folder);
    (void)unlink(path);
    (void)rmdir(f->folder);
    return 0;
}

static result append(struct fixture *f, slice kind, int64_t now_us, slice body, uint64_t *number,
                     struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};

    kv_begin_write(f->kv, &txn, diag);
    ledger_append(&txn, LOG, kind, ledger_next_us(&txn, LOG, now_us), body, number);
    return kv_commit(&txn);
}

static void appended(struct fixture *f, int64_t now_us, slice body)
{
    struct diag diag = {0};
    uint64_t number;

    if (failed(append(f, SLICE("note"), now_us, body, &number, &diag)))
        fail_msg("%s", diag.text);
}

static bool entry_is(struct fixture *f, uint64_t number, slice text)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    slice entry;

    kv_begin_read(f->kv, &txn, NULL);
    if (!ledger_read(&txn, LOG, number, &entry))
        return false;
    if (!slice_eq(entry, text))
        print_error("%.*s\n", SLICE_ARG(entry));
    return slice_eq(entry, text);
}

static void entries_are_canonical_and_numbered_from_0(void **state)
{
    struct fixture *f = *state;
    struct diag diag = {0};
    struct kv_txn txn;
    uint64_t number;
    slice entry;

    assert_true(succeeded(append(f, SLICE("a.b"), 1,
                                 SLICE(" { \"z\" : 1.0, \"b\":[ ] , \"A\":\"\\u0041\" } "), &number,
                                 &diag)));
    assert_int_equal(number, 0);
    assert_true(succeeded(append(f, SLICE("c"), 1000000, SLICE("{}"), &number, &diag)));
    assert_int_equal(number, 1);
    assert_true(entry_is(f, 0,
                         SLICE("{\"A\":\"A\",\"at\":\"1970-01-01T00:00:00.000001Z\",\"b\":[],"
                               "\"kind\":\"a.b\",\"z\":1}")));
    assert_true(entry_is(f, 1, SLICE("{\"at\":\"1970-01-01T00:00:01.000000Z\",\"kind\":\"c\"}")));
    kv_begin_read(f->kv, &txn, NULL);
    assert_int_equal(ledger_count(&txn, LOG), 2);
    assert_false(ledger_read(&txn, LOG, 2, &entry));
    kv_abort(&txn);
}

static void dates_rise_whatever_the_clock_does(void **state)
{
    static const struct {
        const char *name;
        int64_t now_us;
        slice body;
        int64_t at_us;
    } steps[] = {
        {"the first", 100, S("{}"), 100},
        {"the clock stands still", 100, S("{}"), 101},
        {"it goes on", 200, S("{}"), 200},
        {"it jumps back", 50, S("{}"), 201},
        {"it jumps before 1970", -50, S("{}"), 202},
        {"an import uses dates up", 300, S("{\"reach\":\"1970-01-01T00:00:00.000900Z\"}"), 300},
        {"the next comes behind them", 500, S("{}"), 901},
        {"and that one's next behind it", 500, S("{}"), 902},
        {"reach may be at itself", 1000, S("{\"reach\":\"1970-01-01T00:00:00.001000Z\"}"), 1000},
        {"then one later", 1000, S("{}"), 1001},
    };
    struct fixture *f = *state;

    CHECK_ROWS(row, steps) {
        struct kv_txn txn;

        kv_begin_read(f->kv, &txn, NULL);
        assert_int_equal(ledger_next_us(&txn, LOG, row->now_us), row->at_us);
        kv_abort(&txn);
        appended(f, row->now_us, row->body);
    }
}

static void bad_bodies_are_refused_and_append_nothing(void **state)
{
    static const struct {
        const char *name;
        slice body;
        enum err code;
        const char *words;
    } bodies[] = {
        {"empty", S(""), ERR_INVALID, "no object"},
        {"an array", S("[]"), ERR_INVALID, "no object"},
        {"open", S("{\"a\":1"), ERR_INVALID, "no object"},
        {"one brace", S("{"), ERR_INVALID, "no object"},
        {"two objects", S("{\"a\":1}{\"b\":2}"), ERR_INVALID, "byte"},
        {"closes too early", S("{},\"a\":{}"), ERR_INVALID, "byte"},
        {"a list of objects", S("{\"a\":1},{\"b\":2}"), ERR_INVALID, "byte"},
        {"its own date", S("{\"at\":\"2020-01-01T00:00:00.000000Z\"}"), ERR_INVALID, "at"},
        {"its own kind", S("{\"kind\":\"x\"}"), ERR_INVALID, "kind"},
        {"a member twice", S("{\"a\":1,\"a\":1}"), ERR_INVALID, "a"},
        {"a comma too many", S("{\"a\":1,}"), ERR_INVALID, "byte"},
        {"reach is no date", S("{\"reach\":5}"), ERR_INVALID, "reach: takes a date"},
        {"reach of another form", S("{\"reach\":\"2030-01-01T00:00:00Z\"}"), ERR_INVALID, "reach"},
        {"reach before at", S("{\"reach\":\"1969-01-01T00:00:00.000000Z\"}"), ERR_INVALID, "reach"},
        {"no UTF-8", S("{\"a\":\"\xff\"}"), ERR_INVALID, "byte"},
    };
    struct fixture *f = *state;

    CHECK_ROWS(row, bodies) {
        struct diag diag = {0};
        uint64_t number;
        slice entry;
        struct kv_txn txn;

        assert_int_equal(append(f, SLICE("note"), 5, row->body, &number, &diag).code, row->code);
        if (strstr(diag.text, row->words) == NULL ||
            strstr(diag.text, "log: entry of kind note: ") != diag.text)
            fail_msg("\"%s\"", diag.text);
        kv_begin_read(f->kv, &txn, NULL);
        assert_false(ledger_read(&txn, LOG, 0, &entry));
        kv_abort(&txn);
    }
}

static void an_entry_over_the_limit_is_refused(void **state)
{
    static char body[3 * LEDGER_ENTRY_BYTES_MAX];
    struct fixture *f = *state;
    const size_t frame =
        strlen("{\"a\":\"\",\"at\":\"1970-01-01T00:00:00.000005Z\",\"kind\":\"note\"}");
    struct diag diag = {0};
    uint64_t number;
    size_t fits = LEDGER_ENTRY_BYTES_MAX - frame;

    memset(body, 'x', sizeof(body));
    memcpy(body, "{\"a\":\"", 6);
    memcpy(body + 6 + fits + 1, "\"}", 2);
    assert_int_equal(append(f, SLICE("note"), 5, slice_of(body, 6 + fits + 3), &number, &diag).code,
                     ERR_LIMIT);
    memcpy(body + 6 + fits, "\"}", 2);
    diag_reset(&diag);
    assert_true(
        succeeded(append(f, SLICE("note"), 5, slice_of(body, 6 + fits + 2), &number, &diag)));
    memcpy(body + 6 + fits, "xxx", 3);
    memcpy(body + sizeof(body) - 2, "\"}", 2);
    assert_int_equal(append(f, SLICE("note"), 7, slice_of(body, sizeof(body)), &number, &diag).code,
                     ERR_LIMIT);
}

static void what_is_appended_can_be_taken_apart(void **state)
{
    struct fixture *f = *state;
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct ledger_entry entry;
    struct diag diag = {0};
    int64_t n;
    slice text;

    appended(f, 7, SLICE("{\"n\":3,\"reach\":\"1970-01-01T00:00:00.000009Z\"}"));
    kv_begin_read(f->kv, &txn, NULL);
    assert_true(ledger_read(&txn, LOG, 0, &text));
    assert_true(succeeded(json_parser_new(LEDGER_DEPTH_MAX, &parser, &diag)));
    assert_true(succeeded(ledger_parse(parser, text, &entry, &diag)));
    assert_true(slice_eq(entry.kind, SLICE("note")));
    assert_int_equal(entry.at_us, 7);
    assert_int_equal(entry.reach_us, 9);
    assert_true(json_i64(&entry.doc, json_get(&entry.doc, entry.doc.nodes, SLICE("n")), &n));
    assert_int_equal(n, 3);
}

static void a_damaged_entry_is_corruption(void **state)
{
    static const struct {
        const char *name;
        slice text;
    } texts[] = {
        {"empty", S("")},
        {"cut", S("{\"at\":\"1970-01-01T00:00:00.000001Z\",\"kind\":\"no")},
        {"no object", S("[1]")},
        {"no date", S("{\"kind\":\"note\"}")},
        {"another form of date", S("{\"at\":\"1970-01-01T00:00:01Z\",\"kind\":\"note\"}")},
        {"no kind", S("{\"at\":\"1970-01-01T00:00:00.000001Z\"}")},
        {"a strange kind", S("{\"at\":\"1970-01-01T00:00:00.000001Z\",\"kind\":\"No te\"}")},
    };
    struct fixture *f = *state;

    CHECK_ROWS(row, texts) {
        struct diag diag = {0};
        struct kv_txn txn;
        uint64_t number;

        kv_begin_write(f->kv, &txn, &diag);
        kv_put(&txn, LOG, SLICE("\0\0\0\0\0\0\0\0"), row->text);
        (void)ledger_next_us(&txn, LOG, 5);
        ledger_append(&txn, LOG, SLICE("note"), 6, SLICE("{}"), &number);
        assert_int_equal(kv_commit(&txn).code, ERR_CORRUPT);
        assert_true(strstr(diag.text, "log: entry 0: ") == diag.text);
    }
}

#ifdef ENTENTE_FAULTS
static void every_failure_has_words_and_appends_nothing(void **state)
{
    struct fixture *f = *state;
    unsigned long nth = 0;
    bool fired;
    result r;

    appended(f, 1, SLICE("{}"));
    do {
        struct diag diag = {0};
        struct kv_txn txn;
        uint64_t number;

        fault_arm(++nth);
        r = append(f, SLICE("note"), 5, SLICE("{\"a\":1}"), &number, &diag);
        fired = fault_fired();
        fault_arm(0);
        assert_true(failed(r) == fired);
        assert_true(failed(r) == (diag.text[0] != '\0'));
        kv_begin_read(f->kv, &txn, NULL);
        assert_int_equal(ledger_count(&txn, LOG), failed(r) ? 1 : 2);
        kv_abort(&txn);
    } while (fired);
    assert_true(nth > 3);
}
#endif

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(entries_are_canonical_and_numbered_from_0),   CASE(dates_rise_whatever_the_clock_does),
        CASE(bad_bodies_are_refused_and_append_nothing),   CASE(an_entry_over_the_limit_is_refused),
        CASE(what_is_appended_can_be_taken_apart),         CASE(a_damaged_entry_is_corruption),
#ifdef ENTENTE_FAULTS
        CASE(every_failure_has_words_and_appends_nothing),
#endif
    };

    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
