#include "rows.h"

#include "scan/allow.h"

#include "base/banned.h"

#define IP4 "ipv4-addr:value"
#define IP6 "ipv6-addr:value"
#define NAME "domain-name:value"
#define URL "url:value"
#define MAIL "email-addr:value"
#define SHA "file:hashes.'SHA-256'"
#define FILE_NAME "file:name"

static const slice strings[] = {S("Example.org"), S("192.0.2.77"), S("HTTPS://a.example/x"),
                                S("setup.exe")};
static const slice names[] = {S("*.cdn.example"), S(".dot.example"), S("plain.example."),
                              S("XN--MNCHEN-3YA.example")};
static const slice nets[] = {S("10.0.0.0/8"),    S("10.1.0.0/16"), S("192.0.2.0/24"),
                             S("2001:db8::/32"), S("203.0.113.9"), S("10.1.0.0/16")};
static const slice parts[] = {S("akamai"), S(".ms"), S("windowsupdate")};
static const slice expressions[] = {S("/^ads?[0-9]+\\./i"), S("tracker$")};
static const slice url_only[] = {S("url")};
static const slice mail_too[] = {S("domain"), S("email-src")};
static const slice free_mail[] = {S("mail.example")};
static const slice hash_values[] = {
    S("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")};

#define LIST(list_name, list_type, list_values)                                                    \
    {                                                                                              \
        .name = S(list_name), .type = (list_type), .values = (list_values),                        \
        .value_count = sizeof(list_values) / sizeof((list_values)[0])                              \
    }

static struct allow_list lists[] = {
    LIST("strings", ALLOW_STRING, strings),
    LIST("hosts", ALLOW_HOSTNAME, names),
    LIST("nets", ALLOW_CIDR, nets),
    LIST("parts", ALLOW_SUBSTRING, parts),
    LIST("expressions", ALLOW_REGEX, expressions),
    {.name = S("urls"),
     .type = ALLOW_STRING,
     .values = parts,
     .value_count = 1,
     .attributes = url_only,
     .attribute_count = 1},
    {.name = S("mail"),
     .type = ALLOW_HOSTNAME,
     .values = free_mail,
     .value_count = 1,
     .attributes = mail_too,
     .attribute_count = 2},
    LIST("empty file", ALLOW_STRING, hash_values),
};

static const struct {
    const char *name;
    slice kind, value, list; /* list: empty for none */
} asked[] = {
    {"a string whatever its case", S(NAME), S("example.org"), S("strings")},
    {"a string is no suffix", S(NAME), S("www.example.org"), S("")},
    {"a string of a URL", S(URL), S("https://a.example/x"), S("strings")},
    {"a string that is an address", S(IP4), S("192.0.2.77"), S("strings")},
    {"a host below", S(NAME), S("a.b.cdn.example"), S("hosts")},
    {"the host itself", S(NAME), S("cdn.example"), S("hosts")},
    {"a dot in front", S(NAME), S("x.dot.example"), S("hosts")},
    {"a dot behind", S(NAME), S("plain.example"), S("hosts")},
    {"punycode in capitals", S(NAME), S("xn--mnchen-3ya.example"), S("hosts")},
    {"no label's end", S(NAME), S("notcdn.example"), S("")},
    {"the host of a URL", S(URL), S("http://x.cdn.example:8080/p?q"), S("hosts")},
    {"a host in a URL's path", S(URL), S("http://evil.example/cdn.example"), S("")},
    {"mail from a host that is harmless", S(MAIL), S("a@cdn.example"), S("")},
    {"mail where the list is for it", S(MAIL), S("a@mail.example"), S("mail")},
    {"an address in a network", S(IP4), S("10.200.0.1"), S("nets")},
    {"behind a narrower network", S(IP4), S("10.2.0.1"), S("nets")},
    {"an address alone", S(IP4), S("203.0.113.9"), S("nets")},
    {"beside an address alone", S(IP4), S("203.0.113.10"), S("")},
    {"below all networks", S(IP4), S("1.1.1.1"), S("")},
    {"above all networks", S(IP4), S("250.1.1.1"), S("")},
    {"a network within", S(IP4), S("10.1.2.0/24"), S("nets")},
    {"the network itself", S(IP4), S("10.0.0.0/8"), S("nets")},
    {"a network around", S(IP4), S("10.0.0.0/7"), S("")},
    {"IPv6", S(IP6), S("2001:db8::1"), S("nets")},
    {"IPv6 outside", S(IP6), S("2001:db9::1"), S("")},
    {"an address that is no address", S(IP4), S("10.0.0"), S("")},
    {"a network is for addresses", S(FILE_NAME), S("10.0.0.1"), S("")},
    {"a part", S(NAME), S("x.AKAMAI.net"), S("parts")},
    {"a part at the end", S(FILE_NAME), S("windowsupdate"), S("parts")},
    {"a short part", S(NAME), S("x.ms.example"), S("parts")},
    {"half a part", S(NAME), S("x.akama.example"), S("")},
    {"an expression", S(NAME), S("AD7.x.example"), S("expressions")},
    {"an expression at the end", S(FILE_NAME), S("a-tracker"), S("expressions")},
    {"an expression that is not there", S(FILE_NAME), S("tracker1"), S("")},
    {"a hash", S(SHA), S("E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"),
     S("empty file")},
    {"nothing", S(NAME), S(""), S("")},
};

static void a_value_is_on_the_list_that_names_it(void **state)
{
    struct allow *allow = NULL;
    struct diag diag = {0};

    (void)state;
    if (failed(allow_build(lists, sizeof(lists) / sizeof(lists[0]), &allow, &diag)))
        fail_msg("%s", diag.text);
    CHECK_ROWS(row, asked) {
        slice list = SLICE("");

        assert_true(allow_covers(allow, row->kind, row->value, &list) == (row->list.len > 0));
        assert_true(slice_eq(list, row->list));
    }
    uint64_t covered;
    assert_true(slice_eq(allow_list_name(allow, 2, &covered), SLICE("nets")));
    assert_int_equal(covered, 6);
    assert_int_equal(allow_list_count(allow), 8);
    allow_free(&allow);
    assert_false(allow_covers(NULL, SLICE(NAME), SLICE("a.example"), NULL));
}

/* The slow one: every network of the list is asked. */
static bool slow_covers(const struct allow_list *list, slice value)
{
    struct allow *one = NULL;
    bool covers = false;

    for (size_t i = 0; !covers && i < list->value_count; i++) {
        struct allow_list single = *list;

        single.values = &list->values[i];
        single.value_count = 1;
        assert_false(failed(allow_build(&single, 1, &one, NULL)));
        covers = allow_covers(one, SLICE(IP4), value, NULL);
        allow_free(&one);
    }
    return covers;
}

static void networks_that_nest_answer_as_each_alone(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
    slice values[24];
    struct allow_list list = {.name = SLICE("n"), .type = ALLOW_CIDR, .values = values};
    unsigned seed = 20261123;

    (void)state;
    print_message("# seed %u\n", seed);
    for (unsigned round = 0; round < 30; round++) {
        struct allow *allow = NULL;

        list.value_count = 1 + (unsigned)rand_r(&seed) % 24;
        for (size_t i = 0; i < list.value_count; i++)
            values[i] = arena_printf(&arena, "%d.%d.0.0/%d", rand_r(&seed) % 3,
                                     rand_r(&seed) % 8 * 32, 1 + rand_r(&seed) % 18);
        assert_false(failed(allow_build(&list, 1, &allow, NULL)));
        for (unsigned i = 0; i < 20; i++) {
            slice value = arena_printf(&arena, "%d.%d.1.1", rand_r(&seed) % 4, rand_r(&seed) % 256);

            assert_true(allow_covers(allow, SLICE(IP4), value, NULL) == slow_covers(&list, value));
        }
        allow_free(&allow);
    }
}

static void too_many_lists_are_refused(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
    struct allow_list *many = arena_new(&arena, struct allow_list, ALLOW_LISTS_MAX + 1);
    struct allow *allow = NULL;
    struct diag diag = {0};

    (void)state;
    assert_non_null(many);
    for (size_t i = 0; i <= ALLOW_LISTS_MAX; i++)
        many[i] = lists[0];
    assert_int_equal(allow_build(many, ALLOW_LISTS_MAX + 1, &allow, &diag).code, ERR_LIMIT);
    assert_null(allow);
    assert_non_null(strstr(diag.text, "at most 1000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_on_the_list_that_names_it),
        cmocka_unit_test(networks_that_nest_answer_as_each_alone),
        cmocka_unit_test(too_many_lists_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
