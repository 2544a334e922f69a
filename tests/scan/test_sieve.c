/* The sieve against reading every line: what the slow way hits is let through, at every level, and
 * of the rest next to nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "match/network.h"
#include "rows.h"
#include "scan/sieve.h"

#include "base/banned.h"

#define PAGE_BYTES 4096

static const struct guard guards[] = {
    {.kind = GUARD_DOMAIN,
     .has_subdomains = true,
     .path = S("domain-name:value"),
     .value = S("evil.example")},
    {.kind = GUARD_DOMAIN, .path = S("domain-name:value"), .value = S("exact.bad.example")},
    {.kind = GUARD_DOMAIN,
     .has_subdomains = true,
     .path = S("domain-name:value"),
     .value = S("xn--mnchen-3ya.example")},
    {.kind = GUARD_DOMAIN,
     .has_subdomains = true,
     .path = S("domain-name:value"),
     .value = S("a-very-long-label-of-a-name-that-goes-on-and-on.example")},
    {.kind = GUARD_URL, .path = S("url:value"), .value = S("http://url.example/bad/path?x=1")},
    {.kind = GUARD_URL, .path = S("url:value"), .value = S("https://url.example:8443/")},
    {.kind = GUARD_URL, .path = S("url:value"), .value = S("http://198.51.100.77/a.exe")},
    {.kind = GUARD_HASH,
     .path = S("file:hashes.MD5"),
     .value = S("0123456789abcdef0123456789abcdef")},
    {.kind = GUARD_HASH,
     .path = S("file:hashes.'SHA-256'"),
     .value = S("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")},
    {.kind = GUARD_HASH,
     .path = S("x509-certificate:hashes.'SHA-1'"),
     .value = S("00112233445566778899aabbccddeeff00112233")},
    {.kind = GUARD_EMAIL, .path = S("email-addr:value"), .value = S("bob@mail.example")},
    {.kind = GUARD_EMAIL,
     .path = S("email-message:from_ref.value"),
     .value = S("eve@mail.example")},
    {.kind = GUARD_TEXT, .path = S("file:name"), .value = S("bad.exe")},
    {.kind = GUARD_TEXT, .path = S("x509-certificate:serial_number"), .value = S("0a1b2c")},
    {.kind = GUARD_TEXT, .path = S("mac-addr:value"), .value = S("00:11:22:33:44:55")},
    {.kind = GUARD_NUMBER, .path = S("network-traffic:dst_port"), .value = S("31337")},
    {.kind = GUARD_NETWORK, .path = S("ipv4-addr:value"), .network = {{192, 0, 2, 1}, 32, 32}},
    {.kind = GUARD_NETWORK, .path = S("ipv4-addr:value"), .network = {{198, 51, 100, 0}, 32, 26}},
    {.kind = GUARD_NETWORK, .path = S("ipv4-addr:value"), .network = {{203, 0, 0, 0}, 32, 15}},
    {.kind = GUARD_NETWORK,
     .path = S("network-traffic:dst_ref.value"),
     .network = {{192, 0, 2, 9}, 32, 32}},
    {.kind = GUARD_NETWORK,
     .path = S("ipv6-addr:value"),
     .network = {{0x20, 1, 0xd, 0xb8, [15] = 1}, 128, 128}},
    {.kind = GUARD_NETWORK,
     .path = S("ipv6-addr:value"),
     .network = {{0x20, 1, 0xd, 0xb8, 0, 7}, 128, 48}},
};

#define GUARD_COUNT (sizeof(guards) / sizeof(guards[0]))

static void guard_get(const void *context, size_t index, struct guard *out)
{
    (void)context;
    *out = guards[index];
}

struct bench {
    struct telemetry_map *map;
    struct sieve *sieve;
    struct sieve_lens *lens;
    struct sieve_scratch *scratch;
    struct sieve_lines lines;
    struct telemetry_reader *reader;
};

static void bench_open(struct bench *bench, const char *format, const struct open_path *opens,
                       size_t open_count)
{
    struct sieve_guards given = {guard_get, NULL, GUARD_COUNT, opens, open_count};
    struct diag diag = {0};

    *bench = (struct bench){0};
    assert_true(succeeded(map_read_builtin(slice_text(format), &bench->map, &diag)));
    assert_true(succeeded(sieve_build(&given, &bench->sieve, &diag)));
    assert_true(succeeded(
        sieve_lens_new(bench->sieve, bench->map, bench->map->shape, &bench->lens, &diag)));
    assert_true(succeeded(sieve_scratch_new(&bench->scratch, &diag)));
    assert_true(
        succeeded(telemetry_reader_new(SLICE("eve"), bench->map, 0, &bench->reader, &diag)));
}

static void bench_close(struct bench *bench)
{
    telemetry_reader_free(&bench->reader);
    sieve_lines_free(&bench->lines);
    sieve_scratch_free(&bench->scratch);
    sieve_lens_free(&bench->lens);
    sieve_free(&bench->sieve);
    telemetry_map_free(&bench->map);
}

/* ---- the slow way ---- */

static bool value_hits(const struct guard *guard, slice value)
{
    struct network inner;

    switch (guard->kind) {
    case GUARD_NETWORK:
        return network_parse(value, &inner) && network_contains(&guard->network, &inner);
    case GUARD_DOMAIN:
        return slice_eq(value, guard->value) ||
               (guard->has_subdomains && slice_ends(value, guard->value) &&
                value.at[value.len - guard->value.len - 1] == '.');
    case GUARD_URL:
    case GUARD_EMAIL:
    case GUARD_HASH:
    case GUARD_NUMBER:
    case GUARD_TEXT:
        return slice_eq(value, guard->value);
    }
    return false;
}

static bool line_hits(struct bench *bench, slice line)
{
    struct telemetry_event event;
    struct diag diag = {0};

    if (failed(telemetry_read(bench->reader, line, &event, &diag)))
        return false;
    for (size_t i = 0; i < event.count; i++)
        for (size_t j = 0; j < GUARD_COUNT; j++)
            if (slice_eq(event.observables[i].path, guards[j].path) &&
                value_hits(&guards[j], event.observables[i].value))
                return true;
    return false;
}

/* ---- the sieve ---- */

static bool holds(const struct sieve_lines *lines, size_t start, size_t len, size_t number)
{
    for (size_t i = 0; i < lines->count; i++)
        if (lines->at[i].start == start && lines->at[i].len == len && lines->at[i].number == number)
            return true;
    return false;
}

static void sift(struct bench *bench, enum sieve_level level, slice block)
{
    struct diag diag = {0};

    assert_true(sieve_lens_set_level(bench->lens, level));
    assert_true(succeeded(sieve_block(bench->lens, bench->scratch, block, &bench->lines, &diag)));
}

/* Every line that hits is named, with its place and number; lines come in order. */
static void check_block(struct bench *bench, slice block)
{
    for (int level = SIEVE_PLAIN; level <= (int)sieve_level_best(); level++) {
        size_t number = 0, start = 0;

        sift(bench, (enum sieve_level)level, block);
        for (size_t i = 1; i < bench->lines.count; i++)
            assert_true(bench->lines.at[i - 1].start < bench->lines.at[i].start);
        while (start < block.len) {
            size_t end = slice_find_byte(slice_from(block, start), '\n');
            slice line = slice_head(slice_from(block, start), end);

            if (line_hits(bench, line) && !holds(&bench->lines, start, line.len, number)) {
                print_error("level %d missed: %.*s\n", level, SLICE_ARG(line));
                fail();
            }
            start += line.len + 1;
            number++;
        }
        assert_int_equal(bench->lines.line_count, number);
    }
}

/* Copied so that it ends, or begins, where a page that cannot be read does. */
static void check_at_edges(struct bench *bench, slice block)
{
    size_t pages = (block.len + PAGE_BYTES - 1) / PAGE_BYTES;
    char *at = mmap(NULL, (pages + 2) * PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *inside = at + PAGE_BYTES;

    assert_true(at != MAP_FAILED);
    assert_int_equal(mprotect(inside, pages * PAGE_BYTES, PROT_READ | PROT_WRITE), 0);
    for (int i = 0; i < 2; i++) {
        char *start = i == 0 ? inside : inside + pages * PAGE_BYTES - block.len;

        memcpy(start, block.at, block.len);
        check_block(bench, slice_of(start, block.len));
    }
    assert_int_equal(munmap(at, (pages + 2) * PAGE_BYTES), 0);
}

/* ---- one line each: what must be let through, what must not ---- */

static const struct {
    const char *name;
    slice line;
    bool hit, clean; /* clean: not let through */
} lines[] = {
    {"a name", S("{\"dns\":{\"rrname\":\"evil.example\"}}"), true, false},
    {"a name below", S("{\"dns\":{\"rrname\":\"a.b.evil.example\"}}"), true, false},
    {"a name's end alone", S("{\"dns\":{\"rrname\":\"notevil.example\"}}"), false, true},
    {"below an exact name", S("{\"dns\":{\"rrname\":\"x.exact.bad.example\"}}"), false, true},
    {"case and dot", S("{\"dns\":{\"rrname\":\"EVIL.Example.\"}}"), true, false},
    {"a long name",
     S("{\"dns\":{\"rrname\":\"x.a-very-long-label-of-a-name-that-goes-on-and-on.example\"}}"),
     true, false},
    {"other scripts", S("{\"dns\":{\"rrname\":\"m\xC3\xBCnchen.example\"}}"), true, false},
    {"other scripts, escaped", S("{\"dns\":{\"rrname\":\"m\\u00fcnchen.example\"}}"), true, false},
    {"an escaped letter", S("{\"dns\":{\"rrname\":\"\\u0065vil.example\"}}"), true, false},
    {"an escaped key", S("{\"dns\":{\"rrna\\u006de\":\"evil.example\"}}"), true, false},
    {"an escaped parent", S("{\"dn\\u0073\":{\"rrname\":\"evil.example\"}}"), true, false},
    {"key in capitals", S("{\"DNS\":{\"RRNAME\":\"evil.example\"}}"), true, false},
    {"flat key", S("{\"dns.rrname\":\"evil.example\"}"), true, false},
    {"flat short key", S("{\"dns.grouped.A\":[\"192.0.2.1\"]}"), true, false},
    {"half flat short key", S("{\"dns\":{\"grouped.A\":\"192.0.2.1\"}}"), true, false},
    {"blanks", S("{ \"dns\" : { \"rrname\" : \"evil.example\" } }"), true, false},
    {"tabs", S("{\t\"dns\"\t:\t{\t\"rrname\"\t:\t\"evil.example\"}}"), true, false},
    {"a blank behind", S("{\"dns\": {\"rrname\": \"evil.example\"}}"), true, false},
    {"a list", S("{\"dns\":{\"grouped\":{\"A\":[\"192.0.2.7\",\"192.0.2.1\"]}}}"), true, false},
    {"a list with blanks", S("{\"dns\":{\"grouped\":{\"A\":[ \"192.0.2.7\" , \"192.0.2.1\" ]}}}"),
     true, false},
    {"a list in a list", S("{\"dns\":{\"grouped\":{\"A\":[[\"192.0.2.1\"]]}}}"), true, false},
    {"a list behind an object", S("{\"dns\":{\"grouped\":{\"A\":[{\"x\":1},\"192.0.2.1\"]}}}"),
     true, false},
    {"a list of two letters", S("{\"dns\":{\"grouped\":{\"MX\":[\"evil.example\"]}}}"), true,
     false},
    {"twice, the first", S("{\"src_ip\":\"192.0.2.1\",\"src_ip\":\"192.0.2.7\"}"), true, false},
    {"twice, the second", S("{\"src_ip\":\"192.0.2.7\",\"src_ip\":\"192.0.2.1\"}"), true, false},
    {"another address", S("{\"src_ip\":\"192.0.2.2\",\"dest_ip\":\"10.0.0.1\"}"), false, true},
    {"longer digits", S("{\"src_ip\":\"192.0.2.11\"}"), false, true},
    {"in a network", S("{\"src_ip\":\"198.51.100.63\"}"), true, false},
    {"behind a network", S("{\"src_ip\":\"198.51.100.64\"}"), false, true},
    {"in a wide network", S("{\"src_ip\":\"203.1.255.255\"}"), true, false},
    {"a destination's", S("{\"dest_ip\":\"192.0.2.9\"}"), true, false},
    {"IPv6", S("{\"src_ip\":\"2001:db8::1\"}"), true, false},
    {"IPv6 in full", S("{\"src_ip\":\"2001:0DB8:0000:0000:0000:0000:0000:0001\"}"), true, false},
    {"IPv6 in a network", S("{\"src_ip\":\"2001:0db8:0007:0000:00ff:0000:0000:0001\"}"), true,
     false},
    {"IPv6 outside", S("{\"src_ip\":\"2001:0db8:0008:0000:00ff:0000:0000:0001\"}"), false, true},
    {"IPv4 in IPv6", S("{\"src_ip\":\"::ffff:192.0.2.1\"}"), true, false},
    {"IPv4 in IPv6 in full", S("{\"src_ip\":\"0000:0000:0000:0000:0000:ffff:c000:0201\"}"), true,
     false},
    {"with a zone", S("{\"src_ip\":\"2001:db8::1%eth0\"}"), true, false},
    {"with a port", S("{\"src_ip\":\"192.0.2.1:80\"}"), true, false},
    {"in brackets", S("{\"http\":{\"hostname\":\"[2001:db8::1]:80\"}}"), true, false},
    {"several", S("{\"http\":{\"xff\":\"10.0.0.1, 192.0.2.1\"}}"), true, false},
    {"an address among answers", S("{\"dns\":{\"answers\":[{\"rdata\":\"192.0.2.1\"}]}}"), true,
     false},
    {"an answer that is text", S("{\"dns\":{\"answers\":[{\"rdata\":\"v=spf1 -all\"}]}}"), false,
     true},
    {"a URL of two fields",
     S("{\"http\":{\"hostname\":\"url.example\",\"url\":\"/bad/path?x=1\"}}"), true, false},
    {"path before host", S("{\"http\":{\"url\":\"/bad/path?x=1\",\"hostname\":\"URL.example.\"}}"),
     true, false},
    {"its port",
     S("{\"http\":{\"hostname\":\"url.example\",\"http_port\":80,\"url\":\"/bad/path?x=1\"}}"),
     true, false},
    {"its port in the host",
     S("{\"http\":{\"hostname\":\"url.example:80\",\"url\":\"/bad/path?x=1\"}}"), true, false},
    {"its path encoded", S("{\"http\":{\"hostname\":\"url.example\",\"url\":\"/bad/%70ath?x=1\"}}"),
     true, false},
    {"its path with dots",
     S("{\"http\":{\"hostname\":\"url.example\",\"url\":\"/x/../bad/path?x=1\"}}"), true, false},
    {"its path escaped",
     S("{\"http\":{\"hostname\":\"url.example\",\"url\":\"\\/bad\\/path?x=1\"}}"), true, false},
    {"another path", S("{\"http\":{\"hostname\":\"url.example\",\"url\":\"/good\"}}"), false, true},
    {"another host", S("{\"http\":{\"hostname\":\"good.example\",\"url\":\"/bad/path?x=1\"}}"),
     false, true},
    {"an address's URL", S("{\"http\":{\"hostname\":\"198.51.100.77\",\"url\":\"/a.exe\"}}"), true,
     false},
    {"a URL in the path",
     S("{\"http\":{\"hostname\":\"p.example\",\"url\":\"http://url.example/bad/path?x=1\"}}"), true,
     false},
    {"CONNECT", S("{\"http\":{\"hostname\":\"p.example\",\"url\":\"evil.example:443\"}}"), true,
     false},
    {"a referrer", S("{\"http\":{\"http_refer\":\"http://url.example/bad/path?x=1\"}}"), true,
     false},
    {"a referrer's host", S("{\"http\":{\"http_refer\":\"https://www.evil.example/x\"}}"), true,
     false},
    {"a good referrer", S("{\"http\":{\"http_refer\":\"https://www.good.example/x\"}}"), false,
     true},
    {"a referrer's user", S("{\"http\":{\"http_refer\":\"http://u:p@evil.example/\"}}"), true,
     false},
    {"a hash", S("{\"fileinfo\":{\"md5\":\"0123456789ABCDEF0123456789abcdef\"}}"), true, false},
    {"a long hash",
     S("{\"fileinfo\":{\"sha256\":"
       "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}}"),
     true, false},
    {"another hash",
     S("{\"fileinfo\":{\"sha256\":"
       "\"10112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}}"),
     false, true},
    {"a fingerprint",
     S("{\"tls\":{\"fingerprint\":\"00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33\"}"
       "}"),
     true, false},
    {"a hash of digits, no text", S("{\"fileinfo\":{\"md5\":12345678901234567890123456789012}}"),
     false, true},
    {"mail", S("{\"smtp\":{\"mail_from\":\"<bob@mail.example>\"}}"), true, false},
    {"mail, its host's case", S("{\"smtp\":{\"rcpt_to\":[\"<bob@MAIL.example>\"]}}"), true, false},
    {"mail with a name", S("{\"email\":{\"from\":\"Eve <eve@mail.example>\"}}"), true, false},
    {"mail's host", S("{\"email\":{\"from\":\"x@evil.example\"}}"), true, false},
    {"mail, flat", S("{\"email.from\":\"eve@mail.example\"}"), true, false},
    {"mail, blanks", S("{\"email\" : {\"from\" : \"eve@mail.example\"}}"), true, false},
    {"other mail", S("{\"email\":{\"from\":\"x@good.example\"}}"), false, true},
    {"a file", S("{\"fileinfo\":{\"filename\":\"/tmp/bad.exe\"}}"), true, false},
    {"a file on Windows", S("{\"smb\":{\"filename\":\"share\\\\bad.exe\"}}"), true, false},
    {"another file", S("{\"fileinfo\":{\"filename\":\"/tmp/good.exe\"}}"), false, true},
    {"a serial", S("{\"tls\":{\"serial\":\"0A:1B:2C\"}}"), true, false},
    {"hardware", S("{\"ether\":{\"src_mac\":\"00-11-22-33-44-55\"}}"), true, false},
    {"a port", S("{\"src_ip\":\"10.0.0.1\",\"dest_port\":31337}"), true, false},
    {"a port as text", S("{\"dest_port\":\"31337\"}"), true, false},
    {"another port", S("{\"dest_port\":443}"), false, true},
    {"in a payload", S("{\"websocket\":{\"payload_printable\":\"see hxxp://evil[.]example/\"}}"),
     true, false},
    {"an alert's payload", S("{\"alert\":{},\"payload_printable\":\"see evil.example\"}"), false,
     true},
    {"a name that is none of DNS", S("{\"headers\":[{\"name\":\"evil.example\"}]}"), false, true},
    {"SRV", S("{\"dns\":{\"answers\":[{\"srv\":{\"name\":\"evil.example\"}}]}}"), true, false},
    {"a value that is a key", S("{\"x\":\"rrname\",\"y\":\"evil.example\"}"), false, true},
    {"a key in a text", S("{\"x\":\"\\\"rrname\\\":\\\"evil.example\\\"\"}"), false, true},
    {"carriage return", S("{\"src_ip\":\"192.0.2.1\"}\r"), true, false},
    {"in front of a mark", S("\xEF\xBB\xBF{\"src_ip\":\"192.0.2.1\"}"), true, false},
    {"broken, and said to be", S("{\"src_ip\":\"10.0.0.1\""), false, false},
    {"empty", S(""), false, true},
};

static void each_form_is_let_through(void **state)
{
    struct bench bench;

    (void)state;
    bench_open(&bench, "eve", NULL, 0);
    CHECK_ROWS(row, lines) {
        assert_true(line_hits(&bench, row->line) == row->hit);
        for (int level = SIEVE_PLAIN; level <= (int)sieve_level_best(); level++) {
            sift(&bench, (enum sieve_level)level, row->line);
            if (row->hit || row->clean)
                assert_int_equal(bench.lines.count, row->hit ? 1 : 0);
        }
    }
    bench_close(&bench);
}

/* ---- many lines, at every place of a vector ---- */

static void at_every_place(void **state)
{
    static char text[1 << 16];
    struct bench bench;

    (void)state;
    bench_open(&bench, "eve", NULL, 0);
    for (size_t pad = 0; pad < 130; pad += 3) {
        size_t len = 0;

        CHECK_ROWS(row, lines) {
            if (row->line.len == 0 || row->line.at[0] != '{')
                continue;
            int n = snprintf(
                text + len, sizeof(text) - len, "{\"p\":\"%.*s\",%.*s\n", (int)(pad + len % 7),
                "ppppppppppppppppppppppppppppppppppppppppppppp"
                "pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp"
                "ppppppppppppppppppppppppppppppppppp",
                (int)row->line.len - 1, row->line.at + 1);
            assert_true(n > 0 && len + (size_t)n < sizeof(text));
            len += (size_t)n;
        }
        check_at_edges(&bench, slice_of(text, len - (pad % 2)));
    }
    bench_close(&bench);
}

/* ---- random lines of such pieces ---- */

static uint64_t random_state;

static uint32_t pick(uint32_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % below;
}

static const char *const pieces[] = {
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    " ",
    "\n",
    "{\"",
    "\":\"",
    "\",\"",
    "\":[\"",
    "\"]",
    "\"}",
    "}\n",
    "\":{\"",
    "dns",
    "rrname",
    "src_ip",
    "dest_ip",
    "A",
    "MX",
    "srv",
    "name",
    "http",
    "hostname",
    "url",
    "email",
    "from",
    "evil.example",
    "192.0.2.1",
    "2001:db8::1",
    "url.example",
    "/bad/path?x=1",
    "\\u0065",
    "\\u006d",
    ".",
    "x",
    "\xC3\xBC",
    "{\"src_ip\":\"192.0.2.1\"}\n",
    "{\"dns\":{\"rrname\":\"evil.example\"}}\n",
    "{\"dns\":{\"grouped\":{\"A\":[\"",
    "\t",
    "\r",
    "31337",
    "dest_port",
    "\":",
    "www.",
    "\"x\":1,",
    "\"event_type\":\"dns\",",
    "md5",
    "0123456789abcdef0123456789abcdef",
};

static void what_the_slow_way_hits_is_let_through(void **state)
{
    static char text[4096];
    const char *seed = getenv("SEED");
    struct bench bench;

    (void)state;
    random_state = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)getpid() * 2654435761u;
    print_message("SEED=%llu\n", (unsigned long long)random_state);
    bench_open(&bench, "eve", NULL, 0);
    for (int round = 0; round < 1500; round++) {
        size_t len = 0, count = pick(40);

        for (size_t i = 0; i < count; i++) {
            const char *piece = pieces[pick(sizeof(pieces) / sizeof(pieces[0]))];

            if (pick(12) == 0) /* one whole line, perhaps spoilt by what follows */
                len +=
                    (size_t)snprintf(text + len, sizeof(text) - len, "%.*s\n",
                                     SLICE_ARG(lines[pick(sizeof(lines) / sizeof(lines[0]))].line));
            else
                len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", piece);
            assert_true(len < sizeof(text));
        }
        check_at_edges(&bench, slice_of(text, len));
    }
    bench_close(&bench);
}

/* ---- paths without values ---- */

static void open_paths_are_let_through(void **state)
{
    static const struct open_path opens[] = {{OPEN_ANY, S("file:name")},
                                             {OPEN_TYPE, S("user-account")}};
    struct bench bench;

    (void)state;
    bench_open(&bench, "eve", opens, 2);
    for (int level = SIEVE_PLAIN; level <= (int)sieve_level_best(); level++) {
        sift(&bench, (enum sieve_level)level,
             SLICE("{\"fileinfo\":{\"filename\":\"any\"}}\n{\"a\":1}\n"
                   "{\"krb5\":{\"cname\":\"any\"}}\n"));
        assert_int_equal(bench.lines.count, 2);
        assert_int_equal(bench.lines.at[1].number, 2);
    }
    bench_close(&bench);
}

static void a_long_line_is_let_through(void **state)
{
    static char text[300000];
    struct bench bench;

    (void)state;
    bench_open(&bench, "eve", NULL, 0);
    memset(text, 'x', sizeof(text));
    memcpy(text, "{\"a\":1}\n{\"dns\":{\"rrname\":\"evil.example\"},\"x\":\"", 46);
    memcpy(text + 200000, "\"}\n{\"src_ip\":\"192.0.2.1\"}\n", 26);
    check_at_edges(&bench, slice_of(text, 200026));
    check_at_edges(&bench, SLICE("{\"a\":1}\n{\"http\":{\"url\":\"\n")); /* cut short */
    sift(&bench, SIEVE_PLAIN, SLICE("{\"url\":\""));
    bench_close(&bench);
}

/* ---- kept and mapped back ---- */

static void tables_are_checked_when_they_are_opened(void **state)
{
    struct diag diag = {0};
    const struct sieve *opened;
    struct bench bench;

    (void)state;
    bench_open(&bench, "eve", NULL, 0);
    slice bytes = sieve_bytes(bench.sieve);
    char *copy = mmap(NULL, bytes.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(copy != MAP_FAILED);
    memcpy(copy, bytes.at, bytes.len);
    assert_true(succeeded(sieve_open(slice_of(copy, bytes.len), &opened, &diag)));
    for (size_t i = 0; i < 400; i++) {
        size_t at = i < 300 ? i : (bytes.len / 400) * i;

        copy[at] ^= 0x10;
        assert_true(failed(sieve_open(slice_of(copy, bytes.len), &opened, &diag)));
        copy[at] ^= 0x10;
    }
    assert_true(failed(sieve_open(slice_of(copy, bytes.len / 2), &opened, &diag)));
    assert_int_equal(munmap(copy, bytes.len), 0);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_let_through),
        cmocka_unit_test(at_every_place),
        cmocka_unit_test(what_the_slow_way_hits_is_let_through),
        cmocka_unit_test(open_paths_are_let_through),
        cmocka_unit_test(a_long_line_is_let_through),
        cmocka_unit_test(tables_are_checked_when_they_are_opened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
