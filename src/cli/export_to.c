#include "cli/export_to.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/reading.h"
#include "cli/scan.h"
#include "export/export.h"
#include "node/noise.h"
#include "scan/allow.h"

#include "base/banned.h"

#define PATH_BYTES_MAX 4200
#define VERSION_DEFAULT 7
#define QUERY_BYTES_MAX 8192

/* One call: what is asked for, of whom, and where it goes. */
struct exporting {
    struct cli *cli;
    struct node node;
    struct store_view view;
    struct cli_reader reader;
    struct noise noise;
    struct keep_place keep;
    struct export_choice choice;
    const char *path; /* NULL: standard output */
    bool only_changed;
    uint64_t written, unchanged; /* files */
};

static void exporting_close(struct exporting *e)
{
    cli_reader_close(&e->reader);
    noise_close(&e->noise);
    store_view_end(&e->view);
    node_close(&e->node);
}

/* ---- the choice ---- */

static int format_choose(const struct cli *cli, const char *name, struct export_choice *choice)
{
    CLEANUP(buf_free) struct buf known = BUF(1 << 14);

    choice->format = out_format_find(slice_text(name));
    choice->folder = choice->format == NULL ? out_folder_find(slice_text(name)) : NULL;
    if (choice->format != NULL || choice->folder != NULL)
        return CLI_OK;
    for (size_t i = 0; out_format_at(i) != NULL; i++)
        buf_printf(&known, "%s%.*s", i > 0 ? ", " : "", SLICE_ARG(out_format_at(i)->name));
    for (size_t i = 0; out_folder_at(i) != NULL; i++)
        buf_printf(&known, ", %.*s", SLICE_ARG(out_folder_at(i)->name));
    return cli_misused(cli, "there is no format \"%s\"; formats are %.*s", name,
                       SLICE_ARG(buf_slice(&known)));
}

static int tlp_choose(const struct cli *cli, struct export_choice *choice)
{
    static const enum out_tlp of[] = {
        [RULE_TLP_NONE] = OUT_TLP_NONE,
        [RULE_TLP_CLEAR] = OUT_CLEAR,
        [RULE_TLP_GREEN] = OUT_GREEN,
        [RULE_TLP_AMBER] = OUT_AMBER,
        [RULE_TLP_AMBER_STRICT] = OUT_AMBER_STRICT,
        [RULE_TLP_RED] = OUT_RED,
    };
    const char *word = cli_value(cli, "max-tlp");
    enum rule_tlp tlp;

    if (word == NULL)
        return CLI_OK;
    if (!scan_tlp_parse(slice_text(word), &tlp))
        return cli_misused(
            cli, "--max-tlp = \"%s\": takes clear, green, amber, amber+strict or red", word);
    choice->tlp_most = of[tlp];
    return CLI_OK;
}

static int kinds_choose(const struct cli *cli, struct export_choice *choice)
{
    const char *word;

    choice->kinds = cli_has(cli, "only") ? 0 : OUT_ALL;
    for (size_t i = 0; (word = cli_value_at(cli, "only", i)) != NULL; i++) {
        uint32_t kinds = out_kinds_parse(slice_text(word));

        if (kinds == 0)
            return cli_misused(cli,
                               "--only = \"%s\": takes ipv4, ipv6, domain, url, email, file-name, "
                               "md5, sha1, sha256, sha512, cert-sha1 or a STIX type",
                               word);
        choice->kinds |= kinds;
    }
    return CLI_OK;
}

static int use_choose(const struct cli *cli, struct export_choice *choice)
{
    const char *word = cli_value(cli, "use");

    if (word == NULL)
        return CLI_OK;
    if (!out_use_parse(slice_text(word), &choice->use))
        return cli_misused(cli, "--use = \"%s\": takes read, detect, lookup or block", word);
    if (choice->format == NULL || !choice->format->has_choice)
        return cli_misused(cli, "--use is for list and csv: what is done with the others is known");
    choice->has_use = true;
    return CLI_OK;
}

/* A name that stands unquoted in a zone file. */
static bool is_zone(slice zone)
{
    if (zone.len == 0 || zone.len > 200 || zone.at[0] == '.' || zone.at[zone.len - 1] == '.')
        return false;
    for (size_t i = 0; i < zone.len; i++) {
        char c = zone.at[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.')
            return false;
    }
    return slice_find(zone, SLICE("..")) == SIZE_MAX;
}

static int options_choose(struct exporting *e)
{
    const struct cli *cli = e->cli;
    struct export_choice *choice = &e->choice;
    size_t number;
    int code =
        cli_count(cli, "min-confidence", 0, 100, e->node.config.export_confidence_least, &number);

    choice->confidence_least = (int)number;
    if (code == CLI_OK)
        code = cli_count(cli, "suricata-version", 6, 8, VERSION_DEFAULT, &number);
    choice->version = (unsigned)number;
    if (code == CLI_OK)
        code = tlp_choose(cli, choice);
    if (code == CLI_OK)
        code = kinds_choose(cli, choice);
    if (code == CLI_OK)
        code = use_choose(cli, choice);
    choice->exact_domains = cli_has(cli, "exact-domains");
    choice->zone = slice_text(cli_value(cli, "zone"));
    if (code == CLI_OK && cli_has(cli, "zone") && !is_zone(choice->zone))
        code = cli_misused(cli, "--zone = \"%s\": takes a name like rpz.example",
                           cli_value(cli, "zone"));
    if (code == CLI_OK && cli_has(cli, "collection")) {
        struct collection collection;

        code = cli_collection(&e->view, cli_value(cli, "collection"), false, &collection);
        choice->collection = code == CLI_OK ? collection.number : 0;
    }
    return code;
}

static bool may_read(void *context, struct store_view *view, uint32_t collection)
{
    const struct exporting *e = context;

    return cli_reader_may(&e->reader, view, collection);
}

static bool is_allowed(void *context, slice path, slice value)
{
    return noise_is_allowed(&((struct exporting *)context)->noise, path, value);
}

static bool is_suffix(void *context, slice name)
{
    return noise_is_suffix(&((struct exporting *)context)->noise, name);
}

static int exporting_open(struct exporting *e, const char *format)
{
    struct cli *cli = e->cli;
    struct diag diag = {0};
    int code = format_choose(cli, format, &e->choice);

    if (code == CLI_OK)
        code = cli_node_open(cli, true, &e->node);
    if (code != CLI_OK)
        return code;
    store_view_begin(e->node.store, &e->view, &diag);
    if (diag.code != ERR_NONE)
        return cli_failed(&diag);
    code = options_choose(e);
    if (code == CLI_OK)
        code = cli_reader_open(cli, &e->node, &e->view, true, &e->reader);
    if (code != CLI_OK)
        return code;
    if (failed(noise_open(&e->node, &e->noise, &diag)))
        return cli_failed(&diag);
    e->choice.now_us = time_now_us();
    e->choice.title = slice_text(e->node.config.title);
    e->choice.identity = slice_text(e->node.identity);
    e->keep = node_keep(&e->node);
    e->choice.keep = &e->keep;
    e->choice.gate = e->reader.gate;
    e->choice.reader = &e->reader.reader;
    e->choice.may_read = cli_has(cli, "as") ? may_read : NULL;
    e->choice.is_allowed = e->noise.allow != NULL ? is_allowed : NULL;
    e->choice.is_suffix = is_suffix;
    e->choice.context = e;
    return CLI_OK;
}

/* ---- writing ---- */

static result stdout_take(void *context, slice bytes, struct diag *diag)
{
    FILE *out = context;

    if (fwrite(bytes.at, 1, bytes.len, out) != bytes.len)
        return diag_errno(diag, errno, "standard output");
    return OK;
}

static result stream_write(struct export *export, const struct out_format *format, FILE *out,
                           struct diag *diag)
{
    struct out_sink sink;

    out_sink_begin(&sink, stdout_take, out, diag);
    export_write(export, format, &sink);
    TRY(out_sink_end(&sink));
    if (fflush(out) != 0)
        return diag_errno(diag, errno, "standard output");
    return OK;
}

static result file_write(struct exporting *e, struct export *export,
                         const struct out_format *format, const char *path, struct diag *diag)
{
    CLEANUP(out_file_abort) struct out_file file = OUT_FILE;
    struct out_sink sink;
    bool is_changed;

    TRY(out_file_begin(&file, path, diag));
    out_sink_begin(&sink, out_file_take, &file, diag);
    export_write(export, format, &sink);
    TRY(out_sink_end(&sink));
    TRY(out_file_commit(&file, e->only_changed, &is_changed, diag));
    e->written += is_changed;
    e->unchanged += !is_changed;
    return OK;
}

/* Each file whole; what names others comes behind them. */
static result folder_write(struct exporting *e, struct export *export, struct diag *diag)
{
    char path[PATH_BYTES_MAX], room[OUT_ROOM_BYTES];

    if (mkdir(e->path, 0777) != 0 && errno != EEXIST)
        return diag_errno(diag, errno, "%s", e->path);
    for (const char *const *name = e->choice.folder->formats; *name != NULL; name++) {
        const struct out_format *format = out_format_find(slice_text(*name));
        slice file = out_file_name(format, e->choice.identity, room);
        int bytes = snprintf(path, sizeof(path), "%s/%.*s", e->path, SLICE_ARG(file));

        if (bytes < 0 || (size_t)bytes >= sizeof(path))
            return diag_fail(diag, ERR_LIMIT, "%s: the path is too long", e->path);
        TRY(file_write(e, export, format, path, diag));
    }
    return OK;
}

static void query_tell(const struct cli *cli, struct buf *out)
{
    for (size_t i = 0; i < cli->given_count; i++) {
        const char *name = cli->given[i].option->name;

        if (slice_eq(slice_text(name), SLICE("output")) ||
            slice_eq(slice_text(name), SLICE("out")) ||
            slice_eq(slice_text(cli->given[i].option->command), SLICE("*")))
            continue;
        buf_printf(out, "%s--%s%s%.200s", out->len > 0 ? " " : "", name,
                   cli->given[i].value != NULL ? "=" : "",
                   cli->given[i].value != NULL ? cli->given[i].value : "");
    }
}

/* The log has it before the first byte is out. */
static result export_put(struct exporting *e, struct export *export, struct diag *diag)
{
    CLEANUP(buf_free) struct buf told = BUF(QUERY_BYTES_MAX);
    slice actor = e->reader.has_account ? slice_text(e->reader.account.name) : SLICE("cli");

    query_tell(e->cli, &told);
    TRY(export_note(&e->node.ledger, export, actor, buf_slice(&told), NULL, diag));
    if (e->choice.folder != NULL)
        return folder_write(e, export, diag);
    return e->path == NULL ? stream_write(export, e->choice.format, stdout, diag)
                           : file_write(e, export, e->choice.format, e->path, diag);
}

/* ---- the report ---- */

static void lists_json(const struct exporting *e, struct json_writer *w)
{
    jw_key(w, SLICE("warning_lists"));
    jw_object_begin(w);
    for (size_t i = 0; i < allow_list_count(e->noise.allow); i++) {
        uint64_t covered;
        slice name = allow_list_name(e->noise.allow, i, &covered);

        if (covered > 0)
            jw_put_u64(w, name, covered);
    }
    jw_object_end(w);
}

/* On standard output, unless the export itself is there. */
static int report_json(const struct exporting *e, const struct export *export)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 20);
    struct json_writer w = JSON_WRITER(&out);

    jw_object_begin(&w);
    export_report(export, &w);
    lists_json(e, &w);
    if (e->path != NULL) {
        jw_put_string(&w, SLICE("path"), slice_text(e->path));
        jw_put_bool(&w, SLICE("changed"), e->written > 0);
    }
    jw_object_end(&w);
    if (e->path != NULL)
        return cli_print_json(&out);
    (void)fprintf(stderr, "%.*s\n", SLICE_ARG(buf_slice(&out)));
    return CLI_OK;
}

static void lists_tell(const struct exporting *e)
{
    const char *before = "";

    for (size_t i = 0; i < allow_list_count(e->noise.allow); i++) {
        uint64_t covered;
        slice name = allow_list_name(e->noise.allow, i, &covered);

        if (covered == 0)
            continue;
        (void)fprintf(stderr, "%s\"", before[0] == '\0' ? "on warning lists: " : before);
        cli_print_text(stderr, name);
        (void)fprintf(stderr, "\" %" PRIu64, covered);
        before = ", ";
    }
    if (before[0] != '\0')
        (void)fputs(" values\n", stderr);
}

static void report_tell(const struct exporting *e, const struct export *export)
{
    uint64_t values = out_set_count(&export->set, OUT_ALL);
    const struct out_head *head = &export->head;
    const char *before = "left out: ";

    if (e->cli->quiet)
        return;
    (void)fprintf(stderr, "%s %" PRIu64 " value%s of %" PRIu64 " indicator%s%s%s",
                  e->path != NULL && e->written == 0 ? "unchanged:" : "wrote", values,
                  values == 1 ? "" : "s", head->indicators, head->indicators == 1 ? "" : "s",
                  e->path != NULL ? (e->written == 0 ? " in " : " to ") : "",
                  e->path != NULL ? e->path : "");
    if (export->set.repeated > 0 || export->set.covered > 0)
        (void)fprintf(stderr, "; %" PRIu64 " repeated, %" PRIu64 " within others",
                      export->set.repeated, export->set.covered);
    (void)fputc('\n', stderr);
    for (size_t i = 0; i < OUT_REASON_COUNT; i++) {
        if (head->left_out[i] == 0)
            continue;
        (void)fprintf(stderr, "%s%" PRIu64 " %.*s", before, head->left_out[i],
                      SLICE_ARG(out_reason_words((enum out_reason)i)));
        before = ", ";
    }
    if (before[0] == ',')
        (void)fputc('\n', stderr);
    lists_tell(e);
}

static int exporting_run(struct exporting *e)
{
    CLEANUP(export_free) struct export export = {0};
    struct diag diag = {0};

    if (failed(export_gather(&e->view, &e->choice, &export, &diag)) ||
        failed(export_put(e, &export, &diag)))
        return cli_failed(&diag);
    if (e->cli->json)
        return report_json(e, &export);
    report_tell(e, &export);
    return CLI_OK;
}

static bool is_folder(const char *path)
{
    struct stat about;

    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* A format of one file, put into a folder, has its own name there. */
static int path_choose(struct exporting *e, char room[PATH_BYTES_MAX])
{
    if (e->choice.folder != NULL)
        return e->path != NULL ? CLI_OK
                               : cli_misused(e->cli, "%.*s is a folder of files: --out names it",
                                             SLICE_ARG(e->choice.folder->name));
    if (e->path == NULL || !is_folder(e->path))
        return CLI_OK;
    char name[OUT_ROOM_BYTES];
    slice file = out_file_name(e->choice.format, e->choice.identity, name);
    int bytes = snprintf(room, PATH_BYTES_MAX, "%s/%.*s", e->path, SLICE_ARG(file));
    if (bytes < 0 || bytes >= PATH_BYTES_MAX)
        return cli_fail(CLI_FAILED, "%s: the path is too long", e->path);
    e->path = room;
    return CLI_OK;
}

static int export_run(struct cli *cli, const char *format, const char *path, bool only_changed)
{
    CLEANUP(exporting_close)
    struct exporting e = {.cli = cli, .path = path, .only_changed = only_changed};
    char room[PATH_BYTES_MAX];
    int code = exporting_open(&e, format);

    if (code == CLI_OK)
        code = path_choose(&e, room);
    return code == CLI_OK ? cli_end(exporting_run(&e)) : code;
}

int cli_export_to(struct cli *cli, const char *format)
{
    static const char *const objects_only[] = {"type", "id", "all-versions", "added-after"};
    const char *path = cli_value(cli, "out");

    for (size_t i = 0; i < sizeof(objects_only) / sizeof(objects_only[0]); i++)
        if (cli_has(cli, objects_only[i]))
            return cli_misused(cli, "--%s does not go with --to", objects_only[i]);
    return export_run(cli, format, path != NULL ? path : cli_value(cli, "output"), false);
}

int cmd_export_install(struct cli *cli)
{
    if (cli->word_count != 2)
        return cli_misused(cli, "a format and a path, as \"export install rpz /etc/bind/rpz.db\"");
    return export_run(cli, cli->words[0], cli->words[1], true);
}
