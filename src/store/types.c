#include "store/types.h"

#include "ledger/ledger.h"
#include "store/entries.h"
#include "store/hash.h"
#include "json/write.h"

#include "base/banned.h"

#define TYPES_ARENA_BYTES_MAX ((size_t)8 << 20)
#define NAMES_PER_ENTRY 200 /* of at most 250 bytes: an entry holds 64 KiB */

void types_init(struct types *types, struct kv_txn *txn)
{
    memset(types, 0, sizeof(*types));
    types->arena = ARENA(TYPES_ARENA_BYTES_MAX);
    types->txn = txn;
    types->known = (uint32_t)kv_count(txn, TABLE_TYPES) / 2; /* a row each way */
}

void types_free(struct types *types)
{
    arena_free(&types->arena);
}

static bool find(struct types *types, slice name, uint16_t *code)
{
    for (size_t i = 0; i < types->fresh_count; i++)
        if (slice_eq(types->fresh[i], name)) {
            *code = (uint16_t)(types->known + i);
            return true;
        }
    return type_code(types->txn, name, code);
}

bool types_intern(struct types *types, slice name, uint16_t *code)
{
    size_t at = store_hash64(name, 0) % TYPES_CACHED;

    if (types->cache[at].name.len > 0 && slice_eq(types->cache[at].name, name)) {
        *code = types->cache[at].code;
        return true;
    }
    slice kept = arena_copy(&types->arena, name);
    if (types->arena.overflowed)
        return false;
    if (!find(types, name, code)) {
        if (types->fresh_count == TYPES_NEW_MAX || types->known + types->fresh_count >= TYPES_MAX)
            return false;
        *code = (uint16_t)(types->known + types->fresh_count);
        types->fresh[types->fresh_count++] = kept;
    }
    types->cache[at].name = kept;
    types->cache[at].code = *code;
    return true;
}

void types_finish(struct types *types, struct kv_txn *txn, int64_t at_us)
{
    CLEANUP(buf_free) struct buf body = BUF(LEDGER_ENTRY_BYTES_MAX);

    for (size_t i = 0; i < types->fresh_count;) {
        struct json_writer w = JSON_WRITER(&body);
        uint64_t number;
        size_t end = i + NAMES_PER_ENTRY;

        buf_reset(&body);
        jw_object_begin(&w);
        jw_put_u64(&w, SLICE("first"), types->known + i);
        jw_key(&w, SLICE("names"));
        jw_array_begin(&w);
        for (; i < end && i < types->fresh_count; i++) {
            jw_string(&w, types->fresh[i]);
            type_put(txn, (uint16_t)(types->known + i), types->fresh[i]);
        }
        jw_array_end(&w);
        jw_object_end(&w);
        ledger_append(txn, TABLE_LOG, SLICE("types"), ledger_next_us(txn, TABLE_LOG, at_us),
                      buf_slice(&body), &number);
    }
}

bool types_apply(struct kv_txn *txn, const struct entry *entry)
{
    const struct json_node *names =
        json_get(&entry->ledger.doc, &entry->ledger.doc.nodes[0], SLICE("names"));
    uint64_t code = entry_number(entry, SLICE("first"));

    if (names == NULL || names->kind != JSON_ARRAY)
        return false;
    for (struct json_each each = json_each(&entry->ledger.doc, names); json_next(&each); code++) {
        slice name = json_string(&entry->ledger.doc, each.value, entry->arena);

        if (name.len == 0 || code >= TYPES_MAX)
            return false;
        type_put(txn, (uint16_t)code, name);
    }
    return true;
}
