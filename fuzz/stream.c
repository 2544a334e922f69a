/* json_stream: whatever the windows, the same objects or the same refusal; and what json_parse
 * takes as a whole array or bundle gives just its elements. */
#include <stdlib.h>

#include "json/stream.h"

#include "base/banned.h"

#define DEPTH_MAX 50
#define OBJECT_BYTES_MAX ((size_t)1 << 16)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* All objects with their places, into out.  False when the stream is refused. */
static bool collect(slice text, size_t window_bytes, struct buf *out, struct diag *diag)
{
    const struct json_stream_limits limits = {OBJECT_BYTES_MAX, window_bytes, DEPTH_MAX};
    CLEANUP(source_close) struct source *source = NULL;
    CLEANUP(json_stream_close) struct json_stream *stream = NULL;
    struct json_window window;

    must(succeeded(source_of_memory(text, &source, NULL)));
    must(succeeded(json_stream_open(source, &limits, &stream, NULL)));
    do {
        if (failed(json_stream_next(stream, &window, diag)))
            return false;
        for (size_t i = 0; i < window.count; i++) {
            buf_u64(out, window.offsets[i]);
            buf_put(out, window.objects[i]);
            must(slice_starts(slice_from(text, window.offsets[i]), window.objects[i]));
        }
    } while (window.count > 0);
    return true;
}

static void whole_check(slice text, slice found)
{
    static struct json_parser *parser;
    struct buf wanted = BUF((size_t)1 << 24);
    struct json_doc doc;

    if (parser == NULL)
        must(succeeded(json_parser_new(DEPTH_MAX, &parser, NULL)));
    if (failed(json_parse_copy(parser, text, &doc, NULL)) || doc.nodes[0].kind != JSON_ARRAY)
        return;
    for (struct json_each each = json_each(&doc, doc.nodes); json_next(&each);) {
        slice raw = json_raw(&doc, each.value);

        buf_u64(&wanted, (uint64_t)(raw.at - doc.text.at));
        buf_put(&wanted, raw);
    }
    must(slice_eq(buf_slice(&wanted), found));
    buf_free(&wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct buf small = BUF((size_t)1 << 24), large = BUF((size_t)1 << 24);
    struct diag small_diag = {0}, large_diag = {0};
    slice text = slice_of(bytes, count);

    /* Packed input is unpacked on the way: its places are not those of these bytes. */
    if (count == 0 || slice_starts(text, SLICE("\x28\xb5\x2f\xfd")) ||
        slice_starts(text, SLICE("\x1f\x8b")))
        return 0;
    bool taken = collect(text, (size_t)1 << 20, &large, &large_diag);
    must(collect(text, bytes[count - 1], &small, &small_diag) == taken);
    if (taken) {
        must(slice_eq(buf_slice(&small), buf_slice(&large)));
        whole_check(text, buf_slice(&large));
    } else {
        must(strcmp(small_diag.text, large_diag.text) == 0);
    }
    buf_free(&small);
    buf_free(&large);
    return 0;
}
