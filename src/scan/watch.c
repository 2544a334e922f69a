#include "scan/watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "base/time.h"

#include "base/banned.h"

#define TEXT_BYTES_MAX (INPUT_HEADER_BYTES_MAX + TELEMETRY_LINE_BYTES_MAX + ((size_t)1 << 20))
#define RETRY_MS 1000 /* after a block that the node could not take in */

/* Paths in a text of its own, each with its NUL. */
struct paths {
    char text[CONFIG_TEXT_BYTES_MAX];
    const char *at[CONFIG_TEXT_BYTES_MAX / 2];
    size_t count;
};

struct watch {
    struct sensor *sensor; /* borrowed */
    struct paths files, sockets;
    char state_path[INPUT_PATH_BYTES_MAX];
    struct input_choice input;
    struct follow *follow; /* owned */
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* guards is_stopping */
    pthread_cond_t wake;
    bool is_stopping;
    struct buf text; /* owned; the thread's own, as is the block */
    struct input_block block;
};

static result paths_cut(const char *text, struct paths *out, struct diag *diag)
{
    slice rest, one;
    size_t at = 0;

    if (snprintf(out->text, sizeof(out->text), "%s", text) >= (int)sizeof(out->text))
        return diag_fail(diag, ERR_LIMIT, "more than %zu bytes of paths", sizeof(out->text) - 1);
    for (rest = slice_text(text); rest.len > 0;) {
        (void)slice_cut(rest, ';', &one, &rest);
        one = slice_trim(one);
        if (one.len == 0)
            continue;
        memcpy(out->text + at, one.at, one.len); /* never longer than what was read of it */
        out->text[at + one.len] = '\0';
        out->at[out->count++] = out->text + at;
        at += one.len + 1;
    }
    return OK;
}

static void trouble_log(void *context, enum input_trouble trouble, const char *name, uint64_t line,
                        const char *words)
{
    (void)context;
    log_event(trouble == INPUT_NOTICE ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "telemetry.input",
              "input=%s line=%llu what=%s", name, (unsigned long long)line, words);
}

/* ---- blocks ---- */

/* A table's lines mean nothing without the header before them. */
static slice block_text(struct watch *watch)
{
    const struct input_block *block = &watch->block;

    if (block->header.len == 0)
        return block->bytes;
    buf_reset(&watch->text);
    buf_put(&watch->text, block->header);
    if (!slice_ends(block->header, SLICE("\n")))
        buf_byte(&watch->text, '\n');
    buf_put(&watch->text, block->bytes);
    return watch->text.overflowed ? SLICE_NONE : buf_slice(&watch->text);
}

/* False: the node stops. */
static bool pause_is_over(struct watch *watch)
{
    uint64_t until_ns = time_mono_ns() + (uint64_t)RETRY_MS * 1000000;
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000),
                             .tv_nsec = (long)(until_ns % 1000000000)};
    int number = 0;

    (void)pthread_mutex_lock(&watch->lock);
    while (!watch->is_stopping && number != ETIMEDOUT)
        number = pthread_cond_timedwait(&watch->wake, &watch->lock, &until);
    bool is_over = !watch->is_stopping;
    (void)pthread_mutex_unlock(&watch->lock);
    return is_over;
}

static void broken_log(const struct watch *watch, const struct sensor_counts *counts)
{
    if (counts->broken > 0)
        log_event(LOG_LEVEL_WARN, "telemetry.broken",
                  "input=%s behind_line=%llu lines=%llu first=%s", watch->block.stream->name,
                  (unsigned long long)watch->block.line_number - 1,
                  (unsigned long long)counts->broken, counts->first_broken);
}

/* Until its sightings are durable; a block that cannot be understood is passed over, for it will
 * never be.  False: the node stops, and the block is read again by the next one. */
static bool block_take(struct watch *watch, slice text)
{
    char format[64];

    (void)snprintf(format, sizeof(format), "%.*s", SLICE_ARG(watch->block.format));
    for (;;) {
        struct sensor_counts counts;
        struct diag diag = {0};

        if (succeeded(sensor_take(watch->sensor, text, format, &counts, &diag))) {
            broken_log(watch, &counts);
            return true;
        }
        log_event(LOG_LEVEL_ERROR, "telemetry.failed", "input=%s why=%s", watch->block.stream->name,
                  diag.text);
        if (diag.code == ERR_INVALID || diag.code == ERR_MISSING)
            return true;
        if (!pause_is_over(watch))
            return false;
    }
}

/* False: there is nothing more. */
static bool block_next(struct watch *watch)
{
    struct diag diag = {0};
    bool is_end = false;

    result r = follow_next(watch->follow, &watch->block, &is_end, &diag);
    if (succeeded(r) && is_end)
        return false;
    if (succeeded(r) && watch->block.bytes.len > 0) {
        slice text = block_text(watch);

        if (!block_take(watch, text))
            return false;
        r = follow_told(watch->follow, &watch->block, &diag);
    }
    if (succeeded(r))
        return true;
    log_event(LOG_LEVEL_ERROR, "telemetry.failed", "input=%s why=%s", watch->state_path, diag.text);
    return pause_is_over(watch);
}

static void *run(void *context)
{
    struct watch *watch = context;

    while (block_next(watch))
        ;
    return NULL;
}

/* ---- open, close ---- */

static result watch_start(struct watch *watch, const struct watch_options *options,
                          struct diag *diag)
{
    struct follow_choice choice = {
        .paths = watch->files.at, .sockets = watch->sockets.at, .input = &watch->input};

    if (snprintf(watch->state_path, sizeof(watch->state_path), "%s", options->state_path) >=
        (int)sizeof(watch->state_path))
        return diag_fail(diag, ERR_INVALID, "the path of the positions is too long");
    choice.path_count = watch->files.count;
    choice.socket_count = watch->sockets.count;
    choice.state_path = watch->state_path;
    TRY(follow_open(&choice, &watch->follow, diag));
    int number = pthread_create(&watch->thread, NULL, run, watch);
    if (number != 0)
        return diag_errno(diag, number, "a thread for telemetry");
    watch->has_thread = true;
    return OK;
}

static void locks_make(struct watch *watch)
{
    pthread_condattr_t clock;

    (void)pthread_mutex_init(&watch->lock, NULL); /* plain ones: these cannot fail */
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&watch->wake, &clock);
    (void)pthread_condattr_destroy(&clock);
}

result watch_open(const struct watch_options *options, struct watch **out, struct diag *diag)
{
    size_t capacity = 0;
    struct watch *watch = table_grow(NULL, &capacity, 1, 1, sizeof(*watch));

    *out = NULL;
    if (watch == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for telemetry");
    *watch = (struct watch){
        .sensor = options->sensor, .input = {.report = trouble_log}, .text = BUF(TEXT_BYTES_MAX)};
    locks_make(watch);
    result r =
        diag_within(diag, paths_cut(options->follow, &watch->files, diag), "telemetry_follow");
    if (succeeded(r))
        r = diag_within(diag, paths_cut(options->listen, &watch->sockets, diag),
                        "telemetry_listen");
    bool is_idle = watch->files.count + watch->sockets.count == 0;
    if (succeeded(r) && !is_idle)
        r = diag_within(diag, watch_start(watch, options, diag), "telemetry");
    if (failed(r) || is_idle)
        watch_close(&watch);
    *out = watch;
    return r;
}

void watch_close(struct watch **held)
{
    struct watch *watch = *held;
    struct diag diag = {0};

    if (watch == NULL)
        return;
    (void)pthread_mutex_lock(&watch->lock);
    watch->is_stopping = true;
    (void)pthread_cond_signal(&watch->wake);
    (void)pthread_mutex_unlock(&watch->lock);
    if (watch->has_thread) {
        follow_stop(watch->follow);
        (void)pthread_join(watch->thread, NULL);
    }
    if (watch->follow != NULL && failed(follow_save(watch->follow, &diag)))
        log_event(LOG_LEVEL_ERROR, "telemetry.failed", "input=%s why=%s", watch->state_path,
                  diag.text);
    input_block_free(&watch->block);
    follow_close(&watch->follow);
    buf_free(&watch->text);
    (void)pthread_cond_destroy(&watch->wake);
    (void)pthread_mutex_destroy(&watch->lock);
    table_free(watch);
    *held = NULL;
}
