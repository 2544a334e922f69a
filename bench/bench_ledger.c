/* What the ledger does in a second, and what a proof costs in a large one.
 *
 *     bench_ledger [ENTRIES]
 *
 * One JSON line a measurement.  ENTRIES (1,000,000) is the size of the tree that proofs are made
 * in; its rows are written without entries, which a proof does not look at.  A folder is made under
 * TMPDIR and removed.  The peer of an append is the same key and value put into the same table
 * without a tree, in the same run.
 */
#include "ledger/ledger.h"
#include "ledger/tree.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/time.h"

#include "base/banned.h"

#define RUNS 1001
#define APPENDS 200000
#define APPENDS_TXN 10000 /* in one transaction, as batches are */
#define FILL_TXN 1000000
#define PLAIN 3

static const char *const tables[] = {LEDGER_TABLES, "plain", NULL};

static int double_compare(const void *a, const void *b)
{
    double left, right;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return (left > right) - (left < right);
}

static double seconds_since(uint64_t start)
{
    return (double)(time_mono_ns() - start) / 1e9;
}

static result append_many(struct kv *kv, struct diag *diag)
{
    const slice body = SLICE("{\"actor\":\"bench\",\"object\":\"indicator--00000000-0000-4000-8000-"
                             "000000000000\",\"reason\":\"share\",\"recipient\":\"tokyo\"}");
    uint64_t start = time_mono_ns(), number = 0;

    for (int i = 0; i < APPENDS;) {
        CLEANUP(kv_abort) struct kv_txn txn = {0};

        kv_begin_write(kv, &txn, diag);
        for (int end = i + APPENDS_TXN; i < end; i++)
            ledger_append(&txn, 0, SLICE("bench"), ledger_next_us(&txn, 0, time_now_us()), body,
                          &number);
        TRY(kv_commit(&txn));
    }
    double seconds = seconds_since(start);
    printf("{\"bench\":\"ledger_append\",\"entries\":%d,\"seconds\":%.3f,\"entries_per_s\":%.0f}\n",
           APPENDS, seconds, APPENDS / seconds);
    return OK;
}

/* The same bytes without a tree and without looking at them: what the database alone takes. */
static result put_plain(struct kv *kv, struct diag *diag)
{
    uint64_t start = time_mono_ns();

    for (uint64_t i = 0; i < APPENDS;) {
        CLEANUP(kv_abort) struct kv_txn txn = {0};

        kv_begin_write(kv, &txn, diag);
        for (uint64_t end = i + APPENDS_TXN; i < end; i++) {
            char key[8];
            slice entry;

            for (size_t k = 0; k < sizeof(key); k++)
                key[k] = (char)(i >> (56 - 8 * k));
            if (ledger_read(&txn, 0, i, &entry)) {
                char copy[1024];

                memcpy(copy, entry.at, entry.len);
                kv_append(&txn, PLAIN, slice_of(key, sizeof(key)), slice_of(copy, entry.len));
            }
        }
        TRY(kv_commit(&txn));
    }
    double seconds = seconds_since(start);
    printf("{\"bench\":\"ledger_append_plain\",\"entries\":%d,\"seconds\":%.3f,"
           "\"entries_per_s\":%.0f}\n",
           APPENDS, seconds, APPENDS / seconds);
    return OK;
}

static result tree_fill(struct kv *kv, uint64_t count, struct diag *diag)
{
    uint64_t start = time_mono_ns(), number;

    for (number = APPENDS; number < count;) {
        CLEANUP(kv_abort) struct kv_txn txn = {0};
        uint64_t end = number + FILL_TXN < count ? number + FILL_TXN : count;

        kv_begin_write(kv, &txn, diag);
        for (; number < end; number++) {
            struct hash256 leaf = tree_leaf(slice_of(&number, sizeof(number)));

            tree_append(&txn, 1, (int64_t)number, &leaf);
        }
        TRY(kv_commit(&txn));
    }
    double seconds = seconds_since(start);
    printf("{\"bench\":\"tree_append\",\"entries\":%llu,\"seconds\":%.3f,\"entries_per_s\":%.0f}\n",
           (unsigned long long)(count - APPENDS), seconds, (double)(count - APPENDS) / seconds);
    return OK;
}

static result prove_many(struct kv *kv, uint64_t size, bool is_inclusion, struct diag *diag)
{
    static double times[RUNS];
    uint64_t chance = 88172645463325252u;
    size_t hashes = 0;

    for (size_t i = 0; i < RUNS; i++) {
        CLEANUP(kv_abort) struct kv_txn txn = {0};
        struct tree_proof proof;

        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        uint64_t start = time_mono_ns();
        kv_begin_read(kv, &txn, diag);
        if (is_inclusion)
            tree_inclusion(&txn, 1, chance % size, size, &proof);
        else
            tree_consistency(&txn, 1, 1 + chance % (size - 1), size, &proof);
        TRY(txn.state);
        kv_abort(&txn);
        times[i] = (double)(time_mono_ns() - start) / 1e3;
        hashes = proof.count;
    }
    qsort(times, RUNS, sizeof(times[0]), double_compare);
    printf("{\"bench\":\"%s\",\"entries\":%llu,\"hashes\":%zu,\"median_us\":%.1f,\"p99_us\":%.1f,"
           "\"worst_us\":%.1f}\n",
           is_inclusion ? "ledger_inclusion" : "ledger_consistency", (unsigned long long)size,
           hashes, times[RUNS / 2], times[RUNS * 99 / 100], times[RUNS - 1]);
    return OK;
}

static result measure_all(struct kv *kv, uint64_t size, struct diag *diag)
{
    TRY(append_many(kv, diag));
    TRY(put_plain(kv, diag));
    TRY(tree_fill(kv, size, diag));
    TRY(prove_many(kv, size - 1, true, diag)); /* an odd size: no root is one look-up */
    return prove_many(kv, size - 1, false, diag);
}

static int unlink_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

int main(int argc, char **argv)
{
    const char *top = getenv("TMPDIR");
    char folder[512];
    struct diag diag = {0};
    struct kv *kv = NULL;
    size_t size = 1000000;

    if (argc > 2 || (argc == 2 && (!parse_size(slice_text(argv[1]), &size) || size <= APPENDS))) {
        (void)fprintf(stderr, "usage: bench_ledger [ENTRIES]   (more than %d)\n", APPENDS);
        return 2;
    }
    (void)snprintf(folder, sizeof(folder), "%.400s/bench-ledger-XXXXXX",
                   top != NULL ? top : "/tmp");
    if (mkdtemp(folder) == NULL)
        return 1;
    result r = kv_open(folder, (size_t)16 << 30, tables, &kv, &diag);
    if (succeeded(r))
        r = measure_all(kv, size, &diag);
    kv_close(&kv);
    (void)nftw(folder, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
    if (failed(r))
        (void)fprintf(stderr, "bench_ledger: %s\n", diag.text);
    return failed(r) ? 1 : 0;
}
