/* The way through a window of JSON lines; each level includes this once, with its own
 *
 *     level_collect   where keys of interest, and what is odd, may be
 *     level_address   a dotted address
 *     level_name      a name's last labels
 *
 * A field's value stands behind `":`; within a compact JSON text these two bytes cannot stand
 * inside a string but behind an escaped quote, which makes a place too many and never one too few.
 * Its key's last bytes say what its value is, values go to a queue for each kind, and each queue is
 * worked off in two passes: the tables are far away, so all are asked for before any is read. */
#pragma once

#include "scan/sieve_lens.h"

#define KEY_BYTES 8
#define VALUE_ROOM 128 /* bytes behind a value's start that a level's own ways may read */

enum name_form { NAME_PLAIN, NAME_ADDRESS, NAME_ODD, NAME_NOTHING };

struct view {
    const struct sieve_lens *lens;
    struct sieve_scratch *scratch;
    const char *block;
    size_t from, to, limit;
};

static size_t level_collect(const struct view *view);
static bool level_address(const struct sieve_lens *lens, const char *at, uint32_t *out);
static enum name_form level_name(const struct sieve_lens *lens, const char *at, uint64_t *hash);

static inline void hit(const struct view *view, size_t at)
{
    view->scratch->hits[view->scratch->hit_count++] = (uint32_t)at;
}

static inline void push(const struct view *view, enum sieve_queue queue, size_t at)
{
    view->scratch->queue[queue][view->scratch->counts[queue]++] = (uint32_t)at;
}

static inline size_t blanks_skip(const struct view *view, size_t at)
{
    while (at < view->limit &&
           (view->block[at] == ' ' || view->block[at] == '\t' || view->block[at] == '\r'))
        at++;
    return at;
}

/* ---- values ---- */

static void other_push(const struct view *view, uint32_t uses, size_t at)
{
    struct sieve_scratch *scratch = view->scratch;

    scratch->uses[scratch->counts[QUEUE_OTHER]] = uses;
    push(view, QUEUE_OTHER, at);
}

/* Does an object of one of these keys begin before, in the same line? */
static bool is_within(const struct view *view, uint64_t marks, size_t at)
{
    const struct sieve_mark *mark = view->scratch->marks;

    for (size_t i = view->scratch->mark_count; i-- > 0;) {
        if (memchr(view->block + mark[i].at, '\n', at - mark[i].at) != NULL)
            return false;
        if (mark[i].bit & marks)
            return true;
    }
    return false;
}

/* What a value of this key may be: at is behind the quote that ends the key.  Behind
 * "\"outer.inner" no object is needed. */
static uint32_t uses_at(const struct view *view, const struct sieve_key *key, size_t at)
{
    if (key->inner_uses == 0 || (key->uses & key->inner_uses) == key->inner_uses)
        return key->uses;
    size_t end = at < 2 ? 0 : at - 1, start = end;
    while (start > view->from && view->block[start - 1] != '"' && view->block[start - 1] != '.' &&
           view->block[start - 1] != '\n')
        start--;
    bool is_path = start > view->from && view->block[start - 1] == '.';
    bool is_all = key->inner == ~0ull;
    return is_all || is_path || is_within(view, key->inner, at) ? key->uses | key->inner_uses
                                                                : key->uses;
}

static void uses_push(const struct view *view, uint32_t uses, size_t at)
{
    if (uses & USE_URL_PATH)
        push(view, QUEUE_PATH, at);
    uses &= ~(uint32_t)USE_URL_PATH;
    if (uses == USE_ADDRESS || uses == USE_NAME)
        push(view, uses == USE_ADDRESS ? QUEUE_ADDRESS : QUEUE_NAME, at);
    else if (uses != 0)
        other_push(view, uses, at);
}

static inline void value_push(const struct view *view, enum sieve_queue queue, uint32_t uses,
                              size_t at)
{
    if (__builtin_expect(queue != QUEUE_OTHER, 1))
        push(view, queue, at);
    else
        uses_push(view, uses, at);
}

/* A number, looked at as the text it is; a quote never stands before it. */
static void number_take(const struct view *view, uint32_t uses, size_t at)
{
    size_t end = at;
    bool is_host = false;

    while (end < view->limit && strchr("+-.eE0123456789", view->block[end]) != NULL &&
           view->block[end] != '\0')
        end++;
    if (sieve_judge(view->lens->sieve, slice_of(view->block + at, end - at), uses, &is_host) ||
        is_host)
        hit(view, at);
}

/* ["a","b"]: each is a value of the key.  Lists in lists and what else is not plain are let
 * through. */
static void list_take(const struct view *view, const struct sieve_key *key, uint32_t uses,
                      size_t at)
{
    size_t next = blanks_skip(view, at);

    while (next < view->to && view->block[next] == '"') {
        const char *start = view->block + next + 1;
        const char *end = memchr(start, '"', view->to - next - 1);

        if (end == NULL || memchr(start, '\\', (size_t)(end - start)) != NULL) {
            hit(view, at);
            return;
        }
        value_push(view, key->queue, uses, next + 1);
        next = blanks_skip(view, (size_t)(end - view->block) + 1);
        if (next < view->to && view->block[next] == ']')
            return;
        next = next < view->to && view->block[next] == ',' ? blanks_skip(view, next + 1) : view->to;
    }
    if (next >= view->to || view->block[next] != ']')
        hit(view, at);
}

/* key_end: behind the quote that ends the key; at: behind the colon. */
static void value_take(const struct view *view, const struct sieve_key *key, size_t key_end,
                       size_t at)
{
    uint32_t uses = uses_at(view, key, key_end);

    at = blanks_skip(view, at);
    if (at >= view->to)
        return;
    if (key->mark != 0 && (view->block[at] == '{' || view->block[at] == '['))
        view->scratch->marks[view->scratch->mark_count++] =
            (struct sieve_mark){(uint32_t)at, key->mark};
    if (uses == 0)
        return;
    if (view->block[at] == '"')
        value_push(view, key->queue, uses, at + 1);
    else if (view->block[at] == '[')
        list_take(view, key, uses, at + 1);
    else if (view->block[at] == '-' || (view->block[at] >= '0' && view->block[at] <= '9'))
        number_take(view, uses, at);
}

static inline const struct sieve_key *key_find(const struct sieve_lens *lens, uint64_t tail)
{
    const struct sieve_entry *entry = &lens->entries[lens->heads[lens_head(tail)]];
    uint8_t before = (uint8_t)(tail >> 48);

    while (((tail ^ entry->tail) & entry->mask) != 0)
        entry = &lens->entries[entry->next];
    if (__builtin_expect(entry->key == 0 && (before == '"' || before == '.'), 0))
        return &lens->keys[lens->short_keys[tail >> 56]];
    return &lens->keys[entry->key];
}

/* The key that ends before the quote at `at`. */
static uint64_t key_tail(const struct view *view, size_t at)
{
    char bytes[KEY_BYTES] = {0};
    size_t len = at < KEY_BYTES ? at : KEY_BYTES;

    memcpy(bytes + KEY_BYTES - len, view->block + at - len, len);
    return sieve_load64(bytes) | SIEVE_FOLD;
}

/* What stands apart from the rest: blanks before a colon, "\u" (in a key it may hide one of
 * interest), lines that do not end as an object does. */
static void odd_take(const struct view *view, size_t at)
{
    const char *block = view->block;
    size_t end = at;

    if (block[at] == ':') {
        while (end > view->from && (block[end - 1] == ' ' || block[end - 1] == '\t'))
            end--;
        if (end == at || end == view->from || block[end - 1] != '"')
            return;
        const struct sieve_key *key = key_find(view->lens, key_tail(view, end - 1));
        value_take(view, key, end, at + 1);
        return;
    }
    if (block[at] == '\n') {
        bool is_return = at > view->from && block[at - 1] == '\r';

        if (is_return && at - 1 > view->from && block[at - 2] == '}')
            return;
        if (at > view->from && block[at - 1] != '\n')
            hit(view, at - 1);
        return;
    }
    while (end < view->to && block[end] != '"' && block[end] != '\n')
        end += block[end] == '\\' ? 2 : 1;
    if (end < view->to && block[end] == '"')
        end = blanks_skip(view, end + 1);
    if (end < view->to && block[end] == ':')
        hit(view, at);
}

static void keys_take(const struct view *view, size_t count)
{
    const uint32_t *found = view->scratch->found;
    const char *block = view->block;

    for (size_t i = 0; i < count; i++) {
        size_t at = found[i];

        if (__builtin_expect(block[at] != ':' || at < KEY_BYTES + 2 || block[at - 1] != '"', 0)) {
            if (block[at] == ':' && at > view->from && block[at - 1] == '"') {
                value_take(view, key_find(view->lens, key_tail(view, at - 1)), at, at + 1);
            } else {
                odd_take(view, at);
            }
            continue;
        }
        uint64_t tail = sieve_load64(block + at - 1 - KEY_BYTES) | SIEVE_FOLD;
        const struct sieve_key *key = key_find(view->lens, tail);
        if (key->mask == 0)
            continue;
        if (__builtin_expect(at + 1 < view->to && block[at + 1] == '"' && key->queue != QUEUE_OTHER,
                             1))
            push(view, key->queue, at + 2);
        else
            value_take(view, key, at, at + 1);
    }
}

/* ---- queues ---- */

/* The value between its quotes; false when an escape or no end is in it. */
static bool value_of(const struct view *view, size_t at, slice *out)
{
    for (size_t end = at; end < view->to; end++) {
        char c = view->block[end];

        if (c == '\\' || c == '\n')
            return false;
        if (c == '"') {
            *out = slice_of(view->block + at, end - at);
            return true;
        }
    }
    return false;
}

static void judge(const struct view *view, size_t at, uint32_t uses)
{
    slice value;
    bool is_host = false;

    if (!value_of(view, at, &value) || sieve_judge(view->lens->sieve, value, uses, &is_host))
        hit(view, at);
    else if (is_host)
        view->scratch->hosts[view->scratch->host_count++] = (uint32_t)at;
}

/* An address of IPv6 written out in full waits for its place in the filter as a name does, when
 * whole addresses alone are asked for.  False: to be judged. */
static bool ipv6_push(const struct view *view, size_t at, size_t *probe_count)
{
    const struct sieve *sieve = view->lens->sieve;
    const uint32_t *bits = sieve->network6_bits;
    const char *value = view->block + at;
    uint8_t address[16];

    if (at + VALUE_ROOM > view->limit || value[SIEVE_IPV6_BYTES] != '"' || value[4] != ':' ||
        (bits[0] | bits[1] | bits[2] | bits[3]) != 0 || !sieve_ipv6_parse_full(value, address) ||
        sieve_load64(address) == 0) /* IPv4 may be in it */
        return false;
    uint64_t hash = sieve_ipv6_hash(address, 128);
    __builtin_prefetch(filter_word(sieve, hash));
    view->scratch->probes[(*probe_count)++] =
        (struct sieve_probe){hash, (uint32_t)at, QUEUE_ADDRESS};
    return true;
}

static void names_work(const struct view *view, enum sieve_queue queue, size_t *probe_count)
{
    struct sieve_scratch *scratch = view->scratch;
    uint32_t uses = queue == QUEUE_HOST ? USE_NAME | USE_URL_HOST : USE_NAME;
    uint64_t hash;

    for (size_t i = 0; i < scratch->counts[queue]; i++) {
        uint32_t at = scratch->queue[queue][i];
        enum name_form form = at + VALUE_ROOM <= view->limit && at >= 2 * SIEVE_TAIL_BYTES
                                  ? level_name(view->lens, view->block + at, &hash)
                                  : NAME_ODD;

        if (form == NAME_PLAIN) {
            uint64_t name = sieve_mix(hash, SALT_LAST_TWO);

            __builtin_prefetch(filter_word(view->lens->sieve, name));
            scratch->probes[(*probe_count)++] = (struct sieve_probe){name, at, QUEUE_NAME};
            if (queue == QUEUE_HOST) {
                uint64_t host = sieve_mix(hash, SALT_URL_LAST_TWO);

                __builtin_prefetch(filter_word(view->lens->sieve, host));
                scratch->probes[(*probe_count)++] = (struct sieve_probe){host, at, QUEUE_HOST};
            }
        } else if (form == NAME_ADDRESS && queue == QUEUE_NAME) {
            push(view, QUEUE_ADDRESS, at | 1u << 31);
        } else if (form != NAME_NOTHING &&
                   (queue != QUEUE_NAME || !ipv6_push(view, at, probe_count))) {
            judge(view, at, uses);
        }
    }
}

static void addresses_work(const struct view *view, size_t *probe_count)
{
    struct sieve_scratch *scratch = view->scratch;
    const struct sieve *sieve = view->lens->sieve;
    size_t count = 0;

    for (size_t i = 0; i < scratch->counts[QUEUE_ADDRESS]; i++) {
        uint32_t given = scratch->queue[QUEUE_ADDRESS][i], at = given & INT32_MAX;

        if (at + VALUE_ROOM <= view->limit &&
            level_address(view->lens, view->block + at, &scratch->addresses[count])) {
            __builtin_prefetch(ipv4_word(sieve, scratch->addresses[count]));
            scratch->address_at[count++] = at;
        } else if (!ipv6_push(view, at, probe_count)) {
            judge(view, at, given != at ? USE_NAME : USE_ADDRESS);
        }
    }
    for (size_t i = 0; i < count; i++)
        if (ipv4_may_have(sieve, scratch->addresses[i]) && ipv4_has(sieve, scratch->addresses[i]))
            hit(view, scratch->address_at[i]);
}

static void hashes_work(const struct view *view, size_t *probe_count)
{
    struct sieve_scratch *scratch = view->scratch;

    for (size_t i = 0; i < scratch->counts[QUEUE_HASH]; i++) {
        uint32_t at = scratch->queue[QUEUE_HASH][i];
        const char *value = view->block + at;
        size_t len = at + VALUE_ROOM > view->limit ? 0
                     : value[64] == '"'            ? 64
                     : value[40] == '"'            ? 40
                     : value[32] == '"'            ? 32
                                                   : 0;

        if (len == 0 || memchr(value, '"', len) != NULL) {
            judge(view, at, USE_HASH);
            continue;
        }
        uint64_t hash = sieve_hash_salted(value, len, SALT_HASH);
        __builtin_prefetch(filter_word(view->lens->sieve, hash));
        scratch->probes[(*probe_count)++] = (struct sieve_probe){hash, at, QUEUE_HASH};
    }
}

static void probes_work(const struct view *view, size_t count)
{
    const struct sieve *sieve = view->lens->sieve;
    struct sieve_scratch *scratch = view->scratch;

    for (size_t i = 0; i < count; i++) {
        const struct sieve_probe *probe = &scratch->probes[i];
        slice value;

        if (!filter_has(sieve, probe->hash))
            continue;
        if (probe->queue == QUEUE_HASH)
            judge(view, probe->at, USE_HASH); /* with colons, or of another length */
        else if (probe->queue == QUEUE_ADDRESS)
            judge(view, probe->at, USE_ADDRESS);
        else if (!value_of(view, probe->at, &value))
            hit(view, probe->at);
        else if (probe->queue == QUEUE_NAME && sieve_name_has(sieve, value))
            hit(view, probe->at);
        else if (probe->queue == QUEUE_HOST && sieve_url_host_has(sieve, value))
            scratch->hosts[scratch->host_count++] = probe->at;
    }
}

/* ---- hosts and paths of one line ---- */

static size_t line_start(const struct view *view, size_t at)
{
    const char *end =
        at > view->from ? memrchr(view->block + view->from, '\n', at - view->from) : NULL;

    return end == NULL ? view->from : (size_t)(end - view->block) + 1;
}

static bool path_fits(const struct view *view, slice host, size_t at)
{
    slice path;

    return !value_of(view, at, &path) || !sieve_path_is_plain(path) ||
           table_has(view->lens->sieve, sieve_url_hash(host, path));
}

static void host_join(const struct view *view, size_t at)
{
    const uint32_t *paths = view->scratch->queue[QUEUE_PATH];
    size_t low = 0, high = view->scratch->counts[QUEUE_PATH], start = line_start(view, at);
    const char *end = memchr(view->block + at, '\n', view->to - at);
    size_t stop = end == NULL ? view->to : (size_t)(end - view->block);
    slice host;

    if (!value_of(view, at, &host)) {
        hit(view, at);
        return;
    }
    size_t colon = slice_find_byte(host, ':');
    host = slice_head(host, colon);
    if (slice_ends(host, SLICE(".")))
        host.len--;
    while (low < high) {
        size_t middle = (low + high) / 2;

        if (paths[middle] < start)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < view->scratch->counts[QUEUE_PATH] && paths[low] < stop; low++) {
        if (path_fits(view, host, paths[low])) {
            hit(view, at);
            return;
        }
    }
}

/* Whole URLs where a path is expected (proxies); the others wait for their host. */
static void paths_work(const struct view *view)
{
    struct sieve_scratch *scratch = view->scratch;

    for (size_t i = 0; i < scratch->counts[QUEUE_PATH]; i++) {
        size_t at = scratch->queue[QUEUE_PATH][i]; /* a line may be cut at it */

        if (at >= view->to || view->block[at] != '/')
            judge(view, at, USE_URL_PATH);
    }
    for (size_t i = 0; i < scratch->host_count; i++)
        host_join(view, scratch->hosts[i]);
}

static inline void json_window(const struct sieve_lens *lens, struct sieve_scratch *scratch,
                               const char *block, size_t from, size_t to, size_t limit)
{
    struct view view = {lens, scratch, block, from, to, limit};
    size_t probe_count = 0;

    memset(scratch->counts, 0, sizeof(scratch->counts));
    scratch->host_count = 0;
    scratch->mark_count = 0;
    keys_take(&view, level_collect(&view));
    names_work(&view, QUEUE_NAME, &probe_count);
    names_work(&view, QUEUE_HOST, &probe_count);
    hashes_work(&view, &probe_count);
    addresses_work(&view, &probe_count);
    probes_work(&view, probe_count);
    for (size_t i = 0; i < scratch->counts[QUEUE_OTHER]; i++)
        judge(&view, scratch->queue[QUEUE_OTHER][i], scratch->uses[i]);
    paths_work(&view);
}
