/* agreement draft, edit, sign, propose, accept, list, show, suspend, resume, end. */
#include "cli/agreement.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "agreement/accept.h"
#include "base/time.h"
#include "cli/pattern.h"
#include "json/canonical.h"

#include "base/banned.h"

#define TEXT_BYTES_MAX ((size_t)1 << 20)

int cli_agreement(const struct keep_place *place, struct kv_txn *txn, const char *id, bool in_force,
                  struct arena *arena, struct kept *out)
{
    struct diag diag = {0};
    bool found = false;
    result r = in_force ? keep_read_in_force(place, txn, slice_text(id), arena, out, &found, &diag)
                        : keep_read(place, txn, slice_text(id), 0, arena, out, &found, &diag);

    if (failed(r))
        return cli_failed(&diag);
    return found ? CLI_OK : cli_fail(CLI_NOT_FOUND, "%s: there is no such agreement", id);
}

int agreement_view_open(struct cli *cli, bool in_force, struct agreement_view *out)
{
    struct diag diag = {0};

    *out = (struct agreement_view){.arena = ARENA(AGREEMENT_ARENA_BYTES_MAX)};
    int code = cli_node_open(cli, true, &out->node);
    if (code != CLI_OK)
        return code;
    out->place = node_keep(&out->node);
    kv_begin_read(out->place.kv, &out->txn, &diag);
    return cli_agreement(&out->place, &out->txn, cli->words[0], in_force, &out->arena, &out->held);
}

void agreement_view_free(struct agreement_view *view)
{
    kv_abort(&view->txn);
    kept_free(&view->held);
    arena_free(&view->arena);
    node_close(&view->node);
}

/* ---- draft ---- */

static const struct template
{
    const char *name, *title;
    const char *terms; /* of a grant, behind provider and recipients */
}
templates[] = {
    {"bilateral", "Exchange between two teams",
     "\"tlp\":{\"max\":\"amber+strict\",\"unmarked\":\"refuse\",\"red\":\"refuse\"},"
     "\"pap\":{\"max\":\"amber\",\"unmarked\":\"amber\"},\"object_types\":{\"deny\":[\"incident\"]}"
     ","
     "\"permitted_actions\":\"externally-visible-indirect-actions\",\"attribution\":\"may\","
     "\"encrypt_in_transit\":\"must\",\"further_sharing\":{\"permit\":[\"self\",\"client\"]},"
     "\"granular\":\"redact\",\"absent_refs\":\"drop\",\"extensions\":{\"allow\":[],\"unknown\":"
     "\"strip\"},\"retention\":\"P730D\""},
    {"indicators", "Indicators only",
     "\"tlp\":{\"max\":\"green\",\"unmarked\":\"refuse\",\"red\":\"refuse\"},"
     "\"pap\":{\"max\":\"green\",\"unmarked\":\"green\"},\"object_types\":{\"allow\":["
     "\"indicator\","
     "\"sighting\",\"marking-definition\"]},\"permitted_actions\":"
     "\"externally-visible-direct-actions\",\"encrypt_in_transit\":\"must\",\"further_sharing\":"
     "{\"permit\":[\"self\",\"client\",\"partner\"]},\"granular\":\"redact\",\"absent_refs\":"
     "\"drop\",\"extensions\":{\"allow\":[],\"unknown\":\"refuse\"},\"retention\":\"P365D\""},
    {"anonymous", "Sources are never named",
     "\"tlp\":{\"max\":\"amber\",\"unmarked\":\"refuse\",\"red\":\"refuse\"},"
     "\"pap\":{\"max\":\"amber\",\"unmarked\":\"amber\"},\"object_types\":{\"deny\":[\"identity\","
     "\"incident\"]},\"permitted_actions\":\"externally-visible-indirect-actions\",\"attribution\":"
     "\"must-not\",\"redact\":[\"external_references\"],\"encrypt_in_transit\":\"must\","
     "\"further_sharing\":{\"permit\":[\"self\"]},\"granular\":\"redact\",\"absent_refs\":\"drop\","
     "\"extensions\":{\"allow\":[],\"unknown\":\"strip\"},\"retention\":\"P365D\""},
    {"research", "Study, not action",
     "\"tlp\":{\"max\":\"amber\",\"unmarked\":\"refuse\",\"red\":\"refuse\"},"
     "\"pap\":{\"max\":\"red\",\"unmarked\":\"red\"},\"object_types\":{\"deny\":[\"identity\"]},"
     "\"permitted_actions\":\"internally-visible-actions\",\"affected_party_notifications\":"
     "\"must-not\",\"attribution\":\"may\",\"encrypt_in_transit\":\"must\",\"encrypt_at_rest\":"
     "\"must\",\"further_sharing\":{\"permit\":[\"self\"]},\"granular\":\"redact\",\"absent_refs\":"
     "\"drop\",\"extensions\":{\"allow\":[],\"unknown\":\"strip\"},\"retention\":\"P180D\""},
};

static const struct template *template_find(const char *name)
{
    for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++)
        if (strcmp(templates[i].name, name) == 0)
            return &templates[i];
    return NULL;
}

static void grant_write(struct buf *out, slice from, slice to, const char *terms)
{
    buf_printf(out, "{\"provider\":\"%.*s\",\"recipients\":[\"%.*s\"],%s}", SLICE_ARG(from),
               SLICE_ARG(to), terms);
}

static void draft_write(const struct keep_place *place, const struct template *template,
                        const char *name, slice partner, slice id, struct buf *out)
{
    struct json_writer w;
    char now[TIMESTAMP_TEXT_BYTES_MAX];
    size_t bytes = time_format_us(place->world->now_us(place->world->context), now);

    buf_printf(out,
               "{\"type\":\"entente-agreement\",\"spec_version\":\"1\",\"id\":\"%.*s\","
               "\"version\":1,\"start_date\":\"%.*s\",\"name\":",
               SLICE_ARG(id), (int)bytes, now);
    w = JSON_WRITER(out);
    jw_string(&w, slice_text(name != NULL ? name : template->title));
    buf_printf(out,
               ",\"parties\":[{\"id\":\"%.*s\"},{\"id\":\"%.*s\"}],\"recall\":{\"ack_within\":"
               "\"PT24H\",\"action\":\"delete\"},\"grants\":[",
               SLICE_ARG(place->own), SLICE_ARG(partner));
    grant_write(out, place->own, partner, template->terms);
    buf_byte(out, ',');
    grant_write(out, partner, place->own, template->terms);
    buf_put(out, SLICE("]}"));
}

static int no_key(void)
{
    return cli_fail(CLI_FAILED, "the node has no key yet: open it once for writing");
}

int cmd_agreement_draft(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(arena_free) struct arena arena = ARENA(AGREEMENT_ARENA_BYTES_MAX);
    CLEANUP(buf_free) struct buf text = BUF(TEXT_BYTES_MAX);
    const char *name = cli_value(cli, "template");
    const struct template *template = template_find(name != NULL ? name : "bilateral");
    char uuid[UUID_TEXT_BYTES], id[64];
    const struct merged unsigned_yet = {.count = 0};
    struct diag diag = {0};
    uint8_t chance[16];
    struct stix_id partner;

    if (cli->word_count != 1 || !stix_id_parse(slice_text(cli->words[0]), &partner))
        return cli_misused(cli, "takes a partner's id");
    if (template == NULL)
        return cli_misused(
            cli, "--template = \"%s\": takes bilateral, indicators, anonymous or research", name);
    int code = cli_node_open(cli, false, &node);
    if (code != CLI_OK)
        return code;
    struct keep_place place = node_keep(&node);
    if (place.key == NULL)
        return no_key();
    random_bytes(chance, sizeof(chance));
    struct uuid made = uuid_v4(chance);
    uuid_format(&made, uuid);
    (void)snprintf(id, sizeof(id), "agreement--%.*s", UUID_TEXT_BYTES, uuid);
    draft_write(&place, template, cli_value(cli, "name"), slice_text(cli->words[0]), slice_text(id),
                &text);
    if (failed(agreement_put(&place, buf_slice(&text), &unsigned_yet, SLICE("cli"), &arena, &diag)))
        return cli_failed(&diag);
    (void)printf(cli->json ? "{\"id\":\"%s\"}\n" : "%s\n", id);
    return CLI_OK;
}

/* ---- edit and accept ---- */

static result document_take(const struct keep_place *place, const char *path, const char *id_asked,
                            struct arena *arena, slice *id, struct diag *diag)
{
    CLEANUP(buf_free) struct buf text = BUF(TEXT_BYTES_MAX);
    bool is_new;

    TRY(cli_file_read(path, &text, diag));
    result r = agreement_accept(place, buf_slice(&text), slice_text(id_asked), SLICE("cli"), arena,
                                id, &is_new, diag);
    return r.code == ERR_CONFLICT ? r : diag_within(diag, r, "%s", path);
}

static int take(struct cli *cli, const char *path, const char *id_asked)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(arena_free) struct arena arena = ARENA(AGREEMENT_ARENA_BYTES_MAX);
    struct diag diag = {0};
    slice id;
    int code = cli_node_open(cli, false, &node);

    if (code != CLI_OK)
        return code;
    struct keep_place place = node_keep(&node);
    if (failed(document_take(&place, path, id_asked, &arena, &id, &diag)))
        return cli_failed(&diag);
    (void)printf(cli->json ? "{\"id\":\"%.*s\"}\n" : "%.*s\n", SLICE_ARG(id));
    return CLI_OK;
}

int cmd_agreement_edit(struct cli *cli)
{
    if (cli->word_count != 2)
        return cli_misused(cli, "takes an agreement's id and a file");
    return take(cli, cli->words[1], cli->words[0]);
}

int cmd_agreement_accept(struct cli *cli)
{
    if (cli->word_count != 1)
        return cli_misused(cli, "takes a file");
    return take(cli, cli->words[0], NULL);
}

/* ---- sign ---- */

static result sign_with(const struct node *node, const struct keep_place *place,
                        const struct kept *held, struct arena *arena, struct diag *diag)
{
    uint8_t message[DOCUMENT_SIGNED_BYTES];
    struct merged merged = {.count = 0};
    struct signature own = {.party = place->own};
    CLEANUP(buf_free) struct buf text = BUF(TEXT_BYTES_MAX);

    if (!texts_hold(held->terms.parties, place->own))
        return diag_fail(diag, ERR_DENIED, "this node (%.*s) is no party of it",
                         SLICE_ARG(place->own));
    document_signed_bytes(&held->hash, message);
    memcpy(own.key, place->key, sizeof(own.key));
    ed25519_sign(node->ledger.node_key.seed, slice_of(message, sizeof(message)), own.bytes);
    signatures_merge(&merged, &own, 1);
    signatures_merge(&merged, held->signatures, held->signature_count);
    json_minify(held->document.doc, held->document.node, &text);
    return agreement_put(place, buf_slice(&text), &merged, SLICE("cli"), arena, diag);
}

int cmd_agreement_sign(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(arena_free) struct arena arena = ARENA(AGREEMENT_ARENA_BYTES_MAX);
    CLEANUP(kept_free) struct kept held = {0};
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct diag diag = {0};

    if (cli->word_count != 1)
        return cli_misused(cli, "takes an agreement's id");
    int code = cli_node_open(cli, false, &node);
    if (code != CLI_OK)
        return code;
    struct keep_place place = node_keep(&node);
    if (place.key == NULL)
        return no_key();
    kv_begin_read(place.kv, &txn, &diag);
    code = cli_agreement(&place, &txn, cli->words[0], false, &arena, &held);
    kv_abort(&txn);
    if (code != CLI_OK)
        return code;
    if (failed(sign_with(&node, &place, &held, &arena, &diag)))
        return cli_failed(&diag);
    cli_say(cli, "signed %s", held.hash_text);
    return CLI_OK;
}

/* ---- state ---- */

static int state_set(struct cli *cli, const char *json, bool may_be_ended)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(arena_free) struct arena arena = ARENA(AGREEMENT_ARENA_BYTES_MAX);
    CLEANUP(kept_free) struct kept held = {0};
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct diag diag = {0};

    if (cli->word_count != 1)
        return cli_misused(cli, "takes an agreement's id");
    int code = cli_node_open(cli, false, &node);
    if (code != CLI_OK)
        return code;
    struct keep_place place = node_keep(&node);
    kv_begin_read(place.kv, &txn, &diag);
    code = cli_agreement(&place, &txn, cli->words[0], false, &arena, &held);
    bool is_ended = slice_eq(keep_state(&place, &txn, slice_text(cli->words[0])), SLICE("ended"));
    kv_abort(&txn);
    if (code != CLI_OK)
        return code;
    if (is_ended && !may_be_ended)
        return cli_fail(CLI_REFUSED, "%s: has ended for good", cli->words[0]);
    if (failed(keep_change_for(&place, SLICE(KEEP_STATE), slice_text(cli->words[0]),
                               slice_text(json), slice_text(cli_value(cli, "reason")), SLICE("cli"),
                               &diag)))
        return cli_failed(&diag);
    if (cli->json)
        (void)printf("{\"id\":\"%s\",\"state\":%s}\n", cli->words[0], json);
    return CLI_OK;
}

int cmd_agreement_suspend(struct cli *cli)
{
    return state_set(cli, "\"suspended\"", false);
}

int cmd_agreement_resume(struct cli *cli)
{
    return state_set(cli, "\"active\"", false);
}

int cmd_agreement_end(struct cli *cli)
{
    return state_set(cli, "\"ended\"", true);
}

/* ---- show, propose, list ---- */

static int newest_write(struct cli *cli, const char *path)
{
    CLEANUP(agreement_view_free) struct agreement_view view = {0};

    if (cli->word_count != 1)
        return cli_misused(cli, "takes an agreement's id");
    int code = agreement_view_open(cli, false, &view);
    if (code != CLI_OK)
        return code;
    slice text = json_raw(view.held.document.doc, view.held.document.node);
    FILE *file = path != NULL ? fopen(path, "w") : stdout;
    if (file == NULL)
        return cli_fail(CLI_FAILED, "%s: cannot be written", path);
    bool is_whole = fwrite(text.at, 1, text.len, file) == text.len && fputc('\n', file) != EOF;
    if (path != NULL && fclose(file) != 0)
        is_whole = false;
    return is_whole ? CLI_OK : cli_fail(CLI_FAILED, "the agreement could not be written whole");
}

int cmd_agreement_show(struct cli *cli)
{
    return newest_write(cli, NULL);
}

/* It goes to the other parties with the exchange. */
static int propose_send(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(arena_free) struct arena arena = ARENA(AGREEMENT_ARENA_BYTES_MAX);
    CLEANUP(kept_free) struct kept held = {0};
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct diag diag = {0};
    char version[24];

    if (cli->word_count != 1 || cli_has(cli, "output"))
        return cli_misused(cli, "takes an agreement's id; --send and --output exclude each other");
    int code = cli_node_open(cli, false, &node);
    if (code != CLI_OK)
        return code;
    struct keep_place place = node_keep(&node);
    kv_begin_read(place.kv, &txn, &diag);
    code = cli_agreement(&place, &txn, cli->words[0], false, &arena, &held);
    kv_abort(&txn);
    if (code != CLI_OK)
        return code;
    (void)snprintf(version, sizeof(version), "%" PRId64, held.version);
    if (failed(keep_change(&place, SLICE(KEEP_PROPOSE), slice_text(cli->words[0]),
                           slice_text(version), SLICE("cli"), &diag)))
        return cli_failed(&diag);
    cli_say(cli, "version %s goes to the other parties with the exchange", version);
    return CLI_OK;
}

int cmd_agreement_propose(struct cli *cli)
{
    return cli_has(cli, "send") ? propose_send(cli) : newest_write(cli, cli_value(cli, "output"));
}

static int list_one(const struct cli *cli, slice id, slice state, const struct kept *held)
{
    CLEANUP(buf_free) struct buf out = BUF(TEXT_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&out);
    const char *word = held->terms.is_signed ? "" : "unsigned ";

    if (!cli->json) {
        (void)printf("%.*s  version %" PRId64 "  %s%.*s  ", SLICE_ARG(id), held->version, word,
                     SLICE_ARG(state));
        cli_print_text(stdout, held->terms.name);
        (void)putchar('\n');
        return CLI_OK;
    }
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("id"), id);
    jw_put_u64(&w, SLICE("version"), (uint64_t)held->version);
    jw_put_string(&w, SLICE("name"), held->terms.name);
    jw_put_string(&w, SLICE("hash"), slice_text(held->hash_text));
    jw_put_string(&w, SLICE("state"), state);
    jw_put_bool(&w, SLICE("signed"), held->terms.is_signed);
    jw_key(&w, SLICE("signatures"));
    jw_array_begin(&w);
    for (size_t i = 0; i < held->signature_count; i++)
        jw_string(&w, held->signatures[i].party);
    jw_array_end(&w);
    jw_object_end(&w);
    return cli_print_json(&out);
}

int cmd_agreement_list(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(arena_free) struct arena arena = ARENA(AGREEMENT_ARENA_BYTES_MAX);
    CLEANUP(kept_free) struct kept held = {0};
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct diag diag = {0};
    slice id;
    int code = cli_node_open(cli, true, &node);

    if (code != CLI_OK)
        return code;
    struct keep_place place = node_keep(&node);
    kv_begin_read(place.kv, &txn, &diag);
    for (size_t i = 0; keep_agreement_at(&place, &txn, i, &arena, &id); i++) {
        code = cli_agreement(&place, &txn, arena_text(&arena, id), false, &arena, &held);
        if (code != CLI_OK)
            return code;
        code = list_one(cli, id, held.state, &held);
        if (code != CLI_OK)
            return code;
        arena_reset(&arena);
    }
    return failed(txn.state) ? cli_failed(&diag) : CLI_OK;
}
