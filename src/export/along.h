/* What goes along with whole indicators: who made them and what marks them. */
#pragma once

#include "export/export.h"

#define ALONG_IDS_MAX 65536

/* Ids that were met, each once. */
struct along {
    struct arena arena;
    slice *ids; /* owned */
    size_t count, capacity;
    slice last; /* most objects name what the one before did */
};
void along_free(struct along *along); /* fits CLEANUP */
MUST_USE result along_meet(struct along *along, slice id, struct diag *diag);

/* The newest versions that the reader may have, in the order of their ids. */
MUST_USE result along_gather(struct along *along, struct export *export, struct diag *diag);
