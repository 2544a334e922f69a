/* The check of one object: the first byte picks the mode, the rest is JSON. */
#include <assert.h>

#include "stix/object.h"

#define ARENA_BYTES ((size_t)8 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t sum;

/* Every byte of what is given back, so that the sanitizer checks each edge. */
static void read_all(slice s)
{
    for (size_t i = 0; i < s.len; i++)
        sum += (uint8_t)s.at[i];
}

static void read_object(const struct stix_object *object)
{
    read_all(object->id_text);
    read_all(object->created_by);
    read_all(object->name);
    read_all(object->description);
    read_all(object->pattern);
    for (size_t i = 0; i < object->label_count; i++)
        read_all(object->labels[i]);
    for (size_t i = 0; i < object->text_count; i++)
        read_all(object->texts[i]);
    for (size_t i = 0; i < object->ref_count; i++) {
        read_all(object->refs[i].property);
        read_all(object->refs[i].id.type);
    }
    for (size_t i = 0; i < object->value_count; i++) {
        read_all(object->values[i].kind);
        read_all(object->values[i].value);
    }
    for (size_t i = 0; i < object->phase_count; i++) {
        read_all(object->phases[i].chain);
        read_all(object->phases[i].phase);
    }
}

static void read_findings(const struct stix_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        assert(findings->items[i].text.len > 0);
        read_all(findings->items[i].path);
        read_all(findings->items[i].text);
    }
}

/* A value's form is its own form, and an id that was taken is one. */
static void check_properties(const struct stix_object *object, struct arena *arena)
{
    struct stix_id id;

    assert(stix_id_parse(object->id_text, &id) && uuid_eq(&id.uuid, &object->id.uuid));
    for (size_t i = 0; i < object->value_count; i++) {
        const struct stix_value *value = &object->values[i];
        slice again = stix_value_normal(value->kind, value->value, arena);

        assert(arena->overflowed || slice_eq(again, value->value));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_parser *parser; /* kept, as an import keeps it */
    CLEANUP(arena_free) struct arena arena = ARENA(ARENA_BYTES);
    struct stix_findings findings;
    struct stix_object object;
    struct diag diag = {0};
    struct json_doc doc;

    if (size == 0 || (parser == NULL && failed(json_parser_new(JSON_DEPTH_MAX, &parser, &diag))))
        return 0;
    enum stix_mode mode = (enum stix_mode)(data[0] % 3);
    if (failed(json_parse_copy(parser, slice_of(data + 1, size - 1), &doc, &diag)))
        return 0;
    result r = stix_check(&doc, mode, &arena, &object, &findings, &diag);
    assert(failed(r) == (diag.text[0] != '\0'));
    assert(r.code == ERR_LIMIT || findings.refused == failed(r));
    if (r.code == ERR_LIMIT)
        return 0;
    read_object(&object);
    read_findings(&findings);
    if (succeeded(r))
        check_properties(&object, &arena);
    return 0;
}
