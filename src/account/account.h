/* Accounts: who may do what.  Users with passwords, tokens for scripts, rights per collection.
 *
 * Every change is an entry of the log; entries hold password hashes and token hashes never in
 * clear. Checking takes the same time whether the user exists or not, and a user or address that
 * fails again and again has to wait, each time longer.
 */
#pragma once

#include "base/buf.h"
#include "base/world.h"
#include "kv/kv.h"

enum role {
    ROLE_ADMIN = 1,    /* accounts, collections, settings; every right */
    ROLE_ANALYST = 2,  /* writes and reads where granted */
    ROLE_RELEASER = 4, /* may approve what leaves */
    ROLE_READER = 8,   /* reads where granted, never writes */
    ROLE_SENSOR = 16,  /* sends telemetry and sightings; reads indicators where granted */
};

enum right { RIGHT_READ = 1, RIGHT_WRITE = 2 };

#define ACCOUNT_NAME_BYTES_MAX 64 /* of a-z 0-9 . _ @ -, a letter or digit first */
#define ACCOUNTS_MAX 10000
#define TOKENS_MAX 100000
#define PASSWORD_CHARACTERS_MIN 12
#define PASSWORD_BYTES_MAX 1024
#define ROLES_TEXT_BYTES_MAX 64
#define TOKEN_TEXT_BYTES_MAX 80
#define ACCOUNT_IDENTITY_BYTES_MAX 64
#define ACCOUNT_ANONYMOUS                                                                          \
    "anonymous" /* grants to this name hold for requests without credentials */

struct accounts; /* the live part: verified-credential cache, failure counts; one per process */

struct account {
    uint32_t number;
    char name[ACCOUNT_NAME_BYTES_MAX + 1];
    unsigned roles; /* enum role, ORed */
    bool has_password, is_disabled;
    int64_t created_us;
    char organisation[ACCOUNT_IDENTITY_BYTES_MAX + 1]; /* an identity's id; empty: the node's own */
    char person[ACCOUNT_IDENTITY_BYTES_MAX + 1];       /* who it is; empty: not said */
};

struct account_token {
    char id[17]; /* shown in lists */
    char label[ACCOUNT_NAME_BYTES_MAX + 1];
    uint32_t account;
    int64_t created_us, expires_us; /* 0: never */
};

/* Names of the tables it keeps, for store_options.more_tables. */
extern const char *const account_tables[];

struct account_options {
    struct kv *kv;
    kv_table log, users, tokens, grants; /* handles of account_tables, in order, and the log */
    size_t login_failures_max, login_pause_s_max;
    const struct world *world;
};
MUST_USE result accounts_open(const struct account_options *options, struct accounts **out,
                              struct diag *diag);
void accounts_close(struct accounts **accounts);

enum login { LOGIN_OK, LOGIN_NONE /* no credentials: anonymous */, LOGIN_WRONG, LOGIN_WAIT };

/* Checks an Authorization header ("Basic ...", "Bearer ..."), empty: none.  What is neither is
 * LOGIN_WRONG.  txn: reads what is known now.  peer: the client's address without a port, for the
 * back-off; empty: not counted. On LOGIN_WAIT *wait_s says how long.  Safe from any thread.
 *
 * A password that was right a moment ago is not hashed again from the same address, until it or the
 * account changes.  Wrong passwords are counted by name and by address; a right token is never made
 * to wait. */
enum login account_login(struct accounts *accounts, struct kv_txn *txn, slice authorization,
                         slice peer, struct account *out, unsigned *wait_s);

/* Rights on a collection; account NULL is anonymous.  What anonymous may, every account may, with
 * two exceptions: a reader never has RIGHT_WRITE (unless it is an admin, who has all), a disabled
 * one nothing. */
unsigned account_rights(struct accounts *accounts, struct kv_txn *txn,
                        const struct account *account, uint32_t collection);

/* What was granted by name, whatever the roles make of it; 0 for an unknown name. */
unsigned account_granted(struct accounts *accounts, struct kv_txn *txn, slice name,
                         uint32_t collection);

/* Changes, each one entry; what is so already makes none.  actor: who does it ("cli", "setup" or an
 * account's name).  ERR_MISSING: no such account; ERR_INVALID: a name, password, role or label that
 * may not be; ERR_CONFLICT: the name is taken. */
MUST_USE result account_add(struct accounts *accounts, slice name, unsigned roles, slice password,
                            slice actor, struct account *out,
                            struct diag *diag); /* empty password: tokens only */
MUST_USE result account_set_password(struct accounts *accounts, slice name, slice password,
                                     slice actor, struct diag *diag);
MUST_USE result account_set_roles(struct accounts *accounts, slice name, unsigned roles,
                                  slice actor, struct diag *diag);
MUST_USE result account_set_disabled(struct accounts *accounts, slice name, bool disabled,
                                     slice actor, struct diag *diag);
/* Which organisation it belongs to and who it is: ids of identities, or empty.  What it may read is
 * decided for that organisation. */
MUST_USE result account_set_organisation(struct accounts *accounts, slice name, slice organisation,
                                         slice person, slice actor, struct diag *diag);
MUST_USE result account_remove(struct accounts *accounts, slice name, slice actor,
                               struct diag *diag);
/* The token's text is shown once and kept nowhere: "ent_" + id + "_" + 43 base64url digits of 32
 * random bytes. */
MUST_USE result account_token_add(struct accounts *accounts, slice name, slice label,
                                  int64_t expires_us, slice actor, char text[TOKEN_TEXT_BYTES_MAX],
                                  struct account_token *out, struct diag *diag);
MUST_USE result account_token_remove(struct accounts *accounts, slice token_id, slice actor,
                                     struct diag *diag);
/* rights 0 takes the grant away.  The collection's number must exist: the caller looked it up.
 * name may be ACCOUNT_ANONYMOUS.  ERR_DENIED: RIGHT_WRITE for a reader. */
MUST_USE result account_grant(struct accounts *accounts, slice name, uint32_t collection,
                              unsigned rights, slice actor, struct diag *diag);

/* One-time set-up: a secret that may make the first admin, or give one a new password, once and
 * before valid_us (a date).  A new one takes the place of the old.  ERR_DENIED: wrong, used or too
 * old. */
MUST_USE result account_setup_begin(struct accounts *accounts, int64_t valid_us,
                                    char text[TOKEN_TEXT_BYTES_MAX], struct diag *diag);
MUST_USE result account_setup_finish(struct accounts *accounts, slice secret, slice name,
                                     slice password, struct diag *diag);

bool account_find(struct kv_txn *txn, const struct accounts *accounts, slice name,
                  struct account *out);
bool account_numbered(struct kv_txn *txn, const struct accounts *accounts, uint32_t number,
                      struct account *out);
/* Lists: accounts by name, tokens by id; false past the last. */
bool account_at(struct kv_txn *txn, const struct accounts *accounts, size_t index,
                struct account *out);
bool account_token_at(struct kv_txn *txn, const struct accounts *accounts, size_t index,
                      struct account_token *out);

/* Re-derive from an entry of the log.  False: not a kind of ours. */
bool account_apply(struct accounts *accounts, struct kv_txn *txn, slice kind, uint64_t number,
                   slice entry);
void account_clear_derived(struct accounts *accounts, struct kv_txn *txn);
bool role_parse(slice text, unsigned *out); /* "analyst,releaser" */
void role_format(unsigned roles, struct buf *out);
