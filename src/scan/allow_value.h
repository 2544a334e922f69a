/* One value of a warning list, in the form in which it is compared. */
#pragma once

#include "base/arena.h"

/* "*.example.org" and ".example.org" as "example.org"; no trailing dot. */
slice allow_host_bare(slice host);

/* MISP's "/expression/i" as PCRE has it: "(?i)expression"; an expression without slashes as it is.
 * {NULL, 0} for an option that is none, or past the arena's budget. */
slice allow_expression(slice value, struct arena *arena);
