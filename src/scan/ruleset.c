/* A ruleset as its holders see it. */
#include "scan/image.h"

#include "base/uuid.h"
#include "stix/pattern.h"

#include "base/banned.h"

struct ruleset *ruleset_hold(const struct ruleset *set)
{
    struct ruleset *held = (struct ruleset *)(uintptr_t)set; /* only its count changes */

    atomic_fetch_add(&held->holders, 1);
    return held;
}

void ruleset_release(struct ruleset **set)
{
    if (*set != NULL && atomic_fetch_sub(&(*set)->holders, 1) == 1)
        image_free(*set);
    *set = NULL;
}

size_t ruleset_count(const struct ruleset *set)
{
    return set->count[SECTION_RULES];
}

const struct rules_counts *ruleset_counts(const struct ruleset *set)
{
    return &set->counts;
}

bool ruleset_is_temporal(const struct ruleset *set)
{
    return set->is_temporal;
}

size_t ruleset_bytes(const struct ruleset *set)
{
    size_t bytes = sizeof(*set);

    for (size_t i = 0; i < SECTION_COUNT; i++)
        bytes += set->count[i] * section_element_bytes[i];
    return bytes;
}

/* ---- rules ---- */

static slice id_text(const struct ruleset *set, const struct rule_record *rule, struct arena *arena)
{
    struct uuid uuid;
    uint64_t number;
    uint32_t place[2];

    if (rule->flags & RULE_HAS_UUID) {
        char *text = arena_new(arena, char, 11 + UUID_TEXT_BYTES);

        if (text == NULL)
            return SLICE_NONE;
        memcpy(uuid.bytes, rule->id, sizeof(uuid.bytes));
        memcpy(text, "indicator--", 11);
        uuid_format(&uuid, text + 11);
        return slice_of(text, 11 + UUID_TEXT_BYTES);
    }
    if (rule->flags & RULE_IS_LINE) {
        memcpy(&number, rule->id, sizeof(number));
        return arena_printf(arena, "list:%llu", (unsigned long long)number);
    }
    memcpy(place, rule->id, sizeof(place));
    return image_slice(set, place[0], place[1]);
}

static slice network_text(slice key, struct arena *arena)
{
    struct network network = {.address_bits = (uint8_t)((key.len - 1) * 8)};
    CLEANUP(buf_free) struct buf text = BUF(64);

    memcpy(network.bytes, key.at, key.len - 1);
    network.prefix_bits = (uint8_t)key.at[key.len - 1];
    network_print(&network, &text);
    return arena_copy(arena, buf_slice(&text));
}

/* "[path = 'value']" again, from the one value of a rule that has no text of its own. */
static slice pattern_text(const struct ruleset *set, const struct rule_record *rule,
                          struct arena *arena)
{
    const struct value_record *value = &image_values(set)[rule->first];
    const struct path_record *path = &image_paths(set)[value->path & VALUE_PATH_MASK];
    struct pattern_literal literal = {.kind = PATTERN_STRING,
                                      .text = image_slice(set, value->text, value->len)};
    CLEANUP(buf_free) struct buf text = BUF(PATTERN_BYTES_MAX * 4);

    if (value->path & VALUE_NETWORK)
        literal.text = network_text(literal.text, arena);
    buf_printf(&text, "[%.*s %s ", (int)path->len, image_text(set) + path->text,
               value->path & VALUE_NETWORK ? "ISSUBSET" : "=");
    pattern_print_literal(&literal, &text);
    buf_byte(&text, ']');
    if (text.overflowed)
        arena->overflowed = true;
    return arena_copy(arena, buf_slice(&text));
}

bool ruleset_rule(const struct ruleset *set, uint32_t index, struct arena *arena, struct rule *out)
{
    const struct rule_record *rule = &image_rules(set)[index];
    const struct meta_record *meta = &image_metas(set)[rule->meta];

    *out = (struct rule){
        .id = id_text(set, rule, arena),
        .name = image_slice(set, rule->name, rule->name_len),
        .pattern = rule->flags & RULE_HAS_PATTERN
                       ? image_slice(set, rule->pattern, rule->pattern_len)
                       : pattern_text(set, rule, arena),
        .source = image_slice(set, meta->source, meta->source_len),
        .creator = image_slice(set, meta->creator, meta->creator_len),
        .markings = image_slice(set, meta->markings, meta->markings_len),
        .tlp = (enum rule_tlp)meta->tlp,
        .confidence = meta->confidence,
        .valid_from_us = meta->valid_from_us,
        .valid_until_us = meta->valid_until_us,
    };
    return !arena->overflowed;
}

/* ---- guards ---- */

size_t ruleset_guard_count(const struct ruleset *set)
{
    return set->count[SECTION_VALUES];
}

static enum guard_kind kind_of(const struct path_record *path, const struct value_record *value)
{
    if (value->path & VALUE_NUMBER)
        return GUARD_NUMBER;
    switch ((enum path_class)path->class) {
    case PATH_DOMAIN:
        return GUARD_DOMAIN;
    case PATH_URL:
        return GUARD_URL;
    case PATH_EMAIL:
        return GUARD_EMAIL;
    case PATH_HASH:
        return GUARD_HASH;
    case PATH_ADDRESS:
    case PATH_TEXT:
    case PATH_REFERENCE_TYPE:
        break;
    }
    return GUARD_TEXT;
}

void ruleset_guard(const struct ruleset *set, size_t index, struct guard *out)
{
    const struct value_record *value = &image_values(set)[index];
    const struct path_record *path = &image_paths(set)[value->path & VALUE_PATH_MASK];
    slice text = image_slice(set, value->text, value->len);

    *out = (struct guard){.kind = kind_of(path, value),
                          .has_subdomains = value->path & VALUE_SUBDOMAINS,
                          .path = image_slice(set, path->text, path->len),
                          .value = text};
    if (value->path & VALUE_NETWORK) {
        out->kind = GUARD_NETWORK;
        out->value = SLICE("");
        memcpy(out->network.bytes, text.at, text.len - 1);
        out->network.address_bits = (uint8_t)((text.len - 1) * 8);
        out->network.prefix_bits = (uint8_t)text.at[text.len - 1];
    } else if (path->class == PATH_ADDRESS && slice_find_byte(text, '/') == SIZE_MAX &&
               network_parse(text, &out->network)) {
        out->kind = GUARD_NETWORK;
        out->value = SLICE("");
    }
}

size_t ruleset_open_count(const struct ruleset *set)
{
    return set->open_path_count;
}

void ruleset_open(const struct ruleset *set, size_t index, struct open_path *out)
{
    *out = set->open_paths[index];
}
