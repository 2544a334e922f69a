#include "stix/check.h"
#include "stix/pattern.h"

#include "base/banned.h"

static bool head_string(struct check *c, enum rule rule, slice name, const struct json_node **node,
                        slice *out)
{
    const struct json_node *root = c->doc->nodes;

    *node = json_get(c->doc, root, name);
    if (*node == NULL)
        find(c, rule, root, name, "is required");
    else if ((*node)->kind != JSON_STRING)
        find(c, rule, *node, SLICE_NONE, "must be a string, not %s", kind_words((*node)->kind));
    else
        *out = text_of(c, *node);
    return *node != NULL && (*node)->kind == JSON_STRING;
}

static void check_id(struct check *c, slice type)
{
    struct stix_object *out = c->out;
    const struct json_node *node;

    if (!head_string(c, RULE_ID, SLICE("id"), &node, &out->id_text))
        return;
    if (!stix_id_parse(out->id_text, &out->id)) {
        find(c, RULE_ID, node, SLICE_NONE, "\"%.*s\" is no id of the form type--UUID",
             SLICE_ARG(slice_head(out->id_text, STIX_ID_BYTES_MAX)));
        return;
    }
    if (type.len > 0 && !slice_eq(out->id.type, type))
        find(c, RULE_ID_TYPE, node, SLICE_NONE, "is of type %.*s, the object of type %.*s",
             SLICE_ARG(out->id.type), SLICE_ARG(type));
}

/* Which version of STIX speaks.  Without spec_version it is 2.0, but for what only 2.1 has: its new
 * types, and observables as objects of their own. */
static void check_spec_version(struct check *c)
{
    const struct json_node *node = json_get(c->doc, c->doc->nodes, SLICE("spec_version"));
    bool is_new = c->shape->class == STIX_SCO || (c->shape->when & IN_20) == 0;

    c->spec = is_new ? STIX_21 : STIX_20;
    if (node == NULL)
        return;
    if (node->kind != JSON_STRING) {
        find(c, RULE_KIND, node, SLICE_NONE, "must be a string, not %s", kind_words(node->kind));
        return;
    }
    slice text = text_of(c, node);
    if (!slice_eq(text, SLICE("2.0")))
        c->spec = STIX_21;
    if (slice_eq(text, SLICE("2.1")))
        return;
    if (!slice_eq(text, SLICE("2.0")))
        find(c, RULE_SPEC_VERSION, node, SLICE_NONE, "\"%.*s\" is neither 2.0 nor 2.1",
             SLICE_ARG(slice_head(text, STIX_TYPE_BYTES_MAX)));
    else if (is_new)
        find(c, RULE_SPEC_VERSION, node, SLICE_NONE, "STIX 2.0 has no %.*s objects of their own",
             SLICE_ARG(c->shape->name));
}

static void check_custom_type(struct check *c, slice type)
{
    const struct json_node *extensions = json_get(c->doc, c->doc->nodes, SLICE("extensions"));

    if (!slice_starts(type, SLICE("x-")) && extensions == NULL)
        find(c, RULE_CUSTOM_TYPE, c->doc->nodes, SLICE("type"),
             "%.*s is no type of STIX; such types start with x- or come with an extension",
             SLICE_ARG(type));
}

/* Type, id and version: what decides how the rest is read. */
static void check_head(struct check *c)
{
    const struct json_node *node;
    slice type = SLICE_NONE;

    if (head_string(c, RULE_TYPE, SLICE("type"), &node, &type) && !stix_type_valid(type)) {
        find(c, RULE_TYPE, node, SLICE_NONE, "\"%.*s\" is no lawful name of a type",
             SLICE_ARG(slice_head(type, STIX_TYPE_BYTES_MAX)));
        type = SLICE_NONE;
    }
    c->shape = schema_type(type);
    c->out->class = c->shape == NULL ? STIX_CUSTOM : c->shape->class;
    if (c->shape == NULL) {
        c->shape = &shapes[SHAPE_CUSTOM];
        if (type.len > 0)
            check_custom_type(c, type);
    }
    check_spec_version(c);
    c->out->spec = c->spec;
    check_id(c, type);
    if (c->spec == STIX_20 && c->out->id.type.len > 0 && uuid_version(&c->out->id.uuid) != 4)
        find(c, RULE_ID_VERSION, c->doc->nodes, SLICE("id"),
             "STIX 2.0 asks for a UUID of version 4");
}

static void check_pattern(struct check *c)
{
    struct stix_object *out = c->out;
    struct pattern_error error;
    struct pattern pattern;
    struct diag diag;

    diag_reset(&diag);
    if (c->spec == STIX_20 && out->pattern_type.len == 0)
        out->pattern_type = SLICE("stix"); /* 2.0 has no other */
    if (out->pattern.at == NULL || !slice_eq(out->pattern_type, SLICE("stix")))
        return;
    result parsed = pattern_parse(out->pattern, c->spec, c->arena, &pattern, &error, &diag);
    if (succeeded(parsed))
        parsed = pattern_values(&pattern, c->arena, &out->values, &out->value_count);
    if (failed(parsed) && !c->arena->overflowed)
        find(c, RULE_PATTERN, NULL, SLICE("pattern"), "%s", diag.text);
}

static void settle_version(struct check *c)
{
    struct stix_object *out = c->out;

    out->has_version = out->has_modified || out->has_created;
    out->version = out->has_modified ? out->modified : out->created;
    if (out->has_modified && out->has_created && timestamp_cmp(&out->modified, &out->created) < 0)
        find(c, RULE_ORDER, NULL, SLICE("modified"), "is before created");
}

static void check_root(struct check *c)
{
    const struct json_node *root = c->doc->nodes;

    if (root->kind != JSON_OBJECT) {
        find(c, RULE_OBJECT, NULL, SLICE_NONE, "must be an object, not %s", kind_words(root->kind));
        return;
    }
    check_head(c);
    if (c->shape->id == SHAPE_BUNDLE) {
        find(c, RULE_OBJECT, NULL, SLICE_NONE, "is a bundle, which holds objects and is none");
        return;
    }
    walk(c, root, c->shape, c->spec);
    settle_version(c);
    if (c->shape->id == SHAPE_INDICATOR)
        check_pattern(c);
    if (c->out->class == STIX_SCO)
        check_sco_id(c, root);
    gather_finish(c);
}

static result settle(struct check *c)
{
    if (c->arena->overflowed)
        return diag_fail(c->diag, ERR_LIMIT, "the object takes more than %zu bytes to check",
                         c->arena->budget_bytes);
    return c->findings->refused ? FAIL(ERR_INVALID) : OK;
}

static void check_init(struct check *c)
{
    schema_start();
    *c->out = (struct stix_object){.doc = c->doc};
    c->findings->count = c->findings->more = 0;
    c->findings->refused = false;
}

result stix_check(const struct json_doc *doc, enum stix_mode mode, struct arena *arena,
                  struct stix_object *out, struct stix_findings *findings, struct diag *diag)
{
    struct check c = {
        .doc = doc, .mode = mode, .arena = arena, .out = out, .findings = findings, .diag = diag};

    check_init(&c);
    check_root(&c);
    return settle(&c);
}

/* STIX 2.1, 8; STIX 2.0, part 1, 5. */
static void check_envelope(struct check *c)
{
    const struct json_node *node, *root = c->doc->nodes;
    slice type = SLICE_NONE;

    if (root->kind != JSON_OBJECT) {
        find(c, RULE_OBJECT, NULL, SLICE_NONE, "must be an object, not %s", kind_words(root->kind));
        return;
    }
    if (head_string(c, RULE_TYPE, SLICE("type"), &node, &type) && !slice_eq(type, SLICE("bundle")))
        find(c, RULE_TYPE, node, SLICE_NONE, "is not bundle");
    check_id(c, type);
    walk(c, root, &shapes[SHAPE_BUNDLE], STIX_21);
}

result stix_check_bundle(const struct json_doc *doc, enum stix_mode mode, struct arena *arena,
                         struct stix_findings *findings, struct diag *diag)
{
    struct stix_object out;
    struct check c = {
        .doc = doc, .mode = mode, .arena = arena, .out = &out, .findings = findings, .diag = diag};

    check_init(&c);
    check_envelope(&c);
    return settle(&c);
}

bool stix_mode_parse(slice text, enum stix_mode *out)
{
    static const slice names[] = {
        [STIX_STRICT] = S("strict"), [STIX_NORMAL] = S("normal"), [STIX_LENIENT] = S("lenient")};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (slice_eq(text, names[i])) {
            *out = (enum stix_mode)i;
            return true;
        }
    }
    return false;
}
