#include "stix/check.h"
#include "stix/pattern.h"

#include "base/banned.h"

#define NUMBER_BYTES_SHOWN 32

/* An object and the shape it is held against. */
struct task {
    const struct json_node *object;
    const struct shape *shape;
    struct task *next;
    enum stix_spec spec;
    bool is_contained;
};

slice text_of(struct check *c, const struct json_node *node)
{
    return node->escaped ? json_string(c->doc, node, c->arena) : json_inner(c->doc, node);
}

static const char *kind_words(enum json_kind kind)
{
    switch (kind) {
    case JSON_NULL:
        return "null";
    case JSON_FALSE:
    case JSON_TRUE:
        return "a boolean";
    case JSON_NUMBER:
        return "a number";
    case JSON_STRING:
        return "a string";
    case JSON_ARRAY:
        return "a list";
    case JSON_OBJECT:
        return "an object";
    }
    return "something else";
}

bool expect(struct check *c, const struct json_node *node, enum json_kind kind)
{
    if (node->kind == kind)
        return true;
    if (node->kind == JSON_NULL)
        find(c, RULE_NULL, node, SLICE_NONE, "is null; leave it out instead");
    else
        find(c, RULE_KIND, node, SLICE_NONE, "must be %s, not %s", kind_words(kind),
             kind_words(node->kind));
    return false;
}

const struct json_node *member_of(const struct members *m, slice name)
{
    int index = schema_property(m->shape, m->spec, name);

    return index >= 0 && (m->seen >> index & 1) != 0 ? m->at[index] : NULL;
}

void walk_later(struct check *c, const struct json_node *object, const struct shape *shape,
                enum stix_spec spec, bool is_contained)
{
    struct task *task = arena_new(c->arena, struct task, 1);

    if (task == NULL)
        return;
    *task = (struct task){object, shape, NULL, spec, is_contained};
    if (c->last == NULL)
        c->first = task;
    else
        c->last->next = task;
    c->last = task;
}

/* ---- one value ---- */

static void out_of_range(struct check *c, const struct property *p, const struct json_node *node)
{
    slice number = slice_head(json_raw(c->doc, node), NUMBER_BYTES_SHOWN);

    if (p->most < INTEGER_MAX)
        find(c, RULE_RANGE, node, SLICE_NONE, "is %.*s, not from %lld to %lld", SLICE_ARG(number),
             (long long)p->least, (long long)p->most);
    else if (p->least == 0 && number.at[0] == '-')
        find(c, RULE_RANGE, node, SLICE_NONE, "is %.*s, must not be negative", SLICE_ARG(number));
    else
        find(c, RULE_RANGE, node, SLICE_NONE, "is %.*s, takes more than 53 bits",
             SLICE_ARG(number));
}

static bool is_whole(slice number)
{
    return memchr(number.at, '.', number.len) == NULL &&
           memchr(number.at, 'e', number.len) == NULL && memchr(number.at, 'E', number.len) == NULL;
}

static void check_integer(struct check *c, const struct property *p, const struct json_node *node)
{
    int64_t value;

    if (!expect(c, node, JSON_NUMBER))
        return;
    if (!is_whole(json_raw(c->doc, node)))
        find(c, RULE_KIND, node, SLICE_NONE, "must be an integer");
    else if (!json_i64(c->doc, node, &value) || value < p->least || value > p->most)
        out_of_range(c, p, node);
}

static void check_float(struct check *c, const struct property *p, const struct json_node *node)
{
    double value;

    if (!expect(c, node, JSON_NUMBER))
        return;
    if (!json_double(c->doc, node, &value))
        find(c, RULE_KIND, node, SLICE_NONE, "is no number a double holds");
    else if (p->has_range &&
             (value < (double)p->least || (p->most < INTEGER_MAX && value > (double)p->most)))
        out_of_range(c, p, node);
}

/* STIX 2.1, 3.2: at least milliseconds; 2.0, part 1, 3.1: milliseconds. */
static void check_precision(struct check *c, enum stix_spec spec, const struct json_node *node,
                            const struct timestamp *time)
{
    if (spec == STIX_20 ? time->fraction != 3 : time->fraction < 3)
        find(c, RULE_PRECISION, node, SLICE_NONE, "needs %sthree digits behind the seconds",
             spec == STIX_20 ? "" : "at least ");
}

static void check_timestamp(struct check *c, const struct members *m, const struct property *p,
                            const struct json_node *node)
{
    struct timestamp time;

    if (!expect(c, node, JSON_STRING))
        return;
    if (!timestamp_parse(text_of(c, node), &time)) {
        find(c, (p->when & USED) != 0 ? RULE_TIMESTAMP_USED : RULE_TIMESTAMP, node, SLICE_NONE,
             "\"%.*s\" is no timestamp such as 2026-01-31T23:59:59.000Z",
             SLICE_ARG(slice_head(text_of(c, node), TIMESTAMP_TEXT_BYTES_MAX)));
        return;
    }
    if (p->use == USE_CREATED) {
        c->out->created = time;
        c->out->has_created = true;
        check_precision(c, m->spec, node, &time);
    } else if (p->use == USE_MODIFIED) {
        c->out->modified = time;
        c->out->has_modified = true;
        check_precision(c, m->spec, node, &time);
    }
}

static void check_ref(struct check *c, const struct members *m, const struct property *p,
                      const struct json_node *node)
{
    bool is_marking = p->use == USE_MARKING;
    struct stix_id id;

    if (m->is_contained && !is_marking) {
        check_local_ref(c, node);
        return;
    }
    if (!expect(c, node, JSON_STRING))
        return;
    slice text = text_of(c, node);
    if (!stix_id_parse(text, &id)) {
        find(c, is_marking ? RULE_MARKING : RULE_REFERENCE, node, SLICE_NONE,
             "\"%.*s\" is no id of the form type--UUID",
             SLICE_ARG(slice_head(text, STIX_ID_BYTES_MAX)));
        return;
    }
    if (!targets_allow(p->targets, id.type))
        find(c, is_marking ? RULE_MARKING : RULE_REFERENCE_TYPE, node, SLICE_NONE,
             "refers to type %.*s, must refer to %s", SLICE_ARG(id.type), p->targets->words);
    if (is_marking && slice_eq(text, c->out->id_text))
        find(c, RULE_MARKING_SELF, node, SLICE_NONE, "a marking cannot mark itself");
    if (p->use == USE_CREATOR)
        c->out->created_by = text;
    gather_ref(c, m->object == c->doc->nodes ? p->name : path_of(c, node, false), &id);
}

/* What the program keeps of a string. */
static void keep(struct check *c, const struct members *m, const struct property *p, slice text)
{
    bool is_root = m->object == c->doc->nodes;

    switch ((enum property_use)p->use) {
    case USE_NAME:
        if (is_root)
            c->out->name = text;
        gather_text(c, text);
        break;
    case USE_DESCRIPTION:
        if (is_root)
            c->out->description = text;
        gather_text(c, text);
        break;
    case USE_TEXT:
        gather_text(c, text);
        break;
    case USE_LABEL:
        gather_label(c, text);
        break;
    case USE_VALUE:
        gather_value(c, schema_path(m->shape, p), text);
        break;
    case USE_PATTERN:
        c->out->pattern = text;
        break;
    case USE_PATTERN_TYPE:
        c->out->pattern_type = text;
        break;
    case USE_NONE:
    case USE_CREATOR:
    case USE_CREATED:
    case USE_MODIFIED:
    case USE_REVOKED:
    case USE_MARKING:
        break;
    }
}

static void check_string(struct check *c, const struct members *m, const struct property *p,
                         const struct json_node *node)
{
    if (!expect(c, node, JSON_STRING))
        return;
    if (p->syntax == SYNTAX_NONE && p->use == USE_NONE)
        return;
    slice text = text_of(c, node);
    if (!syntax_holds(p->syntax, text))
        find(c, syntax_rule(p->syntax), node, SLICE_NONE, "must be %s", syntax_words(p->syntax));
    keep(c, m, p, text);
}

static void check_term(struct check *c, const struct members *m, const struct property *p,
                       const struct json_node *node)
{
    if (!expect(c, node, JSON_STRING))
        return;
    slice text = text_of(c, node);
    if (!vocab_has(p->vocab, text))
        find(c, p->kind == KIND_ENUM ? RULE_ENUMERATION : RULE_VOCABULARY, node, SLICE_NONE,
             "\"%.*s\" is not in %s", SLICE_ARG(slice_head(text, STIX_TYPE_BYTES_MAX)),
             p->vocab->name);
    keep(c, m, p, text);
}

static void check_boolean(struct check *c, const struct property *p, const struct json_node *node)
{
    if (node->kind != JSON_TRUE && !expect(c, node, JSON_FALSE))
        return;
    if (p->use == USE_REVOKED)
        c->out->is_revoked = node->kind == JSON_TRUE;
}

static void check_number_value(struct check *c, const struct members *m, const struct property *p,
                               const struct json_node *node)
{
    check_integer(c, p, node);
    if (p->use == USE_VALUE && node->kind == JSON_NUMBER)
        gather_value(c, schema_path(m->shape, p), json_raw(c->doc, node));
}

static void check_part(struct check *c, const struct members *m, const struct property *p,
                       const struct json_node *node)
{
    if (!expect(c, node, JSON_OBJECT))
        return;
    if (node->size == 1)
        find(c, RULE_EMPTY, node, SLICE_NONE, "is an empty object; leave it out instead");
    walk_later(c, node, &shapes[p->shape], m->spec, m->is_contained);
}

static void check_value(struct check *c, const struct members *m, const struct property *p,
                        const struct json_node *node)
{
    switch ((enum property_kind)p->kind) {
    case KIND_TYPE:
    case KIND_SPEC_VERSION:
    case KIND_ANY:
        break; /* looked at elsewhere */
    case KIND_ID:
        if (m->is_contained)
            (void)expect(c, node, JSON_STRING);
        break;
    case KIND_STRING:
        check_string(c, m, p, node);
        break;
    case KIND_INTEGER:
        check_number_value(c, m, p, node);
        break;
    case KIND_FLOAT:
        check_float(c, p, node);
        break;
    case KIND_BOOLEAN:
        check_boolean(c, p, node);
        break;
    case KIND_TIMESTAMP:
        check_timestamp(c, m, p, node);
        break;
    case KIND_REF:
        check_ref(c, m, p, node);
        break;
    case KIND_OPEN:
    case KIND_ENUM:
        check_term(c, m, p, node);
        break;
    case KIND_HASHES:
        check_hashes(c, m, p, node);
        break;
    case KIND_DICTIONARY:
        check_dictionary(c, p, node);
        break;
    case KIND_OBJECT:
        check_part(c, m, p, node);
        break;
    case KIND_EXTENSIONS:
        check_extensions(c, m, node);
        break;
    case KIND_OBSERVABLES:
        check_observables(c, node);
        break;
    case KIND_SELECTOR:
        check_selector(c, node);
        break;
    }
}

static void check_property(struct check *c, const struct members *m, const struct property *p,
                           const struct json_node *node)
{
    if (!p->is_list) {
        check_value(c, m, p, node);
        return;
    }
    if (!expect(c, node, JSON_ARRAY))
        return;
    if (node->size == 1)
        find(c, RULE_EMPTY, node, SLICE_NONE, "is an empty list; leave it out instead");
    for (struct json_each each = json_each(c->doc, node); json_next(&each);)
        check_value(c, m, p, each.value);
}

/* ---- one object ---- */

static void check_missing(struct check *c, const struct members *m)
{
    uint64_t missing = schema_required(m->shape, m->spec) & ~m->seen;

    while (missing != 0) {
        const struct property *p = &m->shape->properties[__builtin_ctzll(missing)];

        missing &= missing - 1;
        if (p->kind == KIND_TYPE || p->kind == KIND_ID)
            continue; /* told already; not asked of contained observables */
        find(c, (p->when & USED) != 0 ? RULE_REQUIRED_USED : RULE_REQUIRED, m->object, p->name,
             "is required");
    }
}

static void check_object(struct check *c, const struct task *task)
{
    struct members m;

    m.object = task->object;
    m.shape = task->shape;
    m.spec = task->spec;
    m.is_contained = task->is_contained;
    m.seen = 0;
    check_repeated(c, m.object);
    for (struct json_each each = json_each(c->doc, m.object); json_next(&each);) {
        slice key = text_of(c, each.key);
        int index = schema_property(m.shape, m.spec, key);

        /* STIX 2.1, 2.13: what is contained may be as 2.0 had it. */
        if (index < 0 && m.is_contained)
            index = schema_property(m.shape, STIX_20, key);
        if (index < 0) {
            check_unknown(c, &m, key, each.key, each.value);
            continue;
        }
        if (each.value->kind == JSON_NULL) { /* as if it were not there */
            (void)expect(c, each.value, JSON_STRING);
            continue;
        }
        m.seen |= (uint64_t)1 << index;
        m.at[index] = each.value;
        check_property(c, &m, &m.shape->properties[index], each.value);
    }
    check_missing(c, &m);
    check_together(c, &m);
}

/* ---- the root ---- */

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
    struct task root = {.object = c->doc->nodes};

    if (root.object->kind != JSON_OBJECT) {
        find(c, RULE_OBJECT, NULL, SLICE_NONE, "must be an object, not %s",
             kind_words(root.object->kind));
        return;
    }
    check_head(c);
    if (c->shape->id == SHAPE_BUNDLE) {
        find(c, RULE_OBJECT, NULL, SLICE_NONE, "is a bundle, which holds objects and is none");
        return;
    }
    root.shape = c->shape;
    root.spec = c->spec;
    check_object(c, &root);
    for (const struct task *task = c->first; task != NULL && !c->arena->overflowed;
         task = task->next)
        check_object(c, task);
    settle_version(c);
    if (c->shape->id == SHAPE_INDICATOR)
        check_pattern(c);
    if (c->out->class == STIX_SCO)
        check_sco_id(c, c->doc->nodes);
    gather_finish(c);
}

result stix_check(const struct json_doc *doc, enum stix_mode mode, struct arena *arena,
                  struct stix_object *out, struct stix_findings *findings, struct diag *diag)
{
    struct check c = {
        .doc = doc, .mode = mode, .arena = arena, .out = out, .findings = findings, .diag = diag};

    schema_start();
    *out = (struct stix_object){.doc = doc};
    findings->count = findings->more = 0;
    findings->refused = false;
    check_root(&c);
    if (arena->overflowed)
        return diag_fail(diag, ERR_LIMIT, "the object takes more than %zu bytes to check",
                         arena->budget_bytes);
    return findings->refused ? FAIL(ERR_INVALID) : OK;
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
