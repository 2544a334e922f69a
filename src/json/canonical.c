#include "json/canonical.h"

#include <math.h>

#include "json/escape.h"
#include "json/keys.h"
#include "json/simdjson_shim.h"

#include "base/banned.h"

/* So many digits always fit a double exactly and are written as they came. */
#define EXACT_DIGITS_MAX 15
/* ECMA-262, Number::toString: the longest is "-2.2250738585072014e-308" or 21 digits and a sign. */
#define NUMBER_BYTES_MAX 32
#define FIXED_EXPONENT_MAX 21
#define FIXED_EXPONENT_MIN (-6) /* exclusive */

/* Not more than JSON_PADDING. */
#define SHORT_BYTES 32

#define LEVELS_MAX JSON_TEXT_BYTES_MAX
#define MEMBERS_MAX JSON_TEXT_BYTES_MAX

/* An open container: of an array the elements still to come, of an object its sorted members. */
struct level {
    const struct json_node *cursor, *end;
    size_t first, member, member_end; /* in the stack of members */
    bool in_object, has_members;
};

/* One form in the making.  Instead of a call a byte, out's room is taken ahead: `to` writes and
 * `room_end` bounds it. */
struct form {
    const struct json_doc *doc;
    struct buf *out;
    char *to, *room_end;
    struct level *levels;
    size_t level_count, level_capacity;
    struct json_member *members; /* of all open objects */
    size_t member_count, member_capacity;
    struct diag *diag;
};

static void form_free(struct form *form)
{
    table_free(form->levels);
    table_free(form->members);
}

static result no_room(const struct form *form)
{
    return diag_fail(form->diag, ERR_LIMIT, "the canonical form needs more than %zu bytes",
                     form->out->ceiling);
}

static void room_settle(struct form *form)
{
    if (form->to != NULL)
        form->out->len = (size_t)(form->to - form->out->at);
    form->to = form->room_end = NULL;
}

/* Slow side of ROOM: more than was asked for, when there is. */
static result room_take(struct form *form, size_t bytes)
{
    room_settle(form);
    form->to = buf_reserve(form->out, bytes);
    if (form->to == NULL)
        return no_room(form);
    form->room_end = form->out->at + form->out->capacity;
    return OK;
}

static inline result room(struct form *form, size_t bytes)
{
    return bytes <= (size_t)(form->room_end - form->to) ? OK : room_take(form, bytes);
}

/* Most pieces are short: one copy of fixed size costs less than one of just the right size.  Reads
 * into the text's padding. */
static inline void put(struct form *form, slice s)
{
    if (s.len <= SHORT_BYTES && (size_t)(form->room_end - form->to) >= SHORT_BYTES)
        memcpy(form->to, s.at, SHORT_BYTES);
    else
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): room() came first */
        memcpy(form->to, s.at, s.len);
    form->to += s.len;
}

/* ---- numbers (RFC 8785, 3.2.2.3) ---- */

static bool is_plain_integer(slice raw)
{
    size_t i = raw.at[0] == '-';

    if (raw.len - i > EXACT_DIGITS_MAX || (i == 1 && raw.at[1] == '0'))
        return false;
    for (; i < raw.len; i++)
        if (raw.at[i] < '0' || raw.at[i] > '9')
            return false;
    return true;
}

static char *zeros(char *to, int count)
{
    memset(to, '0', (size_t)count);
    return to + count;
}

static char *copy(char *to, const char *from, size_t bytes)
{
    memcpy(to, from, bytes);
    return to + bytes;
}

/* "1.5e+25": at least two digits only where there are two. */
static char *exponent_put(char *to, int exponent)
{
    char digits[3];
    size_t count = 0;

    *to++ = 'e';
    *to++ = exponent < 0 ? '-' : '+';
    for (int rest = exponent < 0 ? -exponent : exponent; rest > 0; rest /= 10)
        digits[count++] = (char)('0' + rest % 10);
    while (count > 0)
        *to++ = digits[--count];
    return to;
}

/* ECMA-262, Number::toString, with its k digits and n = exponent. */
static char *double_put(char *to, double value)
{
    char digits[JSON_NUMBER_DIGITS_MAX];
    int exponent;

    if (value == 0) /* minus zero too */
        return copy(to, "0", 1);
    if (value < 0)
        *to++ = '-';
    size_t count = json_number_digits(fabs(value), digits, &exponent);
    if (exponent > FIXED_EXPONENT_MAX || exponent <= FIXED_EXPONENT_MIN) {
        to = copy(to, digits, 1);
        if (count > 1) {
            *to++ = '.';
            to = copy(to, digits + 1, count - 1);
        }
        return exponent_put(to, exponent - 1);
    }
    if (exponent <= 0) {
        to = zeros(copy(to, "0.", 2), -exponent);
        return copy(to, digits, count);
    }
    if (count <= (size_t)exponent)
        return zeros(copy(to, digits, count), exponent - (int)count);
    to = copy(to, digits, (size_t)exponent);
    *to++ = '.';
    return copy(to, digits + exponent, count - (size_t)exponent);
}

static result number_put(struct form *form, const struct json_node *node)
{
    slice raw = json_inner(form->doc, node);
    double value;

    TRY(room(form, NUMBER_BYTES_MAX));
    if (is_plain_integer(raw)) {
        put(form, raw);
        return OK;
    }
    if (!json_double(form->doc, node, &value))
        return diag_fail(form->diag, ERR_INVALID, "byte %u: a number that no double can hold",
                         node->at);
    form->to = double_put(form->to, value);
    return OK;
}

/* ---- strings (RFC 8785, 3.2.2.2) ---- */

/* What holds no escape is canonical as it stands.  No escape grows: the raw length is room enough.
 */
static result string_put(struct form *form, const struct json_node *node)
{
    slice raw = json_raw(form->doc, node), inner = json_inner(form->doc, node);
    struct json_chars chars = JSON_CHARS(inner);
    uint32_t code;

    TRY(room(form, raw.len));
    if (!node->escaped) {
        put(form, raw);
        return OK;
    }
    *form->to++ = '"';
    while (chars.at < chars.end) {
        const char *backslash = memchr(chars.at, '\\', (size_t)(chars.end - chars.at));

        if (backslash == NULL)
            backslash = chars.end;
        put(form, slice_of(chars.at, (size_t)(backslash - chars.at)));
        chars.at = backslash;
        if (json_chars_next(&chars, &code))
            form->to += json_escape_put(code, form->to);
    }
    *form->to++ = '"';
    return OK;
}

/* ---- objects (RFC 8785, 3.2.3) ---- */

/* An object has at most half as many members as nodes; sorting needs as much room again. */
static result members_push(struct form *form, const struct json_node *object)
{
    struct json_member *members =
        table_grow(form->members, &form->member_capacity, form->member_count + object->size,
                   MEMBERS_MAX, sizeof *members);
    size_t count = 0;

    if (members == NULL)
        return diag_fail(form->diag, ERR_LIMIT, "no memory for an object of %u nodes",
                         object->size);
    form->members = members;
    members += form->member_count;
    for (const struct json_node *key = object + 1, *end = object + object->size; key < end;
         key += 1 + key[1].size)
        members[count++] = (struct json_member){.rank = json_key_rank(form->doc, key),
                                                .key = (uint32_t)(key - form->doc->nodes)};
    form->member_count += count;
    if (json_members_sort(form->doc, members, members + count, count) != members)
        memcpy(members, members + count, count * sizeof *members);
    return OK;
}

static result repeated_fail(const struct form *form, const struct json_node *object)
{
    struct json_each each = json_each(form->doc, object);

    while (json_next(&each))
        if (each.key->repeated)
            break;
    return diag_fail(form->diag, ERR_INVALID,
                     "byte %u: the key \"%.*s\" stands twice in its object", each.key->at - 1,
                     SLICE_ARG(json_inner(form->doc, each.key)));
}

static result container_open(struct form *form, const struct json_node *node)
{
    bool in_object = node->kind == JSON_OBJECT;
    size_t first = form->member_count;

    struct level *levels = table_grow(form->levels, &form->level_capacity, form->level_count + 1,
                                      LEVELS_MAX, sizeof *levels);
    if (levels == NULL)
        return diag_fail(form->diag, ERR_LIMIT, "no memory for %zu levels", form->level_count);
    form->levels = levels;
    if (node->repeated && in_object)
        return repeated_fail(form, node);
    if (in_object && node->size > 1)
        TRY(members_push(form, node));
    TRY(room(form, 1));
    *form->to++ = in_object ? '{' : '[';
    levels[form->level_count++] = (struct level){.cursor = node + 1,
                                                 .end = node + node->size,
                                                 .first = first,
                                                 .member = first,
                                                 .member_end = form->member_count,
                                                 .in_object = in_object};
    return OK;
}

static result value_put(struct form *form, const struct json_node *node)
{
    switch ((enum json_kind)node->kind) {
    case JSON_STRING:
        return string_put(form, node);
    case JSON_NUMBER:
        return number_put(form, node);
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE:
        TRY(room(form, node->len));
        put(form, json_inner(form->doc, node));
        return OK;
    case JSON_ARRAY:
    case JSON_OBJECT:
        return container_open(form, node);
    }
    return OK;
}

/* One step in the innermost container: its next member, or its end. */
static result step(struct form *form)
{
    struct level *level = &form->levels[form->level_count - 1];
    const struct json_node *value = level->cursor;

    TRY(room(form, 2));
    if (level->in_object ? level->member == level->member_end : value == level->end) {
        *form->to++ = level->in_object ? '}' : ']';
        form->member_count = level->first;
        form->level_count--;
        return OK;
    }
    if (level->has_members)
        *form->to++ = ',';
    level->has_members = true;
    if (!level->in_object) {
        level->cursor += value->size;
        return value_put(form, value);
    }
    const struct json_node *key = &form->doc->nodes[form->members[level->member++].key];
    TRY(string_put(form, key));
    TRY(room(form, 1));
    *form->to++ = ':';
    return value_put(form, key + 1);
}

static result form_make(struct form *form, const struct json_node *node)
{
    TRY(room(form, node->len));
    TRY(value_put(form, node));
    while (form->level_count > 0)
        TRY(step(form));
    return OK;
}

result json_canonical(const struct json_doc *doc, const struct json_node *node, struct buf *out,
                      struct diag *diag)
{
    CLEANUP(form_free) struct form form = {.doc = doc, .out = out, .diag = diag};

    if (out->overflowed)
        return no_room(&form);
    result r = form_make(&form, node);
    room_settle(&form);
    return r;
}

result json_canonical_hash(const struct json_doc *doc, const struct json_node *node,
                           struct buf *scratch, struct hash256 *out, struct diag *diag)
{
    buf_reset(scratch);
    TRY(json_canonical(doc, node, scratch, diag));
    *out = sha256(buf_slice(scratch));
    return OK;
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* White space stands only between strings: what a string holds is skipped unseen, and all text
 * between two pieces of white space is one copy. */
void json_minify(const struct json_doc *doc, const struct json_node *node, struct buf *out)
{
    slice raw = json_raw(doc, node);
    const char *kept = raw.at, *at = raw.at, *end = raw.at + raw.len;
    char *to = buf_reserve(out, raw.len);

    if (to == NULL)
        return;
    for (const struct json_node *token = node, *last = node + node->size; token <= last; token++) {
        bool is_string = token < last && token->kind == JSON_STRING;
        const char *gap_end = token == last ? end : doc->text.at + token->at - is_string;

        for (; at < gap_end; at++) {
            if (!is_space(*at))
                continue;
            to = copy(to, kept, (size_t)(at - kept));
            while (at + 1 < gap_end && is_space(at[1]))
                at++;
            kept = at + 1;
        }
        if (is_string)
            at = doc->text.at + token->at + token->len + 1;
    }
    to = copy(to, kept, (size_t)(end - kept));
    out->len = (size_t)(to - out->at);
}
