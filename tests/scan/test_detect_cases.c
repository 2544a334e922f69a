/* Cases of detection, where they are at hand: every row gives the answer that it asks for. */
#include "detecting.h"

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

/* latin-1 is one byte a character. */
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

static size_t case_run(const struct json_doc *doc, struct arena *arena)
{
    slice id = json_string(doc, json_get(doc, doc->nodes, SLICE("id")), arena);
    slice format = json_string(doc, json_get(doc, doc->nodes, SLICE("format")), arena);
    slice pattern = json_string(doc, json_get(doc, doc->nodes, SLICE("indicator")), arena);
    slice input = json_string(doc, json_get(doc, doc->nodes, SLICE("input")), arena);
    bool is_latin = json_is(doc, json_get(doc, doc->nodes, SLICE("encoding")), SLICE("latin-1"));
    const struct json_node *hit = json_get(doc, doc->nodes, SLICE("hit"));

    assert_non_null(hit);
    bool wanted = hit->kind == JSON_TRUE;
    input = decoded(input, is_latin, arena);
    if ((text_hits(pattern, NULL, format, input) > 0) != wanted ||
        (wanted && text_hits(pattern, NULL, SLICE(""), input) == 0)) {
        print_error("%.*s: %.*s %s\n", SLICE_ARG(id), SLICE_ARG(pattern),
                    wanted ? "does not hit" : "hits");
        return 1;
    }
    return 0;
}

static void every_case_gives_its_answer(void **state)
{
    CLEANUP(buf_free) struct buf cases = BUF(CASES_BYTES_MAX);
    CLEANUP(arena_free) struct arena arena = ARENA(ARENA_BYTES_MAX);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    slice line, rest;
    size_t wrong = 0, count = 0;

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
        wrong += case_run(&doc, &arena);
        count++;
    }
    assert_int_equal(wrong, 0);
    assert_true(count > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case_gives_its_answer)};

    return cmocka_run_group_tests_name("scan/detect_cases", tests, NULL, NULL);
}
