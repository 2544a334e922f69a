/* ledger verify: files and folders that a ledger handed out, or this node's own folder. */
#include <inttypes.h>

#include "base/encode.h"
#include "cli/cli.h"
#include "ledger/cosign.h"
#include "verify/report.h"
#include "json/canonical.h"

#include "base/banned.h"

#define CANONICAL_BYTES_MAX ((size_t)1 << 30)
#define BROKEN_TOLD_MAX 10

/* ---- files ---- */

static bool own_keys(struct report *report, const struct node *node)
{
    CLEANUP(buf_free) struct buf vkey = BUF(NOTE_KEY_TEXT_BYTES_MAX);

    note_verifier_write(&node->ledger.log_key.verifier, &vkey);
    buf_byte(&vkey, '\0');
    return !vkey.overflowed && report_key(report, vkey.at, false);
}

/* Whom to believe: the keys that are named; none: this node's own. */
static int trust_take(struct cli *cli, struct report *report)
{
    bool is_good = true;

    for (size_t i = 0; i < cli_value_count(cli, "key"); i++)
        is_good = is_good && report_key(report, cli_value_at(cli, "key", i), false);
    for (size_t i = 0; i < cli_value_count(cli, "witness"); i++)
        is_good = is_good && report_key(report, cli_value_at(cli, "witness", i), true);
    for (size_t i = 0; i < cli_value_count(cli, "keys"); i++)
        is_good = is_good && report_keys(report, cli_value_at(cli, "keys", i));
    for (size_t i = 0; i < cli_value_count(cli, "since"); i++)
        is_good = is_good && report_since(report, cli_value_at(cli, "since", i));
    if (cli_has(cli, "quorum"))
        is_good = is_good && report_quorum(report, cli_value(cli, "quorum"));
    if (!is_good)
        return CLI_MISUSED;
    if (report->key_count > report->witness_count)
        return CLI_OK;
    CLEANUP(node_close) struct node node = {0};
    int code = cli_node_open(cli, true, &node);
    if (code != CLI_OK)
        return code;
    return own_keys(report, &node) ? CLI_OK : CLI_FAILED;
}

static int files_verify(struct cli *cli)
{
    static struct report report; /* too large for the stack; one command a process */

    report = (struct report){
        .program = "entente", .json = cli->json, .quiet = cli->quiet, .list = cli_has(cli, "list")};
    int code = trust_take(cli, &report);
    return code != CLI_OK ? code : (int)report_run(&report, cli->words, cli->word_count);
}

/* ---- this node's folder ---- */

struct whole {
    struct node *node;
    struct kv_txn txn;
    struct hash256 spine[TREE_LEVELS_MAX]; /* of each level, the whole subtree that was last made */
    uint64_t entries, heads, objects, broken;
    struct diag diag;
};

static void tell(struct whole *whole, const struct diag *diag)
{
    if (whole->broken++ < BROKEN_TOLD_MAX)
        (void)cli_fail(CLI_UNVERIFIED, "%s", diag->text);
}

/* One entry against its leaf, and the subtrees that it completes against theirs. */
static result entry_check(struct whole *whole, uint64_t number, struct diag *diag)
{
    const struct ledger *ledger = &whole->node->ledger;
    unsigned long long shown = number;
    slice text;

    if (!ledger_read(&whole->txn, ledger->log, number, &text)) {
        TRY(whole->txn.state);
        return diag_fail(diag, ERR_CORRUPT, "log: entry %llu is missing", shown);
    }
    struct hash256 hash = tree_leaf(text);
    for (unsigned level = 0;; level++) {
        struct hash256 kept =
            tree_node(&whole->txn, ledger_tree_table(ledger->log), level, number >> level);

        TRY(whole->txn.state);
        if (!hash256_eq(&hash, &kept))
            return level == 0 ? diag_fail(diag, ERR_CORRUPT,
                                          "log: entry %llu is not the one that was appended", shown)
                              : diag_fail(diag, ERR_CORRUPT,
                                          "tree: the hash of entries %llu to %llu is another",
                                          (shown >> level) << level, shown);
        if ((number >> level & 1) == 0) {
            whole->spine[level] = hash;
            return OK;
        }
        hash = tree_join(&whole->spine[level], &hash);
    }
}

/* Every head that was ever signed, against the tree. */
static result head_check(struct whole *whole, slice bytes, uint64_t *size, struct diag *diag)
{
    const struct ledger *ledger = &whole->node->ledger;
    struct checkpoint checkpoint;
    struct note note;

    TRY(ledger_head_parse(bytes, &note, &checkpoint, diag));
    *size = checkpoint.size;
    unsigned long long shown = checkpoint.size;
    if (note_verify(&note, &ledger->log_key.verifier, NULL) != NOTE_HOLDS)
        return diag_fail(diag, ERR_CORRUPT, "head of %llu entries: not signed by keys/log.key",
                         shown);
    if (checkpoint.size > whole->entries)
        return diag_fail(diag, ERR_CORRUPT, "head of %llu entries: the log ends before entry %llu",
                         shown, (unsigned long long)whole->entries);
    struct hash256 root = tree_root(&whole->txn, ledger_tree_table(ledger->log), checkpoint.size);
    TRY(whole->txn.state);
    if (!hash256_eq(&root, &checkpoint.root))
        return diag_fail(diag, ERR_CORRUPT, "head of %llu entries: signed another history", shown);
    return OK;
}

static void log_check(struct whole *whole)
{
    const struct ledger *ledger = &whole->node->ledger;
    uint64_t size = 0;
    slice head;

    whole->entries = ledger_count(&whole->txn, ledger->log);
    for (uint64_t number = 0; number < whole->entries && succeeded(whole->txn.state); number++) {
        struct diag diag = {0};

        if (failed(entry_check(whole, number, &diag)))
            tell(whole, &diag);
    }
    for (uint64_t from = 0;
         succeeded(whole->txn.state) && ledger_head_next(&whole->txn, ledger->log, from, &head);
         from = size + 1) {
        struct diag diag = {0};

        size = from; /* of a head that cannot be read */
        if (failed(head_check(whole, head, &size, &diag)))
            tell(whole, &diag);
        whole->heads++;
        if (size < from)
            return;
    }
}

/* An object's text against the hash that stands in its record, and so in its entry's root. */
static result object_check(struct store_view *view, uint64_t seq, struct json_parser *parser,
                           struct buf *scratch, struct diag *diag)
{
    struct store_item item;
    struct json_doc doc;
    struct hash256 hash;

    TRY(store_item_check(view, seq, diag));
    if (!store_item_at(view, seq, &item) || item.text.len == 0)
        return OK;
    TRY(diag_within(diag, json_parse_copy(parser, item.text, &doc, diag), "addition %llu",
                    (unsigned long long)seq));
    TRY(json_canonical_hash(&doc, doc.nodes, scratch, &hash, diag));
    if (!hash256_eq(&hash, &item.hash))
        return diag_fail(diag, ERR_CORRUPT, "addition %llu (%s): its text has another hash",
                         (unsigned long long)seq, item.id);
    return OK;
}

static result objects_check(struct whole *whole, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(buf_free) struct buf scratch = BUF(CANONICAL_BYTES_MAX);
    CLEANUP(store_view_end) struct store_view view = {0};

    TRY(json_parser_new(whole->node->config.json_depth_max, &parser, diag));
    store_view_begin(whole->node->store, &view, diag);
    TRY(view.txn.state);
    for (uint64_t seq = 0; seq < view.seq_end; seq++, whole->objects++) {
        struct diag why = {0};

        if (failed(object_check(&view, seq, parser, &scratch, &why)))
            tell(whole, &why);
    }
    return OK;
}

/* The tables, derived once more from the log.  The state hash covers records and so every hash
 * that an entry's root is made of. */
static result tables_check(struct whole *whole, struct diag *diag)
{
    struct hash256 before, after;

    TRY(node_rebuild(whole->node, &before, &after, diag));
    if (!hash256_eq(&before, &after))
        return diag_fail(diag, ERR_CORRUPT,
                         "the tables were not what the log says; they were derived again");
    return OK;
}

static int whole_say(const struct cli *cli, const struct whole *whole)
{
    const char *origin = whole->node->ledger.log_key.verifier.name;

    if (cli->json)
        (void)printf("{\"verified\":%s,\"origin\":\"%s\",\"entries\":%" PRIu64 ",\"heads\":%" PRIu64
                     ",\"additions\":%" PRIu64 ",\"broken\":%" PRIu64 "}\n",
                     whole->broken == 0 ? "true" : "false", origin, whole->entries, whole->heads,
                     whole->objects, whole->broken);
    else if (whole->broken == 0)
        (void)printf("The log %s holds %" PRIu64 " entries, each as it was appended; all %" PRIu64
                     " heads that it signed are of this history.\n%" PRIu64
                     " additions: each text is the one whose hash was recorded.\n",
                     origin, whole->entries, whole->heads, whole->objects);
    return whole->broken == 0
               ? CLI_OK
               : cli_fail(CLI_UNVERIFIED, "%" PRIu64 " things do not hold", whole->broken);
}

static int folder_verify(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    struct whole whole = {.node = &node};
    struct diag diag = {0};
    bool derives = cli_has(cli, "tables");
    int code = cli_node_open(cli, !derives, &node);

    if (code != CLI_OK)
        return code;
    kv_begin_read(node.ledger.kv, &whole.txn, &whole.diag);
    log_check(&whole);
    result r = whole.txn.state;
    if (failed(r))
        tell(&whole, &whole.diag);
    kv_abort(&whole.txn);
    if (failed(objects_check(&whole, &diag)))
        tell(&whole, &diag);
    diag_reset(&diag);
    if (derives && whole.broken == 0 && failed(tables_check(&whole, &diag)))
        tell(&whole, &diag);
    return whole_say(cli, &whole);
}

int cmd_ledger_verify(struct cli *cli)
{
    if (!entente_start())
        return cli_fail(CLI_FAILED, "libsodium does not start");
    return cli->word_count > 0 ? files_verify(cli) : folder_verify(cli);
}
