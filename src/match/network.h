/* IPv4 and IPv6 addresses and networks, for ISSUBSET and ISSUPERSET. */
#pragma once

#include "base/buf.h"

#define NETWORK_BYTES_MAX 16

struct network {
    uint8_t bytes[NETWORK_BYTES_MAX]; /* the host's bits are zero */
    uint8_t address_bits;             /* 32 or 128 */
    uint8_t prefix_bits;              /* address_bits for a single address */
};

/* "198.51.100.7", "198.51.100.0/24", "2001:db8::/32"; bits behind the prefix are ignored.  False
 * for short forms, leading zeros, zones and anything else. */
bool network_parse(slice text, struct network *out);

bool network_contains(const struct network *outer, const struct network *inner); /* or is it */

/* Its shortest spelling (RFC 5952); the prefix is left out of a single address. */
void network_print(const struct network *network, struct buf *out);
