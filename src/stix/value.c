#include "stix/idn.h"
#include "stix/object.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/banned.h"

#define ADDRESS_BYTES_MAX 16
#define HASH_NAME_BYTES_MAX 16
#define ADDRESS_TEXT_BYTES_MAX (INET6_ADDRSTRLEN + 4)

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static slice lower(slice s, struct arena *arena)
{
    size_t i = 0;

    while (i < s.len && !is_upper(s.at[i]))
        i++;
    if (i == s.len)
        return s; /* as most are */
    char *copy = arena_new(arena, char, s.len);
    if (copy == NULL)
        return SLICE_NONE;
    for (i = 0; i < s.len; i++)
        copy[i] = is_upper(s.at[i]) ? (char)(s.at[i] | 0x20) : s.at[i];
    return slice_of(copy, s.len);
}

static slice domain(slice s, struct arena *arena)
{
    if (s.len > 1 && s.at[s.len - 1] == '.')
        s = slice_head(s, s.len - 1);
    for (size_t i = 0; i < s.len; i++) {
        if ((uint8_t)s.at[i] >= 0x80)
            return lower(idn_to_ascii(s, arena), arena);
    }
    return lower(s, arena);
}

/* RFC 5321, 2.4: the local part is its host's business, case included. */
static slice email(slice s, struct arena *arena)
{
    size_t at = s.len;

    while (at > 0 && s.at[at - 1] != '@')
        at--;
    if (at == 0)
        return s;
    slice host = slice_from(s, at), plain = domain(host, arena);
    if (slice_eq(host, plain))
        return s;
    char *copy = arena_new(arena, char, at + plain.len);
    if (copy == NULL)
        return SLICE_NONE;
    memcpy(copy, s.at, at);
    memcpy(copy + at, plain.at, plain.len);
    return slice_of(copy, at + plain.len);
}

static void mask(uint8_t *address, size_t bytes, uint64_t bits)
{
    for (size_t i = 0; i < bytes; i++) {
        size_t kept = bits > i * 8 ? bits - i * 8 : 0;

        if (kept < 8)
            address[i] &= (uint8_t)(0xff00 >> kept);
    }
}

/* RFC 5952, a network with its host bits cleared; "/32" and "/128" say no more than the address. */
static slice address(slice s, int family, struct arena *arena)
{
    size_t bytes = family == AF_INET ? 4 : 16;
    char text[ADDRESS_TEXT_BYTES_MAX];
    uint8_t binary[ADDRESS_BYTES_MAX];
    uint64_t bits = bytes * 8;
    slice host, prefix;

    if (slice_cut(s, '/', &host, &prefix) && (!parse_u64(prefix, &bits) || bits > bytes * 8))
        return s;
    if (host.len >= INET6_ADDRSTRLEN || memchr(host.at, 0, host.len) != NULL)
        return s;
    memcpy(text, host.at, host.len);
    text[host.len] = '\0';
    if (inet_pton(family, text, binary) != 1)
        return s;
    mask(binary, bytes, bits);
    if (inet_ntop(family, binary, text, sizeof(text)) == NULL)
        return s;
    if (bits == bytes * 8)
        return slice_eq(slice_text(text), s) ? s : arena_copy(arena, slice_text(text));
    return arena_printf(arena, "%s/%u", text, (unsigned)bits);
}

static slice ipv4(slice s, struct arena *arena)
{
    return address(s, AF_INET, arena);
}

static slice ipv6(slice s, struct arena *arena)
{
    return address(s, AF_INET6, arena);
}

static slice mac(slice s, struct arena *arena)
{
    slice plain = lower(s, arena);

    if (slice_find_byte(plain, '-') == SIZE_MAX)
        return plain;
    char *copy = arena_new(arena, char, plain.len);
    if (copy == NULL)
        return SLICE_NONE;
    for (size_t i = 0; i < plain.len; i++)
        copy[i] = plain.at[i] == '-' ? ':' : plain.at[i];
    return slice_of(copy, plain.len);
}

/* What nobody else reads is looked up as it is. */
static const struct {
    slice kind;
    slice (*normal)(slice s, struct arena *arena);
} normals[] = {
    {S("domain-name:value"), domain}, {S("email-addr:value"), email}, {S("ipv4-addr:value"), ipv4},
    {S("ipv6-addr:value"), ipv6},     {S("mac-addr:value"), mac},
};

slice stix_value_normal(slice kind, slice value, struct arena *arena)
{
    for (size_t i = 0; i < sizeof(normals) / sizeof(normals[0]); i++) {
        if (slice_eq(kind, normals[i].kind))
            return normals[i].normal(value, arena);
    }
    slice hashes = slice_from(kind, slice_find(kind, SLICE("hashes.")));
    /* SSDEEP's digits are base64: their case counts. */
    if (hashes.len > 0 && slice_find(hashes, SLICE("SSDEEP")) == SIZE_MAX)
        return lower(value, arena);
    return value;
}

/* The names under which STIX keeps hashes, by the ways they are written elsewhere: "sha256",
 * "SHA_256", "sha-256" are all SHA-256. */
static const struct {
    slice folded; /* lower case, without "-" and "_" */
    slice name;
} hash_names[] = {
    {S("md5"), S("MD5")},
    {S("sha1"), S("SHA-1")},
    {S("sha224"), S("SHA-224")},
    {S("sha256"), S("SHA-256")},
    {S("sha384"), S("SHA-384")},
    {S("sha512"), S("SHA-512")},
    {S("sha3224"), S("SHA3-224")},
    {S("sha3256"), S("SHA3-256")},
    {S("sha3384"), S("SHA3-384")},
    {S("sha3512"), S("SHA3-512")},
    {S("ssdeep"), S("SSDEEP")},
    {S("tlsh"), S("TLSH")},
    {S("authentihash"), S("AUTHENTIHASH")},
};

slice stix_hash_name(slice key)
{
    char folded[HASH_NAME_BYTES_MAX];
    size_t len = 0;

    for (size_t i = 0; i < key.len; i++) {
        char c = key.at[i];

        if (c == '-' || c == '_')
            continue;
        if (len == sizeof(folded))
            return key;
        folded[len++] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    for (size_t i = 0; i < sizeof(hash_names) / sizeof(hash_names[0]); i++) {
        if (slice_eq(slice_of(folded, len), hash_names[i].folded))
            return hash_names[i].name;
    }
    return key;
}
