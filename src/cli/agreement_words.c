/* agreement explain, test: in words. */
#include "cli/agreement.h"

#include "agreement/redact.h"
#include "base/time.h"
#include "gate/look.h"

#include "base/banned.h"

#define OBJECT_BYTES_MAX ((size_t)64 << 20)

static void words_list(const char *label, struct texts texts)
{
    if (texts.count == 0)
        return;
    (void)printf("  %s", label);
    for (size_t i = 0; i < texts.count; i++) {
        (void)fputs(i > 0 ? ", " : " ", stdout);
        cli_print_text(stdout, texts.at[i]);
    }
    (void)putchar('\n');
}

static void explain_grant(const struct terms_grant *g)
{
    (void)printf("%.*s may send", SLICE_ARG(g->provider));
    (void)printf(" objects up to TLP:%.*s\n", SLICE_ARG(tlp_name(g->tlp_max)));
    words_list("to", g->recipients);
    words_list("to anyone of class", g->classes);
    if (g->recipients.count == 0 && g->classes.count == 0)
        (void)printf("  to nobody\n");
    if (g->has_types)
        words_list("of these types alone:", g->types);
    words_list("never of type", g->types_denied);
    if (g->tlp_unmarked == TLP_NONE)
        (void)printf("  what has no TLP level is refused\n");
    else
        (void)printf("  what has no TLP level counts as TLP:%.*s\n",
                     SLICE_ARG(tlp_name(g->tlp_unmarked)));
    (void)printf("  TLP:RED %s\n",
                 g->has_red_named ? "goes to persons whom it names" : "is refused");
    words_list("always without", g->redact);
    (void)printf("  parts that may not go are %s\n",
                 g->refuses_granular ? "a reason to refuse the whole" : "removed");
    if (g->attribution == ATTRIBUTION_MUST_NOT)
        (void)printf("  who made an object is removed\n");
    if (g->needs_second)
        (void)printf("  a second person approves what goes\n");
    (void)printf("  the recipient may do: %.*s at most\n", SLICE_ARG(action_name(g->permitted)));
    words_list("and may pass it on to", g->onward);
    if (g->retention.len > 0)
        (void)printf("  and keeps it for %.*s at most\n", SLICE_ARG(g->retention));
}

int cmd_agreement_explain(struct cli *cli)
{
    CLEANUP(agreement_view_free) struct agreement_view view = {0};

    if (cli->word_count != 1)
        return cli_misused(cli, "takes an agreement's id");
    int code = agreement_view_open(cli, true, &view);
    if (code != CLI_OK)
        return code;
    const struct agreement *terms = &view.held.terms;
    slice state = view.held.state;
    cli_print_text(stdout, terms->name);
    (void)printf(", version %lld: %.*s, %s\n", (long long)view.held.version, SLICE_ARG(state),
                 terms->is_signed ? "signed by all" : "not signed by all: nothing goes yet");
    for (size_t i = 0; i < terms->grant_count; i++)
        explain_grant(&terms->grants[i]);
    return CLI_OK;
}

/* ---- test ---- */

static int answer_print(const struct cli *cli, slice object, slice agreement, slice recipient,
                        const struct decision *decision)
{
    CLEANUP(buf_free) struct buf out = BUF(OBJECT_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&out);

    if (cli->json) {
        jw_object_begin(&w);
        jw_put_string(&w, SLICE("object"), object);
        jw_put_string(&w, SLICE("agreement"), agreement);
        jw_put_string(&w, SLICE("recipient"), recipient);
        decision_write(decision, &w);
        jw_object_end(&w);
        return cli_print_json(&out);
    }
    (void)printf("%.*s to %.*s under %.*s: %.*s\n", SLICE_ARG(object), SLICE_ARG(recipient),
                 SLICE_ARG(agreement), SLICE_ARG(verdict_name(decision->verdict)));
    for (size_t i = 0; i < decision->reason_count; i++)
        (void)printf("  %.*s\n", SLICE_ARG(reason_words(decision->reasons[i])));
    for (size_t i = 0; i < decision->removed_count; i++) {
        (void)printf("  without ");
        cli_print_text(stdout, decision->removed[i]);
        (void)putchar('\n');
    }
    for (size_t i = 0; i < decision->obligation_count; i++)
        (void)printf("  with the obligation %.*s=%.*s\n", SLICE_ARG(decision->obligations[i].name),
                     SLICE_ARG(decision->obligations[i].value));
    return CLI_OK;
}

/* Under one agreement, to each other party. */
static int test_under(const struct cli *cli, const struct keep_place *place, struct look *l,
                      const struct markings *markings, const struct kept *held, slice id,
                      struct value object)
{
    struct decide_request request = {.provider = place->own,
                                     .now_us = place->world->now_us(place->world->context),
                                     .is_transit_encrypted = true,
                                     .is_rest_encrypted = true,
                                     .markings = markings,
                                     .world = {look_target, l}};
    struct decision decision;
    int code = CLI_OK;

    for (size_t i = 0; code == CLI_OK && i < held->terms.parties.count; i++) {
        request.recipient = held->terms.parties.at[i];
        if (slice_eq(request.recipient, place->own))
            continue;
        request.country = kept_country(held, request.recipient, l->arena);
        agreement_decide(&held->terms, object, &request, l->arena, &decision);
        code = answer_print(cli, id, held->terms.id, request.recipient, &decision);
    }
    return code;
}

static int test_one(const struct cli *cli, const struct keep_place *place, struct look *l,
                    const struct markings *markings, slice id)
{
    struct value object;
    slice agreement;
    int code = CLI_OK;

    if (!look_object(l, id, &object))
        return cli_fail(CLI_NOT_FOUND, "%.*s: the node has no such object", SLICE_ARG(id));
    for (size_t i = 0;
         code == CLI_OK && keep_agreement_at(place, &l->view->txn, i, l->arena, &agreement); i++) {
        CLEANUP(kept_free) struct kept held = {0};

        code = cli_agreement(place, &l->view->txn, arena_text(l->arena, agreement), true, l->arena,
                             &held);
        if (code == CLI_OK)
            code = test_under(cli, place, l, markings, &held, id, object);
    }
    return code;
}

int cmd_agreement_test(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(arena_free) struct arena arena = ARENA(OBJECT_BYTES_MAX);
    CLEANUP(store_view_end) struct store_view view = {0};
    CLEANUP(look_free) struct look l = {.view = &view, .arena = &arena};
    struct markings markings;
    struct diag diag = {0};

    if (cli->word_count == 0)
        return cli_misused(cli, "takes ids of objects");
    int code = cli_node_open(cli, true, &node);
    if (code != CLI_OK)
        return code;
    if (failed(look_init(&l, &diag)))
        return cli_failed(&diag);
    struct keep_place place = node_keep(&node);
    store_view_begin(node.store, &view, &diag);
    if (diag.code != ERR_NONE || failed(look_markings(&l, &markings, &diag)))
        return cli_failed(&diag);
    for (size_t i = 0; code == CLI_OK && i < cli->word_count; i++)
        code = test_one(cli, &place, &l, &markings, slice_text(cli->words[i]));
    return code;
}
