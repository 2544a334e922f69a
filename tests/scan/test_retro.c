#include "rows.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "scan/retro_file.h"
#include "scan/retro_list.h"

#include "base/banned.h"

#define HOUR_US ((int64_t)3600 * 1000000)
#define T0 ((int64_t)1767225600 * 1000000) /* 2026-01-01T00:00:00Z */
#define NAME0 "2026-01-01T00.hour"

struct place {
    char top[64], folder[80];
    struct retro_place at;
};

static int unlink_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int place_make(void **state)
{
    static struct place place;

    (void)snprintf(place.top, sizeof(place.top), "/tmp/entente-retro-XXXXXX");
    assert_non_null(mkdtemp(place.top));
    (void)snprintf(place.folder, sizeof(place.folder), "%s/retro", place.top);
    place.at = (struct retro_place){.folder = place.top, .share_bytes = (uint64_t)1 << 30};
    *state = &place;
    return 0;
}

static int place_remove(void **state)
{
    struct place *place = *state;

    assert_int_equal(nftw(place->top, unlink_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    return 0;
}

static void take(struct retro *retro, const char *path, const char *value, int64_t time_us)
{
    struct telemetry_observable one = {.path = slice_text(path), .value = slice_text(value)};
    struct telemetry_event event = {
        .observables = &one, .count = 1, .has_time = true, .time_us = time_us};

    retro_take(retro, &event);
}

static struct retro *opened(struct place *place)
{
    struct retro *retro;
    struct diag diag = {0};

    if (failed(retro_open(&place->at, &retro, &diag)))
        fail_msg("%s", diag.text);
    return retro;
}

static void flushed(struct retro *retro)
{
    struct diag diag = {0};

    if (failed(retro_flush(retro, &diag)))
        fail_msg("%s", diag.text);
}

/* "path value first last\n" of each entry; the failure's words otherwise. */
static void hour_text(struct place *place, int64_t hour, struct buf *out)
{
    CLEANUP(retro_reader_close) struct retro_reader reader = {0};
    struct retro_entry entry;
    struct diag diag = {0};
    bool is_end = false;

    buf_reset(out);
    result r = retro_reader_open(place->folder, hour, &reader, &diag);
    while (succeeded(r) && !is_end) {
        r = retro_reader_next(&reader, &entry, &is_end, &diag);
        if (succeeded(r) && !is_end)
            buf_printf(out, "%.*s %.*s %u %u\n", SLICE_ARG(entry.path), SLICE_ARG(entry.value),
                       entry.first_s, entry.last_s);
    }
    if (failed(r))
        buf_printf(out, "%s", diag.text);
    buf_byte(out, '\0');
}

static void values_are_kept_by_the_hour_once_each(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 20);
    struct place *place = *state;
    struct retro *retro = opened(place);

    take(retro, "url:value", "http://a.example/", T0 + 5000000);
    take(retro, "domain-name:value", "b.example", T0);
    take(retro, "domain-name:value", "a.example", T0 + 9000000);
    take(retro, "domain-name:value", "a.example", T0 + 3000000);
    take(retro, "domain-name:value", "a.example", T0 + HOUR_US);
    take(retro, "network-traffic:dst_port", "443", T0);
    flushed(retro);
    hour_text(place, T0 / HOUR_US, &text);
    assert_string_equal(text.at,
                        "domain-name:value a.example 3 9\ndomain-name:value b.example 0 0\n"
                        "url:value http://a.example/ 5 5\n");
    /* What comes later is merged, and nothing stands twice. */
    take(retro, "domain-name:value", "a.example", T0 + 1000000);
    take(retro, "domain-name:value", "aa.example", T0);
    flushed(retro);
    retro_close(&retro);
    hour_text(place, T0 / HOUR_US, &text);
    assert_string_equal(text.at,
                        "domain-name:value a.example 1 9\ndomain-name:value aa.example 0 0\n"
                        "domain-name:value b.example 0 0\nurl:value http://a.example/ 5 5\n");
    hour_text(place, T0 / HOUR_US + 1, &text);
    assert_string_equal(text.at, "domain-name:value a.example 0 0\n");
}

static void many_values_come_back_and_the_filter_never_hides_one(void **state)
{
    CLEANUP(retro_reader_close) struct retro_reader reader = {0};
    struct place *place = *state;
    struct retro *retro = opened(place);
    struct retro_entry entry;
    struct diag diag = {0};
    size_t count = 0, wrong = 0;
    bool is_end = false, may;
    char value[64];

    for (int i = 0; i < 30000; i++) {
        (void)snprintf(value, sizeof(value), "host-%d.example.org", i);
        take(retro, "domain-name:value", value, T0);
    }
    flushed(retro);
    retro_close(&retro);
    assert_false(failed(retro_reader_open(place->folder, T0 / HOUR_US, &reader, &diag)));
    assert_int_equal(reader.count, 30000);
    assert_true(reader.block_count > 1);
    for (;;) {
        assert_false(failed(retro_reader_next(&reader, &entry, &is_end, &diag)));
        if (is_end)
            break;
        assert_false(failed(retro_reader_may_hold(&reader, entry.value, &may, &diag)));
        assert_true(may);
        count++;
    }
    assert_int_equal(count, 30000);
    assert_false(failed(retro_reader_may_hold(&reader, SLICE("example.org"), &may, &diag)));
    assert_true(may);
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(value, sizeof(value), "other-%d.example.net", i);
        assert_false(failed(retro_reader_may_hold(&reader, slice_text(value), &may, &diag)));
        wrong += may;
    }
    print_message("# %zu of 10000 passed the filter for nothing\n", wrong);
    assert_true(wrong < 300);
}

static void a_byte_that_changed_is_told(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 20);
    struct place *place = *state;
    struct retro *retro = opened(place);
    char path[128];
    size_t told = 0, size;

    take(retro, "domain-name:value", "a.example", T0);
    take(retro, "ipv4-addr:value", "192.0.2.7", T0);
    flushed(retro);
    (void)snprintf(path, sizeof(path), "%s/" NAME0, place->folder);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size = (size_t)ftell(file);
    for (size_t at = 0; at < size; at += at < 200 || at + 200 > size ? 1 : 97) {
        assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
        int byte = fgetc(file);
        assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
        (void)fputc(byte ^ 0x40, file);
        assert_int_equal(fflush(file), 0);
        hour_text(place, T0 / HOUR_US, &text);
        bool is_told = strncmp(text.at, "retro/" NAME0 ": ", strlen("retro/" NAME0 ": ")) == 0;
        /* A byte of the filter is told when the filter is asked. */
        assert_true(is_told || strcmp(text.at, "domain-name:value a.example 0 0\n"
                                               "ipv4-addr:value 192.0.2.7 0 0\n") == 0);
        told += is_told;
        assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
        (void)fputc(byte, file);
        assert_int_equal(fflush(file), 0);
    }
    assert_true(told > 120);
    /* And a cut at each place. */
    for (size_t cut = 0; cut < 100; cut++) {
        assert_int_equal(ftruncate(fileno(file), (off_t)cut), 0);
        hour_text(place, T0 / HOUR_US, &text);
        assert_true(strncmp(text.at, "retro/" NAME0 ": ", strlen("retro/" NAME0 ": ")) == 0);
    }
    assert_int_equal(fclose(file), 0);
    /* What comes next puts the broken file aside and begins a new one. */
    take(retro, "domain-name:value", "c.example", T0);
    flushed(retro);
    retro_close(&retro);
    hour_text(place, T0 / HOUR_US, &text);
    assert_string_equal(text.at, "domain-name:value c.example 0 0\n");
    (void)snprintf(path, sizeof(path), "%s/" NAME0 ".broken", place->folder);
    assert_int_equal(access(path, F_OK), 0);
}

static void the_oldest_hours_make_room(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
    struct place *place = *state;
    struct retro_hour *hours;
    size_t count;
    struct diag diag = {0};

    place->at.share_bytes = 3 * 4400;
    struct retro *retro = opened(place);
    for (int i = 0; i < 6; i++)
        take(retro, "domain-name:value", "a.example", T0 + i * HOUR_US);
    flushed(retro);
    retro_close(&retro);
    assert_false(failed(retro_list(place->folder, &arena, &hours, &count, &diag)));
    assert_true(count >= 1 && count <= 3);
    assert_int_equal(hours[count - 1].hour, T0 / HOUR_US + 5);
}

static void a_kill_leaves_each_hour_whole(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF((size_t)64 << 20);
    struct place *place = *state;

    for (unsigned round = 0; round < 8; round++) {
        pid_t child = fork();

        if (child == 0) {
            struct retro *retro = opened(place);
            char value[32];

            for (int i = 0;; i++) {
                (void)snprintf(value, sizeof(value), "v%d.example", i);
                take(retro, "domain-name:value", value, T0);
                if (i % 50 == 0 && failed(retro_flush(retro, NULL)))
                    _exit(1);
            }
        }
        (void)usleep(20000 + round * 7000);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        hour_text(place, T0 / HOUR_US, &text);
        assert_true(strncmp(text.at, "retro/", 6) != 0 || strstr(text.at, "No such file") != NULL);
    }
    /* What was half written goes with the next flush. */
    struct retro *retro = opened(place);
    take(retro, "domain-name:value", "z.example", T0);
    flushed(retro);
    retro_close(&retro);
    hour_text(place, T0 / HOUR_US, &text);
    assert_non_null(strstr(text.at, "z.example"));
}

static void every_failure_is_told_and_loses_nothing(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 20);
    struct place *place = *state;
    struct retro *retro = opened(place);
    unsigned long nth = 0;
    result r;

    take(retro, "domain-name:value", "old.example", T0);
    flushed(retro);
    take(retro, "domain-name:value", "a.example", T0);
    do {
        struct diag diag = {0};

        fault_arm(++nth);
        r = retro_flush(retro, &diag);
        bool fired = fault_fired();
        fault_arm(0);
        assert_true(!failed(r) || fired);
        assert_true(failed(r) == (diag.text[0] != '\0'));
        hour_text(place, T0 / HOUR_US, &text);
        assert_non_null(strstr(text.at, "old.example"));
        assert_true(failed(r) || strstr(text.at, "a.example 0 0\n") == text.at + 18);
    } while (failed(r));
    assert_true(nth > 5);
    retro_close(&retro);
}

static const struct {
    const char *name;
    slice text;
    int64_t hour; /* -1: none */
} names[] = {
    {"an hour", S("2026-01-01T00.hour"), T0 / HOUR_US},
    {"no hour", S("2026-01-01T24.hour"), -1},
    {"before 1970", S("1969-12-31T23.hour"), -1},
    {"half written", S("2026-01-01T00.hour.7.tmp"), -1},
    {"another", S("lock"), -1},
};

static void a_file_is_an_hour_by_its_name(void **state)
{
    (void)state;
    CHECK_ROWS(row, names) {
        int64_t hour = -1;

        assert_true(retro_name_read(row->text, &hour) == (row->hour >= 0));
        assert_true(row->hour < 0 || hour == row->hour);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define HOLDS(test) cmocka_unit_test_setup_teardown(test, place_make, place_remove)
        HOLDS(values_are_kept_by_the_hour_once_each),
        HOLDS(many_values_come_back_and_the_filter_never_hides_one),
        HOLDS(a_byte_that_changed_is_told),
        HOLDS(the_oldest_hours_make_room),
        HOLDS(a_kill_leaves_each_hour_whole),
#ifdef ENTENTE_FAULTS
        HOLDS(every_failure_is_told_and_loses_nothing),
#endif
        cmocka_unit_test(a_file_is_an_hour_by_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
