#include "ledger/ledger.h"

#include <assert.h>

#include "base/fault.h"
#include "base/time.h"
#include "ledger/tree.h"
#include "json/canonical.h"

#include "base/banned.h"

#define KEY_BYTES 8
/* Room for what canonical form takes away (white space, escapes), or for what it reserves. */
#define DRAFT_BYTES_MAX ((size_t)4 * LEDGER_ENTRY_BYTES_MAX)
#define CATCH_UP_ENTRIES 100000 /* in one transaction */

static slice key_of(uint64_t number, char bytes[KEY_BYTES])
{
    for (size_t i = 0; i < KEY_BYTES; i++)
        bytes[i] = (char)(number >> (56 - 8 * i));
    return slice_of(bytes, KEY_BYTES);
}

uint64_t ledger_count(struct kv_txn *txn, kv_table log)
{
    return kv_count(txn, log); /* nothing is ever taken out */
}

bool ledger_read(struct kv_txn *txn, kv_table log, uint64_t number, slice *entry)
{
    char bytes[KEY_BYTES];

    return kv_get(txn, log, key_of(number, bytes), entry);
}

/* ---- taking entries apart ---- */

/* Only the form that time_format_us writes: there is one text for each date. */
static bool date_of(const struct json_doc *doc, const struct json_node *node, int64_t *us)
{
    char text[TIMESTAMP_TEXT_BYTES_MAX];
    struct timestamp date;
    slice written;

    if (node == NULL || node->kind != JSON_STRING || node->escaped)
        return false;
    written = json_inner(doc, node);
    if (!timestamp_parse(written, &date) ||
        !slice_eq(written, slice_of(text, time_format_us(date.us, text))))
        return false;
    *us = date.us;
    return true;
}

static bool kind_is_plain(slice kind)
{
    for (size_t i = 0; i < kind.len; i++) {
        char c = kind.at[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
            return false;
    }
    return kind.len > 0;
}

/* NULL, or what is wrong with it. */
static const char *take_apart(struct ledger_entry *entry)
{
    const struct json_doc *doc = &entry->doc;
    const struct json_node *kind = json_get(doc, doc->nodes, SLICE("kind"));
    const struct json_node *reach = json_get(doc, doc->nodes, SLICE("reach"));

    if (kind == NULL || kind->kind != JSON_STRING || !kind_is_plain(json_inner(doc, kind)))
        return "has no kind";
    entry->kind = json_inner(doc, kind);
    if (!date_of(doc, json_get(doc, doc->nodes, SLICE("at")), &entry->at_us))
        return "has no date \"at\"";
    entry->reach_us = entry->at_us;
    if (reach != NULL && (!date_of(doc, reach, &entry->reach_us) || entry->reach_us < entry->at_us))
        return "reach: takes a date with six fraction digits, not before \"at\"";
    return NULL;
}

result ledger_parse(struct json_parser *parser, slice text, struct ledger_entry *out,
                    struct diag *diag)
{
    struct diag why = {0};
    const char *wrong;

    if (text.len == 0 || text.len > LEDGER_ENTRY_BYTES_MAX)
        return diag_fail(diag, ERR_CORRUPT, "is of %zu bytes", text.len);
    if (failed(json_parse_copy(parser, text, &out->doc, &why)))
        return diag_fail(diag, ERR_CORRUPT, "%s", why.text);
    wrong = out->doc.nodes->kind != JSON_OBJECT ? "is no object" : take_apart(out);
    if (wrong != NULL)
        return diag_fail(diag, ERR_CORRUPT, "%s", wrong);
    return OK;
}

/* ---- the tree ---- */

static bool entry_parse(struct kv_txn *txn, kv_table log, struct json_parser *parser,
                        uint64_t number, struct ledger_entry *out, slice *text)
{
    unsigned long long shown = number;

    if (!ledger_read(txn, log, number, text)) {
        if (succeeded(txn->state))
            kv_fail(txn, diag_fail(txn->diag, ERR_CORRUPT, "log: entry %llu is missing", shown));
        return false;
    }
    result parsed = ledger_parse(parser, *text, out, txn->diag);
    if (failed(parsed))
        kv_fail(txn, diag_within(txn->diag, parsed, "log: entry %llu", shown));
    return succeeded(txn->state);
}

void ledger_tree_derive(struct kv_txn *txn, kv_table log, const struct ledger_entry *entry,
                        slice text)
{
    struct hash256 leaf = tree_leaf(text);

    tree_append(txn, ledger_tree_table(log), entry->reach_us, &leaf);
}

/* At most `most` entries that are in the log and not yet in the tree. */
static void tree_catch_up(struct kv_txn *txn, kv_table log, uint64_t most)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    uint64_t number = tree_count(txn, ledger_tree_table(log)), end = ledger_count(txn, log);

    if (number > end && succeeded(txn->state))
        kv_fail(txn, diag_fail(txn->diag, ERR_CORRUPT,
                               "log: holds %llu entries, its tree %llu: entries were taken out",
                               (unsigned long long)end, (unsigned long long)number));
    if (number >= end || failed(txn->state))
        return;
    end = end - number > most ? number + most : end;
    result made = json_parser_new(LEDGER_DEPTH_MAX, &parser, txn->diag);
    if (failed(made))
        kv_fail(txn, made);
    for (; number < end && succeeded(txn->state); number++) {
        struct ledger_entry entry = {0};
        slice text;

        if (entry_parse(txn, log, parser, number, &entry, &text))
            ledger_tree_derive(txn, log, &entry, text);
    }
}

result ledger_tree_complete(struct kv *kv, kv_table log, struct diag *diag)
{
    for (;;) {
        CLEANUP(kv_abort) struct kv_txn txn = {0};

        kv_begin_read(kv, &txn, diag);
        bool is_whole = tree_count(&txn, ledger_tree_table(log)) == ledger_count(&txn, log);
        TRY(txn.state);
        kv_abort(&txn);
        if (is_whole)
            return OK;
        kv_begin_write(kv, &txn, diag);
        tree_catch_up(&txn, log, CATCH_UP_ENTRIES);
        TRY(kv_commit(&txn));
    }
}

uint64_t ledger_seek(struct kv_txn *txn, kv_table log, int64_t us)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    uint64_t low = 0, high = tree_count(txn, ledger_tree_table(log));
    struct ledger_entry entry = {0};
    int64_t reach_us = 0;
    slice text;

    while (low < high && tree_reach(txn, ledger_tree_table(log), (low + high) / 2, &reach_us)) {
        uint64_t middle = (low + high) / 2;

        if (reach_us < us)
            low = middle + 1;
        else
            high = middle;
    }
    /* It reaches so far; but did it begin before? */
    if (low < ledger_count(txn, log) &&
        succeeded(json_parser_new(LEDGER_DEPTH_MAX, &parser, txn->diag)) &&
        entry_parse(txn, log, parser, low, &entry, &text) && entry.at_us < us)
        low++;
    return low;
}

/* The date after which the next entry must come; false when there is none before it.  The tree's
 * row has it; a log without its tree is read. */
static bool last_reach(struct kv_txn *txn, kv_table log, int64_t *us)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    uint64_t count = ledger_count(txn, log);
    struct ledger_entry last = {0};
    slice text;

    if (count == 0)
        return false;
    if (tree_count(txn, ledger_tree_table(log)) == count)
        return tree_reach(txn, ledger_tree_table(log), count - 1, us);
    result made = json_parser_new(LEDGER_DEPTH_MAX, &parser, txn->diag);
    if (failed(made))
        kv_fail(txn, made);
    else if (entry_parse(txn, log, parser, count - 1, &last, &text))
        *us = last.reach_us;
    return succeeded(txn->state);
}

int64_t ledger_next_us(struct kv_txn *txn, kv_table log, int64_t now_us)
{
    int64_t us = 0;

    return last_reach(txn, log, &us) && us >= now_us ? us + 1 : now_us;
}

/* ---- appending ---- */

/* "at" and "kind" in front of the body's members.  When the whole is one object, so is the body. */
static result draft(slice kind, int64_t at_us, slice body, struct buf *out, struct diag *diag)
{
    char date[TIMESTAMP_TEXT_BYTES_MAX];
    slice inside;

    body = slice_trim(body);
    if (body.len < 2 || body.at[0] != '{' || body.at[body.len - 1] != '}')
        return diag_fail(diag, ERR_INVALID, "its body is no object");
    inside = slice_trim(slice_head(slice_from(body, 1), body.len - 2));
    buf_printf(out, "{\"at\":\"%.*s\",\"kind\":\"%.*s\"%s", (int)time_format_us(at_us, date), date,
               SLICE_ARG(kind), inside.len > 0 ? "," : "");
    buf_put(out, inside);
    buf_byte(out, '}');
    if (out->overflowed || FAULT_HERE())
        return diag_fail(diag, ERR_LIMIT, "is over %d bytes", LEDGER_ENTRY_BYTES_MAX);
    return OK;
}

static result canonical_entry(slice text, struct buf *out, int64_t *reach_us, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct ledger_entry entry = {0};
    const char *wrong;

    TRY(json_parser_new(LEDGER_DEPTH_MAX, &parser, diag));
    TRY(json_parse_copy(parser, text, &entry.doc, diag));
    TRY(json_canonical(&entry.doc, entry.doc.nodes, out, diag));
    if (out->len > LEDGER_ENTRY_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "is over %d bytes", LEDGER_ENTRY_BYTES_MAX);
    wrong = take_apart(&entry);
    if (wrong != NULL)
        return diag_fail(diag, ERR_INVALID, "%s", wrong);
    *reach_us = entry.reach_us;
    return OK;
}

void ledger_append(struct kv_txn *txn, kv_table log, slice kind, int64_t at_us, slice body,
                   uint64_t *number)
{
    CLEANUP(buf_free) struct buf text = BUF(DRAFT_BYTES_MAX);
    CLEANUP(buf_free) struct buf entry = BUF(DRAFT_BYTES_MAX);
    char bytes[KEY_BYTES];
    int64_t reach_us = 0;
    result made;

    tree_catch_up(txn, log, UINT64_MAX); /* a program of before may have written beside us */
    *number = ledger_count(txn, log);
    if (last_reach(txn, log, &reach_us))
        assert(at_us > reach_us); /* it comes from ledger_next_us */
    if (failed(txn->state))
        return;
    assert(kind_is_plain(kind));
    made = draft(kind, at_us, body, &text, txn->diag);
    if (succeeded(made))
        made = canonical_entry(buf_slice(&text), &entry, &reach_us, txn->diag);
    if (failed(made)) {
        kv_fail(txn, diag_within(txn->diag, made, "log: entry of kind %.*s", SLICE_ARG(kind)));
        return;
    }
    struct hash256 leaf = tree_leaf(buf_slice(&entry));
    kv_append(txn, log, key_of(*number, bytes), buf_slice(&entry));
    tree_append(txn, ledger_tree_table(log), reach_us, &leaf);
}
