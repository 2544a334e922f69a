#include "web/session.h"

#include <pthread.h>

#include "account/records.h"
#include "base/arena.h"
#include "base/crypto.h"
#include "base/encode.h"

#include "base/banned.h"

#define NS_PER_S UINT64_C(1000000000)
#define CSRF_HEAD "entente-csrf/1\n"

struct session {
    struct hash256 mark; /* of its secret, which is kept nowhere */
    uint32_t account;    /* 0: the row is free */
    uint64_t password_entry;
    uint64_t begun_mono_ns, used_mono_ns;
};

struct sessions {
    const struct accounts *accounts; /* borrowed */
    const struct world *world;       /* borrowed */
    pthread_mutex_t lock;            /* guards the table */
    struct session table[SESSIONS_MAX];
};

result sessions_new(struct accounts *accounts, const struct world *world, struct sessions **out,
                    struct diag *diag)
{
    size_t capacity = 0;
    struct sessions *sessions = table_grow(NULL, &capacity, 1, 1, sizeof(struct sessions));

    if (sessions == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for %d sessions", SESSIONS_MAX);
    memset(sessions, 0, sizeof(*sessions));
    sessions->accounts = accounts;
    sessions->world = world;
    (void)pthread_mutex_init(&sessions->lock, NULL);
    *out = sessions;
    return OK;
}

void sessions_free(struct sessions **sessions)
{
    if (*sessions == NULL)
        return;
    (void)pthread_mutex_destroy(&(*sessions)->lock);
    table_free(*sessions);
    *sessions = NULL;
}

static uint64_t now_mono_ns(const struct sessions *sessions)
{
    return sessions->world->now_mono_ns(sessions->world->context);
}

static bool is_over(const struct session *session, uint64_t now)
{
    return session->account == 0 || now - session->used_mono_ns > SESSION_IDLE_S * NS_PER_S ||
           now - session->begun_mono_ns > SESSION_LIFE_S * NS_PER_S;
}

/* Where a new one goes: in the place of the account's own when it has its share, else of one that
 * is over, else of the one that rests longest. */
static struct session *place_for(struct sessions *sessions, uint32_t account, uint64_t now)
{
    struct session *free_row = NULL, *oldest = &sessions->table[0], *own = NULL;
    size_t own_count = 0;

    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *one = &sessions->table[i];

        if (is_over(one, now)) {
            free_row = one;
            continue;
        }
        if (one->used_mono_ns < oldest->used_mono_ns)
            oldest = one;
        if (one->account != account)
            continue;
        own_count++;
        if (own == NULL || one->used_mono_ns < own->used_mono_ns)
            own = one;
    }
    if (own_count >= SESSIONS_EACH_MAX)
        return own;
    return free_row != NULL ? free_row : oldest;
}

bool session_begin(struct sessions *sessions, struct kv_txn *txn, uint32_t account,
                   char text[SESSION_TEXT_BYTES + 1])
{
    CLEANUP(user_wipe) struct user_record record = {0};
    uint8_t secret[SHA256_BYTES];
    uint64_t now = now_mono_ns(sessions);

    if (!user_read(sessions->accounts, txn, account, &record))
        return false;
    sessions->world->random(sessions->world->context, secret, sizeof(secret));
    hex_encode(slice_of(secret, sizeof(secret)), text);
    text[SESSION_TEXT_BYTES] = '\0';
    secret_wipe(secret, sizeof(secret));
    (void)pthread_mutex_lock(&sessions->lock);
    *place_for(sessions, account, now) =
        (struct session){.mark = sha256(slice_of(text, SESSION_TEXT_BYTES)),
                         .account = account,
                         .password_entry = record.password_entry,
                         .begun_mono_ns = now,
                         .used_mono_ns = now};
    (void)pthread_mutex_unlock(&sessions->lock);
    return true;
}

/* With the lock.  What is compared is a hash: how long it takes tells nothing of the secret. */
static struct session *row_of(struct sessions *sessions, const struct hash256 *mark)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (sessions->table[i].account != 0 && hash256_eq(&sessions->table[i].mark, mark))
            return &sessions->table[i];
    return NULL;
}

static void row_end(struct sessions *sessions, const struct hash256 *mark)
{
    (void)pthread_mutex_lock(&sessions->lock);
    struct session *row = row_of(sessions, mark);
    if (row != NULL)
        *row = (struct session){0};
    (void)pthread_mutex_unlock(&sessions->lock);
}

bool session_find(struct sessions *sessions, struct kv_txn *txn, slice text, struct account *out)
{
    CLEANUP(user_wipe) struct user_record record = {0};
    struct session found = {0};
    uint64_t now = now_mono_ns(sessions);

    if (text.len != SESSION_TEXT_BYTES)
        return false;
    struct hash256 mark = sha256(text);
    (void)pthread_mutex_lock(&sessions->lock);
    struct session *row = row_of(sessions, &mark);
    if (row != NULL && !is_over(row, now)) {
        row->used_mono_ns = now;
        found = *row;
    }
    (void)pthread_mutex_unlock(&sessions->lock);
    if (found.account == 0)
        return false;
    if (!user_read(sessions->accounts, txn, found.account, &record) || record.account.is_disabled ||
        record.password_entry != found.password_entry) {
        row_end(sessions, &mark);
        return false;
    }
    *out = record.account;
    return true;
}

void session_end(struct sessions *sessions, slice text)
{
    struct hash256 mark;

    if (text.len != SESSION_TEXT_BYTES)
        return;
    mark = sha256(text);
    row_end(sessions, &mark);
}

void session_csrf(slice text, char out[SESSION_TEXT_BYTES + 1])
{
    struct sha256_state state;

    sha256_init(&state);
    sha256_add(&state, SLICE(CSRF_HEAD));
    sha256_add(&state, text);
    struct hash256 hash = sha256_end(&state);
    hex_encode(slice_of(hash.bytes, sizeof(hash.bytes)), out);
    out[SESSION_TEXT_BYTES] = '\0';
}
