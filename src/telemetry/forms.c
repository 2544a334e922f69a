#include <arpa/inet.h>

#include "telemetry/event.h"

#include "base/banned.h"

#define ADDRESS_BYTES_MAX 64
#define DOMAIN_BYTES_MAX 1024 /* of UTF-8; 253 in its ASCII form */
#define LABEL_BYTES_MAX 63

enum address_form address_form(slice text)
{
    char copy[ADDRESS_BYTES_MAX];
    unsigned char bytes[16];
    slice address, prefix;
    uint64_t bits = 0;
    bool has_prefix = slice_cut(text, '/', &address, &prefix), is_v6;

    if (address.len < 2 || address.len >= sizeof(copy) ||
        slice_find_byte(address, '\0') != SIZE_MAX)
        return ADDRESS_NONE;
    is_v6 = slice_find_byte(address, ':') != SIZE_MAX;
    if (has_prefix && (!parse_u64(prefix, &bits) || bits > (is_v6 ? 128 : 32)))
        return ADDRESS_NONE;
    memcpy(copy, address.at, address.len);
    copy[address.len] = '\0';
    if (inet_pton(is_v6 ? AF_INET6 : AF_INET, copy, bytes) != 1)
        return ADDRESS_NONE;
    return is_v6 ? ADDRESS_V6 : ADDRESS_V4;
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || (uint8_t)c >= 0x80;
}

static bool has_letter(slice label)
{
    for (size_t i = 0; i < label.len; i++)
        if (is_name_byte(label.at[i]) && !(label.at[i] >= '0' && label.at[i] <= '9') &&
            label.at[i] != '-' && label.at[i] != '_')
            return true;
    return false;
}

bool domain_is_well_formed(slice text)
{
    slice rest = text, label = SLICE("");
    size_t labels = 0;

    if (text.len > 0 && text.at[text.len - 1] == '.')
        rest.len--;
    if (rest.len == 0 || rest.len > DOMAIN_BYTES_MAX)
        return false;
    for (bool is_more = true; is_more; labels++) {
        is_more = slice_cut(rest, '.', &label, &rest);
        bool is_ascii = true;

        for (size_t i = 0; i < label.len; i++) {
            is_ascii = is_ascii && (uint8_t)label.at[i] < 0x80;
            if (!is_name_byte(label.at[i]))
                return false;
        }
        if (label.len == 0 || (is_ascii && label.len > LABEL_BYTES_MAX))
            return false;
    }
    return labels > 1 && label.len > 1 && has_letter(label) && utf8_valid(text);
}

bool host_split(slice text, slice *host, slice *port)
{
    size_t colon = slice_find_byte(text, ':'), close;

    *port = SLICE("");
    *host = text;
    if (text.len > 1 && text.at[0] == '[') {
        close = slice_find_byte(text, ']');
        if (close == SIZE_MAX)
            return false;
        *host = slice_of(text.at + 1, close - 1);
        *port = slice_from(text, close + 1);
        if (port->len > 0 && port->at[0] != ':')
            return false;
        *port = slice_from(*port, 1);
    } else if (colon != SIZE_MAX && slice_find_byte(slice_from(text, colon + 1), ':') == SIZE_MAX) {
        *host = slice_head(text, colon);
        *port = slice_from(text, colon + 1);
    }
    for (size_t i = 0; i < port->len; i++)
        if (port->at[i] < '0' || port->at[i] > '9')
            return false;
    return host->len > 0;
}

slice hash_algorithm(slice digits)
{
    static const struct {
        size_t len;
        slice name;
    } sizes[] = {
        {32, S("MD5")},       {40, S("'SHA-1'")},   {56, S("'SHA-224'")},
        {64, S("'SHA-256'")}, {96, S("'SHA-384'")}, {128, S("'SHA-512'")},
    };

    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.at[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return SLICE("");
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        if (digits.len == sizes[i].len)
            return sizes[i].name;
    return SLICE("");
}
