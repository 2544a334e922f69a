#include <inttypes.h>

#include "cli/cli.h"
#include "cli/reading.h"
#include "cli/remote.h"
#include "json/json.h"

#include "base/banned.h"

#define PUSH_PAGE_OBJECTS 1000
#define PUSH_PAGE_BYTES ((size_t)8 << 20)

struct pusher {
    const struct cli *cli;
    const struct node *node;
    struct taxii_remote *remote;
    const char *url;
    struct cli_reader reader; /* who gets it */
    uint64_t sent, refused;
};

static int64_t status_count(const struct json_doc *doc, slice name)
{
    const struct json_node *node = json_get(doc, doc->nodes, name);
    int64_t count = 0;

    return node != NULL && json_i64(doc, node, &count) ? count : 0;
}

/* What the server says became of a page; what it refused is told by id and words. */
static result status_read(struct pusher *pusher, slice status, struct arena *arena,
                          struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct json_doc doc;

    TRY(json_parser_new(JSON_DEPTH_MAX, &parser, diag));
    TRY(diag_within(diag, json_parse_copy(parser, status, &doc, diag), "%s: status", pusher->url));
    pusher->refused += (uint64_t)status_count(&doc, SLICE("failure_count"));
    const struct json_node *failures = json_get(&doc, doc.nodes, SLICE("failures"));
    if (failures == NULL)
        return OK;
    for (struct json_each each = json_each(&doc, failures); json_next(&each);) {
        const struct json_node *id = json_get(&doc, each.value, SLICE("id"));
        const struct json_node *message = json_get(&doc, each.value, SLICE("message"));
        slice id_text = id != NULL ? json_string(&doc, id, arena) : SLICE("?");
        slice words =
            message != NULL ? json_string(&doc, message, arena) : SLICE("no reason given");

        (void)cli_fail(CLI_OK, "%.*s: refused by the server: %.*s", SLICE_ARG(id_text),
                       SLICE_ARG(words));
    }
    return OK;
}

static result push_page(struct pusher *pusher, const struct store_page *page, struct arena *arena,
                        struct diag *diag)
{
    CLEANUP(buf_free) struct buf envelope = BUF(2 * PUSH_PAGE_BYTES + ((size_t)64 << 20));
    slice status;

    buf_put(&envelope, SLICE("{\"objects\":["));
    buf_put(&envelope, page->text);
    buf_put(&envelope, SLICE("]}"));
    if (envelope.overflowed)
        return diag_fail(diag, ERR_LIMIT, "a page is over %zu bytes", envelope.ceiling);
    TRY(taxii_remote_push(pusher->remote, pusher->url, buf_slice(&envelope), arena, &status, diag));
    TRY(status_read(pusher, status, arena, diag));
    pusher->sent += page->count;
    return OK;
}

/* A page, then its position: a push that is cut repeats at most one page, which the server holds
 * already. */
static result push_pages(struct pusher *pusher, struct store_view *view, uint32_t collection,
                         size_t page_objects, uint64_t from, struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)512 << 20);
    struct store_query query = {.collection = collection, .version_all = true, .seq_from = from};
    struct store_page page = {.more = true};
    char position[32];

    while (page.more) {
        arena_reset(&arena);
        TRY(store_find(view, &query, page_objects, PUSH_PAGE_BYTES, true, &arena, &page, diag));
        if (page.count == 0)
            break;
        size_t before = page.count;
        query.seq_from = page.seqs[page.count - 1] + 1;
        TRY(gate_page(pusher->reader.gate, view, &pusher->reader.reader, true, &arena, &page, NULL,
                      diag));
        pusher->reader.withheld += before - page.count;
        if (page.count > 0)
            TRY(push_page(pusher, &page, &arena, diag));
        (void)snprintf(position, sizeof(position), "%" PRIu64, query.seq_from);
        TRY(remote_position_save(pusher->node, "push", pusher->url, collection, position, diag));
    }
    return OK;
}

/* The one collection the URL leads to. */
static int push_target(struct pusher *pusher)
{
    const struct taxii_remote_collection *collections;
    size_t count;
    struct diag diag = {0};

    if (failed(taxii_remote_list(pusher->remote, NULL, NULL, &collections, &count, &diag)))
        return cli_failed(&diag);
    if (count != 1)
        return cli_fail(CLI_MISUSED,
                        "%s: leads to %zu collections; name one (\"entente pull --list\")",
                        pusher->cli->words[0], count);
    if (!collections[0].can_write)
        return cli_fail(CLI_REFUSED, "%s: may not be written", collections[0].url);
    pusher->url = collections[0].url;
    return CLI_OK;
}

static int push_from(struct pusher *pusher, struct node *node, const char *name,
                     size_t page_objects)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    char position[REMOTE_POSITION_BYTES_MAX] = "";
    struct collection from;
    struct diag diag = {0};
    uint64_t seq = 0;

    store_view_begin(node->store, &view, &diag);
    if (diag.code != ERR_NONE)
        return cli_failed(&diag);
    int code = cli_collection(&view, name, false, &from);
    if (code != CLI_OK)
        return code;
    if (!cli_has(pusher->cli, "from-start") &&
        failed(remote_position_load(node, "push", pusher->url, from.number, position, &diag)))
        return cli_failed(&diag);
    if (position[0] != '\0' && !parse_u64(slice_text(position), &seq))
        return cli_fail(CLI_UNVERIFIED,
                        "the position of the last push is broken; --from-start makes a new one");
    code = cli_reader_open(pusher->cli, node, &view, true, &pusher->reader);
    if (code != CLI_OK)
        return code;
    if (failed(push_pages(pusher, &view, from.number, page_objects, seq, &diag)))
        return cli_failed(&diag);
    cli_reader_tell(pusher->cli, &pusher->reader);
    (void)printf("sent %" PRIu64 " object%s of \"", pusher->sent, pusher->sent == 1 ? "" : "s");
    cli_print_text(stdout, slice_text(from.title));
    (void)printf("\", %" PRIu64 " refused\n", pusher->refused);
    return pusher->refused > 0 ? CLI_FAILED : CLI_OK;
}

int cmd_push(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(taxii_remote_close) struct taxii_remote *remote = NULL;
    struct pusher pusher = {.cli = cli, .node = &node};
    size_t page_objects;

    if (cli->word_count != 1)
        return cli_misused(cli, "name one collection's URL");
    int code = cli_count(cli, "page", 1, 100000, PUSH_PAGE_OBJECTS, &page_objects);
    if (code == CLI_OK)
        code = cli_node_open(cli, false, &node);
    if (code == CLI_OK)
        code = remote_open(cli, &node, &remote);
    if (code != CLI_OK)
        return code;
    pusher.remote = remote;
    code = push_target(&pusher);
    if (code == CLI_OK)
        code = push_from(&pusher, &node, cli_value(cli, "from"), page_objects);
    cli_reader_close(&pusher.reader);
    return code;
}
