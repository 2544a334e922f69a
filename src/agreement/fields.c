#include "agreement/fields.h"

#include <stddef.h>

#include "base/banned.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
    slice key;
    size_t at; /* of a struct value in struct fields */
} known[] = {
    {S("modified"), offsetof(struct fields, modified)},
    {S("revoked"), offsetof(struct fields, revoked)},
    {S("object_marking_refs"), offsetof(struct fields, markings)},
    {S("granular_markings"), offsetof(struct fields, granular)},
    {S("extensions"), offsetof(struct fields, extensions)},
    {S("x_entente_embargo_until"), offsetof(struct fields, embargo)},
    {S("valid_until"), offsetof(struct fields, valid_until)},
    {S("lang"), offsetof(struct fields, lang)},
    {S("created_by_ref"), offsetof(struct fields, created_by)},
    {S("external_references"), offsetof(struct fields, external)},
    {S("x_entente_named_recipients"), offsetof(struct fields, named)},
    {S("x_hop"), offsetof(struct fields, hop)},
};

static bool is_ref(slice key)
{
    return slice_ends(key, SLICE("_ref")) || slice_ends(key, SLICE("_refs"));
}

static void field_take(struct fields *out, slice key, struct value value, struct arena *arena)
{
    if (slice_eq(key, SLICE("type"))) {
        (void)value_text(value, arena, &out->type);
        return;
    }
    if (slice_eq(key, SLICE("id"))) {
        (void)value_text(value, arena, &out->id);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (slice_eq(key, known[i].key)) {
            memcpy((char *)out + known[i].at, &value, sizeof(value));
            return;
        }
    }
    out->has_refs |= is_ref(key);
}

bool fields_read(struct value object, struct arena *arena, struct fields *out)
{
    *out = (struct fields){.object = object};
    if (!value_is_of(object, JSON_OBJECT) || value_repeats(object))
        return false;
    for (struct json_each each = json_each(object.doc, object.node); json_next(&each);) {
        slice key = json_string(object.doc, each.key, arena);

        if (key.at == NULL)
            return false;
        field_take(out, key, (struct value){object.doc, each.value}, arena);
    }
    return true;
}

/* ---- what an object of a type cannot be without ---- */

#define REQUIRED_MAX 4

static const struct {
    slice type;
    slice properties[REQUIRED_MAX];
} required[] = {
    {S("indicator"), {S("pattern"), S("pattern_type"), S("valid_from")}},
    {S("sighting"), {S("sighting_of_ref")}},
    {S("relationship"), {S("relationship_type"), S("source_ref"), S("target_ref")}},
    {S("report"), {S("name"), S("published"), S("object_refs")}},
    {S("note"), {S("content"), S("object_refs")}},
    {S("observed-data"),
     {S("first_observed"), S("last_observed"), S("number_observed"), S("object_refs")}},
    {S("malware"), {S("is_family")}},
    {S("identity"), {S("name")}},
    {S("ipv4-addr"), {S("value")}},
    {S("domain-name"), {S("value")}},
    {S("incident"), {S("name")}},
    {S("threat-actor"), {S("name")}},
    {S("grouping"), {S("context"), S("object_refs")}},
    {S("opinion"), {S("opinion"), S("object_refs")}},
    {S("campaign"), {S("name")}},
    {S("vulnerability"), {S("name")}},
    {S("language-content"), {S("object_ref"), S("contents")}},
};

bool property_is_required(slice type, slice property)
{
    for (size_t i = 0; i < COUNT_OF(required); i++) {
        if (!slice_eq(required[i].type, type))
            continue;
        for (size_t j = 0; j < REQUIRED_MAX; j++)
            if (required[i].properties[j].len > 0 && slice_eq(required[i].properties[j], property))
                return true;
    }
    return false;
}

bool property_is_common(slice property)
{
    static const slice common[] = {S("type"), S("spec_version"), S("id"), S("created"),
                                   S("modified")};

    for (size_t i = 0; i < COUNT_OF(common); i++)
        if (slice_eq(common[i], property))
            return true;
    return false;
}

/* ---- selectors (STIX 2.1, 7.2.3.1) ---- */

slice selector_root(slice selector)
{
    slice root, rest;

    (void)slice_cut(selector, '.', &root, &rest);
    return root;
}

static struct value step(struct value at, slice part)
{
    size_t index;

    if (!slice_starts(part, SLICE("[")))
        return value_get(at, part);
    if (!value_is_of(at, JSON_ARRAY) || !slice_ends(part, SLICE("]")) ||
        !parse_size(slice_of(part.at + 1, part.len - 2), &index))
        return VALUE_NONE;
    for (struct json_each each = json_each(at.doc, at.node); json_next(&each); index--)
        if (index == 0)
            return (struct value){at.doc, each.value};
    return VALUE_NONE;
}

bool selector_finds(struct value object, slice selector)
{
    slice part, rest = selector;
    bool more = true;

    while (more && value_is_there(object)) {
        more = slice_cut(rest, '.', &part, &rest);
        object = step(object, part);
    }
    return value_is_there(object);
}
