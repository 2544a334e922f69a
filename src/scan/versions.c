#include "scan/build.h"

#include "base/banned.h"

#define VERSIONS_SLOTS_MIN ((size_t)1 << 12)
#define VERSIONS_SLOTS_MAX ((size_t)1 << 27)

static struct version *slot_find(const struct versions *versions, uint64_t hash)
{
    size_t i = (size_t)(((image_wide)hash * versions->capacity) >> 64);

    while (versions->slots[i].is_held && versions->slots[i].hash != hash)
        i = i + 1 == versions->capacity ? 0 : i + 1;
    return &versions->slots[i];
}

static bool versions_grow(struct versions *versions)
{
    struct versions grown = {.count = versions->count, .dead_count = versions->dead_count};
    size_t need = versions->capacity == 0 ? VERSIONS_SLOTS_MIN : versions->capacity * 2;

    grown.slots = (struct version *)table_grow(NULL, &grown.capacity, need, VERSIONS_SLOTS_MAX,
                                               sizeof(*grown.slots));
    if (grown.slots == NULL)
        return false;
    memset(grown.slots, 0, grown.capacity * sizeof(*grown.slots));
    for (size_t i = 0; i < versions->capacity; i++)
        if (versions->slots[i].is_held)
            *slot_find(&grown, versions->slots[i].hash) = versions->slots[i];
    table_free(versions->slots);
    *versions = grown;
    return true;
}

struct version *versions_find(struct versions *versions, slice id)
{
    struct version *slot;

    if (versions->count >= versions->capacity / 4 * 3 && !versions_grow(versions))
        return NULL;
    slot = slot_find(versions, image_hash(0x5bd1e995, 0, id));
    if (!slot->is_held) {
        slot->hash = image_hash(0x5bd1e995, 0, id);
        slot->rule = NONE;
        versions->count++;
    }
    return slot;
}

void versions_free(struct versions *versions)
{
    table_free(versions->slots);
    *versions = (struct versions){0};
}

static uint32_t rule_of(const struct ruleset *set, uint32_t target)
{
    return target & TARGET_PART ? image_parts(set)[target & ~TARGET_PART].rule : target;
}

/* Rules keep their order; those behind a dead one move up. */
static void rules_close(struct ruleset *set, uint32_t *moved)
{
    struct rule_record *rules = image_rules(set);
    uint32_t kept = 0;

    for (uint32_t i = 0; i < set->count[SECTION_RULES]; i++) {
        moved[i] = rules[i].flags & RULE_IS_DEAD ? NONE : kept;
        if (moved[i] != NONE)
            rules[kept++] = rules[i];
    }
    set->count[SECTION_RULES] = kept;
}

/* first_of: where each value has moved to. */
static void values_close(struct ruleset *set, const uint32_t *moved)
{
    struct value_record *values = image_values(set);
    struct rule_record *rules = image_rules(set);
    uint32_t kept = 0, last = NONE;

    for (size_t i = 0; i < set->count[SECTION_VALUES]; i++) {
        struct value_record value = values[i];
        uint32_t rule = moved[rule_of(set, value.target)];

        if (rule == NONE)
            continue;
        if (!(value.target & TARGET_PART)) {
            value.target = rule;
            if (rule != last)
                rules[rule].first = kept;
            last = rule;
        }
        values[kept++] = value;
    }
    set->count[SECTION_VALUES] = kept;
}

bool build_bury(struct ruleset_builder *builder)
{
    struct ruleset *set = builder->set;
    size_t count = set->count[SECTION_RULES], capacity = 0, kept = 0;
    struct open_record *opens = image_opens(set);

    if (builder->versions->dead_count == 0)
        return true;
    uint32_t *moved = (uint32_t *)table_grow(NULL, &capacity, count, count, sizeof(*moved));
    if (moved == NULL)
        return false;
    rules_close(set, moved);
    values_close(set, moved);
    for (size_t i = 0; i < set->count[SECTION_OPENS]; i++)
        if (moved[image_parts(set)[opens[i].part].rule] != NONE)
            opens[kept++] = opens[i];
    set->count[SECTION_OPENS] = kept;
    for (size_t i = 0; i < set->count[SECTION_PARTS]; i++)
        image_parts(set)[i].rule = moved[image_parts(set)[i].rule];
    table_free(moved);
    return true;
}
