#include "rows.h"
#include "stix/object.h"

static const struct {
    const char *name;
    slice kind, value, normal;
} values[] = {
    {"a domain", S("domain-name:value"), S("Example.COM."), S("example.com")},
    {"a domain as it should be", S("domain-name:value"), S("example.com"), S("example.com")},
    {"a domain of another script", S("domain-name:value"),
     S("B\xc3\xbc"
       "cher.Example"),
     S("xn--bcher-kva.example")},
    {"a domain in its ASCII form", S("domain-name:value"), S("XN--BCHER-KVA.example"),
     S("xn--bcher-kva.example")},
    {"a lone dot", S("domain-name:value"), S("."), S(".")},
    {"IPv4", S("ipv4-addr:value"), S("198.51.100.3"), S("198.51.100.3")},
    {"IPv4 with its whole prefix", S("ipv4-addr:value"), S("198.51.100.3/32"), S("198.51.100.3")},
    {"an IPv4 network", S("ipv4-addr:value"), S("198.51.100.77/24"), S("198.51.100.0/24")},
    {"an IPv4 network off the byte", S("ipv4-addr:value"), S("198.51.103.77/22"),
     S("198.51.100.0/22")},
    {"all of IPv4", S("ipv4-addr:value"), S("198.51.100.77/0"), S("0.0.0.0/0")},
    {"no prefix", S("ipv4-addr:value"), S("198.51.100.3/33"), S("198.51.100.3/33")},
    {"no address", S("ipv4-addr:value"), S("198.51.100.03x"), S("198.51.100.03x")},
    {"IPv6", S("ipv6-addr:value"), S("2001:0DB8:0:0:0:0:0:1"), S("2001:db8::1")},
    {"an IPv6 network", S("ipv6-addr:value"), S("2001:DB8::1/64"), S("2001:db8::/64")},
    {"an IPv6 network off the byte", S("ipv6-addr:value"), S("2001:db8:ffff::/33"),
     S("2001:db8:8000::/33")},
    {"IPv4 inside IPv6", S("ipv6-addr:value"), S("::FFFF:198.51.100.3"), S("::ffff:198.51.100.3")},
    {"one zero field", S("ipv6-addr:value"), S("2001:db8:0:1:1:1:1:1"), S("2001:db8:0:1:1:1:1:1")},
    {"e-mail", S("email-addr:value"), S("John.Doe@Example.COM"), S("John.Doe@example.com")},
    {"e-mail without a host", S("email-addr:value"), S("John"), S("John")},
    {"MAC", S("mac-addr:value"), S("D2-FB-49-24-37-18"), S("d2:fb:49:24:37:18")},
    {"a hash", S("file:hashes.'SHA-256'"), S("AbCd"), S("abcd")},
    {"a hash whose case counts", S("file:hashes.SSDEEP"), S("3:AbC:d"), S("3:AbC:d")},
    {"a name stays", S("file:name"), S("Foo.DLL"), S("Foo.DLL")},
    {"a URL stays", S("url:value"), S("HTTP://Example.COM/A"), S("HTTP://Example.COM/A")},
    {"nothing", S("domain-name:value"), S(""), S("")},
};

static void values_have_one_form(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 20);

    (void)state;
    CHECK_ROWS(row, values) {
        slice normal = stix_value_normal(row->kind, row->value, &arena);

        if (!slice_eq(normal, row->normal))
            fail_msg("%s: %.*s", row->name, SLICE_ARG(normal));
        assert_true(slice_eq(stix_value_normal(row->kind, normal, &arena), normal));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_have_one_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
