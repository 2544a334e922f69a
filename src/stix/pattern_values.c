#include "stix/pattern.h"

#include <arpa/inet.h>

#include "base/banned.h"

static bool is_address(int family, slice value)
{
    char text[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    slice address, bits;

    (void)slice_cut(value, '/', &address, &bits); /* without "/" all of it is the address */
    if (address.len >= sizeof(text))
        return false;
    memcpy(text, address.at, address.len);
    text[address.len] = '\0';
    return strlen(text) == address.len && inet_pton(family, text, bytes) == 1;
}

static bool is_mac(slice value)
{
    if (value.len != sizeof("00:00:00:00:00:00") - 1)
        return false;
    for (size_t i = 2; i < value.len; i += 3)
        if (value.at[i] != ':' && value.at[i] != '-')
            return false;
    return true;
}

/* What "..._ref.value" stands for is told by the value. */
static slice kind_behind_reference(slice value)
{
    if (is_address(AF_INET, value))
        return SLICE("ipv4-addr:value");
    if (is_address(AF_INET6, value))
        return SLICE("ipv6-addr:value");
    if (is_mac(value))
        return SLICE("mac-addr:value");
    if (slice_find_byte(value, '@') != SIZE_MAX)
        return SLICE("email-addr:value");
    if (slice_find(value, SLICE("://")) != SIZE_MAX)
        return SLICE("url:value");
    return SLICE("domain-name:value");
}

static bool ends_with_reference_value(const struct pattern_path *path)
{
    const struct pattern_step *last, *before;
    size_t count = path->step_count;

    if (count < 2)
        return false;
    last = &path->steps[count - 1];
    before = &path->steps[count - 2];
    if (before->kind != PATTERN_KEY && count > 2)
        before = &path->steps[count - 3]; /* "_refs[*]" */
    return last->kind == PATTERN_KEY && slice_eq(last->key, SLICE("value")) &&
           before->kind == PATTERN_KEY &&
           (slice_ends(before->key, SLICE("_ref")) || slice_ends(before->key, SLICE("_refs")));
}

/* The path with hashes under their STIX names and every list index as "[*]". */
static slice path_kind(const struct pattern_path *path, struct arena *arena)
{
    struct pattern_step steps[PATTERN_STEPS_MAX];
    struct pattern_path plain = *path;
    CLEANUP(buf_free) struct buf text = BUF(PATTERN_BYTES_MAX * 2);
    slice kind;

    for (size_t i = 0; i < path->step_count; i++) {
        steps[i] = path->steps[i];
        if (steps[i].kind == PATTERN_INDEX)
            steps[i].kind = PATTERN_ANY;
        if (i > 0 && steps[i].kind == PATTERN_KEY && steps[i - 1].kind == PATTERN_KEY &&
            slice_eq(steps[i - 1].key, SLICE("hashes")))
            steps[i].key = stix_hash_name(steps[i].key);
    }
    plain.steps = steps;
    pattern_print_path(&plain, &text);
    kind = arena_copy(arena, buf_slice(&text));
    if (text.overflowed)
        arena->overflowed = true;
    return kind;
}

static bool is_named(const struct pattern_node *node)
{
    return node->kind == PATTERN_COMPARE && !node->negated &&
           (node->op == PATTERN_EQ || node->op == PATTERN_IN || node->op == PATTERN_ISSUBSET);
}

/* "ipv4-addr:value", spelled plainly as nearly all are, borrows from the pattern. */
static bool is_plain(const struct pattern_path *path)
{
    return path->step_count == 1 && path->text.len == path->type.len + 1 + path->steps[0].key.len;
}

static void value_put(const struct pattern_node *node, const struct pattern_literal *literal,
                      slice kind, struct arena *arena, struct stix_value *out)
{
    out->kind = kind;
    if (ends_with_reference_value(&node->path))
        out->kind = kind_behind_reference(literal->text);
    out->value = stix_value_normal(out->kind, literal->text, arena);
}

result pattern_values(const struct pattern *pattern, struct arena *arena,
                      const struct stix_value **values, size_t *count)
{
    struct stix_value *table;
    size_t most = 0, filled = 0;

    for (size_t i = 0; i < pattern->node_count; i++)
        most += is_named(&pattern->nodes[i]) ? pattern->nodes[i].literal_count : 0;
    table = arena_new(arena, struct stix_value, most);
    for (size_t i = 0; i < pattern->node_count && table != NULL; i++) {
        const struct pattern_node *node = &pattern->nodes[i];
        slice kind;

        if (!is_named(node))
            continue;
        kind = is_plain(&node->path) ? node->path.text : path_kind(&node->path, arena);
        for (size_t j = 0; j < node->literal_count; j++) {
            const struct pattern_literal *literal = &node->literals[j];

            if (literal->kind != PATTERN_BINARY && literal->kind != PATTERN_HEX)
                value_put(node, literal, kind, arena, &table[filled++]);
        }
    }
    *values = table;
    *count = filled;
    return arena->overflowed ? FAIL(ERR_LIMIT) : OK;
}
