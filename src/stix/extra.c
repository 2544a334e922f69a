#include "stix/check.h"

#include "base/banned.h"

#define HASH_NAME_BYTES_MIN 3
#define KEY_BYTES_MIN_20 3 /* STIX 2.0, part 1, 2.2 */

/* STIX 2.1, 3.8 */
static const slice reserved_names[] = {S("severity"), S("username"), S("phone_number"),
                                       S("action")};

static bool is_reserved(slice name)
{
    for (size_t i = 0; i < sizeof(reserved_names) / sizeof(reserved_names[0]); i++) {
        if (slice_eq(name, reserved_names[i]))
            return true;
    }
    return false;
}

/* ---- values of any form ---- */

static void check_free_ref(struct check *c, slice key, const struct json_node *node)
{
    struct stix_id id;

    if (node->kind != JSON_STRING || !stix_id_parse(text_of(c, node), &id)) {
        find(c, RULE_REFERENCE_OTHER, node, SLICE_NONE, "is no id of the form type--UUID");
        return;
    }
    gather_ref(c, key.len > 0 ? key : path_of(c, node, false), &id);
}

/* A property that says by its name that it refers to others.  key: its path, or empty when that has
 * to be found. */
static void check_free_member(struct check *c, slice name, slice path,
                              const struct json_node *value)
{
    if (c->container != NULL && value > c->container && value < c->container + c->container->size)
        return; /* local names, not ids */
    if (slice_ends(name, SLICE("_ref"))) {
        check_free_ref(c, path, value);
    } else if (slice_ends(name, SLICE("_refs")) && value->kind == JSON_ARRAY) {
        for (struct json_each each = json_each(c->doc, value); json_next(&each);)
            check_free_ref(c, path, each.value);
    }
}

void check_repeated(struct check *c, const struct json_node *object)
{
    if (!object->repeated)
        return;
    for (struct json_each each = json_each(c->doc, object); json_next(&each);) {
        if (each.key->repeated)
            find(c, RULE_REPEATED, each.key, SLICE_NONE, "stands twice");
    }
}

/* The nodes of a subtree lie side by side: no walk needs to go down into it. */
void check_free(struct check *c, slice key, const struct json_node *value)
{
    const struct json_node *end = value + value->size;

    check_free_member(c, key, key, value);
    if (value->kind < JSON_ARRAY && value->kind != JSON_NULL)
        return;
    for (const struct json_node *node = value; node < end; node++) {
        if (node->kind == JSON_NULL)
            find(c, RULE_NULL, node, SLICE_NONE, "is null; leave it out instead");
        else if (node->kind >= JSON_ARRAY && node->size == 1)
            find(c, RULE_EMPTY, node, SLICE_NONE, "is an empty %s; leave it out instead",
                 node->kind == JSON_ARRAY ? "list" : "dictionary");
        if (node->kind != JSON_OBJECT)
            continue;
        check_repeated(c, node);
        for (struct json_each each = json_each(c->doc, node); json_next(&each);)
            check_free_member(c, text_of(c, each.key), SLICE_NONE, each.value);
    }
}

/* ---- properties that no table has ---- */

/* Does an extension of the object put properties at its top level?  STIX 2.1, 7.3.3 */
static bool extends_top(struct check *c)
{
    const struct json_node *extensions;

    if (c->extends_known)
        return c->extends_top;
    c->extends_known = true;
    extensions = json_get(c->doc, c->doc->nodes, SLICE("extensions"));
    if (extensions == NULL || extensions->kind != JSON_OBJECT)
        return false;
    for (struct json_each each = json_each(c->doc, extensions); json_next(&each);) {
        const struct json_node *type = json_get(c->doc, each.value, SLICE("extension_type"));

        if (type != NULL && json_is(c->doc, type, SLICE("toplevel-property-extension")))
            c->extends_top = true;
    }
    return c->extends_top;
}

/* What a custom type calls its name and aliases serves look-up as well. */
static void keep_custom_text(struct check *c, slice key, const struct json_node *value)
{
    bool is_own_type = c->shape->id == SHAPE_CUSTOM;

    if (value->kind == JSON_STRING && is_own_type) {
        bool is_name = slice_eq(key, SLICE("name")), is_words = slice_eq(key, SLICE("description"));

        if (is_name)
            c->out->name = text_of(c, value);
        if (is_words)
            c->out->description = text_of(c, value);
        if (is_name || is_words)
            gather_text(c, text_of(c, value));
    }
    if (value->kind != JSON_ARRAY ||
        !(slice_ends(key, SLICE("_aliases")) || (is_own_type && slice_eq(key, SLICE("aliases")))))
        return;
    for (struct json_each each = json_each(c->doc, value); json_next(&each);) {
        if (each.value->kind == JSON_STRING)
            gather_text(c, text_of(c, each.value));
    }
}

/* A custom type's kill_chain_phases are read as every type's are. */
static bool is_phases(const struct check *c, slice key, const struct json_node *value)
{
    return c->shape->id == SHAPE_CUSTOM && value->kind == JSON_ARRAY &&
           slice_eq(key, SLICE("kill_chain_phases"));
}

static void check_unknown_name(struct check *c, const struct members *m, slice key,
                               const struct json_node *key_node)
{
    slice shown = slice_head(key, STIX_TYPE_BYTES_MAX);

    if (is_reserved(key))
        find(c, RULE_RESERVED, key_node, SLICE_NONE, "is a name the specification reserves");
    else if (!syntax_property_name(key))
        find(c, RULE_NAME, key_node, SLICE_NONE,
             "\"%.*s\" is no name of 3 to 250 of a-z, 0-9 and _", SLICE_ARG(shown));
    else if (m->shape->id == SHAPE_CUSTOM)
        return; /* its own business */
    else if (slice_starts(key, SLICE("x_")))
        find(c, RULE_CUSTOM, key_node, SLICE_NONE, "is a custom property");
    else if (m->object != c->doc->nodes || !extends_top(c))
        find(c, RULE_UNKNOWN, key_node, SLICE_NONE, "is no property STIX %s knows of %.*s",
             m->spec == STIX_20 ? "2.0" : "2.1", SLICE_ARG(m->shape->name));
}

void check_unknown(struct check *c, const struct members *m, slice key,
                   const struct json_node *key_node, const struct json_node *value)
{
    check_unknown_name(c, m, key, key_node);
    if (m->object == c->doc->nodes) {
        keep_custom_text(c, key, value);
        if (is_phases(c, key, value)) {
            for (struct json_each each = json_each(c->doc, value); json_next(&each);) {
                if (expect(c, each.value, JSON_OBJECT))
                    walk_later(c, each.value, &shapes[SHAPE_KILL_CHAIN_PHASE], m->spec, false);
            }
            return;
        }
        check_free(c, key, value);
    } else {
        check_free_member(c, key, SLICE_NONE, value);
        check_free(c, SLICE_NONE, value);
    }
}

/* ---- dictionaries ---- */

static bool is_integer(const struct check *c, const struct json_node *node)
{
    int64_t value;

    return json_i64(c->doc, node, &value);
}

static bool is_string_list(const struct check *c, const struct json_node *node)
{
    if (node->kind != JSON_ARRAY)
        return false;
    for (struct json_each each = json_each(c->doc, node); json_next(&each);) {
        if (each.value->kind != JSON_STRING)
            return false;
    }
    return true;
}

static bool entry_holds(const struct check *c, enum property_entries entries,
                        const struct json_node *node)
{
    switch (entries) {
    case ENTRIES_ANY:
        return true;
    case ENTRIES_STRINGS:
        return node->kind == JSON_STRING;
    case ENTRIES_NAMED_NUMBERS:
        return node->kind == JSON_STRING || is_integer(c, node);
    case ENTRIES_INTEGERS:
        return is_integer(c, node);
    case ENTRIES_STRING_LISTS:
        return is_string_list(c, node);
    }
    return true;
}

void check_dictionary(struct check *c, const struct property *p, const struct json_node *object)
{
    static const char *const words[] = {
        [ENTRIES_ANY] = "anything",
        [ENTRIES_STRINGS] = "a string",
        [ENTRIES_NAMED_NUMBERS] = "a string or an integer",
        [ENTRIES_INTEGERS] = "an integer",
        [ENTRIES_STRING_LISTS] = "a list of strings",
    };
    size_t least = c->spec == STIX_20 ? KEY_BYTES_MIN_20 : 1;

    if (!expect(c, object, JSON_OBJECT))
        return;
    for (struct json_each each = json_each(c->doc, object); json_next(&each);) {
        if (!syntax_dictionary_key(text_of(c, each.key), least))
            find(c, RULE_KEY, each.key, SLICE_NONE,
                 "is no key of %zu to 250 letters, digits, hyphens and underscores", least);
        if (!entry_holds(c, p->entries, each.value))
            find(c, RULE_ENTRY, each.value, SLICE_NONE, "must be %s", words[p->entries]);
    }
    check_free(c, SLICE_NONE, object);
}

/* "file:hashes.MD5", "file:hashes.'SHA-256'": as a pattern would name it. */
static slice hash_path(struct check *c, slice path, slice name)
{
    bool is_plain = true;

    for (size_t i = 0; i < name.len; i++)
        is_plain = is_plain && name.at[i] != '-';
    char *text = arena_new(c->arena, char, path.len + name.len + 3);
    if (text == NULL)
        return SLICE_NONE;
    size_t len = path.len;
    memcpy(text, path.at, path.len);
    text[len++] = '.';
    if (!is_plain)
        text[len++] = '\'';
    memcpy(text + len, name.at, name.len);
    len += name.len;
    if (!is_plain)
        text[len++] = '\'';
    return slice_of(text, len);
}

static void check_hash(struct check *c, const struct members *m, const struct property *p,
                       const struct json_node *key, const struct json_node *value)
{
    slice name = text_of(c, key), text;
    const char *words;

    if (!syntax_dictionary_key(name, HASH_NAME_BYTES_MIN))
        find(c, RULE_KEY, key, SLICE_NONE,
             "is no key of 3 to 250 letters, digits, hyphens and underscores");
    else if (!vocab_has(schema_hash_names(m->spec), name) && !slice_starts(name, SLICE("x_")))
        find(c, RULE_HASH_NAME, key, SLICE_NONE, "\"%.*s\" is not in %s", SLICE_ARG(name),
             schema_hash_names(m->spec)->name);
    if (!expect(c, value, JSON_STRING))
        return;
    text = text_of(c, value);
    if (!syntax_hash(name, text, &words))
        find(c, RULE_HASH, value, SLICE_NONE, "must be %s", words);
    if (p->use == USE_VALUE)
        gather_value(c, hash_path(c, schema_path(m->shape, p), stix_hash_name(name)), text);
}

void check_hashes(struct check *c, const struct members *m, const struct property *p,
                  const struct json_node *object)
{
    if (!expect(c, object, JSON_OBJECT))
        return;
    if (object->size == 1)
        find(c, RULE_EMPTY, object, SLICE_NONE, "is an empty dictionary; leave it out instead");
    check_repeated(c, object);
    for (struct json_each each = json_each(c->doc, object); json_next(&each);)
        check_hash(c, m, p, each.key, each.value);
}

/* ---- extensions ---- */

/* STIX 2.1, 7.3: what an extension-definition describes. */
static void check_defined_extension(struct check *c, const struct json_node *extension)
{
    static const slice types[] = {S("new-sdo"), S("new-sco"), S("new-sro"), S("property-extension"),
                                  S("toplevel-property-extension")};
    static const struct vocab extension_types = {"extension-type-enum", types,
                                                 sizeof(types) / sizeof(types[0])};
    const struct json_node *type = json_get(c->doc, extension, SLICE("extension_type"));

    if (type == NULL)
        find(c, RULE_EXTENSION, extension, SLICE("extension_type"), "is required");
    else if (expect(c, type, JSON_STRING) && !vocab_has(&extension_types, text_of(c, type)))
        find(c, RULE_EXTENSION, type, SLICE_NONE, "\"%.*s\" is not in extension-type-enum",
             SLICE_ARG(slice_head(text_of(c, type), STIX_TYPE_BYTES_MAX)));
    check_free(c, SLICE_NONE, extension);
}

static void check_extension(struct check *c, const struct members *m, const struct json_node *key,
                            const struct json_node *value)
{
    slice name = text_of(c, key);
    const struct shape *shape = schema_extension(m->shape, name);
    struct stix_id id;

    if (!expect(c, value, JSON_OBJECT))
        return;
    if (shape != NULL) {
        if (value->size == 1)
            find(c, RULE_EMPTY, value, SLICE_NONE, "is an empty dictionary; leave it out instead");
        walk_later(c, value, shape, m->spec, m->is_contained);
        return;
    }
    if (stix_id_parse(name, &id) && slice_eq(id.type, SLICE("extension-definition"))) {
        check_defined_extension(c, value);
        return;
    }
    if (m->spec == STIX_21 || !slice_ends(name, SLICE("-ext")))
        find(c, RULE_EXTENSION, key, SLICE_NONE,
             "is neither an extension-definition's id nor an extension STIX defines for %.*s",
             SLICE_ARG(m->shape->name));
    check_free(c, SLICE_NONE, value);
}

void check_extensions(struct check *c, const struct members *m, const struct json_node *object)
{
    if (!expect(c, object, JSON_OBJECT))
        return;
    if (object->size == 1)
        find(c, RULE_EMPTY, object, SLICE_NONE, "is an empty dictionary; leave it out instead");
    check_repeated(c, object);
    for (struct json_each each = json_each(c->doc, object); json_next(&each);)
        check_extension(c, m, each.key, each.value);
}
