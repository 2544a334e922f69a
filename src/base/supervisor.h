/* The service manager that watches over us (systemd): its journal and its notifications.
 *
 * Everything here does nothing, harmlessly, when nobody watches. */
#pragma once

#include <sys/uio.h>

/* "READY=1", "RELOADING=1", "STOPPING=1", "WATCHDOG=1" (sd_notify(3)). */
void supervisor_notify(const char *state);

/* One entry with native fields, "NAME=value" each. */
void supervisor_journal(const struct iovec *fields, int field_count);
