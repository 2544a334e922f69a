#include "agreement/terms.h"

#include "base/banned.h"

/* A grant being read: the first term that makes no sense is kept. */
struct reading {
    struct value grant;
    struct arena *arena;
    struct terms_grant *out;
};

static void broken(struct reading *r, const char *term)
{
    if (r->out->broken == NULL)
        r->out->broken = term;
}

static struct value term(const struct reading *r, slice key)
{
    return value_get(r->grant, key);
}

/* Members of a part that must be an object when it is there. */
static struct value part(struct reading *r, const char *key)
{
    struct value value = term(r, slice_text(key));

    if (value_is_there(value) && value.node->kind != JSON_OBJECT)
        broken(r, key);
    return value;
}

static void list(struct reading *r, struct value value, const char *name, struct texts *out)
{
    if (!value_texts(value, r->arena, out))
        broken(r, name);
}

/* A word that is told from others by comparison: absent, or a string. */
static bool word_is(struct reading *r, struct value value, const char *name, slice word)
{
    if (value_is_there(value) && value.node->kind != JSON_STRING)
        broken(r, name);
    return value_is(value, word);
}

static slice plain(struct value value)
{
    if (!value_is_of(value, JSON_STRING) || value.node->escaped)
        return SLICE_NONE;
    return json_inner(value.doc, value.node);
}

static void read_levels(struct reading *r)
{
    struct terms_grant *g = r->out;
    struct value tlp = part(r, "tlp"), pap = part(r, "pap");
    struct value unmarked = value_get(tlp, SLICE("unmarked"));
    struct value pap_unmarked = value_get(pap, SLICE("unmarked"));

    g->tlp_unmarked = TLP_NONE;
    g->pap_unmarked = PAP_NONE;
    g->has_pap = value_is_there(pap);
    if (!tlp_parse(plain(value_get(tlp, SLICE("max"))), &g->tlp_max))
        broken(r, "tlp.max");
    if (value_is_there(unmarked) && !value_is(unmarked, SLICE("refuse")) &&
        !tlp_parse(plain(unmarked), &g->tlp_unmarked))
        broken(r, "tlp.unmarked");
    g->has_red_named =
        word_is(r, value_get(tlp, SLICE("red")), "tlp.red", SLICE("named-recipients"));
    if (g->has_pap && !pap_parse(plain(value_get(pap, SLICE("max"))), &g->pap_max))
        broken(r, "pap.max");
    if (value_truth(pap_unmarked) && !pap_parse(plain(pap_unmarked), &g->pap_unmarked))
        broken(r, "pap.unmarked");
}

static void read_kinds(struct reading *r)
{
    struct terms_grant *g = r->out;
    struct value types = part(r, "object_types"), extensions = part(r, "extensions");
    struct value allow = value_get(types, SLICE("allow"));
    struct value unknown = value_get(extensions, SLICE("unknown"));

    if (!value_is_there(types))
        broken(r, "object_types");
    g->has_types = value_is_there(allow);
    list(r, allow, "object_types.allow", &g->types);
    list(r, value_get(types, SLICE("deny")), "object_types.deny", &g->types_denied);
    list(r, value_get(extensions, SLICE("allow")), "extensions.allow", &g->extensions);
    g->refuses_extensions =
        !value_is_there(unknown) || word_is(r, unknown, "extensions.unknown", SLICE("refuse"));
}

static void read_age(struct reading *r)
{
    struct value days = term(r, SLICE("max_age_days"));

    if (value_truth(days) && !json_double(days.doc, days.node, &r->out->age_days_max))
        broken(r, "max_age_days");
}

static void read_language(struct reading *r)
{
    struct terms_grant *g = r->out;
    struct value lang = term(r, SLICE("lang"));

    g->has_languages = value_truth(lang);
    if (!g->has_languages)
        return;
    (void)part(r, "lang");
    if (!value_is_of(value_get(lang, SLICE("accept")), JSON_ARRAY))
        broken(r, "lang.accept");
    list(r, value_get(lang, SLICE("accept")), "lang.accept", &g->languages);
    g->refuses_languages =
        word_is(r, value_get(lang, SLICE("on_mismatch")), "lang.on_mismatch", SLICE("refuse"));
}

static void read_use(struct reading *r)
{
    struct terms_grant *g = r->out;
    struct value permitted = term(r, SLICE("permitted_actions"));
    struct value attribution = term(r, SLICE("attribution"));
    struct value retention = term(r, SLICE("retention"));

    g->permitted = ACTION_DIRECT;
    if (value_is_there(permitted) && !action_parse(plain(permitted), &g->permitted))
        broken(r, "permitted_actions");
    if (value_is_there(attribution) && attribution.node->kind != JSON_STRING)
        broken(r, "attribution");
    g->attribution = ATTRIBUTION_MAY;
    if (value_is_there(attribution))
        (void)attribution_parse(plain(attribution), &g->attribution);
    g->is_silent = word_is(r, term(r, SLICE("affected_party_notifications")),
                           "affected_party_notifications", SLICE("must-not"));
    if (value_truth(retention) && !value_text(retention, r->arena, &g->retention))
        broken(r, "retention");
    list(r, value_get(part(r, "further_sharing"), SLICE("permit")), "further_sharing.permit",
         &g->onward);
}

static void read_handling(struct reading *r)
{
    struct terms_grant *g = r->out;
    struct value absent = term(r, SLICE("absent_refs")), granular = term(r, SLICE("granular"));

    g->needs_transit_encrypted =
        word_is(r, term(r, SLICE("encrypt_in_transit")), "encrypt_in_transit", SLICE("must"));
    g->needs_rest_encrypted =
        word_is(r, term(r, SLICE("encrypt_at_rest")), "encrypt_at_rest", SLICE("must"));
    g->shares_expired = value_truth(term(r, SLICE("share_expired")));
    g->needs_second = word_is(r, term(r, SLICE("approval")), "approval", SLICE("second-person"));
    g->refuses_granular = word_is(r, granular, "granular", SLICE("refuse"));
    g->keeps_absent = value_is_there(absent) && !word_is(r, absent, "absent_refs", SLICE("drop"));
    list(r, term(r, SLICE("redact")), "redact", &g->redact);
    list(r, term(r, SLICE("privilege_action")), "privilege_action", &g->purposes);
}

static void grant_read(struct value grant, struct arena *arena, struct terms_grant *out)
{
    struct reading r = {grant, arena, out};

    *out = (struct terms_grant){0};
    if (!value_text(term(&r, SLICE("provider")), arena, &out->provider))
        broken(&r, "provider");
    if (!value_is_of(term(&r, SLICE("recipients")), JSON_ARRAY))
        broken(&r, "recipients");
    list(&r, term(&r, SLICE("recipients")), "recipients", &out->recipients);
    list(&r, term(&r, SLICE("recipient_classes")), "recipient_classes", &out->classes);
    read_levels(&r);
    read_kinds(&r);
    read_age(&r);
    read_language(&r);
    read_use(&r);
    read_handling(&r);
}

/* ---- the agreement around its grants ---- */

static void agreement_broken(struct agreement *out, const char *member)
{
    if (out->broken == NULL)
        out->broken = member;
}

/* Are those who signed just the parties? */
static bool same_sets(struct texts a, struct texts b)
{
    for (size_t i = 0; i < a.count; i++)
        if (!texts_hold(b, a.at[i]))
            return false;
    for (size_t i = 0; i < b.count; i++)
        if (!texts_hold(a, b.at[i]))
            return false;
    return true;
}

static void read_parties(struct value parties, struct texts signers, struct arena *arena,
                         struct agreement *out)
{
    size_t count = 0;

    if (!value_is_of(parties, JSON_ARRAY)) {
        agreement_broken(out, "parties");
        return;
    }
    slice *ids = arena_new(arena, slice, parties.node->size);
    for (struct json_each each = json_each(parties.doc, parties.node); json_next(&each);) {
        struct value party = {parties.doc, each.value};

        if (ids == NULL || !value_text(value_get(party, SLICE("id")), arena, &ids[count])) {
            agreement_broken(out, "parties");
            return;
        }
        count++;
    }
    out->parties = (struct texts){ids, count};
    out->is_signed = same_sets(out->parties, signers);
}

static void read_dates(struct value document, struct agreement *out)
{
    struct value end = value_get(document, SLICE("end_date"));

    if (!value_date(value_get(document, SLICE("start_date")), &out->start_us))
        agreement_broken(out, "start_date");
    out->has_end = value_truth(end);
    if (out->has_end && !value_date(end, &out->end_us))
        agreement_broken(out, "end_date");
}

static void read_reciprocity(struct value document, struct agreement *out)
{
    struct value rule = value_get(document, SLICE("reciprocity"));

    if (!value_truth(rule))
        return;
    if (!value_is_of(value_get(rule, SLICE("on_breach")), JSON_STRING))
        agreement_broken(out, "reciprocity.on_breach");
    out->suspends_breach = value_is(value_get(rule, SLICE("on_breach")), SLICE("suspend"));
    if (out->suspends_breach &&
        !tlp_parse(plain(value_get(rule, SLICE("suspend_above"))), &out->breach_max))
        agreement_broken(out, "reciprocity.suspend_above");
}

static void read_recall(struct value document, struct arena *arena, struct agreement *out)
{
    struct value recall = value_get(document, SLICE("recall"));
    struct value ack = value_get(recall, SLICE("ack_within"));

    out->recall_ack = SLICE("PT24H");
    if (value_is_there(recall) && recall.node->kind != JSON_OBJECT)
        agreement_broken(out, "recall");
    if (value_is_there(ack) && !value_text(ack, arena, &out->recall_ack))
        agreement_broken(out, "recall.ack_within");
}

static void read_grants(struct value grants, struct arena *arena, struct agreement *out)
{
    size_t count = 0;

    if (!value_is_of(grants, JSON_ARRAY)) {
        agreement_broken(out, "grants");
        return;
    }
    struct terms_grant *items =
        arena_new(arena, struct terms_grant, json_count(grants.doc, grants.node));
    for (struct json_each each = json_each(grants.doc, grants.node);
         items != NULL && json_next(&each);)
        grant_read((struct value){grants.doc, each.value}, arena, &items[count++]);
    out->grants = items;
    out->grant_count = count;
}

void agreement_read(struct value document, struct texts signers, struct arena *arena,
                    struct agreement *out)
{
    *out = (struct agreement){0};
    if (!value_is_of(document, JSON_OBJECT) || value_repeats(document)) {
        agreement_broken(out, "the document");
        return;
    }
    (void)value_text(value_get(document, SLICE("id")), arena, &out->id);
    (void)value_text(value_get(document, SLICE("name")), arena, &out->name);
    (void)value_text(value_get(document, SLICE("hash")), arena, &out->hash);
    out->is_suspended = value_is(value_get(document, SLICE("state")), SLICE("suspended"));
    read_parties(value_get(document, SLICE("parties")), signers, arena, out);
    read_dates(document, out);
    read_reciprocity(document, out);
    read_recall(document, arena, out);
    read_grants(value_get(document, SLICE("grants")), arena, out);
    if (arena->overflowed)
        agreement_broken(out, "the document");
}
