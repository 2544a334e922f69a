#include "stix/check.h"

#include "base/banned.h"

#define RELATION_TARGETS_MAX 20

static const struct relation {
    uint8_t source; /* enum shape_id */
    slice verb;
    uint8_t targets[RELATION_TARGETS_MAX + 1]; /* enum shape_id, then RELATION_END */
} relations[] = {
#define RELATION_END SHAPE_COUNT
#define RELATION(source, verb, ...) {source, S(verb), {__VA_ARGS__, RELATION_END}},
#include "stix/relations.def"
#undef RELATION
};

#define RELATION_COUNT (sizeof(relations) / sizeof(relations[0]))

static bool is_defined_verb(slice verb)
{
    for (size_t i = 0; i < RELATION_COUNT; i++) {
        if (slice_eq(relations[i].verb, verb))
            return true;
    }
    return false;
}

static bool is_defined(const struct shape *source, slice verb, const struct shape *target)
{
    for (size_t i = 0; i < RELATION_COUNT; i++) {
        const struct relation *relation = &relations[i];

        if (relation->source != source->id || !slice_eq(relation->verb, verb))
            continue;
        for (size_t k = 0; relation->targets[k] != RELATION_END; k++) {
            if (relation->targets[k] == target->id)
                return true;
        }
    }
    return false;
}

/* STIX 2.1, 3.7: what any two objects of one type may be to each other. */
static bool is_between_equals(slice verb)
{
    return slice_eq(verb, SLICE("derived-from")) || slice_eq(verb, SLICE("duplicate-of"));
}

static bool shape_of_ref(struct check *c, const struct json_node *node, const struct shape **out)
{
    struct stix_id id;

    if (node == NULL || node->kind != JSON_STRING || !stix_id_parse(text_of(c, node), &id))
        return false;
    *out = schema_type(id.type);
    return *out != NULL;
}

/* Names that users make up stand for what they like; those of the specification for what it says.
 */
void check_relationship(struct check *c, const struct members *m)
{
    const struct json_node *type = member_of(m, SLICE("relationship_type"));
    const struct shape *source, *target;

    if (type == NULL || type->kind != JSON_STRING)
        return;
    slice verb = text_of(c, type);
    if (!shape_of_ref(c, member_of(m, SLICE("source_ref")), &source) ||
        !shape_of_ref(c, member_of(m, SLICE("target_ref")), &target))
        return;
    bool holds = is_between_equals(verb)
                     ? source == target
                     : is_defined(source, verb, target) || !is_defined_verb(verb);
    if (!holds)
        find(c, RULE_RELATIONSHIP, type, SLICE_NONE, "%.*s is not defined from %.*s to %.*s",
             SLICE_ARG(verb), SLICE_ARG(source->name), SLICE_ARG(target->name));
}
