/* agreement diff: two versions of an agreement, member by member. */
#include "cli/agreement.h"
#include "cli/pattern.h"

#include "base/banned.h"

#define LEAVES_MAX 20000
#define TEXT_BYTES_MAX ((size_t)1 << 20)

/* A value without members, and where it stands: "grants[0].tlp.max". */
struct leaf {
    slice path, text;
};

struct leaves {
    struct leaf *items;
    size_t count;
};

struct level {
    struct json_each each;
    slice path;
    size_t index;
    bool is_object;
};

static slice path_of(const struct level *level, const struct json_doc *doc, struct arena *arena)
{
    if (!level->is_object)
        return arena_printf(arena, "%.*s[%zu]", SLICE_ARG(level->path), level->index);
    return arena_printf(arena, "%.*s%s%.*s", SLICE_ARG(level->path), level->path.len > 0 ? "." : "",
                        SLICE_ARG(json_inner(doc, level->each.key)));
}

static bool has_members(const struct json_node *node)
{
    return (node->kind == JSON_OBJECT || node->kind == JSON_ARRAY) && node->size > 1;
}

static result leaves_read(struct value document, struct arena *arena, struct leaves *out,
                          struct diag *diag)
{
    struct level levels[DOCUMENT_DEPTH_MAX + 1];
    size_t depth = 1;

    *out = (struct leaves){.items = arena_new(arena, struct leaf, LEAVES_MAX)};
    levels[0] = (struct level){json_each(document.doc, document.node), SLICE(""), 0,
                               document.node->kind == JSON_OBJECT};
    while (depth > 0 && out->items != NULL) {
        struct level *level = &levels[depth - 1];

        if (!json_next(&level->each)) {
            depth--;
            continue;
        }
        const struct json_node *node = level->each.value;
        slice path = path_of(level, document.doc, arena);
        level->index++;
        if (slice_eq(path, SLICE("signatures")))
            continue;
        if (has_members(node) && depth <= DOCUMENT_DEPTH_MAX)
            levels[depth++] =
                (struct level){json_each(document.doc, node), path, 0, node->kind == JSON_OBJECT};
        else if (out->count < LEAVES_MAX)
            out->items[out->count++] = (struct leaf){path, json_raw(document.doc, node)};
    }
    return arena->overflowed || out->count == LEAVES_MAX
               ? diag_fail(diag, ERR_LIMIT, "the agreement has too many members to compare")
               : OK;
}

static const struct leaf *leaf_find(const struct leaves *leaves, slice path)
{
    for (size_t i = 0; i < leaves->count; i++)
        if (slice_eq(leaves->items[i].path, path))
            return &leaves->items[i];
    return NULL;
}

static int line_print(const struct cli *cli, slice path, const struct leaf *old,
                      const struct leaf *now)
{
    CLEANUP(buf_free) struct buf out = BUF(TEXT_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&out);

    if (!cli->json) {
        cli_print_text(stdout, path);
        (void)fputs(": ", stdout);
        cli_print_text(stdout, old != NULL ? old->text : SLICE("(none)"));
        (void)fputs(" -> ", stdout);
        cli_print_text(stdout, now != NULL ? now->text : SLICE("(none)"));
        (void)putchar('\n');
        return CLI_OK;
    }
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("path"), path);
    if (old != NULL) {
        jw_key(&w, SLICE("old"));
        jw_raw(&w, old->text);
    }
    if (now != NULL) {
        jw_key(&w, SLICE("new"));
        jw_raw(&w, now->text);
    }
    jw_object_end(&w);
    return cli_print_json(&out);
}

static int differences_print(const struct cli *cli, struct value old, struct value now)
{
    CLEANUP(arena_free) struct arena arena = ARENA(AGREEMENT_ARENA_BYTES_MAX);
    struct leaves before, after;
    struct diag diag = {0};
    int code = CLI_OK;
    bool any = false;

    if (failed(leaves_read(old, &arena, &before, &diag)) ||
        failed(leaves_read(now, &arena, &after, &diag)))
        return cli_failed(&diag);
    for (size_t i = 0; code == CLI_OK && i < before.count; i++) {
        const struct leaf *leaf = leaf_find(&after, before.items[i].path);

        if (leaf != NULL && slice_eq(leaf->text, before.items[i].text))
            continue;
        any = true;
        code = line_print(cli, before.items[i].path, &before.items[i], leaf);
    }
    for (size_t i = 0; code == CLI_OK && i < after.count; i++) {
        if (leaf_find(&before, after.items[i].path) != NULL)
            continue;
        any = true;
        code = line_print(cli, after.items[i].path, NULL, &after.items[i]);
    }
    if (code == CLI_OK && !any)
        cli_say(cli, "nothing differs");
    return code;
}

/* A file is held against the newest version; without one the newest against the one before. */
static int diff_file(const struct cli *cli, const struct kept *held, const char *path)
{
    CLEANUP(buf_free) struct buf text = BUF(TEXT_BYTES_MAX);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct diag diag = {0};
    struct json_doc doc;

    if (failed(cli_file_read(path, &text, &diag)) ||
        failed(json_parser_new(DOCUMENT_DEPTH_MAX, &parser, &diag)) ||
        failed(
            diag_within(&diag, json_parse_copy(parser, buf_slice(&text), &doc, &diag), "%s", path)))
        return cli_failed(&diag);
    return differences_print(cli, held->document, (struct value){&doc, doc.nodes});
}

int cmd_agreement_diff(struct cli *cli)
{
    CLEANUP(agreement_view_free) struct agreement_view view = {0};
    CLEANUP(kept_free) struct kept before = {0};
    struct diag diag = {0};
    bool found = false;

    if (cli->word_count < 1 || cli->word_count > 2)
        return cli_misused(cli, "takes an agreement's id and a file");
    int code = agreement_view_open(cli, false, &view);
    if (code != CLI_OK)
        return code;
    if (cli->word_count == 2)
        return diff_file(cli, &view.held, cli->words[1]);
    if (failed(keep_read(&view.place, &view.txn, slice_text(cli->words[0]), view.held.version,
                         &view.arena, &before, &found, &diag)))
        return cli_failed(&diag);
    if (!found)
        return cli_fail(CLI_NOT_FOUND, "%s: has one version only", cli->words[0]);
    return differences_print(cli, before.document, view.held.document);
}
