#include "stix/check.h"

#include "base/banned.h"

#define NUMBER_BYTES_SHOWN 32

slice text_of(struct check *c, const struct json_node *node)
{
    return node->escaped ? json_string(c->doc, node, c->arena) : json_inner(c->doc, node);
}

const char *kind_words(enum json_kind kind)
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

void check_property(struct check *c, const struct members *m, const struct property *p,
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
