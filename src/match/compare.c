#include "match/compare.h"

#include "base/encode.h"
#include "match/like.h"
#include "match/network.h"
#include "match/normal.h"
#include "match/path.h"

#include <math.h>

#include "base/banned.h"

/* How a value stands to a constant; apart when their types cannot be compared. */
enum standing { APART, LESS, EQUAL, GREATER };

static enum standing standing_of(int order)
{
    return order < 0 ? LESS : order > 0 ? GREATER : EQUAL;
}

/* ---- numbers ---- */

static enum standing standing_of_doubles(double a, double b)
{
    return a < b ? LESS : a > b ? GREATER : EQUAL;
}

/* Without loss: past 2^53 a double would swallow the difference. */
static enum standing integer_and_double(int64_t a, double b)
{
    double whole = floor(b);
    int64_t integer;

    if (b >= 9223372036854775808.0)
        return LESS;
    if (b < -9223372036854775808.0)
        return GREATER;
    integer = (int64_t)whole;
    if (a != integer)
        return a < integer ? LESS : GREATER;
    return b > whole ? LESS : EQUAL;
}

static enum standing turned(enum standing standing)
{
    return standing == LESS ? GREATER : standing == GREATER ? LESS : standing;
}

static enum standing number_standing(struct comparer *comparer, const struct json_node *value,
                                     const struct pattern_literal *literal)
{
    int64_t integer;
    double real;

    if (value->kind != JSON_NUMBER)
        return APART;
    if (json_i64(comparer->doc, value, &integer)) {
        if (literal->kind == PATTERN_INTEGER)
            return integer == literal->integer  ? EQUAL
                   : integer < literal->integer ? LESS
                                                : GREATER;
        return integer_and_double(integer, literal->real);
    }
    if (!json_double(comparer->doc, value, &real))
        return APART;
    if (literal->kind == PATTERN_INTEGER)
        return turned(integer_and_double(literal->integer, real));
    return standing_of_doubles(real, literal->real);
}

/* ---- octets ---- */

bool path_is_octets(const struct pattern_path *path)
{
    for (size_t i = path->step_count; i > 0; i--) {
        const struct pattern_step *step = &path->steps[i - 1];

        if (step->kind == PATTERN_KEY)
            return slice_ends(step->key, SLICE("_bin")) || slice_ends(step->key, SLICE("_hex"));
    }
    return false;
}

bool text_octets(slice text, struct arena *arena, slice *out)
{
    char *bytes = arena_new(arena, char, text.len);
    size_t len = 0;

    *out = SLICE_NONE;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = (uint8_t)text.at[i];

        if (byte > 0xC3)
            return false;
        if (bytes == NULL)
            continue;
        /* C2 80..BF and C3 80..BF are U+0080..U+00FF. */
        bytes[len++] =
            (char)(byte < 0x80 ? byte : ((byte & 3u) << 6 | ((uint8_t)text.at[++i] & 0x3Fu)));
    }
    if (bytes != NULL || text.len == 0)
        *out = slice_of(bytes == NULL ? "" : bytes, len);
    return true;
}

static slice last_key(const struct pattern_path *path)
{
    for (size_t i = path->step_count; i > 0; i--)
        if (path->steps[i - 1].kind == PATTERN_KEY)
            return path->steps[i - 1].key;
    return SLICE_NONE;
}

/* The bytes a binary property stands for (STIX 2.1, 9.6.4).  False when its text is not what the
 * property's name says. */
static bool property_octets(struct comparer *comparer, const struct pattern_path *path, slice text,
                            slice *out)
{
    char *room;

    buf_reset(&comparer->octets);
    if (slice_ends(last_key(path), SLICE("_bin"))) {
        if (!base64_decode(&comparer->octets, text))
            return false;
    } else {
        room = buf_reserve(&comparer->octets, text.len / 2 + 1);
        if (room == NULL || text.len % 2 != 0 || !hex_decode(text, (uint8_t *)room, text.len / 2))
            return false;
        comparer->octets.len += text.len / 2;
    }
    *out = buf_slice(&comparer->octets);
    return !comparer->octets.overflowed;
}

/* ---- strings against each kind of constant ---- */

static enum standing octets_standing(struct comparer *comparer, const struct pattern_path *path,
                                     slice text, const struct pattern_literal *literal)
{
    bool is_binary = path_is_octets(path);
    slice value, constant = literal->text;

    if (literal->kind == PATTERN_STRING && !is_binary)
        return standing_of(slice_cmp(text, literal->text));
    if (literal->kind == PATTERN_STRING &&
        !text_octets(literal->text, &comparer->scratch, &constant))
        return APART;
    if (is_binary ? !property_octets(comparer, path, text, &value)
                  : !text_octets(text, &comparer->scratch, &value))
        return APART;
    return standing_of(slice_cmp(value, constant));
}

static enum standing value_standing(struct comparer *comparer, const struct pattern_path *path,
                                    const struct json_node *value,
                                    const struct pattern_literal *literal)
{
    struct timestamp timestamp;

    switch (literal->kind) {
    case PATTERN_INTEGER:
    case PATTERN_FLOAT:
        return number_standing(comparer, value, literal);
    case PATTERN_BOOLEAN:
        if (value->kind != JSON_TRUE && value->kind != JSON_FALSE)
            return APART;
        return (value->kind == JSON_TRUE) == literal->boolean ? EQUAL : LESS;
    case PATTERN_STRING:
    case PATTERN_BINARY:
    case PATTERN_HEX:
        if (value->kind != JSON_STRING)
            return APART;
        return octets_standing(comparer, path,
                               json_string(comparer->doc, value, &comparer->scratch), literal);
    case PATTERN_TIMESTAMP:
        if (value->kind != JSON_STRING ||
            !timestamp_parse(json_string(comparer->doc, value, &comparer->scratch), &timestamp))
            return APART;
        return standing_of(timestamp_cmp(&timestamp, &literal->timestamp));
    }
    return APART;
}

/* ---- the operators on text ---- */

/* Subject and constant in the form the operator compares: octets, or text in normal form. */
static bool text_prepare(struct comparer *comparer, const struct pattern_node *node, slice text,
                         slice *subject, slice *constant)
{
    slice literal = node->literals[0].text;

    if (path_is_octets(&node->path))
        return text_octets(literal, &comparer->scratch, constant) &&
               property_octets(comparer, &node->path, text, subject);
    *subject = text_normal(text, &comparer->scratch);
    *constant = text_normal(literal, &comparer->scratch);
    return true;
}

static bool value_like(struct comparer *comparer, const struct pattern_node *node, slice text)
{
    slice subject, constant;

    if (!text_prepare(comparer, node, text, &subject, &constant))
        return false;
    comparer->steps += subject.len / 8;
    return like_matches(constant, subject, path_is_octets(&node->path));
}

static bool value_matches(struct comparer *comparer, const struct pattern_node *node,
                          const struct regex *regex, slice text, bool *gave_up)
{
    slice subject, constant;
    enum regex_answer answer;

    if (regex == NULL || regex->code == NULL ||
        !text_prepare(comparer, node, text, &subject, &constant))
        return false;
    comparer->steps += subject.len / 8;
    answer = regex_search(regex, subject);
    *gave_up = answer == REGEX_GAVE_UP;
    comparer->regex_gave_up += *gave_up;
    return answer == REGEX_YES;
}

static bool value_contained(const struct pattern_node *node, slice text)
{
    struct network value, constant;

    if (!network_parse(text, &value) || !network_parse(node->literals[0].text, &constant))
        return false;
    return node->op == PATTERN_ISSUBSET ? network_contains(&constant, &value)
                                        : network_contains(&value, &constant);
}

/* ---- a comparison ---- */

static bool value_in(struct comparer *comparer, const struct pattern_node *node,
                     const struct json_node *value)
{
    for (size_t i = 0; i < node->literal_count; i++) {
        comparer->steps++;
        if (value_standing(comparer, &node->path, value, &node->literals[i]) == EQUAL)
            return true;
    }
    return false;
}

/* Values of types that cannot be compared: false, and true for != alone (9.6.1); NOT turns that. */
static bool value_holds(struct comparer *comparer, const struct pattern_node *node,
                        const struct regex *regex, const struct json_node *value, bool *gave_up)
{
    enum standing standing = APART;
    slice text = SLICE_NONE;

    if (node->op <= PATTERN_GE)
        standing = value_standing(comparer, &node->path, value, &node->literals[0]);
    else if (node->op != PATTERN_IN && value->kind == JSON_STRING)
        text = json_string(comparer->doc, value, &comparer->scratch);
    switch (node->op) {
    case PATTERN_EQ:
        return standing == EQUAL;
    case PATTERN_NE:
        return standing != EQUAL;
    case PATTERN_LT:
        return standing == LESS;
    case PATTERN_LE:
        return standing == LESS || standing == EQUAL;
    case PATTERN_GT:
        return standing == GREATER;
    case PATTERN_GE:
        return standing == GREATER || standing == EQUAL;
    case PATTERN_IN:
        return value_in(comparer, node, value);
    case PATTERN_LIKE:
        return text.at != NULL && value_like(comparer, node, text);
    case PATTERN_MATCHES:
        return text.at != NULL && value_matches(comparer, node, regex, text, gave_up);
    case PATTERN_ISSUBSET:
    case PATTERN_ISSUPERSET:
        return text.at != NULL && value_contained(node, text);
    }
    return false;
}

/* One value for which it holds is enough: [*] tries them all (9.7.2).  A regular expression that
 * gave up has told nothing, so NOT does not turn its answer. */
static bool any_value_holds(struct comparer *comparer, const struct pattern_node *node,
                            const struct regex *regex)
{
    for (size_t i = 0; i < comparer->now_count; i++) {
        bool gave_up = false;
        const struct json_node *value = &comparer->doc->nodes[comparer->now[i]];
        bool holds = value_holds(comparer, node, regex, value, &gave_up);

        comparer->steps++;
        if (!gave_up && holds != node->negated)
            return true;
    }
    return false;
}

result compare(struct comparer *comparer, const struct pattern_node *node,
               const struct regex *regex, const struct observation *observation,
               const struct observed_object *object, bool *out, struct diag *diag)
{
    bool has_room;

    *out = false;
    comparer->steps++;
    if (!slice_eq(object->type, node->path.type))
        return OK;
    arena_reset(&comparer->scratch);
    has_room = path_follow(comparer, &node->path, observation, object);
    if (has_room && node->kind == PATTERN_EXISTS)
        *out = (comparer->now_count > 0) != node->negated;
    else if (has_room)
        *out = any_value_holds(comparer, node, regex);
    if (!has_room || comparer->scratch.overflowed)
        return diag_fail(diag, ERR_LIMIT, "a comparison takes more than %zu bytes of memory",
                         COMPARE_SCRATCH_BYTES_MAX);
    return OK;
}

result comparer_open(const struct json_doc *doc, struct comparer *out, struct diag *diag)
{
    *out = (struct comparer){.doc = doc,
                             .scratch = ARENA(COMPARE_SCRATCH_BYTES_MAX),
                             .octets = BUF(COMPARE_SCRATCH_BYTES_MAX)};
    out->seen = (uint32_t *)table_grow(NULL, &out->seen_capacity, doc->node_count + 1,
                                       doc->node_count + 1, sizeof(*out->seen));
    if (out->seen == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for %zu values", doc->node_count);
    memset(out->seen, 0, (doc->node_count + 1) * sizeof(*out->seen));
    return OK;
}

void comparer_close(struct comparer *comparer)
{
    arena_free(&comparer->scratch);
    buf_free(&comparer->octets);
    table_free(comparer->now);
    table_free(comparer->next);
    table_free(comparer->seen);
    *comparer = (struct comparer){0};
}
