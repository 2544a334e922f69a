/* A change of accounts: one transaction of one or more log entries, each applied to the tables as
 * soon as it is appended, by the code that applies it again on a rebuild.
 *
 *     CLEANUP(change_abort) struct change change;
 *     change_begin(accounts, &change, diag);
 *     jw_put_string(change_entry(&change, actor), SLICE("account"), name);
 *     change_append(&change, SLICE("account.remove"));
 *     return change_commit(&change);
 */
#pragma once

#include "account/records.h"
#include "json/write.h"

struct change {
    struct accounts *accounts; /* borrowed */
    struct kv_txn txn;
    struct buf body;
    struct json_writer writer;
};

void change_begin(struct accounts *accounts, struct change *change, struct diag *diag);
struct json_writer *change_entry(struct change *change, slice actor); /* its members go in here */
void change_append(struct change *change, slice kind);
MUST_USE result change_commit(struct change *change);
void change_abort(struct change *change); /* fits CLEANUP; wipes what stood in the entries */

/* Steps that several changes share. */
MUST_USE result change_find(struct change *change, slice name, struct account *out);
void change_add_account(struct change *change, slice name, unsigned roles, const char *hash,
                        slice actor); /* hash: empty for none */
void change_put_password(struct change *change, const struct account *account, const char *hash,
                         slice actor);

struct password_text {
    char text[PASSWORD_HASH_BYTES_MAX];
};
void hash_wipe(struct password_text *hash); /* fits CLEANUP */
