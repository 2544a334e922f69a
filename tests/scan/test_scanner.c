/* What is found with the sieve and by reading every line is the same, to the byte. */
#include "detecting.h"

#include "scan/scanner.h"

#include "base/banned.h"

#define SAMPLE_BYTES_MAX ((size_t)1 << 20)
#define SETS 40
#define RULES_OF_SET 2

/* What hits, as text. */
static void scan_text(const struct ruleset *set, slice format, slice text, bool is_slow,
                      struct buf *out, uint64_t *read)
{
    CLEANUP(scanner_free) struct scanner *scanner = NULL;
    CLEANUP(scanner_worker_free) struct scanner_worker *worker = NULL;
    CLEANUP(detector_state_free) struct detector_state *state = NULL;
    CLEANUP(block_hits_free) struct block_hits hits;
    struct scanner_choice choice = {.now_us = NOW_US, .is_slow = is_slow};
    struct input_block block = {.bytes = text,
                                .line_number = 1,
                                .format = format,
                                .is_csv = slice_eq(format, SLICE("csv"))};

    block_hits_init(&hits);
    assert_true(succeeded(scanner_new(set, &choice, &scanner, NULL)));
    assert_true(succeeded(scanner_worker_new(scanner, &worker, NULL)));
    assert_true(succeeded(detector_state_new(set, NOW_US, &state, NULL)));
    assert_true(succeeded(scanner_block(worker, &block, &hits, NULL)));
    assert_true(succeeded(detector_settle(state, &hits, NULL)));
    for (size_t i = 0; i < hits.count; i++) {
        const struct hit *hit = &hits.hits[i];

        buf_printf(out, "%u at %llu:%llu, %zu earlier:", hit->rule,
                   (unsigned long long)hit->line_number, (unsigned long long)hit->line_offset,
                   hit->event_count);
        for (size_t j = 0; j < hit->field_count; j++)
            buf_printf(out, " %.*s (%.*s) = %.*s at %zu", SLICE_ARG(hit->fields[j].path),
                       SLICE_ARG(hit->fields[j].field), SLICE_ARG(hit->fields[j].value),
                       hit->fields[j].offset);
        buf_printf(out, "\n");
    }
    assert_false(out->overflowed);
    *read = hits.counts.lines;
}

/* How many lines hit; *read: of them all by way of the sieve. */
static size_t check(const struct ruleset *set, slice format, slice text, uint64_t *read)
{
    CLEANUP(buf_free) struct buf fast = BUF((size_t)1 << 28), slow = BUF((size_t)1 << 28);
    uint64_t all;

    scan_text(set, format, text, false, &fast, read);
    scan_text(set, format, text, true, &slow, &all);
    assert_true(*read <= all);
    if (!slice_eq(buf_slice(&fast), buf_slice(&slow))) {
        print_error("with the sieve:\n%.*s\nwithout:\n%.*s\n", SLICE_ARG(buf_slice(&fast)),
                    SLICE_ARG(buf_slice(&slow)));
        fail();
    }
    return input_count_lines(buf_slice(&slow));
}

/* ---- oddities ---- */

#define NAME_RULE "[domain-name:value = 'evil.example']"

static const struct {
    const char *name;
    slice pattern, format, text;
    size_t hits;
} rows[] = {
    {"second line", S(NAME_RULE), S("eve"),
     S("{\"dns\":{\"rrname\":\"a.example\"}}\n{\"dns\":{\"rrname\":\"evil.example\"}}\n"), 1},
    {"no end", S(NAME_RULE), S("eve"), S("{}\n{\"dns\":{\"rrname\":\"evil.example\"}}"), 1},
    {"CR LF", S(NAME_RULE), S("eve"), S("{\"a\":1}\r\n{\"dns\":{\"rrname\":\"evil.example\"}}\r\n"),
     1},
    {"a mark in front", S(NAME_RULE), S("eve"),
     S("\xEF\xBB\xBF{\"dns\":{\"rrname\":\"evil.example\"}}\n"), 1},
    {"broken and empty lines between", S(NAME_RULE), S("eve"),
     S("{broken\n\n\n{\"a\":}\n{\"dns\":{\"rrname\":\"evil.example\"}}\n[1]\n"), 1},
    {"the same line thrice", S(NAME_RULE), S("eve"),
     S("{\"dns\":{\"rrname\":\"evil.example\"}}\n{\"dns\":{\"rrname\":\"evil.example\"}}\n"
       "{\"dns\":{\"rrname\":\"evil.example\"}}\n"),
     3},
    {"records of CSV over lines", S(NAME_RULE), S("csv"),
     S("src_ip,domain,note\n192.0.2.1,evil.example,\"a\nb,evil.example\n\"\n192.0.2.2,x.example,"
       "\"\n\"\n"),
     1},
    {"Zeek in JSON", S(NAME_RULE), S("zeek-json"),
     S("{\"query\":\"x.example\"}\n{\"id.orig_h\":\"192.0.2.1\",\"query\":\"evil.example\"}\n"), 1},
    {"a text", S(NAME_RULE), S("text"), S("x\nseen hxxp://evil[.]example/ today\n"), 1},
    {"a reference in a list", S("[email-message:to_refs[*].value = 'eve@mail.example']"), S("eve"),
     S("{\"email\":{\"to\":[\"Eve <eve@mail.example>\",\"b@mail.example\"]}}\n"), 1},
    {"absence", S("[domain-name:value != 'evil.example']"), S("eve"),
     S("{\"a\":1}\n{\"dns\":{\"rrname\":\"evil.example\"}}\n{\"dns\":{\"rrname\":\"b.example\"}}"
       "\n"),
     1},
    {"LIKE", S("[domain-name:value LIKE '%.evil.example']"), S("eve"),
     S("{\"a\":1}\n{\"dns\":{\"rrname\":\"x.evil.example\"}}\n"), 1},
    {"existence", S("[EXISTS user-account:user_id]"), S("eve"),
     S("{\"a\":1}\n{\"krb5\":{\"cname\":\"bob\"}}\n{\"dns\":{\"rrname\":\"x.evil.example\"}}\n"),
     0},
    {"several events",
     S("[domain-name:value = 'a.example'] FOLLOWEDBY [ipv4-addr:value = '192.0.2.1']"), S("eve"),
     S("{\"dns\":{\"rrname\":\"a.example\"}}\n{\"a\":1}\n{\"src_ip\":\"192.0.2.1\"}\n"), 1},
    {"CONNECT", S("[domain-name:value = 'evil.example']"), S("eve"),
     S("{\"http\":{\"hostname\":\"p.example\",\"url\":\"evil.example:443\"}}\n"
       "{\"http\":{\"hostname\":\"p.example\",\"url\":\"good.example:443\"}}\n"),
     1},
    {"IPv6 in full", S("[ipv6-addr:value = '2001:db8::1']"), S("eve"),
     S("{\"src_ip\":\"2001:0db8:0000:0000:0000:0000:0000:0001\",\"dest_ip\":"
       "\"2001:0db8:0000:0000:0000:0000:0000:0002\",\"x\":\"                                  "
       "                                                                                  \"}\n"
       "{\"src_ip\":\"2001:0db8:0000:0000:0000:0000:0000:0002\",\"x\":\"                     "
       "                                                                                  \"}\n"),
     1},
};

static void odd_inputs_hit_alike(void **state)
{
    uint64_t read;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(ruleset_release) struct ruleset *set = pattern_rules(rows[i].pattern, NULL);
        size_t hits = check(set, rows[i].format, rows[i].text, &read);

        if (rows[i].hits > 0 && hits != rows[i].hits) {
            print_error("%s: %zu hits, not %zu\n", rows[i].name, hits, rows[i].hits);
            fail();
        }
    }
}

static void most_lines_are_not_read(void **state)
{
    CLEANUP(ruleset_release) struct ruleset *set = pattern_rules(SLICE(NAME_RULE), NULL);
    CLEANUP(buf_free) struct buf text = BUF((size_t)1 << 24);
    uint64_t read;

    (void)state;
    for (int i = 0; i < 5000; i++)
        buf_printf(&text, "{\"event_type\":\"dns\",\"dns\":{\"rrname\":\"%s.example\"}}\n",
                   i % 1000 == 7 ? "evil" : "good");
    assert_false(text.overflowed);
    assert_int_equal(check(set, SLICE("eve"), buf_slice(&text), &read), 5);
    assert_int_equal(read, 5);
    assert_int_equal(check(set, SLICE("text"), buf_slice(&text), &read), 5);
    assert_int_equal(read, 5000); /* a shape that is not sifted */
}

/* ---- real logs, where they are at hand: asked for what stands in them ---- */

static bool sample_load(const char *name, struct buf *out)
{
    CLEANUP(source_close) struct source *source = NULL;
    const char *folder = getenv("ENTENTE_DATA");
    char path[4096];
    size_t count = 1;

    (void)snprintf(path, sizeof(path), "%s/%s", folder != NULL ? folder : "../shared/data", name);
    if (failed(source_open(path, &source, NULL)))
        return false;
    while (count > 0 && out->len < SAMPLE_BYTES_MAX) {
        char *room = buf_reserve(out, (size_t)1 << 16);

        assert_non_null(room);
        assert_true(succeeded(source_read(source, room, (size_t)1 << 16, &count, NULL)));
        out->len += count;
    }
    while (out->len > 0 && out->at[out->len - 1] != '\n')
        out->len--;
    return true;
}

/* "[path = 'value']"; nothing when the value would need escapes. */
static bool pattern_of(const struct telemetry_observable *seen, struct buf *out)
{
    for (size_t i = 0; i < seen->value.len; i++)
        if (seen->value.at[i] == '\'' || seen->value.at[i] == '\\' ||
            (uint8_t)seen->value.at[i] < ' ')
            return false;
    bool is_number = slice_ends(seen->path, SLICE("_port"));
    buf_printf(out, is_number ? "[%.*s = %.*s]" : "[%.*s = '%.*s']", SLICE_ARG(seen->path),
               SLICE_ARG(seen->value));
    return true;
}

/* Rules for some observables of lines that lie far from one another. */
static void rules_pick(struct ruleset_builder *builder, slice format, slice text, size_t from,
                       size_t step)
{
    CLEANUP(telemetry_reader_free) struct telemetry_reader *reader = NULL;
    struct telemetry_event event;
    size_t taken = 0, number = 0;
    slice line;

    assert_true(succeeded(telemetry_reader_new(format, NULL, NOW_US, &reader, NULL)));
    while (text.len > 0 && taken < RULES_OF_SET) {
        CLEANUP(buf_free) struct buf pattern = BUF((size_t)1 << 20);

        (void)slice_cut(text, '\n', &line, &text);
        if (number++ % step != from % step || failed(telemetry_read(reader, line, &event, NULL)) ||
            event.count == 0)
            continue;
        if (pattern_of(&event.observables[(from + taken * 5) % event.count], &pattern))
            taken +=
                succeeded(rules_add_pattern(builder, SLICE("sample"), buf_slice(&pattern), NULL));
    }
    assert_true(taken > 0);
}

static void sample_check(const char *name, slice format)
{
    CLEANUP(buf_free) struct buf text = BUF(2 * SAMPLE_BYTES_MAX);
    struct rules_choice choice = {.now_us = NOW_US};
    uint64_t read, all_read = 0, lines;
    size_t hits = 0;

    if (!sample_load(name, &text)) {
        print_message("# no samples here: name their folder in ENTENTE_DATA\n");
        return;
    }
    lines = input_count_lines(buf_slice(&text));
    assert_true(succeeded(crypto_start(NULL)));
    for (size_t i = 0; i < SETS; i++) {
        CLEANUP(ruleset_builder_free) struct ruleset_builder *builder = NULL;
        CLEANUP(ruleset_release) struct ruleset *set = NULL;

        assert_true(succeeded(ruleset_builder_new(&choice, &builder, NULL)));
        rules_pick(builder, format, buf_slice(&text), i * 7, lines / (RULES_OF_SET + i % 5) + 1);
        assert_true(succeeded(ruleset_build(builder, &set, NULL)));
        size_t found = check(set, format, buf_slice(&text), &read);

        assert_true(found > 0);
        hits += found;
        all_read += read;
    }
    print_message("# %s: %zu hits, %llu of %llu lines read\n", name, hits,
                  (unsigned long long)all_read, (unsigned long long)(lines * SETS));
    assert_true(all_read < lines * SETS);
}

static void suricata_is_told_alike(void **state)
{
    (void)state;
    sample_check("eve/eve_real.json.zst", SLICE("eve"));
}

static void zeek_is_told_alike(void **state)
{
    (void)state;
    sample_check("zeek/zeek_real.json.zst", SLICE("zeek-json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_inputs_hit_alike),
        cmocka_unit_test(most_lines_are_not_read),
        cmocka_unit_test(suricata_is_told_alike),
        cmocka_unit_test(zeek_is_told_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
