/* The pure helpers of HTTP: heads, chunks, queries, Accept-Encoding.
 *
 * The first byte chooses; every byte of every slice that comes back is read, and reading in pieces
 * must come to the same as reading at once. */
#include "net/http_parse.h"

#include <assert.h>

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t bytes);

static volatile unsigned sum; /* so that no read is left out */

static void touch(slice s)
{
    for (size_t i = 0; i < s.len; i++)
        sum += (unsigned char)s.at[i];
}

static void heads(slice bytes)
{
    static struct http_head head;
    struct http_scan whole = {0}, pieces = {0};
    size_t whole_bytes = 0, piece_bytes = 0;
    int at_once = http_head_scan(&whole, bytes, 4096, &whole_bytes), in_steps = HTTP_MORE;

    for (size_t i = 1; i <= bytes.len && in_steps == HTTP_MORE; i++)
        in_steps = http_head_scan(&pieces, slice_head(bytes, i), 4096, &piece_bytes);
    /* A limit may be met by either way first; what is taken must be the same. */
    if (at_once == HTTP_WHOLE && in_steps == HTTP_WHOLE)
        assert(whole_bytes == piece_bytes);
    if (at_once != HTTP_WHOLE)
        return;
    assert(whole_bytes <= bytes.len);
    if (http_head_parse(slice_head(bytes, whole_bytes), &head) != HTTP_WHOLE)
        return;
    assert(head.path.len > 0 && !(head.is_chunked && head.content_length > 0));
    touch(head.path);
    touch(head.query);
    for (size_t i = 0; i < head.header_count; i++) {
        assert(head.headers[i].name.len > 0);
        touch(head.headers[i].name);
        touch(head.headers[i].value);
    }
}

struct chunk_sum {
    size_t bytes;
    unsigned hash;
    int status;
};

static struct chunk_sum chunks_in_steps(slice bytes, size_t step)
{
    struct chunk_sum out = {.hash = 5381, .status = HTTP_MORE};
    struct http_chunks chunks = {0};

    while (out.status == HTTP_MORE && bytes.len > 0) {
        slice in = slice_head(bytes, step), piece;

        bytes = slice_from(bytes, in.len);
        while ((out.status = http_chunks_next(&chunks, &in, &piece)) == HTTP_PIECE)
            for (size_t i = 0; i < piece.len; i++, out.bytes++)
                out.hash = out.hash * 33 + (unsigned char)piece.at[i];
    }
    return out;
}

static void bodies(slice bytes)
{
    struct chunk_sum at_once = chunks_in_steps(bytes, bytes.len + 1);
    struct chunk_sum in_steps = chunks_in_steps(bytes, 1);

    assert(at_once.bytes == in_steps.bytes && at_once.hash == in_steps.hash &&
           at_once.status == in_steps.status);
}

static void queries(slice bytes)
{
    static const slice names[] = {S("limit"), S("match[type]"), S("")};
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
    struct http_request request = {.query = bytes, .arena = &arena};
    slice value;
    bool broken;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (size_t nth = 0; http_query_find(&request, names[i], nth, &value, &broken); nth++) {
            assert(!broken && value.len <= bytes.len);
            touch(value);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t bytes)
{
    if (bytes == 0)
        return 0;
    slice rest = slice_from(slice_of(at, bytes), 1);
    switch (at[0] % 4) {
    case 0:
        heads(rest);
        break;
    case 1:
        bodies(rest);
        break;
    case 2:
        queries(rest);
        break;
    default:
        sum += (unsigned)http_packing_accepted(rest);
    }
    return 0;
}
