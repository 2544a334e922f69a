#include <assert.h>
#include <inttypes.h>

#include "base/encode.h"
#include "cli/cli.h"
#include "cli/headline.h"
#include "cli/reading.h"

#include "base/banned.h"

#define SHOW_VERSIONS_MAX 1000
#define SHOW_REFS_MAX 20
#define SHOW_NAME_BYTES 100

/* Indented JSON for people: the object's own text, spaced. */
static void print_pretty(const struct json_doc *doc)
{
    static const char spaces[] = "                                                                ";
    struct {
        const struct json_node *end;
        bool is_object;
    } stack[JSON_WRITE_DEPTH_MAX];
    size_t depth = 0;
    const struct json_node *node = doc->nodes, *last = doc->nodes + doc->node_count;
    bool is_value = true;

    while (node < last) {
        slice raw = json_raw(doc, node);
        bool opens = (node->kind == JSON_OBJECT || node->kind == JSON_ARRAY) && node->size > 1 &&
                     depth < JSON_WRITE_DEPTH_MAX;

        if (!opens) {
            cli_print_text(stdout, raw);
            node += node->size;
        } else {
            stack[depth].end = node + node->size;
            stack[depth++].is_object = node->kind == JSON_OBJECT;
            (void)putchar(node->kind == JSON_OBJECT ? '{' : '[');
            node++;
        }
        if (depth > 0 && stack[depth - 1].is_object && !opens && !is_value) {
            (void)fputs(": ", stdout);
            is_value = true;
            continue;
        }
        while (depth > 0 && node == stack[depth - 1].end) {
            depth--;
            (void)printf("\n%.*s%c", (int)(2 * depth), spaces, stack[depth].is_object ? '}' : ']');
        }
        if (node == last)
            break;
        if (!opens)
            (void)putchar(',');
        (void)printf("\n%.*s", (int)(2 * depth), spaces);
        assert(depth > 0); /* `last` is not reached: a container is open */
        is_value = !stack[depth - 1].is_object;
    }
    (void)putchar('\n');
}

static void field(const char *name, slice value)
{
    if (value.len == 0)
        return;
    (void)printf("%-12s ", name);
    cli_print_text(stdout, value);
    (void)putchar('\n');
}

static void string_field(const struct json_doc *doc, const char *name, const char *key,
                         struct arena *arena)
{
    const struct json_node *node = json_get(doc, doc->nodes, slice_text(key));

    if (node != NULL && node->kind == JSON_STRING)
        field(name, json_string(doc, node, arena));
}

/* What an object is called; its id when it is not held or has no name. */
static slice name_of(struct store_view *view, struct json_parser *parser, slice id,
                     struct arena *arena)
{
    struct store_query query = {.ids = &id, .id_count = 1};
    struct store_page page;
    struct store_item item;
    struct diag diag = {0};

    if (failed(store_find(view, &query, 1, SIZE_MAX, false, arena, &page, &diag)) ||
        page.count == 0 || !store_item_at(view, page.seqs[0], &item))
        return id;
    slice name = headline_of_text(parser, item.text, arena);
    return name.len > 0 ? name : id;
}

/* A relationship by the names of its ends: "APT29 uses CosmicDuke". */
static slice relation_named(struct store_view *view, struct json_parser *parser, slice text,
                            struct arena *arena)
{
    static const slice keys[] = {S("source_ref"), S("relationship_type"), S("target_ref")};
    slice parts[3];
    struct json_doc doc;
    struct diag diag = {0};

    if (text.len == 0 || failed(json_parse_copy(parser, text, &doc, &diag)))
        return SLICE_NONE;
    for (size_t i = 0; i < 3; i++) {
        const struct json_node *node = json_get(&doc, doc.nodes, keys[i]);

        if (node == NULL || node->kind != JSON_STRING)
            return SLICE_NONE;
        parts[i] = arena_copy(arena, json_string(&doc, node, arena));
    }
    slice source = name_of(view, parser, parts[0], arena);
    slice target = name_of(view, parser, parts[2], arena);
    return arena_printf(arena, "%.*s %.*s %.*s", SLICE_ARG(source), SLICE_ARG(parts[1]),
                        SLICE_ARG(target));
}

/* Objects on the other end of references, a line each with what a person would call them. */
static result print_refs(struct store_view *view, const char *title, const char *option,
                         const struct store_query *query, struct arena *arena, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct store_page page;

    TRY(json_parser_new(JSON_DEPTH_MAX, &parser, diag));
    TRY(store_find(view, query, SHOW_REFS_MAX, SIZE_MAX, false, arena, &page, diag));
    for (size_t i = 0; i < page.count; i++) {
        struct store_item item;

        if (!store_item_at(view, page.seqs[i], &item))
            continue;
        (void)printf("%-12s %s  ", i == 0 ? title : "", item.id);
        slice name = relation_named(view, parser, item.text, arena);
        if (name.len == 0)
            name = headline_of_text(parser, item.text, arena);
        headline_print(stdout, name, SHOW_NAME_BYTES);
        (void)putchar('\n');
    }
    if (page.more)
        (void)printf("%-12s ... and more: entente search --%s ID\n", "", option);
    return OK;
}

static void print_place(struct store_view *view, const struct store_item *item)
{
    char added[TIMESTAMP_TEXT_BYTES_MAX], version[TIMESTAMP_TEXT_BYTES_MAX];
    struct collection collection;

    if (!store_collection_next(view, item->collection - 1, &collection) ||
        collection.number != item->collection)
        collection = (struct collection){.title = "?"};
    (void)printf("%-12s %.*s%s\n", "version", (int)timestamp_format(&item->version, version),
                 version, item->is_superseded ? "  (a later one is held)" : "");
    (void)printf("%-12s \"", "collection");
    cli_print_text(stdout, slice_text(collection.title));
    (void)printf("\" since %.*s\n", (int)time_format_us(item->added_us, added), added);
}

static int show_words(struct store_view *view, const struct store_item *item, bool with_refs,
                      struct arena *arena, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    const char *bold = cli_colour(stdout, "\x1b[1m"), *plain = cli_colour(stdout, "\x1b[0m");
    struct json_doc doc;
    slice id = slice_text(item->id);

    (void)printf("%s%s%s\n", bold, item->id, plain);
    print_place(view, item);
    if (item->text.len == 0) {
        (void)printf("%-12s removed; the log keeps that it was there (SHA-256 of its canonical "
                     "form is held)\n",
                     "text");
        return CLI_OK;
    }
    if (failed(json_parser_new(JSON_DEPTH_MAX, &parser, diag)) ||
        failed(json_parse_copy(parser, item->text, &doc, diag)))
        return cli_failed(diag);
    string_field(&doc, "name", "name", arena);
    string_field(&doc, "pattern", "pattern", arena);
    string_field(&doc, "value", "value", arena);
    string_field(&doc, "valid from", "valid_from", arena);
    string_field(&doc, "valid until", "valid_until", arena);
    string_field(&doc, "created by", "created_by_ref", arena);
    struct store_query outward = {.refs_from = &id, .ref_from_count = 1};
    struct store_query inward = {.refs_to = &id, .ref_to_count = 1};
    if (with_refs && (failed(print_refs(view, "points to", "refs-from", &outward, arena, diag)) ||
                      failed(print_refs(view, "from", "refs-to", &inward, arena, diag))))
        return cli_failed(diag);
    print_pretty(&doc);
    return CLI_OK;
}

static int show_json(const struct store_item *item)
{
    CLEANUP(buf_free) struct buf out = BUF((size_t)256 << 20);
    struct json_writer w = JSON_WRITER(&out);
    char text[TIMESTAMP_TEXT_BYTES_MAX], hex[2 * SHA256_BYTES];

    hex_encode(slice_of(item->hash.bytes, SHA256_BYTES), hex);
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("id"), slice_text(item->id));
    jw_put_string(&w, SLICE("version"), slice_of(text, timestamp_format(&item->version, text)));
    jw_put_string(&w, SLICE("added"), slice_of(text, time_format_us(item->added_us, text)));
    jw_put_u64(&w, SLICE("collection"), item->collection);
    jw_put_string(&w, SLICE("sha256"), slice_of(hex, sizeof(hex)));
    jw_put_bool(&w, SLICE("superseded"), item->is_superseded);
    jw_key(&w, SLICE("object"));
    if (item->text.len > 0)
        jw_raw(&w, item->text);
    else
        jw_null(&w);
    jw_object_end(&w);
    return cli_print_json(&out);
}

static int show_item(struct cli *cli, struct store_view *view, const struct store_item *item,
                     bool with_refs, struct arena *arena, struct diag *diag)
{
    if (cli->json)
        return show_json(item);
    if (!cli_has(cli, "raw"))
        return show_words(view, item, with_refs, arena, diag);
    (void)fwrite(item->text.at, 1, item->text.len, stdout);
    (void)putchar('\n');
    return CLI_OK;
}

static int show_object(struct cli *cli, struct cli_reader *reader, struct store_view *view,
                       const char *id)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)64 << 20);
    slice text = slice_text(id);
    struct store_query query = {
        .ids = &text, .id_count = 1, .version_all = cli_has(cli, "all-versions")};
    struct store_page page;
    struct store_item item;
    struct stix_id parsed;
    struct diag diag = {0};
    bool any = false;

    if (!stix_id_parse(text, &parsed))
        return cli_fail(CLI_MISUSED, "\"%s\" is no STIX id: type--UUID", id);
    if (failed(store_find(view, &query, SHOW_VERSIONS_MAX, SIZE_MAX, false, &arena, &page, &diag)))
        return cli_failed(&diag);
    if (page.count == 0)
        return cli_fail(CLI_NOT_FOUND, "%s: not held", id);
    for (size_t i = 0; i < page.count; i++) {
        bool is_there, is_last = i + 1 == page.count;

        if (!store_item_at(view, page.seqs[i], &item))
            continue;
        if (failed(cli_reader_item(reader, view, &item, &arena, &is_there, &diag)))
            return cli_failed(&diag);
        if (!is_there)
            continue;
        any = true;
        /* The lines about other objects are for who may have all of them. */
        int code =
            show_item(cli, view, &item, is_last && !cli_reader_is_limited(reader), &arena, &diag);
        if (code != CLI_OK)
            return code;
    }
    return any ? CLI_OK : cli_fail(CLI_NOT_FOUND, "%s: not held", id);
}

int cmd_show(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(store_view_end) struct store_view view = {0};
    CLEANUP(cli_reader_close) struct cli_reader reader = {0};
    struct diag diag = {0};
    int worst = CLI_OK;

    if (cli->word_count == 0)
        return cli_misused(cli, "name an object's id");
    int code = cli_node_open(cli, true, &node);
    if (code != CLI_OK)
        return code;
    store_view_begin(node.store, &view, &diag);
    if (diag.code != ERR_NONE)
        return cli_failed(&diag);
    code = cli_reader_open(cli, &node, &view, false, &reader);
    if (code != CLI_OK)
        return code;
    for (size_t i = 0; i < cli->word_count; i++) {
        code = show_object(cli, &reader, &view, cli->words[i]);
        if (code != CLI_OK)
            worst = code;
    }
    return worst;
}
