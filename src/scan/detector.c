#include "scan/found.h"

#include "base/fault.h"

#include <stdlib.h>

#include "base/banned.h"

/* ---- results ---- */

void block_hits_init(struct block_hits *hits)
{
    *hits = (struct block_hits){.arena = ARENA(BLOCK_HITS_BYTES_MAX)};
}

void block_hits_reset(struct block_hits *hits)
{
    arena_reset(&hits->arena);
    hits->count = hits->mark_count = 0;
    hits->counts = (struct block_counts){0};
}

void block_hits_free(struct block_hits *hits)
{
    arena_free(&hits->arena);
    table_free(hits->hits);
    table_free(hits->marks);
    *hits = (struct block_hits){0};
}

/* ---- workers ---- */

static void *rows(size_t count, size_t bytes)
{
    size_t capacity = 0;
    void *table = FAULT_HERE() ? NULL : table_grow(NULL, &capacity, count, count, bytes);

    if (table != NULL)
        memset(table, 0, count * bytes);
    return table;
}

result detector_worker_new(const struct ruleset *set, struct detector_worker **out,
                           struct diag *diag)
{
    CLEANUP(detector_worker_free)
    struct detector_worker *worker = (struct detector_worker *)rows(1, sizeof(*worker));

    *out = NULL;
    if (worker == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a detector");
    worker->set = ruleset_hold(set);
    TRY(program_open(&worker->program, set, diag));
    TRY(text_scratch_new(set, &worker->texts, diag));
    worker->pendings = (struct pending *)rows(HITS_OF_EVENT_MAX, sizeof(*worker->pendings));
    worker->slots = (uint32_t *)rows(PENDING_SLOTS, sizeof(*worker->slots));
    worker->touched = (uint32_t *)rows(PENDING_SLOTS, sizeof(*worker->touched));
    worker->known = (struct path_known *)rows(PATH_SEEN_SLOTS, sizeof(*worker->known));
    if (worker->pendings == NULL || worker->slots == NULL || worker->touched == NULL ||
        worker->known == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a detector");
    *out = worker;
    worker = NULL;
    return OK;
}

void detector_worker_free(struct detector_worker **worker)
{
    struct detector_worker *old = *worker;

    if (old == NULL)
        return;
    if (old->program.set != NULL)
        program_close(&old->program);
    text_scratch_free(&old->texts);
    table_free(old->pendings);
    table_free(old->slots);
    table_free(old->touched);
    table_free(old->parts);
    table_free(old->known);
    ruleset_release(&old->set);
    table_free(old);
    *worker = NULL;
}

/* ---- paths ---- */

/* Without list steps: "email-message:to_refs[*].value" is asked as to_refs.value. */
static slice canonical(slice path, char room[PATH_TEXT_BYTES_MAX])
{
    size_t len = 0;
    bool in_list = false, in_quotes = false;

    if (path.len > PATH_TEXT_BYTES_MAX)
        return SLICE("");
    for (size_t i = 0; i < path.len; i++) {
        char c = path.at[i];

        in_quotes ^= c == '\'';
        in_list = in_list || (c == '[' && !in_quotes);
        if (!in_list)
            room[len++] = c;
        in_list = in_list && c != ']';
    }
    return slice_of(room, len);
}

static uint32_t path_of(struct detector_worker *worker, slice path)
{
    struct path_known *known = &worker->known[image_hash(0, 0, path) % PATH_SEEN_SLOTS];
    char room[PATH_TEXT_BYTES_MAX];

    if (known->len == path.len && path.len > 0 && memcmp(known->text, path.at, path.len) == 0)
        return known->path;
    uint32_t found = image_path_find(worker->set, canonical(path, room));
    if (path.len > 0 && path.len <= PATH_TEXT_BYTES_MAX) {
        memcpy(known->text, path.at, path.len);
        known->len = path.len;
        known->path = found;
    }
    return found;
}

/* ---- what hits, each once an event ---- */

/* The slot of a rule, or of a part. */
static uint32_t *slot_of(struct detector_worker *worker, uint32_t target)
{
    size_t i = target * 0x9E3779B1u % PENDING_SLOTS;

    for (;; i = (i + 1) % PENDING_SLOTS) {
        uint32_t *slot = &worker->slots[i];

        if (*slot == 0)
            return slot;
        uint32_t held = *slot & TARGET_PART
                            ? worker->parts[(*slot & ~TARGET_PART) - 1] | TARGET_PART
                            : worker->pendings[*slot - 1].rule;
        if (held == target)
            return slot;
    }
}

static void slot_fill(struct detector_worker *worker, uint32_t *slot, uint32_t held)
{
    *slot = held;
    worker->touched[worker->touched_count++] = (uint32_t)(slot - worker->slots);
}

static void part_wanted(void *context, uint32_t part)
{
    struct detector_worker *worker = (struct detector_worker *)context;
    uint32_t *slot = slot_of(worker, part | TARGET_PART);

    if (*slot != 0)
        return;
    if (worker->part_count == PENDING_SLOTS / 2) {
        worker->dropped++;
        return;
    }
    if (worker->part_count == worker->parts_capacity) {
        uint32_t *grown =
            (uint32_t *)table_grow(worker->parts, &worker->parts_capacity, worker->part_count + 1,
                                   PENDING_SLOTS / 2, sizeof(*grown));
        worker->parts = grown != NULL ? grown : worker->parts;
        worker->is_full = worker->is_full || grown == NULL;
        if (grown == NULL)
            return;
    }
    worker->parts[worker->part_count++] = part;
    slot_fill(worker, slot, (uint32_t)worker->part_count | TARGET_PART);
}

static struct pending *pending_add(struct detector_worker *worker, uint32_t rule, uint32_t part)
{
    if (worker->pending_count == HITS_OF_EVENT_MAX) {
        worker->dropped++;
        return NULL;
    }
    struct pending *pending = &worker->pendings[worker->pending_count++];
    pending->rule = rule;
    pending->part = part;
    pending->count = 0;
    return pending;
}

static void observable_add(struct pending *pending, uint32_t observable)
{
    if (pending->count < HIT_FIELDS_MAX &&
        (pending->count == 0 || pending->observables[pending->count - 1] != observable))
        pending->observables[pending->count++] = observable;
}

static void rule_wanted(struct detector_worker *worker, uint32_t rule)
{
    uint32_t *slot = slot_of(worker, rule);
    struct pending *pending;

    if (*slot != 0) {
        pending = &worker->pendings[*slot - 1];
    } else {
        pending = pending_add(worker, rule, NONE);
        if (pending == NULL)
            return;
        slot_fill(worker, slot, (uint32_t)worker->pending_count);
    }
    observable_add(pending, worker->observable);
}

static void chain_take(struct detector_worker *worker, uint32_t position, uint16_t wanted)
{
    for (; position != NONE; position = image_values(worker->set)[position].next) {
        const struct value_record *value = &image_values(worker->set)[position];

        if (wanted != 0 && !(value->path & wanted))
            continue;
        if (value->target & TARGET_PART)
            part_wanted(worker, value->target & ~TARGET_PART);
        else
            rule_wanted(worker, value->target);
    }
}

static void value_take(struct detector_worker *worker, uint32_t path, slice value)
{
    chain_take(worker, image_find(worker->set, path, false, value), 0);
}

static void names_take(struct detector_worker *worker, uint32_t path, slice name)
{
    for (size_t dot = slice_find_byte(name, '.'); dot != SIZE_MAX;
         dot = slice_find_byte(name, '.')) {
        name = slice_from(name, dot + 1);
        chain_take(worker, image_find(worker->set, path, false, name), VALUE_SUBDOMAINS);
    }
}

/* A number's digits without what says nothing. */
static void number_take(struct detector_worker *worker, uint32_t path, slice value)
{
    size_t zeros = 0;

    while (zeros + 1 < value.len && value.at[zeros] == '0')
        zeros++;
    if (zeros > 0)
        chain_take(worker, image_find(worker->set, path, false, slice_from(value, zeros)),
                   VALUE_NUMBER);
}

static void networks_take(struct detector_worker *worker, uint32_t path, slice value)
{
    const struct path_record *record = &image_paths(worker->set)[path];
    struct network network;

    if (!network_parse(value, &network))
        return;
    size_t bytes = network.address_bits / 8;
    const uint64_t *prefixes = bytes == 4 ? record->prefixes4 : record->prefixes6;
    for (int bits = network.prefix_bits; bits >= 0; bits--) {
        char key[NETWORK_BYTES_MAX + 1];

        /* The host's bits go one by one as the prefix gets shorter. */
        if (bits < network.prefix_bits)
            network.bytes[bits / 8] &= (uint8_t) ~(0x80u >> bits % 8);
        if (!(prefixes[bits / 64] >> bits % 64 & 1))
            continue;
        memcpy(key, network.bytes, bytes);
        key[bytes] = (char)bits;
        chain_take(worker, image_find(worker->set, path, true, slice_of(key, bytes + 1)), 0);
    }
}

static void run_take(struct detector_worker *worker, const struct open_run *run)
{
    for (uint32_t i = 0; i < run->count; i++)
        part_wanted(worker, image_opens(worker->set)[run->first + i].part);
}

static void open_take(struct detector_worker *worker, uint32_t path, slice value)
{
    const struct ruleset *set = worker->set;

    for (size_t i = 0; i < set->open_path_count; i++) {
        if (set->open_runs[i].path != path)
            continue;
        if (set->open_paths[i].kind == OPEN_TEXT)
            texts_search(set, worker->texts, i, value, part_wanted, worker);
        else if (set->open_paths[i].kind == OPEN_ANY)
            run_take(worker, &set->open_runs[i]);
    }
}

static bool holds_type(const struct telemetry_event *event, slice type)
{
    for (size_t i = 0; i < event->count; i++) {
        slice path = event->observables[i].path;

        if (slice_starts(path, type) && path.len > type.len && path.at[type.len] == ':')
            return true;
    }
    return false;
}

/* Lines and types: once an event. */
static void event_opens_take(struct detector_worker *worker, const struct telemetry_event *event)
{
    const struct ruleset *set = worker->set;

    for (size_t i = 0; i < set->open_path_count; i++) {
        enum open_kind kind = set->open_paths[i].kind;

        if (kind == OPEN_LINE && event->line.len > 0)
            texts_search(set, worker->texts, i, event->line, part_wanted, worker);
        else if (kind == OPEN_TYPE && holds_type(event, set->open_paths[i].path))
            run_take(worker, &set->open_runs[i]);
    }
}

static void observables_take(struct detector_worker *worker, const struct telemetry_event *event)
{
    for (uint32_t i = 0; i < event->count; i++) {
        uint32_t path = path_of(worker, event->observables[i].path), flags;
        slice value = event->observables[i].value;

        worker->program.paths[i] = path;
        worker->observable = i;
        if (path == NONE)
            continue;
        flags = image_paths(worker->set)[path].flags;
        if (flags & PATH_HAS_VALUES)
            value_take(worker, path, value);
        if (flags & PATH_HAS_SUBDOMAINS)
            names_take(worker, path, value);
        if (flags & PATH_HAS_NUMBERS)
            number_take(worker, path, value);
        if (flags & PATH_HAS_NETWORKS)
            networks_take(worker, path, value);
        if (flags & PATH_IS_OPEN)
            open_take(worker, path, value);
    }
    if (worker->set->has_types || worker->set->has_lines)
        event_opens_take(worker, event);
}

static void parts_check(struct detector_worker *worker, const struct telemetry_event *event)
{
    for (size_t i = 0; i < worker->part_count; i++) {
        const struct part_record *part = &image_parts(worker->set)[worker->parts[i]];
        bool holds = false,
             is_temporal = image_rules(worker->set)[part->rule].flags & RULE_IS_TEMPORAL;
        struct pending *pending;

        if (!program_run(&worker->program, part, &holds)) {
            worker->is_full = true;
            return;
        }
        if (!holds)
            continue;
        /* Two expressions of one rule may hit the same event: that is one hit. */
        uint32_t *slot = is_temporal ? NULL : slot_of(worker, part->rule);
        if (slot != NULL && *slot != 0)
            continue;
        pending = pending_add(worker, part->rule, is_temporal ? worker->parts[i] : NONE);
        if (pending == NULL)
            continue;
        if (slot != NULL)
            slot_fill(worker, slot, (uint32_t)worker->pending_count);
        for (uint32_t j = 0; j < event->count; j++)
            if (worker->program.used[j])
                observable_add(pending, j);
    }
}

/* ---- giving it out ---- */

static const struct hit_field *fields_copy(const struct pending *pending,
                                           const struct telemetry_event *event, struct arena *arena)
{
    struct hit_field *fields = arena_new(arena, struct hit_field, pending->count);

    for (uint32_t i = 0; fields != NULL && i < pending->count; i++) {
        const struct telemetry_observable *one = &event->observables[pending->observables[i]];

        fields[i] = (struct hit_field){.path = arena_copy(arena, one->path),
                                       .field = arena_copy(arena, one->field),
                                       .value = arena_copy(arena, one->value),
                                       .offset = one->offset};
    }
    return fields;
}

static bool mark_add(const struct detector_worker *worker, const struct pending *pending,
                     const struct telemetry_event *event, const struct hit_field *fields,
                     struct block_hits *out)
{
    struct mark *grown =
        (struct mark *)table_grow(out->marks, &out->mark_capacity, out->mark_count + 1,
                                  BLOCK_HITS_BYTES_MAX / sizeof(*grown), sizeof(*grown));

    if (grown == NULL)
        return false;
    out->marks = grown;
    grown[out->mark_count++] =
        (struct mark){.rule = pending->rule,
                      .number = image_parts(worker->set)[pending->part].number,
                      .line = event->line,
                      .line_number = event->line_number,
                      .line_offset = event->line_offset,
                      .has_time = event->has_time,
                      .time_us = event->time_us,
                      .fields = fields,
                      .field_count = fields == NULL ? 0 : pending->count};
    return true;
}

static bool hit_add(const struct pending *pending, const struct telemetry_event *event,
                    const struct hit_field *fields, struct block_hits *out)
{
    struct hit *grown =
        (struct hit *)table_grow(out->hits, &out->capacity, out->count + 1,
                                 BLOCK_HITS_BYTES_MAX / sizeof(*grown), sizeof(*grown));

    if (grown == NULL)
        return false;
    out->hits = grown;
    grown[out->count++] = (struct hit){.rule = pending->rule,
                                       .line = event->line,
                                       .line_number = event->line_number,
                                       .line_offset = event->line_offset,
                                       .has_time = event->has_time,
                                       .time_us = event->time_us,
                                       .fields = fields,
                                       .field_count = fields == NULL ? 0 : pending->count};
    return true;
}

static void pendings_give(struct detector_worker *worker, const struct telemetry_event *event,
                          struct block_hits *out)
{
    for (size_t i = 0; i < worker->pending_count; i++) {
        const struct pending *pending = &worker->pendings[i];
        const struct hit_field *fields = fields_copy(pending, event, &out->arena);
        bool is_given;

        if (out->arena.overflowed)
            is_given = false;
        else if (pending->part != NONE)
            is_given = mark_add(worker, pending, event, fields, out);
        else
            is_given = hit_add(pending, event, fields, out);
        out->counts.dropped += !is_given;
    }
}

static void slots_clear(struct detector_worker *worker)
{
    for (size_t i = 0; i < worker->touched_count; i++)
        worker->slots[worker->touched[i]] = 0;
    worker->touched_count = 0;
}

result detector_event(struct detector_worker *worker, const struct telemetry_event *event,
                      struct block_hits *out, struct diag *diag)
{
    worker->pending_count = worker->part_count = 0;
    worker->dropped = 0;
    worker->program.gave_up = 0;
    worker->is_full = FAULT_HERE() || !program_begin(&worker->program, event);
    if (!worker->is_full) {
        observables_take(worker, event);
        if (worker->part_count > 0)
            parts_check(worker, event);
        pendings_give(worker, event, out);
    }
    slots_clear(worker);
    out->counts.checked += worker->part_count;
    out->counts.dropped += worker->dropped;
    out->counts.gave_up += worker->program.gave_up;
    return worker->is_full ? diag_fail(diag, ERR_LIMIT, "no memory to look at an event") : OK;
}

/* ---- blocks ---- */

/* Where the record that starts at the front ends: behind its last byte, without its line end. */
static size_t record_end(const struct detector_block *block, slice rest)
{
    size_t first = slice_find_byte(rest, '\n');
    bool is_quoted = false;

    if (!block->is_csv || first == SIZE_MAX)
        return first;
    for (size_t i = 0; i < rest.len; i++) {
        is_quoted ^= rest.at[i] == '"';
        if (rest.at[i] == '\n' && !is_quoted)
            return i;
    }
    return first; /* a stray quote: that line alone is broken */
}

static size_t lines_between(slice text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += text.at[i] == '\n';
    return count;
}

/* How far line numbers have been counted: only hits and reports have need of them. */
struct counting {
    size_t at;
    uint64_t line_number;
};

static uint64_t line_number_at(const struct detector_block *block, struct counting *counting,
                               size_t at)
{
    counting->line_number +=
        lines_between(slice_of(block->bytes.at + counting->at, at - counting->at));
    counting->at = at;
    return counting->line_number;
}

static void broken(const struct detector_block *block, struct counting *counting, size_t at,
                   struct block_hits *out, const struct diag *why)
{
    out->counts.broken++;
    if (out->report != NULL)
        out->report(out->context, line_number_at(block, counting, at), why);
}

static result line_take(struct detector_worker *worker, const struct detector_block *block,
                        struct counting *counting, size_t at, slice line, struct block_hits *out,
                        struct diag *diag)
{
    struct telemetry_event event;
    struct diag why = {0};
    size_t hits = out->count, marks = out->mark_count;

    out->counts.lines++;
    if (failed(telemetry_read(block->reader, line, &event, &why))) {
        broken(block, counting, at, out, &why);
        return OK;
    }
    event.line_offset = block->offset + at;
    event.line_number = 0;
    if (block->event != NULL && event.count > 0)
        block->event(block->event_context, &event);
    if (event.count == 0 && !worker->set->has_lines)
        return OK;
    TRY(detector_event(worker, &event, out, diag));
    if (hits == out->count && marks == out->mark_count)
        return OK;
    uint64_t number = line_number_at(block, counting, at);
    for (; hits < out->count; hits++)
        out->hits[hits].line_number = number;
    for (; marks < out->mark_count; marks++)
        out->marks[marks].line_number = number;
    return OK;
}

result detector_block(struct detector_worker *worker, const struct detector_block *block,
                      struct block_hits *out, struct diag *diag)
{
    struct counting counting = {0, block->line_number};
    size_t next = 0;

    for (size_t i = 0; block->lines == NULL ? next < block->bytes.len : i < block->line_count;
         i++) {
        size_t at = block->lines == NULL ? next : block->lines[i];
        slice rest = slice_from(block->bytes, at);
        size_t end = record_end(block, rest);
        slice line = slice_head(rest, end == SIZE_MAX ? rest.len : end);

        next = at + line.len + 1;
        if (line.len > TELEMETRY_LINE_BYTES_MAX) {
            struct diag why = {0};
            result r =
                diag_fail(&why, ERR_LIMIT, "a line over %zu bytes", TELEMETRY_LINE_BYTES_MAX);

            out->counts.lines += failed(r);
            broken(block, &counting, at, out, &why);
            continue;
        }
        TRY(line_take(worker, block, &counting, at, line, out, diag));
    }
    return OK;
}
