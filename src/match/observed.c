#include "match/observed.h"

#include <stdlib.h>

#include "base/banned.h"

/* The objects around an observed-data: a bundle's, or those of a bare array. */
struct scope {
    const struct json_node *list;
    struct observed_object *objects; /* sorted by id */
    size_t count;
};

struct reading {
    const struct json_doc *doc;
    struct arena *arena;
    struct diag *diag;
    struct observation *observations;
    size_t count;
};

static result no_room(struct reading *reading)
{
    return diag_fail(reading->diag, ERR_LIMIT, "observed data: takes more than %zu bytes of memory",
                     reading->arena->budget_bytes);
}

static int by_key(const void *a, const void *b)
{
    const struct observed_object *left = (const struct observed_object *)a;
    const struct observed_object *right = (const struct observed_object *)b;

    return slice_cmp(left->key, right->key);
}

static void objects_sort(struct observed_object *objects, size_t count)
{
    if (count > 1)
        qsort(objects, count, sizeof(*objects), by_key);
}

static const struct observed_object *objects_find(const struct observed_object *objects,
                                                  size_t count, slice key)
{
    const struct observed_object wanted = {.key = key};

    if (count == 0)
        return NULL;
    return (const struct observed_object *)bsearch(&wanted, objects, count, sizeof(*objects),
                                                   by_key);
}

const struct observed_object *observed_find(const struct observation *observation, slice key)
{
    return objects_find(observation->objects, observation->object_count, key);
}

static slice text_of(struct reading *reading, const struct json_node *object, slice key)
{
    const struct json_node *value = json_get(reading->doc, object, key);

    if (value == NULL || value->kind != JSON_STRING)
        return SLICE_NONE;
    return json_string(reading->doc, value, reading->arena);
}

static bool is_observed_data(slice type)
{
    /* cybox-container: what a draft of 2.0 called it; reference test data still does. */
    return slice_eq(type, SLICE("observed-data")) || slice_eq(type, SLICE("cybox-container"));
}

static bool time_of(struct reading *reading, const struct json_node *object, slice key,
                    struct timestamp *out)
{
    return timestamp_parse(text_of(reading, object, key), out);
}

/* How many, at most: the members of "objects" and of "object_refs". */
static size_t objects_most(struct reading *reading, const struct json_node *embedded,
                           const struct json_node *refs)
{
    size_t count = 0;

    if (embedded != NULL && embedded->kind == JSON_OBJECT)
        count += json_count(reading->doc, embedded);
    if (refs != NULL && refs->kind == JSON_ARRAY)
        count += json_count(reading->doc, refs);
    return count;
}

static result objects_read(struct reading *reading, const struct scope *scope,
                           const struct json_node *object, struct observation *out)
{
    const struct json_node *embedded = json_get(reading->doc, object, SLICE("objects"));
    const struct json_node *refs = json_get(reading->doc, object, SLICE("object_refs"));
    size_t most = objects_most(reading, embedded, refs), count = 0;
    struct observed_object *objects = arena_new(reading->arena, struct observed_object, most);

    if (objects == NULL && most > 0)
        return no_room(reading);
    if (embedded != NULL && embedded->kind == JSON_OBJECT)
        for (struct json_each each = json_each(reading->doc, embedded); json_next(&each);)
            objects[count++] =
                (struct observed_object){.key = json_string(reading->doc, each.key, reading->arena),
                                         .type = text_of(reading, each.value, SLICE("type")),
                                         .node = each.value};
    if (refs != NULL && refs->kind == JSON_ARRAY)
        for (struct json_each each = json_each(reading->doc, refs); json_next(&each);) {
            const struct observed_object *found =
                objects_find(scope->objects, scope->count,
                             json_string(reading->doc, each.value, reading->arena));

            if (found != NULL)
                objects[count++] = *found;
        }
    objects_sort(objects, count);
    out->objects = objects;
    out->object_count = count;
    return OK;
}

static result observation_read(struct reading *reading, const struct scope *scope,
                               const struct json_node *object)
{
    struct observation *out = &reading->observations[reading->count];
    const struct json_node *number = json_get(reading->doc, object, SLICE("number_observed"));
    bool has_first = time_of(reading, object, SLICE("first_observed"), &out->first);
    bool has_last = time_of(reading, object, SLICE("last_observed"), &out->last);
    int64_t times = 1;

    if (!has_first && !has_last)
        return diag_fail(reading->diag, ERR_INVALID,
                         "observed-data %zu: has neither first_observed nor last_observed",
                         reading->count + 1);
    if (!has_first)
        out->first = out->last;
    if (!has_last)
        out->last = out->first;
    if (number != NULL && json_i64(reading->doc, number, &times) && times < 1)
        times = 1;
    out->count = (uint64_t)times;
    reading->count++;
    return objects_read(reading, scope, object, out);
}

static result scope_open(struct reading *reading, const struct json_node *list, struct scope *out)
{
    size_t most = json_count(reading->doc, list);

    *out = (struct scope){.list = list};
    out->objects = arena_new(reading->arena, struct observed_object, most);
    if (out->objects == NULL && most > 0)
        return no_room(reading);
    for (struct json_each each = json_each(reading->doc, list); json_next(&each);) {
        slice key = text_of(reading, each.value, SLICE("id"));

        if (key.at != NULL)
            out->objects[out->count++] =
                (struct observed_object){.key = key,
                                         .type = text_of(reading, each.value, SLICE("type")),
                                         .node = each.value};
    }
    objects_sort(out->objects, out->count);
    return OK;
}

static result scope_read(struct reading *reading, const struct json_node *list)
{
    struct scope scope;

    TRY(scope_open(reading, list, &scope));
    for (struct json_each each = json_each(reading->doc, list); json_next(&each);)
        if (is_observed_data(text_of(reading, each.value, SLICE("type"))))
            TRY(observation_read(reading, &scope, each.value));
    return OK;
}

/* The list of objects of a bundle; NULL when node is none. */
static const struct json_node *bundle_list(struct reading *reading, const struct json_node *node)
{
    const struct json_node *list;

    if (!slice_eq(text_of(reading, node, SLICE("type")), SLICE("bundle")))
        return NULL;
    list = json_get(reading->doc, node, SLICE("objects"));
    return list != NULL && list->kind == JSON_ARRAY ? list : NULL;
}

result observed_read(const struct json_doc *doc, const struct json_node *root, struct arena *arena,
                     struct observed *out, struct diag *diag)
{
    struct reading reading = {.doc = doc, .arena = arena, .diag = diag};
    const struct json_node *list = bundle_list(&reading, root);
    const struct scope nothing = {0};

    /* No subtree holds more observed-data than nodes; most texts hold far fewer, and the arena
     * gives zeroed pages only. */
    reading.observations = arena_new(arena, struct observation, root->size / 4 + 1);
    if (reading.observations == NULL)
        return no_room(&reading);
    if (list != NULL) {
        TRY(scope_read(&reading, list));
    } else if (root->kind == JSON_ARRAY) {
        TRY(scope_read(&reading, root));
        for (struct json_each each = json_each(doc, root); json_next(&each);)
            if ((list = bundle_list(&reading, each.value)) != NULL)
                TRY(scope_read(&reading, list));
    } else if (is_observed_data(text_of(&reading, root, SLICE("type")))) {
        TRY(observation_read(&reading, &nothing, root));
    }
    *out =
        (struct observed){.doc = doc, .observations = reading.observations, .count = reading.count};
    return arena->overflowed ? no_room(&reading) : OK;
}
