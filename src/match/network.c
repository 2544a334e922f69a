#include "match/network.h"

#include <arpa/inet.h>

#include "base/banned.h"

static bool prefix_parse(slice digits, uint8_t most, uint8_t *out)
{
    uint64_t bits;

    if (digits.len > 1 && digits.at[0] == '0')
        return false;
    if (!parse_u64(digits, &bits) || bits > most)
        return false;
    *out = (uint8_t)bits;
    return true;
}

static void host_clear(struct network *network)
{
    for (unsigned bit = network->prefix_bits; bit < network->address_bits; bit++)
        network->bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
}

bool network_parse(slice text, struct network *out)
{
    struct network network = {0};
    char address_text[INET6_ADDRSTRLEN];
    slice address, prefix;
    bool has_prefix = slice_cut(text, '/', &address, &prefix), is_v6;

    if (address.len >= sizeof(address_text) || slice_find_byte(address, '\0') != SIZE_MAX)
        return false;
    memcpy(address_text, address.at, address.len);
    address_text[address.len] = '\0';
    is_v6 = slice_find_byte(address, ':') != SIZE_MAX;
    if (inet_pton(is_v6 ? AF_INET6 : AF_INET, address_text, network.bytes) != 1)
        return false;
    network.address_bits = is_v6 ? 128 : 32;
    network.prefix_bits = network.address_bits;
    if (has_prefix && !prefix_parse(prefix, network.address_bits, &network.prefix_bits))
        return false;
    host_clear(&network);
    *out = network;
    return true;
}

bool network_contains(const struct network *outer, const struct network *inner)
{
    unsigned whole = outer->prefix_bits / 8, left = outer->prefix_bits % 8;
    uint8_t mask = (uint8_t)(0xFF00u >> left);

    if (outer->address_bits != inner->address_bits || outer->prefix_bits > inner->prefix_bits)
        return false;
    if (memcmp(outer->bytes, inner->bytes, whole) != 0)
        return false;
    return left == 0 || ((outer->bytes[whole] ^ inner->bytes[whole]) & mask) == 0;
}

void network_print(const struct network *network, struct buf *out)
{
    char text[INET6_ADDRSTRLEN] = "";

    (void)inet_ntop(network->address_bits == 128 ? AF_INET6 : AF_INET, network->bytes, text,
                    sizeof(text)); /* room enough for both */
    buf_put(out, slice_text(text));
    if (network->prefix_bits < network->address_bits)
        buf_printf(out, "/%u", (unsigned)network->prefix_bits);
}
