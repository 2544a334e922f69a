/* Secrets that we hand out: tokens for scripts, and the one-time set-up secret. */
#include "account/account.h"

#include <stdio.h>

#include "account/authorization.h"
#include "account/change.h"
#include "account/names.h"
#include "base/encode.h"
#include "base/time.h"

#include "base/banned.h"

#define SECRET_BYTES 32
#define SETUP_HEAD "setup_"

static int64_t now_us(const struct accounts *accounts)
{
    return accounts->options.world->now_us(accounts->options.world->context);
}

static void draw(const struct accounts *accounts, void *out, size_t bytes)
{
    accounts->options.world->random(accounts->options.world->context, out, bytes);
}

/* 43 digits of the URL alphabet for 32 random bytes, and their hash, which is all we keep: it
 * needs no salt and no slowness, as nobody can try all secrets of that length. */
static bool draw_secret(const struct accounts *accounts, char digits[TOKEN_SECRET_DIGITS + 1],
                        struct hash256 *hash)
{
    CLEANUP(buf_free) struct buf text = BUF(TOKEN_TEXT_BYTES_MAX);
    uint8_t secret[SECRET_BYTES];
    bool drawn;

    draw(accounts, secret, sizeof(secret));
    (void)buf_reserve(&text, TOKEN_TEXT_BYTES_MAX); /* never moves: wiped whole */
    base64url_encode(&text, slice_of(secret, sizeof(secret)));
    secret_wipe(secret, sizeof(secret));
    drawn = text.len == TOKEN_SECRET_DIGITS;
    if (drawn) {
        memcpy(digits, text.at, TOKEN_SECRET_DIGITS);
        digits[TOKEN_SECRET_DIGITS] = '\0';
        *hash = sha256(buf_slice(&text));
    }
    if (text.at != NULL)
        secret_wipe(text.at, text.capacity);
    return drawn;
}

static void put_hash(struct json_writer *entry, const struct hash256 *hash)
{
    char digits[2 * SHA256_BYTES];

    hex_encode(slice_of(hash->bytes, SHA256_BYTES), digits);
    jw_put_string(entry, SLICE("hash"), slice_of(digits, sizeof(digits)));
}

static void put_date(struct json_writer *entry, slice key, int64_t us)
{
    char date[TIMESTAMP_TEXT_BYTES_MAX];

    jw_put_string(entry, key, slice_of(date, time_format_us(us, date)));
}

/* ---- tokens ---- */

static result draw_id(struct change *change, char id[TOKEN_ID_DIGITS + 1])
{
    struct diag *diag = change->txn.diag;
    uint8_t bytes[TOKEN_ID_DIGITS / 2];
    struct token_record held;

    draw(change->accounts, bytes, sizeof(bytes));
    hex_encode(slice_of(bytes, sizeof(bytes)), id);
    id[TOKEN_ID_DIGITS] = '\0';
    if (token_read(change->accounts, &change->txn, slice_text(id), &held))
        return diag_fail(diag, ERR_IO, "the id drawn for the token is in use: try again");
    if (kv_count(&change->txn, change->accounts->options.tokens) / 2 >= TOKENS_MAX)
        return diag_fail(diag, ERR_LIMIT, "there are %d tokens already", TOKENS_MAX);
    return OK;
}

static void append_token(struct change *change, const struct account *account,
                         const struct account_token *token, const struct hash256 *hash, slice actor)
{
    struct json_writer *entry = change_entry(change, actor);

    jw_put_string(entry, SLICE("token"), slice_text(token->id));
    jw_put_string(entry, SLICE("account"), slice_text(account->name));
    jw_put_u64(entry, SLICE("number"), account->number);
    put_hash(entry, hash);
    if (token->label[0] != '\0')
        jw_put_string(entry, SLICE("label"), slice_text(token->label));
    if (token->expires_us != 0)
        put_date(entry, SLICE("expires"), token->expires_us);
    change_append(change, SLICE("token.add"));
}

static result token_check(const struct accounts *accounts, slice label, int64_t expires_us,
                          struct diag *diag)
{
    TRY(label_check(label, diag));
    if (expires_us != 0 && expires_us <= now_us(accounts))
        return diag_fail(diag, ERR_INVALID, "the token would have expired already");
    return OK;
}

result account_token_add(struct accounts *accounts, slice name, slice label, int64_t expires_us,
                         slice actor, char text[TOKEN_TEXT_BYTES_MAX], struct account_token *out,
                         struct diag *diag)
{
    CLEANUP(change_abort) struct change change = {0};
    struct account_token token = {.expires_us = expires_us};
    struct token_record record = {0};
    struct account account;
    char digits[TOKEN_SECRET_DIGITS + 1];
    struct hash256 hash;
    result added;

    text[0] = '\0';
    TRY(token_check(accounts, label, expires_us, diag));
    change_begin(accounts, &change, diag);
    TRY(change_find(&change, name, &account));
    TRY(draw_id(&change, token.id));
    if (label.len > 0)
        memcpy(token.label, label.at, label.len);
    if (!draw_secret(accounts, digits, &hash))
        return diag_fail(diag, ERR_LIMIT, "no memory for a token");
    append_token(&change, &account, &token, &hash, actor);
    (void)token_read(accounts, &change.txn, slice_text(token.id), &record);
    added = change_commit(&change);
    if (succeeded(added)) {
        (void)snprintf(text, TOKEN_TEXT_BYTES_MAX, "ent_%s_%s", token.id, digits);
        *out = record.token;
    }
    secret_wipe(digits, sizeof(digits));
    return added;
}

result account_token_remove(struct accounts *accounts, slice token_id, slice actor,
                            struct diag *diag)
{
    CLEANUP(change_abort) struct change change = {0};
    struct token_record record;
    struct account account;
    struct json_writer *entry;

    change_begin(accounts, &change, diag);
    if (!token_read(accounts, &change.txn, token_id, &record)) {
        TRY(change.txn.state);
        return diag_fail(diag, ERR_MISSING, "there is no token \"%.*s\"",
                         SLICE_ARG(slice_head(token_id, TOKEN_TEXT_BYTES_MAX)));
    }
    entry = change_entry(&change, actor);
    jw_put_string(entry, SLICE("token"), slice_text(record.token.id));
    if (account_numbered(&change.txn, accounts, record.token.account, &account))
        jw_put_string(entry, SLICE("account"), slice_text(account.name));
    change_append(&change, SLICE("token.remove"));
    return change_commit(&change);
}

/* ---- set-up ---- */

result account_setup_begin(struct accounts *accounts, int64_t valid_us,
                           char text[TOKEN_TEXT_BYTES_MAX], struct diag *diag)
{
    CLEANUP(change_abort) struct change change = {0};
    char digits[TOKEN_SECRET_DIGITS + 1];
    struct json_writer *entry;
    struct hash256 hash;
    result begun;

    text[0] = '\0';
    if (!draw_secret(accounts, digits, &hash))
        return diag_fail(diag, ERR_LIMIT, "no memory for a set-up secret");
    change_begin(accounts, &change, diag);
    entry = change_entry(&change, SLICE("cli"));
    put_hash(entry, &hash);
    put_date(entry, SLICE("expires"), valid_us);
    change_append(&change, SLICE("setup.begin"));
    begun = change_commit(&change);
    if (succeeded(begun))
        (void)snprintf(text, TOKEN_TEXT_BYTES_MAX, SETUP_HEAD "%s", digits);
    secret_wipe(digits, sizeof(digits));
    return begun;
}

/* Is it the one that is open, and in its time?  The words are the same whatever is wrong. */
static result setup_check(const struct accounts *accounts, struct kv_txn *txn, slice secret,
                          struct diag *diag)
{
    struct setup_record open = {0};
    bool is_open = setup_read(accounts, txn, &open);
    struct hash256 given = sha256(slice_from(secret, sizeof(SETUP_HEAD) - 1));
    bool is_right =
        secret_eq(slice_of(given.bytes, SHA256_BYTES), slice_of(open.hash.bytes, SHA256_BYTES));

    TRY(txn->state);
    if (!is_open || !is_right || !slice_starts(secret, SLICE(SETUP_HEAD)) ||
        now_us(accounts) >= open.expires_us)
        return diag_fail(diag, ERR_DENIED, "the set-up secret is wrong, used or too old");
    return OK;
}

static result setup_check_now(struct accounts *accounts, slice secret, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};

    kv_begin_read(accounts->options.kv, &txn, diag);
    return setup_check(accounts, &txn, secret, diag);
}

/* A new admin, or a new password for one who lost the old. */
static result append_setup(struct change *change, slice name, const char *hash)
{
    struct account account;

    jw_put_string(change_entry(change, SLICE("setup")), SLICE("account"), name);
    change_append(change, SLICE("setup.done"));
    if (!account_find(&change->txn, change->accounts, name, &account)) {
        change_add_account(change, name, ROLE_ADMIN, hash, SLICE("setup"));
        return OK;
    }
    if ((account.roles & ROLE_ADMIN) == 0 || account.is_disabled)
        return diag_fail(change->txn.diag, ERR_CONFLICT,
                         "there is an account \"%.*s\" already, which is no admin in use",
                         SLICE_ARG(name));
    change_put_password(change, &account, hash, SLICE("setup"));
    return OK;
}

result account_setup_finish(struct accounts *accounts, slice secret, slice name, slice password,
                            struct diag *diag)
{
    CLEANUP(hash_wipe) struct password_text hash = {0};
    CLEANUP(change_abort) struct change change = {0};

    /* Before the slow part, so that a stranger cannot have passwords hashed. */
    TRY(setup_check_now(accounts, secret, diag));
    TRY(name_check(name, diag));
    TRY(password_check(name, password, diag));
    TRY(password_hash(password, hash.text, diag));
    change_begin(accounts, &change, diag);
    TRY(setup_check(accounts, &change.txn, secret, diag)); /* another may have used it by now */
    TRY(append_setup(&change, name, hash.text));
    return change_commit(&change);
}
