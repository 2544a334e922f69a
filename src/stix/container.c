#include "stix/check.h"

#include <stdlib.h>

#include "base/banned.h"

static int compare_slices(const void *a, const void *b)
{
    return slice_cmp(*(const slice *)a, *(const slice *)b);
}

/* References are many and the keys may be, so these are sorted once. */
static void sort_keys(struct check *c, const struct json_node *object)
{
    size_t count = json_count(c->doc, object), filled = 0;
    slice *keys = arena_new(c->arena, slice, count);

    c->container_keys = keys;
    c->container_key_count = 0;
    if (keys == NULL)
        return;
    for (struct json_each each = json_each(c->doc, object); json_next(&each) && filled < count;)
        keys[filled++] = text_of(c, each.key);
    qsort(keys, filled, sizeof(slice), compare_slices);
    c->container_key_count = filled;
}

static void check_observable(struct check *c, const struct json_node *object)
{
    const struct json_node *type;
    const struct shape *shape;

    if (!expect(c, object, JSON_OBJECT))
        return;
    type = json_get(c->doc, object, SLICE("type"));
    if (type == NULL) {
        find(c, RULE_REQUIRED, object, SLICE("type"), "is required");
        return;
    }
    if (!expect(c, type, JSON_STRING))
        return;
    shape = schema_type(text_of(c, type));
    if (shape != NULL && shape->class != STIX_SCO)
        find(c, RULE_REFERENCE_LOCAL, type, SLICE_NONE, "%.*s is no observable",
             SLICE_ARG(shape->name));
    else
        walk_later(c, object, shape == NULL ? &shapes[SHAPE_CUSTOM] : shape, c->spec, true);
}

void check_observables(struct check *c, const struct json_node *object)
{
    if (!expect(c, object, JSON_OBJECT))
        return;
    if (c->spec == STIX_21)
        find(c, RULE_DEPRECATED, object, SLICE_NONE, "object_refs took its place in STIX 2.1");
    if (object->size == 1)
        find(c, RULE_EMPTY, object, SLICE_NONE, "holds no observables");
    check_repeated(c, object);
    c->container = object;
    sort_keys(c, object);
    for (struct json_each each = json_each(c->doc, object); json_next(&each);)
        check_observable(c, each.value);
}

/* STIX 2.1, 2.13: references inside the container are keys of it. */
void check_local_ref(struct check *c, const struct json_node *node)
{
    if (!expect(c, node, JSON_STRING))
        return;
    slice key = text_of(c, node);
    if (bsearch(&key, c->container_keys, c->container_key_count, sizeof(key), compare_slices) ==
        NULL)
        find(c, RULE_REFERENCE_LOCAL, node, SLICE_NONE, "\"%.*s\" is no key of the objects",
             SLICE_ARG(slice_head(key, STIX_ID_BYTES_MAX)));
}
