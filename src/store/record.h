/* Directory records: where an addition's text stands and what it is, in RECORD_BYTES bytes each. */
#pragma once

#include "base/crypto.h"
#include "base/time.h"
#include "base/uuid.h"

#define RECORD_BYTES 88

struct record {
    uint64_t text_at; /* virtual: segment number * SEGMENT_BYTES + position */
    uint32_t text_bytes;
    uint32_t text_check; /* store_check32 of the text */
    struct uuid uuid;
    struct timestamp version; /* all zeros without one: date_added stands in */
    bool has_version;
    uint8_t spec;  /* enum stix_spec */
    uint16_t type; /* code of the interned type name */
    uint32_t collection;
    struct hash256 hash; /* SHA-256 of the canonical form */
};

void record_encode(const struct record *record, uint8_t out[RECORD_BYTES]);

/* False when the record's own check does not agree. */
bool record_decode(const uint8_t bytes[RECORD_BYTES], struct record *out);

/* The fields that a walk over many records looks at, without the check. */
static inline uint64_t record_text_at(const uint8_t *bytes)
{
    uint64_t value;

    memcpy(&value, bytes, sizeof(value));
    return __builtin_bswap64(value);
}

static inline uint32_t record_text_bytes(const uint8_t *bytes)
{
    uint32_t value;

    memcpy(&value, bytes + 8, sizeof(value));
    return __builtin_bswap32(value);
}
