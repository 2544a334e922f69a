#include "telemetry/reader.h"

#include "base/banned.h"

#define PATH_BYTES_MAX (MAP_FIELD_BYTES_MAX + 1)

/* A container that is being walked. */
struct level {
    const struct json_node *end;
    uint32_t path_len, element;
    bool in_object;
};

struct walk {
    struct telemetry_reader *reader;
    const struct json_doc *doc;
    struct level levels[TELEMETRY_DEPTH_MAX + 1];
    size_t depth;
    uint32_t element_count;
    char path[PATH_BYTES_MAX]; /* of the value at hand; a longer one is in no map */
    size_t path_len;
};

static void path_push(struct walk *walk, const struct level *level, slice key)
{
    size_t dot = level->path_len > 0 ? 1 : 0;

    walk->path_len = level->path_len;
    if (key.len > PATH_BYTES_MAX - dot - walk->path_len) {
        walk->path_len = PATH_BYTES_MAX; /* matches nothing, nor what is inside it */
        return;
    }
    if (dot > 0)
        walk->path[walk->path_len++] = '.';
    if (key.len > 0)
        memcpy(walk->path + walk->path_len, key.at, key.len);
    walk->path_len += key.len;
}

static void scalar_take(struct walk *walk, const struct json_node *node, uint32_t element)
{
    struct event_builder *event = &walk->reader->event;
    struct event_field field = {.name = slice_of(walk->path, walk->path_len), .element = element};

    if (node->kind != JSON_STRING && node->kind != JSON_NUMBER)
        return;
    field.raw = slice_of(event->line.at + node->at, node->len);
    if (node->kind == JSON_STRING && node->escaped)
        field.value = json_string(walk->doc, node, &event->arena);
    else
        field.value = field.raw;
    event_take(event, &field);
}

static result container_enter(struct walk *walk, const struct json_node *node, uint32_t element,
                              struct diag *diag)
{
    if (walk->depth > TELEMETRY_DEPTH_MAX)
        return diag_fail(diag, ERR_LIMIT, "nested deeper than %d", TELEMETRY_DEPTH_MAX);
    walk->levels[walk->depth++] = (struct level){
        .end = node + node->size,
        .path_len = (uint32_t)walk->path_len,
        .element = element,
        .in_object = node->kind == JSON_OBJECT,
    };
    return OK;
}

/* Every value with its path.  Keys that stand twice are both taken: what another reader of the log
 * sees as the last may be what matters. */
static result walk_run(struct walk *walk, struct diag *diag)
{
    const struct json_node *node = walk->doc->nodes, *end = node + node->size;

    TRY(container_enter(walk, node++, 0, diag));
    while (node < end) {
        while (walk->levels[walk->depth - 1].end <= node)
            walk->depth--;
        const struct level *level = &walk->levels[walk->depth - 1];
        uint32_t element = level->element;

        if (level->in_object) {
            path_push(walk, level, json_string(walk->doc, node, &walk->reader->event.arena));
            node++;
        } else {
            walk->path_len = level->path_len;
            element = ++walk->element_count;
        }
        if (node->kind == JSON_OBJECT || node->kind == JSON_ARRAY)
            TRY(container_enter(walk, node, element, diag));
        else
            scalar_take(walk, node, element);
        node++;
    }
    return OK;
}

result shape_json(struct telemetry_reader *reader, slice line, struct diag *diag)
{
    struct json_doc doc;
    struct walk walk = {.reader = reader, .doc = &doc};

    TRY(json_parse_copy(reader->parser, line, &doc, diag));
    if (doc.nodes[0].kind != JSON_OBJECT)
        return diag_fail(diag, ERR_INVALID, "no JSON object");
    return walk_run(&walk, diag);
}
