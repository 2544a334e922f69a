/* LIKE: "%" is any run, "_" any one, all else itself (STIX 2.1, 9.6.1). */
#pragma once

#include "base/slice.h"

/* is_octets: "_" is one byte; otherwise one character of UTF-8.  The whole subject must match.
 * Takes at most subject.len * pattern.len steps. */
bool like_matches(slice pattern, slice subject, bool is_octets);

/* The longest run of it that a subject must hold as it is; empty when it has only "%" and "_". */
slice like_run(slice pattern);
