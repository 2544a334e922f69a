/* Warning lists: values that are known to be harmless, so that an indicator for one of them is
 * noise.
 *
 * A list says of which type it is, which is how its values are compared:
 *
 *     string     the value is one of the list's
 *     substring  the value holds one of the list's
 *     hostname   the value is a name of the list or one below it; of a URL its host is asked
 *     cidr       the address or network lies within one of the list's
 *     regex      one of the list's expressions (PCRE) is found in the value
 *
 * Comparisons, but those of regex, pass over ASCII case.  A list may name the attributes it is for,
 * in MISP's words ("ip-dst", "domain", "url" ...); other values are not held against it.
 */
#pragma once

#include "base/arena.h"
#include "base/result.h"

#define ALLOW_FILE_BYTES_MAX ((size_t)256 << 20)
#define ALLOW_LISTS_MAX 1000
#define ALLOW_VALUES_MAX ((size_t)4 << 20) /* of one list, and of all together */
#define ALLOW_VALUE_BYTES_MAX 4096
#define ALLOW_REGEXES_MAX 10000
#define ALLOW_NAME_BYTES_MAX 256
#define ALLOW_TEXT_BYTES_MAX 4096 /* a description; a longer one is cut */
#define ALLOW_ATTRIBUTES_MAX 256
#define ALLOW_ATTRIBUTE_BYTES_MAX 64
#define ALLOW_ARENA_BYTES_MAX ((size_t)2 << 30)

enum allow_type { ALLOW_STRING, ALLOW_SUBSTRING, ALLOW_HOSTNAME, ALLOW_CIDR, ALLOW_REGEX };
#define ALLOW_TYPE_COUNT 5

bool allow_type_parse(slice text, enum allow_type *out);
const char *allow_type_name(enum allow_type type);

/* One list, checked: every value is what its type asks for. */
struct allow_list {
    slice name, version, description;
    enum allow_type type;
    const slice *attributes; /* none: all */
    size_t attribute_count;
    const slice *values; /* as written, less the spaces around them */
    size_t value_count;
};

/* ---- reading (allow_read.c) ---- */

struct allow_choice {
    slice name;    /* of a plain list; also instead of a MISP list's own */
    bool has_type; /* of a plain list; else told by its values */
    enum allow_type type;
};

/* A MISP warning list (a JSON object with name, version, description, type, matching_attributes and
 * list), or a plain one (a value a line, "#" begins a comment line).  Everything lives in the
 * arena. Fails ERR_INVALID `list[3]: "10.0.0.0/33" is no network`, `line 4: ...`; ERR_LIMIT past a
 * limit above. */
MUST_USE result allow_read(slice text, const struct allow_choice *choice, struct arena *arena,
                           struct allow_list *out, struct diag *diag);

/* ---- asking (allow.c) ---- */

struct allow;

/* Lists are copied.  *out is owned. */
MUST_USE result allow_build(const struct allow_list *lists, size_t count, struct allow **out,
                            struct diag *diag);
void allow_free(struct allow **allow);

/* Is the value on a list?  kind: an object path ("domain-name:value"); value: normalised, as rules
 * have them; of ISSUBSET a network's text.  list_name may be NULL; borrowed from allow.  Safe from
 * any thread. */
bool allow_covers(const struct allow *allow, slice kind, slice value, slice *list_name);
/* The same as a callback of rules_choice; context is the struct allow. */
bool allow_is_allowed(void *context, slice kind, slice value);

size_t allow_list_count(const struct allow *allow); /* allow may be NULL */
/* A list's name, and how many values were found on it since it was built. */
slice allow_list_name(const struct allow *allow, size_t index, uint64_t *covered);
