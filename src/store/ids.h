/* Identifiers: all versions of an id, in order.
 *
 *     uuid 16 | type 2 | version: us 8, rest 3 | seq 6   ->  nothing
 *
 * What has no version has us and rest 0 and sorts first.
 */
#pragma once

#include "store/bytes.h"
#include "store/inside.h"
#include "store/postings.h"

#define ID_PREFIX_BYTES 18
#define ID_KEY_BYTES (ID_PREFIX_BYTES + 8 + 3 + SEQ_BYTES)
#define VERSION_KEY_BYTES (8 + 3 + SEQ_BYTES)

struct id_key {
    struct uuid uuid;
    uint16_t type;
    uint64_t us; /* biased */
    uint32_t rest;
    uint64_t seq;
};

static inline void id_prefix_make(const struct uuid *uuid, uint16_t type,
                                  uint8_t out[ID_PREFIX_BYTES])
{
    memcpy(out, uuid->bytes, sizeof(uuid->bytes));
    bytes_put(out + 16, type, 2);
}

static inline void id_key_make(const struct id_key *id, uint8_t out[ID_KEY_BYTES])
{
    id_prefix_make(&id->uuid, id->type, out);
    bytes_put(out + 18, id->us, 8);
    bytes_put(out + 26, id->rest, 3);
    bytes_put(out + 29, id->seq, SEQ_BYTES);
}

static inline void version_key_make(uint64_t us, uint32_t rest, uint64_t seq,
                                    uint8_t out[VERSION_KEY_BYTES])
{
    bytes_put(out, us, 8);
    bytes_put(out + 8, rest, 3);
    bytes_put(out + 11, seq, SEQ_BYTES);
}

static inline uint64_t version_us_key(const struct timestamp *version)
{
    return bytes_biased(version->us);
}

static inline uint64_t record_key_us(const struct record *record)
{
    return record->has_version ? version_us_key(&record->version) : 0;
}

static inline uint32_t record_key_rest(const struct record *record)
{
    return record->has_version ? record->version.rest : 0;
}

/* One entry of an id. */
struct id_version {
    uint64_t us;
    uint32_t rest;
    uint64_t seq;
};

static inline int version_order(uint64_t us, uint32_t rest, const struct id_version *than)
{
    if (us != than->us)
        return us < than->us ? -1 : 1;
    return (rest > than->rest) - (rest < than->rest);
}

/* Walk an id's versions, oldest first. */
struct id_walk {
    struct kv_cursor cursor;
    uint8_t prefix[ID_PREFIX_BYTES];
    bool started;
};
void id_open(struct id_walk *walk, struct kv_txn *txn, const struct uuid *uuid, uint16_t type);
bool id_next(struct id_walk *walk, struct id_version *out);
void id_close(struct id_walk *walk); /* fits CLEANUP */

void id_drop(struct kv_txn *txn, const struct record *record, uint64_t seq);
