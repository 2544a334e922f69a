/* Every failure, one at a time (test builds only).
 *
 * FAULT_HERE() stands before each thing that can fail and is true when a test has
 * armed that very step.  In release builds it is the constant false.
 */
#pragma once

#include <stdbool.h>

#ifdef ENTENTE_FAULTS
void fault_arm(unsigned long nth); /* the nth step from now says no; 0 disarms */
bool fault_fired(void);
bool fault_here(const char *file, int line);
#define FAULT_HERE() fault_here(__FILE__, __LINE__)
#else
/* Nothing fires, so a test that walks the steps ends after its first round. */
static inline void fault_arm(unsigned long nth)
{
    (void)nth;
}
static inline bool fault_fired(void)
{
    return false;
}
#define FAULT_HERE() false
#endif
