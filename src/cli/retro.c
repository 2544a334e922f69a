/* retro: what the record of past hours holds of indicators, patterns and values. */
#include <inttypes.h>

#include "base/time.h"
#include "cli/cli.h"
#include "scan/retro.h"

#include "base/banned.h"

struct retro_call {
    struct cli *cli;
    struct node node;
    struct ruleset *set;   /* owned */
    struct report *report; /* owned; NULL: not asked for */
    struct diag *diag;
    result r; /* of reporting */
    int code; /* of printing */
    uint64_t broken;
};

static void hit_json(const struct rule *rule, const struct hit *hit, struct buf *out)
{
    struct json_writer w = JSON_WRITER(out);
    char when[TIMESTAMP_TEXT_BYTES_MAX];

    jw_object_begin(&w);
    jw_put_string(&w, SLICE("first_seen"), slice_of(when, time_format_us(hit->time_us, when)));
    jw_put_string(&w, SLICE("indicator"), rule->id);
    jw_put_string(&w, SLICE("name"), rule->name);
    jw_key(&w, SLICE("values"));
    jw_array_begin(&w);
    for (size_t i = 0; i < hit->field_count; i++) {
        jw_object_begin(&w);
        jw_put_string(&w, SLICE("path"), hit->fields[i].path);
        jw_put_string(&w, SLICE("value"), hit->fields[i].value);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_object_end(&w);
}

static void hit_words(const struct rule *rule, const struct hit *hit)
{
    char when[TIMESTAMP_TEXT_BYTES_MAX];

    (void)time_format_us(hit->time_us, when);
    (void)printf("%.19sZ", when);
    for (size_t i = 0; i < hit->field_count; i++) {
        (void)printf("  ");
        cli_print_text(stdout, hit->fields[i].value);
    }
    (void)printf("  ");
    cli_print_text(stdout, rule->id);
    if (rule->name.len > 0) {
        (void)printf("  ");
        cli_print_text(stdout, rule->name);
    }
    (void)putchar('\n');
}

static void hit_take(void *context, const struct rule *rule, const struct hit *hit)
{
    CLEANUP(buf_free) struct buf json = BUF((size_t)1 << 20);
    struct retro_call *call = context;

    if (call->cli->json) {
        hit_json(rule, hit, &json);
        if (call->code == CLI_OK)
            call->code = cli_print_json(&json);
    } else {
        hit_words(rule, hit);
    }
    if (call->report != NULL && succeeded(call->r))
        call->r = report_take_record(call->report, rule, hit, call->diag);
}

static void hour_broken(void *context, const struct diag *why)
{
    struct retro_call *call = context;

    call->broken++;
    (void)cli_fail(CLI_FAILED, "%s: not asked", why->text);
}

/* An indicator that is not run, when it was asked for by name. */
static void not_run(void *context, slice source, const char *place, enum rules_reason reason,
                    const char *words)
{
    const struct retro_call *call = context;

    (void)source;
    if (call->cli->word_count > 0 || cli_has(call->cli, "pattern") || cli_has(call->cli, "value"))
        (void)cli_fail(CLI_FAILED, "%s: not asked (%s): %s", place, rules_reason_name(reason),
                       words != NULL ? words : "");
}

static result named_add(struct retro_call *call, struct ruleset_builder *builder,
                        struct store_view *view)
{
    const struct collection any = {0};

    for (size_t i = 0; i < call->cli->word_count; i++) {
        CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 20);
        slice id = slice_text(call->cli->words[i]), text;

        TRY(report_held(view, &any, id, &arena, &text, call->diag));
        if (text.len == 0)
            return diag_fail(call->diag, ERR_MISSING, "%s: the node holds no such indicator",
                             call->cli->words[i]);
        TRY(rules_add_object(builder, SLICE("node"), text, call->diag));
    }
    for (size_t i = 0; i < cli_value_count(call->cli, "pattern"); i++)
        TRY(rules_add_pattern(builder, SLICE("--pattern"),
                              slice_text(cli_value_at(call->cli, "pattern", i)), call->diag));
    for (size_t i = 0; i < cli_value_count(call->cli, "value"); i++)
        TRY(rules_add_line(builder, SLICE("--value"),
                           slice_text(cli_value_at(call->cli, "value", i)), i + 1, call->diag));
    return OK;
}

static result set_make(struct retro_call *call)
{
    CLEANUP(ruleset_builder_free) struct ruleset_builder *builder = NULL;
    CLEANUP(store_view_end) struct store_view view = {0};
    struct rules_choice choice = {
        .now_us = time_now_us(), .confidence_least = -1, .report = not_run, .context = call};
    bool is_named =
        call->cli->word_count > 0 || cli_has(call->cli, "pattern") || cli_has(call->cli, "value");

    TRY(ruleset_builder_new(&choice, &builder, call->diag));
    store_view_begin(call->node.store, &view, call->diag);
    if (is_named)
        TRY(named_add(call, builder, &view));
    else
        TRY(rules_add_store(builder, SLICE("node"), &view, call->diag));
    return ruleset_build(builder, &call->set, call->diag);
}

static void summary(const struct retro_call *call, const struct retro_answer *answer)
{
    char first[TIMESTAMP_TEXT_BYTES_MAX], end[TIMESTAMP_TEXT_BYTES_MAX];

    if (answer->end_us == 0) {
        cli_say(call->cli, "the record is empty: \"serve\" and \"scan --record\" fill it");
        return;
    }
    (void)time_format_us(answer->first_us, first);
    (void)time_format_us(answer->end_us, end);
    cli_say(call->cli,
            "%" PRIu64 " hits of %zu rules in %zu hours; the record goes from %.16sZ to %.16sZ",
            answer->hits, ruleset_count(call->set), answer->hour_count, first, end);
    if (answer->several_count > 0)
        cli_say(call->cli, "%zu rules need several values or events: the record cannot answer them",
                answer->several_count);
}

static result ask(struct retro_call *call, const struct retro_question *question)
{
    struct retro_place place = node_retro(&call->node);
    struct report_place report = node_report(&call->node, SLICE("cli"));
    struct retro_answer answer;

    TRY(set_make(call));
    struct retro_question whole = *question;
    whole.set = call->set;
    if (cli_has(call->cli, "report"))
        TRY(report_open(&report, &call->report, call->diag));
    TRY(retro_ask(&place, &whole, &answer, call->diag));
    TRY(call->r);
    if (call->report != NULL)
        TRY(report_flush(call->report, NULL, call->diag));
    summary(call, &answer);
    return OK;
}

int cmd_retro(struct cli *cli)
{
    struct diag diag = {0};
    struct retro_call call = {.cli = cli, .diag = &diag, .r = OK};
    const char *since = cli_value(cli, "since");
    struct retro_question question = {
        .hit = hit_take, .broken = hour_broken, .has_since = since != NULL, .context = &call};
    struct timestamp time;

    if (since != NULL && !timestamp_parse_rfc3339(slice_text(since), &time))
        return cli_misused(cli, "--since = \"%s\": takes a time as 2026-01-31T00:00:00Z", since);
    question.since_us = since != NULL ? time.us : 0;
    int code = cli_node_open(cli, !cli_has(cli, "report"), &call.node);
    if (code != CLI_OK)
        return code;
    cli_log_configure(&call.node.config);
    result r = ask(&call, &question);
    report_close(&call.report);
    ruleset_release(&call.set);
    node_close(&call.node);
    if (failed(r))
        return cli_failed(&diag);
    return cli_end(call.broken > 0 ? CLI_FAILED : call.code);
}
