#include "cli/ledger_query.h"

#include "base/time.h"
#include "cli/cli.h"
#include <inttypes.h>

#include "base/banned.h"

#define PAGE_OBJECTS 1000
#define FILTER_TEXT_BYTES_MAX 8192

static slice text_of(const struct ledger_entry *entry, slice key)
{
    const struct json_node *node = json_get(&entry->doc, entry->doc.nodes, key);

    return node != NULL && node->kind == JSON_STRING ? json_inner(&entry->doc, node) : SLICE_NONE;
}

/* ---- the filter ---- */

static int words_read(const struct cli *cli, const char *option, slice words[ENTRY_WORDS_MAX],
                      size_t *count)
{
    *count = cli_value_count(cli, option);
    if (*count > ENTRY_WORDS_MAX)
        return cli_misused(cli, "--%s: at most %d times", option, ENTRY_WORDS_MAX);
    for (size_t i = 0; i < *count; i++)
        words[i] = slice_text(cli_value_at(cli, option, i));
    return CLI_OK;
}

/* A date, a day, or an entry's number.  For --to the entry itself is still in. */
static int place_read(const struct cli *cli, struct store_view *view, const char *option,
                      bool is_end, uint64_t *out)
{
    kv_table log = store_log_table(view->store);
    const char *text = cli_value(cli, option);
    struct timestamp date;
    char day[64];
    uint64_t number;

    if (text == NULL)
        return CLI_OK;
    if (parse_u64(slice_text(text), &number)) {
        *out = is_end && number < UINT64_MAX ? number + 1 : number;
        return CLI_OK;
    }
    (void)snprintf(day, sizeof(day), "%.16sT00:00:00Z", text);
    if (!timestamp_parse_rfc3339(slice_text(text), &date) &&
        !timestamp_parse_rfc3339(slice_text(day), &date))
        return cli_misused(cli,
                           "--%s = \"%s\": takes a time as 2026-01-31T12:00:00Z, a day as "
                           "2026-01-31, or an entry's number",
                           option, text);
    *out = ledger_seek(&view->txn, log, date.us);
    return CLI_OK;
}

struct seq_list {
    struct arena *arena;
    struct entry_filter *filter;
    size_t capacity;
};

static bool seq_add(struct seq_list *list, uint64_t seq)
{
    struct entry_filter *filter = list->filter;

    if (filter->seq_count == list->capacity) {
        uint64_t *more = arena_new(list->arena, uint64_t, 2 * list->capacity + PAGE_OBJECTS);

        if (more == NULL)
            return false;
        if (filter->seq_count > 0)
            memcpy(more, filter->seqs, filter->seq_count * sizeof(more[0]));
        filter->seqs = more;
        list->capacity = 2 * list->capacity + PAGE_OBJECTS;
    }
    filter->seqs[filter->seq_count++] = seq;
    return true;
}

/* Additions that were removed are no longer found; the entry that removed them has their numbers.
 */
static bool removed_take(void *context, const struct told_entry *told)
{
    const struct json_doc *doc = &told->entry.doc;
    int64_t seq;

    for (struct json_each each = json_each(doc, json_get(doc, doc->nodes, SLICE("seqs")));
         json_next(&each);)
        if (json_i64(doc, each.value, &seq) && seq >= 0 && !seq_add(context, (uint64_t)seq))
            return false;
    return true;
}

static result seqs_find(struct store_view *view, struct arena *arena, struct entry_filter *filter,
                        struct diag *diag)
{
    struct store_query query = {
        .ids = filter->objects, .id_count = filter->object_count, .version_all = true};
    struct seq_list list = {.arena = arena, .filter = filter};
    struct store_page page = {.more = true};
    struct entry_filter removals = *filter;

    while (page.more) {
        TRY(store_find(view, &query, PAGE_OBJECTS, SIZE_MAX, false, arena, &page, diag));
        for (size_t i = 0; i < page.count; i++)
            (void)seq_add(&list, page.seqs[i]);
        query.seq_from = page.next_seq;
    }
    removals.kinds[0] = SLICE("remove");
    removals.kind_count = 1;
    removals.actor_count = removals.agreement_count = removals.partner_count = 0;
    removals.first = 0;
    removals.end = ledger_count(&view->txn, store_log_table(view->store));
    TRY(entries_walk(view, &removals, removed_take, &list, diag));
    return arena->overflowed ? diag_fail(diag, ERR_LIMIT, "no memory for so many versions") : OK;
}

static bool word_add(struct words *words, slice word, struct arena *arena)
{
    if (words->count == words->capacity) {
        size_t capacity = 2 * words->capacity + ENTRY_WORDS_MAX;
        slice *more = arena_new(arena, slice, capacity);

        if (more == NULL)
            return false;
        if (words->count > 0)
            memcpy(more, words->at, words->count * sizeof(more[0]));
        words->at = more;
        words->capacity = capacity;
    }
    words->at[words->count++] = arena_copy(arena, word);
    return !arena->overflowed;
}

static bool words_hold(const struct words *words, slice word)
{
    for (size_t i = 0; i < words->count; i++)
        if (slice_eq(words->at[i], word))
            return true;
    return false;
}

struct relating {
    struct arena *arena;
    struct entry_filter *filter;
};

/* Of the agreements that are asked for: their parties, and what was submitted under them. */
static bool related_take(void *context, const struct told_entry *told)
{
    const struct relating *r = context;
    const struct json_doc *doc = &told->entry.doc;
    const struct json_node *value = json_get(doc, doc->nodes, SLICE("value"));

    if (slice_eq(told->entry.kind, SLICE("release.submit")))
        return word_add(&r->filter->submissions, text_of(&told->entry, SLICE("submission")),
                        r->arena);
    for (struct json_each each = json_each(doc, json_get(doc, value, SLICE("parties")));
         json_next(&each);) {
        const struct json_node *id = json_get(doc, each.value, SLICE("id"));

        if (id != NULL && id->kind == JSON_STRING &&
            !words_hold(&r->filter->parties, json_inner(doc, id)) &&
            !word_add(&r->filter->parties, json_inner(doc, id), r->arena))
            return false;
    }
    return true;
}

static result related_find(struct store_view *view, struct arena *arena,
                           struct entry_filter *filter, struct diag *diag)
{
    struct relating relating = {.arena = arena, .filter = filter};
    struct entry_filter asked = {.kinds = {SLICE("agreement.put"), SLICE("release.submit")},
                                 .kind_count = 2,
                                 .agreement_count = filter->agreement_count,
                                 .end = ledger_count(&view->txn, store_log_table(view->store))};

    memcpy(asked.agreements, filter->agreements, sizeof(asked.agreements));
    TRY(entries_walk(view, &asked, related_take, &relating, diag));
    return arena->overflowed ? diag_fail(diag, ERR_LIMIT, "no memory for so many submissions") : OK;
}

static void filter_tell(const struct cli *cli, struct entry_filter *filter)
{
    static const char *const names[] = {"kind",   "actor", "agreement", "partner",
                                        "object", "from",  "to"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        for (size_t nth = 0; nth < cli_value_count(cli, names[i]); nth++) {
            char shown[512];

            (void)printable(shown, sizeof(shown), slice_text(cli_value_at(cli, names[i], nth)));
            buf_printf(&filter->text, "%s%s=%s", filter->text.len > 0 ? " " : "", names[i], shown);
        }
}

void entry_filter_free(struct entry_filter *filter)
{
    buf_free(&filter->text);
}

int entry_filter_read(const struct cli *cli, struct store_view *view, struct arena *arena,
                      struct entry_filter *out)
{
    struct diag diag = {0};
    int code;

    *out = (struct entry_filter){.end = ledger_count(&view->txn, store_log_table(view->store)),
                                 .text = BUF(FILTER_TEXT_BYTES_MAX)};
    if ((code = words_read(cli, "kind", out->kinds, &out->kind_count)) != CLI_OK ||
        (code = words_read(cli, "actor", out->actors, &out->actor_count)) != CLI_OK ||
        (code = words_read(cli, "agreement", out->agreements, &out->agreement_count)) != CLI_OK ||
        (code = words_read(cli, "partner", out->partners, &out->partner_count)) != CLI_OK ||
        (code = words_read(cli, "object", out->objects, &out->object_count)) != CLI_OK ||
        (code = place_read(cli, view, "from", false, &out->first)) != CLI_OK)
        return code;
    uint64_t end = out->end;
    code = place_read(cli, view, "to", true, &end);
    if (code != CLI_OK)
        return code;
    if (end < out->end)
        out->end = end;
    if ((out->object_count > 0 && failed(seqs_find(view, arena, out, &diag))) ||
        (out->agreement_count > 0 && failed(related_find(view, arena, out, &diag))))
        return cli_failed(&diag);
    filter_tell(cli, out);
    return CLI_OK;
}

/* ---- does an entry fit? ---- */

static bool is_id_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

/* Does the text hold this id, not as a part of a longer one? */
static bool names(slice text, slice id)
{
    while (id.len > 0) {
        size_t at = slice_find(text, id);

        if (at == SIZE_MAX)
            return false;
        slice rest = slice_from(text, at + id.len);
        if ((at == 0 || !is_id_byte(text.at[at - 1])) && (rest.len == 0 || !is_id_byte(rest.at[0])))
            return true;
        text = slice_from(text, at + 1);
    }
    return false;
}

static bool names_one(slice text, const slice *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (names(text, ids[i]))
            return true;
    return false;
}

static bool is_one_of(const slice *words, size_t count, slice word)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq(words[i], word))
            return true;
    return count == 0;
}

static bool number_of(const struct ledger_entry *entry, slice key, uint64_t *out)
{
    int64_t value;

    if (!json_i64(&entry->doc, json_get(&entry->doc, entry->doc.nodes, key), &value) || value < 0)
        return false;
    *out = (uint64_t)value;
    return true;
}

static bool has_seq(const struct entry_filter *filter, uint64_t first, uint64_t count)
{
    for (size_t i = 0; i < filter->seq_count; i++)
        if (filter->seqs[i] >= first && filter->seqs[i] - first < count)
            return true;
    return false;
}

/* Of runs of additions, [first, last] each. */
static bool has_read(const struct entry_filter *filter, const struct ledger_entry *entry)
{
    const struct json_doc *doc = &entry->doc;

    for (struct json_each each = json_each(doc, json_get(doc, doc->nodes, SLICE("runs")));
         json_next(&each);) {
        int64_t ends[2] = {0};
        size_t count = 0;

        for (struct json_each end = json_each(doc, each.value); count < 2 && json_next(&end);)
            count += json_i64(doc, end.value, &ends[count]);
        if (count == 2 && ends[0] >= 0 && ends[1] >= ends[0] &&
            has_seq(filter, (uint64_t)ends[0], (uint64_t)(ends[1] - ends[0]) + 1))
            return true;
    }
    return false;
}

static bool has_object(const struct entry_filter *filter, slice text,
                       const struct ledger_entry *entry)
{
    uint64_t first, count;

    if (filter->object_count == 0)
        return true;
    if (names_one(text, filter->objects, filter->object_count))
        return true;
    if (slice_eq(entry->kind, SLICE("read")))
        return has_read(filter, entry);
    if (!slice_eq(entry->kind, SLICE("objects")) || !number_of(entry, SLICE("first"), &first) ||
        !number_of(entry, SLICE("count"), &count))
        return false;
    return has_seq(filter, first, count);
}

static bool has_agreement(const struct entry_filter *filter, const struct told_entry *told)
{
    const struct ledger_entry *entry = &told->entry;

    if (filter->agreement_count == 0 ||
        names_one(told->text, filter->agreements, filter->agreement_count))
        return true;
    if (slice_starts(entry->kind, SLICE("sync.")))
        return words_hold(&filter->parties, text_of(entry, SLICE("partner")));
    return words_hold(&filter->submissions, text_of(entry, SLICE("submission")));
}

static bool entry_fits(const struct entry_filter *filter, const struct told_entry *told)
{
    const struct ledger_entry *entry = &told->entry;

    return is_one_of(filter->kinds, filter->kind_count, entry->kind) &&
           is_one_of(filter->actors, filter->actor_count, told->actor) &&
           has_agreement(filter, told) &&
           (filter->partner_count == 0 ||
            names_one(told->text, filter->partners, filter->partner_count)) &&
           has_object(filter, told->text, entry);
}

result entries_walk(struct store_view *view, const struct entry_filter *filter,
                    bool (*take)(void *context, const struct told_entry *told), void *context,
                    struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    kv_table log = store_log_table(view->store);
    bool more = true;

    TRY(json_parser_new(LEDGER_DEPTH_MAX, &parser, diag));
    for (uint64_t number = filter->first; more && number < filter->end; number++) {
        struct told_entry told = {.number = number};
        unsigned long long shown = number;

        if (!ledger_read(&view->txn, log, number, &told.text)) {
            TRY(view->txn.state);
            return diag_fail(diag, ERR_CORRUPT, "log: entry %llu is missing", shown);
        }
        TRY(diag_within(diag, ledger_parse(parser, told.text, &told.entry, diag), "log: entry %llu",
                        shown));
        told.actor = text_of(&told.entry, SLICE("actor"));
        if (entry_fits(filter, &told))
            more = take(context, &told);
    }
    return OK;
}

/* ---- in words: {member} stands for its value ---- */

static const struct {
    slice kind;
    const char *words;
} tellings[] = {
    {S("account.add"), "account {account} was added with the roles {roles}"},
    {S("account.disable"), "account {account}: disabled is {disabled}"},
    {S("account.organisation"), "account {account} belongs to {organisation}, person {person}"},
    {S("account.password"), "account {account} has a new password"},
    {S("account.remove"), "account {account} was removed, with its tokens and rights"},
    {S("account.roles"), "account {account} has the roles {roles}"},
    {S("agreement.propose"), "version {value} of {id} shall go to the other parties"},
    {S("agreement.put"), "{id} is kept as {value}"},
    {S("agreement.state"), "{id} is {value}: {reason}"},
    {S("collection"), "collection {number} \"{title}\" was made ({id})"},
    {S("collection-removed"), "collection {number} was removed"},
    {S("export"), "{count} objects left as a bundle, root {root}"},
    {S("grant"), "account {account} has the rights {rights} on collection {collection}"},
    {S("objects"),
     "{count} objects were taken into collection {collection} from {origin}: {replaced} "
     "newer versions, {older} older, {held} held already, {conflicts} in conflict, "
     "{refused} refused; root {root}"},
    {S("partner.add"), "the card of {id} was taken: {value}"},
    {S("partner.confirm"), "{id} was confirmed: people compared the digits of the key {value}"},
    {S("partner.remove"), "{id} is no partner any more: {reason}"},
    {S("recall"), "{recall} asks all holders to remove {objects}: {reason}"},
    {S("read"), "{objects} objects of collection {collection} were read in {requests} requests: "
                "additions {runs}"},
    {S("release"), "{object} (version {version}) was released to {partner} under {agreement}, "
                   "without {removed}: {reason}"},
    {S("release.approve"), "{submission} was approved: {reason}"},
    {S("release.send-back"), "{submission} was sent back: {reason}"},
    {S("release.submit"), "{submission} waits for a second person: {objects}: {reason}"},
    {S("remove"), "{object} was removed from collection {collection}"},
    {S("settings"), "the settings are {settings}"},
    {S("setup.begin"), "a set-up link was made, valid until {expires}"},
    {S("setup.done"), "the set-up link was used for {account}"},
    {S("sync.received"), "{objects} new objects came from {partner}, {held} were held, {refused} "
                         "refused ({why}); our receipt: {receipt}"},
    {S("sync.receipt"), "{partner} took {objects} new objects in, refused {refused} ({why}); its "
                        "receipt: {receipt}"},
    {S("sync.refused"), "{partner} was refused: {why}"},
    {S("sync.sent"),
     "a batch of {items} left for {partner}: {objects} objects, {refused} held back "
     "({why}); root {root}"},
    {S("token.add"), "a token {token} was made for {account}"},
    {S("token.remove"), "the token {token} of {account} was removed"},
    {S("types"), "types of objects that are new here: {names}"},
    {S("witness.add"), "the log of {vkey} is witnessed from now on"},
    {S("witness.remove"), "the log {origin} is witnessed no more"},
    {S("witness.split"),
     "{origin} showed a history of {size} entries that does not go on from the {seen} "
     "seen before: evidence {evidence}"},
};

static void value_tell(const struct ledger_entry *entry, slice key, struct buf *out)
{
    const struct json_node *node = json_get(&entry->doc, entry->doc.nodes, key);

    if (node == NULL)
        buf_put(out, SLICE("-"));
    else
        buf_put(out, node->kind == JSON_STRING ? json_inner(&entry->doc, node)
                                               : json_raw(&entry->doc, node));
}

static void words_tell(const struct ledger_entry *entry, slice words, struct buf *out)
{
    slice head, key;

    while (slice_cut(words, '{', &head, &words)) {
        buf_put(out, head);
        (void)slice_cut(words, '}', &key, &words);
        value_tell(entry, key, out);
    }
    buf_put(out, head);
}

/* A kind without words of its own: its members as they are. */
static void members_tell(const struct ledger_entry *entry, struct buf *out)
{
    for (struct json_each each = json_each(&entry->doc, entry->doc.nodes); json_next(&each);) {
        slice key = json_inner(&entry->doc, each.key);

        if (slice_eq(key, SLICE("at")) || slice_eq(key, SLICE("kind")) ||
            slice_eq(key, SLICE("actor")))
            continue;
        buf_printf(out, "%s%.*s ", out->len > 0 ? ", " : "", SLICE_ARG(key));
        value_tell(entry, key, out);
    }
}

void entry_tell(const struct told_entry *told, struct buf *out)
{
    for (size_t i = 0; i < sizeof(tellings) / sizeof(tellings[0]); i++)
        if (slice_eq(tellings[i].kind, told->entry.kind)) {
            words_tell(&told->entry, slice_text(tellings[i].words), out);
            return;
        }
    members_tell(&told->entry, out);
}
