#include "store/entries.h"

#include "base/encode.h"
#include "ledger/ledger.h"

#include "base/banned.h"

#define ORIGIN_BYTES_MAX 8192 /* of a partner's objects it has their whole way */

/* origin may be any file name: its length is bounded, its bytes are made JSON by the writer. */
void entry_objects(struct kv_txn *txn, int64_t added_us, const struct objects_entry *entry)
{
    CLEANUP(buf_free) struct buf body = BUF(LEDGER_ENTRY_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&body);
    uint64_t number;
    const struct import_counts *counts = entry->counts;
    char root[2 * SHA256_BYTES], reach[TIMESTAMP_TEXT_BYTES_MAX];

    hex_encode(slice_of(entry->root.bytes, SHA256_BYTES), root);
    jw_object_begin(&w);
    jw_put_u64(&w, SLICE("collection"), entry->collection);
    jw_put_u64(&w, SLICE("first"), entry->first);
    jw_put_u64(&w, SLICE("count"), entry->count);
    jw_put_string(&w, SLICE("root"), slice_of(root, sizeof(root)));
    jw_put_string(&w, SLICE("reach"),
                  slice_of(reach, time_format_us(added_us + (int64_t)entry->count - 1, reach)));
    jw_put_string(&w, SLICE("origin"), slice_head(entry->origin, ORIGIN_BYTES_MAX));
    jw_put_string(&w, SLICE("actor"), slice_head(entry->actor, ORIGIN_BYTES_MAX));
    jw_put_u64(&w, SLICE("replaced"), counts->replaced);
    jw_put_u64(&w, SLICE("older"), counts->older);
    jw_put_u64(&w, SLICE("held"), counts->held);
    jw_put_u64(&w, SLICE("conflicts"), counts->conflicts);
    jw_put_u64(&w, SLICE("refused"), counts->refused);
    jw_object_end(&w);
    ledger_append(txn, TABLE_LOG, SLICE("objects"), added_us, buf_slice(&body), &number);
}

static const struct json_node *member(const struct entry *entry, slice key)
{
    return json_get(&entry->ledger.doc, &entry->ledger.doc.nodes[0], key);
}

uint64_t entry_number(const struct entry *entry, slice key)
{
    const struct json_node *node = member(entry, key);
    int64_t value = 0;

    return node != NULL && json_i64(&entry->ledger.doc, node, &value) && value >= 0
               ? (uint64_t)value
               : 0;
}

slice entry_text(const struct entry *entry, slice key)
{
    const struct json_node *node = member(entry, key);

    return node == NULL ? SLICE_NONE : json_string(&entry->ledger.doc, node, entry->arena);
}

bool entry_true(const struct entry *entry, slice key)
{
    const struct json_node *node = member(entry, key);

    return node != NULL && node->kind == JSON_TRUE;
}
