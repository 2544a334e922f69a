#include "detecting.h"

#define FLOW(source, destination)                                                                  \
    "{\"timestamp\":\"2026-01-01T00:00:00.000000+0000\",\"event_type\":\"flow\",\"src_ip\":"       \
    "\"" source "\",\"src_port\":40000,\"dest_ip\":\"" destination                                 \
    "\",\"dest_port\":443,\"proto\":\"TCP\"}\n"
#define AT(seconds, destination)                                                                   \
    "{\"timestamp\":\"2026-01-01T00:00:" seconds ".000000+0000\",\"event_type\":\"flow\","         \
    "\"src_ip\":\"10.0.0.5\",\"dest_ip\":\"" destination "\"}\n"
#define DNS(name)                                                                                  \
    "{\"timestamp\":\"2026-01-01T00:00:00.000000+0000\",\"event_type\":\"dns\",\"src_ip\":"        \
    "\"10.0.0.5\",\"dest_ip\":\"10.0.0.1\",\"dns\":{\"type\":\"query\",\"rrname\":\"" name         \
    "\"}}\n"
#define HTTP(host, path)                                                                           \
    "{\"event_type\":\"http\",\"src_ip\":\"10.0.0.5\",\"dest_ip\":\"10.0.0.1\",\"http\":{"         \
    "\"hostname\":\"" host "\",\"url\":\"" path "\",\"http_method\":\"GET\"}}\n"
#define A "203.0.113.1"
#define B "203.0.113.2"
#define IP(value) "[ipv4-addr:value = '" value "']"

/* One pattern, one text: how many hits. */
static const struct {
    const char *name;
    slice pattern, text;
    size_t hits;
} cases[] = {
    {"an address", S(IP(A)), S(FLOW("10.0.0.5", A)), 1},
    {"both ends of a flow are one hit", S(IP(A)), S(FLOW(A, A)), 1},
    {"not a part of one", S(IP("203.0.113.1")), S(FLOW("10.0.0.5", "203.0.113.11")), 0},
    {"two lines", S(IP(A)), S(FLOW(A, B) FLOW(B, A)), 2},
    {"either of two", S("[ipv4-addr:value = '" A "' OR ipv4-addr:value = '" B "']"), S(FLOW(A, B)),
     1},
    {"one of a set", S("[ipv4-addr:value IN ('192.0.2.1', '" B "')]"), S(FLOW(A, B)), 1},
    {"observations either of which", S(IP("192.0.2.1") " OR " IP(B)), S(FLOW(A, B)), 1},
    {"a network", S("[ipv4-addr:value ISSUBSET '203.0.113.0/24']"), S(FLOW("10.0.0.5", A)), 1},
    {"next to a network", S("[ipv4-addr:value ISSUBSET '203.0.113.0/31']"), S(FLOW("10.0.0.5", B)),
     0},
    {"a network of IPv6", S("[ipv6-addr:value ISSUBSET '2001:db8::/33']"),
     S(FLOW("2001:db8:7fff::1", A)), 1},
    {"past a network of IPv6", S("[ipv6-addr:value ISSUBSET '2001:db8::/33']"),
     S(FLOW("2001:db8:8000::1", A)), 0},
    {"every spelling of IPv6", S("[ipv6-addr:value = '2001:DB8:0:0::1']"),
     S(FLOW("2001:db8::0:1", A)), 1},
    {"IPv4 in IPv6", S(IP(A)), S(FLOW("::ffff:" A, B)), 1},
    {"a name", S("[domain-name:value = 'evil.example']"), S(DNS("evil.example")), 1},
    {"what is below a name", S("[domain-name:value = 'evil.example']"), S(DNS("a.b.evil.example")),
     1},
    {"not above it", S("[domain-name:value = 'www.evil.example']"), S(DNS("evil.example")), 0},
    {"not without a dot between", S("[domain-name:value = 'evil.example']"),
     S(DNS("notevil.example")), 0},
    {"nothing is below a public suffix", S("[domain-name:value = 'co.jp']"), S(DNS("a.co.jp")), 0},
    {"a public suffix itself", S("[domain-name:value = 'co.jp']"), S(DNS("co.jp")), 1},
    {"a host's suffix in letters", S("[domain-name:value = 'B\303\234CHER.example']"),
     S(DNS("xn--bcher-kva.example")), 1},
    {"a URL in parts", S("[url:value = 'HTTP://evil.example:80/a/../b?q=1']"),
     S(HTTP("EVIL.example", "/b?q=1")), 1},
    {"a URL's host", S("[domain-name:value = 'evil.example']"), S(HTTP("www.evil.example", "/")),
     1},
    {"two properties of one object",
     S("[network-traffic:dst_ref.value = '" A "' AND network-traffic:dst_port = 443]"),
     S(FLOW("10.0.0.5", A)), 1},
    {"one of two properties",
     S("[network-traffic:dst_ref.value = '" A "' AND network-traffic:dst_port = 444]"),
     S(FLOW("10.0.0.5", A)), 0},
    {"what a reference leads to",
     S("[network-traffic:src_ref.type = 'ipv4-addr' AND network-traffic:src_ref.value = '" A "']"),
     S(FLOW(A, B)), 1},
    {"a port alone", S("[network-traffic:dst_port = 443]"), S(FLOW(A, B)), 1},
    {"a port above", S("[network-traffic:dst_port > 442]"), S(FLOW(A, B)), 1},
    {"not the port", S("[network-traffic:dst_port != 443]"), S(FLOW(A, B)), 0},
    {"a protocol of a list", S("[network-traffic:protocols[*] = 'tcp']"), S(FLOW(A, B)), 1},
    {"there is one", S("[network-traffic:dst_port > 0 AND EXISTS network-traffic:src_ref]"),
     S(FLOW(A, B)), 1},
    {"there is none", S("[NOT EXISTS network-traffic:x_ja3]"), S(FLOW(A, B)), 1},
    {"not this one", S("[ipv4-addr:value NOT = '" A "']"), S(FLOW(A, A)), 0},
    {"LIKE", S("[domain-name:value LIKE '%.EVIL.example']"), S(DNS("a.evil.example")), 1},
    {"LIKE nothing here", S("[domain-name:value LIKE '%.evil.example']"), S(DNS("evil.example")),
     0},
    {"MATCHES", S("[domain-name:value MATCHES '^[a-z]{4}\\\\.example$']"), S(DNS("evil.example")),
     1},
    {"MATCHES nothing here", S("[domain-name:value MATCHES '^x']"), S(DNS("evil.example")), 0},
    {"an impossible day", S("[file:x_time = t'2026-02-30T00:00:00Z']"), S(FLOW(A, B)), 0},
    /* several events */
    {"both", S(IP(A) " AND " IP(B)), S(AT("00", B) AT("01", A)), 1},
    {"both in one event are one observation", S(IP(A) " AND " IP(B)), S(FLOW(A, B)), 0},
    {"one after the other", S(IP(A) " FOLLOWEDBY " IP(B)), S(AT("00", A) AT("01", B)), 1},
    {"one before the other", S(IP(A) " FOLLOWEDBY " IP(B)), S(AT("01", B) AT("02", A)), 0},
    {"by their times, not their lines", S(IP(A) " FOLLOWEDBY " IP(B)), S(AT("02", B) AT("01", A)),
     1},
    {"within", S("(" IP(A) " AND " IP(B) ") WITHIN 5 SECONDS"), S(AT("00", A) AT("04", B)), 1},
    {"within is strict", S("(" IP(A) " AND " IP(B) ") WITHIN 5 SECONDS"),
     S(AT("00", A) AT("05", B)), 0},
    {"the later one is within", S("(" IP(A) " AND " IP(B) ") WITHIN 5 SECONDS"),
     S(AT("00", A) AT("07", A) AT("09", B)), 1},
    {"often enough", S(IP(A) " REPEATS 3 TIMES"), S(AT("00", A) AT("01", A) AT("02", A)), 1},
    {"not often enough", S(IP(A) " REPEATS 3 TIMES"), S(AT("00", A) AT("01", A)), 0},
    {"often enough twice", S(IP(A) " REPEATS 2 TIMES"),
     S(AT("00", A) AT("01", A) AT("02", A) AT("03", A)), 2},
    {"often within", S(IP(A) " REPEATS 3 TIMES WITHIN 5 SECONDS"),
     S(AT("00", A) AT("09", A) AT("10", A) AT("11", A)), 1},
    {"never so often", S(IP(A) " REPEATS 1000000000 TIMES"), S(AT("00", A) AT("01", A)), 0},
    {"after the start", S(IP(A) " START t'2026-01-01T00:00:01Z' STOP t'2026-01-01T00:00:02Z'"),
     S(AT("01", A)), 1},
    {"at the stop", S(IP(A) " START t'2026-01-01T00:00:01Z' STOP t'2026-01-01T00:00:02Z'"),
     S(AT("02", A)), 0},
    {"each its own event", S(IP(A) " AND " IP(A)), S(AT("00", A)), 0},
    {"each its own of two", S(IP(A) " AND " IP(A)), S(AT("00", A) AT("01", A)), 1},
    {"a chain", S(IP(A) " FOLLOWEDBY " IP(B) " FOLLOWEDBY " IP(A)),
     S(AT("00", A) AT("01", B) AT("02", A)), 1},
    {"a repeated chain", S("(" IP(A) " FOLLOWEDBY " IP(B) ") REPEATS 2 TIMES"),
     S(AT("00", A) AT("01", B) AT("02", A) AT("03", B)), 1},
    {"half of a repeated chain", S("(" IP(A) " FOLLOWEDBY " IP(B) ") REPEATS 2 TIMES"),
     S(AT("00", A) AT("01", B) AT("02", A)), 0},
};

static void patterns_hit_what_they_say(void **state)
{
    (void)state;
    CHECK_ROWS(row, cases)
        assert_int_equal(text_hits(row->pattern, NULL, SLICE("eve"), row->text), row->hits);
}

static const struct {
    const char *name;
    slice pattern, text;
    struct rules_choice choice;
    size_t hits;
} choices[] = {
    {"names alone",
     S("[domain-name:value = 'evil.example']"),
     S(DNS("a.evil.example")),
     {.exact_domains = true},
     0},
    {"suffixes too",
     S("[domain-name:value = 'co.jp']"),
     S(DNS("a.co.jp")),
     {.suffixes_hit = true},
     1},
    {"no network by =", S("[ipv4-addr:value = '203.0.113.0/24']"), S(FLOW(A, B)), {0}, 0},
    {"a network by =",
     S("[ipv4-addr:value = '203.0.113.0/24']"),
     S(FLOW(A, B)),
     {.cidr_contains = true},
     1},
};

static void settings_change_what_hits(void **state)
{
    (void)state;
    CHECK_ROWS(row, choices)
        assert_int_equal(text_hits(row->pattern, &row->choice, SLICE("eve"), row->text), row->hits);
}

static void a_hit_says_where(void **state)
{
    CLEANUP(block_hits_free) struct block_hits hits;
    CLEANUP(ruleset_release) struct ruleset *set = pattern_rules(SLICE(IP(B)), NULL);
    slice text = SLICE("{broken\n" FLOW("10.0.0.5", A) FLOW("10.0.0.5", B));

    (void)state;
    text_detect(set, SLICE("eve"), text, &hits);
    assert_int_equal(hits.count, 1);
    assert_int_equal(hits.counts.broken, 1);
    assert_int_equal(hits.counts.lines, 3);
    const struct hit *hit = &hits.hits[0];
    assert_int_equal(hit->line_number, 3);
    assert_true(slice_starts(slice_from(text, hit->line_offset), hit->line));
    assert_true(hit->has_time && hit->time_us == NOW_US);
    assert_int_equal(hit->field_count, 1);
    assert_true(slice_eq(hit->fields[0].path, SLICE("ipv4-addr:value")));
    assert_true(slice_eq(hit->fields[0].field, SLICE("dest_ip")));
    assert_true(slice_starts(slice_from(hit->line, hit->fields[0].offset), SLICE(B)));
}

static void a_temporal_hit_names_its_events(void **state)
{
    CLEANUP(block_hits_free) struct block_hits hits;
    CLEANUP(ruleset_release)
    struct ruleset *set = pattern_rules(SLICE(IP(A) " FOLLOWEDBY " IP(B)), NULL);

    (void)state;
    text_detect(set, SLICE("eve"), SLICE(AT("00", A) AT("01", "192.0.2.1") AT("02", B)), &hits);
    assert_true(ruleset_is_temporal(set));
    assert_int_equal(hits.count, 1);
    assert_int_equal(hits.hits[0].line_number, 3);
    assert_int_equal(hits.hits[0].event_count, 1);
    assert_int_equal(hits.hits[0].events[0].line_number, 1);
}

static void candidates_alone_are_read(void **state)
{
    CLEANUP(block_hits_free) struct block_hits hits;
    CLEANUP(ruleset_release) struct ruleset *set = pattern_rules(SLICE(IP(A)), NULL);
    CLEANUP(telemetry_reader_free) struct telemetry_reader *reader = NULL;
    CLEANUP(detector_worker_free) struct detector_worker *worker = NULL;
    slice text = SLICE(FLOW(B, B) FLOW(A, B) FLOW(A, A));
    const uint32_t lines[] = {(uint32_t)(2 * (sizeof(FLOW(A, B)) - 1))};

    (void)state;
    block_hits_init(&hits);
    assert_true(succeeded(telemetry_reader_new(SLICE("eve"), NULL, NOW_US, &reader, NULL)));
    assert_true(succeeded(detector_worker_new(set, &worker, NULL)));
    struct detector_block block = {.bytes = text,
                                   .line_number = 10,
                                   .offset = 1000,
                                   .lines = lines,
                                   .line_count = 1,
                                   .reader = reader};
    assert_true(succeeded(detector_block(worker, &block, &hits, NULL)));
    assert_int_equal(hits.count, 1);
    assert_int_equal(hits.counts.lines, 1);
    assert_int_equal(hits.hits[0].line_number, 12);
    assert_int_equal(hits.hits[0].line_offset, 1000 + lines[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_hit_what_they_say),
        cmocka_unit_test(settings_change_what_hits),
        cmocka_unit_test(a_hit_says_where),
        cmocka_unit_test(a_temporal_hit_names_its_events),
        cmocka_unit_test(candidates_alone_are_read),
    };

    return cmocka_run_group_tests_name("scan/detector", tests, NULL, NULL);
}
