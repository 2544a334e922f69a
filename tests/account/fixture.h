/* A folder with a log and accounts, a clock that tests set, chance that repeats. */
#pragma once

#include "account/account.h"
#include "ledger/ledger.h"

#include "rows.h"

#include <unistd.h>

#include "base/crypto.h"

#define NOW_US 1700000000000000
#define GOOD_PASSWORD SLICE("correct horse battery")

static const char *const fixture_tables[] = {LEDGER_TABLES, "users", "tokens", "grants", NULL};

struct fixture {
    char folder[64];
    struct kv *kv;
    struct accounts *accounts;
    struct world world;
    int64_t now_us;
    uint64_t now_mono_ns;
    struct diag diag;
};

static int64_t fixture_now_us(void *context)
{
    return ((struct fixture *)context)->now_us;
}

static uint64_t fixture_now_mono_ns(void *context)
{
    return ((struct fixture *)context)->now_mono_ns;
}

static void fixture_random(void *context, void *out, size_t bytes)
{
    (void)context;
    random_bytes(out, bytes);
}

static inline void fixture_open(struct fixture *f)
{
    struct account_options options = {.log = 0,
                                      .users = 3,
                                      .tokens = 4,
                                      .grants = 5,
                                      .login_failures_max = 3,
                                      .login_pause_s_max = 8,
                                      .world = &f->world};

    if (failed(kv_open(f->folder, (size_t)1 << 28, fixture_tables, &f->kv, &f->diag)))
        fail_msg("%s", f->diag.text);
    options.kv = f->kv;
    if (failed(accounts_open(&options, &f->accounts, &f->diag)))
        fail_msg("%s", f->diag.text);
}

static inline void fixture_close(struct fixture *f)
{
    accounts_close(&f->accounts);
    kv_close(&f->kv);
}

static inline int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){.folder = "/tmp/entente-account-XXXXXX",
                         .now_us = NOW_US,
                         .now_mono_ns = 1000000000,
                         .world = {fixture_now_us, fixture_now_mono_ns, fixture_random, &f}};
    assert_true(succeeded(crypto_start(&f.diag)));
    assert_non_null(mkdtemp(f.folder));
    fixture_open(&f);
    *state = &f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    char path[96];

    fixture_close(f);
    (void)snprintf(path, sizeof(path), "%s/index.mdb", f->folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/index.mdb-lock", f->folder);
    (void)unlink(path);
    (void)rmdir(f->folder);
    return 0;
}

/* The step must succeed; its words when it does not. */
#define MUST(call)                                                                                 \
    do {                                                                                           \
        diag_reset(&f->diag);                                                                      \
        if (failed(call))                                                                          \
            fail_msg("%s: %s", #call, f->diag.text);                                               \
    } while (0)

static inline void refused(struct fixture *f, result r, enum err code, const char *words)
{
    if (r.code != code || strstr(f->diag.text, words) == NULL)
        fail_msg("%s \"%s\", expected %s \"%s\"", err_name(r.code), f->diag.text, err_name(code),
                 words);
    diag_reset(&f->diag);
}

static inline void add(struct fixture *f, slice name, unsigned roles, slice password)
{
    struct account account;

    MUST(account_add(f->accounts, name, roles, password, SLICE("cli"), &account, &f->diag));
}

static inline uint64_t entry_count(struct fixture *f)
{
    struct kv_txn txn;
    uint64_t count;

    kv_begin_read(f->kv, &txn, NULL);
    count = ledger_count(&txn, 0);
    kv_abort(&txn);
    return count;
}
