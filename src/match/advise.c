#include "match/advise.h"

#include "match/network.h"

#include <stdlib.h>

#include "base/banned.h"

struct advising {
    const struct pattern *pattern;
    struct arena *arena;
    struct advice *items; /* at most two a node */
    size_t count;
    slice *types; /* per comparison node: the one object type it can be true of; empty: several */
};

static void say(struct advising *a, const struct pattern_node *node, const char *rule, slice text)
{
    a->items[a->count++] = (struct advice){.at = node->at, .rule = rule, .text = text};
}

/* ---- constants ---- */

static const struct {
    slice name;
    size_t digits;
} hashes[] = {
    {S("MD5"), 32},     {S("SHA-1"), 40},   {S("SHA-256"), 64},  {S("SHA-512"), 128},
    {S("SHA-224"), 56}, {S("SHA-384"), 96}, {S("SHA3-256"), 64}, {S("SHA3-512"), 128},
};

static bool is_hex(slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
    }
    return true;
}

static slice hash_of(const struct pattern_path *path)
{
    size_t count = path->step_count;

    if (count < 2 || path->steps[count - 1].kind != PATTERN_KEY ||
        path->steps[count - 2].kind != PATTERN_KEY ||
        !slice_eq(path->steps[count - 2].key, SLICE("hashes")))
        return SLICE_NONE;
    return path->steps[count - 1].key;
}

static void advise_hash(struct advising *a, const struct pattern_node *node)
{
    slice name = hash_of(&node->path);

    for (size_t i = 0; name.len > 0 && i < sizeof(hashes) / sizeof(hashes[0]); i++) {
        if (!slice_eq(name, hashes[i].name))
            continue;
        for (size_t j = 0; j < node->literal_count; j++) {
            const struct pattern_literal *literal = &node->literals[j];

            if (literal->kind != PATTERN_STRING ||
                (literal->text.len == hashes[i].digits && is_hex(literal->text)))
                continue;
            say(a, node, "hash",
                arena_printf(a->arena, "\"%.*s\" is no %.*s hash, which has %zu hexadecimal digits",
                             SLICE_ARG(literal->text), SLICE_ARG(name), hashes[i].digits));
            return;
        }
    }
}

static void advise_constant(struct advising *a, const struct pattern_node *node)
{
    struct network network;
    bool is_mixed = false;

    for (size_t i = 0; i < node->literal_count; i++) {
        if (node->literals[i].is_impossible) {
            say(a, node, "impossible",
                arena_printf(
                    a->arena,
                    "\"%.*s\" is a day that no calendar has, so the pattern matches nothing",
                    SLICE_ARG(node->literals[i].text)));
            return;
        }
        is_mixed |= (node->literals[i].kind == PATTERN_BOOLEAN) !=
                        (node->literals[0].kind == PATTERN_BOOLEAN) ||
                    (node->literals[i].kind == PATTERN_STRING) !=
                        (node->literals[0].kind == PATTERN_STRING);
    }
    if (is_mixed)
        say(a, node, "impossible",
            SLICE("the set holds several types of value, so the pattern matches nothing"));
    else if ((node->op == PATTERN_ISSUBSET || node->op == PATTERN_ISSUPERSET) &&
             !network_parse(node->literals[0].text, &network))
        say(a, node, "network",
            arena_printf(a->arena, "\"%.*s\" is no address and no network, so this is never true",
                         SLICE_ARG(node->literals[0].text)));
    else if (node->op == PATTERN_EQ || node->op == PATTERN_IN)
        advise_hash(a, node);
}

/* ---- structure ---- */

/* All of one side's comparisons are about one type, all of the other's about another: no object is
 * both. */
static void advise_and(struct advising *a, size_t position)
{
    const struct pattern_node *node = &a->pattern->nodes[position];
    slice left = a->types[node->left], right = a->types[node->right];

    if (left.len > 0 && right.len > 0 && !slice_eq(left, right)) {
        say(a, node, "types",
            arena_printf(
                a->arena,
                "AND joins %.*s and %.*s, but all of an expression is asked of one object: this is "
                "never true (two expressions, [...] AND [...], may be meant)",
                SLICE_ARG(left), SLICE_ARG(right)));
        right = SLICE_NONE;
    }
    a->types[position] = left.len > 0 ? left : right;
}

static void advise_or(struct advising *a, size_t position)
{
    const struct pattern_node *node = &a->pattern->nodes[position];
    slice left = a->types[node->left], right = a->types[node->right];

    a->types[position] = slice_eq(left, right) ? left : SLICE_NONE;
}

static void advise_qualifier(struct advising *a, const struct pattern_node *node)
{
    if (node->kind == PATTERN_START_STOP && timestamp_cmp(&node->start, &node->stop) >= 0)
        say(a, node, "window", SLICE("STOP is not later than START, so nothing is between them"));
    if (node->kind == PATTERN_WITHIN && a->pattern->nodes[node->left].kind == PATTERN_OBSERVATION)
        say(a, node, "window",
            SLICE("WITHIN behind one observation changes nothing (parentheses around several may "
                  "be meant)"));
}

static void node_advise(struct advising *a, size_t position)
{
    const struct pattern_node *node = &a->pattern->nodes[position];

    switch (node->kind) {
    case PATTERN_COMPARE:
        advise_constant(a, node);
        a->types[position] = node->path.type;
        break;
    case PATTERN_EXISTS:
        a->types[position] = node->path.type;
        break;
    case PATTERN_AND:
        advise_and(a, position);
        break;
    case PATTERN_OR:
        advise_or(a, position);
        break;
    case PATTERN_WITHIN:
    case PATTERN_START_STOP:
        advise_qualifier(a, node);
        break;
    case PATTERN_OBSERVATION:
    case PATTERN_FOLLOWEDBY:
    case PATTERN_OBS_OR:
    case PATTERN_OBS_AND:
    case PATTERN_REPEATS:
        break;
    }
}

static int by_place(const void *a, const void *b)
{
    uint32_t left = ((const struct advice *)a)->at, right = ((const struct advice *)b)->at;

    return (left > right) - (left < right);
}

result pattern_advise(const struct pattern *pattern, struct arena *arena, const struct advice **out,
                      size_t *count, struct diag *diag)
{
    struct advising a = {.pattern = pattern, .arena = arena};

    a.items = arena_new(arena, struct advice, pattern->node_count * 2);
    a.types = arena_new(arena, slice, pattern->node_count);
    for (size_t i = 0; i < pattern->node_count && !arena->overflowed; i++)
        node_advise(&a, i);
    if (arena->overflowed)
        return diag_fail(diag, ERR_LIMIT, "pattern: no memory to look at it");
    qsort(a.items, a.count, sizeof(*a.items), by_place);
    *out = a.items;
    *count = a.count;
    return OK;
}
