/* What a decision asks of the store: the object itself, what it points to, the marking definitions
 * that the node holds.
 */
#pragma once

#include "agreement/decide.h"
#include "store/store.h"

struct look {
    struct store_view *view;        /* borrowed */
    struct json_parser *parsers[2]; /* owned: of the object, of what it points to */
    struct json_doc docs[2];
    struct arena *arena; /* borrowed: for what is looked up */
};

MUST_USE result look_init(struct look *look, struct diag *diag);
void look_free(struct look *look); /* fits CLEANUP */

/* The newest version that the node holds; good until the next call.  False: none, or unreadable. */
bool look_object(struct look *look, slice id, struct value *out);
/* As decide_world.object; context is the look. */
bool look_target(void *look, slice id, struct value *out);

/* Every marking definition that can be read; what cannot is not known, which refuses.  In the
 * look's arena. */
MUST_USE result look_markings(struct look *look, struct markings *out, struct diag *diag);
