#include "sync/reconcile.h"

#include <assert.h>
#include <stdlib.h>

#include "base/banned.h"

#define VERSION 0x61 /* of the protocol: 1 */
#define BUCKETS 16   /* parts of a range that differs */
/* What stands behind the last range of a full frame: a bound, the fingerprint of all the rest. */
#define FRAME_TAIL_BYTES 256
/* The longest that the cut of one range becomes: BUCKETS fingerprints, or a list of fewer than
 * 2 * BUCKETS ids. */
#define CUT_BYTES_MAX 1536
#define SCRATCH_BYTES_MAX (RECONCILE_MESSAGE_BYTES_MAX)

enum mode { MODE_SKIP, MODE_FINGERPRINT, MODE_IDS };

/* One message being read and the one that answers it. */
struct answering {
    const struct reconcile_set *set;
    struct reconcile *talk; /* NULL: the responder */
    size_t frame_bytes;
    struct buf *out;
    uint64_t seq_last;  /* as written last */
    struct bound lower; /* where the range that is read begins */
    size_t first;       /* its first item */
    bool is_skipping;   /* nothing is to say of what lies before `lower` and behind the last */
    bool is_full;       /* the frame has no more room; what is behind `first` waits */
    struct arena scratch;
};

/* ---- sets ---- */

static int item_cmp(const void *a, const void *b)
{
    const struct reconcile_item *one = a, *other = b;

    if (one->seq != other->seq)
        return one->seq < other->seq ? -1 : 1;
    return memcmp(one->id, other->id, RECONCILE_ID_BYTES);
}

result reconcile_set_check(const struct reconcile_set *set, struct diag *diag)
{
    if (set->count > RECONCILE_ITEMS_MAX)
        return diag_fail(diag, ERR_LIMIT, "%zu items are more than can be compared", set->count);
    for (size_t i = 0; i < set->count; i++) {
        if (set->items[i].seq == RECONCILE_END)
            return diag_fail(diag, ERR_INVALID, "item %zu has no sequence number", i);
        if (i > 0 && item_cmp(&set->items[i - 1], &set->items[i]) >= 0)
            return diag_fail(diag, ERR_INVALID, "item %zu is out of order", i);
    }
    return OK;
}

void reconcile_sort(struct reconcile_item *items, size_t count)
{
    if (count > 1)
        qsort(items, count, sizeof(*items), item_cmp);
}

/* The first item at or behind the bound, at `from` or later. */
static size_t set_find(const struct reconcile_set *set, size_t from, const struct bound *bound)
{
    size_t low = from, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (bound_cmp(bound, &set->items[middle]) > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- what is written ---- */

static void skip_end(struct answering *a)
{
    if (!a->is_skipping)
        return;
    bound_write(&a->lower, &a->seq_last, a->out);
    digits_write(MODE_SKIP, a->out);
    a->is_skipping = false;
}

static void fingerprint_write(struct answering *a, const struct bound *upper, size_t from,
                              size_t until)
{
    uint8_t print[RECONCILE_PRINT_BYTES];

    fingerprint(a->set->items + from, until - from, print);
    bound_write(upper, &a->seq_last, a->out);
    digits_write(MODE_FINGERPRINT, a->out);
    buf_put(a->out, slice_of(print, sizeof(print)));
}

static void ids_write(struct answering *a, const struct bound *upper, size_t from, size_t until)
{
    bound_write(upper, &a->seq_last, a->out);
    digits_write(MODE_IDS, a->out);
    digits_write(until - from, a->out);
    for (size_t i = from; i < until; i++)
        buf_put(a->out, slice_of(a->set->items[i].id, RECONCILE_ID_BYTES));
}

/* Where a part of a range ends: between two items, or at the range's own end. */
static struct bound end_of(const struct answering *a, size_t until, size_t end,
                           const struct bound *upper)
{
    return until == end ? *upper : bound_between(&a->set->items[until - 1], &a->set->items[until]);
}

/* A range that differs: a short one as its ids, a long one as fingerprints of its parts. */
static void range_cut(struct answering *a, const struct bound *upper, size_t end)
{
    size_t count = end - a->first, from = a->first;

    if (count < (size_t)2 * BUCKETS) {
        ids_write(a, upper, from, end);
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        size_t until = from + count / BUCKETS + (i < count % BUCKETS ? 1 : 0);
        struct bound bound = end_of(a, until, end, upper);

        fingerprint_write(a, &bound, from, until);
        from = until;
    }
}

static size_t room(const struct answering *a)
{
    size_t used = a->out->len + FRAME_TAIL_BYTES;

    return used < a->frame_bytes ? a->frame_bytes - used : 0;
}

/* ---- lists of ids ---- */

struct id_list {
    const uint8_t **ids; /* in order */
    bool *are_held;      /* each: is it among ours? */
    size_t count;
};

static int id_cmp(const void *a, const void *b)
{
    return memcmp(*(const uint8_t *const *)a, *(const uint8_t *const *)b, RECONCILE_ID_BYTES);
}

static result id_list_read(struct answering *a, struct reader *from, struct id_list *out,
                           struct diag *diag)
{
    uint64_t count;

    *out = (struct id_list){0};
    TRY(digits_read(from, &count, diag));
    if (count > from->rest.len / RECONCILE_ID_BYTES)
        return diag_fail(diag, ERR_INVALID, "the message ends within a list of ids");
    arena_reset(&a->scratch);
    out->count = (size_t)count;
    if (count == 0)
        return OK;
    out->ids = arena_new(&a->scratch, const uint8_t *, out->count);
    out->are_held = arena_new(&a->scratch, bool, out->count);
    if (out->ids == NULL || out->are_held == NULL)
        return diag_fail(diag, ERR_LIMIT, "a list of ids is too long");
    for (size_t i = 0; i < out->count; i++)
        out->ids[i] = (const uint8_t *)read_bytes(from, RECONCILE_ID_BYTES).at;
    qsort(out->ids, out->count, sizeof(*out->ids), id_cmp);
    for (size_t i = 1; i < out->count; i++)
        if (id_cmp(&out->ids[i - 1], &out->ids[i]) == 0)
            return diag_fail(diag, ERR_INVALID, "a list of ids has one twice");
    return OK;
}

static bool id_list_has(struct id_list *list, const uint8_t *id)
{
    const uint8_t **found =
        list->count == 0
            ? NULL
            : (const uint8_t **)bsearch(&id, list->ids, list->count, sizeof(*list->ids), id_cmp);

    if (found == NULL)
        return false;
    list->are_held[found - list->ids] = true;
    return true;
}

static result need_add(struct reconcile *talk, const uint8_t *id, struct diag *diag)
{
    void *grown = table_grow(talk->needs, &talk->need_capacity, talk->need_count + 1,
                             RECONCILE_NEEDS_MAX, sizeof(*talk->needs));

    if (grown == NULL)
        return diag_fail(diag, ERR_LIMIT, "more than %zu objects are said to be missing",
                         talk->need_count);
    talk->needs = grown;
    memcpy(talk->needs[talk->need_count++], id, RECONCILE_ID_BYTES);
    return OK;
}

/* The initiator: a list settles its range. */
static result ids_learn(struct answering *a, struct id_list *list, size_t end, struct diag *diag)
{
    struct reconcile *talk = a->talk;

    for (size_t i = a->first; i < end; i++) {
        if (id_list_has(list, a->set->items[i].id) || talk->haves[i])
            continue;
        talk->haves[i] = true;
        talk->have_count++;
    }
    for (size_t i = 0; i < list->count; i++)
        if (!list->are_held[i])
            TRY(need_add(talk, list->ids[i], diag));
    a->is_skipping = true;
    return OK;
}

/* Items from a->first on, up to `end` or as far as there is room. */
static void ids_send(struct answering *a, size_t end, const struct bound *upper)
{
    size_t fit = room(a) / RECONCILE_ID_BYTES;
    size_t until = end - a->first <= fit ? end : a->first + fit;

    if (until == a->first && until < end) {
        a->is_full = true;
        return;
    }
    struct bound bound = end_of(a, until, end, upper);
    skip_end(a);
    ids_write(a, &bound, a->first, until);
    a->is_full = until < end;
    a->first = until;
    a->lower = bound;
}

/* The responder: its own ids of the range.  When the initiator holds nothing that we lack, what
 * both hold need not be sent again: such runs are skipped, and the lists between say it all. */
static void ids_answer(struct answering *a, struct id_list *list, size_t end,
                       const struct bound *upper, bool *lacks)
{
    size_t held = 0;

    for (size_t i = a->first; i < end; i++) {
        lacks[i - a->first] = !id_list_has(list, a->set->items[i].id);
        held += lacks[i - a->first] ? 0 : 1;
    }
    if (held < list->count) {
        ids_send(a, end, upper);
        return;
    }
    const size_t begin = a->first;
    while (a->first < end && !a->is_full) {
        bool is_lacking = lacks[a->first - begin];
        size_t until = a->first;

        while (until < end && lacks[until - begin] == is_lacking)
            until++;
        struct bound bound = end_of(a, until, end, upper);
        if (is_lacking) {
            ids_send(a, until, &bound);
        } else {
            a->is_skipping = true;
            a->first = until;
            a->lower = bound;
        }
    }
    if (begin == end)
        a->is_skipping = true;
}

/* ---- messages ---- */

static result ids_take(struct answering *a, struct reader *from, const struct bound *upper,
                       size_t end, struct diag *diag)
{
    struct id_list list;

    TRY(id_list_read(a, from, &list, diag));
    if (a->talk != NULL)
        return ids_learn(a, &list, end, diag);
    bool *lacks = arena_new(&a->scratch, bool, end - a->first + 1);
    if (lacks == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a list of ids");
    ids_answer(a, &list, end, upper, lacks);
    return OK;
}

static result range_take(struct answering *a, struct reader *from, struct diag *diag)
{
    struct bound upper;
    uint64_t mode;

    TRY(bound_read(from, &a->lower, &upper, diag));
    TRY(digits_read(from, &mode, diag));
    size_t end = set_find(a->set, a->first, &upper);
    if (mode == MODE_SKIP) {
        a->is_skipping = true;
    } else if (mode == MODE_FINGERPRINT) {
        uint8_t own[RECONCILE_PRINT_BYTES];
        slice theirs = read_bytes(from, RECONCILE_PRINT_BYTES);

        if (from->broken)
            return diag_fail(diag, ERR_INVALID, "the message ends within a fingerprint");
        fingerprint(a->set->items + a->first, end - a->first, own);
        if (slice_eq(theirs, slice_of(own, sizeof(own)))) {
            a->is_skipping = true;
        } else {
            skip_end(a);
            range_cut(a, &upper, end);
        }
    } else if (mode == MODE_IDS) {
        TRY(ids_take(a, from, &upper, end, diag));
    } else {
        return diag_fail(diag, ERR_INVALID, "a range is said in a way that version 1 has not");
    }
    if (a->is_full)
        return OK;
    a->first = end;
    a->lower = upper;
    return OK;
}

/* Ranges in, ranges out.  What had no room is asked of anew by one fingerprint over the rest. */
static result message_take(struct answering *a, slice message, struct diag *diag)
{
    struct reader from = READER(message);

    if (message.len > RECONCILE_MESSAGE_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "a message of %zu bytes is too long", message.len);
    uint8_t version = read_u8(&from);
    if (from.broken || version < 0x60 || version > 0x6f)
        return diag_fail(diag, ERR_INVALID, "it is no message of a reconciliation");
    buf_byte(a->out, VERSION);
    if (version != VERSION) {
        /* The answer is the version that we speak, as the protocol asks. */
        return a->talk == NULL ? OK
                               : diag_fail(diag, ERR_INVALID,
                                           "the partner speaks version %d of the protocol, not 1",
                                           version - 0x60);
    }
    while (from.rest.len > 0 && !a->is_full) {
        /* Behind the end nothing waits for room: what stands there is for range_take() to refuse.
         */
        if (a->lower.seq != RECONCILE_END && room(a) < CUT_BYTES_MAX)
            a->is_full = true;
        else
            TRY(range_take(a, &from, diag));
    }
    if (a->is_full) {
        skip_end(a);
        fingerprint_write(a, &BOUND_END, a->first, a->set->count);
    }
    return a->out->overflowed ? diag_fail(diag, ERR_LIMIT, "no memory for the answer") : OK;
}

static result frame_check(size_t frame_bytes, struct diag *diag)
{
    return frame_bytes >= RECONCILE_FRAME_BYTES_MIN && frame_bytes <= RECONCILE_MESSAGE_BYTES_MAX
               ? OK
               : diag_fail(diag, ERR_LIMIT, "a frame has %zu to %zu bytes",
                           RECONCILE_FRAME_BYTES_MIN, RECONCILE_MESSAGE_BYTES_MAX);
}

result reconcile_answer(const struct reconcile_set *set, size_t frame_bytes, slice message,
                        struct buf *out, struct diag *diag)
{
    struct answering a = {.set = set,
                          .frame_bytes = frame_bytes,
                          .out = out,
                          .scratch = ARENA(SCRATCH_BYTES_MAX + RECONCILE_ITEMS_MAX)};

    TRY(frame_check(frame_bytes, diag));
    buf_reset(out);
    result r = message_take(&a, message, diag);
    arena_free(&a.scratch);
    return r;
}

result reconcile_begin(const struct reconcile_set *set, size_t frame_bytes, struct reconcile *out,
                       struct buf *first, struct diag *diag)
{
    struct answering a = {.set = set, .frame_bytes = frame_bytes, .out = first};

    *out = (struct reconcile){
        .set = *set, .frame_bytes = frame_bytes, .arena = ARENA(RECONCILE_ITEMS_MAX + 4096)};
    TRY(frame_check(frame_bytes, diag));
    TRY(reconcile_set_check(set, diag));
    out->haves = arena_new(&out->arena, bool, set->count + 1);
    if (out->haves == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory to compare %zu items", set->count);
    buf_reset(first);
    buf_byte(first, VERSION);
    range_cut(&a, &BOUND_END, set->count);
    return first->overflowed ? diag_fail(diag, ERR_LIMIT, "no memory for the first message") : OK;
}

static int need_cmp(const void *a, const void *b)
{
    return memcmp(a, b, RECONCILE_ID_BYTES);
}

static void needs_settle(struct reconcile *talk)
{
    size_t kept = 0;

    if (talk->need_count == 0)
        return;
    qsort(talk->needs, talk->need_count, sizeof(*talk->needs), need_cmp);
    for (size_t i = 0; i < talk->need_count; i++) {
        if (kept > 0 && need_cmp(talk->needs[kept - 1], talk->needs[i]) == 0)
            continue;
        if (kept != i)
            memcpy(talk->needs[kept], talk->needs[i], RECONCILE_ID_BYTES);
        kept++;
    }
    talk->need_count = kept;
}

result reconcile_step(struct reconcile *talk, slice answer, struct buf *next, bool *is_done,
                      struct diag *diag)
{
    struct answering a = {.set = &talk->set,
                          .talk = talk,
                          .frame_bytes = talk->frame_bytes,
                          .out = next,
                          .scratch = ARENA(SCRATCH_BYTES_MAX)};

    *is_done = false;
    if (++talk->rounds > RECONCILE_ROUNDS_MAX)
        return diag_fail(diag, ERR_LIMIT, "the partner does not come to an end in %d rounds",
                         RECONCILE_ROUNDS_MAX);
    buf_reset(next);
    result r = message_take(&a, answer, diag);
    arena_free(&a.scratch);
    TRY(r);
    *is_done = next->len == 1; /* the version alone: nothing is left to ask */
    if (*is_done)
        needs_settle(talk);
    return OK;
}

void reconcile_free(struct reconcile *talk)
{
    arena_free(&talk->arena);
    table_free(talk->needs);
    *talk = (struct reconcile){0};
}
