/* How many patterns are parsed in a second, as one JSON line.
 *
 *     bench_pattern [FILE [ROUNDS]]    FILE: rows {"pattern": "..."}, one a line; without it, one
 * simple pattern, as nine in ten published ones are
 *
 * A pattern of FILE that does not parse is counted, and takes its time as the others do.
 */
#include "stix/pattern.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

#define PATTERNS_MAX ((size_t)1 << 21)
#define ARENA_BYTES ((size_t)64 << 20)
#define TEXTS_BYTES ((size_t)1 << 30)
#define PATTERNS_A_RUN 2000000

struct patterns {
    slice *at; /* owned; texts in the arena */
    size_t count, capacity;
    struct arena texts;
};

static bool pattern_add(struct patterns *patterns, slice text)
{
    slice *moved = (slice *)table_grow(patterns->at, &patterns->capacity, patterns->count + 1,
                                       PATTERNS_MAX, sizeof(slice));

    if (moved == NULL)
        return false;
    patterns->at = moved;
    patterns->at[patterns->count++] = arena_copy(&patterns->texts, text);
    return true;
}

static bool file_read(const char *path, struct patterns *patterns)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t bytes;
    bool is_read = file != NULL && succeeded(json_parser_new(JSON_DEPTH_MAX, &parser, NULL));

    while (is_read && (bytes = getline(&line, &room, file)) > 0) {
        struct json_doc doc;
        const struct json_node *value;

        if (failed(json_parse_copy(parser, slice_of(line, (size_t)bytes), &doc, NULL)))
            continue;
        value = json_get(&doc, &doc.nodes[0], SLICE("pattern"));
        if (value != NULL)
            is_read = pattern_add(patterns, json_string(&doc, value, &patterns->texts));
    }
    free(line);
    if (file != NULL)
        (void)fclose(file);
    return is_read && patterns->count > 0;
}

int main(int argc, char **argv)
{
    struct patterns patterns = {.texts = ARENA(TEXTS_BYTES)};
    struct arena arena = ARENA(ARENA_BYTES);
    size_t rounds, refused = 0, bytes = 0;
    uint64_t start_mono_ns;
    double seconds;

    if (argc > 1 ? !file_read(argv[1], &patterns)
                 : !pattern_add(&patterns, SLICE("[domain-name:value = 'login.example.com']"))) {
        (void)fprintf(stderr, "bench_pattern: no patterns in %s\n", argc > 1 ? argv[1] : "memory");
        return 1;
    }
    rounds = PATTERNS_A_RUN / patterns.count + 1;
    if (argc > 2 && !parse_size(slice_text(argv[2]), &rounds))
        return 2;
    start_mono_ns = time_mono_ns();
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < patterns.count; i++) {
            struct pattern pattern;

            arena_reset(&arena);
            refused += failed(pattern_parse(patterns.at[i], STIX_21, &arena, &pattern, NULL, NULL));
            bytes += patterns.at[i].len;
        }
    }
    seconds = (double)(time_mono_ns() - start_mono_ns) / 1e9;
    printf("{\"bench\":\"pattern_parse\",\"patterns\":%zu,\"refused\":%zu,\"rounds\":%zu,"
           "\"seconds\":%.3f,\"patterns_per_s\":%.0f,\"mb_per_s\":%.1f}\n",
           patterns.count, refused / rounds, rounds, seconds,
           (double)(patterns.count * rounds) / seconds, (double)bytes / seconds / 1e6);
    arena_free(&arena);
    arena_free(&patterns.texts);
    table_free(patterns.at);
    return 0;
}
