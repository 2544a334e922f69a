/* LIKE: "%" is any run, "_" any one, all else itself (STIX 2.1, 9.6.1). */
#pragma once

#include "base/slice.h"

/* is_octets: "_" is one byte; otherwise one character of UTF-8.  The whole subject must match.
 * Takes at most subject.len * pattern.len steps. */
bool like_matches(slice pattern, slice subject, bool is_octets);
