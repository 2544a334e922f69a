/* partner card, add, confirm, list, remove: who a partner is, settled by people who compare digits.
 */
#include <inttypes.h>

#include "base/encode.h"
#include "cli/agreement.h"
#include "cli/pattern.h"

#include "base/banned.h"

#define CARD_BYTES_MAX ((size_t)16 << 10)
#define FILE_BYTES_MAX ((size_t)1 << 20)
#define CARD_HEAD "entente-card/1\n"
#define DIGITS_HEAD "entente-fingerprint/1\n"
#define GROUPS 12 /* of five digits, each from five bytes */

struct card {
    slice id, name;
    uint8_t key[ED25519_PUBLIC_BYTES];
};

static void message_of(const struct hash256 *hash, struct buf *out)
{
    buf_put(out, SLICE(CARD_HEAD));
    buf_put(out, slice_of(hash->bytes, SHA256_BYTES));
}

static bool bytes_of(struct value value, uint8_t *out, size_t bytes)
{
    CLEANUP(buf_free) struct buf raw = BUF(256);

    if (!value_is_of(value, JSON_STRING) || value.node->escaped ||
        !base64_decode(&raw, json_inner(value.doc, value.node)) || raw.len != bytes)
        return false;
    memcpy(out, raw.at, bytes);
    return true;
}

static result card_read(struct value card, struct arena *arena, struct card *out, struct diag *diag)
{
    CLEANUP(buf_free) struct buf message = BUF(256);
    uint8_t signature[ED25519_SIGNATURE_BYTES];
    struct value list = value_get(card, SLICE("signatures"));
    struct hash256 hash;
    struct stix_id id;

    if (!value_is_of(card, JSON_OBJECT) || value_repeats(card) ||
        !value_is(value_get(card, SLICE("type")), SLICE("entente-card")) ||
        !value_text(value_get(card, SLICE("id")), arena, &out->id) ||
        !stix_id_parse(out->id, &id) || !slice_eq(id.type, SLICE("identity")) ||
        !value_text(value_get(card, SLICE("name")), arena, &out->name) ||
        !bytes_of(value_get(card, SLICE("key")), out->key, sizeof(out->key)))
        return diag_fail(diag, ERR_INVALID, "it is no card: type, id, name and key are needed");
    if (!value_is_of(list, JSON_ARRAY) || list.node->size != 2 ||
        !bytes_of((struct value){list.doc, list.node + 1}, signature, sizeof(signature)))
        return diag_fail(diag, ERR_INVALID, "signatures: a card has one, in base64");
    TRY(document_hash(card, &hash, diag));
    message_of(&hash, &message);
    if (!ed25519_verify(out->key, buf_slice(&message), signature))
        return diag_fail(diag, ERR_CORRUPT, "the card is not signed by its own key");
    return OK;
}

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
    base64_encode(&text, slice_of(place.key, ED25519_PUBLIC_BYTES));
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("id"), place.own);
    jw_put_string(&w, SLICE("key"), buf_slice(&text));
    jw_put_string(&w, SLICE("name"), slice_text(node.config.title));
    jw_put_string(&w, SLICE("type"), SLICE("entente-card"));
    jw_object_end(&w);
    if (failed(json_parser_new(JSON_DEPTH_MAX, &parser, &diag)) ||
        failed(json_parse_copy(parser, buf_slice(&card), &doc, &diag)) ||
        failed(document_hash((struct value){&doc, doc.nodes}, &hash, &diag)))
        return cli_failed(&diag);
    buf_reset(&text);
    message_of(&hash, &text);
    ed25519_sign(node.ledger.node_key.seed, buf_slice(&text), signature);
    buf_reset(&text);
    base64_encode(&text, slice_of(signature, sizeof(signature)));
    card.len--; /* the closing brace */
    buf_printf(&card, ",\"signatures\":[\"%.*s\"]}", SLICE_ARG(buf_slice(&text)));
    return cli_print_json(&card);
}

/* Both sides reckon the same digits from the two keys, whichever is whose. */
static void digits_print(const uint8_t *own, const uint8_t *theirs)
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
        (void)printf("%05" PRIu64 "%c", number % 100000, i % 4 == 3 ? '\n' : ' ');
    }
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
    (void)printf("%.*s\n", SLICE_ARG(card.id));
    if (place.key != NULL)
        digits_print(place.key, card.key);
    cli_say(cli, "compare the digits by voice, then: entente partner confirm %.*s",
            SLICE_ARG(card.id));
    return CLI_OK;
}

/* The card of a partner that is kept. */
static int card_find(const struct keep_place *place, slice id, struct json_parser *parser,
                     struct json_doc *doc, struct arena *arena, struct card *out)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct diag diag = {0};
    slice text;

    kv_begin_read(place->kv, &txn, &diag);
    if (!keep_card(place, &txn, id, &text))
        return cli_fail(CLI_NOT_FOUND, "%.*s: there is no such partner", SLICE_ARG(id));
    if (failed(json_parse_copy(parser, text, doc, &diag)) ||
        failed(card_read((struct value){doc, doc->nodes}, arena, out, &diag)))
        return cli_failed(&diag);
    return CLI_OK;
}

int cmd_partner_confirm(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(arena_free) struct arena arena = ARENA(AGREEMENT_ARENA_BYTES_MAX);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(buf_free) struct buf key = BUF(256);
    struct diag diag = {0};
    struct json_doc doc;
    struct card card;

    if (cli->word_count != 1)
        return cli_misused(cli, "takes a partner's id");
    int code = cli_node_open(cli, false, &node);
    if (code != CLI_OK)
        return code;
    if (failed(json_parser_new(JSON_DEPTH_MAX, &parser, &diag)))
        return cli_failed(&diag);
    struct keep_place place = node_keep(&node);
    code = card_find(&place, slice_text(cli->words[0]), parser, &doc, &arena, &card);
    if (code != CLI_OK)
        return code;
    buf_byte(&key, '"');
    base64_encode(&key, slice_of(card.key, sizeof(card.key)));
    buf_byte(&key, '"');
    if (failed(keep_change(&place, SLICE(KEEP_CONFIRM), slice_text(cli->words[0]), buf_slice(&key),
                           SLICE("cli"), &diag)))
        return cli_failed(&diag);
    return CLI_OK;
}

int cmd_partner_remove(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct diag diag = {0};
    slice card;

    if (cli->word_count != 1)
        return cli_misused(cli, "takes a partner's id");
    int code = cli_node_open(cli, false, &node);
    if (code != CLI_OK)
        return code;
    struct keep_place place = node_keep(&node);
    kv_begin_read(place.kv, &txn, &diag);
    bool is_there = keep_card(&place, &txn, slice_text(cli->words[0]), &card);
    kv_abort(&txn);
    if (!is_there)
        return cli_fail(CLI_NOT_FOUND, "%s: there is no such partner", cli->words[0]);
    if (failed(keep_change(&place, SLICE(KEEP_REMOVE), slice_text(cli->words[0]), SLICE("null"),
                           SLICE("cli"), &diag)))
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
