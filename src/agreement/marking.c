#include "agreement/marking.h"

#include <stdlib.h>

#include "base/banned.h"

#define X_PAP "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b"
#define X_IEP "extension-definition--762e2e97-ee51-43e5-a9ea-165fbb862c4a"
#define X_ACS "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce"
#define MARKING_PREFIX "marking-definition--"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

static bool name_find(const slice *names, size_t count, slice text, size_t *out)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_eq(names[i], text)) {
            *out = i;
            return true;
        }
    }
    return false;
}

static const slice tlp_names[] = {
    [TLP_CLEAR] = S("clear"), [TLP_GREEN] = S("green"),
    [TLP_AMBER] = S("amber"), [TLP_AMBER_STRICT] = S("amber+strict"),
    [TLP_RED] = S("red"),
};

bool tlp_parse(slice text, enum tlp *out)
{
    size_t at = 0;
    bool is_known = name_find(tlp_names, COUNT_OF(tlp_names), text, &at);

    *out = is_known ? (enum tlp)at : TLP_NONE;
    return is_known;
}

slice tlp_name(enum tlp tlp)
{
    return tlp < TLP_NONE ? tlp_names[tlp] : SLICE("none");
}

static const slice pap_names[] = {
    [PAP_CLEAR] = S("clear"),
    [PAP_GREEN] = S("green"),
    [PAP_AMBER] = S("amber"),
    [PAP_RED] = S("red"),
};

bool pap_parse(slice text, enum pap *out)
{
    size_t at = 0;
    /* PAP 1 called its lowest level white. */
    bool is_known =
        slice_eq(text, SLICE("white")) || name_find(pap_names, COUNT_OF(pap_names), text, &at);

    *out = is_known ? (enum pap)at : PAP_NONE;
    return is_known;
}

static const slice action_names[] = {
    [ACTION_NONE] = S("none"),
    [ACTION_CONTACT] = S("contact-for-instruction"),
    [ACTION_INTERNAL] = S("internally-visible-actions"),
    [ACTION_INDIRECT] = S("externally-visible-indirect-actions"),
    [ACTION_DIRECT] = S("externally-visible-direct-actions"),
};

bool action_parse(slice text, enum action *out)
{
    size_t at = 0;
    bool is_known = name_find(action_names, COUNT_OF(action_names), text, &at);

    *out = (enum action)at;
    return is_known;
}

slice action_name(enum action action)
{
    return action_names[action];
}

enum action pap_action(enum pap pap)
{
    switch (pap) {
    case PAP_RED:
        return ACTION_INTERNAL;
    case PAP_AMBER:
        return ACTION_INDIRECT;
    case PAP_GREEN:
    case PAP_CLEAR:
    case PAP_NONE:
        return ACTION_DIRECT;
    }
    return ACTION_NONE;
}

bool attribution_parse(slice text, enum attribution *out)
{
    static const slice names[] = {
        [ATTRIBUTION_MAY] = S("may"),
        [ATTRIBUTION_MUST] = S("must"),
        [ATTRIBUTION_MUST_NOT] = S("must-not"),
    };
    size_t at = 0;
    bool is_known = name_find(names, COUNT_OF(names), text, &at);

    *out = is_known ? (enum attribution)at : ATTRIBUTION_OTHER;
    return is_known;
}

/* TLP 2.0 by OASIS' common object repository; TLP 1 as STIX 2.1, 7.2.1.4 has it. */
static const struct {
    slice uuid;
    enum tlp tlp;
} tlps[] = {
    {S("94868c89-83c2-464b-929b-a1a8aa3c8487"), TLP_CLEAR},
    {S("bab4a63c-aed9-4cf5-a766-dfca5abac2bb"), TLP_GREEN},
    {S("55d920b0-5e8b-4f79-9ee9-91f868d9b421"), TLP_AMBER},
    {S("939a9414-2ddd-4d32-a0cd-375ea402b003"), TLP_AMBER_STRICT},
    {S("e828b379-4e03-4974-9ac4-e53a884c97c1"), TLP_RED},
    {S("613f2e26-407d-48c7-9eca-b8e91df99dc9"), TLP_CLEAR},
    {S("34098fce-860f-48ae-8e50-ebd3cc5e41da"), TLP_GREEN},
    {S("f88d31f6-486f-44da-b317-01333bde0b82"), TLP_AMBER},
    {S("5e57c739-391a-4eb3-b6be-7d15ca92d5ed"), TLP_RED},
};

bool tlp_of_id(slice id, enum tlp *out)
{
    slice uuid = slice_from(id, sizeof(MARKING_PREFIX) - 1);

    if (uuid.len != 36 || !slice_starts(id, SLICE(MARKING_PREFIX)))
        return false;
    for (size_t i = 0; i < COUNT_OF(tlps); i++) {
        if (uuid.at[0] == tlps[i].uuid.at[0] && slice_eq(uuid, tlps[i].uuid)) {
            *out = tlps[i].tlp;
            return true;
        }
    }
    return false;
}

/* ---- one definition ---- */

static bool pap_read(struct value part, struct marking *out)
{
    struct value pap = value_get(part, SLICE("pap"));

    return value_is_of(pap, JSON_STRING) && pap_parse(json_inner(pap.doc, pap.node), &out->pap);
}

static slice plain_text(struct value value)
{
    if (!value_is_of(value, JSON_STRING) || value.node->escaped)
        return SLICE_NONE;
    return json_inner(value.doc, value.node);
}

static bool iep_read(struct value part, struct iep *out)
{
    struct value end = value_get(part, SLICE("end_date"));
    slice tlp = plain_text(value_get(part, SLICE("tlp")));
    struct value attribution = value_get(part, SLICE("provider_attribution"));
    struct value notify = value_get(part, SLICE("affected_party_notifications"));

    if (slice_eq(tlp, SLICE("white")))
        tlp = SLICE("clear");
    out->has_end = value_truth(end);
    out->is_silent = value_is(notify, SLICE("must-not"));
    (void)attribution_parse(plain_text(attribution), &out->attribution);
    return tlp_parse(tlp, &out->tlp) &&
           value_date(value_get(part, SLICE("start_date")), &out->start_us) &&
           (!out->has_end || value_date(end, &out->end_us)) &&
           action_parse(plain_text(value_get(part, SLICE("permitted_actions"))), &out->permitted) &&
           value_is_of(attribution, JSON_STRING) && value_is_of(notify, JSON_STRING);
}

static bool denied_read(struct value rules, struct arena *arena, struct texts *out)
{
    size_t count = 0;

    if (!value_is_there(rules))
        return true;
    if (rules.node->kind != JSON_ARRAY)
        return false;
    /* Every scope costs a node at least, so the list's size bounds their number. */
    slice *denied = arena_new(arena, slice, rules.node->size);
    for (struct json_each each = json_each(rules.doc, rules.node); json_next(&each);) {
        struct value rule = {rules.doc, each.value};
        struct texts scopes;

        if (denied == NULL || !value_is_of(value_get(rule, SLICE("rule_effect")), JSON_STRING))
            return false;
        if (!value_is(value_get(rule, SLICE("rule_effect")), SLICE("deny")))
            continue;
        if (!value_is_of(value_get(rule, SLICE("sharing_scope")), JSON_ARRAY) ||
            !value_texts(value_get(rule, SLICE("sharing_scope")), arena, &scopes))
            return false;
        for (size_t i = 0; i < scopes.count; i++)
            denied[count++] = scopes.at[i];
    }
    *out = (struct texts){denied, count};
    return true;
}

static bool acs_read(struct value part, struct arena *arena, struct acs *out)
{
    struct value set = value_get(part, SLICE("control_set"));
    struct value nations = value_get(set, SLICE("permitted_nationalities"));
    struct value level = value_get(set, SLICE("classification"));

    if (value_is_there(set) && set.node->kind != JSON_OBJECT)
        return false;
    out->has_nationalities = value_is_there(nations);
    out->is_classified = value_is_there(level) && !value_is(level, SLICE("U"));
    return value_texts(nations, arena, &out->nationalities) &&
           denied_read(value_get(part, SLICE("further_sharing")), arena, &out->denied);
}

void marking_read(struct value definition, struct arena *arena, struct marking *out)
{
    struct value extensions = value_get(definition, SLICE("extensions"));
    struct value pap = value_get(extensions, SLICE(X_PAP));
    struct value iep = value_get(extensions, SLICE(X_IEP));
    struct value acs = value_get(extensions, SLICE(X_ACS));

    *out = (struct marking){.pap = PAP_NONE};
    out->is_chatham = value_is_there(value_get(definition, SLICE("x_entente_chr")));
    out->has_iep = value_is_there(iep);
    out->has_acs = value_is_there(acs);
    out->is_unknown =
        !value_is_there(pap) && !out->has_iep && !out->has_acs && !out->is_chatham &&
        !value_is(value_get(definition, SLICE("definition_type")), SLICE("statement"));
    (void)value_text(value_get(definition, SLICE("id")), arena, &out->id);
    out->is_broken = !value_is_of(definition, JSON_OBJECT) || value_repeats(definition) ||
                     (value_is_there(extensions) && extensions.node->kind != JSON_OBJECT) ||
                     (value_is_there(pap) && !pap_read(pap, out)) ||
                     (out->has_iep && !iep_read(iep, &out->iep)) ||
                     (out->has_acs && !acs_read(acs, arena, &out->acs));
}

/* ---- many definitions ---- */

static int marking_cmp(const void *a, const void *b)
{
    return slice_cmp(((const struct marking *)a)->id, ((const struct marking *)b)->id);
}

void marking_sort(struct marking *items, size_t count)
{
    if (count > 1)
        qsort(items, count, sizeof(*items), marking_cmp);
}

const struct marking *marking_find(const struct markings *markings, slice id)
{
    for (; markings != NULL; markings = markings->behind) {
        size_t low = 0, high = markings->count;

        while (low < high) {
            size_t middle = low + (high - low) / 2;
            int order = slice_cmp(id, markings->items[middle].id);

            if (order == 0)
                return &markings->items[middle];
            if (order < 0)
                high = middle;
            else
                low = middle + 1;
        }
    }
    return NULL;
}

static void tlp_raise(struct restraint *restraint, enum tlp tlp)
{
    if (restraint->tlp == TLP_NONE || tlp > restraint->tlp)
        restraint->tlp = tlp;
}

enum restraint_outcome restraint_add(struct restraint *restraint, const struct markings *markings,
                                     slice id)
{
    enum tlp tlp = TLP_NONE;

    if (tlp_of_id(id, &tlp)) {
        tlp_raise(restraint, tlp);
        return RESTRAINT_OK;
    }
    const struct marking *marking = marking_find(markings, id);
    if (marking == NULL || marking->is_unknown)
        return marking != NULL && marking->is_broken ? RESTRAINT_BROKEN : RESTRAINT_UNKNOWN;
    if (marking->is_broken)
        return RESTRAINT_BROKEN;
    restraint->is_chatham |= marking->is_chatham;
    if (marking->pap != PAP_NONE && (restraint->pap == PAP_NONE || marking->pap > restraint->pap))
        restraint->pap = marking->pap;
    if (!marking->has_iep && !marking->has_acs)
        return RESTRAINT_OK;
    if (restraint->part_count == RESTRAINT_PARTS_MAX)
        return RESTRAINT_BROKEN;
    restraint->parts[restraint->part_count++] = marking;
    if (marking->has_iep)
        tlp_raise(restraint, marking->iep.tlp);
    return RESTRAINT_OK;
}
