#include "taxii/reads.h"

#include <pthread.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/time.h"
#include "ledger/ledger.h"

#include "base/banned.h"

#define ENTRY_BODY_BYTES_MAX 16384

struct run {
    uint64_t first, last;
};

struct row {
    uint32_t account, collection;
    char name[ACCOUNT_NAME_BYTES_MAX + 1];
    uint64_t requests, objects;
    struct run runs[READS_RUNS_MAX];
    size_t run_count;
};

struct batch {
    struct row rows[READS_ROWS_MAX];
    size_t count;
    uint64_t since_mono_ns; /* of the first that was noted */
};

struct reads {
    struct store *store;  /* borrowed */
    pthread_mutex_t lock; /* guards all below */
    size_t interval_s;
    struct batch batch;

    pthread_mutex_t entering; /* held while a batch goes into the log */
    struct batch leaving;     /* guarded by it */
};

/* ---- counting ---- */

static struct row *row_of(struct batch *batch, const struct account *account, uint32_t collection)
{
    uint32_t number = account != NULL ? account->number : 0;

    for (size_t i = 0; i < batch->count; i++)
        if (batch->rows[i].account == number && batch->rows[i].collection == collection)
            return &batch->rows[i];
    if (batch->count == READS_ROWS_MAX)
        return NULL;
    if (batch->count == 0)
        batch->since_mono_ns = time_mono_ns();
    struct row *row = &batch->rows[batch->count++];
    *row = (struct row){.account = number, .collection = collection};
    (void)snprintf(row->name, sizeof(row->name), "%s",
                   account != NULL ? account->name : "anonymous");
    return row;
}

/* False: there is no room for one more. */
static bool run_add(struct row *row, uint64_t first, uint64_t last)
{
    /* Who reads page by page goes on where it stopped: the newest run is looked at first. */
    for (size_t i = row->run_count; i-- > 0;) {
        struct run *run = &row->runs[i];

        if (first > run->last + 1 || last + 1 < run->first)
            continue;
        run->first = first < run->first ? first : run->first;
        run->last = last > run->last ? last : run->last;
        return true;
    }
    if (row->run_count == READS_RUNS_MAX)
        return false;
    row->runs[row->run_count++] = (struct run){first, last};
    return true;
}

/* How many of the additions found room: all of them, most of the time. */
static size_t runs_add(struct row *row, const uint64_t *seqs, size_t count)
{
    size_t at = 0;

    while (at < count) {
        size_t end = at + 1;

        while (end < count && seqs[end] == seqs[end - 1] + 1)
            end++;
        if (!run_add(row, seqs[at], seqs[end - 1]))
            return at;
        at = end;
    }
    return at;
}

/* ---- entering ---- */

/* Runs that came to touch each other are one. */
static void runs_order(struct row *row)
{
    size_t kept = 0;

    for (size_t i = 1; i < row->run_count; i++)
        for (size_t k = i; k > 0 && row->runs[k - 1].first > row->runs[k].first; k--) {
            struct run run = row->runs[k];

            row->runs[k] = row->runs[k - 1];
            row->runs[k - 1] = run;
        }
    for (size_t i = 1; i < row->run_count; i++) {
        struct run *last = &row->runs[kept];

        if (row->runs[i].first > last->last + 1)
            row->runs[++kept] = row->runs[i];
        else if (row->runs[i].last > last->last)
            last->last = row->runs[i].last;
    }
    row->run_count = kept + 1;
}

static void row_enter(struct kv_txn *txn, struct store *store, struct row *row)
{
    CLEANUP(buf_free) struct buf body = BUF(ENTRY_BODY_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&body);
    const struct world *world = store_world(store);
    kv_table log = store_log_table(store);
    uint64_t number;

    runs_order(row);
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("actor"), slice_text(row->name));
    jw_put_u64(&w, SLICE("number"), row->account);
    jw_put_u64(&w, SLICE("collection"), row->collection);
    jw_put_u64(&w, SLICE("requests"), row->requests);
    jw_put_u64(&w, SLICE("objects"), row->objects);
    jw_key(&w, SLICE("runs"));
    jw_array_begin(&w);
    for (size_t i = 0; i < row->run_count; i++) {
        jw_array_begin(&w);
        jw_u64(&w, row->runs[i].first);
        jw_u64(&w, row->runs[i].last);
        jw_array_end(&w);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    if (body.overflowed)
        kv_fail(txn, diag_fail(txn->diag, ERR_LIMIT, "no memory for an entry of reads"));
    else
        ledger_append(txn, log, SLICE("read"),
                      ledger_next_us(txn, log, world->now_us(world->context)), buf_slice(&body),
                      &number);
}

/* What cannot be entered is told and lost: an answer that has left is not called back. */
static void batch_enter(struct reads *reads)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct batch *batch = &reads->leaving;
    struct diag diag = {0};

    kv_begin_write(store_kv(reads->store), &txn, &diag);
    for (size_t i = 0; i < batch->count && succeeded(txn.state); i++)
        row_enter(&txn, reads->store, &batch->rows[i]);
    if (failed(kv_commit(&txn)))
        log_event(LOG_LEVEL_ERROR, "taxii.reads_not_entered", "rows=%zu why=\"%s\"", batch->count,
                  diag.text);
    batch->count = 0;
}

/* All that was counted so far; with nothing to do it is quick. */
static void batch_leave(struct reads *reads)
{
    (void)pthread_mutex_lock(&reads->entering);
    (void)pthread_mutex_lock(&reads->lock);
    reads->leaving.count = reads->batch.count;
    memcpy(reads->leaving.rows, reads->batch.rows, reads->batch.count * sizeof(struct row));
    reads->batch.count = 0;
    (void)pthread_mutex_unlock(&reads->lock);
    if (reads->leaving.count > 0)
        batch_enter(reads);
    (void)pthread_mutex_unlock(&reads->entering);
}

void reads_note(struct reads *reads, const struct account *account, uint32_t collection,
                const uint64_t *seqs, size_t count)
{
    bool is_new = true;

    while (count > 0) {
        size_t taken = 0;

        (void)pthread_mutex_lock(&reads->lock);
        struct row *row = row_of(&reads->batch, account, collection);
        if (row != NULL) {
            taken = runs_add(row, seqs, count);
            row->requests += is_new && taken > 0;
            row->objects += taken;
        }
        (void)pthread_mutex_unlock(&reads->lock);
        is_new = is_new && taken == 0;
        seqs += taken;
        count -= taken;
        if (count > 0)
            batch_leave(reads);
    }
}

void reads_tick(struct reads *reads)
{
    (void)pthread_mutex_lock(&reads->lock);
    bool is_due = reads->batch.count > 0 && time_mono_ns() - reads->batch.since_mono_ns >=
                                                reads->interval_s * UINT64_C(1000000000);
    (void)pthread_mutex_unlock(&reads->lock);
    if (is_due)
        batch_leave(reads);
}

/* ---- begin, end ---- */

result reads_new(struct store *store, size_t interval_s, struct reads **out, struct diag *diag)
{
    size_t capacity = 0;
    struct reads *reads = table_grow(NULL, &capacity, 1, 1, sizeof(*reads));

    *out = NULL;
    if (reads == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory to count reads in");
    reads->store = store;
    reads->interval_s = interval_s;
    reads->batch.count = reads->leaving.count = 0;
    (void)pthread_mutex_init(&reads->lock, NULL);
    (void)pthread_mutex_init(&reads->entering, NULL);
    *out = reads;
    return OK;
}

void reads_free(struct reads **place)
{
    struct reads *reads = *place;

    if (reads == NULL)
        return;
    batch_leave(reads);
    (void)pthread_mutex_destroy(&reads->entering);
    (void)pthread_mutex_destroy(&reads->lock);
    table_free(reads);
    *place = NULL;
}

void reads_configure(struct reads *reads, size_t interval_s)
{
    (void)pthread_mutex_lock(&reads->lock);
    reads->interval_s = interval_s;
    (void)pthread_mutex_unlock(&reads->lock);
}
