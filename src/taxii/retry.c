/* When to come back: the dates and pauses that HTTP writes. */
#include "taxii/remote.h"

#include <stdio.h>

#include "base/banned.h"

/* "Sun, 06 Nov 1994 08:49:37 GMT": digits at fixed places, the month by name. */
bool http_date_parse(slice text, int64_t *us)
{
    slice months = SLICE("JanFebMarAprMayJunJulAugSepOctNovDec");
    struct timestamp when;
    char iso[TIMESTAMP_TEXT_BYTES_MAX];

    if (text.len != 29 || !slice_ends(text, SLICE(" GMT")))
        return false;
    size_t month = slice_find(months, slice_of(text.at + 8, 3));
    if (month == SIZE_MAX || month % 3 != 0)
        return false;
    int bytes = snprintf(iso, sizeof(iso), "%.4s-%02zu-%.2sT%.8sZ", text.at + 12, month / 3 + 1,
                         text.at + 5, text.at + 17);

    if (!timestamp_parse(slice_of(iso, (size_t)bytes), &when))
        return false;
    *us = when.us;
    return true;
}

bool retry_after_parse(slice value, int64_t now_us, uint64_t *ms)
{
    int64_t then_us;
    uint64_t seconds;

    value = slice_trim(value);
    if (parse_u64(value, &seconds)) {
        *ms = seconds > UINT64_MAX / 1000 ? UINT64_MAX : seconds * 1000;
        return true;
    }
    if (!http_date_parse(value, &then_us))
        return false;
    *ms = then_us > now_us ? (uint64_t)(then_us - now_us) / 1000 : 0;
    return true;
}
