/* What came of taking objects in, told to the person at the terminal or to a script: shared by
 * import and pull. */
#pragma once

#include "cli/cli.h"

#define INTAKE_KINDS_MAX 64
#define INTAKE_KIND_BYTES_MAX 160

/* Warnings of one kind: one line with a count instead of a line each. */
struct intake_kind {
    char words[INTAKE_KIND_BYTES_MAX]; /* "malware: is_family: is required" */
    char first_id[STIX_ID_BYTES_MAX + 1];
    uint64_t count;
};

struct intake {
    const struct cli *cli;
    bool verbose;
    const char *name; /* of the file or URL under way */
    struct cli_progress progress;
    struct import_counts counts; /* of all so far */
    struct intake_kind kinds[INTAKE_KINDS_MAX];
    size_t kind_count;
    uint64_t warnings_other; /* of kinds past the table */
    uint64_t start_mono_ns;
    uint64_t inputs;
    bool is_untold; /* a report was too long for its line */
};

void intake_init(struct intake *intake, const struct cli *cli, bool verbose);
void intake_begin(struct intake *intake, const char *name);
void intake_end(struct intake *intake);

/* For import_options; context is the struct intake. */
void intake_report(void *context, const struct import_report *report);
void intake_progress(void *context, uint64_t bytes_taken, uint64_t bytes_total, uint64_t objects);

void intake_add(struct intake *intake, const char *name, const struct import_counts *counts);

/* The last words: counts, speed.  CLI_FAILED when objects were refused and none was taken or held.
 */
MUST_USE int intake_summary(struct intake *intake, const char *verb, const char *collection);
