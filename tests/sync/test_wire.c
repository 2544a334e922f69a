#include "sync/wire.h"

#include "tests/rows.h"

#include "base/banned.h"

#define WAY                                                                                        \
    "{\"agreement\":\"agreement--a\",\"hash\":\"sha256:00\",\"obligations\":[\"retention=P1D\"],"  \
    "\"path\":[{\"agreement\":\"agreement--a\",\"from\":\"identity--x\",\"to\":\"identity--y\"}]}"

static const uint8_t seed[ED25519_SEED_BYTES] = {7};

static int crypto(void **state)
{
    struct diag diag = {0};

    (void)state;
    return failed(crypto_start(&diag)) ? -1 : 0;
}

/* ---- cursors ---- */

static const struct {
    const char *name;
    slice text;
    bool is_good;
} cursors[] = {
    {"the first", S("0.0"), true},
    {"a place", S("17.4"), true},
    {"the largest", S("9223372036854775807.0"), true},
    {"empty", S(""), false},
    {"without an index", S("17"), false},
    {"without an entry", S(".4"), false},
    {"a sign", S("-1.0"), false},
    {"a second point", S("1.2.3"), false},
    {"too large", S("9223372036854775808.0"), false},
    {"over", S("99999999999999999999.0"), false},
};

static void cursors_are_read_as_they_are_written(void **state)
{
    (void)state;
    CHECK_ROWS(row, cursors) {
        char text[SYNC_CURSOR_BYTES_MAX];
        struct sync_cursor cursor;

        assert_true(sync_cursor_parse(row->text, &cursor) == row->is_good);
        if (row->is_good)
            assert_true(slice_eq(sync_cursor_format(cursor, text), row->text));
    }
}

static void cursors_have_an_order(void **state)
{
    (void)state;
    assert_true(sync_cursor_cmp((struct sync_cursor){1, 5}, (struct sync_cursor){2, 0}) < 0);
    assert_true(sync_cursor_cmp((struct sync_cursor){2, 1}, (struct sync_cursor){2, 0}) > 0);
    assert_true(sync_cursor_cmp((struct sync_cursor){2, 1}, (struct sync_cursor){2, 1}) == 0);
}

/* ---- batches ---- */

static void batch_make(struct buf *out, size_t objects)
{
    CLEANUP(batch_free) struct batch_writer batch = {0};
    struct batch_head head = {.from = SLICE("identity--x"),
                              .to = SLICE("identity--y"),
                              .after = {1, 2},
                              .next = {9, 0},
                              .checkpoint = SLICE("log\n3\n")};

    assert_true(succeeded(batch_begin(&batch, NULL)));
    for (size_t i = 0; i < objects; i++) {
        char object[64];
        int bytes = snprintf(object, sizeof(object), "{\"id\":\"tool--%zu\"}", i);

        assert_true(batch_object(&batch, SLICE(WAY), slice_of(object, (size_t)bytes)));
    }
    assert_true(batch_item(&batch, SLICE("{\"kind\":\"state\",\"state\":\"suspended\"}")));
    head.root = batch_root(&batch);
    head.count = batch.item_count;
    batch_write(&batch, &head, seed, out);
    assert_false(out->overflowed);
}

static result read_back(slice text, struct arena *arena, struct json_parser *parser,
                        struct batch *out, struct diag *diag)
{
    uint8_t key[ED25519_PUBLIC_BYTES];

    ed25519_public(seed, key);
    return batch_read(parser, text, key, arena, out, diag);
}

static void a_batch_is_read_as_it_was_written(void **state)
{
    (void)state;
    for (size_t objects = 0; objects < 5; objects++) {
        CLEANUP(buf_free) struct buf text = BUF(1 << 20);
        CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
        CLEANUP(json_parser_free) struct json_parser *parser = NULL;
        struct diag diag = {0};
        struct batch batch;

        batch_make(&text, objects);
        assert_true(succeeded(json_parser_new(SYNC_DEPTH_MAX, &parser, &diag)));
        if (failed(read_back(buf_slice(&text), &arena, parser, &batch, &diag)))
            fail_msg("%s", diag.text);
        assert_true(batch.head.count == objects + 1 && batch.head.after.index == 2);
        assert_true(batch.head.next.entry == 9 &&
                    slice_eq(batch.head.checkpoint, SLICE("log\n3\n")));
        assert_true(batch.items[objects].kind == SYNC_ITEM_STATE);
        for (size_t i = 0; i < objects; i++) {
            const struct way *way = &batch.ways[batch.items[i].way];

            assert_true(batch.items[i].kind == SYNC_ITEM_OBJECT);
            assert_true(way->hop_count == 1 && way_passes(way, SLICE("identity--x")));
            assert_true(slice_eq(way->raw, SLICE(WAY)));
        }
    }
}

/* What was altered on the way, and what is said of it. */
static const struct {
    const char *name;
    const char *from, *to; /* of the same length, or the text is cut there */
    enum err code;
} altered[] = {
    {"an object", "tool--1", "tool--7", ERR_CORRUPT},
    {"an obligation", "P1D", "P9D", ERR_CORRUPT},
    {"a recipient of the way", "\"to\":\"identity--y\"}", "\"to\":\"identity--z\"}", ERR_CORRUPT},
    {"the recipient", "\"to\":\"identity--y\",\"after", "\"to\":\"identity--z\",\"after",
     ERR_CORRUPT},
    {"the cursor", "\"after\":\"1.2\"", "\"after\":\"1.1\"", ERR_CORRUPT},
    {"a cursor that goes back", "\"next\":\"9.0\"", "\"next\":\"0.0\"", ERR_INVALID},
    {"the root", "\"root\":\"", "\"rooT\":\"", ERR_INVALID},
    {"the kind of an item", "\"kind\":\"state\"", "\"kind\":\"stave\"", ERR_INVALID},
    {"a way that is not there", "\"way\":0", "\"way\":1", ERR_INVALID},
    {"the version", "\"version\":1", "\"version\":2", ERR_INVALID},
    {"the type", "entente-batch", "entente-botch", ERR_INVALID},
    {"the end", "\"items\"", NULL, ERR_INVALID},
};

static void an_altered_batch_is_refused(void **state)
{
    (void)state;
    CHECK_ROWS(row, altered) {
        CLEANUP(buf_free) struct buf text = BUF(1 << 20);
        CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
        CLEANUP(json_parser_free) struct json_parser *parser = NULL;
        struct diag diag = {0};
        struct batch batch;

        batch_make(&text, 3);
        size_t at = slice_find(buf_slice(&text), slice_text(row->from));
        assert_true(at != SIZE_MAX);
        if (row->to == NULL)
            text.len = at;
        else
            memcpy(text.at + at, row->to, strlen(row->to));
        assert_true(succeeded(json_parser_new(SYNC_DEPTH_MAX, &parser, &diag)));
        assert_int_equal(read_back(buf_slice(&text), &arena, parser, &batch, &diag).code,
                         row->code);
        assert_true(diag.text[0] != '\0');
    }
}

static void a_batch_of_another_key_is_refused(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 20);
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    static const uint8_t other[ED25519_SEED_BYTES] = {8};
    uint8_t key[ED25519_PUBLIC_BYTES];
    struct batch batch;

    (void)state;
    batch_make(&text, 1);
    ed25519_public(other, key);
    assert_true(succeeded(json_parser_new(SYNC_DEPTH_MAX, &parser, NULL)));
    assert_int_equal(batch_read(parser, buf_slice(&text), key, &arena, &batch, NULL).code,
                     ERR_CORRUPT);
}

static void a_batch_holds_so_many_items_and_no_more(void **state)
{
    CLEANUP(batch_free) struct batch_writer batch = {0};

    (void)state;
    assert_true(succeeded(batch_begin(&batch, NULL)));
    for (size_t i = 0; i < SYNC_BATCH_ITEMS_MAX; i++)
        assert_true(batch_object(&batch, SLICE(WAY), SLICE("{}")));
    assert_false(batch_object(&batch, SLICE(WAY), SLICE("{}")));
    assert_false(batch_item(&batch, SLICE("{\"kind\":\"state\"}")));
    assert_true(batch.item_count == SYNC_BATCH_ITEMS_MAX && batch.way_count == 1);
}

/* ---- receipts ---- */

static const struct sync_result refused_one = {3, S("refused"), S("tool--1"),
                                               S("TLP_EXCEEDS_AGREEMENT")};

static void receipt_make(struct buf *out)
{
    struct receipt receipt = {.from = SLICE("identity--y"),
                              .to = SLICE("identity--x"),
                              .after = {1, 2},
                              .next = {9, 0},
                              .count = 5,
                              .taken = 3,
                              .held = 1,
                              .refused = 1,
                              .results = &refused_one,
                              .result_count = 1,
                              .at = SLICE("2026-01-01T00:00:00.000000Z")};

    assert_true(succeeded(receipt_write(&receipt, seed, out, NULL)));
}

static void a_receipt_is_read_as_it_was_written(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 16);
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    uint8_t key[ED25519_PUBLIC_BYTES];
    struct diag diag = {0};
    struct receipt receipt;

    (void)state;
    receipt_make(&text);
    ed25519_public(seed, key);
    assert_true(succeeded(json_parser_new(SYNC_DEPTH_MAX, &parser, NULL)));
    if (failed(receipt_read(parser, buf_slice(&text), key, &arena, &receipt, &diag)))
        fail_msg("%s", diag.text);
    assert_true(receipt.count == 5 && receipt.taken == 3 && receipt.held == 1);
    assert_true(receipt.refused == 1 && receipt.result_count == 1 && receipt.next.entry == 9);
    assert_true(slice_eq(receipt.results[0].reason, refused_one.reason));
}

static const struct {
    const char *name, *from, *to;
    enum err code;
} forged[] = {
    {"more taken", "\"taken\":3", "\"taken\":5", ERR_CORRUPT},
    {"another batch", "\"next\":\"9.0\"", "\"next\":\"8.0\"", ERR_CORRUPT},
    {"another recipient", "identity--x", "identity--z", ERR_CORRUPT},
    {"no refusal", "TLP_EXCEEDS", "TLP_exceeds", ERR_CORRUPT},
    {"no signature", "signatures", "signaturez", ERR_INVALID},
    {"less than nothing", "\"held\":1", "\"held\":-", ERR_INVALID},
    {"another type", "entente-receipt", "entente-deceipt", ERR_INVALID},
};

static void a_forged_receipt_is_refused(void **state)
{
    uint8_t key[ED25519_PUBLIC_BYTES];

    (void)state;
    ed25519_public(seed, key);
    CHECK_ROWS(row, forged) {
        CLEANUP(buf_free) struct buf text = BUF(1 << 16);
        CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
        CLEANUP(json_parser_free) struct json_parser *parser = NULL;
        struct receipt receipt;

        receipt_make(&text);
        size_t at = slice_find(buf_slice(&text), slice_text(row->from));
        assert_true(at != SIZE_MAX);
        memcpy(text.at + at, row->to, strlen(row->to));
        assert_true(succeeded(json_parser_new(SYNC_DEPTH_MAX, &parser, NULL)));
        assert_int_equal(receipt_read(parser, buf_slice(&text), key, &arena, &receipt, NULL).code,
                         row->code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursors_are_read_as_they_are_written),
        cmocka_unit_test(cursors_have_an_order),
        cmocka_unit_test(a_batch_is_read_as_it_was_written),
        cmocka_unit_test(an_altered_batch_is_refused),
        cmocka_unit_test(a_batch_of_another_key_is_refused),
        cmocka_unit_test(a_batch_holds_so_many_items_and_no_more),
        cmocka_unit_test(a_receipt_is_read_as_it_was_written),
        cmocka_unit_test(a_forged_receipt_is_refused),
    };

    return cmocka_run_group_tests(tests, crypto, NULL);
}
