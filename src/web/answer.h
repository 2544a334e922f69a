/* Short answers in JSON that nobody keeps. */
#pragma once

#include "base/buf.h"
#include "net/http.h"

/* Copies the text into the request's arena. */
void web_put(const struct http_request *request, struct http_response *response, int status,
             const struct buf *json);
/* {"error": words} */
void web_refuse(const struct http_request *request, struct http_response *response, int status,
                slice words);
