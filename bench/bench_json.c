/* How fast JSON is read, split and put into its canonical form; one JSON line a measurement.
 *
 *     bench_json FILE...      each a bundle of STIX objects, unpacked
 *
 * Medians of RUNS runs over the file in memory.  "each" parses object by object as an import does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "json/canonical.h"
#include "json/stream.h"

#include "base/banned.h"

#define RUNS 5
#define WINDOW_BYTES ((size_t)1 << 20)
#define OBJECT_BYTES_MAX ((size_t)64 << 20)
#define WHOLE_BYTES_MAX ((size_t)128 << 20) /* larger texts are not parsed at once */

struct bench {
    slice text;
    struct json_parser *parser;
    struct buf out;
    size_t objects; /* of the last run */
};

/* What is done with each object. */
enum work { WORK_SPLIT, WORK_PARSE, WORK_MINIFY, WORK_CANONICAL, WORK_HASH };

static const char *const work_names[] = {"split", "split_parse_each", "split_parse_minify",
                                         "split_parse_canonical", "split_parse_canonical_hash"};

static result object_work(struct bench *bench, enum work work, slice object, struct diag *diag)
{
    struct json_doc doc;
    struct hash256 hash;

    if (work == WORK_SPLIT)
        return OK;
    TRY(json_parse(bench->parser, object, &doc, diag));
    buf_reset(&bench->out);
    switch (work) {
    case WORK_MINIFY:
        json_minify(&doc, doc.nodes, &bench->out);
        return OK;
    case WORK_CANONICAL:
        return json_canonical(&doc, doc.nodes, &bench->out, diag);
    case WORK_HASH:
        return json_canonical_hash(&doc, doc.nodes, &bench->out, &hash, diag);
    case WORK_SPLIT:
    case WORK_PARSE:
        break;
    }
    return OK;
}

static result stream_run(struct bench *bench, enum work work, struct diag *diag)
{
    static const struct json_stream_limits limits = {OBJECT_BYTES_MAX, WINDOW_BYTES,
                                                     JSON_DEPTH_MAX};
    CLEANUP(source_close) struct source *source = NULL;
    CLEANUP(json_stream_close) struct json_stream *stream = NULL;
    struct json_window window;

    bench->objects = 0;
    TRY(source_of_memory(bench->text, &source, diag));
    TRY(json_stream_open(source, &limits, &stream, diag));
    do {
        TRY(json_stream_next(stream, &window, diag));
        bench->objects += window.count;
        for (size_t i = 0; i < window.count; i++)
            TRY(object_work(bench, work, window.objects[i], diag));
    } while (window.count > 0);
    return OK;
}

static result whole_run(struct bench *bench, struct diag *diag)
{
    struct json_doc doc;

    TRY(json_parse(bench->parser, bench->text, &doc, diag));
    bench->objects = doc.node_count;
    return OK;
}

static double now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* work < 0: the whole text at once. */
static result measure(struct bench *bench, const char *path, int work, struct diag *diag)
{
    double took_ms[RUNS];

    for (int i = 0; i < RUNS; i++) {
        double start = now_ms();

        TRY(work < 0 ? whole_run(bench, diag) : stream_run(bench, (enum work)work, diag));
        took_ms[i] = now_ms() - start;
    }
    qsort(took_ms, RUNS, sizeof *took_ms, by_size);
    double median = took_ms[RUNS / 2];
    printf("{\"bench\":\"json_%s\",\"file\":\"%s\",\"bytes\":%zu,\"%s\":%zu,\"median_cpu_ms\":%.3f,"
           "\"gb_per_s\":%.3f}\n",
           work < 0 ? "parse_whole" : work_names[work], path, bench->text.len,
           work < 0 ? "nodes" : "objects", bench->objects, median,
           (double)bench->text.len / 1e6 / median);
    return OK;
}

/* The file with padding behind, for table_free. */
static char *load(const char *path, slice *text)
{
    struct stat about;
    FILE *file = fopen(path, "rb");
    size_t capacity = 0;
    char *bytes = NULL;

    if (file == NULL)
        return NULL;
    if (fstat(fileno(file), &about) == 0) {
        size_t len = (size_t)about.st_size;

        bytes = table_grow(NULL, &capacity, len + JSON_PADDING, SIZE_MAX / 2, 1);
        if (bytes != NULL)
            *text = slice_of(bytes, fread(bytes, 1, len, file));
    }
    (void)fclose(file);
    return bytes;
}

static result bench_file(const char *path, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(buf_free) struct buf out = BUF(OBJECT_BYTES_MAX);
    struct bench bench = {0};
    result r = OK;

    TRY(json_parser_new(JSON_DEPTH_MAX, &parser, diag));
    bench.parser = parser;
    bench.out = out;
    char *bytes = load(path, &bench.text);
    if (bytes == NULL)
        return diag_fail(diag, ERR_IO, "%s cannot be read", path);
    for (int work = bench.text.len > WHOLE_BYTES_MAX ? 0 : -1; work <= WORK_HASH && succeeded(r);
         work++)
        r = measure(&bench, path, work, diag);
    out = bench.out;
    table_free(bytes);
    return r;
}

int main(int argc, char **argv)
{
    struct diag diag = {0};

    for (int i = 1; i < argc; i++) {
        if (failed(bench_file(argv[i], &diag))) {
            fprintf(stderr, "bench_json: %s: %s\n", argv[i], diag.text);
            return 1;
        }
    }
    return 0;
}
