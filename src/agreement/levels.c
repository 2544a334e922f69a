#include "agreement/levels.h"

#include "base/banned.h"

enum reason restrain(struct restraint *restraint, const struct decide_request *request,
                     struct value ref, struct arena *arena)
{
    slice id;

    if (!value_text(ref, arena, &id))
        return REASON_OBJECT_MALFORMED;
    switch (restraint_add(restraint, request->markings, id)) {
    case RESTRAINT_OK:
        return REASON_OK;
    case RESTRAINT_UNKNOWN:
        return REASON_UNKNOWN_MARKING;
    case RESTRAINT_BROKEN:
        return REASON_MARKING_MALFORMED;
    }
    return REASON_MARKING_MALFORMED;
}

/* The markings of a whole object, and one more where a granular marking adds it. */
enum reason restraint_of(const struct judging *j, const struct fields *fields, struct value more,
                         struct restraint *out)
{
    *out = RESTRAINT_START;
    if (value_is_there(fields->markings) && fields->markings.node->kind != JSON_ARRAY)
        return REASON_OBJECT_MALFORMED;
    for (struct json_each each = json_each(fields->markings.doc, fields->markings.node);
         json_next(&each);) {
        enum reason why =
            restrain(out, j->request, (struct value){fields->markings.doc, each.value}, j->arena);

        if (why != REASON_OK)
            return why;
    }
    return value_is_there(more) ? restrain(out, j->request, more, j->arena) : REASON_OK;
}

static bool waiver_holds(const struct decide_request *request, const struct fields *fields)
{
    const struct waiver *waiver = request->waiver;

    if (waiver == NULL || waiver->object.at == NULL || waiver->signed_by.at == NULL)
        return false;
    bool is_version = waiver->modified.at != NULL ? value_is(fields->modified, waiver->modified)
                                                  : !value_is_there(fields->modified);
    return is_version && slice_eq(waiver->object, fields->id) &&
           texts_hold(waiver->recipients, request->recipient) && request->originator.at != NULL &&
           slice_eq(waiver->signed_by, request->originator) && waiver->expires_us > request->now_us;
}

static bool goes_to_named(const struct judging *j, const struct fields *fields)
{
    return j->grant->has_red_named && j->request->person.at != NULL &&
           value_lists(fields->named, j->request->person);
}

/* Who may get a level at the first hop, and who when it is passed on (TLP 2.0). */
static enum reason tlp_allows(const struct judging *j, const struct fields *fields, enum tlp tlp,
                              int64_t hop)
{
    enum recipient_class to = j->request->class;
    bool is_inside = to == RECIPIENT_SELF || to == RECIPIENT_CLIENT;

    if (tlp == TLP_RED) {
        if (hop != 0)
            return REASON_TLP_RED_NO_ONWARD;
        return goes_to_named(j, fields) ? REASON_OK : REASON_TLP_RED_NOT_NAMED;
    }
    if (hop == 0) {
        if (to == RECIPIENT_PUBLIC && tlp != TLP_CLEAR)
            return REASON_TLP_NOT_PUBLIC;
        if (to == RECIPIENT_COMMUNITY && tlp >= TLP_AMBER)
            return REASON_TLP_COMMUNITY_MAX_GREEN;
        return REASON_OK;
    }
    if (tlp == TLP_AMBER_STRICT)
        return to == RECIPIENT_SELF ? REASON_OK : REASON_TLP_ONWARD_ORG_ONLY;
    if (tlp == TLP_AMBER)
        return is_inside ? REASON_OK : REASON_TLP_ONWARD_CLIENTS_ONLY;
    if (tlp == TLP_GREEN && (to == RECIPIENT_PUBLIC || to == RECIPIENT_OTHER))
        return REASON_TLP_NOT_PUBLIC;
    return REASON_OK;
}

static enum reason iep_allows(const struct iep *iep, int64_t now_us)
{
    if (iep->start_us > now_us)
        return REASON_IEP_NOT_STARTED;
    if (iep->has_end && iep->end_us <= now_us)
        return REASON_IEP_ENDED;
    return REASON_OK;
}

static enum reason acs_allows(const struct acs *acs, slice country)
{
    if (texts_hold(acs->denied, country))
        return REASON_ACS_FURTHER_SHARING_DENY;
    if (acs->has_nationalities && !texts_hold(acs->nationalities, country))
        return REASON_ACS_NATIONALITY;
    if (acs->is_classified)
        return REASON_ACS_CLASSIFIED;
    return REASON_OK;
}

static enum reason parts_allow(const struct judging *j, const struct restraint *restraint)
{
    enum reason why = REASON_OK;

    for (size_t i = 0; i < restraint->part_count && why == REASON_OK; i++)
        if (restraint->parts[i]->has_iep)
            why = iep_allows(&restraint->parts[i]->iep, j->request->now_us);
    for (size_t i = 0; i < restraint->part_count && why == REASON_OK; i++)
        if (restraint->parts[i]->has_acs)
            why = acs_allows(&restraint->parts[i]->acs, j->request->country);
    return why;
}

static bool is_list_of_texts(struct value list)
{
    if (value_is_there(list) && list.node->kind != JSON_ARRAY)
        return false;
    for (struct json_each each = json_each(list.doc, list.node); json_next(&each);)
        if (each.value->kind != JSON_STRING)
            return false;
    return true;
}

/* The whole judgement over a set of markings.  restraint's levels are filled with the grant's
 * defaults where the markings say nothing. */
enum reason levels_allow(const struct judging *j, const struct fields *fields, int64_t hop,
                         struct restraint *restraint, struct presumed *presumed)
{
    const struct terms_grant *grant = j->grant;

    if (!is_list_of_texts(fields->named))
        return REASON_OBJECT_MALFORMED;
    if (restraint->tlp == TLP_NONE) {
        if (grant->tlp_unmarked == TLP_NONE)
            return REASON_UNMARKED_REFUSED;
        restraint->tlp = grant->tlp_unmarked;
        presumed->is_defaulted = true;
    }
    bool is_waived = waiver_holds(j->request, fields);
    enum reason why = tlp_allows(j, fields, restraint->tlp, hop);
    if (why != REASON_OK && (!is_waived || restraint->tlp == TLP_RED))
        return why;
    presumed->is_waived = why != REASON_OK;
    if (!is_waived && restraint->tlp > grant->tlp_max &&
        !(restraint->tlp == TLP_RED && grant->has_red_named))
        return REASON_TLP_EXCEEDS_AGREEMENT;
    if (restraint->pap == PAP_NONE)
        restraint->pap = grant->pap_unmarked;
    if (restraint->pap != PAP_NONE && grant->has_pap && restraint->pap > grant->pap_max)
        return REASON_PAP_EXCEEDS_AGREEMENT;
    return parts_allow(j, restraint);
}
