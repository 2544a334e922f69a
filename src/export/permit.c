#include "export/permit.h"

#include "agreement/keep.h"

#include "base/banned.h"

#define ARENA_BYTES_MAX ((size_t)256 << 20)
#define TEXTS_BYTES_MAX ((size_t)16 << 20)

result permit_init(struct permit *permit, struct store_view *view, const struct keep_place *keep,
                   int64_t now_us, struct diag *diag)
{
    *permit = (struct permit){.arena = ARENA(ARENA_BYTES_MAX),
                              .texts = ARENA(TEXTS_BYTES_MAX),
                              .view = view,
                              .keep = keep,
                              .now_us = now_us};
    TRY(look_init(&permit->look, diag));
    permit->look.view = view;
    permit->look.arena = &permit->texts;
    return look_markings(&permit->look, &permit->markings, diag);
}

void permit_free(struct permit *permit)
{
    look_free(&permit->look);
    arena_free(&permit->arena);
    arena_free(&permit->texts);
}

enum out_use permit_use(enum action action)
{
    switch (action) {
    case ACTION_NONE:
    case ACTION_CONTACT:
        return OUT_READ;
    case ACTION_INTERNAL:
        return OUT_DETECT;
    case ACTION_INDIRECT:
        return OUT_LOOKUP;
    case ACTION_DIRECT:
        return OUT_BLOCK;
    }
    return OUT_READ;
}

static enum action stricter(enum action a, enum action b)
{
    return a < b ? a : b;
}

/* ---- markings ---- */

static enum action restraint_action(const struct restraint *restraint)
{
    enum action permitted = pap_action(restraint->pap);

    for (size_t i = 0; i < restraint->part_count; i++)
        if (restraint->parts[i]->has_iep)
            permitted = stricter(permitted, restraint->parts[i]->iep.permitted);
    return permitted;
}

static bool restrain(struct permit *permit, struct restraint *restraint, const struct json_doc *doc,
                     const struct json_node *ref)
{
    slice id = json_string(doc, ref, &permit->arena);

    return id.at != NULL && restraint_add(restraint, &permit->markings, id) == RESTRAINT_OK;
}

static enum action marked_action(struct permit *permit, const struct json_doc *doc,
                                 const struct json_node *refs, const struct json_node *granular)
{
    struct restraint restraint = RESTRAINT_START;

    if ((refs != NULL && refs->kind != JSON_ARRAY) ||
        (granular != NULL && granular->kind != JSON_ARRAY))
        return ACTION_NONE;
    for (struct json_each each = json_each(doc, refs); json_next(&each);)
        if (!restrain(permit, &restraint, doc, each.value))
            return ACTION_NONE;
    for (struct json_each each = json_each(doc, granular); json_next(&each);) {
        const struct json_node *ref = json_get(doc, each.value, SLICE("marking_ref"));

        if (ref != NULL && !restrain(permit, &restraint, doc, ref))
            return ACTION_NONE;
    }
    return restraint_action(&restraint);
}

/* ---- agreements: what came from a partner is used as the partner allows ---- */

static enum action grant_action(const struct keep_place *keep, const struct agreement *terms,
                                slice creator, bool *applies)
{
    enum action permitted = ACTION_NONE;

    for (size_t i = 0; i < terms->grant_count; i++) {
        const struct terms_grant *grant = &terms->grants[i];

        if (!slice_eq(grant->provider, creator))
            continue;
        if (grant->recipients.count > 0 && !texts_hold(grant->recipients, keep->own))
            continue;
        *applies = true;
        if (grant->broken == NULL && grant->permitted > permitted)
            permitted = grant->permitted;
    }
    return permitted;
}

/* Of several agreements the one that allows most, as each was signed to allow that much.  One that
 * ended still says what may be done with what came under it. */
static result agreed_action(struct permit *permit, slice creator, enum action *out,
                            struct diag *diag)
{
    const struct keep_place *keep = permit->keep;
    enum action best = ACTION_NONE;
    bool applies = false;
    slice id;

    *out = ACTION_DIRECT;
    if (keep == NULL || creator.len == 0 || slice_eq(creator, keep->own))
        return OK;
    for (size_t i = 0; keep_agreement_at(keep, &permit->view->txn, i, &permit->arena, &id); i++) {
        CLEANUP(kept_free) struct kept kept = {0};
        bool found = false;

        TRY(keep_read_in_force(keep, &permit->view->txn, id, &permit->arena, &kept, &found, diag));
        if (!found || !kept.terms.is_signed || !texts_hold(kept.terms.parties, creator))
            continue;
        enum action permitted = grant_action(keep, &kept.terms, creator, &applies);
        if (permitted > best)
            best = permitted;
    }
    if (applies)
        *out = best;
    return permit->view->txn.state;
}

/* ---- both, remembered ---- */

static size_t slot_of(slice text)
{
    return (size_t)(text.len * 31 + (text.len > 12 ? (uint8_t)text.at[text.len - 12] : 0) * 7 +
                    (text.len > 5 ? (uint8_t)text.at[text.len - 5] : 0)) %
           PERMIT_SLOTS;
}

static result agreed_of(struct permit *permit, slice creator, enum action *out, struct diag *diag)
{
    size_t slot = slot_of(creator);

    if (permit->slots[slot].has_agreed && slice_eq(permit->slots[slot].creator, creator)) {
        *out = permit->slots[slot].agreed;
        return OK;
    }
    arena_reset(&permit->arena);
    TRY(agreed_action(permit, creator, out, diag));
    slice copy = arena_copy(&permit->texts, creator);
    permit->slots[slot].has_agreed = creator.len == 0 || copy.at != NULL;
    permit->slots[slot].creator = copy;
    permit->slots[slot].agreed = *out;
    return OK;
}

result permit_of(struct permit *permit, const struct json_doc *doc, const struct json_node *refs,
                 const struct json_node *granular, slice creator, enum action *out,
                 struct diag *diag)
{
    slice raw = refs != NULL ? json_raw(doc, refs) : SLICE_NONE;
    size_t slot = slot_of(raw);
    enum action marked, agreed;

    if (granular == NULL && permit->slots[slot].has_marked &&
        slice_eq(permit->slots[slot].markings, raw)) {
        marked = permit->slots[slot].marked;
    } else {
        arena_reset(&permit->arena);
        marked = marked_action(permit, doc, refs, granular);
        slice copy = granular == NULL ? arena_copy(&permit->texts, raw) : SLICE_NONE;
        if (granular == NULL && (raw.len == 0 || copy.at != NULL)) {
            permit->slots[slot].has_marked = true;
            permit->slots[slot].markings = copy;
            permit->slots[slot].marked = marked;
        }
    }
    TRY(agreed_of(permit, creator, &agreed, diag));
    *out = stricter(marked, agreed);
    return OK;
}
