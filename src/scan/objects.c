/* Indicators out of STIX objects. */
#include "scan/build.h"

#include "match/regex.h"

#include "base/banned.h"

struct reading {
    const struct json_doc *doc;
    struct arena *arena;
    struct rule_draft draft;
    slice pattern, pattern_type;
    int64_t modified_us;
    bool is_revoked;
};

static int64_t time_of(slice text, int64_t otherwise)
{
    struct timestamp time;

    return timestamp_parse(text, &time) ? time.us : otherwise;
}

/* TLP 1 and 2, by their published ids. */
static enum rule_tlp tlp_of(slice id)
{
    static const struct {
        slice id;
        enum rule_tlp tlp;
    } known[] = {
        {S("613f2e26-407d-48c7-9eca-b8e91df99dc9"), RULE_TLP_CLEAR},
        {S("34098fce-860f-48ae-8e50-ebd3cc5e41da"), RULE_TLP_GREEN},
        {S("f88d31f6-486f-44da-b317-01333bde0b82"), RULE_TLP_AMBER},
        {S("5e57c739-391a-4eb3-b6be-7d15ca92d5ed"), RULE_TLP_RED},
        {S("94868c89-83c2-464b-929b-a1a8aa3c8487"), RULE_TLP_CLEAR},
        {S("bab4a63c-aed9-4cf5-a766-dfca5abac2bb"), RULE_TLP_GREEN},
        {S("55d920b0-5e8b-4f79-9ee9-91f868d9b421"), RULE_TLP_AMBER},
        {S("939a9414-2ddd-4d32-a0cd-375ea402b003"), RULE_TLP_AMBER_STRICT},
        {S("e828b379-4e03-4974-9ac4-e53a884c97c1"), RULE_TLP_RED},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (slice_ends(id, known[i].id))
            return known[i].tlp;
    return RULE_TLP_NONE;
}

/* Ids with "," between, and the strictest TLP of them. */
static void markings_read(struct reading *reading, const struct json_node *list)
{
    struct rule_draft *draft = &reading->draft;

    for (struct json_each each = json_each(reading->doc, list); json_next(&each);) {
        slice id = json_string(reading->doc, each.value, reading->arena);
        enum rule_tlp tlp = tlp_of(id);

        if (id.at == NULL)
            continue;
        draft->meta.tlp = tlp > (enum rule_tlp)draft->meta.tlp ? tlp : draft->meta.tlp;
        draft->markings = draft->markings.len == 0
                              ? id
                              : arena_printf(reading->arena, "%.*s,%.*s",
                                             SLICE_ARG(draft->markings), SLICE_ARG(id));
    }
}

static void member_read(struct reading *reading, slice key, const struct json_node *value)
{
    struct rule_draft *draft = &reading->draft;
    slice text =
        value->kind == JSON_STRING ? json_string(reading->doc, value, reading->arena) : SLICE_NONE;
    int64_t number;

    if (slice_eq(key, SLICE("id")))
        draft->id = text;
    else if (slice_eq(key, SLICE("name")))
        draft->name = text;
    else if (slice_eq(key, SLICE("pattern")))
        reading->pattern = text;
    else if (slice_eq(key, SLICE("pattern_type")))
        reading->pattern_type = text;
    else if (slice_eq(key, SLICE("created_by_ref")))
        draft->creator = text;
    else if (slice_eq(key, SLICE("modified")))
        reading->modified_us = time_of(text, INT64_MIN);
    else if (slice_eq(key, SLICE("valid_from")))
        draft->meta.valid_from_us = time_of(text, INT64_MIN);
    else if (slice_eq(key, SLICE("valid_until")))
        draft->meta.valid_until_us = time_of(text, INT64_MAX);
    else if (slice_eq(key, SLICE("revoked")))
        reading->is_revoked = value->kind == JSON_TRUE;
    else if (slice_eq(key, SLICE("confidence")) && json_i64(reading->doc, value, &number) &&
             number >= 0 && number <= 100)
        draft->meta.confidence = (int32_t)number;
    else if (slice_eq(key, SLICE("object_marking_refs")))
        markings_read(reading, value);
}

static enum rules_reason type_reason(slice type)
{
    if (type.len == 0 || slice_eq_nocase(type, SLICE("stix")) ||
        slice_eq_nocase(type, SLICE("pcre")))
        return RULES_RUN;
    if (slice_eq_nocase(type, SLICE("sigma")))
        return RULES_SIGMA;
    if (slice_eq_nocase(type, SLICE("yara")))
        return RULES_YARA;
    if (slice_eq_nocase(type, SLICE("snort")))
        return RULES_SNORT;
    return slice_eq_nocase(type, SLICE("suricata")) ? RULES_SURICATA : RULES_OTHER_TYPE;
}

/* Everything that can be told without looking at the pattern. */
static enum rules_reason reason_of(const struct ruleset_builder *builder,
                                   const struct reading *reading)
{
    const struct rules_choice *choice = &builder->choice;
    const struct meta_record *meta = &reading->draft.meta;
    enum rules_reason type = type_reason(reading->pattern_type);

    if (reading->is_revoked)
        return RULES_REVOKED;
    if (!choice->keep_expired && meta->valid_until_us <= choice->now_us)
        return RULES_EXPIRED;
    if (choice->confidence_least > 0 && meta->confidence < choice->confidence_least)
        return RULES_FILTERED;
    if (choice->tlp_most != RULE_TLP_NONE && meta->tlp > choice->tlp_most)
        return RULES_FILTERED;
    return type;
}

static result pattern_take(struct ruleset_builder *builder, const struct reading *reading,
                           enum rules_reason *reason, struct diag *why, struct diag *diag)
{
    struct rule_draft draft = reading->draft;
    struct pattern pattern;
    result r;

    if (slice_eq_nocase(reading->pattern_type, SLICE("pcre"))) {
        draft.pattern = reading->pattern;
        r = compile_pcre(builder, &draft, reading->pattern, why);
        *reason = failed(r) ? RULES_WRONG : RULES_RUN;
        return builder->is_full ? diag_fail(diag, ERR_LIMIT, "%s", why->text) : OK;
    }
    if (compile_plain(builder, &draft, reading->pattern, reason))
        return OK;
    draft.pattern = reading->pattern;
    /* What an older edition allowed besides is taken as well. */
    if (failed(pattern_parse(reading->pattern, STIX_21, &builder->arena, &pattern, NULL, why)) &&
        failed(pattern_parse(reading->pattern, STIX_20, &builder->arena, &pattern, NULL, NULL))) {
        *reason = why->code == ERR_LIMIT ? RULES_LIMIT : RULES_WRONG;
        return OK;
    }
    if (failed(regex_check(&pattern, NULL, why))) {
        *reason = RULES_WRONG;
        return OK;
    }
    return compile_pattern(builder, &draft, &pattern, reason, diag);
}

/* Is there one with this id that was modified later, or as late?  If not, what there is goes. */
static bool is_older(struct ruleset_builder *builder, struct version *version,
                     const struct reading *reading)
{
    if (!version->is_held)
        return false;
    if (version->modified_us >= reading->modified_us)
        return true;
    if (version->rule != NONE) {
        image_rules(builder->set)[version->rule].flags |= RULE_IS_DEAD;
        builder->versions->dead_count++;
        builder->counts.of[RULES_RUN]--;
        builder->counts.of[RULES_REPEATED]++;
        version->rule = NONE;
    }
    return false;
}

static void reading_fill(struct reading *reading)
{
    reading->draft.meta = (struct meta_record){
        .confidence = -1, .valid_from_us = INT64_MIN, .valid_until_us = INT64_MAX};
    reading->modified_us = INT64_MIN;
    for (struct json_each each = json_each(reading->doc, reading->doc->nodes); json_next(&each);)
        member_read(reading, json_inner(reading->doc, each.key), each.value);
}

result object_take(struct ruleset_builder *builder, slice source, const struct json_doc *doc,
                   const char *place, struct diag *diag)
{
    struct reading reading = {.doc = doc, .arena = &builder->arena, .draft.source = source};
    enum rules_reason reason;
    struct diag why = {0};

    if (!json_is(doc, json_get(doc, doc->nodes, SLICE("type")), SLICE("indicator")))
        return OK;
    arena_reset(&builder->arena);
    reading_fill(&reading);
    builder->counts.taken++;
    struct version *version = versions_find(builder->versions, reading.draft.id);
    if (version == NULL || builder->arena.overflowed)
        return diag_fail(diag, ERR_LIMIT, "the rules take more memory than there is");
    if (is_older(builder, version, &reading)) {
        build_report(builder, source, place, RULES_REPEATED, "");
        return OK;
    }
    version->is_held = true;
    version->modified_us = reading.modified_us;
    reason = reason_of(builder, &reading);
    if (reason == RULES_RUN && reading.pattern.at == NULL)
        reason = RULES_WRONG;
    else if (reason == RULES_RUN)
        TRY(pattern_take(builder, &reading, &reason, &why, diag));
    if (reason == RULES_RUN)
        version->rule = (uint32_t)(builder->set->count[SECTION_RULES] - 1);
    build_report(builder, source, place, reason,
                 why.text[0] != '\0'          ? why.text
                 : reading.pattern.at == NULL ? "no pattern"
                                              : "");
    return OK;
}
