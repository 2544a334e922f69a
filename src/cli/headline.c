#include "cli/headline.h"

#include "base/banned.h"

static slice string_of(const struct json_doc *doc, slice key, struct arena *arena)
{
    const struct json_node *node = json_get(doc, doc->nodes, key);

    return node != NULL && node->kind == JSON_STRING ? json_string(doc, node, arena) : SLICE_NONE;
}

static slice relationship(const struct json_doc *doc, struct arena *arena)
{
    slice source = string_of(doc, SLICE("source_ref"), arena);
    slice target = string_of(doc, SLICE("target_ref"), arena);
    slice verb = string_of(doc, SLICE("relationship_type"), arena);

    return arena_printf(arena, "%.*s %.*s %.*s", SLICE_ARG(source), SLICE_ARG(verb),
                        SLICE_ARG(target));
}

slice headline(const struct json_doc *doc, struct arena *arena)
{
    static const slice keys[] = {S("name"),        S("value"), S("pattern"), S("definition_type"),
                                 S("path"),        S("key"),   S("opinion"), S("abstract"),
                                 S("display_name")};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        slice found = string_of(doc, keys[i], arena);

        if (found.len > 0)
            return found;
    }
    if (json_get(doc, doc->nodes, SLICE("relationship_type")) != NULL)
        return relationship(doc, arena);
    return string_of(doc, SLICE("description"), arena);
}

slice headline_of_text(struct json_parser *parser, slice text, struct arena *arena)
{
    struct json_doc doc;
    struct diag diag = {0};

    if (text.len == 0 || failed(json_parse_copy(parser, text, &doc, &diag)))
        return SLICE_NONE;
    return arena_copy(arena, headline(&doc, arena)); /* the next parse reuses what it points to */
}

void headline_print(FILE *out, slice line, size_t bytes)
{
    size_t shown = line.len;

    if (shown > bytes) {
        shown = bytes;
        while (shown > 0 && ((unsigned char)line.at[shown] & 0xc0) == 0x80)
            shown--;
    }
    for (size_t from = 0, i = 0; i <= shown; i++) { /* a line is a line */
        if (i < shown && line.at[i] != '\n' && line.at[i] != '\t')
            continue;
        cli_print_text(out, slice_of(line.at + from, i - from));
        if (i < shown)
            (void)fputc(' ', out);
        from = i + 1;
    }
    if (shown < line.len)
        (void)fputs("...", out);
}
