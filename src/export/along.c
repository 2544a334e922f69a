#include "export/along.h"

#include <stdlib.h>

#include "base/banned.h"

#define IDS_A_QUERY 500
#define PAGE_ARENA_BYTES_MAX ((size_t)256 << 20)

void along_free(struct along *along)
{
    table_free(along->ids);
    arena_free(&along->arena);
    *along = (struct along){0};
}

/* Few and the same again: the last ones are looked through first. */
result along_meet(struct along *along, slice id, struct diag *diag)
{
    if (id.len == 0 || slice_eq(id, along->last))
        return OK;
    for (size_t i = along->count; i-- > 0;) {
        if (slice_eq(along->ids[i], id)) {
            along->last = along->ids[i];
            return OK;
        }
    }
    if (along->count == along->capacity) {
        slice *moved = table_grow(along->ids, &along->capacity, along->count + 1, ALONG_IDS_MAX,
                                  sizeof(slice));

        if (moved == NULL)
            return diag_fail(diag, ERR_LIMIT, "more than %d makers and markings", ALONG_IDS_MAX);
        along->ids = moved;
    }
    along->last = arena_copy(&along->arena, id);
    if (along->last.at == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for an export");
    along->ids[along->count++] = along->last;
    return OK;
}

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const slice *)a, *(const slice *)b);
}

static result text_keep(struct export *export, slice text, struct diag *diag)
{
    if (export->along_count == export->along_capacity) {
        slice *moved = table_grow(export->along, &export->along_capacity, export->along_count + 1,
                                  ALONG_IDS_MAX, sizeof(slice));

        if (moved == NULL)
            return diag_fail(diag, ERR_LIMIT, "no memory for an export");
        export->along = moved;
    }
    export->along[export->along_count++] = text;
    return OK;
}

/* One that may go only in part is left out: it says who or how, and half of that says another
 * thing.
 */
static result item_keep(struct export *export, uint64_t seq, struct arena *arena, struct diag *diag)
{
    const struct export_choice *choice = &export->choice;
    struct gate_answer answer;
    struct store_item item;

    if (!store_item_at(export->view, seq, &item) || item.text.len == 0)
        return export->view->txn.state;
    if (choice->may_read != NULL &&
        !choice->may_read(choice->context, export->view, item.collection))
        return OK;
    TRY(gate_decide(choice->gate, export->view, choice->reader, &item, arena, &answer, diag));
    return answer.verdict == VERDICT_SHARE ? text_keep(export, item.text, diag) : OK;
}

static result some_gather(const slice *ids, size_t count, struct export *export, struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA(PAGE_ARENA_BYTES_MAX);
    struct store_query query = {.ids = ids, .id_count = count, .version_last = true};
    struct store_page page;

    TRY(store_find(export->view, &query, IDS_A_QUERY, SIZE_MAX, false, &arena, &page, diag));
    for (size_t i = 0; i < page.count; i++)
        TRY(item_keep(export, page.seqs[i], &arena, diag));
    return OK;
}

result along_gather(struct along *along, struct export *export, struct diag *diag)
{
    if (along->count > 1)
        qsort(along->ids, along->count, sizeof(slice), by_text);
    for (size_t i = 0; i < along->count; i += IDS_A_QUERY) {
        size_t count = along->count - i < IDS_A_QUERY ? along->count - i : IDS_A_QUERY;

        TRY(some_gather(along->ids + i, count, export, diag));
    }
    if (export->along_count > 1)
        qsort(export->along, export->along_count, sizeof(slice), by_text);
    return OK;
}
