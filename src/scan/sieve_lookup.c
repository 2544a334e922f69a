#include "scan/sieve_lookup.h"

#include "base/banned.h"

#define WORDS_MAX 4

static uint64_t word_before(const char *text, size_t len)
{
    uint64_t word = 0;

    if (len >= 8)
        return sieve_load64(text + len - 8) | SIEVE_FOLD;
    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)((uint8_t)text[len - 1 - i] | 0x20) << (56 - 8 * i);
    return word;
}

uint64_t sieve_hash(const char *text, size_t len)
{
    uint64_t words[WORDS_MAX], hash = 0, length = len;

    for (size_t round = 0; len > 0 || round == 0; round++) {
        for (size_t i = 0; i < WORDS_MAX; i++) {
            words[i] = word_before(text, len);
            len -= len < 8 ? len : 8;
        }
        hash = (hash ^ (hash >> 31)) * sieve_odds[1] + sieve_hash_words(words, 0);
    }
    return hash + length;
}

bool ipv4_has(const struct sieve *sieve, uint32_t address)
{
    const uint64_t *any = sieve_at(sieve, sieve->any24), *full = sieve_at(sieve, sieve->full24);
    const uint32_t *rank = sieve_at(sieve, sieve->rank24);
    const uint8_t *leaves = sieve_at(sieve, sieve->leaves);
    uint32_t word = address >> 14, bit = address >> 8 & 63;

    if ((any[word] >> bit & 1) == 0)
        return false;
    if (full[word] >> bit & 1)
        return true;
    uint64_t before = any[word] & ~full[word] & ((1ull << bit) - 1);
    size_t leaf = rank[word] + (size_t)__builtin_popcountll(before);
    return leaves[leaf * SIEVE_LEAF_BYTES + (address >> 3 & 31)] >> (address & 7) & 1;
}

static uint64_t ipv6_hash(const uint8_t address[16], size_t bits)
{
    uint64_t high = __builtin_bswap64(sieve_load64(address));
    uint64_t low = __builtin_bswap64(sieve_load64(address + 8));

    high &= bits >= 64 ? ~0ull : bits == 0 ? 0 : ~0ull << (64 - bits);
    low &= bits >= 128 ? ~0ull : bits <= 64 ? 0 : ~0ull << (128 - bits);
    return sieve_mix(high * sieve_odds[0] + low * sieve_odds[1] + bits, SALT_IPV6);
}

uint64_t sieve_ipv6_hash(const uint8_t address[16], size_t bits)
{
    return ipv6_hash(address, bits);
}

bool ipv6_has(const struct sieve *sieve, const uint8_t address[16])
{
    for (size_t word = 0; word < 5; word++)
        for (uint32_t left = sieve->network6_bits[word]; left != 0; left &= left - 1) {
            size_t bits = word * 32 + (size_t)__builtin_ctz(left);

            if (table_has(sieve, ipv6_hash(address, bits)))
                return true;
        }
    return false;
}

uint64_t sieve_text_hash(slice text)
{
    char plain[SIEVE_TEXT_BYTES];
    size_t len = 0, start = 0;

    while (start < text.len && text.at[start] == '0') /* a number's leading zeros do not count */
        start++;
    for (size_t i = start; i < text.len && len < sizeof(plain); i++)
        if (text.at[i] != ':' && text.at[i] != '-')
            plain[len++] = text.at[i];
    return sieve_hash_salted(plain, len, SALT_TEXT);
}

slice sieve_last_two(slice name)
{
    size_t start = name.len, dots = 0;

    while (start > 0 && (name.at[start - 1] != '.' || ++dots < 2))
        start--;
    if (name.len - start > SIEVE_TAIL_BYTES)
        start = name.len - SIEVE_TAIL_BYTES;
    return slice_from(name, start);
}

uint64_t sieve_url_hash(slice host, slice path)
{
    size_t end = 0;

    while (end < path.len && path.at[end] != '?' && path.at[end] != '#')
        end++;
    return sieve_mix(sieve_hash(host.at, host.len) * sieve_odds[3] + sieve_hash(path.at, end),
                     SALT_URL);
}

slice sieve_path_canonical(slice path, char *out)
{
    size_t len = 0, hashes = slice_find(path, SLICE("hashes"));
    bool is_step = false;

    if (hashes != SIZE_MAX)
        path = slice_head(path, hashes + 6);
    for (size_t i = 0; i < path.len && len < SIEVE_PATH_BYTES_MAX; i++) {
        char c = path.at[i];

        is_step = is_step || c == '[';
        if (!is_step && c != '\'' && c != '\0')
            out[len++] = c;
        is_step = is_step && c != ']';
    }
    return slice_of(out, len);
}
