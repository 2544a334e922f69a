/* What a partner sends: a batch, a receipt, a cursor.  The fuzzer signs with the key it is read by,
 * so that what stands behind the signature is reached; each slice that is given back is read. */
#include "sync/wire.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sum;

static void touch(slice s)
{
    for (size_t i = 0; i < s.len; i++)
        sum += (unsigned char)s.at[i];
}

static void batch_touch(const struct batch *batch)
{
    for (size_t i = 0; i < batch->way_count; i++) {
        touch(batch->ways[i].agreement);
        touch(batch->ways[i].raw);
        assert(batch->ways[i].hop_count > 0 && batch->ways[i].hop_count <= ORIGIN_HOPS_MAX);
    }
    for (size_t i = 0; batch->items != NULL && i < batch->head.count; i++) {
        touch(batch->items[i].object);
        assert(batch->items[i].kind != SYNC_ITEM_OBJECT || batch->items[i].way < batch->way_count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)8 << 20);
    static const uint8_t seed[ED25519_SEED_BYTES] = {7};
    uint8_t key[ED25519_PUBLIC_BYTES];
    char again[SYNC_CURSOR_BYTES_MAX];
    slice text = slice_of(data, size);
    struct sync_cursor cursor;
    struct receipt receipt;
    struct batch batch;
    struct diag diag = {0};

    if (sync_cursor_parse(text, &cursor)) {
        struct sync_cursor back = {0, 0};
        bool is_same = sync_cursor_parse(sync_cursor_format(cursor, again), &back) &&
                       sync_cursor_cmp(cursor, back) == 0;

        assert(is_same);
    }
    ed25519_public(seed, key);
    if (failed(json_parser_new(SYNC_DEPTH_MAX, &parser, NULL)))
        return 0;
    result r = batch_read(parser, text, key, &arena, &batch, &diag);
    assert(succeeded(r) == (diag.text[0] == '\0'));
    batch_touch(&batch);
    diag_reset(&diag);
    r = receipt_read(parser, text, key, &arena, &receipt, &diag);
    assert(succeeded(r) == (diag.text[0] == '\0'));
    for (size_t i = 0; succeeded(r) && i < receipt.result_count; i++)
        touch(receipt.results[i].reason);
    return 0;
}
