#include "json/json.h"

#include "json/escape.h"
#include "json/simdjson_shim.h"

#include "base/banned.h"

slice json_raw(const struct json_doc *doc, const struct json_node *node)
{
    bool quoted = node->kind == JSON_STRING;

    return slice_of(doc->text.at + node->at - quoted, (size_t)node->len + 2 * (size_t)quoted);
}

static bool escaped_eq(slice inner, slice value)
{
    struct json_chars chars = JSON_CHARS(inner);
    char utf8[JSON_UTF8_BYTES_MAX];
    uint32_t code;

    while (json_chars_next(&chars, &code)) {
        slice one = slice_of(utf8, json_utf8_put(code, utf8));

        if (!slice_starts(value, one))
            return false;
        value = slice_from(value, one.len);
    }
    return value.len == 0;
}

bool json_is(const struct json_doc *doc, const struct json_node *node, slice value)
{
    if (node == NULL || node->kind != JSON_STRING)
        return false;
    if (node->escaped)
        return escaped_eq(json_inner(doc, node), value);
    return slice_eq(json_inner(doc, node), value);
}

const struct json_node *json_get(const struct json_doc *doc, const struct json_node *object,
                                 slice key)
{
    if (object->kind != JSON_OBJECT)
        return NULL;
    for (const struct json_node *at = object + 1, *end = object + object->size; at < end;
         at += 1 + at[1].size)
        if ((at->len == key.len || at->escaped) && json_is(doc, at, key))
            return at + 1;
    return NULL;
}

struct json_each json_each(const struct json_doc *doc, const struct json_node *container)
{
    (void)doc;
    if (container == NULL || (container->kind != JSON_OBJECT && container->kind != JSON_ARRAY))
        return (struct json_each){0};
    return (struct json_each){.cursor = container + 1,
                              .end = container + container->size,
                              .in_object = container->kind == JSON_OBJECT};
}

bool json_next(struct json_each *each)
{
    if (each->cursor >= each->end)
        return false;
    each->key = each->in_object ? each->cursor++ : NULL;
    each->value = each->cursor;
    each->cursor += each->value->size;
    return true;
}

size_t json_count(const struct json_doc *doc, const struct json_node *container)
{
    size_t count = 0;

    for (struct json_each each = json_each(doc, container); json_next(&each);)
        count++;
    return count;
}

slice json_string(const struct json_doc *doc, const struct json_node *node, struct arena *arena)
{
    if (node == NULL || node->kind != JSON_STRING)
        return SLICE_NONE;
    slice inner = json_inner(doc, node);
    if (!node->escaped)
        return inner;
    char *value = arena_alloc(arena, inner.len, 1, 1);
    if (value == NULL)
        return SLICE_NONE;
    return slice_of(value, json_unescape(inner, value));
}

bool json_i64(const struct json_doc *doc, const struct json_node *node, int64_t *out)
{
    return node != NULL && node->kind == JSON_NUMBER && parse_i64(json_inner(doc, node), out);
}

bool json_double(const struct json_doc *doc, const struct json_node *node, double *out)
{
    double value;

    if (node == NULL || node->kind != JSON_NUMBER ||
        json_number_read(doc->text.at + node->at, node->len, &value) != 0)
        return false;
    *out = value;
    return true;
}
