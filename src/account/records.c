#include "account/records.h"

#include <assert.h>

#include "account/authorization.h"

#include "base/banned.h"

/* Keys begin with a letter that says what stands there; numbers in them are big-endian. */
#define KEY_NAME 'n'    /* users:  + name           -> number */
#define KEY_USER 'u'    /* users:  + number         -> record */
#define KEY_LAST 'c'    /* users:                   -> highest number given */
#define KEY_TOKEN 't'   /* tokens: + id             -> record */
#define KEY_OF_USER 'a' /* tokens: + account + id   -> nothing */
#define KEY_SETUP 's'   /* tokens:                  -> record */
#define KEY_BYTES_MAX (1 + 4 + ACCOUNT_NAME_BYTES_MAX)
#define RECORD_BYTES_MAX 1024

struct key {
    size_t len;
    char bytes[KEY_BYTES_MAX];
};

static void key_byte(struct key *key, char byte)
{
    assert(key->len < sizeof(key->bytes));
    key->bytes[key->len++] = byte;
}

static void key_u32(struct key *key, uint32_t number)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        key_byte(key, (char)(number >> shift));
}

static struct key key_of(char letter, slice rest)
{
    struct key key = {0};

    key_byte(&key, letter);
    for (size_t i = 0; i < rest.len; i++)
        key_byte(&key, rest.at[i]);
    return key;
}

static struct key key_of_user(char letter, uint32_t number, slice rest)
{
    struct key key = {0};

    key_byte(&key, letter);
    key_u32(&key, number);
    for (size_t i = 0; i < rest.len; i++)
        key_byte(&key, rest.at[i]);
    return key;
}

static slice key_slice(const struct key *key)
{
    return slice_of(key->bytes, key->len);
}

/* Texts in records have their length in front. */
static void put_text(struct buf *out, const char *text)
{
    slice s = slice_text(text);

    assert(s.len <= UINT16_MAX);
    buf_u16(out, (uint16_t)s.len);
    buf_put(out, s);
}

static void take_text(struct reader *reader, char *out, size_t out_bytes)
{
    slice s = read_bytes(reader, read_u16(reader));

    if (s.len >= out_bytes)
        reader->broken = true;
    if (reader->broken)
        s = SLICE_NONE;
    if (s.len > 0)
        memcpy(out, s.at, s.len);
    out[s.len] = '\0';
}

static struct hash256 take_hash(struct reader *reader)
{
    slice s = read_bytes(reader, SHA256_BYTES);
    struct hash256 hash = {0};

    if (!reader->broken)
        memcpy(hash.bytes, s.at, SHA256_BYTES);
    return hash;
}

static bool read_whole(struct kv_txn *txn, const struct reader *reader, const char *what)
{
    if (!reader->broken && reader->rest.len == 0)
        return true;
    kv_fail(txn, diag_fail(txn->diag, ERR_CORRUPT, "a record of %s is damaged", what));
    return false;
}

static void write_record(struct kv_txn *txn, kv_table table, const struct key *key,
                         struct buf *record)
{
    if (record->overflowed)
        kv_fail(txn, diag_fail(txn->diag, ERR_LIMIT, "no memory for a record of an account"));
    kv_put(txn, table, key_slice(key), buf_slice(record));
    if (record->at != NULL)
        secret_wipe(record->at, record->len);
}

static void delete_with_prefix(struct kv_txn *txn, kv_table table, const struct key *prefix,
                               void (*also)(struct kv_txn *txn, kv_table table, slice rest))
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor;
    bool more;

    kv_cursor_open(txn, table, &cursor);
    for (more = kv_seek(&cursor, key_slice(prefix));
         more && slice_starts(cursor.key, key_slice(prefix)); more = kv_next(&cursor)) {
        if (also != NULL)
            also(txn, table, slice_from(cursor.key, prefix->len));
        kv_cursor_delete(&cursor);
    }
}

/* ---- users ---- */

static bool user_decode(struct kv_txn *txn, uint32_t number, slice value, struct user_record *out)
{
    struct reader reader = READER(value);

    *out = (struct user_record){.account.number = number};
    out->account.roles = read_u32(&reader);
    out->account.is_disabled = read_u8(&reader) != 0;
    out->account.created_us = (int64_t)read_u64(&reader);
    out->password_entry = read_u64(&reader);
    take_text(&reader, out->account.name, sizeof(out->account.name));
    take_text(&reader, out->password, sizeof(out->password));
    if (!reader.broken && reader.rest.len > 0) {
        take_text(&reader, out->account.organisation, sizeof(out->account.organisation));
        take_text(&reader, out->account.person, sizeof(out->account.person));
    }
    out->account.has_password = out->password[0] != '\0';
    return read_whole(txn, &reader, "an account");
}

bool user_read(const struct accounts *accounts, struct kv_txn *txn, uint32_t number,
               struct user_record *out)
{
    struct key key = key_of_user(KEY_USER, number, SLICE_NONE);
    slice value;

    return kv_get(txn, accounts->options.users, key_slice(&key), &value) &&
           user_decode(txn, number, value, out);
}

static bool number_read(struct kv_txn *txn, kv_table table, const struct key *key, uint32_t *out)
{
    slice value;
    struct reader reader;

    if (!kv_get(txn, table, key_slice(key), &value))
        return false;
    reader = READER(value);
    *out = read_u32(&reader);
    return read_whole(txn, &reader, "account numbers");
}

bool user_find(const struct accounts *accounts, struct kv_txn *txn, slice name,
               struct user_record *out)
{
    struct key key;
    uint32_t number;

    if (name.len == 0 || name.len > ACCOUNT_NAME_BYTES_MAX)
        return false;
    key = key_of(KEY_NAME, name);
    return number_read(txn, accounts->options.users, &key, &number) &&
           user_read(accounts, txn, number, out);
}

uint32_t user_number_last(const struct accounts *accounts, struct kv_txn *txn)
{
    struct key key = key_of(KEY_LAST, SLICE_NONE);
    uint32_t number;

    return number_read(txn, accounts->options.users, &key, &number) ? number : ANONYMOUS_NUMBER;
}

static void number_write(struct kv_txn *txn, kv_table table, const struct key *key, uint32_t number)
{
    CLEANUP(buf_free) struct buf value = BUF(RECORD_BYTES_MAX);

    buf_u32(&value, number);
    write_record(txn, table, key, &value);
}

void user_write(const struct accounts *accounts, struct kv_txn *txn,
                const struct user_record *record)
{
    CLEANUP(buf_free) struct buf value = BUF(RECORD_BYTES_MAX);
    const struct account *account = &record->account;
    struct key by_name = key_of(KEY_NAME, slice_text(account->name));
    struct key by_number = key_of_user(KEY_USER, account->number, SLICE_NONE);
    struct key last = key_of(KEY_LAST, SLICE_NONE);

    (void)buf_reserve(&value, RECORD_BYTES_MAX); /* so that it never moves, and wiping is whole */
    buf_u32(&value, account->roles);
    buf_byte(&value, account->is_disabled ? 1 : 0);
    buf_u64(&value, (uint64_t)account->created_us);
    buf_u64(&value, record->password_entry);
    put_text(&value, account->name);
    put_text(&value, record->password);
    if (account->organisation[0] != '\0' || account->person[0] != '\0') {
        put_text(&value, account->organisation);
        put_text(&value, account->person);
    }
    write_record(txn, accounts->options.users, &by_number, &value);
    number_write(txn, accounts->options.users, &by_name, account->number);
    if (account->number > user_number_last(accounts, txn))
        number_write(txn, accounts->options.users, &last, account->number);
}

void user_delete(const struct accounts *accounts, struct kv_txn *txn,
                 const struct user_record *record)
{
    struct key by_name = key_of(KEY_NAME, slice_text(record->account.name));
    struct key by_number = key_of_user(KEY_USER, record->account.number, SLICE_NONE);

    (void)kv_delete(txn, accounts->options.users, key_slice(&by_name));
    (void)kv_delete(txn, accounts->options.users, key_slice(&by_number));
}

void user_wipe(struct user_record *record)
{
    secret_wipe(record, sizeof(*record));
}

/* ---- tokens ---- */

bool token_read(const struct accounts *accounts, struct kv_txn *txn, slice token_id,
                struct token_record *out)
{
    struct key key;
    struct reader reader;
    slice value;

    if (token_id.len != TOKEN_ID_DIGITS)
        return false;
    key = key_of(KEY_TOKEN, token_id);
    if (!kv_get(txn, accounts->options.tokens, key_slice(&key), &value))
        return false;
    reader = READER(value);
    *out = (struct token_record){0};
    memcpy(out->token.id, token_id.at, TOKEN_ID_DIGITS);
    out->hash = take_hash(&reader);
    out->token.account = read_u32(&reader);
    out->token.created_us = (int64_t)read_u64(&reader);
    out->token.expires_us = (int64_t)read_u64(&reader);
    take_text(&reader, out->token.label, sizeof(out->token.label));
    return read_whole(txn, &reader, "a token");
}

void token_write(const struct accounts *accounts, struct kv_txn *txn,
                 const struct token_record *record)
{
    CLEANUP(buf_free) struct buf value = BUF(RECORD_BYTES_MAX);
    slice id = slice_text(record->token.id);
    struct key by_id = key_of(KEY_TOKEN, id);
    struct key of_user = key_of_user(KEY_OF_USER, record->token.account, id);

    buf_put(&value, slice_of(record->hash.bytes, SHA256_BYTES));
    buf_u32(&value, record->token.account);
    buf_u64(&value, (uint64_t)record->token.created_us);
    buf_u64(&value, (uint64_t)record->token.expires_us);
    put_text(&value, record->token.label);
    write_record(txn, accounts->options.tokens, &by_id, &value);
    kv_put(txn, accounts->options.tokens, key_slice(&of_user), SLICE(""));
}

void token_delete(const struct accounts *accounts, struct kv_txn *txn,
                  const struct token_record *record)
{
    slice id = slice_text(record->token.id);
    struct key by_id = key_of(KEY_TOKEN, id);
    struct key of_user = key_of_user(KEY_OF_USER, record->token.account, id);

    (void)kv_delete(txn, accounts->options.tokens, key_slice(&by_id));
    (void)kv_delete(txn, accounts->options.tokens, key_slice(&of_user));
}

static void token_delete_by_id(struct kv_txn *txn, kv_table table, slice token_id)
{
    struct key key = key_of(KEY_TOKEN, token_id);

    (void)kv_delete(txn, table, key_slice(&key));
}

void tokens_delete_of(const struct accounts *accounts, struct kv_txn *txn, uint32_t account)
{
    struct key prefix = key_of_user(KEY_OF_USER, account, SLICE_NONE);

    delete_with_prefix(txn, accounts->options.tokens, &prefix, token_delete_by_id);
}

/* ---- grants: account, collection -> rights, one byte ---- */

static struct key grant_key(uint32_t account, uint32_t collection)
{
    struct key key = {0};

    key_u32(&key, account);
    key_u32(&key, collection);
    return key;
}

unsigned grant_read(const struct accounts *accounts, struct kv_txn *txn, uint32_t account,
                    uint32_t collection)
{
    struct key key = grant_key(account, collection);
    struct reader reader;
    unsigned rights;
    slice value;

    if (!kv_get(txn, accounts->options.grants, key_slice(&key), &value))
        return 0;
    reader = READER(value);
    rights = read_u8(&reader);
    return read_whole(txn, &reader, "a grant") ? rights : 0;
}

void grant_write(const struct accounts *accounts, struct kv_txn *txn, uint32_t account,
                 uint32_t collection, unsigned rights)
{
    struct key key = grant_key(account, collection);
    char byte = (char)rights;

    if (rights == 0)
        (void)kv_delete(txn, accounts->options.grants, key_slice(&key));
    else
        kv_put(txn, accounts->options.grants, key_slice(&key), slice_of(&byte, 1));
}

void grants_delete_of(const struct accounts *accounts, struct kv_txn *txn, uint32_t account)
{
    struct key prefix = {0};

    key_u32(&prefix, account);
    delete_with_prefix(txn, accounts->options.grants, &prefix, NULL);
}

/* ---- the set-up secret ---- */

bool setup_read(const struct accounts *accounts, struct kv_txn *txn, struct setup_record *out)
{
    struct key key = key_of(KEY_SETUP, SLICE_NONE);
    struct reader reader;
    slice value;

    if (!kv_get(txn, accounts->options.tokens, key_slice(&key), &value))
        return false;
    reader = READER(value);
    out->hash = take_hash(&reader);
    out->expires_us = (int64_t)read_u64(&reader);
    return read_whole(txn, &reader, "the set-up secret");
}

void setup_write(const struct accounts *accounts, struct kv_txn *txn,
                 const struct setup_record *record)
{
    CLEANUP(buf_free) struct buf value = BUF(RECORD_BYTES_MAX);
    struct key key = key_of(KEY_SETUP, SLICE_NONE);

    buf_put(&value, slice_of(record->hash.bytes, SHA256_BYTES));
    buf_u64(&value, (uint64_t)record->expires_us);
    write_record(txn, accounts->options.tokens, &key, &value);
}

void setup_delete(const struct accounts *accounts, struct kv_txn *txn)
{
    struct key key = key_of(KEY_SETUP, SLICE_NONE);

    (void)kv_delete(txn, accounts->options.tokens, key_slice(&key));
}

/* ---- lists ---- */

static bool nth_with_prefix(struct kv_txn *txn, kv_table table, char letter, size_t index,
                            struct kv_cursor *cursor)
{
    bool more;

    kv_cursor_open(txn, table, cursor);
    for (more = kv_seek(cursor, slice_of(&letter, 1)); more && index > 0; more = kv_next(cursor))
        index--;
    return more && cursor->key.len > 0 && cursor->key.at[0] == letter;
}

bool account_find(struct kv_txn *txn, const struct accounts *accounts, slice name,
                  struct account *out)
{
    CLEANUP(user_wipe) struct user_record record;

    if (!user_find(accounts, txn, name, &record))
        return false;
    *out = record.account;
    return true;
}

bool account_numbered(struct kv_txn *txn, const struct accounts *accounts, uint32_t number,
                      struct account *out)
{
    CLEANUP(user_wipe) struct user_record record;

    if (!user_read(accounts, txn, number, &record))
        return false;
    *out = record.account;
    return true;
}

bool account_at(struct kv_txn *txn, const struct accounts *accounts, size_t index,
                struct account *out)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor;

    return nth_with_prefix(txn, accounts->options.users, KEY_NAME, index, &cursor) &&
           account_find(txn, accounts, slice_from(cursor.key, 1), out);
}

bool account_token_at(struct kv_txn *txn, const struct accounts *accounts, size_t index,
                      struct account_token *out)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor;
    struct token_record record;

    if (!nth_with_prefix(txn, accounts->options.tokens, KEY_TOKEN, index, &cursor) ||
        !token_read(accounts, txn, slice_from(cursor.key, 1), &record))
        return false;
    *out = record.token;
    return true;
}
