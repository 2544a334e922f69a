/* recall, recall list: what was given comes back. */
#include "sync/recall.h"

#include "base/time.h"
#include "cli/agreement.h"
#include "sync/place.h"

#include "base/banned.h"

#define ARENA_BYTES_MAX ((size_t)256 << 20)
#define LINE_BYTES_MAX ((size_t)1 << 20)

struct recalling {
    struct node node;
    struct sync_place place;
    struct arena arena;
    struct kv_txn txn;
};

static void recalling_close(struct recalling *r)
{
    kv_abort(&r->txn);
    arena_free(&r->arena);
    node_close(&r->node);
}

static int recalling_open(struct cli *cli, bool read_only, struct recalling *r)
{
    int code = cli_node_open(cli, read_only, &r->node);

    if (code != CLI_OK)
        return code;
    r->place = node_sync(&r->node);
    r->arena = ARENA(ARENA_BYTES_MAX);
    return CLI_OK;
}

/* ---- list ---- */

struct holder {
    slice partner, outcome, at; /* outcome empty: not answered */
};

static bool is_given(struct recalling *r, const struct recall *recall, slice partner,
                     struct diag *diag)
{
    struct texts given = {0};

    for (size_t i = 0; i < recall->objects.count; i++)
        if (succeeded(recall_given(&r->place, &r->txn, recall->objects.at[i], partner, &r->arena,
                                   &given, diag)) &&
            given.count > 0 && !slice_eq(partner, recall->actor))
            return true;
    return false;
}

static void recall_words(const struct recall *recall)
{
    for (size_t i = 0; i < recall->objects.count; i++) {
        (void)printf("%.*s  ", SLICE_ARG(recall->id));
        cli_print_text(stdout, recall->objects.at[i]);
        (void)printf("  ");
        cli_print_text(stdout, recall->reason);
        (void)putchar('\n');
    }
}

static void holder_words(const struct holder *holder)
{
    if (holder->outcome.len == 0)
        (void)printf("  %.*s  has not answered\n", SLICE_ARG(holder->partner));
    else {
        (void)printf("  %.*s  ", SLICE_ARG(holder->partner));
        cli_print_text(stdout, holder->outcome);
        (void)printf("  %.*s\n", SLICE_ARG(holder->at));
    }
}

static void holder_json(struct json_writer *w, const struct holder *holder)
{
    jw_object_begin(w);
    jw_put_string(w, SLICE("partner"), holder->partner);
    jw_put_bool(w, SLICE("answered"), holder->outcome.len > 0);
    if (holder->outcome.len > 0) {
        jw_put_string(w, SLICE("outcome"), holder->outcome);
        jw_put_string(w, SLICE("at"), holder->at);
    }
    jw_object_end(w);
}

static int recall_print(const struct cli *cli, struct recalling *r, const struct recall *recall)
{
    CLEANUP(buf_free) struct buf out = BUF(LINE_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&out);
    struct diag diag = {0};
    slice partner;

    if (!cli->json)
        recall_words(recall);
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("id"), recall->id);
    jw_put_string(&w, SLICE("reason"), recall->reason);
    jw_put_string(&w, SLICE("by"), recall->actor);
    jw_key(&w, SLICE("objects"));
    jw_array_begin(&w);
    for (size_t i = 0; i < recall->objects.count; i++)
        jw_string(&w, recall->objects.at[i]);
    jw_array_end(&w);
    jw_key(&w, SLICE("holders"));
    jw_array_begin(&w);
    for (size_t i = 0; keep_partner_at(&r->place.keep, &r->txn, i, &r->arena, &partner); i++) {
        struct holder holder = {.partner = partner, .outcome = SLICE("")};

        if (!is_given(r, recall, partner, &diag))
            continue;
        if (!recall_answer(&r->place, &r->txn, recall->id, partner, &r->arena, &holder.outcome,
                           &holder.at))
            holder.outcome = SLICE("");
        holder_json(&w, &holder);
        if (!cli->json)
            holder_words(&holder);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    if (diag.code != ERR_NONE)
        return cli_failed(&diag);
    return cli->json ? cli_print_json(&out) : CLI_OK;
}

int cmd_recall_list(struct cli *cli)
{
    CLEANUP(recalling_close) struct recalling r = {0};
    struct recall recall;
    struct diag diag = {0};

    if (cli->word_count != 0)
        return cli_misused(cli, "takes no argument");
    int code = recalling_open(cli, true, &r);
    if (code != CLI_OK)
        return code;
    kv_begin_read(r.place.keep.kv, &r.txn, &diag);
    for (size_t i = 0; code == CLI_OK && recall_at(&r.place, &r.txn, i, &r.arena, &recall); i++)
        code = recall_print(cli, &r, &recall);
    return failed(r.txn.state) ? cli_failed(&diag) : code;
}

/* ---- recall ---- */

static bool are_ids(const struct cli *cli, slice *ids)
{
    for (size_t i = 0; i < cli->word_count; i++) {
        struct stix_id id;

        ids[i] = slice_text(cli->words[i]);
        if (!stix_id_parse(ids[i], &id))
            return false;
    }
    return true;
}

int cmd_recall(struct cli *cli)
{
    CLEANUP(recalling_close) struct recalling r = {0};
    char text[UUID_TEXT_BYTES], id[64];
    slice ids[RECALL_OBJECTS_MAX];
    struct diag diag = {0};
    uint8_t chance[16];

    if (cli->word_count == 0 || cli->word_count > RECALL_OBJECTS_MAX || !are_ids(cli, ids))
        return cli_misused(cli, "takes 1 to %d ids of objects", RECALL_OBJECTS_MAX);
    if (cli_value(cli, "reason") == NULL)
        return cli_misused(cli, "--reason TEXT is needed: the partners want to know why");
    int code = recalling_open(cli, false, &r);
    if (code != CLI_OK)
        return code;
    random_bytes(chance, sizeof(chance));
    struct uuid uuid = uuid_v4(chance);
    uuid_format(&uuid, text);
    (void)snprintf(id, sizeof(id), "recall--%.*s", UUID_TEXT_BYTES, text);
    struct recall recall = {.id = slice_text(id),
                            .objects = {ids, cli->word_count},
                            .reason = slice_text(cli_value(cli, "reason")),
                            .actor = SLICE("cli")};
    if (failed(recall_note(&r.place, &recall, &diag)))
        return cli_failed(&diag);
    kv_begin_read(r.place.keep.kv, &r.txn, &diag);
    return recall_print(cli, &r, &recall);
}
