/* For tests of the check: parse a text, check it, say what was found in lines. */
#pragma once

#include "rows.h"
#include "stix/object.h"

#define CHECKED_BUDGET ((size_t)16 << 20)
#define CHECKED_TEXT_MAX ((size_t)1 << 20)

struct checked {
    struct json_parser *parser;
    struct json_doc doc;
    struct arena arena;
    struct stix_object object;
    struct stix_findings findings;
    struct diag diag;
    struct buf text;
    result outcome;
};

static inline void checked_init(struct checked *checked)
{
    *checked = (struct checked){.arena = ARENA(CHECKED_BUDGET), .text = BUF(CHECKED_TEXT_MAX)};
    assert_true(succeeded(json_parser_new(JSON_DEPTH_MAX, &checked->parser, &checked->diag)));
}

static inline void checked_free(struct checked *checked)
{
    json_parser_free(&checked->parser);
    arena_free(&checked->arena);
    buf_free(&checked->text);
}

static inline void checked_run(struct checked *checked, slice json, enum stix_mode mode)
{
    diag_reset(&checked->diag);
    arena_reset(&checked->arena);
    if (failed(json_parse_copy(checked->parser, json, &checked->doc, &checked->diag)))
        fail_msg("the case is no JSON: %s", checked->diag.text);
    checked->outcome = stix_check(&checked->doc, mode, &checked->arena, &checked->object,
                                  &checked->findings, &checked->diag);
}

/* The same with apostrophes for quotes, so that C can hold it, and ` for an apostrophe. */
static inline void checked_run_plain(struct checked *checked, slice plain, enum stix_mode mode)
{
    buf_reset(&checked->text);
    for (size_t i = 0; i < plain.len; i++)
        buf_byte(&checked->text, plain.at[i] == '\''  ? '"'
                                 : plain.at[i] == '`' ? '\''
                                                      : plain.at[i]);
    checked_run(checked, buf_slice(&checked->text), mode);
}

/* "error required labels: is required", a line each. */
static inline void checked_tell(const struct checked *checked, struct buf *out)
{
    for (size_t i = 0; i < checked->findings.count; i++) {
        const struct stix_finding *finding = &checked->findings.items[i];

        buf_printf(out, "%s %s ", finding->severity == STIX_ERROR ? "error" : "warning",
                   finding->rule);
        if (finding->path.len > 0)
            buf_printf(out, "%.*s: ", SLICE_ARG(finding->path));
        buf_printf(out, "%.*s\n", SLICE_ARG(finding->text));
    }
    if (checked->findings.more > 0)
        buf_printf(out, "and %zu more\n", checked->findings.more);
}
