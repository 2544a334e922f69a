#include "agreement/document.h"

#include <stdio.h>

#include "stix/id.h"

#include "base/banned.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* ---- rules ---- */

enum rule {
    RULE_TEXT,
    RULE_DATE,
    RULE_DATE_OR_NULL,
    RULE_IDENTITY,
    RULE_IDENTITIES,
    RULE_TEXTS,
    RULE_CLASSES,
    RULE_TLP,
    RULE_TLP_UNMARKED,
    RULE_RED,
    RULE_PAP,
    RULE_ACTION,
    RULE_MAY_MUST,
    RULE_BOOL,
    RULE_COUNT,
    RULE_PERIOD,
    RULE_COUNTRY,
    RULE_GRANULAR,
    RULE_APPROVAL,
    RULE_ABSENT,
    RULE_UNKNOWN,
    RULE_MISMATCH,
    RULE_BREACH,
    RULE_RECALL,
    RULE_SELECTORS,
    RULE_RATIO,
    RULE_OBJECT, /* its members have rows of their own */
    RULE_SKIP,
};

/* Words a member may have, and how an operator is told. */
static const struct {
    enum rule rule;
    const char *words; /* separated by spaces */
} choices[] = {
    {RULE_TLP, "clear green amber amber+strict red"},
    {RULE_TLP_UNMARKED, "refuse clear green amber amber+strict red"},
    {RULE_RED, "refuse named-recipients"},
    {RULE_PAP, "clear green amber red"},
    {RULE_ACTION, "none contact-for-instruction internally-visible-actions "
                  "externally-visible-indirect-actions externally-visible-direct-actions"},
    {RULE_MAY_MUST, "may must must-not"},
    {RULE_GRANULAR, "redact refuse"},
    {RULE_APPROVAL, "none second-person"},
    {RULE_ABSENT, "drop keep"},
    {RULE_UNKNOWN, "refuse strip"},
    {RULE_MISMATCH, "share refuse"},
    {RULE_BREACH, "suspend warn"},
    {RULE_RECALL, "delete mark"},
};

struct member {
    const char *of, *name; /* "" : the document; "grants": each of them; "grants.tlp" */
    enum rule rule;
    bool is_needed;
};

static const struct member members[] = {
    {"", "type", RULE_SKIP, true},
    {"", "spec_version", RULE_SKIP, true},
    {"", "id", RULE_SKIP, true},
    {"", "version", RULE_COUNT, true},
    {"", "name", RULE_TEXT, true},
    {"", "description", RULE_TEXT, false},
    {"", "start_date", RULE_DATE, true},
    {"", "end_date", RULE_DATE_OR_NULL, false},
    {"", "parties", RULE_SKIP, true},
    {"", "grants", RULE_SKIP, true},
    {"", "reciprocity", RULE_OBJECT, false},
    {"", "recall", RULE_OBJECT, false},
    {"", "signatures", RULE_SKIP, false},
    {"parties", "id", RULE_IDENTITY, true},
    {"parties", "name", RULE_TEXT, false},
    {"parties", "role", RULE_TEXT, false},
    {"parties", "country", RULE_COUNTRY, false},
    {"grants", "provider", RULE_IDENTITY, true},
    {"grants", "recipients", RULE_IDENTITIES, true},
    {"grants", "recipient_classes", RULE_CLASSES, false},
    {"grants", "tlp", RULE_OBJECT, true},
    {"grants.tlp", "max", RULE_TLP, true},
    {"grants.tlp", "unmarked", RULE_TLP_UNMARKED, false},
    {"grants.tlp", "red", RULE_RED, false},
    {"grants.tlp", "min_result", RULE_TLP, false},
    {"grants", "pap", RULE_OBJECT, false},
    {"grants.pap", "max", RULE_PAP, true},
    {"grants.pap", "unmarked", RULE_PAP, false},
    {"grants", "object_types", RULE_OBJECT, true},
    {"grants.object_types", "allow", RULE_TEXTS, false},
    {"grants.object_types", "deny", RULE_TEXTS, false},
    {"grants", "privilege_action", RULE_TEXTS, false},
    {"grants", "permitted_actions", RULE_ACTION, false},
    {"grants", "affected_party_notifications", RULE_MAY_MUST, false},
    {"grants", "attribution", RULE_MAY_MUST, false},
    {"grants", "unmodified_resale", RULE_MAY_MUST, false},
    {"grants", "encrypt_in_transit", RULE_MAY_MUST, false},
    {"grants", "encrypt_at_rest", RULE_MAY_MUST, false},
    {"grants", "further_sharing", RULE_OBJECT, false},
    {"grants.further_sharing", "permit", RULE_CLASSES, true},
    {"grants", "approval", RULE_APPROVAL, false},
    {"grants", "granular", RULE_GRANULAR, false},
    {"grants", "absent_refs", RULE_ABSENT, false},
    {"grants", "extensions", RULE_OBJECT, false},
    {"grants.extensions", "allow", RULE_TEXTS, false},
    {"grants.extensions", "unknown", RULE_UNKNOWN, false},
    {"grants", "retention", RULE_PERIOD, false},
    {"grants", "lang", RULE_OBJECT, false},
    {"grants.lang", "accept", RULE_TEXTS, true},
    {"grants.lang", "on_mismatch", RULE_MISMATCH, false},
    {"grants", "redact", RULE_SELECTORS, false},
    {"grants", "share_expired", RULE_BOOL, false},
    {"grants", "max_age_days", RULE_COUNT, false},
    {"reciprocity", "window", RULE_PERIOD, true},
    {"reciprocity", "min_ratio", RULE_RATIO, true},
    {"reciprocity", "on_breach", RULE_BREACH, true},
    {"reciprocity", "suspend_above", RULE_TLP, true},
    {"recall", "ack_within", RULE_PERIOD, false},
    {"recall", "action", RULE_RECALL, false},
};

#define PLACE_BYTES_MAX 160

struct checking {
    struct arena *arena;
    struct diag *diag;
};

static result wrong(struct checking *c, const char *place, struct value value, const char *rule)
{
    slice raw = value_is_there(value) ? json_raw(value.doc, value.node) : SLICE("");

    return diag_fail(c->diag, ERR_INVALID, "%s: %.*s %s", place, (int)(raw.len < 80 ? raw.len : 80),
                     raw.len > 0 ? raw.at : "", rule);
}

static bool word_is_one_of(slice word, const char *words)
{
    slice one, rest = slice_text(words);
    bool more = true;

    while (more) {
        more = slice_cut(rest, ' ', &one, &rest);
        if (slice_eq(one, word))
            return true;
    }
    return false;
}

static result check_choice(struct checking *c, const char *place, struct value value,
                           enum rule rule)
{
    char words[320];
    slice text = SLICE_NONE;

    for (size_t i = 0; i < COUNT_OF(choices); i++) {
        if (choices[i].rule != rule)
            continue;
        if (value_text(value, c->arena, &text) && word_is_one_of(text, choices[i].words))
            return OK;
        (void)snprintf(words, sizeof(words), "is none of: %s", choices[i].words);
        return wrong(c, place, value, words);
    }
    return OK;
}

static bool is_identity(slice text)
{
    struct stix_id id;

    return stix_id_parse(text, &id) && slice_eq(id.type, SLICE("identity"));
}

/* Days, hours ... as ISO 8601 has them, without years and months, whose length is not fixed. */
static bool is_period(slice text)
{
    size_t digits = 0, parts = 0;
    bool in_time = false;

    if (!slice_starts(text, SLICE("P")) || text.len > 32)
        return false;
    for (size_t i = 1; i < text.len; i++) {
        char ch = text.at[i];

        if (ch >= '0' && ch <= '9') {
            digits++;
            continue;
        }
        if (ch == 'T' && !in_time && digits == 0) {
            in_time = true;
            continue;
        }
        if (digits == 0 || digits > 6 ||
            memchr(in_time ? "HMS" : "DW", ch, in_time ? 3 : 2) == NULL)
            return false;
        digits = 0;
        parts++;
    }
    return digits == 0 && parts > 0;
}

static bool is_country(slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < 'A' || text.at[i] > 'Z')
            return false;
    return text.len == 3;
}

/* What would leave an object without identity, or hide that something is gone, is never agreed. */
static bool is_redactable(slice selector)
{
    static const slice never[] = {S("type"),
                                  S("spec_version"),
                                  S("id"),
                                  S("created"),
                                  S("modified"),
                                  S("revoked"),
                                  S("object_marking_refs"),
                                  S("granular_markings"),
                                  S("x_entente_removed")};
    slice root, rest;

    (void)slice_cut(selector, '.', &root, &rest);
    for (size_t i = 0; i < COUNT_OF(never); i++)
        if (slice_eq(never[i], root))
            return false;
    return root.len > 0;
}

static result check_list(struct checking *c, const char *place, struct value value, enum rule rule)
{
    static const char *const classes = "self client partner community public";
    struct texts texts;

    if (!value_is_of(value, JSON_ARRAY) || !value_texts(value, c->arena, &texts))
        return wrong(c, place, value, "is no list of texts");
    for (size_t i = 0; i < texts.count; i++) {
        char at[PLACE_BYTES_MAX + 112];
        slice text = texts.at[i];
        const char *rule_words = NULL;

        if (rule == RULE_IDENTITIES && !is_identity(text))
            rule_words = "is no id of an identity";
        if (rule == RULE_CLASSES && !word_is_one_of(text, classes))
            rule_words = "is none of: self client partner community public";
        if (rule == RULE_SELECTORS && !is_redactable(text))
            rule_words = "cannot be removed from an object";
        if (rule == RULE_TEXTS && text.len == 0)
            rule_words = "is empty";
        for (size_t j = 0; j < i && rule_words == NULL; j++)
            if (slice_eq(texts.at[j], text))
                rule_words = "stands twice";
        if (rule_words == NULL)
            continue;
        (void)snprintf(at, sizeof(at), "%s[%zu]", place, i);
        return diag_fail(c->diag, ERR_INVALID, "%s: \"%.*s\" %s", at, SLICE_ARG(text), rule_words);
    }
    return OK;
}

static result check_number(struct checking *c, const char *place, struct value value,
                           enum rule rule)
{
    int64_t count;
    double ratio;

    if (rule == RULE_RATIO)
        return json_double(value.doc, value.node, &ratio) && ratio >= 0.0 && ratio <= 1.0
                   ? OK
                   : wrong(c, place, value, "is no number from 0 to 1");
    return json_i64(value.doc, value.node, &count) && count >= 1 && count <= 1000000
               ? OK
               : wrong(c, place, value, "is no count from 1 to 1000000");
}

static result check_text(struct checking *c, const char *place, struct value value, enum rule rule)
{
    slice text = SLICE_NONE;

    if (!value_text(value, c->arena, &text))
        return wrong(c, place, value, "is no text");
    if (rule == RULE_IDENTITY && !is_identity(text))
        return wrong(c, place, value, "is no id of an identity");
    if (rule == RULE_PERIOD && !is_period(text))
        return wrong(c, place, value, "is no period such as P730D or PT24H");
    if (rule == RULE_COUNTRY && !is_country(text))
        return wrong(c, place, value, "is no country code of three capitals");
    if (rule == RULE_TEXT && (text.len == 0 || text.len > 4096))
        return wrong(c, place, value, "is no text of 1 to 4096 bytes");
    return OK;
}

static result check_member(struct checking *c, const char *place, struct value value,
                           enum rule rule)
{
    int64_t us;

    switch (rule) {
    case RULE_SKIP:
        return OK;
    case RULE_OBJECT:
        return value_is_of(value, JSON_OBJECT) ? OK : wrong(c, place, value, "is no object");
    case RULE_BOOL:
        return value_is_of(value, JSON_TRUE) || value_is_of(value, JSON_FALSE)
                   ? OK
                   : wrong(c, place, value, "is neither true nor false");
    case RULE_DATE_OR_NULL:
        if (value_is_of(value, JSON_NULL))
            return OK;
        __attribute__((fallthrough));
    case RULE_DATE:
        return value_date(value, &us)
                   ? OK
                   : wrong(c, place, value, "is no date such as 2026-01-01T00:00:00Z");
    case RULE_COUNT:
    case RULE_RATIO:
        return check_number(c, place, value, rule);
    case RULE_IDENTITIES:
    case RULE_TEXTS:
    case RULE_CLASSES:
    case RULE_SELECTORS:
        return check_list(c, place, value, rule);
    case RULE_TEXT:
    case RULE_IDENTITY:
    case RULE_PERIOD:
    case RULE_COUNTRY:
        return check_text(c, place, value, rule);
    case RULE_TLP:
    case RULE_TLP_UNMARKED:
    case RULE_RED:
    case RULE_PAP:
    case RULE_ACTION:
    case RULE_MAY_MUST:
    case RULE_GRANULAR:
    case RULE_APPROVAL:
    case RULE_ABSENT:
    case RULE_UNKNOWN:
    case RULE_MISMATCH:
    case RULE_BREACH:
    case RULE_RECALL:
        return check_choice(c, place, value, rule);
    }
    return OK;
}

static const struct member *member_find(const char *of, slice name)
{
    for (size_t i = 0; i < COUNT_OF(members); i++)
        if (strcmp(members[i].of, of) == 0 && slice_eq(slice_text(members[i].name), name))
            return &members[i];
    return NULL;
}

/* The members of one object against the table: those that are needed, those that are known. */
static result check_object(struct checking *c, const char *of, const char *place,
                           struct value object)
{
    char at[PLACE_BYTES_MAX + 80];
    const char *dot = place[0] != '\0' ? "." : "";

    if (!value_is_of(object, JSON_OBJECT))
        return wrong(c, place[0] != '\0' ? place : "the document", object, "is no object");
    for (struct json_each each = json_each(object.doc, object.node); json_next(&each);) {
        slice name = json_string(object.doc, each.key, c->arena);
        const struct member *member = member_find(of, name);

        /* A term that one side would not understand is no term. */
        if (member == NULL)
            return diag_fail(c->diag, ERR_INVALID, "%s%s%.*s: is no member of an agreement", place,
                             dot, SLICE_ARG(name));
        (void)snprintf(at, sizeof(at), "%s%s%s", place, dot, member->name);
        TRY(check_member(c, at, (struct value){object.doc, each.value}, member->rule));
    }
    for (size_t i = 0; i < COUNT_OF(members); i++)
        if (strcmp(members[i].of, of) == 0 && members[i].is_needed &&
            !value_is_there(value_get(object, slice_text(members[i].name))))
            return diag_fail(c->diag, ERR_INVALID, "%s%s%s: is missing", place, dot,
                             members[i].name);
    return OK;
}

/* ---- what rows cannot say ---- */

static result check_head(struct checking *c, struct value document)
{
    struct value id = value_get(document, SLICE("id"));
    int64_t start_us, end_us;
    struct stix_id parsed;
    slice text;

    if (!value_is(value_get(document, SLICE("type")), SLICE("entente-agreement")))
        return wrong(c, "type", value_get(document, SLICE("type")), "is not \"entente-agreement\"");
    if (!value_is(value_get(document, SLICE("spec_version")), SLICE("1")))
        return wrong(c, "spec_version", value_get(document, SLICE("spec_version")), "is not \"1\"");
    if (!value_text(id, c->arena, &text) || !stix_id_parse(text, &parsed) ||
        !slice_eq(parsed.type, SLICE("agreement")))
        return wrong(c, "id", id, "is not \"agreement--\" and a UUID");
    if (value_date(value_get(document, SLICE("start_date")), &start_us) &&
        value_date(value_get(document, SLICE("end_date")), &end_us) && end_us <= start_us)
        return diag_fail(c->diag, ERR_INVALID, "end_date: is not after start_date");
    return OK;
}

static result check_parties(struct checking *c, struct value list)
{
    size_t count = 0;
    char place[PLACE_BYTES_MAX];

    if (!value_is_of(list, JSON_ARRAY) || list.node->size == 1)
        return wrong(c, "parties", list, "is no list of parties");
    for (struct json_each each = json_each(list.doc, list.node); json_next(&each); count++) {
        struct value party = {list.doc, each.value};
        size_t before = 0;

        if (count == PARTIES_MAX)
            return diag_fail(c->diag, ERR_LIMIT, "parties: more than %d", PARTIES_MAX);
        (void)snprintf(place, sizeof(place), "parties[%zu]", count);
        TRY(check_object(c, "parties", place, party));
        for (struct json_each other = json_each(list.doc, list.node);
             json_next(&other) && before < count; before++)
            if (value_same(value_get((struct value){list.doc, other.value}, SLICE("id")),
                           value_get(party, SLICE("id"))))
                return diag_fail(c->diag, ERR_INVALID, "%s.id: stands twice", place);
    }
    return OK;
}

static bool is_party(struct value document, struct value id)
{
    struct value list = value_get(document, SLICE("parties"));

    for (struct json_each each = json_each(list.doc, list.node); json_next(&each);)
        if (value_same(value_get((struct value){list.doc, each.value}, SLICE("id")), id))
            return true;
    return false;
}

static result check_grant(struct checking *c, const char *place, struct value document,
                          struct value grant)
{
    static const char *const parts[] = {"tlp",        "pap", "object_types", "further_sharing",
                                        "extensions", "lang"};
    char at[PLACE_BYTES_MAX + 32], of[64];

    TRY(check_object(c, "grants", place, grant));
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        struct value part = value_get(grant, slice_text(parts[i]));

        (void)snprintf(at, sizeof(at), "%s.%s", place, parts[i]);
        (void)snprintf(of, sizeof(of), "grants.%s", parts[i]);
        if (value_is_there(part))
            TRY(check_object(c, of, at, part));
    }
    if (!is_party(document, value_get(grant, SLICE("provider"))))
        return diag_fail(c->diag, ERR_INVALID, "%s.provider: is no party", place);
    return OK;
}

static result check_grants(struct checking *c, struct value document)
{
    struct value list = value_get(document, SLICE("grants"));
    char place[PLACE_BYTES_MAX];
    size_t count = 0;

    if (!value_is_of(list, JSON_ARRAY))
        return wrong(c, "grants", list, "is no list of grants");
    for (struct json_each each = json_each(list.doc, list.node); json_next(&each); count++) {
        if (count == GRANTS_MAX)
            return diag_fail(c->diag, ERR_LIMIT, "grants: more than %d", GRANTS_MAX);
        (void)snprintf(place, sizeof(place), "grants[%zu]", count);
        TRY(check_grant(c, place, document, (struct value){list.doc, each.value}));
    }
    return OK;
}

result document_check(struct value document, struct arena *arena, struct diag *diag)
{
    struct checking c = {arena, diag};
    struct value part;
    struct agreement terms;

    if (!value_is_of(document, JSON_OBJECT))
        return diag_fail(diag, ERR_INVALID, "the document is no object");
    if (document.node->len > DOCUMENT_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "the document has more than %zu bytes",
                         DOCUMENT_BYTES_MAX);
    if (value_repeats(document))
        return diag_fail(diag, ERR_INVALID, "a member stands twice");
    TRY(check_object(&c, "", "", document));
    TRY(check_head(&c, document));
    TRY(check_parties(&c, value_get(document, SLICE("parties"))));
    TRY(check_grants(&c, document));
    part = value_get(document, SLICE("reciprocity"));
    if (value_is_there(part))
        TRY(check_object(&c, "reciprocity", "reciprocity", part));
    part = value_get(document, SLICE("recall"));
    if (value_is_there(part))
        TRY(check_object(&c, "recall", "recall", part));
    /* What may be signed can be decided by: the two readers agree, or nothing is signed. */
    agreement_read(document, (struct texts){NULL, 0}, arena, &terms);
    if (terms.broken != NULL)
        return diag_fail(diag, ERR_INVALID, "%s: cannot be read", terms.broken);
    for (size_t i = 0; i < terms.grant_count; i++)
        if (terms.grants[i].broken != NULL)
            return diag_fail(diag, ERR_INVALID, "grants[%zu].%s: cannot be read", i,
                             terms.grants[i].broken);
    return OK;
}
