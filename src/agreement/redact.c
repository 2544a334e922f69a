#include "agreement/redact.h"

#include "agreement/fields.h"
#include "stix/object.h"
#include "json/canonical.h"

#include "base/banned.h"

#define SELECTOR_PARTS_MAX 48 /* less than a writer's depth */
#define NAME_BYTES_MAX ((size_t)16 << 20)

/* The name space of ids of redacted copies. */
static const struct uuid redactions = {{0x3d, 0x6b, 0x1c, 0x52, 0x8f, 0x4e, 0x4a, 0x0b, 0x9b, 0x57,
                                        0x6c, 0x1f, 0x0e, 0x2a, 0x7d, 0x94}};

struct uuid redaction_id(slice agreement, slice id, slice version, const slice *removed,
                         size_t removed_count)
{
    CLEANUP(buf_free) struct buf name = BUF(NAME_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&name);

    jw_array_begin(&w);
    jw_string(&w, agreement);
    jw_string(&w, id);
    jw_string(&w, version);
    jw_array_begin(&w);
    for (size_t i = 0; i < removed_count; i++)
        jw_string(&w, removed[i]);
    jw_array_end(&w);
    jw_array_end(&w);
    return uuid_v5(&redactions, buf_slice(&name));
}

/* ---- what goes ---- */

enum mark { MARK_STAYS, MARK_TOUCHED /* something inside goes */, MARK_GOES };

struct redacting {
    const struct json_doc *doc;
    const struct json_node *root;
    uint8_t *marks; /* enum mark, of each node from root on */
    struct arena *arena;
    struct json_writer w;
    struct buf scratch;
    slice id; /* the new one */
    const struct decision *decision;
};

static uint8_t *mark_of(const struct redacting *r, const struct json_node *node)
{
    return &r->marks[node - r->root];
}

static const struct json_node *child(const struct redacting *r, const struct json_node *node,
                                     slice part)
{
    size_t index;

    if (!slice_starts(part, SLICE("[")))
        return json_get(r->doc, node, part);
    if (node->kind != JSON_ARRAY || !slice_ends(part, SLICE("]")) ||
        !parse_size(slice_of(part.at + 1, part.len - 2), &index))
        return NULL;
    for (struct json_each each = json_each(r->doc, node); json_next(&each); index--)
        if (index == 0)
            return each.value;
    return NULL;
}

struct path {
    const struct json_node *nodes[SELECTOR_PARTS_MAX + 1]; /* the root first */
    slice parts[SELECTOR_PARTS_MAX];
    size_t count; /* of parts */
};

/* False when the selector points to nothing, or is too deep. */
static bool path_find(const struct redacting *r, slice selector, struct path *out)
{
    slice rest = selector;
    bool more = true;

    out->nodes[0] = r->root;
    for (out->count = 0; more;) {
        if (out->count == SELECTOR_PARTS_MAX)
            return false;
        more = slice_cut(rest, '.', &out->parts[out->count], &rest);
        const struct json_node *next = child(r, out->nodes[out->count], out->parts[out->count]);
        if (next == NULL)
            return false;
        out->nodes[++out->count] = next;
    }
    return true;
}

static bool is_emptied(const struct redacting *r, const struct json_node *container)
{
    for (struct json_each each = json_each(r->doc, container); json_next(&each);)
        if (*mark_of(r, each.value) != MARK_GOES)
            return false;
    return true;
}

static bool mark_selector(struct redacting *r, slice selector)
{
    struct path path;

    if (!path_find(r, selector, &path))
        return false;
    *mark_of(r, path.nodes[path.count]) = MARK_GOES;
    for (size_t i = 0; i < path.count; i++)
        if (*mark_of(r, path.nodes[i]) == MARK_STAYS)
            *mark_of(r, path.nodes[i]) = MARK_TOUCHED;
    return true;
}

/* STIX knows no empty lists or dictionaries: what is emptied goes as a whole. */
static void mark_emptied(struct redacting *r, slice selector)
{
    struct path path;

    if (!path_find(r, selector, &path))
        return;
    for (size_t i = path.count; i-- > 1;)
        if (*mark_of(r, path.nodes[i]) == MARK_TOUCHED && is_emptied(r, path.nodes[i]))
            *mark_of(r, path.nodes[i]) = MARK_GOES;
}

/* ---- granular markings ---- */

/* The selector for where the same stands afterwards; false when it goes. */
static bool selector_moved(struct redacting *r, slice selector, struct buf *out)
{
    struct path path;

    buf_reset(out);
    if (!path_find(r, selector, &path))
        return false;
    for (size_t i = 0; i < path.count; i++) {
        const struct json_node *in = path.nodes[i], *at = path.nodes[i + 1];
        size_t index = 0;

        if (*mark_of(r, at) == MARK_GOES)
            return false;
        buf_printf(out, "%s", i > 0 ? "." : "");
        if (in->kind != JSON_ARRAY) {
            buf_put(out, path.parts[i]);
            continue;
        }
        for (struct json_each each = json_each(r->doc, in); json_next(&each) && each.value != at;)
            index += *mark_of(r, each.value) != MARK_GOES;
        buf_printf(out, "[%zu]", index);
    }
    return true;
}

static void granular_write(struct redacting *r, const struct json_node *granular, struct buf *moved)
{
    const struct json_node *selectors = json_get(r->doc, granular, SLICE("selectors"));
    bool is_begun = false;

    for (struct json_each each = json_each(r->doc, selectors); json_next(&each);) {
        if (!selector_moved(r, json_string(r->doc, each.value, r->arena), moved))
            continue;
        if (!is_begun) {
            jw_object_begin(&r->w);
            for (struct json_each other = json_each(r->doc, granular); json_next(&other);) {
                if (other.value == selectors)
                    continue;
                jw_key(&r->w, json_string(r->doc, other.key, r->arena));
                jw_raw(&r->w, json_raw(r->doc, other.value));
            }
            jw_key(&r->w, SLICE("selectors"));
            jw_array_begin(&r->w);
            is_begun = true;
        }
        jw_string(&r->w, buf_slice(moved));
    }
    if (!is_begun)
        return;
    jw_array_end(&r->w);
    jw_object_end(&r->w);
}

static bool granular_stays(struct redacting *r, const struct json_node *granular, struct buf *moved)
{
    const struct json_node *selectors = json_get(r->doc, granular, SLICE("selectors"));

    for (struct json_each each = json_each(r->doc, selectors); json_next(&each);)
        if (selector_moved(r, json_string(r->doc, each.value, r->arena), moved))
            return true;
    return false;
}

static void granulars_write(struct redacting *r, const struct json_node *list)
{
    CLEANUP(buf_free) struct buf moved = BUF(NAME_BYTES_MAX);
    bool any = false;

    for (struct json_each each = json_each(r->doc, list); json_next(&each);)
        any |= granular_stays(r, each.value, &moved);
    if (!any)
        return;
    jw_key(&r->w, SLICE("granular_markings"));
    jw_array_begin(&r->w);
    for (struct json_each each = json_each(r->doc, list); json_next(&each);)
        granular_write(r, each.value, &moved);
    jw_array_end(&r->w);
}

/* ---- what stays ---- */

static void raw_write(struct redacting *r, const struct json_node *node)
{
    buf_reset(&r->scratch);
    json_minify(r->doc, node, &r->scratch);
    jw_raw(&r->w, buf_slice(&r->scratch));
}

/* A value of which a part goes.  Only containers on a selector's path are opened, so their depth is
 * bounded by SELECTOR_PARTS_MAX. */
static void touched_write(struct redacting *r, const struct json_node *node)
{
    struct json_each open[SELECTOR_PARTS_MAX + 1];
    const struct json_node *containers[SELECTOR_PARTS_MAX + 1];
    size_t depth = 0;

    containers[0] = node;
    open[0] = json_each(r->doc, node);
    if (node->kind == JSON_OBJECT)
        jw_object_begin(&r->w);
    else
        jw_array_begin(&r->w);
    for (;;) {
        struct json_each *each = &open[depth];

        if (!json_next(each)) {
            if (containers[depth]->kind == JSON_OBJECT)
                jw_object_end(&r->w);
            else
                jw_array_end(&r->w);
            if (depth-- == 0)
                return;
            continue;
        }
        if (*mark_of(r, each->value) == MARK_GOES)
            continue;
        if (each->key != NULL)
            jw_key(&r->w, json_string(r->doc, each->key, r->arena));
        if (*mark_of(r, each->value) == MARK_STAYS) {
            raw_write(r, each->value);
            continue;
        }
        if (each->value->kind == JSON_OBJECT)
            jw_object_begin(&r->w);
        else
            jw_array_begin(&r->w);
        depth++;
        containers[depth] = each->value;
        open[depth] = json_each(r->doc, containers[depth]);
    }
}

static void removed_write(struct redacting *r, const struct json_node *before)
{
    jw_key(&r->w, SLICE("x_entente_removed"));
    jw_array_begin(&r->w);
    if (before != NULL && before->kind == JSON_ARRAY)
        for (struct json_each each = json_each(r->doc, before); json_next(&each);)
            raw_write(r, each.value);
    for (size_t i = 0; i < r->decision->removed_count; i++)
        jw_string(&r->w, r->decision->removed[i]);
    jw_array_end(&r->w);
}

static void member_write(struct redacting *r, slice key, const struct json_node *value)
{
    if (*mark_of(r, value) == MARK_GOES || slice_eq(key, SLICE("x_entente_removed")))
        return;
    if (slice_eq(key, SLICE("granular_markings"))) {
        granulars_write(r, value);
        return;
    }
    jw_key(&r->w, key);
    if (slice_eq(key, SLICE("id")))
        jw_string(&r->w, r->id);
    else if (*mark_of(r, value) == MARK_TOUCHED)
        touched_write(r, value);
    else
        raw_write(r, value);
}

static result object_write(struct redacting *r, struct diag *diag)
{
    const struct decision *decision = r->decision;

    for (size_t i = 0; i < decision->removed_count; i++)
        if (!mark_selector(r, decision->removed[i]))
            return diag_fail(diag, ERR_INVALID, "%.*s: cannot be removed, for it is not there",
                             SLICE_ARG(decision->removed[i]));
    for (size_t i = 0; i < decision->removed_count; i++)
        mark_emptied(r, decision->removed[i]);
    jw_object_begin(&r->w);
    for (struct json_each each = json_each(r->doc, r->root); json_next(&each);)
        member_write(r, json_string(r->doc, each.key, r->arena), each.value);
    if (!decision->is_recall)
        removed_write(r, json_get(r->doc, r->root, SLICE("x_entente_removed")));
    jw_object_end(&r->w);
    return OK;
}

/* What is left must be an object for whoever receives it. */
static result object_check(slice text, struct arena *arena, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct stix_findings findings = {0};
    struct stix_object object;
    struct json_doc doc;

    TRY(json_parser_new(JSON_DEPTH_MAX, &parser, diag));
    TRY(json_parse_copy(parser, text, &doc, diag));
    return diag_within(diag, stix_check(&doc, STIX_NORMAL, arena, &object, &findings, diag),
                       "what remains is no STIX object");
}

static result redact(struct redacting *r, const struct agreement *agreement, struct buf *out,
                     struct diag *diag)
{
    struct value object = {r->doc, r->root};
    struct fields fields;
    slice version = SLICE("");
    char uuid[UUID_TEXT_BYTES];

    if (!fields_read(object, r->arena, &fields) || fields.id.at == NULL || fields.type.at == NULL)
        return diag_fail(diag, ERR_INVALID, "the object has no id or type");
    (void)value_text(fields.modified, r->arena, &version);
    r->id = fields.id;
    if (!r->decision->is_recall) {
        struct uuid id = redaction_id(agreement->id, fields.id, version, r->decision->removed,
                                      r->decision->removed_count);

        uuid_format(&id, uuid);
        r->id = arena_printf(r->arena, "%.*s--%.*s", SLICE_ARG(fields.type), UUID_TEXT_BYTES, uuid);
    }
    TRY(object_write(r, diag));
    if (r->arena->overflowed || out->overflowed || r->scratch.overflowed)
        return diag_fail(diag, ERR_LIMIT, "the object is too large to be redacted");
    return r->decision->is_recall ? OK : object_check(buf_slice(out), r->arena, diag);
}

result agreement_redact(const struct agreement *agreement, struct value object,
                        const struct decision *decision, struct arena *arena, struct buf *out,
                        struct diag *diag)
{
    struct redacting r = {
        .doc = object.doc, .root = object.node, .arena = arena, .decision = decision};

    buf_reset(out);
    switch (decision->verdict) {
    case VERDICT_SHARE:
        json_minify(object.doc, object.node, out);
        return out->overflowed ? diag_fail(diag, ERR_LIMIT, "the object is too large") : OK;
    case VERDICT_REDACT:
        break;
    case VERDICT_REFUSE:
    case VERDICT_HOLD:
        return diag_fail(diag, ERR_DENIED, "it may not leave: %.*s",
                         SLICE_ARG(verdict_name(decision->verdict)));
    }
    r.w = JSON_WRITER(out);
    r.scratch = BUF(out->ceiling);
    r.marks = arena_new(arena, uint8_t, object.node->size);
    if (r.marks == NULL)
        return diag_fail(diag, ERR_LIMIT, "the object is too large to be redacted");
    result done = redact(&r, agreement, out, diag);
    buf_free(&r.scratch);
    return done;
}
