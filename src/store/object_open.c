#include "store/object_open.h"

#include "base/banned.h"

#define OPENER_ARENA_BYTES_MAX ((size_t)4 << 30)

result opener_init(struct opener *opener, struct diag *diag)
{
    memset(opener, 0, sizeof(*opener));
    opener->arena = ARENA(OPENER_ARENA_BYTES_MAX);
    return json_parser_new(JSON_DEPTH_MAX, &opener->parser, diag);
}

void opener_free(struct opener *opener)
{
    json_parser_free(&opener->parser);
    arena_free(&opener->arena);
}

bool opener_open(struct opener *opener, struct store_files *files, const struct record *record,
                 struct stix_object *out)
{
    struct diag diag = {0};
    slice text = files_text(files, record->text_at, record->text_bytes);

    arena_reset(&opener->arena);
    opener->findings.count = opener->findings.more = 0;
    opener->findings.refused = false;
    /* Where bytes were given back there are spaces or zeros. */
    if (text.len == 0 || text.at[0] != '{')
        return false;
    struct json_doc *doc = arena_new(&opener->arena, struct json_doc, 1);
    *out = (struct stix_object){0};
    /* What was taken in once is understood again whatever the mode was then. */
    return doc != NULL && succeeded(json_parse_copy(opener->parser, text, doc, &diag)) &&
           succeeded(stix_check(doc, STIX_LENIENT, &opener->arena, out, &opener->findings, &diag));
}
