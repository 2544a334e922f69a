/* Sessions of people who have logged in to the node's API: a secret in a cookie names one.
 *
 * They live in memory, in a table of fixed size, by the hash of their secret; a restart ends them.
 * One ends, too, when it rests for SESSION_IDLE_S, after SESSION_LIFE_S, and at once when its
 * account is disabled, removed or gets another password.  Safe from any thread.
 */
#pragma once

#include "account/account.h"
#include "base/world.h"

#define SESSIONS_MAX 1024
#define SESSIONS_EACH_MAX                                                                          \
    16 /* of one account: a script that logs in again and again ends its own */
#define SESSION_IDLE_S 3600
#define SESSION_LIFE_S 43200
#define SESSION_TEXT_BYTES 64 /* digits */

struct sessions;

MUST_USE result sessions_new(struct accounts *accounts, const struct world *world,
                             struct sessions **out, struct diag *diag);
void sessions_free(struct sessions **sessions); /* NULL is fine */

/* For an account that account_login has just let in, in the same transaction.  False: it is gone.
 */
bool session_begin(struct sessions *sessions, struct kv_txn *txn, uint32_t account,
                   char text[SESSION_TEXT_BYTES + 1]);
/* Whose it is, with the roles the account has now; counts as use. */
bool session_find(struct sessions *sessions, struct kv_txn *txn, slice text, struct account *out);
void session_end(struct sessions *sessions, slice text); /* harmless for what is none */

/* What a change must say besides the cookie: a page of another site does not know it, for it cannot
 * read our answers. */
void session_csrf(slice text, char out[SESSION_TEXT_BYTES + 1]);
