/* An agreement from outside: what the check lets through has terms that can be read, and written
 * out canonically it is the same agreement with the same hash. */
#include "agreement/document.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void document_again(struct value document, const struct hash256 *hash)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(buf_free) struct buf text = BUF((size_t)16 << 20);
    struct json_doc doc;
    struct hash256 again;

    if (failed(document_write(document, NULL, 0, &text, NULL)) ||
        failed(json_parser_new(JSON_DEPTH_MAX, &parser, NULL)))
        return;
    result r = json_parse_copy(parser, buf_slice(&text), &doc, NULL);
    assert(succeeded(r));
    r = document_hash((struct value){&doc, doc.nodes}, &again, NULL);
    assert(succeeded(r) && hash256_eq(hash, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)16 << 20);
    const struct signature *signatures;
    struct diag diag = {0};
    struct hash256 hash;
    struct json_doc doc;
    size_t count;

    if (failed(json_parser_new(JSON_DEPTH_MAX, &parser, NULL)) ||
        failed(json_parse_copy(parser, slice_of(data, size), &doc, NULL)))
        return 0;
    struct value document = {&doc, doc.nodes};
    if (failed(document_check(document, &arena, &diag))) {
        assert(diag.text[0] != '\0');
        return 0;
    }
    if (failed(document_hash(document, &hash, NULL)))
        return 0;
    document_again(document, &hash);
    result r = document_signatures(document, &hash, &arena, &signatures, &count, NULL);
    (void)r.code;
    return 0;
}
