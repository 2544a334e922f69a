#include "match/explain.h"

#include "base/banned.h"

#define INDENT_MOST 40 /* levels; deeper ones stay there */

const char *pattern_way(const struct pattern_node *node)
{
    if (node->kind == PATTERN_EXISTS)
        return node->negated ? "objects of the type without the property" : "any value";
    if (node->negated)
        return "every value is compared: NOT is true of most";
    switch (node->op) {
    case PATTERN_EQ:
        return "one value, looked up";
    case PATTERN_IN:
        return "a set of values, looked up";
    case PATTERN_NE:
    case PATTERN_LT:
    case PATTERN_LE:
    case PATTERN_GT:
    case PATTERN_GE:
        return "every value is compared";
    case PATTERN_LIKE:
        return "every value is held against the wildcards";
    case PATTERN_MATCHES:
        return "every value is searched with the regular expression";
    case PATTERN_ISSUBSET:
        return "addresses and networks inside this network";
    case PATTERN_ISSUPERSET:
        return "networks around this address or network";
    }
    return "";
}

static bool is_join(enum pattern_node_kind kind)
{
    return kind == PATTERN_AND || kind == PATTERN_OR || kind == PATTERN_OBS_AND ||
           kind == PATTERN_OBS_OR || kind == PATTERN_FOLLOWEDBY;
}

struct explaining {
    const struct pattern *pattern;
    struct buf *out;
    uint32_t *stack; /* nodes still to be told */
    uint32_t *depths;
    size_t count;
    unsigned observation_count;
};

static void later(struct explaining *e, uint32_t node, uint32_t depth)
{
    e->depths[node] = depth;
    e->stack[e->count++] = node;
}

static void tell_join(struct explaining *e, const struct pattern_node *node)
{
    static const char *const words[] = {
        [PATTERN_AND] = "all of these, of the same object:",
        [PATTERN_OR] = "any of these:",
        [PATTERN_OBS_AND] = "all of these, each a different observation:",
        [PATTERN_OBS_OR] = "any of these observations:",
        [PATTERN_FOLLOWEDBY] = "these in the order of time, each a different observation:",
    };

    buf_printf(e->out, "%s\n", words[node->kind]);
}

static void tell_qualifier(struct explaining *e, const struct pattern_node *node)
{
    char start[TIMESTAMP_TEXT_BYTES_MAX], stop[TIMESTAMP_TEXT_BYTES_MAX];

    if (node->kind == PATTERN_WITHIN) {
        buf_printf(e->out, "less than %.*s seconds between the first and the last of:\n",
                   SLICE_ARG(node->seconds));
    } else if (node->kind == PATTERN_REPEATS) {
        buf_printf(e->out, "%llu times, each time with different observations:\n",
                   (unsigned long long)node->repeats);
    } else {
        size_t start_bytes = timestamp_format(&node->start, start);
        size_t stop_bytes = timestamp_format(&node->stop, stop);

        buf_printf(e->out, "observed from %.*s until before %.*s:\n", (int)start_bytes, start,
                   (int)stop_bytes, stop);
    }
}

static void tell(struct explaining *e, uint32_t position)
{
    const struct pattern_node *node = &e->pattern->nodes[position];
    unsigned depth = e->depths[position];

    buf_printf(e->out, "%*s", (int)(depth < INDENT_MOST ? depth : INDENT_MOST) * 2, "");
    if (node->kind == PATTERN_COMPARE || node->kind == PATTERN_EXISTS) {
        pattern_print_node(node, e->out);
        buf_printf(e->out, "    (%s)\n", pattern_way(node));
    } else if (node->kind == PATTERN_OBSERVATION) {
        buf_printf(e->out, "observation %u: one object for which\n", ++e->observation_count);
        later(e, node->left, depth + 1);
    } else if (is_join(node->kind)) {
        tell_join(e, node);
    } else {
        tell_qualifier(e, node);
        later(e, node->left, depth + 1);
    }
}

/* A chain of one operator is told as one list: its parts are one level below, whatever their order
 * of joining.  The last part goes onto the stack first. */
static void spread(struct explaining *e, uint32_t position)
{
    const struct pattern_node *nodes = e->pattern->nodes;
    uint32_t depth = e->depths[position] + 1, at = position;
    enum pattern_node_kind kind = nodes[position].kind;

    for (; nodes[at].kind == kind; at = nodes[at].left)
        later(e, nodes[at].right, depth);
    later(e, at, depth);
}

result pattern_explain(const struct pattern *pattern, struct arena *arena, struct buf *out,
                       struct diag *diag)
{
    struct explaining e = {.pattern = pattern, .out = out};

    e.stack = arena_new(arena, uint32_t, pattern->node_count + 1);
    e.depths = arena_new(arena, uint32_t, pattern->node_count);
    if (e.stack == NULL || e.depths == NULL)
        return diag_fail(diag, ERR_LIMIT, "pattern: no memory to explain it");
    later(&e, (uint32_t)pattern->node_count - 1, 0);
    while (e.count > 0) {
        uint32_t position = e.stack[--e.count];

        tell(&e, position);
        if (is_join(pattern->nodes[position].kind))
            spread(&e, position);
    }
    return out->overflowed ? diag_fail(diag, ERR_LIMIT, "pattern: too long to explain") : OK;
}
