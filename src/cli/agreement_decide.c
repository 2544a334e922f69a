#include "agreement/cases.h"
#include "cli/cli.h"
#include "cli/pattern.h"

#include "base/banned.h"

#define CASES_BYTES_MAX ((size_t)2 << 30)
#define LINE_BYTES_MAX ((size_t)64 << 20)

static int case_print(const struct case_answer *answer, struct buf *line)
{
    struct json_writer w = JSON_WRITER(line);

    buf_reset(line);
    case_write(answer, &w);
    return cli_print_json(line);
}

static int cases_print(const struct cases *cases)
{
    CLEANUP(arena_free) struct arena arena = ARENA(CASE_ARENA_BYTES_MAX);
    CLEANUP(buf_free) struct buf line = BUF(LINE_BYTES_MAX);
    struct value list = cases_list(cases);
    struct case_answer answer;
    int code = CLI_OK;

    for (struct json_each each = json_each(list.doc, list.node); json_next(&each);) {
        arena_reset(&arena);
        case_decide(cases, (struct value){list.doc, each.value}, &arena, &answer);
        int printed = case_print(&answer, &line);

        if (printed != CLI_OK)
            return printed;
        if (answer.differs != NULL)
            code = cli_fail(CLI_FAILED, "%.*s: another answer than expected: %s",
                            SLICE_ARG(answer.id), answer.differs);
    }
    return code;
}

int cmd_agreement_decide(struct cli *cli)
{
    CLEANUP(buf_free) struct buf text = BUF(CASES_BYTES_MAX);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(cases_close) struct cases cases = {0};
    const char *path = cli_value(cli, "vectors");
    struct json_doc doc;
    struct diag diag = {0};

    if (cli->word_count != 0 || path == NULL)
        return cli_misused(cli, "--vectors FILE is needed");
    if (failed(cli_file_read(path, &text, &diag)) ||
        failed(json_parser_new(JSON_DEPTH_MAX, &parser, &diag)))
        return cli_failed(&diag);
    if (failed(diag_within(&diag, json_parse_copy(parser, buf_slice(&text), &doc, &diag), "%s",
                           path)) ||
        failed(diag_within(&diag, cases_open(&doc, &cases, &diag), "%s", path)))
        return cli_failed(&diag);
    return cases_print(&cases);
}
