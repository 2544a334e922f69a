#include "scan/retro_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "scan/retro_list.h"
#include "stix/pattern.h"

#include "base/banned.h"

#define HOUR_US ((int64_t)3600 * 1000000)
#define GUARDS_MAX 100000 /* of a question that is held against the filters */
#define RULE_ARENA_BYTES_MAX ((size_t)64 << 20)
#define ADDRESS_BYTES_MAX 64

struct asking {
    const struct retro_question *question;
    struct detector_worker *worker; /* owned */
    struct block_hits found;        /* owned */
    struct arena arena;             /* of a rule */
    struct retro_answer *answer;
    bool is_filtered;
    char line[RETRO_VALUE_BYTES_MAX + 512];
};

/* ---- what cannot be answered ---- */

static bool needs_several(slice text, struct arena *arena)
{
    struct pattern pattern;

    if (failed(pattern_parse(text, STIX_21, arena, &pattern, NULL, NULL)))
        return false;
    for (size_t i = 0; i < pattern.node_count; i++)
        switch (pattern.nodes[i].kind) {
        case PATTERN_AND:
        case PATTERN_OBS_AND:
        case PATTERN_FOLLOWEDBY:
        case PATTERN_REPEATS:
            return true;
        case PATTERN_OBSERVATION:
        case PATTERN_OBS_OR:
        case PATTERN_WITHIN:
        case PATTERN_START_STOP:
        case PATTERN_OR:
        case PATTERN_COMPARE:
        case PATTERN_EXISTS:
            break;
        }
    return false;
}

static void several_count(struct asking *asking)
{
    for (size_t i = 0; i < ruleset_count(asking->question->set); i++) {
        struct rule rule;

        arena_reset(&asking->arena);
        if (ruleset_rule(asking->question->set, (uint32_t)i, &asking->arena, &rule))
            asking->answer->several_count += needs_several(rule.pattern, &asking->arena);
    }
}

/* ---- filters ---- */

/* Do exact values say all?  Not when a rule looks at a path without one, or at a network. */
static bool can_be_filtered(const struct ruleset *set)
{
    if (ruleset_open_count(set) > 0 || ruleset_guard_count(set) > GUARDS_MAX)
        return false;
    for (size_t i = 0; i < ruleset_guard_count(set); i++) {
        struct guard guard;

        ruleset_guard(set, i, &guard);
        if (guard.kind == GUARD_NETWORK && guard.network.prefix_bits != guard.network.address_bits)
            return false;
    }
    return true;
}

static result hour_may_hold(const struct asking *asking, const struct retro_reader *reader,
                            bool *may, struct diag *diag)
{
    const struct ruleset *set = asking->question->set;

    *may = !asking->is_filtered;
    for (size_t i = 0; !*may && i < ruleset_guard_count(set); i++) {
        struct guard guard;

        char address[ADDRESS_BYTES_MAX];

        ruleset_guard(set, i, &guard);
        if (guard.kind == GUARD_NETWORK) {
            if (inet_ntop(guard.network.address_bits == 32 ? AF_INET : AF_INET6,
                          guard.network.bytes, address, sizeof(address)) == NULL)
                return diag_errno(diag, errno, "an address");
            guard.value = slice_text(address);
        }
        TRY(retro_reader_may_hold(reader, guard.value, may, diag));
    }
    return OK;
}

/* ---- one hour ---- */

static void hits_tell(struct asking *asking)
{
    for (size_t i = 0; i < asking->found.count; i++) {
        struct rule rule;

        arena_reset(&asking->arena);
        if (!ruleset_rule(asking->question->set, asking->found.hits[i].rule, &asking->arena, &rule))
            continue;
        asking->answer->hits++;
        asking->question->hit(asking->question->context, &rule, &asking->found.hits[i]);
    }
    block_hits_reset(&asking->found);
}

static result entry_ask(struct asking *asking, int64_t hour, const struct retro_entry *entry,
                        struct diag *diag)
{
    struct telemetry_observable one = {
        .path = entry->path, .value = entry->value, .field = entry->path, .object = 1};
    struct telemetry_event event = {.observables = &one,
                                    .count = 1,
                                    .time_us = hour * HOUR_US + entry->first_s * (int64_t)1000000,
                                    .has_time = true};
    int bytes = snprintf(asking->line, sizeof(asking->line), "%lld %.*s %.*s", (long long)hour,
                         SLICE_ARG(entry->path), SLICE_ARG(entry->value));

    event.line = slice_of(
        asking->line, bytes < (int)sizeof(asking->line) ? (size_t)bytes : sizeof(asking->line) - 1);
    TRY(detector_event(asking->worker, &event, &asking->found, diag));
    if (asking->found.count > 0 || asking->found.mark_count > 0)
        hits_tell(asking);
    return OK;
}

static result hour_walk(struct asking *asking, struct retro_reader *reader, struct diag *diag)
{
    struct retro_entry entry;
    bool may, is_end = false;

    TRY(hour_may_hold(asking, reader, &may, diag));
    if (!may) {
        asking->answer->skipped_count++;
        return OK;
    }
    for (;;) {
        TRY(retro_reader_next(reader, &entry, &is_end, diag));
        if (is_end)
            return OK;
        TRY(entry_ask(asking, reader->hour, &entry, diag));
    }
}

static result hour_ask(struct asking *asking, const char *folder, int64_t hour, struct diag *diag)
{
    CLEANUP(retro_reader_close) struct retro_reader reader = {0};
    struct diag why = {0};
    result r = retro_reader_open(folder, hour, &reader, &why);

    if (succeeded(r))
        r = hour_walk(asking, &reader, &why);
    /* Dropped while it was asked for. */
    if (succeeded(r) || r.code == ERR_MISSING)
        return OK;
    if (r.code != ERR_CORRUPT)
        return diag_fail(diag, r.code, "%s", why.text);
    asking->answer->broken_count++;
    if (asking->question->broken != NULL)
        asking->question->broken(asking->question->context, &why);
    return OK;
}

static result hours_ask(struct asking *asking, const struct retro_place *place, struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)64 << 20);
    const struct retro_question *question = asking->question;
    char folder[4200];
    struct retro_hour *hours;
    size_t count;

    (void)snprintf(folder, sizeof(folder), "%s/" RETRO_FOLDER, place->folder);
    TRY(retro_list(folder, &arena, &hours, &count, diag));
    if (count > 0) {
        asking->answer->first_us = hours[0].hour * HOUR_US;
        asking->answer->end_us = (hours[count - 1].hour + 1) * HOUR_US;
    }
    for (size_t i = 0; i < count; i++) {
        if (question->has_since && (hours[i].hour + 1) * HOUR_US <= question->since_us)
            continue;
        asking->answer->hour_count++;
        TRY(hour_ask(asking, folder, hours[i].hour, diag));
    }
    return OK;
}

result retro_ask(const struct retro_place *place, const struct retro_question *question,
                 struct retro_answer *out, struct diag *diag)
{
    struct asking asking = {.question = question,
                            .arena = ARENA(RULE_ARENA_BYTES_MAX),
                            .answer = out,
                            .is_filtered = can_be_filtered(question->set)};

    *out = (struct retro_answer){0};
    block_hits_init(&asking.found);
    several_count(&asking);
    result r = detector_worker_new(question->set, &asking.worker, diag);
    if (succeeded(r))
        r = hours_ask(&asking, place, diag);
    detector_worker_free(&asking.worker);
    block_hits_free(&asking.found);
    arena_free(&asking.arena);
    return diag_within(diag, r, "record");
}
