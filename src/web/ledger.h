/* The ledger over HTTP: heads, tiles and entry bundles for those who may read them, and the
 * witness.
 *
 *     GET  /ledger/checkpoint   /ledger/tile/...   /ledger/log.vkey   /ledger/witness.vkey
 *     POST /witness/add-checkpoint
 */
#pragma once

#include <pthread.h>

#include "account/account.h"
#include "base/config.h"
#include "ledger/witness.h"
#include "net/http.h"

struct ledger_web {
    const struct ledger *ledger; /* borrowed */
    struct accounts *accounts;   /* borrowed */
    pthread_rwlock_t lock;       /* guards the words below */
    char read[CONFIG_WORD_BYTES_MAX], read_entries[CONFIG_WORD_BYTES_MAX];
};

void ledger_web_init(struct ledger_web *web, const struct ledger *ledger, struct accounts *accounts,
                     const struct config *config);
void ledger_web_free(struct ledger_web *web);
void ledger_web_configure(struct ledger_web *web, const struct config *config);

bool ledger_web_is_path(slice path); /* one of ours? */
size_t ledger_web_body_bytes_max(slice path);
void ledger_web_handle(struct ledger_web *web, const struct http_request *request,
                       struct http_response *response);
