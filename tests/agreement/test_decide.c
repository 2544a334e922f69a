#include "agreement/cases.h"
#include "deciding.h"

#define CASES_BYTES_MAX ((size_t)64 << 20)

/* ---- the reference cases ---- */

static bool cases_read(struct buf *out)
{
    const char *folder = getenv("ENTENTE_DATA");
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/cases/agreement_vectors.json",
                   folder != NULL ? folder : "../shared/data");
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    char *room = buf_reserve(out, CASES_BYTES_MAX);
    out->len += fread(room, 1, CASES_BYTES_MAX, file);
    assert_int_equal(fclose(file), 0);
    return true;
}

static void every_reference_case_has_its_answer(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(CASES_BYTES_MAX);
    CLEANUP(arena_free) struct arena arena = ARENA(CASE_ARENA_BYTES_MAX);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(cases_close) struct cases cases = {0};
    struct case_answer answer;
    struct json_doc doc;

    (void)state;
    if (!cases_read(&text)) {
        print_message("# no cases here: name their folder in ENTENTE_DATA\n");
        return;
    }
    assert_true(succeeded(json_parser_new(JSON_DEPTH_MAX, &parser, NULL)));
    assert_true(succeeded(json_parse_copy(parser, buf_slice(&text), &doc, NULL)));
    assert_true(succeeded(cases_open(&doc, &cases, NULL)));
    struct value list = cases_list(&cases);
    assert_true(json_count(list.doc, list.node) > 0);
    for (struct json_each each = json_each(list.doc, list.node); json_next(&each);) {
        arena_reset(&arena);
        case_decide(&cases, (struct value){list.doc, each.value}, &arena, &answer);
        if (answer.differs != NULL || !answer.has_expect)
            fail_msg("%.*s: %s", SLICE_ARG(answer.id),
                     answer.differs != NULL ? answer.differs : "nothing is expected");
    }
}

/* ---- what must hold whatever the case ---- */

static const char *const levels[] = {CLEAR, GREEN, AMBER, STRICT, RED};

static slice marked_with(char *out, size_t room, unsigned set)
{
    int bytes = snprintf(out, room, "%s", INDICATOR("X"));
    char *at = strchr(out, 'X');
    const char *comma = "";

    (void)bytes;
    at += sprintf(at, ",\"object_marking_refs\":[");
    for (unsigned i = 0; i < 5; i++) {
        if ((set & 1u << i) == 0)
            continue;
        at += sprintf(at, "%s\"%s\"", comma, levels[i]);
        comma = ",";
    }
    (void)sprintf(at, "]}");
    return slice_text(out);
}

static void the_most_restrictive_marking_wins(void **state)
{
    struct deciding_texts t;
    char text[2048];

    (void)state;
    deciding_open(&t);
    for (unsigned set = 1; set < 32; set++) {
        enum tlp highest = TLP_CLEAR;

        for (unsigned i = 0; i < 5; i++)
            if (set & 1u << i)
                highest = (enum tlp)i;
        enum verdict verdict =
            deciding(&t, SLICE(AGREEMENT(PLAIN_TERMS)), marked_with(text, sizeof(text), set));
        assert_int_equal(verdict, highest <= TLP_AMBER ? VERDICT_SHARE : VERDICT_REFUSE);
        if (verdict == VERDICT_SHARE)
            assert_int_equal(t.decision.result_tlp, highest);
    }
    deciding_close(&t);
}

/* Another marking on top never opens what was closed. */
static void a_granular_marking_only_tightens(void **state)
{
    struct deciding_texts t;
    char text[2048];

    (void)state;
    deciding_open(&t);
    for (size_t whole = 0; whole < 5; whole++) {
        for (size_t part = 0; part < 5; part++) {
            (void)snprintf(text, sizeof(text),
                           INDICATOR(",\"name\":\"n\",\"object_marking_refs\":[\"%s\"],"
                                     "\"granular_markings\":[{\"selectors\":[\"name\"],"
                                     "\"marking_ref\":\"%s\"}]"),
                           levels[whole], levels[part]);
            enum verdict verdict = deciding(&t, SLICE(AGREEMENT(PLAIN_TERMS)), slice_text(text));
            bool whole_goes = whole <= TLP_AMBER, part_goes = part <= TLP_AMBER;

            assert_int_equal(verdict, !whole_goes  ? VERDICT_REFUSE
                                      : !part_goes ? VERDICT_REDACT
                                                   : VERDICT_SHARE);
            assert_int_equal(deciding_said(&t, REASON_GRANULAR_RELAXATION_IGNORED),
                             whole_goes && part_goes && part < whole);
        }
    }
    deciding_close(&t);
}

static const struct {
    const char *name;
    slice agreement, object;
    enum reason reason;
} refusals[] = {
    {"an unknown marking", S(AGREEMENT(PLAIN_TERMS)),
     S(INDICATOR(MARKED("marking-definition--99999999-0000-4000-8000-000000000009"))),
     REASON_UNKNOWN_MARKING},
    {"nobody is named",
     S("{\"start_date\":\"2025-01-01T00:00:00Z\"," PARTIES ",\"grants\":[{\"provider\":\"" A1
       "\",\"recipients\":[]," PLAIN_TERMS "}]}"),
     S(INDICATOR(MARKED(CLEAR))), REASON_NO_GRANT},
    {"nobody is named, and the class is not said",
     S("{\"start_date\":\"2025-01-01T00:00:00Z\"," PARTIES ",\"grants\":[{\"provider\":\"" A1
       "\",\"recipients\":[],\"recipient_classes\":[\"partner\"]," PLAIN_TERMS "}]}"),
     S(INDICATOR(MARKED(CLEAR))), REASON_NO_GRANT},
    {"unmarked", S(AGREEMENT(PLAIN_TERMS)), S(INDICATOR("")), REASON_UNMARKED_REFUSED},
    {"a grant without a ceiling", S(AGREEMENT("\"tlp\":{},\"object_types\":{}")),
     S(INDICATOR(MARKED(CLEAR))), REASON_AGREEMENT_MALFORMED},
    {"a ceiling of no level", S(AGREEMENT("\"tlp\":{\"max\":\"pink\"},\"object_types\":{}")),
     S(INDICATOR(MARKED(CLEAR))), REASON_AGREEMENT_MALFORMED},
    {"recipients that are no list",
     S("{\"start_date\":\"2025-01-01T00:00:00Z\"," PARTIES ",\"grants\":[{\"provider\":\"" A1
       "\",\"recipients\":\"" A2 "\"," PLAIN_TERMS "}]}"),
     S(INDICATOR(MARKED(CLEAR))), REASON_AGREEMENT_MALFORMED},
    {"no date of begin", S("{" PARTIES ",\"grants\":[]}"), S(INDICATOR(MARKED(CLEAR))),
     REASON_AGREEMENT_MALFORMED},
    {"an agreement that is none", S("7"), S(INDICATOR(MARKED(CLEAR))), REASON_AGREEMENT_MALFORMED},
    {"a key that stands twice", S(AGREEMENT(PLAIN_TERMS)), S(INDICATOR(MARKED(RED) MARKED(CLEAR))),
     REASON_OBJECT_MALFORMED},
    {"a key that stands twice inside", S(AGREEMENT(PLAIN_TERMS)),
     S(INDICATOR(MARKED(CLEAR) ",\"x\":[{\"a\":1,\"a\":2}]")), REASON_OBJECT_MALFORMED},
    {"an object that is none", S(AGREEMENT(PLAIN_TERMS)), S("[]"), REASON_OBJECT_MALFORMED},
    {"an object without an id", S(AGREEMENT(PLAIN_TERMS)), S("{\"type\":\"tool\"}"),
     REASON_OBJECT_MALFORMED},
    {"markings that are no list", S(AGREEMENT(PLAIN_TERMS)),
     S(INDICATOR(",\"object_marking_refs\":\"" CLEAR "\"")), REASON_OBJECT_MALFORMED},
    {"a marking that is no text", S(AGREEMENT(PLAIN_TERMS)),
     S(INDICATOR(",\"object_marking_refs\":[\"" CLEAR "\",1]")), REASON_OBJECT_MALFORMED},
    {"markings whose key is escaped", S(AGREEMENT(PLAIN_TERMS)),
     S(INDICATOR(",\"object_marking_ref\\u0073\":[\"" RED "\"]")), REASON_TLP_RED_NOT_NAMED},
    {"a marking that is escaped", S(AGREEMENT(PLAIN_TERMS)),
     S(INDICATOR(",\"object_marking_refs\":[\"\\u006darking-definition--"
                 "e828b379-4e03-4974-9ac4-e53a884c97c1\"]")),
     REASON_TLP_RED_NOT_NAMED},
    {"granular markings that are no list", S(AGREEMENT(PLAIN_TERMS)),
     S(INDICATOR(MARKED(CLEAR) ",\"granular_markings\":{}")), REASON_OBJECT_MALFORMED},
    {"a granular marking of the id", S(AGREEMENT(PLAIN_TERMS)),
     S(INDICATOR(MARKED(CLEAR) ",\"granular_markings\":[{\"selectors\":[\"id\"],"
                               "\"marking_ref\":\"" RED "\"}]")),
     REASON_GRANULAR_REQUIRED_PROPERTY},
    {"a selector past the end", S(AGREEMENT(PLAIN_TERMS)),
     S(INDICATOR(MARKED(CLEAR) ",\"labels\":[\"a\"],\"granular_markings\":[{\"selectors\":"
                               "[\"labels.[1]\"],\"marking_ref\":\"" RED "\"}]")),
     REASON_GRANULAR_BAD_SELECTOR},
    {"an embargo that is no date", S(AGREEMENT(PLAIN_TERMS)),
     S(INDICATOR(MARKED(CLEAR) ",\"x_entente_embargo_until\":\"soon\"")), REASON_OBJECT_MALFORMED},
};

static void what_is_odd_is_refused(void **state)
{
    struct deciding_texts t;

    (void)state;
    deciding_open(&t);
    CHECK_ROWS(row, refusals) {
        assert_int_equal(deciding(&t, row->agreement, row->object), VERDICT_REFUSE);
        assert_true(deciding_said(&t, row->reason));
    }
    deciding_close(&t);
}

static void unsigned_terms_share_nothing(void **state)
{
    static const slice one[] = {S(A1)}, three[] = {S(A1), S(A2), S("identity--other")};
    const struct texts signers[] = {{one, 0}, {one, 1}, {three, 3}};
    struct deciding_texts t;

    (void)state;
    deciding_open(&t);
    for (size_t i = 0; i < 3; i++) {
        agreement_read(deciding_parse(&t, 0, SLICE(AGREEMENT(PLAIN_TERMS))), signers[i], &t.arena,
                       &t.agreement);
        agreement_decide(&t.agreement, deciding_parse(&t, 1, SLICE(INDICATOR(MARKED(CLEAR)))),
                         &t.request, &t.arena, &t.decision);
        assert_int_equal(t.decision.verdict, VERDICT_REFUSE);
        assert_true(deciding_said(&t, REASON_AGREEMENT_UNSIGNED));
    }
    deciding_close(&t);
}

static void the_order_of_members_does_not_matter(void **state)
{
    static const char *const members[] = {
        "\"type\":\"report\"",
        "\"id\":\"report--00000000-0000-4000-8000-000000000001\"",
        "\"modified\":\"2025-09-01T00:00:00.000Z\"",
        "\"object_marking_refs\":[\"" GREEN "\"]",
        "\"object_refs\":[\"tool--00000000-0000-4000-8000-000000000001\",\"marking-definition--"
        "x\"]",
        "\"description\":\"d\"",
        "\"granular_markings\":[{\"selectors\":[\"description\"],\"marking_ref\":\"" RED "\"}]",
        "\"created_by_ref\":\"identity--other\"",
    };
    struct deciding_texts t;
    char text[2048];

    (void)state;
    deciding_open(&t);
    for (size_t turn = 0; turn < 8; turn++) {
        int bytes = 0;

        for (size_t i = 0; i < 8; i++)
            bytes += sprintf(text + bytes, "%c%s", i == 0 ? '{' : ',', members[(i * 3 + turn) % 8]);
        (void)sprintf(text + bytes, "}");
        assert_int_equal(deciding(&t, SLICE(AGREEMENT(PLAIN_TERMS ",\"attribution\":\"must-not\"")),
                                  slice_text(text)),
                         VERDICT_REDACT);
        assert_int_equal(t.decision.removed_count, 3);
        assert_true(slice_eq(t.decision.removed[0], SLICE("created_by_ref")));
        assert_true(slice_eq(t.decision.removed[1], SLICE("description")));
        assert_true(slice_eq(t.decision.removed[2], SLICE("object_refs.[0]")));
    }
    deciding_close(&t);
}

/* What costs too much is refused, and says so. */
static void a_budget_that_is_passed_refuses(void **state)
{
    struct deciding_texts t;

    (void)state;
    deciding_open(&t);
    assert_int_equal(deciding(&t, SLICE(AGREEMENT(PLAIN_TERMS)),
                              SLICE(INDICATOR(MARKED(CLEAR) ",\"x_ref\":\"tool--1\""))),
                     VERDICT_REDACT);
    CLEANUP(arena_free) struct arena small = ARENA(16);
    agreement_decide(
        &t.agreement,
        deciding_parse(&t, 1, SLICE(INDICATOR(MARKED(CLEAR) ",\"x_ref\":\"tool--1\""))), &t.request,
        &small, &t.decision);
    assert_int_equal(t.decision.verdict, VERDICT_REFUSE);
    assert_true(deciding_said(&t, REASON_OVER_LIMIT));
    deciding_close(&t);
}

static void every_name_has_words(void **state)
{
    (void)state;
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        assert_true(reason_name((enum reason)reason).len > 1);
        assert_true(reason_words((enum reason)reason).len > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reference_case_has_its_answer),
        cmocka_unit_test(the_most_restrictive_marking_wins),
        cmocka_unit_test(a_granular_marking_only_tightens),
        cmocka_unit_test(what_is_odd_is_refused),
        cmocka_unit_test(unsigned_terms_share_nothing),
        cmocka_unit_test(the_order_of_members_does_not_matter),
        cmocka_unit_test(a_budget_that_is_passed_refuses),
        cmocka_unit_test(every_name_has_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
