#include "agreement/cases.h"

#include <stdlib.h>

#include "base/banned.h"

struct case_name {
    slice name;
    const struct json_node *node;
};

static int name_cmp(const void *a, const void *b)
{
    return slice_cmp(((const struct case_name *)a)->name, ((const struct case_name *)b)->name);
}

static result markings_read(struct value table, struct arena *arena, const struct markings *behind,
                            struct markings *out, struct diag *diag)
{
    size_t count = json_count(table.doc, table.node), i = 0;
    struct marking *items = arena_new(arena, struct marking, count + 1);

    for (struct json_each each = json_each(table.doc, table.node); items && json_next(&each); i++) {
        marking_read((struct value){table.doc, each.value}, arena, &items[i]);
        if (each.key != NULL)
            items[i].id = json_string(table.doc, each.key, arena);
    }
    if (items == NULL || arena->overflowed)
        return diag_fail(diag, ERR_LIMIT, "markings: too many to hold");
    marking_sort(items, count);
    *out = (struct markings){items, count, behind};
    return OK;
}

static result agreements_read(struct cases *cases, struct diag *diag)
{
    struct value table = value_get(cases->root, SLICE("agreements"));
    size_t count = json_count(table.doc, table.node), i = 0;
    struct case_name *names = arena_new(&cases->arena, struct case_name, count + 1);

    if (!value_is_of(table, JSON_OBJECT))
        return diag_fail(diag, ERR_INVALID, "agreements: an object of agreements is missing");
    for (struct json_each each = json_each(table.doc, table.node); names && json_next(&each);)
        names[i++] =
            (struct case_name){json_string(table.doc, each.key, &cases->arena), each.value};
    if (names == NULL || cases->arena.overflowed)
        return diag_fail(diag, ERR_LIMIT, "agreements: too many to hold");
    qsort(names, count, sizeof(*names), name_cmp);
    cases->agreements = names;
    cases->agreement_count = count;
    return OK;
}

result cases_open(const struct json_doc *doc, struct cases *out, struct diag *diag)
{
    *out = (struct cases){.doc = *doc, .arena = ARENA(CASES_ARENA_BYTES_MAX)};
    out->root = (struct value){&out->doc, &out->doc.nodes[0]};
    if (!value_is_of(cases_list(out), JSON_ARRAY))
        return diag_fail(diag, ERR_INVALID, "vectors: a list of cases is missing");
    TRY(agreements_read(out, diag));
    return markings_read(value_get(out->root, SLICE("markings")), &out->arena, NULL, &out->markings,
                         diag);
}

void cases_close(struct cases *cases)
{
    arena_free(&cases->arena);
}

struct value cases_list(const struct cases *cases)
{
    return value_get(cases->root, SLICE("vectors"));
}

/* ---- one case ---- */

struct situation {
    const struct cases *cases;
    struct value one, context;
    struct arena *arena;
    struct decide_request request;
    struct waiver waiver;
    struct markings markings;
};

/* What a case does not say of its surroundings, the file says for all of them. */
static struct value around(const struct situation *s, slice key)
{
    struct value value = value_get(s->context, key);

    return value_is_there(value) ? value : value_get(s->cases->root, key);
}

static void broken(struct situation *s, const char *member)
{
    if (s->request.broken == NULL)
        s->request.broken = member;
}

/* A text that may be absent or null: at NULL then. */
static slice text_around(struct situation *s, const char *key)
{
    struct value value = around(s, slice_text(key));
    slice text = SLICE_NONE;

    if (value_is_there(value) && value.node->kind != JSON_NULL &&
        !value_text(value, s->arena, &text))
        broken(s, key);
    return text;
}

static bool truth_around(const struct situation *s, slice key, bool fallback)
{
    struct value value = around(s, key);

    return value_is_there(value) ? value_truth(value) : fallback;
}

static void class_read(struct situation *s)
{
    struct value class = around(s, SLICE("recipient_class"));

    s->request.class = RECIPIENT_PARTNER;
    if (!value_is_there(class))
        return;
    s->request.class_text = text_around(s, "recipient_class");
    if (s->request.class_text.at == NULL)
        s->request.class_text = SLICE("");
    s->request.class = recipient_class_parse(s->request.class_text);
}

static void waiver_read(struct situation *s)
{
    struct value waiver = around(s, SLICE("waiver"));

    if (!value_truth(waiver))
        return;
    if (waiver.node->kind != JSON_OBJECT ||
        !value_texts(value_get(waiver, SLICE("recipients")), s->arena, &s->waiver.recipients))
        broken(s, "waiver");
    (void)value_text(value_get(waiver, SLICE("modified")), s->arena, &s->waiver.modified);
    /* A waiver that nobody signed, or for nothing, is none. */
    if (!value_text(value_get(waiver, SLICE("object")), s->arena, &s->waiver.object) ||
        !value_text(value_get(waiver, SLICE("signed_by")), s->arena, &s->waiver.signed_by))
        broken(s, "waiver");
    if (!value_date(value_get(waiver, SLICE("expires")), &s->waiver.expires_us))
        broken(s, "waiver");
    s->request.waiver = &s->waiver;
}

static void upstream_read(struct situation *s)
{
    struct value upstream = around(s, SLICE("upstream_further_sharing"));

    s->request.has_upstream = value_truth(upstream);
    if (!s->request.has_upstream)
        return;
    if (upstream.node->kind != JSON_OBJECT ||
        !value_texts(value_get(upstream, SLICE("permit")), s->arena, &s->request.upstream))
        broken(s, "upstream_further_sharing");
}

static void hop_read(struct situation *s)
{
    struct value hop = around(s, SLICE("hop"));

    if (value_is_there(hop) && !json_i64(hop.doc, hop.node, &s->request.hop))
        broken(s, "hop");
}

static void sides_read(struct situation *s)
{
    struct value people = value_get(s->cases->root, SLICE("identities"));
    struct decide_request *request = &s->request;
    struct value country;

    if (!value_text(value_get(s->one, SLICE("provider")), s->arena, &request->provider))
        broken(s, "provider");
    if (!value_text(value_get(s->one, SLICE("recipient")), s->arena, &request->recipient))
        broken(s, "recipient");
    request->country = SLICE("???");
    country = value_get(value_get(people, request->recipient), SLICE("country3"));
    if (value_is_there(country) && !value_text(country, s->arena, &request->country))
        broken(s, "country3");
    request->person = text_around(s, "recipient_person");
    request->originator = text_around(s, "originator");
    request->purpose = text_around(s, "requested_purpose");
    request->peer_hash = text_around(s, "peer_agreement_hash");
}

static bool store_find(void *context, slice id, struct value *out)
{
    const struct situation *s = context;
    struct value store = value_get(s->context, SLICE("store"));
    bool is_found = false;

    /* The last one of an id counts. */
    for (struct json_each each = json_each(store.doc, store.node); json_next(&each);) {
        struct value object = {store.doc, each.value};

        if (!value_is(value_get(object, SLICE("id")), id))
            continue;
        *out = object;
        is_found = true;
    }
    return is_found;
}

static void store_check(struct situation *s)
{
    struct value store = value_get(s->context, SLICE("store"));

    if (!value_is_there(store))
        return;
    if (store.node->kind != JSON_ARRAY)
        broken(s, "store");
    for (struct json_each each = json_each(store.doc, store.node); json_next(&each);)
        if (!value_is_of(value_get((struct value){store.doc, each.value}, SLICE("id")),
                         JSON_STRING))
            broken(s, "store");
}

static void situation_read(struct situation *s)
{
    struct decide_request *request = &s->request;
    struct diag diag = {0};

    *request = (struct decide_request){.world = {store_find, s}};
    s->context = value_get(s->one, SLICE("context"));
    if (value_is_there(s->context) && s->context.node->kind != JSON_OBJECT)
        broken(s, "context");
    sides_read(s);
    class_read(s);
    hop_read(s);
    waiver_read(s);
    upstream_read(s);
    store_check(s);
    if (!value_date(around(s, SLICE("now")), &request->now_us))
        broken(s, "now");
    request->is_transit_encrypted = truth_around(s, SLICE("encrypted_transport"), true);
    request->is_rest_encrypted = truth_around(s, SLICE("recipient_attests_at_rest"), true);
    request->is_breach = truth_around(s, SLICE("reciprocity_breached"), false);
    request->has_copy = truth_around(s, SLICE("recipient_has"), false);
    struct value markings = value_get(s->context, SLICE("markings"));
    if (value_is_there(markings) && markings.node->kind != JSON_OBJECT)
        broken(s, "markings");
    if (failed(markings_read(markings, s->arena, &s->cases->markings, &s->markings, &diag)))
        broken(s, "markings");
    request->markings = &s->markings;
}

static bool agreement_find(const struct cases *cases, struct value one, struct arena *arena,
                           struct agreement *out)
{
    struct case_name key = {0};
    const struct case_name *found;
    struct texts signers;

    if (!value_text(value_get(one, SLICE("agreement")), arena, &key.name))
        return false;
    found = bsearch(&key, cases->agreements, cases->agreement_count, sizeof(key), name_cmp);
    if (found == NULL)
        return false;
    struct value document = {&cases->doc, found->node};
    if (!value_texts(value_get(document, SLICE("signatures")), arena, &signers))
        return false;
    agreement_read(document, signers, arena, out);
    return true;
}

/* ---- what was expected ---- */

static bool reasons_hold(const struct decision *decision, struct value expected)
{
    for (struct json_each each = json_each(expected.doc, expected.node); json_next(&each);) {
        bool is_there = false;

        for (size_t i = 0; i < decision->reason_count; i++)
            is_there |= json_is(expected.doc, each.value, reason_name(decision->reasons[i]));
        if (!is_there)
            return false;
    }
    return value_is_of(expected, JSON_ARRAY);
}

static bool removed_is(const struct decision *decision, struct value expected)
{
    size_t i = 0;

    for (struct json_each each = json_each(expected.doc, expected.node); json_next(&each); i++)
        if (i == decision->removed_count ||
            !json_is(expected.doc, each.value, decision->removed[i]))
            return false;
    return value_is_of(expected, JSON_ARRAY) && i == decision->removed_count;
}

static bool obligations_are(const struct decision *decision, struct value expected,
                            struct arena *arena)
{
    size_t i = 0;

    for (struct json_each each = json_each(expected.doc, expected.node); json_next(&each); i++) {
        if (i == decision->obligation_count)
            return false;
        const struct obligation *owed = &decision->obligations[i];
        if (!json_is(
                expected.doc, each.value,
                arena_printf(arena, "%.*s=%.*s", SLICE_ARG(owed->name), SLICE_ARG(owed->value))))
            return false;
    }
    return value_is_of(expected, JSON_ARRAY) && i == decision->obligation_count;
}

/* A key that is expected is there with just this value; null stands for "not there". */
static bool answer_is(const struct decision *decision, slice key, struct value expected,
                      struct arena *arena)
{
    bool is_none = value_is_of(expected, JSON_NULL);

    if (slice_eq(key, SLICE("why")))
        return true;
    if (slice_eq(key, SLICE("decision")))
        return value_is(expected, verdict_name(decision->verdict));
    if (slice_eq(key, SLICE("reasons")))
        return reasons_hold(decision, expected);
    if (slice_eq(key, SLICE("removed")))
        return removed_is(decision, expected);
    if (slice_eq(key, SLICE("obligations")))
        return obligations_are(decision, expected, arena);
    if (slice_eq(key, SLICE("result_tlp")))
        return decision->result_tlp == TLP_NONE
                   ? is_none
                   : value_is(expected, tlp_name(decision->result_tlp));
    if (slice_eq(key, SLICE("new_id")))
        return decision->has_new_id ? value_is_of(expected, JSON_TRUE) : is_none;
    if (slice_eq(key, SLICE("until")))
        return decision->until.at == NULL ? is_none : value_is(expected, decision->until);
    return is_none;
}

static void answer_compare(struct case_answer *out, struct value expect, struct arena *arena)
{
    if (!value_is_there(expect))
        return;
    out->has_expect = true;
    if (expect.node->kind != JSON_OBJECT)
        out->differs = "expect";
    for (struct json_each each = json_each(expect.doc, expect.node);
         out->differs == NULL && json_next(&each);) {
        slice key = json_string(expect.doc, each.key, arena);

        if (!answer_is(&out->decision, key, (struct value){expect.doc, each.value}, arena))
            out->differs = arena_text(arena, key) != NULL ? arena_text(arena, key) : "expect";
    }
}

void case_decide(const struct cases *cases, struct value one, struct arena *arena,
                 struct case_answer *out)
{
    struct situation s = {.cases = cases, .one = one, .arena = arena};
    struct agreement agreement = {.broken = "absent"};

    *out = (struct case_answer){0};
    (void)value_text(value_get(one, SLICE("id")), arena, &out->id);
    situation_read(&s);
    if (!agreement_find(cases, one, arena, &agreement))
        agreement.broken = "absent";
    agreement_decide(&agreement, value_get(one, SLICE("object")), &s.request, arena,
                     &out->decision);
    answer_compare(out, value_get(one, SLICE("expect")), arena);
}

void case_write(const struct case_answer *answer, struct json_writer *w)
{
    const struct decision *decision = &answer->decision;

    jw_object_begin(w);
    jw_put_string(w, SLICE("id"), answer->id);
    decision_write(decision, w);
    jw_object_end(w);
}
