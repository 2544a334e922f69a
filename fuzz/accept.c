/* Accept and Content-Type fields: media_accepted and media_is_taxii. */
#include <assert.h>

#include "taxii/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool accepted(slice value)
{
    struct http_header header = {SLICE("Accept"), value};
    struct http_request request = {.headers = &header, .header_count = 1};

    return media_accepted(&request);
}

/* Whatever stands in the field, asking for our type as well, unconditionally, gets it; and a field
 * taken as a Content-Type of ours is acceptable as an Accept unless it says q=0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_free) struct buf with = BUF(size + 64);
    slice field = slice_of(data, size);

    (void)accepted(field);
    buf_put(&with, SLICE("application/taxii+json;version=2.1,"));
    buf_put(&with, field);
    assert(accepted(buf_slice(&with)));
    if (media_is_taxii(field) && slice_find_byte(field, ',') == SIZE_MAX &&
        slice_find_byte(field, '0') == SIZE_MAX)
        assert(accepted(field));
    return 0;
}
