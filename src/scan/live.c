#include "scan/live.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/time.h"
#include "ledger/ledger.h"
#include "scan/report.h"
#include "json/json.h"

#include "base/banned.h"

#define NEWS_ARENA_BYTES_MAX ((size_t)16 << 20)
#define RULE_ARENA_BYTES_MAX ((size_t)64 << 20)
#define RETRY_US ((int64_t)10 * 1000000) /* after a build that failed */

struct live {
    struct live_options options;
    pthread_mutex_t lock; /* guards what follows, to the next empty line */
    pthread_cond_t wake;
    bool is_stopping;
    struct ruleset *set;
    uint64_t generation;

    pthread_t thread;
    bool has_thread;
    /* the thread's own */
    uint64_t entries;   /* of the log that were looked at */
    int64_t expires_us; /* when the first rule of the set does */
    int64_t retry_us;   /* a build failed: not before */
    int64_t built_us;   /* when the set was */
    struct arena arena; /* of ids */
    slice *ids;         /* in the arena: LIVE_NEWS_MAX */
    size_t id_count;
    bool is_stale;
};

/* ---- building ---- */

static void covered_tell(const struct allow *allow)
{
    for (size_t i = 0; i < allow_list_count(allow); i++) {
        uint64_t covered;
        slice name = allow_list_name(allow, i, &covered);

        if (covered > 0)
            log_event(LOG_LEVEL_INFO, "rules.allowed", "list=%.*s values=%llu", SLICE_ARG(name),
                      (unsigned long long)covered);
    }
}

/* The indicators of these ids, as they are now. */
static result ids_add(const struct live *live, struct ruleset_builder *builder,
                      struct store_view *view, struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA(NEWS_ARENA_BYTES_MAX);
    const struct collection any = {0};

    for (size_t i = 0; i < live->id_count; i++) {
        slice text;

        arena_reset(&arena);
        TRY(report_held(view, &any, live->ids[i], &arena, &text, diag));
        if (text.len > 0)
            TRY(rules_add_object(builder, SLICE("node"), text, diag));
    }
    return OK;
}

/* news: those that came since the last swap alone. */
static result set_build(struct live *live, bool news, struct ruleset **out, struct diag *diag)
{
    CLEANUP(allow_free) struct allow *allow = NULL;
    CLEANUP(ruleset_builder_free) struct ruleset_builder *builder = NULL;
    CLEANUP(store_view_end) struct store_view view = {0};
    const struct world *world = store_world(live->options.store);
    struct rules_choice choice = live->options.choice;

    TRY(allow_load(&live->options.allow, &allow, diag));
    choice.now_us = world->now_us(world->context);
    choice.is_allowed = allow_list_count(allow) > 0 ? allow_is_allowed : NULL;
    choice.context = allow;
    TRY(ruleset_builder_new(&choice, &builder, diag));
    store_view_begin(live->options.store, &view, diag);
    if (news)
        TRY(ids_add(live, builder, &view, diag));
    else
        TRY(rules_add_store(builder, SLICE("node"), &view, diag));
    store_view_end(&view);
    TRY(ruleset_build(builder, out, diag));
    if (!news)
        covered_tell(allow);
    return OK;
}

/* The first moment at which a rule of the set has run out. */
static int64_t expiry_of(const struct ruleset *set)
{
    CLEANUP(arena_free) struct arena arena = ARENA(RULE_ARENA_BYTES_MAX);
    int64_t first_us = INT64_MAX;

    for (size_t i = 0; i < ruleset_count(set); i++) {
        struct rule rule;

        arena_reset(&arena);
        if (ruleset_rule(set, (uint32_t)i, &arena, &rule) && rule.valid_until_us < first_us)
            first_us = rule.valid_until_us;
    }
    return first_us;
}

static void set_put(struct live *live, struct ruleset *set)
{
    (void)pthread_mutex_lock(&live->lock);
    struct ruleset *old = live->set;
    live->set = set;
    live->generation++;
    (void)pthread_mutex_unlock(&live->lock);
    ruleset_release(&old);
    metric_set(METRIC_rules, ruleset_count(set));
}

/* What is run, and what is not and why. */
static void swap_tell(const struct ruleset *set, uint64_t took_ms)
{
    CLEANUP(buf_free) struct buf why = BUF(4096);
    const struct rules_counts *counts = ruleset_counts(set);

    for (size_t i = RULES_RUN + 1; i < RULES_REASON_COUNT; i++)
        if (counts->of[i] > 0)
            buf_printf(&why, "%s%s:%llu", why.len > 0 ? "," : "",
                       rules_reason_name((enum rules_reason)i), (unsigned long long)counts->of[i]);
    log_event(LOG_LEVEL_INFO, "rules.swapped", "rules=%zu not_run=%.*s took_ms=%llu",
              ruleset_count(set), SLICE_ARG(buf_slice(&why)), (unsigned long long)took_ms);
}

static result set_swap(struct live *live, int64_t now_us, struct diag *diag)
{
    struct ruleset *set = NULL;
    uint64_t start_ns = time_mono_ns();

    TRY(set_build(live, false, &set, diag));
    live->expires_us = expiry_of(set);
    live->built_us = now_us;
    live->is_stale = false;
    set_put(live, set);
    swap_tell(set, (time_mono_ns() - start_ns) / 1000000);
    return OK;
}

static result news_tell(struct live *live, struct diag *diag)
{
    struct ruleset *news = NULL;

    if (live->id_count == 0 || live->options.news == NULL)
        return OK;
    TRY(set_build(live, true, &news, diag));
    if (ruleset_count(news) > 0)
        live->options.news(live->options.context, news);
    ruleset_release(&news);
    return OK;
}

/* ---- looking ---- */

static void news_forget(struct live *live)
{
    arena_reset(&live->arena);
    live->ids = arena_new(&live->arena, slice, LIVE_NEWS_MAX);
    live->id_count = 0;
}

/* Additions of one entry: are there indicators among them? */
static void additions_look(struct live *live, struct store_view *view, uint64_t first,
                           uint64_t count)
{
    for (uint64_t seq = first; seq < first + count && seq < view->seq_end; seq++) {
        struct store_item item;

        if (!store_item_at(view, seq, &item) ||
            !slice_starts(slice_text(item.id), SLICE("indicator--")))
            continue;
        live->is_stale = true;
        if (live->ids != NULL && live->id_count < LIVE_NEWS_MAX) {
            slice id = arena_copy(&live->arena, slice_text(item.id));

            if (id.at != NULL)
                live->ids[live->id_count++] = id;
        }
    }
}

static void entry_look(struct live *live, struct store_view *view, const struct ledger_entry *entry)
{
    int64_t first = 0, count = 0;

    if (slice_eq(entry->kind, SLICE("objects"))) {
        if (json_i64(&entry->doc, json_get(&entry->doc, entry->doc.nodes, SLICE("first")),
                     &first) &&
            json_i64(&entry->doc, json_get(&entry->doc, entry->doc.nodes, SLICE("count")),
                     &count) &&
            first >= 0 && count >= 0)
            additions_look(live, view, (uint64_t)first, (uint64_t)count);
        return;
    }
    if (slice_eq(entry->kind, SLICE("remove")) || slice_starts(entry->kind, SLICE("allow.")))
        live->is_stale = true;
}

/* What the log says since the last look. */
static result log_look(struct live *live, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(store_view_end) struct store_view view = {0};
    kv_table log = store_log_table(live->options.store);

    store_view_begin(live->options.store, &view, diag);
    uint64_t count = ledger_count(&view.txn, log);
    if (failed(view.txn.state) || count == live->entries)
        return view.txn.state;
    TRY(json_parser_new(LEDGER_DEPTH_MAX, &parser, diag));
    for (uint64_t number = live->entries; number < count; number++) {
        struct ledger_entry entry;
        slice text;

        if (!ledger_read(&view.txn, log, number, &text))
            break;
        TRY(ledger_parse(parser, text, &entry, diag));
        entry_look(live, &view, &entry);
    }
    TRY(view.txn.state);
    live->entries = count;
    return OK;
}

static void look(struct live *live)
{
    const struct world *world = store_world(live->options.store);
    int64_t now_us = world->now_us(world->context);
    struct diag diag = {0};

    metric_set(METRIC_rules_age, (uint64_t)((now_us - live->built_us) / 1000000));
    if (now_us < live->retry_us && now_us > live->retry_us - RETRY_US)
        return;
    result r = log_look(live, &diag);
    if (succeeded(r) && (live->is_stale || now_us >= live->expires_us)) {
        r = set_swap(live, now_us, &diag);
        if (succeeded(r))
            r = news_tell(live, &diag);
        if (succeeded(r))
            news_forget(live);
    }
    live->retry_us = failed(r) ? now_us + RETRY_US : 0;
    if (failed(r))
        log_event(LOG_LEVEL_ERROR, "rules.swap_failed", "why=\"%s\"", diag.text);
}

static void *run(void *context)
{
    struct live *live = context;
    struct timespec until;

    (void)pthread_mutex_lock(&live->lock);
    while (!live->is_stopping) {
        uint64_t until_ns = time_mono_ns() + (uint64_t)LIVE_LOOK_MS * 1000000;
        until = (struct timespec){.tv_sec = (time_t)(until_ns / 1000000000),
                                  .tv_nsec = (long)(until_ns % 1000000000)};
        (void)pthread_cond_timedwait(&live->wake, &live->lock, &until);
        if (live->is_stopping)
            break;
        (void)pthread_mutex_unlock(&live->lock);
        look(live);
        if (live->options.tick != NULL)
            live->options.tick(live->options.context);
        (void)pthread_mutex_lock(&live->lock);
    }
    (void)pthread_mutex_unlock(&live->lock);
    return NULL;
}

/* ---- open, close ---- */

static result live_start(struct live *live, struct diag *diag)
{
    const struct world *world = store_world(live->options.store);

    news_forget(live);
    TRY(log_look(live, diag));
    news_forget(live); /* what was there is no news */
    TRY(set_swap(live, world->now_us(world->context), diag));
    int number = pthread_create(&live->thread, NULL, run, live);
    if (number != 0)
        return diag_errno(diag, number, "a thread for the rules");
    live->has_thread = true;
    return OK;
}

result live_open(const struct live_options *options, struct live **out, struct diag *diag)
{
    size_t capacity = 0;
    struct live *live = table_grow(NULL, &capacity, 1, 1, sizeof(*live));
    pthread_condattr_t clock;

    *out = NULL;
    if (live == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for the rules");
    *live = (struct live){.options = *options, .arena = ARENA(NEWS_ARENA_BYTES_MAX)};
    (void)pthread_mutex_init(&live->lock, NULL); /* plain ones: these cannot fail */
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&live->wake, &clock);
    (void)pthread_condattr_destroy(&clock);
    result r = live_start(live, diag);
    if (failed(r))
        live_close(&live);
    *out = live;
    return diag_within(diag, r, "rules");
}

void live_close(struct live **live)
{
    if (*live == NULL)
        return;
    if ((*live)->has_thread) {
        (void)pthread_mutex_lock(&(*live)->lock);
        (*live)->is_stopping = true;
        (void)pthread_cond_signal(&(*live)->wake);
        (void)pthread_mutex_unlock(&(*live)->lock);
        (void)pthread_join((*live)->thread, NULL);
    }
    ruleset_release(&(*live)->set);
    (void)pthread_cond_destroy(&(*live)->wake);
    (void)pthread_mutex_destroy(&(*live)->lock);
    arena_free(&(*live)->arena);
    table_free(*live);
    *live = NULL;
}

struct ruleset *live_hold(struct live *live, uint64_t *generation)
{
    (void)pthread_mutex_lock(&live->lock);
    struct ruleset *set = ruleset_hold(live->set);
    if (generation != NULL)
        *generation = live->generation;
    (void)pthread_mutex_unlock(&live->lock);
    return set;
}
