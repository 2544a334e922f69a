/* A partner's card from outside: what is let through has an identity and a key that signed it, and
 * the same text read again gives the same. */
#include "agreement/card.h"

#include <assert.h>

#include "stix/id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 20);
    struct card card, again;
    struct diag diag = {0};
    struct json_doc doc;
    struct stix_id id;

    if (size > CARD_BYTES_MAX || failed(json_parser_new(DOCUMENT_DEPTH_MAX, &parser, NULL)) ||
        failed(json_parse_copy(parser, slice_of(data, size), &doc, NULL)))
        return 0;
    struct value value = {&doc, doc.nodes};
    if (failed(card_read(value, &arena, &card, &diag))) {
        assert(diag.text[0] != '\0');
        return 0;
    }
    bool is_id = stix_id_parse(card.id, &id) && slice_eq(id.type, SLICE("identity"));
    assert(is_id);
    result r = card_read(value, &arena, &again, NULL);
    assert(succeeded(r) && memcmp(card.key, again.key, sizeof(card.key)) == 0);
    return 0;
}
