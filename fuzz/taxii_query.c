/* The query of a TAXII URL: query_parse, and the path: route_parse. */
#include <assert.h>

#include "taxii/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned touch(slice text)
{
    unsigned sum = 0;

    for (size_t i = 0; i < text.len; i++)
        sum += (unsigned char)text.at[i];
    return sum;
}

static unsigned touch_all(const slice *texts, size_t count)
{
    unsigned sum = 0;

    for (size_t i = 0; i < count; i++) {
        assert(texts[i].len > 0 && slice_find_byte(texts[i], ',') == SIZE_MAX);
        sum += touch(texts[i]);
    }
    return sum;
}

static volatile unsigned sink; /* so that no read is left out */

static void check_query(slice text)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)4 << 20);
    struct taxii_query query;
    struct diag diag = {0};
    unsigned all = QUERY_PAGING | QUERY_ID | QUERY_TYPE | QUERY_VERSION | QUERY_SPEC_VERSION;
    result r = query_parse(text, all, &arena, &query, &diag);

    assert(failed(r) == (diag.text[0] != '\0'));
    if (failed(r))
        return;
    assert((query.limit > 0) == ((query.present & QUERY_LIMIT) != 0));
    assert(!query.store.version_all || query.store.version_count == 0);
    sink += touch(query.next) + touch_all(query.store.ids, query.store.id_count) +
            touch_all(query.store.types, query.store.type_count);
    for (size_t i = 0; i < query.store.version_count; i++)
        for (size_t k = 0; k < i; k++)
            assert(timestamp_cmp(&query.store.versions[i], &query.store.versions[k]) != 0);
}

static void check_path(slice text)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 16);
    struct route route;

    if (!route_parse(text, SLICE("api"), &arena, &route))
        return;
    sink += touch(route.collection) + touch(route.object) + touch(route.status);
    assert((route.endpoint == ENDPOINT_STATUS) == (route.status.len > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_query(slice_of(data, size));
    check_path(slice_of(data, size));
    return 0;
}
