/* A ledger in a folder of its own: a database, keys, a clock that tests set. */
#pragma once

#include "ledger/head.h"

#include "rows.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"

#define LOG 0
#define NOW_US INT64_C(1700000000000000)

static const char *const fixture_tables[] = {LEDGER_TABLES, NULL};

struct fixture {
    char top[64], folder[80];
    struct kv *kv;
    struct world world;
    int64_t now_us;
    struct ledger ledger;
    struct diag diag;
};

static int64_t fixture_now_us(void *context)
{
    return ((struct fixture *)context)->now_us;
}

static uint64_t fixture_now_mono_ns(void *context)
{
    (void)context;
    return 1;
}

static void fixture_random(void *context, void *out, size_t bytes)
{
    (void)context;
    random_bytes(out, bytes);
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

static inline void fixture_open(struct fixture *f)
{
    struct ledger_options options = {.folder = f->folder,
                                     .log = LOG,
                                     .world = &f->world,
                                     .origin = "log.example/one",
                                     .title = ""};

    MUST(kv_open(f->folder, (size_t)1 << 30, fixture_tables, &f->kv, &f->diag));
    options.kv = f->kv;
    MUST(ledger_open(&options, &f->ledger, &f->diag));
}

static inline void fixture_close(struct fixture *f)
{
    ledger_close(&f->ledger);
    kv_close(&f->kv);
}

static inline int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){.top = "/tmp/entente-ledger-XXXXXX",
                         .now_us = NOW_US,
                         .world = {fixture_now_us, fixture_now_mono_ns, fixture_random, &f}};
    assert_true(succeeded(crypto_start(&f.diag)));
    assert_non_null(mkdtemp(f.top));
    (void)snprintf(f.folder, sizeof(f.folder), "%s/node", f.top);
    assert_int_equal(mkdir(f.folder, 0700), 0);
    fixture_open(&f);
    *state = &f;
    return 0;
}

static inline int unlink_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    fixture_close(f);
    return nftw(f->top, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void append_some(struct fixture *f, size_t count)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    uint64_t number;

    kv_begin_write(f->kv, &txn, &f->diag);
    for (size_t i = 0; i < count; i++)
        ledger_append(&txn, LOG, SLICE("note"), ledger_next_us(&txn, LOG, f->now_us), SLICE("{}"),
                      &number);
    MUST(kv_commit(&txn));
}

static inline struct checkpoint head_sign(struct fixture *f, char text[NOTE_BYTES_MAX],
                                          size_t *bytes)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct checkpoint checkpoint;
    static struct note note;
    bool is_new;
    slice head;

    MUST(ledger_head_sign(&f->ledger, &is_new, &f->diag));
    kv_begin_read(f->kv, &txn, &f->diag);
    assert_true(ledger_head_last(&txn, LOG, &head));
    memcpy(text, head.at, head.len);
    *bytes = head.len;
    MUST(ledger_head_parse(slice_of(text, *bytes), &note, &checkpoint, &f->diag));
    return checkpoint;
}
