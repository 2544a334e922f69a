/* The outline of a POST's body: envelope_measure. */
#include <assert.h>

#include "taxii/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is an envelope is none when anything but space follows it, and the same with space around.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_free) struct buf changed = BUF(size + 8);
    uint64_t count, again;
    struct diag diag = {0};
    result r = envelope_measure(slice_of(data, size), &count, &diag);

    assert(failed(r) == (diag.text[0] != '\0'));
    if (failed(r))
        return 0;
    assert(count > 0 && count <= size);
    buf_put(&changed, SLICE(" \n"));
    buf_put(&changed, slice_of(data, size));
    buf_put(&changed, SLICE("\t"));
    assert(succeeded(envelope_measure(buf_slice(&changed), &again, NULL)) && again == count);
    buf_byte(&changed, ',');
    assert(failed(envelope_measure(buf_slice(&changed), &again, NULL)));
    return 0;
}
