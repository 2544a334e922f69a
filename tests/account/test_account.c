#include "account/fixture.h"

#include "base/fault.h"

#include "base/banned.h"

static bool find(struct fixture *f, slice name, struct account *out)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};

    kv_begin_read(f->kv, &txn, NULL);
    return account_find(&txn, f->accounts, name, out);
}

static unsigned rights(struct fixture *f, slice name, uint32_t collection)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct account account;

    kv_begin_read(f->kv, &txn, NULL);
    if (slice_eq(name, SLICE(ACCOUNT_ANONYMOUS)))
        return account_rights(f->accounts, &txn, NULL, collection);
    assert_true(account_find(&txn, f->accounts, name, &account));
    return account_rights(f->accounts, &txn, &account, collection);
}

static void grant(struct fixture *f, slice name, uint32_t collection, unsigned set)
{
    MUST(account_grant(f->accounts, name, collection, set, SLICE("cli"), &f->diag));
}

/* ---- names, roles, passwords ---- */

static void roles_are_read_and_written(void **state)
{
    static const struct {
        const char *name;
        slice text;
        bool is_lawful;
        unsigned roles;
        slice written;
    } texts[] = {
        {"one", S("analyst"), true, ROLE_ANALYST, S("analyst")},
        {"two", S("releaser,analyst"), true, ROLE_ANALYST | ROLE_RELEASER, S("analyst,releaser")},
        {"twice", S("reader,reader"), true, ROLE_READER, S("reader")},
        {"blanks", S("sensor, admin"), true, ROLE_ADMIN | ROLE_SENSOR, S("admin,sensor")},
        {"all", S("admin,analyst,releaser,reader,sensor"), true, 31,
         S("admin,analyst,releaser,reader,sensor")},
        {"none", S(""), false, 0, S("")},
        {"a comma too many", S("admin,"), false, 0, S("")},
        {"unknown", S("root"), false, 0, S("")},
        {"another case", S("Admin"), false, 0, S("")},
    };

    (void)state;
    CHECK_ROWS(row, texts) {
        CLEANUP(buf_free) struct buf text = BUF(ROLES_TEXT_BYTES_MAX);
        unsigned roles = 77;

        assert_true(role_parse(row->text, &roles) == row->is_lawful);
        if (!row->is_lawful) {
            assert_int_equal(roles, 77);
            continue;
        }
        assert_int_equal(roles, row->roles);
        role_format(roles, &text);
        assert_true(slice_eq(buf_slice(&text), row->written));
    }
}

static void what_may_not_be_is_refused(void **state)
{
    static char long_text[2000];
    static const struct {
        const char *name;
        slice account;
        unsigned roles;
        slice password;
        enum err code;
        const char *words;
    } bad[] = {
        {"no name", S(""), ROLE_READER, S(""), ERR_INVALID, "is no account name"},
        {"capitals", S("Sato"), ROLE_READER, S(""), ERR_INVALID, "is no account name"},
        {"a sign first", S(".sato"), ROLE_READER, S(""), ERR_INVALID, "is no account name"},
        {"a colon", S("sa:to"), ROLE_READER, S(""), ERR_INVALID, "is no account name"},
        {"a control character", S("sa\nto"), ROLE_READER, S(""), ERR_INVALID,
         "\"sa\\x0ato\" is no account name"},
        {"not ASCII", S("s\xc3\xa4to"), ROLE_READER, S(""), ERR_INVALID, "is no account name"},
        {"65 letters", {long_text, 65}, ROLE_READER, S(""), ERR_INVALID, "is no account name"},
        {"anonymous", S("anonymous"), ROLE_READER, S(""), ERR_INVALID, "without credentials"},
        {"no role", S("sato"), 0, S(""), ERR_INVALID, "one or more of the roles"},
        {"an unknown role", S("sato"), 32, S(""), ERR_INVALID, "one or more of the roles"},
        {"11 characters", S("sato"), ROLE_READER, S("12345678901"), ERR_INVALID, "too short"},
        {"11 characters of 3 bytes", S("sato"), ROLE_READER,
         S("\xe3\x81\x82\xe3\x81\x82\xe3\x81\x82\xe3\x81\x82\xe3\x81\x82\xe3\x81\x82\xe3\x81\x82"
           "\xe3\x81\x82\xe3\x81\x82\xe3\x81\x82\xe3\x81\x82"),
         ERR_INVALID, "too short"},
        {"too long",
         S("sato"),
         ROLE_READER,
         {long_text, PASSWORD_BYTES_MAX + 1},
         ERR_LIMIT,
         "too long"},
        {"no UTF-8", S("sato"), ROLE_READER, S("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
         ERR_INVALID, "not UTF-8"},
        {"the name again", S("sato@example"), ROLE_READER, S("sato@example"), ERR_INVALID,
         "the account's name"},
    };
    struct fixture *f = *state;

    memset(long_text, 'a', sizeof(long_text));
    CHECK_ROWS(row, bad) {
        struct account account;

        refused(f,
                account_add(f->accounts, row->account, row->roles, row->password, SLICE("cli"),
                            &account, &f->diag),
                row->code, row->words);
    }
    assert_int_equal(entry_count(f), 0);
}

/* ---- accounts ---- */

static void accounts_are_kept(void **state)
{
    struct fixture *f = *state;
    struct account account;

    add(f, SLICE("sato@example"), ROLE_ANALYST | ROLE_RELEASER, GOOD_PASSWORD);
    add(f, SLICE("0robot"), ROLE_SENSOR, SLICE(""));
    fixture_close(f);
    fixture_open(f);
    assert_true(find(f, SLICE("sato@example"), &account));
    assert_string_equal(account.name, "sato@example");
    assert_int_equal(account.number, 1);
    assert_int_equal(account.roles, ROLE_ANALYST | ROLE_RELEASER);
    assert_true(account.has_password && !account.is_disabled);
    assert_int_equal(account.created_us, NOW_US);
    assert_true(find(f, SLICE("0robot"), &account));
    assert_true(!account.has_password && account.created_us == NOW_US + 1);
    assert_false(find(f, SLICE("nobody"), &account));
    refused(f,
            account_add(f->accounts, SLICE("0robot"), ROLE_READER, SLICE(""), SLICE("cli"),
                        &account, &f->diag),
            ERR_CONFLICT, "there is an account \"0robot\" already");
}

static void lists_go_by_name(void **state)
{
    struct fixture *f = *state;
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct account account;

    add(f, SLICE("c"), ROLE_READER, SLICE(""));
    add(f, SLICE("a"), ROLE_READER, SLICE(""));
    add(f, SLICE("b"), ROLE_READER, SLICE(""));
    kv_begin_read(f->kv, &txn, NULL);
    for (size_t i = 0; i < 3; i++) {
        assert_true(account_at(&txn, f->accounts, i, &account));
        assert_int_equal(account.name[0], 'a' + i);
    }
    assert_false(account_at(&txn, f->accounts, 3, &account));
    assert_true(account_numbered(&txn, f->accounts, 1, &account) && account.name[0] == 'c');
    assert_false(account_numbered(&txn, f->accounts, 0, &account));
    assert_false(account_numbered(&txn, f->accounts, 4, &account));
}

static void what_is_so_already_makes_no_entry(void **state)
{
    struct fixture *f = *state;
    uint64_t count;

    add(f, SLICE("a"), ROLE_ANALYST, SLICE(""));
    grant(f, SLICE("a"), 1, RIGHT_READ);
    count = entry_count(f);
    grant(f, SLICE("a"), 1, RIGHT_READ);
    grant(f, SLICE("a"), 2, 0);
    MUST(account_set_roles(f->accounts, SLICE("a"), ROLE_ANALYST, SLICE("cli"), &f->diag));
    MUST(account_set_disabled(f->accounts, SLICE("a"), false, SLICE("cli"), &f->diag));
    assert_int_equal(entry_count(f), count);
}

static void unknown_names_are_missing(void **state)
{
    struct fixture *f = *state;
    char text[TOKEN_TEXT_BYTES_MAX];
    struct account_token token;
    const slice name = SLICE("nobody"), actor = SLICE("cli");

    refused(f, account_set_password(f->accounts, name, GOOD_PASSWORD, actor, &f->diag), ERR_MISSING,
            "there is no account \"nobody\"");
    refused(f, account_set_roles(f->accounts, name, ROLE_READER, actor, &f->diag), ERR_MISSING,
            "there is no account");
    refused(f, account_set_disabled(f->accounts, name, true, actor, &f->diag), ERR_MISSING,
            "there is no account");
    refused(f, account_remove(f->accounts, name, actor, &f->diag), ERR_MISSING,
            "there is no account");
    refused(f, account_grant(f->accounts, name, 1, RIGHT_READ, actor, &f->diag), ERR_MISSING,
            "there is no account");
    refused(f, account_token_add(f->accounts, name, SLICE(""), 0, actor, text, &token, &f->diag),
            ERR_MISSING, "there is no account");
    refused(f, account_token_remove(f->accounts, SLICE("0123456789abcdef"), actor, &f->diag),
            ERR_MISSING, "there is no token \"0123456789abcdef\"");
    refused(f, account_token_remove(f->accounts, SLICE(""), actor, &f->diag), ERR_MISSING,
            "there is no token");
    assert_int_equal(entry_count(f), 0);
}

/* ---- rights ---- */

static void rights_come_from_roles_and_grants(void **state)
{
    enum { READ = RIGHT_READ, WRITE = RIGHT_WRITE, BOTH = RIGHT_READ | RIGHT_WRITE };
    static const struct {
        const char *name;
        slice account;
        unsigned rights[4]; /* on collections 1 to 4 */
    } accounts[] = {
        {"anonymous", S("anonymous"), {0, READ, WRITE, 0}},
        {"admin", S("admin"), {BOTH, BOTH, BOTH, BOTH}},
        {"analyst", S("analyst"), {BOTH, READ, WRITE, 0}},
        {"reader", S("reader"), {READ, READ, 0, 0}},
        {"admin and reader", S("both"), {BOTH, BOTH, BOTH, BOTH}},
        {"sensor", S("sensor"), {WRITE, READ, WRITE, 0}},
        {"disabled", S("gone"), {0, 0, 0, 0}},
    };
    struct fixture *f = *state;

    add(f, SLICE("admin"), ROLE_ADMIN, SLICE(""));
    add(f, SLICE("analyst"), ROLE_ANALYST, SLICE(""));
    add(f, SLICE("reader"), ROLE_ANALYST, SLICE(""));
    add(f, SLICE("both"), ROLE_ADMIN | ROLE_READER, SLICE(""));
    add(f, SLICE("sensor"), ROLE_SENSOR, SLICE(""));
    add(f, SLICE("gone"), ROLE_ADMIN, SLICE(""));
    grant(f, SLICE("anonymous"), 2, RIGHT_READ);
    grant(f, SLICE("anonymous"), 3, RIGHT_WRITE);
    grant(f, SLICE("analyst"), 1, BOTH);
    grant(f, SLICE("reader"), 1, BOTH);
    grant(f, SLICE("sensor"), 1, RIGHT_WRITE);
    MUST(account_set_roles(f->accounts, SLICE("reader"), ROLE_READER, SLICE("cli"), &f->diag));
    MUST(account_set_disabled(f->accounts, SLICE("gone"), true, SLICE("cli"), &f->diag));
    CHECK_ROWS(row, accounts) {
        for (uint32_t collection = 1; collection <= 4; collection++)
            assert_int_equal(rights(f, row->account, collection), row->rights[collection - 1]);
    }
}

static void readers_are_not_granted_writing(void **state)
{
    struct fixture *f = *state;

    add(f, SLICE("r"), ROLE_READER, SLICE(""));
    refused(
        f,
        account_grant(f->accounts, SLICE("r"), 1, RIGHT_READ | RIGHT_WRITE, SLICE("cli"), &f->diag),
        ERR_DENIED, "\"r\" is a reader and never writes");
    assert_int_equal(rights(f, SLICE("r"), 1), 0);
}

static void grants_can_be_taken_away_and_listed(void **state)
{
    struct fixture *f = *state;
    CLEANUP(kv_abort) struct kv_txn txn = {0};

    add(f, SLICE("a"), ROLE_ADMIN, SLICE(""));
    grant(f, SLICE("a"), 1, RIGHT_READ);
    grant(f, SLICE("a"), 2, RIGHT_WRITE);
    grant(f, SLICE("a"), 2, 0);
    kv_begin_read(f->kv, &txn, NULL);
    assert_int_equal(account_granted(f->accounts, &txn, SLICE("a"), 1), RIGHT_READ);
    assert_int_equal(account_granted(f->accounts, &txn, SLICE("a"), 2), 0);
    assert_int_equal(account_granted(f->accounts, &txn, SLICE("b"), 1), 0);
    assert_int_equal(account_granted(f->accounts, &txn, SLICE("anonymous"), 1), 0);
}

static void everything_of_a_removed_account_goes_with_it(void **state)
{
    struct fixture *f = *state;
    char text[TOKEN_TEXT_BYTES_MAX];
    struct account account;
    struct account_token token;
    struct kv_txn txn;

    add(f, SLICE("keeps"), ROLE_ANALYST, SLICE(""));
    add(f, SLICE("goes"), ROLE_ANALYST, SLICE(""));
    for (int i = 0; i < 40; i++) {
        slice name = i % 2 != 0 ? SLICE("keeps") : SLICE("goes");

        MUST(account_token_add(f->accounts, name, SLICE(""), 0, SLICE("cli"), text, &token,
                               &f->diag));
        grant(f, name, (uint32_t)i, RIGHT_READ);
    }
    MUST(account_remove(f->accounts, SLICE("goes"), SLICE("cli"), &f->diag));
    assert_false(find(f, SLICE("goes"), &account));
    kv_begin_read(f->kv, &txn, NULL);
    assert_int_equal(kv_count(&txn, 4), 2 * 20);
    assert_int_equal(kv_count(&txn, 5), 20);
    for (size_t i = 0; account_token_at(&txn, f->accounts, i, &token); i++)
        assert_int_equal(token.account, 1);
    kv_abort(&txn);
    add(f, SLICE("goes"), ROLE_ANALYST, SLICE("")); /* the same name is another account */
    assert_true(find(f, SLICE("goes"), &account));
    assert_int_equal(account.number, 3);
    assert_int_equal(rights(f, SLICE("goes"), 2), 0);
}

/* ---- tokens ---- */

static void tokens_are_listed_without_their_secret(void **state)
{
    struct fixture *f = *state;
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    char text[TOKEN_TEXT_BYTES_MAX];
    struct account_token added, token;
    slice entry;

    add(f, SLICE("a"), ROLE_READER, SLICE(""));
    MUST(account_token_add(f->accounts, SLICE("a"), SLICE("nightly \"pull\""), NOW_US + 1000000,
                           SLICE("cli"), text, &added, &f->diag));
    assert_int_equal(strlen(text), 4 + 16 + 1 + 43);
    kv_begin_read(f->kv, &txn, NULL);
    assert_true(account_token_at(&txn, f->accounts, 0, &token));
    assert_string_equal(token.id, added.id);
    assert_true(slice_eq(slice_of(text + 4, 16), slice_text(token.id)));
    assert_string_equal(token.label, "nightly \"pull\"");
    assert_int_equal(token.account, 1);
    assert_int_equal(token.created_us, NOW_US + 1);
    assert_int_equal(token.expires_us, NOW_US + 1000000);
    assert_false(account_token_at(&txn, f->accounts, 1, &token));
    assert_true(ledger_read(&txn, 0, 1, &entry));
    assert_true(slice_find(entry, slice_of(text + 21, 43)) == SIZE_MAX);
}

static void bad_tokens_are_not_made(void **state)
{
    struct fixture *f = *state;
    char text[TOKEN_TEXT_BYTES_MAX];
    struct account_token token;
    static char long_label[65];

    memset(long_label, 'x', sizeof(long_label));
    add(f, SLICE("a"), ROLE_READER, SLICE(""));
    refused(f,
            account_token_add(f->accounts, SLICE("a"), SLICE(""), NOW_US, SLICE("cli"), text,
                              &token, &f->diag),
            ERR_INVALID, "expired already");
    refused(f,
            account_token_add(f->accounts, SLICE("a"), SLICE("a\nb"), 0, SLICE("cli"), text, &token,
                              &f->diag),
            ERR_INVALID, "control character");
    refused(f,
            account_token_add(f->accounts, SLICE("a"), SLICE("\xff"), 0, SLICE("cli"), text, &token,
                              &f->diag),
            ERR_INVALID, "not UTF-8");
    refused(f,
            account_token_add(f->accounts, SLICE("a"), slice_of(long_label, 65), 0, SLICE("cli"),
                              text, &token, &f->diag),
            ERR_LIMIT, "too long");
    assert_int_equal(text[0], '\0');
}

/* ---- set-up ---- */

static void a_set_up_secret_makes_one_admin_once(void **state)
{
    struct fixture *f = *state;
    char secret[TOKEN_TEXT_BYTES_MAX];
    struct account account;

    MUST(account_setup_begin(f->accounts, NOW_US + 1000000, secret, &f->diag));
    fixture_close(f);
    fixture_open(f); /* it outlives the process */
    refused(f,
            account_setup_finish(f->accounts, SLICE("setup_x"), SLICE("admin"), GOOD_PASSWORD,
                                 &f->diag),
            ERR_DENIED, "wrong, used or too old");
    refused(f,
            account_setup_finish(f->accounts, slice_text(secret), SLICE("admin"), SLICE("short"),
                                 &f->diag),
            ERR_INVALID, "too short");
    MUST(account_setup_finish(f->accounts, slice_text(secret), SLICE("admin"), GOOD_PASSWORD,
                              &f->diag));
    assert_true(find(f, SLICE("admin"), &account));
    assert_true(account.roles == ROLE_ADMIN && account.has_password);
    refused(f,
            account_setup_finish(f->accounts, slice_text(secret), SLICE("admin2"), GOOD_PASSWORD,
                                 &f->diag),
            ERR_DENIED, "wrong, used or too old");
}

static void a_set_up_secret_ends_in_time_and_by_a_new_one(void **state)
{
    struct fixture *f = *state;
    char first[TOKEN_TEXT_BYTES_MAX], second[TOKEN_TEXT_BYTES_MAX];

    MUST(account_setup_begin(f->accounts, NOW_US + 1000000, first, &f->diag));
    MUST(account_setup_begin(f->accounts, NOW_US + 1000000, second, &f->diag));
    refused(
        f,
        account_setup_finish(f->accounts, slice_text(first), SLICE("a"), GOOD_PASSWORD, &f->diag),
        ERR_DENIED, "wrong, used or too old");
    f->now_us = NOW_US + 1000000;
    refused(
        f,
        account_setup_finish(f->accounts, slice_text(second), SLICE("a"), GOOD_PASSWORD, &f->diag),
        ERR_DENIED, "wrong, used or too old");
    refused(f, account_setup_finish(f->accounts, SLICE(""), SLICE("a"), GOOD_PASSWORD, &f->diag),
            ERR_DENIED, "wrong, used or too old");
}

static void set_up_renews_an_admins_password_and_no_one_elses(void **state)
{
    struct fixture *f = *state;
    char secret[TOKEN_TEXT_BYTES_MAX];
    struct account account;

    add(f, SLICE("boss"), ROLE_ADMIN, SLICE(""));
    add(f, SLICE("a"), ROLE_ANALYST, SLICE(""));
    MUST(account_setup_begin(f->accounts, NOW_US + 1000000, secret, &f->diag));
    refused(
        f,
        account_setup_finish(f->accounts, slice_text(secret), SLICE("a"), GOOD_PASSWORD, &f->diag),
        ERR_CONFLICT, "which is no admin in use");
    MUST(account_setup_finish(f->accounts, slice_text(secret), SLICE("boss"), GOOD_PASSWORD,
                              &f->diag));
    assert_true(find(f, SLICE("boss"), &account) && account.has_password);
}

/* ---- the log ---- */

static struct hash256 tables_hash(struct kv_txn *txn)
{
    struct sha256_state hash;

    sha256_init(&hash);
    for (kv_table table = 3; table <= 5; table++) {
        CLEANUP(kv_cursor_close) struct kv_cursor cursor;

        kv_cursor_open(txn, table, &cursor);
        while (kv_next(&cursor)) {
            sha256_add(&hash, cursor.key);
            sha256_add(&hash, cursor.value);
        }
    }
    return sha256_end(&hash);
}

static void one_of_everything(struct fixture *f)
{
    char text[TOKEN_TEXT_BYTES_MAX];
    struct account_token token;

    MUST(account_setup_begin(f->accounts, NOW_US + 1000000, text, &f->diag));
    MUST(account_setup_finish(f->accounts, slice_text(text), SLICE("admin"), GOOD_PASSWORD,
                              &f->diag));
    add(f, SLICE("a"), ROLE_ANALYST, GOOD_PASSWORD);
    add(f, SLICE("b"), ROLE_SENSOR, SLICE(""));
    add(f, SLICE("c"), ROLE_READER, SLICE(""));
    MUST(account_set_password(f->accounts, SLICE("b"), GOOD_PASSWORD, SLICE("b"), &f->diag));
    MUST(account_set_roles(f->accounts, SLICE("c"), ROLE_ANALYST, SLICE("admin"), &f->diag));
    MUST(account_set_disabled(f->accounts, SLICE("a"), true, SLICE("admin"), &f->diag));
    grant(f, SLICE("a"), 1, RIGHT_READ);
    grant(f, SLICE("c"), 7, RIGHT_READ | RIGHT_WRITE);
    grant(f, SLICE("anonymous"), 1, RIGHT_READ);
    grant(f, SLICE("anonymous"), 1, 0);
    for (int i = 0; i < 3; i++)
        MUST(account_token_add(f->accounts, SLICE("a"), SLICE("l\xc3\xa9\\\""),
                               i == 0 ? 0 : NOW_US * 2, SLICE("cli"), text, &token, &f->diag));
    MUST(account_token_remove(f->accounts, slice_text(token.id), SLICE("cli"), &f->diag));
    MUST(account_token_add(f->accounts, SLICE("c"), SLICE(""), 0, SLICE("cli"), text, &token,
                           &f->diag));
    MUST(account_remove(f->accounts, SLICE("c"), SLICE("cli"), &f->diag));
    MUST(account_setup_begin(f->accounts, NOW_US + 1000000, text, &f->diag));
}

static void tables_are_derived_again_from_the_log(void **state)
{
    struct fixture *f = *state;
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct hash256 before, empty, after;
    struct kv_txn txn;

    one_of_everything(f);
    MUST(json_parser_new(LEDGER_DEPTH_MAX, &parser, &f->diag));
    kv_begin_write(f->kv, &txn, &f->diag);
    before = tables_hash(&txn);
    account_clear_derived(f->accounts, &txn);
    empty = tables_hash(&txn);
    for (uint64_t number = 0; number < ledger_count(&txn, 0); number++) {
        struct ledger_entry entry;
        slice text;

        assert_true(ledger_read(&txn, 0, number, &text));
        MUST(ledger_parse(parser, text, &entry, &f->diag));
        assert_true(account_apply(f->accounts, &txn, entry.kind, number, text));
    }
    after = tables_hash(&txn);
    MUST(kv_commit(&txn));
    assert_false(hash256_eq(&before, &empty));
    assert_true(hash256_eq(&before, &after));
}

static void entries_of_others_are_left_alone_and_bad_ones_stop(void **state)
{
    static const struct {
        const char *name;
        slice kind, entry;
        bool is_ours;
        enum err code;
    } entries[] = {
        {"of others", S("objects"), S("{}"), false, ERR_NONE},
        {"a prefix of ours", S("account"), S("{}"), false, ERR_NONE},
        {"no account there", S("account.password"),
         S("{\"account\":\"x\",\"at\":\"2026-01-01T00:00:00.000000Z\",\"kind\":\"account."
           "password\",\"number\":9}"),
         true, ERR_CORRUPT},
        {"no name", S("account.add"),
         S("{\"at\":\"2026-01-01T00:00:00.000000Z\",\"kind\":\"account.add\",\"number\":1,"
           "\"roles\":\"admin\"}"),
         true, ERR_CORRUPT},
        {"a long name", S("account.add"),
         S("{\"account\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\","
           "\"at\":\"2026-01-01T00:00:00.000000Z\",\"kind\":\"account.add\",\"number\":1,"
           "\"roles\":\"admin\"}"),
         true, ERR_CORRUPT},
        {"number 0", S("account.add"),
         S("{\"account\":\"x\",\"at\":\"2026-01-01T00:00:00.000000Z\",\"kind\":\"account.add\","
           "\"number\":0,\"roles\":\"admin\"}"),
         true, ERR_CORRUPT},
        {"a number too large", S("grant"),
         S("{\"at\":\"2026-01-01T00:00:00.000000Z\",\"collection\":4294967296,\"kind\":\"grant\","
           "\"number\":0,\"rights\":[]}"),
         true, ERR_CORRUPT},
        {"an unknown right", S("grant"),
         S("{\"at\":\"2026-01-01T00:00:00.000000Z\",\"collection\":1,\"kind\":\"grant\","
           "\"number\":0,\"rights\":[\"own\"]}"),
         true, ERR_CORRUPT},
        {"a short hash", S("setup.begin"),
         S("{\"at\":\"2026-01-01T00:00:00.000000Z\",\"hash\":\"00\",\"kind\":\"setup.begin\"}"),
         true, ERR_CORRUPT},
        {"no JSON", S("grant"), S("{"), true, ERR_CORRUPT},
    };
    struct fixture *f = *state;

    CHECK_ROWS(row, entries) {
        CLEANUP(kv_abort) struct kv_txn txn = {0};

        diag_reset(&f->diag);
        kv_begin_write(f->kv, &txn, &f->diag);
        assert_true(account_apply(f->accounts, &txn, row->kind, 3, row->entry) == row->is_ours);
        assert_int_equal(txn.state.code, row->code);
        assert_true(row->code == ERR_NONE ||
                    strstr(f->diag.text, "log: entry 3: ") == f->diag.text);
    }
}

#ifdef ENTENTE_FAULTS
static result some_changes(struct fixture *f, struct diag *diag)
{
    char text[TOKEN_TEXT_BYTES_MAX];
    struct account account;
    struct account_token token;
    const slice cli = SLICE("cli");

    TRY(account_add(f->accounts, SLICE("b"), ROLE_ANALYST, SLICE(""), cli, &account, diag));
    TRY(account_grant(f->accounts, SLICE("b"), 1, RIGHT_READ, cli, diag));
    TRY(account_token_add(f->accounts, SLICE("b"), SLICE("l"), 0, cli, text, &token, diag));
    TRY(account_token_remove(f->accounts, slice_text(token.id), cli, diag));
    TRY(account_setup_begin(f->accounts, NOW_US + 1, text, diag));
    return account_remove(f->accounts, SLICE("b"), cli, diag);
}

static void every_failure_has_words_and_whole_entries(void **state)
{
    struct fixture *f = *state;
    unsigned long nth = 0;
    bool fired;
    result r;

    do {
        struct diag diag = {0};
        struct account account;

        fault_arm(++nth);
        r = some_changes(f, &diag);
        fired = fault_fired();
        fault_arm(0);
        assert_true(failed(r) == fired);
        assert_true(failed(r) == (diag.text[0] != '\0'));
        if (find(f, SLICE("b"), &account))
            MUST(account_remove(f->accounts, SLICE("b"), SLICE("cli"), &f->diag));
    } while (fired);
    assert_true(nth > 20);
}
#endif

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(roles_are_read_and_written),
        CASE(what_may_not_be_is_refused),
        CASE(accounts_are_kept),
        CASE(lists_go_by_name),
        CASE(what_is_so_already_makes_no_entry),
        CASE(unknown_names_are_missing),
        CASE(rights_come_from_roles_and_grants),
        CASE(readers_are_not_granted_writing),
        CASE(grants_can_be_taken_away_and_listed),
        CASE(everything_of_a_removed_account_goes_with_it),
        CASE(tokens_are_listed_without_their_secret),
        CASE(bad_tokens_are_not_made),
        CASE(a_set_up_secret_makes_one_admin_once),
        CASE(a_set_up_secret_ends_in_time_and_by_a_new_one),
        CASE(set_up_renews_an_admins_password_and_no_one_elses),
        CASE(tables_are_derived_again_from_the_log),
        CASE(entries_of_others_are_left_alone_and_bad_ones_stop),
#ifdef ENTENTE_FAULTS
        CASE(every_failure_has_words_and_whole_entries),
#endif
    };

    return cmocka_run_group_tests_name("account", tests, NULL, NULL);
}
