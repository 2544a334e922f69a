#include "match/plan.h"

#include "base/banned.h"

struct building {
    struct plan plan;
    struct arena *arena;
    struct diag *diag;
    uint32_t *roots; /* of the subtrees that wait for a parent */
    size_t root_count;
    uint64_t instances; /* observations there are, in all */
};

static result node_push(struct building *b, const struct plan_node *node)
{
    if (b->plan.count >= BIND_PARTS_MAX)
        return diag_fail(b->diag, ERR_LIMIT, "pattern: more than %d parts with its repetitions",
                         BIND_PARTS_MAX);
    b->roots[b->root_count++] = (uint32_t)b->plan.count;
    b->plan.nodes[b->plan.count++] = *node;
    return OK;
}

static struct plan_node *root_top(struct building *b)
{
    return &b->plan.nodes[b->roots[b->root_count - 1]];
}

static bool is_single(const struct plan_node *node)
{
    return node->kind == PLAN_NEED && node->demand == 1;
}

static result join(struct building *b, enum plan_kind kind)
{
    struct plan_node node = {.kind = kind};

    node.right = b->roots[--b->root_count];
    node.left = b->roots[--b->root_count];
    node.first = b->plan.nodes[node.left].first;
    return node_push(b, &node);
}

/* Either of two expressions for one observation: one expression that fits where either did. */
static result either(struct building *b)
{
    struct plan_node *right = root_top(b), *left = &b->plan.nodes[b->roots[b->root_count - 2]];

    if (!is_single(left) || !is_single(right))
        return join(b, PLAN_EITHER);
    for (size_t i = 0; i < b->plan.observed->count; i++)
        left->fits[i] |= right->fits[i];
    b->root_count--;
    b->plan.count--;
    return OK;
}

/* Observed at some moment t with start <= t < stop (9.5.1). */
static bool is_observed_between(const struct observation *observation,
                                const struct pattern_node *node)
{
    return timestamp_cmp(&node->start, &node->stop) < 0 &&
           timestamp_cmp(&observation->last, &node->start) >= 0 &&
           timestamp_cmp(&observation->first, &node->stop) < 0;
}

static void start_stop(struct building *b, const struct pattern_node *node)
{
    for (const struct plan_node *need = &b->plan.nodes[root_top(b)->first]; need <= root_top(b);
         need++) {
        for (size_t i = 0; need->kind == PLAN_NEED && i < b->plan.observed->count; i++)
            need->fits[i] &= is_observed_between(&b->plan.observed->observations[i], node);
    }
}

/* Of one observation every window holds. */
static result within(struct building *b, const struct pattern_node *node)
{
    struct plan_node added = {.kind = PLAN_WITHIN, .window = node->window};

    if (is_single(root_top(b)))
        return OK;
    added.left = b->roots[--b->root_count];
    added.first = b->plan.nodes[added.left].first;
    return node_push(b, &added);
}

/* Nothing in it is to be chosen, so that its copies would all be alike. */
static bool is_plain(const struct building *b, const struct plan_node *root)
{
    for (const struct plan_node *node = &b->plan.nodes[root->first]; node <= root; node++)
        if (node->kind != PLAN_NEED && node->kind != PLAN_BOTH)
            return false;
    return true;
}

static void demand_multiply(struct building *b, const struct plan_node *root, uint64_t times)
{
    for (struct plan_node *node = &b->plan.nodes[root->first]; node <= root; node++)
        if (node->kind == PLAN_NEED && __builtin_mul_overflow(node->demand, times, &node->demand))
            node->demand = UINT64_MAX;
}

static result subtree_copy(struct building *b, uint32_t first, uint32_t root)
{
    uint32_t shift = (uint32_t)b->plan.count - first;

    for (uint32_t i = first; i <= root; i++) {
        struct plan_node copy = b->plan.nodes[i];

        copy.left += shift;
        copy.right += shift;
        copy.first += shift;
        TRY(node_push(b, &copy));
        b->root_count--;
    }
    b->roots[b->root_count++] = root + shift;
    return join(b, PLAN_BOTH);
}

static result repeats(struct building *b, uint64_t times)
{
    uint32_t root = b->roots[b->root_count - 1], first = b->plan.nodes[root].first;

    /* Every copy wants an observation of its own, at least: more copies than there are cannot be
     * had, and one more than there are is as impossible as any number. */
    if (times > b->instances)
        times = b->instances + 1;
    if (is_plain(b, &b->plan.nodes[root])) {
        demand_multiply(b, &b->plan.nodes[root], times);
        return OK;
    }
    for (uint64_t i = 1; i < times; i++)
        TRY(subtree_copy(b, first, root));
    return OK;
}

static result part_build(struct building *b, const struct pattern_node *node, uint8_t **fits)
{
    struct plan_node need = {.kind = PLAN_NEED, .demand = 1, .fits = *fits};

    switch (node->kind) {
    case PATTERN_OBSERVATION:
        need.first = (uint32_t)b->plan.count;
        *fits += b->plan.observed->count;
        return node_push(b, &need);
    case PATTERN_OBS_AND:
        return join(b, PLAN_BOTH);
    case PATTERN_OBS_OR:
        return either(b);
    case PATTERN_FOLLOWEDBY:
        return join(b, PLAN_BEFORE);
    case PATTERN_WITHIN:
        return within(b, node);
    case PATTERN_REPEATS:
        return repeats(b, node->repeats);
    case PATTERN_START_STOP:
        start_stop(b, node);
        return OK;
    case PATTERN_OR:
    case PATTERN_AND:
    case PATTERN_COMPARE:
    case PATTERN_EXISTS:
        break;
    }
    return OK;
}

result plan_build(const struct pattern *pattern, const struct observed *observed, uint8_t *fits,
                  struct arena *arena, struct plan *out, struct diag *diag)
{
    struct building b = {.plan.observed = observed, .arena = arena, .diag = diag};

    b.plan.nodes = arena_new(arena, struct plan_node, BIND_PARTS_MAX);
    b.roots = arena_new(arena, uint32_t, BIND_PARTS_MAX);
    if (b.plan.nodes == NULL || b.roots == NULL)
        return diag_fail(diag, ERR_LIMIT, "pattern: no memory for its parts");
    for (size_t i = 0; i < observed->count; i++)
        if (__builtin_add_overflow(b.instances, observed->observations[i].count, &b.instances))
            b.instances = UINT64_MAX - 1;
    for (size_t i = 0; i < pattern->node_count; i++)
        TRY(part_build(&b, &pattern->nodes[i], &fits));
    *out = b.plan;
    return OK;
}
