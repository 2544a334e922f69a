#include "match/path.h"

#include "base/banned.h"

/* A node twice on a list would only be asked twice; leaving it out bounds every list by the
 * document, however references run in circles. */
static bool next_add(struct comparer *comparer, const struct json_node *node)
{
    uint32_t position = (uint32_t)(node - comparer->doc->nodes), *grown;

    if (comparer->seen[position] == comparer->stamp)
        return true;
    comparer->seen[position] = comparer->stamp;
    comparer->steps++;
    grown =
        (uint32_t *)table_grow(comparer->next, &comparer->next_capacity, comparer->next_count + 1,
                               comparer->doc->node_count, sizeof(*grown));
    if (grown == NULL)
        return false;
    comparer->next = grown;
    comparer->next[comparer->next_count++] = position;
    return true;
}

static void lists_swap(struct comparer *comparer)
{
    uint32_t *list = comparer->now;
    size_t capacity = comparer->now_capacity;

    comparer->now = comparer->next;
    comparer->now_capacity = comparer->next_capacity;
    comparer->now_count = comparer->next_count;
    comparer->next = list;
    comparer->next_capacity = capacity;
    comparer->next_count = 0;
    comparer->stamp++;
}

static const struct json_node *now_at(const struct comparer *comparer, size_t index)
{
    return &comparer->doc->nodes[comparer->now[index]];
}

/* The object a property belongs to: the node itself, or what it refers to. */
static const struct json_node *holder_of(struct comparer *comparer, const struct json_node *node,
                                         bool is_reference, const struct observation *observation)
{
    const struct observed_object *found;

    if (node->kind != JSON_STRING || !is_reference)
        return node;
    found = observed_find(observation, json_string(comparer->doc, node, &comparer->scratch));
    return found == NULL ? NULL : found->node;
}

static bool step_key(struct comparer *comparer, slice key, bool is_reference,
                     const struct observation *observation)
{
    for (size_t i = 0; i < comparer->now_count; i++) {
        const struct json_node *holder =
            holder_of(comparer, now_at(comparer, i), is_reference, observation);
        const struct json_node *value =
            holder == NULL ? NULL : json_get(comparer->doc, holder, key);

        comparer->steps++;
        if (value != NULL && !next_add(comparer, value))
            return false;
    }
    return true;
}

/* index < 0: every member. */
static bool step_list(struct comparer *comparer, int64_t index)
{
    for (size_t i = 0; i < comparer->now_count; i++) {
        int64_t position = 0;

        if (now_at(comparer, i)->kind != JSON_ARRAY)
            continue;
        for (struct json_each each = json_each(comparer->doc, now_at(comparer, i));
             json_next(&each); position++) {
            comparer->steps++;
            if ((index < 0 || position == index) && !next_add(comparer, each.value))
                return false;
        }
    }
    return true;
}

static bool is_reference(slice key)
{
    return slice_ends(key, SLICE("_ref")) || slice_ends(key, SLICE("_refs"));
}

bool path_follow(struct comparer *comparer, const struct pattern_path *path,
                 const struct observation *observation, const struct observed_object *object)
{
    bool may_refer = false;

    comparer->next_count = 0;
    comparer->stamp++;
    if (!next_add(comparer, object->node))
        return false;
    lists_swap(comparer);
    for (size_t i = 0; i < path->step_count && comparer->now_count > 0; i++) {
        const struct pattern_step *step = &path->steps[i];
        bool has_room = true;

        switch (step->kind) {
        case PATTERN_KEY:
            has_room = step_key(comparer, step->key, may_refer, observation);
            may_refer = is_reference(step->key);
            break;
        case PATTERN_INDEX:
            if (step->index >= 0)
                has_room = step_list(comparer, step->index);
            break;
        case PATTERN_ANY:
            has_room = step_list(comparer, -1);
            break;
        }
        if (!has_room)
            return false;
        lists_swap(comparer);
    }
    return true;
}
