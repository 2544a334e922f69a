#include "account/authorization.h"

#include "rows.h"

#include "base/banned.h"

#define ID "0123456789abcdef"
#define SECRET "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN-_0"

static void headers_are_taken_apart(void **state)
{
    static const struct {
        const char *name;
        slice header;
        enum authorization_kind kind;
        slice first, second;
    } headers[] = {
        {"none", S(""), AUTHORIZATION_NONE, S(""), S("")},
        {"blanks", S(" \t"), AUTHORIZATION_NONE, S(""), S("")},
        {"basic", S("Basic dXNlcjpwYXNz"), AUTHORIZATION_BASIC, S("user"), S("pass")},
        {"basic in another case", S("bASIC dXNlcjpwYXNz"), AUTHORIZATION_BASIC, S("user"),
         S("pass")},
        {"blanks around", S("  Basic   dXNlcjpwYXNz  "), AUTHORIZATION_BASIC, S("user"), S("pass")},
        {"padded", S("Basic dTpw"), AUTHORIZATION_BASIC, S("u"), S("p")},
        {"one pad", S("Basic dTpwdw=="), AUTHORIZATION_BASIC, S("u"), S("pw")},
        {"colons in the password", S("Basic dTphOmI6"), AUTHORIZATION_BASIC, S("u"), S("a:b:")},
        {"empty password", S("Basic dTo="), AUTHORIZATION_BASIC, S("u"), S("")},
        {"empty name", S("Basic OnA="), AUTHORIZATION_BASIC, S(""), S("p")},
        {"no colon", S("Basic dXNlcg=="), AUTHORIZATION_BROKEN, S(""), S("")},
        {"no base64", S("Basic user:pass"), AUTHORIZATION_BROKEN, S(""), S("")},
        {"padding left out", S("Basic dTpwdw"), AUTHORIZATION_BROKEN, S(""), S("")},
        {"nothing behind the scheme", S("Basic"), AUTHORIZATION_BROKEN, S(""), S("")},
        {"blanks behind the scheme", S("Basic   "), AUTHORIZATION_BROKEN, S(""), S("")},
        {"another scheme", S("Digest username=\"x\""), AUTHORIZATION_BROKEN, S(""), S("")},
        {"bearer", S("Bearer ent_" ID "_" SECRET), AUTHORIZATION_BEARER, S(ID), S(SECRET)},
        {"bearer in another case", S("bearer ent_" ID "_" SECRET), AUTHORIZATION_BEARER, S(ID),
         S(SECRET)},
        {"a token of others", S("Bearer abcdef"), AUTHORIZATION_BROKEN, S(""), S("")},
        {"a token cut", S("Bearer ent_" ID "_abc"), AUTHORIZATION_BROKEN, S(""), S("")},
        {"a token too long", S("Bearer ent_" ID "_" SECRET "x"), AUTHORIZATION_BROKEN, S(""),
         S("")},
        {"an id too long", S("Bearer ent_" ID "0_" SECRET), AUTHORIZATION_BROKEN, S(""), S("")},
        {"an id in capitals", S("Bearer ent_0123456789ABCDEF_" SECRET), AUTHORIZATION_BROKEN, S(""),
         S("")},
        {"a bad digit", S("Bearer ent_" ID "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN-+0"),
         AUTHORIZATION_BROKEN, S(""), S("")},
        {"two schemes", S("Basic Bearer ent_" ID "_" SECRET), AUTHORIZATION_BROKEN, S(""), S("")},
    };

    (void)state;
    CHECK_ROWS(row, headers) {
        CLEANUP(buf_free) struct buf scratch = BUF(AUTHORIZATION_BYTES_MAX);
        struct authorization given = authorization_parse(row->header, &scratch);

        assert_int_equal(given.kind, row->kind);
        if (row->kind == AUTHORIZATION_BASIC)
            assert_true(slice_eq(given.name, row->first) && slice_eq(given.password, row->second));
        if (row->kind == AUTHORIZATION_BEARER)
            assert_true(slice_eq(given.token_id, row->first) &&
                        slice_eq(given.secret, row->second));
    }
}

static void a_header_over_the_limit_is_broken(void **state)
{
    static char header[AUTHORIZATION_BYTES_MAX + 8];
    CLEANUP(buf_free) struct buf scratch = BUF(AUTHORIZATION_BYTES_MAX);

    (void)state;
    memset(header, 'A', sizeof(header));
    memcpy(header, "Basic ", 6);
    assert_int_equal(authorization_parse(slice_of(header, sizeof(header)), &scratch).kind,
                     AUTHORIZATION_BROKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_taken_apart),
        cmocka_unit_test(a_header_over_the_limit_is_broken),
    };

    return cmocka_run_group_tests_name("authorization", tests, NULL, NULL);
}
