#include "base/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/banned.h"

enum metric_kind { COUNTS, GAUGES };

static const struct {
    enum metric_kind kind;
    slice name, unit, help;
} metrics[METRIC_COUNT] = {
#define COUNTER(name, unit, help) [METRIC_##name] = {COUNTS, S(#name), S(#unit), S(help)},
#define GAUGE(name, unit, help) [METRIC_##name] = {GAUGES, S(#name), S(#unit), S(help)},
#include "base/metrics.def"
#undef COUNTER
#undef GAUGE
};

static _Atomic uint64_t values[METRIC_COUNT];

void metric_add(enum metric metric, uint64_t count)
{
    atomic_fetch_add_explicit(&values[metric], count, memory_order_relaxed);
}

void metric_set(enum metric metric, uint64_t value)
{
    atomic_store_explicit(&values[metric], value, memory_order_relaxed);
}

uint64_t metric_get(enum metric metric)
{
    return atomic_load_explicit(&values[metric], memory_order_relaxed);
}

/* OpenMetrics 1.0, "Unit": a family with a unit must end in its name.  Prometheus' tools know
 * the base units; a count of requests has none, so only these are spelled out. */
static bool unit_is_told(slice unit)
{
    return slice_eq(unit, SLICE("bytes")) || slice_eq(unit, SLICE("seconds"));
}

static void metric_write(struct buf *out, size_t index)
{
    bool has_unit = unit_is_told(metrics[index].unit);
    bool is_counter = metrics[index].kind == COUNTS;
    char family[128];

    snprintf(family, sizeof(family), "entente_%.*s%s%.*s", SLICE_ARG(metrics[index].name),
             has_unit ? "_" : "", has_unit ? (int)metrics[index].unit.len : 0,
             metrics[index].unit.at);
    buf_printf(out, "# TYPE %s %s\n", family, is_counter ? "counter" : "gauge");
    if (has_unit)
        buf_printf(out, "# UNIT %s %.*s\n", family, SLICE_ARG(metrics[index].unit));
    buf_printf(out, "# HELP %s %.*s\n", family, SLICE_ARG(metrics[index].help));
    buf_printf(out, "%s%s %" PRIu64 "\n", family, is_counter ? "_total" : "",
               metric_get((enum metric)index));
}

void metrics_write(struct buf *out)
{
    buf_put(out, SLICE("# TYPE entente_build info\n"
                       "# HELP entente_build The program that answers\n"
                       "entente_build_info{version=\"" ENTENTE_VERSION "\"} 1\n"));
    for (size_t i = 0; i < METRIC_COUNT; i++)
        metric_write(out, i);
    buf_put(out, SLICE("# EOF\n"));
}
