/* The hours there are, as files of the folder. */
#pragma once

#include "base/arena.h"
#include "base/result.h"

struct retro_hour {
    int64_t hour;
    uint64_t bytes;
};

/* Oldest first; in the arena.  No folder: none. */
MUST_USE result retro_list(const char *folder, struct arena *arena, struct retro_hour **out,
                           size_t *count, struct diag *diag);
/* Take the oldest hours away until the rest keeps to the share; the newest stays. */
MUST_USE result retro_keep_share(const char *folder, uint64_t share_bytes, struct diag *diag);
/* What a killed writer left half done. */
void retro_sweep(const char *folder);
