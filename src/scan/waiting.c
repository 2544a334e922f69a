#include "scan/waiting.h"

#include "match/bind.h"

#include "base/banned.h"

#define BIND_STEPS_MAX 2000000u
#define BIND_PATIENCE 64 /* with more events than this, bind is not asked for each one */

/* ---- from a pattern's nodes ---- */

static bool is_single(const struct wait_node *node)
{
    return node->kind == WAIT_NEED && node->demand == 1;
}

/* Copies of it are all alike: needs joined by AND. */
static bool is_plain(const struct waiting *waiting, const uint32_t *firsts, uint32_t root)
{
    for (uint32_t i = firsts[root]; i <= root; i++)
        if (waiting->nodes[i].kind != WAIT_NEED && waiting->nodes[i].kind != WAIT_BOTH)
            return false;
    return true;
}

static void repeat(struct waiting *waiting, const uint32_t *firsts, uint32_t root, uint64_t times)
{
    if (times > 1 && !is_plain(waiting, firsts, root)) {
        waiting->needs_bind = true;
        return;
    }
    for (uint32_t i = firsts[root]; i <= root; i++)
        if (waiting->nodes[i].kind == WAIT_NEED &&
            __builtin_mul_overflow(waiting->nodes[i].demand, times, &waiting->nodes[i].demand))
            waiting->nodes[i].demand = UINT64_MAX;
}

/* START and STOP of everything below; microseconds, rounded so that none is lost. */
static void bound(struct waiting *waiting, const uint32_t *firsts, uint32_t root,
                  const struct pattern_node *node)
{
    int64_t start = node->start.us + (node->start.rest > 0);
    int64_t stop = node->stop.us + (node->stop.rest > 0);

    for (uint32_t i = firsts[root]; i <= root; i++) {
        uint32_t k = waiting->nodes[i].expression;

        if (waiting->nodes[i].kind != WAIT_NEED)
            continue;
        if (start > waiting->start_us[k])
            waiting->start_us[k] = start;
        if (stop < waiting->stop_us[k])
            waiting->stop_us[k] = stop;
    }
}

struct opening {
    struct waiting *waiting;
    uint32_t *roots, *firsts;
    uint32_t root_count;
};

static void push(struct opening *o, const struct wait_node *node, uint32_t first)
{
    uint32_t position = o->waiting->node_count++;

    o->waiting->nodes[position] = *node;
    o->firsts[position] = first;
    o->roots[o->root_count++] = position;
}

static void join(struct opening *o, enum wait_kind kind)
{
    struct wait_node node = {.kind = kind};

    node.right = o->roots[--o->root_count];
    node.left = o->roots[--o->root_count];
    o->waiting->has_times = o->waiting->has_times || kind == WAIT_BEFORE;
    push(o, &node, o->firsts[node.left]);
}

static void within(struct opening *o, const struct pattern_node *node)
{
    uint32_t root = o->roots[o->root_count - 1];
    struct wait_node added = {
        .kind = WAIT_WITHIN, .left = root, .reach_us = node->window.us - (node->window.rest == 0)};

    if (is_single(&o->waiting->nodes[root]))
        return; /* of one event every window holds */
    o->root_count--;
    o->waiting->has_times = true;
    push(o, &added, o->firsts[root]);
}

static void node_take(struct opening *o, const struct pattern_node *node)
{
    struct waiting *waiting = o->waiting;
    struct wait_node need = {.kind = WAIT_NEED, .demand = 1};

    switch (node->kind) {
    case PATTERN_OBSERVATION:
        need.expression = waiting->expression_count;
        waiting->start_us[need.expression] = INT64_MIN;
        waiting->stop_us[need.expression] = INT64_MAX;
        waiting->expression_count++;
        push(o, &need, waiting->node_count);
        return;
    case PATTERN_OBS_AND:
        join(o, WAIT_BOTH);
        return;
    case PATTERN_OBS_OR:
        join(o, WAIT_EITHER);
        return;
    case PATTERN_FOLLOWEDBY:
        join(o, WAIT_BEFORE);
        return;
    case PATTERN_WITHIN:
        within(o, node);
        return;
    case PATTERN_REPEATS:
        repeat(waiting, o->firsts, o->roots[o->root_count - 1], node->repeats);
        return;
    case PATTERN_START_STOP:
        bound(waiting, o->firsts, o->roots[o->root_count - 1], node);
        return;
    case PATTERN_OR:
    case PATTERN_AND:
    case PATTERN_COMPARE:
    case PATTERN_EXISTS:
        break;
    }
}

static uint64_t sum(uint64_t a, uint64_t b)
{
    return a + b < a ? UINT64_MAX : a + b;
}

/* Every expression wants events of its own: a bound that needs no search. */
static result least_count(struct waiting *waiting, struct arena *arena, struct diag *diag)
{
    uint64_t *least = arena_new(arena, uint64_t, waiting->node_count);

    if (least == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a rule of several events");
    for (uint32_t i = 0; i < waiting->node_count; i++) {
        const struct wait_node *node = &waiting->nodes[i];

        if (node->kind == WAIT_NEED)
            least[i] = node->demand;
        else if (node->kind == WAIT_WITHIN)
            least[i] = least[node->left];
        else if (node->kind == WAIT_EITHER)
            least[i] =
                least[node->left] < least[node->right] ? least[node->left] : least[node->right];
        else
            least[i] = sum(least[node->left], least[node->right]);
    }
    waiting->least = least[waiting->node_count - 1];
    return OK;
}

result waiting_open(struct waiting *waiting, uint32_t rule, slice text, struct arena *arena,
                    struct diag *diag)
{
    struct opening o = {.waiting = waiting};
    uint32_t expressions = 0;

    *waiting = (struct waiting){.rule = rule};
    if (failed(pattern_parse(text, STIX_21, arena, &waiting->pattern, NULL, NULL)))
        TRY(pattern_parse(text, STIX_20, arena, &waiting->pattern, NULL, diag));
    for (size_t i = 0; i < waiting->pattern.node_count; i++)
        expressions += waiting->pattern.nodes[i].kind == PATTERN_OBSERVATION;
    waiting->is_over = expressions > WAITING_EXPRESSIONS_MAX;
    if (waiting->is_over)
        return OK;
    size_t count = waiting->pattern.node_count;
    waiting->nodes = arena_new(arena, struct wait_node, count);
    o.roots = arena_new(arena, uint32_t, count);
    o.firsts = arena_new(arena, uint32_t, count);
    if (waiting->nodes == NULL || o.roots == NULL || o.firsts == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a rule of several events");
    for (size_t i = 0; i < count; i++)
        node_take(&o, &waiting->pattern.nodes[i]);
    return least_count(waiting, arena, diag);
}

/* ---- the earliest moment ---- */

static int64_t need_time(struct waiting *waiting, const struct wait_node *node, int64_t start)
{
    uint64_t found = 0, bit = (uint64_t)1 << node->expression;
    int64_t latest = INT64_MIN;

    for (uint32_t i = 0; i < waiting->count; i++) {
        struct wait_event *event = &waiting->events[i];

        if (!(event->mask & bit) || event->first_us < start)
            continue;
        event->is_used = true;
        latest = event->last_us > latest ? event->last_us : latest;
        if (__builtin_add_overflow(found, event->count, &found) || found >= node->demand)
            return latest;
    }
    return NEVER;
}

/* How often each expression was seen is enough to say no, most of the time. */
static bool has_enough(const struct waiting *waiting, bool *enough)
{
    uint64_t totals[WAITING_EXPRESSIONS_MAX] = {0}, all = 0;

    for (uint32_t i = 0; i < waiting->count; i++)
        all = sum(all, waiting->events[i].count);
    if (all < waiting->least)
        return false;
    for (uint32_t i = 0; i < waiting->count; i++)
        for (uint64_t mask = waiting->events[i].mask; mask != 0; mask &= mask - 1) {
            int k = __builtin_ctzll(mask);

            if (__builtin_add_overflow(totals[k], waiting->events[i].count, &totals[k]))
                totals[k] = UINT64_MAX;
        }
    for (uint32_t i = 0; i < waiting->node_count; i++) {
        const struct wait_node *node = &waiting->nodes[i];

        if (node->kind == WAIT_NEED)
            enough[i] = totals[node->expression] >= node->demand;
        else if (node->kind == WAIT_EITHER)
            enough[i] = enough[node->left] || enough[node->right];
        else if (node->kind == WAIT_WITHIN)
            enough[i] = enough[node->left];
        else
            enough[i] = enough[node->left] && enough[node->right];
    }
    return enough[waiting->node_count - 1];
}

/* A node that is being worked out, its children in turn. */
struct frame {
    uint32_t node;
    unsigned stage;
    int64_t start, other; /* other: what the left side gave; of WITHIN the moment being tried */
};

/* The first moment not before `least` that an event was at. */
static int64_t moment_after(const struct waiting *waiting, int64_t least)
{
    int64_t found = NEVER;

    for (uint32_t i = 0; i < waiting->count; i++)
        if (waiting->events[i].last_us >= least && waiting->events[i].last_us < found)
            found = waiting->events[i].last_us;
    return found;
}

static int64_t reach_back(int64_t moment, int64_t reach, int64_t start)
{
    int64_t from;

    if (__builtin_sub_overflow(moment, reach, &from))
        from = INT64_MIN;
    return from > start ? from : start;
}

/* What a frame wants next: false when *value is its result; else *child from *from on. */
static bool frame_step(struct waiting *waiting, struct frame *frame, int64_t *value,
                       uint32_t *child, int64_t *from)
{
    const struct wait_node *node = &waiting->nodes[frame->node];

    *from = frame->start;
    *child = frame->stage == 0 ? node->left : node->right;
    switch (node->kind) {
    case WAIT_NEED:
        *value = need_time(waiting, node, frame->start);
        return false;
    case WAIT_BOTH:
    case WAIT_BEFORE:
    case WAIT_EITHER:
        if (frame->stage++ == 0)
            return true;
        if (frame->stage == 2) {
            frame->other = *value;
            if (node->kind != WAIT_EITHER && *value == NEVER)
                return false;
            if (node->kind == WAIT_BEFORE)
                *from = *value;
            return true;
        }
        if (node->kind == WAIT_EITHER ? frame->other < *value : frame->other > *value)
            *value = frame->other;
        return false;
    case WAIT_WITHIN:
        /* Complete from there on only at *value: no moment before that will do either. */
        if (frame->stage++ > 0) {
            if (*value <= frame->other || *value == NEVER)
                return false;
            frame->other = *value;
        }
        *child = node->left;
        *from = reach_back(frame->other, node->reach_us, frame->start);
        return frame->other != NEVER;
    }
    return false;
}

static int64_t earliest(struct waiting *waiting, struct frame *frames, int64_t new_us)
{
    uint32_t depth = 1;
    int64_t value = NEVER;

    frames[0] = (struct frame){.node = waiting->node_count - 1, .start = INT64_MIN};
    if (waiting->nodes[frames[0].node].kind == WAIT_WITHIN)
        frames[0].other = new_us; /* what is complete has the new event in it */
    while (depth > 0) {
        struct frame *frame = &frames[depth - 1];
        uint32_t child;
        int64_t from;

        if (!frame_step(waiting, frame, &value, &child, &from)) {
            depth--;
            continue;
        }
        frames[depth] = (struct frame){.node = child, .start = from};
        if (waiting->nodes[child].kind == WAIT_WITHIN) {
            frames[depth].other = moment_after(waiting, from);
            if (frames[depth].other == NEVER) {
                value = NEVER;
                continue;
            }
        }
        depth++;
    }
    return value;
}

/* ---- a first answer: events given out as they come ---- */

/* Which of the remembered events are left over, for a plain order of needs. */
struct giving {
    struct waiting *waiting;
    uint64_t *left; /* of each event */
};

/* Needs that follow or stand beside each other, with one WITHIN around all perhaps: there the first
 * events that fit are as good as any, nearly always. */
static bool is_line(const struct waiting *waiting)
{
    for (uint32_t i = 0; i < waiting->node_count; i++) {
        enum wait_kind kind = waiting->nodes[i].kind;

        if (kind == WAIT_EITHER || (kind == WAIT_WITHIN && i + 1 < waiting->node_count))
            return false;
    }
    return !waiting->needs_bind;
}

/* The first events from `start` on that fit and are left; until when they reach, or NEVER. */
static int64_t need_give(struct giving *giving, const struct wait_node *node, int64_t start)
{
    struct waiting *waiting = giving->waiting;
    uint64_t wanted = node->demand, bit = (uint64_t)1 << node->expression;
    int64_t latest = INT64_MIN;

    for (uint32_t i = 0; i < waiting->count && wanted > 0; i++) {
        struct wait_event *event = &waiting->events[i];
        uint64_t taken = giving->left[i] < wanted ? giving->left[i] : wanted;

        if (!(event->mask & bit) || event->first_us < start || taken == 0)
            continue;
        giving->left[i] -= taken;
        wanted -= taken;
        event->is_used = true;
        latest = event->last_us > latest ? event->last_us : latest;
    }
    return wanted == 0 ? latest : NEVER;
}

/* When all of a node is given its events from `start` on; nodes come behind those they join, so
 * that a walk over frames needs no more than earliest() does. */
static int64_t line_give(struct giving *giving, struct frame *frames, uint32_t root, int64_t start)
{
    uint32_t depth = 1;
    int64_t value = NEVER;

    frames[0] = (struct frame){.node = root, .start = start};
    while (depth > 0) {
        struct frame *frame = &frames[depth - 1];
        const struct wait_node *node = &giving->waiting->nodes[frame->node];

        if (node->kind == WAIT_NEED) {
            value = need_give(giving, node, frame->start);
        } else if (frame->stage++ == 0) {
            frames[depth++] = (struct frame){.node = node->left, .start = frame->start};
            continue;
        } else if (frame->stage == 2 && value != NEVER) {
            int64_t from = node->kind == WAIT_BEFORE ? value : frame->start;

            frame->other = value;
            frames[depth++] = (struct frame){.node = node->right, .start = from};
            continue;
        } else if (value != NEVER && frame->other > value) {
            value = frame->other;
        }
        if (value == NEVER)
            return NEVER;
        depth--;
    }
    return value;
}

/* True is the last word: every need has events of its own, in order and in reach.  False is not. */
static bool first_come(struct waiting *waiting, struct frame *frames, int64_t new_us,
                       uint64_t *left)
{
    struct giving giving = {waiting, left};
    uint32_t root = waiting->node_count - 1;
    int64_t start = INT64_MIN, end = INT64_MAX;

    if (!is_line(waiting))
        return false;
    if (waiting->nodes[root].kind == WAIT_WITHIN) {
        start = reach_back(new_us, waiting->nodes[root].reach_us, INT64_MIN);
        end = new_us;
        root = waiting->nodes[root].left;
    }
    for (uint32_t i = 0; i < waiting->count; i++) {
        left[i] = waiting->events[i].count;
        waiting->events[i].is_used = false;
    }
    int64_t value = line_give(&giving, frames, root, start);
    return value != NEVER && value <= end;
}

/* ---- the last word ---- */

static bool is_shared(const struct waiting *waiting)
{
    for (uint32_t i = 0; i < waiting->count; i++)
        if ((waiting->events[i].mask & (waiting->events[i].mask - 1)) != 0)
            return true;
    return waiting->needs_bind;
}

/* Of many events one more changes little: then not every one is asked about. */
static bool is_due(struct waiting *waiting)
{
    if (waiting->count < BIND_PATIENCE)
        return true;
    if (waiting->bind_at > 0) {
        waiting->bind_at--;
        return false;
    }
    waiting->bind_at = waiting->count / 8;
    return true;
}

static result bind_ask(struct waiting *waiting, struct arena *arena, bool *out, struct diag *diag)
{
    struct observation *observations = arena_new(arena, struct observation, waiting->count);
    uint8_t *fits = arena_new(arena, uint8_t, (size_t)waiting->count * waiting->expression_count);
    struct observed observed = {.observations = observations, .count = waiting->count};
    uint64_t steps = 0;

    *out = false;
    if (observations == NULL || fits == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a rule of several events");
    for (uint32_t i = 0; i < waiting->count; i++) {
        const struct wait_event *event = &waiting->events[i];

        observations[i] = (struct observation){.first = {.us = event->first_us},
                                               .last = {.us = event->last_us},
                                               .count = event->count};
        for (uint32_t k = 0; k < waiting->expression_count; k++)
            fits[(size_t)k * waiting->count + i] = event->mask >> k & 1;
    }
    return bind_search(&waiting->pattern, &observed, fits, arena, &steps, BIND_STEPS_MAX, out,
                       diag);
}

result waiting_is_complete(struct waiting *waiting, int64_t new_us, struct arena *arena, bool *out,
                           struct diag *diag)
{
    struct frame *frames;
    uint64_t *left;
    bool *enough;

    *out = false;
    arena_reset(arena);
    frames = arena_new(arena, struct frame, waiting->node_count + 1);
    enough = arena_new(arena, bool, waiting->node_count);
    if (frames == NULL || enough == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a rule of several events");
    if (!has_enough(waiting, enough))
        return OK;
    for (uint32_t i = 0; i < waiting->count; i++)
        waiting->events[i].is_used = false;
    *out = earliest(waiting, frames, new_us) != NEVER;
    if (!*out || !is_shared(waiting))
        return OK;
    left = arena_new(arena, uint64_t, waiting->count);
    if (left == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a rule of several events");
    *out = first_come(waiting, frames, new_us, left);
    if (*out)
        return OK;
    return is_due(waiting) ? bind_ask(waiting, arena, out, diag) : OK;
}
