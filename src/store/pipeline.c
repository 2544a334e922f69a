#include "store/pipeline.h"

#include <assert.h>
#include <pthread.h>
#include <unistd.h>

#include "base/fault.h"

#include "base/banned.h"

#define THREADS_MAX 4
#define BATCHES (THREADS_MAX + 4)
#define WINDOW_BYTES ((size_t)1 << 20)
#define BATCH_TEXT_BYTES_MAX ((size_t)2 << 30)
#define BATCH_ARENA_BYTES_MAX ((size_t)256 << 20)

enum batch_stage { STAGE_FREE, STAGE_FETCHED, STAGE_CHECKING, STAGE_CHECKED };

struct pipeline {
    struct source *source;      /* borrowed */
    struct json_stream *stream; /* owned */
    pthread_mutex_t guard;      /* of all below, but batches in the hands of one thread */
    pthread_cond_t changed;
    struct batch batches[BATCHES];
    enum batch_stage stages[BATCHES];
    uint64_t fetched, taken; /* tickets: windows fetched so far; batches handed to the caller */
    bool is_fetching, has_ended, is_stopping, holds_one;
    pthread_t threads[THREADS_MAX];
    struct checker checkers[THREADS_MAX + 1]; /* the last is the caller's */
    unsigned thread_count, checker_count;
};

static void fetch_copy(struct batch *batch, const struct json_window *window)
{
    size_t bytes = 0, at = 0;

    for (size_t i = 0; i < window->count; i++)
        bytes += window->objects[i].len + 1;
    char *room = buf_reserve(&batch->raw, bytes + JSON_PADDING);
    batch->inputs = arena_new(&batch->arena, slice, window->count);
    uint64_t *offsets = arena_new(&batch->arena, uint64_t, window->count);
    if (room == NULL || batch->inputs == NULL || offsets == NULL || FAULT_HERE()) {
        batch->state = diag_fail(&batch->diag, ERR_LIMIT, "no memory for a window of objects");
        return;
    }
    for (size_t i = 0; i < window->count; i++) {
        slice object = window->objects[i];

        memcpy(room + at, object.at, object.len);
        batch->inputs[i] = slice_of(room + at, object.len);
        offsets[i] = window->offsets[i];
        at += object.len + 1;
    }
    memset(room + at, 0, JSON_PADDING);
    batch->offsets = offsets;
    batch->count = window->count;
    batch->first_index = window->first_index;
}

/* The stream's windows are good until the next one only: a copy (10 GB/s) frees it at once. */
static void fetch(struct pipeline *pipeline, struct batch *batch)
{
    struct json_window window = {0};

    batch->count = 0;
    batch->is_last = false;
    batch->objects = NULL;
    diag_reset(&batch->diag);
    arena_reset(&batch->arena);
    buf_reset(&batch->raw);
    batch->state = json_stream_next(pipeline->stream, &window, &batch->diag);
    batch->bytes_taken = source_bytes_taken(pipeline->source);
    if (failed(batch->state))
        return;
    if (window.count == 0)
        batch->is_last = true;
    else
        fetch_copy(batch, &window);
}

static void check_batch(struct checker *checker, struct batch *batch)
{
    struct checked *objects = arena_new(&batch->arena, struct checked, batch->count);

    buf_reset(&batch->texts);
    buf_reset(&batch->terms);
    if (batch->count == 0 || failed(batch->state))
        return;
    if (objects == NULL) {
        batch->state = diag_fail(&batch->diag, ERR_LIMIT, "no memory to check objects in");
        return;
    }
    for (size_t i = 0; i < batch->count; i++)
        check_object(checker, batch->inputs[i], &batch->arena, &batch->texts, &batch->terms,
                     &objects[i]);
    batch->objects = objects;
}

/* ---- one step of whoever is free; called and left with the guard held ---- */

static bool step_check(struct pipeline *pipeline, struct checker *checker)
{
    for (uint64_t ticket = pipeline->taken; ticket < pipeline->fetched; ticket++) {
        size_t slot = ticket % BATCHES;

        if (pipeline->stages[slot] != STAGE_FETCHED)
            continue;
        pipeline->stages[slot] = STAGE_CHECKING;
        (void)pthread_mutex_unlock(&pipeline->guard);
        check_batch(checker, &pipeline->batches[slot]);
        (void)pthread_mutex_lock(&pipeline->guard);
        pipeline->stages[slot] = STAGE_CHECKED;
        (void)pthread_cond_broadcast(&pipeline->changed);
        return true;
    }
    return false;
}

static bool step_fetch(struct pipeline *pipeline)
{
    size_t slot = pipeline->fetched % BATCHES;

    if (pipeline->is_fetching || pipeline->has_ended || pipeline->stages[slot] != STAGE_FREE)
        return false;
    struct batch *batch = &pipeline->batches[slot];
    pipeline->is_fetching = true;
    (void)pthread_mutex_unlock(&pipeline->guard);
    fetch(pipeline, batch);
    (void)pthread_mutex_lock(&pipeline->guard);
    pipeline->is_fetching = false;
    pipeline->has_ended = batch->is_last || failed(batch->state);
    pipeline->stages[slot] = batch->count > 0 ? STAGE_FETCHED : STAGE_CHECKED;
    pipeline->fetched++;
    (void)pthread_cond_broadcast(&pipeline->changed);
    return true;
}

static void *worker(void *argument)
{
    struct checker *checker = argument;
    struct pipeline *pipeline = checker->context;

    (void)pthread_mutex_lock(&pipeline->guard);
    while (!pipeline->is_stopping)
        if (!step_check(pipeline, checker) && !step_fetch(pipeline))
            (void)pthread_cond_wait(&pipeline->changed, &pipeline->guard);
    (void)pthread_mutex_unlock(&pipeline->guard);
    return NULL;
}

/* A thread that cannot be had is done without: the caller's own steps suffice. */
static void threads_start(struct pipeline *pipeline)
{
    unsigned wanted = pipeline->checker_count - 1;

    while (pipeline->thread_count < wanted && !FAULT_HERE() &&
           pthread_create(&pipeline->threads[pipeline->thread_count], NULL, worker,
                          &pipeline->checkers[pipeline->thread_count]) == 0)
        pipeline->thread_count++;
}

const struct batch *pipeline_next(struct pipeline *pipeline)
{
    struct checker *own = &pipeline->checkers[pipeline->checker_count - 1];
    size_t slot;

    (void)pthread_mutex_lock(&pipeline->guard);
    if (pipeline->holds_one) {
        pipeline->stages[pipeline->taken % BATCHES] = STAGE_FREE;
        pipeline->taken++;
        (void)pthread_cond_broadcast(&pipeline->changed);
    }
    pipeline->holds_one = true;
    slot = pipeline->taken % BATCHES;
    /* Two windows are fetched before any thread starts: most inputs are a single one. */
    while (pipeline->thread_count == 0 && pipeline->fetched < 2 && step_fetch(pipeline))
        ;
    if (pipeline->thread_count == 0 && !pipeline->has_ended && pipeline->checker_count > 1)
        threads_start(pipeline);
    while (pipeline->stages[slot] != STAGE_CHECKED)
        if (pipeline->thread_count > 0)
            (void)pthread_cond_wait(&pipeline->changed, &pipeline->guard);
        else if (!step_check(pipeline, own))
            (void)step_fetch(pipeline);
    (void)pthread_mutex_unlock(&pipeline->guard);
    return &pipeline->batches[slot];
}

static unsigned thread_count_for(unsigned asked)
{
    long there = asked > 0 ? (long)asked : sysconf(_SC_NPROCESSORS_ONLN);

    return there < 1 ? 1 : there > THREADS_MAX ? THREADS_MAX : (unsigned)there;
}

static result pipeline_init(struct pipeline *pipeline, struct source *source,
                            const struct import_options *options, uint64_t seed, struct diag *diag)
{
    unsigned threads = thread_count_for(options->threads);
    struct json_stream_limits limits = {.object_bytes_max = options->object_bytes_max,
                                        .window_bytes = WINDOW_BYTES,
                                        .depth_max = options->json_depth_max};

    for (size_t i = 0; i < BATCHES; i++) {
        pipeline->batches[i].arena = ARENA(BATCH_ARENA_BYTES_MAX);
        pipeline->batches[i].texts = BUF(BATCH_TEXT_BYTES_MAX);
        pipeline->batches[i].terms = BUF(BATCH_TEXT_BYTES_MAX);
        pipeline->batches[i].raw = BUF(BATCH_TEXT_BYTES_MAX);
    }
    pipeline->source = source;
    /* One thread is the caller's own; more are beside it. */
    unsigned wanted = threads > 1 ? threads + 1 : 1;
    for (; pipeline->checker_count < wanted; pipeline->checker_count++) {
        struct checker *checker = &pipeline->checkers[pipeline->checker_count];

        TRY(checker_init(checker, options->mode, options->json_depth_max, options->report != NULL,
                         seed, diag));
        checker->context = pipeline;
    }
    return json_stream_open(source, &limits, &pipeline->stream, diag);
}

result pipeline_open(struct source *source, const struct import_options *options, uint64_t seed,
                     struct pipeline **out, struct diag *diag)
{
    size_t capacity = 0;
    struct pipeline *pipeline =
        FAULT_HERE() ? NULL : table_grow(NULL, &capacity, 1, 1, sizeof(*pipeline));

    *out = pipeline;
    if (pipeline == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for an import");
    memset(pipeline, 0, sizeof(*pipeline));
    if (pthread_mutex_init(&pipeline->guard, NULL) != 0 ||
        pthread_cond_init(&pipeline->changed, NULL) != 0) {
        table_free(pipeline);
        *out = NULL;
        return diag_fail(diag, ERR_IO, "no mutex to be had");
    }
    result r = pipeline_init(pipeline, source, options, seed, diag);
    if (failed(r))
        pipeline_close(out);
    return r;
}

void pipeline_close(struct pipeline **place)
{
    struct pipeline *pipeline = *place;

    if (pipeline == NULL)
        return;
    (void)pthread_mutex_lock(&pipeline->guard);
    pipeline->is_stopping = true;
    (void)pthread_cond_broadcast(&pipeline->changed);
    (void)pthread_mutex_unlock(&pipeline->guard);
    for (unsigned i = 0; i < pipeline->thread_count; i++)
        (void)pthread_join(pipeline->threads[i], NULL);
    for (size_t i = 0; i < BATCHES; i++) {
        arena_free(&pipeline->batches[i].arena);
        buf_free(&pipeline->batches[i].texts);
        buf_free(&pipeline->batches[i].terms);
        buf_free(&pipeline->batches[i].raw);
    }
    /* One that failed to start is zero and freeing it does nothing. */
    for (unsigned i = 0; i < THREADS_MAX + 1; i++)
        checker_free(&pipeline->checkers[i]);
    json_stream_close(&pipeline->stream);
    (void)pthread_cond_destroy(&pipeline->changed);
    (void)pthread_mutex_destroy(&pipeline->guard);
    table_free(pipeline);
    *place = NULL;
}
