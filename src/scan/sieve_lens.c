#include "scan/sieve_lens.h"

#include "base/fault.h"

#include "base/banned.h"

/* ---- which of a format's fields are looked at ---- */

static bool texts_hold(const char *text, uint32_t count, slice wanted)
{
    for (uint32_t i = 0; i < count; i++) {
        slice here = slice_text(text);

        if (slice_eq(here, wanted))
            return true;
        text += here.len + 1;
    }
    return false;
}

static bool is_type_of(slice type, slice path)
{
    return slice_starts(path, type) && path.len > type.len && path.at[type.len] == ':';
}

/* Is the path looked at whatever its value?  "x_ref.type" asks of "x_ref.value". */
static bool is_open_path(const struct sieve *sieve, slice path)
{
    const char *text = sieve_at(sieve, sieve->opens);

    for (uint32_t i = 0; i < sieve->open_count; i++) {
        slice open = slice_from(slice_text(text), 1);

        if (slice_eq(open, path) || (text[0] == '0' + OPEN_TYPE && is_type_of(open, path)) ||
            (slice_ends(open, SLICE("_ref.type")) && slice_ends(path, SLICE("_ref.value")) &&
             slice_eq(slice_head(open, open.len - 4), slice_head(path, path.len - 5))))
            return true;
        text += open.len + 2;
    }
    return false;
}

/* The same of a guard's paths; USE_ANY when the type alone is asked for. */
static bool is_guard_path(const struct sieve *sieve, slice path)
{
    return sieve->has_all_paths != 0 ||
           texts_hold(sieve_at(sieve, sieve->paths), sieve->path_count, path);
}

static bool has_reference_types(const struct sieve *sieve, slice path)
{
    const char *text = sieve_at(sieve, sieve->paths);

    for (uint32_t i = 0; i < sieve->path_count; i++) {
        slice guard = slice_text(text);

        if (slice_ends(guard, SLICE("_ref.type")) && slice_ends(path, SLICE("_ref.value")) &&
            slice_eq(slice_head(guard, guard.len - 4), slice_head(path, path.len - 5)))
            return true;
        text += guard.len + 1;
    }
    return false;
}

/* The uses of one path that a field may give; `use` when a guard asks for a value of it. */
static uint32_t path_uses(const struct sieve *sieve, slice path, uint32_t use)
{
    char room[SIEVE_PATH_BYTES_MAX];
    slice form = sieve_path_canonical(path, room);

    if (path.len == 0)
        return 0;
    if (is_open_path(sieve, form) || has_reference_types(sieve, form))
        return USE_ANY;
    return is_guard_path(sieve, form) ? use : 0;
}

static uint32_t address_uses(const struct sieve *sieve, uint32_t use)
{
    return path_uses(sieve, SLICE("ipv4-addr:value"), use) |
           path_uses(sieve, SLICE("ipv6-addr:value"), use);
}

static uint32_t name_uses(const struct sieve *sieve, uint32_t use)
{
    return address_uses(sieve, use) | path_uses(sieve, SLICE("domain-name:value"), use);
}

/* Whatever tells itself by its form: a text is searched. */
static uint32_t token_uses(const struct sieve *sieve)
{
    uint32_t uses = name_uses(sieve, USE_TOKENS) |
                    path_uses(sieve, SLICE("url:value"), USE_TOKENS) |
                    path_uses(sieve, SLICE("email-addr:value"), USE_TOKENS);

    return uses | path_uses(sieve, SLICE("file:hashes"), USE_TOKENS);
}

/* What telemetry/event.c makes of a field of this kind. */
static uint32_t rule_uses(const struct sieve *sieve, const struct map_rule *rule)
{
    switch (rule->kind) {
    case KIND_TIME:
    case KIND_IGNORE:
        return 0;
    case KIND_SOURCE:
        return address_uses(sieve, USE_ADDRESS) |
               path_uses(sieve, SLICE("network-traffic:src_ref.value"), USE_ADDRESS);
    case KIND_DESTINATION:
        return address_uses(sieve, USE_ADDRESS) |
               path_uses(sieve, SLICE("network-traffic:dst_ref.value"), USE_ADDRESS);
    case KIND_ADDRESS:
        return address_uses(sieve, USE_ADDRESS) | path_uses(sieve, rule->path, USE_ADDRESS);
    case KIND_HOST:
    case KIND_DOMAIN:
    case KIND_ANSWER:
        return name_uses(sieve, USE_NAME);
    case KIND_URL_HOST:
        return name_uses(sieve, USE_NAME) | path_uses(sieve, SLICE("url:value"), USE_URL_HOST);
    case KIND_URL_PATH: /* a whole URL may stand in it: all that a URL gives */
        return path_uses(sieve, SLICE("url:value"), USE_URL_PATH) |
               (token_uses(sieve) & USE_ANY ? USE_ANY
                : token_uses(sieve)         ? USE_URL_PATH
                                            : 0);
    case KIND_URL: /* likewise */
        return token_uses(sieve) & USE_ANY ? USE_ANY : token_uses(sieve) ? USE_URL : 0;
    case KIND_URL_SCHEME:
    case KIND_URL_PORT:
    case KIND_URL_QUERY: /* guards of URLs do without them; an open URL has a path */
        return 0;
    case KIND_EMAIL:
        return path_uses(sieve, SLICE("email-addr:value"), USE_EMAIL) |
               path_uses(sieve, SLICE("domain-name:value"), USE_EMAIL) |
               path_uses(sieve, rule->path, USE_EMAIL);
    case KIND_HASH:
        return path_uses(sieve, rule->path, USE_HASH);
    case KIND_HASHES:
        return path_uses(sieve, rule->path, USE_TOKENS) |
               path_uses(sieve, SLICE("file:x_imphash"), USE_TOKENS);
    case KIND_FILE:
        return path_uses(sieve, SLICE("file:name"), USE_FILE) |
               path_uses(sieve, SLICE("file:parent_directory_ref.path"), USE_FILE) |
               path_uses(sieve, SLICE("file:x_path"), USE_FILE) |
               path_uses(sieve, rule->path, USE_FILE);
    case KIND_MAC:
        return path_uses(sieve, SLICE("mac-addr:value"), USE_TEXT);
    case KIND_TEXT:
    case KIND_LOWER:
    case KIND_SERIAL:
        return path_uses(sieve, rule->path, USE_TEXT);
    case KIND_NUMBER:
        return path_uses(sieve, rule->path, USE_NUMBER);
    case KIND_TOKENS:
        return token_uses(sieve);
    }
    return 0;
}

uint32_t sieve_field_uses(const struct sieve_lens *lens, slice field)
{
    const struct map_rule *rule = map_rule_find(lens->map, field);
    uint32_t uses = 0;

    if (rule == NULL)
        return lens->map->rest != NULL ? rule_uses(lens->sieve, lens->map->rest) : 0;
    for (; rule != NULL; rule = map_rule_next(lens->map, rule, field))
        uses |= rule_uses(lens->sieve, rule);
    return uses;
}

/* ---- keys of JSON ---- */

static enum sieve_queue queue_of(uint32_t uses)
{
    switch (uses) {
    case USE_ADDRESS:
        return QUEUE_ADDRESS;
    case USE_NAME:
        return QUEUE_NAME;
    case USE_NAME | USE_URL_HOST:
        return QUEUE_HOST;
    case USE_HASH:
        return QUEUE_HASH;
    case USE_URL_PATH:
        return QUEUE_PATH;
    default:
        return QUEUE_OTHER;
    }
}

/* What stands before a key is a quote or, where the key holds the whole path, a dot: with these
 * bits left out they are the same. */
#define BOUNDARY_MASK 0xF3u

static void tail_of(slice text, uint64_t *tail, uint64_t *mask)
{
    char bytes[8] = {0};
    size_t len = text.len < 8 ? text.len : 8;

    memcpy(bytes + 8 - len, text.at + text.len - len, len);
    *tail = sieve_load64(bytes) | SIEVE_FOLD;
    *mask = len == 8 ? ~0ull : ~0ull << (8 * (8 - len));
    if (len < 8) {
        size_t shift = 8 * (7 - len);

        *mask |= (uint64_t)BOUNDARY_MASK << shift;
        *tail = (*tail & ~(0xFFull << shift)) | (uint64_t)'"' << shift;
    }
    *tail &= *mask;
}

static void byte_mark(uint8_t marks[64], uint8_t byte, uint8_t bucket)
{
    marks[byte & 63] |= bucket;
    if (byte >= 'a' && byte <= 'z')
        marks[(byte & ~0x20) & 63] |= bucket;
    if (byte == 0x7F) /* "_" folded */
        marks['_' & 63] |= bucket;
}

static void pair_mark(struct sieve_lens *lens, uint32_t before, uint32_t last)
{
    uint32_t folded = before | last << 5; /* of the low five bits of each */

    lens->pairs[folded >> 6] |= 1ull << (folded & 63);
}

static bool entry_put(struct sieve_lens *lens, uint64_t tail, uint64_t mask, uint16_t position)
{
    uint16_t *head = &lens->heads[lens_head(tail)];

    if (lens->entry_count + 1 == LENS_ENTRIES_MAX)
        return false;
    lens->entries[++lens->entry_count] =
        (struct sieve_entry){.tail = tail, .mask = mask, .key = position, .next = *head};
    *head = (uint16_t)lens->entry_count;
    return true;
}

/* A key of three letters or less: its entry holds what may stand before it.  In JSON that is a
 * quote behind a brace, a comma or a blank; or a dot behind anything. */
static bool entries_of_short(struct sieve_lens *lens, const struct sieve_key *key, size_t len,
                             uint16_t position)
{
    size_t shift = 56 - 8 * len; /* of the boundary */
    uint64_t tail = key->tail & ~(0xFFull << shift), mask = key->mask | 0xFFull << shift;
    static const char befores[] = "{, \t\r\n";

    if (len == 3)
        return entry_put(lens, tail | (uint64_t)'"' << shift, mask, position) &&
               entry_put(lens, tail | (uint64_t)('.' | 0x20) << shift, mask, position);
    mask |= 0xFFull << (shift - 8);
    for (const char *c = befores; *c != '\0'; c++)
        if (!entry_put(
                lens, tail | (uint64_t)'"' << shift | (uint64_t)((uint8_t)*c | 0x20) << (shift - 8),
                mask, position))
            return false;
    for (uint64_t byte = 0; byte < 256; byte++)
        if ((byte & 0x20) != 0 &&
            !entry_put(lens, tail | (uint64_t)('.' | 0x20) << shift | byte << (shift - 8), mask,
                       position))
            return false;
    return true;
}

static bool key_index(struct sieve_lens *lens, uint16_t position)
{
    struct sieve_key *key = &lens->keys[position];
    uint8_t bucket = (uint8_t)(1 << (position % LENS_BUCKETS)), last = (uint8_t)(key->tail >> 56);
    uint8_t before = (uint8_t)(key->tail >> 48);
    size_t len = key->mask == ~0ull ? 8 : (size_t)__builtin_popcountll(key->mask) / 8;

    key->queue = (uint8_t)(key->inner == 0 && key->mark == 0 ? queue_of(key->uses) : QUEUE_OTHER);
    byte_mark(lens->last, last, bucket);
    if (len == 1) {
        byte_mark(lens->before, '"', bucket);
        byte_mark(lens->before, '.' | 0x20, bucket);
        pair_mark(lens, '"' & 31, last & 31);
        pair_mark(lens, '.' & 31, last & 31);
        lens->short_keys[last] = position;
        return true;
    }
    byte_mark(lens->before, before, bucket);
    pair_mark(lens, before & 31, last & 31);
    return len < 4 ? entries_of_short(lens, key, len, position)
                   : entry_put(lens, key->tail, key->mask, position);
}

/* Bytes that JSON may write in another way than by \u: such a key is found by no tail. */
static bool is_plain_key(slice part)
{
    for (size_t i = 0; i < part.len; i++)
        if ((uint8_t)part.at[i] < ' ' || part.at[i] == '"' || part.at[i] == '\\' ||
            part.at[i] == '/')
            return false;
    return part.len > 0;
}

/* The key with this tail, made when there is none; NULL when there is no room. */
static struct sieve_key *key_of(struct sieve_lens *lens, uint64_t tail, uint64_t mask)
{
    for (size_t i = 1; i <= lens->key_count; i++)
        if (lens->keys[i].tail == tail && lens->keys[i].mask == mask)
            return &lens->keys[i];
    if (lens->key_count + 2 > LENS_KEYS_MAX)
        return NULL;
    lens->keys[++lens->key_count] = (struct sieve_key){.tail = tail, .mask = mask};
    return &lens->keys[lens->key_count];
}

/* Splits "a.b.c" into "b" and "c"; the parent of what has none is empty. */
static slice last_part(slice field, slice *parent)
{
    slice part = field, head = SLICE("");

    do
        *parent = head;
    while (slice_cut(part, '.', &head, &part));
    return head;
}

/* What logs use for anything: a field of such a name is told by its parent. */
static bool is_common_word(slice part)
{
    static const slice words[] = {S("name"), S("from"), S("to"), S("value")};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_eq_nocase(words[i], part))
            return true;
    return false;
}

/* The bit for objects of this key. */
static uint64_t mark_of(struct sieve_lens *lens, slice parent)
{
    size_t i = 0;

    while (i < lens->mark_count && !slice_eq_nocase(lens->marks[i], parent))
        i++;
    if (i == LENS_MARKS_MAX)
        return ~0ull;
    if (i == lens->mark_count)
        lens->marks[lens->mark_count++] = parent;
    return 1ull << i;
}

typedef void key_visit(struct sieve_lens *lens, struct sieve_key *key, slice parent, uint32_t uses);

static bool key_visit_part(struct sieve_lens *lens, slice part, key_visit *visit, slice parent,
                           uint32_t uses)
{
    uint64_t tail, mask;
    struct sieve_key *key;

    if (!is_plain_key(part))
        return false;
    tail_of(part, &tail, &mask);
    key = key_of(lens, tail, mask);
    if (key != NULL)
        visit(lens, key, parent, uses);
    return key != NULL; /* else all lines are let through */
}

/* One use for all fields of a key is had without a look at what stands around it; others are asked
 * for only within their parents. */
static void use_add(struct sieve_lens *lens, struct sieve_key *key, slice parent, uint32_t uses)
{
    bool is_first = key->uses == 0 && key->inner == 0;

    if (parent.len == 0 || uses == key->uses || (is_first && uses != 0)) {
        key->uses |= uses;
        return;
    }
    key->inner_uses |= uses;
    key->inner |= mark_of(lens, parent);
}

static void inner_add(struct sieve_lens *lens, struct sieve_key *key, slice parent, uint32_t uses)
{
    key->inner_uses |= uses;
    key->inner |= mark_of(lens, parent);
}

static void mark_set(struct sieve_lens *lens, struct sieve_key *key, slice parent, uint32_t uses)
{
    (void)uses;
    key->mark |= mark_of(lens, parent);
}

static bool field_add(struct sieve_lens *lens, slice field, uint32_t uses)
{
    slice parent, part = last_part(field, &parent);

    bool is_inner = parent.len > 0 && (is_common_word(part) || (uses & USE_TOKENS) != 0);
    return key_visit_part(lens, part, is_inner ? inner_add : use_add, parent, uses);
}

static void json_prepare(struct sieve_lens *lens)
{
    bool has_host = false, has_path = false;

    lens->is_open = lens->is_open || lens->map->rest != NULL;
    for (size_t i = 0; i < lens->map->rule_count && !lens->is_open; i++) {
        const struct map_rule *rule = &lens->map->rules[i];
        uint32_t uses = rule_uses(lens->sieve, rule);

        has_host = has_host || (uses & USE_URL_HOST) != 0;
        has_path = has_path || (uses & USE_URL_PATH) != 0;
        lens->is_open = uses != 0 && !field_add(lens, rule->field, uses);
    }
    for (size_t i = 0; i < lens->mark_count && !lens->is_open; i++)
        lens->is_open = !key_visit_part(lens, lens->marks[i], mark_set, lens->marks[i], 0);
    for (size_t i = lens->key_count; i > 0 && !lens->is_open; i--) /* the map's first comes first */
        lens->is_open = !key_index(lens, (uint16_t)i);
    lens->has_urls = has_host && has_path;
    lens->is_empty = lens->key_count == 0;
}

/* ---- tables of the levels ---- */

static uint32_t positions_of(const size_t lens[4])
{
    size_t at = 0;
    uint32_t positions = 0;

    for (size_t i = 0; i < 4; i++) {
        at += lens[i];
        positions |= 1u << at++;
    }
    return positions;
}

/* The place of octet i's last digit comes third in its group of four. */
static struct sieve_shuffle shuffle_of(const size_t lens[4])
{
    struct sieve_shuffle out;
    size_t at = 0;

    memset(out.places, 0x80, sizeof(out.places));
    for (size_t i = 0; i < 4; i++) {
        for (size_t digit = 0; digit < lens[i]; digit++)
            out.places[(4 * i + 3 - lens[i] + digit) & 15] = (uint8_t)(at + digit);
        at += lens[i] + 1;
    }
    return out;
}

static bool shuffles_place(struct sieve_lens *lens, uint32_t factor)
{
    memset(lens->shuffle_ids, 0, sizeof(lens->shuffle_ids));
    for (size_t form = 0; form < 81; form++) {
        size_t lengths[4] = {form % 3 + 1, form / 3 % 3 + 1, form / 9 % 3 + 1, form / 27 + 1};
        uint32_t positions = positions_of(lengths), slot = shuffle_slot(factor, positions);

        if (lens->shuffle_ids[slot] != 0)
            return false;
        lens->shuffle_ids[slot] = (uint16_t)positions;
        lens->shuffles[slot] = shuffle_of(lengths);
    }
    lens->shuffle_factor = factor;
    return true;
}

static void tables_prepare(struct sieve_lens *lens)
{
    uint32_t factor = 0x9E3779B1u;

    while (!shuffles_place(lens, factor))
        factor += 0x61C88646u; /* stays odd; some hundred tries */
    for (size_t len = 0; len <= SIEVE_TAIL_BYTES; len++) {
        for (size_t word = 0; word < 4; word++) {
            size_t bytes = len > 8 * word ? len - 8 * word : 0;

            lens->tail_masks[len][word] = bytes >= 8   ? ~0ull
                                          : bytes == 0 ? 0
                                                       : ~0ull << (8 * (8 - bytes));
        }
    }
}

enum sieve_level sieve_level_best(void)
{
#ifdef ENTENTE_X86
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
        __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("bmi2"))
        return SIEVE_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        return SIEVE_AVX2;
#endif
    return SIEVE_PLAIN;
}

bool sieve_lens_set_level(struct sieve_lens *lens, enum sieve_level level)
{
    if (level > sieve_level_best())
        return false;
    lens->level = level;
    return true;
}

result sieve_lens_new(const struct sieve *sieve, const struct telemetry_map *map,
                      enum telemetry_shape shape, struct sieve_lens **out, struct diag *diag)
{
    size_t capacity = 0;
    struct sieve_lens *lens =
        FAULT_HERE() ? NULL : table_grow(NULL, &capacity, 1, 1, sizeof(*lens));

    *out = NULL;
    if (lens == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    memset(lens, 0, sizeof(*lens));
    lens->sieve = sieve;
    lens->map = map;
    lens->shape = shape;
    lens->level = sieve_level_best();
    lens->is_open = sieve->is_open != 0;
    tables_prepare(lens);
    if (shape == SHAPE_JSON)
        json_prepare(lens);
    else
        lens->is_open = true;
    *out = lens;
    return OK;
}

bool sieve_lens_sifts(const struct sieve_lens *lens)
{
    return !lens->is_open;
}

void sieve_lens_free(struct sieve_lens **lens)
{
    table_free(*lens);
    *lens = NULL;
}
