#include <inttypes.h>

#include "cli/cli.h"
#include "cli/query.h"
#include "json/json.h"

#include "base/banned.h"

#define SEARCH_FALLBACK 20
#define SEARCH_MOST 100000
#define NAME_BYTES_SHOWN 72

/* What a line shows of an object besides its id: its name, value or pattern. */
static slice headline(const struct json_doc *doc, struct arena *arena)
{
    static const slice keys[] = {
        S("name"), S("value"), S("pattern"), S("relationship_type"), S("definition_type"),
        S("path"), S("key"),   S("opinion"), S("abstract")};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct json_node *node = json_get(doc, doc->nodes, keys[i]);

        if (node != NULL && node->kind == JSON_STRING)
            return json_string(doc, node, arena);
    }
    return SLICE_NONE;
}

static void print_line(const struct store_item *item, slice name)
{
    const char *dim = cli_colour(stdout, "\x1b[2m"), *plain = cli_colour(stdout, "\x1b[0m");
    char version[TIMESTAMP_TEXT_BYTES_MAX];
    size_t shown = name.len;

    if (shown > NAME_BYTES_SHOWN) { /* never in the middle of a character */
        shown = NAME_BYTES_SHOWN;
        while (shown > 0 && ((unsigned char)name.at[shown] & 0xc0) == 0x80)
            shown--;
    }
    (void)printf("%s  %s%.10s%s  ", item->id, dim,
                 timestamp_format(&item->version, version) >= 10 ? version : "", plain);
    cli_print_text(stdout, slice_head(name, shown));
    (void)fputs(shown < name.len ? "...\n" : "\n", stdout);
}

static result print_page(const struct cli *cli, struct store_view *view,
                         const struct store_page *page, struct json_parser *parser,
                         struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)64 << 20);

    for (size_t i = 0; i < page->count; i++) {
        struct store_item item;
        struct json_doc doc;

        if (!store_item_at(view, page->seqs[i], &item) || item.text.len == 0)
            continue;
        if (cli->json) {
            (void)fwrite(item.text.at, 1, item.text.len, stdout);
            (void)putchar('\n');
            continue;
        }
        arena_reset(&arena);
        TRY(json_parse_copy(parser, item.text, &doc, diag));
        print_line(&item, headline(&doc, &arena));
    }
    return OK;
}

/* Words are asked for twice: first as a value (an address, a domain, a hash is one), then as words.
 */
static result search_find(const struct cli *cli, struct store_view *view, struct store_query *query,
                          size_t limit, struct arena *arena, struct store_page *page,
                          struct diag *diag)
{
    slice *words = arena_new(arena, slice, cli->word_count);

    if (words == NULL && cli->word_count > 0)
        return diag_fail(diag, ERR_LIMIT, "no memory for the query");
    for (size_t i = 0; i < cli->word_count; i++)
        words[i] = slice_text(cli->words[i]);
    query->newest_first = true;
    if (cli->word_count == 1 && query->value_count == 0) {
        struct store_query by_value = *query;

        by_value.values = words;
        by_value.value_count = 1;
        TRY(store_find(view, &by_value, limit, SIZE_MAX, false, arena, page, diag));
        if (page->count > 0)
            return OK;
        struct stix_id id;
        if (stix_id_parse(words[0], &id)) {
            query->ids = words;
            query->id_count = 1;
            return store_find(view, query, limit, SIZE_MAX, false, arena, page, diag);
        }
    }
    query->words = words;
    query->word_count = cli->word_count;
    return store_find(view, query, limit, SIZE_MAX, false, arena, page, diag);
}

static int search_run(const struct cli *cli, struct store_view *view, size_t limit)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)256 << 20);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct store_query query;
    struct store_page page;
    struct diag diag = {0};
    int code = cli_query(cli, view, &arena, &query);

    if (code != CLI_OK)
        return code;
    if (failed(search_find(cli, view, &query, limit, &arena, &page, &diag)) ||
        failed(json_parser_new(JSON_DEPTH_MAX, &parser, &diag)) ||
        failed(print_page(cli, view, &page, parser, &diag)))
        return cli_failed(&diag);
    if (page.more)
        cli_say(cli, "more than %zu; --limit shows more", limit);
    if (page.count == 0) {
        cli_say(cli, "nothing found");
        return CLI_NOT_FOUND;
    }
    return CLI_OK;
}

int cmd_search(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(store_view_end) struct store_view view = {0};
    struct diag diag = {0};
    size_t limit;
    int code = cli_count(cli, "limit", 1, SEARCH_MOST, SEARCH_FALLBACK, &limit);

    if (code != CLI_OK)
        return code;
    if (cli->word_count == 0 && cli->given_count == 0)
        return cli_misused(cli, "name words, a value or an option");
    code = cli_node_open(cli, true, &node);
    if (code != CLI_OK)
        return code;
    store_view_begin(node.store, &view, &diag);
    if (diag.code != ERR_NONE)
        return cli_failed(&diag);
    return search_run(cli, &view, limit);
}
