#include "scan/sensor.h"

#include <pthread.h>
#include <stdio.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/pack.h"

#include "base/banned.h"

#define RULE_ARENA_BYTES_MAX ((size_t)64 << 20)

struct sensor {
    struct sensor_options options;
    struct live *live;            /* owned */
    pthread_mutex_t lock;         /* guards what follows */
    struct report *report;        /* owned */
    struct detector_state *state; /* owned; of the ruleset of this generation */
    uint64_t generation;
    struct retro *retro; /* owned; has a lock of its own */
};

/* ---- one body ---- */

struct taking {
    struct sensor *sensor;
    struct ruleset *set; /* held */
    uint64_t generation;
    struct detector_worker *worker; /* owned */
    struct block_hits found;        /* owned */
    struct arena arena;             /* of a rule */
    struct sensor_counts *counts;
};

static void broken_note(void *context, uint64_t line_number, const struct diag *why)
{
    struct sensor_counts *counts = context;

    if (counts->first_broken[0] == '\0')
        (void)snprintf(counts->first_broken, sizeof(counts->first_broken), "line %llu: %.200s",
                       (unsigned long long)line_number, why->text);
}

/* Under the lock. */
static result state_fit(struct taking *taking, struct diag *diag)
{
    struct sensor *sensor = taking->sensor;
    const struct world *world = store_world(sensor->options.report.store);

    /* A body that was begun before a swap must not bring the old rules back. */
    if (sensor->state != NULL && sensor->generation >= taking->generation)
        return OK;
    detector_state_free(&sensor->state);
    sensor->generation = taking->generation;
    return detector_state_new(taking->set, world->now_us(world->context), &sensor->state, diag);
}

/* Under the lock. */
static result hits_report(struct taking *taking, struct diag *diag)
{
    for (size_t i = 0; i < taking->found.count; i++) {
        struct rule rule;

        arena_reset(&taking->arena);
        if (!ruleset_rule(taking->set, taking->found.hits[i].rule, &taking->arena, &rule))
            return diag_fail(diag, ERR_LIMIT, "no memory for a rule");
        TRY(report_take(taking->sensor->report, &rule, &taking->found.hits[i], diag));
    }
    taking->counts->hits += taking->found.count;
    return OK;
}

static result found_settle(struct taking *taking, struct diag *diag)
{
    struct sensor *sensor = taking->sensor;

    if (taking->found.count == 0 && taking->found.mark_count == 0)
        return OK;
    (void)pthread_mutex_lock(&sensor->lock);
    result r = state_fit(taking, diag);
    /* Marks name rules by their place in the set that they were made with. */
    if (succeeded(r) && sensor->generation == taking->generation)
        r = detector_settle(sensor->state, &taking->found, diag);
    if (succeeded(r))
        r = hits_report(taking, diag);
    (void)pthread_mutex_unlock(&sensor->lock);
    block_hits_reset(&taking->found);
    return r;
}

static result stream_take(struct taking *taking, struct telemetry_stream *stream, struct diag *diag)
{
    struct telemetry_event event;
    bool is_end = false;

    for (;;) {
        TRY(telemetry_stream_next(stream, &event, &is_end, diag));
        if (is_end)
            return OK;
        taking->counts->events += event.count > 0;
        retro_take(taking->sensor->retro, &event);
        TRY(detector_event(taking->worker, &event, &taking->found, diag));
        TRY(found_settle(taking, diag));
    }
}

static result text_take(struct taking *taking, slice text, const char *format, struct diag *diag)
{
    CLEANUP(source_close) struct source *source = NULL;
    CLEANUP(telemetry_stream_close) struct telemetry_stream *stream = NULL;
    const struct world *world = store_world(taking->sensor->options.report.store);
    struct telemetry_choice choice = {.format = format,
                                      .now_us = world->now_us(world->context),
                                      .report = broken_note,
                                      .context = taking->counts};

    TRY(source_of_memory(text, &source, diag));
    TRY(telemetry_stream_open(source, &choice, &stream, diag));
    result r = stream_take(taking, stream, diag);
    const struct telemetry_counts *read = telemetry_stream_counts(stream);
    taking->counts->lines = read->lines;
    taking->counts->bytes = read->bytes;
    taking->counts->broken = read->broken;
    (void)snprintf(taking->counts->format, sizeof(taking->counts->format), "%.*s",
                   SLICE_ARG(telemetry_stream_format(stream)));
    return r;
}

/* What packs a body is told by its first bytes, whatever its header says. */
static enum packing packing_of(slice body)
{
    if (slice_starts(body, SLICE("\x1f\x8b")))
        return PACK_GZIP;
    return slice_starts(body, SLICE("\x28\xb5\x2f\xfd")) ? PACK_ZSTD : PACK_NONE;
}

static result body_take(struct taking *taking, slice body, const char *format, struct diag *diag)
{
    CLEANUP(buf_free) struct buf text = BUF(SENSOR_UNPACKED_BYTES_MAX);
    enum packing packing = packing_of(body);

    if (packing == PACK_NONE)
        return text_take(taking, body, format, diag);
    TRY(unpack(packing, body, &text, diag));
    if (packing_of(buf_slice(&text)) != PACK_NONE)
        return diag_fail(diag, ERR_INVALID, "the body is packed twice");
    return text_take(taking, buf_slice(&text), format, diag);
}

static result reported(struct sensor *sensor, struct diag *diag)
{
    (void)pthread_mutex_lock(&sensor->lock);
    result r = report_flush(sensor->report, NULL, diag);
    (void)pthread_mutex_unlock(&sensor->lock);
    return r;
}

result sensor_take(struct sensor *sensor, slice body, const char *format,
                   struct sensor_counts *counts, struct diag *diag)
{
    struct taking taking = {
        .sensor = sensor, .arena = ARENA(RULE_ARENA_BYTES_MAX), .counts = counts};

    *counts = (struct sensor_counts){0};
    taking.set = live_hold(sensor->live, &taking.generation);
    block_hits_init(&taking.found);
    result r = detector_worker_new(taking.set, &taking.worker, diag);
    if (succeeded(r))
        r = body_take(&taking, body, format, diag);
    detector_worker_free(&taking.worker);
    block_hits_free(&taking.found);
    arena_free(&taking.arena);
    ruleset_release(&taking.set);
    metric_add(METRIC_telemetry_events, counts->events);
    metric_add(METRIC_telemetry, counts->bytes);
    metric_add(METRIC_telemetry_hits, counts->hits);
    metric_add(METRIC_telemetry_broken, counts->broken);
    if (counts->hits > 0 && succeeded(r))
        r = reported(sensor, diag);
    return r;
}

/* ---- what live tells ---- */

struct asking {
    struct sensor *sensor;
    uint64_t hits;
    result r;
    struct diag *diag;
};

static void retro_hit(void *context, const struct rule *rule, const struct hit *hit)
{
    struct asking *asking = context;

    asking->hits++;
    if (failed(asking->r))
        return;
    (void)pthread_mutex_lock(&asking->sensor->lock);
    asking->r = report_take_record(asking->sensor->report, rule, hit, asking->diag);
    (void)pthread_mutex_unlock(&asking->sensor->lock);
}

static void hour_broken(void *context, const struct diag *why)
{
    (void)context;
    log_event(LOG_LEVEL_ERROR, "retro.broken", "why=\"%s\"", why->text);
}

static void news_ask(void *context, const struct ruleset *news)
{
    struct sensor *sensor = context;
    struct diag diag = {0};
    struct asking asking = {.sensor = sensor, .r = OK, .diag = &diag};
    struct retro_question question = {
        .set = news, .hit = retro_hit, .broken = hour_broken, .context = &asking};
    struct retro_answer answer;

    result r = retro_flush(sensor->retro, &diag);
    if (succeeded(r))
        r = retro_ask(&sensor->options.retro, &question, &answer, &diag);
    if (succeeded(r))
        r = asking.r;
    if (succeeded(r) && asking.hits > 0)
        r = reported(sensor, &diag);
    if (failed(r))
        log_event(LOG_LEVEL_ERROR, "retro.failed", "why=\"%s\"", diag.text);
    else
        log_event(LOG_LEVEL_INFO, "retro.asked", "indicators=%zu hours=%zu hits=%llu",
                  ruleset_count(news), answer.hour_count, (unsigned long long)asking.hits);
}

static void ticked(void *context)
{
    struct sensor *sensor = context;
    struct diag diag = {0};

    if (failed(retro_flush_due(sensor->retro, &diag)))
        log_event(LOG_LEVEL_ERROR, "retro.flush_failed", "why=\"%s\"", diag.text);
}

/* ---- open, close ---- */

static result sensor_start(struct sensor *sensor, struct diag *diag)
{
    struct live_options live = sensor->options.live;

    TRY(retro_open(&sensor->options.retro, &sensor->retro, diag));
    TRY(report_open(&sensor->options.report, &sensor->report, diag));
    live.news = news_ask;
    live.tick = ticked;
    live.context = sensor;
    return live_open(&live, &sensor->live, diag);
}

result sensor_open(const struct sensor_options *options, struct sensor **out, struct diag *diag)
{
    size_t capacity = 0;
    struct sensor *sensor = table_grow(NULL, &capacity, 1, 1, sizeof(*sensor));

    *out = NULL;
    if (sensor == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for telemetry");
    *sensor = (struct sensor){.options = *options};
    (void)pthread_mutex_init(&sensor->lock, NULL); /* a plain one: cannot fail */
    result r = sensor_start(sensor, diag);
    if (failed(r))
        sensor_close(&sensor);
    *out = sensor;
    return r;
}

void sensor_close(struct sensor **sensor)
{
    struct diag diag = {0};

    if (*sensor == NULL)
        return;
    live_close(&(*sensor)->live);
    if ((*sensor)->report != NULL && failed(report_flush((*sensor)->report, NULL, &diag)))
        log_event(LOG_LEVEL_ERROR, "sightings.lost", "why=\"%s\"", diag.text);
    report_close(&(*sensor)->report);
    diag_reset(&diag);
    if ((*sensor)->retro != NULL && failed(retro_flush((*sensor)->retro, &diag)))
        log_event(LOG_LEVEL_ERROR, "retro.flush_failed", "why=\"%s\"", diag.text);
    retro_close(&(*sensor)->retro);
    detector_state_free(&(*sensor)->state);
    (void)pthread_mutex_destroy(&(*sensor)->lock);
    table_free(*sensor);
    *sensor = NULL;
}
