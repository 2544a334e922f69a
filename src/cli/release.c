/* release preview, release, release approve, send-back, list: what may leave, and that it does. */
#include "agreement/release.h"

#include "agreement/redact.h"
#include "base/crypto.h"
#include "base/time.h"
#include "cli/agreement.h"
#include "gate/look.h"
#include "gate/origin.h"

#include "base/banned.h"

#define ARENA_BYTES_MAX ((size_t)256 << 20)
#define LINE_BYTES_MAX ((size_t)64 << 20)
#define ROWS_MAX 100000

/* What one call of a command looks at. */
struct looking {
    struct cli *cli;
    struct node node;
    struct store_view view;
    struct keep_place place;
    struct arena arena;
    struct look look;
    struct markings markings;
    struct release_row *rows; /* what may go now */
    size_t row_count;
    slice *waiting; /* agreements that ask for a second person, each once */
    size_t waiting_count, seen, refused;
    struct texts only; /* of these agreements; none: all */
};

static void looking_free(struct looking *l)
{
    look_free(&l->look);
    store_view_end(&l->view);
    arena_free(&l->arena);
    node_close(&l->node);
}

static int looking_open(struct cli *cli, bool read_only, struct looking *l)
{
    struct diag diag = {0};

    l->cli = cli;
    l->arena = ARENA(ARENA_BYTES_MAX);
    int code = cli_node_open(cli, read_only, &l->node);
    if (code != CLI_OK)
        return code;
    l->place = node_keep(&l->node);
    l->rows = arena_new(&l->arena, struct release_row, ROWS_MAX);
    l->waiting = arena_new(&l->arena, slice, ROWS_MAX);
    store_view_begin(l->node.store, &l->view, &diag);
    l->look = (struct look){.view = &l->view, .arena = &l->arena};
    if (l->rows == NULL || l->waiting == NULL || diag.code != ERR_NONE ||
        failed(look_init(&l->look, &diag)) || failed(look_markings(&l->look, &l->markings, &diag)))
        return cli_failed(&diag);
    return CLI_OK;
}

/* ---- one object, one recipient ---- */

struct outgoing {
    slice object, version, recipient, name; /* name: of the recipient, or empty */
    struct value value;
    const struct kept *agreement;
    struct decision decision;
    slice new_id;
    bool needs_second;
    const struct way *way; /* of what a partner gave; NULL: it is the node's own */
};

static const struct terms_grant *grant_of(const struct looking *l, const struct kept *kept,
                                          slice recipient)
{
    for (size_t i = 0; i < kept->terms.grant_count; i++)
        if (slice_eq(kept->terms.grants[i].provider, l->place.own) &&
            texts_hold(kept->terms.grants[i].recipients, recipient))
            return &kept->terms.grants[i];
    return NULL;
}

static void party_read(const struct kept *kept, slice party, struct arena *arena, slice *country,
                       slice *name)
{
    struct value list = value_get(kept->document, SLICE("parties"));

    *country = SLICE("???");
    *name = SLICE("");
    for (struct json_each each = json_each(list.doc, list.node); json_next(&each);) {
        struct value one = {list.doc, each.value};

        if (!value_is(value_get(one, SLICE("id")), party))
            continue;
        (void)value_text(value_get(one, SLICE("country")), arena, country);
        (void)value_text(value_get(one, SLICE("name")), arena, name);
    }
}

/* What cannot be redacted as it must be does not go. */
static void redact(struct looking *l, struct outgoing *out)
{
    static const enum reason malformed[] = {REASON_OBJECT_MALFORMED};
    CLEANUP(buf_free) struct buf text = BUF(LINE_BYTES_MAX);
    struct diag diag = {0};

    if (failed(agreement_redact(&out->agreement->terms, out->value, &out->decision, &l->arena,
                                &text, &diag))) {
        out->decision = (struct decision){.verdict = VERDICT_REFUSE,
                                          .reasons = malformed,
                                          .reason_count = 1,
                                          .result_tlp = TLP_NONE};
        return;
    }
    if (out->decision.has_new_id) {
        char uuid[UUID_TEXT_BYTES];
        slice type;
        struct uuid id = redaction_id(out->agreement->terms.id, out->object, out->version,
                                      out->decision.removed, out->decision.removed_count);

        uuid_format(&id, uuid);
        type = slice_head(out->object, slice_find(out->object, SLICE("--")));
        out->new_id = arena_printf(&l->arena, "%.*s--%.*s", SLICE_ARG(type), UUID_TEXT_BYTES, uuid);
    }
}

static void decide(struct looking *l, struct outgoing *out)
{
    const struct terms_grant *grant = grant_of(l, out->agreement, out->recipient);
    struct decide_request request = {.provider = l->place.own,
                                     .recipient = out->recipient,
                                     .now_us = l->place.world->now_us(l->place.world->context),
                                     .is_transit_encrypted = true,
                                     .is_rest_encrypted = true,
                                     .markings = &l->markings,
                                     .world = {look_target, &l->look}};

    party_read(out->agreement, out->recipient, &l->arena, &request.country, &out->name);
    if (out->way != NULL)
        origin_ask(&l->place, &l->view.txn, out->way, &l->arena, &request);
    out->needs_second = grant != NULL && grant->needs_second;
    agreement_decide(&out->agreement->terms, out->value, &request, &l->arena, &out->decision);
    if (out->decision.verdict == VERDICT_REDACT)
        redact(l, out);
}

static bool goes(const struct outgoing *out)
{
    return out->decision.verdict == VERDICT_SHARE || out->decision.verdict == VERDICT_REDACT;
}

/* ---- in words ---- */

static int print_json(const struct outgoing *out)
{
    CLEANUP(buf_free) struct buf line = BUF(LINE_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&line);

    jw_object_begin(&w);
    jw_put_string(&w, SLICE("object"), out->object);
    jw_put_string(&w, SLICE("version"), out->version);
    jw_put_string(&w, SLICE("agreement"), out->agreement->terms.id);
    jw_put_string(&w, SLICE("recipient"), out->recipient);
    jw_put_bool(&w, SLICE("second_person"), out->needs_second);
    decision_write(&out->decision, &w);
    jw_key(&w, SLICE("why"));
    jw_array_begin(&w);
    for (size_t i = 0; i < out->decision.reason_count; i++)
        jw_string(&w, reason_words(out->decision.reasons[i]));
    jw_array_end(&w);
    if (out->new_id.len > 0)
        jw_put_string(&w, SLICE("copy_id"), out->new_id);
    jw_object_end(&w);
    return cli_print_json(&line);
}

static void print_words(const struct outgoing *out)
{
    static const char *const verdicts[] = {[VERDICT_SHARE] = "goes as it is",
                                           [VERDICT_REDACT] = "goes redacted",
                                           [VERDICT_REFUSE] = "does not go",
                                           [VERDICT_HOLD] = "is held"};

    (void)printf("%.*s %s to %.*s", SLICE_ARG(out->object), verdicts[out->decision.verdict],
                 SLICE_ARG(out->recipient));
    if (out->name.len > 0) {
        (void)fputs(" (", stdout);
        cli_print_text(stdout, out->name);
        (void)fputs(")", stdout);
    }
    (void)fputs(" under \"", stdout);
    cli_print_text(stdout, out->agreement->terms.name);
    (void)fputs("\"\n", stdout);
    for (size_t i = 0; i < out->decision.reason_count; i++)
        (void)printf("  %.*s\n", SLICE_ARG(reason_words(out->decision.reasons[i])));
    for (size_t i = 0; i < out->decision.removed_count; i++) {
        (void)fputs("  without ", stdout);
        cli_print_text(stdout, out->decision.removed[i]);
        (void)putchar('\n');
    }
    if (out->decision.until.len > 0)
        (void)printf("  until %.*s\n", SLICE_ARG(out->decision.until));
    for (size_t i = 0; i < out->decision.obligation_count; i++)
        (void)printf("  with the obligation %.*s=%.*s\n",
                     SLICE_ARG(out->decision.obligations[i].name),
                     SLICE_ARG(out->decision.obligations[i].value));
    if (goes(out) && out->needs_second)
        (void)puts("  after a second person has approved it");
}

/* ---- the walk: each object under each agreement to each other party ---- */

static void row_take(struct looking *l, const struct outgoing *out)
{
    const struct decision *d = &out->decision;
    slice *removed = arena_new(&l->arena, slice, d->removed_count + 1);

    if (l->row_count == ROWS_MAX || removed == NULL)
        return;
    for (size_t i = 0; i < d->removed_count; i++)
        removed[i] = arena_copy(&l->arena, d->removed[i]);
    l->rows[l->row_count++] = (struct release_row){
        .object = out->object,
        .version = out->version,
        .agreement = arena_copy(&l->arena, out->agreement->terms.id),
        .recipient = arena_copy(&l->arena, out->recipient),
        .new_id = out->new_id,
        .removed = removed,
        .removed_count = d->removed_count,
        .result_tlp = d->result_tlp == TLP_NONE ? SLICE("") : tlp_name(d->result_tlp),
    };
}

static void waiting_take(struct looking *l, slice agreement)
{
    if (!texts_hold((struct texts){l->waiting, l->waiting_count}, agreement) &&
        l->waiting_count < ROWS_MAX)
        l->waiting[l->waiting_count++] = arena_copy(&l->arena, agreement);
}

/* is_approved: a second person stands behind it. */
static int outgoing_take(struct looking *l, struct outgoing *out, bool is_preview, bool is_approved)
{
    l->seen++;
    decide(l, out);
    if (!goes(out))
        l->refused++;
    else if (out->needs_second && !is_approved)
        waiting_take(l, out->agreement->terms.id);
    else
        row_take(l, out);
    if (!is_preview && goes(out) && !l->cli->json)
        return CLI_OK;
    if (l->cli->json)
        return print_json(out);
    print_words(out);
    return CLI_OK;
}

static int under_one(struct looking *l, const struct kept *kept, const struct outgoing *object,
                     bool is_preview, bool is_approved)
{
    int code = CLI_OK;

    for (size_t i = 0; code == CLI_OK && i < kept->terms.parties.count; i++) {
        struct outgoing out = *object;

        out.agreement = kept;
        out.recipient = kept->terms.parties.at[i];
        if (!slice_eq(out.recipient, l->place.own))
            code = outgoing_take(l, &out, is_preview, is_approved);
    }
    return code;
}

static int object_walk(struct looking *l, slice id, bool is_preview, bool is_approved)
{
    struct outgoing object = {.object = id, .version = SLICE("")};
    struct diag diag = {0};
    slice agreement;
    int code = CLI_OK;
    struct way way;
    bool is_ours;

    if (failed(origin_of_object(&l->view, id, &l->arena, &way, &is_ours, &diag)))
        return cli_failed(&diag);
    object.way = is_ours ? NULL : &way;
    if (!look_object(&l->look, id, &object.value))
        return cli_fail(CLI_NOT_FOUND, "%.*s: the node has no such object", SLICE_ARG(id));
    if (!value_text(value_get(object.value, SLICE("modified")), &l->arena, &object.version))
        (void)value_text(value_get(object.value, SLICE("created")), &l->arena, &object.version);
    object.version = arena_copy(&l->arena, object.version);
    for (size_t i = 0;
         code == CLI_OK && keep_agreement_at(&l->place, &l->view.txn, i, &l->arena, &agreement);
         i++) {
        CLEANUP(kept_free) struct kept held = {0};

        if (l->only.count > 0 && !texts_hold(l->only, agreement))
            continue;
        code = cli_agreement(&l->place, &l->view.txn, arena_text(&l->arena, agreement), true,
                             &l->arena, &held);
        if (code == CLI_OK)
            code = under_one(l, &held, &object, is_preview, is_approved);
    }
    return code;
}

static int objects_walk(struct looking *l, struct texts ids, bool is_preview, bool is_approved)
{
    int code = CLI_OK;

    for (size_t i = 0; code == CLI_OK && i < ids.count; i++)
        code = object_walk(l, ids.at[i], is_preview, is_approved);
    if (code == CLI_OK && l->arena.overflowed)
        return cli_fail(CLI_FAILED, "no memory: release fewer objects at a time");
    if (code == CLI_OK && l->seen == 0)
        cli_say(l->cli, "there is no agreement under which anything could go");
    return code;
}

static int words_take(struct looking *l, struct texts *ids)
{
    slice *words = arena_new(&l->arena, slice, l->cli->word_count + 1);
    slice *only = arena_new(&l->arena, slice, cli_value_count(l->cli, "agreement") + 1);

    if (words == NULL || only == NULL)
        return cli_fail(CLI_FAILED, "no memory");
    for (size_t i = 0; i < l->cli->word_count; i++)
        words[i] = slice_text(l->cli->words[i]);
    l->only = (struct texts){only, cli_value_count(l->cli, "agreement")};
    for (size_t i = 0; i < l->only.count; i++)
        only[i] = slice_text(cli_value_at(l->cli, "agreement", i));
    *ids = (struct texts){words, l->cli->word_count};
    return CLI_OK;
}

int cmd_release_preview(struct cli *cli)
{
    CLEANUP(looking_free) struct looking l = {0};
    struct texts ids = {0};

    if (cli->word_count == 0)
        return cli_misused(cli, "takes ids of objects");
    int code = looking_open(cli, true, &l);
    if (code == CLI_OK)
        code = words_take(&l, &ids);
    return code == CLI_OK ? objects_walk(&l, ids, true, false) : code;
}

/* ---- who does it ---- */

/* The account of --as, with one of these roles; empty without --as. */
static int person_find(struct looking *l, unsigned roles, slice *out)
{
    const char *name = cli_value(l->cli, "as");
    struct account account;

    *out = SLICE("");
    if (name == NULL)
        return CLI_OK;
    if (!account_find(&l->view.txn, l->node.accounts, slice_text(name), &account))
        return cli_fail(CLI_NOT_FOUND, "--as %s: there is no such account", name);
    if (account.is_disabled || account.organisation[0] != '\0' || (account.roles & roles) == 0)
        return cli_fail(CLI_REFUSED, "--as %s: the account may not do this", name);
    *out = slice_text(name);
    return CLI_OK;
}

static int submit(struct looking *l, struct texts ids, slice person)
{
    char uuid[UUID_TEXT_BYTES], id[64];
    struct diag diag = {0};
    uint8_t chance[16];

    if (person.len == 0)
        return cli_fail(CLI_REFUSED, "an agreement asks for a second person: say with --as who "
                                     "submits");
    random_bytes(chance, sizeof(chance));
    struct uuid made = uuid_v4(chance);
    uuid_format(&made, uuid);
    (void)snprintf(id, sizeof(id), "release--%.*s", UUID_TEXT_BYTES, uuid);
    struct submission submission = {.id = slice_text(id),
                                    .actor = person,
                                    .reason = slice_text(cli_value(l->cli, "reason")),
                                    .objects = ids,
                                    .agreements = {l->waiting, l->waiting_count}};
    if (failed(release_submit(&l->place, &submission, &diag)))
        return cli_failed(&diag);
    (void)printf(l->cli->json ? "{\"submission\":\"%s\"}\n" : "%s\n", id);
    cli_say(l->cli, "waits for a second person: entente release approve %s --as USER", id);
    return CLI_OK;
}

static int let_go(struct looking *l, struct texts ids, slice submission, slice person)
{
    slice actor = person.len > 0 ? person : SLICE("cli");
    struct diag diag = {0};

    store_view_end(&l->view);
    if (l->row_count > 0 &&
        failed(release_go(&l->place, l->rows, l->row_count, submission,
                          slice_text(cli_value(l->cli, "reason")), actor, &diag)))
        return cli_failed(&diag);
    for (size_t i = 0; i < l->row_count; i++)
        cli_say(l->cli, "%.*s is released to %.*s", SLICE_ARG(l->rows[i].object),
                SLICE_ARG(l->rows[i].recipient));
    if (l->waiting_count > 0)
        return submit(l, ids, person);
    return l->row_count > 0 ? CLI_OK : cli_fail(CLI_REFUSED, "nothing of it may go to anyone");
}

int cmd_release(struct cli *cli)
{
    CLEANUP(looking_free) struct looking l = {0};
    struct texts ids = {0};
    slice person = SLICE_NONE;

    if (cli->word_count == 0)
        return cli_misused(cli, "takes ids of objects");
    int code = looking_open(cli, false, &l);
    if (code == CLI_OK)
        code = person_find(&l, ROLE_ANALYST | ROLE_RELEASER | ROLE_ADMIN, &person);
    if (code == CLI_OK)
        code = words_take(&l, &ids);
    if (code == CLI_OK)
        code = objects_walk(&l, ids, false, false);
    if (code == CLI_OK && l.waiting_count > 0 && person.len == 0)
        return cli_fail(CLI_REFUSED, "an agreement asks for a second person: say with --as who "
                                     "submits");
    return code == CLI_OK ? let_go(&l, ids, SLICE(""), person) : code;
}

/* ---- the second person ---- */

static int second_open(struct cli *cli, struct looking *l, slice *person, struct submission *out)
{
    if (cli->word_count != 1)
        return cli_misused(cli, "takes the id of a submission");
    if (cli_value(cli, "as") == NULL)
        return cli_misused(cli, "--as USER is needed: the second person");
    int code = looking_open(cli, false, l);
    if (code == CLI_OK)
        code = person_find(l, ROLE_RELEASER | ROLE_ADMIN, person);
    if (code == CLI_OK &&
        !release_find(&l->place, &l->view.txn, slice_text(cli->words[0]), &l->arena, out))
        code = cli_fail(CLI_NOT_FOUND, "%s: there is no such submission", cli->words[0]);
    if (code == CLI_OK && slice_eq(out->actor, *person))
        code = cli_fail(CLI_REFUSED, "%s: is %.*s's own; a second person decides", cli->words[0],
                        SLICE_ARG(*person));
    return code;
}

/* It is decided anew: what has become of the object or the agreement since counts. */
int cmd_release_approve(struct cli *cli)
{
    CLEANUP(looking_free) struct looking l = {0};
    struct submission submission = {0};
    slice person = SLICE_NONE;
    int code = second_open(cli, &l, &person, &submission);

    if (code != CLI_OK)
        return code;
    l.only = submission.agreements;
    code = objects_walk(&l, submission.objects, false, true);
    return code == CLI_OK ? let_go(&l, submission.objects, submission.id, person) : code;
}

int cmd_release_send_back(struct cli *cli)
{
    CLEANUP(looking_free) struct looking l = {0};
    struct submission submission = {0};
    struct diag diag = {0};
    slice person = SLICE_NONE;
    int code = second_open(cli, &l, &person, &submission);

    if (code != CLI_OK)
        return code;
    store_view_end(&l.view);
    if (failed(release_send_back(&l.place, submission.id, slice_text(cli_value(cli, "reason")),
                                 person, &diag)))
        return cli_failed(&diag);
    cli_say(cli, "%s is sent back to %.*s", cli->words[0], SLICE_ARG(submission.actor));
    return CLI_OK;
}

static int list_one(const struct cli *cli, const struct submission *one)
{
    static const char *const states[] = {"waiting", "approved", "sent back"};
    CLEANUP(buf_free) struct buf out = BUF(LINE_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&out);

    if (!cli->json) {
        (void)printf("%.*s  %-9s  by %.*s, %zu object%s  ", SLICE_ARG(one->id), states[one->state],
                     SLICE_ARG(one->actor), one->objects.count, one->objects.count == 1 ? "" : "s");
        cli_print_text(stdout, one->reason);
        (void)putchar('\n');
        return CLI_OK;
    }
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("id"), one->id);
    jw_put_string(&w, SLICE("state"), slice_text(states[one->state]));
    jw_put_string(&w, SLICE("actor"), one->actor);
    jw_put_string(&w, SLICE("reason"), one->reason);
    jw_key(&w, SLICE("objects"));
    jw_array_begin(&w);
    for (size_t i = 0; i < one->objects.count; i++)
        jw_string(&w, one->objects.at[i]);
    jw_array_end(&w);
    jw_object_end(&w);
    return cli_print_json(&out);
}

int cmd_release_list(struct cli *cli)
{
    CLEANUP(looking_free) struct looking l = {0};
    struct submission one;

    if (cli->word_count != 0)
        return cli_misused(cli, "takes no argument");
    int code = looking_open(cli, true, &l);
    for (size_t i = 0; code == CLI_OK && release_at(&l.place, &l.view.txn, i, &l.arena, &one); i++)
        code = list_one(cli, &one);
    return code == CLI_OK && failed(l.view.txn.state) ? cli_failed(l.view.txn.diag) : code;
}
