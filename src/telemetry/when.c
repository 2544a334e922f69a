/* The ways logs write a time. */
#include <stdio.h>

#include "base/time.h"
#include "telemetry/event.h"

#include "base/banned.h"

#define SECOND_US 1000000
#define DAY_US ((int64_t)86400 * SECOND_US)
#define WHEN_BYTES_MAX 40

/* Years 2001 to 2286 when in seconds; the same digits and three or six more say what the unit is.
 */
#define EPOCH_DIGITS 10

static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";

static int month_of(slice name)
{
    for (int i = 0; i < 12 && name.len == 3; i++)
        if (slice_eq_nocase(name, slice_of(months + i * 3, 3)))
            return i + 1;
    return 0;
}

/* 1767225600, 1767225600.123456, 1767225600123 */
static bool epoch_parse(slice text, int64_t *out_us)
{
    slice whole, fraction;
    uint64_t seconds, part = 0;

    (void)slice_cut(text, '.', &whole, &fraction); /* a whole number has no fraction */
    if (whole.len < EPOCH_DIGITS - 1 || whole.len > EPOCH_DIGITS + 6 || !parse_u64(whole, &seconds))
        return false;
    if (whole.len > EPOCH_DIGITS) {
        if (fraction.len > 0 || (whole.len != EPOCH_DIGITS + 3 && whole.len != EPOCH_DIGITS + 6))
            return false;
        *out_us = (int64_t)(whole.len == EPOCH_DIGITS + 3 ? seconds * 1000 : seconds);
        return true;
    }
    fraction = slice_head(fraction, 6);
    if (fraction.len > 0 && !parse_u64(fraction, &part))
        return false;
    for (size_t i = fraction.len; i < 6; i++)
        part *= 10;
    *out_us = (int64_t)(seconds * SECOND_US + part);
    return true;
}

/* Digits of another order written as RFC 3339, which base/time.h checks and reckons. */
static bool rebuilt_parse(int year, int month, slice day, slice clock, slice zone, int64_t *out_us)
{
    char text[WHEN_BYTES_MAX];
    struct timestamp timestamp;
    slice hour_zone = slice_head(zone, 3), minute_zone = slice_from(zone, 3);
    int len;

    if (month == 0 || day.len == 0 || day.len > 2 || clock.len > 18)
        return false;
    if (minute_zone.len > 0 && minute_zone.at[0] == ':')
        minute_zone = slice_from(minute_zone, 1);
    if (zone.len == 3)
        minute_zone = SLICE("00");
    if (zone.len == 0 || zone.at[0] == 'Z' || zone.at[0] == 'z')
        len = snprintf(text, sizeof(text), "%04d-%02d-%s%.*sT%.*sZ", year, month,
                       day.len == 1 ? "0" : "", SLICE_ARG(day), SLICE_ARG(clock));
    else
        len = snprintf(text, sizeof(text), "%04d-%02d-%s%.*sT%.*s%.*s:%.*s", year, month,
                       day.len == 1 ? "0" : "", SLICE_ARG(day), SLICE_ARG(clock),
                       SLICE_ARG(hour_zone), SLICE_ARG(minute_zone));
    if (len < 0 || (size_t)len >= sizeof(text) ||
        !timestamp_parse_rfc3339(slice_of(text, (size_t)len), &timestamp))
        return false;
    *out_us = timestamp.us;
    return true;
}

/* "08:00:00.123+0900", "08:00:00,123", "08:00:00 -0500" */
static void clock_split(slice text, char out[WHEN_BYTES_MAX], slice *clock, slice *zone)
{
    size_t end = 0;

    while (end < text.len && end < WHEN_BYTES_MAX &&
           ((text.at[end] >= '0' && text.at[end] <= '9') || text.at[end] == ':' ||
            text.at[end] == '.' || text.at[end] == ',')) {
        out[end] = (char)(text.at[end] == ',' ? '.' : text.at[end]);
        end++;
    }
    *clock = slice_of(out, end);
    *zone = slice_trim(slice_from(text, end));
}

/* 2026-01-01T00:00:00.000000+0000, 2026-01-01 00:00:00, 2026/01/01 00:00:00 */
static bool iso_parse(slice text, int64_t *out_us)
{
    char copy[WHEN_BYTES_MAX];
    slice clock, zone;
    uint64_t year, month;

    if (text.len < 19 || !parse_u64(slice_head(text, 4), &year) ||
        !parse_u64(slice_head(slice_from(text, 5), 2), &month) || month < 1 || month > 12 ||
        (text.at[4] != '-' && text.at[4] != '/') || text.at[7] != text.at[4] ||
        (text.at[10] != 'T' && text.at[10] != ' ' && text.at[10] != 't'))
        return false;
    clock_split(slice_from(text, 11), copy, &clock, &zone);
    return rebuilt_parse((int)year, (int)month, slice_head(slice_from(text, 8), 2), clock, zone,
                         out_us);
}

/* 10/Oct/2026:13:55:36 -0700, 01-Jan-2026 00:00:00.123 */
static bool day_first_parse(slice text, int64_t *out_us)
{
    char copy[WHEN_BYTES_MAX];
    slice clock, zone;
    uint64_t year;

    if (text.len < 20 || (text.at[2] != '/' && text.at[2] != '-') || text.at[6] != text.at[2] ||
        !parse_u64(slice_head(slice_from(text, 7), 4), &year))
        return false;
    clock_split(slice_from(text, 12), copy, &clock, &zone);
    return rebuilt_parse((int)year, month_of(slice_head(slice_from(text, 3), 3)),
                         slice_head(text, 2), clock, zone, out_us);
}

static int year_of(int64_t us)
{
    char text[TIMESTAMP_TEXT_BYTES_MAX];
    uint64_t year = 1970;

    (void)parse_u64(slice_of(text, time_format_us(us, text) < 4 ? 0 : 4), &year);
    return (int)year;
}

/* "Jan  1 08:00:00", RFC 3164: this year's, or last year's when it would be ahead of us by more
 * than a day; "Jan 01 2026 08:00:00" says it. */
static bool month_first_parse(slice text, int64_t now_us, int64_t *out_us)
{
    char copy[WHEN_BYTES_MAX];
    slice day, rest, clock, zone;
    uint64_t year;
    int month = month_of(slice_head(text, 3));

    if (month == 0 || text.len < 14 || text.at[3] != ' ')
        return false;
    (void)slice_cut(slice_trim(slice_from(text, 4)), ' ', &day, &rest); /* rest is checked below */
    if (rest.len > 5 && rest.at[4] == ' ' && parse_u64(slice_head(rest, 4), &year)) {
        clock_split(slice_from(rest, 5), copy, &clock, &zone);
        return rebuilt_parse((int)year, month, day, clock, zone, out_us);
    }
    clock_split(rest, copy, &clock, &zone);
    if (!rebuilt_parse(year_of(now_us), month, day, clock, SLICE(""), out_us))
        return rebuilt_parse(year_of(now_us) - 1, month, day, clock, SLICE(""), out_us);
    if (*out_us > now_us + DAY_US)
        return rebuilt_parse(year_of(now_us) - 1, month, day, clock, SLICE(""), out_us);
    return true;
}

bool when_parse(slice text, int64_t now_us, int64_t *out_us)
{
    text = slice_trim(text);
    return text.len < WHEN_BYTES_MAX &&
           (iso_parse(text, out_us) || epoch_parse(text, out_us) || day_first_parse(text, out_us) ||
            month_first_parse(text, now_us, out_us));
}
