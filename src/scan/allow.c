#include "scan/allow.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "match/network.h"
#include "match/regex.h"
#include "scan/allow_value.h"
#include "stix/object.h"
#include "stix/url.h"
#include "store/hash.h"

#include "base/banned.h"

#define HOST_LABELS_MAX 128
#define GRAM_BYTES 4 /* substrings are found by their first so many bytes */
#define GRAM_BITS 16

/* What a value is, for lists that are for some attributes alone. */
enum {
    ABOUT_ADDRESS = 1,
    ABOUT_DOMAIN = 2,
    ABOUT_URL = 4,
    ABOUT_EMAIL = 8,
    ABOUT_HASH = 16,
    ABOUT_FILE_NAME = 32,
    ABOUT_NUMBER = 64, /* of an autonomous system */
    ABOUT_OTHER = 128,
    ABOUT_ALL = 255,
};

struct text_entry {
    uint64_t hash;
    slice value; /* case folded */
    uint32_t list;
};

/* Open addressing; several entries may have one value. */
struct text_table {
    struct text_entry *entries;
    uint32_t *slots; /* position plus 1 */
    size_t count, mask;
};

#define NO_PARENT UINT32_MAX

/* Networks nest or are apart, so that each has one parent, the narrowest that holds it. */
struct net_entry {
    struct network network;
    uint32_t list, parent;
};

struct gram_entry {
    uint32_t gram;
    uint32_t list;
    slice value;
};

struct regex_entry {
    struct regex regex;
    uint32_t list;
};

struct allow {
    struct arena arena; /* owned: this struct lives in it */
    struct allow_list *lists;
    unsigned *about;       /* of each list */
    _Atomic uint64_t *hit; /* of each list */
    size_t list_count;
    struct text_table strings, hosts;
    struct net_entry *networks; /* sorted: IPv4 first, by address, wider first */
    size_t network_count;
    struct gram_entry *grams; /* sorted */
    size_t gram_count;
    struct gram_entry *shorts; /* substrings under GRAM_BYTES */
    size_t short_count;
    uint8_t *gram_filter; /* a bit for the low GRAM_BITS of a mixed gram */
    struct regex_entry *regexes;
    size_t regex_count;
    pthread_mutex_t regex_lock; /* guards what the library writes to while it searches */
};

/* ---- attributes ---- */

static unsigned attribute_about(slice attribute)
{
    static const struct {
        slice part;
        unsigned about;
    } parts[] = {
        {S("ip"), ABOUT_ADDRESS},
        {S("domain"), ABOUT_DOMAIN},
        {S("hostname"), ABOUT_DOMAIN},
        {S("url"), ABOUT_URL},
        {S("uri"), ABOUT_URL},
        {S("link"), ABOUT_URL},
        {S("email"), ABOUT_EMAIL},
        {S("md5"), ABOUT_HASH},
        {S("sha"), ABOUT_HASH},
        {S("ssdeep"), ABOUT_HASH},
        {S("tlsh"), ABOUT_HASH},
        {S("imphash"), ABOUT_HASH},
        {S("filename"), ABOUT_FILE_NAME},
        {S("AS"), ABOUT_NUMBER},
    };
    unsigned about = 0;

    /* "domain|ip" and "ip-dst|port" are two in one. */
    while (attribute.len > 0) {
        slice one;

        slice_cut(attribute, '|', &one, &attribute);
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
            if (slice_starts(one, parts[i].part))
                about |= parts[i].about;
    }
    return about != 0 ? about : ABOUT_OTHER;
}

static unsigned list_about(const struct allow_list *list)
{
    unsigned about = 0;

    for (size_t i = 0; i < list->attribute_count; i++)
        about |= attribute_about(list->attributes[i]);
    if (list->attribute_count > 0)
        return about;
    /* A list of hosts says nothing of who writes mail from there, unless it says that it does. */
    return list->type == ALLOW_HOSTNAME ? ABOUT_ALL & ~ABOUT_EMAIL : ABOUT_ALL;
}

static unsigned kind_about(slice kind)
{
    static const struct {
        slice type;
        unsigned about;
    } types[] = {
        {S("ipv4-addr:"), ABOUT_ADDRESS},  {S("ipv6-addr:"), ABOUT_ADDRESS},
        {S("domain-name:"), ABOUT_DOMAIN}, {S("url:"), ABOUT_URL},
        {S("email-addr:"), ABOUT_EMAIL},   {S("autonomous-system:"), ABOUT_NUMBER},
        {S("file:name"), ABOUT_FILE_NAME},
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (slice_starts(kind, types[i].type))
            return types[i].about;
    return slice_find(kind, SLICE(":hashes.")) != SIZE_MAX ? ABOUT_HASH : ABOUT_OTHER;
}

/* ---- building ---- */

static slice fold(slice value, char *out)
{
    for (size_t i = 0; i < value.len; i++)
        out[i] = value.at[i] >= 'A' && value.at[i] <= 'Z' ? (char)(value.at[i] + 32) : value.at[i];
    return slice_of(out, value.len);
}

static slice folded(slice value, struct arena *arena)
{
    char *out = arena_alloc(arena, value.len + 1, 1, 1);

    return out == NULL ? SLICE("") : fold(value, out);
}

static bool table_init(struct text_table *table, size_t count, struct arena *arena)
{
    size_t room = 16;

    while (room < 2 * count)
        room *= 2;
    table->entries = arena_new(arena, struct text_entry, count + 1);
    table->slots = arena_new(arena, uint32_t, room);
    table->mask = room - 1;
    return table->entries != NULL && table->slots != NULL;
}

static void table_put(struct text_table *table, slice value, uint32_t list)
{
    uint64_t hash = store_hash64(value, 0);
    size_t at = hash & table->mask;

    while (table->slots[at] != 0)
        at = (at + 1) & table->mask;
    table->entries[table->count] = (struct text_entry){hash, value, list};
    table->slots[at] = (uint32_t)++table->count;
}

static bool table_find(const struct allow *allow, const struct text_table *table, slice value,
                       unsigned about, uint32_t *list)
{
    uint64_t hash = store_hash64(value, 0);

    for (size_t at = hash & table->mask; table->slots[at] != 0; at = (at + 1) & table->mask) {
        const struct text_entry *entry = &table->entries[table->slots[at] - 1];

        if (entry->hash == hash && (allow->about[entry->list] & about) != 0 &&
            slice_eq(entry->value, value)) {
            *list = entry->list;
            return true;
        }
    }
    return false;
}

static int network_order(const void *a, const void *b)
{
    const struct net_entry *x = a, *y = b;

    if (x->network.address_bits != y->network.address_bits)
        return x->network.address_bits < y->network.address_bits ? -1 : 1;
    int order = memcmp(x->network.bytes, y->network.bytes, NETWORK_BYTES_MAX);
    if (order != 0)
        return order;
    if (x->network.prefix_bits != y->network.prefix_bits)
        return x->network.prefix_bits < y->network.prefix_bits ? -1 : 1;
    return x->list < y->list ? -1 : x->list > y->list;
}

static void networks_nest(struct allow *allow)
{
    for (uint32_t i = 0; i < allow->network_count; i++) {
        uint32_t parent = i == 0 ? NO_PARENT : i - 1;

        while (parent != NO_PARENT &&
               !network_contains(&allow->networks[parent].network, &allow->networks[i].network))
            parent = allow->networks[parent].parent;
        allow->networks[i].parent = parent;
    }
}

static uint32_t gram_at(const char *at)
{
    uint32_t gram;

    memcpy(&gram, at, sizeof(gram));
    return gram;
}

static uint32_t gram_bit(uint32_t gram)
{
    return (gram * 2654435761u) >> (32 - GRAM_BITS);
}

static int gram_order(const void *a, const void *b)
{
    const struct gram_entry *x = a, *y = b;

    return x->gram < y->gram ? -1 : x->gram > y->gram;
}

static void substring_put(struct allow *allow, slice value, uint32_t list)
{
    if (value.len < GRAM_BYTES) {
        allow->shorts[allow->short_count++] = (struct gram_entry){0, list, value};
        return;
    }
    uint32_t gram = gram_at(value.at), bit = gram_bit(gram);
    allow->grams[allow->gram_count++] = (struct gram_entry){gram, list, value};
    allow->gram_filter[bit / 8] |= (uint8_t)(1 << bit % 8);
}

static result value_put(struct allow *allow, uint32_t list, slice value, struct diag *diag)
{
    struct arena *arena = &allow->arena;
    slice expression;

    switch (allow->lists[list].type) {
    case ALLOW_STRING:
        table_put(&allow->strings, folded(value, arena), list);
        break;
    case ALLOW_SUBSTRING:
        substring_put(allow, folded(value, arena), list);
        break;
    case ALLOW_HOSTNAME:
        value = stix_value_normal(SLICE("domain-name:value"), allow_host_bare(value), arena);
        table_put(&allow->hosts, folded(value, arena), list);
        break;
    case ALLOW_CIDR:
        allow->networks[allow->network_count].list = list;
        if (!network_parse(value, &allow->networks[allow->network_count++].network))
            return diag_fail(diag, ERR_CORRUPT, "\"%.*s\" is no network", SLICE_ARG(value));
        break;
    case ALLOW_REGEX:
        expression = allow_expression(value, arena);
        allow->regexes[allow->regex_count].list = list;
        TRY(regex_compile(expression, false, &allow->regexes[allow->regex_count].regex, diag));
        allow->regex_count++;
        break;
    }
    return arena->overflowed ? diag_fail(diag, ERR_LIMIT, "no memory for warning lists") : OK;
}

/* Room for all values of all lists, by type. */
static bool rooms_make(struct allow *allow)
{
    size_t count[ALLOW_TYPE_COUNT] = {0};
    struct arena *arena = &allow->arena;

    for (size_t i = 0; i < allow->list_count; i++)
        count[allow->lists[i].type] += allow->lists[i].value_count;
    allow->networks = arena_new(arena, struct net_entry, count[ALLOW_CIDR] + 1);
    allow->grams = arena_new(arena, struct gram_entry, count[ALLOW_SUBSTRING] + 1);
    allow->shorts = arena_new(arena, struct gram_entry, count[ALLOW_SUBSTRING] + 1);
    allow->gram_filter = arena_new(arena, uint8_t, (1u << GRAM_BITS) / 8);
    allow->regexes = arena_new(arena, struct regex_entry, count[ALLOW_REGEX] + 1);
    return table_init(&allow->strings, count[ALLOW_STRING], arena) &&
           table_init(&allow->hosts, count[ALLOW_HOSTNAME], arena) && !arena->overflowed;
}

static result build(struct allow *allow, const struct allow_list *lists, size_t count,
                    struct diag *diag)
{
    struct arena *arena = &allow->arena;
    size_t total = 0, regexes = 0;

    for (size_t i = 0; i < count; i++) {
        total += lists[i].value_count;
        regexes += lists[i].type == ALLOW_REGEX ? lists[i].value_count : 0;
    }
    if (count > ALLOW_LISTS_MAX || total > ALLOW_VALUES_MAX || regexes > ALLOW_REGEXES_MAX)
        return diag_fail(diag, ERR_LIMIT,
                         "warning lists: %zu with %zu values, at most %d with %zu are run", count,
                         total, ALLOW_LISTS_MAX, ALLOW_VALUES_MAX);
    allow->lists = arena_new(arena, struct allow_list, count + 1);
    allow->about = arena_new(arena, unsigned, count + 1);
    allow->hit = arena_new(arena, _Atomic uint64_t, count + 1);
    allow->list_count = count;
    if (allow->lists == NULL || allow->about == NULL || allow->hit == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for warning lists");
    for (size_t i = 0; i < count; i++) {
        allow->lists[i] = (struct allow_list){.name = arena_copy(arena, lists[i].name),
                                              .type = lists[i].type,
                                              .value_count = lists[i].value_count};
        allow->about[i] = list_about(&lists[i]);
    }
    if (!rooms_make(allow))
        return diag_fail(diag, ERR_LIMIT, "no memory for warning lists");
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < lists[i].value_count; k++)
            TRY(diag_within(diag, value_put(allow, (uint32_t)i, lists[i].values[k], diag),
                            "warning list \"%.*s\"", SLICE_ARG(lists[i].name)));
    qsort(allow->networks, allow->network_count, sizeof(*allow->networks), network_order);
    networks_nest(allow);
    qsort(allow->grams, allow->gram_count, sizeof(*allow->grams), gram_order);
    return OK;
}

result allow_build(const struct allow_list *lists, size_t count, struct allow **out,
                   struct diag *diag)
{
    struct arena arena = ARENA(ALLOW_ARENA_BYTES_MAX);
    struct allow *allow = arena_new(&arena, struct allow, 1);

    *out = NULL;
    if (allow == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for warning lists");
    allow->arena = arena;
    (void)pthread_mutex_init(&allow->regex_lock, NULL); /* a plain one: cannot fail */
    result r = build(allow, lists, count, diag);
    if (failed(r))
        allow_free(&allow);
    *out = allow;
    return r;
}

void allow_free(struct allow **allow)
{
    if (*allow == NULL)
        return;
    for (size_t i = 0; i < (*allow)->regex_count; i++)
        regex_free(&(*allow)->regexes[i].regex);
    (void)pthread_mutex_destroy(&(*allow)->regex_lock);
    struct arena arena = (*allow)->arena;
    arena_free(&arena);
    *allow = NULL;
}

/* ---- asking ---- */

static bool host_covers(const struct allow *allow, slice host, unsigned about, uint32_t *list)
{
    for (size_t i = 0; i < HOST_LABELS_MAX && host.len > 0; i++) {
        slice label;

        if (table_find(allow, &allow->hosts, host, about, list))
            return true;
        if (!slice_cut(host, '.', &label, &host))
            return false;
    }
    return false;
}

/* Where the host of a value stands in it; empty when it has none. */
static slice host_of(slice value, unsigned about)
{
    struct url_parts parts;

    if (about == ABOUT_DOMAIN)
        return value;
    if (about == ABOUT_URL)
        return url_split(value, &parts) ? parts.host : SLICE_NONE;
    size_t at = slice_find_byte(value, '@');
    return about == ABOUT_EMAIL && at != SIZE_MAX ? slice_from(value, at + 1) : SLICE_NONE;
}

/* The last network that begins at or before the one asked for, then those around it. */
static bool network_covers(const struct allow *allow, slice value, unsigned about, uint32_t *list)
{
    struct net_entry asked = {.list = UINT32_MAX};
    size_t low = 0, high = allow->network_count;

    if (high == 0 || !network_parse(value, &asked.network))
        return false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (network_order(&allow->networks[middle], &asked) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (uint32_t at = low == 0 ? NO_PARENT : (uint32_t)low - 1; at != NO_PARENT;
         at = allow->networks[at].parent) {
        const struct net_entry *entry = &allow->networks[at];

        if ((allow->about[entry->list] & about) != 0 &&
            network_contains(&entry->network, &asked.network)) {
            *list = entry->list;
            return true;
        }
    }
    return false;
}

static bool gram_covers(const struct allow *allow, slice rest, unsigned about, uint32_t *list)
{
    uint32_t gram = gram_at(rest.at), bit = gram_bit(gram);
    size_t low = 0, high = allow->gram_count;

    if ((allow->gram_filter[bit / 8] & 1 << bit % 8) == 0)
        return false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (allow->grams[middle].gram < gram)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < allow->gram_count && allow->grams[low].gram == gram; low++)
        if ((allow->about[allow->grams[low].list] & about) != 0 &&
            slice_starts(rest, allow->grams[low].value)) {
            *list = allow->grams[low].list;
            return true;
        }
    return false;
}

static bool substring_covers(const struct allow *allow, slice value, unsigned about, uint32_t *list)
{
    for (size_t i = 0; i < allow->short_count; i++)
        if ((allow->about[allow->shorts[i].list] & about) != 0 &&
            slice_find(value, allow->shorts[i].value) != SIZE_MAX) {
            *list = allow->shorts[i].list;
            return true;
        }
    for (size_t i = 0; allow->gram_count > 0 && i + GRAM_BYTES <= value.len; i++)
        if (gram_covers(allow, slice_from(value, i), about, list))
            return true;
    return false;
}

static bool regex_covers(const struct allow *allow, slice value, unsigned about, uint32_t *list)
{
    /* The lock is the one thing about a built struct that changes; the caller sees none of it. */
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&allow->regex_lock;
    bool covers = false;

    if (allow->regex_count == 0)
        return false;
    (void)pthread_mutex_lock(lock);
    for (size_t i = 0; !covers && i < allow->regex_count; i++)
        if ((allow->about[allow->regexes[i].list] & about) != 0 &&
            regex_search(&allow->regexes[i].regex, value) == REGEX_YES) {
            *list = allow->regexes[i].list;
            covers = true;
        }
    (void)pthread_mutex_unlock(lock);
    return covers;
}

static bool covers(const struct allow *allow, slice kind, slice value, uint32_t *list)
{
    unsigned about = kind_about(kind);
    char text[ALLOW_VALUE_BYTES_MAX];

    if (value.len == 0 || value.len > sizeof(text))
        return false;
    slice low = fold(value, text);
    if (table_find(allow, &allow->strings, low, about, list))
        return true;
    if (host_covers(allow, host_of(low, about), about, list))
        return true;
    if (about == ABOUT_ADDRESS && network_covers(allow, low, about, list))
        return true;
    return substring_covers(allow, low, about, list) || regex_covers(allow, value, about, list);
}

bool allow_covers(const struct allow *allow, slice kind, slice value, slice *list_name)
{
    uint32_t list;

    if (allow == NULL || allow->list_count == 0 || !covers(allow, kind, value, &list))
        return false;
    atomic_fetch_add_explicit(&allow->hit[list], 1, memory_order_relaxed);
    if (list_name != NULL)
        *list_name = allow->lists[list].name;
    return true;
}

bool allow_is_allowed(void *context, slice kind, slice value)
{
    return allow_covers(context, kind, value, NULL);
}

size_t allow_list_count(const struct allow *allow)
{
    return allow == NULL ? 0 : allow->list_count;
}

slice allow_list_name(const struct allow *allow, size_t index, uint64_t *covered)
{
    *covered = atomic_load_explicit(&allow->hit[index], memory_order_relaxed);
    return allow->lists[index].name;
}
