/* The exchange by itself, while a node serves: a thread for each partner that can be asked, which
 * waits at the partner's feed, and asks again with growing pauses when the line is cut.
 */
#pragma once

#include "sync/pull.h"

struct sync_runner;

MUST_USE result sync_runner_start(const struct sync_place *place, struct sync_runner **out,
                                  struct diag *diag);
/* Requests under way are ended; what was taken in is durable.  NULL is fine. */
void sync_runner_stop(struct sync_runner **runner);
