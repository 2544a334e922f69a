#include "match/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>

#include "base/banned.h"

#define MESSAGE_BYTES 160

void regex_free(struct regex *regex)
{
    pcre2_match_data_free((pcre2_match_data *)regex->match);
    pcre2_match_context_free((pcre2_match_context *)regex->limits);
    pcre2_code_free((pcre2_code *)regex->code);
    *regex = (struct regex){0};
}

result regex_compile(slice expression, bool is_octets, struct regex *out, struct diag *diag)
{
    /* \C would cut characters in two; the expression's own (*...) settings may only lower limits.
     */
    uint32_t options = PCRE2_DOTALL | PCRE2_NEVER_BACKSLASH_C;
    PCRE2_UCHAR message[MESSAGE_BYTES];
    PCRE2_SIZE offset;
    int error;

    *out = (struct regex){0};
    if (!is_octets)
        options |= PCRE2_UTF | PCRE2_UCP;
    out->code = pcre2_compile((PCRE2_SPTR)(expression.len > 0 ? expression.at : ""), expression.len,
                              options, &error, &offset, NULL);
    if (out->code == NULL) {
        (void)pcre2_get_error_message(error, message, sizeof(message));
        return diag_fail(diag, ERR_INVALID, "regular expression, offset %zu: %s", (size_t)offset,
                         (const char *)message);
    }
    out->match = pcre2_match_data_create(1, NULL);
    out->limits = pcre2_match_context_create(NULL);
    if (out->match == NULL || out->limits == NULL) {
        regex_free(out);
        return diag_fail(diag, ERR_LIMIT, "regular expression: no memory");
    }
    (void)pcre2_set_match_limit((pcre2_match_context *)out->limits, REGEX_STEPS_MAX);
    (void)pcre2_set_depth_limit((pcre2_match_context *)out->limits, REGEX_DEPTH_MAX);
    (void)pcre2_set_heap_limit((pcre2_match_context *)out->limits, REGEX_HEAP_KIB_MAX);
    return OK;
}

enum regex_answer regex_search(const struct regex *regex, slice subject)
{
    int found = pcre2_match((const pcre2_code *)regex->code,
                            (PCRE2_SPTR)(subject.len > 0 ? subject.at : ""), subject.len, 0, 0,
                            (pcre2_match_data *)regex->match, (pcre2_match_context *)regex->limits);

    if (found >= 0)
        return REGEX_YES;
    return found == PCRE2_ERROR_NOMATCH ? REGEX_NO : REGEX_GAVE_UP;
}

static result not_an_expression(const struct pattern *pattern, const struct pattern_node *node,
                                const char *words, struct pattern_error *error, struct diag *diag)
{
    struct pattern_error here = {0};

    pattern_locate(pattern->text, node->at, &here);
    (void)snprintf(here.expected, sizeof(here.expected), "a regular expression");
    if (error != NULL)
        *error = here;
    return diag_fail(diag, ERR_INVALID, "line %u, column %u: %.*s MATCHES: %s", here.line,
                     here.column, SLICE_ARG(node->path.text), words);
}

result regex_check(const struct pattern *pattern, struct pattern_error *error, struct diag *diag)
{
    for (size_t i = 0; i < pattern->node_count; i++) {
        const struct pattern_node *node = &pattern->nodes[i];
        CLEANUP(regex_free) struct regex regex = {0};
        struct diag why = {0};

        if (node->kind == PATTERN_COMPARE && node->op == PATTERN_MATCHES &&
            failed(regex_compile(node->literals[0].text, false, &regex, &why)))
            return not_an_expression(pattern, node, why.text, error, diag);
    }
    return OK;
}
