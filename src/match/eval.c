#include "match/eval.h"

#include <assert.h>

#include "match/bind.h"
#include "match/compare.h"
#include "match/normal.h"

#include "base/banned.h"

struct evaluation {
    const struct pattern *pattern;
    struct observed observed;
    struct comparer comparer;
    struct regex *regexes; /* per node of the pattern; owned */
    uint8_t *truths;       /* per node of the pattern: of the object being asked */
    uint8_t *fits;         /* per observation expression and observation */
    struct diag *diag;
};

static void evaluation_close(struct evaluation *evaluation)
{
    for (size_t i = 0; evaluation->regexes != NULL && i < evaluation->pattern->node_count; i++)
        regex_free(&evaluation->regexes[i]);
    comparer_close(&evaluation->comparer);
}

/* The expression as what it is searched in: octets, or text in normal form.  Text that no octets
 * stand for has no regex, and matches nothing. */
static result regexes_open(struct evaluation *evaluation, struct arena *arena)
{
    for (size_t i = 0; i < evaluation->pattern->node_count; i++) {
        const struct pattern_node *node = &evaluation->pattern->nodes[i];
        bool is_octets;
        slice expression;

        if (node->kind != PATTERN_COMPARE || node->op != PATTERN_MATCHES)
            continue;
        is_octets = path_is_octets(&node->path);
        expression = node->literals[0].text;
        if (is_octets && !text_octets(expression, arena, &expression))
            continue;
        if (!is_octets)
            expression = text_normal(expression, arena);
        TRY(regex_compile(expression, is_octets, &evaluation->regexes[i], evaluation->diag));
    }
    return OK;
}

/* One object asked of every comparison, then those joined, each after its parts. */
static result object_ask(struct evaluation *evaluation, size_t position,
                         const struct observed_object *object)
{
    const struct pattern_node *nodes = evaluation->pattern->nodes;
    const struct observation *observation = &evaluation->observed.observations[position];
    uint8_t *truths = evaluation->truths, *fits = evaluation->fits;

    for (size_t i = 0; i < evaluation->pattern->node_count; i++) {
        bool holds;

        switch (nodes[i].kind) {
        case PATTERN_COMPARE:
        case PATTERN_EXISTS:
            TRY(compare(&evaluation->comparer, &nodes[i], &evaluation->regexes[i], observation,
                        object, &holds, evaluation->diag));
            truths[i] = holds;
            break;
        case PATTERN_AND:
            truths[i] = truths[nodes[i].left] & truths[nodes[i].right];
            break;
        case PATTERN_OR:
            truths[i] = truths[nodes[i].left] | truths[nodes[i].right];
            break;
        case PATTERN_OBSERVATION: /* all of it is true of one object (9.5) */
            fits[position] |= truths[nodes[i].left];
            fits += evaluation->observed.count;
            break;
        case PATTERN_FOLLOWEDBY:
        case PATTERN_OBS_OR:
        case PATTERN_OBS_AND:
        case PATTERN_WITHIN:
        case PATTERN_REPEATS:
        case PATTERN_START_STOP:
            break;
        }
    }
    return OK;
}

static result steps_check(const struct evaluation *evaluation)
{
    if (evaluation->comparer.steps < EVAL_STEPS_MAX)
        return OK;
    return diag_fail(evaluation->diag, ERR_LIMIT, "matching takes more than %u steps",
                     EVAL_STEPS_MAX);
}

static result objects_ask(struct evaluation *evaluation)
{
    for (size_t i = 0; i < evaluation->observed.count; i++) {
        const struct observation *observation = &evaluation->observed.observations[i];

        for (size_t j = 0; j < observation->object_count; j++) {
            TRY(object_ask(evaluation, i, &observation->objects[j]));
            evaluation->comparer.steps += evaluation->pattern->node_count;
            TRY(steps_check(evaluation));
        }
    }
    return OK;
}

static result evaluation_open(struct evaluation *evaluation, const struct json_doc *doc,
                              const struct json_node *root, struct arena *arena)
{
    size_t expressions = 0, node_count = evaluation->pattern->node_count;

    TRY(observed_read(doc, root, arena, &evaluation->observed, evaluation->diag));
    for (size_t i = 0; i < node_count; i++)
        expressions += evaluation->pattern->nodes[i].kind == PATTERN_OBSERVATION;
    assert(expressions > 0); /* no pattern is without an observation */
    if (evaluation->observed.count > EVAL_CELLS_MAX / expressions)
        return diag_fail(evaluation->diag, ERR_LIMIT,
                         "pattern: %zu observation expressions and %zu observed-data are too many",
                         expressions, evaluation->observed.count);
    evaluation->truths = arena_new(arena, uint8_t, node_count);
    evaluation->fits = arena_new(arena, uint8_t, expressions * evaluation->observed.count + 1);
    evaluation->regexes = arena_new(arena, struct regex, node_count);
    if (evaluation->truths == NULL || evaluation->fits == NULL || evaluation->regexes == NULL)
        return diag_fail(evaluation->diag, ERR_LIMIT, "no memory to match the pattern");
    TRY(regexes_open(evaluation, arena));
    return comparer_open(doc, &evaluation->comparer, evaluation->diag);
}

result pattern_eval(const struct pattern *pattern, const struct json_doc *doc,
                    const struct json_node *root, struct arena *arena, struct eval_outcome *out,
                    struct diag *diag)
{
    CLEANUP(evaluation_close) struct evaluation evaluation = {.pattern = pattern, .diag = diag};

    *out = (struct eval_outcome){0};
    TRY(evaluation_open(&evaluation, doc, root, arena));
    out->observation_count = evaluation.observed.count;
    if (pattern->is_impossible)
        return OK;
    TRY(objects_ask(&evaluation));
    out->regex_gave_up = evaluation.comparer.regex_gave_up;
    return bind_search(pattern, &evaluation.observed, evaluation.fits, arena,
                       &evaluation.comparer.steps, EVAL_STEPS_MAX, &out->matched, diag);
}
