/* What it takes to check a bundle that holds many entries, with public keys alone.
 *
 *     bench_verify [ENTRIES]
 *
 * A log of ENTRIES (100,000) is written and bundled whole, then checked RUNS times by the library
 * that entente-verify is made of.  One JSON line.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/time.h"
#include "entente/verify.h"
#include "ledger/proof.h"

#include "base/banned.h"

#define RUNS 11
#define APPENDS_TXN 10000
#define BUNDLE_BYTES_MAX ((size_t)1 << 30)

static const char *const tables[] = {LEDGER_TABLES, NULL};

static int unlink_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int double_compare(const void *a, const void *b)
{
    double left, right;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return (left > right) - (left < right);
}

static result log_fill(struct kv *kv, uint64_t count, struct diag *diag)
{
    const slice body = SLICE("{\"actor\":\"bench\",\"object\":\"indicator--00000000-0000-4000-8000-"
                             "000000000000\",\"reason\":\"share\",\"recipient\":\"tokyo\"}");

    for (uint64_t i = 0, number; i < count;) {
        CLEANUP(kv_abort) struct kv_txn txn = {0};

        kv_begin_write(kv, &txn, diag);
        for (uint64_t end = i + APPENDS_TXN < count ? i + APPENDS_TXN : count; i < end; i++)
            ledger_append(&txn, 0, SLICE("bench"), ledger_next_us(&txn, 0, time_now_us()), body,
                          &number);
        TRY(kv_commit(&txn));
    }
    return OK;
}

static result bundle_make(const struct ledger *ledger, uint64_t count, struct buf *out,
                          struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct bundle bundle = {.txn = &txn, .out = out, .size = count};
    bool is_new;
    slice head, entry;

    TRY(ledger_head_sign(ledger, &is_new, diag));
    kv_begin_read(ledger->kv, &txn, diag);
    if (!ledger_head_last(&txn, ledger->log, &head))
        return diag_fail(diag, ERR_MISSING, "no head");
    bundle_begin(&bundle, SLICE(""));
    for (uint64_t i = 0; i < count && ledger_read(&txn, ledger->log, i, &entry); i++)
        bundle_entry(&bundle, i, entry);
    bundle_end(&bundle, head);
    if (out->overflowed)
        return diag_fail(diag, ERR_LIMIT, "no memory for the bundle");
    return txn.state;
}

static result check_many(const struct buf *file, const struct ledger *ledger, uint64_t count,
                         struct diag *diag)
{
    CLEANUP(buf_free) struct buf vkey = BUF(NOTE_KEY_TEXT_BYTES_MAX);
    static struct entente_key key;
    const struct entente_trust trust = {.keys = &key, .key_count = 1};
    struct entente_why why = {0};
    struct entente_bundle bundle;
    double times[RUNS];

    note_verifier_write(&ledger->log_key.verifier, &vkey);
    if (!entente_key_parse((struct entente_bytes){(const uint8_t *)vkey.at, vkey.len}, &key, &why))
        return diag_fail(diag, ERR_INVALID, "%s", why.text);
    for (size_t i = 0; i < RUNS; i++) {
        uint64_t start = time_mono_ns();

        if (!entente_bundle_check((struct entente_bytes){(const uint8_t *)file->at, file->len},
                                  &trust, &bundle, &why) ||
            bundle.entry_count != count)
            return diag_fail(diag, ERR_CORRUPT, "%s", why.text);
        times[i] = (double)(time_mono_ns() - start) / 1e9;
    }
    qsort(times, RUNS, sizeof(times[0]), double_compare);
    printf("{\"bench\":\"verify_bundle\",\"entries\":%llu,\"bytes\":%zu,\"median_s\":%.3f,"
           "\"worst_s\":%.3f}\n",
           (unsigned long long)count, file->len, times[RUNS / 2], times[RUNS - 1]);
    return OK;
}

static result measure(const char *folder, uint64_t count, struct diag *diag)
{
    CLEANUP(buf_free) struct buf file = BUF(BUNDLE_BYTES_MAX);
    CLEANUP(ledger_close) struct ledger ledger = {0};
    CLEANUP(kv_close) struct kv *kv = NULL;
    struct ledger_options options = {
        .folder = folder, .world = &world_real, .origin = "bench", .title = "bench"};

    TRY(kv_open(folder, (size_t)16 << 30, tables, &kv, diag));
    options.kv = kv;
    TRY(ledger_open(&options, &ledger, diag));
    TRY(log_fill(kv, count, diag));
    TRY(bundle_make(&ledger, count, &file, diag));
    return check_many(&file, &ledger, count, diag);
}

int main(int argc, char **argv)
{
    const char *top = getenv("TMPDIR");
    char folder[512];
    struct diag diag = {0};
    size_t count = 100000;

    if (argc > 2 || (argc == 2 && (!parse_size(slice_text(argv[1]), &count) || count == 0))) {
        (void)fprintf(stderr, "usage: bench_verify [ENTRIES]\n");
        return 2;
    }
    (void)snprintf(folder, sizeof(folder), "%.400s/bench-verify-XXXXXX",
                   top != NULL ? top : "/tmp");
    if (!entente_start() || mkdtemp(folder) == NULL)
        return 1;
    result r = measure(folder, count, &diag);
    (void)nftw(folder, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
    if (failed(r))
        (void)fprintf(stderr, "bench_verify: %s\n", diag.text);
    return failed(r) ? 1 : 0;
}
