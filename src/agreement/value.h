/* A value of a parsed text that may be absent or of any kind: asked about, never assumed.
 *
 * What is asked of an absent value has the answer of nothing: no text, not true, no members.
 */
#pragma once

#include "json/json.h"

struct value {
    const struct json_doc *doc;
    const struct json_node *node; /* NULL: absent */
};

#define VALUE_NONE ((struct value){NULL, NULL})

/* Absent and null are told apart by value_kind alone. */
static inline bool value_is_there(struct value value)
{
    return value.node != NULL;
}

static inline bool value_is_of(struct value value, enum json_kind kind)
{
    return value.node != NULL && value.node->kind == kind;
}

struct value value_get(struct value object, slice key);

/* Neither absent nor null, false, 0, "", [] or {}. */
bool value_truth(struct value value);

/* A string with just this text. */
bool value_is(struct value value, slice text);
/* Both strings, and equal. */
bool value_same(struct value a, struct value b);
/* Does a list hold this string?  Anything else than a list holds nothing. */
bool value_lists(struct value list, slice text);

/* Its text, in the arena when it has escapes; false for what is no string or past the budget. */
bool value_text(struct value value, struct arena *arena, slice *out);

/* Just this many bytes, in base64; false for anything else. */
bool value_bytes(struct value value, uint8_t *out, size_t bytes);

/* An RFC 3339 date; false for anything else. */
bool value_date(struct value value, int64_t *us);

/* A list of strings; absent is an empty one.  False for anything else, or past the budget. */
struct texts {
    const slice *at;
    size_t count;
};
bool value_texts(struct value value, struct arena *arena, struct texts *out);
bool texts_hold(struct texts texts, slice text);

/* Does a key stand twice in this object or in one inside it? */
bool value_repeats(struct value value);
