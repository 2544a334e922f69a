/* Lists and tables become indicators; what does not is told with its line. */
#include "rows.h"

#include "base/buf.h"
#include "formats/in.h"
#include "json/json.h"

#include "base/banned.h"

#define DATE_US INT64_C(1767225600000000) /* 2026-01-01 */

struct read_in {
    struct buf made, patterns;
    struct in_report report;
    struct diag diag;
    enum in_form form;
};

static void free_read(struct read_in *read)
{
    buf_free(&read->made);
    buf_free(&read->patterns);
}

/* Everything that a text gives; form IN_STIX: by its first bytes. */
static void read_text(slice text, enum in_form form, slice columns, size_t room,
                      struct read_in *out)
{
    static char peek[IN_PEEK_BYTES];
    CLEANUP(source_close) struct source *source = NULL;
    CLEANUP(in_close) struct in *in = NULL;
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 24);
    struct in_choice choice = {.columns = columns, .confidence = -1, .date_us = DATE_US};
    struct json_doc doc;
    char block[4096];
    size_t count = 1;
    slice line;

    *out = (struct read_in){.made = BUF((size_t)1 << 26), .patterns = BUF((size_t)1 << 26)};
    assert_false(failed(source_of_memory(text, &source, &out->diag)));
    choice.form = form;
    if (form == IN_STIX && failed(in_recognise(source, peek, &choice.form, &out->diag)))
        return;
    out->form = choice.form;
    if (choice.form == IN_STIX || failed(in_open(source, &choice, &in, &out->diag)))
        return;
    while (count > 0) {
        if (failed(source_read(in_source(in), block, room, &count, &out->diag)))
            return;
        buf_put(&out->made, slice_of(block, count));
    }
    out->report = *in_report(in);
    assert_false(failed(json_parser_new(16, &parser, &out->diag)));
    for (slice rest = buf_slice(&out->made); rest.len > 0;) {
        assert_true(slice_cut(rest, '\n', &line, &rest));
        assert_false(failed(json_parse_copy(parser, line, &doc, &out->diag)));
        buf_put(&out->patterns,
                json_string(&doc, json_get(&doc, doc.nodes, SLICE("pattern")), &arena));
        buf_byte(&out->patterns, '\n');
    }
}

static const struct row {
    const char *name, *text, *patterns;
    uint64_t lost;
} lists[] =
    {
        {"addresses", "198.51.100.7\n2001:DB8::1\n",
         "[ipv4-addr:value = '198.51.100.7']\n[ipv6-addr:value = '2001:db8::1']\n", 0},
        {"networks", "198.51.100.0/24 ; SBL1\n", "[ipv4-addr:value ISSUBSET '198.51.100.0/24']\n",
         0},
        {"names and URLs", "Evil.Example.\nhttp://evil.example/a?b\n*.wild.example\n",
         "[domain-name:value = 'evil.example']\n[url:value = "
         "'http://evil.example/a?b']\n[domain-name:value = 'wild.example']\n",
         0},
        {"defanged", "198[.]51[.]100[.]7\nhxxp://evil[.]example/x\n",
         "[ipv4-addr:value = '198.51.100.7']\n[url:value = 'http://evil.example/x']\n", 0},
        {"hashes", "D41D8CD98F00B204E9800998ECF8427E\n",
         "[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']\n", 0},
        {"comments and blank lines", "# a\n; b\n! c\n// d\n\n198.51.100.7 # why\n",
         "[ipv4-addr:value = '198.51.100.7']\n", 0},
        {"hosts", "127.0.0.1 localhost\n0.0.0.0 a.example b.example # x\n",
         "[domain-name:value = 'a.example']\n[domain-name:value = 'b.example']\n", 0},
        {"browser rules", "[Adblock Plus 2.0]\n||a.example^\n@@||b.example^\na.example##.ad\n",
         "[domain-name:value = 'a.example']\n", 2},
        {"resolvers",
         "address=/a.example/0.0.0.0\nlocal-zone: \"b.example\" refuse\nc.example CNAME .\n",
         "[domain-name:value = 'a.example']\n[domain-name:value = 'b.example']\n[domain-name:value "
         "= 'c.example']\n",
         0},
        {"a range becomes networks that cover just it", "198.51.100.7 - 198.51.100.9\n",
         "[ipv4-addr:value = '198.51.100.7']\n[ipv4-addr:value ISSUBSET '198.51.100.8/31']\n", 0},
        {"a range backwards", "198.51.100.9 - 198.51.100.7\n", "", 1},
        {"what is nothing", "no such thing\n198.51.100.7\n", "[ipv4-addr:value = '198.51.100.7']\n",
         1},
        {"quotes stay inside", "http://evil.example/'] OR [url:value='x\n",
         "[url:value = 'http://evil.example/\\']']\n", 0},
        {"carriage returns", "198.51.100.7\r\n", "[ipv4-addr:value = '198.51.100.7']\n", 0},
        {"no last line end", "198.51.100.7", "[ipv4-addr:value = '198.51.100.7']\n", 0},
},
  tables[] = {
      {"a value and its type", "type,value,confidence\nip,198.51.100.7,90\ndomain,a.example,low\n",
       "[ipv4-addr:value = '198.51.100.7']\n[domain-name:value = 'a.example']\n", 0},
      {"a column for each type", "ip;domain;note\n198.51.100.7;a.example;x\n;b.example;\n",
       "[ipv4-addr:value = '198.51.100.7']\n[domain-name:value = 'a.example']\n[domain-name:value "
       "= 'b.example']\n",
       0},
      {"a header in a comment",
       "# made by nobody\n# \"first_seen_utc\",\"ioc_value\",\"tags\"\n\"2026-01-02 03:04:05\", "
       "\"a.example\", \"x,y\"\n",
       "[domain-name:value = 'a.example']\n", 0},
      {"quotes and line ends in a cell",
       "value,description\na.example,\"two \"\"words\"\"\nand a line\"\nb.example,\n",
       "[domain-name:value = 'a.example']\n[domain-name:value = 'b.example']\n", 0},
      {"tabs", "value\ttlp\na.example\tamber\n", "[domain-name:value = 'a.example']\n", 0},
      {"more cells than columns", "value,tlp\na.example,red,x\nb.example,red\n",
       "[domain-name:value = 'b.example']\n", 1},
      {"quotes in a cell without quotes", "value,note\na.example,5\" disk\nb.example,x\n",
       "[domain-name:value = 'a.example']\n[domain-name:value = 'b.example']\n", 0},
      {"a record without a value", "value,tlp\n,red\n", "", 1},
      {"a date that is none is kept", "value,first_seen\na.example,yesterday\n",
       "[domain-name:value = 'a.example']\n", 0},
};

static void rows_hold(const struct row *rows, size_t count, enum in_form form)
{
    for (size_t i = 0; i < count; i++)
        for (size_t room = 1; room <= 4096; room *= 64) {
            CLEANUP(free_read) struct read_in read;

            read_text(slice_text(rows[i].text), form, SLICE(""), room, &read);
            buf_byte(&read.patterns, '\0');
            if ((read.diag.code != ERR_NONE && rows[i].patterns[0] != '\0') ||
                strcmp(read.patterns.at, rows[i].patterns) != 0 ||
                (read.diag.code == ERR_NONE && read.report.lost != rows[i].lost))
                fail_msg("%s: %s\n%slost %llu", rows[i].name, read.diag.text, read.patterns.at,
                         (unsigned long long)read.report.lost);
        }
}

static void lists_are_read(void **state)
{
    (void)state;
    rows_hold(lists, sizeof(lists) / sizeof(lists[0]), IN_LIST);
}

static void tables_are_read(void **state)
{
    (void)state;
    rows_hold(tables, sizeof(tables) / sizeof(tables[0]), IN_CSV);
}

static void forms_are_recognised(void **state)
{
    static const struct {
        const char *text;
        enum in_form form;
    } rows[] = {
        {"", IN_STIX},
        {" {\"type\":\"bundle\"}", IN_STIX},
        {"[{}]", IN_STIX},
        {"[Adblock Plus 2.0]\n||a.example^\n", IN_LIST},
        {"[ipv4-addr:value = '198.51.100.7']\n", IN_LIST},
        {"198.51.100.7\n", IN_LIST},
        {"\xef\xbb\xbfvalue,type\n", IN_CSV},
        {"# c\n# \"ioc_value\",\"x\"\n\"a\",\"b\"\n", IN_CSV},
        {"198.51.100.7,bad\n", IN_LIST},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(free_read) struct read_in read;

        read_text(slice_text(rows[i].text), IN_STIX, SLICE(""), 4096, &read);
        if (read.form != rows[i].form)
            fail_msg("row %zu is form %d", i, (int)read.form);
    }
}

static void cells_go_where_their_columns_say(void **state)
{
    static const char *const wanted[] = {"\"created\":\"2026-01-02T03:04:05.000Z\"",
                                         "\"modified\":\"2026-01-03T00:00:00.000Z\"",
                                         "\"valid_until\":\"2026-02-01T00:00:00.000Z\"",
                                         "\"confidence\":85",
                                         "\"labels\":[\"a\",\"b\"]",
                                         "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
                                         "\"x_columns\":{\"malware\":\"harbour\"}",
                                         "\"name\":\"one\""};
    CLEANUP(free_read) struct read_in read;

    (void)state;
    read_text(SLICE("value,first_seen,last_seen,expires,confidence,tags,tlp,malware,name\n"
                    "a.example,2026-01-02 03:04:05 "
                    "UTC,1767398400,2026-02-01,high,a;b,TLP:AMBER,harbour,one\n"),
              IN_CSV, SLICE(""), 4096, &read);
    buf_byte(&read.made, '\0');
    assert_int_equal(read.diag.code, ERR_NONE);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (strstr(read.made.at, wanted[i]) == NULL)
            fail_msg("%s is not in %s", wanted[i], read.made.at);
}

static void the_same_text_gives_the_same_ids(void **state)
{
    CLEANUP(free_read) struct read_in first, second;

    (void)state;
    read_text(SLICE("a.example\n198.51.100.7\n"), IN_LIST, SLICE(""), 4096, &first);
    read_text(SLICE("a.example\n198.51.100.7\n"), IN_LIST, SLICE(""), 7, &second);
    assert_true(slice_eq(buf_slice(&first.made), buf_slice(&second.made)));
    assert_int_equal(first.report.objects, 2);
}

static void what_cannot_be_read_is_refused_with_its_place(void **state)
{
    static char longest[IN_LINE_BYTES_MAX + 16];
    const struct {
        enum in_form form;
        slice text, columns;
        const char *words;
    } rows[] = {
        {IN_STIX,
         SLICE("\xff\xfe"
               "a\0"),
         SLICE(""), "the text is UTF-16: convert it to UTF-8 first"},
        {IN_STIX, SLICE("a\0b"), SLICE(""), "byte 1 is zero: this is no text"},
        {IN_LIST, slice_of(longest, sizeof(longest)), SLICE(""), "line 1: longer than 65536 bytes"},
        {IN_CSV, SLICE("value,tlp\n\"a\n"), SLICE(""), "line 2: a quote is never closed"},
        {IN_CSV, SLICE("x,y\n1,2\n"), SLICE(""),
         "line 1: no header that is known, with a column of values: name the columns with "
         "--columns"},
        {IN_CSV, SLICE(""), SLICE("valeu,type"), "--columns: \"valeu\" is no role:"},
        {IN_CSV, SLICE(""), SLICE("type,-"), "--columns: names no column with values"},
    };

    (void)state;
    memset(longest, 'a', sizeof(longest));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(free_read) struct read_in read;

        read_text(rows[i].text, rows[i].form, rows[i].columns, 4096, &read);
        if (strncmp(read.diag.text, rows[i].words, strlen(rows[i].words)) != 0)
            fail_msg("row %zu: %s", i, read.diag.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_read),
        cmocka_unit_test(tables_are_read),
        cmocka_unit_test(forms_are_recognised),
        cmocka_unit_test(cells_go_where_their_columns_say),
        cmocka_unit_test(the_same_text_gives_the_same_ids),
        cmocka_unit_test(what_cannot_be_read_is_refused_with_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
