/* Counters and gauges, one line each in metrics.def.
 *
 * A METRIC line makes the counter, its OpenMetrics text and its documentation.
 * Counting is one relaxed atomic add and is safe from any thread.
 */
#pragma once

#include "base/buf.h"

enum metric {
#define COUNTER(name, unit, help) METRIC_##name,
#define GAUGE(name, unit, help) METRIC_##name,
#include "base/metrics.def"
#undef COUNTER
#undef GAUGE
    METRIC_COUNT
};

void metric_add(enum metric metric, uint64_t count);
void metric_set(enum metric metric, uint64_t value);
uint64_t metric_get(enum metric metric);

/* All of them as OpenMetrics 1.0 text, "# EOF" included. */
void metrics_write(struct buf *out);
