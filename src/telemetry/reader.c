#include "telemetry/reader.h"

#include "base/fault.h"

#include "base/banned.h"

shape_read *const shape_readers[] = {
    [SHAPE_JSON] = shape_json, [SHAPE_ZEEK_TSV] = shape_zeek_tsv, [SHAPE_CSV] = shape_csv,
    [SHAPE_KV] = shape_kv,     [SHAPE_CEF] = shape_cef,           [SHAPE_SYSLOG] = shape_syslog,
    [SHAPE_BIND] = shape_bind, [SHAPE_UNBOUND] = shape_unbound,   [SHAPE_DNSMASQ] = shape_dnsmasq,
    [SHAPE_WEB] = shape_web,   [SHAPE_TEXT] = shape_text,
};

struct format {
    struct telemetry_format face;
    enum telemetry_shape shape;
    slice map;
};

static const struct format formats[] = {
#define FORMAT(name, shape, map, help) {{S(name), S(help)}, SHAPE_##shape, S(map)},
#include "telemetry/formats.def"
#undef FORMAT
};

#define FORMAT_COUNT (sizeof(formats) / sizeof(formats[0]))

const struct telemetry_format *telemetry_format_at(size_t index)
{
    return index < FORMAT_COUNT ? &formats[index].face : NULL;
}

static const struct format *format_find(slice name)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++)
        if (slice_eq(formats[i].face.name, name))
            return &formats[i];
    return NULL;
}

enum telemetry_shape telemetry_shape_of(slice format, const struct telemetry_map *map)
{
    const struct format *known = format_find(format);

    if (map != NULL)
        return map->shape;
    return known != NULL ? known->shape : SHAPE_TEXT;
}

static result reader_prepare(struct telemetry_reader *reader, slice format,
                             const struct telemetry_map *map, struct diag *diag)
{
    const struct format *known = format_find(format);

    if (map == NULL && known == NULL)
        return diag_fail(diag, ERR_MISSING, "no format \"%.*s\"", SLICE_ARG(format));
    if (map == NULL)
        TRY(map_read_builtin(known->map, &reader->map_owned, diag));
    reader->event.map = map != NULL ? map : reader->map_owned;
    reader->shape = map != NULL ? map->shape : known->shape;
    if (reader->shape == SHAPE_JSON)
        TRY(json_parser_new(TELEMETRY_DEPTH_MAX + 1, &reader->parser, diag));
    return OK;
}

result telemetry_reader_new(slice format, const struct telemetry_map *map, int64_t now_us,
                            struct telemetry_reader **out, struct diag *diag)
{
    CLEANUP(telemetry_reader_free) struct telemetry_reader *reader = NULL;
    size_t capacity = 0;

    *out = NULL;
    reader = FAULT_HERE() ? NULL : table_grow(NULL, &capacity, 1, 1, sizeof(*reader));
    if (reader == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    *reader = (struct telemetry_reader){.event = {.now_us = now_us},
                                        .table = {.arena = ARENA(TABLE_ARENA_BYTES_MAX)}};
    TRY(reader_prepare(reader, format, map, diag));
    *out = reader;
    reader = NULL;
    return OK;
}

void telemetry_reader_free(struct telemetry_reader **reader)
{
    if (*reader == NULL)
        return;
    json_parser_free(&(*reader)->parser);
    telemetry_map_free(&(*reader)->map_owned);
    event_free(&(*reader)->event);
    arena_free(&(*reader)->table.arena);
    table_free(*reader);
    *reader = NULL;
}

const struct telemetry_map *telemetry_reader_map(const struct telemetry_reader *reader)
{
    return reader->event.map;
}

void telemetry_reader_forget(struct telemetry_reader *reader)
{
    arena_reset(&reader->table.arena);
    reader->table = (struct table){.arena = reader->table.arena};
}

static slice without_mark(slice line)
{
    slice mark = SLICE("\xEF\xBB\xBF");

    return slice_starts(line, mark) ? slice_from(line, mark.len) : line;
}

result telemetry_read(struct telemetry_reader *reader, slice line, struct telemetry_event *out,
                      struct diag *diag)
{
    if (line.len > TELEMETRY_LINE_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "a line of %zu bytes, over %zu", line.len,
                         TELEMETRY_LINE_BYTES_MAX);
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    line = without_mark(line);
    event_begin(&reader->event, line);
    if (slice_trim(line).len > 0)
        TRY(shape_readers[reader->shape](reader, line, diag));
    return event_end(&reader->event, out, diag);
}

/* ---- recognition ---- */

/* "a.b" as one key or one inside the other. */
static bool has_field(const struct json_doc *doc, slice field)
{
    const struct json_node *node = doc->nodes;
    slice head, rest = field;

    if (json_get(doc, node, field) != NULL)
        return true;
    for (bool is_more = true; is_more && node != NULL;) {
        is_more = slice_cut(rest, '.', &head, &rest);
        node = json_get(doc, node, head);
    }
    return node != NULL;
}

static bool map_fits(const struct telemetry_map *map, const struct json_doc *doc)
{
    for (size_t i = 0; i < map->need_count; i++) {
        size_t found = 0;

        while (found < map->needs[i].count && has_field(doc, map->needs[i].fields[found]))
            found++;
        if (found == map->needs[i].count)
            return true;
    }
    return map->need_count == 0;
}

static bool is_json(const struct format *format, slice line)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(telemetry_map_free) struct telemetry_map *map = NULL;
    struct json_doc doc;

    return line.at[0] == '{' &&
           succeeded(json_parser_new(TELEMETRY_DEPTH_MAX + 1, &parser, NULL)) &&
           succeeded(map_read_builtin(format->map, &map, NULL)) &&
           succeeded(json_parse_copy(parser, line, &doc, NULL)) && map_fits(map, &doc);
}

static bool is_web(slice line)
{
    size_t open = slice_find(line, SLICE(" [")), close = slice_find(line, SLICE("] \""));
    int64_t us;

    return open != SIZE_MAX && close != SIZE_MAX && close > open + 2 && close < open + 40 &&
           when_parse(slice_of(line.at + open + 2, close - open - 2), 0, &us);
}

static size_t separators(slice line)
{
    size_t best = 0;

    for (const char *c = ",;\t|"; *c != '\0'; c++) {
        size_t count = 0;

        for (size_t i = 0; i < line.len; i++)
            count += line.at[i] == *c;
        best = count > best ? count : best;
    }
    return best;
}

static bool looks_like(const struct format *format, slice line)
{
    struct syslog_line syslog;

    switch (format->shape) {
    case SHAPE_JSON:
        return is_json(format, line);
    case SHAPE_ZEEK_TSV:
        return slice_starts(line, SLICE("#separator")) || slice_starts(line, SLICE("#fields"));
    case SHAPE_CEF:
        return slice_find(slice_head(line, 256), SLICE("CEF:")) != SIZE_MAX &&
               separators(line) >= 7;
    case SHAPE_BIND:
        return slice_find(line, SLICE("client ")) != SIZE_MAX &&
               slice_find(line, SLICE("query: ")) != SIZE_MAX;
    case SHAPE_UNBOUND:
        return slice_find(line, SLICE("unbound[")) != SIZE_MAX &&
               slice_find(line, SLICE(" info: ")) != SIZE_MAX;
    case SHAPE_DNSMASQ:
        return slice_find(line, SLICE("dnsmasq[")) != SIZE_MAX;
    case SHAPE_WEB:
        return is_web(line);
    case SHAPE_SYSLOG:
        return syslog_split(line, &syslog);
    case SHAPE_KV:
        return pairs_count(line) >= 3;
    case SHAPE_CSV:
    case SHAPE_TEXT:
        return false;
    }
    return false;
}

/* A header of names, and lines behind it with as many separators: half of them at least, as a
 * record may go on in the next line. */
static bool is_csv(const slice *lines, size_t count)
{
    size_t most = count > 0 ? separators(lines[0]) : 0, filled = 0, alike = 0;

    if (most == 0 || count < 2 || address_form(slice_trim(lines[0])) != ADDRESS_NONE)
        return false;
    for (size_t i = 0; i < lines[0].len; i++) /* names hold no sentence, no URL and no "=" */
        if (strchr(":=/\\{}<>", lines[0].at[i]) != NULL)
            return false;
    for (size_t i = 1; i < count; i++) {
        filled += slice_trim(lines[i]).len > 0;
        alike += separators(lines[i]) >= most;
    }
    return alike > 0 && alike * 2 >= filled;
}

slice telemetry_recognise(const slice *lines, size_t count)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        size_t seen = 0, alike = 0;

        if (formats[i].shape == SHAPE_CSV && is_csv(lines, count))
            return formats[i].face.name;
        for (size_t j = 0; j < count; j++) {
            slice line = slice_trim(without_mark(lines[j]));

            if (line.len == 0)
                continue;
            seen++;
            alike += looks_like(&formats[i], line);
            /* One line of Zeek's header says it all. */
            if (formats[i].shape == SHAPE_ZEEK_TSV && alike > 0)
                return formats[i].face.name;
        }
        if (alike > 0 && alike * 2 >= seen)
            return formats[i].face.name;
    }
    return SLICE("text");
}
