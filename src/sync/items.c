#include "sync/items.h"

#include "agreement/accept.h"
#include "sync/recall.h"

#include "base/banned.h"

#define REASON_BYTES_MAX 1000

/* ---- to a partner ---- */

static bool has_party(struct value document, slice party)
{
    struct value list = value_get(document, SLICE("parties"));

    for (struct json_each each = json_each(list.doc, list.node); json_next(&each);)
        if (value_is(value_get((struct value){list.doc, each.value}, SLICE("id")), party))
            return true;
    return false;
}

static bool has_signed(struct value document, slice party)
{
    struct value list = value_get(document, SLICE("signatures"));

    for (struct json_each each = json_each(list.doc, list.node); json_next(&each);)
        if (value_is(value_get((struct value){list.doc, each.value}, SLICE("party")), party))
            return true;
    return false;
}

static void document_item(struct value document, struct buf *out)
{
    struct json_writer w = JSON_WRITER(out);

    jw_object_begin(&w);
    jw_put_string(&w, SLICE("kind"), SLICE("agreement"));
    jw_key(&w, SLICE("document"));
    jw_raw(&w, json_raw(document.doc, document.node));
    jw_object_end(&w);
}

/* The version that the entry proposes, when it is still the newest. */
static result proposal_item(const struct sync_place *place, struct kv_txn *txn, slice id,
                            slice partner, struct arena *arena, struct buf *out, bool *is_due,
                            struct diag *diag)
{
    CLEANUP(kept_free) struct kept kept = {0};
    bool found = false;

    TRY(keep_read(&place->keep, txn, id, 0, arena, &kept, &found, diag));
    *is_due = found && texts_hold(kept.terms.parties, partner);
    if (*is_due)
        document_item(kept.document, out);
    return OK;
}

static result state_item(const struct sync_place *place, struct kv_txn *txn, struct value entry,
                         slice id, slice partner, struct arena *arena, struct buf *out,
                         bool *is_due, struct diag *diag)
{
    CLEANUP(kept_free) struct kept kept = {0};
    struct json_writer w = JSON_WRITER(out);
    slice state, reason = SLICE("");
    bool found = false;

    if (slice_find_byte(id, '@') != SIZE_MAX ||
        !value_text(value_get(entry, SLICE("value")), arena, &state))
        return OK;
    TRY(keep_read(&place->keep, txn, id, 0, arena, &kept, &found, diag));
    *is_due = found && texts_hold(kept.terms.parties, partner);
    (void)value_text(value_get(entry, SLICE("reason")), arena, &reason);
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("kind"), SLICE("state"));
    jw_put_string(&w, SLICE("agreement"), id);
    jw_put_string(&w, SLICE("state"), state);
    jw_put_string(&w, SLICE("reason"), slice_head(reason, REASON_BYTES_MAX));
    jw_object_end(&w);
    return OK;
}

result item_of_entry(const struct sync_place *place, struct kv_txn *txn, slice kind,
                     struct value entry, slice partner, struct arena *arena, struct buf *out,
                     bool *is_due, struct diag *diag)
{
    struct value value = value_get(entry, SLICE("value"));
    slice id = SLICE("");

    *is_due = false;
    if (value_is(value_get(entry, SLICE("actor")), partner))
        return OK; /* it said so itself */
    (void)value_text(value_get(entry, SLICE("id")), arena, &id);
    if (slice_eq(kind, SLICE(KEEP_DOCUMENT))) {
        *is_due = has_party(value, partner) && has_signed(value, place->keep.own);
        if (*is_due)
            document_item(value, out);
    } else if (slice_eq(kind, SLICE(KEEP_PROPOSE)))
        TRY(proposal_item(place, txn, id, partner, arena, out, is_due, diag));
    else if (slice_eq(kind, SLICE(KEEP_STATE)))
        TRY(state_item(place, txn, entry, id, partner, arena, out, is_due, diag));
    else if (slice_eq(kind, SLICE(SYNC_RECALL)))
        TRY(recall_item(place, txn, entry, partner, arena, out, is_due, diag));
    return out->overflowed ? diag_fail(diag, ERR_LIMIT, "an item of a feed is too long") : OK;
}

/* ---- from a partner ---- */

static void refuse(struct sync_result *out, slice id, const char *why, struct arena *arena)
{
    *out = (struct sync_result){.outcome = SLICE("refused"),
                                .id = id.len > 0 ? id : SLICE("agreement"),
                                .reason = arena_copy(arena, slice_text(why))};
}

/* Both must be parties; whether it may come into force is for our own signature to say. */
static result agreement_take(const struct sync_place *place, slice partner, struct value item,
                             struct arena *arena, struct sync_result *out, struct diag *diag)
{
    struct value document = value_get(item, SLICE("document"));
    struct diag why = {0};
    slice id = SLICE("");
    bool is_new;

    if (!value_is_of(document, JSON_OBJECT) || !has_party(document, partner) ||
        !has_party(document, place->keep.own)) {
        refuse(out, id, "it is no agreement with this node", arena);
        return OK;
    }
    result r = agreement_accept(&place->keep, json_raw(document.doc, document.node), SLICE_NONE,
                                partner, arena, &id, &is_new, &why);
    if (r.code == ERR_IO)
        return diag_fail(diag, r.code, "%s", why.text);
    if (failed(r))
        refuse(out, id, why.text, arena);
    return OK;
}

static bool is_state(slice state)
{
    return slice_eq(state, SLICE("active")) || slice_eq(state, SLICE("suspended")) ||
           slice_eq(state, SLICE("ended"));
}

/* Its own word alone: a partner takes nobody's suspension back but its own. */
static result state_take(const struct sync_place *place, slice partner, struct value item,
                         struct arena *arena, struct sync_result *out, struct diag *diag)
{
    CLEANUP(kept_free) struct kept kept = {0};
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    slice id = SLICE(""), state = SLICE(""), reason = SLICE("");
    bool found = false;

    (void)value_text(value_get(item, SLICE("agreement")), arena, &id);
    (void)value_text(value_get(item, SLICE("state")), arena, &state);
    (void)value_text(value_get(item, SLICE("reason")), arena, &reason);
    kv_begin_read(place->keep.kv, &txn, diag);
    TRY(keep_read(&place->keep, &txn, id, 0, arena, &kept, &found, diag));
    if (!found || !is_state(state) || !texts_hold(kept.terms.parties, partner)) {
        refuse(out, id, "there is no such agreement with the partner", arena);
        return OK;
    }
    slice key = arena_printf(arena, "%.*s@%.*s", SLICE_ARG(id), SLICE_ARG(partner));
    slice before = keep_state(&place->keep, &txn, key);
    if (slice_eq(before, state) || slice_eq(before, SLICE("ended")))
        return OK;
    slice quoted = arena_printf(arena, "\"%.*s\"", SLICE_ARG(state));
    kv_abort(&txn);
    return keep_change_for(&place->keep, SLICE(KEEP_STATE), key, quoted,
                           slice_head(reason, REASON_BYTES_MAX), partner, diag);
}

result item_take(const struct sync_place *place, slice partner, const struct batch_item *item,
                 struct arena *arena, struct sync_result *out, struct diag *diag)
{
    *out = (struct sync_result){0};
    switch (item->kind) {
    case SYNC_ITEM_OBJECT:
        return OK;
    case SYNC_ITEM_AGREEMENT:
        return agreement_take(place, partner, item->value, arena, out, diag);
    case SYNC_ITEM_STATE:
        return state_take(place, partner, item->value, arena, out, diag);
    case SYNC_ITEM_RECALL:
        return recall_take(place, partner, item->value, arena, out, diag);
    }
    return OK;
}
