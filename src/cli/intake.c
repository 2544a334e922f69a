#include "cli/intake.h"

#include <inttypes.h>

#include "base/time.h"

#include "base/banned.h"

static const char *const outcome_names[] = {
    [IMPORT_TAKEN] = "taken", [IMPORT_REPLACED] = "replaced", [IMPORT_OLDER] = "older",
    [IMPORT_HELD] = "held",   [IMPORT_CONFLICT] = "conflict", [IMPORT_REFUSED] = "refused",
};

void intake_init(struct intake *intake, const struct cli *cli, bool verbose)
{
    *intake = (struct intake){.cli = cli, .verbose = verbose, .start_mono_ns = time_mono_ns()};
}

void intake_begin(struct intake *intake, const char *name)
{
    intake->name = name;
    cli_progress_begin(&intake->progress, intake->cli, name);
}

void intake_end(struct intake *intake)
{
    cli_progress_end(&intake->progress);
}

void intake_progress(void *context, uint64_t bytes_taken, uint64_t bytes_total, uint64_t objects)
{
    struct intake *intake = context;

    cli_progress_step(&intake->progress, bytes_taken, bytes_total, objects);
}

static void finding_json(struct json_writer *w, const struct stix_finding *finding)
{
    jw_object_begin(w);
    jw_put_string(w, SLICE("severity"),
                  finding->severity == STIX_ERROR ? SLICE("error") : SLICE("warning"));
    jw_put_string(w, SLICE("rule"), slice_text(finding->rule));
    jw_put_string(w, SLICE("path"), finding->path);
    jw_put_string(w, SLICE("text"), finding->text);
    jw_object_end(w);
}

static void report_json(struct intake *intake, const struct import_report *report)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 20);
    struct json_writer w = JSON_WRITER(&out);
    char version[TIMESTAMP_TEXT_BYTES_MAX];

    jw_object_begin(&w);
    jw_put_string(&w, SLICE("outcome"), slice_text(outcome_names[report->outcome]));
    jw_put_string(&w, SLICE("input"), slice_text(intake->name));
    jw_put_u64(&w, SLICE("index"), report->index);
    jw_put_u64(&w, SLICE("offset"), report->offset);
    jw_put_string(&w, SLICE("id"), report->id);
    if (report->has_version)
        jw_put_string(&w, SLICE("version"),
                      slice_of(version, timestamp_format(&report->version, version)));
    if (report->reason.len > 0)
        jw_put_string(&w, SLICE("reason"), report->reason);
    if (report->findings != NULL && report->findings->count > 0) {
        jw_key(&w, SLICE("findings"));
        jw_array_begin(&w);
        for (size_t i = 0; i < report->findings->count; i++)
            finding_json(&w, &report->findings->items[i]);
        jw_array_end(&w);
    }
    jw_object_end(&w);
    if (cli_print_json(&out) != CLI_OK)
        intake->is_untold = true;
}

static void line_head(const struct intake *intake, const struct import_report *report)
{
    (void)fprintf(stderr, "entente: ");
    cli_print_text(stderr, slice_text(intake->name));
    (void)fprintf(stderr, ": object %" PRIu64, report->index);
    if (report->id.len > 0) {
        (void)fputs(" (", stderr);
        cli_print_text(stderr, slice_head(report->id, 128));
        (void)fputc(')', stderr);
    }
}

static void report_refusal(struct intake *intake, const struct import_report *report)
{
    cli_progress_end(&intake->progress);
    line_head(intake, report);
    (void)fprintf(stderr, ": %s: ", outcome_names[report->outcome]);
    cli_print_text(stderr, report->reason);
    (void)fputc('\n', stderr);
}

/* "type: path: text", list positions left out, so that the same slip in many objects is one kind.
 */
static void kind_words(const struct import_report *report, const struct stix_finding *finding,
                       char out[INTAKE_KIND_BYTES_MAX])
{
    struct stix_id id;
    slice type = stix_id_parse(report->id, &id) ? id.type : SLICE("object");
    char path[INTAKE_KIND_BYTES_MAX] = "";
    size_t used = 0;
    bool in_brackets = false;

    for (size_t i = 0; i < finding->path.len && used + 1 < sizeof(path); i++) {
        char byte = finding->path.at[i];

        if (byte == ']')
            in_brackets = false;
        if (!in_brackets)
            path[used++] = byte;
        if (byte == '[')
            in_brackets = true;
    }
    (void)snprintf(out, INTAKE_KIND_BYTES_MAX, "%.*s: %.*s%s%.*s", SLICE_ARG(type), (int)used, path,
                   used > 0 ? ": " : "", SLICE_ARG(finding->text));
}

static void kind_count(struct intake *intake, const struct import_report *report,
                       const struct stix_finding *finding)
{
    char words[INTAKE_KIND_BYTES_MAX];

    kind_words(report, finding, words);
    for (size_t i = 0; i < intake->kind_count; i++) {
        if (slice_eq(slice_text(intake->kinds[i].words), slice_text(words))) {
            intake->kinds[i].count++;
            return;
        }
    }
    if (intake->kind_count == INTAKE_KINDS_MAX) {
        intake->warnings_other++;
        return;
    }
    struct intake_kind *kind = &intake->kinds[intake->kind_count++];
    kind->count = 1;
    (void)snprintf(kind->words, sizeof(kind->words), "%s", words);
    (void)snprintf(kind->first_id, sizeof(kind->first_id), "%.*s", SLICE_ARG(report->id));
}

static void kinds_print(const struct intake *intake)
{
    for (size_t i = 0; i < intake->kind_count; i++) {
        const struct intake_kind *kind = &intake->kinds[i];

        (void)fputs("warning: ", stderr);
        cli_print_text(stderr, slice_text(kind->words));
        if (kind->count > 1)
            (void)fprintf(stderr, " (%" PRIu64 " times, first in ", kind->count);
        else
            (void)fputs(" (in ", stderr);
        cli_print_text(stderr, slice_text(kind->first_id));
        (void)fputs(")\n", stderr);
    }
    if (intake->warnings_other > 0)
        (void)fprintf(stderr, "warning: %" PRIu64 " of other kinds; --verbose shows all\n",
                      intake->warnings_other);
}

static void report_warnings(struct intake *intake, const struct import_report *report)
{
    for (size_t i = 0; i < report->findings->count; i++) {
        const struct stix_finding *finding = &report->findings->items[i];

        if (finding->severity != STIX_WARNING)
            continue;
        if (!intake->verbose) {
            kind_count(intake, report, finding);
            continue;
        }
        cli_progress_end(&intake->progress);
        line_head(intake, report);
        (void)fputs(": warning: ", stderr);
        cli_print_text(stderr, finding->path);
        (void)fputs(": ", stderr);
        cli_print_text(stderr, finding->text);
        (void)fputc('\n', stderr);
    }
}

void intake_report(void *context, const struct import_report *report)
{
    struct intake *intake = context;
    bool is_bad = report->outcome == IMPORT_REFUSED || report->outcome == IMPORT_CONFLICT;

    if (intake->cli->json) {
        report_json(intake, report);
        return;
    }
    if (is_bad)
        report_refusal(intake, report);
    else if (intake->verbose) {
        (void)printf("%-8s  ", outcome_names[report->outcome]);
        cli_print_text(stdout, report->id);
        (void)fputc('\n', stdout);
    }
    if (!is_bad && report->findings != NULL && !intake->cli->quiet)
        report_warnings(intake, report);
}

void intake_add(struct intake *intake, const char *name, const struct import_counts *counts)
{
    struct import_counts *all = &intake->counts;

    (void)name;
    intake->inputs++;
    all->taken += counts->taken;
    all->replaced += counts->replaced;
    all->older += counts->older;
    all->held += counts->held;
    all->conflicts += counts->conflicts;
    all->refused += counts->refused;
    all->warned += counts->warned;
    all->bytes += counts->bytes;
}

static int summary_json(const struct intake *intake, double seconds)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 14);
    struct json_writer w = JSON_WRITER(&out);
    const struct import_counts *all = &intake->counts;
    const struct {
        slice name;
        uint64_t count;
    } rows[] = {
        {SLICE("inputs"), intake->inputs},  {SLICE("taken"), all->taken},
        {SLICE("replaced"), all->replaced}, {SLICE("older"), all->older},
        {SLICE("held"), all->held},         {SLICE("conflicts"), all->conflicts},
        {SLICE("refused"), all->refused},   {SLICE("warned"), all->warned},
        {SLICE("bytes"), all->bytes},       {SLICE("took_ms"), (uint64_t)(seconds * 1000)},
    };

    jw_object_begin(&w);
    jw_put_string(&w, SLICE("outcome"), SLICE("summary"));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        jw_put_u64(&w, rows[i].name, rows[i].count);
    jw_object_end(&w);
    return cli_print_json(&out);
}

static void count_print(const char *separator, uint64_t count, const char *what)
{
    if (count > 0)
        (void)printf("%s%" PRIu64 " %s", separator, count, what);
}

static void summary_words(const struct intake *intake, const char *verb, const char *collection,
                          double seconds)
{
    const struct import_counts *all = &intake->counts;
    uint64_t added = all->taken + all->replaced + all->older;

    (void)printf("%s %" PRIu64 " object%s into \"", verb, added, added == 1 ? "" : "s");
    cli_print_text(stdout, slice_text(collection));
    (void)putchar('"');
    count_print(" (", all->replaced, "newer than what was held)");
    count_print(" (", all->older, "older than what was held)");
    count_print(", ", all->held, "held already");
    count_print(", ", all->conflicts, "in conflict");
    count_print(", ", all->refused, "refused");
    count_print(", ", all->warned, "with warnings");
    (void)printf("; %.1f MB in %.2f s\n", (double)all->bytes / 1e6, seconds);
    if (!intake->cli->quiet)
        kinds_print(intake);
}

int intake_summary(struct intake *intake, const char *verb, const char *collection)
{
    const struct import_counts *all = &intake->counts;
    double seconds = (double)(time_mono_ns() - intake->start_mono_ns) / 1e9;
    int code = CLI_OK;

    if (intake->cli->json)
        code = summary_json(intake, seconds);
    else if (intake->inputs > 0)
        summary_words(intake, verb, collection, seconds);
    if (code == CLI_OK && intake->is_untold)
        code = CLI_FAILED;
    bool is_any_good = all->taken + all->replaced + all->older + all->held > 0;
    if (code == CLI_OK && !is_any_good && all->refused + all->conflicts > 0)
        return CLI_FAILED;
    return code;
}
