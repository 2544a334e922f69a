#include "cli/pattern.h"

#include "base/source.h"
#include "match/advise.h"
#include "match/explain.h"
#include "match/regex.h"
#include "json/write.h"

#include "base/banned.h"

#define READ_BYTES ((size_t)256 << 10)

/* ---- what the commands read ---- */

result cli_file_read(const char *path, struct buf *out, struct diag *diag)
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

int cli_pattern_spec(const struct cli *cli, enum stix_spec *out)
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
    if (failed(cli_file_read(file == NULL ? "-" : file, held, &diag)))
        return cli_failed(&diag);
    *out = buf_slice(held);
    while (out->len > 0 && (out->at[out->len - 1] == '\n' || out->at[out->len - 1] == '\r'))
        out->len--;
    return CLI_OK;
}

result cli_pattern_read(slice text, enum stix_spec spec, struct arena *arena,
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

    if (failed(cli_pattern_read(text, spec, &arena, &pattern, &error, &diag)))
        return refused_print(cli, text, &error, &diag);
    if (failed(pattern_advise(&pattern, &arena, &advice, &count, &diag)))
        return cli_failed(&diag);
    return accepted_print(cli, &pattern, advice, count);
}

int cmd_pattern_check(struct cli *cli)
{
    CLEANUP(buf_free) struct buf held = BUF(PATTERN_BYTES_MAX + READ_BYTES);
    enum stix_spec spec;
    slice text = SLICE_NONE;
    int code = cli_pattern_spec(cli, &spec);

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
    slice text = SLICE_NONE;
    int code = cli_pattern_spec(cli, &spec);

    if (code != CLI_OK)
        return code;
    if (cli->word_count > 1 || (cli->word_count == 0 && !cli_has(cli, "file")))
        return cli_misused(cli, "takes one pattern, in quotes, or - or --file");
    code = pattern_text(cli, &held, &text);
    if (code != CLI_OK)
        return code;
    if (failed(cli_pattern_read(text, spec, &arena, &pattern, &error, &diag)))
        return cli_end(refused_print(cli, text, &error, &diag));
    if (failed(pattern_values(&pattern, &arena, &values, &count)))
        return cli_fail(CLI_FAILED, "pattern: too long to explain");
    code = cli->json ? explain_json(&pattern, values, count)
                     : explain_text(&pattern, values, count, &arena);
    return cli_end(code);
}
