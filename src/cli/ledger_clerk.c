#include "cli/ledger_clerk.h"

#include <pthread.h>
#include <time.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/time.h"

#include "base/banned.h"

#define TICK_S 1
#define ASK_AGAIN_S_MAX 300 /* a witness that fails is asked again after 1, 2, 4 ... seconds */

struct clerk {
    const struct ledger *ledger; /* borrowed */
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t wake;
    bool is_stopping;
    size_t head_s;
    struct cosigners cosigners;
};

/* The thread's own. */
struct round {
    struct cosigners cosigners;
    uint64_t next_mono_ns[COSIGNERS_MAX], pause_s[COSIGNERS_MAX];
    uint64_t signed_mono_ns;
};

static void head_sign(struct clerk *clerk)
{
    struct diag diag = {0};
    bool is_new;

    if (failed(ledger_head_sign(clerk->ledger, &is_new, &diag)))
        log_event(LOG_LEVEL_ERROR, "ledger.head_failed", "why=\"%s\"", diag.text);
    else if (is_new)
        log_event(LOG_LEVEL_DEBUG, "ledger.head_signed", "origin=%s",
                  clerk->ledger->log_key.verifier.name);
}

static void cosigner_round(struct clerk *clerk, struct round *round, size_t i)
{
    struct diag diag = {0};

    if (time_mono_ns() < round->next_mono_ns[i])
        return;
    if (succeeded(cosigner_ask(clerk->ledger, &round->cosigners.at[i], &diag))) {
        round->pause_s[i] = 0;
        return;
    }
    log_event(diag.code == ERR_CORRUPT ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "ledger.not_cosigned",
              "why=\"%s\"", diag.text);
    round->pause_s[i] = round->pause_s[i] == 0 ? 1 : 2 * round->pause_s[i];
    if (round->pause_s[i] > ASK_AGAIN_S_MAX)
        round->pause_s[i] = ASK_AGAIN_S_MAX;
    round->next_mono_ns[i] = time_mono_ns() + round->pause_s[i] * 1000000000u;
}

/* Under the lock on the way in and out. */
static void clerk_round(struct clerk *clerk, struct round *round)
{
    uint64_t interval_ns = clerk->head_s * UINT64_C(1000000000);

    round->cosigners = clerk->cosigners;
    (void)pthread_mutex_unlock(&clerk->lock);
    /* A tick early: what is new is in a head before the interval is over. */
    if (time_mono_ns() - round->signed_mono_ns + TICK_S * UINT64_C(1000000000) > interval_ns) {
        head_sign(clerk);
        round->signed_mono_ns = time_mono_ns();
    }
    for (size_t i = 0; i < round->cosigners.count; i++)
        cosigner_round(clerk, round, i);
    (void)pthread_mutex_lock(&clerk->lock);
}

static void *clerk_run(void *context)
{
    struct clerk *clerk = context;
    struct round round = {0};

    (void)pthread_mutex_lock(&clerk->lock);
    while (!clerk->is_stopping) {
        uint64_t until_mono_ns;
        struct timespec until;

        clerk_round(clerk, &round);
        until_mono_ns = time_mono_ns() + TICK_S * UINT64_C(1000000000);
        until = (struct timespec){(time_t)(until_mono_ns / 1000000000),
                                  (long)(until_mono_ns % 1000000000)};
        while (!clerk->is_stopping &&
               pthread_cond_clockwait(&clerk->wake, &clerk->lock, CLOCK_MONOTONIC, &until) == 0)
            continue;
    }
    (void)pthread_mutex_unlock(&clerk->lock);
    head_sign(clerk);
    return NULL;
}

result clerk_start(const struct ledger *ledger, const struct config *config, struct clerk **out,
                   struct diag *diag)
{
    size_t capacity = 0;
    struct clerk *clerk = table_grow(NULL, &capacity, 1, 1, sizeof(*clerk));

    *out = NULL;
    if (clerk == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for the ledger's clerk");
    memset(clerk, 0, sizeof(*clerk));
    clerk->ledger = ledger;
    if (ledger->is_exposed)
        log_event(LOG_LEVEL_WARN, "ledger.keys_exposed", "folder=%s/keys", ledger->folder);
    (void)pthread_mutex_init(&clerk->lock, NULL);
    (void)pthread_cond_init(&clerk->wake, NULL);
    result r = clerk_configure(clerk, config, diag);
    if (succeeded(r) && pthread_create(&clerk->thread, NULL, clerk_run, clerk) != 0)
        r = diag_fail(diag, ERR_LIMIT, "no thread for the ledger's clerk");
    if (failed(r)) {
        table_free(clerk);
        return r;
    }
    *out = clerk;
    return OK;
}

result clerk_configure(struct clerk *clerk, const struct config *config, struct diag *diag)
{
    struct cosigners cosigners;

    TRY(cosigners_parse(slice_text(config->ledger_witnesses), &cosigners, diag));
    (void)pthread_mutex_lock(&clerk->lock);
    clerk->cosigners = cosigners;
    clerk->head_s = config->ledger_head_s;
    (void)pthread_mutex_unlock(&clerk->lock);
    return OK;
}

void clerk_stop(struct clerk **place)
{
    struct clerk *clerk = *place;

    if (clerk == NULL)
        return;
    (void)pthread_mutex_lock(&clerk->lock);
    clerk->is_stopping = true;
    (void)pthread_cond_signal(&clerk->wake);
    (void)pthread_mutex_unlock(&clerk->lock);
    (void)pthread_join(clerk->thread, NULL);
    (void)pthread_cond_destroy(&clerk->wake);
    (void)pthread_mutex_destroy(&clerk->lock);
    table_free(clerk);
    *place = NULL;
}
