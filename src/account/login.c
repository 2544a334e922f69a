/* Log-ins: an Authorization header becomes an account, or a wait. */
#include "account/account.h"

#include <arpa/inet.h>

#include "account/authorization.h"
#include "account/names.h"
#include "account/records.h"
#include "base/log.h"
#include "base/metrics.h"

#include "base/banned.h"

#define WAIT_CROWDED_S 1
#define IPV6_NETWORK_BYTES 8

/* Verified when there is no such account, so that it takes as long as for one that there is.
 * No password gives this hash; its costs are those of password_hash. */
static const char nobody[] = "$argon2id$v=19$m=65536,t=2,p=1$bm9ib2R5LW5vYm9keS1uaA$"
                             "bm9ib2R5LW5vYm9keS1ub2JvZHktbm9ib2R5LW5vYm8";

/* One log-in under way. */
struct login_try {
    struct accounts *accounts;
    struct kv_txn *txn; /* borrowed: of the request */
    struct authorization given;
    uint64_t now_mono_ns;
    struct hash256 user, peer; /* who has failed */
    slice peer_text;
};

/* An IPv6 address stands for its /64, which is what one host commonly has to itself. */
static slice peer_network(slice peer, uint8_t network[sizeof(struct in6_addr)])
{
    char text[INET6_ADDRSTRLEN];

    if (peer.len == 0 || peer.len >= sizeof(text))
        return peer;
    memcpy(text, peer.at, peer.len);
    text[peer.len] = '\0';
    if (inet_pton(AF_INET6, text, network) != 1)
        return peer;
    return slice_of(network, IPV6_NETWORK_BYTES);
}

static unsigned peer_wait_s(const struct login_try *login)
{
    if (login->peer_text.len == 0)
        return 0;
    return guard_wait_s(login->accounts->guard, &login->peer, login->now_mono_ns);
}

static unsigned wait_s_of(const struct login_try *login)
{
    unsigned user = guard_wait_s(login->accounts->guard, &login->user, login->now_mono_ns);
    unsigned peer = peer_wait_s(login);

    return user > peer ? user : peer;
}

static void count_failure(const struct login_try *login)
{
    struct guard *guard = login->accounts->guard;
    unsigned wait_s = guard_count_failure(guard, &login->user, login->now_mono_ns);
    /* A name that is none may be a password typed into the wrong field. */
    slice name = name_is_lawful(login->given.name) ? login->given.name : SLICE("?");

    if (login->peer_text.len > 0) {
        unsigned peer_s = guard_count_failure(guard, &login->peer, login->now_mono_ns);

        wait_s = wait_s > peer_s ? wait_s : peer_s;
    }
    if (wait_s > 0)
        log_event(LOG_LEVEL_WARN, "login.paused", "user=%.*s peer=%.*s wait_s=%u", SLICE_ARG(name),
                  SLICE_ARG(login->peer_text), wait_s);
}

/* ---- passwords ---- */

/* With the turn to verify: a pause may have begun while we waited for it. */
static enum login verify_in_turn(const struct login_try *login, const char *hash, unsigned *wait_s)
{
    slice password = login->given.password;

    *wait_s = wait_s_of(login);
    if (*wait_s > 0)
        return LOGIN_WAIT;
    if (password.len <= PASSWORD_BYTES_MAX && password_verify(hash, password))
        return LOGIN_OK;
    count_failure(login);
    return LOGIN_WRONG;
}

static enum login login_slowly(const struct login_try *login, const struct user_record *record,
                               const struct hash256 *credentials, unsigned *wait_s)
{
    struct guard *guard = login->accounts->guard;
    bool is_usable = record->password[0] != '\0' && !record->account.is_disabled;
    enum login verdict;

    *wait_s = wait_s_of(login);
    if (*wait_s > 0)
        return LOGIN_WAIT;
    *wait_s = WAIT_CROWDED_S;
    if (!guard_verify_begin(guard))
        return LOGIN_WAIT;
    verdict = verify_in_turn(login, is_usable ? record->password : nobody, wait_s);
    guard_verify_end(guard);
    if (verdict == LOGIN_OK) {
        guard_forget_failures(guard, &login->user);
        guard_remember(guard, credentials, record->account.number, record->password_entry,
                       login->now_mono_ns);
    }
    return verdict;
}

static enum login login_basic(struct login_try *login, struct account *out, unsigned *wait_s)
{
    CLEANUP(user_wipe) struct user_record record = {0};
    struct guard *guard = login->accounts->guard;
    const struct authorization *given = &login->given;
    uint8_t network[sizeof(struct in6_addr)];
    slice peer = peer_network(login->peer_text, network);
    struct hash256 credentials;
    enum login verdict = LOGIN_OK;

    login->user = guard_mark(guard, 'u', given->name, SLICE_NONE, SLICE_NONE);
    login->peer = guard_mark(guard, 'p', peer, SLICE_NONE, SLICE_NONE);
    /* With the peer in it, one who was verified here goes on while strangers elsewhere have the
     * name paused, and guesses from elsewhere never meet the quick way. */
    credentials = guard_mark(guard, 'c', given->name, given->password, peer);
    if (!name_is_lawful(given->name) ||
        !user_find(login->accounts, login->txn, given->name, &record))
        record = (struct user_record){0};
    if (record.account.is_disabled || peer_wait_s(login) > 0 ||
        !guard_knows(guard, &credentials, record.account.number, record.password_entry,
                     login->now_mono_ns))
        verdict = login_slowly(login, &record, &credentials, wait_s);
    if (verdict == LOGIN_OK)
        *out = record.account;
    return verdict;
}

/* ---- tokens ---- */

static bool token_is_good(const struct login_try *login, struct account *out)
{
    struct accounts *accounts = login->accounts;
    const struct world *world = accounts->options.world;
    struct token_record record = {0};
    struct hash256 given = sha256(login->given.secret);
    bool is_right;

    (void)token_read(accounts, login->txn, login->given.token_id, &record);
    is_right =
        secret_eq(slice_of(given.bytes, SHA256_BYTES), slice_of(record.hash.bytes, SHA256_BYTES));
    if (!is_right || record.token.id[0] == '\0')
        return false;
    if (record.token.expires_us != 0 && world->now_us(world->context) >= record.token.expires_us)
        return false;
    return account_numbered(login->txn, accounts, record.token.account, out) && !out->is_disabled;
}

/* Nobody guesses 32 random bytes, so a right token is never made to wait; a wrong one is, by the
 * address it came from and apart from passwords: an expired token in a script must not keep
 * the people behind the same address out. */
static enum login login_bearer(struct login_try *login, struct account *out, unsigned *wait_s)
{
    struct guard *guard = login->accounts->guard;
    uint8_t network[sizeof(struct in6_addr)];

    if (token_is_good(login, out))
        return LOGIN_OK;
    *out = (struct account){0};
    login->peer =
        guard_mark(guard, 't', peer_network(login->peer_text, network), SLICE_NONE, SLICE_NONE);
    *wait_s = peer_wait_s(login);
    if (*wait_s > 0)
        return LOGIN_WAIT;
    if (login->peer_text.len > 0)
        (void)guard_count_failure(guard, &login->peer, login->now_mono_ns);
    return LOGIN_WRONG;
}

static void scratch_free(struct buf *scratch)
{
    if (scratch->at != NULL)
        secret_wipe(scratch->at, scratch->capacity);
    buf_free(scratch);
}

enum login account_login(struct accounts *accounts, struct kv_txn *txn, slice authorization,
                         slice peer, struct account *out, unsigned *wait_s)
{
    CLEANUP(scratch_free) struct buf scratch = BUF(AUTHORIZATION_BYTES_MAX);
    const struct world *world = accounts->options.world;
    struct login_try login = {.accounts = accounts, .txn = txn, .peer_text = peer};
    enum login verdict = LOGIN_WRONG;

    *out = (struct account){0};
    *wait_s = 0;
    login.given = authorization_parse(authorization, &scratch);
    login.now_mono_ns = world->now_mono_ns(world->context);
    switch (login.given.kind) {
    case AUTHORIZATION_NONE:
        return LOGIN_NONE;
    case AUTHORIZATION_BASIC:
        verdict = login_basic(&login, out, wait_s);
        break;
    case AUTHORIZATION_BEARER:
        verdict = login_bearer(&login, out, wait_s);
        break;
    case AUTHORIZATION_BROKEN:
        break;
    }
    if (verdict != LOGIN_OK)
        metric_add(METRIC_logins_failed, 1);
    if (verdict != LOGIN_WAIT)
        *wait_s = 0;
    return verdict;
}
