/* Table-driven tests: CHECK_ROWS walks the rows of a static array whose first member is
 * `const char *name`, and names the row that failed:
 *
 *     # row "at the end" of cut_splits_at_the_first_separator was not finished
 *
 * A failed assertion leaves by longjmp, so the row is still noted when the next table
 * starts or the program ends, and that is where it is told.  Do not `return` from within.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *rows_name_ __attribute__((unused));
static const char *rows_test_ __attribute__((unused));

static inline void rows_enter_(const char *test, const char *name)
{
    if (rows_name_ != NULL && name != NULL && rows_test_ != test)
        printf("# row \"%s\" of %s was not finished\n", rows_name_, rows_test_);
    rows_name_ = name;
    rows_test_ = test;
}

__attribute__((destructor)) static void rows_end_(void)
{
    rows_enter_("", "");
}

#define CHECK_ROWS(row, table)                                                                     \
    for (size_t row##_index_ = 0; row##_index_ < sizeof(table) / sizeof((table)[0]);               \
         rows_enter_(__func__, NULL), row##_index_++)                                              \
        for (__typeof__(&(table)[0]) row =                                                         \
                 (rows_enter_(__func__, (table)[row##_index_].name), &(table)[row##_index_]);      \
             row != NULL; row = NULL)
