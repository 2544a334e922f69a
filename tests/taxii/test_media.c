#include "rows.h"
#include "taxii/server.h"

static const struct {
    const char *name;
    slice first, second; /* Accept fields; empty: not sent */
    bool accepted;
} accepts[] = {
    {"absent", S(""), S(""), true},
    {"full", S("application/taxii+json;version=2.1"), S(""), true},
    {"without version", S("application/taxii+json"), S(""), true},
    {"with a space", S("application/taxii+json; version=2.1"), S(""), true},
    {"with many spaces", S("  application/taxii+json  ;  version=2.1  "), S(""), true},
    {"in quotes", S("application/taxii+json;version=\"2.1\""), S(""), true},
    {"in other case", S("Application/TAXII+JSON;Version=2.1"), S(""), true},
    {"with a charset", S("application/taxii+json;version=2.1;charset=utf-8"), S(""), true},
    {"anything", S("*/*"), S(""), true},
    {"any application", S("application/*"), S(""), true},
    {"with q", S("application/taxii+json;version=2.1;q=0.8"), S(""), true},
    {"with small q", S("application/taxii+json;q=0.001"), S(""), true},
    {"last of a list", S("text/html, application/json;q=0.9, application/taxii+json"), S(""), true},
    {"beside STIX", S("application/taxii+json;version=2.1,application/stix+json;version=2.1"),
     S(""), true},
    {"2.1 beside 2.0", S("application/taxii+json;version=2.0,application/taxii+json;version=2.1"),
     S(""), true},
    {"2.0 beside anything", S("application/taxii+json;version=2.0, */*;q=0.1"), S(""), true},
    {"browser", S("text/html,application/xhtml+xml,*/*;q=0.8"), S(""), true},
    {"in a second field", S("text/html"), S("application/taxii+json"), true},
    {"empty elements", S(", ,application/taxii+json,,"), S(""), true},
    {"comma in quotes", S("text/plain;x=\"a,b\", application/taxii+json"), S(""), true},
    {"an empty parameter", S("application/taxii+json;;version=2.1"), S(""), true},
    {"2.0", S("application/taxii+json;version=2.0"), S(""), false},
    {"2.2", S("application/taxii+json;version=2.2"), S(""), false},
    {"2", S("application/taxii+json;version=2"), S(""), false},
    {"2.10", S("application/taxii+json;version=2.10"), S(""), false},
    {"no version at all", S("application/taxii+json;version="), S(""), false},
    {"two versions", S("application/taxii+json;version=2.1;version=2.1"), S(""), false},
    {"TAXII 2.0's own", S("application/vnd.oasis.taxii+json; version=2.0"), S(""), false},
    {"JSON", S("application/json"), S(""), false},
    {"STIX alone", S("application/stix+json;version=2.1"), S(""), false},
    {"HTML", S("text/html"), S(""), false},
    {"any text", S("text/*"), S(""), false},
    {"q of 0", S("application/taxii+json;q=0"), S(""), false},
    {"q of 0.000", S("application/taxii+json;version=2.1;q=0.000"), S(""), false},
    {"refused beside anything", S("application/taxii+json;q=0, */*"), S(""), false},
    {"anything but", S("*/*;q=0"), S(""), false},
    {"q that is none", S("application/taxii+json;q=lots"), S(""), false},
    {"q over 1", S("application/taxii+json;q=1.001"), S(""), false},
    {"no slash", S("taxii"), S(""), false},
    {"in quotes as a whole", S("\"application/taxii+json\""), S(""), false},
    {"open quote", S("application/taxii+json;version=\"2.1"), S(""), false},
};

static void accept_is_read_as_rfc_9110_says(void **state)
{
    (void)state;
    CHECK_ROWS(row, accepts) {
        struct http_header headers[] = {{SLICE("Host"), SLICE("x")},
                                        {SLICE("aCCept"), row->first},
                                        {SLICE("ACCEPT"), row->second}};
        struct http_request request = {.headers = headers,
                                       .header_count = row->second.len > 0  ? 3
                                                       : row->first.len > 0 ? 2
                                                                            : 1};

        assert_true(media_accepted(&request) == row->accepted);
    }
}

static const struct {
    const char *name;
    slice type;
    bool ours;
} contents[] = {
    {"full", S("application/taxii+json;version=2.1"), true},
    {"without version", S("application/taxii+json"), true},
    {"other case and space", S("APPLICATION/taxii+JSON ; VERSION=2.1"), true},
    {"in quotes", S("application/taxii+json; version=\"2.1\""), true},
    {"with a charset", S("application/taxii+json; charset=utf-8"), true},
    {"2.0", S("application/taxii+json;version=2.0"), false},
    {"JSON", S("application/json"), false},
    {"STIX", S("application/stix+json;version=2.1"), false},
    {"form", S("application/x-www-form-urlencoded"), false},
    {"range", S("*/*"), false},
    {"absent", S(""), false},
    {"longer", S("application/taxii+jsonx"), false},
};

static void content_type_is_ours_or_not(void **state)
{
    (void)state;
    CHECK_ROWS(row, contents)
        assert_true(media_is_taxii(row->type) == row->ours);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_is_read_as_rfc_9110_says),
        cmocka_unit_test(content_type_is_ours_or_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
