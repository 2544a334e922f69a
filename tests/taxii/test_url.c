#include "rows.h"
#include "taxii/remote.h"

static const struct {
    const char *name, *base, *reference;
    bool ok;
    const char *out;
} references[] = {
    {"relative", "https://a.example/taxii2/", "/api1/", true, "https://a.example/api1/"},
    {"relative, no slash", "https://a.example/taxii2/", "/api1", true, "https://a.example/api1/"},
    {"the root itself", "https://a.example/taxii2/", "/", true, "https://a.example/"},
    {"absolute", "https://a.example/taxii2/", "https://b.example/x", true, "https://b.example/x/"},
    {"absolute, no path", "https://a.example/", "https://b.example", true, "https://b.example/"},
    {"with a port", "https://a.example:8443/taxii2/", "/api1/", true,
     "https://a.example:8443/api1/"},
    {"query dropped", "https://a.example/taxii2/", "https://b.example/x/?y=1", true,
     "https://b.example/x/"},
    {"beside", "https://a.example/taxii2/", "api1", true, "https://a.example/taxii2/api1/"},
    {"other host without scheme", "https://a.example/taxii2/", "//b.example/x", false, ""},
    {"another scheme", "https://a.example/taxii2/", "ftp://b.example/x", false, ""},
    {"a space", "https://a.example/taxii2/", "/a b/", false, ""},
    {"a line break", "https://a.example/taxii2/", "/a\r\nb/", false, ""},
    {"empty", "https://a.example/taxii2/", "", false, ""},
    {"no base", "a.example", "/x/", false, ""},
};

static void references_are_resolved(void **state)
{
    (void)state;
    CHECK_ROWS(row, references) {
        char out[URL_BYTES_MAX];
        struct diag diag = {0};
        result r = url_resolve(row->base, slice_text(row->reference), out, &diag);

        assert_true(succeeded(r) == row->ok);
        if (row->ok)
            assert_string_equal(out, row->out);
        else
            assert_true(diag.text[0] != '\0');
    }
}

static const struct {
    const char *name, *url, *origin; /* NULL: none */
} origins[] = {
    {"plain", "https://A.Example/x", "https://a.example:443"},
    {"with its port", "https://a.example:443/", "https://a.example:443"},
    {"other port", "https://a.example:8443", "https://a.example:8443"},
    {"http", "http://a.example/", "http://a.example:80"},
    {"IPv6", "https://[::1]/", "https://[::1]:443"},
    {"IPv6 and port", "https://[::1]:9/", "https://[::1]:9"},
    {"no scheme", "a.example", NULL},
    {"no host", "https:///x", NULL},
    {"another scheme", "file:///etc/passwd", NULL},
};

static void origins_are_told(void **state)
{
    (void)state;
    CHECK_ROWS(row, origins) {
        char out[URL_BYTES_MAX];

        assert_true(url_origin(slice_text(row->url), out) == (row->origin != NULL));
        if (row->origin != NULL)
            assert_string_equal(out, row->origin);
    }
}

#define NOVEMBER_US 784111777000000 /* Sun, 06 Nov 1994 08:49:37 GMT */

static const struct {
    const char *name;
    slice value;
    bool ok;
    uint64_t ms;
} waits[] = {
    {"seconds", S("120"), true, 120000},
    {"none", S("0"), true, 0},
    {"with space", S(" 7 "), true, 7000},
    {"so many that they wrap", S("18446744073709551615"), true, UINT64_MAX},
    {"a date ahead", S("Sun, 06 Nov 1994 08:50:37 GMT"), true, 60000},
    {"a date behind", S("Sun, 06 Nov 1994 08:48:37 GMT"), true, 0},
    {"negative", S("-1"), false, 0},
    {"a fraction", S("1.5"), false, 0},
    {"no such month", S("Sun, 06 Nev 1994 08:49:37 GMT"), false, 0},
    {"no such day", S("Sun, 31 Feb 1994 08:49:37 GMT"), false, 0},
    {"another zone", S("Sun, 06 Nov 1994 08:49:37 JST"), false, 0},
    {"empty", S(""), false, 0},
};

static void retry_after_is_read_in_both_forms(void **state)
{
    (void)state;
    CHECK_ROWS(row, waits) {
        uint64_t ms = 99;

        assert_true(retry_after_parse(row->value, NOVEMBER_US, &ms) == row->ok);
        if (row->ok)
            assert_true(ms == row->ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_are_resolved),
        cmocka_unit_test(origins_are_told),
        cmocka_unit_test(retry_after_is_read_in_both_forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
