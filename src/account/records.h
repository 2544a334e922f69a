/* The tables of accounts, tokens and grants: keys, records, and nothing else.
 *
 * They are derived from the log (apply.c writes them) and read by log-ins and lists.  Formats are
 * in docs/FORMATS.md.  A record that cannot be read fails the transaction, ERR_CORRUPT.
 */
#pragma once

#include "account/account.h"
#include "account/guard.h"
#include "base/arena.h"
#include "base/crypto.h"
#include "ledger/ledger.h"

struct accounts {
    struct arena arena; /* owned: holds this very struct, too */
    struct account_options options;
    struct guard *guard; /* owned */
};

#define ANONYMOUS_NUMBER 0 /* accounts count from 1 */

struct user_record {
    struct account account;
    uint64_t password_entry;                /* number of the log entry that set it */
    char password[PASSWORD_HASH_BYTES_MAX]; /* its hash; empty: none */
};

bool user_find(const struct accounts *accounts, struct kv_txn *txn, slice name,
               struct user_record *out);
bool user_read(const struct accounts *accounts, struct kv_txn *txn, uint32_t number,
               struct user_record *out);
void user_write(const struct accounts *accounts, struct kv_txn *txn,
                const struct user_record *record);
void user_delete(const struct accounts *accounts, struct kv_txn *txn,
                 const struct user_record *record);
/* The highest number ever given: none is given twice. */
uint32_t user_number_last(const struct accounts *accounts, struct kv_txn *txn);
void user_wipe(struct user_record *record); /* fits CLEANUP */

struct token_record {
    struct account_token token;
    struct hash256 hash; /* SHA-256 of the secret's digits */
};

bool token_read(const struct accounts *accounts, struct kv_txn *txn, slice token_id,
                struct token_record *out);
void token_write(const struct accounts *accounts, struct kv_txn *txn,
                 const struct token_record *record);
void token_delete(const struct accounts *accounts, struct kv_txn *txn,
                  const struct token_record *record);
void tokens_delete_of(const struct accounts *accounts, struct kv_txn *txn, uint32_t account);

unsigned grant_read(const struct accounts *accounts, struct kv_txn *txn, uint32_t account,
                    uint32_t collection);
void grant_write(const struct accounts *accounts, struct kv_txn *txn, uint32_t account,
                 uint32_t collection, unsigned rights);
void grants_delete_of(const struct accounts *accounts, struct kv_txn *txn, uint32_t account);

/* The one set-up secret that is open. */
struct setup_record {
    struct hash256 hash;
    int64_t expires_us;
};
bool setup_read(const struct accounts *accounts, struct kv_txn *txn, struct setup_record *out);
void setup_write(const struct accounts *accounts, struct kv_txn *txn,
                 const struct setup_record *record);
void setup_delete(const struct accounts *accounts, struct kv_txn *txn);
