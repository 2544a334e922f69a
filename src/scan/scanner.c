#include "scan/scanner.h"

#include "base/fault.h"
#include "scan/sieve.h"
#include "telemetry/map.h"

#include "base/banned.h"

#define FORMATS_MAX 32 /* in one scan; there are less */

struct scanner {
    struct ruleset *set;
    struct scanner_choice choice;
    struct sieve *sieve; /* owned; NULL: every line is read */
};

struct format_reader {
    slice format;
    struct telemetry_reader *reader; /* owned */
    struct sieve_lens *lens;         /* owned; by the reader's map; NULL: every line is read */
    uint64_t header_id;              /* what its table is set to */
};

struct scanner_worker {
    struct scanner *scanner;
    struct detector_worker *detector; /* owned */
    struct sieve_scratch *scratch;    /* owned */
    struct sieve_lines lines;         /* owned */
    uint32_t *starts;                 /* owned */
    size_t start_capacity;
    struct format_reader readers[FORMATS_MAX];
    size_t reader_count;
};

/* ---- making ---- */

result scanner_new(const struct ruleset *set, const struct scanner_choice *choice,
                   struct scanner **out, struct diag *diag)
{
    CLEANUP(scanner_free) struct scanner *scanner = NULL;
    size_t capacity = 0;

    *out = NULL;
    scanner = FAULT_HERE() ? NULL : table_grow(NULL, &capacity, 1, 1, sizeof(*scanner));
    if (scanner == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    *scanner = (struct scanner){.set = ruleset_hold(set), .choice = *choice};
    if (!choice->is_slow)
        TRY(sieve_build_of(set, &scanner->sieve, diag));
    *out = scanner;
    scanner = NULL;
    return OK;
}

void scanner_free(struct scanner **held)
{
    struct scanner *scanner = *held;

    if (scanner == NULL)
        return;
    sieve_free(&scanner->sieve);
    ruleset_release(&scanner->set);
    table_free(scanner);
    *held = NULL;
}

result scanner_worker_new(struct scanner *scanner, struct scanner_worker **out, struct diag *diag)
{
    CLEANUP(scanner_worker_free) struct scanner_worker *worker = NULL;
    size_t capacity = 0;

    *out = NULL;
    worker = FAULT_HERE() ? NULL : table_grow(NULL, &capacity, 1, 1, sizeof(*worker));
    if (worker == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    *worker = (struct scanner_worker){.scanner = scanner};
    TRY(detector_worker_new(scanner->set, &worker->detector, diag));
    TRY(sieve_scratch_new(&worker->scratch, diag));
    *out = worker;
    worker = NULL;
    return OK;
}

void scanner_worker_free(struct scanner_worker **held)
{
    struct scanner_worker *worker = *held;

    if (worker == NULL)
        return;
    for (size_t i = 0; i < worker->reader_count; i++) {
        sieve_lens_free(&worker->readers[i].lens);
        telemetry_reader_free(&worker->readers[i].reader);
    }
    detector_worker_free(&worker->detector);
    sieve_scratch_free(&worker->scratch);
    sieve_lines_free(&worker->lines);
    table_free(worker->starts);
    table_free(worker);
    *held = NULL;
}

/* ---- formats ---- */

/* A format whose lines the sieve cannot tell apart, or rules that look at every line, need none. */
static result lens_make(const struct scanner *scanner, struct format_reader *reader,
                        struct diag *diag)
{
    if (scanner->sieve == NULL)
        return OK;
    TRY(sieve_lens_new(scanner->sieve, telemetry_reader_map(reader->reader),
                       telemetry_shape_of(reader->format, scanner->choice.map), &reader->lens,
                       diag));
    if (!sieve_lens_sifts(reader->lens))
        sieve_lens_free(&reader->lens);
    return OK;
}

static result reader_find(struct scanner_worker *worker, slice format, struct format_reader **out,
                          struct diag *diag)
{
    struct scanner *scanner = worker->scanner;
    const struct scanner_choice *choice = &scanner->choice;

    for (size_t i = 0; i < worker->reader_count; i++) {
        *out = &worker->readers[i];
        if (slice_eq((*out)->format, format))
            return OK;
    }
    if (worker->reader_count == FORMATS_MAX)
        return diag_fail(diag, ERR_LIMIT, "more than %d formats", FORMATS_MAX);
    *out = &worker->readers[worker->reader_count];
    **out = (struct format_reader){.format = format};
    TRY(telemetry_reader_new(format, choice->map, choice->now_us, &(*out)->reader, diag));
    worker->reader_count++; /* freed from now on, whatever happens */
    return lens_make(scanner, *out, diag);
}

/* The reader knows the columns that hold where the block begins. */
static void header_set(struct format_reader *reader, const struct input_block *block)
{
    struct telemetry_event event;
    slice line, rest = block->header;

    if (reader->header_id != block->header_before) {
        telemetry_reader_forget(reader->reader);
        if (block->is_csv)
            (void)!succeeded(telemetry_read(reader->reader, rest, &event, NULL));
        while (!block->is_csv && rest.len > 0) {
            (void)slice_cut(rest, '\n', &line, &rest);
            /* What is wrong with it was told where it stood. */
            (void)!succeeded(telemetry_read(reader->reader, line, &event, NULL));
        }
    }
    reader->header_id = block->header_after; /* it reads what the block says on its way */
}

/* ---- blocks ---- */

static result lines_sift(struct scanner_worker *worker, const struct sieve_lens *lens, slice bytes,
                         struct diag *diag)
{
    struct sieve_lines *lines = &worker->lines;

    TRY(sieve_block(lens, worker->scratch, bytes, lines, diag));
    uint32_t *grown = FAULT_HERE()
                          ? NULL
                          : table_grow(worker->starts, &worker->start_capacity, lines->count + 1,
                                       SIEVE_BLOCK_BYTES_MAX, sizeof(*grown));
    if (grown == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    worker->starts = grown;
    for (size_t i = 0; i < lines->count; i++)
        grown[i] = lines->at[i].start;
    return OK;
}

result scanner_block(struct scanner_worker *worker, const struct input_block *block,
                     struct block_hits *out, struct diag *diag)
{
    struct format_reader *reader;

    if (block->bytes.len == 0)
        return OK;
    TRY(reader_find(worker, block->format, &reader, diag));
    header_set(reader, block);
    struct detector_block asked = {
        .bytes = block->bytes,
        .line_number = block->line_number,
        .offset = block->offset,
        .reader = reader->reader,
        .is_csv = block->is_csv,
        .event = worker->scanner->choice.event,
        .event_context = worker->scanner->choice.event_context,
    };
    if (reader->lens != NULL) {
        TRY(lines_sift(worker, reader->lens, block->bytes, diag));
        asked.lines = worker->starts;
        asked.line_count = worker->lines.count;
    }
    return detector_block(worker->detector, &asked, out, diag);
}
