#include "stix/check.h"

#include <stdio.h>

#include "base/banned.h"

#define PATH_BYTES_MAX 1024

enum weight { O, W, E };

static const struct {
    const char *name;
    uint8_t weight[3]; /* by mode */
} rules[RULE_COUNT] = {
#define RULE(symbol, name, strict, normal, lenient, words)                                         \
    [RULE_##symbol] = {                                                                            \
        name, {[STIX_STRICT] = strict, [STIX_NORMAL] = normal, [STIX_LENIENT] = lenient}},
#include "stix/rules.def"
#undef RULE
};

bool rule_looked_at(const struct check *c, enum rule rule)
{
    return rules[rule].weight[c->mode] != O;
}

/* Step from a container to the child that holds `node`. */
static const struct json_node *child_towards(const struct check *c, const struct json_node *from,
                                             const struct json_node *node, slice *key,
                                             size_t *position)
{
    *position = 0;
    for (struct json_each each = json_each(c->doc, from); json_next(&each); ++*position) {
        bool is_key = each.key == node;

        if (!is_key && (node < each.value || node >= each.value + each.value->size))
            continue;
        *key = each.key == NULL ? SLICE_NONE : json_string(c->doc, each.key, c->arena);
        return is_key ? node : each.value;
    }
    return NULL;
}

/* Nodes know no parents: the way is found again from the root, which only findings pay for. */
static slice path_with(const struct check *c, const struct json_node *node, slice member,
                       bool with_positions)
{
    const struct json_node *at = c->doc->nodes;
    char text[PATH_BYTES_MAX];
    struct buf path = {.at = text, .capacity = sizeof(text), .ceiling = sizeof(text)};
    size_t position;
    slice key;

    while (node != NULL && at != node) {
        bool in_object = at->kind == JSON_OBJECT;

        at = child_towards(c, at, node, &key, &position);
        if (at == NULL)
            break;
        if (in_object && path.len > 0)
            buf_byte(&path, '.');
        if (in_object)
            buf_put(&path, key);
        else if (with_positions)
            buf_printf(&path, "[%zu]", position);
    }
    if (member.len > 0 && path.len > 0)
        buf_byte(&path, '.');
    buf_put(&path, member);
    return arena_copy(c->arena, buf_slice(&path));
}

slice path_of(const struct check *c, const struct json_node *node, bool with_positions)
{
    return path_with(c, node, SLICE_NONE, with_positions);
}

static void refuse(struct check *c, const struct stix_finding *finding)
{
    result told;

    if (c->findings->refused)
        return;
    c->findings->refused = true;
    if (finding->path.len > 0)
        told = diag_fail(c->diag, ERR_INVALID, "%.*s: %.*s", SLICE_ARG(finding->path),
                         SLICE_ARG(finding->text));
    else
        told = diag_fail(c->diag, ERR_INVALID, "%.*s", SLICE_ARG(finding->text));
    (void)told; /* stix_check returns it when the walk is over */
}

static PRINTF_LIKE(2, 0) slice words_of(struct check *c, const char *format, va_list args)
{
    char text[DIAG_TEXT_BYTES_MAX];
    int bytes = vsnprintf(text, sizeof(text), format, args);

    if (bytes < 0)
        bytes = 0;
    return arena_copy(c->arena, slice_head(slice_of(text, (size_t)bytes), sizeof(text) - 1));
}

void find(struct check *c, enum rule rule, const struct json_node *node, slice member,
          const char *format, ...)
{
    struct stix_findings *all = c->findings;
    va_list args;

    if (!rule_looked_at(c, rule))
        return;
    bool is_error = rules[rule].weight[c->mode] == E;
    if (all->count == STIX_FINDINGS_MAX && (!is_error || all->refused)) {
        all->more++;
        return;
    }
    struct stix_finding finding = {
        .severity = is_error ? STIX_ERROR : STIX_WARNING,
        .rule = rules[rule].name,
        .path = path_with(c, node, member, true),
    };
    va_start(args, format);
    finding.text = words_of(c, format, args);
    va_end(args);
    if (is_error)
        refuse(c, &finding);
    if (all->count < STIX_FINDINGS_MAX)
        all->items[all->count++] = finding;
    else
        all->more++;
}
