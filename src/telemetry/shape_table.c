/* Tables whose header names the columns: Zeek's TSV, CSV. */
#include "base/encode.h"
#include "telemetry/reader.h"

#include "base/banned.h"

/* ---- Zeek ---- */

/* "\x2e" and "\\" as the bytes they stand for. */
static slice zeek_unescape(struct arena *arena, slice text)
{
    char *out;
    size_t len = 0;

    if (slice_find_byte(text, '\\') == SIZE_MAX)
        return text;
    out = arena_new(arena, char, text.len);
    for (size_t i = 0; out != NULL && i < text.len; i++) {
        slice rest = slice_from(text, i);
        uint8_t byte;

        if (slice_starts(rest, SLICE("\\x")) && rest.len >= 4 &&
            hex_decode(slice_of(rest.at + 2, 2), &byte, 1)) {
            out[len++] = (char)byte;
            i += 3;
        } else if (slice_starts(rest, SLICE("\\\\"))) {
            out[len++] = '\\';
            i++;
        } else {
            out[len++] = text.at[i];
        }
    }
    return slice_of(out, len);
}

static result columns_begin(struct table *table, slice names, size_t *count, struct diag *diag)
{
    *count = 1;
    for (size_t i = 0; i < names.len; i++)
        *count += names.at[i] == table->separator;
    if (*count > COLUMNS_MAX)
        return diag_fail(diag, ERR_LIMIT, "%zu columns, over %d", *count, COLUMNS_MAX);
    table->names = arena_new(&table->arena, slice, *count);
    table->is_list = arena_new(&table->arena, bool, *count);
    table->count = 0;
    if (table->names == NULL || table->is_list == NULL)
        return diag_fail(diag, ERR_LIMIT, "a header over %zu bytes", TABLE_ARENA_BYTES_MAX);
    return OK;
}

static result zeek_fields(struct table *table, slice names, struct diag *diag)
{
    slice name, rest = arena_copy(&table->arena, names);
    size_t count;
    bool is_more = true;

    TRY(columns_begin(table, rest, &count, diag));
    while (is_more) {
        is_more = slice_cut(rest, table->separator, &name, &rest);
        table->names[table->count++] = name;
    }
    return OK;
}

static void zeek_types(struct table *table, slice types)
{
    slice type;
    bool is_more = true;

    for (size_t i = 0; i < table->count && is_more; i++) {
        is_more = slice_cut(types, table->separator, &type, &types);
        table->is_list[i] =
            slice_starts(type, SLICE("set[")) || slice_starts(type, SLICE("vector["));
    }
}

/* A new log begins with its separator: rotated logs that were joined have several headers. */
static void zeek_begin(struct table *table, slice separator)
{
    slice meant = zeek_unescape(&table->arena, slice_trim(separator));

    char byte = meant.len == 1 ? meant.at[0] : '\t';

    arena_reset(&table->arena);
    *table = (struct table){.arena = table->arena,
                            .separator = byte,
                            .list_separator = ',',
                            .empty = SLICE("(empty)"),
                            .unset = SLICE("-")};
}

static result zeek_header(struct table *table, slice line, struct diag *diag)
{
    slice name, value;

    if (slice_starts(line, SLICE("#separator"))) {
        zeek_begin(table, slice_from(line, 10));
        return OK;
    }
    if (table->separator == '\0')
        zeek_begin(table, SLICE("\t"));
    (void)slice_cut(slice_from(line, 1), table->separator, &name, &value); /* "#close" has none */
    if (slice_eq(name, SLICE("set_separator")) && value.len == 1)
        table->list_separator = value.at[0];
    else if (slice_eq(name, SLICE("empty_field")))
        table->empty = arena_copy(&table->arena, value);
    else if (slice_eq(name, SLICE("unset_field")))
        table->unset = arena_copy(&table->arena, value);
    else if (slice_eq(name, SLICE("fields")))
        return zeek_fields(table, value, diag);
    else if (slice_eq(name, SLICE("types")))
        zeek_types(table, value);
    return OK;
}

static void zeek_value(struct telemetry_reader *reader, size_t column, slice raw, uint32_t element)
{
    const struct table *table = &reader->table;

    if (slice_eq(raw, table->unset) || slice_eq(raw, table->empty))
        return;
    event_take(&reader->event, &(struct event_field){
                                   .name = table->names[column],
                                   .value = zeek_unescape(&reader->event.arena, raw),
                                   .raw = raw,
                                   .element = element,
                               });
}

result shape_zeek_tsv(struct telemetry_reader *reader, slice line, struct diag *diag)
{
    const struct table *table = &reader->table;
    slice cell, item, rest = line;
    bool is_more = true;

    if (line.len > 0 && line.at[0] == '#')
        return zeek_header(&reader->table, line, diag);
    if (table->names == NULL)
        return diag_fail(diag, ERR_INVALID, "no #fields line before");
    for (size_t i = 0; is_more; i++) {
        is_more = slice_cut(rest, table->separator, &cell, &rest);
        if (i >= table->count || (!is_more && i + 1 < table->count))
            return diag_fail(diag, ERR_INVALID, "%s than the %zu columns of #fields",
                             is_more || i >= table->count ? "more" : "less", table->count);
        if (!table->is_list[i]) {
            zeek_value(reader, i, cell, 0);
            continue;
        }
        for (bool is_item = true; is_item;) {
            is_item = slice_cut(cell, table->list_separator, &item, &cell);
            zeek_value(reader, i, item, 0);
        }
    }
    return OK;
}

/* ---- CSV (RFC 4180) ---- */

/* One field of a record; false when its quotes do not close. */
static bool csv_next(char separator, struct arena *arena, slice *rest, slice *raw, slice *value,
                     bool *is_more)
{
    size_t end = 0, len = 0;

    if (rest->len == 0 || rest->at[0] != '"') {
        *is_more = slice_cut(*rest, separator, raw, rest);
        *raw = slice_trim(*raw);
        *value = *raw;
        return true;
    }
    char *out = arena_new(arena, char, rest->len);
    if (out == NULL)
        return false;
    for (end = 1; end < rest->len; end++) {
        bool is_quote = rest->at[end] == '"';

        if (is_quote && (end + 1 == rest->len || rest->at[end + 1] != '"'))
            break;
        end += is_quote;
        out[len++] = rest->at[end];
    }
    if (end == rest->len)
        return false;
    *raw = slice_of(rest->at + 1, end - 1);
    *value = slice_eq(*raw, slice_of(out, len)) ? *raw : slice_of(out, len);
    *rest = slice_trim(slice_from(*rest, end + 1));
    *is_more = rest->len > 0 && rest->at[0] == separator;
    if (rest->len > 0 && !*is_more)
        return false;
    *rest = slice_from(*rest, 1);
    return true;
}

/* Which of them the header uses most; a comma when none. */
static char separator_of(slice header)
{
    static const char separators[] = ",;\t|";
    size_t best = 0;
    char out = ',';

    for (size_t i = 0; separators[i] != '\0'; i++) {
        size_t count = 0;

        for (size_t j = 0; j < header.len; j++)
            count += header.at[j] == separators[i];
        if (count > best) {
            best = count;
            out = separators[i];
        }
    }
    return out;
}

static result csv_header(struct table *table, slice line, struct diag *diag)
{
    slice rest = arena_copy(&table->arena, line), raw, name;
    size_t count;

    table->separator = separator_of(line);
    TRY(columns_begin(table, rest, &count, diag));
    for (bool is_more = true; is_more; table->names[table->count++] = name) {
        if (!csv_next(table->separator, &table->arena, &rest, &raw, &name, &is_more)) {
            table->names = NULL;
            return diag_fail(diag, ERR_INVALID, "header: column %zu: quotes that do not close",
                             table->count + 1);
        }
        if (name.len > 0 && name.at[0] == '#' && table->count == 0)
            name = slice_trim(slice_from(name, 1));
    }
    return OK;
}

result shape_csv(struct telemetry_reader *reader, slice line, struct diag *diag)
{
    struct table *table = &reader->table;
    slice rest = line, raw, value;
    bool is_more = true;

    if (table->names == NULL)
        return csv_header(table, line, diag);
    for (size_t i = 0; is_more; i++) {
        if (!csv_next(table->separator, &reader->event.arena, &rest, &raw, &value, &is_more))
            return diag_fail(diag, ERR_INVALID, "column %zu: quotes that do not close", i + 1);
        if (i >= table->count)
            return diag_fail(diag, ERR_INVALID, "more than the header's %zu columns", table->count);
        event_take(&reader->event,
                   &(struct event_field){.name = table->names[i], .value = value, .raw = raw});
    }
    return OK;
}
