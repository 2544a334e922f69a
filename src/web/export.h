/* GET /export/FORMAT: files for defences, for those who fetch them by themselves.
 *
 *     GET /export/            the formats, as JSON
 *     GET /export/rpz         the file, with an ETag; 304 while it is the same
 *
 * For accounts: a token says who reads, and the gate what of it.  A file is made when something has
 * changed and kept until then, so a firewall may ask every minute.
 */
#pragma once

#include <pthread.h>

#include "net/http.h"
#include "node/noise.h"

#define EXPORT_PATH "/export/"
#define EXPORT_KEPT_MAX 16                        /* files, by format, reader and options */
#define EXPORT_KEPT_BYTES_MAX ((size_t)256 << 20) /* all of them; larger ones are not kept */
#define EXPORT_BODY_BYTES_MAX ((size_t)1024 << 20)

struct gate;
struct kept_export;

struct export_door {
    struct node *node;      /* borrowed */
    struct gate *gate;      /* owned */
    pthread_mutex_t lock;   /* guards what is below: one file is made at a time */
    struct noise noise;     /* owned */
    uint64_t noise_entries; /* of the log when it was read, plus 1; 0: never */
    struct kept_export *kept[EXPORT_KEPT_MAX];
    uint64_t uses;
};

MUST_USE result export_door_open(struct export_door *door, struct node *node, struct diag *diag);
void export_door_close(struct export_door *door);

bool export_is_path(const struct http_request *request);
void export_handle(struct export_door *door, const struct http_request *request,
                   struct http_response *response);
