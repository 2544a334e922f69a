#include "gate/look.h"

#include "base/banned.h"

#define MARKINGS_MAX 10000

result look_init(struct look *look, struct diag *diag)
{
    for (size_t i = 0; i < 2; i++)
        if (look->parsers[i] == NULL)
            TRY(json_parser_new(JSON_DEPTH_MAX, &look->parsers[i], diag));
    return OK;
}

void look_free(struct look *look)
{
    json_parser_free(&look->parsers[0]);
    json_parser_free(&look->parsers[1]);
}

static bool find(struct look *look, size_t which, slice id, struct value *out)
{
    struct store_query query = {.ids = &id, .id_count = 1, .version_last = true};
    struct store_page page;
    struct store_item item;

    if (failed(store_find(look->view, &query, 1, SIZE_MAX, false, look->arena, &page, NULL)) ||
        page.count == 0 || !store_item_at(look->view, page.seqs[0], &item) || item.text.len == 0 ||
        failed(json_parse_copy(look->parsers[which], item.text, &look->docs[which], NULL)))
        return false;
    *out = (struct value){&look->docs[which], look->docs[which].nodes};
    return true;
}

bool look_object(struct look *look, slice id, struct value *out)
{
    return find(look, 0, id, out);
}

bool look_target(void *look, slice id, struct value *out)
{
    return find(look, 1, id, out);
}

/* Its texts must outlive the parser's next text. */
static bool marking_keep(struct look *look, const struct store_item *item, struct marking *out)
{
    struct json_doc *doc = arena_new(look->arena, struct json_doc, 1);
    slice id = arena_copy(look->arena, slice_text(item->id));
    slice text = arena_copy(look->arena, item->text);

    if (doc == NULL || text.at == NULL || id.at == NULL ||
        failed(json_parse_copy(look->parsers[1], text, &look->docs[1], NULL)))
        return false;
    *doc = look->docs[1];
    doc->text = text;
    marking_read((struct value){doc, doc->nodes}, look->arena, out);
    out->id = id;
    return true;
}

result look_markings(struct look *look, struct markings *out, struct diag *diag)
{
    static const slice type[] = {S("marking-definition")};
    struct store_query query = {.types = type, .type_count = 1, .version_last = true};
    struct store_page page;
    struct store_item item;
    size_t count = 0;

    TRY(store_find(look->view, &query, MARKINGS_MAX, SIZE_MAX, false, look->arena, &page, diag));
    struct marking *items = arena_new(look->arena, struct marking, page.count + 1);
    for (size_t i = 0; items != NULL && i < page.count; i++)
        if (store_item_at(look->view, page.seqs[i], &item) && item.text.len > 0 &&
            marking_keep(look, &item, &items[count]))
            count++;
    if (items == NULL || look->arena->overflowed)
        return diag_fail(diag, ERR_LIMIT, "the marking definitions do not fit into memory");
    marking_sort(items, count);
    *out = (struct markings){items, count, NULL};
    return look->view->txn.state;
}
