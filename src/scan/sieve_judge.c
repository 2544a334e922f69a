/* A value that stands alone, without escapes: may it be one that is asked for?  Slow beside the
 * levels' own ways, which pass on what is not plain; also all there is for shapes other than JSON.
 */
#include <arpa/inet.h>

#include "scan/sieve_lookup.h"

#include "base/banned.h"

#define ADDRESS_BYTES_MAX 64

/* Sets of bytes, a bit each: a text is gone through byte by byte, so asking must cost nothing. */
enum byte_set {
    SET_BREAK = 1 << 0,    /* between addresses */
    SET_ODD = 1 << 1,      /* a zone, a network, brackets */
    SET_NO_HOST = 1 << 2,  /* not in a URL's host */
    SET_HOST_END = 1 << 3, /* ends it */
    SET_HOST_ODD = 1 << 4, /* in it, and not for us to take apart */
    SET_MAIL_ODD = 1 << 5, /* around mail addresses */
    SET_FOLDER_END = 1 << 6,
    SET_NAME = 1 << 7, /* letters, digits, "-", "_", "." */
};

static const uint8_t byte_sets[256] = {
    ['\t'] = SET_BREAK | SET_MAIL_ODD,
    ['\r'] = SET_MAIL_ODD,
    ['\n'] = SET_MAIL_ODD,
    [' '] = SET_BREAK | SET_MAIL_ODD,
    [','] = SET_BREAK | SET_MAIL_ODD,
    [';'] = SET_BREAK | SET_MAIL_ODD,
    ['<'] = SET_MAIL_ODD,
    ['>'] = SET_MAIL_ODD,
    ['"'] = SET_MAIL_ODD,
    ['('] = SET_MAIL_ODD,
    [')'] = SET_MAIL_ODD,
    [':'] = SET_MAIL_ODD,
    ['%'] = SET_ODD | SET_NO_HOST | SET_HOST_ODD,
    ['/'] = SET_ODD | SET_NO_HOST | SET_HOST_END | SET_FOLDER_END,
    ['['] = SET_ODD | SET_HOST_ODD,
    [']'] = SET_ODD,
    ['@'] = SET_NO_HOST | SET_HOST_ODD,
    ['?'] = SET_NO_HOST | SET_HOST_END,
    ['#'] = SET_NO_HOST | SET_HOST_END,
    ['\\'] = SET_NO_HOST | SET_HOST_ODD | SET_FOLDER_END,
    ['-'] = SET_NAME,
    ['_'] = SET_NAME,
    ['.'] = SET_NAME,
    ['0'] = SET_NAME,
    ['1'] = SET_NAME,
    ['2'] = SET_NAME,
    ['3'] = SET_NAME,
    ['4'] = SET_NAME,
    ['5'] = SET_NAME,
    ['6'] = SET_NAME,
    ['7'] = SET_NAME,
    ['8'] = SET_NAME,
    ['9'] = SET_NAME,
    ['A'] = SET_NAME,
    ['B'] = SET_NAME,
    ['C'] = SET_NAME,
    ['D'] = SET_NAME,
    ['E'] = SET_NAME,
    ['F'] = SET_NAME,
    ['G'] = SET_NAME,
    ['H'] = SET_NAME,
    ['I'] = SET_NAME,
    ['J'] = SET_NAME,
    ['K'] = SET_NAME,
    ['L'] = SET_NAME,
    ['M'] = SET_NAME,
    ['N'] = SET_NAME,
    ['O'] = SET_NAME,
    ['P'] = SET_NAME,
    ['Q'] = SET_NAME,
    ['R'] = SET_NAME,
    ['S'] = SET_NAME,
    ['T'] = SET_NAME,
    ['U'] = SET_NAME,
    ['V'] = SET_NAME,
    ['W'] = SET_NAME,
    ['X'] = SET_NAME,
    ['Y'] = SET_NAME,
    ['Z'] = SET_NAME,
    ['a'] = SET_NAME,
    ['b'] = SET_NAME,
    ['c'] = SET_NAME,
    ['d'] = SET_NAME,
    ['e'] = SET_NAME,
    ['f'] = SET_NAME,
    ['g'] = SET_NAME,
    ['h'] = SET_NAME,
    ['i'] = SET_NAME,
    ['j'] = SET_NAME,
    ['k'] = SET_NAME,
    ['l'] = SET_NAME,
    ['m'] = SET_NAME,
    ['n'] = SET_NAME,
    ['o'] = SET_NAME,
    ['p'] = SET_NAME,
    ['q'] = SET_NAME,
    ['r'] = SET_NAME,
    ['s'] = SET_NAME,
    ['t'] = SET_NAME,
    ['u'] = SET_NAME,
    ['v'] = SET_NAME,
    ['w'] = SET_NAME,
    ['x'] = SET_NAME,
    ['y'] = SET_NAME,
    ['z'] = SET_NAME,
};

static bool is_in(char c, enum byte_set set)
{
    return (byte_sets[(uint8_t)c] & set) != 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool sieve_ipv4_parse(slice text, uint32_t *out)
{
    uint32_t address = 0, number = 0;
    size_t dots = 0, digits = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (is_digit(text.at[i]) && digits < 3) {
            number = number * 10 + (uint32_t)(text.at[i] - '0');
            digits++;
            continue;
        }
        if (text.at[i] != '.' || digits == 0 || number > 255 || ++dots > 3)
            return false;
        address = address << 8 | number;
        number = 0;
        digits = 0;
    }
    *out = address << 8 | number;
    return dots == 3 && digits > 0 && number <= 255;
}

/* 16 and more: none. */
static uint8_t hex_digit(char c)
{
    uint8_t digit = (uint8_t)(c - '0'), letter = (uint8_t)((c | 0x20) - 'a');

    return digit <= 9 ? digit : letter <= 5 ? (uint8_t)(letter + 10) : 0xF0;
}

/* Eight groups of four digits, as Suricata writes them: without a library's call. */
bool sieve_ipv6_parse_full(const char text[SIEVE_IPV6_BYTES], uint8_t out[16])
{
    uint8_t wrong = 0;

    for (size_t group = 0; group < 8; group++) {
        const char *at = text + 5 * group;

        if (group > 0 && at[-1] != ':')
            return false;
        for (size_t i = 0; i < 4; i += 2) {
            uint8_t high = hex_digit(at[i]), low = hex_digit(at[i + 1]);

            wrong |= high | low;
            out[2 * group + i / 2] = (uint8_t)(high << 4 | (low & 15));
        }
    }
    return wrong < 16;
}

/* ::ffff:192.0.2.1 is looked up as both. */
static bool ipv6_text_has(const struct sieve *sieve, slice text)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    char copy[ADDRESS_BYTES_MAX];
    uint8_t address[16];

    if (text.len < 2 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    bool is_full = text.len == SIEVE_IPV6_BYTES && sieve_ipv6_parse_full(text.at, address);
    if (!is_full && inet_pton(AF_INET6, copy, address) != 1)
        return false;
    if (memcmp(address, mapped, sizeof(mapped)) == 0 &&
        ipv4_has(sieve, (uint32_t)address[12] << 24 | (uint32_t)address[13] << 16 |
                            (uint32_t)address[14] << 8 | address[15]))
        return true;
    return ipv6_has(sieve, address);
}

/* Forms that are seldom: a zone, a network, brackets. */
static bool is_odd_address(slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (is_in(text.at[i], SET_ODD))
            return true;
    return false;
}

static size_t count_of(slice text, char byte)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += text.at[i] == byte;
    return count;
}

static bool address_has(const struct sieve *sieve, slice text)
{
    uint32_t address;

    if (sieve_ipv4_parse(text, &address))
        return ipv4_has(sieve, address);
    return slice_find_byte(text, ':') != SIZE_MAX && ipv6_text_has(sieve, text);
}

/* Several with blanks and commas between, with ports; only those with a digit or a colon are any.
 */
static bool addresses_have(const struct sieve *sieve, slice text)
{
    slice host, port;

    for (size_t i = 0; i < text.len;) {
        size_t start = i;

        while (i < text.len && !is_in(text.at[i], SET_BREAK))
            i++;
        slice part = slice_of(text.at + start, i - start);
        i += i == start || i < text.len;
        if (is_odd_address(part) || slice_find_byte(part, '\0') != SIZE_MAX ||
            address_has(sieve, part))
            return true;
        if (count_of(part, ':') == 1 && slice_cut(part, ':', &host, &port) &&
            address_has(sieve, host))
            return true;
    }
    return false;
}

static slice without_dot(slice name)
{
    return slice_ends(name, SLICE(".")) ? slice_head(name, name.len - 1) : name;
}

bool sieve_name_has(const struct sieve *sieve, slice name)
{
    name = without_dot(name);
    if (table_has(sieve, sieve_hash_salted(name.at, name.len, SALT_DOMAIN)))
        return true;
    for (size_t i = 0; i < name.len; i++)
        if ((i == 0 || name.at[i - 1] == '.') &&
            table_has(sieve, sieve_hash_salted(name.at + i, name.len - i, SALT_TREE)))
            return true;
    return false;
}

bool sieve_url_host_has(const struct sieve *sieve, slice host)
{
    host = without_dot(host);
    return table_has(sieve, sieve_hash_salted(host.at, host.len, SALT_URL_HOST));
}

/* A name or an address, and what else it may be read as. */
static bool name_or_address_has(const struct sieve *sieve, slice text)
{
    if (slice_find_byte(text, '%') != SIZE_MAX || address_has(sieve, text))
        return true;
    /* "192.0.2.0/24" in a field of names is a network; a name with "/" is none. */
    if (slice_find_byte(text, '/') != SIZE_MAX &&
        (is_digit(text.at[0]) || slice_find_byte(text, ':') != SIZE_MAX))
        return true;
    return sieve_name_has(sieve, text);
}

static bool host_has(const struct sieve *sieve, slice text, bool is_url_host, bool *host)
{
    size_t colon = slice_find_byte(text, ':');
    slice head = slice_head(text, colon);

    if (text.at[0] == '[')
        return true;
    if (is_url_host) {
        for (size_t i = 0; i < text.len; i++)
            if (is_in(text.at[i], SET_NO_HOST))
                return true;
        *host = sieve_url_host_has(sieve, text) || sieve_url_host_has(sieve, head) ||
                count_of(text, ':') > 1;
    }
    return name_or_address_has(sieve, text) ||
           (colon != SIZE_MAX && head.len > 0 && name_or_address_has(sieve, head));
}

bool sieve_path_is_plain(slice path)
{
    if (path.len == 0 || path.at[0] != '/')
        return false;
    for (size_t i = 0; i < path.len; i++) {
        char c = path.at[i];

        if (c == '?' || c == '#')
            return true;
        if (c == '%' || c == '\\' || (uint8_t)c <= ' ' || (uint8_t)c >= 0x7F ||
            (c == '.' && path.at[i - 1] == '/'))
            return false;
    }
    return true;
}

static bool is_hex(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool hash_has(const struct sieve *sieve, slice text)
{
    char digits[128];
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == ':')
            continue;
        if (!is_hex(text.at[i]) || len == sizeof(digits))
            return false;
        digits[len++] = text.at[i];
    }
    return table_has(sieve, sieve_hash_salted(digits, len, SALT_HASH));
}

/* What stands where a URL is expected and is none: "a.example:443" of CONNECT, a name, an address,
 * a hash.  What holds more is searched by the slow way: let through. */
static bool token_has(const struct sieve *sieve, slice text)
{
    size_t colon = slice_find_byte(text, ':'), dots = 0;
    slice parts[2] = {slice_head(text, colon),
                      slice_from(text, colon == SIZE_MAX ? text.len : colon + 1)};

    if (text.at[0] == '-' || text.at[0] == '.' || parts[0].len == 0 ||
        (colon != SIZE_MAX && parts[1].len == 0))
        return true;
    for (size_t i = 0; i < text.len; i++) {
        dots = text.at[i] == '.' ? dots + 1 : 0;
        if (dots == 2 || (i != colon && !is_in(text.at[i], SET_NAME)))
            return true;
    }
    for (size_t i = 0; i < 2; i++)
        if (parts[i].len > 0 && (name_or_address_has(sieve, parts[i]) || hash_has(sieve, parts[i])))
            return true;
    return false;
}

/* A whole URL, or what stands in its place. */
static bool url_has(const struct sieve *sieve, slice url)
{
    size_t at = slice_find(url, SLICE("://")), end;
    bool is_host = false;
    slice rest, host, port, path;

    if (at == SIZE_MAX)
        return token_has(sieve, url);
    if (at > 16)
        return true;
    rest = slice_from(url, at + 3);
    for (end = 0; end < rest.len && !is_in(rest.at[end], SET_HOST_END); end++)
        if (is_in(rest.at[end], SET_HOST_ODD) || (uint8_t)rest.at[end] <= ' ')
            return true;
    host = slice_head(rest, end);
    if (host.len == 0)
        return false;
    if (host_has(sieve, host, true, &is_host))
        return true;
    path = slice_from(rest, end);
    if (path.len == 0 || path.at[0] != '/')
        path = SLICE("/");
    (void)slice_cut(host, ':', &host, &port); /* without a port it is the host alone */
    return is_host && (!sieve_path_is_plain(path) ||
                       table_has(sieve, sieve_url_hash(without_dot(host), path)));
}

/* One address, in angles or not; lists and names in front are let through. */
static bool email_has(const struct sieve *sieve, slice text)
{
    size_t at;

    if (slice_starts(text, SLICE("<")) && slice_ends(text, SLICE(">")))
        text = slice_of(text.at + 1, text.len - 2);
    if (count_of(text, '@') != 1)
        return count_of(text, '@') > 1;
    for (size_t i = 0; i < text.len; i++)
        if (is_in(text.at[i], SET_MAIL_ODD))
            return true;
    at = slice_find_byte(text, '@');
    slice whole = without_dot(text);
    return table_has(sieve, sieve_hash_salted(whole.at, whole.len, SALT_EMAIL)) ||
           sieve_name_has(sieve, slice_from(text, at + 1));
}

static bool text_has(const struct sieve *sieve, slice text)
{
    return table_has(sieve, sieve_text_hash(text));
}

static bool file_has(const struct sieve *sieve, slice text)
{
    size_t start = text.len;

    while (start > 0 && !is_in(text.at[start - 1], SET_FOLDER_END))
        start--;
    return text_has(sieve, text) || text_has(sieve, slice_from(text, start)) ||
           (start > 0 && text_has(sieve, slice_head(text, start - 1)));
}

bool sieve_judge(const struct sieve *sieve, slice value, uint32_t uses, bool *host)
{
    if (value.len == 0)
        return false;
    if (uses & (USE_ANY | USE_TOKENS))
        return true;
    for (size_t i = 0; i < value.len; i++) /* names in other scripts have several spellings */
        if ((uint8_t)value.at[i] >= 0x80)
            return true;
    return ((uses & USE_ADDRESS) && addresses_have(sieve, value)) ||
           ((uses & (USE_NAME | USE_URL_HOST)) &&
            host_has(sieve, value, (uses & USE_URL_HOST) != 0, host)) ||
           ((uses & USE_URL_PATH) && value.at[0] != '/' && url_has(sieve, value)) ||
           ((uses & USE_URL) && url_has(sieve, value)) ||
           ((uses & USE_HASH) && hash_has(sieve, value)) ||
           ((uses & USE_EMAIL) && email_has(sieve, value)) ||
           ((uses & (USE_TEXT | USE_NUMBER)) && text_has(sieve, value)) ||
           ((uses & USE_FILE) && file_has(sieve, value));
}
