#include "store/sort.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define DIGITS 256
#define SMALL_COUNT 64

/* Stable radix sort, low byte first: sorted input to the database is worth far more than what this
 * costs (20 ns an item).  A byte that is the same in all items is passed over. */
static void sort_by_prefix(struct sort_item *items, struct sort_item *scratch, size_t count)
{
    size_t starts[8][DIGITS] = {0};
    struct sort_item *from = items, *to = scratch;

    for (size_t i = 0; i < count; i++)
        for (unsigned byte = 0; byte < 8; byte++)
            starts[byte][items[i].prefix >> (8 * byte) & 0xff]++;
    for (unsigned byte = 0; byte < 8; byte++) {
        size_t sum = 0;

        if (count == 0 || starts[byte][items[0].prefix >> (8 * byte) & 0xff] == count)
            continue;
        for (unsigned digit = 0; digit < DIGITS; digit++) {
            size_t here = starts[byte][digit];
            starts[byte][digit] = sum;
            sum += here;
        }
        for (size_t i = 0; i < count; i++)
            to[starts[byte][from[i].prefix >> (8 * byte) & 0xff]++] = from[i];
        struct sort_item *swap = from;
        from = to;
        to = swap;
    }
    if (from != items && count > 0)
        memcpy(items, from, count * sizeof(*items));
}

struct comparison {
    int (*compare)(uint32_t a, uint32_t b, const void *context);
    const void *context;
};

static int compare_items(const void *a, const void *b, void *comparison)
{
    const struct comparison *how = comparison;
    const struct sort_item *left = a, *right = b;

    if (left->prefix != right->prefix)
        return left->prefix < right->prefix ? -1 : 1;
    return how->compare(left->index, right->index, how->context);
}

static void sort_equals(struct sort_item *items, size_t count, struct comparison *how)
{
    size_t ordered = 1;

    while (ordered < count &&
           how->compare(items[ordered - 1].index, items[ordered].index, how->context) <= 0)
        ordered++;
    if (ordered < count)
        qsort_r(items, count, sizeof(*items), compare_items, how);
}

void sort_items(struct sort_item *items, struct sort_item *scratch, size_t count,
                int (*compare)(uint32_t a, uint32_t b, const void *context), const void *context)
{
    struct comparison how = {compare, context};

    if (compare != NULL && count <= SMALL_COUNT) {
        qsort_r(items, count, sizeof(*items), compare_items, &how);
        return;
    }
    sort_by_prefix(items, scratch, count);
    for (size_t i = 0, next; compare != NULL && i < count; i = next) {
        for (next = i + 1; next < count && items[next].prefix == items[i].prefix;)
            next++;
        sort_equals(items + i, next - i, &how);
    }
}
