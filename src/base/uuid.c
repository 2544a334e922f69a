#include "base/uuid.h"

#include "base/crypto.h"
#include "base/encode.h"

#include "base/banned.h"

bool uuid_parse(slice text, struct uuid *out)
{
    /* Where the five groups start, and their bytes. */
    static const struct {
        unsigned char at, bytes;
    } groups[] = {{0, 4}, {9, 2}, {14, 2}, {19, 2}, {24, 6}};
    struct uuid uuid;
    size_t filled = 0;

    if (text.len != UUID_TEXT_BYTES)
        return false;
    for (size_t i = 0; i < 5; i++) {
        slice digits = slice_head(slice_from(text, groups[i].at), (size_t)2 * groups[i].bytes);

        if (i > 0 && text.at[groups[i].at - 1] != '-')
            return false;
        if (!hex_decode(digits, uuid.bytes + filled, groups[i].bytes))
            return false;
        filled += groups[i].bytes;
    }
    *out = uuid;
    return true;
}

void uuid_format(const struct uuid *uuid, char out[UUID_TEXT_BYTES])
{
    char digits[32];

    hex_encode(slice_of(uuid->bytes, 16), digits);
    memcpy(out, digits, 8);
    memcpy(out + 9, digits + 8, 4);
    memcpy(out + 14, digits + 12, 4);
    memcpy(out + 19, digits + 16, 4);
    memcpy(out + 24, digits + 20, 12);
    out[8] = out[13] = out[18] = out[23] = '-';
}

int uuid_version(const struct uuid *uuid)
{
    int version = uuid->bytes[6] >> 4;

    return version >= 1 && version <= 8 ? version : 0;
}

bool uuid_is_rfc(const struct uuid *uuid)
{
    return (uuid->bytes[8] & 0xc0) == 0x80;
}

bool uuid_eq(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static void mark(struct uuid *uuid, unsigned version)
{
    uuid->bytes[6] = (uint8_t)((uuid->bytes[6] & 0x0f) | version << 4);
    uuid->bytes[8] = (uint8_t)((uuid->bytes[8] & 0x3f) | 0x80);
}

struct uuid uuid_v4(const uint8_t random[16])
{
    struct uuid uuid;

    memcpy(uuid.bytes, random, sizeof(uuid.bytes));
    mark(&uuid, 4);
    return uuid;
}

struct uuid uuid_v5(const struct uuid *name_space, slice name)
{
    uint8_t digest[SHA1_BYTES];
    struct uuid uuid;

    sha1_pair(slice_of(name_space->bytes, sizeof(name_space->bytes)), name, digest);
    memcpy(uuid.bytes, digest, sizeof(uuid.bytes));
    mark(&uuid, 5);
    return uuid;
}
