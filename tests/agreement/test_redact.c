#include "agreement/redact.h"

#include "deciding.h"
#include "stix/object.h"

/* The redacted text, checked as strictly as can be. */
static slice redacted(struct deciding_texts *t, slice agreement, slice object, struct buf *out)
{
    struct stix_findings findings = {0};
    struct stix_object checked;
    struct diag diag = {0};

    assert_int_equal(deciding(t, agreement, object), VERDICT_REDACT);
    if (failed(agreement_redact(&t->agreement, (struct value){&t->docs[1], t->docs[1].nodes},
                                &t->decision, &t->arena, out, &diag)))
        fail_msg("%s: %.*s", diag.text, SLICE_ARG(buf_slice(out)));
    struct value root = deciding_parse(t, 1, buf_slice(out));
    if (failed(stix_check(root.doc, STIX_STRICT, &t->arena, &checked, &findings, &diag)))
        fail_msg("%s: %.*s", diag.text, SLICE_ARG(buf_slice(out)));
    return buf_slice(out);
}

#define LABELS                                                                                     \
    ",\"name\":\"n\",\"labels\":[\"a\",\"b\",\"c\"],\"granular_markings\":[{\"selectors\":"        \
    "[\"labels.[1]\"],\"marking_ref\":\"" RED "\"},{\"selectors\":[\"labels.[2]\",\"name\","       \
    "\"labels.[1]\"],\"marking_ref\":\"" AMBER "\"}]"

static const struct {
    const char *name;
    slice terms, object, holds, lacks;
} rows[] = {
    {"an item of a list, and the markings behind it move up", S(AGREEMENT(PLAIN_TERMS)),
     S(INDICATOR(MARKED(GREEN) LABELS)), S("\"labels\":[\"a\",\"c\"]"), S("\"b\"")},
    {"markings of what is gone are gone", S(AGREEMENT(PLAIN_TERMS)),
     S(INDICATOR(MARKED(GREEN) LABELS)),
     S("[{\"marking_ref\":\"" AMBER "\",\"selectors\":[\"labels.[1]\",\"name\"]}]"), S(RED)},
    {"a list that is emptied goes", S(AGREEMENT(PLAIN_TERMS)),
     S(INDICATOR(MARKED(GREEN) ",\"labels\":[\"a\"],\"granular_markings\":[{\"selectors\":"
                               "[\"labels.[0]\"],\"marking_ref\":\"" RED "\"}]")),
     S("\"x_entente_removed\":[\"labels.[0]\"]"), S("granular_markings")},
    {"an extension, and the last one's container",
     S(AGREEMENT(PLAIN_TERMS ",\"extensions\":{\"allow\":[],\"unknown\":\"strip\"}")),
     S(INDICATOR(
         MARKED(GREEN) ",\"extensions\":{\"extension-definition--77777777-0000-4000-8000-"
                       "000000000007\":{\"extension_type\":\"property-extension\",\"secret\":1}}")),
     S("\"x_entente_removed\":[\"extensions.extension-definition--"), S("secret")},
    {"deep inside", S(AGREEMENT(PLAIN_TERMS ",\"redact\":[\"external_references.[1].url\"]")),
     S(INDICATOR(MARKED(GREEN) ",\"external_references\":[{\"source_name\":\"s\",\"description\":"
                               "\"d\"},{\"description\":\"e\",\"source_name\":"
                               "\"t\",\"url\":\"https://example.com\"}]")),
     S("{\"description\":\"e\",\"source_name\":\"t\"}]"), S("example.com")},
    {"who made it", S(AGREEMENT(PLAIN_TERMS ",\"attribution\":\"must-not\"")),
     S(INDICATOR(
         MARKED(GREEN) ",\"created_by_ref\":\"identity--00000000-0000-4000-8000-000000000009\","
                       "\"external_references\":[{\"source_name\":\"theirs\"}]")),
     S("\"x_entente_removed\":[\"created_by_ref\",\"external_references\"]"), S("theirs")},
    {"what was removed before is still named", S(AGREEMENT(PLAIN_TERMS ",\"redact\":[\"name\"]")),
     S(INDICATOR(MARKED(GREEN) ",\"name\":\"n\",\"x_entente_removed\":[\"description\"]")),
     S("\"x_entente_removed\":[\"description\",\"name\"]"), S("\"name\":\"n\"")},
};

static void what_leaves_is_stix_without_what_is_removed(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 20);
    struct deciding_texts t;

    (void)state;
    deciding_open(&t);
    CHECK_ROWS(row, rows) {
        slice text = redacted(&t, row->terms, row->object, &out);

        if (slice_find(text, row->holds) == SIZE_MAX || slice_find(text, row->lacks) != SIZE_MAX)
            fail_msg("%.*s", SLICE_ARG(text));
        assert_true(slice_find(text, SLICE("indicator--00000000-0000")) == SIZE_MAX);
    }
    deciding_close(&t);
}

static void the_id_follows_from_what_is_removed(void **state)
{
    static const slice name[] = {S("name")}, more[] = {S("labels"), S("name")};
    struct uuid first = redaction_id(SLICE("agreement--x"), SLICE("tool--1"), SLICE("v"), name, 1);
    struct uuid again = redaction_id(SLICE("agreement--x"), SLICE("tool--1"), SLICE("v"), name, 1);
    struct uuid others[] = {
        redaction_id(SLICE("agreement--y"), SLICE("tool--1"), SLICE("v"), name, 1),
        redaction_id(SLICE("agreement--x"), SLICE("tool--2"), SLICE("v"), name, 1),
        redaction_id(SLICE("agreement--x"), SLICE("tool--1"), SLICE("w"), name, 1),
        redaction_id(SLICE("agreement--x"), SLICE("tool--1"), SLICE("v"), more, 2),
    };

    (void)state;
    assert_int_equal(uuid_version(&first), 5);
    assert_true(uuid_eq(&first, &again));
    for (size_t i = 0; i < 4; i++)
        assert_false(uuid_eq(&first, &others[i]));
}

/* The evaluator's list of required properties is short; the check is the last word. */
static void what_would_be_no_object_does_not_leave(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 20);
    struct deciding_texts t;
    struct diag diag = {0};

    (void)state;
    deciding_open(&t);
    assert_int_equal(deciding(&t, SLICE(AGREEMENT(PLAIN_TERMS ",\"redact\":[\"id\"]")),
                              SLICE(INDICATOR(MARKED(GREEN)))),
                     VERDICT_REDACT);
    assert_int_equal(agreement_redact(&t.agreement, (struct value){&t.docs[1], t.docs[1].nodes},
                                      &t.decision, &t.arena, &out, &diag)
                         .code,
                     ERR_INVALID);
    assert_true(diag.text[0] != '\0');
    deciding_close(&t);
}

static void a_refusal_writes_nothing(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 20);
    struct deciding_texts t;
    struct diag diag = {0};

    (void)state;
    deciding_open(&t);
    assert_int_equal(deciding(&t, SLICE(AGREEMENT(PLAIN_TERMS)), SLICE(INDICATOR(MARKED(RED)))),
                     VERDICT_REFUSE);
    assert_int_equal(agreement_redact(&t.agreement, (struct value){&t.docs[1], t.docs[1].nodes},
                                      &t.decision, &t.arena, &out, &diag)
                         .code,
                     ERR_DENIED);
    assert_int_equal(out.len, 0);
    deciding_close(&t);
}

static void a_recall_says_no_more_than_which_version(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 20);
    struct deciding_texts t;

    (void)state;
    deciding_open(&t);
    t.request.has_copy = true;
    assert_int_equal(deciding(&t, SLICE(AGREEMENT(PLAIN_TERMS)),
                              SLICE(INDICATOR(MARKED(RED) ",\"revoked\":true"))),
                     VERDICT_REDACT);
    assert_true(
        succeeded(agreement_redact(&t.agreement, (struct value){&t.docs[1], t.docs[1].nodes},
                                   &t.decision, &t.arena, &out, NULL)));
    assert_true(slice_find(buf_slice(&out), SLICE("pattern")) == SIZE_MAX);
    assert_true(slice_find(buf_slice(&out), SLICE("indicator--00000000-0000-4000-8000-"
                                                  "000000000001")) != SIZE_MAX);
    deciding_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_leaves_is_stix_without_what_is_removed),
        cmocka_unit_test(the_id_follows_from_what_is_removed),
        cmocka_unit_test(what_would_be_no_object_does_not_leave),
        cmocka_unit_test(a_refusal_writes_nothing),
        cmocka_unit_test(a_recall_says_no_more_than_which_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
