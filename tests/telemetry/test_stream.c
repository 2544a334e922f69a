#include "reading.h"

struct seen {
    uint64_t reports, last_line;
};

static void report(void *context, uint64_t line_number, const struct diag *why)
{
    struct seen *seen = context;

    assert_true(why->text[0] != '\0');
    seen->reports++;
    seen->last_line = line_number;
}

static struct telemetry_counts stream_all(slice text, const char *format, struct seen *seen,
                                          char *format_found)
{
    CLEANUP(source_close) struct source *source = NULL;
    CLEANUP(telemetry_stream_close) struct telemetry_stream *stream = NULL;
    struct telemetry_choice choice = {
        .format = format, .now_us = NOW_US, .report = report, .context = seen};
    struct telemetry_event event;
    bool is_end = false;

    assert_true(succeeded(source_of_memory(text, &source, NULL)));
    assert_true(succeeded(telemetry_stream_open(source, &choice, &stream, NULL)));
    while (succeeded(telemetry_stream_next(stream, &event, &is_end, NULL)) && !is_end)
        assert_true(event.line_offset < text.len && event.line_number > 0);
    assert_true(is_end);
    slice found = telemetry_stream_format(stream);
    (void)snprintf(format_found, 32, "%.*s", SLICE_ARG(found));
    return *telemetry_stream_counts(stream);
}

static const struct {
    const char *name;
    slice text;
    const char *format;
    uint64_t lines, broken, observables;
} rows[] = {
    {"nothing", S(""), "text", 0, 0, 0},
    {"EVE", S("{\"event_type\":\"flow\",\"src_ip\":\"192.0.2.1\"}\n"), "eve", 1, 0, 2},
    {"EVE after a broken line", S("{\"a\":1\n{\"event_type\":\"flow\",\"src_ip\":\"192.0.2.1\"}\n"),
     "eve", 2, 1, 2},
    {"EVE without its last end", S("{\"event_type\":\"flow\",\"src_ip\":\"192.0.2.1\"}"), "eve", 1,
     0, 2},
    {"Zeek", S("{\"ts\":1.0,\"uid\":\"C1\",\"id.orig_h\":\"192.0.2.1\"}"), "zeek-json", 1, 0, 2},
    {"ECS", S("{\"@timestamp\":\"x\",\"ecs\":{\"version\":\"8\"}}"), "ecs", 1, 0, 0},
    {"OCSF", S("{\"class_uid\":1}"), "ocsf", 1, 0, 0},
    {"Sysmon", S("{\"Event\":{\"System\":{\"EventID\":1}}}"), "sysmon", 1, 0, 0},
    {"JSON", S("{\"a\":\"192.0.2.1\"}"), "json", 1, 0, 1},
    {"Zeek TSV", S("#separator \\x09\n#fields\thost\n192.0.2.1\n"), "zeek-tsv", 3, 0, 1},
    {"CEF", S("CEF:0|a|b|c|d|e|f|src=192.0.2.1"), "cef", 1, 0, 2},
    {"syslog", S("<34>1 2026-01-01T00:00:00Z fw sshd 1 - - from 192.0.2.1"), "syslog", 1, 0, 1},
    {"syslog without a priority", S("Jan  1 00:00:00 fw sshd: from 192.0.2.1"), "syslog", 1, 0, 1},
    {"key=value", S("a=1 b=2 src=192.0.2.1"), "kv", 1, 0, 2},
    {"CSV with a line end inside", S("ip,note\n192.0.2.1,\"a\nb\"\n192.0.2.2,c\n"), "csv", 3, 0, 2},
    {"BIND", S("client 192.0.2.1#1 (a.example): query: a.example IN A + (192.0.2.53)"), "bind", 1,
     0, 6},
    {"Unbound", S("[1767225600] unbound[1:0] info: 192.0.2.1 a.example. A IN"), "unbound", 1, 0, 3},
    {"dnsmasq", S("Jan  1 00:00:00 dnsmasq[7]: query[A] a.example from 192.0.2.1"), "dnsmasq", 1, 0,
     3},
    {"web", S("192.0.2.1 - - [01/Jan/2026:00:00:00 +0000] \"GET / HTTP/1.1\" 200 5"), "web", 1, 0,
     4},
    {"text", S("see 192.0.2.1\nand 192.0.2.2\n"), "text", 2, 0, 2},
};

static void streams_are_recognised_and_counted(void **state)
{
    (void)state;
    CHECK_ROWS(row, rows) {
        struct seen seen = {0};
        char format[32];
        struct telemetry_counts counts = stream_all(row->text, NULL, &seen, format);

        assert_string_equal(format, row->format);
        if (counts.lines != row->lines || counts.broken != row->broken ||
            counts.observables != row->observables)
            fail_msg("%s: %llu lines, %llu broken, %llu observables", row->name,
                     (unsigned long long)counts.lines, (unsigned long long)counts.broken,
                     (unsigned long long)counts.observables);
        assert_true(seen.reports == row->broken && counts.bytes >= row->text.len);
    }
}

static void a_line_too_long_is_passed_over(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF((size_t)128 << 20);
    struct seen seen = {0};
    char format[32];

    (void)state;
    buf_put(&text, SLICE("192.0.2.1\n"));
    char *at = buf_reserve(&text, (size_t)100 << 20);
    assert_non_null(at);
    memset(at, 'a', (size_t)100 << 20);
    text.len += (size_t)100 << 20;
    buf_put(&text, SLICE("\n192.0.2.2\n"));
    struct telemetry_counts counts = stream_all(buf_slice(&text), "text", &seen, format);
    assert_int_equal(counts.lines, 3);
    assert_int_equal(counts.broken, 1);
    assert_int_equal(counts.too_long, 1);
    assert_int_equal(counts.observables, 2);
    assert_int_equal(seen.last_line, 2);
}

static void a_stray_quote_costs_a_line(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF((size_t)1 << 20);
    struct seen seen = {0};
    char format[32];

    (void)state;
    buf_put(&text, SLICE("ip,note\n192.0.2.1,\"a\n"));
    for (size_t i = 0; i < 200; i++)
        buf_put(&text, SLICE("192.0.2.2,c\n"));
    struct telemetry_counts counts = stream_all(buf_slice(&text), "csv", &seen, format);
    assert_int_equal(counts.lines, 202);
    assert_int_equal(counts.broken, 1);
    assert_int_equal(counts.observables, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_are_recognised_and_counted),
        cmocka_unit_test(a_line_too_long_is_passed_over),
        cmocka_unit_test(a_stray_quote_costs_a_line),
    };

    return cmocka_run_group_tests_name("telemetry/stream", tests, NULL, NULL);
}
