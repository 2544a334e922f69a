/* Unicode's normal form C, for LIKE and MATCHES (STIX 2.1, 9.6.2). */
#pragma once

#include "base/arena.h"
#include "base/result.h"

/* text is UTF-8.  Borrowed when it is in that form already, else in the arena; {NULL, 0} when its
 * budget is out. */
slice text_normal(slice text, struct arena *arena);
