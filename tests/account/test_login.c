#include "account/fixture.h"

#include <pthread.h>

#include "account/guard.h"
#include "base/encode.h"

#include "base/banned.h"

#define S_NS 1000000000ull
#define WRONG SLICE("not the password")
#define HERE SLICE("192.0.2.1")
#define THERE SLICE("198.51.100.7")

static enum login log_in(struct fixture *f, slice header, slice peer, struct account *account,
                         unsigned *wait_s)
{
    CLEANUP(kv_abort) struct kv_txn txn;

    kv_begin_read(f->kv, &txn, &f->diag);
    return account_login(f->accounts, &txn, header, peer, account, wait_s);
}

/* "name:password" as the header carries it. */
static enum login basic(struct fixture *f, slice name, slice password, slice peer, unsigned *wait_s)
{
    CLEANUP(buf_free) struct buf text = BUF(4096);
    CLEANUP(buf_free) struct buf header = BUF(8192);
    struct account account;
    enum login verdict;

    buf_put(&text, name);
    buf_byte(&text, ':');
    buf_put(&text, password);
    buf_put(&header, SLICE("Basic "));
    base64_encode(&header, buf_slice(&text));
    verdict = log_in(f, buf_slice(&header), peer, &account, wait_s);
    assert_true((verdict == LOGIN_OK) == slice_eq(slice_text(account.name), name));
    assert_true((verdict == LOGIN_WAIT) == (*wait_s > 0));
    return verdict;
}

static enum login try(struct fixture *f, slice name, slice password, slice peer)
{
    unsigned wait_s;

    return basic(f, name, password, peer, &wait_s);
}

static enum login bearer(struct fixture *f, const char *text, slice peer)
{
    CLEANUP(buf_free) struct buf header = BUF(256);
    struct account account;
    unsigned wait_s;

    buf_printf(&header, "Bearer %s", text);
    return log_in(f, buf_slice(&header), peer, &account, &wait_s);
}

static void token_for(struct fixture *f, slice name, int64_t expires_us,
                      char text[TOKEN_TEXT_BYTES_MAX], struct account_token *token)
{
    MUST(account_token_add(f->accounts, name, SLICE("t"), expires_us, SLICE("cli"), text, token,
                           &f->diag));
}

static void the_right_password_logs_in_and_no_other(void **state)
{
    struct fixture *f = *state;
    unsigned wait_s;
    struct account account;

    add(f, SLICE("sato"), ROLE_ANALYST, GOOD_PASSWORD);
    add(f, SLICE("robot"), ROLE_SENSOR, SLICE(""));
    assert_int_equal(try(f, SLICE("sato"), GOOD_PASSWORD, HERE), LOGIN_OK);
    assert_int_equal(try(f, SLICE("sato"), GOOD_PASSWORD, HERE), LOGIN_OK);
    assert_int_equal(try(f, SLICE("sato"), WRONG, HERE), LOGIN_WRONG);
    assert_int_equal(try(f, SLICE("robot"), SLICE(""), THERE), LOGIN_WRONG);
    assert_int_equal(try(f, SLICE("nobody"), GOOD_PASSWORD, THERE), LOGIN_WRONG);
    assert_int_equal(log_in(f, SLICE(""), HERE, &account, &wait_s), LOGIN_NONE);
    assert_int_equal(log_in(f, SLICE("Basic !"), HERE, &account, &wait_s), LOGIN_WRONG);
    assert_int_equal(log_in(f, SLICE("Digest x"), HERE, &account, &wait_s), LOGIN_WRONG);
}

/* The stand-in hash for unknown names costs what a real one does. */
static void unknown_names_cost_as_much(void **state)
{
    struct fixture *f = *state;
    char hash[PASSWORD_HASH_BYTES_MAX];
    const char *costs = "$argon2id$v=19$m=65536,t=2,p=1$";

    MUST(password_hash(GOOD_PASSWORD, hash, &f->diag));
    assert_true(slice_starts(slice_text(hash), slice_text(costs)));
    assert_int_equal(try(f, SLICE("nobody"), SLICE("x"), HERE), LOGIN_WRONG);
}

static void a_changed_password_holds_at_once(void **state)
{
    struct fixture *f = *state;
    const slice other = SLICE("another good password");

    add(f, SLICE("sato"), ROLE_ANALYST, GOOD_PASSWORD);
    assert_int_equal(try(f, SLICE("sato"), GOOD_PASSWORD, HERE), LOGIN_OK);
    MUST(account_set_password(f->accounts, SLICE("sato"), other, SLICE("cli"), &f->diag));
    assert_int_equal(try(f, SLICE("sato"), GOOD_PASSWORD, HERE), LOGIN_WRONG);
    assert_int_equal(try(f, SLICE("sato"), other, HERE), LOGIN_OK);
}

static void a_disabled_or_removed_account_is_out_at_once(void **state)
{
    struct fixture *f = *state;
    char text[TOKEN_TEXT_BYTES_MAX];
    struct account_token token;
    const slice name = SLICE("sato");

    add(f, name, ROLE_ANALYST, GOOD_PASSWORD);
    token_for(f, name, 0, text, &token);
    assert_int_equal(try(f, name, GOOD_PASSWORD, HERE), LOGIN_OK);
    MUST(account_set_disabled(f->accounts, name, true, SLICE("cli"), &f->diag));
    assert_int_equal(try(f, name, GOOD_PASSWORD, HERE), LOGIN_WRONG);
    assert_int_equal(bearer(f, text, HERE), LOGIN_WRONG);
    MUST(account_set_disabled(f->accounts, name, false, SLICE("cli"), &f->diag));
    assert_int_equal(try(f, name, GOOD_PASSWORD, HERE), LOGIN_OK);
    assert_int_equal(bearer(f, text, HERE), LOGIN_OK);
    MUST(account_remove(f->accounts, name, SLICE("cli"), &f->diag));
    assert_int_equal(bearer(f, text, HERE), LOGIN_WRONG);
    add(f, name, ROLE_ANALYST, SLICE("another good password"));
    assert_int_equal(try(f, name, GOOD_PASSWORD, THERE), LOGIN_WRONG);
}

static void tokens_log_in_until_they_end(void **state)
{
    struct fixture *f = *state;
    char text[TOKEN_TEXT_BYTES_MAX], second[TOKEN_TEXT_BYTES_MAX], forged[TOKEN_TEXT_BYTES_MAX];
    struct account_token token, other;

    add(f, SLICE("robot"), ROLE_SENSOR, SLICE(""));
    token_for(f, SLICE("robot"), NOW_US + 1000, text, &token);
    token_for(f, SLICE("robot"), 0, second, &other);
    assert_int_equal(bearer(f, text, HERE), LOGIN_OK);
    memcpy(forged, text, sizeof(forged));
    forged[30] = forged[30] == 'x' ? 'y' : 'x';
    assert_int_equal(bearer(f, forged, SLICE("")), LOGIN_WRONG);
    memcpy(forged, text, sizeof(forged));
    memcpy(forged + 4, "0000000000000000", 16);
    assert_int_equal(bearer(f, forged, SLICE("")), LOGIN_WRONG);
    f->now_us = NOW_US + 999;
    assert_int_equal(bearer(f, text, HERE), LOGIN_OK);
    f->now_us = NOW_US + 1000;
    assert_int_equal(bearer(f, text, HERE), LOGIN_WRONG);
    assert_int_equal(bearer(f, second, HERE), LOGIN_OK);
    MUST(account_token_remove(f->accounts, slice_text(other.id), SLICE("cli"), &f->diag));
    assert_int_equal(bearer(f, second, HERE), LOGIN_WRONG);
}

static void who_fails_again_and_again_waits_longer_and_longer(void **state)
{
    struct fixture *f = *state;
    static const unsigned waits[] = {1, 2, 4, 8, 8};
    unsigned wait_s;

    add(f, SLICE("sato"), ROLE_ANALYST, GOOD_PASSWORD);
    assert_int_equal(try(f, SLICE("sato"), WRONG, HERE), LOGIN_WRONG);
    assert_int_equal(try(f, SLICE("sato"), WRONG, HERE), LOGIN_WRONG);
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        assert_int_equal(try(f, SLICE("sato"), WRONG, HERE), LOGIN_WRONG);
        assert_int_equal(basic(f, SLICE("sato"), GOOD_PASSWORD, HERE, &wait_s), LOGIN_WAIT);
        assert_int_equal(wait_s, waits[i]);
        f->now_mono_ns += waits[i] * S_NS;
    }
    assert_int_equal(try(f, SLICE("sato"), GOOD_PASSWORD, HERE), LOGIN_OK);
}

static void names_are_paused_whatever_the_address(void **state)
{
    struct fixture *f = *state;

    add(f, SLICE("sato"), ROLE_ANALYST, GOOD_PASSWORD);
    assert_int_equal(try(f, SLICE("sato"), WRONG, SLICE("192.0.2.1")), LOGIN_WRONG);
    assert_int_equal(try(f, SLICE("sato"), WRONG, SLICE("192.0.2.2")), LOGIN_WRONG);
    assert_int_equal(try(f, SLICE("sato"), WRONG, SLICE("192.0.2.3")), LOGIN_WRONG);
    assert_int_equal(try(f, SLICE("sato"), GOOD_PASSWORD, SLICE("192.0.2.4")), LOGIN_WAIT);
}

static void addresses_are_paused_whatever_the_name(void **state)
{
    struct fixture *f = *state;

    add(f, SLICE("sato"), ROLE_ANALYST, GOOD_PASSWORD);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(try(f, slice_of(&"abc"[i], 1), WRONG, HERE), LOGIN_WRONG);
    assert_int_equal(try(f, SLICE("sato"), GOOD_PASSWORD, HERE), LOGIN_WAIT);
    assert_int_equal(try(f, SLICE("sato"), GOOD_PASSWORD, THERE), LOGIN_OK);
}

static void an_ipv6_host_is_its_network(void **state)
{
    struct fixture *f = *state;

    add(f, SLICE("sato"), ROLE_ANALYST, GOOD_PASSWORD);
    assert_int_equal(try(f, SLICE("a"), WRONG, SLICE("2001:db8::1")), LOGIN_WRONG);
    assert_int_equal(try(f, SLICE("b"), WRONG, SLICE("2001:db8::ffff:2")), LOGIN_WRONG);
    assert_int_equal(try(f, SLICE("c"), WRONG, SLICE("2001:db8:0:0:8000::")), LOGIN_WRONG);
    assert_int_equal(try(f, SLICE("sato"), GOOD_PASSWORD, SLICE("2001:db8::4")), LOGIN_WAIT);
    assert_int_equal(try(f, SLICE("sato"), GOOD_PASSWORD, SLICE("2001:db8:0:1::4")), LOGIN_OK);
}

static void who_was_verified_goes_on_while_strangers_guess(void **state)
{
    struct fixture *f = *state;

    add(f, SLICE("sato"), ROLE_ANALYST, GOOD_PASSWORD);
    assert_int_equal(try(f, SLICE("sato"), GOOD_PASSWORD, HERE), LOGIN_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(try(f, SLICE("sato"), WRONG, THERE), LOGIN_WRONG);
    assert_int_equal(try(f, SLICE("sato"), GOOD_PASSWORD, THERE), LOGIN_WAIT);
    assert_int_equal(try(f, SLICE("sato"), WRONG, HERE), LOGIN_WAIT);
    assert_int_equal(try(f, SLICE("sato"), GOOD_PASSWORD, HERE), LOGIN_OK);
    f->now_mono_ns += GUARD_REMEMBER_S * S_NS;
    assert_int_equal(try(f, SLICE("sato"), GOOD_PASSWORD, HERE), LOGIN_OK); /* hashed again */
}

static void a_right_token_never_waits(void **state)
{
    struct fixture *f = *state;
    char text[TOKEN_TEXT_BYTES_MAX];
    struct account_token token;
    const char *wrong = "ent_0000000000000000_0000000000000000000000000000000000000000000";

    add(f, SLICE("sato"), ROLE_ANALYST, GOOD_PASSWORD);
    token_for(f, SLICE("sato"), 0, text, &token);
    for (int i = 0; i < 3; i++)
        assert_int_equal(try(f, SLICE("sato"), WRONG, HERE), LOGIN_WRONG);
    assert_int_equal(try(f, SLICE("sato"), GOOD_PASSWORD, HERE), LOGIN_WAIT);
    assert_int_equal(bearer(f, text, HERE), LOGIN_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(bearer(f, wrong, THERE), LOGIN_WRONG);
    assert_int_equal(bearer(f, wrong, THERE), LOGIN_WAIT);
    assert_int_equal(bearer(f, text, THERE), LOGIN_OK);
    f->now_mono_ns += S_NS;
    assert_int_equal(try(f, SLICE("sato"), GOOD_PASSWORD, THERE), LOGIN_OK); /* apart from these */
}

static void odd_names_and_passwords_are_only_wrong(void **state)
{
    static char long_text[3000];
    struct fixture *f = *state;

    memset(long_text, 'a', sizeof(long_text));
    assert_int_equal(try(f, SLICE("\xff\x00x"), WRONG, SLICE("")), LOGIN_WRONG);
    assert_int_equal(try(f, slice_of(long_text, 1500), WRONG, SLICE("")), LOGIN_WRONG);
    assert_int_equal(try(f, SLICE("a"), slice_of(long_text, 2000), SLICE("")), LOGIN_WRONG);
    assert_int_equal(try(f, SLICE("anonymous"), SLICE(""), SLICE("")), LOGIN_WRONG);
}

/* ---- threads ---- */

struct worker {
    struct fixture *f;
    const char *token;
    unsigned number;
    bool is_good;
};

static void *log_in_often(void *context)
{
    struct worker *worker = context;

    worker->is_good = true;
    for (int i = 0; i < 200; i++) {
        enum login verdict = bearer(worker->f, worker->token, HERE);

        worker->is_good = worker->is_good && verdict == LOGIN_OK;
        verdict = try(worker->f, SLICE("sato"), GOOD_PASSWORD, HERE);
        worker->is_good = worker->is_good && verdict == LOGIN_OK;
        if (i % 100 == 0 && worker->number == 0)
            (void)try(worker->f, SLICE("x"), WRONG, THERE);
    }
    return NULL;
}

static void threads_log_in_together(void **state)
{
    struct fixture *f = *state;
    char text[TOKEN_TEXT_BYTES_MAX];
    struct account_token token;
    struct worker workers[4];
    pthread_t threads[4];

    add(f, SLICE("sato"), ROLE_ANALYST, GOOD_PASSWORD);
    token_for(f, SLICE("sato"), 0, text, &token);
    for (unsigned i = 0; i < 4; i++) {
        workers[i] = (struct worker){.f = f, .token = text, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, log_in_often, &workers[i]), 0);
    }
    for (uint32_t i = 0; i < 20; i++)
        MUST(account_grant(f->accounts, SLICE("sato"), i, RIGHT_READ, SLICE("cli"), &f->diag));
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(workers[i].is_good);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(the_right_password_logs_in_and_no_other),
        CASE(unknown_names_cost_as_much),
        CASE(a_changed_password_holds_at_once),
        CASE(a_disabled_or_removed_account_is_out_at_once),
        CASE(tokens_log_in_until_they_end),
        CASE(who_fails_again_and_again_waits_longer_and_longer),
        CASE(names_are_paused_whatever_the_address),
        CASE(addresses_are_paused_whatever_the_name),
        CASE(an_ipv6_host_is_its_network),
        CASE(who_was_verified_goes_on_while_strangers_guess),
        CASE(a_right_token_never_waits),
        CASE(odd_names_and_passwords_are_only_wrong),
        CASE(threads_log_in_together),
    };

    return cmocka_run_group_tests_name("login", tests, NULL, NULL);
}
