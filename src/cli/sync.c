/* sync now, sync status: the exchange with partners. */
#include <inttypes.h>

#include "base/log.h"
#include "base/time.h"
#include "cli/agreement.h"
#include "sync/verify.h"

#include "base/banned.h"

#define ARENA_BYTES_MAX ((size_t)64 << 20)
#define LINE_BYTES_MAX ((size_t)1 << 20)
#define BATCHES_MAX 1000000

struct partners {
    struct node node;
    struct sync_place place;
    struct arena arena;
    struct kv_txn txn;
    slice *ids;
    size_t count;
};

static void partners_close(struct partners *p)
{
    kv_abort(&p->txn);
    arena_free(&p->arena);
    node_close(&p->node);
}

/* The partner that is named, or all. */
static int partners_open(struct cli *cli, bool read_only, struct partners *p)
{
    struct diag diag = {0};
    slice id, card;

    if (cli->word_count > 1)
        return cli_misused(cli, "takes a partner's id, or nothing for all");
    p->arena = ARENA(ARENA_BYTES_MAX);
    int code = cli_node_open(cli, read_only, &p->node);
    if (code != CLI_OK)
        return code;
    p->place = node_sync(&p->node);
    kv_begin_read(p->place.keep.kv, &p->txn, &diag);
    while (keep_partner_at(&p->place.keep, &p->txn, p->count, &p->arena, &id))
        p->count++;
    p->ids = arena_new(&p->arena, slice, p->count + 1);
    if (p->ids == NULL || failed(p->txn.state))
        return cli_fail(CLI_FAILED, "the partners cannot be read");
    if (cli->word_count == 0) {
        for (size_t i = 0; i < p->count; i++)
            (void)keep_partner_at(&p->place.keep, &p->txn, i, &p->arena, &p->ids[i]);
        return CLI_OK;
    }
    p->ids[0] = slice_text(cli->words[0]);
    p->count = 1;
    return keep_card(&p->place.keep, &p->txn, p->ids[0], &card)
               ? CLI_OK
               : cli_fail(CLI_NOT_FOUND, "%s: there is no such partner", cli->words[0]);
}

/* ---- now ---- */

struct pulled {
    uint64_t batches, objects, held, refused;
};

static result pull_all(const struct sync_place *place, slice partner, struct pulled *out,
                       struct diag *diag)
{
    CLEANUP(puller_close) struct puller puller = {0};
    bool is_any = true;

    TRY(puller_open(place, partner, 0, NULL, NULL, &puller, diag));
    for (size_t i = 0; is_any && i < BATCHES_MAX; i++) {
        struct taken taken;

        TRY(puller_step(&puller, 0, &taken, &is_any, diag));
        out->batches += is_any;
        out->objects += taken.objects;
        out->held += taken.held;
        out->refused += taken.refused;
    }
    return OK;
}

static int pulled_print(const struct cli *cli, slice partner, const struct pulled *pulled)
{
    CLEANUP(buf_free) struct buf out = BUF(LINE_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&out);

    if (!cli->json) {
        (void)printf("%.*s  %" PRIu64 " new, %" PRIu64 " held already, %" PRIu64
                     " refused, in %" PRIu64 " batches\n",
                     SLICE_ARG(partner), pulled->objects, pulled->held, pulled->refused,
                     pulled->batches);
        return CLI_OK;
    }
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("partner"), partner);
    jw_put_u64(&w, SLICE("batches"), pulled->batches);
    jw_put_u64(&w, SLICE("objects"), pulled->objects);
    jw_put_u64(&w, SLICE("held"), pulled->held);
    jw_put_u64(&w, SLICE("refused"), pulled->refused);
    jw_object_end(&w);
    return cli_print_json(&out);
}

int cmd_sync_now(struct cli *cli)
{
    CLEANUP(partners_close) struct partners p = {0};
    int code = partners_open(cli, false, &p), worst = CLI_OK;

    if (code != CLI_OK)
        return code;
    kv_abort(&p.txn);
    log_set(LOG_LEVEL_ERROR, LOG_FORM_TEXT); /* the same is said in words */
    for (size_t i = 0; i < p.count; i++) {
        struct pulled pulled = {0};
        struct diag diag = {0};

        /* One partner that cannot be reached keeps the others from nothing. */
        if (failed(pull_all(&p.place, p.ids[i], &pulled, &diag)))
            worst =
                diag.code == ERR_IO ? cli_fail(CLI_TRY_LATER, "%s", diag.text) : cli_failed(&diag);
        code = pulled_print(cli, p.ids[i], &pulled);
        if (code != CLI_OK)
            return code;
    }
    if (p.count == 0)
        cli_say(cli, "there are no partners: entente partner add CARD");
    return worst;
}

/* ---- verify ---- */

static void told(void *context, slice id, bool is_missing)
{
    const struct cli *cli = context;
    CLEANUP(buf_free) struct buf out = BUF(LINE_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&out);

    if (!cli->json) {
        (void)printf("%s  ", is_missing ? "missing" : "surplus");
        cli_print_text(stdout, id);
        (void)putchar('\n');
        return;
    }
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("id"), id);
    jw_put_string(&w, SLICE("is"), is_missing ? SLICE("missing") : SLICE("surplus"));
    jw_object_end(&w);
    if (cli_print_json(&out) != CLI_OK)
        (void)cli_fail(CLI_FAILED, "a line could not be printed");
}

static int verified_print(const struct cli *cli, const struct verified *v, bool is_equal)
{
    CLEANUP(buf_free) struct buf out = BUF(LINE_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&out);
    int code = is_equal ? CLI_OK : CLI_UNVERIFIED;

    if (!cli->json) {
        (void)printf("%s: %" PRIu64 " missing, %" PRIu64 " surplus; %" PRIu64 " fetched, %" PRIu64
                     " held from elsewhere, %" PRIu64 " refused; %" PRIu64 " bytes compared\n",
                     is_equal ? "in sync" : "not in sync", v->missing, v->surplus, v->repaired,
                     v->held, v->refused, v->bytes);
        return code;
    }
    jw_object_begin(&w);
    jw_put_bool(&w, SLICE("in_sync"), is_equal);
    jw_put_u64(&w, SLICE("missing"), v->missing);
    jw_put_u64(&w, SLICE("surplus"), v->surplus);
    jw_put_u64(&w, SLICE("fetched"), v->repaired);
    jw_put_u64(&w, SLICE("held"), v->held);
    jw_put_u64(&w, SLICE("refused"), v->refused);
    jw_put_u64(&w, SLICE("bytes"), v->bytes);
    jw_put_u64(&w, SLICE("rounds"), v->rounds);
    jw_object_end(&w);
    int printed = cli_print_json(&out);
    return printed != CLI_OK ? printed : code;
}

int cmd_sync_verify(struct cli *cli)
{
    CLEANUP(partners_close) struct partners p = {0};
    CLEANUP(puller_close) struct puller puller = {0};
    struct verified verified;
    struct diag diag = {0};

    if (cli->word_count != 1)
        return cli_misused(cli, "takes a partner's id");
    int code = partners_open(cli, false, &p);
    if (code != CLI_OK)
        return code;
    kv_abort(&p.txn);
    log_set(LOG_LEVEL_ERROR, LOG_FORM_TEXT);
    result r = puller_open(&p.place, p.ids[0], 0, NULL, NULL, &puller, &diag);
    if (succeeded(r))
        r = sync_verify(&puller, cli_has(cli, "dry-run"), told, cli, &verified, &diag);
    if (failed(r))
        return diag.code == ERR_IO ? cli_fail(CLI_TRY_LATER, "%s", diag.text) : cli_failed(&diag);
    /* What is held from elsewhere is no lack; what the partner would not give any more is told. */
    bool is_equal = verified.surplus == 0 && verified.missing <= verified.repaired + verified.held;
    return verified_print(cli, &verified, is_equal);
}

/* ---- status ---- */

struct standing {
    struct sync_partner partner;
    struct sync_row sent, receipt, received, refused;
    int64_t contact_us;
    uint64_t waiting; /* entries of the log behind what the partner has receipted */
};

static void standing_read(struct partners *p, slice id, struct standing *out)
{
    struct kv_txn *txn = &p->txn;
    const struct sync_row *rows[] = {&out->sent, &out->receipt, &out->received};
    struct sync_cursor at;

    *out = (struct standing){0};
    (void)sync_partner(&p->place, txn, id, &p->arena, &out->partner);
    (void)sync_row(&p->place, txn, SYNC_SENT, id, &p->arena, &out->sent);
    (void)sync_row(&p->place, txn, SYNC_RECEIPT, id, &p->arena, &out->receipt);
    (void)sync_row(&p->place, txn, SYNC_RECEIVED, id, &p->arena, &out->received);
    (void)sync_row(&p->place, txn, SYNC_REFUSED, id, &p->arena, &out->refused);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i]->at_us > out->contact_us)
            out->contact_us = rows[i]->at_us;
    /* What was sent and not receipted. */
    if (out->sent.batches > 0 && !slice_eq(out->sent.next, out->receipt.next) &&
        sync_cursor_parse(out->sent.next, &at))
        out->waiting = out->sent.count;
}

static void row_write(struct json_writer *w, slice key, const struct sync_row *row)
{
    char when[TIMESTAMP_TEXT_BYTES_MAX];

    jw_key(w, key);
    jw_object_begin(w);
    jw_put_u64(w, SLICE("batches"), row->batches);
    jw_put_u64(w, SLICE("objects"), row->objects);
    jw_put_u64(w, SLICE("sightings"), row->sightings);
    jw_put_u64(w, SLICE("refused"), row->refused);
    if (row->why.len > 0)
        jw_put_string(w, SLICE("why"), row->why);
    if (row->next.len > 0)
        jw_put_string(w, SLICE("next"), row->next);
    if (row->at_us != 0)
        jw_put_string(w, SLICE("at"), slice_of(when, time_format_us(row->at_us, when)));
    jw_object_end(w);
}

static int standing_json(const struct standing *s)
{
    CLEANUP(buf_free) struct buf out = BUF(LINE_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&out);
    char when[TIMESTAMP_TEXT_BYTES_MAX];

    jw_object_begin(&w);
    jw_put_string(&w, SLICE("partner"), s->partner.id);
    jw_put_string(&w, SLICE("name"), s->partner.name);
    jw_put_bool(&w, SLICE("confirmed"), s->partner.is_confirmed);
    jw_put_string(&w, SLICE("url"), s->partner.url);
    row_write(&w, SLICE("in"), &s->received);
    row_write(&w, SLICE("out"), &s->sent);
    row_write(&w, SLICE("receipts"), &s->receipt);
    row_write(&w, SLICE("broken"), &s->refused);
    jw_put_u64(&w, SLICE("waiting"), s->waiting);
    if (s->contact_us != 0)
        jw_put_string(&w, SLICE("contact"), slice_of(when, time_format_us(s->contact_us, when)));
    jw_object_end(&w);
    return cli_print_json(&out);
}

static void why_print(const char *what, const struct sync_row *row)
{
    if (row->why.len == 0)
        return;
    (void)printf("  %s: ", what);
    cli_print_text(stdout, row->why);
    (void)putchar('\n');
}

static void standing_print(const struct standing *s)
{
    char when[TIMESTAMP_TEXT_BYTES_MAX] = "never";

    (void)printf("%.*s  ", SLICE_ARG(s->partner.id));
    cli_print_text(stdout, s->partner.name);
    (void)printf("%s\n", s->partner.is_confirmed ? "" : "  (not confirmed: nothing is exchanged)");
    if (s->contact_us != 0)
        when[time_format_us(s->contact_us, when)] = '\0';
    (void)printf("  in       %" PRIu64 " objects in %" PRIu64 " batches, %" PRIu64 " refused\n",
                 s->received.objects, s->received.batches, s->received.refused);
    (void)printf("  out      %" PRIu64 " objects in %" PRIu64 " batches, %" PRIu64
                 " taken by the partner, %" PRIu64 " refused by it, %" PRIu64 " not let out\n",
                 s->sent.objects, s->sent.batches, s->receipt.objects, s->receipt.refused,
                 s->sent.refused);
    (void)printf("  given back  %" PRIu64 " sightings by the partner, %" PRIu64 " by this node\n",
                 s->received.sightings, s->sent.sightings);
    (void)printf("  waiting  %" PRIu64 " objects sent and without a receipt\n", s->waiting);
    (void)printf("  contact  %s\n", when);
    why_print("refused here, the last", &s->received);
    why_print("refused there, the last", &s->receipt);
    why_print("not let out, the last", &s->sent);
    why_print("broken by the partner, the last", &s->refused);
}

int cmd_sync_status(struct cli *cli)
{
    CLEANUP(partners_close) struct partners p = {0};
    int code = partners_open(cli, true, &p);

    for (size_t i = 0; code == CLI_OK && i < p.count; i++) {
        struct standing standing;

        standing_read(&p, p.ids[i], &standing);
        if (cli->json)
            code = standing_json(&standing);
        else
            standing_print(&standing);
    }
    if (code == CLI_OK && p.count == 0)
        cli_say(cli, "there are no partners: entente partner add CARD");
    return code;
}
