#include "stix/check.h"

#include "base/banned.h"

/* An object and the shape it is held against. */
struct task {
    const struct json_node *object;
    const struct shape *shape;
    struct task *next;
    enum stix_spec spec;
    bool is_contained;
};

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

void walk(struct check *c, const struct json_node *object, const struct shape *shape,
          enum stix_spec spec)
{
    const struct task root = {.object = object, .shape = shape, .spec = spec};

    check_object(c, &root);
    for (const struct task *task = c->first; task != NULL && !c->arena->overflowed;
         task = task->next)
        check_object(c, task);
}
