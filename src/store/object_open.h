/* A stored object read again: parsed and understood as it was when it came. */
#pragma once

#include "store/inside.h"
#include "store/terms.h"

struct opener {
    struct json_parser *parser; /* owned */
    struct arena arena;         /* owned; reset for each object */
    struct stix_findings findings;
    result state;      /* sticky: memory that ran out, an object that is not understood any more */
    struct diag *diag; /* borrowed: its words */
};

MUST_USE result opener_init(struct opener *opener, struct diag *diag);
void opener_free(struct opener *opener); /* fits CLEANUP */

/* Good until the next call.  False: its bytes were removed, or it failed and state says so. */
bool opener_open(struct opener *opener, struct store_files *files, const struct record *record,
                 struct stix_object *out);
