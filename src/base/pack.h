/* Whole bodies packed and unpacked in memory: gzip (libdeflate) and zstd. */
#pragma once

#include "base/buf.h"

enum packing { PACK_NONE, PACK_GZIP, PACK_ZSTD };

MUST_USE result pack(enum packing packing, slice bytes, struct buf *out, struct diag *diag);

/* Fails ERR_LIMIT when the result would pass out->ceiling: a bomb ends here. */
MUST_USE result unpack(enum packing packing, slice bytes, struct buf *out, struct diag *diag);
