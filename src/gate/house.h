/* The house rule: what a reader of the node gets where no agreement with its organisation applies.
 *
 * It is written as an agreement is, and decided by the same function.  Inside the own organisation
 * everything may be read but what names its recipients and not this one; clients get up to
 * TLP:AMBER, the public TLP:CLEAR; to any other class nothing goes.
 */
#pragma once

#include "agreement/terms.h"

/* own: the node's identity, which provides.  Texts stand in the arena. */
MUST_USE result house_rule(slice own, struct arena *arena, struct agreement *out,
                           struct diag *diag);

/* The same with every extension of this object allowed: what extends an object is marked as the
 * object is.  grants: room for out's, which replace the rule's. */
#define HOUSE_GRANTS 3
void house_rule_for(const struct agreement *rule, struct value object, struct arena *arena,
                    struct terms_grant grants[HOUSE_GRANTS], struct agreement *out);
