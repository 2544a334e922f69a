#include "reading.h"

#define MD5 "d41d8cd98f00b204e9800998ecf8427e"

static const struct {
    const char *name;
    slice text, all; /* all that is found, in order */
} rows[] = {
    {"an address", S("from 203.0.113.9."), S("ipv4-addr:value=203.0.113.9\n")},
    {"five numbers", S("version 203.0.113.9.1 released"), S("")},
    {"a number too long", S("1203.0.113.9"), S("")},
    {"with a port", S("203.0.113.9:443"), S("ipv4-addr:value=203.0.113.9\n")},
    {"with BIND's port", S("203.0.113.9#443"), S("ipv4-addr:value=203.0.113.9\n")},
    {"behind a name", S("outside:203.0.113.9/443"), S("ipv4-addr:value=203.0.113.9\n")},
    {"in brackets", S("[203.0.113.9]"), S("ipv4-addr:value=203.0.113.9\n")},
    {"IPv6 in brackets", S("[2001:DB8::1]:443"), S("ipv6-addr:value=2001:db8::1\n")},
    {"a network", S("198.51.100.0/24,"), S("ipv4-addr:value=198.51.100.0/24\n")},
    {"a time is no address", S("at 12:00:00"), S("")},
    {"defanged address", S("203[.]0[.]113[.]9"), S("ipv4-addr:value=203.0.113.9\n")},
    {"defanged name", S("block evil[.]example now"), S("domain-name:value=evil.example\n")},
    {"(dot)", S("evil(dot)example"), S("domain-name:value=evil.example\n")},
    {"defanged URL", S("hxxps://evil[.]example/a"),
     S("url:value=https://evil.example/a\ndomain-name:value=evil.example\n")},
    {"[://]", S("hXXp[://]evil.example/a"),
     S("url:value=http://evil.example/a\ndomain-name:value=evil.example\n")},
    {"a name's end dot", S("evil.example. A"), S("domain-name:value=evil.example\n")},
    {"a name is whole", S("evil.example.com"), S("domain-name:value=evil.example.com\n")},
    {"a URL in a URL", S("http://good.example/?u=evil.example"),
     S("url:value=http://good.example/?u=evil.example\ndomain-name:value=good.example\n"
       "domain-name:value=evil.example\n")},
    {"a URL in words", S("(see http://a.example/b)."),
     S("url:value=http://a.example/b\ndomain-name:value=a.example\n")},
    {"mail", S("<abob@evil.example>"),
     S("email-addr:value=abob@evil.example\ndomain-name:value=evil.example\n")},
    {"defanged mail", S("bob[at]evil[.]example"),
     S("email-addr:value=bob@evil.example\ndomain-name:value=evil.example\n")},
    {"mailto", S("mailto:bob@evil.example"),
     S("email-addr:value=bob@evil.example\ndomain-name:value=evil.example\n")},
    {"user at an address", S("root@203.0.113.9"), S("ipv4-addr:value=203.0.113.9\n")},
    {"a hash", S("D41D8CD98F00B204E9800998ECF8427E"), S("file:hashes.MD5=" MD5 "\n")},
    {"md5=", S("md5=" MD5), S("file:hashes.MD5=" MD5 "\n")},
    {"a hash too long", S("0" MD5), S("")},
    {"a path", S("/etc/named.conf"), S("")},
    {"a byte order mark",
     S("\xEF\xBB\xBF"
       "203.0.113.9"),
     S("ipv4-addr:value=203.0.113.9\n")},
    {"NUL and bytes that are no UTF-8", S("\0\1\xff\xfe 203.0.113.9 \xc3("),
     S("ipv4-addr:value=203.0.113.9\n")},
    {"nothing but punctuation", S("[[({.:!?)}]] [.] hxxp ://"), S("")},
};

static void text_gives_what_has_a_form(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF((size_t)1 << 20);

    (void)state;
    CHECK_ROWS(row, rows) {
        int64_t time_us;

        buf_reset(&out);
        assert_true(succeeded(lines_read(SLICE("text"), NULL, row->text, &out, &time_us, NULL)));
        if (!slice_eq(buf_slice(&out), row->all))
            fail_msg("%s: %.*s", row->name, SLICE_ARG(buf_slice(&out)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(text_gives_what_has_a_form)};

    return cmocka_run_group_tests_name("telemetry/tokens", tests, NULL, NULL);
}
