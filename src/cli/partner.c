/* partner card, add, confirm, show, list, remove: who a partner is, settled by people who compare
 * digits.
 */
#include <inttypes.h>

#include "agreement/card.h"
#include "base/encode.h"
#include "cli/agreement.h"
#include "cli/pattern.h"

#include "base/banned.h"

#define FILE_BYTES_MAX ((size_t)1 << 20)
#define DIGITS_HEAD "entente-fingerprint/1\n"
#define GROUPS 12 /* of five digits, each from five bytes */

int cmd_partner_card(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(buf_free) struct buf card = BUF(CARD_BYTES_MAX), text = BUF(256);
    struct json_writer w = JSON_WRITER(&card);
    uint8_t signature[ED25519_SIGNATURE_BYTES];
    struct hash256 hash;
    struct json_doc doc;
    struct diag diag = {0};
    int code = cli_node_open(cli, false, &node);

    if (code != CLI_OK)
        return code;
    struct keep_place place = node_keep(&node);
    if (cli->word_count != 0 || place.key == NULL)
        return cli_misused(cli, "takes nothing, and a node that has its key");
    if (node.config.exchange_url[0] != '\0' &&
        !card_url_is_good(slice_text(node.config.exchange_url)))
        return cli_fail(CLI_FAILED, "exchange_url = \"%s\": takes https://HOST:PORT",
                        node.config.exchange_url);
    base64_encode(&text, slice_of(place.key, ED25519_PUBLIC_BYTES));
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("id"), place.own);
    jw_put_string(&w, SLICE("key"), buf_slice(&text));
    jw_put_string(&w, SLICE("name"), slice_text(node.config.title));
    jw_put_string(&w, SLICE("type"), SLICE("entente-card"));
    if (node.config.exchange_url[0] != '\0')
        jw_put_string(&w, SLICE("url"), slice_text(node.config.exchange_url));
    jw_object_end(&w);
    if (failed(json_parser_new(JSON_DEPTH_MAX, &parser, &diag)) ||
        failed(json_parse_copy(parser, buf_slice(&card), &doc, &diag)) ||
        failed(document_hash((struct value){&doc, doc.nodes}, &hash, &diag)))
        return cli_failed(&diag);
    buf_reset(&text);
    card_message(&hash, &text);
    ed25519_sign(node.ledger.node_key.seed, buf_slice(&text), signature);
    buf_reset(&text);
    base64_encode(&text, slice_of(signature, sizeof(signature)));
    card.len--; /* the closing brace */
    buf_printf(&card, ",\"signatures\":[\"%.*s\"]}", SLICE_ARG(buf_slice(&text)));
    return cli_print_json(&card);
}

/* Both sides reckon the same digits from the two keys, whichever is whose. */
static void digits_write(const uint8_t *own, const uint8_t *theirs, struct buf *out)
{
    bool is_first = memcmp(own, theirs, ED25519_PUBLIC_BYTES) < 0;
    uint8_t bytes[2 * SHA256_BYTES];

    for (uint8_t i = 0; i < 2; i++) {
        struct sha256_state state;

        sha256_init(&state);
        sha256_add(&state, SLICE(DIGITS_HEAD));
        sha256_add(&state, slice_of(&i, 1));
        sha256_add(&state, slice_of(is_first ? own : theirs, ED25519_PUBLIC_BYTES));
        sha256_add(&state, slice_of(is_first ? theirs : own, ED25519_PUBLIC_BYTES));
        struct hash256 hash = sha256_end(&state);
        memcpy(bytes + (size_t)i * SHA256_BYTES, hash.bytes, SHA256_BYTES);
    }
    for (size_t i = 0; i < GROUPS; i++) {
        uint64_t number = 0;

        for (size_t j = 0; j < 5; j++)
            number = number << 8 | bytes[5 * i + j];
        buf_printf(out, "%05" PRIu64 "%c", number % 100000, i % 4 == 3 ? '\n' : ' ');
    }
}

static void digits_print(const uint8_t *own, const uint8_t *theirs)
{
    CLEANUP(buf_free) struct buf text = BUF(1024);

    digits_write(own, theirs, &text);
    (void)fwrite(text.at, 1, text.len, stdout);
}

static void agreements_write(const struct keep_place *place, struct kv_txn *txn, slice partner,
                             struct arena *arena, struct json_writer *w)
{
    slice id = SLICE_NONE;

    for (size_t i = 0; keep_agreement_at(place, txn, i, arena, &id); i++) {
        CLEANUP(kept_free) struct kept held = {0};
        bool found = false;

        if (succeeded(keep_read_in_force(place, txn, id, arena, &held, &found, NULL)) && found &&
            texts_hold(held.terms.parties, partner))
            jw_string(w, id);
    }
}

static int show_one(const struct cli *cli, const struct keep_place *place, const struct card *card,
                    struct arena *arena)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    CLEANUP(buf_free) struct buf out = BUF(FILE_BYTES_MAX), key = BUF(256), digits = BUF(1024);
    struct json_writer w = JSON_WRITER(&out);
    struct diag diag = {0};

    kv_begin_read(place->kv, &txn, &diag);
    bool is_confirmed = keep_is_confirmed(place, &txn, card->id, card->key);
    base64_encode(&key, slice_of(card->key, sizeof(card->key)));
    if (place->key != NULL)
        digits_write(place->key, card->key, &digits);
    if (!cli->json) {
        (void)printf("%.*s  ", SLICE_ARG(card->id));
        cli_print_text(stdout, card->name);
        (void)printf("\nkey %.*s, %s\n%.*s", SLICE_ARG(buf_slice(&key)),
                     is_confirmed ? "confirmed" : "not confirmed: compare the digits by voice",
                     SLICE_ARG(buf_slice(&digits)));
    }
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("id"), card->id);
    jw_put_string(&w, SLICE("name"), card->name);
    jw_put_string(&w, SLICE("key"), buf_slice(&key));
    jw_put_bool(&w, SLICE("confirmed"), is_confirmed);
    jw_put_string(&w, SLICE("digits"), slice_trim(buf_slice(&digits)));
    jw_key(&w, SLICE("agreements"));
    jw_array_begin(&w);
    agreements_write(place, &txn, card->id, arena, &w);
    jw_array_end(&w);
    jw_object_end(&w);
    if (failed(txn.state))
        return cli_failed(&diag);
    return cli->json ? cli_print_json(&out) : CLI_OK;
}

/* A card that signs itself is no reason to believe another key. */
static result key_is_as_before(const struct keep_place *place, const struct card *card,
                               const char *path, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    CLEANUP(arena_free) struct arena arena = ARENA(AGREEMENT_ARENA_BYTES_MAX);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct card kept;
    struct json_doc doc;
    slice text;

    TRY(json_parser_new(JSON_DEPTH_MAX, &parser, diag));
    kv_begin_read(place->kv, &txn, diag);
    if (!keep_card(place, &txn, card->id, &text))
        return txn.state;
    TRY(json_parse_copy(parser, text, &doc, diag));
    TRY(card_read((struct value){&doc, doc.nodes}, &arena, &kept, diag));
    if (memcmp(kept.key, card->key, sizeof(kept.key)) != 0)
        return diag_fail(diag, ERR_CONFLICT,
                         "%s: %.*s is kept with another key: ask by voice, then \"entente partner "
                         "remove\" first",
                         path, SLICE_ARG(card->id));
    return OK;
}

static result card_take(const struct keep_place *place, const char *path, struct arena *arena,
                        struct card *card, struct diag *diag)
{
    CLEANUP(buf_free) struct buf text = BUF(FILE_BYTES_MAX);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct json_doc doc;

    TRY(cli_file_read(path, &text, diag));
    if (text.len > CARD_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "%s: a card has at most %zu bytes", path, CARD_BYTES_MAX);
    TRY(json_parser_new(DOCUMENT_DEPTH_MAX, &parser, diag));
    TRY(diag_within(diag, json_parse_copy(parser, buf_slice(&text), &doc, diag), "%s", path));
    TRY(diag_within(diag, card_read((struct value){&doc, doc.nodes}, arena, card, diag), "%s",
                    path));
    card->id = arena_copy(arena, card->id);
    if (slice_eq(card->id, place->own))
        return diag_fail(diag, ERR_INVALID, "%s: is this node's own card", path);
    TRY(key_is_as_before(place, card, path, diag));
    return keep_change(place, SLICE(KEEP_CARD), card->id, slice_trim(buf_slice(&text)),
                       SLICE("cli"), diag);
}

int cmd_partner_add(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(arena_free) struct arena arena = ARENA(AGREEMENT_ARENA_BYTES_MAX);
    struct diag diag = {0};
    struct card card;

    if (cli->word_count != 1)
        return cli_misused(cli, "takes a file with a card");
    int code = cli_node_open(cli, false, &node);
    if (code != CLI_OK)
        return code;
    struct keep_place place = node_keep(&node);
    if (failed(card_take(&place, cli->words[0], &arena, &card, &diag)))
        return cli_failed(&diag);
    if (cli->json)
        return show_one(cli, &place, &card, &arena);
    (void)printf("%.*s\n", SLICE_ARG(card.id));
    if (place.key != NULL)
        digits_print(place.key, card.key);
    cli_say(cli, "compare the digits by voice, then: entente partner confirm %.*s",
            SLICE_ARG(card.id));
    return CLI_OK;
}

/* A partner that is kept, for one command. */
struct partner_view {
    struct node node;
    struct keep_place place;
    struct arena arena;
    struct json_parser *parser;
    struct json_doc doc;
    struct card card; /* texts in the arena, or borrowed from the parser */
};

static void partner_view_free(struct partner_view *view)
{
    json_parser_free(&view->parser);
    arena_free(&view->arena);
    node_close(&view->node);
}

/* The partner that the first word names; freed by the caller in any case. */
static int partner_view_open(struct cli *cli, bool read_only, struct partner_view *out)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct diag diag = {0};
    slice text;

    *out = (struct partner_view){.arena = ARENA(AGREEMENT_ARENA_BYTES_MAX)};
    if (cli->word_count != 1)
        return cli_misused(cli, "takes a partner's id");
    int code = cli_node_open(cli, read_only, &out->node);
    if (code != CLI_OK)
        return code;
    out->place = node_keep(&out->node);
    kv_begin_read(out->place.kv, &txn, &diag);
    if (!keep_card(&out->place, &txn, slice_text(cli->words[0]), &text))
        return cli_fail(CLI_NOT_FOUND, "%s: there is no such partner", cli->words[0]);
    if (failed(json_parser_new(JSON_DEPTH_MAX, &out->parser, &diag)) ||
        failed(json_parse_copy(out->parser, text, &out->doc, &diag)) ||
        failed(
            card_read((struct value){&out->doc, out->doc.nodes}, &out->arena, &out->card, &diag)))
        return cli_failed(&diag);
    return CLI_OK;
}

int cmd_partner_confirm(struct cli *cli)
{
    CLEANUP(partner_view_free) struct partner_view view = {0};
    CLEANUP(buf_free) struct buf key = BUF(256);
    struct diag diag = {0};
    int code = partner_view_open(cli, false, &view);

    if (code != CLI_OK)
        return code;
    buf_byte(&key, '"');
    base64_encode(&key, slice_of(view.card.key, sizeof(view.card.key)));
    buf_byte(&key, '"');
    if (failed(keep_change(&view.place, SLICE(KEEP_CONFIRM), view.card.id, buf_slice(&key),
                           SLICE("cli"), &diag)))
        return cli_failed(&diag);
    return CLI_OK;
}

int cmd_partner_show(struct cli *cli)
{
    CLEANUP(partner_view_free) struct partner_view view = {0};
    int code = partner_view_open(cli, true, &view);

    return code == CLI_OK ? show_one(cli, &view.place, &view.card, &view.arena) : code;
}

int cmd_partner_remove(struct cli *cli)
{
    CLEANUP(partner_view_free) struct partner_view view = {0};
    struct diag diag = {0};
    int code = partner_view_open(cli, false, &view);

    if (code != CLI_OK)
        return code;
    if (failed(keep_change_for(&view.place, SLICE(KEEP_REMOVE), view.card.id, SLICE("null"),
                               slice_text(cli_value(cli, "reason")), SLICE("cli"), &diag)))
        return cli_failed(&diag);
    return CLI_OK;
}

int cmd_partner_list(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(arena_free) struct arena arena = ARENA(AGREEMENT_ARENA_BYTES_MAX);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct diag diag = {0};
    slice id, text;
    int code = cli_node_open(cli, true, &node);

    if (code != CLI_OK)
        return code;
    if (failed(json_parser_new(JSON_DEPTH_MAX, &parser, &diag)))
        return cli_failed(&diag);
    struct keep_place place = node_keep(&node);
    kv_begin_read(place.kv, &txn, &diag);
    for (size_t i = 0; keep_partner_at(&place, &txn, i, &arena, &id); i++) {
        CLEANUP(buf_free) struct buf out = BUF(CARD_BYTES_MAX);
        struct json_writer w = JSON_WRITER(&out);
        struct json_doc doc;
        struct card card;

        if (!keep_card(&place, &txn, id, &text) ||
            failed(json_parse_copy(parser, text, &doc, &diag)) ||
            failed(card_read((struct value){&doc, doc.nodes}, &arena, &card, &diag)))
            return cli_failed(&diag);
        bool is_confirmed = keep_is_confirmed(&place, &txn, id, card.key);
        if (cli->json) {
            jw_object_begin(&w);
            jw_put_string(&w, SLICE("id"), id);
            jw_put_string(&w, SLICE("name"), card.name);
            jw_put_bool(&w, SLICE("confirmed"), is_confirmed);
            jw_object_end(&w);
            code = cli_print_json(&out);
            if (code != CLI_OK)
                return code;
            continue;
        }
        (void)printf("%.*s  %s  ", SLICE_ARG(id), is_confirmed ? "confirmed" : "not confirmed");
        cli_print_text(stdout, card.name);
        (void)putchar('\n');
    }
    return failed(txn.state) ? cli_failed(&diag) : CLI_OK;
}
