#include "node/check.h"

#include "base/encode.h"
#include "ledger/witness.h"
#include "json/canonical.h"

#include "base/banned.h"

#define CANONICAL_BYTES_MAX ((size_t)1 << 30)
#define ENTRY_ARENA_BYTES_MAX ((size_t)1 << 20)

static void tell(struct node_check *check, const struct diag *diag)
{
    check->broken++;
    if (check->tell != NULL)
        check->tell(check->context, diag);
}

static void tell_result(struct node_check *check, result r, const struct diag *diag)
{
    if (failed(r))
        tell(check, diag);
}

/* ---- the log ---- */

struct log_walk {
    const struct ledger *ledger;
    struct kv_txn *txn;
    struct store_view *view; /* NULL: without additions */
    struct node_check *check;
    struct json_parser *parser;            /* owned */
    struct hash256 spine[TREE_LEVELS_MAX]; /* of each level, the whole subtree that was last made */
    int64_t reach_us;                      /* of the entry before */
};

static kv_table tree_of(const struct log_walk *walk)
{
    return ledger_tree_table(walk->ledger->log);
}

/* An entry against its leaf, and the subtrees that it completes against theirs. */
static result entry_in_tree(struct log_walk *walk, uint64_t number, slice text, struct diag *diag)
{
    unsigned long long shown = number;
    struct hash256 hash = tree_leaf(text);

    for (unsigned level = 0;; level++) {
        struct hash256 kept = tree_node(walk->txn, tree_of(walk), level, number >> level);

        TRY(walk->txn->state);
        if (!hash256_eq(&hash, &kept))
            return level == 0 ? diag_fail(diag, ERR_CORRUPT,
                                          "log: entry %llu is not the one that was appended", shown)
                              : diag_fail(diag, ERR_CORRUPT,
                                          "tree: the hash of entries %llu to %llu is another",
                                          (shown >> level) << level, shown);
        if ((number >> level & 1) == 0) {
            walk->spine[level] = hash;
            return OK;
        }
        hash = tree_join(&walk->spine[level], &hash);
    }
}

static bool number_of(const struct ledger_entry *entry, slice key, uint64_t *out)
{
    int64_t value;

    if (!json_i64(&entry->doc, json_get(&entry->doc, entry->doc.nodes, key), &value) || value < 0)
        return false;
    *out = (uint64_t)value;
    return true;
}

static bool hash_of(const struct ledger_entry *entry, slice key, struct hash256 *out)
{
    const struct json_node *node = json_get(&entry->doc, entry->doc.nodes, key);

    return node != NULL && node->kind == JSON_STRING &&
           hex_decode(json_inner(&entry->doc, node), out->bytes, SHA256_BYTES);
}

/* The additions that an entry names have the root that stands in it. */
static result additions_check(const struct log_walk *walk, uint64_t number,
                              const struct ledger_entry *entry, struct diag *diag)
{
    struct hash256 named, root;
    uint64_t first, count;

    if (!number_of(entry, SLICE("first"), &first) || !number_of(entry, SLICE("count"), &count) ||
        !hash_of(entry, SLICE("root"), &named))
        return diag_fail(diag, ERR_CORRUPT, "log: entry %llu names no additions with their root",
                         (unsigned long long)number);
    TRY(diag_within(diag, store_additions_root(walk->view, first, count, &root, diag),
                    "log: entry %llu", (unsigned long long)number));
    if (!hash256_eq(&named, &root))
        return diag_fail(diag, ERR_CORRUPT,
                         "log: entry %llu: the records of additions %llu to %llu are not those "
                         "that it names: their root is another",
                         (unsigned long long)number, (unsigned long long)first,
                         (unsigned long long)(first + count - 1));
    return OK;
}

static result split_check(const struct log_walk *walk, uint64_t number,
                          const struct ledger_entry *entry, struct diag *diag)
{
    struct hash256 named, hash;
    uint64_t evidence;

    if (!number_of(entry, SLICE("evidence"), &evidence) ||
        !hash_of(entry, SLICE("sha256"), &named) ||
        !evidence_hash(walk->txn, walk->ledger->log, evidence, &hash) || !hash256_eq(&named, &hash))
        return diag_fail(diag, ERR_CORRUPT,
                         "log: entry %llu: the evidence of two histories is not the one it names",
                         (unsigned long long)number);
    return OK;
}

/* What an entry says, against what else is kept of it. */
static result entry_borne_out(struct log_walk *walk, uint64_t number, slice text, struct diag *diag)
{
    unsigned long long shown = number;
    struct ledger_entry entry;
    int64_t reach_us = 0;

    TRY(diag_within(diag, ledger_parse(walk->parser, text, &entry, diag), "log: entry %llu",
                    shown));
    if (number > 0 && entry.at_us <= walk->reach_us)
        return diag_fail(diag, ERR_CORRUPT, "log: entry %llu is not later than the one before it",
                         shown);
    walk->reach_us = entry.reach_us;
    if (!tree_reach(walk->txn, tree_of(walk), number, &reach_us) || reach_us != entry.reach_us)
        return diag_fail(diag, ERR_CORRUPT, "tree: the date of entry %llu is another", shown);
    if (walk->view != NULL && slice_eq(entry.kind, SLICE("objects")))
        return additions_check(walk, number, &entry, diag);
    if (slice_eq(entry.kind, SLICE("witness.split")))
        return split_check(walk, number, &entry, diag);
    return OK;
}

static result entry_check(struct log_walk *walk, uint64_t number, struct diag *diag)
{
    slice text;

    if (!ledger_read(walk->txn, walk->ledger->log, number, &text)) {
        TRY(walk->txn->state);
        return diag_fail(diag, ERR_CORRUPT, "log: entry %llu is missing",
                         (unsigned long long)number);
    }
    TRY(entry_in_tree(walk, number, text, diag));
    return entry_borne_out(walk, number, text, diag);
}

static void entries_check(struct log_walk *walk)
{
    struct node_check *check = walk->check;
    uint64_t leaves = tree_count(walk->txn, tree_of(walk));
    struct diag diag = {0};

    check->entries = ledger_count(walk->txn, walk->ledger->log);
    for (uint64_t number = 0; number < check->entries && succeeded(walk->txn->state); number++) {
        diag_reset(&diag);
        tell_result(check, entry_check(walk, number, &diag), &diag);
    }
    diag_reset(&diag);
    if (leaves > check->entries && succeeded(walk->txn->state))
        tell_result(check,
                    diag_fail(&diag, ERR_CORRUPT,
                              "log: ends before entry %llu, and the tree goes on to entry %llu",
                              (unsigned long long)check->entries, (unsigned long long)leaves - 1),
                    &diag);
}

/* A head that was signed, against the tree. */
static result head_check(const struct log_walk *walk, slice bytes, uint64_t size, struct diag *diag)
{
    struct checkpoint checkpoint;
    struct note note;

    TRY(ledger_head_parse(bytes, &note, &checkpoint, diag));
    unsigned long long shown = checkpoint.size;
    if (note_verify(&note, &walk->ledger->log_key.verifier, NULL) != NOTE_HOLDS)
        return diag_fail(diag, ERR_CORRUPT, "head of %llu entries: not signed by keys/log.key",
                         shown);
    if (checkpoint.size != size)
        return diag_fail(diag, ERR_CORRUPT, "head of %llu entries: is kept as one of %llu", shown,
                         (unsigned long long)size);
    if (checkpoint.size > walk->check->entries)
        return diag_fail(diag, ERR_CORRUPT, "head of %llu entries: the log ends before entry %llu",
                         shown, (unsigned long long)walk->check->entries);
    struct hash256 root = tree_root(walk->txn, tree_of(walk), checkpoint.size);
    TRY(walk->txn->state);
    if (!hash256_eq(&root, &checkpoint.root))
        return diag_fail(diag, ERR_CORRUPT, "head of %llu entries: signed another history", shown);
    return OK;
}

static void heads_check(struct log_walk *walk)
{
    struct node_check *check = walk->check;
    uint64_t size = 0;
    slice head;

    for (uint64_t from = 0; succeeded(walk->txn->state) && from >= size &&
                            ledger_head_from(walk->txn, walk->ledger->log, from, &size, &head);
         from = size + 1) {
        struct diag diag = {0};

        tell_result(check, head_check(walk, head, size, &diag), &diag);
        check->heads++;
    }
}

/* What this node cosigned is nowhere else; the signature of the other log bears it out. */
static result witnessed_check(const struct witnessed *witnessed, struct diag *diag)
{
    const char *origin = witnessed->verifier.name;
    struct checkpoint checkpoint;
    struct note note;

    if (witnessed->size == 0)
        return witnessed->note.len == 0
                   ? OK
                   : diag_fail(diag, ERR_CORRUPT, "ledger: %s: a head of nothing", origin);
    TRY(diag_within(diag, ledger_head_parse(witnessed->note, &note, &checkpoint, diag), "%s",
                    origin));
    if (checkpoint.size != witnessed->size ||
        note_verify(&note, &witnessed->verifier, NULL) != NOTE_HOLDS)
        return diag_fail(diag, ERR_CORRUPT,
                         "ledger: the head of %s that was cosigned last is not the one it signed",
                         origin);
    return OK;
}

static void facts_check(struct log_walk *walk)
{
    kv_table log = walk->ledger->log, facts = ledger_fact_table(log);
    struct witnessed witnessed;
    struct hash256 hash;
    struct diag diag = {0};
    uint64_t known = walk->check->heads;
    slice settings;

    for (size_t i = 0; witness_at(walk->txn, log, i, &witnessed); i++, known++) {
        diag_reset(&diag);
        tell_result(walk->check, witnessed_check(&witnessed, &diag), &diag);
    }
    for (uint64_t i = 0; evidence_hash(walk->txn, log, i, &hash); i++)
        known++;
    known += kv_get(walk->txn, facts, SLICE("s"), &settings);
    diag_reset(&diag);
    if (succeeded(walk->txn->state) && known != kv_count(walk->txn, facts))
        tell_result(walk->check,
                    diag_fail(&diag, ERR_CORRUPT, "ledger: %llu rows are of no kind that is known",
                              (unsigned long long)(kv_count(walk->txn, facts) - known)),
                    &diag);
}

void node_check_log(struct node *node, struct kv_txn *txn, struct node_check *check)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    struct diag *outer = txn->diag, diag = {0};
    struct log_walk walk = {.ledger = &node->ledger, .txn = txn, .check = check};

    txn->diag = &diag;
    if (!check->log_only) {
        store_view_begin(node->store, &view, &diag);
        walk.view = &view;
    }
    result r = json_parser_new(LEDGER_DEPTH_MAX, &walk.parser, &diag);
    if (succeeded(r) && (check->log_only || succeeded(view.txn.state))) {
        entries_check(&walk);
        heads_check(&walk);
        facts_check(&walk);
    }
    json_parser_free(&walk.parser);
    if (diag.code != ERR_NONE)
        tell(check, &diag);
    txn->diag = outer;
}

/* ---- additions ---- */

/* An object's text against the hash that stands in its record, and so in its entry's root. */
static result addition_check(struct store_view *view, uint64_t seq, struct json_parser *parser,
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

static result additions_walk(struct node *node, struct node_check *check, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(buf_free) struct buf scratch = BUF(CANONICAL_BYTES_MAX);
    CLEANUP(store_view_end) struct store_view view = {0};

    TRY(json_parser_new(node->config.json_depth_max, &parser, diag));
    store_view_begin(node->store, &view, diag);
    TRY(view.txn.state);
    for (uint64_t seq = 0; seq < view.seq_end; seq++, check->additions++) {
        struct diag why = {0};

        tell_result(check, addition_check(&view, seq, parser, &scratch, &why), &why);
    }
    return view.txn.state;
}

/* ---- tables ---- */

static result table_check(struct node *node, struct kv_txn *before, struct kv_txn *after,
                          size_t index, struct diag *diag)
{
    struct hash256 kept, derived;

    TRY(store_table_hash(node->store, before, index, &kept, diag));
    TRY(store_table_hash(node->store, after, index, &derived, diag));
    if (!hash256_eq(&kept, &derived))
        return diag_fail(diag, ERR_CORRUPT, "table %s: is not what the log says",
                         store_table_name(node->store, index));
    return OK;
}

/* What the log derives, beside what is there; nothing of it is kept. */
static result tables_check(struct node *node, struct node_check *check, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn after = {0};
    CLEANUP(kv_abort) struct kv_txn before = {0};

    kv_begin_write(store_kv(node->store), &after, diag);
    TRY(after.state);
    kv_begin_read(store_kv(node->store), &before, diag); /* what the other one began with */
    TRY(before.state);
    node_derive(node, &after);
    TRY(after.state);
    for (size_t i = 0; store_table_name(node->store, i) != NULL; i++) {
        struct diag why = {0};

        tell_result(check, table_check(node, &before, &after, i, &why), &why);
    }
    return OK;
}

/* How far the files reach is what all that reads them goes by. */
static result store_facts(struct node *node, struct diag *diag)
{
    CLEANUP(store_view_end) struct store_view view = {0};

    store_view_begin(node->store, &view, diag);
    TRY(view.txn.state);
    return store_facts_check(&view, diag);
}

void node_check(struct node *node, struct node_check *check)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct diag diag = {0};

    if (!check->log_only && failed(store_facts(node, &diag))) {
        tell(check, &diag);
        check->log_only = true;
    }
    diag_reset(&diag);
    kv_begin_read(node->ledger.kv, &txn, &diag);
    if (failed(txn.state)) {
        tell(check, &diag);
        return;
    }
    node_check_log(node, &txn, check);
    kv_abort(&txn);
    if (check->log_only)
        return;
    tell_result(check, additions_walk(node, check, &diag), &diag);
    /* On a log that does not hold there is nothing to derive from. */
    diag_reset(&diag);
    if (check->broken == 0)
        tell_result(check, tables_check(node, check, &diag), &diag);
}
