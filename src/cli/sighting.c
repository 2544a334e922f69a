/* sighting list, false: what the node has seen of indicators, and what it thinks of them. */
#include <inttypes.h>

#include "base/time.h"
#include "cli/cli.h"
#include "cli/reading.h"
#include "gate/origin.h"
#include "json/json.h"

#include "base/banned.h"

#define ARENA_BYTES_MAX ((size_t)256 << 20)
#define LIMIT_USUAL 20
#define LIMIT_MAX 1000000

struct listing {
    const struct cli *cli;
    struct cli_reader reader;
    struct store_view view;
    struct collection sightings;
    struct json_parser *parser; /* owned */
    struct arena arena;
    bool has_since;
    struct timestamp since;
    size_t limit, shown;
};

struct line {
    slice id, indicator, by, first, last, text;
    int64_t count;
};

static slice member(const struct json_doc *doc, slice key, struct arena *arena)
{
    slice text = json_string(doc, json_get(doc, doc->nodes, key), arena);

    return text.at == NULL ? SLICE("") : arena_copy(arena, text);
}

static bool line_read(struct listing *listing, slice text, struct line *out)
{
    struct json_doc doc;
    struct timestamp last;

    *out = (struct line){.text = text};
    if (failed(json_parse_copy(listing->parser, text, &doc, NULL)))
        return false;
    out->id = member(&doc, SLICE("id"), &listing->arena);
    out->indicator = member(&doc, SLICE("sighting_of_ref"), &listing->arena);
    out->by = member(&doc, SLICE("created_by_ref"), &listing->arena);
    out->first = member(&doc, SLICE("first_seen"), &listing->arena);
    out->last = member(&doc, SLICE("last_seen"), &listing->arena);
    slice when = out->last.len > 0 ? out->last : member(&doc, SLICE("modified"), &listing->arena);
    if (!json_i64(&doc, json_get(&doc, doc.nodes, SLICE("count")), &out->count))
        out->count = 1;
    for (size_t i = 0, n = cli_value_count(listing->cli, "indicator"); i < n; i++) {
        if (slice_eq(out->indicator, slice_text(cli_value_at(listing->cli, "indicator", i))))
            break;
        if (i + 1 == n)
            return false;
    }
    return !listing->has_since ||
           (timestamp_parse(when, &last) && timestamp_cmp(&last, &listing->since) >= 0);
}

/* The indicator's name, when the node holds it. */
static slice name_of(struct listing *listing, slice indicator)
{
    const struct collection any = {0};
    struct json_doc doc;
    slice text;

    if (failed(report_held(&listing->view, &any, indicator, &listing->arena, &text, NULL)) ||
        text.len == 0 || failed(json_parse_copy(listing->parser, text, &doc, NULL)))
        return SLICE("");
    return member(&doc, SLICE("name"), &listing->arena);
}

static int line_print(struct listing *listing, const struct line *line)
{
    CLEANUP(buf_free) struct buf out = BUF((size_t)1 << 20);
    struct json_writer w = JSON_WRITER(&out);
    /* An indicator's name is for who may have the indicator. */
    slice name =
        cli_reader_is_limited(&listing->reader) ? SLICE("") : name_of(listing, line->indicator);

    if (!listing->cli->json) {
        (void)printf("%9" PRId64 "  %-27.*s  %.*s  ", line->count,
                     SLICE_ARG(line->last.len > 0 ? line->last : SLICE("-")),
                     SLICE_ARG(line->indicator));
        cli_print_text(stdout, line->count == 0 && line->last.len == 0 ? SLICE("false positive  ")
                                                                       : SLICE(""));
        cli_print_text(stdout, name);
        if (cli_has(listing->cli, "partners")) {
            (void)fputs("  seen by ", stdout);
            cli_print_text(stdout, line->by.len > 0 ? line->by : SLICE("a partner"));
        }
        (void)putchar('\n');
        return CLI_OK;
    }
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("id"), line->id);
    jw_put_string(&w, SLICE("indicator"), line->indicator);
    jw_put_string(&w, SLICE("name"), name);
    if (line->by.len > 0)
        jw_put_string(&w, SLICE("by"), line->by);
    jw_key(&w, SLICE("count"));
    jw_i64(&w, line->count);
    if (line->first.len > 0)
        jw_put_string(&w, SLICE("first_seen"), line->first);
    if (line->last.len > 0)
        jw_put_string(&w, SLICE("last_seen"), line->last);
    jw_key(&w, SLICE("object"));
    jw_raw(&w, line->text);
    jw_object_end(&w);
    return cli_print_json(&out);
}

static int list(struct listing *listing)
{
    CLEANUP(arena_free) struct arena pages = ARENA(ARENA_BYTES_MAX);
    static const slice type = S("sighting");
    struct store_query query = {.collection = listing->sightings.number,
                                .types = &type,
                                .type_count = 1,
                                .version_last = true,
                                .newest_first = true};
    struct store_page page;
    struct diag diag = {0};
    int code = CLI_OK;

    if (failed(
            store_find(&listing->view, &query, LIMIT_MAX, SIZE_MAX, false, &pages, &page, &diag)))
        return cli_failed(&diag);
    for (size_t i = 0; code == CLI_OK && i < page.count && listing->shown < listing->limit; i++) {
        struct store_item item;
        struct line line;

        bool is_there = false;

        arena_reset(&listing->arena);
        if (store_item_at(&listing->view, page.seqs[i], &item) &&
            failed(cli_reader_item(&listing->reader, &listing->view, &item, &listing->arena,
                                   &is_there, &diag)))
            return cli_failed(&diag);
        if (!is_there || !line_read(listing, item.text, &line))
            continue;
        code = line_print(listing, &line);
        listing->shown++;
    }
    return cli_end(code);
}

int cmd_sighting_list(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    struct listing listing = {.cli = cli, .arena = ARENA((size_t)64 << 20)};
    const char *since = cli_value(cli, "since");
    struct diag diag = {0};

    if (cli->word_count != 0)
        return cli_misused(cli, "takes options only");
    int code = cli_count(cli, "limit", 1, LIMIT_MAX, LIMIT_USUAL, &listing.limit);
    if (code != CLI_OK)
        return code;
    listing.has_since = since != NULL;
    if (since != NULL && !timestamp_parse_rfc3339(slice_text(since), &listing.since))
        return cli_misused(cli, "--since = \"%s\": takes a time as 2026-01-31T00:00:00Z", since);
    code = cli_node_open(cli, true, &node);
    if (code != CLI_OK)
        return code;
    if (failed(json_parser_new(256, &listing.parser, &diag)))
        return cli_failed(&diag);
    store_view_begin(node.store, &listing.view, &diag);
    /* Before the first report there is no collection, and nothing was seen. */
    code = cli_reader_open(cli, &node, &listing.view, false, &listing.reader);
    if (code == CLI_OK && store_collection_find(&listing.view,
                                                cli_has(cli, "partners") ? SLICE(PARTNERS_ALIAS)
                                                                         : SLICE(REPORT_ALIAS),
                                                &listing.sightings))
        code = list(&listing);
    else if (code == CLI_OK && diag.code != ERR_NONE)
        code = cli_failed(&diag);
    cli_reader_close(&listing.reader);
    store_view_end(&listing.view);
    json_parser_free(&listing.parser);
    arena_free(&listing.arena);
    return code;
}

int cmd_sighting_false(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};

    if (cli->word_count == 0)
        return cli_misused(cli, "an indicator's id is needed");
    int code = cli_node_open(cli, false, &node);
    if (code != CLI_OK)
        return code;
    struct report_place place = node_report(&node, SLICE("cli"));
    for (size_t i = 0; code == CLI_OK && i < cli->word_count; i++) {
        struct report_opinion opinion = {.indicator = slice_text(cli->words[i]),
                                         .comment = slice_text(cli_value(cli, "comment"))};
        struct diag diag = {0};

        if (failed(report_false(&place, &opinion, &diag)))
            code = cli_failed(&diag);
        else
            cli_say(cli, "%s: marked as false", cli->words[i]);
    }
    return code;
}
