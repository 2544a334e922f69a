/* A pattern made ready to run.
 *
 * Patterns of one comparison with "=" or IN, and those joined by OR, become value records that hit
 * their rule at once.  Of every other observation expression the nodes are kept, and a set of
 * guards is chosen that it cannot be true without: of AND the cheaper side, of OR both. */
#include "scan/build.h"

#include "base/encode.h"
#include "match/compare.h"
#include "match/normal.h"
#include "match/regex.h"

#include <stdio.h>

#include "base/banned.h"

/* What it costs to look at every event that a guard lets through: how common it is. */
enum {
    COST_EXACT = 1,
    COST_NETWORK = 4,
    COST_COMMON = 4000, /* a port, a protocol, a network of half the world */
    COST_TEXT = 20000,
    COST_ANY = 100000000,
};
#define COST_MAX (UINT64_MAX / 4)
#define PREFIX_COMMON 8 /* networks larger than this */

struct compiling {
    struct ruleset_builder *builder;
    const struct pattern *pattern;
    uint64_t *costs;  /* per node of the pattern */
    bool *is_guard;   /* per node: chosen */
    uint32_t *places; /* per node: its position in its part */
    uint32_t *paths;  /* per comparison: its path */
    bool is_full;
    bool has_value, all_allowed;
    struct diag *diag;
};

static struct path_record *path_at(const struct compiling *c, size_t node)
{
    return &image_paths(c->builder->set)[c->paths[node]];
}

static slice path_text(const struct ruleset_builder *builder, uint32_t path)
{
    const struct path_record *record = &image_paths(builder->set)[path];

    return image_slice(builder->set, record->text, record->len);
}

static bool is_comparison(const struct pattern_node *node)
{
    return node->kind == PATTERN_COMPARE || node->kind == PATTERN_EXISTS;
}

static bool is_equality(const struct pattern_node *node)
{
    return node->kind == PATTERN_COMPARE && !node->negated &&
           (node->op == PATTERN_EQ || node->op == PATTERN_IN);
}

/* ---- values ---- */

static bool value_is_allowed(struct ruleset_builder *builder, uint32_t path, slice value)
{
    return builder->choice.is_allowed != NULL &&
           builder->choice.is_allowed(builder->choice.context, path_text(builder, path), value);
}

/* Does a name hit what is below it? */
static bool has_subdomains(const struct ruleset_builder *builder, const struct path_record *path,
                           slice value)
{
    return path->class == PATH_DOMAIN && !builder->choice.exact_domains &&
           (builder->choice.suffixes_hit || !suffixes_has(builder->suffixes, value));
}

static bool is_subset(const struct ruleset_builder *builder, const struct path_record *path,
                      slice text)
{
    struct network network;

    return builder->choice.cidr_contains && path->class == PATH_ADDRESS &&
           slice_find_byte(text, '/') != SIZE_MAX && network_parse(text, &network);
}

static slice network_key(const struct network *network, char room[NETWORK_BYTES_MAX + 1])
{
    size_t bytes = network->address_bits / 8;

    memcpy(room, network->bytes, bytes);
    room[bytes] = (char)network->prefix_bits;
    return slice_of(room, bytes + 1);
}

static bool network_put(struct ruleset_builder *builder, uint32_t path, slice text, uint32_t target)
{
    char room[NETWORK_BYTES_MAX + 1];
    struct network network;

    return !network_parse(text, &network) ||
           build_value(builder, path, VALUE_NETWORK, network_key(&network, room), target);
}

static bool text_put(struct ruleset_builder *builder, uint32_t path, slice text, uint32_t target)
{
    const struct path_record *record = &image_paths(builder->set)[path];
    uint16_t flags = has_subdomains(builder, record, text) ? VALUE_SUBDOMAINS : 0;

    if (is_subset(builder, record, text))
        return network_put(builder, path, text, target);
    return build_value(builder, path, flags, text, target);
}

/* A value as the rule's path has it, in the compilation's arena; {NULL, 0} without memory. */
static slice form_of(struct ruleset_builder *builder, uint32_t path, slice text)
{
    return value_form((enum path_class)image_paths(builder->set)[path].class,
                      path_text(builder, path), text, &builder->compile);
}

/* ---- simple rules ---- */

static bool literal_is_simple(const struct pattern_literal *literal)
{
    return literal->kind == PATTERN_STRING && literal->text.len > 0 &&
           literal->text.len <= VALUE_BYTES_MAX;
}

/* Hits wherever one of its values stands: no evaluation would say otherwise. */
static bool node_is_simple(const struct compiling *c, size_t i)
{
    const struct pattern_node *node = &c->pattern->nodes[i];
    struct network network;

    switch (node->kind) {
    case PATTERN_OBSERVATION:
    case PATTERN_OBS_OR:
    case PATTERN_OR:
        return true;
    case PATTERN_COMPARE:
        if (path_is_octets(&node->path) || path_at(c, i)->class == PATH_REFERENCE_TYPE)
            return false;
        if (!node->negated && node->op == PATTERN_ISSUBSET)
            return network_parse(node->literals[0].text, &network);
        if (!is_equality(node))
            return false;
        for (size_t j = 0; j < node->literal_count; j++)
            if (!literal_is_simple(&node->literals[j]))
                return false;
        return true;
    case PATTERN_FOLLOWEDBY:
    case PATTERN_OBS_AND:
    case PATTERN_WITHIN:
    case PATTERN_REPEATS:
    case PATTERN_START_STOP:
    case PATTERN_AND:
    case PATTERN_EXISTS:
        break;
    }
    return false;
}

static bool pattern_is_simple(const struct compiling *c)
{
    for (size_t i = 0; i < c->pattern->node_count; i++)
        if (!node_is_simple(c, i))
            return false;
    return true;
}

static bool simple_value(struct compiling *c, size_t i, slice text, uint32_t rule)
{
    slice value = form_of(c->builder, c->paths[i], text);

    if (value.at == NULL || value.len > VALUE_BYTES_MAX)
        return false;
    c->has_value = true;
    if (value_is_allowed(c->builder, c->paths[i], value))
        return true;
    c->all_allowed = false;
    return c->pattern->nodes[i].op == PATTERN_ISSUBSET
               ? network_put(c->builder, c->paths[i], value, rule)
               : text_put(c->builder, c->paths[i], value, rule);
}

static bool simple_values(struct compiling *c, uint32_t rule)
{
    for (size_t i = 0; i < c->pattern->node_count; i++) {
        const struct pattern_node *node = &c->pattern->nodes[i];

        for (size_t j = 0; node->kind == PATTERN_COMPARE && j < node->literal_count; j++)
            if (!simple_value(c, i, node->literals[j].text, rule))
                return false;
    }
    return true;
}

/* ---- the nodes of a part ---- */

static enum node_kind kind_of(const struct compiling *c, size_t i)
{
    const struct pattern_node *node = &c->pattern->nodes[i];

    if (node->kind == PATTERN_AND)
        return NODE_AND;
    if (node->kind == PATTERN_OR)
        return NODE_OR;
    if (node->kind == PATTERN_EXISTS)
        return NODE_EXISTS;
    if (node->op == PATTERN_LIKE)
        return NODE_LIKE;
    if (node->op == PATTERN_MATCHES)
        return NODE_MATCHES;
    if (node->op == PATTERN_ISSUBSET || node->op == PATTERN_ISSUPERSET)
        return NODE_NETWORK;
    switch (node->literals[0].kind) {
    case PATTERN_STRING:
        return path_is_octets(&node->path) ? NODE_OCTETS : NODE_TEXT;
    case PATTERN_INTEGER:
    case PATTERN_FLOAT:
        return NODE_NUMBER;
    case PATTERN_BOOLEAN:
        return NODE_BOOLEAN;
    case PATTERN_BINARY:
    case PATTERN_HEX:
        return NODE_OCTETS;
    case PATTERN_TIMESTAMP:
        return NODE_TIME;
    }
    return NODE_NEVER;
}

/* The constant in the form it is compared in. */
static slice literal_text(struct compiling *c, size_t i, enum node_kind kind,
                          const struct pattern_literal *literal)
{
    struct ruleset_builder *builder = c->builder;
    slice text = literal->text;
    enum path_class class = (enum path_class)path_at(c, i)->class;

    if (kind == NODE_TEXT && is_equality(&c->pattern->nodes[i]))
        return form_of(builder, c->paths[i], text);
    if (kind == NODE_TEXT || kind == NODE_LIKE)
        text = kind == NODE_LIKE ? text_normal(text, &builder->compile) : text;
    if ((kind == NODE_TEXT || kind == NODE_LIKE) && (class == PATH_DOMAIN || class == PATH_HASH)) {
        char *lower = arena_new(&builder->compile, char, text.len + 1);

        for (size_t j = 0; lower != NULL && j < text.len; j++)
            lower[j] =
                (char)(text.at[j] >= 'A' && text.at[j] <= 'Z' ? text.at[j] | 0x20 : text.at[j]);
        return lower == NULL ? SLICE_NONE : slice_of(lower, text.len);
    }
    return kind == NODE_MATCHES ? text_normal(text, &builder->compile) : text;
}

static bool literals_put(struct compiling *c, size_t i, struct node_record *out)
{
    const struct pattern_node *node = &c->pattern->nodes[i];
    uint32_t first = (uint32_t)c->builder->set->count[SECTION_LITERALS];

    for (size_t j = 0; j < node->literal_count; j++) {
        const struct pattern_literal *literal = &node->literals[j];
        slice text = literal_text(c, i, (enum node_kind)out->kind, literal);
        struct literal_record record = {.len = (uint32_t)text.len,
                                        .is_integer = literal->kind == PATTERN_INTEGER,
                                        .boolean = literal->boolean,
                                        .is_impossible = literal->is_impossible};

        /* A constant that no octets stand for is equal to no octets. */
        if (out->kind == NODE_OCTETS && literal->kind == PATTERN_STRING)
            record.is_impossible |= !text_octets(literal->text, &c->builder->compile, &text);
        record.len = (uint32_t)text.len;
        if (text.at == NULL && text.len == 0 && literal->text.len > 0 && !record.is_impossible)
            return false;
        record.has_subdomains = out->kind == NODE_TEXT && is_equality(node) &&
                                has_subdomains(c->builder, path_at(c, i), text);
        record.text = build_text(c->builder, text);
        if (out->kind == NODE_MATCHES) {
            record.integer = (int64_t)c->builder->regex_count++;
        } else if (literal->kind == PATTERN_TIMESTAMP) {
            record.integer = literal->timestamp.us;
            record.rest = literal->timestamp.rest;
        } else if (literal->kind == PATTERN_INTEGER) {
            record.integer = literal->integer;
        } else {
            record.real = literal->real;
        }
        struct literal_record *room =
            (struct literal_record *)build_push(c->builder, SECTION_LITERALS, 1);
        if (room == NULL)
            return false;
        *room = record;
    }
    out->left = first;
    out->right = (uint32_t)node->literal_count;
    return true;
}

static bool node_put(struct compiling *c, size_t i, size_t first)
{
    const struct pattern_node *node = &c->pattern->nodes[i];
    struct node_record record = {.kind = (uint8_t)kind_of(c, i),
                                 .op = (uint8_t)node->op,
                                 .negated = node->negated,
                                 .path = NONE};

    if (is_comparison(node)) {
        const struct path_record *path = path_at(c, i);

        record.path = c->paths[i];
        record.type = path->text;
        record.type_len = path->type_len;
        if (path->class == PATH_DOMAIN || path->class == PATH_HASH)
            record.flags |= NODE_NOCASE;
        if (path_is_octets(&node->path))
            record.flags |= NODE_OCTET_PATH;
        if (node->kind == PATTERN_COMPARE && !literals_put(c, i, &record))
            return false;
    } else {
        record.left = c->places[node->left];
        record.right = c->places[node->right];
    }
    c->places[i] = (uint32_t)(i - first);
    struct node_record *room = (struct node_record *)build_push(c->builder, SECTION_NODES, 1);
    if (room == NULL)
        return false;
    *room = record;
    return true;
}

/* ---- guards ---- */

static bool is_common(slice path)
{
    return slice_ends(path, SLICE("_port")) || slice_ends(path, SLICE(":protocols")) ||
           slice_ends(path, SLICE(".request_method"));
}

static bool number_is_exact(const struct pattern_literal *literal)
{
    return literal->kind == PATTERN_INTEGER && literal->integer >= 0;
}

static uint64_t equality_cost(const struct compiling *c, size_t i)
{
    const struct pattern_node *node = &c->pattern->nodes[i];
    uint64_t each = is_common(path_text(c->builder, c->paths[i])) ? COST_COMMON : COST_EXACT;

    if (path_at(c, i)->class == PATH_REFERENCE_TYPE || path_is_octets(&node->path))
        return COST_ANY;
    for (size_t j = 0; j < node->literal_count; j++) {
        const struct pattern_literal *literal = &node->literals[j];

        if (!number_is_exact(literal) &&
            (literal->kind != PATTERN_STRING || literal->text.len > VALUE_BYTES_MAX / 4))
            return COST_ANY;
    }
    return each * node->literal_count;
}

static uint64_t comparison_cost(const struct compiling *c, size_t i)
{
    const struct pattern_node *node = &c->pattern->nodes[i];
    struct network network;

    if (node->kind == PATTERN_EXISTS || node->negated)
        return COST_ANY;
    if (is_equality(node))
        return equality_cost(c, i);
    if (node->op == PATTERN_ISSUBSET && network_parse(node->literals[0].text, &network))
        return network.prefix_bits < PREFIX_COMMON ? COST_COMMON : COST_NETWORK;
    if ((node->op == PATTERN_LIKE || node->op == PATTERN_MATCHES) &&
        path_at(c, i)->class != PATH_REFERENCE_TYPE && !path_is_octets(&node->path))
        return COST_TEXT;
    return COST_ANY;
}

static void costs_fill(struct compiling *c, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        const struct pattern_node *node = &c->pattern->nodes[i];

        if (is_comparison(node)) {
            c->costs[i] = comparison_cost(c, i);
        } else if (node->kind == PATTERN_AND) {
            uint64_t left = c->costs[node->left], right = c->costs[node->right];

            c->costs[i] = left < right ? left : right;
        } else {
            uint64_t sum = c->costs[node->left] + c->costs[node->right];

            c->costs[i] = sum < COST_MAX ? sum : COST_MAX;
        }
        c->is_guard[i] = false;
    }
    c->is_guard[end - 1] = true;
    for (size_t i = end; i-- > first;) {
        const struct pattern_node *node = &c->pattern->nodes[i];

        if (!c->is_guard[i] || is_comparison(node))
            continue;
        bool only_left = node->kind == PATTERN_AND && c->costs[node->left] <= c->costs[node->right];
        bool only_right = node->kind == PATTERN_AND && !only_left;
        c->is_guard[node->left] = !only_right;
        c->is_guard[node->right] = !only_left;
    }
}

static bool open_put(struct compiling *c, uint32_t path, enum open_kind kind, uint32_t part,
                     uint32_t node)
{
    struct open_record *record = (struct open_record *)build_push(c->builder, SECTION_OPENS, 1);

    if (record == NULL)
        return false;
    if (path != NONE)
        image_paths(c->builder->set)[path].flags |= PATH_IS_OPEN;
    *record = (struct open_record){path, kind, part, node};
    return true;
}

static bool guard_values(struct compiling *c, size_t i, uint32_t part)
{
    const struct pattern_node *node = &c->pattern->nodes[i];

    for (size_t j = 0; j < node->literal_count; j++) {
        const struct pattern_literal *literal = &node->literals[j];
        char digits[24];
        bool put;

        if (literal->kind == PATTERN_INTEGER) {
            int len = snprintf(digits, sizeof(digits), "%lld", (long long)literal->integer);

            put = build_value(c->builder, c->paths[i], VALUE_NUMBER, slice_of(digits, (size_t)len),
                              part | TARGET_PART);
        } else {
            slice value = form_of(c->builder, c->paths[i], literal->text);

            c->has_value = true;
            c->all_allowed = c->all_allowed && value_is_allowed(c->builder, c->paths[i], value);
            put = value.at != NULL && value.len <= VALUE_BYTES_MAX &&
                  (node->op == PATTERN_ISSUBSET
                       ? network_put(c->builder, c->paths[i], value, part | TARGET_PART)
                       : text_put(c->builder, c->paths[i], value, part | TARGET_PART));
        }
        if (!put)
            return false;
    }
    return true;
}

static bool guard_put(struct compiling *c, size_t i, uint32_t part, uint32_t part_first)
{
    const struct pattern_node *node = &c->pattern->nodes[i];

    if (node->kind == PATTERN_EXISTS) {
        c->all_allowed = false;
        return open_put(c, c->paths[i], OPEN_TYPE, part, NONE);
    }
    if (c->costs[i] < COST_TEXT && c->costs[i] / COST_COMMON <= node->literal_count &&
        (is_equality(node) || node->op == PATTERN_ISSUBSET))
        return guard_values(c, i, part);
    c->all_allowed = false;
    if (c->costs[i] == COST_TEXT && (node->op == PATTERN_LIKE || node->op == PATTERN_MATCHES))
        return open_put(c, c->paths[i], OPEN_TEXT, part, part_first + c->places[i]);
    if (is_equality(node) && c->costs[i] < COST_ANY)
        return guard_values(c, i, part);
    return open_put(c, path_at(c, i)->value_path, OPEN_ANY, part, NONE);
}

/* ---- a rule of parts ---- */

static bool part_put(struct compiling *c, size_t first, size_t end, uint32_t rule, uint32_t number)
{
    struct ruleset *set = c->builder->set;
    uint32_t part = (uint32_t)set->count[SECTION_PARTS];
    uint32_t node_first = (uint32_t)set->count[SECTION_NODES];

    for (size_t i = first; i < end; i++)
        if (!node_put(c, i, first))
            return false;
    struct part_record *record = (struct part_record *)build_push(c->builder, SECTION_PARTS, 1);
    if (record == NULL)
        return false;
    *record = (struct part_record){rule, node_first, (uint32_t)(end - first), number};
    if (c->pattern->is_impossible)
        return true; /* nothing will ask for it */
    costs_fill(c, first, end);
    for (size_t i = first; i < end; i++)
        if (c->is_guard[i] && is_comparison(&c->pattern->nodes[i]) &&
            !guard_put(c, i, part, node_first))
            return false;
    return true;
}

static bool parts_put(struct compiling *c, uint32_t rule)
{
    size_t first = 0;
    uint32_t number = 0;

    for (size_t i = 0; i < c->pattern->node_count; i++) {
        switch (c->pattern->nodes[i].kind) {
        case PATTERN_OBSERVATION:
            if (!part_put(c, first, i, rule, number++))
                return false;
            first = i + 1;
            break;
        case PATTERN_FOLLOWEDBY:
        case PATTERN_OBS_OR:
        case PATTERN_OBS_AND:
        case PATTERN_WITHIN:
        case PATTERN_REPEATS:
        case PATTERN_START_STOP:
            first = i + 1;
            break;
        case PATTERN_OR:
        case PATTERN_AND:
        case PATTERN_COMPARE:
        case PATTERN_EXISTS:
            break;
        }
    }
    return true;
}

/* One event is enough, whenever it was: observations joined by OR alone. */
static bool pattern_is_local(const struct pattern *pattern)
{
    for (size_t i = 0; i < pattern->node_count; i++) {
        enum pattern_node_kind kind = pattern->nodes[i].kind;

        if (kind == PATTERN_FOLLOWEDBY || kind == PATTERN_OBS_AND || kind == PATTERN_WITHIN ||
            kind == PATTERN_REPEATS || kind == PATTERN_START_STOP)
            return false;
    }
    return true;
}

static bool compiling_open(struct compiling *c)
{
    struct arena *arena = &c->builder->compile;
    size_t count = c->pattern->node_count;

    c->costs = arena_new(arena, uint64_t, count);
    c->is_guard = arena_new(arena, bool, count);
    c->places = arena_new(arena, uint32_t, count);
    c->paths = arena_new(arena, uint32_t, count);
    if (arena->overflowed)
        return false;
    for (size_t i = 0; i < count; i++) {
        c->paths[i] = NONE;
        if (!is_comparison(&c->pattern->nodes[i]))
            continue;
        c->paths[i] = build_path(c->builder, &c->pattern->nodes[i].path);
        if (c->paths[i] == NONE)
            return false;
    }
    return true;
}

static bool rule_put(struct compiling *c, const struct rule_draft *draft)
{
    struct ruleset *set = c->builder->set;
    uint32_t rule = (uint32_t)set->count[SECTION_RULES];
    uint16_t flags = 0;
    uint32_t first = (uint32_t)set->count[SECTION_VALUES];

    c->all_allowed = true;
    if (!c->pattern->is_impossible && pattern_is_simple(c)) {
        if (!simple_values(c, rule))
            return false;
    } else {
        first = (uint32_t)set->count[SECTION_PARTS];
        flags = RULE_IS_PROGRAM;
        if (!pattern_is_local(c->pattern))
            flags |= RULE_IS_TEMPORAL;
        if (!parts_put(c, rule))
            return false;
    }
    return build_rule(c->builder, draft, flags, first) != NONE;
}

result compile_pattern(struct ruleset_builder *builder, const struct rule_draft *draft,
                       const struct pattern *pattern, enum rules_reason *reason, struct diag *diag)
{
    struct compiling c = {.builder = builder, .pattern = pattern, .diag = diag};
    struct build_mark mark = build_mark(builder);

    *reason = RULES_RUN;
    arena_reset(&builder->compile);
    if (pattern->node_count > RULE_PARTS_MAX) {
        *reason = RULES_LIMIT;
        return OK;
    }
    if (!compiling_open(&c) || !rule_put(&c, draft)) {
        build_undo(builder, &mark);
        if (builder->is_full)
            return diag_fail(diag, ERR_LIMIT, "the rules take more memory than there is");
        *reason = RULES_LIMIT;
        return OK;
    }
    if (c.has_value && c.all_allowed && builder->choice.is_allowed != NULL) {
        build_undo(builder, &mark);
        *reason = RULES_ALLOWED;
    }
    return OK;
}

/* ---- one value ---- */

static bool value_put(struct ruleset_builder *builder, const struct rule_draft *draft,
                      uint32_t path, slice value, bool is_network, enum rules_reason *reason)
{
    uint32_t rule = (uint32_t)builder->set->count[SECTION_RULES];
    uint32_t first = (uint32_t)builder->set->count[SECTION_VALUES];

    *reason = RULES_RUN;
    if (value_is_allowed(builder, path, value)) {
        *reason = RULES_ALLOWED;
        return true;
    }
    return (is_network ? network_put(builder, path, value, rule)
                       : text_put(builder, path, value, rule)) &&
           build_rule(builder, draft, 0, first) != NONE;
}

result compile_value(struct ruleset_builder *builder, const struct rule_draft *draft, slice path,
                     slice value, enum rules_reason *reason, struct diag *diag)
{
    uint32_t id;
    bool is_network;

    arena_reset(&builder->compile);
    id = build_path_text(builder, path);
    if (id != NONE) {
        value = form_of(builder, id, value);
        is_network = image_paths(builder->set)[id].class == PATH_ADDRESS &&
                     slice_find_byte(value, '/') != SIZE_MAX;
        if (value.len > VALUE_BYTES_MAX) {
            *reason = RULES_LIMIT;
            return OK;
        }
        if (value.at != NULL && value_put(builder, draft, id, value, is_network, reason))
            return OK;
    }
    return diag_fail(diag, ERR_LIMIT, "the rules take more memory than there is");
}

bool compile_plain(struct ruleset_builder *builder, const struct rule_draft *draft, slice pattern,
                   enum rules_reason *reason)
{
    size_t at = slice_find_byte(pattern, ' ');
    slice path, value;

    if (at == SIZE_MAX || at < 4 || pattern.len < at + 6 || pattern.at[0] != '[' ||
        memcmp(pattern.at + at, " = '", 4) != 0 || !slice_ends(pattern, SLICE("']")))
        return false;
    path = slice_of(pattern.at + 1, at - 1);
    value = slice_of(pattern.at + at + 4, pattern.len - at - 6);
    if (value.len == 0 || value.len > VALUE_BYTES_MAX / 4 ||
        slice_find_byte(value, '\'') != SIZE_MAX || slice_find_byte(value, '\\') != SIZE_MAX)
        return false;
    const struct path_seen *seen = &builder->seen[image_hash(0, 0, path) % PATH_CACHE_SLOTS];
    if (!slice_eq(seen->text, path))
        return false;
    const struct path_record *record = &image_paths(builder->set)[seen->path];
    slice text = image_slice(builder->set, record->text, record->len);
    if (record->class == PATH_REFERENCE_TYPE || slice_ends(text, SLICE("_bin")) ||
        slice_ends(text, SLICE("_hex")))
        return false;
    arena_reset(&builder->compile);
    slice form = form_of(builder, seen->path, value);
    struct rule_draft plain = *draft;
    struct build_mark mark = build_mark(builder);
    /* Its text is made from path and value when that gives the same. */
    plain.pattern =
        slice_eq(form, value) && slice_eq(text, path) && !is_subset(builder, record, value)
            ? SLICE("")
            : pattern;
    if (form.at == NULL || form.len > VALUE_BYTES_MAX ||
        !value_put(builder, &plain, seen->path, form, false, reason)) {
        build_undo(builder, &mark);
        return false;
    }
    return true;
}

/* ---- pcre ---- */

result compile_pcre(struct ruleset_builder *builder, const struct rule_draft *draft,
                    slice expression, struct diag *diag)
{
    struct compiling c = {.builder = builder, .diag = diag};
    CLEANUP(regex_free) struct regex regex = {0};
    struct ruleset *set = builder->set;
    uint32_t rule = (uint32_t)set->count[SECTION_RULES];
    uint32_t part = (uint32_t)set->count[SECTION_PARTS];
    uint32_t node = (uint32_t)set->count[SECTION_NODES];

    TRY(regex_compile(expression, true, &regex, diag));
    uint32_t text = build_text(builder, expression);
    uint32_t first = (uint32_t)set->count[SECTION_LITERALS];
    struct literal_record *literal =
        (struct literal_record *)build_push(builder, SECTION_LITERALS, 1);
    struct node_record *record = (struct node_record *)build_push(builder, SECTION_NODES, 1);
    struct part_record *part_record = (struct part_record *)build_push(builder, SECTION_PARTS, 1);
    if (!builder->is_full && literal != NULL && record != NULL && part_record != NULL) {
        *literal = (struct literal_record){.text = text,
                                           .len = (uint32_t)expression.len,
                                           .integer = (int64_t)builder->regex_count++};
        *record = (struct node_record){.kind = NODE_MATCHES,
                                       .op = PATTERN_MATCHES,
                                       .left = first,
                                       .right = 1,
                                       .flags = NODE_OCTET_PATH,
                                       .path = NONE};
        *part_record = (struct part_record){rule, node, 1, 0};
        if (open_put(&c, NONE, OPEN_LINE, part, node) &&
            build_rule(builder, draft, RULE_IS_PROGRAM, part) != NONE)
            return OK;
    }
    return diag_fail(diag, ERR_LIMIT, "the rules take more memory than there is");
}
