#include "store/object_open.h"

#include "base/banned.h"

#define OPENER_ARENA_BYTES_MAX ((size_t)4 << 30)

result opener_init(struct opener *opener, struct diag *diag)
{
    memset(opener, 0, sizeof(*opener));
    opener->arena = ARENA(OPENER_ARENA_BYTES_MAX);
    opener->diag = diag;
    return json_parser_new(JSON_DEPTH_MAX, &opener->parser, diag);
}

void opener_free(struct opener *opener)
{
    json_parser_free(&opener->parser);
    arena_free(&opener->arena);
}

static result understand(struct opener *opener, slice text, struct stix_object *out)
{
    struct json_doc *doc = arena_new(&opener->arena, struct json_doc, 1);

    if (doc == NULL)
        return diag_fail(opener->diag, ERR_LIMIT, "no memory to read an object again");
    TRY(json_parse_copy(opener->parser, text, doc, opener->diag));
    /* What was taken in once is understood again whatever the mode was then. */
    return stix_check(doc, STIX_LENIENT, &opener->arena, out, &opener->findings, opener->diag);
}

bool opener_open(struct opener *opener, struct store_files *files, const struct record *record,
                 struct stix_object *out)
{
    slice text = files_text(files, record->text_at, record->text_bytes);

    arena_reset(&opener->arena);
    *out = (struct stix_object){0};
    opener->findings.count = opener->findings.more = 0;
    opener->findings.refused = false;
    /* Where bytes were given back there are spaces or zeros. */
    if (failed(opener->state) || (text.len > 0 && text.at[0] != '{'))
        return false;
    if (text.len == 0)
        opener->state = diag_fail(opener->diag, ERR_IO, "segment %llu cannot be read",
                                  (unsigned long long)(record->text_at / SEGMENT_BYTES));
    else
        opener->state =
            diag_within(opener->diag, understand(opener, text, out),
                        "object at byte %llu of the segments", (unsigned long long)record->text_at);
    return succeeded(opener->state);
}
