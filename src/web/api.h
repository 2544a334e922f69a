/* The JSON API under /api/v1, for the operator's pages and for scripts.
 *
 * People log in with POST /api/v1/session and are known by a cookie; scripts send a token.  Each
 * call looks the account, its roles and its organisation up anew; objects go through the gate.  A
 * change by cookie repeats the session's word in X-Entente-Csrf.  docs/openapi.json describes it.
 */
#pragma once

#include "gate/gate.h"
#include "net/http.h"
#include "node/node.h"
#include "web/session.h"

#define API_PATH "/api/v1"
#define API_BODY_BYTES_MAX ((size_t)16 << 10)

struct api_door {
    struct node *node;         /* borrowed */
    struct gate *gate;         /* owned */
    struct sessions *sessions; /* owned */
    struct config config;      /* as it was at the start */
};

MUST_USE result api_door_open(struct api_door *door, struct node *node, struct diag *diag);
void api_door_close(struct api_door *door);

bool api_is_path(const struct http_request *request);
void api_handle(struct api_door *door, const struct http_request *request,
                struct http_response *response);
