#include "scan/allow.h"

#include "match/network.h"
#include "match/regex.h"
#include "scan/allow_value.h"
#include "json/json.h"

#include "base/banned.h"

#define JSON_DEPTH 8
#define TOLD_LINES_MAX 1000 /* by so many lines a plain list's type is told */

static const char *const type_names[ALLOW_TYPE_COUNT] = {"string", "substring", "hostname", "cidr",
                                                         "regex"};

bool allow_type_parse(slice text, enum allow_type *out)
{
    for (size_t i = 0; i < ALLOW_TYPE_COUNT; i++)
        if (slice_eq(text, slice_text(type_names[i]))) {
            *out = (enum allow_type)i;
            return true;
        }
    return false;
}

const char *allow_type_name(enum allow_type type)
{
    return type_names[type];
}

/* ---- a value ---- */

slice allow_host_bare(slice host)
{
    if (slice_starts(host, SLICE("*.")))
        host = slice_from(host, 2);
    if (slice_starts(host, SLICE(".")))
        host = slice_from(host, 1);
    if (slice_ends(host, SLICE(".")))
        host.len--;
    return host;
}

static bool host_fits(slice host)
{
    host = allow_host_bare(host);
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.at[i];

        if (c <= ' ' || c == 0x7f || c == '/' || c == '@' || c == ',' || c == '"')
            return false;
    }
    return host.len > 0 && host.len <= 255 && utf8_valid(host);
}

slice allow_expression(slice value, struct arena *arena)
{
    size_t end = value.len;
    char flags[8] = "";
    size_t flag_count = 0;

    if (value.len < 2 || value.at[0] != '/')
        return value;
    while (end > 1 && value.at[end - 1] != '/')
        end--;
    if (end < 2)
        return value; /* a slash that begins an expression, and none that ends it */
    for (size_t i = end; i < value.len; i++) {
        if (strchr("imsx", value.at[i]) != NULL && flag_count < sizeof(flags) - 1)
            flags[flag_count++] = value.at[i];
        else if (value.at[i] != 'u' && value.at[i] != 'U' && value.at[i] != 'D')
            return SLICE_NONE;
    }
    slice inner = slice_of(value.at + 1, end - 2);
    return flag_count == 0 ? inner : arena_printf(arena, "(?%s)%.*s", flags, SLICE_ARG(inner));
}

static result regex_fits(slice value, struct arena *arena, const char *place, size_t number,
                         struct diag *diag)
{
    CLEANUP(regex_free) struct regex regex = {0};
    struct diag why = {0};
    slice expression = allow_expression(value, arena);

    if (expression.at == NULL)
        return diag_fail(diag, ERR_INVALID,
                         "%s %zu: \"%.*s\" ends in what is no option of an expression", place,
                         number, SLICE_ARG(value));
    if (failed(regex_compile(expression, false, &regex, &why)))
        return diag_fail(diag, ERR_INVALID, "%s %zu: \"%.*s\" is no regular expression: %s", place,
                         number, SLICE_ARG(value), why.text);
    return OK;
}

/* place and number: "line 4", "entry 4 of \"list\"". */
static result value_fits(enum allow_type type, slice value, struct arena *arena, const char *place,
                         size_t number, struct diag *diag)
{
    struct network network;

    if (value.len > ALLOW_VALUE_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "%s %zu: has more than %d bytes", place, number,
                         ALLOW_VALUE_BYTES_MAX);
    if (slice_find_byte(value, '\n') != SIZE_MAX) /* the node keeps a value a line */
        return diag_fail(diag, ERR_INVALID, "%s %zu: holds a line break", place, number);
    switch (type) {
    case ALLOW_CIDR:
        if (!network_parse(value, &network))
            return diag_fail(diag, ERR_INVALID, "%s %zu: \"%.*s\" is no network", place, number,
                             SLICE_ARG(value));
        return OK;
    case ALLOW_HOSTNAME:
        if (!host_fits(value))
            return diag_fail(diag, ERR_INVALID, "%s %zu: \"%.*s\" is no host name", place, number,
                             SLICE_ARG(value));
        return OK;
    case ALLOW_REGEX:
        return regex_fits(value, arena, place, number, diag);
    case ALLOW_STRING:
    case ALLOW_SUBSTRING:
        break;
    }
    if (!utf8_valid(value))
        return diag_fail(diag, ERR_INVALID, "%s %zu: is not UTF-8", place, number);
    return OK;
}

/* ---- MISP's JSON ---- */

struct misp {
    struct json_doc doc;
    struct arena *arena;
    struct diag *diag;
};

static result text_read(struct misp *misp, const char *key, bool is_needed, size_t bytes_max,
                        slice *out)
{
    const struct json_node *node = json_get(&misp->doc, misp->doc.nodes, slice_text(key));

    *out = SLICE("");
    if (node == NULL && !is_needed)
        return OK;
    if (node == NULL)
        return diag_fail(misp->diag, ERR_INVALID, "\"%s\" is missing", key);
    /* MISP writes versions as numbers. */
    if (node->kind == JSON_NUMBER && !is_needed) {
        *out = arena_copy(misp->arena, json_raw(&misp->doc, node));
        return OK;
    }
    if (node->kind != JSON_STRING)
        return diag_fail(misp->diag, ERR_INVALID, "\"%s\" is no text", key);
    slice text = json_string(&misp->doc, node, misp->arena);
    text = arena_copy(misp->arena, slice_trim(text));
    if (text.at == NULL)
        return diag_fail(misp->diag, ERR_LIMIT, "no memory for \"%s\"", key);
    if (is_needed && text.len == 0)
        return diag_fail(misp->diag, ERR_INVALID, "\"%s\" is empty", key);
    *out = text;
    if (text.len > bytes_max)
        return diag_fail(misp->diag, ERR_LIMIT, "\"%s\" has more than %zu bytes", key, bytes_max);
    return OK;
}

static result texts_read(struct misp *misp, const char *key, size_t count_max, const slice **out,
                         size_t *out_count)
{
    const struct json_node *node = json_get(&misp->doc, misp->doc.nodes, slice_text(key));
    size_t count = json_count(&misp->doc, node), at = 0;

    *out = NULL;
    *out_count = 0;
    if (node == NULL)
        return OK;
    if (node->kind != JSON_ARRAY)
        return diag_fail(misp->diag, ERR_INVALID, "\"%s\" is no array", key);
    if (count > count_max)
        return diag_fail(misp->diag, ERR_LIMIT, "\"%s\" holds %zu values, at most %zu are taken",
                         key, count, count_max);
    slice *texts = arena_new(misp->arena, slice, count + 1);
    for (struct json_each each = json_each(&misp->doc, node); texts != NULL && json_next(&each);) {
        slice text = json_string(&misp->doc, each.value, misp->arena);

        at++;
        if (each.value->kind != JSON_STRING)
            return diag_fail(misp->diag, ERR_INVALID, "entry %zu of \"%s\": is no text", at, key);
        text = arena_copy(misp->arena, slice_trim(text));
        if (text.len > 0)
            texts[(*out_count)++] = text;
    }
    *out = texts;
    return misp->arena->overflowed || texts == NULL
               ? diag_fail(misp->diag, ERR_LIMIT, "the list is too large for the memory it may use")
               : OK;
}

static result misp_fields(struct misp *misp, const struct allow_choice *choice,
                          struct allow_list *out)
{
    slice type;

    TRY(text_read(misp, "name", true, ALLOW_NAME_BYTES_MAX, &out->name));
    TRY(text_read(misp, "version", false, ALLOW_NAME_BYTES_MAX, &out->version));
    TRY(text_read(misp, "description", false, ALLOW_FILE_BYTES_MAX, &out->description));
    TRY(text_read(misp, "type", true, ALLOW_NAME_BYTES_MAX, &type));
    if (choice->name.len > 0)
        out->name = arena_copy(misp->arena, choice->name);
    if (!allow_type_parse(type, &out->type))
        return diag_fail(misp->diag, ERR_INVALID,
                         "\"type\" is \"%.*s\": one of string, substring, hostname, cidr, regex",
                         SLICE_ARG(type));
    if (choice->has_type && choice->type != out->type)
        return diag_fail(misp->diag, ERR_CONFLICT, "\"type\" is \"%.*s\", and %s was asked for",
                         SLICE_ARG(type), allow_type_name(choice->type));
    TRY(texts_read(misp, "matching_attributes", ALLOW_ATTRIBUTES_MAX, &out->attributes,
                   &out->attribute_count));
    for (size_t i = 0; i < out->attribute_count; i++)
        if (out->attributes[i].len > ALLOW_ATTRIBUTE_BYTES_MAX)
            return diag_fail(misp->diag, ERR_LIMIT,
                             "entry %zu of \"matching_attributes\": has more than %d bytes", i + 1,
                             ALLOW_ATTRIBUTE_BYTES_MAX);
    if (json_get(&misp->doc, misp->doc.nodes, SLICE("list")) == NULL)
        return diag_fail(misp->diag, ERR_INVALID, "\"list\" is missing");
    return texts_read(misp, "list", ALLOW_VALUES_MAX, &out->values, &out->value_count);
}

static result misp_read(slice text, const struct allow_choice *choice, struct arena *arena,
                        struct allow_list *out, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct misp misp = {.arena = arena, .diag = diag};

    TRY(json_parser_new(JSON_DEPTH, &parser, diag));
    TRY(json_parse_copy(parser, text, &misp.doc, diag));
    TRY(misp_fields(&misp, choice, out));
    for (size_t i = 0; i < out->value_count; i++)
        TRY(value_fits(out->type, out->values[i], arena, "entry", i + 1, diag));
    return OK;
}

/* ---- plain lists ---- */

/* The next line that says something; false past the last. */
static bool line_next(slice *rest, size_t *number, slice *line)
{
    while (rest->len > 0) {
        slice_cut(*rest, '\n', line, rest);
        (*number)++;
        *line = slice_trim(*line);
        if (line->len > 0 && line->at[0] != '#')
            return true;
    }
    return false;
}

static bool has_dot_or_colon(slice text)
{
    return slice_find_byte(text, '.') != SIZE_MAX || slice_find_byte(text, ':') != SIZE_MAX;
}

/* The narrowest type that every value of the sample fits. */
static enum allow_type type_tell(slice text)
{
    bool networks = true, hosts = true, expressions = true;
    size_t number = 0, count = 0;
    slice line;

    while (count < TOLD_LINES_MAX && line_next(&text, &number, &line)) {
        struct network network;
        bool is_network = network_parse(line, &network);

        count++;
        networks = networks && is_network;
        hosts = hosts && !is_network && host_fits(line) && has_dot_or_colon(line) &&
                slice_find_byte(line, ':') == SIZE_MAX;
        expressions = expressions && line.len > 2 && line.at[0] == '/' &&
                      slice_find_byte(slice_from(line, 1), '/') != SIZE_MAX;
    }
    return count == 0    ? ALLOW_STRING
           : networks    ? ALLOW_CIDR
           : hosts       ? ALLOW_HOSTNAME
           : expressions ? ALLOW_REGEX
                         : ALLOW_STRING;
}

static result plain_read(slice text, const struct allow_choice *choice, struct arena *arena,
                         struct allow_list *out, struct diag *diag)
{
    size_t count = 0, number = 0;
    slice rest = text, line;

    if (slice_find_byte(text, '\0') != SIZE_MAX)
        return diag_fail(diag, ERR_INVALID, "holds NUL bytes: neither JSON nor a list of lines");
    while (line_next(&rest, &number, &line))
        count++;
    if (count > ALLOW_VALUES_MAX)
        return diag_fail(diag, ERR_LIMIT, "holds %zu values, at most %zu are taken", count,
                         ALLOW_VALUES_MAX);
    slice *values = arena_new(arena, slice, count + 1);
    out->name = arena_copy(arena, choice->name);
    out->type = choice->has_type ? choice->type : type_tell(text);
    rest = text;
    number = 0;
    while (values != NULL && line_next(&rest, &number, &line)) {
        TRY(value_fits(out->type, line, arena, "line", number, diag));
        values[out->value_count++] = arena_copy(arena, line);
    }
    out->values = values;
    return values == NULL || arena->overflowed
               ? diag_fail(diag, ERR_LIMIT, "the list is too large for the memory it may use")
               : OK;
}

result allow_read(slice text, const struct allow_choice *choice, struct arena *arena,
                  struct allow_list *out, struct diag *diag)
{
    if (slice_starts(text, SLICE("\xef\xbb\xbf")))
        text = slice_from(text, 3);
    slice body = slice_trim(text);

    *out = (struct allow_list){.version = SLICE(""), .description = SLICE("")};
    if (text.len > ALLOW_FILE_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "has more than %zu bytes", ALLOW_FILE_BYTES_MAX);
    if (slice_starts(body, SLICE("{")))
        TRY(misp_read(body, choice, arena, out, diag));
    else
        TRY(plain_read(text, choice, arena, out, diag));
    if (out->value_count == 0)
        return diag_fail(diag, ERR_INVALID, "holds no value");
    if (out->type == ALLOW_REGEX && out->value_count > ALLOW_REGEXES_MAX)
        return diag_fail(diag, ERR_LIMIT, "holds %zu regular expressions, at most %d are taken",
                         out->value_count, ALLOW_REGEXES_MAX);
    if (out->name.len == 0 || out->name.len > ALLOW_NAME_BYTES_MAX || !utf8_valid(out->name))
        return diag_fail(diag, ERR_INVALID, "a list's name has 1 to %d bytes of UTF-8",
                         ALLOW_NAME_BYTES_MAX);
    out->description = slice_head(out->description, ALLOW_TEXT_BYTES_MAX);
    while (!utf8_valid(out->description))
        out->description.len--;
    return OK;
}
