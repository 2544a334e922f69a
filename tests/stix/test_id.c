#include "rows.h"
#include "stix/id.h"

#define UUID "8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"

static const struct {
    const char *name;
    slice text, type;
    bool holds;
} ids[] = {
    {"plain", S("indicator--" UUID), S("indicator"), true},
    {"with a hyphen", S("attack-pattern--" UUID), S("attack-pattern"), true},
    {"with a digit", S("x509-certificate--" UUID), S("x509-certificate"), true},
    {"upper-case digits", S("tool--8E2E2D2B-17D4-4CBF-938F-98EE46B3CD3F"), S("tool"), true},
    {"version 7", S("tool--0190a2b0-17d4-7cbf-938f-98ee46b3cd3f"), S("tool"), true},
    {"three bytes of type", S("url--" UUID), S("url"), true},
    {"two bytes of type", S("ur--" UUID), S(""), false},
    {"no type", S("--" UUID), S(""), false},
    {"one hyphen", S("indicator-" UUID), S(""), false},
    {"three hyphens", S("indicator---" UUID), S(""), false},
    {"two hyphens in the type", S("in--dicator--" UUID), S(""), false},
    {"upper-case type", S("Indicator--" UUID), S(""), false},
    {"a digit first", S("5indicator--" UUID), S(""), false},
    {"an underscore", S("x_tool--" UUID), S(""), false},
    {"nil UUID", S("tool--00000000-0000-0000-0000-000000000000"), S(""), false},
    {"variant of Microsoft", S("tool--8e2e2d2b-17d4-4cbf-c38f-98ee46b3cd3f"), S(""), false},
    {"braces", S("tool--{8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f}"), S(""), false},
    {"a digit short", S("tool--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3"), S(""), false},
    {"a digit more", S("tool--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f0"), S(""), false},
    {"no hexadecimal digit", S("tool--8e2e2d2b-17d4-4cbf-938f-98ee46b3cdXY"), S(""), false},
    {"a space behind", S("tool--" UUID " "), S(""), false},
    {"the number of a local object", S("0"), S(""), false},
    {"empty", S(""), S(""), false},
};

static void ids_are_a_type_and_a_uuid(void **state)
{
    (void)state;
    CHECK_ROWS(row, ids) {
        struct stix_id id = {0};

        assert_int_equal(stix_id_parse(row->text, &id), row->holds);
        assert_true(slice_eq(id.type, row->type));
    }
}

static void what_is_formatted_parses_to_the_same(void **state)
{
    (void)state;
    CHECK_ROWS(row, ids) {
        char text[STIX_ID_BYTES_MAX];
        struct stix_id id, again;

        if (!row->holds)
            continue;
        assert_true(stix_id_parse(row->text, &id));
        assert_true(stix_id_parse(slice_of(text, stix_id_format(&id, text)), &again));
        assert_true(slice_eq(id.type, again.type) && uuid_eq(&id.uuid, &again.uuid));
    }
}

static void a_type_has_at_most_250_bytes(void **state)
{
    char name[STIX_TYPE_BYTES_MAX + 1];

    (void)state;
    memset(name, 'a', sizeof(name));
    assert_true(stix_type_valid(slice_of(name, STIX_TYPE_BYTES_MAX)));
    assert_false(stix_type_valid(slice_of(name, STIX_TYPE_BYTES_MAX + 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_a_type_and_a_uuid),
        cmocka_unit_test(what_is_formatted_parses_to_the_same),
        cmocka_unit_test(a_type_has_at_most_250_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
