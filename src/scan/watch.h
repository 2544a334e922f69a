/* Telemetry that a running node reads by itself: files and folders that grow, sockets that sensors
 * write to.
 *
 * A thread of its own takes what comes and gives it to the sensor, as if it had been sent.
 * Positions are kept once the sightings of what was read are durable, so that a restart goes on
 * where the last run stopped: a crash may read a block twice, which counts nothing twice, and
 * loses none.
 */
#pragma once

#include "base/config.h"
#include "scan/follow.h"
#include "scan/sensor.h"

struct watch_options {
    struct sensor *sensor;  /* borrowed: it outlives the watch */
    const char *follow;     /* paths of files and folders, "; " between; copied */
    const char *listen;     /* paths of Unix sockets, likewise */
    const char *state_path; /* where positions are kept; copied */
};

struct watch;

/* *out is NULL when there is nothing to watch.  Sockets are listened on when it returns. */
MUST_USE result watch_open(const struct watch_options *options, struct watch **out,
                           struct diag *diag);
/* What connections have sent is taken; positions are written. */
void watch_close(struct watch **watch);
