#include "base/uuid.h"

#include "rows.h"

#include "base/banned.h"

static const struct {
    const char *name;
    slice text;
    bool is_uuid;
    int version;
    bool is_rfc;
} texts[] = {
    {"version 4", S("9a7c8a1e-5b3f-4c1d-8e2f-0123456789ab"), true, 4, true},
    {"version 5", S("2b69f5ec-1de5-5f8d-9e0a-0123456789ab"), true, 5, true},
    {"upper case", S("9A7C8A1E-5B3F-4C1D-8E2F-0123456789AB"), true, 4, true},
    {"nil", S("00000000-0000-0000-0000-000000000000"), true, 0, false},
    {"max", S("ffffffff-ffff-ffff-ffff-ffffffffffff"), true, 0, false},
    {"version 9", S("9a7c8a1e-5b3f-9c1d-8e2f-0123456789ab"), true, 0, true},
    {"Microsoft's variant", S("9a7c8a1e-5b3f-4c1d-ce2f-0123456789ab"), true, 4, false},
    {"empty", S(""), false, 0, false},
    {"no hyphens", S("9a7c8a1e5b3f4c1d8e2f0123456789ab"), false, 0, false},
    {"braces", S("{9a7c8a1e-5b3f-4c1d-8e2f-0123456789ab}"), false, 0, false},
    {"one short", S("9a7c8a1e-5b3f-4c1d-8e2f-0123456789a"), false, 0, false},
    {"one long", S("9a7c8a1e-5b3f-4c1d-8e2f-0123456789abc"), false, 0, false},
    {"hyphen moved", S("9a7c8a1-e5b3f-4c1d-8e2f-0123456789ab"), false, 0, false},
    {"hyphen for a digit", S("9a7c8a1e-5b3f-4c1d-8e2f-0123456789-b"), false, 0, false},
    {"no digit", S("9a7c8a1g-5b3f-4c1d-8e2f-0123456789ab"), false, 0, false},
    {"zero byte", S("9a7c8a1e-5b3f-4c1d-8e2f-0123456789a\0"), false, 0, false},
};

static void a_uuid_is_36_characters_of_one_form(void **state)
{
    (void)state;
    CHECK_ROWS(row, texts) {
        struct uuid uuid = {{42}}, again;
        char text[UUID_TEXT_BYTES];

        assert_true(uuid_parse(row->text, &uuid) == row->is_uuid);
        if (!row->is_uuid) {
            assert_int_equal(uuid.bytes[0], 42);
            continue;
        }
        assert_int_equal(uuid_version(&uuid), row->version);
        assert_true(uuid_is_rfc(&uuid) == row->is_rfc);
        uuid_format(&uuid, text);
        assert_true(slice_eq_nocase(slice_of(text, sizeof(text)), row->text));
        assert_true(uuid_parse(slice_of(text, sizeof(text)), &again) && uuid_eq(&uuid, &again));
    }
}

static const struct {
    const char *name;
    slice space, in, out;
} named[] = {
    /* RFC 9562, A.4 */
    {"the RFC's own", S("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), S("www.example.com"),
     S("2ed6657d-e927-568b-95e1-2665a8aea6a2")},
    /* STIX 2.1, 2.9: the namespace of cyber-observables; value as Python's uuid.uuid5 gives it */
    {"STIX", S("00abedb4-aa42-466c-9c01-fed23315a9b7"), S("{\"value\":\"198.51.100.3\"}"),
     S("28bb3599-77cd-5a82-a950-b5bc3caf07c4")},
};

static void a_name_gives_the_same_uuid_everywhere(void **state)
{
    (void)state;
    CHECK_ROWS(row, named) {
        struct uuid space;
        char text[UUID_TEXT_BYTES];

        assert_true(uuid_parse(row->space, &space));
        struct uuid uuid = uuid_v5(&space, row->in);
        uuid_format(&uuid, text);
        assert_true(slice_eq(slice_of(text, sizeof(text)), row->out));
        assert_int_equal(uuid_version(&uuid), 5);
    }
}

static void random_bytes_become_version_4(void **state)
{
    uint8_t ones[16], zeros[16] = {0};
    struct uuid a, b;

    (void)state;
    memset(ones, 0xff, sizeof(ones));
    a = uuid_v4(ones);
    b = uuid_v4(zeros);
    assert_true(uuid_version(&a) == 4 && uuid_is_rfc(&a));
    assert_true(uuid_version(&b) == 4 && uuid_is_rfc(&b));
    assert_false(uuid_eq(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_uuid_is_36_characters_of_one_form),
        cmocka_unit_test(a_name_gives_the_same_uuid_everywhere),
        cmocka_unit_test(random_bytes_become_version_4),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
