/* json_parse: every byte of every node is read, nodes lie inside the text and each other, and what
 * is minified parses to the same nodes. */
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

/* Where the next sibling begins lies inside the parent, and so does the text. */
static void nodes_check(const struct json_doc *doc)
{
    volatile char seen = 0;

    (void)seen;
    for (size_t i = 0; i < doc->node_count; i++) {
        const struct json_node *node = &doc->nodes[i];
        slice raw = json_raw(doc, node);

        must(node->size > 0 && i + node->size <= doc->node_count);
        must(raw.at >= doc->text.at && raw.at + raw.len <= doc->text.at + doc->text.len);
        for (size_t k = 0; k < raw.len && k < 64; k++)
            seen ^= raw.at[k];
        for (struct json_each each = json_each(doc, node); json_next(&each);) {
            must(each.value < node + node->size && each.value + each.value->size <= each.end);
            must(each.key == NULL || each.key->repeated ||
                 json_get(doc, node, json_inner(doc, each.key)) == each.value ||
                 each.key->escaped || node->repeated);
        }
    }
}

static void strings_check(const struct json_doc *doc)
{
    struct arena arena = ARENA((size_t)1 << 20);

    for (size_t i = 0; i < doc->node_count; i++) {
        const struct json_node *node = &doc->nodes[i];
        slice value = json_string(doc, node, &arena);
        double number;
        int64_t integer;

        must(utf8_valid(value));
        must(value.at == NULL || json_is(doc, node, value));
        if (json_i64(doc, node, &integer))
            must(json_double(doc, node, &number));
    }
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct json_parser *parser, *second;
    struct buf out = BUF((size_t)1 << 20);
    struct json_doc doc, again;
    struct diag diag = {0};

    if (parser == NULL)
        must(succeeded(json_parser_new(DEPTH_MAX, &parser, NULL)) &&
             succeeded(json_parser_new(DEPTH_MAX, &second, NULL)));
    if (failed(json_parse_copy(parser, slice_of(bytes, count), &doc, &diag))) {
        must(diag.text[0] != '\0');
        return 0;
    }
    nodes_check(&doc);
    strings_check(&doc);
    json_minify(&doc, doc.nodes, &out);
    must(succeeded(json_parse_copy(second, buf_slice(&out), &again, NULL)));
    must(again.node_count == doc.node_count);
    for (size_t i = 0; i < doc.node_count; i++)
        must(doc.nodes[i].kind == again.nodes[i].kind && doc.nodes[i].size == again.nodes[i].size &&
             doc.nodes[i].repeated == again.nodes[i].repeated);
    buf_free(&out);
    return 0;
}
