/* POST /telemetry: a sensor's log, in any format, held against the node's indicators.
 *
 * For accounts with the role sensor, or administrators.  The answer is JSON and counts lines,
 * events, hits and broken lines; a member's sensor is not told of hits, which are of indicators
 * that it may not have.
 */
#pragma once

#include "account/account.h"
#include "net/http.h"
#include "scan/sensor.h"

#define TELEMETRY_PATH "/telemetry"

struct telemetry_door {
    struct accounts *accounts;
    struct kv *kv;         /* of the accounts */
    struct sensor *sensor; /* NULL: the node takes none */
    size_t body_bytes_max;
    slice own; /* the node's identity */
};

bool telemetry_is_path(const struct http_request *request);
/* As http_server_options.begin and handle; begin refuses before the body is sent. */
bool telemetry_begin(const struct telemetry_door *door, const struct http_request *request,
                     size_t *body_bytes_max, struct http_response *early);
void telemetry_handle(const struct telemetry_door *door, const struct http_request *request,
                      struct http_response *response);
