/* The sieve's tables are made here: sizes first, then one run of memory, then its content. */
#include <sys/mman.h>

#include "base/fault.h"
#include "scan/sieve_lookup.h"
#include "stix/url.h"

#include "base/banned.h"

#define BITMAP_BYTES ((size_t)1 << 21) /* a bit for each of 2^24 networks */
#define RANK_BYTES ((size_t)1 << 20)   /* a count for each word of it */
#define WORDS24 ((size_t)1 << 18)
#define FILTER_BITS_EACH                                                                           \
    28 /* at most, half of it at least: 2 MB for a million, which L2 half holds */
#define FILTER_WORDS_LEAST 1024
#define TABLE_LOAD 2 /* free places for each taken one, at least as many */

struct path_seen {
    slice as_given, canonical;
};

struct building {
    const struct sieve_guards *guards;
    struct arena *arena;
    struct path_seen paths[SIEVE_PATHS_MAX]; /* of guards, as they are given */
    size_t path_count;
    slice opens[SIEVE_PATHS_MAX]; /* the kind's digit in front */
    struct sieve head;            /* with the offsets */
    size_t table_count, filter_count;
    struct sieve *sieve;
};

static struct guard guard_at(const struct building *building, size_t index)
{
    struct guard guard;

    building->guards->guard(building->guards->context, index, &guard);
    return guard;
}

/* ---- addresses ---- */

struct range {
    uint32_t first, last;
};

static bool range_of(const struct guard *guard, struct range *out)
{
    const uint8_t *bytes = guard->network.bytes;
    uint32_t bits = guard->network.prefix_bits;

    if (guard->kind != GUARD_NETWORK || guard->network.address_bits != 32)
        return false;
    uint32_t host = bits == 0 ? UINT32_MAX : bits >= 32 ? 0 : UINT32_MAX >> bits;
    out->first =
        ((uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3]) &
        ~host;
    out->last = out->first | host;
    return true;
}

/* any24 and full24. */
static void network_mark(const struct guard *guard, uint64_t *any, uint64_t *full)
{
    struct range range;

    if (!range_of(guard, &range))
        return;
    bool is_full = range.last - range.first >= 255;
    for (uint64_t net = range.first >> 8; net <= range.last >> 8; net++) {
        any[net >> 6] |= 1ull << (net & 63);
        full[net >> 6] |= (uint64_t)is_full << (net & 63);
    }
}

static size_t leaves_count(const uint64_t *any, const uint64_t *full, uint32_t *rank)
{
    size_t count = 0;

    for (size_t i = 0; i < WORDS24; i++) {
        rank[i] = (uint32_t)count;
        count += (size_t)__builtin_popcountll(any[i] & ~full[i]);
    }
    return count;
}

static void leaf_fill(struct sieve *sieve, const struct guard *guard)
{
    const uint64_t *any = sieve_at(sieve, sieve->any24), *full = sieve_at(sieve, sieve->full24);
    const uint32_t *rank = sieve_at(sieve, sieve->rank24);
    uint8_t *leaves = (uint8_t *)sieve + sieve->leaves;
    struct range range;

    if (!range_of(guard, &range))
        return;
    uint32_t net = range.first >> 8, word = net >> 6, bit = net & 63;
    if (full[word] >> bit & 1)
        return;
    uint64_t before = any[word] & ~full[word] & ((1ull << bit) - 1);
    uint8_t *leaf = leaves + (rank[word] + (size_t)__builtin_popcountll(before)) * SIEVE_LEAF_BYTES;
    for (uint32_t host = range.first & 255; host <= (range.last & 255); host++)
        leaf[host >> 3] |= (uint8_t)(1 << (host & 7));
}

/* ---- hashes ---- */

static uint64_t *words_at(struct sieve *sieve, uint64_t offset)
{
    return (uint64_t *)(void *)((char *)sieve + offset);
}

static void table_put(struct sieve *sieve, uint64_t hash)
{
    uint64_t *table = words_at(sieve, sieve->table);
    uint64_t i;

    hash += hash == 0;
    for (i = hash >> 20 & sieve->table_mask; table[i] != 0 && table[i] != hash;)
        i = (i + 1) & sieve->table_mask;
    table[i] = hash;
}

static void filter_put(struct sieve *sieve, uint64_t hash)
{
    uint64_t *filter = words_at(sieve, sieve->filter);

    filter[hash >> 24 & sieve->filter_mask] |= filter_bits(hash);
}

static slice without_dot(slice name)
{
    return slice_ends(name, SLICE(".")) ? slice_head(name, name.len - 1) : name;
}

static void name_put(struct sieve *sieve, slice name, enum sieve_salt salt,
                     enum sieve_salt salt_last_two)
{
    slice last = sieve_last_two(name);

    table_put(sieve, sieve_hash_salted(name.at, name.len, salt));
    filter_put(sieve, sieve_hash_salted(last.at, last.len, salt_last_two));
    if (slice_find_byte(name, '.') != SIZE_MAX)
        return;
    sieve->has_bare_name = 1;
    sieve->has_top_level |= salt == SALT_TREE;
}

/* What is no URL is no value of a URL's field either. */
static void url_put(struct sieve *sieve, slice url)
{
    struct url_parts parts;

    if (!url_split(url, &parts))
        return;
    slice host = without_dot(parts.host);
    name_put(sieve, host, SALT_URL_HOST, SALT_URL_LAST_TWO);
    table_put(sieve, sieve_url_hash(host, parts.path));
}

static void hash_put(struct sieve *sieve, uint64_t hash)
{
    table_put(sieve, hash);
    filter_put(sieve, hash);
}

static void network_put(struct sieve *sieve, const struct guard *guard)
{
    size_t bits = guard->network.prefix_bits;

    if (guard->network.address_bits == 32) {
        leaf_fill(sieve, guard);
        return;
    }
    sieve->network6_bits[bits / 32] |= 1u << (bits % 32);
    hash_put(sieve, sieve_ipv6_hash(guard->network.bytes, bits));
}

/* A value is put under what it may be looked up as: a text may stand in any field, a name or a mail
 * address that is none by its form ("a b") where such a field is. */
static void guard_put(struct sieve *sieve, const struct guard *guard)
{
    slice value = guard->value;

    switch (guard->kind) {
    case GUARD_NETWORK:
        network_put(sieve, guard);
        return;
    case GUARD_DOMAIN:
        name_put(sieve, without_dot(value), guard->has_subdomains ? SALT_TREE : SALT_DOMAIN,
                 SALT_LAST_TWO);
        return;
    case GUARD_URL:
        url_put(sieve, value);
        return;
    case GUARD_HASH:
        hash_put(sieve, sieve_hash_salted(value.at, value.len, SALT_HASH));
        return;
    case GUARD_EMAIL:
        table_put(sieve, sieve_hash_salted(value.at, value.len, SALT_EMAIL));
        return;
    case GUARD_NUMBER:
    case GUARD_TEXT:
        table_put(sieve, sieve_text_hash(value));
        table_put(sieve, sieve_hash_salted(value.at, value.len, SALT_EMAIL));
        if (slice_find(guard->path, SLICE("domain-name")) != SIZE_MAX)
            name_put(sieve, without_dot(value), SALT_DOMAIN, SALT_LAST_TWO);
        if (slice_find(guard->path, SLICE("hashes")) != SIZE_MAX)
            hash_put(sieve, sieve_hash_salted(value.at, value.len, SALT_HASH));
        return;
    }
}

/* ---- sizes ---- */

static size_t table_places(const struct guard *guard)
{
    switch (guard->kind) {
    case GUARD_NETWORK:
        return guard->network.address_bits == 32 ? 0 : 1;
    case GUARD_DOMAIN:
    case GUARD_HASH:
    case GUARD_EMAIL:
        return 1;
    case GUARD_URL:
        return 2;
    case GUARD_NUMBER:
    case GUARD_TEXT:
        return 4;
    }
    return 0;
}

/* The path in its own form; {NULL, 0} without memory. */
static slice canonical(struct building *building, slice path)
{
    char text[SIEVE_PATH_BYTES_MAX];

    return arena_copy(building->arena, sieve_path_canonical(path, text));
}

/* Paths of rulesets are few and come as the same bytes again and again. */
static void path_note(struct building *building, slice path)
{
    struct sieve *head = &building->head;
    slice form;

    for (size_t i = building->path_count; i-- > 0;)
        if (building->paths[i].as_given.at == path.at &&
            building->paths[i].as_given.len == path.len)
            return;
    for (size_t i = building->path_count; i-- > 0;)
        if (slice_eq(building->paths[i].as_given, path))
            return;
    form = canonical(building, path);
    if (path.len == 0 || form.at == NULL || building->path_count == SIEVE_PATHS_MAX) {
        head->has_all_paths = 1;
        return;
    }
    building->paths[building->path_count++] = (struct path_seen){path, form};
    head->path_bytes += form.len + 1;
}

static void opens_note(struct building *building)
{
    const struct sieve_guards *guards = building->guards;
    struct sieve *head = &building->head;

    for (size_t i = 0; i < guards->open_count; i++) {
        const struct open_path *open = &guards->opens[i];
        slice form = canonical(building, open->path), text;

        text = arena_printf(building->arena, "%d%.*s", (int)open->kind, SLICE_ARG(form));
        if (open->kind == OPEN_LINE || text.at == NULL || head->open_count == SIEVE_PATHS_MAX) {
            head->is_open = 1;
            return;
        }
        building->opens[head->open_count++] = text;
        head->open_bytes += text.len + 1;
    }
}

static void guards_count(struct building *building, uint64_t *any, uint64_t *full)
{
    for (size_t i = 0; i < building->guards->count; i++) {
        struct guard guard = guard_at(building, i);

        if (building->head.has_all_paths == 0)
            path_note(building, guard.path);
        network_mark(&guard, any, full);
        building->table_count += table_places(&guard);
        building->filter_count += guard.kind != GUARD_EMAIL &&
                                  (guard.kind != GUARD_NETWORK || guard.network.address_bits != 32);
    }
    building->head.path_count = (uint32_t)building->path_count;
}

static uint64_t power_of_two(uint64_t least)
{
    uint64_t size = 1;

    while (size < least)
        size *= 2;
    return size;
}

static uint64_t place(struct sieve *head, uint64_t bytes)
{
    uint64_t at = (head->bytes + SIEVE_ALIGN - 1) / SIEVE_ALIGN * SIEVE_ALIGN;

    head->bytes = at + bytes;
    return at;
}

static void layout(struct building *building, size_t leaf_count)
{
    struct sieve *head = &building->head;
    uint64_t words = power_of_two(building->filter_count * FILTER_BITS_EACH / 64 / 2 + 1);
    uint64_t places = power_of_two(building->table_count * TABLE_LOAD + 16);

    words = words < FILTER_WORDS_LEAST ? FILTER_WORDS_LEAST : words;
    head->magic = SIEVE_MAGIC;
    head->bytes = sizeof(*head);
    head->leaf_count = leaf_count;
    head->any24 = place(head, BITMAP_BYTES);
    head->filter = place(head, words * sizeof(uint64_t));
    head->filter_mask = words - 1;
    head->table = place(head, places * sizeof(uint64_t));
    head->table_mask = places - 1;
    head->full24 = place(head, BITMAP_BYTES);
    head->rank24 = place(head, RANK_BYTES);
    head->leaves = place(head, leaf_count * SIEVE_LEAF_BYTES);
    head->paths = place(head, head->path_bytes);
    head->opens = place(head, head->open_bytes);
    head->bytes = place(head, 0);
}

static char *text_fill(char *out, slice text)
{
    if (text.len > 0)
        memcpy(out, text.at, text.len);
    return out + text.len + 1; /* the memory is zero */
}

static struct sieve *memory_new(size_t bytes)
{
    void *at = FAULT_HERE()
                   ? MAP_FAILED
                   : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED)
        return NULL;
    /* Tables are read at random: with pages of 2 MB the processor finds them without a walk.
     * Without them it is slower, not wrong. */
    (void)madvise(at, bytes, MADV_HUGEPAGE);
    return at;
}

/* Sums the run in four lanes; a torn or foreign file is told, an attacker's is not. */
static uint64_t checksum(const struct sieve *sieve)
{
    const char *at = (const char *)sieve; /* all but the sum itself: the header's fields too */
    uint64_t lanes[4] = {1, 2, 3, 4}, sum = sieve_load64(at + 24) ^ sieve->bytes;

    for (size_t i = 32; i + 32 <= sieve->bytes; i += 32)
        for (size_t lane = 0; lane < 4; lane++)
            lanes[lane] = (lanes[lane] ^ sieve_load64(at + i + lane * 8)) * sieve_odds[lane];
    for (size_t lane = 0; lane < 4; lane++)
        sum = sieve_mix(sum ^ lanes[lane], lane);
    return sum;
}

static result fill(struct building *building, const uint64_t *marks, struct diag *diag)
{
    size_t count = building->guards->count;
    char *base = (char *)memory_new(building->head.bytes), *at;

    if (base == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for the tables of %zu values", count);
    building->sieve = (struct sieve *)(void *)base;
    *building->sieve = building->head;
    memcpy(base + building->head.any24, marks, BITMAP_BYTES);
    memcpy(base + building->head.full24, marks + WORDS24, BITMAP_BYTES);
    memcpy(base + building->head.rank24, marks + 2 * WORDS24, RANK_BYTES);
    for (size_t i = 0; i < count; i++) {
        struct guard guard = guard_at(building, i);

        guard_put(building->sieve, &guard);
    }
    at = base + building->head.paths;
    for (size_t i = 0; i < building->path_count; i++)
        at = text_fill(at, building->paths[i].canonical);
    at = base + building->head.opens;
    for (size_t i = 0; i < building->head.open_count; i++)
        at = text_fill(at, building->opens[i]);
    building->sieve->checksum = checksum(building->sieve);
    return OK;
}

result sieve_build(const struct sieve_guards *guards, struct sieve **out, struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)16 << 20);
    struct building *building = arena_new(&arena, struct building, 1);
    uint64_t *marks = arena_new(&arena, uint64_t, 2 * WORDS24 + WORDS24 / 2);

    *out = NULL;
    if (guards->count > SIEVE_GUARDS_MAX)
        return diag_fail(diag, ERR_LIMIT, "%zu values, over %zu", guards->count, SIEVE_GUARDS_MAX);
    if (building == NULL || marks == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    building->guards = guards;
    building->arena = &arena;
    guards_count(building, marks, marks + WORDS24);
    opens_note(building);
    layout(building,
           leaves_count(marks, marks + WORDS24, (uint32_t *)(void *)(marks + 2 * WORDS24)));
    TRY(fill(building, marks, diag));
    *out = building->sieve;
    return OK;
}

void sieve_free(struct sieve **sieve)
{
    if (*sieve == NULL)
        return;
    (void)munmap(*sieve, (*sieve)->bytes); /* it is ours and mapped: it cannot fail */
    *sieve = NULL;
}

/* ---- kept and mapped back ---- */

slice sieve_bytes(const struct sieve *sieve)
{
    return slice_of(sieve, sieve->bytes);
}

static bool lies_inside(const struct sieve *sieve, uint64_t at, uint64_t bytes)
{
    return at % SIEVE_ALIGN == 0 && at >= sizeof(*sieve) && at <= sieve->bytes &&
           bytes <= sieve->bytes - at;
}

/* NUL-terminated, so many. */
static bool texts_are_whole(const struct sieve *sieve, uint64_t at, uint64_t bytes, uint32_t count)
{
    const char *text = sieve_at(sieve, at);
    uint64_t ends = 0;

    if (!lies_inside(sieve, at, bytes))
        return false;
    for (uint64_t i = 0; i < bytes; i++)
        ends += text[i] == '\0';
    return ends == count && (bytes == 0 || text[bytes - 1] == '\0');
}

static bool tables_are_whole(const struct sieve *sieve)
{
    uint64_t words = sieve->filter_mask + 1, places = sieve->table_mask + 1;

    return words != 0 && places != 0 && (words & (words - 1)) == 0 &&
           (places & (places - 1)) == 0 && words <= sieve->bytes / 8 &&
           places <= sieve->bytes / 8 && lies_inside(sieve, sieve->filter, words * 8) &&
           lies_inside(sieve, sieve->table, places * 8) &&
           lies_inside(sieve, sieve->any24, BITMAP_BYTES) &&
           lies_inside(sieve, sieve->full24, BITMAP_BYTES) &&
           lies_inside(sieve, sieve->rank24, RANK_BYTES) &&
           sieve->leaf_count <= sieve->bytes / SIEVE_LEAF_BYTES &&
           lies_inside(sieve, sieve->leaves, sieve->leaf_count * SIEVE_LEAF_BYTES) &&
           texts_are_whole(sieve, sieve->paths, sieve->path_bytes, sieve->path_count) &&
           texts_are_whole(sieve, sieve->opens, sieve->open_bytes, sieve->open_count);
}

result sieve_open(slice bytes, const struct sieve **out, struct diag *diag)
{
    const struct sieve *sieve = (const struct sieve *)(const void *)bytes.at;

    *out = NULL;
    if (bytes.len < sizeof(*sieve) || (uintptr_t)bytes.at % SIEVE_ALIGN != 0 ||
        sieve->magic != SIEVE_MAGIC || sieve->bytes > bytes.len || sieve->bytes < sizeof(*sieve) ||
        !tables_are_whole(sieve) || sieve->checksum != checksum(sieve))
        return diag_fail(diag, ERR_CORRUPT, "these are no tables of a sieve, or damaged ones");
    *out = sieve;
    return OK;
}
