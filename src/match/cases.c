#include "match/cases.h"

#include "match/eval.h"
#include "match/regex.h"

#include "base/banned.h"

const char *case_verdict_name(enum case_verdict verdict)
{
    static const char *const names[] = {
        [CASE_VALID] = "valid",
        [CASE_INVALID] = "invalid",
        [CASE_MATCH] = "match",
        [CASE_NO_MATCH] = "nomatch",
    };

    return names[verdict];
}

static bool text_of(const struct json_doc *doc, slice key, struct arena *arena, slice *out)
{
    const struct json_node *value = json_get(doc, &doc->nodes[0], key);

    if (value == NULL || value->kind != JSON_STRING)
        return false;
    *out = json_string(doc, value, arena);
    return out->at != NULL;
}

/* What a pattern must pass before it is run. */
static result pattern_ready(slice text, enum stix_spec spec, struct arena *arena,
                            struct pattern *pattern, struct diag *diag)
{
    TRY(pattern_parse(text, spec, arena, pattern, NULL, diag));
    return regex_check(pattern, NULL, diag);
}

static result observations_ask(const struct json_doc *doc, const struct json_node *observations,
                               const struct pattern *pattern, struct arena *arena,
                               struct case_answer *out, struct diag *diag)
{
    struct eval_outcome outcome;

    if (pattern->is_impossible) {
        out->verdict = CASE_INVALID;
        return diag_fail(diag, ERR_INVALID, "a constant of the pattern is not valid");
    }
    TRY(pattern_eval(pattern, doc, observations, arena, &outcome, diag));
    out->verdict = outcome.matched ? CASE_MATCH : CASE_NO_MATCH;
    return OK;
}

result case_answer(const struct json_doc *doc, enum stix_spec spec_default, struct arena *arena,
                   struct case_answer *out, struct diag *diag)
{
    const struct json_node *observations = json_get(doc, &doc->nodes[0], SLICE("observations"));
    enum stix_spec spec = spec_default;
    struct pattern pattern;
    slice text, version;
    result r;

    *out = (struct case_answer){.verdict = CASE_INVALID};
    if (!text_of(doc, SLICE("id"), arena, &out->id))
        return diag_fail(diag, ERR_INVALID, "a case without \"id\"");
    if (!text_of(doc, SLICE("pattern"), arena, &text))
        return diag_fail(diag, ERR_INVALID, "case %.*s: no \"pattern\"", SLICE_ARG(out->id));
    if (text_of(doc, SLICE("stix_version"), arena, &version))
        spec = slice_eq(version, SLICE("2.0")) ? STIX_20 : STIX_21;
    if (failed(pattern_ready(text, spec, arena, &pattern, diag)))
        return OK;
    if (observations == NULL) {
        out->verdict = CASE_VALID;
        return OK;
    }
    r = observations_ask(doc, observations, &pattern, arena, out, diag);
    if (r.code == ERR_LIMIT) {
        out->verdict = CASE_NO_MATCH;
        out->is_limited = true;
    }
    return OK;
}
