#include "telemetry/map.h"

#include "base/buf.h"
#include "base/fault.h"

#include "base/banned.h"

#define MAP_ARENA_BYTES_MAX ((size_t)16 << 20)
#define MAP_WORDS_MAX 8

static const struct {
    slice word;
    char path;
} kinds[] = {
#define KIND(name, word, path, help) [KIND_##name] = {S(word), path},
#include "telemetry/kinds.def"
#undef KIND
};

static const slice shapes[] = {
#define SHAPE(name, word, help) [SHAPE_##name] = S(word),
#include "telemetry/shapes.def"
#undef SHAPE
};

/* What a map is while it is read. */
struct reading {
    struct telemetry_map *map;
    slice prefixes[MAP_PREFIXES_MAX];
    size_t prefix_count;
    size_t capacity;
    struct diag *diag;
};

static uint32_t field_hash(slice field)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < field.len; i++) {
        char c = field.at[i];

        hash = (hash ^ (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c)) * 16777619u;
    }
    return hash;
}

const struct map_rule *map_rule_next(const struct telemetry_map *map, const struct map_rule *rule,
                                     slice field)
{
    uint32_t hash = rule->hash;

    for (uint32_t next = rule->next; next != 0; next = map->rules[next - 1].next) {
        rule = &map->rules[next - 1];
        if (rule->hash == hash && slice_eq_nocase(rule->field, field))
            return rule;
    }
    return NULL;
}

const struct map_rule *map_rule_find(const struct telemetry_map *map, slice field)
{
    uint32_t hash = field_hash(field);
    struct map_rule head = {.hash = hash, .next = map->buckets[hash & map->bucket_mask]};

    return map_rule_next(map, &head, field);
}

/* ---- words of a line: split at blanks, quotes keep them together, # begins a comment ---- */

static result line_split(slice line, slice words[MAP_WORDS_MAX], size_t *count, struct diag *diag)
{
    *count = 0;
    for (size_t i = 0; i < line.len;) {
        size_t start = i;

        if (line.at[i] == ' ' || line.at[i] == '\t' || line.at[i] == '\r') {
            i++;
            continue;
        }
        if (line.at[i] == '#')
            return OK;
        if (*count == MAP_WORDS_MAX)
            return diag_fail(diag, ERR_INVALID, "more than %d words", MAP_WORDS_MAX);
        if (line.at[i] == '"') {
            size_t end = slice_find_byte(slice_from(line, i + 1), '"');

            if (end == SIZE_MAX)
                return diag_fail(diag, ERR_INVALID, "a quote without its end");
            words[(*count)++] = slice_of(line.at + start + 1, end);
            i += end + 2;
            continue;
        }
        while (i < line.len && line.at[i] != ' ' && line.at[i] != '\t' && line.at[i] != '\r')
            i++;
        words[(*count)++] = slice_of(line.at + start, i - start);
    }
    return OK;
}

static result shape_set(struct reading *reading, slice word)
{
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        if (slice_eq(shapes[i], word)) {
            reading->map->shape = (enum telemetry_shape)i;
            return OK;
        }
    }
    return diag_fail(reading->diag, ERR_INVALID, "no shape \"%.*s\"", SLICE_ARG(word));
}

static result need_add(struct reading *reading, const slice *words, size_t count)
{
    struct telemetry_map *map = reading->map;

    if (count > MAP_NEED_FIELDS_MAX || map->need_count == MAP_NEEDS_MAX)
        return diag_fail(reading->diag, ERR_LIMIT,
                         "needs: takes %d fields, and a map %d such lines", MAP_NEED_FIELDS_MAX,
                         MAP_NEEDS_MAX);
    struct map_need *need = &map->needs[map->need_count++];
    for (need->count = 0; need->count < count; need->count++)
        need->fields[need->count] = words[need->count];
    return OK;
}

static result prefixes_set(struct reading *reading, const slice *words, size_t count)
{
    reading->prefix_count = 0;
    for (size_t i = 0; i < count && i < MAP_PREFIXES_MAX; i++)
        reading->prefixes[reading->prefix_count++] = words[i];
    return OK;
}

static result directive_take(struct reading *reading, slice word, const slice *words, size_t count)
{
    if (count == 0)
        return diag_fail(reading->diag, ERR_INVALID, "%.*s what?", SLICE_ARG(word));
    if (slice_eq(word, SLICE("name:"))) {
        reading->map->name = words[0];
        return OK;
    }
    if (slice_eq(word, SLICE("shape:")))
        return shape_set(reading, words[0]);
    if (slice_eq(word, SLICE("needs:")))
        return need_add(reading, words, count);
    if (slice_eq(word, SLICE("each:")))
        return prefixes_set(reading, words, count);
    return diag_fail(reading->diag, ERR_INVALID,
                     "\"%.*s\" is none of name:, shape:, needs:, each:", SLICE_ARG(word));
}

static result rule_push(struct reading *reading, slice prefix, const struct map_rule *rule)
{
    struct telemetry_map *map = reading->map;
    bool is_rest = slice_eq(rule->field, SLICE("*"));
    slice field =
        is_rest ? rule->field
                : arena_printf(&map->arena, "%.*s%.*s", SLICE_ARG(prefix), SLICE_ARG(rule->field));
    struct map_rule *rules = table_grow(map->rules, &reading->capacity, map->rule_count + 1,
                                        MAP_RULES_MAX, sizeof(*rule));

    map->rules = rules != NULL ? rules : map->rules; /* it may have moved, whatever comes next */
    if (FAULT_HERE() || rules == NULL || field.at == NULL)
        return diag_fail(reading->diag, ERR_LIMIT, "over %d rules or out of memory", MAP_RULES_MAX);
    if (field.len > MAP_FIELD_BYTES_MAX)
        return diag_fail(reading->diag, ERR_LIMIT, "a field's name takes %d bytes at most",
                         MAP_FIELD_BYTES_MAX);
    rules[map->rule_count] = *rule;
    rules[map->rule_count].field = field;
    rules[map->rule_count++].hash = field_hash(field);
    return OK;
}

/* "type:property", as a pattern would name it. */
static bool path_is_well_formed(slice path)
{
    slice type, property;

    return slice_cut(path, ':', &type, &property) && type.len > 0 && property.len > 0;
}

static result rule_take(struct reading *reading, const slice *words, size_t count)
{
    struct map_rule rule = {.field = words[0]};
    size_t kind = 0;

    if (count < 2 || count > 4)
        return diag_fail(reading->diag, ERR_INVALID, "takes FIELD KIND [PATH [OBJECT]]");
    while (kind < sizeof(kinds) / sizeof(kinds[0]) && !slice_eq(kinds[kind].word, words[1]))
        kind++;
    if (kind == sizeof(kinds) / sizeof(kinds[0]))
        return diag_fail(reading->diag, ERR_INVALID, "no kind \"%.*s\"", SLICE_ARG(words[1]));
    rule.kind = (enum telemetry_kind)kind;
    rule.path = count > 2 ? words[2] : SLICE("");
    rule.label = count > 3 ? words[3] : SLICE("");
    if (count > 2 && kinds[kind].path == 'N')
        return diag_fail(reading->diag, ERR_INVALID, "%.*s takes no path", SLICE_ARG(words[1]));
    if (count < 3 && kinds[kind].path == 'Y')
        return diag_fail(reading->diag, ERR_INVALID, "%.*s takes a path", SLICE_ARG(words[1]));
    if (count > 2 && !path_is_well_formed(rule.path))
        return diag_fail(reading->diag, ERR_INVALID, "\"%.*s\" is no path, like file:name",
                         SLICE_ARG(rule.path));
    for (size_t i = 0; i < reading->prefix_count; i++)
        TRY(rule_push(reading, reading->prefixes[i], &rule));
    return OK;
}

static result map_line(struct reading *reading, slice line)
{
    slice words[MAP_WORDS_MAX];
    size_t count;

    TRY(line_split(line, words, &count, reading->diag));
    if (count == 0)
        return OK;
    if (words[0].len == 0)
        return diag_fail(reading->diag, ERR_INVALID, "a field without a name");
    if (words[0].at[words[0].len - 1] == ':')
        return directive_take(reading, words[0], words + 1, count - 1);
    return rule_take(reading, words, count);
}

/* Rules of one bucket stay in the order of the map: inserted from the last to the first. */
static result map_index(struct telemetry_map *map, struct diag *diag)
{
    size_t size = 16;

    if (map->rule_count == 0)
        return diag_fail(diag, ERR_INVALID, "no line says what a field is");
    while (size < map->rule_count * 2)
        size *= 2;
    map->buckets = arena_new(&map->arena, uint32_t, size);
    map->bucket_mask = size - 1;
    if (map->buckets == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    for (size_t i = map->rule_count; i-- > 0;) {
        struct map_rule *rule = &map->rules[i];
        uint32_t *bucket = &map->buckets[rule->hash & map->bucket_mask];

        rule->next = *bucket;
        *bucket = (uint32_t)i + 1;
        if (slice_eq(rule->field, SLICE("*")))
            map->rest = rule;
    }
    return OK;
}

static result map_read_into(struct telemetry_map *map, slice text, struct diag *diag)
{
    struct reading reading = {.map = map, .prefixes = {SLICE("")}, .prefix_count = 1, .diag = diag};
    slice rest = arena_copy(&map->arena, text), line;

    if (text.len > 0 && rest.at == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    for (size_t number = 1; rest.len > 0; number++) {
        (void)slice_cut(rest, '\n', &line, &rest); /* the last line may have no end */
        TRY(diag_within(diag, map_line(&reading, line), "line %zu", number));
    }
    return map_index(map, diag);
}

result telemetry_map_read(slice text, struct telemetry_map **out, struct diag *diag)
{
    CLEANUP(telemetry_map_free) struct telemetry_map *map = NULL;
    size_t capacity = 0;

    *out = NULL;
    if (text.len > TELEMETRY_MAP_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "a map takes %zu bytes at most", TELEMETRY_MAP_BYTES_MAX);
    map = FAULT_HERE() ? NULL : table_grow(NULL, &capacity, 1, 1, sizeof(*map));
    if (map == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    *map = (struct telemetry_map){.arena = ARENA(MAP_ARENA_BYTES_MAX)};
    TRY(map_read_into(map, text, diag));
    *out = map;
    map = NULL;
    return OK;
}

void telemetry_map_free(struct telemetry_map **map)
{
    if (*map == NULL)
        return;
    table_free((*map)->rules);
    arena_free(&(*map)->arena);
    table_free(*map);
    *map = NULL;
}

result map_read_builtin(slice name, struct telemetry_map **out, struct diag *diag)
{
    CLEANUP(buf_free) struct buf text = BUF(TELEMETRY_MAP_BYTES_MAX);
    const char *const *lines = map_builtin(name);

    *out = NULL;
    if (lines == NULL)
        return diag_fail(diag, ERR_MISSING, "no map \"%.*s\"", SLICE_ARG(name));
    for (; *lines != NULL; lines++) {
        buf_put(&text, slice_text(*lines));
        buf_byte(&text, '\n');
    }
    if (text.overflowed)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    return diag_within(diag, telemetry_map_read(buf_slice(&text), out, diag), "map %.*s",
                       SLICE_ARG(name));
}
