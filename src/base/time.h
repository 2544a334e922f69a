/* Dates and clocks.
 *
 * `_us` values date (microseconds since 1970-01-01T00:00:00Z, may be negative);
 * `_mono_ns` values measure.  They never mix.
 */
#pragma once

#include "base/slice.h"

/* A STIX timestamp (RFC 3339, always "Z"; STIX 2.1, 2.15), to the digit it was
 * written with: some producers write more than microseconds, and two versions
 * that differ only there are two versions. */
struct timestamp {
    int64_t us;       /* microseconds since 1970; years 0001 to 9999 */
    uint32_t rest;    /* the digits past the sixth, in units of 10^-12 s: 0..999999 */
    uint8_t fraction; /* how many fraction digits were written: 0..TIMESTAMP_FRACTION_MAX */
};

#define TIMESTAMP_FRACTION_MAX 12
#define TIMESTAMP_TEXT_BYTES_MAX 40

/* Strict: "YYYY-MM-DDTHH:MM:SS[.f+]Z", upper-case T and Z, a real calendar date, a
 * leap second 60 only at 23:59.  More than TIMESTAMP_FRACTION_MAX digits: the
 * rest must be zeros.  False leaves *out untouched. */
bool timestamp_parse(slice text, struct timestamp *out);

/* As above and also what RFC 3339 allows beyond STIX (offsets, lower case). */
bool timestamp_parse_rfc3339(slice text, struct timestamp *out);

/* Exactly as it was written (same number of fraction digits).  Returns the bytes. */
size_t timestamp_format(const struct timestamp *timestamp, char out[TIMESTAMP_TEXT_BYTES_MAX]);

/* Six fraction digits, the form TAXII asks for (TAXII 2.1, 2.0 Data Types). */
size_t time_format_us(int64_t us, char out[TIMESTAMP_TEXT_BYTES_MAX]);

int timestamp_cmp(const struct timestamp *a, const struct timestamp *b); /* by value */

int64_t time_now_us(void);   /* the wall clock */
uint64_t time_mono_ns(void); /* the steady clock */
