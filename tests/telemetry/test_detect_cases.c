/* Cases of detection, where they are at hand: what an indicator of one plain value names is among
 * the observables of its telemetry, under the same path. */
#include "reading.h"

#include "base/source.h"
#include "stix/object.h"
#include "stix/pattern.h"
#include "stix/url.h"
#include "json/json.h"

#define CASES_BYTES_MAX ((size_t)64 << 20)
#define ARENA_BYTES_MAX ((size_t)64 << 20)

static bool cases_load(struct buf *out)
{
    CLEANUP(source_close) struct source *source = NULL;
    const char *folder = getenv("ENTENTE_DATA");
    char path[4096];
    size_t count;

    (void)snprintf(path, sizeof(path), "%s/cases/detect_cases.jsonl",
                   folder != NULL ? folder : "../shared/data");
    if (failed(source_open(path, &source, NULL)))
        return false;
    do {
        char *room = buf_reserve(out, (size_t)1 << 20);

        assert_non_null(room);
        assert_true(succeeded(source_read(source, room, (size_t)1 << 20, &count, NULL)));
        out->len += count;
    } while (count > 0);
    return true;
}

/* The one value that a pattern of one "=" compares with. */
static bool plain_value(slice text, struct arena *arena, struct stix_value *out)
{
    struct pattern pattern;
    const struct stix_value *values;
    size_t count;

    if (failed(pattern_parse(text, STIX_21, arena, &pattern, NULL, NULL)) ||
        failed(pattern_values(&pattern, arena, &values, &count)) || count != 1 ||
        pattern.node_count != 2 || pattern.nodes[0].op != PATTERN_EQ)
        return false;
    *out = values[0];
    if (slice_eq(out->kind, SLICE("url:value")))
        out->value = url_normal(out->value, arena);
    return true;
}

/* The text of a case's encoding: latin-1 is one byte a character. */
static slice decoded(slice text, bool is_latin, struct arena *arena)
{
    char *out = arena_new(arena, char, text.len + 1);
    size_t len = 0;

    assert_non_null(out);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.at[i];

        if (is_latin && c >= 0xC2 && c <= 0xC3 && i + 1 < text.len)
            c = (uint8_t)((c & 3) << 6 | ((uint8_t)text.at[++i] & 0x3F));
        out[len++] = (char)c;
    }
    return slice_of(out, len);
}

static bool observed(slice format, slice text, const struct stix_value *value)
{
    CLEANUP(source_close) struct source *source = NULL;
    CLEANUP(telemetry_stream_close) struct telemetry_stream *stream = NULL;
    char name[32];
    struct telemetry_choice choice = {.format = name, .now_us = NOW_US};
    struct telemetry_event event;
    bool is_end = false;

    (void)snprintf(name, sizeof(name), "%.*s", SLICE_ARG(format));
    if (format.len == 0)
        choice.format = NULL;
    assert_true(succeeded(source_of_memory(text, &source, NULL)));
    assert_true(succeeded(telemetry_stream_open(source, &choice, &stream, NULL)));
    while (succeeded(telemetry_stream_next(stream, &event, &is_end, NULL)) && !is_end)
        for (size_t i = 0; i < event.count; i++)
            if (slice_eq(event.observables[i].path, value->kind) &&
                slice_eq(event.observables[i].value, value->value))
                return true;
    assert_true(is_end);
    return false;
}

static size_t case_run(const struct json_doc *doc, struct arena *arena)
{
    slice id = json_string(doc, json_get(doc, doc->nodes, SLICE("id")), arena);
    slice format = json_string(doc, json_get(doc, doc->nodes, SLICE("format")), arena);
    slice pattern = json_string(doc, json_get(doc, doc->nodes, SLICE("indicator")), arena);
    slice input = json_string(doc, json_get(doc, doc->nodes, SLICE("input")), arena);
    bool is_latin = json_is(doc, json_get(doc, doc->nodes, SLICE("encoding")), SLICE("latin-1"));
    bool is_must = json_is(doc, json_get(doc, doc->nodes, SLICE("status")), SLICE("must"));
    const struct json_node *hit = json_get(doc, doc->nodes, SLICE("hit"));
    struct stix_value value;

    if (!is_must || hit == NULL || !plain_value(pattern, arena, &value))
        return 0;
    input = decoded(input, is_latin, arena);
    bool wanted = hit->kind == JSON_TRUE;
    if (observed(format, input, &value) != wanted)
        fail_msg("%.*s: %.*s is %s", SLICE_ARG(id), SLICE_ARG(pattern),
                 wanted ? "not seen" : "seen");
    if (wanted && !observed(SLICE(""), input, &value))
        fail_msg("%.*s: %.*s is not seen when the format is not named", SLICE_ARG(id),
                 SLICE_ARG(pattern));
    return 1;
}

static void values_of_cases_are_seen(void **state)
{
    CLEANUP(buf_free) struct buf cases = BUF(CASES_BYTES_MAX);
    CLEANUP(arena_free) struct arena arena = ARENA(ARENA_BYTES_MAX);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    slice line, rest;
    size_t count = 0;

    (void)state;
    if (!cases_load(&cases)) {
        (void)printf("# no cases here: name their folder in ENTENTE_DATA\n");
        return;
    }
    assert_true(succeeded(json_parser_new(JSON_DEPTH_MAX, &parser, NULL)));
    for (rest = buf_slice(&cases); rest.len > 0;) {
        struct json_doc doc;

        (void)slice_cut(rest, '\n', &line, &rest);
        arena_reset(&arena);
        if (line.len == 0)
            continue;
        assert_true(succeeded(json_parse_copy(parser, line, &doc, NULL)));
        count += case_run(&doc, &arena);
    }
    assert_true(count > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_of_cases_are_seen)};

    return cmocka_run_group_tests_name("telemetry/detect_cases", tests, NULL, NULL);
}
