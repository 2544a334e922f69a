/* Lines of named values: key=value, and CEF whose extension is such pairs with escapes. */
#include "telemetry/reader.h"

#include "base/banned.h"

#define KEY_BYTES_MAX 128

static bool is_key_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '@';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == ',' || c == ';' || c == '|' || c == '[' || c == ']' ||
           c == '\r' || c == '\n';
}

struct pair {
    slice key, raw;
    bool is_quoted, is_escaped;
    size_t begin, end; /* in the text, quotes included */
};

/* From a place where a word may begin: key=value or key="value". */
static bool pair_at(slice text, size_t begin, struct pair *out)
{
    size_t i = begin;

    while (i < text.len && i - begin <= KEY_BYTES_MAX && is_key_byte(text.at[i]))
        i++;
    if (i == begin || i == text.len || text.at[i] != '=')
        return false;
    *out = (struct pair){.key = slice_of(text.at + begin, i - begin), .begin = begin};
    size_t start = ++i;
    out->is_quoted = i < text.len && text.at[i] == '"';
    if (out->is_quoted) {
        for (start = ++i; i < text.len && text.at[i] != '"'; i++) {
            bool is_escape = text.at[i] == '\\' && i + 1 < text.len;

            out->is_escaped |= is_escape;
            i += is_escape;
        }
        if (i >= text.len)
            return false;
    } else {
        while (i < text.len && !is_blank(text.at[i]))
            i++;
    }
    out->raw = slice_of(text.at + start, i - start);
    out->end = i + out->is_quoted;
    return true;
}

static bool pair_next(slice text, size_t *at, struct pair *out)
{
    for (size_t i = *at; i < text.len; i++) {
        if ((i == 0 || is_blank(text.at[i - 1])) && pair_at(text, i, out)) {
            *at = out->end;
            return true;
        }
    }
    *at = text.len;
    return false;
}

/* "\=", "\n", "\"" and "\\" as what they stand for. */
static slice unescaped(struct arena *arena, slice raw)
{
    char *out = arena_new(arena, char, raw.len + 1);
    size_t len = 0;

    for (size_t i = 0; out != NULL && i < raw.len; i++) {
        bool is_escape = raw.at[i] == '\\' && i + 1 < raw.len;

        i += is_escape;
        out[len++] = (char)(is_escape && (raw.at[i] == 'n' || raw.at[i] == 'r') ? '\n' : raw.at[i]);
    }
    return slice_of(out, len);
}

size_t pairs_count(slice text)
{
    struct pair pair;
    size_t count = 0;

    for (size_t at = 0; pair_next(text, &at, &pair);)
        count++;
    return count;
}

/* Words between the pairs are text. */
void pairs_take(struct telemetry_reader *reader, slice text)
{
    struct pair pair;
    size_t before = 0;

    for (size_t at = 0; pair_next(text, &at, &pair); before = pair.end) {
        struct event_field field = {.name = pair.key, .value = pair.raw, .raw = pair.raw};

        event_take_raw(&reader->event, SLICE("text"),
                       slice_of(text.at + before, pair.begin - before));
        if (pair.is_escaped)
            field.value = unescaped(&reader->event.arena, pair.raw);
        event_take(&reader->event, &field);
    }
    event_take_raw(&reader->event, SLICE("text"), slice_from(text, before));
}

result shape_kv(struct telemetry_reader *reader, slice line, struct diag *diag)
{
    if (pairs_count(line) == 0)
        return diag_fail(diag, ERR_INVALID, "no key=value in it");
    pairs_take(reader, line);
    return OK;
}

/* ---- CEF ---- */

#define CEF_HEADER_FIELDS 7

/* One part of the header, to the next bar that is not escaped. */
static bool cef_part(slice *rest, slice *part)
{
    for (size_t i = 0; i < rest->len; i++) {
        if (rest->at[i] == '\\') {
            i++;
        } else if (rest->at[i] == '|') {
            *part = slice_head(*rest, i);
            *rest = slice_from(*rest, i + 1);
            return true;
        }
    }
    return false;
}

/* A value ends where a blank is followed by the next key and its "=": values hold blanks. */
static size_t cef_value_end(slice text, size_t start)
{
    for (size_t i = start; i < text.len; i++) {
        if (text.at[i] == '\\') {
            i++;
            continue;
        }
        if (text.at[i] != '=')
            continue;
        size_t key = i;
        while (key > start && is_key_byte(text.at[key - 1]))
            key--;
        if (key < i && key > start && text.at[key - 1] == ' ')
            return key;
    }
    return text.len;
}

static void cef_extension(struct telemetry_reader *reader, slice text)
{
    for (size_t i = 0; i < text.len;) {
        size_t equals = slice_find_byte(slice_from(text, i), '='), end;
        struct event_field field;

        if (equals == SIZE_MAX)
            return;
        equals += i;
        end = cef_value_end(text, equals + 1);
        field = (struct event_field){
            .name = slice_trim(slice_of(text.at + i, equals - i)),
            .raw = slice_trim(slice_of(text.at + equals + 1, end - equals - 1)),
        };
        field.value = field.raw;
        if (slice_find_byte(field.raw, '\\') != SIZE_MAX)
            field.value = unescaped(&reader->event.arena, field.raw);
        event_take(&reader->event, &field);
        i = end;
    }
}

result shape_cef(struct telemetry_reader *reader, slice line, struct diag *diag)
{
    size_t start = slice_find(line, SLICE("CEF:"));
    struct syslog_line header;
    slice rest, part;

    if (start == SIZE_MAX)
        return diag_fail(diag, ERR_INVALID, "no CEF: in it");
    rest = slice_from(line, start);
    for (size_t i = 0; i < CEF_HEADER_FIELDS; i++)
        if (!cef_part(&rest, &part))
            return diag_fail(diag, ERR_INVALID, "a CEF header of %zu parts: takes %d", i,
                             CEF_HEADER_FIELDS);
    cef_extension(reader, rest);
    /* The extension's own time, when it has one, came first and stays. */
    if (syslog_split(line, &header))
        event_take_raw(&reader->event, SLICE("syslog_time"), header.time);
    return OK;
}
