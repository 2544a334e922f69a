/* A message of a reconciliation from outside: refused with a reason, or answered within the frame;
 * and what we answer is a message that the other role reads. */
#include "sync/reconcile.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ITEMS 200

static const struct reconcile_item *items_make(void)
{
    static struct reconcile_item items[ITEMS];

    for (size_t i = 0; i < ITEMS; i++) {
        items[i].seq = i / 3;
        memset(items[i].id, (int)i, RECONCILE_ID_BYTES);
    }
    return items;
}

static void step(struct reconcile *talk, slice message, struct buf *out)
{
    struct diag diag = {0};
    bool is_done;
    result r = reconcile_step(talk, message, out, &is_done, &diag);

    assert(succeeded(r) ? out->len >= 1 && out->len <= RECONCILE_FRAME_BYTES_MIN
                        : diag.text[0] != '\0');
    assert(talk->have_count <= ITEMS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_free) struct buf out = BUF(RECONCILE_MESSAGE_BYTES_MAX);
    CLEANUP(buf_free) struct buf next = BUF(RECONCILE_MESSAGE_BYTES_MAX);
    CLEANUP(reconcile_free) struct reconcile talk = {0}, other = {0};
    struct reconcile_set set = {items_make(), ITEMS};
    struct diag diag = {0};

    if (failed(reconcile_begin(&set, RECONCILE_FRAME_BYTES_MIN, &talk, &next, &diag)) ||
        failed(reconcile_begin(&set, RECONCILE_FRAME_BYTES_MIN, &other, &next, &diag)))
        return 0;
    result r = reconcile_answer(&set, RECONCILE_FRAME_BYTES_MIN, slice_of(data, size), &out, &diag);
    assert(succeeded(r) ? out.len >= 1 && out.len <= RECONCILE_FRAME_BYTES_MIN
                        : diag.text[0] != '\0');
    step(&talk, slice_of(data, size), &next);
    if (failed(r))
        return 0;
    bool is_done;
    r = reconcile_step(&other, buf_slice(&out), &next, &is_done, NULL);
    assert(succeeded(r) && other.have_count == 0 && other.need_count == 0);
    return 0;
}
