#include "cli/import_form.h"

#include <inttypes.h>
#include <sys/stat.h>

#include "base/time.h"

#include "base/banned.h"

int import_form_read(const struct cli *cli, struct import_form *out)
{
    const char *from = cli_value(cli, "from"), *columns = cli_value(cli, "columns");
    const char *tlp = cli_value(cli, "tlp");
    struct in_choice *choice = &out->choice;
    size_t confidence = SIZE_MAX, days = 0;

    out->is_named = from != NULL;
    if (from != NULL && !in_form_find(slice_text(from), &out->form))
        return cli_misused(cli, "--from = \"%s\": %s", from, in_form_names);
    choice->columns = columns != NULL ? slice_text(columns) : SLICE("");
    if (columns != NULL && !out->is_named) {
        out->is_named = true;
        out->form = IN_CSV;
    }
    if (columns != NULL && out->form != IN_CSV)
        return cli_misused(cli, "--columns goes with --from csv");
    choice->marking = tlp != NULL ? in_tlp_id(slice_text(tlp)) : SLICE("");
    if (tlp != NULL && choice->marking.len == 0)
        return cli_misused(cli, "--tlp = \"%s\": clear, green, amber, amber+strict or red", tlp);
    int code = cli_count(cli, "confidence", 0, 100, SIZE_MAX, &confidence);
    if (code == CLI_OK)
        code = cli_count(cli, "valid-days", 1, IN_VALID_DAYS_MAX, 0, &days);
    if (code != CLI_OK)
        return code;
    choice->confidence = confidence == SIZE_MAX ? -1 : (int)confidence;
    choice->valid_days = (unsigned)days;
    choice->label_count = cli_value_count(cli, "label");
    if (choice->label_count > IN_LABELS_MAX)
        return cli_misused(cli, "--label: at most %d times", IN_LABELS_MAX);
    for (size_t i = 0; i < choice->label_count; i++)
        out->labels[i] = slice_text(cli_value_at(cli, "label", i));
    choice->labels = out->labels;
    return CLI_OK;
}

/* A file that did not change says the same of the same date, so that its objects are found again.
 */
static int64_t date_of(const char *path)
{
    struct stat about;

    if (stat(path, &about) == 0 && S_ISREG(about.st_mode))
        return (int64_t)about.st_mtim.tv_sec * 1000000 + about.st_mtim.tv_nsec / 1000;
    return time_now_us();
}

result import_form_open(struct import_form *form, const char *path, struct source *source,
                        struct in **out, struct diag *diag)
{
    struct in_choice choice = form->choice;

    *out = NULL;
    choice.form = form->form;
    if (!form->is_named)
        TRY(diag_within(diag, in_recognise(source, form->peek, &choice.form, diag), "%s",
                        source_name(source)));
    if (choice.form == IN_LIST && !form->is_named && in_is_named(slice_text(path), IN_CSV))
        choice.form = IN_CSV; /* it says so, and says what it lacks */
    if (choice.form == IN_STIX)
        return OK;
    choice.date_us = date_of(path);
    return diag_within(diag, in_open(source, &choice, out, diag), "%s", source_name(source));
}

void import_form_tell(const struct intake *intake, const struct in *in)
{
    const struct in_report *report = in_report(in);

    for (size_t i = 0; i < report->kind_count; i++) {
        const struct in_kind *kind = &report->kinds[i];

        for (size_t k = 0; k < kind->place_count && (k == 0 || intake->verbose); k++)
            (void)fprintf(stderr, "%s: line %" PRIu64 ": \"%s\": %s%s\n", intake->name,
                          kind->places[k].line, kind->places[k].value, kind->reason,
                          kind->is_lost ? "; left out" : "");
        if (kind->count > 1)
            (void)fprintf(stderr, "%s: %s%s: %" PRIu64 " times\n", intake->name, kind->reason,
                          kind->is_lost ? "; left out" : "", kind->count);
    }
}
