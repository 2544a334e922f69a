#include "base/fault.h"

#include <stddef.h>

#include "base/banned.h"

#ifdef ENTENTE_FAULTS

/* Per thread: a test arms and observes the steps of its own thread. */
static _Thread_local unsigned long steps_left;
static _Thread_local bool has_fired;

void fault_arm(unsigned long nth)
{
    steps_left = nth;
    has_fired = false;
}

bool fault_fired(void)
{
    return has_fired;
}

bool fault_here(const char *file, int line)
{
    (void)file;
    (void)line;
    if (steps_left == 0 || --steps_left > 0)
        return false;
    has_fired = true;
    return true;
}

#endif
