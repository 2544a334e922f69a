/* How long the check of one object takes, parse and check apart, as one JSON line.
 *
 *     bench_stix FILE [ROUNDS]      FILE: one object a line, or a bundle written one object a line
 *
 * Objects are parsed once a round, as an import does; the arena is reset for each.
 */
#include "stix/object.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

#define LINES_MAX ((size_t)1 << 21)
#define FILE_BYTES_MAX ((size_t)1 << 30)
#define ARENA_BYTES ((size_t)16 << 20)

struct lines {
    slice *at; /* owned */
    size_t count, capacity, bytes;
};

/* The objects of a text, a line each; what is none (a bundle's frame) is left out. */
static bool lines_split(slice text, struct lines *lines)
{
    slice line;

    for (bool more = true; more;) {
        more = slice_cut(text, '\n', &line, &text);
        line = slice_trim(line);
        if (slice_ends(line, SLICE(",")))
            line.len--;
        if (line.len < 2 || line.at[0] != '{' || line.at[line.len - 1] != '}')
            continue;
        slice *moved =
            table_grow(lines->at, &lines->capacity, lines->count + 1, LINES_MAX, sizeof(slice));
        if (moved == NULL)
            return false;
        lines->at = moved;
        lines->at[lines->count++] = line;
        lines->bytes += line.len;
    }
    return lines->count > 0;
}

static bool file_read(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    size_t got = 1;

    if (file == NULL)
        return false;
    while (got > 0) {
        char *room = buf_reserve(out, (size_t)1 << 20);

        if (room == NULL)
            break;
        got = fread(room, 1, (size_t)1 << 20, file);
        out->len += got;
    }
    return fclose(file) == 0 && !out->overflowed && buf_reserve(out, JSON_PADDING) != NULL;
}

int main(int argc, char **argv)
{
    uint64_t rounds = 5, parse_ns_best = UINT64_MAX, check_ns_best = UINT64_MAX;
    CLEANUP(arena_free) struct arena arena = ARENA(ARENA_BYTES);
    CLEANUP(buf_free) struct buf text = BUF(FILE_BYTES_MAX);
    static struct stix_findings findings;
    struct json_parser *parser = NULL;
    struct lines lines = {0};
    struct diag diag = {0};
    size_t refused = 0, found = 0;

    if (argc < 2 || (argc > 2 && !parse_u64(slice_text(argv[2]), &rounds)))
        return fprintf(stderr, "bench_stix FILE [ROUNDS]\n"), 2;
    if (!file_read(argv[1], &text) || !lines_split(buf_slice(&text), &lines) ||
        failed(json_parser_new(JSON_DEPTH_MAX, &parser, &diag)))
        return fprintf(stderr, "bench_stix: cannot read %s\n", argv[1]), 1;
    for (uint64_t round = 0; round < rounds; round++) {
        uint64_t parse_ns = 0, check_ns = 0, start, between;

        refused = found = 0;
        for (size_t i = 0; i < lines.count; i++) {
            struct stix_object object;
            struct json_doc doc;

            diag_reset(&diag);
            start = time_mono_ns();
            result parsed = json_parse(parser, lines.at[i], &doc, &diag);
            between = time_mono_ns();
            parse_ns += between - start;
            arena_reset(&arena);
            if (failed(parsed) ||
                failed(stix_check(&doc, STIX_NORMAL, &arena, &object, &findings, &diag)))
                refused++;
            found += findings.count + findings.more;
            check_ns += time_mono_ns() - between;
        }
        parse_ns_best = parse_ns < parse_ns_best ? parse_ns : parse_ns_best;
        check_ns_best = check_ns < check_ns_best ? check_ns : check_ns_best;
    }
    printf(
        "{\"bench\":\"stix_check\",\"objects\":%zu,\"bytes\":%zu,\"refused\":%zu,\"findings\":%zu,"
        "\"parse_ns\":%.0f,\"check_ns\":%.0f}\n",
        lines.count, lines.bytes, refused, found, (double)parse_ns_best / (double)lines.count,
        (double)check_ns_best / (double)lines.count);
    json_parser_free(&parser);
    table_free(lines.at);
    return 0;
}
