/* Patterns from anyone: parse in both editions, read every byte that came back, print, parse again,
 * ask for values, advice and an explanation. */
#include "match/advise.h"
#include "match/explain.h"
#include "match/regex.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/banned.h"

#define BUDGET ((size_t)64 << 20)
#define EXPRESSION_BYTES_MAX 64 /* compiling long ones is the library's own target */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static volatile unsigned sum;

static void touch(slice s)
{
    for (size_t i = 0; i < s.len; i++)
        sum += (uint8_t)s.at[i];
}

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void nodes_touch(const struct pattern *pattern)
{
    for (size_t i = 0; i < pattern->node_count; i++) {
        const struct pattern_node *node = &pattern->nodes[i];
        bool is_test = node->kind == PATTERN_COMPARE || node->kind == PATTERN_EXISTS;

        must((size_t)node->at + node->len <= pattern->text.len);
        must(is_test || (node->left < i && node->right < i));
        touch(node->path.type);
        touch(node->seconds);
        for (size_t j = 0; j < node->path.step_count; j++)
            touch(node->path.steps[j].key);
        for (size_t j = 0; j < node->literal_count; j++)
            touch(node->literals[j].text);
    }
}

static void printed_again(const struct pattern *pattern, enum stix_spec spec, struct arena *arena)
{
    CLEANUP(buf_free) struct buf once = BUF(BUDGET), twice = BUF(BUDGET);
    struct pattern again;
    result r;

    pattern_print(pattern, &once);
    r = pattern_parse(buf_slice(&once), spec, arena, &again, NULL, NULL);
    if (r.code == ERR_LIMIT) /* printing writes out what a shorter spelling left out */
        return;
    must(succeeded(r) && again.node_count == pattern->node_count);
    pattern_print(&again, &twice);
    must(slice_eq(buf_slice(&once), buf_slice(&twice)));
}

static bool has_long_expression(const struct pattern *pattern)
{
    for (size_t i = 0; i < pattern->node_count; i++)
        if (pattern->nodes[i].kind == PATTERN_COMPARE && pattern->nodes[i].op == PATTERN_MATCHES &&
            pattern->nodes[i].literals[0].text.len > EXPRESSION_BYTES_MAX)
            return true;
    return false;
}

static void pattern_use(const struct pattern *pattern, enum stix_spec spec, struct arena *arena)
{
    CLEANUP(buf_free) struct buf words = BUF(BUDGET);
    const struct stix_value *values;
    const struct advice *advice;
    size_t count;

    nodes_touch(pattern);
    printed_again(pattern, spec, arena);
    if (succeeded(pattern_values(pattern, arena, &values, &count)))
        for (size_t i = 0; i < count; i++) {
            touch(values[i].kind);
            touch(values[i].value);
        }
    if (succeeded(pattern_advise(pattern, arena, &advice, &count, NULL)))
        for (size_t i = 0; i < count; i++)
            touch(advice[i].text);
    if (succeeded(pattern_explain(pattern, arena, &words, NULL)))
        touch(buf_slice(&words));
    if (!has_long_expression(pattern))
        sum += failed(regex_check(pattern, NULL, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    CLEANUP(arena_free) struct arena arena = ARENA(BUDGET);
    slice text = slice_of(bytes, count);

    for (int spec = STIX_20; spec <= STIX_21; spec++) {
        struct pattern pattern;
        struct pattern_error error = {0};
        struct diag diag = {0};
        result r;

        arena_reset(&arena);
        r = pattern_parse(text, (enum stix_spec)spec, &arena, &pattern, &error, &diag);
        must(failed(r) == (diag.text[0] != '\0'));
        must(r.code != ERR_INVALID || (error.line > 0 && error.column > 0 && error.at <= count));
        if (succeeded(r))
            pattern_use(&pattern, (enum stix_spec)spec, &arena);
    }
    return 0;
}
