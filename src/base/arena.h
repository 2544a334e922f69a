/* Memory with one death and one budget.
 *
 * Allocate by pushing, free all at once.  When the budget would be passed the
 * arena gives NULL, and every later call on it gives NULL too (it is sticky:
 * arena_overflowed), so that hostile input ends as ERR_LIMIT and never as an
 * exhausted machine.  Built with -DARENA_EMULATE each object is a heap block of
 * its own, so that the sanitizer sees an overrun that shared blocks would hide.
 */
#pragma once

#include "base/slice.h"

#include <stdalign.h>

struct arena_block;

struct arena {
    struct arena_block *block; /* owned, newest first */
    size_t used_bytes;         /* given out since the last reset, with padding */
    size_t budget_bytes;
    bool overflowed;
};

#define ARENA(budget) ((struct arena){.budget_bytes = (budget)})

/* Zeroed, aligned to `align`; NULL past the budget, or when count * bytes wraps. */
void *arena_alloc(struct arena *arena, size_t count, size_t bytes, size_t align);

#define arena_new(arena, type, count)                                                              \
    ((type *)arena_alloc(arena, count, sizeof(type), alignof(type)))

/* A copy that lives as long as the arena.  On failure {NULL, 0} (test overflowed). */
slice arena_copy(struct arena *arena, slice s);

/* NUL-terminated copy, or NULL. */
char *arena_text(struct arena *arena, slice s);

/* printf into the arena; {NULL, 0} past the budget. */
slice arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Forget everything, keep one block for the next use, clear `overflowed`. */
void arena_reset(struct arena *arena);

/* Give the memory back.  The arena may be used again with the same budget. */
void arena_free(struct arena *arena);

/* Growable tables with a stated ceiling: the one place besides arenas where the
 * heap is used.  Returns the moved table with room for at least `need` elements
 * and sets *capacity, or NULL (the old one stays valid and owned by the caller)
 * when `need` is over `ceiling` or memory is out. */
void *table_grow(void *table, size_t *capacity, size_t need, size_t ceiling, size_t element_bytes);
void table_free(void *table);
