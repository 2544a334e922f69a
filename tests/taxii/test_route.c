#include "rows.h"
#include "taxii/server.h"

static const struct {
    const char *name;
    slice path, api_root;
    bool found;
    enum endpoint endpoint;
    slice collection, object, status;
} routes[] = {
    {"discovery", S("/taxii2/"), S("api"), true, ENDPOINT_DISCOVERY, S(""), S(""), S("")},
    {"discovery, no slash", S("/taxii2"), S("api"), true, ENDPOINT_DISCOVERY, S(""), S(""), S("")},
    {"root", S("/api/"), S("api"), true, ENDPOINT_API_ROOT, S(""), S(""), S("")},
    {"root, no slash", S("/api"), S("api"), true, ENDPOINT_API_ROOT, S(""), S(""), S("")},
    {"root of slashes", S("/api/"), S("/api/"), true, ENDPOINT_API_ROOT, S(""), S(""), S("")},
    {"root of two parts", S("/trust/one/"), S("trust/one"), true, ENDPOINT_API_ROOT, S(""), S(""),
     S("")},
    {"root at the top", S("/"), S(""), true, ENDPOINT_API_ROOT, S(""), S(""), S("")},
    {"status", S("/api/status/S/"), S("api"), true, ENDPOINT_STATUS, S(""), S(""), S("S")},
    {"collections", S("/api/collections/"), S("api"), true, ENDPOINT_COLLECTIONS, S(""), S(""),
     S("")},
    {"collection", S("/api/collections/C/"), S("api"), true, ENDPOINT_COLLECTION, S("C"), S(""),
     S("")},
    {"alias with an escape", S("/api/collections/high%20value/"), S("api"), true,
     ENDPOINT_COLLECTION, S("high value"), S(""), S("")},
    {"manifest", S("/api/collections/C/manifest/"), S("api"), true, ENDPOINT_MANIFEST, S("C"),
     S(""), S("")},
    {"objects", S("/api/collections/C/objects/"), S("api"), true, ENDPOINT_OBJECTS, S("C"), S(""),
     S("")},
    {"object", S("/api/collections/C/objects/O"), S("api"), true, ENDPOINT_OBJECT, S("C"), S("O"),
     S("")},
    {"versions", S("/api/collections/C/objects/O/versions/"), S("api"), true, ENDPOINT_VERSIONS,
     S("C"), S("O"), S("")},
    {"collections at the top", S("/collections/"), S(""), true, ENDPOINT_COLLECTIONS, S(""), S(""),
     S("")},
    {"another root", S("/api2/"), S("api"), false, 0, S(""), S(""), S("")},
    {"above the root", S("/"), S("api"), false, 0, S(""), S(""), S("")},
    {"other case", S("/API/"), S("api"), false, 0, S(""), S(""), S("")},
    {"an empty part", S("/api//collections/"), S("api"), false, 0, S(""), S(""), S("")},
    {"two slashes at the end", S("/api/collections//"), S("api"), false, 0, S(""), S(""), S("")},
    {"unknown", S("/api/collections/C/channels/"), S("api"), false, 0, S(""), S(""), S("")},
    {"too deep", S("/api/collections/C/objects/O/versions/V/"), S("api"), false, 0, S(""), S(""),
     S("")},
    {"broken escape", S("/api/collections/%4/"), S("api"), false, 0, S(""), S(""), S("")},
    {"no UTF-8", S("/api/collections/%ff/"), S("api"), false, 0, S(""), S(""), S("")},
    {"discovery below", S("/taxii2/x/"), S("api"), false, 0, S(""), S(""), S("")},
    {"no slash in front", S("api/"), S("api"), false, 0, S(""), S(""), S("")},
    {"empty", S(""), S("api"), false, 0, S(""), S(""), S("")},
};

static void paths_lead_to_endpoints_or_nowhere(void **state)
{
    (void)state;
    CHECK_ROWS(row, routes) {
        CLEANUP(arena_free) struct arena arena = ARENA(1 << 16);
        struct route route;

        assert_true(route_parse(row->path, row->api_root, &arena, &route) == row->found);
        if (!row->found)
            continue;
        assert_int_equal(route.endpoint, row->endpoint);
        assert_true(slice_eq(route.collection, row->collection));
        assert_true(slice_eq(route.object, row->object));
        assert_true(slice_eq(route.status, row->status));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_lead_to_endpoints_or_nowhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
