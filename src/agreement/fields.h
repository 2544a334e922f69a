/* The members of an object that a decision asks about, found in one walk. */
#pragma once

#include "agreement/value.h"

struct fields {
    struct value object;
    slice type, id; /* at NULL: none that is a string */
    struct value modified, revoked, markings, granular, extensions, embargo, valid_until, lang,
        created_by, external, named, hop;
    bool has_refs; /* *_ref or *_refs beside created_by_ref and object_marking_refs */
};

/* False when it is no object, or a key stands twice anywhere in it. */
bool fields_read(struct value object, struct arena *arena, struct fields *out);

/* Can an object of this type be without a property?  Common properties are another question. */
bool property_is_required(slice type, slice property);
bool property_is_common(slice property);

/* Does a selector ("labels.[1]", "kill_chain_phases.[0].phase_name") point to something? */
bool selector_finds(struct value object, slice selector);
slice selector_root(slice selector);
