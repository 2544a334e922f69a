#include "stix/check.h"

#include "base/banned.h"

#define GATHERED_FIRST 8

/* Room for one more, in a table twice as large when there is none; the old table stays behind in
 * the arena, at most as large as what replaced it. */
static void *gathered_push(struct check *c, struct gathered *list, size_t bytes, size_t align)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? GATHERED_FIRST : list->capacity * 2;
        void *items = arena_alloc(c->arena, capacity, bytes, align);

        if (items == NULL)
            return NULL;
        if (list->count > 0)
            memcpy(items, list->items, list->count * bytes);
        list->items = items;
        list->capacity = capacity;
    }
    return (char *)list->items + bytes * list->count++;
}

#define PUSH(c, list, type) ((type *)gathered_push(c, list, sizeof(type), alignof(type)))

void gather_ref(struct check *c, slice property, const struct stix_id *id)
{
    struct stix_ref *ref = PUSH(c, &c->refs, struct stix_ref);

    if (ref != NULL)
        *ref = (struct stix_ref){property, *id};
}

static void push_slice(struct check *c, struct gathered *list, slice text)
{
    slice *place = PUSH(c, list, slice);

    if (place != NULL)
        *place = text;
}

void gather_text(struct check *c, slice text)
{
    if (text.len > 0)
        push_slice(c, &c->texts, text);
}

void gather_label(struct check *c, slice label)
{
    push_slice(c, &c->labels, label);
}

void gather_value(struct check *c, slice kind, slice value)
{
    if (value.len == 0)
        return;
    struct stix_value *place = PUSH(c, &c->values, struct stix_value);
    if (place != NULL)
        *place = (struct stix_value){kind, stix_value_normal(kind, value, c->arena)};
}

void gather_phase(struct check *c, slice chain, slice phase)
{
    struct stix_phase *place = PUSH(c, &c->phases, struct stix_phase);

    if (place != NULL)
        *place = (struct stix_phase){chain, phase};
}

void gather_finish(struct check *c)
{
    struct stix_object *out = c->out;

    out->refs = c->refs.items;
    out->ref_count = c->refs.count;
    out->texts = c->texts.items;
    out->text_count = c->texts.count;
    out->labels = c->labels.items;
    out->label_count = c->labels.count;
    out->phases = c->phases.items;
    out->phase_count = c->phases.count;
    if (c->values.count > 0) { /* an indicator's are its pattern's, put there already */
        out->values = c->values.items;
        out->value_count = c->values.count;
    }
}
