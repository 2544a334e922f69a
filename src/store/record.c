#include "store/record.h"

#include "store/bytes.h"
#include "store/hash.h"

#include "base/banned.h"

enum { FLAG_HAS_VERSION = 1, FLAG_SPEC_SHIFT = 1 };

/* Positions of the fields; docs/FORMATS.md holds the same table. */
enum {
    AT_TEXT = 0,
    AT_BYTES = 8,
    AT_CHECK = 12,
    AT_UUID = 16,
    AT_VERSION = 32,
    AT_REST = 40,
    AT_FRACTION = 43,
    AT_FLAGS = 44,
    AT_SPARE = 45,
    AT_TYPE = 46,
    AT_COLLECTION = 48,
    AT_HASH = 52,
    AT_RECORD_CHECK = 84,
};

void record_encode(const struct record *record, uint8_t out[RECORD_BYTES])
{
    bytes_put(out + AT_TEXT, record->text_at, 8);
    bytes_put(out + AT_BYTES, record->text_bytes, 4);
    bytes_put(out + AT_CHECK, record->text_check, 4);
    memcpy(out + AT_UUID, record->uuid.bytes, sizeof(record->uuid.bytes));
    bytes_put(out + AT_VERSION, bytes_biased(record->version.us), 8);
    bytes_put(out + AT_REST, record->version.rest, 3);
    out[AT_FRACTION] = record->version.fraction;
    out[AT_FLAGS] =
        (uint8_t)((record->has_version ? FLAG_HAS_VERSION : 0) | record->spec << FLAG_SPEC_SHIFT);
    out[AT_SPARE] = 0;
    bytes_put(out + AT_TYPE, record->type, 2);
    bytes_put(out + AT_COLLECTION, record->collection, 4);
    memcpy(out + AT_HASH, record->hash.bytes, SHA256_BYTES);
    bytes_put(out + AT_RECORD_CHECK, store_check32(slice_of(out, AT_RECORD_CHECK)), 4);
}

bool record_decode(const uint8_t bytes[RECORD_BYTES], struct record *out)
{
    if (bytes_get(bytes + AT_RECORD_CHECK, 4) != store_check32(slice_of(bytes, AT_RECORD_CHECK)))
        return false;
    *out = (struct record){
        .text_at = bytes_get(bytes + AT_TEXT, 8),
        .text_bytes = (uint32_t)bytes_get(bytes + AT_BYTES, 4),
        .text_check = (uint32_t)bytes_get(bytes + AT_CHECK, 4),
        .version = {.us = bytes_unbiased(bytes_get(bytes + AT_VERSION, 8)),
                    .rest = (uint32_t)bytes_get(bytes + AT_REST, 3),
                    .fraction = bytes[AT_FRACTION]},
        .has_version = (bytes[AT_FLAGS] & FLAG_HAS_VERSION) != 0,
        .spec = bytes[AT_FLAGS] >> FLAG_SPEC_SHIFT,
        .type = (uint16_t)bytes_get(bytes + AT_TYPE, 2),
        .collection = (uint32_t)bytes_get(bytes + AT_COLLECTION, 4),
    };
    memcpy(out->uuid.bytes, bytes + AT_UUID, sizeof(out->uuid.bytes));
    memcpy(out->hash.bytes, bytes + AT_HASH, SHA256_BYTES);
    return true;
}
