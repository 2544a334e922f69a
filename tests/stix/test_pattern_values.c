#include "rows.h"
#include "stix/pattern.h"

#define BUDGET ((size_t)16 << 20)

static const struct {
    const char *name;
    slice pattern;
    const char *values; /* "kind value" each, in order, with "|" between */
} rows[] = {
    {"plain", S("[ipv4-addr:value = '1.2.3.4']"), "ipv4-addr:value 1.2.3.4"},
    {"in its look-up form", S("[domain-name:value = 'Example.COM.']"),
     "domain-name:value example.com"},
    {"a set", S("[domain-name:value IN ('a.example', 'b.example')]"),
     "domain-name:value a.example|domain-name:value b.example"},
    {"a network", S("[ipv4-addr:value ISSUBSET '10.1.2.3/8']"), "ipv4-addr:value 10.0.0.0/8"},
    {"negated", S("[ipv4-addr:value NOT = '1.2.3.4' OR ipv4-addr:value != '1.2.3.4']"), ""},
    {"other operators",
     S("[file:name LIKE 'a%' OR file:name MATCHES 'a' OR file:name > 'a' OR "
       "EXISTS file:name]"),
     ""},
    {"hash names",
     S("[file:hashes.'md5' = 'AB' OR file:hashes.SHA256 = 'CD' OR "
       "file:hashes.'SHA-1' = 'EF' OR file:hashes.SSDEEP = 'gH']"),
     "file:hashes.MD5 ab|file:hashes.'SHA-256' cd|file:hashes.'SHA-1' ef|file:hashes.SSDEEP gH"},
    {"list indexes", S("[windows-registry-key:values[3].name = 'x']"),
     "windows-registry-key:values[*].name x"},
    {"space and comments in the path", S("[file : /**/ name = 'x']"), "file:name x"},
    {"needless quotes", S("[file:'name' = 'x']"), "file:name x"},
    {"behind a reference",
     S("[network-traffic:src_ref.value IN ('1.2.3.4', '::0001', 'A.example', '10.0.0.0/8') AND "
       "email-message:to_refs[0].value = 'x@B.example']"),
     "ipv4-addr:value 1.2.3.4|ipv6-addr:value ::1|domain-name:value a.example|ipv4-addr:value "
     "10.0.0.0/8|email-addr:value x@b.example"},
    {"a reference's other property", S("[file:parent_directory_ref.path = '/tmp']"),
     "file:parent_directory_ref.path /tmp"},
    {"numbers", S("[autonomous-system:number = 64512]"), "autonomous-system:number 64512"},
    {"octets are not looked up", S("[file:magic_number_hex = h'ffd8']"), ""},
    {"over several observations", S("[url:value = 'http://x/'] FOLLOWEDBY [mutex:name = 'm']"),
     "url:value http://x/|mutex:name m"},
};

static void the_values_a_pattern_names_come_in_their_look_up_form(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(BUDGET);
    CLEANUP(buf_free) struct buf out = BUF(BUDGET);

    (void)state;
    CHECK_ROWS(row, rows) {
        struct pattern pattern;
        const struct stix_value *values;
        size_t count;

        arena_reset(&arena);
        buf_reset(&out);
        assert_true(succeeded(pattern_parse(row->pattern, STIX_21, &arena, &pattern, NULL, NULL)));
        assert_true(succeeded(pattern_values(&pattern, &arena, &values, &count)));
        for (size_t i = 0; i < count; i++)
            buf_printf(&out, "%s%.*s %.*s", i > 0 ? "|" : "", SLICE_ARG(values[i].kind),
                       SLICE_ARG(values[i].value));
        if (!slice_eq(buf_slice(&out), slice_text(row->values)))
            fail_msg("%s: %.*s", row->name, SLICE_ARG(buf_slice(&out)));
    }
}

static void without_room_there_are_no_values(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(BUDGET), none = ARENA(16);
    struct pattern pattern;
    const struct stix_value *values;
    size_t count;

    (void)state;
    assert_true(succeeded(pattern_parse(SLICE("[file:hashes.sha256 IN ('A','B','C')]"), STIX_21,
                                        &arena, &pattern, NULL, NULL)));
    assert_int_equal(pattern_values(&pattern, &none, &values, &count).code, ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_values_a_pattern_names_come_in_their_look_up_form),
        cmocka_unit_test(without_room_there_are_no_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
