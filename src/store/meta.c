/* Facts of the store, interned type names, and the dates of additions. */
#include "store/bytes.h"
#include "store/inside.h"
#include "store/postings.h"

#include "base/banned.h"

uint64_t meta_get(struct kv_txn *txn, const char *name, uint64_t otherwise)
{
    slice value;

    if (!kv_get(txn, TABLE_META, slice_text(name), &value) || value.len != 8)
        return otherwise;
    return bytes_get(value.at, 8);
}

void meta_put(struct kv_txn *txn, const char *name, uint64_t value)
{
    uint8_t bytes[8];

    bytes_put(bytes, value, sizeof(bytes));
    kv_put(txn, TABLE_META, slice_text(name), slice_of(bytes, sizeof(bytes)));
}

void meta_drop(struct kv_txn *txn, const char *name)
{
    (void)kv_delete(txn, TABLE_META, slice_text(name));
}

/* Keys: 0 and the name -> code; 1 and the code -> name. */
static slice type_key(slice name, char out[1 + STIX_TYPE_BYTES_MAX])
{
    size_t bytes = name.len < STIX_TYPE_BYTES_MAX ? name.len : STIX_TYPE_BYTES_MAX;

    out[0] = 0;
    memcpy(out + 1, name.at, bytes);
    return slice_of(out, 1 + bytes);
}

bool type_code(struct kv_txn *txn, slice name, uint16_t *code)
{
    char key[1 + STIX_TYPE_BYTES_MAX];
    slice value;

    if (!kv_get(txn, TABLE_TYPES, type_key(name, key), &value) || value.len != 2)
        return false;
    *code = (uint16_t)bytes_get(value.at, 2);
    return true;
}

bool type_name(struct kv_txn *txn, uint16_t code, slice *name)
{
    uint8_t key[3] = {1};

    bytes_put(key + 1, code, 2);
    return kv_get(txn, TABLE_TYPES, slice_of(key, sizeof(key)), name);
}

void type_put(struct kv_txn *txn, uint16_t code, slice name)
{
    char by_name[1 + STIX_TYPE_BYTES_MAX];
    uint8_t by_code[3] = {1};

    bytes_put(by_code + 1, code, 2);
    kv_put(txn, TABLE_TYPES, slice_of(by_code, sizeof(by_code)), name);
    kv_put(txn, TABLE_TYPES, type_key(name, by_name), slice_of(by_code + 1, 2));
}

/* ---- dates: one import's additions follow each other by a microsecond ---- */

void date_put(struct kv_txn *txn, uint64_t first, int64_t us)
{
    uint8_t seq[8], moment[8];

    bytes_put(seq, first, sizeof(seq));
    bytes_put(moment, bytes_biased(us), sizeof(moment));
    kv_put(txn, TABLE_DATES, slice_of(seq, sizeof(seq)), slice_of(moment, sizeof(moment)));
    kv_put(txn, TABLE_MOMENTS, slice_of(moment, sizeof(moment)), slice_of(seq, sizeof(seq)));
}

int64_t date_of(struct store_view *view, uint64_t seq)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor = {0};
    uint8_t key[8];

    if (seq >= view->date_first && seq < view->date_end)
        return view->date_us + (int64_t)(seq - view->date_first);
    kv_cursor_open(&view->txn, TABLE_DATES, &cursor);
    bytes_put(key, seq + 1, sizeof(key));
    if (!kv_seek_last_before(&cursor, slice_of(key, sizeof(key))) || cursor.value.len != 8)
        return 0;
    view->date_first = bytes_get(cursor.key.at, 8);
    view->date_us = bytes_unbiased(bytes_get(cursor.value.at, 8));
    view->date_end = kv_next(&cursor) ? bytes_get(cursor.key.at, 8) : view->seq_end;
    return view->date_us + (int64_t)(seq - view->date_first);
}

/* The import that began at or before the date holds the place, or the one behind it begins there.
 */
uint64_t date_seek(struct store_view *view, int64_t after_us)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor = {0};
    uint8_t key[8];
    uint64_t first, next;

    if (after_us == INT64_MAX)
        return view->seq_end;
    kv_cursor_open(&view->txn, TABLE_MOMENTS, &cursor);
    bytes_put(key, bytes_biased(after_us + 1), sizeof(key));
    if (!kv_seek_last_before(&cursor, slice_of(key, sizeof(key))) || cursor.value.len != 8)
        return 0;
    first = bytes_get(cursor.value.at, 8);
    int64_t us = bytes_unbiased(bytes_get(cursor.key.at, 8));
    next = kv_next(&cursor) ? bytes_get(cursor.value.at, 8) : view->seq_end;
    uint64_t behind = (uint64_t)after_us - (uint64_t)us;
    return behind < next - first ? first + behind + 1 : next;
}
