#include "cli/pattern.h"

#include "match/cases.h"
#include "match/engine.h"
#include "json/write.h"

#include "base/banned.h"

#define BUNDLE_BYTES_MAX ((size_t)1 << 30)

/* ---- one pattern, one file ---- */

static int verdict_print(const struct cli *cli, const struct eval_outcome *outcome)
{
    CLEANUP(buf_free) struct buf out = BUF(PATTERN_OUT_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&out);
    int code = outcome->matched ? CLI_OK : CLI_FAILED;

    if (outcome->observation_count == 0)
        cli_say(cli, "entente: the data holds no observed-data");
    if (outcome->regex_gave_up > 0)
        cli_say(cli,
                "entente: a regular expression was given up %llu times, and taken for no match",
                (unsigned long long)outcome->regex_gave_up);
    if (!cli->json) {
        (void)printf("%s\n", outcome->matched ? "match" : "nomatch");
        return code;
    }
    jw_object_begin(&w);
    jw_put_bool(&w, SLICE("match"), outcome->matched);
    jw_put_u64(&w, SLICE("observed_data"), outcome->observation_count);
    jw_put_u64(&w, SLICE("regex_gave_up"), outcome->regex_gave_up);
    jw_object_end(&w);
    return cli_print_json(&out) == CLI_OK ? code : CLI_TRY_LATER;
}

static result bundle_ask(const char *path, const struct pattern *pattern, struct arena *arena,
                         struct eval_outcome *outcome, struct diag *diag)
{
    CLEANUP(buf_free) struct buf bundle = BUF(BUNDLE_BYTES_MAX);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct json_doc doc;

    TRY(cli_file_read(path, &bundle, diag));
    TRY(json_parser_new(JSON_DEPTH_MAX, &parser, diag));
    TRY(diag_within(diag, json_parse_copy(parser, buf_slice(&bundle), &doc, diag), "%s", path));
    return diag_within(diag, pattern_eval(pattern, &doc, &doc.nodes[0], arena, outcome, diag), "%s",
                       path);
}

/* 0 match, 1 none, 2 no answer: as grep has it. */
static int test_one(const struct cli *cli, enum stix_spec spec)
{
    CLEANUP(arena_free) struct arena arena = ARENA(PATTERN_ARENA_BYTES_MAX);
    struct eval_outcome outcome;
    struct pattern pattern;
    struct diag diag = {0};

    if (failed(cli_pattern_read(slice_text(cli->words[0]), spec, &arena, &pattern, NULL, &diag)))
        return cli_fail(CLI_MISUSED, "pattern: %s", diag.text);
    if (failed(bundle_ask(cli->words[1], &pattern, &arena, &outcome, &diag)))
        return cli_fail(CLI_MISUSED, "%s", diag.text);
    return verdict_print(cli, &outcome);
}

/* ---- reference cases ---- */

static int case_print(const struct cli *cli, const struct case_answer *answer,
                      const struct diag *diag)
{
    CLEANUP(buf_free) struct buf out = BUF(PATTERN_OUT_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&out);

    if (!cli->json) {
        cli_print_text(stdout, answer->id);
        (void)printf("\t%s\n", case_verdict_name(answer->verdict));
        return CLI_OK;
    }
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("id"), answer->id);
    jw_put_string(&w, SLICE("verdict"), slice_text(case_verdict_name(answer->verdict)));
    if (diag->text[0] != '\0')
        jw_put_string(&w, SLICE("reason"), slice_text(diag->text));
    jw_object_end(&w);
    return cli_print_json(&out);
}

/* A case without an answer is told apart on stderr, and makes the command fail at its end. */
static int case_run(const struct cli *cli, struct json_parser *parser, slice line,
                    enum stix_spec spec, struct arena *arena)
{
    struct case_answer answer;
    struct json_doc doc;
    struct diag diag = {0};
    int code;

    arena_reset(arena);
    if (failed(json_parse_copy(parser, line, &doc, &diag)) ||
        failed(case_answer(&doc, spec, arena, &answer, &diag)))
        return cli_failed(&diag);
    code = case_print(cli, &answer, &diag);
    return answer.is_limited ? cli_failed(&diag) : code;
}

static int test_cases(const struct cli *cli, const char *path, enum stix_spec spec)
{
    CLEANUP(buf_free) struct buf text = BUF(BUNDLE_BYTES_MAX);
    CLEANUP(arena_free) struct arena arena = ARENA(CASE_ARENA_BYTES_MAX);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct diag diag = {0};
    slice line, rest;
    int code = CLI_OK;

    if (failed(cli_file_read(path, &text, &diag)) ||
        failed(json_parser_new(JSON_DEPTH_MAX, &parser, &diag)))
        return cli_failed(&diag);
    for (rest = buf_slice(&text); rest.len > 0;) {
        (void)slice_cut(rest, '\n', &line, &rest); /* the last line may have no end */
        if (slice_trim(line).len > 0) {
            int one = case_run(cli, parser, slice_trim(line), spec, &arena);

            code = one == CLI_OK ? code : one;
        }
    }
    return code;
}

/* ---- all indicators of a bundle ---- */

#define ENGINE_ARENA_BYTES_MAX ((size_t)8 << 30)

struct indicator {
    slice id, name;
};

/* The indicators of a bundle that can be run, beside their patterns. */
struct indicators {
    struct indicator *items;
    struct pattern *patterns;
    size_t count, left_out; /* left out: revoked, of another language, or with an invalid pattern */
};

static slice member(const struct json_doc *doc, const struct json_node *object, slice key,
                    struct arena *arena)
{
    const struct json_node *value = json_get(doc, object, key);

    if (value == NULL || value->kind != JSON_STRING)
        return SLICE_NONE;
    return json_string(doc, value, arena);
}

static bool indicator_read(const struct cli *cli, const struct json_doc *doc,
                           const struct json_node *object, struct arena *arena,
                           struct indicators *out)
{
    struct indicator *item = &out->items[out->count];
    const struct json_node *revoked = json_get(doc, object, SLICE("revoked"));
    slice language = member(doc, object, SLICE("pattern_type"), arena);
    bool is_20 = member(doc, object, SLICE("spec_version"), arena).len == 0;
    struct diag diag = {0};

    if (!slice_eq(member(doc, object, SLICE("type"), arena), SLICE("indicator")))
        return true;
    *item = (struct indicator){.id = member(doc, object, SLICE("id"), arena),
                               .name = member(doc, object, SLICE("name"), arena)};
    out->left_out++;
    if ((revoked != NULL && revoked->kind == JSON_TRUE) ||
        (language.len > 0 && !slice_eq(language, SLICE("stix"))))
        return true;
    if (failed(cli_pattern_read(member(doc, object, SLICE("pattern"), arena),
                                is_20 ? STIX_20 : STIX_21, arena, &out->patterns[out->count], NULL,
                                &diag))) {
        cli_say(cli, "entente: %.*s: not run: %s", SLICE_ARG(item->id), diag.text);
        return diag.code != ERR_LIMIT;
    }
    out->left_out--;
    out->count++;
    return true;
}

/* A bundle, or an array of objects.  The arena holds what the texts stand in, too. */
static result indicators_read(const struct cli *cli, const char *path, struct arena *arena,
                              struct indicators *out, struct diag *diag)
{
    CLEANUP(buf_free) struct buf text = BUF(BUNDLE_BYTES_MAX);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    const struct json_node *list;
    struct json_doc doc;
    slice kept;

    TRY(cli_file_read(path, &text, diag));
    TRY(json_parser_new(JSON_DEPTH_MAX, &parser, diag));
    kept = arena_copy(arena, buf_slice(&text));
    TRY(diag_within(diag, json_parse_copy(parser, buf_slice(&text), &doc, diag), "%s", path));
    doc.text = kept; /* what outlives the parser is borrowed from here */
    list = doc.nodes[0].kind == JSON_ARRAY ? &doc.nodes[0]
                                           : json_get(&doc, &doc.nodes[0], SLICE("objects"));
    if (list == NULL || list->kind != JSON_ARRAY)
        return diag_fail(diag, ERR_INVALID, "%s: no bundle and no list of objects", path);
    *out = (struct indicators){
        .items = arena_new(arena, struct indicator, json_count(&doc, list) + 1),
        .patterns = arena_new(arena, struct pattern, json_count(&doc, list) + 1)};
    for (struct json_each each = json_each(&doc, list); !arena->overflowed && json_next(&each);)
        if (!indicator_read(cli, &doc, each.value, arena, out))
            break;
    return arena->overflowed ? diag_fail(diag, ERR_LIMIT, "%s: too many indicators", path) : OK;
}

static int hit_print(const struct cli *cli, const struct indicator *indicator)
{
    CLEANUP(buf_free) struct buf out = BUF(PATTERN_OUT_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&out);

    if (!cli->json) {
        cli_print_text(stdout, indicator->id);
        (void)fputc('\t', stdout);
        cli_print_text(stdout, indicator->name);
        (void)fputc('\n', stdout);
        return CLI_OK;
    }
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("indicator"), indicator->id);
    jw_put_string(&w, SLICE("name"), indicator->name);
    jw_object_end(&w);
    return cli_print_json(&out);
}

static result engine_ask(const struct indicators *indicators, const char *path, struct arena *arena,
                         struct engine_outcome *out, struct diag *diag)
{
    CLEANUP(arena_free) struct arena scratch = ARENA(PATTERN_ARENA_BYTES_MAX);
    CLEANUP(buf_free) struct buf text = BUF(BUNDLE_BYTES_MAX);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct engine engine;
    struct json_doc doc;

    TRY(engine_build(indicators->patterns, indicators->count, arena, &engine, diag));
    TRY(cli_file_read(path, &text, diag));
    TRY(json_parser_new(JSON_DEPTH_MAX, &parser, diag));
    TRY(diag_within(diag, json_parse_copy(parser, buf_slice(&text), &doc, diag), "%s", path));
    return diag_within(diag, engine_match(&engine, &doc, &doc.nodes[0], arena, &scratch, out, diag),
                       "%s", path);
}

static int test_indicators(const struct cli *cli, const char *path)
{
    CLEANUP(arena_free) struct arena arena = ARENA(ENGINE_ARENA_BYTES_MAX);
    struct indicators indicators = {0};
    struct engine_outcome outcome = {0};
    struct diag diag = {0};
    int code = CLI_OK;

    if (failed(indicators_read(cli, path, &arena, &indicators, &diag)) ||
        failed(engine_ask(&indicators, cli->words[0], &arena, &outcome, &diag)))
        return cli_fail(CLI_MISUSED, "%s", diag.text);
    for (size_t i = 0; i < outcome.matched_count && code == CLI_OK; i++)
        code = hit_print(cli, &indicators.items[outcome.matched[i]]);
    cli_say(cli,
            "%zu of %zu indicators match %zu observed-data; %zu were not run, %zu reached a limit",
            outcome.matched_count, indicators.count, outcome.observation_count, indicators.left_out,
            outcome.unanswered_count);
    if (code != CLI_OK)
        return code;
    return outcome.matched_count > 0 ? CLI_OK : CLI_FAILED;
}

int cmd_pattern_test(struct cli *cli)
{
    const char *cases = cli_value(cli, "cases"), *indicators = cli_value(cli, "indicators");
    size_t wanted = cases != NULL ? 0 : indicators != NULL ? 1 : 2;
    enum stix_spec spec;
    int code = cli_pattern_spec(cli, &spec);

    if (code != CLI_OK)
        return code;
    if (cli->word_count != wanted || (cases != NULL && indicators != NULL))
        return cli_misused(cli,
                           "takes a pattern and a file of observed-data; with --indicators the "
                           "file alone, with --cases neither");
    if (cases != NULL)
        return cli_end(test_cases(cli, cases, spec));
    return cli_end(indicators != NULL ? test_indicators(cli, indicators) : test_one(cli, spec));
}
