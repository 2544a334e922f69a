/* Values, names and a title from anyone, in every format: each line is one that the format's reader
 * takes for what it is, and there are no more lines than values ask for. */
#include <assert.h>

#include "formats/out.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VALUES_MAX 64

static result keep(void *context, slice bytes, struct diag *diag)
{
    (void)diag;
    buf_put(context, bytes);
    return OK;
}

static slice no_object(void *context, const struct out_origin *origin)
{
    (void)context;
    (void)origin;
    return SLICE("{\"type\":\"indicator\"}");
}

static bool no_more(void *context, size_t index, slice *out)
{
    (void)context;
    (void)index;
    (void)out;
    return false;
}

static bool is_of(slice text, const char *set)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!is_plain && (c == '\0' || strchr(set, c) == NULL))
            return false;
    }
    return true;
}

static size_t count_of(slice text, char byte)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += text.at[i] == byte;
    return count;
}

/* Quotes are closed, and no option ends but where the rule's writer ended it. */
static bool is_rule(slice line)
{
    bool is_quoted = false, is_hex = false;

    if (!slice_starts(line, SLICE("alert ")) || !slice_ends(line, SLICE(")")))
        return false;
    for (size_t i = 0; i < line.len; i++) {
        char c = line.at[i];

        if (c == '"' && !is_hex)
            is_quoted = !is_quoted;
        else if (c == '|' && is_quoted)
            is_hex = !is_hex;
        else if (is_hex && !is_of(slice_of(&c, 1), " "))
            return false;
        else if (is_quoted && (c == ';' || c == '\\' || (uint8_t)c < ' '))
            return false;
    }
    return !is_quoted && !is_hex;
}

static bool is_csv(slice line, size_t fields)
{
    bool is_quoted = false;
    size_t count = 1;

    for (size_t i = 0; i < line.len; i++) {
        if (line.at[i] == '"')
            is_quoted = !is_quoted;
        else if (line.at[i] == ',' && !is_quoted)
            count++;
    }
    return !is_quoted && count == fields;
}

static bool is_json(slice text)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct json_doc doc;

    return succeeded(json_parser_new(JSON_DEPTH_MAX, &parser, NULL)) &&
           succeeded(json_parse_copy(parser, text, &doc, NULL));
}

static void line_holds(const struct out_format *format, slice line)
{
    for (size_t i = 0; i < line.len; i++)
        assert((uint8_t)line.at[i] >= ' ' || line.at[i] == '\t' ||
               (line.at[i] == '\r' && i + 1 == line.len));
    if (slice_eq(format->name, SLICE("csv")))
        assert(is_csv(line, 12));
    else if (slice_eq(format->name, SLICE("suricata")) || slice_eq(format->name, SLICE("snort3")))
        assert(slice_starts(line, SLICE("#")) || is_rule(line));
    else if (slice_eq(format->name, SLICE("splunk")))
        assert(is_csv(line, 8));
    else if (slice_eq(format->name, SLICE("elastic")))
        assert(is_json(line));
    else if (slice_eq(format->name, SLICE("zeek")))
        assert(slice_starts(line, SLICE("#")) || count_of(line, '\t') == 4);
    else if (slice_eq(format->name, SLICE("rpz")))
        assert(slice_starts(line, SLICE("; ")) || is_of(line, "-_.* @$"));
    else if (slice_eq(format->name, SLICE("nft")))
        assert(slice_starts(line, SLICE("#")) || is_of(line, " .:/,{};_"));
    else if (slice_eq(format->name, SLICE("ipset")))
        assert(slice_starts(line, SLICE("#")) || is_of(line, " .:/-"));
    else if (slice_eq(format->name, SLICE("hosts")) || slice_eq(format->name, SLICE("dnsmasq")))
        assert(slice_starts(line, SLICE("#")) || is_of(line, " ._-/=,:"));
    else if (slice_eq(format->name, SLICE("unbound")))
        assert(slice_starts(line, SLICE("#")) || is_of(line, " ._-:\""));
}

static void format_holds(const struct out_format *format, const struct out_set *set, slice title)
{
    CLEANUP(buf_free) struct buf text = BUF((size_t)16 << 20);
    struct out_job job = {.format = format,
                          .set = set,
                          .object = no_object,
                          .more = no_more,
                          .version = 8,
                          .head = {.title = title, .as_of_us = 1, .until_us = INT64_MAX}};
    struct out_sink sink;
    struct diag diag = {0};
    size_t lines = 0;
    slice line;

    out_sink_begin(&sink, keep, &text, &diag);
    out_write(&job, &sink);
    assert(succeeded(out_sink_end(&sink)) && !text.overflowed);
    assert(text.len == 0 || text.at[text.len - 1] == '\n');
    if (slice_starts(format->name, SLICE("misp")) || slice_eq(format->name, SLICE("stix")))
        assert(is_json(buf_slice(&text)));
    for (slice rest = buf_slice(&text); rest.len > 0; lines++) {
        (void)slice_cut(rest, '\n', &line, &rest);
        line_holds(format, line);
    }
    assert(lines <= 40 + 3 * (out_set_count(set, OUT_ALL) + set->origin_count));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(out_set_free) struct out_set set = {.has_names = true, .is_block = (size & 1) != 0};
    struct out_exact exact = {0};
    slice rest = slice_of(data, size), title, name, value;

    /* title, then a name and a value in turn, zero bytes between; a value's first byte is its kind
     */
    (void)slice_cut(rest, '\0', &title, &rest);
    for (int i = 0; i < VALUES_MAX && rest.len > 0; i++) {
        struct out_origin origin = {.confidence = -1, .valid_until_us = INT64_MAX};

        (void)slice_cut(rest, '\0', &name, &rest);
        (void)slice_cut(rest, '\0', &value, &rest);
        assert(out_set_origin(&set, origin, name, slice_head(name, 40)));
        if (value.len > 0)
            (void)out_set_add(&set, (enum out_kind)((uint8_t)value.at[0] % OUT_KIND_COUNT),
                              slice_from(value, 1));
    }
    out_set_close(&set, true, true, &exact);
    for (size_t i = 0; out_format_at(i) != NULL; i++)
        format_holds(out_format_at(i), &set, title);
    return 0;
}
