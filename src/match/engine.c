#include "match/engine.h"

#include "match/compare.h"

#include <stdlib.h>

#include "base/banned.h"

#define COST_ALWAYS UINT64_MAX /* no exact value is asked for */

/* ---- values ---- */

enum value_kind { VALUE_TEXT = 1, VALUE_NUMBER = 2 };

/* FNV-1a, then mixed so that every bit counts in the order of the atoms. */
static uint64_t value_hash(enum value_kind kind, slice bytes)
{
    uint64_t hash = 14695981039346656037u ^ (uint64_t)kind;

    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ (uint8_t)bytes.at[i]) * 1099511628211u;
    hash ^= hash >> 32;
    hash *= 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 29;
}

/* By its double: numbers that differ only past that are told apart by the evaluation. */
static uint64_t number_hash(double number)
{
    number += 0.0; /* -0.0 is 0.0 */
    return value_hash(VALUE_NUMBER, slice_of(&number, sizeof(number)));
}

static bool is_exact(const struct pattern_literal *literal)
{
    return literal->kind == PATTERN_STRING || literal->kind == PATTERN_INTEGER ||
           literal->kind == PATTERN_FLOAT;
}

static uint64_t literal_hash(const struct pattern_literal *literal)
{
    return literal->kind == PATTERN_STRING ? value_hash(VALUE_TEXT, literal->text)
                                           : number_hash(literal->real);
}

/* ---- the cheapest set of values that a pattern cannot do without ---- */

/* A binary property's text is not what it is compared as. */
static uint64_t comparison_cost(const struct pattern_node *node)
{
    if (node->kind != PATTERN_COMPARE || node->negated || path_is_octets(&node->path) ||
        (node->op != PATTERN_EQ && node->op != PATTERN_IN))
        return COST_ALWAYS;
    for (size_t i = 0; i < node->literal_count; i++)
        if (!is_exact(&node->literals[i]))
            return COST_ALWAYS;
    return node->literal_count;
}

static bool is_either(enum pattern_node_kind kind)
{
    return kind == PATTERN_OR || kind == PATTERN_OBS_OR;
}

static bool is_both(enum pattern_node_kind kind)
{
    return kind == PATTERN_AND || kind == PATTERN_OBS_AND || kind == PATTERN_FOLLOWEDBY;
}

/* costs: of each node, how many values it cannot be true without one of. */
static void costs_fill(const struct pattern *pattern, uint64_t *costs)
{
    for (size_t i = 0; i < pattern->node_count; i++) {
        const struct pattern_node *node = &pattern->nodes[i];
        uint64_t left = costs[node->left], right = costs[node->right];

        if (node->kind == PATTERN_COMPARE || node->kind == PATTERN_EXISTS)
            costs[i] = comparison_cost(node);
        else if (is_either(node->kind))
            costs[i] = left == COST_ALWAYS || right == COST_ALWAYS ? COST_ALWAYS : left + right;
        else if (is_both(node->kind))
            costs[i] = left < right ? left : right;
        else
            costs[i] = left;
    }
}

struct building {
    struct engine_atom *atoms; /* owned until they are copied */
    size_t count, capacity;
    uint64_t *costs; /* owned */
    uint8_t *wanted; /* owned; per node of the pattern: its values are the ones to keep */
    size_t cost_capacity, wanted_capacity;
};

static void building_close(struct building *b)
{
    table_free(b->atoms);
    table_free(b->costs);
    table_free(b->wanted);
}

static bool building_room(struct building *b, size_t node_count)
{
    uint64_t *costs = (uint64_t *)table_grow(b->costs, &b->cost_capacity, node_count,
                                             PATTERN_NODES_MAX, sizeof(*costs));
    uint8_t *wanted;

    if (costs == NULL)
        return false;
    b->costs = costs;
    wanted = (uint8_t *)table_grow(b->wanted, &b->wanted_capacity, node_count, PATTERN_NODES_MAX,
                                   sizeof(*wanted));
    if (wanted == NULL)
        return false;
    b->wanted = wanted;
    return true;
}

static bool atoms_add(struct building *b, const struct pattern_node *node, uint32_t position)
{
    for (size_t i = 0; i < node->literal_count; i++) {
        struct engine_atom *grown = (struct engine_atom *)table_grow(
            b->atoms, &b->capacity, b->count + 1, ENGINE_VALUES_MAX, sizeof(*grown));

        if (grown == NULL)
            return false;
        b->atoms = grown;
        b->atoms[b->count++] = (struct engine_atom){literal_hash(&node->literals[i]), position};
    }
    return true;
}

/* From the root down: both sides of OR, the cheaper one of AND. */
static bool atoms_choose(struct building *b, const struct pattern *pattern, uint32_t position)
{
    memset(b->wanted, 0, pattern->node_count);
    b->wanted[pattern->node_count - 1] = 1;
    for (size_t i = pattern->node_count; i-- > 0;) {
        const struct pattern_node *node = &pattern->nodes[i];

        if (!b->wanted[i])
            continue;
        if (node->kind == PATTERN_COMPARE) {
            if (!atoms_add(b, node, position))
                return false;
        } else if (is_either(node->kind)) {
            b->wanted[node->left] = 1;
            b->wanted[node->right] = 1;
        } else if (is_both(node->kind)) {
            b->wanted[b->costs[node->left] <= b->costs[node->right] ? node->left : node->right] = 1;
        } else {
            b->wanted[node->left] = 1;
        }
    }
    return true;
}

static int by_hash(const void *a, const void *b)
{
    const struct engine_atom *left = (const struct engine_atom *)a;
    const struct engine_atom *right = (const struct engine_atom *)b;

    if (left->hash != right->hash)
        return left->hash < right->hash ? -1 : 1;
    return (left->pattern > right->pattern) - (left->pattern < right->pattern);
}

static bool atoms_keep(struct building *b, struct arena *arena, struct engine *out)
{
    struct engine_atom *atoms = arena_new(arena, struct engine_atom, b->count + 1);

    if (atoms == NULL)
        return false;
    if (b->count > 0) {
        memcpy(atoms, b->atoms, b->count * sizeof(*atoms));
        qsort(atoms, b->count, sizeof(*atoms), by_hash);
    }
    out->atoms = atoms;
    out->atom_count = b->count;
    return true;
}

result engine_build(const struct pattern *patterns, size_t count, struct arena *arena,
                    struct engine *out, struct diag *diag)
{
    CLEANUP(building_close) struct building b = {0};
    uint32_t *always = arena_new(arena, uint32_t, count + 1);
    bool has_room = always != NULL && count <= ENGINE_PATTERNS_MAX;

    *out = (struct engine){.patterns = patterns, .pattern_count = count, .always = always};
    for (size_t i = 0; i < count && has_room; i++) {
        if (patterns[i].is_impossible)
            continue;
        has_room = building_room(&b, patterns[i].node_count);
        if (!has_room)
            break;
        costs_fill(&patterns[i], b.costs);
        if (b.costs[patterns[i].node_count - 1] == COST_ALWAYS)
            always[out->always_count++] = (uint32_t)i;
        else
            has_room = atoms_choose(&b, &patterns[i], (uint32_t)i);
    }
    if (!has_room || !atoms_keep(&b, arena, out))
        return diag_fail(diag, ERR_LIMIT, "patterns: %zu of them are too many", count);
    return OK;
}

/* ---- asking ---- */

static size_t atoms_find(const struct engine *engine, uint64_t hash)
{
    size_t low = 0, high = engine->atom_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (engine->atoms[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void value_mark(const struct engine *engine, uint64_t hash, uint8_t *marks)
{
    for (size_t i = atoms_find(engine, hash);
         i < engine->atom_count && engine->atoms[i].hash == hash; i++)
        marks[engine->atoms[i].pattern] = 1;
}

/* Every string and number of the data, wherever it stands; keys too, which costs little. */
static void values_mark(const struct engine *engine, const struct json_doc *doc,
                        const struct json_node *root, struct arena *arena, uint8_t *marks)
{
    double number;

    for (const struct json_node *node = root; node < root + root->size; node++) {
        if (node->kind == JSON_STRING)
            value_mark(engine, value_hash(VALUE_TEXT, json_string(doc, node, arena)), marks);
        else if (node->kind == JSON_NUMBER && json_double(doc, node, &number))
            value_mark(engine, number_hash(number), marks);
    }
}

result engine_candidates(const struct engine *engine, const struct json_doc *doc,
                         const struct json_node *root, struct arena *arena, const uint32_t **out,
                         size_t *count, struct diag *diag)
{
    uint8_t *marks = arena_new(arena, uint8_t, engine->pattern_count + 1);
    uint32_t *positions = arena_new(arena, uint32_t, engine->pattern_count + 1);

    *out = positions;
    *count = 0;
    if (marks != NULL && positions != NULL)
        values_mark(engine, doc, root, arena, marks);
    if (arena->overflowed)
        return diag_fail(diag, ERR_LIMIT, "no memory to look %zu patterns up",
                         engine->pattern_count);
    for (size_t i = 0; i < engine->always_count; i++)
        marks[engine->always[i]] = 1;
    for (size_t i = 0; i < engine->pattern_count; i++)
        if (marks[i])
            positions[(*count)++] = (uint32_t)i;
    return OK;
}

result engine_match(const struct engine *engine, const struct json_doc *doc,
                    const struct json_node *root, struct arena *arena, struct arena *scratch,
                    struct engine_outcome *out, struct diag *diag)
{
    const uint32_t *candidates;
    uint32_t *matched;

    *out = (struct engine_outcome){0};
    TRY(engine_candidates(engine, doc, root, arena, &candidates, &out->evaluated_count, diag));
    matched = arena_new(arena, uint32_t, out->evaluated_count + 1);
    if (matched == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for %zu matches", out->evaluated_count);
    for (size_t i = 0; i < out->evaluated_count; i++) {
        struct eval_outcome outcome;
        struct diag why = {0};
        result r;

        arena_reset(scratch);
        r = pattern_eval(&engine->patterns[candidates[i]], doc, root, scratch, &outcome, &why);
        if (r.code == ERR_LIMIT)
            out->unanswered_count++;
        else if (failed(r))
            return diag_fail(diag, r.code, "%s", why.text);
        else if (outcome.matched)
            matched[out->matched_count++] = candidates[i];
        out->observation_count = outcome.observation_count;
    }
    out->matched = matched;
    return OK;
}
