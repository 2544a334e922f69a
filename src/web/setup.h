/* The set-up page: the one-time link of a new node, where the first administrator is named.
 *
 * Plain HTML and one form, no script, nothing from outside.  The link works once and for a limited
 * time (account_setup_finish); afterwards it is 404 like any unknown path.
 */
#pragma once

#include "account/account.h"
#include "net/http.h"

#define SETUP_PATH "/setup/"
#define SETUP_BODY_BYTES_MAX 8192

/* accounts: as in account.h.  Answers GET and POST of /setup/SECRET. */
void setup_handle(struct accounts *accounts, const struct http_request *request,
                  struct http_response *response);
