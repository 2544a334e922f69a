#include "base/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"

#include "base/banned.h"

#define BLOCK_BYTES ((size_t)64 << 10)

/* Blocks grow with what was used so far, so that a large arena has few of them. */
#define BLOCK_BYTES_MAX ((size_t)4 << 20)

struct arena_block {
    struct arena_block *next; /* owned, older */
    size_t capacity, used;
    alignas(max_align_t) char bytes[];
};

static bool block_push(struct arena *arena, size_t capacity)
{
    size_t whole;

    if (FAULT_HERE() || !size_add(sizeof(struct arena_block), capacity, &whole))
        return false;
    struct arena_block *block = malloc(whole);
    if (block == NULL)
        return false;
    block->next = arena->block;
    block->capacity = capacity;
    block->used = 0;
    arena->block = block;
    return true;
}

static size_t block_capacity(const struct arena *arena, size_t need)
{
#ifdef ARENA_EMULATE
    (void)arena;
    return need;
#else
    size_t capacity = BLOCK_BYTES;

    while (capacity < BLOCK_BYTES_MAX && capacity < arena->used_bytes)
        capacity *= 2;
    return need > capacity ? need : capacity;
#endif
}

static void *overflow(struct arena *arena)
{
    arena->overflowed = true;
    return NULL;
}

/* Where the next object may start in the newest block; capacity when there is no block. */
static size_t block_offset(const struct arena *arena, size_t align)
{
    if (arena->block == NULL)
        return 0;
    return (arena->block->used + align - 1) & ~(align - 1);
}

void *arena_alloc(struct arena *arena, size_t count, size_t bytes, size_t align)
{
    size_t need, after;

    assert(align != 0 && (align & (align - 1)) == 0 && align <= alignof(max_align_t));
    if (arena->overflowed || !size_mul(count, bytes, &need) ||
        !size_add(arena->used_bytes, need, &after) || after > arena->budget_bytes)
        return overflow(arena);

    size_t offset = block_offset(arena, align);
#ifdef ARENA_EMULATE
    bool fits = false;
#else
    bool fits = arena->block != NULL && offset <= arena->block->capacity &&
                need <= arena->block->capacity - offset;
#endif
    if (!fits) {
        if (!block_push(arena, block_capacity(arena, need)))
            return overflow(arena);
        offset = 0;
    }
    arena->used_bytes = after;
    arena->block->used = offset + need;
    return memset(arena->block->bytes + offset, 0, need);
}

slice arena_copy(struct arena *arena, slice s)
{
    char *copy = arena_new(arena, char, s.len);

    if (copy == NULL)
        return SLICE_NONE;
    if (s.len > 0)
        memcpy(copy, s.at, s.len);
    return slice_of(copy, s.len);
}

char *arena_text(struct arena *arena, slice s)
{
    size_t bytes;

    if (!size_add(s.len, 1, &bytes))
        return overflow(arena);
    char *copy = arena_new(arena, char, bytes);
    if (copy != NULL && s.len > 0)
        memcpy(copy, s.at, s.len);
    return copy;
}

slice arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int bytes = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (bytes < 0) {
        overflow(arena);
        return SLICE_NONE;
    }
    char *text = arena_new(arena, char, (size_t)bytes + 1);
    if (text == NULL)
        return SLICE_NONE;
    va_start(args, format);
    (void)vsnprintf(text, (size_t)bytes + 1, format, args);
    va_end(args);
    return slice_of(text, (size_t)bytes);
}

static void blocks_free(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *next = block->next;

        free(block);
        block = next;
    }
}

void arena_reset(struct arena *arena)
{
    arena->used_bytes = 0;
    arena->overflowed = false;
    if (arena->block == NULL)
        return;
#ifdef ARENA_EMULATE
    blocks_free(arena->block);
    arena->block = NULL;
#else
    blocks_free(arena->block->next);
    arena->block->next = NULL;
    arena->block->used = 0;
#endif
}

void arena_free(struct arena *arena)
{
    blocks_free(arena->block);
    *arena = ARENA(arena->budget_bytes);
}

void *table_grow(void *table, size_t *capacity, size_t need, size_t ceiling, size_t element_bytes)
{
    size_t wanted = *capacity < 16 ? 16 : *capacity, bytes;

    if (need <= *capacity && table != NULL)
        return table;
    if (need > ceiling || FAULT_HERE())
        return NULL;
    while (wanted < need)
        wanted = wanted > ceiling / 2 ? ceiling : wanted * 2;
    if (wanted > ceiling)
        wanted = ceiling;
    if (!size_mul(wanted, element_bytes, &bytes))
        return NULL;
    void *moved = realloc(table, bytes);
    if (moved != NULL)
        *capacity = wanted;
    return moved;
}

void table_free(void *table)
{
    free(table);
}
