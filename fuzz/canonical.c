/* json_canonical: its form is JSON, and the form of the form is itself. */
#include <stdlib.h>

#include "json/canonical.h"

#include "base/banned.h"

#define DEPTH_MAX 100

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct json_parser *parser;
    struct buf once = BUF((size_t)1 << 20), twice = BUF((size_t)1 << 20);
    struct json_doc doc;
    struct diag diag = {0};

    if (parser == NULL)
        must(succeeded(json_parser_new(DEPTH_MAX, &parser, NULL)));
    if (failed(json_parse_copy(parser, slice_of(bytes, count), &doc, NULL)))
        return 0;
    if (succeeded(json_canonical(&doc, doc.nodes, &once, &diag))) {
        must(succeeded(json_parse_copy(parser, buf_slice(&once), &doc, NULL)));
        must(succeeded(json_canonical(&doc, doc.nodes, &twice, NULL)));
        must(slice_eq(buf_slice(&once), buf_slice(&twice)));
    } else {
        must(diag.text[0] != '\0');
    }
    buf_free(&once);
    buf_free(&twice);
    return 0;
}
