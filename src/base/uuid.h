/* UUIDs (RFC 9562): parsed once at the edge, 16 bytes inside. */
#pragma once

#include "base/slice.h"

struct uuid {
    uint8_t bytes[16];
};

#define UUID_TEXT_BYTES 36

bool uuid_parse(slice text, struct uuid *out); /* 8-4-4-4-12 digits, any case */
void uuid_format(const struct uuid *uuid, char out[UUID_TEXT_BYTES]); /* lower case, no NUL */
int uuid_version(const struct uuid *uuid);                            /* 1..8, else 0 */
bool uuid_is_rfc(const struct uuid *uuid);                            /* variant 10x */
bool uuid_eq(const struct uuid *a, const struct uuid *b);

/* From 16 random bytes: version 4. */
struct uuid uuid_v4(const uint8_t random[16]);

/* Name-based, SHA-1: version 5. */
struct uuid uuid_v5(const struct uuid *name_space, slice name);
