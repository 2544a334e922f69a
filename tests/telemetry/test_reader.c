#include "reading.h"

#include "base/fault.h"

#define ZEEK_HEADER                                                                                \
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tdns\n"    \
    "#fields\tts\tid.orig_h\tid.resp_h\tquery\tanswers\n"                                          \
    "#types\ttime\taddr\taddr\tstring\tvector[string]\n"
#define MIDNIGHT NOW_US
#define SHA1 "da39a3ee5e6b4b0d3255bfef95601890afd80709"
#define SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const struct {
    const char *name;
    slice format, line, has, has_not;
    int64_t time_us;
} rows[] = {
    {"flow", S("eve"),
     S("{\"timestamp\":\"2025-12-31T19:00:00.000000-0500\",\"event_type\":\"flow\","
       "\"src_ip\":\"2001:0db8:0:0::1\",\"src_port\":4000,\"dest_ip\":\"203.0.113.9\"}"),
     S("ipv6-addr:value=2001:db8::1\nnetwork-traffic:src_ref.value=2001:db8::1\n"
       "ipv4-addr:value=203.0.113.9\nnetwork-traffic:dst_ref.value=203.0.113.9\n"
       "network-traffic:src_port=4000"),
     S("ipv4-addr:value=4000"), MIDNIGHT},
    {"dns 1", S("eve"),
     S("{\"event_type\":\"dns\",\"dns\":{\"rrname\":\"A.Example.\",\"rdata\":\"203.0.113.7\"}}"),
     S("domain-name:value=a.example\nipv4-addr:value=203.0.113.7"), S("x"), 0},
    {"dns 2", S("eve"),
     S("{\"event_type\":\"dns\",\"dns\":{\"answers\":[{\"rrname\":\"a.example\",\"rdata\":"
       "\"b.example\"}],\"grouped\":{\"AAAA\":[\"2001:db8::7\"],\"TXT\":[\"203.0.113.1 x\"]}}}"),
     S("domain-name:value=a.example\ndomain-name:value=b.example\nipv6-addr:value=2001:db8::7"),
     S("ipv4-addr:value=203.0.113.1"), 0},
    {"dns 3", S("eve"),
     S("{\"event_type\":\"dns\",\"dns\":{\"queries\":[{\"rrname\":\"b\\u00fccher.example\"}]}}"),
     S("domain-name:value=xn--bcher-kva.example"), S("x"), 0},
    {"http", S("eve"),
     S("{\"event_type\":\"http\",\"http\":{\"hostname\":\"EVIL.example\",\"http_port\":8080,"
       "\"url\":\"\\/a\\/..\\/b?q=1\",\"http_refer\":\"http://r.example/\"}}"),
     S("domain-name:value=evil.example\nurl:value=http://evil.example:8080/b?q=1\n"
       "url:value=http://r.example/\ndomain-name:value=r.example"),
     S("x"), 0},
    {"http to an address", S("eve"),
     S("{\"event_type\":\"http\",\"http\":{\"hostname\":\"[2001:db8::1]\",\"url\":\"/\"}}"),
     S("ipv6-addr:value=2001:db8::1\nurl:value=http://[2001:db8::1]/"), S("x"), 0},
    {"no host", S("eve"),
     S("{\"event_type\":\"http\",\"http\":{\"hostname\":\"user@evil.example\",\"url\":\"/\"}}"),
     S("url:value=http://user@evil.example/"), S("domain-name:value=evil.example"), 0},
    {"tls", S("eve"),
     S("{\"event_type\":\"tls\",\"tls\":{\"sni\":\"s.example\",\"fingerprint\":"
       "\"DA:39:a3:ee:5e:6b:4b:0d:32:55:bf:ef:95:60:18:90:af:d8:07:09\",\"subject\":\"CN=s\","
       "\"serial\":\"0C:73\",\"ja3\":{\"hash\":\"5182f54f9c6e99d117d9dde3fa2b4cff\"}}}"),
     S("domain-name:value=s.example\nx509-certificate:hashes.'SHA-1'=" SHA1
       "\nx509-certificate:subject=CN=s\nx509-certificate:serial_number=0c73\n"
       "network-traffic:x_ja3=5182f54f9c6e99d117d9dde3fa2b4cff"),
     S("x"), 0},
    {"file", S("eve"),
     S("{\"event_type\":\"fileinfo\",\"fileinfo\":{\"filename\":\"/dl/a.exe\",\"sha256\":\"" SHA256
       "\",\"size\":3}}"),
     S("file:name=a.exe\nfile:hashes.'SHA-256'=" SHA256
       "\nfile:size=3\nfile:parent_directory_ref.path=/dl"),
     S("x"), 0},
    {"mail", S("eve"),
     S("{\"event_type\":\"smtp\",\"smtp\":{\"helo\":\"mx.example\",\"mail_from\":\"<a@b.example>\","
       "\"rcpt_to\":[\"<c@d.example>\"]},\"email\":{\"from\":\"\\\"X Y\\\" <e@F.example>\"}}"),
     S("email-addr:value=a@b.example\nemail-addr:value=c@d.example\nemail-addr:value=e@f.example\n"
       "domain-name:value=mx.example\nemail-message:from_ref.value=e@f.example"),
     S("email-addr:value=X"), 0},
    {"a key twice: both", S("eve"),
     S("{\"event_type\":\"flow\",\"dest_ip\":\"192.0.2.1\",\"dest_ip\":\"203.0.113.9\"}"),
     S("ipv4-addr:value=192.0.2.1\nipv4-addr:value=203.0.113.9"), S("x"), 0},
    {"quotes inside a value", S("eve"),
     S("{\"event_type\":\"flow\",\"x\":{\"y\":\"\\\",\\\"dest_ip\\\":\\\"203.0.113.9\"}}"), S(""),
     S("ipv4-addr:value=203.0.113.9"), 0},
    {"CONNECT", S("eve"),
     S("{\"event_type\":\"http\",\"http\":{\"http_method\":\"CONNECT\",\"url\":"
       "\"evil.example:443\"}}"),
     S("domain-name:value=evil.example"), S("x"), 0},
    {"a URL without its scheme", S("eve"),
     S("{\"event_type\":\"smtp\",\"email\":{\"url\":[\"evil.example/a\"]}}"),
     S("domain-name:value=evil.example"), S("x"), 0},
    {"IPv4 in IPv6 is both", S("eve"),
     S("{\"event_type\":\"flow\",\"src_ip\":\"::ffff:203.0.113.9\"}"),
     S("ipv6-addr:value=::ffff:203.0.113.9\nipv4-addr:value=203.0.113.9"), S("x"), 0},
    {"Zeek, keys with dots", S("zeek-json"),
     S("{\"ts\":1767225600.5,\"id.orig_h\":\"192.0.2.5\",\"id.resp_h\":\"203.0.113.9\","
       "\"host\":\"evil.example\",\"uri\":\"/a\"}"),
     S("ipv4-addr:value=192.0.2.5\nnetwork-traffic:dst_ref.value=203.0.113.9\n"
       "url:value=http://evil.example/a"),
     S("x"), MIDNIGHT + 500000},
    {"Zeek, nested", S("zeek-json"), S("{\"ts\":1767225600.0,\"id\":{\"orig_h\":\"192.0.2.5\"}}"),
     S("network-traffic:src_ref.value=192.0.2.5"), S("x"), MIDNIGHT},
    {"Zeek TSV", S("zeek-tsv"),
     S(ZEEK_HEADER "1767225600.0\t192.0.2.5\t192.0.2.53\tevil\\x2eexample\t"
                   "198.51.100.1,b.example\n#close\t2026-01-01-00-00-00\n"),
     S("domain-name:value=evil.example\nipv4-addr:value=198.51.100.1\ndomain-name:value=b.example"),
     S("domain-name:value=-"), MIDNIGHT},
    {"ECS", S("ecs"),
     S("{\"@timestamp\":\"2026-01-01T00:00:00.000Z\",\"source\":{\"ip\":\"192.0.2.5\"},"
       "\"url.full\":\"https://a.example/x\",\"file\":{\"hash\":{\"sha256\":\"" SHA256 "\"}}}"),
     S("network-traffic:src_ref.value=192.0.2.5\nurl:value=https://a.example/x\n"
       "domain-name:value=a.example\nfile:hashes.'SHA-256'=" SHA256),
     S("x"), MIDNIGHT},
    {"OCSF", S("ocsf"),
     S("{\"class_uid\":4003,\"time\":1767225600000,\"query\":{\"hostname\":\"q.example\"},"
       "\"answers\":[{\"rdata\":\"203.0.113.7\"}],\"dst_endpoint\":{\"ip\":\"192.0.2.53\"}}"),
     S("domain-name:value=q.example\nipv4-addr:value=203.0.113.7\n"
       "network-traffic:dst_ref.value=192.0.2.53"),
     S("x"), MIDNIGHT},
    {"Sysmon, nested", S("sysmon"),
     S("{\"winlog\":{\"event_data\":{\"UtcTime\":\"2026-01-01 00:00:00.000\",\"Image\":"
       "\"C:\\\\Temp\\\\a.exe\",\"Hashes\":\"SHA1=" SHA1 ",SHA256=" SHA256
       ",IMPHASH=00\",\"DestinationIp\":\"203.0.113.9\"}}}"),
     S("process:image_ref.name=a.exe\nfile:name=a.exe\nfile:hashes.'SHA-1'=" SHA1
       "\nfile:hashes.'SHA-256'=" SHA256 "\nipv4-addr:value=203.0.113.9"),
     S("x"), MIDNIGHT},
    {"Sysmon, flat", S("sysmon"), S("{\"EventID\":22,\"QueryName\":\"evil.example\"}"),
     S("domain-name:value=evil.example"), S("x"), 0},
    {"other JSON", S("json"), S("{\"deep\":[{\"note\":\"see 203.0.113.9, hxxp://a[.]example/\"}]}"),
     S("ipv4-addr:value=203.0.113.9\nurl:value=http://a.example/"), S("x"), 0},
    {"CEF", S("cef"),
     S("Jan  1 00:00:00 fw CEF:0|V|P\\|Q|1|100|name|5|src=192.0.2.5 dst=203.0.113.9 "
       "request=http://evil.example/a?x\\=1 msg=seen by b.example today fileHash=" SHA1),
     S("network-traffic:src_ref.value=192.0.2.5\nnetwork-traffic:dst_ref.value=203.0.113.9\n"
       "url:value=http://evil.example/"
       "a?x=1\ndomain-name:value=b.example\nfile:hashes.'SHA-1'=" SHA1),
     S("x"), MIDNIGHT},
    {"RFC 5424", S("syslog"),
     S("<34>1 2026-01-01T00:00:00Z fw sshd 1 - - Failed for root from 203.0.113.9 port 22 ssh2"),
     S("ipv4-addr:value=203.0.113.9"), S("ipv4-addr:value=22"), MIDNIGHT},
    {"RFC 3164", S("syslog"), S("<34>Dec 31 00:00:00 fw app[1]: user bob@evil.example"),
     S("email-addr:value=bob@evil.example"), S("x"), MIDNIGHT - 86400000000},
    {"key=value in syslog", S("syslog"),
     S("<34>Jan  1 00:00:00 fw date=2026-01-01 srcip=192.0.2.5 dstip=203.0.113.9 "
       "hostname=\"evil.example\""),
     S("network-traffic:src_ref.value=192.0.2.5\nnetwork-traffic:dst_ref.value=203.0.113.9\n"
       "domain-name:value=evil.example"),
     S("x"), MIDNIGHT},
    {"key=value", S("kv"), S("src=192.0.2.5, url=\"http://a.example/\\\"b\" see c.example"),
     S("network-traffic:src_ref.value=192.0.2.5\nurl:value=http://a.example/\"b\n"
       "domain-name:value=c.example"),
     S("x"), 0},
    {"CSV", S("csv"),
     S("Time;Source IP;Domain;Note\n2026-01-01 00:00:00;192.0.2.5;\"evil.example\";\"a \"\"b\"\" "
       "203.0.113.9\"\r\n"),
     S("network-traffic:src_ref.value=192.0.2.5\ndomain-name:value=evil.example\n"
       "ipv4-addr:value=203.0.113.9"),
     S("x"), MIDNIGHT},
    {"BIND", S("bind"),
     S("01-Jan-2026 00:00:00.000 queries: info: client @0x7f 192.0.2.5#4000 (evil.example): view "
       "in: query: evil.example IN A +E(0)K (192.0.2.53)"),
     S("network-traffic:src_ref.value=192.0.2.5\ndomain-name:value=evil.example\n"
       "network-traffic:dst_ref.value=192.0.2.53\nnetwork-traffic:src_port=4000"),
     S("x"), MIDNIGHT},
    {"Unbound", S("unbound"), S("[1767225600] unbound[1:0] info: 192.0.2.5 evil.example. A IN"),
     S("network-traffic:src_ref.value=192.0.2.5\ndomain-name:value=evil.example"), S("x"),
     MIDNIGHT},
    {"dnsmasq asks", S("dnsmasq"),
     S("Jan  1 00:00:00 dnsmasq[7]: query[A] evil.example from 192.0.2.5"),
     S("network-traffic:src_ref.value=192.0.2.5\ndomain-name:value=evil.example"), S("x"),
     MIDNIGHT},
    {"dnsmasq answers", S("dnsmasq"),
     S("Jan  1 00:00:00 dnsmasq[7]: 3 192.0.2.5/99 reply evil.example is 203.0.113.9"),
     S("ipv4-addr:value=203.0.113.9\ndomain-name:value=evil.example"), S("x"), MIDNIGHT},
    {"combined", S("web"),
     S("192.0.2.5 - bob [01/Jan/2026:09:00:00 +0900] \"GET /a b HTTP/1.1\" 200 5 "
       "\"http://evil.example/\" \"UA \\\" x\""),
     S("network-traffic:src_ref.value=192.0.2.5\nuser-account:user_id=bob\n"
       "url:value=http://evil.example/\n"
       "network-traffic:extensions.'http-request-ext'.request_value=/a b"),
     S("x"), MIDNIGHT},
    {"with its virtual host", S("web"),
     S("www.example:443 192.0.2.5 - - [01/Jan/2026:00:00:00 +0000] \"GET /a HTTP/1.1\" 200 5"),
     S("domain-name:value=www.example\nnetwork-traffic:src_ref.value=192.0.2.5\n"
       "url:value=http://www.example:443/a"),
     S("x"), MIDNIGHT},
    {"a blank line", S("eve"), S("  \r\n"), S(""), S("x"), 0},
};

static void each_format_gives_its_observables(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF((size_t)1 << 20);

    (void)state;
    CHECK_ROWS(row, rows) {
        struct diag diag = {0};
        int64_t time_us;

        buf_reset(&out);
        if (failed(lines_read(row->format, NULL, row->line, &out, &time_us, &diag)))
            fail_msg("%s: %s", row->name, diag.text);
        if (!has_lines(buf_slice(&out), row->has) || time_us != row->time_us)
            fail_msg("%s: time %lld\n%.*s", row->name, (long long)time_us,
                     SLICE_ARG(buf_slice(&out)));
        if (has_lines(buf_slice(&out), row->has_not))
            fail_msg("%s has what it should not:\n%.*s", row->name, SLICE_ARG(buf_slice(&out)));
    }
}

static const struct {
    const char *name;
    slice format, line;
    enum err code;
} refusals[] = {
    {"cut", S("eve"), S("{\"event_type\":\"flow\""), ERR_INVALID},
    {"no JSON", S("eve"), S("not json at all"), ERR_INVALID},
    {"no object", S("zeek-json"), S("[1]"), ERR_INVALID},
    {"NUL in JSON", S("eve"), S("{\"a\":\"\0\"}"), ERR_INVALID},
    {"bad UTF-8", S("eve"), S("{\"a\":\"\xff\"}"), ERR_INVALID},
    {"no header", S("zeek-tsv"), S("1\t2"), ERR_INVALID},
    {"less columns", S("zeek-tsv"), S("#fields\ta\tb\n1"), ERR_INVALID},
    {"more columns", S("zeek-tsv"), S("#fields\ta\tb\n1\t2\t3"), ERR_INVALID},
    {"CSV, more columns", S("csv"), S("a,b\n1,2,3"), ERR_INVALID},
    {"CSV, open quotes", S("csv"), S("a,b\n1,\"2"), ERR_INVALID},
    {"CSV, open quotes in the header", S("csv"), S("a,\"b"), ERR_INVALID},
    {"CEF cut", S("cef"), S("CEF:0|a|b"), ERR_INVALID},
    {"no CEF", S("cef"), S("a"), ERR_INVALID},
    {"no pair", S("kv"), S("words only"), ERR_INVALID},
    {"no header of syslog", S("syslog"), S("words only"), ERR_INVALID},
    {"priority too high", S("syslog"), S("<999>Jan  1 00:00:00 a b"), ERR_INVALID},
    {"no BIND", S("bind"), S("words"), ERR_INVALID},
    {"no Unbound", S("unbound"), S("words"), ERR_INVALID},
    {"no dnsmasq", S("dnsmasq"), S("words"), ERR_INVALID},
    {"no request", S("web"), S("192.0.2.5 - - [01/Jan/2026:00:00:00 +0000] GET"), ERR_INVALID},
    {"no time", S("web"), S("192.0.2.5 - - x"), ERR_INVALID},
    {"no such format", S("xml"), S("a"), ERR_MISSING},
};

static void broken_lines_are_refused_in_words(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF((size_t)1 << 20);

    (void)state;
    CHECK_ROWS(row, refusals) {
        struct diag diag = {0};
        int64_t time_us;
        result r = lines_read(row->format, NULL, row->line, &out, &time_us, &diag);

        if (r.code != row->code || diag.text[0] == '\0')
            fail_msg("%s: %s \"%s\"", row->name, err_name(r.code), diag.text);
    }
}

static void nesting_has_an_end(void **state)
{
    CLEANUP(buf_free) struct buf line = BUF((size_t)1 << 20), out = BUF((size_t)1 << 20);
    int64_t time_us;

    (void)state;
    for (size_t i = 0; i < TELEMETRY_DEPTH_MAX * 2; i++)
        buf_put(&line, SLICE("{\"a\":"));
    buf_put(&line, SLICE("1"));
    for (size_t i = 0; i < TELEMETRY_DEPTH_MAX * 2; i++)
        buf_byte(&line, '}');
    assert_int_equal(lines_read(SLICE("eve"), NULL, buf_slice(&line), &out, &time_us, NULL).code,
                     ERR_LIMIT);
}

static void one_line_has_so_many_observables(void **state)
{
    CLEANUP(buf_free) struct buf line = BUF((size_t)1 << 20);
    CLEANUP(telemetry_reader_free) struct telemetry_reader *reader = NULL;
    struct telemetry_event event;

    (void)state;
    for (size_t i = 0; i <= TELEMETRY_OBSERVABLES_MAX; i++)
        buf_put(&line, SLICE("192.0.2.1 "));
    assert_true(succeeded(telemetry_reader_new(SLICE("text"), NULL, NOW_US, &reader, NULL)));
    assert_true(succeeded(telemetry_read(reader, buf_slice(&line), &event, NULL)));
    assert_true(event.is_cut && event.count == TELEMETRY_OBSERVABLES_MAX);
}

static void properties_of_one_object_are_together(void **state)
{
    CLEANUP(telemetry_reader_free) struct telemetry_reader *reader = NULL;
    struct telemetry_event event;
    slice line =
        SLICE("{\"files\":[{\"filename\":\"a\",\"size\":1},{\"filename\":\"b\",\"size\":2}]}");

    (void)state;
    assert_true(succeeded(telemetry_reader_new(SLICE("eve"), NULL, NOW_US, &reader, NULL)));
    assert_true(succeeded(telemetry_read(reader, line, &event, NULL)));
    assert_int_equal(event.count, 4);
    assert_int_equal(event.observables[0].object, event.observables[1].object);
    assert_int_equal(event.observables[2].object, event.observables[3].object);
    assert_int_not_equal(event.observables[0].object, event.observables[2].object);
}

#ifdef ENTENTE_FAULTS
static void each_step_that_fails_is_told(void **state)
{
    unsigned long nth = 0;
    result r;

    (void)state;
    do {
        CLEANUP(buf_free) struct buf out = BUF(4096);
        struct diag diag = {0};
        int64_t time_us;

        assert_non_null(buf_reserve(&out, 1024)); /* the test's own memory is not on trial */
        fault_arm(++nth);
        r = lines_read(SLICE("eve"), NULL,
                       SLICE("{\"event_type\":\"flow\",\"src_ip\":\"192.0.2.1\"}"), &out, &time_us,
                       &diag);
        assert_true(failed(r) == fault_fired());
        assert_true(failed(r) == (diag.text[0] != '\0'));
        assert_true(failed(r) || out.len > 0);
    } while (failed(r));
    fault_arm(0);
    assert_true(nth > 3);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_format_gives_its_observables),
        cmocka_unit_test(broken_lines_are_refused_in_words),
        cmocka_unit_test(nesting_has_an_end),
        cmocka_unit_test(one_line_has_so_many_observables),
        cmocka_unit_test(properties_of_one_object_are_together),
#ifdef ENTENTE_FAULTS
        cmocka_unit_test(each_step_that_fails_is_told),
#endif
    };

    return cmocka_run_group_tests_name("telemetry/reader", tests, NULL, NULL);
}
