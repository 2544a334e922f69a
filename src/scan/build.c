#include "scan/build.h"

#include "base/fault.h"
#include "stix/url.h"

#include "base/banned.h"

#define NAME_BYTES_MAX 1024

static const size_t section_count_max[SECTION_COUNT] = {
    UINT32_MAX,      PATHS_MAX, RULES_MAX,       RULES_MAX,       (size_t)1 << 28,
    (size_t)1 << 29, RULES_MAX, (size_t)1 << 28, (size_t)1 << 28, (size_t)1 << 26,
};

void *build_push(struct ruleset_builder *builder, enum section section, size_t count)
{
    struct ruleset *set = builder->set;
    size_t bytes = section_element_bytes[section], need = set->count[section] + count;

    if (need > set->capacity[section] || set->at[section] == NULL) {
        void *table = FAULT_HERE() ? NULL
                                   : table_grow(set->at[section], &set->capacity[section], need + 1,
                                                section_count_max[section], bytes);

        if (table == NULL) {
            builder->is_full = true;
            return NULL;
        }
        set->at[section] = table;
    }
    void *at = (char *)set->at[section] + set->count[section] * bytes;

    memset(at, 0, count * bytes);
    set->count[section] = need;
    return at;
}

uint32_t build_text(struct ruleset_builder *builder, slice text)
{
    uint32_t at = (uint32_t)builder->set->count[SECTION_TEXT];
    char *room = (char *)build_push(builder, SECTION_TEXT, text.len);

    if (room != NULL && text.len > 0)
        memcpy(room, text.at, text.len);
    return at;
}

/* ---- paths ---- */

static bool ends_with_hashes(slice path)
{
    static const slice marks[] = {S(":hashes."), S(".hashes.")};

    for (size_t i = 0; i < 2; i++) {
        size_t at = slice_find(path, marks[i]);

        if (at != SIZE_MAX)
            return slice_find(path, SLICE("SSDEEP")) == SIZE_MAX;
    }
    return false;
}

static enum path_class class_of(slice path)
{
    if (slice_eq(path, SLICE("domain-name:value")))
        return PATH_DOMAIN;
    if (slice_eq(path, SLICE("ipv4-addr:value")) || slice_eq(path, SLICE("ipv6-addr:value")))
        return PATH_ADDRESS;
    if (slice_eq(path, SLICE("url:value")))
        return PATH_URL;
    if (slice_eq(path, SLICE("email-addr:value")))
        return PATH_EMAIL;
    if (slice_ends(path, SLICE("_ref.type")) || slice_ends(path, SLICE("_refs.type")))
        return PATH_REFERENCE_TYPE;
    if (slice_ends(path, SLICE("_ref.value")) || slice_ends(path, SLICE("_refs.value")))
        return PATH_ADDRESS;
    return ends_with_hashes(path) ? PATH_HASH : PATH_TEXT;
}

/* The record of a path, made when there is none; NONE when memory is out. */
static uint32_t path_keep(struct ruleset_builder *builder, slice canonical)
{
    uint32_t found = image_path_find(builder->set, canonical);
    struct path_record *path;

    if (found != NONE)
        return found;
    uint32_t text = build_text(builder, canonical);
    path = (struct path_record *)build_push(builder, SECTION_PATHS, 1);
    if (path == NULL || builder->is_full)
        return NONE;
    found = (uint32_t)(builder->set->count[SECTION_PATHS] - 1);
    size_t colon = slice_find_byte(canonical, ':');
    *path = (struct path_record){.text = text,
                                 .len = (uint32_t)canonical.len,
                                 .type_len = (uint32_t)(colon == SIZE_MAX ? canonical.len : colon),
                                 .class = class_of(canonical),
                                 .value_path = found};
    return found;
}

uint32_t build_path_text(struct ruleset_builder *builder, slice canonical)
{
    uint32_t found = path_keep(builder, canonical);

    if (found == NONE || class_of(canonical) != PATH_REFERENCE_TYPE)
        return found;
    slice value = arena_printf(&builder->kept, "%.*svalue", (int)(canonical.len - 4), canonical.at);
    uint32_t value_path = value.at == NULL ? NONE : path_keep(builder, value);

    if (value_path == NONE)
        return NONE;
    image_paths(builder->set)[found].value_path = value_path;
    return found;
}

static slice canonical_path(struct ruleset_builder *builder, const struct pattern_path *path)
{
    struct pattern_step steps[PATTERN_STEPS_MAX];
    struct pattern_path plain = {.type = path->type, .steps = steps};
    CLEANUP(buf_free) struct buf text = BUF(PATTERN_BYTES_MAX);

    for (size_t i = 0; i < path->step_count; i++) {
        const struct pattern_step *step = &path->steps[i];

        if (step->kind != PATTERN_KEY)
            continue;
        steps[plain.step_count] = *step;
        if (plain.step_count > 0 && slice_eq(steps[plain.step_count - 1].key, SLICE("hashes")))
            steps[plain.step_count].key = stix_hash_name(step->key);
        plain.step_count++;
    }
    pattern_print_path(&plain, &text);
    builder->is_full = builder->is_full || text.overflowed;
    return arena_copy(&builder->kept, buf_slice(&text));
}

uint32_t build_path(struct ruleset_builder *builder, const struct pattern_path *path)
{
    uint64_t hash = image_hash(0, 0, path->text);
    struct path_seen *seen = &builder->seen[hash % PATH_CACHE_SLOTS];

    if (path->text.len > 0 && slice_eq(seen->text, path->text))
        return seen->path;
    slice canonical = canonical_path(builder, path);
    uint32_t found = canonical.at == NULL ? NONE : build_path_text(builder, canonical);
    slice text = arena_copy(&builder->kept, path->text);
    if (found != NONE && text.at != NULL)
        *seen = (struct path_seen){text, found};
    return found;
}

slice value_form(enum path_class class, slice path, slice value, struct arena *arena)
{
    switch (class) {
    case PATH_URL:
        return url_normal(value, arena);
    case PATH_ADDRESS: {
        /* What a reference leads to is told by the value. */
        bool is_v6 = slice_find_byte(value, ':') != SIZE_MAX;
        slice kind = is_v6 ? SLICE("ipv6-addr:value") : SLICE("ipv4-addr:value");

        if (!slice_starts(path, SLICE("ipv")) && slice_find_byte(value, '@') != SIZE_MAX)
            kind = SLICE("email-addr:value");
        return stix_value_normal(slice_starts(path, SLICE("ipv")) ? path : kind, value, arena);
    }
    case PATH_DOMAIN:
    case PATH_EMAIL:
    case PATH_HASH:
    case PATH_TEXT:
    case PATH_REFERENCE_TYPE:
        break;
    }
    return stix_value_normal(path, value, arena);
}

/* ---- rules ---- */

static bool meta_is(const struct ruleset_builder *builder, const struct meta_record *meta,
                    const struct rule_draft *draft)
{
    const struct ruleset *set = builder->set;

    return meta->confidence == draft->meta.confidence && meta->tlp == draft->meta.tlp &&
           meta->valid_from_us == draft->meta.valid_from_us &&
           meta->valid_until_us == draft->meta.valid_until_us &&
           slice_eq(image_slice(set, meta->source, meta->source_len), draft->source) &&
           slice_eq(image_slice(set, meta->creator, meta->creator_len), draft->creator) &&
           slice_eq(image_slice(set, meta->markings, meta->markings_len), draft->markings);
}

static uint32_t meta_put(struct ruleset_builder *builder, const struct rule_draft *draft)
{
    struct ruleset *set = builder->set;
    struct meta_record meta = draft->meta;

    if (builder->has_meta && meta_is(builder, &image_metas(set)[builder->meta_last], draft))
        return builder->meta_last;
    const struct meta_record *last =
        builder->has_meta ? &image_metas(set)[builder->meta_last] : NULL;
    bool same =
        last != NULL && slice_eq(image_slice(set, last->source, last->source_len), draft->source);
    meta.source_len = (uint32_t)draft->source.len;
    meta.source = same ? last->source : build_text(builder, draft->source);
    meta.creator_len = (uint32_t)draft->creator.len;
    meta.creator = build_text(builder, draft->creator);
    meta.markings_len = (uint32_t)draft->markings.len;
    meta.markings = build_text(builder, draft->markings);
    struct meta_record *record = (struct meta_record *)build_push(builder, SECTION_METAS, 1);
    if (record == NULL)
        return NONE;
    *record = meta;
    builder->meta_last = (uint32_t)(set->count[SECTION_METAS] - 1);
    builder->has_meta = true;
    return builder->meta_last;
}

static void id_put(struct ruleset_builder *builder, const struct rule_draft *draft,
                   struct rule_record *rule)
{
    struct uuid uuid;
    slice head = SLICE("indicator--");

    if (draft->line_number > 0) {
        rule->flags |= RULE_IS_LINE;
        memcpy(rule->id, &draft->line_number, sizeof(draft->line_number));
    } else if (slice_starts(draft->id, head) &&
               uuid_parse(slice_from(draft->id, head.len), &uuid)) {
        rule->flags |= RULE_HAS_UUID;
        memcpy(rule->id, uuid.bytes, sizeof(uuid.bytes));
    } else {
        uint32_t place[2] = {build_text(builder, draft->id), (uint32_t)draft->id.len};

        memcpy(rule->id, place, sizeof(place));
    }
}

uint32_t build_rule(struct ruleset_builder *builder, const struct rule_draft *draft, uint16_t flags,
                    uint32_t first)
{
    struct rule_record rule = {.flags = flags, .first = first};
    slice name = slice_head(draft->name, NAME_BYTES_MAX);

    id_put(builder, draft, &rule);
    rule.meta = meta_put(builder, draft);
    rule.name_len = (uint16_t)name.len;
    rule.name = name.len > 0 ? build_text(builder, name) : 0;
    if (draft->pattern.len > 0) {
        rule.flags |= RULE_HAS_PATTERN;
        rule.pattern_len = (uint32_t)draft->pattern.len;
        rule.pattern = build_text(builder, draft->pattern);
    }
    struct rule_record *record = (struct rule_record *)build_push(builder, SECTION_RULES, 1);
    if (record == NULL || builder->is_full)
        return NONE;
    *record = rule;
    return (uint32_t)(builder->set->count[SECTION_RULES] - 1);
}

bool build_value(struct ruleset_builder *builder, uint32_t path, uint16_t flags, slice value,
                 uint32_t target)
{
    struct path_record *record = &image_paths(builder->set)[path];
    uint32_t text = build_text(builder, value);
    struct value_record *out = (struct value_record *)build_push(builder, SECTION_VALUES, 1);

    if (out == NULL || builder->is_full)
        return false;
    *out = (struct value_record){.text = text,
                                 .len = (uint16_t)value.len,
                                 .path = (uint16_t)(path | flags),
                                 .target = target,
                                 .next = NONE};
    record->flags |= PATH_HAS_VALUES;
    if (flags & VALUE_SUBDOMAINS)
        record->flags |= PATH_HAS_SUBDOMAINS;
    if (flags & VALUE_NUMBER)
        record->flags |= PATH_HAS_NUMBERS;
    if (flags & VALUE_NETWORK) {
        uint8_t bits = (uint8_t)value.at[value.len - 1];

        record->flags |= PATH_HAS_NETWORKS;
        if (value.len == 5)
            record->prefixes4[0] |= (uint64_t)1 << bits;
        else
            record->prefixes6[bits / 64] |= (uint64_t)1 << bits % 64;
    }
    return true;
}

struct build_mark build_mark(const struct ruleset_builder *builder)
{
    struct build_mark mark;

    memcpy(mark.count, builder->set->count, sizeof(mark.count));
    return mark;
}

/* Paths and metas stay: caches point at them, and others may use them. */
void build_undo(struct ruleset_builder *builder, const struct build_mark *mark)
{
    static const enum section undone[] = {SECTION_RULES, SECTION_VALUES,   SECTION_PARTS,
                                          SECTION_NODES, SECTION_LITERALS, SECTION_OPENS};

    for (size_t i = 0; i < sizeof(undone) / sizeof(undone[0]); i++)
        builder->set->count[undone[i]] = mark->count[undone[i]];
}
