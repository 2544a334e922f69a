#include "stix/check.h"

#include <arpa/inet.h>

#include "base/banned.h"

#define HASH_HEX_MAX 128
#define DOMAIN_BYTES_MAX 253
#define LABEL_BYTES_MAX 63
#define SUBTAG_BYTES_MAX 8
#define CHARSET_BYTES_MAX 40
#define CPE_COLONS 12
#define PROPERTY_NAME_BYTES_MIN 3
#define PROPERTY_NAME_BYTES_MAX 250

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_alpha(char c)
{
    return is_lower((char)(c | 0x20));
}

static bool is_alnum(char c)
{
    return is_digit(c) || is_alpha(c);
}

static bool is_hex(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool all_of(slice s, bool (*holds)(char))
{
    for (size_t i = 0; i < s.len; i++) {
        if (!holds(s.at[i]))
            return false;
    }
    return true;
}

static bool is_hex_lower(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

/* STIX 2.1, 2.8 */
static bool hex_holds(slice s)
{
    return s.len % 2 == 0 && all_of(s, is_hex_lower);
}

static bool is_base64(char c)
{
    return is_alnum(c) || c == '+' || c == '/';
}

static bool base64_holds(slice s)
{
    size_t pads = 0;

    while (pads < 2 && pads < s.len && s.at[s.len - 1 - pads] == '=')
        pads++;
    return s.len % 4 == 0 && all_of(slice_head(s, s.len - pads), is_base64);
}

/* ---- language tags: RFC 5646, 2.1, well-formed (not: registered) ---- */

/* Registered long ago and formed otherwise (the RFC's "irregular"; the regular ones parse). */
static const slice irregular_tags[] = {
    S("en-GB-oed"), S("i-ami"), S("i-bnn"),     S("i-default"), S("i-enochian"), S("i-hak"),
    S("i-klingon"), S("i-lux"), S("i-mingo"),   S("i-navajo"),  S("i-pwn"),      S("i-tao"),
    S("i-tay"),     S("i-tsu"), S("sgn-BE-FR"), S("sgn-BE-NL"), S("sgn-CH-DE"),
};

/* The next subtag, without its hyphen; empty at the end. */
static slice subtag_next(slice *rest)
{
    slice tag, behind;

    if (!slice_cut(*rest, '-', &tag, &behind))
        behind = slice_from(*rest, rest->len);
    *rest = behind;
    return tag;
}

static bool subtag_holds(slice tag, size_t least, size_t most)
{
    return tag.len >= least && tag.len <= most && all_of(tag, is_alnum);
}

static bool is_variant(slice tag)
{
    return subtag_holds(tag, 5, SUBTAG_BYTES_MAX) ||
           (subtag_holds(tag, 4, 4) && is_digit(tag.at[0]));
}

/* Extensions ("u-ca-buddhist") and what is private ("x-..."): a single letter, then its subtags. */
static bool singletons_hold(slice tag, slice rest)
{
    while (tag.len == 1 && is_alnum(tag.at[0])) {
        size_t least = (tag.at[0] | 0x20) == 'x' ? 1 : 2, count = 0;
        bool is_private = least == 1;

        tag = subtag_next(&rest);
        while (subtag_holds(tag, least, SUBTAG_BYTES_MAX)) {
            count++;
            tag = subtag_next(&rest);
        }
        if (count == 0 || (is_private && tag.len > 0))
            return false;
    }
    return tag.len == 0 && rest.len == 0;
}

static bool language_holds(slice s)
{
    slice rest = s;

    for (size_t i = 0; i < sizeof(irregular_tags) / sizeof(irregular_tags[0]); i++) {
        if (slice_eq_nocase(s, irregular_tags[i]))
            return true;
    }
    if (s.len == 0 || s.at[s.len - 1] == '-')
        return false;
    slice tag = subtag_next(&rest);
    if (slice_eq_nocase(tag, SLICE("x")))
        return singletons_hold(tag, rest);
    if (tag.len < 2 || tag.len > SUBTAG_BYTES_MAX || !all_of(tag, is_alpha))
        return false;
    size_t extended = tag.len <= 3 ? 3 : 0; /* "zh-cmn": up to three of three letters */
    tag = subtag_next(&rest);
    for (; extended > 0 && tag.len == 3 && all_of(tag, is_alpha); extended--)
        tag = subtag_next(&rest);
    if (tag.len == 4 && all_of(tag, is_alpha)) /* script */
        tag = subtag_next(&rest);
    if ((tag.len == 2 && all_of(tag, is_alpha)) || (tag.len == 3 && all_of(tag, is_digit)))
        tag = subtag_next(&rest); /* region */
    while (is_variant(tag))
        tag = subtag_next(&rest);
    return singletons_hold(tag, rest);
}

/* ---- addresses and names ---- */

/* An address with or without "/bits". */
static bool address_holds(slice s, int family, uint64_t bits_max)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    char text[INET6_ADDRSTRLEN];
    slice address, bits;
    uint64_t count = 0;

    if (slice_cut(s, '/', &address, &bits) &&
        (!parse_u64(bits, &count) || count > bits_max || bits.len > 3))
        return false;
    if (address.len == 0 || address.len >= sizeof(text) ||
        memchr(address.at, 0, address.len) != NULL)
        return false;
    memcpy(text, address.at, address.len);
    text[address.len] = 0;
    return inet_pton(family, text, bytes) == 1;
}

/* STIX 2.1, 6.9: six pairs of lower-case hexadecimal digits, with colons. */
static bool mac_holds(slice s)
{
    if (s.len != 17)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (i % 3 == 2 ? s.at[i] != ':' : !is_hex_lower(s.at[i]))
            return false;
    }
    return true;
}

static bool label_holds(slice label)
{
    if (label.len == 0 || label.len > LABEL_BYTES_MAX || label.at[0] == '-' ||
        label.at[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        /* An underscore stands in service names; other scripts in names that wait for RFC 5890. */
        if (!is_alnum(label.at[i]) && label.at[i] != '-' && label.at[i] != '_' &&
            (uint8_t)label.at[i] < 0x80)
            return false;
    }
    return true;
}

static bool domain_holds(slice s)
{
    slice label, rest = s;

    if (s.len > 0 && s.at[s.len - 1] == '.')
        rest = slice_head(s, s.len - 1);
    if (rest.len == 0 || rest.len > DOMAIN_BYTES_MAX)
        return false;
    while (slice_cut(rest, '.', &label, &rest)) {
        if (!label_holds(label))
            return false;
    }
    return label_holds(label);
}

static bool email_holds(slice s)
{
    size_t at = s.len;

    while (at > 0 && s.at[at - 1] != '@')
        at--;
    if (at < 2)
        return false;
    slice local = slice_head(s, at - 1), host = slice_from(s, at);
    bool is_quoted = local.len > 1 && local.at[0] == '"' && local.at[local.len - 1] == '"';
    for (size_t i = 0; i < local.len; i++) {
        if ((uint8_t)local.at[i] <= ' ' || local.at[i] == 0x7f) {
            if (!is_quoted || local.at[i] != ' ')
                return false;
        }
        if (local.at[i] == '@' && !is_quoted)
            return false;
    }
    if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
        return true; /* an address literal */
    return domain_holds(host);
}

static bool is_scheme(char c)
{
    return is_alnum(c) || c == '+' || c == '-' || c == '.';
}

/* RFC 3986: a scheme, a colon, something; no spaces, no controls. */
static bool url_holds(slice s)
{
    slice scheme, rest;

    if (!slice_cut(s, ':', &scheme, &rest) || rest.len == 0)
        return false;
    if (scheme.len == 0 || !is_alpha(scheme.at[0]) || !all_of(scheme, is_scheme))
        return false;
    for (size_t i = 0; i < rest.len; i++) {
        if ((uint8_t)rest.at[i] <= ' ' || rest.at[i] == 0x7f || rest.at[i] == '"' ||
            rest.at[i] == '<' || rest.at[i] == '>')
            return false;
    }
    return true;
}

static bool is_term(char c)
{
    return is_lower(c) || is_digit(c) || c == '-';
}

/* STIX 2.1, 5.1: a relationship_type is a-z, 0-9 and hyphens. */
static bool relationship_holds(slice s)
{
    return s.len > 0 && all_of(s, is_term);
}

static bool is_protocol(char c)
{
    return (uint8_t)c > ' ' && c != 0x7f && !(c >= 'A' && c <= 'Z');
}

/* STIX 2.1, 6.12: lower case, from IANA's registry of service names. */
static bool protocol_holds(slice s)
{
    return s.len > 0 && all_of(s, is_protocol);
}

/* STIX 2.1, 4.10: ISO 3166-1 ALPHA-2 */
static bool country_holds(slice s)
{
    return s.len == 2 && all_of(s, is_alpha);
}

static bool is_charset(char c)
{
    return is_alnum(c) || (c != '\0' && strchr("/.+_:()-", c) != NULL);
}

/* IANA's character sets: at most 40 bytes, of ASCII (RFC 2978, 2.3). */
static bool charset_holds(slice s)
{
    return s.len >= 2 && s.len <= CHARSET_BYTES_MAX && all_of(s, is_charset);
}

/* The formatted string of CPE 2.3 (NISTIR 7695, 6.2): 11 attributes, a colon before each. */
static bool cpe_holds(slice s)
{
    size_t colons = 0;

    if (!slice_starts(s, SLICE("cpe:2.3:")))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if ((uint8_t)s.at[i] <= ' ')
            return false;
        if (s.at[i] == '\\')
            i++; /* what it quotes */
        else if (s.at[i] == ':')
            colons++;
    }
    return colons == CPE_COLONS && s.at[s.len - 1] != ':';
}

static bool ipv4_holds(slice s)
{
    return address_holds(s, AF_INET, 32);
}

static bool ipv6_holds(slice s)
{
    return address_holds(s, AF_INET6, 128);
}

static const struct {
    bool (*holds)(slice s);
    const char *words;
    enum rule rule;
} syntaxes[SYNTAX_COUNT] = {
    [SYNTAX_HEX] = {hex_holds, "pairs of the digits 0-9 and a-f", RULE_ENCODING},
    [SYNTAX_BASE64] = {base64_holds, "base64 (RFC 4648, with padding)", RULE_ENCODING},
    [SYNTAX_LANGUAGE] = {language_holds, "a language tag such as \"en\" or \"he-IL\" (RFC 5646)",
                         RULE_LANGUAGE},
    [SYNTAX_URL] = {url_holds, "a URL (RFC 3986)", RULE_VALUE},
    [SYNTAX_IPV4] = {ipv4_holds, "an IPv4 address or network", RULE_VALUE},
    [SYNTAX_IPV6] = {ipv6_holds, "an IPv6 address or network", RULE_VALUE},
    [SYNTAX_MAC] = {mac_holds, "a MAC address in lower case, such as 00:11:22:aa:bb:cc",
                    RULE_VALUE},
    [SYNTAX_DOMAIN] = {domain_holds, "a domain name (RFC 1034)", RULE_VALUE},
    [SYNTAX_EMAIL] = {email_holds, "an e-mail address (RFC 5322)", RULE_VALUE},
    [SYNTAX_RELATIONSHIP] = {relationship_holds, "of a-z, 0-9 and hyphens", RULE_VALUE},
    [SYNTAX_PROTOCOL] = {protocol_holds, "a protocol's name in lower case", RULE_VALUE},
    [SYNTAX_CHARSET] = {charset_holds, "the name of a character set, such as UTF-8", RULE_VALUE},
    [SYNTAX_CPE] = {cpe_holds, "a CPE 2.3 formatted string", RULE_VALUE},
    [SYNTAX_COUNTRY] = {country_holds, "a country code of two letters (ISO 3166-1)", RULE_VALUE},
};

bool syntax_holds(enum property_syntax syntax, slice text)
{
    return syntax == SYNTAX_NONE || syntaxes[syntax].holds(text);
}

const char *syntax_words(enum property_syntax syntax)
{
    return syntaxes[syntax].words;
}

enum rule syntax_rule(enum property_syntax syntax)
{
    return syntaxes[syntax].rule;
}

static bool is_name(char c)
{
    return is_lower(c) || is_digit(c) || c == '_';
}

/* STIX 2.1, 3.1 and 11.1: a letter first.  Old custom names that start with "_" are no better. */
bool syntax_property_name(slice name)
{
    return name.len >= PROPERTY_NAME_BYTES_MIN && name.len <= PROPERTY_NAME_BYTES_MAX &&
           is_lower(name.at[0]) && all_of(name, is_name);
}

static bool is_key(char c)
{
    return is_alnum(c) || c == '_' || c == '-';
}

/* STIX 2.1, 2.3 and 2.7 */
bool syntax_dictionary_key(slice key, size_t least)
{
    return key.len >= least && key.len <= PROPERTY_NAME_BYTES_MAX && all_of(key, is_key);
}

/* ---- hashes ---- */

/* "block size:hash:hash" */
static bool ssdeep_holds(slice s)
{
    slice size, first, second;
    uint64_t number;

    return slice_cut(s, ':', &size, &first) && slice_cut(first, ':', &first, &second) &&
           parse_u64(size, &number) && slice_find_byte(second, ':') == SIZE_MAX;
}

/* 70 digits, newer ones with "T1" in front. */
static bool tlsh_holds(slice s)
{
    if (slice_starts(s, SLICE("T1")))
        s = slice_from(s, 2);
    return s.len == 70 && all_of(s, is_hex);
}

static const struct {
    slice name;
    uint16_t digits; /* 0: see `holds` */
    bool (*holds)(slice s);
    const char *words;
} algorithms[] = {
    {S("MD5"), 32, NULL, "32 hexadecimal digits"},
    {S("SHA-1"), 40, NULL, "40 hexadecimal digits"},
    {S("SHA-256"), 64, NULL, "64 hexadecimal digits"},
    {S("SHA-512"), 128, NULL, "128 hexadecimal digits"},
    {S("SHA3-256"), 64, NULL, "64 hexadecimal digits"},
    {S("SHA3-512"), 128, NULL, "128 hexadecimal digits"},
    {S("SSDEEP"), 0, ssdeep_holds, "a block size and two hashes with colons between"},
    {S("TLSH"), 0, tlsh_holds, "70 hexadecimal digits, or T1 and 70"},
    {S("ssdeep"), 0, ssdeep_holds, "a block size and two hashes with colons between"},
    {S("SHA-224"), 56, NULL, "56 hexadecimal digits"},
    {S("SHA-384"), 96, NULL, "96 hexadecimal digits"},
    {S("SHA3-224"), 56, NULL, "56 hexadecimal digits"},
    {S("SHA3-384"), 96, NULL, "96 hexadecimal digits"},
    {S("RIPEMD-160"), 40, NULL, "40 hexadecimal digits"},
    {S("WHIRLPOOL"), HASH_HEX_MAX, NULL, "128 hexadecimal digits"},
};

bool syntax_hash(slice algorithm, slice value, const char **words)
{
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        if (!slice_eq(algorithms[i].name, algorithm))
            continue;
        *words = algorithms[i].words;
        if (algorithms[i].holds != NULL)
            return algorithms[i].holds(value);
        return value.len == algorithms[i].digits && all_of(value, is_hex);
    }
    *words = "some text";
    return value.len > 0;
}
