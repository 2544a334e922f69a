#include "scan/found.h"
#include "scan/waiting.h"

#include "base/fault.h"

#include <stdlib.h>

#include "base/banned.h"

#define RULES_BYTES_MAX ((size_t)1 << 30) /* of the patterns of temporal rules */
#define SEARCH_BYTES_MAX ((size_t)64 << 20)
#define HIT_EVENTS_MAX 64

struct detector_state {
    struct ruleset *set; /* held */
    struct arena arena;  /* patterns */
    struct arena search;
    struct waiting *rules; /* owned; by rule */
    size_t rule_count, rule_capacity;
    int64_t now_us;
    struct state_counts counts;
};

static result rules_open(struct detector_state *state, struct diag *diag)
{
    const struct ruleset *set = state->set;
    const struct rule_record *rules = image_rules(set);
    size_t count = 0;

    for (size_t i = 0; i < set->count[SECTION_RULES]; i++)
        count += (rules[i].flags & RULE_IS_TEMPORAL) != 0;
    state->rules = (struct waiting *)table_grow(NULL, &state->rule_capacity, count + 1, count + 1,
                                                sizeof(*state->rules));
    if (FAULT_HERE() || state->rules == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for %zu rules of several events", count);
    for (uint32_t i = 0; i < set->count[SECTION_RULES]; i++)
        if (rules[i].flags & RULE_IS_TEMPORAL)
            TRY(waiting_open(&state->rules[state->rule_count++], i,
                             image_slice(set, rules[i].pattern, rules[i].pattern_len),
                             &state->arena, diag));
    return OK;
}

result detector_state_new(const struct ruleset *set, int64_t now_us, struct detector_state **out,
                          struct diag *diag)
{
    CLEANUP(detector_state_free) struct detector_state *state = NULL;
    size_t capacity = 0;

    *out = NULL;
    state = (struct detector_state *)table_grow(NULL, &capacity, 1, 1, sizeof(*state));
    if (state == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a state");
    *state = (struct detector_state){.set = ruleset_hold(set),
                                     .arena = ARENA(RULES_BYTES_MAX),
                                     .search = ARENA(SEARCH_BYTES_MAX),
                                     .now_us = now_us};
    TRY(rules_open(state, diag));
    *out = state;
    state = NULL;
    return OK;
}

void detector_state_free(struct detector_state **state)
{
    struct detector_state *old = *state;

    if (old == NULL)
        return;
    for (size_t i = 0; i < old->rule_count; i++)
        table_free(old->rules[i].events);
    table_free(old->rules);
    arena_free(&old->arena);
    arena_free(&old->search);
    ruleset_release(&old->set);
    table_free(old);
    *state = NULL;
}

const struct state_counts *detector_state_counts(const struct detector_state *state)
{
    return &state->counts;
}

static struct waiting *waiting_find(struct detector_state *state, uint32_t rule)
{
    size_t low = 0, high = state->rule_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (state->rules[middle].rule < rule)
            low = middle + 1;
        else
            high = middle;
    }
    return &state->rules[low];
}

/* ---- what is remembered ---- */

static void event_drop(struct detector_state *state, struct waiting *waiting, uint32_t position)
{
    memmove(&waiting->events[position], &waiting->events[position + 1],
            (waiting->count - position - 1) * sizeof(*waiting->events));
    waiting->count--;
    state->counts.remembered--;
}

/* Everything is within a window of the last event, or it is of no use: what is well before it can
 * go.  Twice the window, for events that come late. */
static void old_drop(struct detector_state *state, struct waiting *waiting, int64_t new_us)
{
    const struct wait_node *root = &waiting->nodes[waiting->node_count - 1];
    int64_t reach, least;

    if (root->kind != WAIT_WITHIN || __builtin_mul_overflow(root->reach_us + 1, 2, &reach) ||
        __builtin_sub_overflow(new_us, reach, &least))
        return;
    while (waiting->count > 0 && waiting->events[0].last_us < least) {
        event_drop(state, waiting, 0);
        state->counts.forgotten++;
    }
}

/* Make one event of two alike ones that are close: counts stay, times become those of a run.  False
 * when no two are alike. */
static bool pair_join(struct detector_state *state, struct waiting *waiting)
{
    int64_t least = INT64_MAX;
    uint32_t best = 0, best_after = 0;

    for (uint32_t i = 0; i + 1 < waiting->count; i++) {
        uint32_t j = i + 1, most = i + 9 < waiting->count ? i + 9 : waiting->count;

        while (j < most && waiting->events[j].mask != waiting->events[i].mask)
            j++;
        if (j == most)
            continue;
        int64_t span;
        if (__builtin_sub_overflow(waiting->events[j].last_us, waiting->events[i].first_us, &span))
            continue;
        if (span < least) {
            least = span;
            best = i;
            best_after = j;
        }
    }
    if (best_after == 0)
        return false;
    struct wait_event *left = &waiting->events[best], *right = &waiting->events[best_after];
    left->last_us = right->last_us > left->last_us ? right->last_us : left->last_us;
    if (__builtin_add_overflow(left->count, right->count, &left->count))
        left->count = UINT64_MAX;
    state->counts.evicted += waiting->has_times && least > 0;
    event_drop(state, waiting, best_after);
    return true;
}

static bool events_grow(struct detector_state *state, struct waiting *waiting)
{
    size_t before = waiting->capacity * sizeof(*waiting->events);
    size_t after = (before == 0 ? 8 : waiting->capacity * 2) * sizeof(*waiting->events);
    struct wait_event *grown;

    if (waiting->count < waiting->capacity)
        return true;
    if (waiting->capacity >= STATE_EVENTS_MAX ||
        state->counts.bytes - before + after > STATE_BYTES_MAX)
        return false;
    grown = (struct wait_event *)table_grow(waiting->events, &waiting->capacity, waiting->count + 1,
                                            STATE_EVENTS_MAX, sizeof(*grown));
    if (grown == NULL)
        return false;
    waiting->events = grown;
    state->counts.bytes += waiting->capacity * sizeof(*grown) - before;
    return true;
}

static bool event_put(struct detector_state *state, struct waiting *waiting,
                      const struct wait_event *event)
{
    uint32_t at;

    old_drop(state, waiting, event->first_us);
    if (!events_grow(state, waiting) && !pair_join(state, waiting)) {
        state->counts.evicted++;
        if (waiting->count == 0)
            return false;
        event_drop(state, waiting, 0);
    }
    for (at = waiting->count; at > 0 && waiting->events[at - 1].first_us > event->first_us; at--)
        waiting->events[at] = waiting->events[at - 1];
    waiting->events[at] = *event;
    waiting->count++;
    state->counts.remembered++;
    return true;
}

/* ---- hits ---- */

static bool hit_put(struct detector_state *state, struct waiting *waiting, const struct mark *mark,
                    int64_t time_us, struct block_hits *out)
{
    struct hit_event *events = arena_new(&out->arena, struct hit_event, HIT_EVENTS_MAX);
    struct hit *grown =
        (struct hit *)table_grow(out->hits, &out->capacity, out->count + 1,
                                 BLOCK_HITS_BYTES_MAX / sizeof(*grown), sizeof(*grown));
    size_t count = 0;

    if (grown == NULL || events == NULL)
        return false;
    for (uint32_t i = 0; i < waiting->count && count < HIT_EVENTS_MAX; i++) {
        const struct wait_event *event = &waiting->events[i];

        if (event->is_used && event->line_offset != mark->line_offset)
            events[count++] =
                (struct hit_event){event->line_number, event->line_offset, event->first_us};
    }
    out->hits = grown;
    grown[out->count++] = (struct hit){.rule = waiting->rule,
                                       .line = mark->line,
                                       .line_number = mark->line_number,
                                       .line_offset = mark->line_offset,
                                       .has_time = mark->has_time,
                                       .time_us = mark->has_time ? time_us : 0,
                                       .fields = mark->fields,
                                       .field_count = mark->field_count,
                                       .events = events,
                                       .event_count = count};
    state->counts.remembered -= waiting->count;
    waiting->count = 0;
    return true;
}

/* The marks of one rule and one event. */
static result marks_take(struct detector_state *state, const struct mark *marks, size_t count,
                         struct block_hits *out, struct diag *diag)
{
    struct waiting *waiting = waiting_find(state, marks[0].rule);
    int64_t time_us = marks[0].has_time ? marks[0].time_us : state->now_us;
    struct wait_event event = {.first_us = time_us,
                               .last_us = time_us,
                               .count = 1,
                               .line_number = marks[0].line_number,
                               .line_offset = marks[0].line_offset};
    bool is_complete = false;

    state->counts.marks += count;
    for (size_t i = 0; i < count && !waiting->is_over; i++) {
        uint32_t k = marks[i].number;

        if (time_us >= waiting->start_us[k] && time_us < waiting->stop_us[k] &&
            waiting->start_us[k] < waiting->stop_us[k])
            event.mask |= (uint64_t)1 << k;
    }
    if (event.mask == 0 || !event_put(state, waiting, &event))
        return OK;
    struct diag why = {0};
    result r = waiting_is_complete(waiting, time_us, &state->search, &is_complete, &why);
    if (failed(r) && why.code != ERR_LIMIT)
        return diag_fail(diag, why.code, "%s", why.text);
    if (failed(r)) {
        state->counts.evicted++; /* a search that reached its limit has told nothing */
        return OK;
    }
    if (is_complete && !hit_put(state, waiting, &marks[0], time_us, out))
        return diag_fail(diag, ERR_LIMIT, "no memory for a hit");
    return OK;
}

static int by_line_and_rule(const void *a, const void *b)
{
    const struct mark *left = (const struct mark *)a, *right = (const struct mark *)b;

    if (left->line_offset != right->line_offset)
        return left->line_offset < right->line_offset ? -1 : 1;
    if (left->rule != right->rule)
        return left->rule < right->rule ? -1 : 1;
    return left->number < right->number ? -1 : left->number > right->number;
}

/* Two runs, each in line order: one. */
static result hits_merge(struct block_hits *hits, size_t first_new, struct diag *diag)
{
    size_t count = hits->count, left = 0, right = first_new, capacity = 0;
    struct hit *merged;

    if (first_new == 0 || first_new == count)
        return OK;
    merged = (struct hit *)table_grow(NULL, &capacity, count, count, sizeof(*merged));
    if (merged == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for %zu hits", count);
    for (size_t i = 0; i < count; i++)
        merged[i] = right == count || (left < first_new && hits->hits[left].line_offset <=
                                                               hits->hits[right].line_offset)
                        ? hits->hits[left++]
                        : hits->hits[right++];
    memcpy(hits->hits, merged, count * sizeof(*merged));
    table_free(merged);
    return OK;
}

result detector_settle(struct detector_state *state, struct block_hits *hits, struct diag *diag)
{
    size_t first_new = hits->count;

    if (hits->mark_count > 1)
        qsort(hits->marks, hits->mark_count, sizeof(*hits->marks), by_line_and_rule);
    for (size_t i = 0, end; i < hits->mark_count; i = end) {
        for (end = i + 1; end < hits->mark_count &&
                          hits->marks[end].line_offset == hits->marks[i].line_offset &&
                          hits->marks[end].rule == hits->marks[i].rule;)
            end++;
        TRY(marks_take(state, hits->marks + i, end - i, hits, diag));
    }
    hits->mark_count = 0;
    return hits_merge(hits, first_new, diag);
}
