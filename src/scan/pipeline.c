#include "scan/pipeline.h"

#include <assert.h>
#include <pthread.h>

#include "base/arena.h"
#include "base/fault.h"

#include "base/banned.h"

#define SLOTS_MAX ((size_t)SCAN_THREADS_MAX * SCAN_SLOTS_PER_THREAD)

enum slot_state { SLOT_FREE, SLOT_WORKED_ON, SLOT_DONE };

struct run {
    const struct scan_stages *stages; /* borrowed */
    size_t slot_count;
    pthread_mutex_t lock;  /* guards what follows, but for the stages' own work */
    pthread_cond_t turned; /* a slot or a stage became free, or all is over */
    enum slot_state slots[SLOTS_MAX];
    result states[SLOTS_MAX]; /* of their work; its words: */
    struct diag diags[SLOTS_MAX];
    uint64_t taken, given;     /* blocks so far; the next of each is in slot number % slot_count */
    bool is_taking, is_giving; /* a thread is in that stage */
    bool is_end;               /* of the input */
    bool is_over;              /* nothing more is taken, worked on or given */
    result state;              /* why it is over; its words: */
    struct diag diag;
};

struct lane {
    struct run *run;
    size_t number;
    pthread_t thread;
};

static void run_over(struct run *run, result r, const struct diag *diag)
{
    bool was_over = run->is_over;

    run->is_over = true;
    if (!was_over && failed(r)) {
        run->state = r;
        run->diag = *diag;
    }
    (void)pthread_cond_broadcast(&run->turned);
    if (!was_over && run->is_taking && run->stages->wake != NULL)
        run->stages->wake(run->stages->context);
}

/* With the lock held, which is let go meanwhile.  A failure of take is told in its place: behind
 * all blocks before it. */
static bool block_take(struct run *run, size_t *slot)
{
    const struct scan_stages *stages = run->stages;
    bool is_end = false;

    *slot = (size_t)(run->taken % run->slot_count);
    run->is_taking = true;
    (void)pthread_mutex_unlock(&run->lock);
    result r = stages->take(stages->context, *slot, &is_end, &run->diags[*slot]);
    (void)pthread_mutex_lock(&run->lock);
    run->is_taking = false;
    run->is_end = is_end || failed(r);
    if (succeeded(r) && is_end) {
        (void)pthread_cond_broadcast(&run->turned);
        return false;
    }
    run->taken++;
    run->states[*slot] = r;
    run->slots[*slot] = failed(r) ? SLOT_DONE : SLOT_WORKED_ON;
    (void)pthread_cond_broadcast(&run->turned);
    return succeeded(r) && !run->is_over;
}

/* Everything that is ready, in order.  With the lock held, which is let go meanwhile. */
static void blocks_give(struct run *run)
{
    const struct scan_stages *stages = run->stages;

    run->is_giving = true;
    while (!run->is_over && run->given < run->taken) {
        size_t slot = (size_t)(run->given % run->slot_count);
        bool is_enough = false;

        if (run->slots[slot] != SLOT_DONE)
            break;
        struct diag *diag = &run->diags[slot];
        result r = run->states[slot];
        if (succeeded(r)) {
            (void)pthread_mutex_unlock(&run->lock);
            r = stages->give(stages->context, slot, &is_enough, diag);
            (void)pthread_mutex_lock(&run->lock);
        }
        run->given++;
        run->slots[slot] = SLOT_FREE;
        if (failed(r) || is_enough)
            run_over(run, r, diag);
        diag_reset(diag);
        (void)pthread_cond_broadcast(&run->turned);
    }
    run->is_giving = false;
}

static bool can_take(const struct run *run)
{
    return !run->is_taking && !run->is_end && run->taken - run->given < run->slot_count;
}

static bool can_give(const struct run *run)
{
    return !run->is_giving && run->given < run->taken &&
           run->slots[run->given % run->slot_count] == SLOT_DONE;
}

static void *lane_run(void *argument)
{
    struct lane *lane = argument;
    struct run *run = lane->run;
    size_t slot;

    (void)pthread_mutex_lock(&run->lock);
    while (!run->is_over && !(run->is_end && run->given == run->taken)) {
        if (can_give(run)) {
            blocks_give(run);
        } else if (can_take(run)) {
            if (!block_take(run, &slot))
                continue;
            (void)pthread_mutex_unlock(&run->lock);
            result r =
                run->stages->work(run->stages->context, lane->number, slot, &run->diags[slot]);
            (void)pthread_mutex_lock(&run->lock);
            run->states[slot] = r;
            run->slots[slot] = SLOT_DONE;
        } else {
            (void)pthread_cond_wait(&run->turned, &run->lock);
        }
    }
    (void)pthread_cond_broadcast(&run->turned);
    (void)pthread_mutex_unlock(&run->lock);
    return NULL;
}

/* One thread needs no locks, and a debugger's user no patience. */
static result run_alone(const struct scan_stages *stages, struct diag *diag)
{
    bool is_end = false, is_enough = false;

    while (!is_enough) {
        TRY(stages->take(stages->context, 0, &is_end, diag));
        if (is_end)
            return OK;
        TRY(stages->work(stages->context, 0, 0, diag));
        TRY(stages->give(stages->context, 0, &is_enough, diag));
    }
    return OK;
}

static void run_together(struct run *run, struct lane *lanes, size_t threads)
{
    size_t started = 1;

    for (size_t i = 0; i < threads; i++)
        lanes[i] = (struct lane){.run = run, .number = i};
    /* A machine that has no more threads to give still has this one. */
    while (started < threads && !FAULT_HERE() &&
           pthread_create(&lanes[started].thread, NULL, lane_run, &lanes[started]) == 0)
        started++;
    (void)lane_run(&lanes[0]);
    for (size_t i = 1; i < started; i++)
        (void)pthread_join(lanes[i].thread, NULL);
}

result scan_run(const struct scan_stages *stages, size_t threads, struct diag *diag)
{
    struct lane lanes[SCAN_THREADS_MAX];
    size_t capacity = 0;

    assert(threads >= 1 && threads <= SCAN_THREADS_MAX);
    if (threads == 1)
        return run_alone(stages, diag);
    /* On the heap: the diags alone are half a megabyte. */
    struct run *run = FAULT_HERE() ? NULL : table_grow(NULL, &capacity, 1, 1, sizeof(*run));
    if (run == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    memset(run, 0, sizeof(*run));
    run->stages = stages;
    run->slot_count = scan_slots(threads);
    (void)pthread_mutex_init(&run->lock, NULL);
    (void)pthread_cond_init(&run->turned, NULL);
    run_together(run, lanes, threads);
    result r = run->state;
    if (failed(r))
        r = diag_fail(diag, r.code, "%s", run->diag.text);
    (void)pthread_cond_destroy(&run->turned);
    (void)pthread_mutex_destroy(&run->lock);
    table_free(run);
    return r;
}
