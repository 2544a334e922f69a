#include "base/result.h"
#include "rows.h"
#include "stix/url.h"

static const struct {
    const char *name;
    slice url, normal;
} rows[] = {
    {"as it should be", S("http://a.example/b?c=D"), S("http://a.example/b?c=D")},
    {"case", S("HTTP://A.Example/B"), S("http://a.example/B")},
    {"no path", S("http://a.example"), S("http://a.example/")},
    {"no path, a query", S("http://a.example?q"), S("http://a.example/?q")},
    {"fragment", S("http://a.example/b#c"), S("http://a.example/b")},
    {"its own port", S("https://a.example:443/"), S("https://a.example/")},
    {"another port", S("https://a.example:80/"), S("https://a.example:80/")},
    {"end dot", S("http://a.example./"), S("http://a.example/")},
    {"IDN",
     S("http://b\xc3\xbc"
       "cher.example/"),
     S("http://xn--bcher-kva.example/")},
    {"unreserved", S("http://a.example/%7Eu%2f"), S("http://a.example/~u%2F")},
    {"a broken escape", S("http://a.example/%7%"), S("http://a.example/%7%")},
    {"up", S("http://a.example/a/../b"), S("http://a.example/b")},
    {"up at the end", S("http://a.example/a/b/.."), S("http://a.example/a/")},
    {"up past the top", S("http://a.example/../../b"), S("http://a.example/b")},
    {"here", S("http://a.example/./b/."), S("http://a.example/b/")},
    {"user", S("http://U:p@A.example/"), S("http://U:p@a.example/")},
    {"IPv6", S("http://[2001:DB8::1]:80/"), S("http://[2001:db8::1]/")},
    {"no URL", S("a.example/b"), S("a.example/b")},
    {"no host", S("http:///b"), S("http:///b")},
    {"no scheme", S("://a.example"), S("://a.example")},
    {"nothing", S(""), S("")},
};

static void urls_have_one_form(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 20);

    (void)state;
    CHECK_ROWS(row, rows) {
        slice normal = url_normal(row->url, &arena);

        if (!slice_eq(normal, row->normal))
            fail_msg("%s: %.*s", row->name, SLICE_ARG(normal));
        assert_true(slice_eq(url_normal(normal, &arena), normal));
    }
}

static void without_room_there_is_none(void **state)
{
    CLEANUP(arena_free) struct arena arena = ARENA(4);

    (void)state;
    assert_null(url_normal(SLICE("http://a.example/"), &arena).at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_have_one_form),
        cmocka_unit_test(without_room_there_is_none),
    };

    return cmocka_run_group_tests_name("stix/url", tests, NULL, NULL);
}
