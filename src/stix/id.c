#include "stix/id.h"

#include "base/banned.h"

#define SEPARATOR_BYTES 2

static bool type_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-';
}

/* STIX 2.1, 3.1 and 11.2: lower case, starts with a letter, 3 to 250 long, no hyphen at its end, no
 * two in a row, which would make the place where the identifier's UUID starts ambiguous. */
bool stix_type_valid(slice type)
{
    if (type.len < STIX_TYPE_BYTES_MIN || type.len > STIX_TYPE_BYTES_MAX)
        return false;
    if (type.at[0] < 'a' || type.at[0] > 'z' || type.at[type.len - 1] == '-')
        return false;
    for (size_t i = 0; i < type.len; i++) {
        if (!type_byte(type.at[i]) || (type.at[i] == '-' && type.at[i - 1] == '-'))
            return false;
    }
    return true;
}

bool stix_id_parse(slice text, struct stix_id *out)
{
    struct stix_id id;

    if (text.len < STIX_TYPE_BYTES_MIN + SEPARATOR_BYTES + UUID_TEXT_BYTES)
        return false;
    id.type = slice_head(text, text.len - SEPARATOR_BYTES - UUID_TEXT_BYTES);
    slice rest = slice_from(text, id.type.len);
    if (rest.at[0] != '-' || rest.at[1] != '-' || !stix_type_valid(id.type))
        return false;
    if (!uuid_parse(slice_from(rest, SEPARATOR_BYTES), &id.uuid) || !uuid_is_rfc(&id.uuid))
        return false;
    *out = id;
    return true;
}

size_t stix_id_format(const struct stix_id *id, char out[STIX_ID_BYTES_MAX])
{
    size_t len = id->type.len;

    memcpy(out, id->type.at, len);
    memcpy(out + len, "--", SEPARATOR_BYTES);
    uuid_format(&id->uuid, out + len + SEPARATOR_BYTES);
    return len + SEPARATOR_BYTES + UUID_TEXT_BYTES;
}
