#include "agreement/decide.h"

#include <stdlib.h>

#include "agreement/levels.h"

#include "base/banned.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define DAY_US ((int64_t)24 * 3600 * 1000000)

/* ---- one decision under way ---- */

struct deciding {
    const struct agreement *agreement;
    const struct terms_grant *grant;
    const struct decide_request *request;
    struct arena *arena;
    struct judging judging; /* the three above, once the grant is found */
    struct fields fields;
    enum reason *reasons;
    size_t reason_count, reason_room;
    slice *removed;
    size_t removed_count, removed_room;
    struct restraint restraint; /* of the object as a whole */
    struct decision *out;
};

/* A list in the arena that doubles; NULL past the budget, which the arena remembers. */
static void *grown(struct arena *arena, void *items, size_t count, size_t *room, size_t bytes)
{
    size_t more = *room == 0 ? 8 : *room * 2;

    if (count < *room)
        return items;
    void *moved = arena_alloc(arena, more, bytes, alignof(slice));
    if (moved == NULL)
        return NULL;
    if (count > 0)
        memcpy(moved, items, count * bytes);
    *room = more;
    return moved;
}

static void note(struct deciding *d, enum reason reason)
{
    enum reason *items =
        grown(d->arena, d->reasons, d->reason_count, &d->reason_room, sizeof(*items));

    if (items == NULL)
        return;
    d->reasons = items;
    items[d->reason_count++] = reason;
}

static void take_out(struct deciding *d, slice selector)
{
    slice *items = grown(d->arena, d->removed, d->removed_count, &d->removed_room, sizeof(*items));

    if (items == NULL || selector.at == NULL)
        return;
    d->removed = items;
    items[d->removed_count++] = selector;
}

static int selector_cmp(const void *a, const void *b)
{
    return slice_cmp(*(const slice *)a, *(const slice *)b);
}

static void owe(struct deciding *d, slice name, slice value)
{
    d->out->obligations[d->out->obligation_count++] = (struct obligation){name, value};
}

static void end(struct deciding *d, enum verdict verdict)
{
    struct decision *out = d->out;

    if (d->removed_count > 1)
        qsort(d->removed, d->removed_count, sizeof(*d->removed), selector_cmp);
    out->verdict = verdict;
    out->reasons = d->reasons;
    out->reason_count = d->reason_count;
    out->removed = d->removed;
    out->removed_count = d->removed_count;
}

static void refuse(struct deciding *d, enum reason reason)
{
    note(d, reason);
    end(d, VERDICT_REFUSE);
}

/* ---- the agreement and the way ---- */

static enum reason agreement_holds(const struct agreement *a, const struct decide_request *request)
{
    if (a->broken != NULL)
        return REASON_AGREEMENT_MALFORMED;
    if (!a->is_signed)
        return REASON_AGREEMENT_UNSIGNED;
    if (a->is_suspended)
        return REASON_AGREEMENT_SUSPENDED;
    if (a->start_us > request->now_us)
        return REASON_AGREEMENT_NOT_STARTED;
    if (a->has_end && a->end_us <= request->now_us)
        return REASON_AGREEMENT_ENDED;
    if (request->peer_hash.len > 0 && !slice_eq(request->peer_hash, a->hash))
        return REASON_AGREEMENT_HASH_MISMATCH;
    return REASON_OK;
}

/* The first grant that fits counts, so that a later and wider one never opens what it closes. */
static enum reason grant_find(struct deciding *d)
{
    const struct decide_request *request = d->request;

    for (size_t i = 0; i < d->agreement->grant_count; i++) {
        const struct terms_grant *grant = &d->agreement->grants[i];

        /* One that does not even say for whom it is might be the one. */
        if (grant->broken != NULL && (grant->provider.at == NULL || grant->recipients.at == NULL))
            return REASON_AGREEMENT_MALFORMED;
        if (!slice_eq(grant->provider, request->provider))
            continue;
        if (texts_hold(grant->recipients, request->recipient) ||
            (request->class_text.at != NULL && texts_hold(grant->classes, request->class_text))) {
            d->grant = grant;
            d->judging = (struct judging){grant, request, d->arena};
            return grant->broken != NULL ? REASON_AGREEMENT_MALFORMED : REASON_OK;
        }
    }
    return REASON_NO_GRANT;
}

static enum reason handling_holds(const struct terms_grant *grant,
                                  const struct decide_request *request)
{
    if (grant->needs_transit_encrypted && !request->is_transit_encrypted)
        return REASON_ENCRYPT_IN_TRANSIT;
    if (grant->needs_rest_encrypted && !request->is_rest_encrypted)
        return REASON_ENCRYPT_AT_REST;
    return REASON_OK;
}

/* ---- reciprocity ---- */

/* A partner that gives too little gets nothing above the agreed level until it gives again. */
static enum reason reciprocity_holds(const struct deciding *d)
{
    struct restraint restraint;

    if (!d->agreement->suspends_breach || !d->request->is_breach)
        return REASON_OK;
    enum reason why = restraint_of(&d->judging, &d->fields, VALUE_NONE, &restraint);
    if (why != REASON_OK)
        return why;
    enum tlp tlp = restraint.tlp == TLP_NONE ? TLP_RED : restraint.tlp;
    return tlp > d->agreement->breach_max ? REASON_RECIPROCITY_SUSPENDED : REASON_OK;
}

/* ---- the object ---- */

static bool type_allowed(const struct terms_grant *grant, slice type)
{
    return !texts_hold(grant->types_denied, type) &&
           (!grant->has_types || texts_hold(grant->types, type));
}

static enum reason extensions_allow(struct deciding *d)
{
    struct value extensions = d->fields.extensions;

    if (!value_is_there(extensions))
        return REASON_OK;
    if (extensions.node->kind != JSON_OBJECT)
        return REASON_OBJECT_MALFORMED;
    for (struct json_each each = json_each(extensions.doc, extensions.node); json_next(&each);) {
        slice name = json_string(extensions.doc, each.key, d->arena);

        if (texts_hold(d->grant->extensions, name))
            continue;
        if (d->grant->refuses_extensions)
            return REASON_EXTENSION_NOT_ALLOWED;
        take_out(d, arena_printf(d->arena, "extensions.%.*s", SLICE_ARG(name)));
        note(d, REASON_EXTENSION_STRIPPED);
    }
    return REASON_OK;
}

static enum reason markings_allow(struct deciding *d)
{
    struct presumed presumed = {0};
    enum reason why = restraint_of(&d->judging, &d->fields, VALUE_NONE, &d->restraint);

    if (why == REASON_OK)
        why = levels_allow(&d->judging, &d->fields, d->request->hop, &d->restraint, &presumed);
    if (presumed.is_defaulted)
        note(d, REASON_UNMARKED_DEFAULTED);
    if (presumed.is_waived)
        note(d, REASON_WAIVER_APPLIED);
    if (why != REASON_OK || presumed.is_waived)
        return why;
    if (d->request->has_upstream && d->request->hop > 0 && d->request->class != RECIPIENT_SELF) {
        slice class = d->request->class_text.at != NULL ? d->request->class_text : SLICE("partner");

        if (!texts_hold(d->request->upstream, class))
            return REASON_UPSTREAM_FURTHER_SHARING;
    }
    return REASON_OK;
}

/* Division that rounds down, so that a date to come is less than no days old. */
static int64_t days_between(int64_t from_us, int64_t to_us)
{
    int64_t us = to_us - from_us;

    return us / DAY_US - (us % DAY_US < 0);
}

static enum reason age_allows(const struct deciding *d)
{
    const struct fields *fields = &d->fields;
    int64_t until_us, modified_us;

    if (value_truth(fields->valid_until)) {
        if (!value_date(fields->valid_until, &until_us))
            return REASON_OBJECT_MALFORMED;
        if (until_us <= d->request->now_us && !d->grant->shares_expired)
            return REASON_OBJECT_EXPIRED;
    }
    if (d->grant->age_days_max != 0.0 && value_truth(fields->modified)) {
        if (!value_date(fields->modified, &modified_us))
            return REASON_OBJECT_MALFORMED;
        if ((double)days_between(modified_us, d->request->now_us) > d->grant->age_days_max)
            return REASON_OBJECT_TOO_OLD;
    }
    return REASON_OK;
}

static enum reason language_allows(const struct deciding *d)
{
    slice lang;

    if (!d->grant->has_languages || !value_truth(d->fields.lang))
        return REASON_OK;
    if (!value_text(d->fields.lang, d->arena, &lang))
        return REASON_OBJECT_MALFORMED;
    return d->grant->refuses_languages && !texts_hold(d->grant->languages, lang)
               ? REASON_LANG_NOT_ACCEPTED
               : REASON_OK;
}

/* ---- granular markings ---- */

static enum reason selected_take_out(struct deciding *d, struct texts selectors)
{
    for (size_t i = 0; i < selectors.count; i++) {
        slice root = selector_root(selectors.at[i]);

        if (property_is_common(root) || property_is_required(d->fields.type, root))
            return REASON_GRANULAR_REQUIRED_PROPERTY;
        if (d->grant->refuses_granular)
            return REASON_GRANULAR_PRESENT;
        take_out(d, selectors.at[i]);
    }
    note(d, REASON_GRANULAR_REDACTED);
    return REASON_OK;
}

static enum reason granular_apply(struct deciding *d, struct value granular)
{
    struct value ref = value_get(granular, SLICE("marking_ref"));
    struct restraint joined, alone = RESTRAINT_START;
    struct presumed presumed = {0};
    struct texts selectors;

    if (!value_is_of(granular, JSON_OBJECT))
        return REASON_OBJECT_MALFORMED;
    if (value_is_there(value_get(granular, SLICE("lang"))))
        return REASON_OK; /* says in what language, and restrains nothing */
    if (!value_is_of(value_get(granular, SLICE("selectors")), JSON_ARRAY) ||
        !value_texts(value_get(granular, SLICE("selectors")), d->arena, &selectors) ||
        !value_is_of(ref, JSON_STRING))
        return REASON_OBJECT_MALFORMED;
    for (size_t i = 0; i < selectors.count; i++)
        if (!selector_finds(d->fields.object, selectors.at[i]))
            return REASON_GRANULAR_BAD_SELECTOR;
    enum reason why = restraint_of(&d->judging, &d->fields, ref, &joined);
    if (why == REASON_OK)
        why = levels_allow(&d->judging, &d->fields, d->request->hop, &joined, &presumed);
    if (why == REASON_MARKING_MALFORMED || why == REASON_OBJECT_MALFORMED)
        return why;
    if (why != REASON_OK)
        return selected_take_out(d, selectors);
    why = restrain(&alone, d->request, ref, d->arena);
    if ((alone.tlp == TLP_NONE ? TLP_CLEAR : alone.tlp) < d->restraint.tlp)
        note(d, REASON_GRANULAR_RELAXATION_IGNORED);
    return why;
}

static enum reason granulars_apply(struct deciding *d)
{
    struct value list = d->fields.granular;
    enum reason why = REASON_OK;

    if (!value_is_there(list))
        return REASON_OK;
    if (list.node->kind != JSON_ARRAY)
        return REASON_OBJECT_MALFORMED;
    for (struct json_each each = json_each(list.doc, list.node);
         why == REASON_OK && json_next(&each);)
        why = granular_apply(d, (struct value){list.doc, each.value});
    return why;
}

static enum reason redactions_apply(struct deciding *d)
{
    for (size_t i = 0; i < d->grant->redact.count; i++) {
        slice selector = d->grant->redact.at[i];

        if (!selector_finds(d->fields.object, selector))
            continue;
        if (property_is_required(d->fields.type, selector_root(selector)))
            return REASON_REDACT_REQUIRED_PROPERTY;
        take_out(d, selector);
        note(d, REASON_AGREEMENT_REDACTED);
    }
    return REASON_OK;
}

/* ---- references ---- */

enum ref_fate { REF_STAYS, REF_GOES, REF_BROKEN };

/* May the recipient have what is pointed to?  Judged as the object itself would be: by its type,
 * embargo and markings. */
static enum ref_fate target_fate(const struct deciding *d, struct value target)
{
    struct presumed presumed = {0};
    struct restraint restraint;
    struct fields fields;
    int64_t embargo_us, hop = d->request->hop;

    if (!fields_read(target, d->arena, &fields))
        return REF_BROKEN;
    if (value_truth(fields.embargo)) {
        if (!value_date(fields.embargo, &embargo_us))
            return REF_BROKEN;
        if (embargo_us > d->request->now_us)
            return REF_GOES;
    }
    if (value_is_there(fields.hop) && !json_i64(fields.hop.doc, fields.hop.node, &hop))
        return REF_BROKEN;
    enum reason why = restraint_of(&d->judging, &fields, VALUE_NONE, &restraint);
    if (why == REASON_OK)
        why = levels_allow(&d->judging, &fields, hop, &restraint, &presumed);
    if (why == REASON_MARKING_MALFORMED || why == REASON_OBJECT_MALFORMED)
        return REF_BROKEN;
    return why == REASON_OK ? REF_STAYS : REF_GOES;
}

static enum ref_fate ref_fate(const struct deciding *d, struct value ref)
{
    const struct decide_world *world = &d->request->world;
    struct value target;
    slice id, type;

    if (!value_text(ref, d->arena, &id))
        return REF_BROKEN;
    size_t dashes = slice_find(id, SLICE("--"));
    type = slice_head(id, dashes);
    if (slice_eq(type, SLICE("marking-definition")))
        return REF_STAYS;
    if (world->object == NULL || !world->object(world->context, id, &target))
        return d->grant->keeps_absent ? REF_STAYS : REF_GOES;
    return type_allowed(d->grant, type) ? target_fate(d, target) : REF_GOES;
}

static enum reason ref_apply(struct deciding *d, slice key, struct value ref)
{
    switch (ref_fate(d, ref)) {
    case REF_STAYS:
        return REASON_OK;
    case REF_BROKEN:
        return REASON_OBJECT_MALFORMED;
    case REF_GOES:
        break;
    }
    if (property_is_required(d->fields.type, key))
        return REASON_REF_NOT_SHAREABLE_REQUIRED;
    take_out(d, key);
    note(d, REASON_REF_DROPPED);
    return REASON_OK;
}

static enum reason refs_apply(struct deciding *d, slice key, struct value list)
{
    size_t count = 0, index = 0, removed_before = d->removed_count;

    if (!value_is_of(list, JSON_ARRAY))
        return REASON_OBJECT_MALFORMED;
    for (struct json_each each = json_each(list.doc, list.node); json_next(&each); index++) {
        enum ref_fate fate = ref_fate(d, (struct value){list.doc, each.value});

        if (fate == REF_BROKEN)
            return REASON_OBJECT_MALFORMED;
        if (fate == REF_STAYS)
            continue;
        take_out(d, arena_printf(d->arena, "%.*s.[%zu]", SLICE_ARG(key), index));
        count++;
    }
    if (count == 0)
        return REASON_OK;
    if (count == index) {
        d->removed_count = removed_before;
        if (property_is_required(d->fields.type, key))
            return REASON_REF_LIST_EMPTY;
        take_out(d, key);
    }
    note(d, REASON_REF_DROPPED);
    return REASON_OK;
}

static enum reason references_apply(struct deciding *d)
{
    struct value object = d->fields.object;
    enum reason why = REASON_OK;

    if (!d->fields.has_refs)
        return REASON_OK;
    for (struct json_each each = json_each(object.doc, object.node);
         why == REASON_OK && json_next(&each);) {
        slice key = json_string(object.doc, each.key, d->arena);
        struct value value = {object.doc, each.value};

        if (slice_ends(key, SLICE("_ref")) && !slice_eq(key, SLICE("created_by_ref")))
            why = ref_apply(d, key, value);
        else if (slice_ends(key, SLICE("_refs")) && !slice_eq(key, SLICE("object_marking_refs")))
            why = refs_apply(d, key, value);
    }
    return why;
}

/* ---- attribution and what travels along ---- */

static enum attribution attribution_of(const struct deciding *d)
{
    enum attribution attribution = ATTRIBUTION_MAY;

    for (size_t i = 0; i < d->restraint.part_count; i++) {
        const struct marking *part = d->restraint.parts[i];

        if (part->has_iep && part->iep.attribution != ATTRIBUTION_MAY)
            attribution = part->iep.attribution;
    }
    if (d->restraint.is_chatham || d->grant->attribution == ATTRIBUTION_MUST_NOT)
        return ATTRIBUTION_MUST_NOT;
    if (d->grant->attribution == ATTRIBUTION_MUST && attribution != ATTRIBUTION_MUST_NOT)
        return ATTRIBUTION_MUST;
    return attribution;
}

static enum reason attribution_apply(struct deciding *d, enum attribution attribution)
{
    struct value creator = d->fields.created_by;

    if (value_is_there(creator) && creator.node->kind != JSON_STRING)
        return REASON_OBJECT_MALFORMED;
    if (attribution != ATTRIBUTION_MUST_NOT || !value_truth(creator) ||
        value_is(creator, d->request->provider))
        return REASON_OK;
    take_out(d, SLICE("created_by_ref"));
    note(d, REASON_ATTRIBUTION_ANONYMISED);
    if (value_truth(d->fields.external))
        take_out(d, SLICE("external_references"));
    return REASON_OK;
}

static void obligations_set(struct deciding *d, enum attribution attribution)
{
    const struct restraint *restraint = &d->restraint;
    enum action permitted = d->grant->permitted;
    bool is_silent = d->grant->is_silent;
    slice creator = SLICE("None"); /* to be named, and nobody is */

    if (restraint->pap != PAP_NONE && pap_action(restraint->pap) < permitted)
        permitted = pap_action(restraint->pap);
    for (size_t i = 0; i < restraint->part_count; i++) {
        const struct marking *part = restraint->parts[i];

        if (!part->has_iep)
            continue;
        if (part->iep.permitted < permitted)
            permitted = part->iep.permitted;
        is_silent |= part->iep.is_silent;
    }
    if (is_silent)
        owe(d, SLICE("affected_party_notifications"), SLICE("must-not"));
    (void)value_text(d->fields.created_by, d->arena, &creator);
    if (attribution == ATTRIBUTION_MUST)
        owe(d, SLICE("attribute"), creator);
    owe(d, SLICE("permitted_actions"), action_name(permitted));
    if (d->grant->retention.len > 0)
        owe(d, SLICE("retention"), d->grant->retention);
}

/* ---- the whole ---- */

/* A revoked object's withdrawal reaches whoever holds a copy, whatever became of the agreement, and
 * says no more than which version is withdrawn. */
static void recall(struct deciding *d)
{
    static const slice kept[] = {S("type"),           S("spec_version"),       S("id"),
                                 S("created"),        S("modified"),           S("revoked"),
                                 S("created_by_ref"), S("object_marking_refs")};
    const struct texts stays = {kept, COUNT_OF(kept)};
    struct value object = d->fields.object;

    note(d, REASON_RECALL_ALWAYS);
    for (struct json_each each = json_each(object.doc, object.node); json_next(&each);) {
        slice key = json_string(object.doc, each.key, d->arena);

        if (!texts_hold(stays, key))
            take_out(d, key);
    }
    owe(d, SLICE("recall.ack_within"),
        d->agreement->recall_ack.len > 0 ? d->agreement->recall_ack : SLICE("PT24H"));
    d->out->is_recall = true;
    end(d, d->removed_count > 0 ? VERDICT_REDACT : VERDICT_SHARE);
}

/* The questions of the agreement, in the order in which they are asked. */
static enum reason agreement_allows(struct deciding *d)
{
    const struct decide_request *request = d->request;
    enum reason why = agreement_holds(d->agreement, request);

    if (why == REASON_OK)
        why = grant_find(d);
    if (why == REASON_OK)
        why = handling_holds(d->grant, request);
    if (why == REASON_OK)
        why = reciprocity_holds(d);
    if (why == REASON_OK && (d->fields.type.at == NULL || d->fields.id.at == NULL))
        why = REASON_OBJECT_MALFORMED;
    if (why == REASON_OK && !type_allowed(d->grant, d->fields.type))
        why = REASON_TYPE_NOT_ALLOWED;
    if (why == REASON_OK)
        why = extensions_allow(d);
    if (why == REASON_OK && request->purpose.len > 0 &&
        !texts_hold(d->grant->purposes, request->purpose))
        why = REASON_PURPOSE_NOT_PERMITTED;
    return why == REASON_OK ? markings_allow(d) : why;
}

/* And those of the object's parts, each of which may take something out. */
static enum reason parts_apply(struct deciding *d)
{
    enum reason why = age_allows(d);

    if (why == REASON_OK)
        why = language_allows(d);
    if (why == REASON_OK)
        why = granulars_apply(d);
    if (why == REASON_OK)
        why = redactions_apply(d);
    return why == REASON_OK ? references_apply(d) : why;
}

static enum reason embargo_read(const struct deciding *d, bool *is_held)
{
    int64_t until_us;

    *is_held = false;
    if (!value_truth(d->fields.embargo))
        return REASON_OK;
    if (!value_date(d->fields.embargo, &until_us))
        return REASON_OBJECT_MALFORMED;
    *is_held = until_us > d->request->now_us;
    return REASON_OK;
}

/* Each thing is said once. */
static void say_once(struct deciding *d)
{
    bool is_said[REASON_COUNT] = {false};
    size_t count = 0;

    for (size_t i = 0; i < d->reason_count; i++) {
        enum reason reason = d->reasons[i];

        if (!is_said[reason])
            d->reasons[count++] = reason;
        is_said[reason] = true;
    }
    d->reason_count = count;
    count = 0;
    for (size_t i = 0; i < d->removed_count; i++)
        if (i == 0 || !slice_eq(d->removed[i], d->removed[count - 1]))
            d->removed[count++] = d->removed[i];
    d->removed_count = count;
}

static void let_go(struct deciding *d)
{
    static const enum reason ok[] = {REASON_OK};
    enum verdict verdict = d->removed_count > 0 ? VERDICT_REDACT : VERDICT_SHARE;

    end(d, verdict);
    say_once(d);
    d->out->reasons = d->reason_count > 0 ? d->reasons : ok;
    d->out->reason_count = d->reason_count > 0 ? d->reason_count : 1;
    d->out->removed_count = d->removed_count;
    d->out->result_tlp = d->restraint.tlp;
    d->out->has_new_id = verdict == VERDICT_REDACT;
}

static void decide(struct deciding *d)
{
    enum attribution attribution;
    bool is_held = false;

    enum reason why = agreement_allows(d);
    if (why == REASON_OK)
        why = embargo_read(d, &is_held);
    if (why == REASON_OK && is_held && value_text(d->fields.embargo, d->arena, &d->out->until)) {
        note(d, REASON_EMBARGO);
        end(d, VERDICT_HOLD);
        return;
    }
    if (why == REASON_OK)
        why = parts_apply(d);
    if (why == REASON_OK) {
        attribution = attribution_of(d);
        why = attribution_apply(d, attribution);
    }
    if (why != REASON_OK) {
        refuse(d, why);
        return;
    }
    obligations_set(d, attribution);
    let_go(d);
}

void agreement_decide(const struct agreement *agreement, struct value object,
                      const struct decide_request *request, struct arena *arena,
                      struct decision *out)
{
    static const enum reason over[] = {REASON_OVER_LIMIT};
    struct deciding d = {.agreement = agreement, .request = request, .arena = arena, .out = out};

    *out = (struct decision){.result_tlp = TLP_NONE};
    if (!fields_read(object, arena, &d.fields))
        refuse(&d, REASON_OBJECT_MALFORMED);
    else if (request->broken != NULL)
        refuse(&d, REASON_CONTEXT_MALFORMED);
    else if (request->has_copy && value_truth(d.fields.revoked))
        recall(&d);
    else
        decide(&d);
    if (arena->overflowed)
        *out = (struct decision){.verdict = VERDICT_REFUSE,
                                 .reasons = over,
                                 .reason_count = COUNT_OF(over),
                                 .result_tlp = TLP_NONE};
}
