#include "rows.h"
#include "stix/check.h"

static const struct {
    const char *name;
    enum property_syntax syntax;
    slice text;
    bool holds;
} texts[] = {
    {"hex", SYNTAX_HEX, S("00ff"), true},
    {"hex of half a byte", SYNTAX_HEX, S("00f"), false},
    {"hex in capitals", SYNTAX_HEX, S("00FF"), false},
    {"base64", SYNTAX_BASE64, S("aGVsbG8="), true},
    {"base64, two pads", SYNTAX_BASE64, S("aGVsbA=="), true},
    {"base64 without its pad", SYNTAX_BASE64, S("aGVsbG8"), false},
    {"base64 of the URL alphabet", SYNTAX_BASE64, S("aGV_bG8="), false},
    {"base64, a pad inside", SYNTAX_BASE64, S("aG=sbG8="), false},
    {"language", SYNTAX_LANGUAGE, S("he"), true},
    {"language of three letters", SYNTAX_LANGUAGE, S("gsw"), true},
    {"language and region", SYNTAX_LANGUAGE, S("ja-JP"), true},
    {"language and region number", SYNTAX_LANGUAGE, S("es-419"), true},
    {"script", SYNTAX_LANGUAGE, S("zh-Hant-TW"), true},
    {"extended language", SYNTAX_LANGUAGE, S("zh-cmn-Hans-CN"), true},
    {"three extended languages", SYNTAX_LANGUAGE, S("zh-abc-def-ghi"), true},
    {"four extended languages", SYNTAX_LANGUAGE, S("zh-abc-def-ghi-jkl"), false},
    {"variant", SYNTAX_LANGUAGE, S("sl-rozaj-biske-1994"), true},
    {"extension", SYNTAX_LANGUAGE, S("de-DE-u-co-phonebk"), true},
    {"two extensions", SYNTAX_LANGUAGE, S("en-a-myext-b-another"), true},
    {"private use behind", SYNTAX_LANGUAGE, S("en-x-us"), true},
    {"private use alone", SYNTAX_LANGUAGE, S("x-whatever"), true},
    {"irregular", SYNTAX_LANGUAGE, S("i-klingon"), true},
    {"irregular of other case", SYNTAX_LANGUAGE, S("sgn-be-fr"), true},
    {"registered, eight letters", SYNTAX_LANGUAGE, S("abcdefgh"), true},
    {"nine letters", SYNTAX_LANGUAGE, S("abcdefghi"), false},
    {"one letter", SYNTAX_LANGUAGE, S("e"), false},
    {"an underscore", SYNTAX_LANGUAGE, S("en_US"), false},
    {"a hyphen at the end", SYNTAX_LANGUAGE, S("en-"), false},
    {"two hyphens", SYNTAX_LANGUAGE, S("en--US"), false},
    {"two regions", SYNTAX_LANGUAGE, S("de-419-DE"), false},
    {"an extension of nothing", SYNTAX_LANGUAGE, S("en-u"), false},
    {"private use of nothing", SYNTAX_LANGUAGE, S("en-x"), false},
    {"no language", SYNTAX_LANGUAGE, S(""), false},
    {"a digit first", SYNTAX_LANGUAGE, S("1n"), false},
    {"URL", SYNTAX_URL, S("https://example.com/a?b#c"), true},
    {"URL of mail", SYNTAX_URL, S("mailto:a@example.com"), true},
    {"URL of another script", SYNTAX_URL, S("https://example.com/\xc3\xa9"), true},
    {"URL with a space", SYNTAX_URL, S("https://example.com/a b"), false},
    {"URL without a scheme", SYNTAX_URL, S("example.com/a"), false},
    {"URL of a scheme alone", SYNTAX_URL, S("https:"), false},
    {"URL, a digit first", SYNTAX_URL, S("1ttp://a"), false},
    {"IPv4", SYNTAX_IPV4, S("198.51.100.3"), true},
    {"IPv4 network", SYNTAX_IPV4, S("198.51.100.0/24"), true},
    {"IPv4 network too long", SYNTAX_IPV4, S("198.51.100.0/33"), false},
    {"IPv4 network of nothing", SYNTAX_IPV4, S("198.51.100.0/"), false},
    {"IPv4 network, a sign", SYNTAX_IPV4, S("198.51.100.0/+4"), false},
    {"IPv4 over a byte", SYNTAX_IPV4, S("198.51.100.256"), false},
    {"IPv4, an octal byte", SYNTAX_IPV4, S("198.51.100.03"), false},
    {"IPv4 of three bytes", SYNTAX_IPV4, S("198.51.100"), false},
    {"IPv4, NUL behind", SYNTAX_IPV4, S("198.51.100.3\0"), false},
    {"IPv4, too long", SYNTAX_IPV4, S("198.51.100.3                                   "), false},
    {"IPv6", SYNTAX_IPV6, S("2001:db8::1"), true},
    {"IPv6 network", SYNTAX_IPV6, S("2001:db8::/32"), true},
    {"IPv6 network too long", SYNTAX_IPV6, S("2001:db8::/129"), false},
    {"IPv6 with a zone", SYNTAX_IPV6, S("fe80::1%eth0"), false},
    {"IPv4 is no IPv6", SYNTAX_IPV6, S("198.51.100.3"), false},
    {"MAC", SYNTAX_MAC, S("d2:fb:49:24:37:18"), true},
    {"MAC in capitals", SYNTAX_MAC, S("D2:FB:49:24:37:18"), false},
    {"MAC with hyphens", SYNTAX_MAC, S("d2-fb-49-24-37-18"), false},
    {"MAC of five bytes", SYNTAX_MAC, S("d2:fb:49:24:37"), false},
    {"domain", SYNTAX_DOMAIN, S("www.example.com"), true},
    {"domain, its dot behind", SYNTAX_DOMAIN, S("example.com."), true},
    {"domain of one label", SYNTAX_DOMAIN, S("localhost"), true},
    {"domain of a service", SYNTAX_DOMAIN, S("_sip._tcp.example.com"), true},
    {"domain of another script", SYNTAX_DOMAIN,
     S("b\xc3\xbc"
       "cher.example"),
     true},
    {"domain, an empty label", SYNTAX_DOMAIN, S("a..b"), false},
    {"domain, a hyphen first", SYNTAX_DOMAIN, S("-a.example"), false},
    {"domain with a space", SYNTAX_DOMAIN, S("a b.example"), false},
    {"domain, defanged", SYNTAX_DOMAIN, S("example[.]com"), false},
    {"domain of a URL", SYNTAX_DOMAIN, S("http://example.com"), false},
    {"domain, a label of 64", SYNTAX_DOMAIN,
     S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example"), false},
    {"no domain", SYNTAX_DOMAIN, S(""), false},
    {"a dot", SYNTAX_DOMAIN, S("."), false},
    {"e-mail", SYNTAX_EMAIL, S("john.doe+tag@example.com"), true},
    {"e-mail, quoted", SYNTAX_EMAIL, S("\"john doe\"@example.com"), true},
    {"e-mail to an address", SYNTAX_EMAIL, S("a@[198.51.100.3]"), true},
    {"e-mail without a local part", SYNTAX_EMAIL, S("@example.com"), false},
    {"e-mail without a host", SYNTAX_EMAIL, S("john@"), false},
    {"e-mail with a space", SYNTAX_EMAIL, S("john doe@example.com"), false},
    {"e-mail, two ats", SYNTAX_EMAIL, S("a@b@example.com"), false},
    {"e-mail without an at", SYNTAX_EMAIL, S("example.com"), false},
    {"relationship", SYNTAX_RELATIONSHIP, S("attributed-to"), true},
    {"relationship in capitals", SYNTAX_RELATIONSHIP, S("Uses"), false},
    {"relationship with a space", SYNTAX_RELATIONSHIP, S("is a"), false},
    {"no relationship", SYNTAX_RELATIONSHIP, S(""), false},
    {"protocol", SYNTAX_PROTOCOL, S("http"), true},
    {"protocol in capitals", SYNTAX_PROTOCOL, S("HTTP"), false},
    {"country", SYNTAX_COUNTRY, S("JP"), true},
    {"country of three letters", SYNTAX_COUNTRY, S("JPN"), false},
    {"charset", SYNTAX_CHARSET, S("ISO-8859-1"), true},
    {"charset with a space", SYNTAX_CHARSET, S("UTF 8"), false},
    {"charset, NUL inside", SYNTAX_CHARSET, S("UTF\0"), false},
    {"CPE", SYNTAX_CPE, S("cpe:2.3:a:microsoft:word:2000:*:*:*:*:*:*:*"), true},
    {"CPE, a quoted colon", SYNTAX_CPE, S("cpe:2.3:a:a\\:b:word:2000:*:*:*:*:*:*:*"), true},
    {"CPE, an attribute short", SYNTAX_CPE, S("cpe:2.3:a:microsoft:word:2000:*:*:*:*:*:*"), false},
    {"CPE 2.2", SYNTAX_CPE, S("cpe:/a:microsoft:word"), false},
    {"no syntax", SYNTAX_NONE, S(" \0"), true},
};

static void strings_have_the_syntax_they_should(void **state)
{
    (void)state;
    CHECK_ROWS(row, texts) {
        assert_int_equal(syntax_holds(row->syntax, row->text), row->holds);
        if (!row->holds)
            assert_non_null(syntax_words(row->syntax));
    }
}

static const struct {
    const char *name;
    slice algorithm, value;
    bool holds;
} hashes[] = {
    {"MD5", S("MD5"), S("3773a88f65a5e780c8dff9cdc3a056f3"), true},
    {"MD5 in capitals", S("MD5"), S("3773A88F65A5E780C8DFF9CDC3A056F3"), true},
    {"MD5 too short", S("MD5"), S("3773a88f65a5e780c8dff9cdc3a056f"), false},
    {"MD5 with a stranger", S("MD5"), S("3773a88f65a5e780c8dff9cdc3a056fg"), false},
    {"SHA-1", S("SHA-1"), S("0000000000000000000000000000000000000000"), true},
    {"SSDEEP", S("SSDEEP"), S("3:AXGBicFlgVNhBGcL6wCrFQEv:AXGHsNhxLsr2C"), true},
    {"SSDEEP without its size", S("SSDEEP"), S("AXGBicFlgVNhBGcL6wCrFQEv:AXGHsNhxLsr2C"), false},
    {"SSDEEP of four parts", S("SSDEEP"), S("3:a:b:c"), false},
    {"TLSH", S("TLSH"), S("1234567890123456789012345678901234567890123456789012345678901234567890"),
     true},
    {"TLSH with its version", S("TLSH"),
     S("T11234567890123456789012345678901234567890123456789012345678901234567890"), true},
    {"TLSH too short", S("TLSH"), S("T1123456"), false},
    {"an algorithm of one's own", S("x_foo"), S("anything"), true},
    {"nothing", S("x_foo"), S(""), false},
};

static void hashes_have_their_length(void **state)
{
    (void)state;
    CHECK_ROWS(row, hashes) {
        const char *words = NULL;

        assert_int_equal(syntax_hash(row->algorithm, row->value, &words), row->holds);
        assert_non_null(words);
    }
}

static void names_have_lawful_bytes(void **state)
{
    (void)state;
    assert_true(syntax_property_name(SLICE("x_a1")));
    assert_false(syntax_property_name(SLICE("ab")));
    assert_false(syntax_property_name(SLICE("1abc")));
    assert_false(syntax_property_name(SLICE("aBc")));
    assert_false(syntax_property_name(SLICE("a-bc")));
    assert_true(syntax_dictionary_key(SLICE("A-b_1"), 3));
    assert_false(syntax_dictionary_key(SLICE("A"), 3));
    assert_false(syntax_dictionary_key(SLICE("a b"), 1));
    assert_false(syntax_dictionary_key(SLICE(""), 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_have_the_syntax_they_should),
        cmocka_unit_test(hashes_have_their_length),
        cmocka_unit_test(names_have_lawful_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
