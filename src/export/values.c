#include "export/values.h"

#include "stix/pattern.h"

#include "base/banned.h"

/* "[path = 'value']", as nearly all are: read without a tree. */
static bool plain_read(slice pattern, struct arena *arena, struct export_values *out)
{
    size_t at = slice_find_byte(pattern, ' ');
    enum out_kind kind;

    if (at == SIZE_MAX || at < 4 || pattern.len < at + 6 || pattern.at[0] != '[' ||
        memcmp(pattern.at + at, " = '", 4) != 0 || !slice_ends(pattern, SLICE("']")) ||
        !out_kind_of_path(slice_of(pattern.at + 1, at - 1), &kind))
        return false;
    slice value = slice_of(pattern.at + at + 4, pattern.len - at - 6);
    if (value.len == 0 || memchr(value.at, '\'', value.len) != NULL ||
        memchr(value.at, '\\', value.len) != NULL)
        return false;
    struct export_value *item = arena_new(arena, struct export_value, 1);
    if (item == NULL)
        return false;
    *item = (struct export_value){
        .is_known = true,
        .kind = kind,
        .text = stix_value_normal(out_kind_path(kind), value, arena),
    };
    *out = (struct export_values){.items = item, .count = 1, .is_simple = true};
    return true;
}

static bool is_simple(const struct pattern *pattern)
{
    for (size_t i = 0; i < pattern->node_count; i++) {
        const struct pattern_node *node = &pattern->nodes[i];

        switch (node->kind) {
        case PATTERN_OBSERVATION:
        case PATTERN_OBS_OR:
        case PATTERN_OR:
            continue;
        case PATTERN_COMPARE:
            break;
        case PATTERN_FOLLOWEDBY:
        case PATTERN_OBS_AND:
        case PATTERN_WITHIN:
        case PATTERN_REPEATS:
        case PATTERN_START_STOP:
        case PATTERN_AND:
        case PATTERN_EXISTS:
            return false;
        }
        if (node->negated ||
            (node->op != PATTERN_EQ && node->op != PATTERN_IN && node->op != PATTERN_ISSUBSET))
            return false;
        for (size_t j = 0; j < node->literal_count; j++)
            if (node->literals[j].kind != PATTERN_STRING)
                return false;
    }
    return !pattern->is_impossible;
}

static void tree_read(slice text, struct arena *arena, struct export_values *out)
{
    const struct stix_value *values;
    struct pattern pattern;
    size_t count;

    /* What an older edition allowed besides is read as well. */
    if (failed(pattern_parse(text, STIX_21, arena, &pattern, NULL, NULL)) &&
        failed(pattern_parse(text, STIX_20, arena, &pattern, NULL, NULL))) {
        out->is_wrong = true;
        return;
    }
    if (!is_simple(&pattern) || failed(pattern_values(&pattern, arena, &values, &count)))
        return;
    struct export_value *items = arena_new(arena, struct export_value, count);
    if (items == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        items[i].text = values[i].value;
        items[i].is_known = out_kind_of_path(values[i].kind, &items[i].kind);
    }
    *out = (struct export_values){.items = items, .count = count, .is_simple = true};
}

void export_values_read(slice pattern, slice pattern_type, struct arena *arena,
                        struct export_values *out)
{
    *out = (struct export_values){0};
    if (pattern_type.len > 0 && !slice_eq_nocase(pattern_type, SLICE("stix")))
        return;
    if (pattern.at == NULL)
        out->is_wrong = true;
    else if (!plain_read(pattern, arena, out))
        tree_read(pattern, arena, out);
}
