/* The set: values in order, once each. */
#include "formats/out.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/arena.h"
#include "formats/out_inside.h"

#include "base/banned.h"

#define ADDRESS6_BYTES 16
#define RANK_BYTES 8
#define CREATOR_TEXT_BYTES ((size_t)4 << 20) /* all of it at once: texts do not move */

void out_set_free(struct out_set *set)
{
    for (size_t i = 0; i < OUT_KIND_COUNT; i++)
        table_free(set->tables[i].values);
    table_free(set->text);
    table_free(set->origins);
    table_free(set->creators);
    buf_free(&set->creator_text);
    *set = (struct out_set){0};
}

static bool set_full(struct out_set *set)
{
    set->is_full = true;
    return false;
}

static bool text_put(struct out_set *set, slice text, uint32_t *at)
{
    size_t need;

    if (!size_add(set->text_len, text.len, &need))
        return set_full(set);
    if (need > set->text_capacity) {
        char *moved = table_grow(set->text, &set->text_capacity, need, OUT_TEXT_BYTES_MAX, 1);

        if (moved == NULL)
            return set_full(set);
        set->text = moved;
    }
    if (text.len > 0)
        memcpy(set->text + set->text_len, text.at, text.len);
    *at = (uint32_t)set->text_len;
    set->text_len = need;
    return true;
}

/* ---- origins ---- */

/* The same few made nearly all of them. */
static bool creator_put(struct out_set *set, slice creator, uint16_t *out)
{
    *out = 0;
    if (creator.len == 0)
        return true;
    for (size_t i = set->creator_count; i-- > 0;) {
        if (slice_eq(set->creators[i], creator)) {
            *out = (uint16_t)(i + 1);
            return true;
        }
    }
    if (set->creator_count == OUT_CREATORS_MAX)
        return true; /* shown without one */
    if (set->creator_count == set->creator_capacity) {
        slice *moved = table_grow(set->creators, &set->creator_capacity, set->creator_count + 1,
                                  OUT_CREATORS_MAX, sizeof(slice));

        if (moved == NULL)
            return set_full(set);
        set->creators = moved;
    }
    /* Ids are short, and the ceiling holds them all without moving. */
    if (set->creator_text.ceiling == 0) {
        set->creator_text = BUF(CREATOR_TEXT_BYTES);
        if (buf_reserve(&set->creator_text, CREATOR_TEXT_BYTES) == NULL)
            return set_full(set);
    }
    if (set->creator_text.len + creator.len > CREATOR_TEXT_BYTES)
        return true; /* shown without one */
    char *room = buf_reserve(&set->creator_text, creator.len);
    if (room == NULL)
        return set_full(set);
    memcpy(room, creator.at, creator.len);
    set->creator_text.len += creator.len;
    set->creators[set->creator_count++] = slice_of(room, creator.len);
    *out = (uint16_t)set->creator_count;
    return true;
}

bool out_set_origin(struct out_set *set, struct out_origin origin, slice name, slice creator)
{
    size_t len = name.len < OUT_NAME_BYTES_MAX ? name.len : OUT_NAME_BYTES_MAX;

    while (len > 0 && len < name.len && ((uint8_t)name.at[len] & 0xC0) == 0x80)
        len--;
    if (set->origin_count == set->origin_capacity) {
        struct out_origin *moved =
            table_grow(set->origins, &set->origin_capacity, set->origin_count + 1, OUT_VALUES_MAX,
                       sizeof(struct out_origin));

        if (moved == NULL)
            return set_full(set);
        set->origins = moved;
    }
    origin.name = 0;
    origin.name_len = set->has_names ? (uint8_t)len : 0;
    if (origin.name_len > 0 && !text_put(set, slice_of(name.at, len), &origin.name))
        return false;
    if (!creator_put(set, set->has_names ? creator : SLICE_NONE, &origin.creator))
        return false;
    set->origins[set->origin_count++] = origin;
    return true;
}

/* ---- values ---- */

static uint64_t rank_of(const char *at, size_t len)
{
    uint64_t rank = 0;

    for (size_t i = 0; i < RANK_BYTES; i++)
        rank = rank << 8 | (i < len ? (uint8_t)at[i] : 0);
    return rank;
}

static enum out_taken value_put(struct out_set *set, enum out_kind kind, struct out_value value)
{
    struct out_table *table = &set->tables[kind];

    if (set->is_full || set->origin_count == 0)
        return OUT_FULL;
    if (table->count == table->capacity) {
        struct out_value *moved = table_grow(table->values, &table->capacity, table->count + 1,
                                             OUT_VALUES_MAX, sizeof(struct out_value));

        if (moved == NULL) {
            set->is_full = true;
            return OUT_FULL;
        }
        table->values = moved;
    }
    value.origin = (uint32_t)(set->origin_count - 1);
    table->values[table->count++] = value;
    return OUT_TAKEN;
}

/* ---- addresses ---- */

static bool address_read(slice text, int family, uint8_t bytes[ADDRESS6_BYTES], unsigned *bits)
{
    unsigned most = family == AF_INET ? 32 : 128;
    char room[INET6_ADDRSTRLEN];
    slice address, prefix;
    uint64_t number = most;
    bool has_prefix = slice_cut(text, '/', &address, &prefix);

    if (address.len >= sizeof(room) || memchr(address.at, 0, address.len) != NULL)
        return false;
    if (has_prefix && (prefix.len > 3 || !parse_u64(prefix, &number) || number > most))
        return false;
    memcpy(room, address.at, address.len);
    room[address.len] = '\0';
    *bits = (unsigned)number;
    if (inet_pton(family, room, bytes) != 1)
        return false;
    for (unsigned i = 0; i < most; i++)
        if (i >= number)
            bytes[i / 8] &= (uint8_t) ~(0x80u >> (i % 8));
    return true;
}

/* Networks that are no place in the Internet: this machine, this link, all of them. */
static bool address4_is_broad(const uint8_t *bytes, unsigned bits)
{
    return bits < 8 || bytes[0] == 0 || bytes[0] == 127 || bytes[0] >= 224 ||
           (bytes[0] == 169 && bytes[1] == 254);
}

static bool address6_is_broad(const uint8_t *bytes, unsigned bits)
{
    static const uint8_t zeros[ADDRESS6_BYTES - 1];

    return bits < 16 || bytes[0] == 0xFF || (bytes[0] == 0xFE && (bytes[1] & 0xC0) == 0x80) ||
           (memcmp(bytes, zeros, sizeof(zeros)) == 0 && bytes[ADDRESS6_BYTES - 1] <= 1) ||
           (memcmp(bytes, zeros, 10) == 0 && bytes[10] == 0xFF && bytes[11] == 0xFF);
}

static enum out_taken address_add(struct out_set *set, enum out_kind kind, slice text)
{
    uint8_t bytes[ADDRESS6_BYTES] = {0};
    struct out_value value = {0};
    unsigned bits;
    bool is_four = kind == OUT_IPV4;

    if (!address_read(text, is_four ? AF_INET : AF_INET6, bytes, &bits))
        return OUT_MALFORMED;
    if (set->is_block &&
        (is_four ? address4_is_broad(bytes, bits) : address6_is_broad(bytes, bits)))
        return OUT_BROAD;
    value.prefix = (uint8_t)bits;
    value.rank = rank_of((const char *)bytes, is_four ? 4 : RANK_BYTES);
    value.len = is_four ? 0 : ADDRESS6_BYTES;
    if (!is_four && !text_put(set, slice_of(bytes, ADDRESS6_BYTES), &value.text))
        return OUT_FULL;
    return value_put(set, kind, value);
}

static void address_bytes(const struct out_set *set, enum out_kind kind,
                          const struct out_value *value, uint8_t bytes[ADDRESS6_BYTES])
{
    if (kind == OUT_IPV6) {
        memcpy(bytes, set->text + value->text, ADDRESS6_BYTES);
        return;
    }
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value->rank >> (56 - 8 * i));
}

bool out_is_single(enum out_kind kind, const struct out_value *value)
{
    return kind != OUT_IPV4 ? kind != OUT_IPV6 || value->prefix == 128 : value->prefix == 32;
}

/* ---- texts ---- */

/* Letters, digits, hyphens and underscores, in lower case, within DNS' lengths. */
static bool is_name(slice text)
{
    size_t label = 0;
    bool has_letter = false;

    if (text.len == 0 || text.len > 253)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];

        if (c == '.') {
            if (label == 0)
                return false;
            label = 0;
            has_letter = false;
            continue;
        }
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
        has_letter |= !(c >= '0' && c <= '9');
        if (++label > 63)
            return false;
    }
    return label > 0 && has_letter; /* the last label is no number: that is an address */
}

/* Nothing that begins a line, moves the cursor or turns the direction of writing. */
static bool is_one_line(slice text)
{
    for (size_t i = 0; i < text.len;) {
        size_t step = utf8_step(slice_from(text, i));
        uint8_t first = (uint8_t)text.at[i];

        if (step == 0 || first < 0x20 || first == 0x7F)
            return false;
        if (step == 2 && first == 0xC2 && (uint8_t)text.at[i + 1] < 0xA0)
            return false; /* C1 controls */
        if (step == 3 && first == 0xE2) {
            uint8_t second = (uint8_t)text.at[i + 1], third = (uint8_t)text.at[i + 2];

            if ((second == 0x80 && third >= 0xA8 && third <= 0xAE) ||
                (second == 0x81 && third >= 0xA6 && third <= 0xA9))
                return false;
        }
        i += step;
    }
    return text.len > 0;
}

static bool is_hex(slice text, size_t digits)
{
    if (text.len != digits)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
    }
    return true;
}

static bool is_url(slice text)
{
    size_t scheme = slice_find(text, SLICE("://"));

    if (scheme == SIZE_MAX || scheme == 0 || scheme + 3 == text.len ||
        text.len > OUT_URL_BYTES_MAX || slice_find_byte(text, ' ') != SIZE_MAX)
        return false;
    for (size_t i = 0; i < scheme; i++) {
        char c = text.at[i];

        if (!(c >= 'a' && c <= 'z') && !(i > 0 && ((c >= '0' && c <= '9') || c == '+' || c == '-')))
            return false;
    }
    return is_one_line(text);
}

static bool is_email(slice text)
{
    slice local, host;

    return slice_cut(text, '@', &local, &host) && local.len > 0 && local.len <= 64 &&
           slice_find_byte(text, ' ') == SIZE_MAX && is_name(host) && is_one_line(local);
}

static bool is_fit(enum out_kind kind, slice text)
{
    switch (kind) {
    case OUT_URL:
        return is_url(text);
    case OUT_EMAIL:
        return is_email(text);
    case OUT_FILE_NAME:
        return text.len <= OUT_URL_BYTES_MAX && is_one_line(text);
    case OUT_MD5:
        return is_hex(text, 32);
    case OUT_SHA1:
    case OUT_CERT_SHA1:
        return is_hex(text, 40);
    case OUT_SHA256:
        return is_hex(text, 64);
    case OUT_SHA512:
        return is_hex(text, 128);
    case OUT_DOMAIN:
        return is_name(text);
    case OUT_IPV4:
    case OUT_IPV6:
    case OUT_KIND_COUNT:
        break;
    }
    return false;
}

/* Backwards, dots below all else: a name stands right in front of those below it. */
static enum out_taken name_add(struct out_set *set, slice text)
{
    struct out_value value = {.len = (uint16_t)text.len};
    char room[OUT_ROOM_BYTES];

    if (set->is_block &&
        (slice_find_byte(text, '.') == SIZE_MAX || slice_eq(text, SLICE("localhost.localdomain"))))
        return OUT_BROAD;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[text.len - 1 - i];

        room[i] = c == '.' ? 1 : c;
    }
    value.rank = rank_of(room, text.len);
    if (!text_put(set, slice_of(room, text.len), &value.text))
        return OUT_FULL;
    return value_put(set, OUT_DOMAIN, value);
}

enum out_taken out_set_add(struct out_set *set, enum out_kind kind, slice text)
{
    struct out_value value = {.len = (uint16_t)text.len};

    if (kind == OUT_IPV4 || kind == OUT_IPV6)
        return address_add(set, kind, text);
    if (!is_fit(kind, text))
        return OUT_MALFORMED;
    if (kind == OUT_DOMAIN)
        return name_add(set, text);
    value.rank = rank_of(text.at, text.len);
    if (!text_put(set, text, &value.text))
        return OUT_FULL;
    return value_put(set, kind, value);
}

/* ---- order ---- */

static int key_cmp(const struct out_set *set, const struct out_value *a, const struct out_value *b)
{
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->len > RANK_BYTES || b->len > RANK_BYTES) {
        int order =
            slice_cmp(slice_of(set->text + a->text, a->len), slice_of(set->text + b->text, b->len));

        if (order != 0)
            return order;
    } else if (a->len != b->len) {
        return a->len < b->len ? -1 : 1;
    }
    return (int)a->prefix - (int)b->prefix;
}

/* The one to be shown first: surest, longest valid, then by id, so that it is always the same. */
static int origin_cmp(const struct out_origin *a, const struct out_origin *b)
{
    if (a->confidence != b->confidence)
        return a->confidence > b->confidence ? -1 : 1;
    if (a->valid_until_us != b->valid_until_us)
        return a->valid_until_us > b->valid_until_us ? -1 : 1;
    return memcmp(a->uuid.bytes, b->uuid.bytes, sizeof(a->uuid.bytes));
}

static int value_cmp(const void *a, const void *b, void *context)
{
    const struct out_set *set = (const struct out_set *)context;
    const struct out_value *left = (const struct out_value *)a,
                           *right = (const struct out_value *)b;
    int order = key_cmp(set, left, right);

    return order != 0 ? order
                      : origin_cmp(&set->origins[left->origin], &set->origins[right->origin]);
}

static bool contains(const uint8_t *outer, unsigned bits, const uint8_t *inner)
{
    unsigned whole = bits / 8, rest = bits % 8;

    return memcmp(outer, inner, whole) == 0 &&
           (rest == 0 || ((outer[whole] ^ inner[whole]) & (0xFF00u >> rest) & 0xFFu) == 0);
}

/* Two halves of one network, next to each other, become it. */
static bool are_halves(const struct out_set *set, enum out_kind kind, const struct out_value *low,
                       const struct out_value *high)
{
    uint8_t a[ADDRESS6_BYTES], b[ADDRESS6_BYTES];
    unsigned bits = low->prefix;

    if (bits != high->prefix || bits == 0)
        return false;
    address_bytes(set, kind, low, a);
    address_bytes(set, kind, high, b);
    return contains(a, bits - 1, b) && (a[(bits - 1) / 8] & (0x80u >> ((bits - 1) % 8))) == 0;
}

static void networks_join(struct out_set *set, enum out_kind kind)
{
    struct out_table *table = &set->tables[kind];
    size_t kept = 0;

    for (size_t i = 0; i < table->count; i++) {
        uint8_t outer[ADDRESS6_BYTES], inner[ADDRESS6_BYTES];

        if (kept > 0) {
            address_bytes(set, kind, &table->values[kept - 1], outer);
            address_bytes(set, kind, &table->values[i], inner);
            if (contains(outer, table->values[kept - 1].prefix, inner)) {
                set->covered++;
                continue;
            }
        }
        table->values[kept++] = table->values[i];
        while (kept > 1 &&
               are_halves(set, kind, &table->values[kept - 2], &table->values[kept - 1])) {
            table->values[kept - 2].prefix--;
            kept--;
            set->covered++;
        }
    }
    table->count = kept;
}

bool out_name_is_exact(const struct out_exact *exact, slice name)
{
    return exact->all || (exact->is_exact != NULL && exact->is_exact(exact->context, name));
}

static bool is_below(const struct out_set *set, const struct out_value *name,
                     const struct out_value *above)
{
    return name->len > above->len && set->text[name->text + above->len] == 1 &&
           slice_same_bytes(set->text + name->text, set->text + above->text, above->len);
}

static void names_join(struct out_set *set, const struct out_exact *exact)
{
    struct out_table *table = &set->tables[OUT_DOMAIN];
    const struct out_value *above = NULL;
    size_t kept = 0;

    for (size_t i = 0; i < table->count; i++) {
        char room[OUT_ROOM_BYTES];

        if (above != NULL && is_below(set, &table->values[i], above)) {
            set->covered++;
            continue;
        }
        table->values[kept] = table->values[i];
        slice name = out_value_text(set, OUT_DOMAIN, &table->values[kept], room);
        if (!out_name_is_exact(exact, name))
            above = &table->values[kept];
        kept++;
    }
    table->count = kept;
}

static void repeats_drop(struct out_set *set, struct out_table *table)
{
    size_t kept = 0;

    for (size_t i = 0; i < table->count; i++) {
        if (kept > 0 && key_cmp(set, &table->values[kept - 1], &table->values[i]) == 0) {
            set->repeated++;
            continue;
        }
        table->values[kept++] = table->values[i];
    }
    table->count = kept;
}

void out_set_close(struct out_set *set, bool joined, bool below, const struct out_exact *exact)
{
    for (size_t i = 0; i < OUT_KIND_COUNT; i++) {
        struct out_table *table = &set->tables[i];

        if (table->count > 1)
            qsort_r(table->values, table->count, sizeof(struct out_value), value_cmp, set);
        repeats_drop(set, table);
    }
    if (joined) {
        networks_join(set, OUT_IPV4);
        networks_join(set, OUT_IPV6);
    }
    if (below && !exact->all)
        names_join(set, exact);
}

uint64_t out_set_count(const struct out_set *set, uint32_t kinds)
{
    uint64_t count = 0;

    for (size_t i = 0; i < OUT_KIND_COUNT; i++)
        if ((kinds & OUT_KIND(i)) != 0)
            count += set->tables[i].count;
    return count;
}

/* ---- as text ---- */

static size_t number_put(char *out, unsigned number)
{
    size_t len = 0;

    if (number >= 100)
        out[len++] = (char)('0' + number / 100);
    if (number >= 10)
        out[len++] = (char)('0' + number / 10 % 10);
    out[len++] = (char)('0' + number % 10);
    return len;
}

static slice address_text(const struct out_set *set, enum out_kind kind,
                          const struct out_value *value, char room[OUT_ROOM_BYTES])
{
    uint8_t bytes[ADDRESS6_BYTES];
    size_t len = 0;

    address_bytes(set, kind, value, bytes);
    if (kind == OUT_IPV4) {
        for (unsigned i = 0; i < 4; i++) {
            if (i > 0)
                room[len++] = '.';
            len += number_put(room + len, bytes[i]);
        }
    } else if (inet_ntop(AF_INET6, bytes, room, OUT_ROOM_BYTES) != NULL) {
        len = strlen(room);
    }
    if (!out_is_single(kind, value)) {
        room[len++] = '/';
        len += number_put(room + len, value->prefix);
    }
    return slice_of(room, len);
}

slice out_value_text(const struct out_set *set, enum out_kind kind, const struct out_value *value,
                     char room[OUT_ROOM_BYTES])
{
    const char *from;

    if (kind == OUT_IPV4 || kind == OUT_IPV6)
        return address_text(set, kind, value, room);
    from = set->text + value->text;
    if (kind != OUT_DOMAIN)
        return slice_of(from, value->len);
    for (size_t i = 0; i < value->len; i++)
        room[value->len - 1 - i] = from[i] == 1 ? '.' : from[i];
    return slice_of(room, value->len);
}
