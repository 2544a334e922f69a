#include "stix/check.h"

#include "base/banned.h"

/* TLP's markings, the same objects for everyone.  STIX 2.1, 7.2.1.4 for TLP 1; OASIS' "TLP 2.0"
 * common object repository for the extension of TLP 2. */
#define TLP2_EXTENSION "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"

static const struct tlp {
    slice id;
    slice level;
    bool is_first; /* TLP 1 */
} tlps[] = {
    {S("marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"), S("white"), true},
    {S("marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"), S("green"), true},
    {S("marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"), S("amber"), true},
    {S("marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"), S("red"), true},
    {S("marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"), S("clear"), false},
    {S("marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"), S("green"), false},
    {S("marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"), S("amber"), false},
    {S("marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"), S("amber+strict"), false},
    {S("marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"), S("red"), false},
};

static slice string_in(struct check *c, const struct json_node *object, slice name)
{
    const struct json_node *node = json_get(c->doc, object, name);

    return node == NULL || node->kind != JSON_STRING ? SLICE_NONE : text_of(c, node);
}

/* The level a marking-definition says, and by which TLP; empty when it is no TLP marking. */
static slice level_of(struct check *c, const struct members *m, bool *is_first)
{
    const struct json_node *definition = member_of(m, SLICE("definition"));
    const struct json_node *extensions = member_of(m, SLICE("extensions"));
    const struct json_node *tlp2;

    *is_first = true;
    if (definition != NULL &&
        slice_eq(string_in(c, m->object, SLICE("definition_type")), SLICE("tlp")))
        return string_in(c, definition, SLICE("tlp"));
    *is_first = false;
    if (extensions == NULL)
        return SLICE_NONE;
    tlp2 = json_get(c->doc, extensions, SLICE(TLP2_EXTENSION));
    return tlp2 == NULL ? SLICE_NONE : string_in(c, tlp2, SLICE("tlp_2_0"));
}

static const struct tlp *tlp_of_id(slice id)
{
    for (size_t i = 0; i < sizeof(tlps) / sizeof(tlps[0]); i++) {
        if (slice_eq_nocase(tlps[i].id, id))
            return &tlps[i];
    }
    return NULL;
}

static const struct tlp *tlp_of_level(slice level, bool is_first)
{
    for (size_t i = 0; i < sizeof(tlps) / sizeof(tlps[0]); i++) {
        if (tlps[i].is_first == is_first && slice_eq(tlps[i].level, level))
            return &tlps[i];
    }
    return NULL;
}

/* Who could redefine an id that all know could make a red thing look white. */
static void check_tlp(struct check *c, const struct members *m)
{
    bool is_first;
    slice level = level_of(c, m, &is_first);
    const struct tlp *named = tlp_of_id(c->out->id_text), *meant = tlp_of_level(level, is_first);

    if (named != NULL && named != meant)
        find(c, RULE_TLP, m->object, SLICE("id"), "is that of TLP:%.*s, the content is not",
             SLICE_ARG(named->level));
    else if (named == NULL && meant != NULL)
        find(c, RULE_TLP_OTHER, m->object, SLICE("id"), "of TLP:%.*s is %.*s", SLICE_ARG(level),
             SLICE_ARG(meant->id));
}

/* STIX 2.1, 7.2.1: the form of `definition` follows from definition_type. */
void check_marking_definition(struct check *c, const struct members *m)
{
    const struct json_node *definition = member_of(m, SLICE("definition"));
    slice type = string_in(c, m->object, SLICE("definition_type"));
    bool is_tlp = slice_eq(type, SLICE("tlp")), is_statement = slice_eq(type, SLICE("statement"));

    if (definition == NULL && member_of(m, SLICE("extensions")) == NULL)
        find(c, RULE_REQUIRED_USED, m->object, SLICE("definition"),
             "is required where no extension stands for it");
    if (definition != NULL && type.len == 0)
        find(c, RULE_TOGETHER, definition, SLICE_NONE, "needs definition_type beside it");
    if (definition != NULL && expect(c, definition, JSON_OBJECT)) {
        if (is_tlp || is_statement)
            walk_later(c, definition, &shapes[is_tlp ? SHAPE_TLP_MARKING : SHAPE_STATEMENT_MARKING],
                       m->spec, false);
        else
            check_free(c, SLICE_NONE, definition);
    }
    check_tlp(c, m);
}

/* ---- selectors: STIX 2.1, 7.2.3.1 ---- */

/* "[12]" */
static bool is_step(slice part, size_t *position)
{
    return part.len > 2 && part.at[0] == '[' && part.at[part.len - 1] == ']' &&
           parse_size(slice_of(part.at + 1, part.len - 2), position);
}

static const struct json_node *nth(const struct check *c, const struct json_node *list,
                                   size_t position)
{
    for (struct json_each each = json_each(c->doc, list); json_next(&each); position--) {
        if (position == 0)
            return each.value;
    }
    return NULL;
}

/* What a selector selects; NULL for nothing.  Keys may hold no dots, so each dot ends a step. */
static const struct json_node *selected(const struct check *c, slice selector)
{
    const struct json_node *at = c->doc->nodes;
    bool more = true;

    while (more && at != NULL) {
        slice part;
        size_t position;

        more = slice_cut(selector, '.', &part, &selector);
        if (at->kind == JSON_ARRAY)
            at = is_step(part, &position) ? nth(c, at, position) : NULL;
        else
            at = json_get(c->doc, at, part);
    }
    return at;
}

void check_selector(struct check *c, const struct json_node *selector)
{
    if (!expect(c, selector, JSON_STRING))
        return;
    slice text = text_of(c, selector);
    if (text.len == 0 || selected(c, text) == NULL)
        find(c, RULE_SELECTOR, selector, SLICE_NONE, "\"%.*s\" selects nothing",
             SLICE_ARG(slice_head(text, STIX_TYPE_BYTES_MAX)));
}
