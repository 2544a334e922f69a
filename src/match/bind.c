#include "match/plan.h"

#include "base/banned.h"

/* Bounds an observation is held against: it ends at or after `least`, and begins before `most` (or
 * at it, when that is not open). */
struct span {
    bool has_least, has_most, most_is_open;
    struct timestamp least, most;
};

/* A moment, or a side of OR, that is being tried: an observation's position, or 0 and 1. */
struct choice {
    uint32_t node;
    size_t option;
};

struct search {
    struct plan plan;
    struct span *spans;   /* per node */
    uint8_t *is_active;   /* per node: not on the other side of an OR */
    uint8_t *pivots;      /* per choosing node and observation: is its time worth trying? */
    uint32_t *pivot_rows; /* per node */
    struct choice *choices;
    size_t depth;
    struct flow *flow;
    uint64_t *steps, steps_most;
    struct diag *diag;
};

/* The needs that are active, and what each takes from each observation. */
struct flow {
    uint32_t *needs;
    size_t need_count;
    uint64_t *taken; /* need by observation */
    uint64_t *room;  /* per observation: what is left */
    uint32_t *via;   /* per observation: the need it was reached from; UINT32_MAX: not reached */
    uint32_t *back;  /* per need: the observation it was reached from */
    uint8_t *reached;
    uint32_t *queue;
};

static const struct observation *observation_at(const struct search *s, size_t position)
{
    return &s->plan.observed->observations[position];
}

static bool is_inside(const struct span *span, const struct observation *observation)
{
    int order;

    if (span->has_least && timestamp_cmp(&observation->last, &span->least) < 0)
        return false;
    if (!span->has_most)
        return true;
    order = timestamp_cmp(&observation->first, &span->most);
    return span->most_is_open ? order < 0 : order <= 0;
}

static bool can_serve(const struct search *s, uint32_t need, size_t position)
{
    return s->plan.nodes[need].fits[position] &&
           is_inside(&s->spans[need], observation_at(s, position));
}

/* ---- spans ---- */

static void span_least(struct span *span, const struct timestamp *least)
{
    if (!span->has_least || timestamp_cmp(least, &span->least) > 0)
        span->least = *least;
    span->has_least = true;
}

static void span_most(struct span *span, const struct timestamp *most, bool is_open)
{
    int order = span->has_most ? timestamp_cmp(most, &span->most) : -1;

    if (order < 0) {
        span->most = *most;
        span->most_is_open = is_open;
    } else if (order == 0) {
        span->most_is_open |= is_open;
    }
    span->has_most = true;
}

/* The moment a window after `from`; the end of time when there is none such. */
static struct timestamp window_end(const struct timestamp *from, const struct timestamp *window)
{
    struct timestamp end = {.us = INT64_MAX};
    uint32_t rest = from->rest + window->rest;
    int64_t us;

    if (__builtin_add_overflow(from->us, window->us, &us) ||
        __builtin_add_overflow(us, (int64_t)(rest / 1000000), &us))
        return end;
    end.us = us;
    end.rest = rest % 1000000;
    return end;
}

static void activate(struct search *s, uint32_t node, const struct span *span)
{
    s->is_active[node] = 1;
    s->spans[node] = *span;
}

/* ---- giving each need its own observations ---- */

static bool has_enough(struct search *s, uint32_t need)
{
    uint64_t found = 0, demand = s->plan.nodes[need].demand;

    for (size_t i = 0; i < s->plan.observed->count && found < demand; i++) {
        ++*s->steps;
        if (can_serve(s, need, i) &&
            __builtin_add_overflow(found, observation_at(s, i)->count, &found))
            found = UINT64_MAX;
    }
    return found >= demand;
}

static uint64_t *taken_at(const struct search *s, uint32_t row, size_t position)
{
    return &s->flow->taken[row * s->plan.observed->count + position];
}

/* Breadth first from a need through what others have taken: an observation with room left, or
 * SIZE_MAX. */
static size_t path_find(struct search *s, uint32_t from)
{
    struct flow *flow = s->flow;
    size_t head = 0, tail = 0, count = s->plan.observed->count;

    memset(flow->via, 0xFF, count * sizeof(*flow->via));
    memset(flow->reached, 0, flow->need_count);
    flow->queue[tail++] = from;
    flow->reached[from] = 1;
    while (head < tail) {
        uint32_t row = flow->queue[head++];

        for (size_t i = 0; i < count; i++) {
            ++*s->steps;
            if (flow->via[i] != UINT32_MAX || !can_serve(s, flow->needs[row], i))
                continue;
            flow->via[i] = row;
            if (flow->room[i] > 0)
                return i;
            for (uint32_t other = 0; other < flow->need_count; other++) {
                if (flow->reached[other] || *taken_at(s, other, i) == 0)
                    continue;
                flow->reached[other] = 1;
                flow->back[other] = (uint32_t)i;
                flow->queue[tail++] = other;
            }
        }
    }
    return SIZE_MAX;
}

/* As much as the path to `end` bears, at most `wanted`. */
static uint64_t path_bears(const struct search *s, uint32_t from, size_t end, uint64_t wanted)
{
    uint64_t amount = s->flow->room[end] < wanted ? s->flow->room[end] : wanted;

    for (uint32_t row = s->flow->via[end]; row != from; row = s->flow->via[s->flow->back[row]]) {
        uint64_t taken = *taken_at(s, row, s->flow->back[row]);

        amount = taken < amount ? taken : amount;
    }
    return amount;
}

static void path_take(struct search *s, uint32_t from, size_t end, uint64_t amount)
{
    size_t position = end;
    uint32_t row = s->flow->via[end];

    s->flow->room[end] -= amount;
    for (;;) {
        *taken_at(s, row, position) += amount;
        if (row == from)
            return;
        position = s->flow->back[row];
        *taken_at(s, row, position) -= amount;
        row = s->flow->via[position];
    }
}

static bool flow_serves(struct search *s)
{
    struct flow *flow = s->flow;
    size_t count = s->plan.observed->count;

    flow->need_count = 0;
    for (uint32_t i = 0; i < s->plan.count; i++)
        if (s->is_active[i] && s->plan.nodes[i].kind == PLAN_NEED)
            flow->needs[flow->need_count++] = i;
    if (flow->need_count == 1)
        return true; /* has_enough has told */
    memset(flow->taken, 0, flow->need_count * count * sizeof(*flow->taken));
    *s->steps += flow->need_count * count / 16;
    for (size_t i = 0; i < count; i++)
        flow->room[i] = observation_at(s, i)->count;
    for (uint32_t row = 0; row < flow->need_count; row++) {
        uint64_t wanted = s->plan.nodes[flow->needs[row]].demand;

        while (wanted > 0 && *s->steps < s->steps_most) {
            size_t end = path_find(s, row);
            uint64_t amount;

            if (end == SIZE_MAX)
                return false;
            amount = path_bears(s, row, end, wanted);
            path_take(s, row, end, amount);
            wanted -= amount;
        }
    }
    return true;
}

/* ---- choices ---- */

/* The first option from `from` on that is worth trying; false when there is none. */
static bool option_find(struct search *s, uint32_t node, size_t from, size_t *out)
{
    const uint8_t *pivots = s->pivots + s->pivot_rows[node] * s->plan.observed->count;

    if (s->plan.nodes[node].kind == PLAN_EITHER) {
        *out = from;
        return from < 2;
    }
    for (size_t i = from; i < s->plan.observed->count; i++) {
        ++*s->steps;
        if (pivots[i] && is_inside(&s->spans[node], observation_at(s, i))) {
            *out = i;
            return true;
        }
    }
    return false;
}

static void choice_apply(struct search *s, const struct choice *choice)
{
    const struct plan_node *node = &s->plan.nodes[choice->node];
    struct span left = s->spans[choice->node], right = left;
    struct timestamp end;

    if (node->kind == PLAN_EITHER) {
        activate(s, choice->option == 0 ? node->left : node->right, &left);
    } else if (node->kind == PLAN_BEFORE) {
        span_most(&left, &observation_at(s, choice->option)->first, false);
        span_least(&right, &observation_at(s, choice->option)->first);
        activate(s, node->left, &left);
        activate(s, node->right, &right);
    } else {
        end = window_end(&observation_at(s, choice->option)->last, &node->window);
        span_least(&left, &observation_at(s, choice->option)->last);
        span_most(&left, &end, true);
        activate(s, node->left, &left);
    }
}

/* With the choices made so far, and first options where none is made yet.  False: some need goes
 * unserved. */
static bool attempt(struct search *s)
{
    const struct span always = {0};
    size_t used = 0;

    memset(s->is_active, 0, s->plan.count);
    activate(s, (uint32_t)s->plan.count - 1, &always);
    for (uint32_t i = (uint32_t)s->plan.count; i-- > 0;) {
        const struct plan_node *node = &s->plan.nodes[i];

        if (!s->is_active[i])
            continue;
        if (node->kind == PLAN_NEED) {
            if (!has_enough(s, i))
                return false;
        } else if (node->kind == PLAN_BOTH) {
            activate(s, node->left, &s->spans[i]);
            activate(s, node->right, &s->spans[i]);
        } else {
            if (used == s->depth) {
                s->choices[used].node = i;
                if (!option_find(s, i, 0, &s->choices[used].option))
                    return false;
                s->depth++;
            }
            choice_apply(s, &s->choices[used++]);
        }
    }
    return flow_serves(s);
}

/* To the next combination, as an odometer turns; false behind the last. */
static bool choices_turn(struct search *s)
{
    for (; s->depth > 0; s->depth--) {
        struct choice *last = &s->choices[s->depth - 1];

        if (option_find(s, last->node, last->option + 1, &last->option))
            return true;
    }
    return false;
}

/* Moments worth trying: those of observations that can be bound where the bound comes from. */
static void pivots_mark(struct search *s, uint32_t node, uint8_t *row)
{
    const struct plan_node *chosen = &s->plan.nodes[node];
    uint32_t root = chosen->left; /* of WITHIN all it has, of FOLLOWEDBY the left side */

    for (uint32_t i = s->plan.nodes[root].first; i <= root; i++)
        for (size_t j = 0; s->plan.nodes[i].kind == PLAN_NEED && j < s->plan.observed->count; j++)
            row[j] |= s->plan.nodes[i].fits[j];
}

static bool flow_open(struct search *s, struct arena *arena, size_t needs)
{
    size_t count = s->plan.observed->count;
    struct flow *flow = arena_new(arena, struct flow, 1);

    s->flow = flow;
    if (flow == NULL)
        return false;
    flow->needs = arena_new(arena, uint32_t, needs);
    flow->taken = arena_new(arena, uint64_t, needs * count);
    flow->room = arena_new(arena, uint64_t, count);
    flow->via = arena_new(arena, uint32_t, count);
    flow->back = arena_new(arena, uint32_t, needs);
    flow->reached = arena_new(arena, uint8_t, needs);
    flow->queue = arena_new(arena, uint32_t, needs);
    return !arena->overflowed;
}

static result search_open(struct search *s, struct arena *arena)
{
    size_t count = s->plan.observed->count, needs = 0;
    uint32_t choosing = 0;

    s->pivot_rows = arena_new(arena, uint32_t, s->plan.count);
    for (uint32_t i = 0; i < s->plan.count && s->pivot_rows != NULL; i++) {
        enum plan_kind kind = s->plan.nodes[i].kind;

        needs += kind == PLAN_NEED;
        s->pivot_rows[i] = choosing;
        choosing += kind != PLAN_NEED && kind != PLAN_BOTH;
    }
    if ((needs + choosing) * count > BIND_FLOW_CELLS_MAX)
        return diag_fail(s->diag, ERR_LIMIT,
                         "pattern: %zu parts and %zu observed-data are too many", needs + choosing,
                         count);
    s->spans = arena_new(arena, struct span, s->plan.count);
    s->is_active = arena_new(arena, uint8_t, s->plan.count);
    s->choices = arena_new(arena, struct choice, choosing + 1u);
    s->pivots = arena_new(arena, uint8_t, choosing * count + 1);
    if (!flow_open(s, arena, needs))
        return diag_fail(s->diag, ERR_LIMIT, "pattern: no memory to match it");
    for (uint32_t i = 0; i < s->plan.count; i++)
        if (s->plan.nodes[i].kind == PLAN_BEFORE || s->plan.nodes[i].kind == PLAN_WITHIN)
            pivots_mark(s, i, s->pivots + s->pivot_rows[i] * count);
    return OK;
}

result bind_search(const struct pattern *pattern, const struct observed *observed, uint8_t *fits,
                   struct arena *arena, uint64_t *steps, uint64_t steps_most, bool *out,
                   struct diag *diag)
{
    struct search s = {.steps = steps, .steps_most = steps_most, .diag = diag};

    *out = false;
    if (observed->count == 0)
        return OK;
    TRY(plan_build(pattern, observed, fits, arena, &s.plan, diag));
    TRY(search_open(&s, arena));
    do {
        *out = attempt(&s);
        *steps += s.plan.count;
    } while (!*out && *steps < steps_most && choices_turn(&s));
    if (*steps < steps_most)
        return OK;
    *out = false;
    return diag_fail(diag, ERR_LIMIT, "matching takes more than %llu steps",
                     (unsigned long long)steps_most);
}
