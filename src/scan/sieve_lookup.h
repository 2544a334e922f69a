/* The sieve's tables: one run of memory, and how a value is looked up in it. */
#pragma once

#include "scan/sieve.h"

#define SIEVE_MAGIC 0x3256454953544e45ull /* "ENTSIEV2" */
#define SIEVE_ALIGN 64
#define SIEVE_TAIL_BYTES 32 /* of a name's last labels that the filter looks at */
#define SIEVE_LEAF_BYTES 32 /* a bit for each address of a /24 */

/* What a table's entries stand for: mixed into their hashes. */
enum sieve_salt {
    SALT_DOMAIN = 1,
    SALT_TREE,
    SALT_URL_HOST,
    SALT_URL, /* host and path */
    SALT_HASH,
    SALT_EMAIL,
    SALT_TEXT,
    SALT_IPV6,
    SALT_LAST_TWO, /* a name's last two labels */
    SALT_URL_LAST_TWO,
};

/* Offsets from the start of the run.  In the machine's byte order: a cache, not a document. */
struct sieve {
    uint64_t magic, bytes, checksum;
    uint32_t is_open;       /* every line counts */
    uint32_t has_bare_name; /* a name of one label is asked for */
    uint32_t has_top_level; /* and all names below it */
    uint32_t path_count, open_count;
    uint32_t has_all_paths;    /* too many to list */
    uint32_t network6_bits[5]; /* which prefix lengths of IPv6 there are: a bit each, 0 to 128 */
    uint64_t any24, full24, rank24, leaves, leaf_count; /* IPv4 */
    uint64_t filter, filter_mask;                       /* words of 64 bits */
    uint64_t table, table_mask;                         /* 64-bit hashes, 0 is free */
    uint64_t paths, path_bytes; /* of guards, canonical, each with its NUL */
    uint64_t opens, open_bytes; /* the same, the kind's digit in front: "1ipv4-addr:value" */
};

static inline const void *sieve_at(const struct sieve *sieve, uint64_t offset)
{
    return (const char *)sieve + offset;
}

static inline uint64_t sieve_load64(const void *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

#define SIEVE_FOLD                                                                                 \
    0x2020202020202020ull /* ASCII letters lose their case; applied on both sides                  \
                           */

static const uint64_t sieve_odds[4] = {0x9E3779B97F4A7C15ull, 0xC2B2AE3D27D4EB4Full,
                                       0xD6E8FEB86659FD93ull, 0xA0761D6478BD642Full};

static inline uint64_t sieve_mix(uint64_t hash, uint64_t salt)
{
    hash += salt * 0xE7037ED1A0B428DBull;
    hash ^= hash >> 32;
    hash *= 0x94D049BB133111EBull;
    return hash ^ (hash >> 29);
}

/* The last bytes before `end`, folded; the words are counted from the end, so that each suffix of a
 * name is hashed as it would be alone.  Reads only what it hashes. */
uint64_t sieve_hash(const char *text, size_t len);

static inline uint64_t sieve_hash_salted(const char *text, size_t len, enum sieve_salt salt)
{
    return sieve_mix(sieve_hash(text, len), salt);
}

/* Of a name's last two labels, cut to their last SIEVE_TAIL_BYTES: the four words before the end
 * are given, those bytes that do not belong to it as zero. */
static inline uint64_t sieve_hash_words(const uint64_t words[4], size_t len)
{
    return words[0] * sieve_odds[0] + words[1] * sieve_odds[1] + words[2] * sieve_odds[2] +
           words[3] * sieve_odds[3] + len;
}

/* ---- the filter: four bits in one word of 64 ---- */

static inline uint64_t filter_bits(uint64_t hash)
{
    return 1ull << (hash & 63) | 1ull << (hash >> 6 & 63) | 1ull << (hash >> 12 & 63) |
           1ull << (hash >> 18 & 63);
}

static inline const uint64_t *filter_word(const struct sieve *sieve, uint64_t hash)
{
    return (const uint64_t *)sieve_at(sieve, sieve->filter) + (hash >> 24 & sieve->filter_mask);
}

static inline bool filter_has(const struct sieve *sieve, uint64_t hash)
{
    uint64_t bits = filter_bits(hash);

    return (*filter_word(sieve, hash) & bits) == bits;
}

/* ---- the table of exact hashes ---- */

static inline bool table_has(const struct sieve *sieve, uint64_t hash)
{
    const uint64_t *table = sieve_at(sieve, sieve->table);

    hash += hash == 0;
    for (uint64_t i = hash >> 20 & sieve->table_mask; table[i] != 0;
         i = (i + 1) & sieve->table_mask)
        if (table[i] == hash)
            return true;
    return false;
}

/* ---- IPv4: a bit for each /24, 256 bits for each that is partly asked for ---- */

static inline bool ipv4_may_have(const struct sieve *sieve, uint32_t address)
{
    const uint64_t *any = sieve_at(sieve, sieve->any24);

    return any[address >> 14] >> (address >> 8 & 63) & 1;
}

static inline const uint64_t *ipv4_word(const struct sieve *sieve, uint32_t address)
{
    return (const uint64_t *)sieve_at(sieve, sieve->any24) + (address >> 14);
}

bool ipv4_has(const struct sieve *sieve, uint32_t address);
uint64_t sieve_ipv6_hash(const uint8_t address[16], size_t bits);
bool ipv6_has(const struct sieve *sieve, const uint8_t address[16]);

/* Paths as they are compared: without list steps and quotes, of hashes up to "hashes".  Written to
 * out, which has room for SIEVE_PATH_BYTES_MAX; one that is longer is cut. */
#define SIEVE_PATH_BYTES_MAX 512
slice sieve_path_canonical(slice path, char *out);

/* ---- a value by its form: src/scan/sieve_judge.c ---- */

/* What becomes of a field's value. */
enum sieve_use {
    USE_ADDRESS = 1 << 0,
    USE_NAME = 1 << 1, /* an address or a name */
    USE_URL_HOST = 1 << 2,
    USE_URL_PATH = 1 << 3,
    USE_URL = 1 << 4,
    USE_HASH = 1 << 5,
    USE_EMAIL = 1 << 6,
    USE_TEXT = 1 << 7,
    USE_FILE = 1 << 8,
    USE_NUMBER = 1 << 9,
    USE_TOKENS = 1 << 10, /* searched for whatever tells itself by its form */
    USE_ANY = 1 << 11,    /* each value counts */
};

/* True when the value, as it stands between its quotes, may be one that is asked for.  *host is set
 * for a host of a URL that is asked for, together with some path. */
bool sieve_judge(const struct sieve *sieve, slice value, uint32_t uses, bool *host);

/* A text without the colons and hyphens that serial numbers and hardware addresses are written
 * with; what stands behind its first SIEVE_TEXT_BYTES does not count. */
#define SIEVE_TEXT_BYTES 256
uint64_t sieve_text_hash(slice text);
/* The last two labels of a name without its trailing dot, at most SIEVE_TAIL_BYTES. */
slice sieve_last_two(slice name);

/* Host and path of a URL in one hash; what stands behind "?" does not count. */
uint64_t sieve_url_hash(slice host, slice path);
/* A path whose normal form is itself. */
bool sieve_path_is_plain(slice path);
bool sieve_ipv4_parse(slice text, uint32_t *out);
#define SIEVE_IPV6_BYTES 39 /* of an address without "::" and with all its zeros */
bool sieve_ipv6_parse_full(const char text[SIEVE_IPV6_BYTES], uint8_t out[16]);
bool sieve_name_has(const struct sieve *sieve, slice name);
bool sieve_url_host_has(const struct sieve *sieve, slice host);
