#include "scan/image.h"

#include "scan/texts.h"

#include <sys/mman.h>

#include "base/banned.h"

const size_t section_element_bytes[SECTION_COUNT] = {
    1,
    sizeof(struct path_record),
    sizeof(struct rule_record),
    sizeof(struct meta_record),
    sizeof(struct value_record),
    sizeof(struct value_slot),
    sizeof(struct part_record),
    sizeof(struct node_record),
    sizeof(struct literal_record),
    sizeof(struct open_record),
};

uint32_t image_path_find(const struct ruleset *set, slice canonical)
{
    const struct path_record *paths = image_paths(set);

    for (size_t i = 0; i < set->count[SECTION_PATHS]; i++)
        if (slice_eq(image_slice(set, paths[i].text, paths[i].len), canonical))
            return (uint32_t)i;
    return NONE;
}

static uint32_t key_of(uint32_t path, bool is_network)
{
    return path | (is_network ? VALUE_NETWORK : 0);
}

static bool is_value(const struct ruleset *set, uint32_t position, uint32_t key, slice value)
{
    const struct value_record *record = &image_values(set)[position];

    return (record->path & (VALUE_PATH_MASK | VALUE_NETWORK)) == key && record->len == value.len &&
           memcmp(image_text(set) + record->text, value.at, value.len) == 0;
}

uint32_t image_find(const struct ruleset *set, uint32_t path, bool is_network, slice value)
{
    size_t count = set->count[SECTION_SLOTS];
    uint32_t key = key_of(path, is_network);

    if (count == 0 || value.len > VALUE_BYTES_MAX)
        return NONE;
    uint64_t hash = image_hash(set->seed, key, value);
    for (size_t i = image_slot_first(set, hash);; i = i + 1 == count ? 0 : i + 1) {
        struct value_slot slot = image_slots(set)[i];

        if (slot.position == NONE)
            return NONE;
        if (slot.tag == (uint32_t)hash && is_value(set, slot.position, key, value))
            return slot.position;
    }
}

static void index_put(struct ruleset *set, uint32_t position, uint64_t hash)
{
    struct value_record *record = &image_values(set)[position];
    slice value = image_slice(set, record->text, record->len);
    uint32_t key = record->path & (VALUE_PATH_MASK | VALUE_NETWORK);
    size_t count = set->count[SECTION_SLOTS];

    for (size_t i = image_slot_first(set, hash);; i = i + 1 == count ? 0 : i + 1) {
        struct value_slot *slot = &image_slots(set)[i];

        if (slot->position == NONE) {
            *slot = (struct value_slot){(uint32_t)hash, position};
            return;
        }
        if (slot->tag == (uint32_t)hash && is_value(set, slot->position, key, value)) {
            record->next = image_values(set)[slot->position].next;
            image_values(set)[slot->position].next = position;
            return;
        }
    }
}

#define INDEX_BATCH 32 /* slots that are fetched ahead */

result image_index(struct ruleset *set, struct diag *diag)
{
    size_t values = set->count[SECTION_VALUES], slots = values + values / 2 + 8;

    set->capacity[SECTION_SLOTS] = 0;
    set->at[SECTION_SLOTS] =
        table_grow(NULL, &set->capacity[SECTION_SLOTS], slots, slots, sizeof(struct value_slot));
    if (set->at[SECTION_SLOTS] == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for %zu values", values);
    set->count[SECTION_SLOTS] = slots;
    memset(set->at[SECTION_SLOTS], 0xFF, slots * sizeof(struct value_slot));
    for (size_t first = 0; first < values; first += INDEX_BATCH) {
        uint64_t hashes[INDEX_BATCH];
        size_t batch = values - first < INDEX_BATCH ? values - first : INDEX_BATCH;

        for (size_t i = 0; i < batch; i++) {
            const struct value_record *record = &image_values(set)[first + i];

            hashes[i] = image_hash(set->seed, record->path & (VALUE_PATH_MASK | VALUE_NETWORK),
                                   image_slice(set, record->text, record->len));
            __builtin_prefetch(&image_slots(set)[image_slot_first(set, hashes[i])], 1);
        }
        for (size_t i = 0; i < batch; i++)
            index_put(set, (uint32_t)(first + i), hashes[i]);
    }
    return OK;
}

static result runs_open(struct ruleset *set, struct diag *diag)
{
    size_t most = set->count[SECTION_OPENS] + 1, capacity = 0, runs_capacity = 0;

    set->open_paths =
        (struct open_path *)table_grow(NULL, &capacity, most, most, sizeof(*set->open_paths));
    set->open_runs =
        (struct open_run *)table_grow(NULL, &runs_capacity, most, most, sizeof(*set->open_runs));
    if (set->open_paths == NULL || set->open_runs == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for %zu open paths", most);
    return OK;
}

static void run_add(struct ruleset *set, uint32_t position)
{
    const struct open_record *open = &image_opens(set)[position];
    slice path = SLICE("");

    if (open->path != NONE) {
        const struct path_record *record = &image_paths(set)[open->path];

        path = image_slice(set, record->text,
                           open->kind == OPEN_TYPE ? record->type_len : record->len);
    }
    set->has_types = set->has_types || open->kind == OPEN_TYPE;
    set->has_lines = set->has_lines || open->kind == OPEN_LINE;
    set->open_runs[set->open_path_count] = (struct open_run){open->path, position, 0};
    set->open_paths[set->open_path_count++] =
        (struct open_path){.kind = (enum open_kind)open->kind, .path = path};
}

result image_finish(struct ruleset *set, struct diag *diag)
{
    const struct open_record *opens = image_opens(set);

    TRY(runs_open(set, diag));
    for (size_t i = 0; i < set->count[SECTION_RULES]; i++)
        set->is_temporal = set->is_temporal || (image_rules(set)[i].flags & RULE_IS_TEMPORAL);
    for (uint32_t i = 0; i < set->count[SECTION_OPENS]; i++) {
        if (i == 0 || opens[i].path != opens[i - 1].path || opens[i].kind != opens[i - 1].kind)
            run_add(set, i);
        set->open_runs[set->open_path_count - 1].count++;
    }
    for (size_t i = 0; i < set->count[SECTION_NODES]; i++) {
        const struct node_record *node = &image_nodes(set)[i];

        if (node->kind == NODE_MATCHES &&
            (size_t)image_literals(set)[node->left].integer >= set->regex_count)
            set->regex_count = (size_t)image_literals(set)[node->left].integer + 1;
    }
    return texts_build(set, diag);
}

void image_free(struct ruleset *set)
{
    texts_free(set);
    for (size_t i = 0; set->map == NULL && i < SECTION_COUNT; i++)
        table_free(set->at[i]);
    if (set->map != NULL)
        (void)munmap(set->map, set->map_bytes);
    table_free(set->open_paths);
    table_free(set->open_runs);
    table_free(set);
}
