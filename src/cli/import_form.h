/* What `import` is told about files that are no STIX. */
#pragma once

#include "cli/cli.h"
#include "cli/intake.h"
#include "formats/in.h"

struct import_form {
    bool is_named; /* --from; else each file is looked at */
    enum in_form form;
    struct in_choice choice;
    slice labels[IN_LABELS_MAX];
    char peek[IN_PEEK_BYTES]; /* the first bytes of the file at hand */
};

/* Reads --from, --columns, --tlp, --confidence, --label and --valid-days. */
MUST_USE int import_form_read(const struct cli *cli, struct import_form *out);

/* A reader of the file's form; NULL for STIX, which needs none.  path: for its date and its name's
 * end. */
MUST_USE result import_form_open(struct import_form *form, const char *path, struct source *source,
                                 struct in **out, struct diag *diag);

/* What was not taken, or not as it was. */
void import_form_tell(const struct intake *intake, const struct in *in);
