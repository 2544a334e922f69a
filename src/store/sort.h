/* Sort many items by a number first and by a comparison where that is equal. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct sort_item {
    uint64_t prefix; /* the key's first eight bytes, big-endian */
    uint32_t index;  /* of the thing it stands for */
};

/* compare orders two indexes whose prefixes are equal; NULL: they stay in the order they came.
 * scratch has room for count items. */
void sort_items(struct sort_item *items, struct sort_item *scratch, size_t count,
                int (*compare)(uint32_t a, uint32_t b, const void *context), const void *context);
