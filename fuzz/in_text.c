/* Any text as a list and as CSV: what is made is lines of JSON objects, and nothing else.
 *
 * The first byte chooses the form and whether columns are named.
 */
#include <stdlib.h>

#include "formats/in.h"
#include "json/json.h"

#include "base/banned.h"

#define OUT_BYTES_MAX ((size_t)64 << 20)

static void lines_check(slice made)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct json_doc doc;
    struct diag diag = {0};
    slice line;

    if (failed(json_parser_new(16, &parser, &diag)))
        return;
    while (made.len > 0) {
        if (!slice_cut(made, '\n', &line, &made) ||
            failed(json_parse_copy(parser, line, &doc, &diag)) || doc.nodes->kind != JSON_OBJECT)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char peek[IN_PEEK_BYTES];
    CLEANUP(source_close) struct source *source = NULL;
    CLEANUP(in_close) struct in *in = NULL;
    struct buf made = BUF(OUT_BYTES_MAX);
    struct in_choice choice = {.confidence = -1, .date_us = 1767225600000000};
    struct diag diag = {0};
    char block[4096];
    size_t count = 1;

    if (size == 0)
        return 0;
    if (failed(source_of_memory(slice_of(data + 1, size - 1), &source, &diag)))
        return 0;
    choice.form = data[0] & 1 ? IN_CSV : IN_LIST;
    if (data[0] & 2)
        choice.columns = SLICE("value,type,-,first_seen,confidence,tlp,tags");
    if (choice.columns.len > 0)
        choice.form = IN_CSV;
    if (data[0] & 4 &&
        (failed(in_recognise(source, peek, &choice.form, &diag)) || choice.form == IN_STIX))
        return 0;
    result r = in_open(source, &choice, &in, &diag);
    while (succeeded(r) && count > 0) {
        r = source_read(in_source(in), block, sizeof(block), &count, &diag);
        if (succeeded(r))
            buf_put(&made, slice_of(block, count));
    }
    if (failed(r) != (diag.code != ERR_NONE))
        abort();
    if (succeeded(r))
        lines_check(buf_slice(&made));
    buf_free(&made);
    return 0;
}
