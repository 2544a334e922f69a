/* What the ledger costs an import.
 *
 *     bench_ledger_import FILE [RUNS]
 *
 * FILE is taken into a fresh store with the ledger and without it, in turns, RUNS (5) times each;
 * one JSON line has both medians and their ratio.  Without it means: no leaf is hashed of an object
 * and none goes into the import's tree; the two functions that do this are wrapped at the linking.
 * The one entry that an import appends is written in both.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/time.h"
#include "ledger/tree.h"
#include "store/merkle.h"
#include "store/store.h"

#include "base/banned.h"

#define RUNS_MAX 101

/* The linker's names for what is wrapped. */
struct hash256 __real_tree_leaf(slice entry);
struct hash256 __wrap_tree_leaf(slice entry);
void __real_merkle_add(struct merkle *merkle, const struct hash256 *leaf);
void __wrap_merkle_add(struct merkle *merkle, const struct hash256 *leaf);

static bool is_on = true;

struct hash256 __wrap_tree_leaf(slice entry)
{
    return is_on ? __real_tree_leaf(entry) : (struct hash256){0};
}

void __wrap_merkle_add(struct merkle *merkle, const struct hash256 *leaf)
{
    if (is_on)
        __real_merkle_add(merkle, leaf);
}

static int double_compare(const void *a, const void *b)
{
    double left, right;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return (left > right) - (left < right);
}

static int unlink_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

static result take_in(const char *folder, const char *path, double *seconds, uint64_t *objects,
                      struct diag *diag)
{
    CLEANUP(store_close) struct store *store = NULL;
    CLEANUP(source_close) struct source *source = NULL;
    const struct store_options options = {
        .folder = folder, .map_bytes_max = (size_t)64 << 30, .create = true};
    struct import_options import = {.mode = STIX_NORMAL,
                                    .object_bytes_max = (size_t)32 << 20,
                                    .json_depth_max = 256,
                                    .origin = slice_text(path),
                                    .actor = SLICE("bench")};
    struct import_counts counts;
    struct collection collection;

    TRY(store_open(&options, &store, diag));
    TRY(store_collection_add(store, NULL, SLICE("bench"), SLICE("bench"), SLICE(""), SLICE("bench"),
                             &collection, diag));
    import.collection = collection.number;
    TRY(source_open(path, &source, diag));
    uint64_t start = time_mono_ns();
    TRY(store_import(store, source, &import, &counts, diag));
    *seconds = (double)(time_mono_ns() - start) / 1e9;
    *objects = counts.taken + counts.replaced + counts.older;
    return OK;
}

static result measure(const char *top, const char *path, size_t runs, struct diag *diag)
{
    static double with[RUNS_MAX], without[RUNS_MAX];
    char folder[512];
    uint64_t objects = 0;

    (void)snprintf(folder, sizeof(folder), "%s/store", top);
    for (size_t i = 0; i < 2 * runs; i++) {
        is_on = (i + i / 2) % 2 == 0; /* on off off on: neither is always the first */
        TRY(take_in(folder, path, is_on ? &with[i / 2] : &without[i / 2], &objects, diag));
        (void)nftw(folder, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    qsort(with, runs, sizeof(with[0]), double_compare);
    qsort(without, runs, sizeof(without[0]), double_compare);
    printf("{\"bench\":\"ledger_import\",\"objects\":%llu,\"runs\":%zu,\"with_s\":%.3f,"
           "\"without_s\":%.3f,\"ratio\":%.3f}\n",
           (unsigned long long)objects, runs, with[runs / 2], without[runs / 2],
           without[runs / 2] / with[runs / 2]);
    return OK;
}

int main(int argc, char **argv)
{
    const char *tmp = getenv("TMPDIR");
    char top[256];
    struct diag diag = {0};
    size_t runs = 5;

    if (argc < 2 || argc > 3 ||
        (argc == 3 && (!parse_size(slice_text(argv[2]), &runs) || runs < 1 || runs > RUNS_MAX))) {
        (void)fprintf(stderr, "usage: bench_ledger_import FILE [RUNS]\n");
        return 2;
    }
    (void)snprintf(top, sizeof(top), "%.200s/bench-ledger-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (failed(crypto_start(&diag)) || mkdtemp(top) == NULL)
        return 1;
    result r = measure(top, argv[1], runs, &diag);
    (void)nftw(top, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
    if (failed(r))
        (void)fprintf(stderr, "bench_ledger_import: %s\n", diag.text);
    return failed(r) ? 1 : 0;
}
