/* What may be done with an object: by its markings, and by the agreement with who made it. */
#pragma once

#include "agreement/marking.h"
#include "formats/out.h"
#include "gate/look.h"

#define PERMIT_SLOTS 256

struct permit {
    struct look look; /* owned */
    struct arena arena;
    struct arena texts; /* of what is remembered */
    struct markings markings;
    struct store_view *view;
    const struct keep_place *keep;
    int64_t now_us;
    /* Most objects are marked and made as others are. */
    struct {
        slice markings, creator; /* JSON as written; creator's id */
        enum action marked, agreed;
        bool has_marked, has_agreed;
    } slots[PERMIT_SLOTS];
};

MUST_USE result permit_init(struct permit *permit, struct store_view *view,
                            const struct keep_place *keep, int64_t now_us, struct diag *diag);
void permit_free(struct permit *permit); /* fits CLEANUP */

/* refs: the JSON of object_marking_refs; granular: of granular_markings, whose strictest counts for
 * the whole; either NULL when absent.  Unknown markings permit nothing but to read. */
MUST_USE result permit_of(struct permit *permit, const struct json_doc *doc,
                          const struct json_node *refs, const struct json_node *granular,
                          slice creator, enum action *out, struct diag *diag);

enum out_use permit_use(enum action action);
