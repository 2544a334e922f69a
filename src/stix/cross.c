#include "stix/check.h"

#include "base/banned.h"

#define NAMES_MAX 4

/* Rules over several properties of one object.  Everything is MUST in the specification's section
 * of the object. */
enum together {
    RULES_END,
    ANY_OF,     /* at least one of the names */
    ALSO,       /* the first asks for all of the others */
    NOT_BOTH,   /* at most one of the first two */
    NOT_BEFORE, /* the second time is not before the first */
    AFTER,      /* the second time is after the first */
    ANY_AT_ALL, /* some property beyond what all observables have */
    MORE_THAN,  /* some property besides the first */
};

struct together_rule {
    uint8_t kind; /* enum together */
    uint8_t when; /* IN_20, IN_21 */
    slice names[NAMES_MAX];
};

#define BOTH (IN_20 | IN_21)
#define SEEN                                                                                       \
    {                                                                                              \
        NOT_BEFORE, BOTH,                                                                          \
        {                                                                                          \
            S("first_seen"), S("last_seen")                                                        \
        }                                                                                          \
    }
#define LAST                                                                                       \
    {                                                                                              \
        .kind = RULES_END                                                                          \
    }

/* clang-format off: one rule a line */
static const struct together_rule external_reference[] = {
    {ANY_OF, BOTH, {S("description"), S("url"), S("external_id")}}, LAST};
static const struct together_rule granular_marking[] = {
    {ANY_OF, IN_21, {S("marking_ref"), S("lang")}},
    {NOT_BOTH, IN_21, {S("marking_ref"), S("lang")}},
    LAST};
static const struct together_rule seen[] = {SEEN, LAST};
static const struct together_rule indicator[] = {{AFTER, BOTH, {S("valid_from"), S("valid_until")}},
                                                 LAST};
static const struct together_rule location[] = {
    {ANY_OF, BOTH, {S("region"), S("country"), S("latitude"), S("longitude")}},
    {ALSO, BOTH, {S("latitude"), S("longitude")}},
    {ALSO, BOTH, {S("longitude"), S("latitude")}},
    {ALSO, BOTH, {S("precision"), S("latitude"), S("longitude")}},
    LAST};
static const struct together_rule malware_analysis[] = {
    {ANY_OF, BOTH, {S("result"), S("analysis_sco_refs")}},
    {NOT_BEFORE, BOTH, {S("analysis_started"), S("analysis_ended")}},
    LAST};
static const struct together_rule observed_data[] = {
    {ANY_OF, IN_21, {S("objects"), S("object_refs")}},
    {NOT_BOTH, IN_21, {S("objects"), S("object_refs")}},
    {NOT_BEFORE, BOTH, {S("first_observed"), S("last_observed")}},
    LAST};
static const struct together_rule relationship[] = {
    {AFTER, BOTH, {S("start_time"), S("stop_time")}}, LAST};
static const struct together_rule artifact[] = {
    {ANY_OF, BOTH, {S("payload_bin"), S("url")}},
    {NOT_BOTH, BOTH, {S("payload_bin"), S("url")}},
    {ALSO, BOTH, {S("url"), S("hashes")}},
    {ALSO, IN_21, {S("decryption_key"), S("encryption_algorithm")}},
    LAST};
static const struct together_rule email_part[] = {{ANY_OF, BOTH, {S("body"), S("body_raw_ref")}},
                                                  LAST};
static const struct together_rule file[] = {
    {ANY_OF, BOTH, {S("hashes"), S("name")}},
    {ALSO, BOTH, {S("name_enc"), S("name")}},
    {ALSO, IN_20, {S("encryption_algorithm"), S("is_encrypted")}},
    {ALSO, IN_20, {S("decryption_key"), S("is_encrypted")}},
    LAST};
static const struct together_rule network_traffic[] = {
    {ANY_OF, BOTH, {S("src_ref"), S("dst_ref")}}, {NOT_BEFORE, BOTH, {S("start"), S("end")}}, LAST};
static const struct together_rule any_at_all[] = {{ANY_AT_ALL, BOTH, {S("")}}, LAST};
static const struct together_rule pe_binary[] = {{MORE_THAN, BOTH, {S("pe_type")}}, LAST};
/* clang-format on */

static const struct together_rule *const rules_of[SHAPE_COUNT] = {
    [SHAPE_EXTERNAL_REFERENCE] = external_reference,
    [SHAPE_GRANULAR_MARKING] = granular_marking,
    [SHAPE_CAMPAIGN] = seen,
    [SHAPE_INFRASTRUCTURE] = seen,
    [SHAPE_INTRUSION_SET] = seen,
    [SHAPE_MALWARE] = seen,
    [SHAPE_THREAT_ACTOR] = seen,
    [SHAPE_SIGHTING] = seen,
    [SHAPE_INDICATOR] = indicator,
    [SHAPE_LOCATION] = location,
    [SHAPE_MALWARE_ANALYSIS] = malware_analysis,
    [SHAPE_OBSERVED_DATA] = observed_data,
    [SHAPE_RELATIONSHIP] = relationship,
    [SHAPE_ARTIFACT] = artifact,
    [SHAPE_EMAIL_PART] = email_part,
    [SHAPE_FILE] = file,
    [SHAPE_NETWORK_TRAFFIC] = network_traffic,
    [SHAPE_PROCESS] = any_at_all,
    [SHAPE_USER_ACCOUNT] = any_at_all,
    [SHAPE_REGISTRY_KEY] = any_at_all,
    [SHAPE_X509_CERTIFICATE] = any_at_all,
    [SHAPE_PE_BINARY_EXT] = pe_binary,
};

static size_t names_of(const struct together_rule *rule)
{
    size_t count = 0;

    while (count < NAMES_MAX && rule->names[count].len > 0)
        count++;
    return count;
}

static void check_any_of(struct check *c, const struct members *m, const struct together_rule *rule)
{
    char text[STIX_TYPE_BYTES_MAX];
    struct buf names = {.at = text, .capacity = sizeof(text), .ceiling = sizeof(text)};
    size_t count = names_of(rule);

    for (size_t i = 0; i < count; i++) {
        if (member_of(m, rule->names[i]) != NULL)
            return;
        buf_put(&names, i == 0 ? SLICE("") : i + 1 < count ? SLICE(", ") : SLICE(" or "));
        buf_put(&names, rule->names[i]);
    }
    find(c, RULE_TOGETHER, m->object, SLICE_NONE, "needs %s%.*s",
         count > 2 ? "at least one of " : "", SLICE_ARG(buf_slice(&names)));
}

static void check_also(struct check *c, const struct members *m, const struct together_rule *rule)
{
    const struct json_node *first = member_of(m, rule->names[0]);
    size_t count = names_of(rule);

    for (size_t i = 1; first != NULL && i < count; i++) {
        if (member_of(m, rule->names[i]) == NULL)
            find(c, RULE_TOGETHER, first, SLICE_NONE, "needs %.*s beside it",
                 SLICE_ARG(rule->names[i]));
    }
}

/* False when one of them is absent or is told of already. */
static bool both_times(struct check *c, const struct members *m, const struct together_rule *rule,
                       struct timestamp times[2])
{
    for (size_t i = 0; i < 2; i++) {
        const struct json_node *node = member_of(m, rule->names[i]);

        if (node == NULL || node->kind != JSON_STRING ||
            !timestamp_parse(text_of(c, node), &times[i]))
            return false;
    }
    return true;
}

static void check_times(struct check *c, const struct members *m, const struct together_rule *rule)
{
    struct timestamp times[2];

    if (!both_times(c, m, rule, times))
        return;
    int order = timestamp_cmp(&times[1], &times[0]);
    if (order < 0 || (order == 0 && rule->kind == AFTER))
        find(c, RULE_ORDER, m->object, rule->names[1], "%s %.*s",
             rule->kind == AFTER ? "must be later than" : "is before", SLICE_ARG(rule->names[0]));
}

/* What all observables have says nothing of this one; extensions do. */
static bool has_own_property(const struct members *m)
{
    static const slice shared[] = {
        S("type"),    S("id"), S("spec_version"), S("object_marking_refs"), S("granular_markings"),
        S("defanged")};
    uint64_t own = m->seen;

    for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
        int index = schema_property(m->shape, STIX_21, shared[i]);

        if (index >= 0)
            own &= ~((uint64_t)1 << index);
    }
    return own != 0;
}

static void check_rule(struct check *c, const struct members *m, const struct together_rule *rule)
{
    switch ((enum together)rule->kind) {
    case RULES_END:
        break;
    case ANY_OF:
        check_any_of(c, m, rule);
        break;
    case ALSO:
        check_also(c, m, rule);
        break;
    case NOT_BOTH:
        if (member_of(m, rule->names[0]) != NULL && member_of(m, rule->names[1]) != NULL)
            find(c, RULE_TOGETHER, m->object, rule->names[0], "excludes %.*s",
                 SLICE_ARG(rule->names[1]));
        break;
    case NOT_BEFORE:
    case AFTER:
        check_times(c, m, rule);
        break;
    case ANY_AT_ALL:
        if (!has_own_property(m))
            find(c, RULE_TOGETHER, m->object, SLICE_NONE, "says nothing of the %.*s",
                 SLICE_ARG(m->shape->name));
        break;
    case MORE_THAN:
        if ((m->seen & (m->seen - 1)) == 0)
            find(c, RULE_TOGETHER, m->object, SLICE_NONE, "needs a property besides %.*s",
                 SLICE_ARG(rule->names[0]));
        break;
    }
}

/* ---- rules that hang on a value ---- */

static bool is_true(const struct members *m, slice name)
{
    const struct json_node *node = member_of(m, name);

    return node != NULL && node->kind == JSON_TRUE;
}

static bool is_false(const struct members *m, slice name)
{
    const struct json_node *node = member_of(m, name);

    return node != NULL && node->kind == JSON_FALSE;
}

/* STIX 2.1, 6.6: a plain mail has a body, one of parts has body_multipart. */
static void check_email(struct check *c, const struct members *m)
{
    const struct json_node *body = member_of(m, SLICE("body"));
    const struct json_node *parts = member_of(m, SLICE("body_multipart"));

    if (body != NULL && is_true(m, SLICE("is_multipart")))
        find(c, RULE_TOGETHER, body, SLICE_NONE, "is not for a mail whose is_multipart is true");
    if (parts != NULL && is_false(m, SLICE("is_multipart")))
        find(c, RULE_TOGETHER, parts, SLICE_NONE, "is not for a mail whose is_multipart is false");
}

/* STIX 2.1, 6.12: what goes on has no end. */
static void check_traffic(struct check *c, const struct members *m)
{
    const struct json_node *end = member_of(m, SLICE("end"));

    if (end != NULL && is_true(m, SLICE("is_active")))
        find(c, RULE_TOGETHER, end, SLICE_NONE, "is not for traffic whose is_active is true");
}

/* STIX 2.1, 4.11: a family has a name. */
static void check_malware(struct check *c, const struct members *m)
{
    if (is_true(m, SLICE("is_family")) && member_of(m, SLICE("name")) == NULL)
        find(c, RULE_TOGETHER, m->object, SLICE("name"), "is required of a family");
}

static void keep_phase(struct check *c, const struct members *m)
{
    const struct json_node *chain = member_of(m, SLICE("kill_chain_name"));
    const struct json_node *phase = member_of(m, SLICE("phase_name"));

    if (chain != NULL && phase != NULL && chain->kind == JSON_STRING && phase->kind == JSON_STRING)
        gather_phase(c, text_of(c, chain), text_of(c, phase));
}

/* STIX 2.1, 7.3: names of properties belong to an extension that puts them at the top level. */
static void check_extension_definition(struct check *c, const struct members *m)
{
    const struct json_node *names = member_of(m, SLICE("extension_properties"));
    const struct json_node *types = member_of(m, SLICE("extension_types"));

    if (names == NULL || types == NULL || types->kind != JSON_ARRAY)
        return;
    for (struct json_each each = json_each(c->doc, types); json_next(&each);) {
        if (json_is(c->doc, each.value, SLICE("toplevel-property-extension")))
            return;
    }
    find(c, RULE_TOGETHER, names, SLICE_NONE,
         "is for an extension_types of toplevel-property-extension");
}

void check_together(struct check *c, const struct members *m)
{
    static void (*const also[SHAPE_COUNT])(struct check * c, const struct members *m) = {
        [SHAPE_EMAIL_MESSAGE] = check_email,
        [SHAPE_NETWORK_TRAFFIC] = check_traffic,
        [SHAPE_MALWARE] = check_malware,
        [SHAPE_KILL_CHAIN_PHASE] = keep_phase,
        [SHAPE_EXTENSION_DEFINITION] = check_extension_definition,
        [SHAPE_MARKING_DEFINITION] = check_marking_definition,
        [SHAPE_LANGUAGE_CONTENT] = check_language_content,
        [SHAPE_RELATIONSHIP] = check_relationship,
    };
    const struct together_rule *rule = rules_of[m->shape->id];
    uint8_t spec = m->spec == STIX_20 ? IN_20 : IN_21;

    for (; rule != NULL && rule->kind != RULES_END; rule++) {
        if ((rule->when & spec) != 0)
            check_rule(c, m, rule);
    }
    if (also[m->shape->id] != NULL)
        also[m->shape->id](c, m);
}
