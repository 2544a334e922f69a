#include "stix/schema.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

#include "base/banned.h"

#define NO_LIMIT INTEGER_MAX
#define NO_FLOOR (-NO_LIMIT)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- vocabularies ---- */

#define WORDS(...) __VA_ARGS__
#define VOCAB(symbol, name, words) static const slice words_##symbol[] = {words};
#include "stix/vocab.def"
#undef VOCAB
#define VOCAB(symbol, name, words)                                                                 \
    static const struct vocab vocab_##symbol = {name, words_##symbol, COUNT_OF(words_##symbol)};
#include "stix/vocab.def"
#undef VOCAB

bool vocab_has(const struct vocab *vocab, slice word)
{
    for (size_t i = 0; i < vocab->count; i++) {
        if (slice_eq(vocab->words[i], word))
            return true;
    }
    return false;
}

const struct vocab *schema_hash_names(enum stix_spec spec)
{
    return spec == STIX_20 ? &vocab_HASH_ALGORITHM_20 : &vocab_HASH_ALGORITHM;
}

/* ---- what references may point to ---- */

#define ALL_CLASSES                                                                                \
    (1u << STIX_SDO | 1u << STIX_SRO | 1u << STIX_SCO | 1u << STIX_META | 1u << STIX_CUSTOM)
#define TARGETS(symbol, words, classes, ...)                                                       \
    static const slice types_##symbol[] = {__VA_ARGS__};                                           \
    static const struct targets targets_##symbol = {words, classes, types_##symbol,                \
                                                    COUNT_OF(types_##symbol)};
#define CLASS_TARGETS(symbol, words, classes)                                                      \
    static const struct targets targets_##symbol = {words, classes, NULL, 0};

CLASS_TARGETS(ANY, "a STIX object", ALL_CLASSES)
CLASS_TARGETS(OBSERVABLE, "an observable", 1u << STIX_SCO | 1u << STIX_CUSTOM)
CLASS_TARGETS(RELATED, "a domain object or an observable",
              1u << STIX_SDO | 1u << STIX_SCO | 1u << STIX_CUSTOM)
CLASS_TARGETS(SIGHTED, "a domain object", 1u << STIX_SDO | 1u << STIX_CUSTOM)
TARGETS(ARTIFACT, "an artifact", 0, S("artifact"))
TARGETS(ARTIFACT_OR_FILE, "an artifact or a file", 0, S("artifact"), S("file"))
TARGETS(AUTONOMOUS_SYSTEM, "an autonomous-system", 0, S("autonomous-system"))
TARGETS(DIRECTORY, "a directory", 0, S("directory"))
TARGETS(EMAIL_ADDR, "an email-addr", 0, S("email-addr"))
TARGETS(FILE, "a file", 0, S("file"))
TARGETS(FILE_OR_DIRECTORY, "a file or a directory", 0, S("file"), S("directory"))
TARGETS(HOST, "an ipv4-addr, ipv6-addr, mac-addr or domain-name", 0, S("ipv4-addr"), S("ipv6-addr"),
        S("mac-addr"), S("domain-name"))
TARGETS(IDENTITY, "an identity", 0, S("identity"))
TARGETS(IDENTITY_OR_LOCATION, "an identity or a location", 0, S("identity"), S("location"))
TARGETS(MAC_ADDR, "a mac-addr", 0, S("mac-addr"))
TARGETS(MARKING, "a marking-definition", 0, S("marking-definition"))
TARGETS(NETWORK_TRAFFIC, "a network-traffic", 0, S("network-traffic"))
TARGETS(OBSERVED_DATA, "an observed-data", 0, S("observed-data"))
TARGETS(PROCESS, "a process", 0, S("process"))
TARGETS(RESOLVED, "an ipv4-addr, ipv6-addr or domain-name", 0, S("ipv4-addr"), S("ipv6-addr"),
        S("domain-name"))
TARGETS(SAMPLE, "an artifact, a file or a network-traffic", 0, S("artifact"), S("file"),
        S("network-traffic"))
TARGETS(SOFTWARE, "a software", 0, S("software"))
TARGETS(USER_ACCOUNT, "a user-account", 0, S("user-account"))

bool targets_allow(const struct targets *targets, slice type)
{
    for (size_t i = 0; i < targets->count; i++) {
        if (slice_eq(targets->types[i], type))
            return true;
    }
    if (targets->classes == 0 || slice_eq(type, SLICE("bundle")))
        return false;
    const struct shape *shape = schema_type(type);
    return (targets->classes >> (shape == NULL ? STIX_CUSTOM : shape->class) & 1) != 0;
}

/* ---- the property tables, out of schema.def ---- */

#define WHEN_OPT (IN_20 | IN_21)
#define WHEN_OPT_USED (WHEN_OPT | USED)
#define WHEN_REQ (WHEN_OPT | MUST_20 | MUST_21)
#define WHEN_NEED (WHEN_REQ | USED)
#define WHEN_OPT20 (IN_20)
#define WHEN_OPT21 (IN_21)
#define WHEN_REQ20 (IN_20 | MUST_20)
#define WHEN_REQ21 (IN_21 | MUST_21)
#define WHEN_NEED21 (WHEN_REQ21 | USED)
#define WHEN_REQ20_OPT21 (WHEN_OPT | MUST_20)
#define WHEN_OPT20_REQ21 (WHEN_OPT | MUST_21)
#define BOTH (IN_20 | IN_21)
#define ONLY21 (IN_21)

#define FORM(k) .kind = KIND_##k
#define TEXT_FORM(s) .kind = KIND_STRING, .syntax = SYNTAX_##s
#define STRING FORM(STRING)
#define BOOLEAN FORM(BOOLEAN)
#define TIMESTAMP FORM(TIMESTAMP)
#define HASHES FORM(HASHES)
#define DICTIONARY(of) FORM(DICTIONARY), .entries = ENTRIES_##of
#define EXTENSIONS FORM(EXTENSIONS)
#define OBSERVABLES FORM(OBSERVABLES)
#define SELECTOR FORM(SELECTOR)
#define ANY FORM(ANY)
#define FLOAT FORM(FLOAT)
#define OWN_TYPE FORM(TYPE)
#define OWN_ID FORM(ID)
#define OWN_SPEC_VERSION FORM(SPEC_VERSION)
#define HEX TEXT_FORM(HEX)
#define BASE64 TEXT_FORM(BASE64)
#define LANGUAGE TEXT_FORM(LANGUAGE)
#define URL TEXT_FORM(URL)
#define IPV4 TEXT_FORM(IPV4)
#define IPV6 TEXT_FORM(IPV6)
#define MAC TEXT_FORM(MAC)
#define DOMAIN_TEXT TEXT_FORM(DOMAIN)
#define EMAIL TEXT_FORM(EMAIL)
#define RELATIONSHIP TEXT_FORM(RELATIONSHIP)
#define PROTOCOL TEXT_FORM(PROTOCOL)
#define COUNTRY TEXT_FORM(COUNTRY)
#define CHARSET TEXT_FORM(CHARSET)
#define CPE TEXT_FORM(CPE)
#define RANGE(low, high) .has_range = true, .least = (low), .most = (high)
#define INTEGER(low, high) FORM(INTEGER), RANGE(low, high)
#define FLOAT_IN(low, high) FORM(FLOAT), RANGE(low, high)
#define OPEN(v) FORM(OPEN), .vocab = &vocab_##v
#define ENUM(v) FORM(ENUM), .vocab = &vocab_##v
#define REF(t) FORM(REF), .targets = &targets_##t
#define OBJECT(s) FORM(OBJECT), .shape = SHAPE_##s
#define LIST(form) form, .is_list = true

#define P(name_, when_, use_, ...)                                                                 \
    {.name = S(name_), .when = WHEN_##when_, .use = USE_##use_, __VA_ARGS__},

#define COMMON_BASE                                                                                \
    P("type", NEED, NONE, OWN_TYPE)                                                                \
    P("spec_version", OPT20_REQ21, NONE, OWN_SPEC_VERSION)                                         \
    P("id", NEED, NONE, OWN_ID)                                                                    \
    P("object_marking_refs", OPT, MARKING, LIST(REF(MARKING)))                                     \
    P("granular_markings", OPT, NONE, LIST(OBJECT(GRANULAR_MARKING)))

#define COMMON_UNLABELLED                                                                          \
    COMMON_BASE                                                                                    \
    P("created_by_ref", OPT, CREATOR, REF(IDENTITY))                                               \
    P("created", NEED, CREATED, TIMESTAMP)                                                         \
    P("modified", NEED, MODIFIED, TIMESTAMP)                                                       \
    P("revoked", OPT, REVOKED, BOOLEAN)                                                            \
    P("confidence", OPT21, NONE, INTEGER(0, 100))                                                  \
    P("lang", OPT21, NONE, LANGUAGE)                                                               \
    P("external_references", OPT, NONE, LIST(OBJECT(EXTERNAL_REFERENCE)))                          \
    P("extensions", OPT21, NONE, EXTENSIONS)

#define COMMON COMMON_UNLABELLED P("labels", OPT, LABEL, LIST(STRING))

#define COMMON_SCO                                                                                 \
    P("type", NEED, NONE, OWN_TYPE)                                                                \
    P("id", NEED21, NONE, OWN_ID)                                                                  \
    P("spec_version", OPT21, NONE, OWN_SPEC_VERSION)                                               \
    P("object_marking_refs", OPT21, MARKING, LIST(REF(MARKING)))                                   \
    P("granular_markings", OPT21, NONE, LIST(OBJECT(GRANULAR_MARKING)))                            \
    P("defanged", OPT21, NONE, BOOLEAN)                                                            \
    P("extensions", OPT, NONE, EXTENSIONS)

#define TYPE(id, name, class, when) static const struct property properties_##id[] = {
#define PART(id, name, when) static const struct property properties_##id[] = {
#define EXTENSION(id, name, owner, when) static const struct property properties_##id[] = {
#define END(id)                                                                                    \
    }                                                                                              \
    ;                                                                                              \
    _Static_assert(COUNT_OF(properties_##id) <= SHAPE_PROPERTIES_MAX, "a bit per property");
#include "stix/schema.def"
#undef TYPE
#undef PART
#undef EXTENSION
#undef END
#undef P
#undef COMMON
#undef COMMON_BASE
#undef COMMON_SCO
#undef COMMON_UNLABELLED

/* Nothing but the frames: identifiers are pasted at once, since some of them are macros above. */
#define P(name, when, use, ...)
#define COMMON
#define COMMON_BASE
#define COMMON_SCO
#define COMMON_UNLABELLED
#define PROPERTIES(array) .properties = array, .count = COUNT_OF(array)
#define TYPE(id_, name_, class_, when_)                                                            \
    [SHAPE_##id_] = {.id = SHAPE_##id_,                                                            \
                     .name = S(name_),                                                             \
                     .role = SHAPE_IS_TYPE,                                                        \
                     .class = STIX_##class_,                                                       \
                     .when = when_,                                                                \
                     PROPERTIES(properties_##id_)},
#define PART(id_, name_, when_)                                                                    \
    [SHAPE_##id_] = {.id = SHAPE_##id_,                                                            \
                     .name = S(name_),                                                             \
                     .role = SHAPE_IS_PART,                                                        \
                     .class = STIX_CUSTOM,                                                         \
                     .when = when_,                                                                \
                     PROPERTIES(properties_##id_)},
#define EXTENSION(id_, name_, owner_, when_)                                                       \
    [SHAPE_##id_] = {.id = SHAPE_##id_,                                                            \
                     .name = S(name_),                                                             \
                     .role = SHAPE_IS_EXTENSION,                                                   \
                     .class = STIX_CUSTOM,                                                         \
                     .owner = SHAPE_##owner_,                                                      \
                     .when = when_,                                                                \
                     PROPERTIES(properties_##id_)},
#define END(id)

const struct shape shapes[SHAPE_COUNT] = {
#include "stix/schema.def"
};

/* ---- the indexes ---- */

#define PROPERTY_SLOTS 128
#define SHAPE_SLOTS 256
#define SLOT_EMPTY 0xff
#define PATHS_BYTES 2048

static struct {
    uint8_t property[SHAPE_COUNT][2][PROPERTY_SLOTS];
    uint8_t shape[SHAPE_SLOTS];
    uint64_t required[SHAPE_COUNT][2];
    uint16_t path_at[SHAPE_COUNT][SHAPE_PROPERTIES_MAX]; /* in `paths`; of USE_VALUE alone */
    char paths[PATHS_BYTES];                             /* NUL-terminated, one after another */
    size_t paths_len;
} indexes; /* const after schema_start */

static pthread_once_t index_once = PTHREAD_ONCE_INIT;

_Static_assert(SHAPE_COUNT < SLOT_EMPTY && SHAPE_COUNT * 2 < SHAPE_SLOTS, "room in the index");

/* Names are short, lower-case and told apart by their length and a few bytes. */
static unsigned name_hash(slice name)
{
    if (name.len == 0)
        return 0;
    unsigned first = (uint8_t)name.at[0], last = (uint8_t)name.at[name.len - 1];
    unsigned middle = (uint8_t)name.at[name.len / 2];
    return (unsigned)name.len * 37 + first * 5 + middle * 11 + last * 3;
}

static void index_properties(const struct shape *shape, enum stix_spec spec)
{
    static const uint8_t in[] = {[STIX_20] = IN_20, [STIX_21] = IN_21};
    static const uint8_t must[] = {[STIX_20] = MUST_20, [STIX_21] = MUST_21};
    uint8_t *slots = indexes.property[shape->id][spec];

    memset(slots, SLOT_EMPTY, PROPERTY_SLOTS);
    for (size_t i = 0; i < shape->count; i++) {
        const struct property *property = &shape->properties[i];
        unsigned slot = name_hash(property->name) % PROPERTY_SLOTS;

        if ((property->when & in[spec]) == 0)
            continue;
        while (slots[slot] != SLOT_EMPTY)
            slot = (slot + 1) % PROPERTY_SLOTS;
        slots[slot] = (uint8_t)i;
        if ((property->when & must[spec]) != 0)
            indexes.required[shape->id][spec] |= (uint64_t)1 << i;
    }
}

/* "file:name"; of an extension "network-traffic:extensions.'http-request-ext'.request_value". */
static void index_paths(const struct shape *shape)
{
    for (size_t i = 0; i < shape->count; i++) {
        char *at = indexes.paths + indexes.paths_len;
        size_t room = sizeof(indexes.paths) - indexes.paths_len;
        const char *name = shape->properties[i].name.at;
        int bytes;

        if (shape->properties[i].use != USE_VALUE)
            continue;
        if (shape->role == SHAPE_IS_EXTENSION)
            bytes = snprintf(at, room, "%s:extensions.'%s'.%s", shapes[shape->owner].name.at,
                             shape->name.at, name);
        else
            bytes = snprintf(at, room, "%s:%s", shape->name.at, name);
        assert(bytes > 0 && (size_t)bytes < room);
        indexes.path_at[shape->id][i] = (uint16_t)indexes.paths_len;
        indexes.paths_len += (size_t)bytes + 1;
    }
}

static void index_make(void)
{
    memset(indexes.shape, SLOT_EMPTY, sizeof(indexes.shape));
    for (size_t i = 0; i < SHAPE_COUNT; i++) {
        const struct shape *shape = &shapes[i];
        unsigned slot = name_hash(shape->name) % SHAPE_SLOTS;

        index_properties(shape, STIX_20);
        index_properties(shape, STIX_21);
        index_paths(shape);
        while (indexes.shape[slot] != SLOT_EMPTY)
            slot = (slot + 1) % SHAPE_SLOTS;
        indexes.shape[slot] = shape->id;
    }
}

void schema_start(void)
{
    int code = pthread_once(&index_once, index_make);

    assert(code == 0); /* it has no way to fail with a valid control */
}

static const struct shape *shape_find(slice name)
{
    for (unsigned slot = name_hash(name) % SHAPE_SLOTS; indexes.shape[slot] != SLOT_EMPTY;
         slot = (slot + 1) % SHAPE_SLOTS) {
        const struct shape *shape = &shapes[indexes.shape[slot]];

        if (slice_eq(shape->name, name))
            return shape;
    }
    return NULL;
}

const struct shape *schema_type(slice name)
{
    const struct shape *shape = shape_find(name);

    return shape != NULL && shape->role == SHAPE_IS_TYPE ? shape : NULL;
}

const struct shape *schema_extension(const struct shape *owner, slice name)
{
    const struct shape *shape = shape_find(name);

    if (shape == NULL || shape->role != SHAPE_IS_EXTENSION || shape->owner != owner->id)
        return NULL;
    return shape;
}

int schema_property(const struct shape *shape, enum stix_spec spec, slice name)
{
    const uint8_t *slots = indexes.property[shape->id][spec];

    for (unsigned slot = name_hash(name) % PROPERTY_SLOTS; slots[slot] != SLOT_EMPTY;
         slot = (slot + 1) % PROPERTY_SLOTS) {
        if (slice_eq(shape->properties[slots[slot]].name, name))
            return slots[slot];
    }
    return -1;
}

slice schema_path(const struct shape *shape, const struct property *property)
{
    return slice_text(indexes.paths + indexes.path_at[shape->id][property - shape->properties]);
}

uint64_t schema_required(const struct shape *shape, enum stix_spec spec)
{
    return indexes.required[shape->id][spec];
}
