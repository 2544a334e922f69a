/* STIX identifiers ("type--uuid", STIX 2.1, 2.9) parsed once. */
#pragma once

#include "base/uuid.h"

#define STIX_TYPE_BYTES_MIN 3
#define STIX_TYPE_BYTES_MAX 250
#define STIX_ID_BYTES_MAX (STIX_TYPE_BYTES_MAX + 2 + UUID_TEXT_BYTES)

struct stix_id {
    slice type; /* borrowed from the text it was parsed from */
    struct uuid uuid;
};

/* A type name (3..250 of a-z 0-9 -, a letter first, no "--" in it), "--", a UUID of the RFC's
 * variant. False otherwise. */
bool stix_id_parse(slice text, struct stix_id *out);
bool stix_type_valid(slice type);
size_t stix_id_format(const struct stix_id *id, char out[STIX_ID_BYTES_MAX]); /* bytes; no NUL */
