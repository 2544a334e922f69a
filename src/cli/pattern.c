#include "base/source.h"
#include "cli/cli.h"
#include "match/advise.h"
#include "match/cases.h"
#include "match/eval.h"
#include "match/explain.h"
#include "match/regex.h"
#include "json/write.h"

#include "base/banned.h"

#define PATTERN_ARENA_BYTES_MAX ((size_t)1 << 30)
#define PATTERN_OUT_BYTES_MAX ((size_t)64 << 20)
#define BUNDLE_BYTES_MAX ((size_t)1 << 30)
#define READ_BYTES ((size_t)256 << 10)

/* ---- what all three read ---- */

static result file_read(const char *path, struct buf *out, struct diag *diag)
{
    CLEANUP(source_close) struct source *source = NULL;
    size_t count;

    TRY(source_open(path, &source, diag));
    do {
        char *room = buf_reserve(out, READ_BYTES);

        if (room == NULL)
            return diag_fail(diag, ERR_LIMIT, "%s: more than %zu bytes", path, out->ceiling);
        TRY(source_read(source, room, READ_BYTES, &count, diag));
        out->len += count;
    } while (count > 0);
    return OK;
}

static int spec_of(const struct cli *cli, enum stix_spec *out)
{
    const char *text = cli_value(cli, "spec");

    *out = STIX_21;
    if (text == NULL || slice_eq(slice_text(text), SLICE("2.1")))
        return CLI_OK;
    *out = STIX_20;
    if (slice_eq(slice_text(text), SLICE("2.0")))
        return CLI_OK;
    return cli_misused(cli, "--spec = \"%s\": takes 2.0 or 2.1", text);
}

/* The pattern of --file, of standard input for "-", or the word itself.  The line's end behind it
 * is no part of it. */
static int pattern_text(const struct cli *cli, struct buf *held, slice *out)
{
    const char *file = cli_value(cli, "file");
    struct diag diag = {0};

    if (file == NULL && cli->word_count > 0 && !slice_eq(slice_text(cli->words[0]), SLICE("-"))) {
        *out = slice_text(cli->words[0]);
        return CLI_OK;
    }
    if (failed(file_read(file == NULL ? "-" : file, held, &diag)))
        return cli_failed(&diag);
    *out = buf_slice(held);
    while (out->len > 0 && (out->at[out->len - 1] == '\n' || out->at[out->len - 1] == '\r'))
        out->len--;
    return CLI_OK;
}

static result pattern_read(slice text, enum stix_spec spec, struct arena *arena,
                           struct pattern *pattern, struct pattern_error *error, struct diag *diag)
{
    TRY(pattern_parse(text, spec, arena, pattern, error, diag));
    return regex_check(pattern, error, diag);
}

/* ---- check ---- */

static void place_put(struct json_writer *w, slice text, uint32_t at)
{
    struct pattern_error place;

    pattern_locate(text, at, &place);
    jw_put_u64(w, SLICE("line"), place.line);
    jw_put_u64(w, SLICE("column"), place.column);
    jw_put_u64(w, SLICE("offset"), at);
}

/* The line of the text in question and a "^" below the place. */
static void place_show(slice text, const struct pattern_error *error)
{
    size_t start = error->at < text.len ? error->at : text.len, end = start;

    while (start > 0 && text.at[start - 1] != '\n')
        start--;
    while (end < text.len && text.at[end] != '\n' && text.at[end] != '\r')
        end++;
    (void)fputs("  ", stdout);
    cli_print_text(stdout, slice_of(text.at + start, end - start));
    (void)printf("\n  %*s^\n", (int)(error->column < 10000 ? error->column - 1 : 0), "");
}

static int refused_print(const struct cli *cli, slice text, const struct pattern_error *error,
                         const struct diag *diag)
{
    CLEANUP(buf_free) struct buf out = BUF(PATTERN_OUT_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&out);

    if (!cli->json) {
        (void)printf("invalid: %s\n", diag->text);
        if (error->line > 0)
            place_show(text, error);
        return CLI_FAILED;
    }
    jw_object_begin(&w);
    jw_put_bool(&w, SLICE("valid"), false);
    jw_put_string(&w, SLICE("reason"), slice_text(diag->text));
    if (error->line > 0) {
        place_put(&w, text, error->at);
        jw_put_string(&w, SLICE("expected"), slice_text(error->expected));
    }
    jw_object_end(&w);
    return cli_print_json(&out) == CLI_OK ? CLI_FAILED : CLI_TRY_LATER;
}

static void advice_put(struct json_writer *w, slice text, const struct advice *advice)
{
    jw_object_begin(w);
    place_put(w, text, advice->at);
    jw_put_string(w, SLICE("rule"), slice_text(advice->rule));
    jw_put_string(w, SLICE("text"), advice->text);
    jw_object_end(w);
}

static int accepted_print(const struct cli *cli, const struct pattern *pattern,
                          const struct advice *advice, size_t count)
{
    CLEANUP(buf_free) struct buf out = BUF(PATTERN_OUT_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&out);

    if (!cli->json) {
        (void)printf("valid\n");
        for (size_t i = 0; i < count; i++) {
            struct pattern_error place;

            pattern_locate(pattern->text, advice[i].at, &place);
            cli_say(cli, "entente: line %u, column %u: %.*s", place.line, place.column,
                    SLICE_ARG(advice[i].text));
        }
        return CLI_OK;
    }
    jw_object_begin(&w);
    jw_put_bool(&w, SLICE("valid"), true);
    jw_key(&w, SLICE("warnings"));
    jw_array_begin(&w);
    for (size_t i = 0; i < count; i++)
        advice_put(&w, pattern->text, &advice[i]);
    jw_array_end(&w);
    jw_object_end(&w);
    return cli_print_json(&out);
}

static int pattern_check_one(const struct cli *cli, slice text, enum stix_spec spec)
{
    CLEANUP(arena_free) struct arena arena = ARENA(PATTERN_ARENA_BYTES_MAX);
    struct pattern pattern;
    struct pattern_error error = {0};
    struct diag diag = {0};
    const struct advice *advice;
    size_t count;

    if (failed(pattern_read(text, spec, &arena, &pattern, &error, &diag)))
        return refused_print(cli, text, &error, &diag);
    if (failed(pattern_advise(&pattern, &arena, &advice, &count, &diag)))
        return cli_failed(&diag);
    return accepted_print(cli, &pattern, advice, count);
}

int cmd_pattern_check(struct cli *cli)
{
    CLEANUP(buf_free) struct buf held = BUF(PATTERN_BYTES_MAX + READ_BYTES);
    enum stix_spec spec;
    slice text;
    int code = spec_of(cli, &spec);

    if (code != CLI_OK)
        return code;
    if (cli->word_count > 1 || (cli->word_count == 0 && !cli_has(cli, "file")))
        return cli_misused(cli, "takes one pattern, in quotes, or - or --file");
    code = pattern_text(cli, &held, &text);
    if (code != CLI_OK)
        return code;
    return cli_end(pattern_check_one(cli, text, spec));
}

/* ---- explain ---- */

static void node_put(struct json_writer *w, struct buf *scratch, const struct pattern *pattern,
                     size_t position)
{
    static const char *const kinds[] = {
        [PATTERN_OBSERVATION] = "observation",
        [PATTERN_FOLLOWEDBY] = "FOLLOWEDBY",
        [PATTERN_OBS_OR] = "OR",
        [PATTERN_OBS_AND] = "AND",
        [PATTERN_WITHIN] = "WITHIN",
        [PATTERN_REPEATS] = "REPEATS",
        [PATTERN_START_STOP] = "START STOP",
        [PATTERN_OR] = "or",
        [PATTERN_AND] = "and",
        [PATTERN_COMPARE] = "comparison",
        [PATTERN_EXISTS] = "exists",
    };
    const struct pattern_node *node = &pattern->nodes[position];
    bool is_test = node->kind == PATTERN_COMPARE || node->kind == PATTERN_EXISTS;

    jw_object_begin(w);
    jw_put_u64(w, SLICE("node"), position);
    jw_put_string(w, SLICE("kind"), slice_text(kinds[node->kind]));
    if (!is_test)
        jw_put_u64(w, SLICE("left"), node->left);
    if (node->kind == PATTERN_FOLLOWEDBY || node->kind == PATTERN_OBS_OR ||
        node->kind == PATTERN_OBS_AND || node->kind == PATTERN_OR || node->kind == PATTERN_AND)
        jw_put_u64(w, SLICE("right"), node->right);
    if (node->kind == PATTERN_WITHIN)
        jw_put_string(w, SLICE("seconds"), node->seconds);
    if (node->kind == PATTERN_REPEATS)
        jw_put_u64(w, SLICE("times"), node->repeats);
    if (is_test) {
        buf_reset(scratch);
        pattern_print_node(node, scratch);
        jw_put_string(w, SLICE("text"), buf_slice(scratch));
        jw_put_string(w, SLICE("found_by"), slice_text(pattern_way(node)));
    }
    jw_object_end(w);
}

static int explain_json(const struct pattern *pattern, const struct stix_value *values,
                        size_t count)
{
    CLEANUP(buf_free)
    struct buf out = BUF(PATTERN_OUT_BYTES_MAX), scratch = BUF(PATTERN_OUT_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&out);

    jw_object_begin(&w);
    pattern_print(pattern, &scratch);
    jw_put_string(&w, SLICE("pattern"), buf_slice(&scratch));
    jw_key(&w, SLICE("nodes"));
    jw_array_begin(&w);
    for (size_t i = 0; i < pattern->node_count; i++)
        node_put(&w, &scratch, pattern, i);
    jw_array_end(&w);
    jw_key(&w, SLICE("values"));
    jw_array_begin(&w);
    for (size_t i = 0; i < count; i++) {
        jw_object_begin(&w);
        jw_put_string(&w, SLICE("kind"), values[i].kind);
        jw_put_string(&w, SLICE("value"), values[i].value);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    return cli_print_json(&out);
}

static int explain_text(const struct pattern *pattern, const struct stix_value *values,
                        size_t count, struct arena *arena)
{
    CLEANUP(buf_free) struct buf out = BUF(PATTERN_OUT_BYTES_MAX);
    struct diag diag = {0};
    slice rest, line;

    if (failed(pattern_explain(pattern, arena, &out, &diag)))
        return cli_failed(&diag);
    for (rest = buf_slice(&out); slice_cut(rest, '\n', &line, &rest);) {
        cli_print_text(stdout, line);
        (void)fputc('\n', stdout);
    }
    if (count > 0)
        (void)printf("\nvalues to find it by:\n");
    for (size_t i = 0; i < count; i++) {
        (void)fputs("  ", stdout);
        cli_print_text(stdout, values[i].kind);
        (void)fputs("  ", stdout);
        cli_print_text(stdout, values[i].value);
        (void)fputc('\n', stdout);
    }
    return CLI_OK;
}

int cmd_pattern_explain(struct cli *cli)
{
    CLEANUP(buf_free) struct buf held = BUF(PATTERN_BYTES_MAX + READ_BYTES);
    CLEANUP(arena_free) struct arena arena = ARENA(PATTERN_ARENA_BYTES_MAX);
    const struct stix_value *values;
    struct pattern pattern;
    struct pattern_error error = {0};
    struct diag diag = {0};
    enum stix_spec spec;
    size_t count;
    slice text;
    int code = spec_of(cli, &spec);

    if (code != CLI_OK)
        return code;
    if (cli->word_count > 1 || (cli->word_count == 0 && !cli_has(cli, "file")))
        return cli_misused(cli, "takes one pattern, in quotes, or - or --file");
    code = pattern_text(cli, &held, &text);
    if (code != CLI_OK)
        return code;
    if (failed(pattern_read(text, spec, &arena, &pattern, &error, &diag)))
        return cli_end(refused_print(cli, text, &error, &diag));
    if (failed(pattern_values(&pattern, &arena, &values, &count)))
        return cli_fail(CLI_FAILED, "pattern: too long to explain");
    code = cli->json ? explain_json(&pattern, values, count)
                     : explain_text(&pattern, values, count, &arena);
    return cli_end(code);
}

/* ---- test ---- */

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

    TRY(file_read(path, &bundle, diag));
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

    if (failed(pattern_read(slice_text(cli->words[0]), spec, &arena, &pattern, NULL, &diag)))
        return cli_fail(CLI_MISUSED, "pattern: %s", diag.text);
    if (failed(bundle_ask(cli->words[1], &pattern, &arena, &outcome, &diag)))
        return cli_fail(CLI_MISUSED, "%s", diag.text);
    return verdict_print(cli, &outcome);
}

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

    if (failed(file_read(path, &text, &diag)) ||
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

int cmd_pattern_test(struct cli *cli)
{
    const char *cases = cli_value(cli, "cases");
    enum stix_spec spec;
    int code = spec_of(cli, &spec);

    if (code != CLI_OK)
        return code;
    if (cases != NULL ? cli->word_count != 0 : cli->word_count != 2)
        return cli_misused(cli, "takes a pattern and a file of observed-data, or --cases");
    return cli_end(cases != NULL ? test_cases(cli, cases, spec) : test_one(cli, spec));
}
