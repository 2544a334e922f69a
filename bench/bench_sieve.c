/* How fast the sieve goes through telemetry, and what it lets through.
 *
 *     bench_sieve INDICATORS.tsv LOG FORMAT [LEVEL [ROUNDS [THREADS]]]
 *
 * INDICATORS: "type<TAB>value" a line.  When LOG.truth.tsv is there, each of its lines must be let
 * through.  One line of JSON: the best of ROUNDS passes over the log in memory. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "match/network.h"
#include "scan/sieve.h"
#include "stix/object.h"
#include "stix/url.h"

#include "base/banned.h"

#define BLOCK_BYTES ((size_t)2 << 20)
#define GUARDS_MAX ((size_t)1 << 24)

struct guards {
    struct guard *at;
    size_t count, capacity;
    struct arena arena;
};

struct share {
    const struct sieve_lens *lens;
    slice log;
    size_t count;
    uint64_t lines;
    uint32_t *starts; /* numbers of lines in the log, from 1 */
    size_t capacity;
    bool keeps;
};

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
    (void)fprintf(stderr, "bench_sieve: %s\n", what);
    exit(1);
}

static slice file_map(const char *path, bool is_copied)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &status) != 0)
        return SLICE_NONE;
    size_t size = (size_t)status.st_size;
    char *at = mmap(NULL, size + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t have = 0;

    if (at == MAP_FAILED)
        die("no memory");
    (void)is_copied;
    while (have < size) {
        ssize_t n = read(fd, at + have, size - have);

        if (n <= 0)
            die("cannot read");
        have += (size_t)n;
    }
    return slice_of(at, size);
}

static bool guard_of_line(slice line, struct arena *arena, struct guard *out)
{
    slice type, value;

    if (!slice_cut(line, '\t', &type, &value))
        return false;
    *out = (struct guard){.kind = GUARD_HASH, .path = SLICE("file:hashes.MD5"), .value = value};
    if (slice_starts(type, SLICE("ip"))) {
        out->kind = GUARD_NETWORK;
        out->path =
            slice_starts(type, SLICE("ipv4")) ? SLICE("ipv4-addr:value") : SLICE("ipv6-addr:value");
        return network_parse(value, &out->network);
    }
    if (slice_eq(type, SLICE("domain"))) {
        *out = (struct guard){.kind = GUARD_DOMAIN, .has_subdomains = true};
        out->path = SLICE("domain-name:value");
        out->value = stix_value_normal(out->path, value, arena);
    } else if (slice_eq(type, SLICE("url"))) {
        *out = (struct guard){.kind = GUARD_URL, .path = SLICE("url:value")};
        out->value = url_normal(value, arena);
    }
    return true;
}

static void guards_read(struct guards *guards, slice text)
{
    slice line;

    while (text.len > 0) {
        (void)slice_cut(text, '\n', &line, &text);
        guards->at = table_grow(guards->at, &guards->capacity, guards->count + 1, GUARDS_MAX,
                                sizeof(*guards->at));
        if (guards->at == NULL)
            die("no memory");
        guards->count += guard_of_line(line, &guards->arena, &guards->at[guards->count]);
    }
}

static void guard_get(const void *context, size_t index, struct guard *out)
{
    *out = ((const struct guards *)context)->at[index];
}

static void *share_run(void *context)
{
    struct share *share = context;
    struct sieve_scratch *scratch;
    struct sieve_lines lines = {0};
    slice rest = share->log;
    struct diag diag = {0};

    if (failed(sieve_scratch_new(&scratch, &diag)))
        die(diag.text);
    share->count = 0;
    share->lines = 0;
    while (rest.len > 0) {
        size_t take = rest.len < BLOCK_BYTES ? rest.len : BLOCK_BYTES;
        const char *end = rest.len <= BLOCK_BYTES ? NULL : memrchr(rest.at, '\n', take);

        take = end == NULL ? rest.len : (size_t)(end - rest.at) + 1;
        if (failed(sieve_block(share->lens, scratch, slice_head(rest, take), &lines, &diag)))
            die(diag.text);
        for (size_t i = 0; share->keeps && i < lines.count; i++) {
            share->starts = table_grow(share->starts, &share->capacity, share->count + i + 1,
                                       GUARDS_MAX, sizeof(*share->starts));
            share->starts[share->count + i] = (uint32_t)share->lines + lines.at[i].number + 1;
        }
        share->count += lines.count;
        share->lines += lines.line_count;
        rest = slice_from(rest, take);
    }
    sieve_lines_free(&lines);
    sieve_scratch_free(&scratch);
    return NULL;
}

static double pass(const struct sieve_lens *lens, slice log, size_t threads, struct share *shares)
{
    pthread_t ids[8];
    double start;
    size_t at = 0;

    for (size_t i = 0; i < threads; i++) {
        size_t stop = i + 1 == threads ? log.len : log.len / threads * (i + 1);

        while (stop < log.len && log.at[stop - 1] != '\n')
            stop++;
        shares[i].lens = lens;
        shares[i].log = slice_of(log.at + at, stop - at);
        at = stop;
    }
    start = now();
    for (size_t i = 1; i < threads; i++)
        if (pthread_create(&ids[i], NULL, share_run, &shares[i]) != 0)
            die("no thread");
    (void)share_run(&shares[0]);
    for (size_t i = 1; i < threads; i++)
        (void)pthread_join(ids[i], NULL);
    return now() - start;
}

/* Lines of the truth file that were not let through. */
static size_t missed(slice truth, const struct share *share, size_t *planted)
{
    size_t count = 0, at = 0;
    slice line, number;
    uint64_t wanted;

    *planted = 0;
    while (truth.len > 0) {
        (void)slice_cut(truth, '\n', &line, &truth);
        (void)slice_cut(line, '\t', &number, &line);
        if (!parse_u64(number, &wanted))
            continue;
        ++*planted;
        while (at < share->count && share->starts[at] < wanted)
            at++;
        if (at == share->count || share->starts[at] != wanted) {
            count++;
            (void)fprintf(stderr, "missed: line %llu %.*s\n", (unsigned long long)wanted,
                          SLICE_ARG(line));
        }
    }
    return count;
}

int main(int argc, char **argv)
{
    static const char *const levels[] = {"plain", "avx2", "avx512"};
    struct guards guards = {.arena = ARENA((size_t)4 << 30)};
    struct share shares[8] = {0};
    struct telemetry_map *map;
    struct sieve *sieve;
    struct sieve_lens *lens;
    struct diag diag = {0};
    size_t threads = argc > 6 ? (size_t)strtoul(argv[6], NULL, 10) : 1, planted = 0;
    int rounds = argc > 5 ? (int)strtol(argv[5], NULL, 10) : 5;
    double best = 1e9, build;
    char truth_name[4096];

    if (argc < 4)
        die("INDICATORS.tsv LOG FORMAT [LEVEL [ROUNDS [THREADS]]]");
    guards_read(&guards, file_map(argv[1], true));
    build = now();
    struct sieve_guards given = {.guard = guard_get, .context = &guards, .count = guards.count};
    if (failed(sieve_build(&given, &sieve, &diag)))
        die(diag.text);
    build = now() - build;
    if (failed(map_read_builtin(slice_text(argv[3]), &map, &diag)) ||
        failed(sieve_lens_new(sieve, map, map->shape, &lens, &diag)))
        die(diag.text);
    size_t level = 0;
    while (argc > 4 && level < 3 && strcmp(levels[level], argv[4]) != 0)
        level++;
    if (argc > 4 && !sieve_lens_set_level(lens, (enum sieve_level)level))
        die("no such level here");
    slice log = file_map(argv[2], true);
    if (log.at == NULL)
        die("no log");
    shares[0].keeps = true;
    (void)pass(lens, log, 1, shares);
    shares[0].keeps = false;
    (void)snprintf(truth_name, sizeof(truth_name), "%s.truth.tsv", argv[2]);
    slice truth = file_map(truth_name, true);
    size_t lost = missed(truth, &shares[0], &planted), let = shares[0].count;
    uint64_t lines = shares[0].lines;
    if (getenv("BENCH_SIEVE_LINES") != NULL)
        for (size_t i = 0; i < let; i++)
            (void)fprintf(stderr, "%u\n", shares[0].starts[i]);
    for (int i = 0; i < rounds; i++) {
        double took = pass(lens, log, threads, shares);

        best = took < best ? took : best;
    }
    printf("{\"bench\":\"sieve\",\"guards\":%zu,\"format\":\"%s\",\"level\":\"%s\",\"threads\":%zu,"
           "\"build_s\":%.3f,\"table_mb\":%.1f,\"gb_s\":%.2f,\"ns_per_line\":%.1f,\"lines\":%llu,"
           "\"let_through\":%zu,\"planted\":%zu,\"missed\":%zu}\n",
           guards.count, argv[3], argc > 4 ? argv[4] : "best", threads, build,
           (double)sieve_bytes(sieve).len / 1e6, (double)log.len / best / 1e9,
           best * 1e9 / (double)lines, (unsigned long long)lines, let, planted, lost);
    return lost == 0 ? 0 : 1;
}
