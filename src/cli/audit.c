/* audit and ledger log: the log as people and programs read it. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/time.h"
#include "cli/ledger_query.h"
#include "ledger/tree.h"

#include "base/banned.h"

#define LINE_BYTES_MAX ((size_t)1 << 20)

struct teller {
    const struct cli *cli;
    struct buf line; /* owned */
    uint64_t limit, count;
    bool is_csv, failed;
};

static void teller_free(struct teller *teller)
{
    buf_free(&teller->line);
}

/* RFC 4180; a cell that a spreadsheet would take for a formula gets a quote in front. */
static void csv_cell(slice text, bool is_last)
{
    bool is_formula = text.len > 0 && strchr("=+-@", text.at[0]) != NULL;

    (void)fputs(is_formula ? "\"'" : "\"", stdout);
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"')
            (void)fputc('"', stdout);
        (void)fputc(text.at[i], stdout);
    }
    (void)fputs(is_last ? "\"\r\n" : "\",", stdout);
}

static void csv_row(const struct told_entry *told, slice at, slice words)
{
    char number[24];
    int bytes = snprintf(number, sizeof(number), "%" PRIu64, told->number);

    csv_cell(slice_of(number, (size_t)bytes), false);
    csv_cell(at, false);
    csv_cell(told->entry.kind, false);
    csv_cell(told->actor, false);
    csv_cell(words, true);
}

static int json_row(struct teller *teller, const struct told_entry *told, slice at, slice words)
{
    CLEANUP(buf_free) struct buf out = BUF(LINE_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&out);
    struct hash256 leaf = tree_leaf(told->text);
    char hex[2 * SHA256_BYTES];

    (void)teller;
    hex_encode(slice_of(leaf.bytes, SHA256_BYTES), hex);
    jw_object_begin(&w);
    jw_put_u64(&w, SLICE("entry"), told->number);
    jw_put_string(&w, SLICE("at"), at);
    jw_put_string(&w, SLICE("kind"), told->entry.kind);
    if (told->actor.len > 0)
        jw_put_string(&w, SLICE("actor"), told->actor);
    jw_put_string(&w, SLICE("text"), words);
    jw_put_string(&w, SLICE("leaf"), slice_of(hex, sizeof(hex)));
    jw_key(&w, SLICE("data"));
    jw_raw(&w, told->text);
    jw_object_end(&w);
    return cli_print_json(&out);
}

static bool tell(void *context, const struct told_entry *told)
{
    struct teller *teller = context;
    char at[TIMESTAMP_TEXT_BYTES_MAX];
    slice date = slice_of(at, time_format_us(told->entry.at_us, at));

    buf_reset(&teller->line);
    entry_tell(told, &teller->line);
    slice words = buf_slice(&teller->line);
    if (teller->is_csv) {
        csv_row(told, date, words);
    } else if (teller->cli->json) {
        teller->failed = json_row(teller, told, date, words) != CLI_OK;
    } else {
        (void)printf("%8" PRIu64 "  %.19sZ  %-16.*s %-10.*s ", told->number, at,
                     SLICE_ARG(told->entry.kind), SLICE_ARG(told->actor));
        cli_print_text(stdout, words);
        (void)fputc('\n', stdout);
    }
    return ++teller->count < teller->limit && !teller->failed && !ferror(stdout);
}

static int tell_all(struct cli *cli, bool is_csv)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)256 << 20);
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(store_view_end) struct store_view view = {0};
    CLEANUP(entry_filter_free) struct entry_filter filter = {0};
    CLEANUP(teller_free)
    struct teller teller = {.cli = cli, .line = BUF(LINE_BYTES_MAX), .is_csv = is_csv};
    struct diag diag = {0};
    size_t limit;

    if (cli->word_count != 0)
        return cli_misused(cli, "takes options only");
    int code = cli_count(cli, "limit", 1, SIZE_MAX - 1, SIZE_MAX - 1, &limit);
    if (code == CLI_OK)
        code = cli_node_open(cli, true, &node);
    if (code != CLI_OK)
        return code;
    teller.limit = limit;
    store_view_begin(node.store, &view, &diag);
    if (diag.code != ERR_NONE)
        return cli_failed(&diag);
    code = entry_filter_read(cli, &view, &arena, &filter);
    if (code != CLI_OK)
        return code;
    if (is_csv)
        (void)fputs("\"entry\",\"at\",\"kind\",\"actor\",\"text\"\r\n", stdout);
    if (failed(entries_walk(&view, &filter, tell, &teller, &diag)))
        return cli_failed(&diag);
    return teller.failed ? CLI_FAILED : CLI_OK;
}

int cmd_audit(struct cli *cli)
{
    if (cli->json && cli_has(cli, "csv"))
        return cli_misused(cli, "--json or --csv, not both");
    return tell_all(cli, cli_has(cli, "csv"));
}

int cmd_ledger_log(struct cli *cli)
{
    return tell_all(cli, false);
}
