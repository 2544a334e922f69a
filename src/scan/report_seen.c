#include "scan/report_seen.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "scan/whole.h"

#include "base/banned.h"

#define MAP_BYTES_MAX ((size_t)64 << 30)
#define KEY_BYTES 25
#define TABLE_ROWS 0
#define TABLE_DUE 1
#define ROW_BYTES_MAX                                                                              \
    ((size_t)(REPORT_DIGESTS_MAX * 8 + REPORT_VALUES_MAX * (REPORT_VALUE_BYTES_MAX + 512) + 65536))
#define FORGET_MAX 10000 /* rows in one transaction */
#define PATH_BYTES_MAX 4200

static const char *const tables[] = {"rows", "due", NULL};

/* ---- the database ---- */

result seen_open(const char *node_folder, struct seen *out, struct diag *diag)
{
    char folder[PATH_BYTES_MAX], path[PATH_BYTES_MAX + 8];

    *out = (struct seen){.lock = -1};
    TRY(whole_folder(node_folder, SEEN_FOLDER, diag));
    (void)snprintf(folder, sizeof(folder), "%s/" SEEN_FOLDER, node_folder);
    (void)snprintf(path, sizeof(path), "%s/lock", folder);
    out->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (out->lock < 0)
        return diag_errno(diag, errno, "%s", path);
    result r = kv_open(folder, MAP_BYTES_MAX, tables, &out->kv, diag);
    if (failed(r))
        seen_close(out);
    return r;
}

void seen_close(struct seen *seen)
{
    kv_close(&seen->kv);
    if (seen->lock >= 0)
        (void)close(seen->lock);
    seen->lock = -1;
}

result seen_lock(struct seen *seen, struct diag *diag)
{
    while (flock(seen->lock, LOCK_EX) != 0)
        if (errno != EINTR)
            return diag_errno(diag, errno, SEEN_FOLDER "/lock");
    return OK;
}

void seen_unlock(struct seen *seen)
{
    (void)flock(seen->lock, LOCK_UN);
}

/* ---- keys ---- */

struct key {
    uint8_t bytes[KEY_BYTES];
};

static struct key key_of(const struct uuid *indicator, int64_t window_us)
{
    struct key key = {.bytes[0] = window_us == SEEN_UNTIMED ? 'u' : 't'};
    uint64_t window = (uint64_t)window_us ^ (uint64_t)1 << 63;

    for (int i = 0; i < 8; i++)
        key.bytes[1 + i] = (uint8_t)(window >> (56 - 8 * i));
    memcpy(key.bytes + 9, indicator->bytes, 16);
    return key;
}

static bool key_read(slice key, struct uuid *indicator, int64_t *window_us)
{
    uint64_t window = 0;

    if (key.len != KEY_BYTES)
        return false;
    for (int i = 0; i < 8; i++)
        window = window << 8 | (uint8_t)key.at[1 + i];
    *window_us = (int64_t)(window ^ (uint64_t)1 << 63);
    memcpy(indicator->bytes, key.at + 9, 16);
    return true;
}

static slice key_slice(const struct key *key)
{
    return slice_of(key->bytes, KEY_BYTES);
}

/* ---- rows ---- */

static void put_text(struct buf *out, slice text)
{
    buf_u16(out, (uint16_t)text.len);
    buf_put(out, text);
}

static bool row_decode(slice bytes, struct seen_row *out)
{
    struct reader reader = READER(bytes);

    out->touched_us = (int64_t)read_u64(&reader);
    out->first_us = (int64_t)read_u64(&reader);
    out->last_us = (int64_t)read_u64(&reader);
    out->is_over = read_u8(&reader) == 1;
    out->record_count = read_u32(&reader);
    out->markings = read_bytes(&reader, read_u16(&reader));
    out->value_count = read_u16(&reader);
    if (out->value_count > REPORT_VALUES_MAX)
        return false;
    for (size_t i = 0; i < out->value_count; i++) {
        out->values[i].path = read_bytes(&reader, read_u16(&reader));
        out->values[i].value = read_bytes(&reader, read_u16(&reader));
    }
    out->digest_count = read_u16(&reader);
    if (reader.broken || out->digest_count > REPORT_DIGESTS_MAX ||
        reader.rest.len != 8 * out->digest_count)
        return false;
    for (size_t i = 0; i < out->digest_count; i++)
        out->digests[i] = read_u64(&reader);
    return true;
}

result seen_read(struct kv_txn *txn, const struct uuid *indicator, int64_t window_us,
                 struct arena *arena, struct seen_row *out, struct diag *diag)
{
    struct key key = key_of(indicator, window_us);
    slice value;

    *out = (struct seen_row){.indicator = *indicator,
                             .window_us = window_us,
                             .digests = arena_new(arena, uint64_t, REPORT_DIGESTS_MAX)};
    if (out->digests == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for sightings");
    uint64_t *digests = out->digests;
    if (kv_get(txn, TABLE_ROWS, key_slice(&key), &value) &&
        !row_decode(arena_copy(arena, value), out))
        *out =
            (struct seen_row){.indicator = *indicator, .window_us = window_us, .digests = digests};
    return arena->overflowed ? diag_fail(diag, ERR_LIMIT, "no memory for sightings") : txn->state;
}

void seen_write(struct kv_txn *txn, const struct seen_row *row, bool is_due)
{
    CLEANUP(buf_free) struct buf out = BUF(ROW_BYTES_MAX);
    struct key key = key_of(&row->indicator, row->window_us);

    buf_u64(&out, (uint64_t)row->touched_us);
    buf_u64(&out, (uint64_t)row->first_us);
    buf_u64(&out, (uint64_t)row->last_us);
    buf_byte(&out, row->is_over ? 1 : 0);
    buf_u32(&out, row->record_count);
    put_text(&out, row->markings);
    buf_u16(&out, (uint16_t)row->value_count);
    for (size_t i = 0; i < row->value_count; i++) {
        put_text(&out, row->values[i].path);
        put_text(&out, row->values[i].value);
    }
    buf_u16(&out, (uint16_t)row->digest_count);
    for (size_t i = 0; i < row->digest_count; i++)
        buf_u64(&out, row->digests[i]);
    if (out.overflowed) {
        kv_fail(txn, diag_fail(txn->diag, ERR_LIMIT, "no memory for sightings"));
        return;
    }
    kv_put(txn, TABLE_ROWS, key_slice(&key), buf_slice(&out));
    if (is_due)
        kv_put(txn, TABLE_DUE, key_slice(&key), SLICE(""));
}

/* Where a digest stands, or would. */
static size_t digest_place(const struct seen_row *row, uint64_t digest)
{
    size_t low = 0, high = row->digest_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (row->digests[middle] < digest)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool seen_has(const struct seen_row *row, uint64_t digest)
{
    size_t at = digest_place(row, digest);

    return at < row->digest_count && row->digests[at] == digest;
}

bool seen_add(struct seen_row *row, uint64_t digest)
{
    size_t at = digest_place(row, digest);

    if (at < row->digest_count && row->digests[at] == digest)
        return false;
    if (row->digest_count == REPORT_DIGESTS_MAX)
        row->is_over = true;
    if (at == REPORT_DIGESTS_MAX)
        return true;
    if (row->digest_count < REPORT_DIGESTS_MAX)
        row->digest_count++;
    memmove(&row->digests[at + 1], &row->digests[at],
            (row->digest_count - at - 1) * sizeof(row->digests[0]));
    row->digests[at] = digest;
    return true;
}

bool seen_add_value(struct seen_row *row, slice path, slice value)
{
    if (value.len == 0 || value.len > REPORT_VALUE_BYTES_MAX || path.len > 256)
        return false;
    for (size_t i = 0; i < row->value_count; i++)
        if (slice_eq(row->values[i].path, path) && slice_eq(row->values[i].value, value))
            return false;
    if (row->value_count == REPORT_VALUES_MAX)
        return false;
    row->values[row->value_count++] = (struct seen_value){path, value};
    return true;
}

/* k minimum values: n distinct digests are spread evenly, so the k-th smallest stands near k/n of
 * their range. */
uint64_t seen_count(const struct seen_row *row)
{
    if (!row->is_over)
        return row->digest_count > row->record_count ? row->digest_count : row->record_count;
    assert(row->digest_count == REPORT_DIGESTS_MAX);
    double share = (double)row->digests[REPORT_DIGESTS_MAX - 1] / 18446744073709551616.0;
    double count = share > 0 ? (REPORT_DIGESTS_MAX - 1) / share : REPORT_COUNT_MAX;
    if (count >= REPORT_COUNT_MAX)
        return REPORT_COUNT_MAX;
    return count > REPORT_DIGESTS_MAX ? (uint64_t)count : REPORT_DIGESTS_MAX;
}

/* ---- what is due, what is old ---- */

bool seen_due_next(struct kv_txn *txn, struct uuid *indicator, int64_t *window_us)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor = {0};
    struct key key = key_of(indicator, *window_us);

    if (*window_us == SEEN_UNTIMED)
        key.bytes[0] = 't'; /* events without a time are told in the window they came in */
    kv_cursor_open(txn, TABLE_DUE, &cursor);
    return kv_seek(&cursor, key_slice(&key)) && key_read(cursor.key, indicator, window_us);
}

void seen_due_done(struct kv_txn *txn, const struct uuid *indicator, int64_t window_us)
{
    struct key key = key_of(indicator, window_us);

    (void)kv_delete(txn, TABLE_DUE, key_slice(&key));
}

void seen_forget(struct kv_txn *txn, int64_t before_us)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor = {0};
    struct uuid indicator = {0};
    struct key first = key_of(&indicator, INT64_MIN + 1);
    int64_t window_us;
    slice due;

    kv_cursor_open(txn, TABLE_ROWS, &cursor);
    bool more = kv_seek(&cursor, key_slice(&first));
    for (size_t i = 0; more && i < FORGET_MAX; i++) {
        if (cursor.key.len != KEY_BYTES || cursor.key.at[0] != 't' ||
            !key_read(cursor.key, &indicator, &window_us) || window_us >= before_us)
            return;
        struct reader reader = READER(cursor.value);
        if ((int64_t)read_u64(&reader) < before_us && !kv_get(txn, TABLE_DUE, cursor.key, &due))
            kv_cursor_delete(&cursor);
        more = kv_next(&cursor);
    }
}
