/* Table-driven tests: CHECK_ROWS walks the rows of a static array whose first member is
 * `const char *name`, and names the row that failed. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *rows_name_ __attribute__((unused));


static inline void rows_name_print_(const char *name)
{
    rows_name_ = name;
    if (getenv("ROWS") != NULL)
        fprintf(stderr, "# row: %s\n", name);
}

#define CHECK_ROWS(row, table)                                                                     \
    for (size_t row##_index_ = 0; row##_index_ < sizeof(table) / sizeof((table)[0]);               \
         row##_index_++)                                                                           \
        for (__typeof__(&(table)[0]) row = &(table)[row##_index_]; row != NULL; row = NULL)        \
            if (rows_name_print_(row->name), true)
