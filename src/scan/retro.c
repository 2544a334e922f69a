#include "scan/retro_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/time.h"
#include "scan/retro_list.h"
#include "store/hash.h"

#include "base/banned.h"

#define HOUR_US ((int64_t)3600 * 1000000)
#define SLOTS (2 * RETRO_ENTRIES_MAX)
#define PATH_BYTES_MAX 256
#define AHEAD_US ((int64_t)86400 * 1000000) /* a later time than this is a broken clock's */
#define NAME_BYTES_MAX 4300

struct seen_value {
    int64_t hour;
    slice path, value; /* in the arena */
    uint64_t hash;
    uint16_t first_s, last_s;
};

struct retro {
    struct retro_place place;
    char folder[4200];
    int lock_file;
    pthread_mutex_t lock; /* guards what follows */
    struct arena arena;
    slice paths[RETRO_PATHS_MAX]; /* in the arena */
    size_t path_count;
    struct seen_value *entries; /* owned */
    size_t count, capacity;
    uint32_t *slots;        /* owned: position plus 1 */
    uint64_t lost;          /* values that found no room since the last words about it */
    uint64_t flush_mono_ns; /* of the last one */
};

/* ---- open, close ---- */

static result retro_start(struct retro *retro, struct diag *diag)
{
    char path[NAME_BYTES_MAX];
    size_t slots = 0;

    TRY(whole_folder(retro->place.folder, RETRO_FOLDER, diag));
    (void)snprintf(path, sizeof(path), "%s/lock", retro->folder);
    retro->lock_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (retro->lock_file < 0)
        return diag_errno(diag, errno, "%s", path);
    retro->slots = table_grow(NULL, &slots, SLOTS, SLOTS, sizeof(*retro->slots));
    if (retro->slots == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for the record");
    memset(retro->slots, 0, SLOTS * sizeof(*retro->slots));
    return OK;
}

result retro_open(const struct retro_place *place, struct retro **out, struct diag *diag)
{
    size_t capacity = 0;
    struct retro *retro = table_grow(NULL, &capacity, 1, 1, sizeof(*retro));

    *out = NULL;
    if (retro == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for the record");
    memset(retro, 0, sizeof(*retro));
    retro->place = *place;
    retro->lock_file = -1;
    retro->arena = ARENA(RETRO_MEMORY_BYTES_MAX);
    retro->flush_mono_ns = time_mono_ns();
    (void)snprintf(retro->folder, sizeof(retro->folder), "%s/" RETRO_FOLDER, place->folder);
    (void)pthread_mutex_init(&retro->lock, NULL); /* a plain one: cannot fail */
    result r = retro_start(retro, diag);
    if (failed(r))
        retro_close(&retro);
    *out = retro;
    return diag_within(diag, r, "record");
}

void retro_close(struct retro **retro)
{
    if (*retro == NULL)
        return;
    if ((*retro)->lock_file >= 0)
        (void)close((*retro)->lock_file);
    (void)pthread_mutex_destroy(&(*retro)->lock);
    arena_free(&(*retro)->arena);
    table_free((*retro)->entries);
    table_free((*retro)->slots);
    table_free(*retro);
    *retro = NULL;
}

/* ---- taking ---- */

static slice path_keep(struct retro *retro, slice path)
{
    for (size_t i = 0; i < retro->path_count; i++)
        if (slice_eq(retro->paths[i], path))
            return retro->paths[i];
    if (retro->path_count == RETRO_PATHS_MAX || path.len > PATH_BYTES_MAX)
        return SLICE_NONE;
    slice kept = arena_copy(&retro->arena, path);
    if (kept.at != NULL)
        retro->paths[retro->path_count++] = kept;
    return kept;
}

static bool is_worth_it(const struct telemetry_observable *one)
{
    uint64_t number;

    if (one->value.len == 0 || one->value.len > RETRO_VALUE_BYTES_MAX)
        return false;
    /* Ports and counts of bytes are many, and no indicator is for one of them alone. */
    return !slice_starts(one->path, SLICE("network-traffic:")) || !parse_u64(one->value, &number);
}

static uint32_t *slot_of(struct retro *retro, int64_t hour, slice path, slice value, uint64_t hash)
{
    size_t at = hash % SLOTS;

    for (; retro->slots[at] != 0; at = (at + 1) % SLOTS) {
        const struct seen_value *entry = &retro->entries[retro->slots[at] - 1];

        if (entry->hash == hash && entry->hour == hour && slice_eq(entry->value, value) &&
            slice_eq(entry->path, path))
            break;
    }
    return &retro->slots[at];
}

static bool value_take(struct retro *retro, slice path, slice value, int64_t time_us)
{
    int64_t hour = time_us / HOUR_US;
    uint16_t second = (uint16_t)(time_us % HOUR_US / 1000000);
    uint64_t hash = store_hash64(value, store_hash64(path, (uint64_t)hour));
    uint32_t *slot = slot_of(retro, hour, path, value, hash);

    if (*slot != 0) {
        struct seen_value *entry = &retro->entries[*slot - 1];

        entry->first_s = second < entry->first_s ? second : entry->first_s;
        entry->last_s = second > entry->last_s ? second : entry->last_s;
        return true;
    }
    void *grown = table_grow(retro->entries, &retro->capacity, retro->count + 1, RETRO_ENTRIES_MAX,
                             sizeof(*retro->entries));
    if (grown == NULL)
        return false;
    retro->entries = grown;
    slice kept_path = path_keep(retro, path), kept = arena_copy(&retro->arena, value);
    if (kept_path.at == NULL || kept.at == NULL)
        return false;
    retro->entries[retro->count++] =
        (struct seen_value){hour, kept_path, kept, hash, second, second};
    *slot = (uint32_t)retro->count;
    return true;
}

static void forget(struct retro *retro)
{
    retro->count = retro->path_count = 0;
    memset(retro->slots, 0, SLOTS * sizeof(*retro->slots));
    arena_reset(&retro->arena);
}

static result flush_locked(struct retro *retro, struct diag *diag);

void retro_take(struct retro *retro, const struct telemetry_event *event)
{
    int64_t now_us = time_now_us();
    bool is_dated = event->has_time && event->time_us >= 0 && event->time_us < now_us + AHEAD_US;

    (void)pthread_mutex_lock(&retro->lock);
    for (size_t i = 0; i < event->count; i++) {
        const struct telemetry_observable *one = &event->observables[i];
        int64_t time_us = is_dated ? event->time_us : now_us;
        struct diag diag = {0};

        if (!is_worth_it(one) || value_take(retro, one->path, one->value, time_us))
            continue;
        /* Full: make room.  When that fails the values are let go, so that detection goes on. */
        if (failed(flush_locked(retro, &diag))) {
            log_event(LOG_LEVEL_ERROR, "retro.lost", "values=%zu why=\"%s\"", retro->count,
                      diag.text);
            retro->lost += retro->count;
            forget(retro);
        }
        if (!value_take(retro, one->path, one->value, time_us))
            retro->lost++;
    }
    (void)pthread_mutex_unlock(&retro->lock);
}

/* ---- flushing ---- */

static int value_order(const void *a, const void *b)
{
    const struct seen_value *x = a, *y = b;
    const struct retro_entry one = {.path = x->path, .value = x->value};
    const struct retro_entry two = {.path = y->path, .value = y->value};

    if (x->hour != y->hour)
        return x->hour < y->hour ? -1 : 1;
    return retro_entry_order(&one, &two);
}

/* The hour's file as it is; a broken one is put aside and named, and a new one begun. */
static result old_open(struct retro *retro, int64_t hour, struct retro_reader *out, bool *is_there,
                       struct diag *diag)
{
    char path[NAME_BYTES_MAX], aside[NAME_BYTES_MAX + 8];
    struct diag why = {0};
    result r = retro_reader_open(retro->folder, hour, out, &why);

    *is_there = succeeded(r);
    if (r.code == ERR_MISSING || succeeded(r))
        return OK;
    if (r.code != ERR_CORRUPT)
        return diag_fail(diag, r.code, "%s", why.text);
    (void)snprintf(path, sizeof(path), "%s/%s", retro->folder, out->name);
    (void)snprintf(aside, sizeof(aside), "%s.broken", path);
    log_event(LOG_LEVEL_ERROR, "retro.broken", "why=\"%s\" renamed=.broken", why.text);
    return rename(path, aside) == 0 ? OK : diag_errno(diag, errno, "%s", path);
}

/* New values and those of the file, in order. */
static result merge(struct retro_reader *old, const struct seen_value *values, size_t count,
                    struct retro_writer *writer, struct diag *diag)
{
    struct retro_entry held;
    bool is_end = old == NULL;
    size_t i = 0;

    if (old != NULL)
        TRY(retro_reader_next(old, &held, &is_end, diag));
    while (i < count || !is_end) {
        struct retro_entry fresh = {0};
        int order = 1;

        if (i < count)
            fresh = (struct retro_entry){values[i].path, values[i].value, values[i].first_s,
                                         values[i].last_s};
        if (i < count)
            order = is_end ? -1 : retro_entry_order(&fresh, &held);
        if (order == 0) {
            fresh.first_s = held.first_s < fresh.first_s ? held.first_s : fresh.first_s;
            fresh.last_s = held.last_s > fresh.last_s ? held.last_s : fresh.last_s;
        }
        retro_writer_put(writer, order <= 0 ? &fresh : &held);
        i += order <= 0;
        if (order >= 0)
            TRY(retro_reader_next(old, &held, &is_end, diag));
    }
    return OK;
}

static result hour_write(struct retro *retro, const struct seen_value *values, size_t count,
                         struct diag *diag)
{
    CLEANUP(retro_reader_close) struct retro_reader old = {0};
    CLEANUP(retro_writer_free) struct retro_writer writer;
    CLEANUP(buf_free) struct buf bytes = BUF(RETRO_FILE_BYTES_MAX);
    char name[RETRO_NAME_BYTES];
    bool is_there;

    retro_writer_begin(&writer, values[0].hour);
    TRY(old_open(retro, values[0].hour, &old, &is_there, diag));
    result r = merge(is_there ? &old : NULL, values, count, &writer, diag);
    if (r.code == ERR_CORRUPT) {
        /* A block inside is broken: what can be read of it cannot be told from what cannot. */
        char path[NAME_BYTES_MAX], aside[NAME_BYTES_MAX + 8];

        (void)snprintf(path, sizeof(path), "%s/%s", retro->folder, old.name);
        (void)snprintf(aside, sizeof(aside), "%s.broken", path);
        log_event(LOG_LEVEL_ERROR, "retro.broken", "why=\"%s\" renamed=.broken",
                  diag != NULL ? diag->text : "");
        if (diag != NULL)
            diag_reset(diag);
        if (rename(path, aside) != 0)
            return diag_errno(diag, errno, "%s", path);
        retro_writer_free(&writer);
        retro_writer_begin(&writer, values[0].hour);
        r = merge(NULL, values, count, &writer, diag);
    }
    TRY(r);
    TRY(retro_writer_end(&writer, &bytes, diag));
    retro_name(values[0].hour, name);
    return whole_write(retro->folder, name, buf_slice(&bytes), diag);
}

static result hours_write(struct retro *retro, struct diag *diag)
{
    qsort(retro->entries, retro->count, sizeof(*retro->entries), value_order);
    for (size_t i = 0, end; i < retro->count; i = end) {
        for (end = i; end < retro->count && retro->entries[end].hour == retro->entries[i].hour;)
            end++;
        TRY(hour_write(retro, &retro->entries[i], end - i, diag));
    }
    return OK;
}

/* Sorting has moved the entries; the slots follow. */
static void slots_renew(struct retro *retro)
{
    memset(retro->slots, 0, SLOTS * sizeof(*retro->slots));
    for (size_t i = 0; i < retro->count; i++) {
        const struct seen_value *entry = &retro->entries[i];

        *slot_of(retro, entry->hour, entry->path, entry->value, entry->hash) = (uint32_t)i + 1;
    }
}

static result flush_locked(struct retro *retro, struct diag *diag)
{
    result r = OK;

    retro->flush_mono_ns = time_mono_ns();
    if (retro->count == 0)
        return OK;
    while (flock(retro->lock_file, LOCK_EX) != 0)
        if (errno != EINTR)
            return diag_errno(diag, errno, RETRO_FOLDER "/lock");
    retro_sweep(retro->folder);
    r = hours_write(retro, diag);
    if (succeeded(r))
        r = retro_keep_share(retro->folder, retro->place.share_bytes, diag);
    (void)flock(retro->lock_file, LOCK_UN);
    if (succeeded(r))
        forget(retro);
    else
        slots_renew(retro);
    return diag_within(diag, r, "record");
}

result retro_flush(struct retro *retro, struct diag *diag)
{
    (void)pthread_mutex_lock(&retro->lock);
    result r = flush_locked(retro, diag);
    uint64_t lost = retro->lost;
    retro->lost = 0;
    (void)pthread_mutex_unlock(&retro->lock);
    if (succeeded(r) && lost > 0)
        return diag_fail(diag, ERR_IO, "record: %llu values found no room and are not in it",
                         (unsigned long long)lost);
    return r;
}

result retro_flush_due(struct retro *retro, struct diag *diag)
{
    (void)pthread_mutex_lock(&retro->lock);
    bool is_due = time_mono_ns() - retro->flush_mono_ns >= (uint64_t)RETRO_FLUSH_S * 1000000000;
    (void)pthread_mutex_unlock(&retro->lock);
    return is_due ? retro_flush(retro, diag) : OK;
}
