#include "sync/runner.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "base/time.h"
#include "ledger/ledger.h"

#include "base/banned.h"

#define PARTNERS_MAX 256
#define PARTNER_BYTES_MAX 150
#define WAIT_S 240 /* at a partner's feed: an idle one costs a request in four minutes */
#define PAUSE_S_MAX 60
#define TICK_MS 500
#define STACK_BYTES ((size_t)512 << 10)
#define NS_PER_S UINT64_C(1000000000)

struct line {
    struct sync_runner *runner;
    pthread_t thread;
    bool is_running;
    atomic_bool is_over;
    char partner[PARTNER_BYTES_MAX + 1];
    struct hash256 card; /* what the line was opened by */
    bool is_wanted;      /* the overseer's mark */
};

struct sync_runner {
    struct sync_place place;
    pthread_t overseer;
    pthread_mutex_t lock; /* guards is_stopping and the waiting */
    pthread_cond_t wake;
    bool is_stopping;
    uint64_t entries; /* of the log, when the partners were last read; the overseer's own */
    struct line lines[PARTNERS_MAX];
};

/* ---- a line ---- */

static bool line_is_over(void *context)
{
    const struct line *line = context;

    return atomic_load(&line->is_over);
}

/* False: it is time to end. */
static bool line_pause(struct line *line, uint64_t pause_s)
{
    struct sync_runner *runner = line->runner;
    uint64_t until_ns = time_mono_ns() + pause_s * NS_PER_S;
    struct timespec until = {(time_t)(until_ns / NS_PER_S), (long)(until_ns % NS_PER_S)};

    (void)pthread_mutex_lock(&runner->lock);
    while (!line_is_over(line) &&
           pthread_cond_clockwait(&runner->wake, &runner->lock, CLOCK_MONOTONIC, &until) == 0)
        continue;
    (void)pthread_mutex_unlock(&runner->lock);
    return !line_is_over(line);
}

static result line_follow(struct line *line, uint64_t *pause_s, struct diag *diag)
{
    CLEANUP(puller_close) struct puller puller = {0};
    struct taken taken;
    bool is_any;

    TRY(puller_open(&line->runner->place, slice_text(line->partner), WAIT_S, line_is_over, line,
                    &puller, diag));
    while (!line_is_over(line)) {
        TRY(puller_step(&puller, WAIT_S, &taken, &is_any, diag));
        *pause_s = 0;
    }
    return OK;
}

static void *line_run(void *context)
{
    struct line *line = context;
    uint64_t pause_s = 0;

    do {
        struct diag diag = {0};

        if (succeeded(line_follow(line, &pause_s, &diag)) || line_is_over(line))
            break;
        pause_s = pause_s == 0 ? 1 : pause_s * 2;
        if (pause_s > PAUSE_S_MAX)
            pause_s = PAUSE_S_MAX;
        log_event(diag.code == ERR_IO ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "sync.not_pulled",
                  "partner=%s why=\"%s\" again_in_s=%llu", line->partner, diag.text,
                  (unsigned long long)pause_s);
    } while (line_pause(line, pause_s));
    return NULL;
}

static void line_start(struct sync_runner *runner, struct line *line, slice partner,
                       const struct hash256 *card)
{
    pthread_attr_t attributes;

    line->runner = runner;
    line->card = *card;
    atomic_store(&line->is_over, false);
    (void)snprintf(line->partner, sizeof(line->partner), "%.*s", SLICE_ARG(partner));
    if (pthread_attr_init(&attributes) != 0)
        return;
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    line->is_running = pthread_create(&line->thread, &attributes, line_run, line) == 0;
    (void)pthread_attr_destroy(&attributes);
    if (!line->is_running)
        log_event(LOG_LEVEL_ERROR, "sync.no_thread", "partner=%s", line->partner);
}

static void line_end(struct line *line)
{
    struct sync_runner *runner = line->runner;

    if (!line->is_running)
        return;
    (void)pthread_mutex_lock(&runner->lock);
    atomic_store(&line->is_over, true);
    (void)pthread_cond_broadcast(&runner->wake);
    (void)pthread_mutex_unlock(&runner->lock);
    (void)pthread_join(line->thread, NULL);
    line->is_running = false;
}

/* ---- the overseer: a line for each partner that can be asked, and for no other ---- */

static void line_want(struct sync_runner *runner, slice partner, const struct hash256 *card)
{
    struct line *free_one = NULL;

    for (size_t i = 0; i < PARTNERS_MAX; i++) {
        struct line *line = &runner->lines[i];

        if (line->is_running && slice_eq(slice_text(line->partner), partner)) {
            if (!hash256_eq(&line->card, card)) {
                line_end(line);
                line_start(runner, line, partner, card);
            }
            line->is_wanted = true;
            return;
        }
        if (!line->is_running && free_one == NULL)
            free_one = line;
    }
    if (free_one == NULL) {
        log_event(LOG_LEVEL_ERROR, "sync.partners_max", "limit=%d", PARTNERS_MAX);
        return;
    }
    line_start(runner, free_one, partner, card);
    free_one->is_wanted = true;
}

static void partners_read(struct sync_runner *runner, struct kv_txn *txn)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)4 << 20);
    const struct sync_place *place = &runner->place;
    slice id, card;

    for (size_t i = 0; keep_partner_at(&place->keep, txn, i, &arena, &id); i++) {
        struct sync_partner partner;

        if (id.len > PARTNER_BYTES_MAX || !sync_partner(place, txn, id, &arena, &partner) ||
            !partner.is_confirmed || partner.url.len == 0 ||
            !keep_card(&place->keep, txn, id, &card))
            continue;
        struct hash256 hash = sha256(card);
        line_want(runner, id, &hash);
    }
}

static void oversee(struct sync_runner *runner)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};

    kv_begin_read(runner->place.keep.kv, &txn, NULL);
    uint64_t entries = ledger_count(&txn, runner->place.keep.log);
    if (entries == runner->entries || failed(txn.state))
        return;
    for (size_t i = 0; i < PARTNERS_MAX; i++)
        runner->lines[i].is_wanted = false;
    partners_read(runner, &txn);
    for (size_t i = 0; i < PARTNERS_MAX; i++)
        if (!runner->lines[i].is_wanted)
            line_end(&runner->lines[i]);
    runner->entries = entries;
}

static void *overseer_run(void *context)
{
    struct sync_runner *runner = context;

    (void)pthread_mutex_lock(&runner->lock);
    while (!runner->is_stopping) {
        uint64_t until_ns = time_mono_ns() + TICK_MS * (NS_PER_S / 1000);
        struct timespec until = {(time_t)(until_ns / NS_PER_S), (long)(until_ns % NS_PER_S)};

        (void)pthread_mutex_unlock(&runner->lock);
        oversee(runner);
        (void)pthread_mutex_lock(&runner->lock);
        while (!runner->is_stopping &&
               pthread_cond_clockwait(&runner->wake, &runner->lock, CLOCK_MONOTONIC, &until) == 0)
            continue;
    }
    (void)pthread_mutex_unlock(&runner->lock);
    return NULL;
}

result sync_runner_start(const struct sync_place *place, struct sync_runner **out,
                         struct diag *diag)
{
    size_t capacity = 0;
    struct sync_runner *runner = table_grow(NULL, &capacity, 1, 1, sizeof(*runner));

    *out = NULL;
    if (runner == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for the exchange");
    memset(runner, 0, sizeof(*runner));
    runner->place = *place;
    runner->entries = UINT64_MAX;
    (void)pthread_mutex_init(&runner->lock, NULL);
    (void)pthread_cond_init(&runner->wake, NULL);
    if (pthread_create(&runner->overseer, NULL, overseer_run, runner) != 0) {
        table_free(runner);
        return diag_fail(diag, ERR_LIMIT, "no thread for the exchange");
    }
    *out = runner;
    return OK;
}

void sync_runner_stop(struct sync_runner **place)
{
    struct sync_runner *runner = *place;

    if (runner == NULL)
        return;
    (void)pthread_mutex_lock(&runner->lock);
    runner->is_stopping = true;
    for (size_t i = 0; i < PARTNERS_MAX; i++)
        atomic_store(&runner->lines[i].is_over, true);
    (void)pthread_cond_broadcast(&runner->wake);
    (void)pthread_mutex_unlock(&runner->lock);
    (void)pthread_join(runner->overseer, NULL);
    for (size_t i = 0; i < PARTNERS_MAX; i++)
        line_end(&runner->lines[i]);
    (void)pthread_cond_destroy(&runner->wake);
    (void)pthread_mutex_destroy(&runner->lock);
    table_free(runner);
    *place = NULL;
}
