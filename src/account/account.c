#include "account/account.h"

#include <assert.h>

#include "account/change.h"
#include "account/names.h"
#include "stix/id.h"

#include "base/banned.h"

#define ACCOUNTS_ARENA_BYTES_MAX 4096

const char *const account_tables[] = {"users", "tokens", "grants", NULL};

result accounts_open(const struct account_options *options, struct accounts **out,
                     struct diag *diag)
{
    struct arena arena = ARENA(ACCOUNTS_ARENA_BYTES_MAX);
    struct accounts *accounts = arena_new(&arena, struct accounts, 1);
    struct guard_options guard = {.failures_max = options->login_failures_max,
                                  .pause_s_max = options->login_pause_s_max};
    result opened;

    if (accounts == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for accounts");
    accounts->options = *options;
    if (options->world == NULL)
        accounts->options.world = &world_real;
    accounts->options.world->random(accounts->options.world->context, guard.key, sizeof(guard.key));
    opened = guard_new(&guard, &accounts->guard, diag);
    secret_wipe(guard.key, sizeof(guard.key));
    accounts->arena = arena;
    if (failed(opened))
        accounts_close(&accounts);
    else
        *out = accounts;
    return opened;
}

void accounts_close(struct accounts **accounts)
{
    struct arena arena;

    if (*accounts == NULL)
        return;
    guard_free(&(*accounts)->guard);
    arena = (*accounts)->arena;
    arena_free(&arena);
    *accounts = NULL;
}

/* ---- rights ---- */

unsigned account_rights(struct accounts *accounts, struct kv_txn *txn,
                        const struct account *account, uint32_t collection)
{
    unsigned rights = grant_read(accounts, txn, ANONYMOUS_NUMBER, collection);

    if (account == NULL)
        return rights;
    if (account->is_disabled)
        return 0;
    if ((account->roles & ROLE_ADMIN) != 0)
        return RIGHT_READ | RIGHT_WRITE;
    rights |= grant_read(accounts, txn, account->number, collection);
    return roles_may_write(account->roles) ? rights : rights & ~(unsigned)RIGHT_WRITE;
}

/* Grants to "anonymous" have a number of their own. */
static bool number_for_grant(struct accounts *accounts, struct kv_txn *txn, slice name,
                             uint32_t *number, unsigned *roles)
{
    struct account account;

    *number = ANONYMOUS_NUMBER;
    *roles = 0;
    if (slice_eq(name, SLICE(ACCOUNT_ANONYMOUS)))
        return true;
    if (!account_find(txn, accounts, name, &account))
        return false;
    *number = account.number;
    *roles = account.roles;
    return true;
}

unsigned account_granted(struct accounts *accounts, struct kv_txn *txn, slice name,
                         uint32_t collection)
{
    uint32_t number;
    unsigned roles;

    return number_for_grant(accounts, txn, name, &number, &roles)
               ? grant_read(accounts, txn, number, collection)
               : 0;
}

/* ---- changes ---- */

static result missing(const struct change *change, slice name)
{
    if (failed(change->txn.state))
        return change->txn.state;
    return diag_fail(change->txn.diag, ERR_MISSING, "there is no account \"%.*s\"",
                     SLICE_ARG(slice_head(name, 2 * ACCOUNT_NAME_BYTES_MAX)));
}

result change_find(struct change *change, slice name, struct account *out)
{
    if (!account_find(&change->txn, change->accounts, name, out))
        return missing(change, name);
    return OK;
}

static struct json_writer *entry_about(struct change *change, slice actor,
                                       const struct account *account)
{
    struct json_writer *entry = change_entry(change, actor);

    jw_put_string(entry, SLICE("account"), slice_text(account->name));
    jw_put_u64(entry, SLICE("number"), account->number);
    return entry;
}

static void put_roles(struct json_writer *entry, unsigned roles)
{
    CLEANUP(buf_free) struct buf text = BUF(ROLES_TEXT_BYTES_MAX);

    role_format(roles, &text);
    jw_put_string(entry, SLICE("roles"), buf_slice(&text));
}

void change_add_account(struct change *change, slice name, unsigned roles, const char *hash,
                        slice actor)
{
    struct json_writer *entry = change_entry(change, actor);

    jw_put_string(entry, SLICE("account"), name);
    jw_put_u64(entry, SLICE("number"),
               (uint64_t)user_number_last(change->accounts, &change->txn) + 1);
    put_roles(entry, roles);
    if (hash[0] != '\0')
        jw_put_string(entry, SLICE("password"), slice_text(hash));
    change_append(change, SLICE("account.add"));
}

void change_put_password(struct change *change, const struct account *account, const char *hash,
                         slice actor)
{
    struct json_writer *entry = entry_about(change, actor, account);

    jw_put_string(entry, SLICE("password"), slice_text(hash));
    change_append(change, SLICE("account.password"));
}

static result commit_and_find(struct change *change, slice name, struct account *out)
{
    if (out != NULL)
        (void)account_find(&change->txn, change->accounts, name, out);
    return change_commit(change);
}

result account_add(struct accounts *accounts, slice name, unsigned roles, slice password,
                   slice actor, struct account *out, struct diag *diag)
{
    CLEANUP(hash_wipe) struct password_text hash = {0};
    CLEANUP(change_abort) struct change change = {0};
    struct account account;

    TRY(name_check(name, diag));
    TRY(roles_check(roles, diag));
    if (password.len > 0) {
        TRY(password_check(name, password, diag));
        TRY(password_hash(password, hash.text, diag)); /* slow: before others have to wait */
    }
    change_begin(accounts, &change, diag);
    if (account_find(&change.txn, accounts, name, &account))
        return diag_fail(diag, ERR_CONFLICT, "there is an account \"%.*s\" already",
                         SLICE_ARG(name));
    if (kv_count(&change.txn, accounts->options.users) / 2 >= ACCOUNTS_MAX)
        return diag_fail(diag, ERR_LIMIT, "there are %d accounts already", ACCOUNTS_MAX);
    change_add_account(&change, name, roles, hash.text, actor);
    return commit_and_find(&change, name, out);
}

result account_set_password(struct accounts *accounts, slice name, slice password, slice actor,
                            struct diag *diag)
{
    CLEANUP(hash_wipe) struct password_text hash = {0};
    CLEANUP(change_abort) struct change change = {0};
    struct account account;

    TRY(password_check(name, password, diag));
    TRY(password_hash(password, hash.text, diag));
    change_begin(accounts, &change, diag);
    TRY(change_find(&change, name, &account));
    change_put_password(&change, &account, hash.text, actor);
    return change_commit(&change);
}

result account_set_roles(struct accounts *accounts, slice name, unsigned roles, slice actor,
                         struct diag *diag)
{
    CLEANUP(change_abort) struct change change = {0};
    struct account account;

    TRY(roles_check(roles, diag));
    change_begin(accounts, &change, diag);
    TRY(change_find(&change, name, &account));
    if (account.roles == roles)
        return OK;
    put_roles(entry_about(&change, actor, &account), roles);
    change_append(&change, SLICE("account.roles"));
    return change_commit(&change);
}

result account_set_disabled(struct accounts *accounts, slice name, bool disabled, slice actor,
                            struct diag *diag)
{
    CLEANUP(change_abort) struct change change = {0};
    struct account account;

    change_begin(accounts, &change, diag);
    TRY(change_find(&change, name, &account));
    if (account.is_disabled == disabled)
        return OK;
    jw_put_bool(entry_about(&change, actor, &account), SLICE("disabled"), disabled);
    change_append(&change, SLICE("account.disable"));
    return change_commit(&change);
}

static result identity_check(slice id, const char *what, struct diag *diag)
{
    struct stix_id parsed;

    if (id.len == 0 || (id.len <= ACCOUNT_IDENTITY_BYTES_MAX && stix_id_parse(id, &parsed) &&
                        slice_eq(parsed.type, SLICE("identity"))))
        return OK;
    return diag_fail(diag, ERR_INVALID, "%s: \"%.*s\" is no id of an identity", what,
                     SLICE_ARG(id));
}

result account_set_organisation(struct accounts *accounts, slice name, slice organisation,
                                slice person, slice actor, struct diag *diag)
{
    CLEANUP(change_abort) struct change change = {0};
    struct account account;

    TRY(identity_check(organisation, "organisation", diag));
    TRY(identity_check(person, "person", diag));
    change_begin(accounts, &change, diag);
    TRY(change_find(&change, name, &account));
    if (slice_eq(slice_text(account.organisation), organisation) &&
        slice_eq(slice_text(account.person), person))
        return OK;
    struct json_writer *entry = entry_about(&change, actor, &account);
    if (organisation.len > 0)
        jw_put_string(entry, SLICE("organisation"), organisation);
    if (person.len > 0)
        jw_put_string(entry, SLICE("person"), person);
    change_append(&change, SLICE("account.organisation"));
    return change_commit(&change);
}

result account_remove(struct accounts *accounts, slice name, slice actor, struct diag *diag)
{
    CLEANUP(change_abort) struct change change = {0};
    struct account account;

    change_begin(accounts, &change, diag);
    TRY(change_find(&change, name, &account));
    (void)entry_about(&change, actor, &account);
    change_append(&change, SLICE("account.remove"));
    return change_commit(&change);
}

static void append_grant(struct change *change, slice name, uint32_t number, uint32_t collection,
                         unsigned rights, slice actor)
{
    struct json_writer *entry = change_entry(change, actor);

    jw_put_string(entry, SLICE("account"), name);
    jw_put_u64(entry, SLICE("number"), number);
    jw_put_u64(entry, SLICE("collection"), collection);
    jw_key(entry, SLICE("rights"));
    jw_array_begin(entry);
    if ((rights & RIGHT_READ) != 0)
        jw_string(entry, SLICE("read"));
    if ((rights & RIGHT_WRITE) != 0)
        jw_string(entry, SLICE("write"));
    jw_array_end(entry);
    change_append(change, SLICE("grant"));
}

result account_grant(struct accounts *accounts, slice name, uint32_t collection, unsigned rights,
                     slice actor, struct diag *diag)
{
    CLEANUP(change_abort) struct change change = {0};
    unsigned roles;
    uint32_t number;

    assert((rights & ~(unsigned)(RIGHT_READ | RIGHT_WRITE)) == 0);
    change_begin(accounts, &change, diag);
    if (!number_for_grant(accounts, &change.txn, name, &number, &roles))
        return missing(&change, name);
    if ((rights & RIGHT_WRITE) != 0 && !roles_may_write(roles))
        return diag_fail(diag, ERR_DENIED,
                         "\"%.*s\" is a reader and never writes: give it another role first",
                         SLICE_ARG(name));
    if (grant_read(accounts, &change.txn, number, collection) == rights)
        return change.txn.state;
    append_grant(&change, name, number, collection, rights, actor);
    return change_commit(&change);
}
