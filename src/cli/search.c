#include <inttypes.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/headline.h"
#include "cli/query.h"
#include "cli/reading.h"

#include "base/banned.h"

#define SEARCH_FALLBACK 20
#define SEARCH_MOST 100000
#define NAME_BYTES_SHOWN 100

/* So many of the newest are looked at to put the best first. */
#define SEARCH_RANKED 300

struct found {
    struct store_item item;
    slice name;
    int rank;     /* 0 is named so, 1 has it in its name, 2 in other text, 3 is a relationship */
    size_t order; /* newest first, as the store gave them */
};

static void print_line(const struct found *found)
{
    const char *dim = cli_colour(stdout, "\x1b[2m"), *plain = cli_colour(stdout, "\x1b[0m");
    char version[TIMESTAMP_TEXT_BYTES_MAX];

    (void)timestamp_format(&found->item.version, version);
    (void)printf("%s  %s%.10s%s  ", found->item.id, dim, version, plain);
    headline_print(stdout, found->name, NAME_BYTES_SHOWN);
    (void)putchar('\n');
}

static bool has_nocase(slice text, slice word)
{
    for (size_t i = 0; word.len > 0 && i + word.len <= text.len; i++)
        if (slice_eq_nocase(slice_of(text.at + i, word.len), word))
            return true;
    return false;
}

static int rank_of(const struct cli *cli, const struct found *found)
{
    int rank = 1;

    if (slice_starts(slice_text(found->item.id), SLICE("relationship--")))
        return 3;
    if (cli->word_count == 1 && slice_eq_nocase(found->name, slice_text(cli->words[0])))
        return 0;
    for (size_t i = 0; i < cli->word_count; i++) {
        slice word = slice_text(cli->words[i]);

        if (slice_ends(word, SLICE("*")))
            word.len--;
        if (!has_nocase(found->name, word))
            rank = 2;
    }
    return rank;
}

static int by_rank(const void *a, const void *b)
{
    const struct found *left = a, *right = b;

    if (left->rank != right->rank)
        return left->rank < right->rank ? -1 : 1;
    return (left->order > right->order) - (left->order < right->order);
}

/* The words of all arguments: "two words" in quotes asks for what two arguments ask for.  One that
 * holds none stays as it is and finds nothing. */
static size_t words_split(const struct cli *cli, slice *words)
{
    size_t count = 0;

    for (size_t i = 0; i < cli->word_count; i++) {
        slice word, rest = slice_text(cli->words[i]);
        size_t before = count;

        while (rest.len > 0) {
            (void)slice_cut(rest, ' ', &word, &rest);
            if (word.len > 0)
                words[count++] = word;
        }
        if (count == before)
            words[count++] = slice_text(cli->words[i]);
    }
    return count;
}

/* Words are asked for twice: first as a value (an address, a domain, a hash is one), then as words.
 */
static result search_find(const struct cli *cli, struct store_view *view, struct store_query *query,
                          size_t limit, struct arena *arena, struct store_page *page,
                          struct diag *diag)
{
    size_t room = 1;
    struct stix_id id;

    for (size_t i = 0; i < cli->word_count; i++)
        room += strlen(cli->words[i]) / 2 + 1;
    slice *words = arena_new(arena, slice, room), *whole = arena_new(arena, slice, 1);
    if (words == NULL || whole == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for the query");
    *whole = cli->word_count > 0 ? slice_text(cli->words[0]) : SLICE_NONE;
    query->newest_first = true;
    if (cli->word_count == 1 && stix_id_parse(*whole, &id)) {
        query->ids = whole;
        query->id_count = 1;
        return store_find(view, query, limit, SIZE_MAX, false, arena, page, diag);
    }
    if (cli->word_count == 1 && query->value_count == 0) {
        struct store_query by_value = *query;

        by_value.values = whole;
        by_value.value_count = 1;
        TRY(store_find(view, &by_value, limit, SIZE_MAX, false, arena, page, diag));
        if (page->count > 0)
            return OK;
    }
    query->words = words;
    query->word_count = words_split(cli, words);
    return store_find(view, query, limit, SIZE_MAX, false, arena, page, diag);
}

static result search_rank(const struct cli *cli, struct cli_reader *reader, struct store_view *view,
                          const struct store_page *page, struct arena *arena, struct found *found,
                          size_t *count, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;

    *count = 0;
    TRY(json_parser_new(JSON_DEPTH_MAX, &parser, diag));
    for (size_t i = 0; i < page->count; i++) {
        struct found *one = &found[*count];

        bool is_there;

        if (!store_item_at(view, page->seqs[i], &one->item))
            continue;
        TRY(cli_reader_item(reader, view, &one->item, arena, &is_there, diag));
        if (!is_there)
            continue;
        one->name = headline_of_text(parser, one->item.text, arena);
        one->rank = rank_of(cli, one);
        one->order = (*count)++;
    }
    if (cli->word_count > 0)
        qsort(found, *count, sizeof(found[0]), by_rank);
    return OK;
}

static void search_print(const struct cli *cli, const struct found *found, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!cli->json) {
            print_line(&found[i]);
            continue;
        }
        (void)fwrite(found[i].item.text.at, 1, found[i].item.text.len, stdout);
        (void)putchar('\n');
    }
}

static int search_run(const struct cli *cli, struct cli_reader *reader, struct store_view *view,
                      size_t limit)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)512 << 20);
    struct store_query query;
    struct store_page page;
    struct diag diag = {0};
    size_t count, looked = limit;
    int code = cli_query(cli, view, &arena, &query);

    if (code != CLI_OK)
        return code;
    if (cli_reader_is_limited(reader))
        looked = SEARCH_MOST; /* how many of them are withheld is not known yet */
    if (cli->word_count > 0 && looked < SEARCH_RANKED)
        looked = SEARCH_RANKED;
    struct found *found = arena_new(&arena, struct found, looked);
    if (found == NULL)
        return cli_fail(CLI_FAILED, "no memory for the query");
    if (failed(search_find(cli, view, &query, looked, &arena, &page, &diag)) ||
        failed(search_rank(cli, reader, view, &page, &arena, found, &count, &diag)))
        return cli_failed(&diag);
    search_print(cli, found, count < limit ? count : limit);
    if ((page.more && !cli_reader_is_limited(reader)) || count > limit)
        cli_say(cli, "more than %zu; --limit shows more", limit);
    if (count == 0) {
        cli_say(cli, "nothing found");
        return CLI_NOT_FOUND;
    }
    return CLI_OK;
}

int cmd_search(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(store_view_end) struct store_view view = {0};
    CLEANUP(cli_reader_close) struct cli_reader reader = {0};
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
    code = cli_reader_open(cli, &node, &view, false, &reader);
    return code != CLI_OK ? code : search_run(cli, &reader, &view, limit);
}
