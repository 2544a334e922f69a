#include "sync/wire.h"

#include <inttypes.h>
#include <stdio.h>

#include "agreement/document.h"
#include "base/encode.h"
#include "ledger/tree.h"
#include "store/merkle.h"

#include "base/banned.h"

#define BATCH_HEAD "entente-batch/1\n"
#define RECEIPT_HEAD "entente-receipt/1\n"
#define HEX_BYTES (2 * (size_t)SHA256_BYTES)
#define ID_BYTES_MAX 150

/* ---- cursors ---- */

bool sync_cursor_parse(slice text, struct sync_cursor *out)
{
    slice entry, index;
    struct sync_cursor cursor;

    if (!slice_cut(text, '.', &entry, &index) || !parse_u64(entry, &cursor.entry) ||
        !parse_u64(index, &cursor.index) || cursor.entry > INT64_MAX || cursor.index > INT64_MAX)
        return false;
    *out = cursor;
    return true;
}

slice sync_cursor_format(struct sync_cursor cursor, char out[SYNC_CURSOR_BYTES_MAX])
{
    int bytes =
        snprintf(out, SYNC_CURSOR_BYTES_MAX, "%" PRIu64 ".%" PRIu64, cursor.entry, cursor.index);

    return slice_of(out, (size_t)bytes);
}

int sync_cursor_cmp(struct sync_cursor a, struct sync_cursor b)
{
    if (a.entry != b.entry)
        return a.entry < b.entry ? -1 : 1;
    return a.index == b.index ? 0 : a.index < b.index ? -1 : 1;
}

/* ---- writing a batch ---- */

result batch_begin(struct batch_writer *batch, struct diag *diag)
{
    *batch = (struct batch_writer){.ways = BUF(SYNC_BATCH_BYTES_MAX / 4),
                                   .items = BUF(SYNC_BATCH_BYTES_MAX)};
    batch->leaves = table_grow(NULL, &batch->leaf_room, SYNC_BATCH_ITEMS_MAX, SYNC_BATCH_ITEMS_MAX,
                               sizeof(*batch->leaves));
    return batch->leaves != NULL ? OK : diag_fail(diag, ERR_LIMIT, "no memory for a batch");
}

void batch_free(struct batch_writer *batch)
{
    buf_free(&batch->ways);
    buf_free(&batch->items);
    table_free(batch->leaves);
    batch->leaves = NULL;
}

/* A leaf is the item's text behind its way's, so that neither is another's. */
static struct hash256 leaf_of(slice way, slice item)
{
    struct sha256_state state;

    sha256_init(&state);
    sha256_add(&state, slice_of("\0", 1));
    sha256_add(&state, way);
    sha256_add(&state, SLICE("\n"));
    sha256_add(&state, item);
    return sha256_end(&state);
}

static bool item_put(struct batch_writer *batch, slice way, slice head, slice text, slice tail)
{
    size_t at = batch->items.len;

    if (batch->item_count == SYNC_BATCH_ITEMS_MAX)
        return false;
    if (batch->item_count > 0)
        buf_byte(&batch->items, ',');
    size_t from = batch->items.len;
    buf_put(&batch->items, head);
    buf_put(&batch->items, text);
    buf_put(&batch->items, tail);
    if (batch->items.overflowed) {
        batch->items.overflowed = false;
        batch->items.len = at;
        return false;
    }
    batch->leaves[batch->item_count++] = leaf_of(way, slice_from(buf_slice(&batch->items), from));
    return true;
}

static bool way_put(struct batch_writer *batch, slice way)
{
    if (batch->way_count > 0 &&
        slice_eq(way, slice_from(buf_slice(&batch->ways), batch->last_way_at)))
        return true;
    if (batch->way_count == SYNC_WAYS_MAX || way.len > ORIGIN_TEXT_BYTES_MAX)
        return false;
    if (batch->way_count > 0)
        buf_byte(&batch->ways, ',');
    size_t at = batch->ways.len;
    buf_put(&batch->ways, way);
    if (batch->ways.overflowed)
        return false;
    batch->last_way_at = at;
    batch->way_count++;
    return true;
}

bool batch_object(struct batch_writer *batch, slice way, slice object)
{
    char head[64];

    if (batch->item_count == SYNC_BATCH_ITEMS_MAX || !way_put(batch, way))
        return false;
    int bytes = snprintf(head, sizeof(head),
                         "{\"kind\":\"object\",\"way\":%zu,\"object\":", batch->way_count - 1);
    if (!item_put(batch, way, slice_of(head, (size_t)bytes), object, SLICE("}")))
        return false;
    batch->object_count++;
    return true;
}

bool batch_item(struct batch_writer *batch, slice item)
{
    return item_put(batch, SLICE(""), item, SLICE(""), SLICE(""));
}

size_t batch_bytes(const struct batch_writer *batch)
{
    return batch->ways.len + batch->items.len;
}

struct hash256 batch_root(const struct batch_writer *batch)
{
    struct merkle merkle = {.count = 0};

    for (size_t i = 0; i < batch->item_count; i++)
        merkle_add(&merkle, &batch->leaves[i]);
    return merkle_root(&merkle);
}

static void batch_message(const struct batch_head *head, struct buf *out)
{
    char after[SYNC_CURSOR_BYTES_MAX], next[SYNC_CURSOR_BYTES_MAX], root[HEX_BYTES];

    hex_encode(slice_of(head->root.bytes, SHA256_BYTES), root);
    buf_put(out, SLICE(BATCH_HEAD));
    buf_printf(out, "%.*s\n%.*s\n%.*s\n%.*s\n%.*s\n%zu\n", SLICE_ARG(head->from),
               SLICE_ARG(head->to), SLICE_ARG(sync_cursor_format(head->after, after)),
               SLICE_ARG(sync_cursor_format(head->next, next)), (int)sizeof(root), root,
               head->count);
}

static void root_put(struct json_writer *w, const struct hash256 *root)
{
    char hex[HEX_BYTES];

    hex_encode(slice_of(root->bytes, SHA256_BYTES), hex);
    jw_put_string(w, SLICE("root"), slice_of(hex, sizeof(hex)));
}

static void cursors_put(struct json_writer *w, struct sync_cursor after, struct sync_cursor next)
{
    char text[SYNC_CURSOR_BYTES_MAX];

    jw_put_string(w, SLICE("after"), sync_cursor_format(after, text));
    jw_put_string(w, SLICE("next"), sync_cursor_format(next, text));
}

void batch_write(const struct batch_writer *batch, const struct batch_head *head,
                 const uint8_t seed[ED25519_SEED_BYTES], struct buf *out)
{
    CLEANUP(buf_free) struct buf message = BUF(4096), text = BUF(256);
    struct json_writer w = JSON_WRITER(out);
    uint8_t signature[ED25519_SIGNATURE_BYTES];

    batch_message(head, &message);
    ed25519_sign(seed, buf_slice(&message), signature);
    base64_encode(&text, slice_of(signature, sizeof(signature)));
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("type"), SLICE("entente-batch"));
    jw_put_u64(&w, SLICE("version"), 1);
    jw_put_string(&w, SLICE("from"), head->from);
    jw_put_string(&w, SLICE("to"), head->to);
    cursors_put(&w, head->after, head->next);
    root_put(&w, &head->root);
    jw_put_string(&w, SLICE("signature"), buf_slice(&text));
    if (head->checkpoint.len > 0)
        jw_put_string(&w, SLICE("checkpoint"), head->checkpoint);
    jw_object_end(&w);
    out->len--; /* the closing brace: the lists are written as they stand */
    buf_put(out, SLICE(",\"ways\":["));
    buf_put(out, buf_slice(&batch->ways));
    buf_put(out, SLICE("],\"items\":["));
    buf_put(out, buf_slice(&batch->items));
    buf_put(out, SLICE("]}"));
}

/* ---- reading ---- */

static bool hash_of(struct value value, struct hash256 *out)
{
    return value_is_of(value, JSON_STRING) && !value.node->escaped &&
           hex_decode(json_inner(value.doc, value.node), out->bytes, SHA256_BYTES);
}

static bool cursor_of(struct value object, slice key, struct sync_cursor *out)
{
    struct value value = value_get(object, key);

    return value_is_of(value, JSON_STRING) &&
           sync_cursor_parse(json_inner(value.doc, value.node), out);
}

static bool id_of(struct value object, slice key, struct arena *arena, slice *out)
{
    return value_text(value_get(object, key), arena, out) && out->len > 0 &&
           out->len <= ID_BYTES_MAX;
}

static bool count_of(struct value object, slice key, uint64_t *out)
{
    struct value value = value_get(object, key);
    int64_t number;

    if (!value_is_there(value) || !json_i64(value.doc, value.node, &number) || number < 0)
        return false;
    *out = (uint64_t)number;
    return true;
}

static bool is_type(struct value value, slice type)
{
    uint64_t version;

    return value_is_of(value, JSON_OBJECT) && !value.node->repeated &&
           value_is(value_get(value, SLICE("type")), type) &&
           count_of(value, SLICE("version"), &version) && version == 1;
}

static result ways_read(struct value list, struct arena *arena, struct batch *out,
                        struct diag *diag)
{
    size_t count = value_is_of(list, JSON_ARRAY) ? json_count(list.doc, list.node) : SIZE_MAX;
    struct way *ways;
    size_t at = 0;

    if (count > SYNC_WAYS_MAX)
        return diag_fail(diag, count == SIZE_MAX ? ERR_INVALID : ERR_LIMIT,
                         "ways: takes a list of at most %d", SYNC_WAYS_MAX);
    ways = arena_new(arena, struct way, count + 1);
    if (ways == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a batch");
    for (struct json_each each = json_each(list.doc, list.node); json_next(&each); at++)
        if (!way_read((struct value){list.doc, each.value}, arena, &ways[at]))
            return diag_fail(diag, ERR_INVALID, "ways[%zu]: is no way of an object", at);
    out->ways = ways;
    out->way_count = count;
    return OK;
}

static const struct {
    slice word;
    enum sync_kind kind;
} item_kinds[] = {{S("object"), SYNC_ITEM_OBJECT},
                  {S("agreement"), SYNC_ITEM_AGREEMENT},
                  {S("state"), SYNC_ITEM_STATE},
                  {S("recall"), SYNC_ITEM_RECALL}};

static bool item_read(struct value value, const struct batch *batch, struct batch_item *out)
{
    struct value kind = value_get(value, SLICE("kind")), object;
    uint64_t way;

    *out = (struct batch_item){.value = value};
    if (!value_is_of(value, JSON_OBJECT) || value.node->repeated)
        return false;
    for (size_t i = 0; i < sizeof(item_kinds) / sizeof(item_kinds[0]); i++) {
        if (!value_is(kind, item_kinds[i].word))
            continue;
        out->kind = item_kinds[i].kind;
        if (out->kind != SYNC_ITEM_OBJECT)
            return true;
        object = value_get(value, SLICE("object"));
        if (!count_of(value, SLICE("way"), &way) || way >= batch->way_count ||
            !value_is_of(object, JSON_OBJECT))
            return false;
        out->way = (size_t)way;
        out->object = json_raw(object.doc, object.node);
        return true;
    }
    return false;
}

static result items_read(struct value list, struct arena *arena, struct batch *out,
                         struct diag *diag)
{
    size_t count = value_is_of(list, JSON_ARRAY) ? json_count(list.doc, list.node) : SIZE_MAX;
    struct merkle merkle = {.count = 0};
    struct batch_item *items;
    size_t at = 0;

    if (count > SYNC_BATCH_ITEMS_MAX)
        return diag_fail(diag, count == SIZE_MAX ? ERR_INVALID : ERR_LIMIT,
                         "items: takes a list of at most %d", SYNC_BATCH_ITEMS_MAX);
    items = arena_new(arena, struct batch_item, count + 1);
    if (items == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a batch");
    for (struct json_each each = json_each(list.doc, list.node); json_next(&each); at++) {
        struct value one = {list.doc, each.value};

        if (!item_read(one, out, &items[at]))
            return diag_fail(diag, ERR_INVALID, "items[%zu]: is no item of a feed", at);
        slice way = items[at].kind == SYNC_ITEM_OBJECT ? out->ways[items[at].way].raw : SLICE("");
        struct hash256 leaf = leaf_of(way, json_raw(one.doc, one.node));
        merkle_add(&merkle, &leaf);
    }
    struct hash256 root = merkle_root(&merkle);
    if (!hash256_eq(&root, &out->head.root))
        return diag_fail(diag, ERR_CORRUPT, "root: the batch holds other items than it says");
    out->items = items;
    out->head.count = count;
    return OK;
}

static result head_verify(struct value root, const struct batch_head *head,
                          const uint8_t key[ED25519_PUBLIC_BYTES], struct diag *diag)
{
    CLEANUP(buf_free) struct buf message = BUF(4096);
    uint8_t signature[ED25519_SIGNATURE_BYTES];

    batch_message(head, &message);
    if (!value_bytes(value_get(root, SLICE("signature")), signature, sizeof(signature)))
        return diag_fail(diag, ERR_INVALID, "signature: takes 64 bytes in base64");
    return ed25519_verify(key, buf_slice(&message), signature)
               ? OK
               : diag_fail(diag, ERR_CORRUPT, "signature: is not of the partner's key");
}

result batch_read(struct json_parser *parser, slice text, const uint8_t key[ED25519_PUBLIC_BYTES],
                  struct arena *arena, struct batch *out, struct diag *diag)
{
    *out = (struct batch){0};
    if (text.len > SYNC_BATCH_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "a batch has at most %zu bytes", SYNC_BATCH_BYTES_MAX);
    TRY(json_parse_copy(parser, text, &out->doc, diag));
    struct value root = {&out->doc, out->doc.nodes};
    struct batch_head *head = &out->head;
    if (!is_type(root, SLICE("entente-batch")) || !id_of(root, SLICE("from"), arena, &head->from) ||
        !id_of(root, SLICE("to"), arena, &head->to) ||
        !cursor_of(root, SLICE("after"), &head->after) ||
        !cursor_of(root, SLICE("next"), &head->next) ||
        !hash_of(value_get(root, SLICE("root")), &head->root))
        return diag_fail(diag, ERR_INVALID, "it is no batch of a feed");
    (void)value_text(value_get(root, SLICE("checkpoint")), arena, &head->checkpoint);
    if (sync_cursor_cmp(head->after, head->next) >= 0)
        return diag_fail(diag, ERR_INVALID, "next: does not go on from \"after\"");
    TRY(ways_read(value_get(root, SLICE("ways")), arena, out, diag));
    TRY(items_read(value_get(root, SLICE("items")), arena, out, diag));
    return head_verify(root, head, key, diag);
}

/* ---- receipts ---- */

static void results_put(struct json_writer *w, const struct receipt *receipt)
{
    jw_key(w, SLICE("results"));
    jw_array_begin(w);
    for (size_t i = 0; i < receipt->result_count; i++) {
        const struct sync_result *one = &receipt->results[i];

        jw_object_begin(w);
        jw_put_string(w, SLICE("id"), one->id);
        jw_put_u64(w, SLICE("index"), one->index);
        jw_put_string(w, SLICE("outcome"), one->outcome);
        if (one->reason.len > 0)
            jw_put_string(w, SLICE("reason"), one->reason);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void receipt_body(const struct receipt *receipt, struct buf *out)
{
    struct json_writer w = JSON_WRITER(out);

    jw_object_begin(&w);
    jw_put_string(&w, SLICE("type"), SLICE("entente-receipt"));
    jw_put_u64(&w, SLICE("version"), 1);
    jw_put_string(&w, SLICE("from"), receipt->from);
    jw_put_string(&w, SLICE("to"), receipt->to);
    cursors_put(&w, receipt->after, receipt->next);
    root_put(&w, &receipt->root);
    jw_put_u64(&w, SLICE("count"), receipt->count);
    jw_put_u64(&w, SLICE("taken"), receipt->taken);
    jw_put_u64(&w, SLICE("held"), receipt->held);
    jw_put_u64(&w, SLICE("refused"), receipt->refused);
    jw_put_string(&w, SLICE("at"), receipt->at);
    results_put(&w, receipt);
    jw_object_end(&w);
}

static result receipt_message(struct value receipt, struct buf *out, struct diag *diag)
{
    struct hash256 hash;

    TRY(document_hash(receipt, &hash, diag));
    buf_put(out, SLICE(RECEIPT_HEAD));
    buf_put(out, slice_of(hash.bytes, SHA256_BYTES));
    return OK;
}

result receipt_write(const struct receipt *receipt, const uint8_t seed[ED25519_SEED_BYTES],
                     struct buf *out, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(buf_free)
    struct buf body = BUF(SYNC_RECEIPT_BYTES_MAX), message = BUF(256), text = BUF(256);
    uint8_t signature[ED25519_SIGNATURE_BYTES];
    struct json_doc doc;

    receipt_body(receipt, &body);
    if (body.overflowed)
        return diag_fail(diag, ERR_LIMIT, "a receipt has at most %zu bytes",
                         SYNC_RECEIPT_BYTES_MAX);
    TRY(json_parser_new(SYNC_DEPTH_MAX, &parser, diag));
    TRY(json_parse_copy(parser, buf_slice(&body), &doc, diag));
    TRY(receipt_message((struct value){&doc, doc.nodes}, &message, diag));
    ed25519_sign(seed, buf_slice(&message), signature);
    base64_encode(&text, slice_of(signature, sizeof(signature)));
    body.len--;
    buf_put(out, buf_slice(&body));
    buf_printf(out, ",\"signatures\":[\"%.*s\"]}", SLICE_ARG(buf_slice(&text)));
    return OK;
}

static bool results_read(struct value list, struct arena *arena, struct receipt *out)
{
    size_t count = value_is_of(list, JSON_ARRAY) ? json_count(list.doc, list.node) : SIZE_MAX;
    struct sync_result *results;
    size_t at = 0;

    if (count > SYNC_RESULTS_MAX)
        return false;
    results = arena_new(arena, struct sync_result, count + 1);
    for (struct json_each each = json_each(list.doc, list.node);
         results != NULL && json_next(&each); at++) {
        struct value one = {list.doc, each.value};

        results[at].reason = SLICE("");
        (void)value_text(value_get(one, SLICE("reason")), arena, &results[at].reason);
        if (!id_of(one, SLICE("id"), arena, &results[at].id) ||
            !id_of(one, SLICE("outcome"), arena, &results[at].outcome) ||
            !count_of(one, SLICE("index"), &results[at].index))
            return false;
    }
    out->results = results;
    out->result_count = count;
    return results != NULL;
}

result receipt_read(struct json_parser *parser, slice text, const uint8_t key[ED25519_PUBLIC_BYTES],
                    struct arena *arena, struct receipt *out, struct diag *diag)
{
    CLEANUP(buf_free) struct buf message = BUF(256);
    uint8_t signature[ED25519_SIGNATURE_BYTES];
    struct json_doc doc;

    *out = (struct receipt){0};
    if (text.len > SYNC_RECEIPT_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "a receipt has at most %zu bytes",
                         SYNC_RECEIPT_BYTES_MAX);
    TRY(json_parse_copy(parser, text, &doc, diag));
    struct value root = {&doc, doc.nodes}, list = value_get(root, SLICE("signatures"));
    if (!is_type(root, SLICE("entente-receipt")) || value_repeats(root) ||
        !id_of(root, SLICE("from"), arena, &out->from) ||
        !id_of(root, SLICE("to"), arena, &out->to) ||
        !cursor_of(root, SLICE("after"), &out->after) ||
        !cursor_of(root, SLICE("next"), &out->next) ||
        !hash_of(value_get(root, SLICE("root")), &out->root) ||
        !count_of(root, SLICE("count"), &out->count) ||
        !count_of(root, SLICE("taken"), &out->taken) ||
        !count_of(root, SLICE("held"), &out->held) ||
        !count_of(root, SLICE("refused"), &out->refused) ||
        !value_text(value_get(root, SLICE("at")), arena, &out->at) ||
        !results_read(value_get(root, SLICE("results")), arena, out) ||
        !value_is_of(list, JSON_ARRAY) || list.node->size != 2 ||
        !value_bytes((struct value){list.doc, list.node + 1}, signature, sizeof(signature)))
        return diag_fail(diag, ERR_INVALID, "it is no receipt");
    TRY(receipt_message(root, &message, diag));
    return ed25519_verify(key, buf_slice(&message), signature)
               ? OK
               : diag_fail(diag, ERR_CORRUPT, "the receipt is not signed by the partner's key");
}
