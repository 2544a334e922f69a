/* From entries of the log to tables: the only writer of them. */
#include "account/account.h"

#include "account/authorization.h"
#include "account/records.h"
#include "base/encode.h"
#include "base/time.h"

#include "base/banned.h"

#define APPLY_ARENA_BYTES_MAX (64 << 10)

/* One entry being applied.  Sticky: the first thing wrong with it stays, and nothing is written. */
struct applying {
    const struct accounts *accounts;
    struct kv_txn *txn;
    struct arena *arena;
    struct ledger_entry entry;
    uint64_t number;
    const char *wrong;
};

static void wrong(struct applying *a, const char *why)
{
    if (a->wrong == NULL)
        a->wrong = why;
}

static const struct json_node *member(struct applying *a, slice key)
{
    return json_get(&a->entry.doc, a->entry.doc.nodes, key);
}

/* A text of at most bytes_max; an absent one is empty. */
static slice text_or_none(struct applying *a, slice key, size_t bytes_max)
{
    const struct json_node *node = member(a, key);
    slice text;

    if (node == NULL)
        return SLICE("");
    text = json_string(&a->entry.doc, node, a->arena);
    if (node->kind != JSON_STRING || text.at == NULL || text.len > bytes_max) {
        wrong(a, "a text is not what it must be");
        return SLICE("");
    }
    return text;
}

static slice text_of(struct applying *a, slice key, size_t bytes_max)
{
    slice text = text_or_none(a, key, bytes_max);

    if (text.len == 0)
        wrong(a, "a text is missing");
    return text;
}

static uint32_t number_of(struct applying *a, slice key)
{
    const struct json_node *node = member(a, key);
    int64_t number;

    if (node == NULL || !json_i64(&a->entry.doc, node, &number) || number < 0 ||
        number > UINT32_MAX) {
        wrong(a, "a number is not what it must be");
        return 0;
    }
    return (uint32_t)number;
}

static int64_t date_or_none(struct applying *a, slice key)
{
    slice text = text_or_none(a, key, TIMESTAMP_TEXT_BYTES_MAX);
    struct timestamp date = {0};

    if (text.len > 0 && !timestamp_parse(text, &date))
        wrong(a, "a date is not what it must be");
    return date.us;
}

static struct hash256 hash_of(struct applying *a, slice key)
{
    struct hash256 hash = {0};

    if (!hex_decode(text_of(a, key, (size_t)2 * SHA256_BYTES), hash.bytes, SHA256_BYTES))
        wrong(a, "a hash is not what it must be");
    return hash;
}

static unsigned roles_of(struct applying *a)
{
    unsigned roles = 0;

    if (!role_parse(text_of(a, SLICE("roles"), ROLES_TEXT_BYTES_MAX), &roles))
        wrong(a, "roles are not what they must be");
    return roles;
}

/* out has room: the text was read with its bound. */
static void copy_text(char *out, slice text)
{
    memcpy(out, text.at, text.len);
    out[text.len] = '\0';
}

/* The account that the entry is about, which must be there. */
static struct user_record user_of(struct applying *a)
{
    struct user_record record = {0};
    uint32_t number = number_of(a, SLICE("number"));

    if (a->wrong == NULL && !user_read(a->accounts, a->txn, number, &record))
        wrong(a, "there is no such account");
    return record;
}

static void set_password(struct applying *a, struct user_record *record)
{
    copy_text(record->password, text_or_none(a, SLICE("password"), sizeof(record->password) - 1));
    record->account.has_password = record->password[0] != '\0';
    record->password_entry = a->number;
}

static void write_user(struct applying *a, const struct user_record *record)
{
    if (a->wrong == NULL)
        user_write(a->accounts, a->txn, record);
}

static void apply_account_add(struct applying *a)
{
    CLEANUP(user_wipe) struct user_record record = {0};

    record.account.number = number_of(a, SLICE("number"));
    record.account.created_us = a->entry.at_us;
    record.account.roles = roles_of(a);
    copy_text(record.account.name, text_of(a, SLICE("account"), ACCOUNT_NAME_BYTES_MAX));
    set_password(a, &record);
    if (record.account.number == ANONYMOUS_NUMBER)
        wrong(a, "account numbers begin at 1");
    write_user(a, &record);
}

static void apply_account_password(struct applying *a)
{
    CLEANUP(user_wipe) struct user_record record = user_of(a);

    set_password(a, &record);
    write_user(a, &record);
}

static void apply_account_roles(struct applying *a)
{
    CLEANUP(user_wipe) struct user_record record = user_of(a);

    record.account.roles = roles_of(a);
    write_user(a, &record);
}

static void apply_account_disable(struct applying *a)
{
    CLEANUP(user_wipe) struct user_record record = user_of(a);
    const struct json_node *disabled = member(a, SLICE("disabled"));

    if (disabled == NULL || (disabled->kind != JSON_TRUE && disabled->kind != JSON_FALSE)) {
        wrong(a, "\"disabled\" is neither true nor false");
        return;
    }
    record.account.is_disabled = disabled->kind == JSON_TRUE;
    write_user(a, &record);
}

static void apply_account_organisation(struct applying *a)
{
    CLEANUP(user_wipe) struct user_record record = user_of(a);

    copy_text(record.account.organisation,
              text_or_none(a, SLICE("organisation"), ACCOUNT_IDENTITY_BYTES_MAX));
    copy_text(record.account.person, text_or_none(a, SLICE("person"), ACCOUNT_IDENTITY_BYTES_MAX));
    write_user(a, &record);
}

static void apply_account_remove(struct applying *a)
{
    CLEANUP(user_wipe) struct user_record record = user_of(a);

    if (a->wrong != NULL)
        return;
    tokens_delete_of(a->accounts, a->txn, record.account.number);
    grants_delete_of(a->accounts, a->txn, record.account.number);
    user_delete(a->accounts, a->txn, &record);
}

static void apply_token_add(struct applying *a)
{
    struct token_record record = {0};
    slice id = text_of(a, SLICE("token"), TOKEN_ID_DIGITS);

    if (id.len != TOKEN_ID_DIGITS)
        wrong(a, "a token's id is not what it must be");
    record.hash = hash_of(a, SLICE("hash"));
    record.token.account = number_of(a, SLICE("number"));
    record.token.created_us = a->entry.at_us;
    record.token.expires_us = date_or_none(a, SLICE("expires"));
    copy_text(record.token.id, id);
    copy_text(record.token.label, text_or_none(a, SLICE("label"), ACCOUNT_NAME_BYTES_MAX));
    if (a->wrong == NULL)
        token_write(a->accounts, a->txn, &record);
}

static void apply_token_remove(struct applying *a)
{
    struct token_record record;
    slice id = text_of(a, SLICE("token"), TOKEN_ID_DIGITS);

    if (a->wrong == NULL && !token_read(a->accounts, a->txn, id, &record))
        wrong(a, "there is no such token");
    if (a->wrong == NULL)
        token_delete(a->accounts, a->txn, &record);
}

static unsigned rights_of(struct applying *a)
{
    const struct json_node *rights = member(a, SLICE("rights"));
    unsigned set = 0;

    if (rights == NULL || rights->kind != JSON_ARRAY) {
        wrong(a, "rights are no list");
        return 0;
    }
    for (struct json_each each = json_each(&a->entry.doc, rights); json_next(&each);) {
        if (json_is(&a->entry.doc, each.value, SLICE("read")))
            set |= RIGHT_READ;
        else if (json_is(&a->entry.doc, each.value, SLICE("write")))
            set |= RIGHT_WRITE;
        else
            wrong(a, "a right is neither \"read\" nor \"write\"");
    }
    return set;
}

static void apply_grant(struct applying *a)
{
    uint32_t account = number_of(a, SLICE("number"));
    uint32_t collection = number_of(a, SLICE("collection"));
    unsigned rights = rights_of(a);

    if (a->wrong == NULL)
        grant_write(a->accounts, a->txn, account, collection, rights);
}

static void apply_setup_begin(struct applying *a)
{
    struct setup_record record = {.hash = hash_of(a, SLICE("hash")),
                                  .expires_us = date_or_none(a, SLICE("expires"))};

    if (a->wrong == NULL)
        setup_write(a->accounts, a->txn, &record);
}

static void apply_setup_done(struct applying *a)
{
    setup_delete(a->accounts, a->txn);
}

static const struct {
    slice kind;
    void (*apply)(struct applying *a);
} kinds[] = {
    {S("account.add"), apply_account_add},
    {S("account.password"), apply_account_password},
    {S("account.roles"), apply_account_roles},
    {S("account.disable"), apply_account_disable},
    {S("account.organisation"), apply_account_organisation},
    {S("account.remove"), apply_account_remove},
    {S("token.add"), apply_token_add},
    {S("token.remove"), apply_token_remove},
    {S("grant"), apply_grant},
    {S("setup.begin"), apply_setup_begin},
    {S("setup.done"), apply_setup_done},
};

static void apply_with(struct applying *a, void (*apply)(struct applying *a), slice text)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    result parsed = json_parser_new(LEDGER_DEPTH_MAX, &parser, a->txn->diag);

    if (succeeded(parsed))
        parsed = ledger_parse(parser, text, &a->entry, a->txn->diag);
    if (failed(parsed)) {
        kv_fail(a->txn, diag_within(a->txn->diag, parsed, "log: entry %llu",
                                    (unsigned long long)a->number));
        return;
    }
    apply(a);
    if (a->wrong != NULL)
        kv_fail(a->txn, diag_fail(a->txn->diag, ERR_CORRUPT, "log: entry %llu: %s",
                                  (unsigned long long)a->number, a->wrong));
}

bool account_apply(struct accounts *accounts, struct kv_txn *txn, slice kind, uint64_t number,
                   slice entry)
{
    CLEANUP(arena_free) struct arena arena = ARENA(APPLY_ARENA_BYTES_MAX);
    struct applying a = {.accounts = accounts, .txn = txn, .arena = &arena, .number = number};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!slice_eq(kinds[i].kind, kind))
            continue;
        if (succeeded(txn->state))
            apply_with(&a, kinds[i].apply, entry);
        return true;
    }
    return false;
}

void account_clear_derived(struct accounts *accounts, struct kv_txn *txn)
{
    kv_clear(txn, accounts->options.users);
    kv_clear(txn, accounts->options.tokens);
    kv_clear(txn, accounts->options.grants);
}
