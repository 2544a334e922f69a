#include "base/time.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

#include "base/banned.h"

#define SECONDS_PER_DAY 86400
#define YEAR_1_US INT64_C(-62135596800000000)
#define YEAR_9999_END_US INT64_C(253402300799999999)

/* Days since 1970-01-01 of a proleptic Gregorian date; March starts the year, so that the leap
 * day is its last. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_of(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;

    *day = (unsigned)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && is_leap ? 29 : days[month - 1];
}

/* A fixed number of digits off the front. */
static bool take_digits(slice *s, size_t count, unsigned *out)
{
    unsigned value = 0;

    if (s->len < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (s->at[i] < '0' || s->at[i] > '9')
            return false;
        value = value * 10 + (unsigned)(s->at[i] - '0');
    }
    *s = slice_from(*s, count);
    *out = value;
    return true;
}

static bool take_byte(slice *s, char upper, bool any_case)
{
    if (s->len == 0 || !(s->at[0] == upper || (any_case && s->at[0] == (char)(upper | 0x20))))
        return false;
    *s = slice_from(*s, 1);
    return true;
}

static bool take_fraction(slice *s, struct timestamp *out)
{
    uint64_t picos = 0;
    size_t digits = 0;

    while (digits < s->len && s->at[digits] >= '0' && s->at[digits] <= '9') {
        unsigned digit = (unsigned)(s->at[digits] - '0');

        if (digits < TIMESTAMP_FRACTION_MAX)
            picos = picos * 10 + digit;
        else if (digit != 0)
            return false;
        digits++;
    }
    if (digits == 0)
        return false;
    *s = slice_from(*s, digits);
    out->fraction = digits < TIMESTAMP_FRACTION_MAX ? (uint8_t)digits : TIMESTAMP_FRACTION_MAX;
    for (size_t i = out->fraction; i < TIMESTAMP_FRACTION_MAX; i++)
        picos *= 10;
    out->us += (int64_t)(picos / 1000000);
    out->rest = (uint32_t)(picos % 1000000);
    return true;
}

/* "Z", or an offset where RFC 3339 allows one; seconds east of UTC. */
static bool take_zone(slice *s, bool is_strict, int64_t *offset_s)
{
    unsigned hours, minutes;

    *offset_s = 0;
    if (take_byte(s, 'Z', !is_strict))
        return true;
    if (is_strict || s->len == 0 || (s->at[0] != '+' && s->at[0] != '-'))
        return false;
    int64_t sign = s->at[0] == '-' ? -1 : 1;
    *s = slice_from(*s, 1);
    if (!take_digits(s, 2, &hours) || !take_byte(s, ':', false) || !take_digits(s, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *offset_s = sign * ((int64_t)hours * 3600 + (int64_t)minutes * 60);
    return true;
}

static bool timestamp_take(slice text, bool is_strict, struct timestamp *out)
{
    unsigned year, month, day, hour, minute, second;
    struct timestamp made = {0};
    int64_t offset_s;

    if (!take_digits(&text, 4, &year) || !take_byte(&text, '-', false) ||
        !take_digits(&text, 2, &month) || !take_byte(&text, '-', false) ||
        !take_digits(&text, 2, &day) || !take_byte(&text, 'T', !is_strict) ||
        !take_digits(&text, 2, &hour) || !take_byte(&text, ':', false) ||
        !take_digits(&text, 2, &minute) || !take_byte(&text, ':', false) ||
        !take_digits(&text, 2, &second))
        return false;
    if (year == 0 || month == 0 || month > 12 || day == 0 || day > days_in_month(year, month) ||
        hour > 23 || minute > 59 || second > 60 ||
        (second == 60 && (minute != 59 || (is_strict && hour != 23))))
        return false;
    int64_t seconds =
        days_of(year, month, day) * SECONDS_PER_DAY + (int64_t)hour * 3600 + (int64_t)minute * 60;
    if (text.len > 0 && text.at[0] == '.') {
        text = slice_from(text, 1);
        if (!take_fraction(&text, &made))
            return false;
    }
    if (!take_zone(&text, is_strict, &offset_s) || text.len != 0)
        return false;
    made.us += (seconds + second - offset_s) * 1000000;
    if (made.us < YEAR_1_US || made.us > YEAR_9999_END_US) /* an offset or leap second led out */
        return false;
    *out = made;
    return true;
}

bool timestamp_parse(slice text, struct timestamp *out)
{
    return timestamp_take(text, true, out);
}

bool timestamp_parse_rfc3339(slice text, struct timestamp *out)
{
    return timestamp_take(text, false, out);
}

/* Every page carries two of these: snprintf() took a tenth of its time. */
static char *digits_put(char *at, char separator, unsigned value, unsigned count)
{
    *at = separator;
    for (unsigned i = count; i > 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
    return at + 1 + count;
}

static char *year_put(char *out, int64_t year)
{
    char digits[5];

    if (year < 0 || year > 9999) /* a clock that is far off */
        return out + snprintf(out, TIMESTAMP_TEXT_BYTES_MAX / 2, "%04lld", (long long)year);
    (void)digits_put(digits, '-', (unsigned)year, 4);
    memcpy(out, digits + 1, 4);
    return out + 4;
}

size_t timestamp_format(const struct timestamp *timestamp, char out[TIMESTAMP_TEXT_BYTES_MAX])
{
    int64_t seconds = timestamp->us / 1000000, micros = timestamp->us % 1000000;
    int64_t year;
    unsigned month, day;

    assert(timestamp->fraction <= TIMESTAMP_FRACTION_MAX && timestamp->rest < 1000000);
    if (micros < 0) {
        micros += 1000000;
        seconds--;
    }
    int64_t days = seconds / SECONDS_PER_DAY, of_day = seconds % SECONDS_PER_DAY;
    if (of_day < 0) {
        of_day += SECONDS_PER_DAY;
        days--;
    }
    date_of(days, &year, &month, &day);
    char *at = year_put(out, year);
    at = digits_put(at, '-', month, 2);
    at = digits_put(at, '-', day, 2);
    at = digits_put(at, 'T', (unsigned)(of_day / 3600), 2);
    at = digits_put(at, ':', (unsigned)(of_day / 60 % 60), 2);
    at = digits_put(at, ':', (unsigned)(of_day % 60), 2);
    if (timestamp->fraction > 0) {
        char digits[2 + TIMESTAMP_FRACTION_MAX];

        (void)digits_put(digits, '.', timestamp->rest, 6);
        memcpy(digits + 7, digits + 1, 6);
        (void)digits_put(digits, '.', (unsigned)micros, 6);
        memcpy(at, digits, 1 + (size_t)timestamp->fraction);
        at += 1 + timestamp->fraction;
    }
    *at++ = 'Z';
    return (size_t)(at - out);
}

size_t time_format_us(int64_t us, char out[TIMESTAMP_TEXT_BYTES_MAX])
{
    return timestamp_format(&(struct timestamp){.us = us, .fraction = 6}, out);
}

int timestamp_cmp(const struct timestamp *a, const struct timestamp *b)
{
    if (a->us != b->us)
        return a->us < b->us ? -1 : 1;
    return (a->rest > b->rest) - (a->rest < b->rest);
}

int64_t time_now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

uint64_t time_mono_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
