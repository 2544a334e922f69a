/* Work in several threads whose results come out in the order of the input.
 *
 * There is a fixed number of slots, each a block on its way.  `take` fills one, `work` works on it,
 * `give` hands its result on.  take and give are never called by two threads at once, and both in
 * the order of the input; work is called by any number of threads.  A slot is not filled again
 * before it was given, so memory is bounded by the slots however slow the last stage is.
 *
 * There is no reading thread: whoever is free takes the next block, so the bytes are still in the
 * cache of the core that works on them.
 */
#pragma once

#include "base/result.h"

#include <stdint.h>

#define SCAN_THREADS_MAX 256
#define SCAN_SLOTS_PER_THREAD 2

struct scan_stages {
    /* *is_end: there is nothing more, and the slot is empty.  Called until then. */
    result (*take)(void *context, size_t slot, bool *is_end, struct diag *diag);
    /* thread: from 0, the same for all calls of one thread. */
    result (*work)(void *context, size_t thread, size_t slot, struct diag *diag);
    /* *is_enough: nobody wants the rest; what is taken already is dropped. */
    result (*give)(void *context, size_t slot, bool *is_enough, struct diag *diag);
    /* A give or a failure ended it all while another thread may wait in take: wake that one up, so
     * that its take returns.  From any thread; may be NULL when take does not wait for long. */
    void (*wake)(void *context);
    void *context;
};

/* How many slots the stages need. */
static inline size_t scan_slots(size_t threads)
{
    return threads == 1 ? 1 : threads * SCAN_SLOTS_PER_THREAD;
}

/* threads: 1 to SCAN_THREADS_MAX; the caller's is the first, and with 1 the only one.  The first
 * failure in the order of the input ends it, and its words are diag's. */
MUST_USE result scan_run(const struct scan_stages *stages, size_t threads, struct diag *diag);
