#include "web/answer.h"

#include "json/write.h"

#include "base/banned.h"

#define REFUSAL_BYTES_MAX ((size_t)1 << 16)

void web_put(const struct http_request *request, struct http_response *response, int status,
             const struct buf *json)
{
    response->status = status;
    response->head = arena_copy(request->arena, buf_slice(json));
    http_response_header(response, SLICE("Content-Type"), SLICE("application/json"));
    http_response_header(response, SLICE("Cache-Control"), SLICE("no-store"));
}

void web_refuse(const struct http_request *request, struct http_response *response, int status,
                slice words)
{
    CLEANUP(buf_free) struct buf json = BUF(REFUSAL_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&json);

    jw_object_begin(&w);
    jw_put_string(&w, SLICE("error"), words);
    jw_object_end(&w);
    web_put(request, response, status, &json);
}
