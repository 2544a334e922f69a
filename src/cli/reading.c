#include "cli/reading.h"

#include <inttypes.h>

#include "stix/id.h"

#include "base/banned.h"

static int account_open(const char *name, const struct node *node, struct store_view *view,
                        struct cli_reader *out)
{
    if (slice_eq(slice_text(name), SLICE(ACCOUNT_ANONYMOUS))) {
        out->reader = gate_reader(out->gate, view, NULL);
        return CLI_OK;
    }
    if (!account_find(&view->txn, node->accounts, slice_text(name), &out->account))
        return cli_fail(CLI_NOT_FOUND, "--as %s: there is no such account", name);
    if (out->account.is_disabled)
        return cli_fail(CLI_REFUSED, "--as %s: the account is disabled", name);
    out->has_account = true;
    out->reader = gate_reader(out->gate, view, &out->account);
    return CLI_OK;
}

static int organisation_open(const char *id, struct store_view *view, struct cli_reader *out)
{
    struct stix_id parsed;

    if (!stix_id_parse(slice_text(id), &parsed) || !slice_eq(parsed.type, SLICE("identity")))
        return cli_fail(CLI_MISUSED, "--for = \"%s\": takes the id of an identity", id);
    out->reader = gate_organisation(out->gate, view, slice_text(id));
    return CLI_OK;
}

int cli_reader_open(const struct cli *cli, const struct node *node, struct store_view *view,
                    bool inside, struct cli_reader *out)
{
    const char *as = cli_value(cli, "as"), *on_behalf = cli_value(cli, "for");
    struct keep_place keep = node_keep(node);
    const struct gate_options options = {.keep = &keep, .world = store_world(node->store)};
    struct diag diag = {0};
    int code = CLI_OK;

    *out = (struct cli_reader){.accounts = node->accounts};
    if (as == NULL && on_behalf == NULL && !inside)
        return CLI_OK;
    if (as != NULL && on_behalf != NULL)
        return cli_misused(cli, "takes --as or --for, not both");
    if (failed(gate_open(&options, &out->gate, &diag)))
        return cli_failed(&diag);
    out->reader = (struct reader_of){.class = RECIPIENT_SELF};
    if (as != NULL)
        code = account_open(as, node, view, out);
    else if (on_behalf != NULL)
        code = organisation_open(on_behalf, view, out);
    out->reader.is_encrypted = as != NULL; /* on this very machine; a file's way is not known */
    if (code == CLI_OK && failed(view->txn.state))
        return cli_failed(view->txn.diag);
    return code;
}

void cli_reader_close(struct cli_reader *reader)
{
    gate_close(&reader->gate);
}

bool cli_reader_is_limited(const struct cli_reader *reader)
{
    return reader->gate != NULL;
}

/* An account reads what it has a right to; an organisation is asked about by who has them all. */
bool cli_reader_may(const struct cli_reader *reader, struct store_view *view, uint32_t collection)
{
    const struct account *account = reader->has_account ? &reader->account : NULL;

    if (!reader->has_account && reader->reader.class != RECIPIENT_PUBLIC)
        return true;
    return (account_rights(reader->accounts, &view->txn, account, collection) & RIGHT_READ) != 0;
}

static result rights_keep(struct cli_reader *reader, struct store_view *view, struct arena *arena,
                          struct store_page *page, struct diag *diag)
{
    uint64_t *seqs = arena_new(arena, uint64_t, page->count + 1);
    struct store_item item;
    size_t count = 0;

    if (seqs == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for the query");
    for (size_t i = 0; i < page->count; i++)
        if (store_item_at(view, page->seqs[i], &item) &&
            cli_reader_may(reader, view, item.collection))
            seqs[count++] = page->seqs[i];
    page->seqs = seqs;
    page->count = count;
    return view->txn.state;
}

result cli_reader_find(struct cli_reader *reader, struct store_view *view,
                       const struct store_query *query, size_t limit_objects, size_t limit_bytes,
                       bool with_text, struct arena *arena, struct store_page *page,
                       struct diag *diag)
{
    bool is_limited = cli_reader_is_limited(reader);

    TRY(store_find(view, query, limit_objects, limit_bytes, with_text && !is_limited, arena, page,
                   diag));
    if (!is_limited)
        return OK;
    size_t before = page->count;
    TRY(rights_keep(reader, view, arena, page, diag));
    TRY(gate_page(reader->gate, view, &reader->reader, with_text, arena, page, NULL, diag));
    reader->withheld += before - page->count;
    return OK;
}

result cli_reader_item(struct cli_reader *reader, struct store_view *view, struct store_item *item,
                       struct arena *arena, bool *is_there, struct diag *diag)
{
    struct gate_answer answer;

    *is_there = true;
    if (!cli_reader_is_limited(reader))
        return OK;
    *is_there = cli_reader_may(reader, view, item->collection);
    if (*is_there) {
        TRY(gate_decide(reader->gate, view, &reader->reader, item, arena, &answer, diag));
        *is_there = answer.verdict == VERDICT_SHARE || answer.verdict == VERDICT_REDACT;
        if (answer.verdict == VERDICT_REDACT && answer.new_id.len < sizeof(item->id)) {
            memcpy(item->id, answer.new_id.at, answer.new_id.len);
            item->id[answer.new_id.len] = '\0';
            item->text = answer.text;
        }
    }
    if (!*is_there)
        reader->withheld++;
    return view->txn.state;
}

void cli_reader_tell(const struct cli *cli, const struct cli_reader *reader)
{
    if (reader->withheld > 0 && !reader->has_account)
        cli_say(cli, "withheld: %" PRIu64 " object%s", reader->withheld,
                reader->withheld == 1 ? "" : "s");
}
