#include "store/writer.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/file.h>
#include <time.h>

#include "base/log.h"
#include "base/time.h"
#include "store/bytes.h"

#include "base/fault.h"

#include "base/banned.h"

#define UNDO_PUTS_MAX 50000
#define NO_PATIENCE UINT_MAX /* not even a moment */
#define LOOK_AGAIN_MS 5      /* flock has no time limit of its own */

static uint64_t mono_ms(void)
{
    return time_mono_ns() / 1000000;
}

static bool mutex_take(struct store *store, unsigned patience_ms)
{
    struct timespec until;

    if (patience_ms == STORE_WAITS)
        return pthread_mutex_lock(&store->writing) == 0;
    if (patience_ms == NO_PATIENCE)
        return pthread_mutex_trylock(&store->writing) == 0;
    uint64_t until_mono_ns = time_mono_ns() + (uint64_t)patience_ms * 1000000;
    until.tv_sec = (time_t)(until_mono_ns / 1000000000);
    until.tv_nsec = (long)(until_mono_ns % 1000000000);
    return pthread_mutex_clocklock(&store->writing, CLOCK_MONOTONIC, &until) == 0;
}

/* 0, or an errno: EWOULDBLOCK when patience is at its end. */
static int file_take(struct store *store, unsigned patience_ms)
{
    uint64_t start_ms = mono_ms();

    for (;;) {
        if (FAULT_HERE())
            return EIO;
        if (flock(store->lock_fd, LOCK_EX | (patience_ms == STORE_WAITS ? 0 : LOCK_NB)) == 0)
            return 0;
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK || patience_ms == NO_PATIENCE ||
            mono_ms() - start_ms >= patience_ms)
            return errno;
        (void)poll(NULL, 0, LOOK_AGAIN_MS);
    }
}

/* Not taken and OK: another writer has it for longer than we had patience. */
static result lock_take(struct store *store, unsigned patience_ms, bool *taken, struct diag *diag)
{
    *taken = false;
    if (store->read_only || store->lock_fd < 0)
        return diag_fail(diag, ERR_DENIED, "%s: opened for reading only", store->folder);
    if (!mutex_take(store, patience_ms))
        return OK;
    int number = file_take(store, patience_ms);
    *taken = number == 0;
    if (*taken)
        return OK;
    (void)pthread_mutex_unlock(&store->writing);
    if (number == EWOULDBLOCK && patience_ms != STORE_WAITS)
        return OK;
    return diag_errno(diag, number, "%s/write.lock", store->folder);
}

static void lock_give(struct store *store)
{
    (void)flock(store->lock_fd, LOCK_UN);
    (void)pthread_mutex_unlock(&store->writing);
}

/* ---- undo: whatever an index says of additions that were never named ---- */

struct undo {
    struct kv_txn txn;
    struct kv *kv;
    struct diag *diag;
    uint64_t seq_end;
    size_t puts;
};

static bool undo_seq(struct kv_cursor *cursor, uint64_t seq_end)
{
    slice key = cursor->key;

    if (key.len < SEQ_BYTES || bytes_get(key.at + key.len - SEQ_BYTES, SEQ_BYTES) < seq_end)
        return false;
    kv_cursor_delete(cursor);
    return true;
}

/* One table, in transactions of bounded size; what was done needs no doing again. */
static void undo_table(struct undo *undo, kv_table table,
                       bool (*drop)(struct kv_cursor *cursor, uint64_t seq_end))
{
    uint8_t place[KV_KEY_BYTES_MAX];
    size_t place_bytes = 0;
    bool more = true;

    while (more && succeeded(undo->txn.state)) {
        CLEANUP(kv_cursor_close) struct kv_cursor cursor = {0};

        kv_cursor_open(&undo->txn, table, &cursor);
        more = kv_seek(&cursor, slice_of(place, place_bytes));
        for (undo->puts = 0; more && undo->puts < UNDO_PUTS_MAX; more = kv_next(&cursor)) {
            place_bytes = cursor.key.len;
            memcpy(place, cursor.key.at, place_bytes);
            undo->puts += drop(&cursor, undo->seq_end) ? 1 : 0;
        }
        kv_cursor_close(&cursor);
        if (!more)
            return;
        result r = kv_commit(&undo->txn);
        if (succeeded(r))
            kv_begin_write(undo->kv, &undo->txn, undo->diag);
        else
            undo->txn.state = r;
    }
}

static result undo_pending(struct store *store, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn read = {0};
    struct undo undo = {.kv = store->kv, .diag = diag};

    kv_begin_read(store->kv, &read, diag);
    bool is_pending = meta_get(&read, META_PENDING, 0) != 0;
    undo.seq_end = meta_get(&read, META_SEQ_END, 0);
    uint64_t text_end = meta_get(&read, META_TEXT_END, 0);
    TRY(read.state);
    kv_abort(&read);
    if (!is_pending)
        return OK;
    kv_begin_write(store->kv, &undo.txn, diag);
    undo_table(&undo, TABLE_IDS, undo_seq);
    undo_table(&undo, TABLE_VERSIONS, undo_seq);
    undo_table(&undo, TABLE_TERMS, posting_cut);
    meta_drop(&undo.txn, META_PENDING);
    TRY(kv_commit(&undo.txn));
    return files_cut(&store->files, undo.seq_end, text_end, diag);
}

/* Bytes of texts that were removed, noted in the transaction that removed them. */
static result holes_punch(struct store *store, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct kv_cursor cursor;
    result r = OK;

    kv_begin_read(store->kv, &txn, diag);
    bool none = kv_count(&txn, TABLE_HOLES) == 0;
    TRY(txn.state);
    kv_abort(&txn);
    if (none)
        return OK;
    kv_begin_write(store->kv, &txn, diag);
    kv_cursor_open(&txn, TABLE_HOLES, &cursor);
    for (bool more = kv_seek(&cursor, SLICE("")); more && succeeded(r); more = kv_next(&cursor))
        if (cursor.key.len == 8 && cursor.value.len == 4)
            r = files_punch(&store->files, bytes_get(cursor.key.at, 8),
                            bytes_get(cursor.value.at, 4), diag);
    kv_cursor_close(&cursor);
    TRY(r);
    kv_clear(&txn, TABLE_HOLES);
    return kv_commit(&txn);
}

result writer_tidy(struct store *store, struct diag *diag)
{
    bool taken;

    TRY(lock_take(store, NO_PATIENCE, &taken, diag));
    if (!taken)
        return OK;
    result r = undo_pending(store, diag);
    if (succeeded(r))
        r = holes_punch(store, diag);
    lock_give(store);
    return r;
}

result writer_punch(struct writer *writer, struct diag *diag)
{
    return holes_punch(writer->store, diag);
}

result store_lock(struct store *store, struct diag *diag)
{
    bool taken;

    TRY(lock_take(store, STORE_WAITS, &taken, diag));
    result r = undo_pending(store, diag);
    if (failed(r))
        lock_give(store);
    return r;
}

void store_unlock(struct store *store)
{
    lock_give(store);
}

/* ---- a write ---- */

result writer_begin(struct store *store, unsigned patience_ms, struct writer *writer,
                    struct diag *diag)
{
    bool is_locked;

    *writer = (struct writer){.diag = diag, .files = {.segment_fd = -1}};
    TRY(lock_take(store, patience_ms, &is_locked, diag));
    if (!is_locked)
        return diag_fail(diag, ERR_CONFLICT, "another import is at work");
    writer->store = store;
    TRY(undo_pending(store, diag));
    kv_begin_read(store->kv, &writer->txn, diag);
    writer->seq_first = meta_get(&writer->txn, META_SEQ_END, 0);
    writer->text_first = meta_get(&writer->txn, META_TEXT_END, 0);
    TRY(writer->txn.state);
    appender_begin(&writer->files, &store->files, writer->seq_first, writer->text_first, diag);
    derivation_init(&writer->derivation, store, &writer->txn, &writer->files, 0, writer->seq_first);
    return OK;
}

/* Commit what was gathered as pending, in batches. */
static result spill(struct writer *writer)
{
    struct kv *kv = writer->store->kv;

    TRY(appender_flush(&writer->files, false));
    kv_abort(&writer->txn);
    kv_begin_write(kv, &writer->txn, writer->diag);
    writer->is_pending = true;
    meta_put(&writer->txn, META_PENDING, 1);
    gather_flush(&writer->derivation.gather, &writer->txn, writer->store->limits.batch_puts);
    return kv_commit(&writer->txn);
}

result writer_spill(struct writer *writer)
{
    if (gather_bytes(&writer->derivation.gather) < writer->store->limits.gather_bytes)
        return OK;
    TRY(spill(writer));
    kv_begin_read(writer->store->kv, &writer->txn, writer->diag);
    return writer->txn.state;
}

result writer_seal(struct writer *writer)
{
    size_t puts = gather_puts(&writer->derivation.gather);

    TRY(appender_flush(&writer->files, true));
    if (writer->is_pending || puts > writer->store->limits.single_puts)
        TRY(spill(writer));
    kv_abort(&writer->txn);
    kv_begin_write(writer->store->kv, &writer->txn, writer->diag);
    gather_flush(&writer->derivation.gather, &writer->txn, 0);
    if (writer->is_pending)
        meta_drop(&writer->txn, META_PENDING);
    if (writer->files.text_end != writer->text_first)
        meta_put(&writer->txn, META_TEXT_END, writer->files.text_end);
    return writer->txn.state;
}

result writer_commit(struct writer *writer)
{
    TRY(kv_commit(&writer->txn));
    writer->is_pending = false;
    writer->is_committed = true;
    return OK;
}

/* When undoing fails too, the next writer does it; until then nobody sees anything of it. */
static void writer_undo(struct writer *writer)
{
    struct diag diag = {0};
    result r = OK;

    if (writer->is_pending)
        r = undo_pending(writer->store, &diag);
    else if (writer->files.additions > writer->seq_first)
        r = files_cut(&writer->store->files, writer->seq_first, writer->text_first, &diag);
    if (failed(r))
        log_event(LOG_LEVEL_WARN, "store.undo_failed", "reason=\"%s\"", diag.text);
}

void writer_end(struct writer *writer)
{
    struct store *store = writer->store;

    if (store == NULL)
        return;
    kv_abort(&writer->txn);
    derivation_free(&writer->derivation);
    appender_end(&writer->files);
    if (!writer->is_committed)
        writer_undo(writer);
    lock_give(store);
    *writer = (struct writer){0};
}
