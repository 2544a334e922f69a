/* What the store does in a second: takes a file in, durable, then answers queries.
 *
 *     bench_store FILE [FOLDER]
 *
 * One JSON line a measurement.  FOLDER is made when it is not there and kept; without it a folder
 * is made under TMPDIR and removed.  Queries are measured on what the file brought.
 */
#include "base/crypto.h"
#include "store/store.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/banned.h"

#define RUNS 101
#define PAGE_ARENA_BYTES ((size_t)256 << 20)

struct bench {
    struct store *store;
    uint32_t collection;
    struct arena arena;
};

static int double_compare(const void *a, const void *b)
{
    double left, right;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return (left > right) - (left < right);
}

static long rss_max_kib(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss : 0;
}

static int failed_with(const struct diag *diag)
{
    (void)fprintf(stderr, "bench_store: %s\n", diag->text);
    return 1;
}

static result take_in(struct bench *bench, const char *path, struct diag *diag)
{
    CLEANUP(source_close) struct source *source = NULL;
    struct import_options options = {
        .collection = bench->collection,
        .mode = STIX_NORMAL,
        .object_bytes_max = (size_t)32 << 20,
        .json_depth_max = 256,
        .origin = slice_text(path),
        .actor = SLICE("bench"),
    };
    struct import_counts counts;
    const char *threads = getenv("BENCH_THREADS");
    uint64_t start;

    if (threads != NULL && !parse_size(slice_text(threads), &(size_t){0}))
        return diag_fail(diag, ERR_INVALID, "BENCH_THREADS takes a number");
    if (threads != NULL)
        options.threads = (unsigned)(threads[0] - '0');
    TRY(source_open(path, &source, diag));
    start = time_mono_ns();
    TRY(store_import(bench->store, source, &options, &counts, diag));
    double seconds = (double)(time_mono_ns() - start) / 1e9;
    uint64_t objects = counts.taken + counts.replaced + counts.older + counts.held +
                       counts.conflicts + counts.refused;
    printf("{\"bench\":\"store_import\",\"file\":\"%s\",\"objects\":%llu,\"taken\":%llu,"
           "\"refused\":%llu,\"bytes\":%llu,\"seconds\":%.3f,\"objects_per_s\":%.0f,"
           "\"mb_per_s\":%.1f,\"rss_max_mb\":%.0f}\n",
           path, (unsigned long long)objects,
           (unsigned long long)(counts.taken + counts.replaced + counts.older),
           (unsigned long long)counts.refused, (unsigned long long)counts.bytes, seconds,
           (double)objects / seconds, (double)counts.bytes / 1e6 / seconds,
           (double)rss_max_kib() / 1024);
    return OK;
}

static result ask(struct bench *bench, const char *name, const struct store_query *query,
                  size_t limit, struct diag *diag)
{
    double times[RUNS];
    size_t count = 0, bytes = 0;

    for (size_t i = 0; i < RUNS; i++) {
        CLEANUP(store_view_end) struct store_view view = {0};
        struct store_page page;
        uint64_t start = time_mono_ns();

        store_view_begin(bench->store, &view, diag);
        TRY(store_find(&view, query, limit, SIZE_MAX, true, &bench->arena, &page, diag));
        times[i] = (double)(time_mono_ns() - start) / 1e3;
        count = page.count;
        bytes = page.text.len;
        arena_reset(&bench->arena);
    }
    qsort(times, RUNS, sizeof(times[0]), double_compare);
    printf("{\"bench\":\"store_find\",\"query\":\"%s\",\"limit\":%zu,\"objects\":%zu,"
           "\"bytes\":%zu,\"median_us\":%.1f,\"worst_us\":%.1f}\n",
           name, limit, count, bytes, times[RUNS / 2], times[RUNS - 1]);
    return OK;
}

static result ask_all(struct bench *bench, struct diag *diag)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    uint32_t collection = bench->collection;
    struct store_item deep, first;

    store_view_begin(bench->store, &view, diag);
    if (view.seq_end < 2 || !store_item_at(&view, view.seq_end / 10 * 9, &deep) ||
        !store_item_at(&view, 0, &first))
        return diag_fail(diag, ERR_MISSING, "the file brought nothing to ask for");
    slice id = slice_text(deep.id), type, rest;
    (void)slice_cut(id, '-', &type, &rest);
    if (slice_find(id, SLICE("--")) != SIZE_MAX)
        type = slice_head(id, slice_find(id, SLICE("--")));
    slice words[] = {SLICE("com")}, rare[] = {SLICE("powershell")}, begins[] = {SLICE("goog*")};
    slice values[] = {SLICE("8.8.8.8")};
    const struct {
        const char *name;
        struct store_query query;
    } queries[] = {
        {"first page", {.collection = collection}},
        {"last page",
         {.collection = collection, .seq_from = view.seq_end > 1000 ? view.seq_end - 1000 : 0}},
        {"match[type]", {.collection = collection, .types = &type, .type_count = 1}},
        {"match[type] deep",
         {.collection = collection, .types = &type, .type_count = 1, .seq_from = deep.seq}},
        {"match[id]", {.collection = collection, .ids = &id, .id_count = 1}},
        {"added_after deep",
         {.collection = collection, .has_added_after = true, .added_after_us = deep.added_us}},
        {"match[version] deep",
         {.collection = collection, .versions = &deep.version, .version_count = 1}},
        {"any collection", {.seq_from = deep.seq}},
        {"common word, newest", {.words = words, .word_count = 1, .newest_first = true}},
        {"rare word, newest", {.words = rare, .word_count = 1, .newest_first = true}},
        {"beginning of a word, newest", {.words = begins, .word_count = 1, .newest_first = true}},
        {"value, newest", {.values = values, .value_count = 1, .newest_first = true}},
        {"newest", {.newest_first = true}},
    };
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
        TRY(ask(bench, queries[i].name, &queries[i].query, 100, diag));
    TRY(ask(bench, "first page", &queries[0].query, 1000, diag));
    return ask(bench, "last page", &queries[1].query, 1000, diag);
}

static int unlink_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

static result bench_run(const char *path, const char *folder, struct diag *diag)
{
    struct store_options options = {
        .folder = folder, .map_bytes_max = (size_t)1 << 38, .create = true};
    struct bench bench = {.arena = ARENA(PAGE_ARENA_BYTES)};
    struct collection collection;

    TRY(crypto_start(diag));
    TRY(store_open(&options, &bench.store, diag));
    result r = store_collection_add(bench.store, NULL, SLICE("bench"), SLICE(""), SLICE(""),
                                    SLICE("bench"), &collection, diag);
    bench.collection = collection.number;
    if (succeeded(r))
        r = take_in(&bench, path, diag);
    if (succeeded(r))
        r = ask_all(&bench, diag);
    arena_free(&bench.arena);
    store_close(&bench.store);
    return r;
}

int main(int argc, char **argv)
{
    const char *base = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    char folder[4096];
    struct diag diag = {0};

    if (argc != 2 && argc != 3) {
        (void)fprintf(stderr, "usage: bench_store FILE [FOLDER]\n");
        return 2;
    }
    (void)snprintf(folder, sizeof(folder), "%s/entente-bench-XXXXXX", base);
    if (argc == 2 && mkdtemp(folder) == NULL)
        return failed_with(&(struct diag){.text = "no folder under TMPDIR"});
    result r = bench_run(argv[1], argc == 3 ? argv[2] : folder, &diag);
    if (argc == 2)
        (void)nftw(folder, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
    return failed(r) ? failed_with(&diag) : 0;
}
