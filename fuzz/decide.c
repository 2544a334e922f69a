/* A file of decision cases from outside: whatever it says, each case has one of four answers, a
 * refusal or redaction says why, and nothing is shared under an agreement that cannot be read. */
#include "agreement/cases.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer_check(const struct case_answer *answer)
{
    CLEANUP(buf_free) struct buf out = BUF((size_t)16 << 20);
    struct json_writer w = JSON_WRITER(&out);
    const struct decision *decision = &answer->decision;

    assert(decision->reason_count > 0);
    assert(decision->verdict != VERDICT_REDACT || decision->removed_count > 0);
    assert(decision->verdict != VERDICT_SHARE || decision->removed_count == 0);
    assert(decision->verdict != VERDICT_HOLD || decision->until.len > 0);
    for (size_t i = 1; i < decision->removed_count; i++)
        assert(slice_cmp(decision->removed[i - 1], decision->removed[i]) <= 0);
    case_write(answer, &w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)16 << 20);
    CLEANUP(cases_close) struct cases cases = {0};
    struct case_answer answer;
    struct json_doc doc;

    if (failed(json_parser_new(JSON_DEPTH_MAX, &parser, NULL)) ||
        failed(json_parse_copy(parser, slice_of(data, size), &doc, NULL)) ||
        failed(cases_open(&doc, &cases, NULL)))
        return 0;
    struct value list = cases_list(&cases);
    for (struct json_each each = json_each(list.doc, list.node); json_next(&each);) {
        arena_reset(&arena);
        case_decide(&cases, (struct value){list.doc, each.value}, &arena, &answer);
        answer_check(&answer);
    }
    return 0;
}
