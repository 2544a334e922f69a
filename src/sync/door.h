/* The provider's side: what partners ask of this node over HTTPS. */
#pragma once

#include "net/http.h"
#include "sync/pull.h"

struct sync_door;

MUST_USE result sync_door_open(const struct sync_place *place, struct sync_door **out,
                               struct diag *diag);
void sync_door_close(struct sync_door **door); /* fits CLEANUP */

/* For http_server_options: context is the door. */
bool sync_door_begin(void *door, const struct http_request *request, size_t body_bytes_announced,
                     size_t *body_bytes_max, struct http_response *early);
void sync_door_handle(void *door, const struct http_request *request,
                      struct http_response *response);

/* The nth path; false past the last. */
bool sync_door_route_at(size_t index, slice *path, slice *methods);
