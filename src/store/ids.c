#include "store/ids.h"

#include "base/banned.h"

void id_open(struct id_walk *walk, struct kv_txn *txn, const struct uuid *uuid, uint16_t type)
{
    id_prefix_make(uuid, type, walk->prefix);
    walk->started = false;
    kv_cursor_open(txn, TABLE_IDS, &walk->cursor);
}

bool id_next(struct id_walk *walk, struct id_version *out)
{
    slice prefix = slice_of(walk->prefix, sizeof(walk->prefix));
    bool there = walk->started ? kv_next(&walk->cursor) : kv_seek(&walk->cursor, prefix);

    walk->started = true;
    if (!there || walk->cursor.key.len != ID_KEY_BYTES || !slice_starts(walk->cursor.key, prefix))
        return false;
    const char *at = walk->cursor.key.at + ID_PREFIX_BYTES;
    *out = (struct id_version){bytes_get(at, 8), (uint32_t)bytes_get(at + 8, 3),
                               bytes_get(at + 11, SEQ_BYTES)};
    return true;
}

void id_close(struct id_walk *walk)
{
    kv_cursor_close(&walk->cursor);
}

void id_drop(struct kv_txn *txn, const struct record *record, uint64_t seq)
{
    uint8_t id[ID_KEY_BYTES], version[VERSION_KEY_BYTES];

    id_key_make(&(struct id_key){record->uuid, record->type, record_key_us(record),
                                 record_key_rest(record), seq},
                id);
    (void)kv_delete(txn, TABLE_IDS, slice_of(id, sizeof(id)));
    if (!record->has_version)
        return;
    version_key_make(record_key_us(record), record_key_rest(record), seq, version);
    (void)kv_delete(txn, TABLE_VERSIONS, slice_of(version, sizeof(version)));
}
