/* What the node knows besides objects, over the API: partners, agreements, the log, accounts. */
#include "agreement/card.h"
#include "sync/place.h"
#include "web/api_call.h"

#include "base/banned.h"

#define ENTRIES_MOST 500
#define ENTRIES_FALLBACK 100

/* ---- partners ---- */

static void exchange_write(struct api_call *call, const struct sync_place *place, slice key,
                           const char *kind, slice partner)
{
    struct sync_row row;

    if (!sync_row(place, &call->view.txn, kind, partner, &call->arena, &row))
        return;
    jw_key(&call->w, key);
    jw_object_begin(&call->w);
    jw_put_u64(&call->w, SLICE("batches"), row.batches);
    jw_put_u64(&call->w, SLICE("objects"), row.objects);
    jw_put_u64(&call->w, SLICE("refused"), row.refused);
    call_put_us(call, SLICE("last"), row.at_us);
    if (row.why.len > 0)
        jw_put_string(&call->w, SLICE("why"), row.why);
    jw_object_end(&call->w);
}

static void partner_write(struct api_call *call, const struct sync_place *place, slice id,
                          const struct card *card)
{
    jw_object_begin(&call->w);
    jw_put_string(&call->w, SLICE("id"), id);
    jw_put_string(&call->w, SLICE("name"), card->name);
    jw_put_string(&call->w, SLICE("url"), card->url);
    jw_put_bool(&call->w, SLICE("confirmed"),
                keep_is_confirmed(&place->keep, &call->view.txn, id, card->key));
    exchange_write(call, place, SLICE("sent"), SYNC_SENT, id);
    exchange_write(call, place, SLICE("received"), SYNC_RECEIVED, id);
    exchange_write(call, place, SLICE("receipts"), SYNC_RECEIPT, id);
    exchange_write(call, place, SLICE("faults"), SYNC_REFUSED, id);
    jw_object_end(&call->w);
}

void api_partners(struct api_call *call)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct sync_place place = node_sync(call->door->node);
    result r = json_parser_new(JSON_DEPTH_MAX, &parser, &call->diag);
    struct kv_txn *txn = &call->view.txn;
    slice id, text;

    jw_object_begin(&call->w);
    jw_key(&call->w, SLICE("partners"));
    jw_array_begin(&call->w);
    for (size_t i = 0; succeeded(r) && keep_partner_at(&place.keep, txn, i, &call->arena, &id);
         i++) {
        struct json_doc doc;
        struct card card;

        if (!keep_card(&place.keep, txn, id, &text))
            continue;
        r = json_parse_copy(parser, text, &doc, &call->diag);
        if (succeeded(r))
            r = card_read((struct value){&doc, doc.nodes}, &call->arena, &card, &call->diag);
        if (succeeded(r))
            partner_write(call, &place, id, &card);
    }
    if (failed(r)) {
        call_failed(call, r);
        return;
    }
    jw_array_end(&call->w);
    jw_object_end(&call->w);
}

/* ---- agreements ---- */

static void agreement_write(struct api_call *call, const struct kept *held, bool is_whole)
{
    jw_object_begin(&call->w);
    jw_put_string(&call->w, SLICE("id"), held->terms.id);
    jw_put_string(&call->w, SLICE("name"), held->terms.name);
    jw_put_u64(&call->w, SLICE("version"), (uint64_t)held->version);
    jw_put_string(&call->w, SLICE("state"), held->state);
    jw_put_bool(&call->w, SLICE("signed"), held->terms.is_signed);
    jw_put_string(&call->w, SLICE("hash"), slice_text(held->hash_text));
    jw_key(&call->w, SLICE("parties"));
    jw_array_begin(&call->w);
    for (size_t i = 0; i < held->terms.parties.count; i++)
        jw_string(&call->w, held->terms.parties.at[i]);
    jw_array_end(&call->w);
    if (is_whole) {
        jw_key(&call->w, SLICE("document"));
        jw_raw(&call->w, json_raw(held->document.doc, held->document.node));
    }
    jw_object_end(&call->w);
}

void api_agreements(struct api_call *call)
{
    struct keep_place place = node_keep(call->door->node);
    struct kv_txn *txn = &call->view.txn;
    result r = OK;
    slice id;

    jw_object_begin(&call->w);
    jw_key(&call->w, SLICE("agreements"));
    jw_array_begin(&call->w);
    for (size_t i = 0; succeeded(r) && keep_agreement_at(&place, txn, i, &call->arena, &id); i++) {
        CLEANUP(kept_free) struct kept held = {0};
        bool found = false;

        r = keep_read_in_force(&place, txn, id, &call->arena, &held, &found, &call->diag);
        if (succeeded(r) && found)
            agreement_write(call, &held, false);
    }
    if (failed(r)) {
        call_failed(call, r);
        return;
    }
    jw_array_end(&call->w);
    jw_object_end(&call->w);
}

void api_agreement(struct api_call *call)
{
    CLEANUP(kept_free) struct kept held = {0};
    struct keep_place place = node_keep(call->door->node);
    bool found = false;
    result r = keep_read_in_force(&place, &call->view.txn, call->id, &call->arena, &held, &found,
                                  &call->diag);

    if (failed(r))
        call_failed(call, r);
    else if (!found)
        call_refuse(call, 404, SLICE("there is no such agreement"));
    else
        agreement_write(call, &held, true);
}

/* ---- the log ---- */

/* Members that say what an entry is about.  The rest stays here: entries of accounts hold hashes of
 * passwords. */
static const slice shown[] = {S("at"),       S("kind"),   S("actor"),      S("id"),
                              S("partner"),  S("object"), S("agreement"),  S("recipient"),
                              S("decision"), S("reason"), S("collection"), S("count"),
                              S("name"),     S("origin"), S("root")};

static result entry_write(struct api_call *call, struct json_parser *parser, uint64_t number,
                          slice text)
{
    struct json_doc doc;

    TRY(json_parse_copy(parser, text, &doc, &call->diag));
    jw_object_begin(&call->w);
    jw_put_u64(&call->w, SLICE("entry"), number);
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        const struct json_node *node = json_get(&doc, doc.nodes, shown[i]);

        if (node == NULL || node->kind == JSON_OBJECT || node->kind == JSON_ARRAY)
            continue;
        jw_key(&call->w, shown[i]);
        jw_raw(&call->w, json_raw(&doc, node));
    }
    jw_object_end(&call->w);
    return OK;
}

void api_audit(struct api_call *call)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    kv_table log = store_log_table(call->door->node->store);
    uint64_t end = ledger_count(&call->view.txn, log);
    result r = json_parser_new(JSON_DEPTH_MAX, &parser, &call->diag);
    size_t limit, before;
    slice text;

    if (!call_number(call, SLICE("limit"), 1, ENTRIES_MOST, ENTRIES_FALLBACK, &limit) ||
        !call_number(call, SLICE("before"), 0, SIZE_MAX, SIZE_MAX, &before))
        return;
    uint64_t at = before < end ? before : end;
    jw_object_begin(&call->w);
    jw_put_u64(&call->w, SLICE("count"), end);
    jw_key(&call->w, SLICE("entries"));
    jw_array_begin(&call->w);
    for (; succeeded(r) && at > 0 && limit > 0; at--, limit--)
        if (ledger_read(&call->view.txn, log, at - 1, &text))
            r = entry_write(call, parser, at - 1, text);
    if (failed(r)) {
        call_failed(call, r);
        return;
    }
    jw_array_end(&call->w);
    jw_put_bool(&call->w, SLICE("more"), at > 0);
    jw_object_end(&call->w);
}

/* ---- accounts and settings ---- */

static void account_write(struct api_call *call, const struct account *account)
{
    CLEANUP(buf_free) struct buf roles = BUF(ROLES_TEXT_BYTES_MAX);

    role_format(account->roles, &roles);
    jw_object_begin(&call->w);
    jw_put_string(&call->w, SLICE("name"), slice_text(account->name));
    jw_put_string(&call->w, SLICE("roles"), buf_slice(&roles));
    jw_put_bool(&call->w, SLICE("password"), account->has_password);
    jw_put_bool(&call->w, SLICE("disabled"), account->is_disabled);
    jw_put_string(&call->w, SLICE("organisation"), slice_text(account->organisation));
    call_put_us(call, SLICE("created"), account->created_us);
    jw_object_end(&call->w);
}

static void token_write(struct api_call *call, const struct account_token *token)
{
    struct account account;

    jw_object_begin(&call->w);
    jw_put_string(&call->w, SLICE("id"), slice_text(token->id));
    jw_put_string(&call->w, SLICE("label"), slice_text(token->label));
    if (account_numbered(&call->view.txn, call->door->node->accounts, token->account, &account))
        jw_put_string(&call->w, SLICE("account"), slice_text(account.name));
    call_put_us(call, SLICE("created"), token->created_us);
    if (token->expires_us != 0)
        call_put_us(call, SLICE("expires"), token->expires_us);
    jw_object_end(&call->w);
}

void api_accounts(struct api_call *call)
{
    const struct accounts *accounts = call->door->node->accounts;
    struct kv_txn *txn = &call->view.txn;
    struct account account;
    struct account_token token;

    jw_object_begin(&call->w);
    jw_key(&call->w, SLICE("accounts"));
    jw_array_begin(&call->w);
    for (size_t i = 0; account_at(txn, accounts, i, &account); i++)
        account_write(call, &account);
    jw_array_end(&call->w);
    jw_key(&call->w, SLICE("tokens"));
    jw_array_begin(&call->w);
    for (size_t i = 0; account_token_at(txn, accounts, i, &token); i++)
        token_write(call, &token);
    jw_array_end(&call->w);
    jw_object_end(&call->w);
}

void api_settings(struct api_call *call)
{
    struct config_item item;

    jw_object_begin(&call->w);
    jw_key(&call->w, SLICE("settings"));
    jw_array_begin(&call->w);
    for (size_t i = 0; config_item_at(&call->door->config, i, &item); i++) {
        jw_object_begin(&call->w);
        jw_put_string(&call->w, SLICE("name"), slice_text(item.name));
        jw_put_string(&call->w, SLICE("value"), slice_text(item.value));
        jw_put_string(&call->w, SLICE("default"), slice_text(item.fallback));
        jw_put_string(&call->w, SLICE("help"), slice_text(item.help));
        jw_put_bool(&call->w, SLICE("is_default"),
                    slice_eq(slice_text(item.value), slice_text(item.fallback)));
        jw_object_end(&call->w);
    }
    jw_array_end(&call->w);
    jw_object_end(&call->w);
}
