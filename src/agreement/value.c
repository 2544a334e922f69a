#include "agreement/value.h"

#include "base/encode.h"
#include "base/time.h"

#include "base/banned.h"

#define VALUE_BYTES_MAX 256 /* a key or a signature, with room to be refused by its length */

struct value value_get(struct value object, slice key)
{
    if (object.node == NULL)
        return VALUE_NONE;
    return (struct value){object.doc, json_get(object.doc, object.node, key)};
}

static bool number_is_zero(struct value value)
{
    double number;

    return json_double(value.doc, value.node, &number) && number == 0.0;
}

bool value_truth(struct value value)
{
    if (value.node == NULL)
        return false;
    switch ((enum json_kind)value.node->kind) {
    case JSON_NULL:
    case JSON_FALSE:
        return false;
    case JSON_TRUE:
        return true;
    case JSON_NUMBER:
        return !number_is_zero(value);
    case JSON_STRING:
        return value.node->len > 0;
    case JSON_ARRAY:
    case JSON_OBJECT:
        return value.node->size > 1;
    }
    return false;
}

bool value_is(struct value value, slice text)
{
    return json_is(value.doc, value.node, text);
}

bool value_same(struct value a, struct value b)
{
    if (!value_is_of(a, JSON_STRING) || !value_is_of(b, JSON_STRING))
        return false;
    if (!a.node->escaped)
        return value_is(b, json_inner(a.doc, a.node));
    if (!b.node->escaped)
        return value_is(a, json_inner(b.doc, b.node));
    /* Two ways to write one text, both with escapes, count as two texts: the caller refuses. */
    return slice_eq(json_inner(a.doc, a.node), json_inner(b.doc, b.node));
}

bool value_lists(struct value list, slice text)
{
    if (!value_is_of(list, JSON_ARRAY))
        return false;
    for (struct json_each each = json_each(list.doc, list.node); json_next(&each);)
        if (json_is(list.doc, each.value, text))
            return true;
    return false;
}

bool value_text(struct value value, struct arena *arena, slice *out)
{
    if (!value_is_of(value, JSON_STRING))
        return false;
    *out = json_string(value.doc, value.node, arena);
    return out->at != NULL;
}

bool value_date(struct value value, int64_t *us)
{
    struct timestamp when;

    if (!value_is_of(value, JSON_STRING) || value.node->escaped ||
        !timestamp_parse_rfc3339(json_inner(value.doc, value.node), &when))
        return false;
    *us = when.us;
    return true;
}

bool value_bytes(struct value value, uint8_t *out, size_t bytes)
{
    CLEANUP(buf_free) struct buf raw = BUF(VALUE_BYTES_MAX);

    if (!value_is_of(value, JSON_STRING) || value.node->escaped ||
        !base64_decode(&raw, json_inner(value.doc, value.node)) || raw.len != bytes)
        return false;
    memcpy(out, raw.at, bytes);
    return true;
}

bool value_texts(struct value value, struct arena *arena, struct texts *out)
{
    *out = (struct texts){NULL, 0};
    if (!value_is_there(value))
        return true;
    if (value.node->kind != JSON_ARRAY)
        return false;
    size_t count = json_count(value.doc, value.node), i = 0;
    if (count == 0)
        return true;
    slice *texts = arena_new(arena, slice, count);
    if (texts == NULL)
        return false;
    for (struct json_each each = json_each(value.doc, value.node); json_next(&each); i++)
        if (!value_text((struct value){value.doc, each.value}, arena, &texts[i]))
            return false;
    *out = (struct texts){texts, count};
    return true;
}

bool texts_hold(struct texts texts, slice text)
{
    for (size_t i = 0; i < texts.count; i++)
        if (slice_eq(texts.at[i], text))
            return true;
    return false;
}

bool value_repeats(struct value value)
{
    for (const struct json_node *at = value.node, *end = at + value.node->size; at < end; at++)
        if (at->repeated)
            return true;
    return false;
}
