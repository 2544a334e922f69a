/* What an object's markings let a recipient have, by the grant: a part of the decision, which alone
 * includes this.
 */
#pragma once

#include "agreement/decide.h"
#include "agreement/fields.h"

struct judging {
    const struct terms_grant *grant;
    const struct decide_request *request;
    struct arena *arena;
};

/* What was taken for granted on the way to an answer. */
struct presumed {
    bool is_defaulted, is_waived;
};

/* One more marking, named by a reference. */
enum reason restrain(struct restraint *restraint, const struct decide_request *request,
                     struct value ref, struct arena *arena);

/* The markings of a whole object, and one more where a granular marking adds it. */
enum reason restraint_of(const struct judging *j, const struct fields *fields, struct value more,
                         struct restraint *out);

/* The whole judgement over a set of markings: REASON_OK, or what stands against it.  restraint's
 * levels are filled with the grant's defaults where the markings say nothing. */
enum reason levels_allow(const struct judging *j, const struct fields *fields, int64_t hop,
                         struct restraint *restraint, struct presumed *presumed);
