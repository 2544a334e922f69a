/* Names of other scripts in the form DNS knows them (IDNA 2008), libidn2's only door. */
#pragma once

#include "base/arena.h"

/* "bücher.example" -> "xn--bcher-kva.example", in lower case; what is no name stays as it is. */
slice idn_to_ascii(slice name, struct arena *arena);
