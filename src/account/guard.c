#include "account/guard.h"

#include <assert.h>
#include <pthread.h>

#include "base/arena.h"
#include "base/fault.h"

#include "base/banned.h"

#define WAYS 8 /* entries that share a row of a table */
#define FAILURE_ROWS 512
#define KNOWN_ROWS 128
#define NS_PER_S 1000000000ull

struct failures {
    struct hash256 who;
    uint32_t count; /* 0: a free entry */
    uint64_t until_mono_ns;
    uint64_t last_mono_ns;
};

struct known {
    struct hash256 credentials;
    uint64_t until_mono_ns; /* 0: a free entry */
    uint64_t stamp;
    uint32_t account;
};

struct guard {
    struct arena arena; /* owned: holds this very struct, too */
    struct guard_options options;

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t turn;
    unsigned verifying, waiting;
    struct failures failures[FAILURE_ROWS][WAYS];
    struct known known[KNOWN_ROWS][WAYS];
};

result guard_new(const struct guard_options *options, struct guard **out, struct diag *diag)
{
    struct arena arena = ARENA(sizeof(struct guard) + 4096);
    struct guard *guard = FAULT_HERE() ? NULL : arena_new(&arena, struct guard, 1);

    assert(options->failures_max > 0 && options->pause_s_max > 0);
    if (guard == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for the table of log-ins");
    guard->options = *options;
    (void)pthread_mutex_init(&guard->lock, NULL);
    (void)pthread_cond_init(&guard->turn, NULL);
    guard->arena = arena;
    *out = guard;
    return OK;
}

void guard_free(struct guard **guard)
{
    struct arena arena;

    if (*guard == NULL)
        return;
    arena = (*guard)->arena;
    (void)pthread_cond_destroy(&(*guard)->turn);
    (void)pthread_mutex_destroy(&(*guard)->lock);
    secret_wipe(*guard, sizeof(**guard));
    arena_free(&arena);
    *guard = NULL;
}

static void add_part(struct sha256_state *state, slice part)
{
    uint64_t bytes = part.len;

    sha256_add(state, slice_of(&bytes, sizeof(bytes))); /* so that parts cannot run together */
    sha256_add(state, part);
}

/* A plain hash behind a key is enough: it is never shown, so nobody can lengthen it. */
struct hash256 guard_mark(const struct guard *guard, char kind, slice a, slice b, slice c)
{
    struct sha256_state state;
    struct hash256 mark;

    sha256_init(&state);
    sha256_add(&state, slice_of(guard->options.key, sizeof(guard->options.key)));
    sha256_add(&state, slice_of(&kind, 1));
    add_part(&state, a);
    add_part(&state, b);
    add_part(&state, c);
    mark = sha256_end(&state);
    secret_wipe(&state, sizeof(state));
    return mark;
}

static size_t row_of(const struct hash256 *mark, size_t rows)
{
    return (size_t)(mark->bytes[0] | mark->bytes[1] << 8) % rows;
}

static bool mark_eq(const struct hash256 *a, const struct hash256 *b)
{
    return secret_eq(slice_of(a->bytes, sizeof(a->bytes)), slice_of(b->bytes, sizeof(b->bytes)));
}

/* ---- failures ---- */

static uint64_t forget_ns(const struct guard *guard)
{
    size_t s = guard->options.pause_s_max;

    return (s > GUARD_FORGET_S ? s : GUARD_FORGET_S) * NS_PER_S;
}

static bool is_stale(const struct guard *guard, const struct failures *entry, uint64_t now)
{
    uint64_t from =
        entry->until_mono_ns > entry->last_mono_ns ? entry->until_mono_ns : entry->last_mono_ns;

    return entry->count == 0 || now > from + forget_ns(guard);
}

static struct failures *failures_find(struct guard *guard, const struct hash256 *who, uint64_t now)
{
    struct failures *row = guard->failures[row_of(who, FAILURE_ROWS)];

    for (size_t i = 0; i < WAYS; i++) {
        if (!is_stale(guard, &row[i], now) && mark_eq(&row[i].who, who))
            return &row[i];
    }
    return NULL;
}

/* Room for a newcomer: a stale entry, else the one with the fewest failures, else the oldest,
 * so that a flood of single failures cannot wash a long pause away. */
static struct failures *failures_evict(struct guard *guard, const struct hash256 *who, uint64_t now)
{
    struct failures *row = guard->failures[row_of(who, FAILURE_ROWS)];
    struct failures *least = &row[0];

    for (size_t i = 0; i < WAYS; i++) {
        if (is_stale(guard, &row[i], now))
            return &row[i];
        if (row[i].count < least->count ||
            (row[i].count == least->count && row[i].last_mono_ns < least->last_mono_ns))
            least = &row[i];
    }
    return least;
}

unsigned guard_wait_s(struct guard *guard, const struct hash256 *who, uint64_t now_mono_ns)
{
    const struct failures *entry;
    uint64_t left_ns = 0;

    (void)pthread_mutex_lock(&guard->lock);
    entry = failures_find(guard, who, now_mono_ns);
    if (entry != NULL && entry->until_mono_ns > now_mono_ns)
        left_ns = entry->until_mono_ns - now_mono_ns;
    (void)pthread_mutex_unlock(&guard->lock);
    return (unsigned)((left_ns + NS_PER_S - 1) / NS_PER_S);
}

static uint64_t pause_s(const struct guard *guard, uint32_t count)
{
    uint64_t doublings, pause;

    if (count < guard->options.failures_max)
        return 0;
    doublings = count - guard->options.failures_max;
    pause = doublings < 32 ? (uint64_t)1 << doublings : UINT64_MAX;
    return pause < guard->options.pause_s_max ? pause : guard->options.pause_s_max;
}

unsigned guard_count_failure(struct guard *guard, const struct hash256 *who, uint64_t now_mono_ns)
{
    struct failures *entry;
    uint64_t pause;

    (void)pthread_mutex_lock(&guard->lock);
    entry = failures_find(guard, who, now_mono_ns);
    if (entry == NULL) {
        entry = failures_evict(guard, who, now_mono_ns);
        *entry = (struct failures){.who = *who};
    }
    if (entry->count < UINT32_MAX)
        entry->count++;
    pause = pause_s(guard, entry->count);
    entry->last_mono_ns = now_mono_ns;
    entry->until_mono_ns = now_mono_ns + pause * NS_PER_S;
    (void)pthread_mutex_unlock(&guard->lock);
    return (unsigned)pause;
}

void guard_forget_failures(struct guard *guard, const struct hash256 *who)
{
    struct failures *row = guard->failures[row_of(who, FAILURE_ROWS)];

    (void)pthread_mutex_lock(&guard->lock);
    for (size_t i = 0; i < WAYS; i++) {
        if (mark_eq(&row[i].who, who))
            row[i].count = 0;
    }
    (void)pthread_mutex_unlock(&guard->lock);
}

/* ---- verified credentials ---- */

bool guard_knows(struct guard *guard, const struct hash256 *credentials, uint32_t account,
                 uint64_t stamp, uint64_t now_mono_ns)
{
    const struct known *row = guard->known[row_of(credentials, KNOWN_ROWS)];
    bool found = false;

    (void)pthread_mutex_lock(&guard->lock);
    for (size_t i = 0; i < WAYS; i++) {
        if (row[i].until_mono_ns > now_mono_ns && row[i].account == account &&
            row[i].stamp == stamp && mark_eq(&row[i].credentials, credentials))
            found = true;
    }
    (void)pthread_mutex_unlock(&guard->lock);
    return found;
}

void guard_remember(struct guard *guard, const struct hash256 *credentials, uint32_t account,
                    uint64_t stamp, uint64_t now_mono_ns)
{
    struct known *row = guard->known[row_of(credentials, KNOWN_ROWS)];
    struct known *place = &row[0];

    (void)pthread_mutex_lock(&guard->lock);
    for (size_t i = 1; i < WAYS; i++) {
        if (row[i].until_mono_ns < place->until_mono_ns)
            place = &row[i];
    }
    for (size_t i = 0; i < WAYS; i++) {
        if (mark_eq(&row[i].credentials, credentials))
            place = &row[i];
    }
    *place = (struct known){.credentials = *credentials,
                            .until_mono_ns = now_mono_ns + GUARD_REMEMBER_S * NS_PER_S,
                            .stamp = stamp,
                            .account = account};
    (void)pthread_mutex_unlock(&guard->lock);
}

/* ---- turns ---- */

bool guard_verify_begin(struct guard *guard)
{
    bool has_turn = true;

    (void)pthread_mutex_lock(&guard->lock);
    if (guard->verifying >= GUARD_VERIFY_MAX) {
        has_turn = guard->waiting < GUARD_VERIFY_QUEUE_MAX;
        guard->waiting += has_turn;
        while (has_turn && guard->verifying >= GUARD_VERIFY_MAX)
            (void)pthread_cond_wait(&guard->turn, &guard->lock);
        guard->waiting -= has_turn;
    }
    guard->verifying += has_turn;
    (void)pthread_mutex_unlock(&guard->lock);
    return has_turn;
}

void guard_verify_end(struct guard *guard)
{
    (void)pthread_mutex_lock(&guard->lock);
    assert(guard->verifying > 0);
    guard->verifying--;
    (void)pthread_cond_signal(&guard->turn);
    (void)pthread_mutex_unlock(&guard->lock);
}

unsigned guard_waiting(struct guard *guard)
{
    unsigned waiting;

    (void)pthread_mutex_lock(&guard->lock);
    waiting = guard->waiting;
    (void)pthread_mutex_unlock(&guard->lock);
    return waiting;
}
