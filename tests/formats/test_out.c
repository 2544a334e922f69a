/* Values in, files out: what is refused, what is joined, what is escaped. */
#include "formats/out.h"

#include "rows.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fault.h"
#include "formats/out_inside.h"
#include "formats/out_rule.h"

#include "base/banned.h"

#define NO_BOUND_FROM INT64_MIN
#define NO_BOUND_UNTIL INT64_MAX

static struct out_origin origin_of(uint8_t number)
{
    struct out_origin origin = {.valid_from_us = NO_BOUND_FROM,
                                .valid_until_us = NO_BOUND_UNTIL,
                                .confidence = -1,
                                .permitted = OUT_BLOCK};

    origin.uuid.bytes[15] = number;
    return origin;
}

static result keep(void *context, slice bytes, struct diag *diag)
{
    (void)diag;
    buf_put(context, bytes);
    return OK;
}

static slice no_object(void *context, const struct out_origin *origin)
{
    (void)context;
    (void)origin;
    return SLICE("{\"type\":\"indicator\"}");
}

static bool no_more(void *context, size_t index, slice *out)
{
    (void)context;
    (void)index;
    (void)out;
    return false;
}

/* All of a format, as one text. */
static void write_all(const struct out_set *set, const char *format, slice title, unsigned version,
                      struct buf *out)
{
    struct out_job job = {.format = out_format_find(slice_text(format)),
                          .set = set,
                          .object = no_object,
                          .more = no_more,
                          .version = version,
                          .head = {.title = title,
                                   .identity = SLICE("identity--x"),
                                   .as_of_us = 1767225600000000,
                                   .until_us = INT64_MAX,
                                   .indicators = set->origin_count}};
    struct out_sink sink;
    struct diag diag = {0};

    assert_non_null(job.format);
    out_sink_begin(&sink, keep, out, &diag);
    out_write(&job, &sink);
    assert_true(succeeded(out_sink_end(&sink)));
}

static void values_are_read_as_what_they_claim_to_be(void **state)
{
    static const struct {
        const char *name;
        enum out_kind kind;
        const char *text;
        enum out_taken read, block;
    } rows[] = {
        {"address", OUT_IPV4, "192.0.2.1", OUT_TAKEN, OUT_TAKEN},
        {"network", OUT_IPV4, "192.0.2.0/24", OUT_TAKEN, OUT_TAKEN},
        {"short address", OUT_IPV4, "192.0.2", OUT_MALFORMED, OUT_MALFORMED},
        {"leading zero", OUT_IPV4, "192.0.02.1", OUT_MALFORMED, OUT_MALFORMED},
        {"long prefix", OUT_IPV4, "192.0.2.0/33", OUT_MALFORMED, OUT_MALFORMED},
        {"prefix with words", OUT_IPV4, "192.0.2.0/24;", OUT_MALFORMED, OUT_MALFORMED},
        {"line behind", OUT_IPV4, "192.0.2.1\n0.0.0.0/0", OUT_MALFORMED, OUT_MALFORMED},
        {"all of it", OUT_IPV4, "0.0.0.0/0", OUT_TAKEN, OUT_BROAD},
        {"a sixteenth of it", OUT_IPV4, "16.0.0.0/4", OUT_TAKEN, OUT_BROAD},
        {"this machine", OUT_IPV4, "127.0.0.1", OUT_TAKEN, OUT_BROAD},
        {"multicast", OUT_IPV4, "239.1.1.1", OUT_TAKEN, OUT_BROAD},
        {"IPv6", OUT_IPV6, "2001:db8::1", OUT_TAKEN, OUT_TAKEN},
        {"IPv6 with a zone", OUT_IPV6, "fe80::1%eth0", OUT_MALFORMED, OUT_MALFORMED},
        {"IPv6 link", OUT_IPV6, "fe80::1", OUT_TAKEN, OUT_BROAD},
        {"IPv6 loopback", OUT_IPV6, "::1", OUT_TAKEN, OUT_BROAD},
        {"IPv4 in IPv6", OUT_IPV6, "::ffff:192.0.2.1", OUT_TAKEN, OUT_BROAD},
        {"name", OUT_DOMAIN, "evil.example", OUT_TAKEN, OUT_TAKEN},
        {"service name", OUT_DOMAIN, "_sip._tcp.evil.example", OUT_TAKEN, OUT_TAKEN},
        {"label", OUT_DOMAIN, "localhost", OUT_TAKEN, OUT_BROAD},
        {"name with a star", OUT_DOMAIN, "*.evil.example", OUT_MALFORMED, OUT_MALFORMED},
        {"upper case", OUT_DOMAIN, "Evil.example", OUT_MALFORMED, OUT_MALFORMED},
        {"address for a name", OUT_DOMAIN, "192.0.2.1", OUT_MALFORMED, OUT_MALFORMED},
        {"two dots", OUT_DOMAIN, "evil..example", OUT_MALFORMED, OUT_MALFORMED},
        {"name with a line", OUT_DOMAIN, "a.example\nb.example", OUT_MALFORMED, OUT_MALFORMED},
        {"name with a quote", OUT_DOMAIN, "a\".example", OUT_MALFORMED, OUT_MALFORMED},
        {"name with a slash", OUT_DOMAIN, "a/b.example", OUT_MALFORMED, OUT_MALFORMED},
        {"URL", OUT_URL, "http://evil.example/a?b=\"c;d\"", OUT_TAKEN, OUT_TAKEN},
        {"URL with a line", OUT_URL, "http://evil.example/a\nb", OUT_MALFORMED, OUT_MALFORMED},
        {"URL with a line separator", OUT_URL, "http://a.example/\xe2\x80\xa8", OUT_MALFORMED,
         OUT_MALFORMED},
        {"URL of no scheme", OUT_URL, "://evil.example/", OUT_MALFORMED, OUT_MALFORMED},
        {"mail", OUT_EMAIL, "bob@evil.example", OUT_TAKEN, OUT_TAKEN},
        {"mail of none", OUT_EMAIL, "@evil.example", OUT_MALFORMED, OUT_MALFORMED},
        {"mail to two", OUT_EMAIL, "a@b@evil.example", OUT_MALFORMED, OUT_MALFORMED},
        {"file", OUT_FILE_NAME, "a;b \"c\".exe", OUT_TAKEN, OUT_TAKEN},
        {"file with a tab", OUT_FILE_NAME, "a\tb", OUT_MALFORMED, OUT_MALFORMED},
        {"file written backwards", OUT_FILE_NAME,
         "a\xe2\x80\xae"
         "exe",
         OUT_MALFORMED, OUT_MALFORMED},
        {"file of broken UTF-8", OUT_FILE_NAME, "a\xff", OUT_MALFORMED, OUT_MALFORMED},
        {"MD5", OUT_MD5, "d41d8cd98f00b204e9800998ecf8427e", OUT_TAKEN, OUT_TAKEN},
        {"short MD5", OUT_MD5, "d41d8cd98f00b204e9800998ecf8427", OUT_MALFORMED, OUT_MALFORMED},
        {"no MD5", OUT_MD5, "d41d8cd98f00b204e9800998ecf8427;", OUT_MALFORMED, OUT_MALFORMED},
    };

    (void)state;
    CHECK_ROWS(row, rows) {
        for (int block = 0; block < 2; block++) {
            CLEANUP(out_set_free) struct out_set set = {.is_block = block == 1};

            assert_true(out_set_origin(&set, origin_of(1), SLICE(""), SLICE("")));
            assert_int_equal(out_set_add(&set, row->kind, slice_text(row->text)),
                             block == 1 ? row->block : row->read);
        }
    }
}

static bool is_suffix(void *context, slice name)
{
    (void)context;
    return slice_eq(name, SLICE("co.example"));
}

static void lists_are_in_order_once_each_and_never_wider(void **state)
{
    static const struct {
        const char *name, *in, *out; /* with " " between */
        bool below;
    } rows[] = {
        {"order is that of numbers", "10.0.0.10 10.0.0.9", "10.0.0.9 10.0.0.10", false},
        {"once each", "10.0.0.9 10.0.0.9 10.0.0.9/32", "10.0.0.9", false},
        {"within a network", "10.0.1.9 10.0.0.0/16 10.0.0.0/24", "10.0.0.0/16", false},
        {"two halves", "10.0.0.0/25 10.0.0.128/25", "10.0.0.0/24", false},
        {"neighbours that are no halves", "10.0.0.128/25 10.0.1.0/25", "10.0.0.128/25 10.0.1.0/25",
         false},
        {"four quarters", "10.0.0.0 10.0.0.1 10.0.0.2 10.0.0.3", "10.0.0.0/30", false},
        {"three quarters", "10.0.0.1 10.0.0.2 10.0.0.3", "10.0.0.1 10.0.0.2/31", false},
        {"a half made of halves", "10.0.0.0/25 10.0.0.128/26 10.0.0.192/26", "10.0.0.0/24", false},
        {"IPv6", "2001:db8::1 2001:db8:: 2001:db8:1::/48", "2001:db8::/127 2001:db8:1::/48", false},
        {"host bits are none of it", "10.0.0.77/24", "10.0.0.0/24", false},
        {"names by their ends", "b.a.example a.example z.example a.b.example",
         "a.example b.a.example a.b.example z.example", false},
        {"names below", "b.a.example a.example z.example c.b.a.example xa.example",
         "a.example xa.example z.example", true},
        {"a hyphen is not below", "a-b.example a.example x.a.example", "a.example a-b.example",
         true},
        {"a suffix is itself alone", "x.co.example co.example y.x.co.example",
         "co.example x.co.example", true},
    };

    (void)state;
    CHECK_ROWS(row, rows) {
        CLEANUP(out_set_free) struct out_set set = {0};
        CLEANUP(buf_free) struct buf got = BUF(1 << 16);
        struct out_exact exact = {.is_exact = is_suffix};
        slice rest = slice_text(row->in), one;
        char room[OUT_ROOM_BYTES];

        for (bool more = true; more;) {
            enum out_kind kind = OUT_DOMAIN;

            more = slice_cut(rest, ' ', &one, &rest);
            if (slice_find_byte(one, ':') != SIZE_MAX)
                kind = OUT_IPV6;
            else if (one.at[0] >= '0' && one.at[0] <= '9')
                kind = OUT_IPV4;
            assert_true(out_set_origin(&set, origin_of(1), SLICE(""), SLICE("")));
            assert_int_equal(out_set_add(&set, kind, one), OUT_TAKEN);
        }
        out_set_close(&set, true, row->below, &exact);
        for (int kind = 0; kind < OUT_KIND_COUNT; kind++)
            for (size_t i = 0; i < set.tables[kind].count; i++) {
                buf_put(&got, got.len > 0 ? SLICE(" ") : SLICE(""));
                buf_put(&got, out_value_text(&set, (enum out_kind)kind, &set.tables[kind].values[i],
                                             room));
            }
        buf_byte(&got, '\0');
        assert_string_equal(got.at, row->out);
    }
}

/* Every address of a small space: what is covered after is what was covered before. */
static void joining_covers_the_same_addresses(void **state)
{
    uint32_t random = 12345;

    (void)state;
    for (int round = 0; round < 200; round++) {
        CLEANUP(out_set_free) struct out_set set = {0};
        struct out_exact exact = {0};
        bool before[256] = {false}, after[256] = {false};

        for (int i = 0; i < 20; i++) {
            char text[32];

            random = random * 1103515245 + 12345;
            unsigned bits = 24 + (random >> 16) % 9, host = (random >> 8) % 256;
            unsigned size = 1u << (32 - bits);

            host = host / size * size;
            (void)snprintf(text, sizeof(text), "198.51.100.%u/%u", host, bits);
            if (bits == 24)
                continue; /* all of it would leave nothing to see */
            assert_true(out_set_origin(&set, origin_of(1), SLICE(""), SLICE("")));
            assert_int_equal(out_set_add(&set, OUT_IPV4, slice_text(text)), OUT_TAKEN);
            for (unsigned j = 0; j < size; j++)
                before[host + j] = true;
        }
        out_set_close(&set, true, false, &exact);
        for (size_t i = 0; i < set.tables[OUT_IPV4].count; i++) {
            const struct out_value *value = &set.tables[OUT_IPV4].values[i];
            unsigned first = (unsigned)(value->rank >> 32) & 255, size = 1u << (32 - value->prefix);

            for (unsigned j = 0; j < size; j++) {
                assert_false(after[first + j]);
                after[first + j] = true;
            }
        }
        assert_memory_equal(before, after, sizeof(before));
    }
}

static void the_surest_indicator_stands_for_a_value(void **state)
{
    CLEANUP(out_set_free) struct out_set set = {.has_names = true};
    struct out_exact exact = {0};
    struct out_origin low = origin_of(1), high = origin_of(2);

    (void)state;
    low.confidence = 40;
    high.confidence = 80;
    assert_true(out_set_origin(&set, low, SLICE("low"), SLICE("identity--a")));
    assert_int_equal(out_set_add(&set, OUT_IPV4, SLICE("10.0.0.1")), OUT_TAKEN);
    assert_true(out_set_origin(&set, high, SLICE("high"), SLICE("identity--b")));
    assert_int_equal(out_set_add(&set, OUT_IPV4, SLICE("10.0.0.1")), OUT_TAKEN);
    out_set_close(&set, false, false, &exact);
    assert_int_equal(set.tables[OUT_IPV4].count, 1);
    assert_int_equal(set.repeated, 1);
    const struct out_origin *shown = out_origin_of(&set, &set.tables[OUT_IPV4].values[0]);
    assert_true(slice_eq(out_origin_name(&set, shown), SLICE("high")));
    assert_true(slice_eq(out_origin_creator(&set, shown), SLICE("identity--b")));
}

static void texts_cannot_leave_their_place(void **state)
{
    static const struct {
        const char *name, *text, *content, *words, *csv;
    } rows[] = {
        {"plain", "evil.example", "evil.example", "evil.example", "evil.example"},
        {"quote and semicolon", "a\";b", "a|22 3B|b", "a__b", "\"a\"\";b\""},
        {"backslash", "a\\b", "a|5C|b", "a_b", "a\\b"},
        {"pipe", "a|b", "a|7C|b", "a_b", "a|b"},
        {"comma", "a,b", "a|2C|b", "a_b", "\"a,b\""},
        {"line", "a\nb", "a|0A|b", "a_b", "\"a b\""},
        {"other scripts", "\xc3\xa9", "|C3 A9|", "__", "\xc3\xa9"},
        {"formula", "=cmd()", "=cmd|28 29|", "=cmd__", "\"'=cmd()\""},
        {"parentheses", "(x)", "|28|x|29|", "_x_", "(x)"},
    };

    (void)state;
    CHECK_ROWS(row, rows) {
        CLEANUP(buf_free) struct buf content = BUF(1 << 12), words = BUF(1 << 12);
        CLEANUP(buf_free) struct buf csv = BUF(1 << 12);

        rule_content(&content, slice_text(row->text));
        rule_words(&words, slice_text(row->text));
        out_csv_put(&csv, slice_text(row->text));
        assert_true(slice_eq(buf_slice(&content), slice_text(row->content)));
        assert_true(slice_eq(buf_slice(&words), slice_text(row->words)));
        assert_true(slice_eq(buf_slice(&csv), slice_text(row->csv)));
    }
}

static size_t lines_of(slice text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += text.at[i] == '\n';
    return count;
}

/* A title, a name or a value of any kind makes no line of its own in any format. */
static void no_text_makes_a_line(void **state)
{
    (void)state;
    for (size_t i = 0; out_format_at(i) != NULL; i++) {
        size_t lines[2];

        for (int hostile = 0; hostile < 2; hostile++) {
            CLEANUP(out_set_free) struct out_set set = {.has_names = true};
            CLEANUP(buf_free) struct buf out = BUF((size_t)1 << 20);
            struct out_exact exact = {0};
            char format[64];

            assert_true(out_set_origin(&set, origin_of(1),
                                       hostile ? SLICE("n\nalert x\r\n# \t\"; }") : SLICE("name"),
                                       SLICE("identity--a")));
            assert_int_equal(
                out_set_add(&set, OUT_FILE_NAME, hostile ? SLICE("#;\"|\\x0a,}") : SLICE("a.exe")),
                OUT_TAKEN);
            assert_int_equal(out_set_add(&set, OUT_URL,
                                         hostile ? SLICE("http://a.example/\";)#\\n")
                                                 : SLICE("http://a.example/b")),
                             OUT_TAKEN);
            assert_int_equal(out_set_add(&set, OUT_DOMAIN, SLICE("a.example")), OUT_TAKEN);
            assert_int_equal(out_set_add(&set, OUT_IPV4, SLICE("192.0.2.1")), OUT_TAKEN);
            out_set_close(&set, false, false, &exact);
            (void)snprintf(format, sizeof(format), "%.*s", SLICE_ARG(out_format_at(i)->name));
            write_all(&set, format, hostile ? SLICE("t\nadd rule\r\x1b[2J") : SLICE("title"), 7,
                      &out);
            lines[hostile] = lines_of(buf_slice(&out));
        }
        assert_int_equal(lines[0], lines[1]);
    }
}

static void a_rule_keeps_its_number(void **state)
{
    CLEANUP(rule_sids_free) struct rule_sids all = {0}, few = {0};
    uint32_t seen[100];

    (void)state;
    assert_true(rule_sids_init(&all, 100) && rule_sids_init(&few, 100));
    for (size_t i = 0; i < 100; i++) {
        char text[16];

        (void)snprintf(text, sizeof(text), "n%zu.example", i);
        seen[i] = rule_sid(&all, 2, slice_text(text));
        assert_true(seen[i] >= RULE_SID_FIRST && seen[i] < RULE_SID_FIRST + RULE_SID_COUNT);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(seen[i], seen[j]);
    }
    assert_int_equal(rule_sid(&few, 2, SLICE("n99.example")), seen[99]);
    assert_int_not_equal(rule_sid(&few, 2, SLICE("n99.example")), seen[99]); /* taken */
    assert_int_not_equal(rule_sid(&few, 3, SLICE("n98.example")), seen[98]);
}

static void addresses_are_backwards_in_a_policy_zone(void **state)
{
    static const struct {
        const char *name;
        enum out_kind kind;
        const char *text, *line;
    } rows[] = {
        {"address", OUT_IPV4, "192.0.2.7", "32.7.2.0.192.rpz-ip CNAME .\n"},
        {"network", OUT_IPV4, "192.0.2.0/24", "24.0.2.0.192.rpz-ip CNAME .\n"},
        {"IPv6", OUT_IPV6, "2001:db8::1", "128.1.zz.db8.2001.rpz-ip CNAME .\n"},
        {"IPv6 without zeros", OUT_IPV6, "1:2:3:4:5:6:7:8", "128.8.7.6.5.4.3.2.1.rpz-ip CNAME .\n"},
        {"IPv6 with one zero", OUT_IPV6, "1:2:3:0:5:6:7:8", "128.8.7.6.5.0.3.2.1.rpz-ip CNAME .\n"},
        {"IPv6 network", OUT_IPV6, "2001:db8:1::/48", "48.zz.1.db8.2001.rpz-ip CNAME .\n"},
        {"name", OUT_DOMAIN, "a.example", "a.example CNAME .\n*.a.example CNAME .\n"},
    };

    (void)state;
    CHECK_ROWS(row, rows) {
        CLEANUP(out_set_free) struct out_set set = {0};
        CLEANUP(buf_free) struct buf out = BUF(1 << 16);
        struct out_exact exact = {0};

        assert_true(out_set_origin(&set, origin_of(1), SLICE(""), SLICE("")));
        assert_int_equal(out_set_add(&set, row->kind, slice_text(row->text)), OUT_TAKEN);
        out_set_close(&set, true, true, &exact);
        write_all(&set, "rpz", SLICE("t"), 7, &out);
        assert_true(slice_ends(buf_slice(&out), slice_text(row->line)));
    }
}

static void versions_of_suricata_differ(void **state)
{
    CLEANUP(out_set_free) struct out_set set = {0};
    struct out_exact exact = {0};

    (void)state;
    assert_true(out_set_origin(&set, origin_of(1), SLICE(""), SLICE("")));
    assert_int_equal(out_set_add(&set, OUT_EMAIL, SLICE("bob@evil.example")), OUT_TAKEN);
    assert_int_equal(out_set_add(&set, OUT_IPV4, SLICE("192.0.2.1")), OUT_TAKEN);
    out_set_close(&set, false, false, &exact);
    for (unsigned version = 6; version <= 8; version++) {
        CLEANUP(buf_free) struct buf rules = BUF(1 << 16), datasets = BUF(1 << 16);

        write_all(&set, "suricata", SLICE("t"), version, &rules);
        write_all(&set, "suricata-dataset-rules", SLICE("t"), version, &datasets);
        assert_int_equal(slice_find(buf_slice(&rules), SLICE("email.from;")) != SIZE_MAX,
                         version == 8);
        assert_int_equal(slice_find(buf_slice(&datasets), SLICE("type ip,")) != SIZE_MAX,
                         version >= 7);
        assert_true(slice_find(buf_slice(&datasets), SLICE("iprep:any,Entente,>,0;")) != SIZE_MAX);
        assert_true(slice_find(buf_slice(&datasets), SLICE("entente-md5")) == SIZE_MAX);
    }
}

static void file_is(const char *path, const char *text)
{
    char have[256] = "";
    FILE *in = fopen(path, "re");

    assert_non_null(in);
    have[fread(have, 1, sizeof(have) - 1, in)] = '\0';
    assert_int_equal(fclose(in), 0);
    assert_string_equal(have, text);
}

static result replace(const char *path, slice text, bool only_changed, bool *is_changed)
{
    CLEANUP(out_file_abort) struct out_file file = OUT_FILE;
    struct diag diag = {0};

    *is_changed = false;
    TRY(out_file_begin(&file, path, &diag));
    TRY(out_file_take(&file, text, &diag));
    return out_file_commit(&file, only_changed, is_changed, &diag);
}

static size_t files_in(const char *folder)
{
    size_t count = 0;
    DIR *list = opendir(folder);

    assert_non_null(list);
    for (struct dirent *one = readdir(list); one != NULL; one = readdir(list))
        count += one->d_name[0] != '.';
    (void)closedir(list);
    return count;
}

/* Each step that can fail fails in turn: the old file or the new one is there, and nothing else. */
static void a_file_is_replaced_whole_or_not_at_all(void **state)
{
    char folder[] = "/tmp/test_out.XXXXXX", path[64];
    bool is_changed;

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/file", folder);
    assert_true(succeeded(replace(path, SLICE("old"), false, &is_changed)));
    for (unsigned long nth = 1;; nth++) {
        fault_arm(nth);
        result r = replace(path, SLICE("new"), true, &is_changed);
        bool fired = fault_fired();

        fault_arm(0);
        assert_int_equal(failed(r), fired);
        file_is(path, fired ? "old" : "new");
        assert_int_equal(files_in(folder), 1);
        if (!fired)
            break;
    }
    assert_true(is_changed);
    assert_true(succeeded(replace(path, SLICE("new"), true, &is_changed)) && !is_changed);
    assert_true(succeeded(replace(path, SLICE("new"), false, &is_changed)) && is_changed);
    assert_true(succeeded(replace(path, SLICE("newer"), true, &is_changed)) && is_changed);
    file_is(path, "newer");
    assert_true(failed(replace(folder, SLICE("x"), false, &is_changed)));
    assert_int_equal(files_in(folder), 1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read_as_what_they_claim_to_be),
        cmocka_unit_test(lists_are_in_order_once_each_and_never_wider),
        cmocka_unit_test(joining_covers_the_same_addresses),
        cmocka_unit_test(the_surest_indicator_stands_for_a_value),
        cmocka_unit_test(texts_cannot_leave_their_place),
        cmocka_unit_test(no_text_makes_a_line),
        cmocka_unit_test(a_rule_keeps_its_number),
        cmocka_unit_test(addresses_are_backwards_in_a_policy_zone),
        cmocka_unit_test(versions_of_suricata_differ),
        cmocka_unit_test(a_file_is_replaced_whole_or_not_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
