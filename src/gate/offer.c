#include "gate/offer.h"

#include "agreement/redact.h"

#include "base/banned.h"

#define OFFER_BYTES_MAX ((size_t)64 << 20)
#define SCRATCH_BYTES_MAX ((size_t)128 << 20)
#define AGREEMENTS_MAX 1000

static bool is_between(const struct kept *kept, const struct offer *offer)
{
    return kept->terms.is_signed && texts_hold(kept->terms.parties, offer->provider) &&
           texts_hold(kept->terms.parties, offer->recipient);
}

static result agreements_read(struct offer *offer, struct diag *diag)
{
    slice id;

    offer->agreements = arena_new(&offer->arena, struct kept, AGREEMENTS_MAX);
    if (offer->agreements == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for agreements");
    for (size_t i = 0; offer->agreement_count < AGREEMENTS_MAX &&
                       keep_agreement_at(&offer->keep, &offer->view->txn, i, &offer->arena, &id);
         i++) {
        struct kept *kept = &offer->agreements[offer->agreement_count];
        bool found = false;

        *kept = (struct kept){0};
        result r = keep_read_in_force(&offer->keep, &offer->view->txn, id, &offer->arena, kept,
                                      &found, diag);
        if (succeeded(r) && found && is_between(kept, offer))
            offer->agreement_count++;
        else
            kept_free(kept);
        TRY(r);
    }
    return offer->view->txn.state;
}

result offer_open(const struct keep_place *keep, struct store_view *view, slice provider,
                  slice recipient, struct offer *out, struct diag *diag)
{
    *out = (struct offer){.keep = *keep,
                          .provider = provider,
                          .recipient = recipient,
                          .view = view,
                          .arena = ARENA(OFFER_BYTES_MAX),
                          .scratch = ARENA(SCRATCH_BYTES_MAX)};
    TRY(look_init(&out->look, diag));
    out->look.view = view;
    out->look.arena = &out->arena;
    TRY(look_markings(&out->look, &out->markings, diag));
    return agreements_read(out, diag);
}

void offer_close(struct offer *offer)
{
    for (size_t i = 0; i < offer->agreement_count; i++)
        kept_free(&offer->agreements[i]);
    offer->agreement_count = 0;
    look_free(&offer->look);
    arena_free(&offer->arena);
    arena_free(&offer->scratch);
}

static const struct terms_grant *grant_of(const struct kept *kept, slice provider, slice recipient)
{
    for (size_t i = 0; i < kept->terms.grant_count; i++)
        if (slice_eq(kept->terms.grants[i].provider, provider) &&
            texts_hold(kept->terms.grants[i].recipients, recipient))
            return &kept->terms.grants[i];
    return NULL;
}

static bool is_better(enum verdict verdict, enum verdict than)
{
    static const int worth[] = {
        [VERDICT_SHARE] = 3, [VERDICT_REDACT] = 2, [VERDICT_HOLD] = 1, [VERDICT_REFUSE] = 0};

    return worth[verdict] > worth[than];
}

static void decide_under(struct offer *offer, const struct kept *kept, struct value object,
                         struct decide_request *asked, const struct offer_request *request,
                         struct offered *out)
{
    static const enum reason needs_person[] = {REASON_NO_GRANT};
    const struct terms_grant *grant = grant_of(kept, offer->provider, offer->recipient);
    struct decision decision;

    if (request->agreement.len > 0 && !slice_eq(request->agreement, kept->terms.id))
        return;
    if (grant != NULL && grant->needs_second && request->is_unasked)
        decision = (struct decision){.verdict = VERDICT_REFUSE,
                                     .reasons = needs_person,
                                     .reason_count = 1,
                                     .result_tlp = TLP_NONE};
    else {
        asked->country = kept_country(kept, offer->recipient, &offer->scratch);
        agreement_decide(&kept->terms, object, asked, &offer->scratch, &decision);
    }
    if (out->agreement != NULL && !is_better(decision.verdict, out->verdict))
        return;
    out->verdict = decision.verdict;
    out->decision = decision;
    out->agreement = kept;
}

static result redact(struct offer *offer, struct value object, struct offered *out,
                     struct diag *diag)
{
    static const enum reason malformed[] = {REASON_OBJECT_MALFORMED};
    CLEANUP(buf_free) struct buf text = BUF(SCRATCH_BYTES_MAX / 4);
    struct diag why = {0};
    struct json_doc doc;

    if (failed(agreement_redact(&out->agreement->terms, object, &out->decision, &offer->scratch,
                                &text, &why))) {
        out->verdict = VERDICT_REFUSE;
        out->decision = (struct decision){.verdict = VERDICT_REFUSE,
                                          .reasons = malformed,
                                          .reason_count = 1,
                                          .result_tlp = TLP_NONE};
        return OK;
    }
    out->text = arena_copy(&offer->scratch, buf_slice(&text));
    if (out->text.at == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a redacted copy");
    TRY(json_parse_copy(offer->look.parsers[1], out->text, &doc, diag));
    slice id = json_string(&doc, json_get(&doc, doc.nodes, SLICE("id")), &offer->scratch);
    out->new_id = arena_copy(&offer->scratch, id);
    return OK;
}

result offer_decide(struct offer *offer, slice text, const struct offer_request *request,
                    struct offered *out, struct diag *diag)
{
    static const enum reason malformed[] = {REASON_OBJECT_MALFORMED}, none[] = {REASON_NO_GRANT};
    struct look *look = &offer->look;
    struct decide_request asked = {
        .provider = offer->provider,
        .recipient = offer->recipient,
        .now_us = offer->keep.world->now_us(offer->keep.world->context),
        .is_transit_encrypted = true,
        .is_rest_encrypted = true,
        .markings = &offer->markings,
        .world = {look_target, look},
    };

    arena_reset(&offer->scratch);
    look->arena = &offer->scratch;
    *out = (struct offered){.verdict = VERDICT_REFUSE,
                            .decision = {.reasons = malformed, .reason_count = 1},
                            .text = text};
    if (text.len == 0 || failed(json_parse_copy(look->parsers[0], text, &look->docs[0], NULL)))
        return OK;
    struct value object = {&look->docs[0], look->docs[0].nodes};
    out->decision.reasons = none;
    asked.hop = request->hop;
    if (request->way != NULL)
        origin_ask(&offer->keep, &offer->view->txn, request->way, &offer->scratch, &asked);
    for (size_t i = 0; i < offer->agreement_count; i++)
        decide_under(offer, &offer->agreements[i], object, &asked, request, out);
    if (offer->scratch.overflowed)
        return diag_fail(diag, ERR_LIMIT, "no memory for a decision");
    return out->verdict == VERDICT_REDACT ? redact(offer, object, out, diag) : OK;
}
