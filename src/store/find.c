/* Answers to queries: which additions, and their text. */
#include "store/plan.h"

#include <assert.h>
#include <stdlib.h>

#include "base/banned.h"

/* So many matches are sorted by date; past it most of the store matches, and walking the index by
 * date from its end finds the newest sooner. */
#define NEWEST_SORTED_MAX 2000

struct found {
    uint64_t *seqs; /* in the arena */
    size_t count, capacity;
};

static bool found_push(struct found *found, struct arena *arena, uint64_t seq)
{
    if (found->count == found->capacity) {
        size_t capacity = found->capacity == 0 ? 128 : 2 * found->capacity;
        uint64_t *moved = arena_new(arena, uint64_t, capacity);

        if (moved == NULL)
            return false;
        if (found->count > 0)
            memcpy(moved, found->seqs, found->count * sizeof(*moved));
        found->seqs = moved;
        found->capacity = capacity;
    }
    found->seqs[found->count++] = seq;
    return true;
}

static result no_memory(struct diag *diag)
{
    return diag_fail(diag, ERR_LIMIT, "the answer needs more memory than it may take");
}

static result corrupt(const struct store_view *view, uint64_t seq, struct diag *diag)
{
    return diag_fail(diag, ERR_CORRUPT, "%s: addition %llu: directory and segments disagree",
                     view->store->folder, (unsigned long long)seq);
}

/* In order of seq, from seq_from on, as many as fit: stretch by stretch, so that the usual page
 * costs a look at each record and no more. */
static result find_in_order(struct plan *plan, size_t limit_objects, size_t limit_bytes,
                            struct store_page *out)
{
    const struct store_files *files = &plan->view->store->files;
    struct found found = {0};
    uint64_t seq = plan_next(plan, 0), bytes = 0;
    bool is_full = limit_objects == 0;

    while (seq != SEQ_NONE && !is_full) {
        for (uint64_t end = plan_stretch(plan, seq); seq < end && !is_full; seq++) {
            bytes += record_text_bytes(files_record(files, seq));
            is_full = found.count == limit_objects || (found.count > 0 && bytes > limit_bytes);
            if (is_full)
                break;
            if (!found_push(&found, plan->arena, seq))
                return no_memory(plan->diag);
        }
        if (!is_full)
            seq = plan_next(plan, seq);
    }
    out->seqs = found.seqs;
    out->count = found.count;
    out->more = seq != SEQ_NONE;
    out->next_seq = out->more ? seq : plan->view->seq_end;
    return OK;
}

/* ---- newest first ---- */

struct dated {
    uint64_t us; /* as in keys; 0 without a version */
    uint32_t rest;
    uint64_t seq;
};

static int dated_compare(const void *a, const void *b)
{
    const struct dated *left = a, *right = b;

    if (left->us != right->us)
        return left->us > right->us ? -1 : 1;
    if (left->rest != right->rest)
        return left->rest > right->rest ? -1 : 1;
    return (left->seq < right->seq) - (left->seq > right->seq);
}

static result sort_newest(struct plan *plan, struct found *found)
{
    struct dated *dated = arena_new(plan->arena, struct dated, found->count + 1);

    if (dated == NULL)
        return no_memory(plan->diag);
    for (size_t i = 0; i < found->count; i++) {
        struct record record;

        if (!record_decode(files_record(&plan->view->store->files, found->seqs[i]), &record))
            return corrupt(plan->view, found->seqs[i], plan->diag);
        dated[i] = (struct dated){record_key_us(&record), record_key_rest(&record), found->seqs[i]};
    }
    if (found->count > 0)
        qsort(dated, found->count, sizeof(*dated), dated_compare);
    for (size_t i = 0; i < found->count; i++)
        found->seqs[i] = dated[i].seq;
    return OK;
}

/* Back from the newest version there is.  What has no version comes behind all that have. */
static result walk_newest(struct plan *plan, size_t limit, const struct found *some,
                          struct found *out)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor = {0};
    const struct store_query *query = plan->query;
    uint8_t until[VERSION_KEY_BYTES];
    slice end = SLICE_NONE;

    if (query->has_modified_until) {
        version_key_make(version_us_key(&query->modified_until), query->modified_until.rest, 0,
                         until);
        end = slice_of(until, sizeof(until));
    }
    kv_cursor_open(&plan->view->txn, TABLE_VERSIONS, &cursor);
    for (bool more = kv_seek_last_before(&cursor, end); more && out->count <= limit;
         more = kv_prev(&cursor)) {
        uint64_t seq = cursor.key.len == VERSION_KEY_BYTES
                           ? bytes_get(cursor.key.at + VERSION_KEY_BYTES - SEQ_BYTES, SEQ_BYTES)
                           : SEQ_NONE;

        if (plan_accepts(plan, seq) && !found_push(out, plan->arena, seq))
            return no_memory(plan->diag);
    }
    for (size_t i = some->count; i > 0 && out->count <= limit; i--) {
        struct record record;

        if (record_decode(files_record(&plan->view->store->files, some->seqs[i - 1]), &record) &&
            !record.has_version && !found_push(out, plan->arena, some->seqs[i - 1]))
            return no_memory(plan->diag);
    }
    return OK;
}

static void cut_by_bytes(struct plan *plan, size_t limit_objects, size_t limit_bytes,
                         const struct found *found, struct store_page *out)
{
    uint64_t bytes = 0;

    out->seqs = found->seqs;
    while (out->count < found->count && out->count < limit_objects) {
        bytes +=
            record_text_bytes(files_record(&plan->view->store->files, found->seqs[out->count]));
        if (out->count > 0 && bytes > limit_bytes)
            break;
        out->count++;
    }
    out->more = out->count < found->count;
    out->next_seq = out->more ? found->seqs[out->count] : plan->view->seq_end;
}

static result find_newest(struct plan *plan, size_t limit_objects, size_t limit_bytes,
                          struct store_page *out)
{
    struct found found = {0}, newest = {0};
    uint64_t seq = plan_next(plan, 0);

    for (; seq != SEQ_NONE && found.count < NEWEST_SORTED_MAX; seq = plan_next(plan, seq + 1))
        if (!found_push(&found, plan->arena, seq))
            return no_memory(plan->diag);
    if (seq == SEQ_NONE) {
        TRY(sort_newest(plan, &found));
        newest = found;
    } else {
        TRY(walk_newest(plan, limit_objects, &found, &newest));
    }
    cut_by_bytes(plan, limit_objects, limit_bytes, &newest, out);
    return OK;
}

/* ---- text ---- */

/* Neighbours in the directory whose texts follow each other with a comma between are one run. */
static size_t run_of(const struct store_files *files, const struct store_page *page, size_t from,
                     uint64_t *at, uint64_t *bytes)
{
    assert(page->seqs != NULL);
    const uint8_t *record = files_record(files, page->seqs[from]);
    size_t i = from + 1;

    *at = record_text_at(record);
    *bytes = record_text_bytes(record);
    for (; i < page->count; i++) {
        record = files_record(files, page->seqs[i]);
        if (record_text_at(record) != *at + *bytes + 1 ||
            record_text_at(record) / SEGMENT_BYTES != *at / SEGMENT_BYTES)
            break;
        *bytes += 1 + record_text_bytes(record);
    }
    return i - from;
}

static result page_text(struct store_view *view, struct arena *arena, struct store_page *page,
                        struct diag *diag)
{
    struct store_files *files = &view->store->files;
    uint64_t at, bytes, total = 0;

    for (size_t i = 0, count; i < page->count; i += count) {
        count = run_of(files, page, i, &at, &bytes);
        total += bytes + 1;
        if (count < page->count)
            continue;
        page->text = files_text(files, at, bytes);
        page->text_stays = true;
        return page->text.at == NULL ? corrupt(view, page->seqs[0], diag) : OK;
    }
    char *room = arena_alloc(arena, total + 1, 1, 1);
    if (room == NULL)
        return no_memory(diag);
    size_t len = 0;
    for (size_t i = 0, count; i < page->count; i += count) {
        count = run_of(files, page, i, &at, &bytes);
        slice piece = files_text(files, at, bytes);
        if (piece.at == NULL)
            return corrupt(view, page->seqs[i], diag);
        if (i > 0)
            room[len++] = ',';
        memcpy(room + len, piece.at, piece.len);
        len += piece.len;
    }
    page->text = slice_of(room, len);
    return OK;
}

result store_find(struct store_view *view, const struct store_query *query, size_t limit_objects,
                  size_t limit_bytes, bool with_text, struct arena *arena, struct store_page *out,
                  struct diag *diag)
{
    *out = (struct store_page){0};
    TRY(view->txn.state);
    /* More than belongs on the stack of a server's thread. */
    struct plan *plan = arena_new(arena, struct plan, 1);
    if (plan == NULL)
        return no_memory(diag);
    result r = plan_open(plan, view, query, arena, diag);
    if (succeeded(r))
        r = query->newest_first ? find_newest(plan, limit_objects, limit_bytes, out)
                                : find_in_order(plan, limit_objects, limit_bytes, out);
    /* The tests of an addition answer yes or no, and cannot say that they failed. */
    if (succeeded(r))
        r = plan->opener != NULL ? plan->opener->state : plan->opener_state;
    plan_close(plan);
    TRY(r);
    TRY(view->txn.state);
    return with_text && out->count > 0 ? page_text(view, arena, out, diag) : OK;
}
