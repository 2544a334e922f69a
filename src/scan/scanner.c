#include "scan/scanner.h"

#include "base/fault.h"
#include "telemetry/map.h"

#include "base/banned.h"

#define FORMATS_MAX 32 /* in one scan; there are less */

struct scanner {
    struct ruleset *set;
    struct scanner_choice choice;
};

struct format_reader {
    slice format;
    struct telemetry_reader *reader; /* owned */
    uint64_t header_id;              /* what its table is set to */
};

struct scanner_worker {
    struct scanner *scanner;
    struct detector_worker *detector; /* owned */
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
    *out = scanner;
    scanner = NULL;
    return OK;
}

void scanner_free(struct scanner **held)
{
    struct scanner *scanner = *held;

    if (scanner == NULL)
        return;
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
    *out = worker;
    worker = NULL;
    return OK;
}

void scanner_worker_free(struct scanner_worker **held)
{
    struct scanner_worker *worker = *held;

    if (worker == NULL)
        return;
    for (size_t i = 0; i < worker->reader_count; i++)
        telemetry_reader_free(&worker->readers[i].reader);
    detector_worker_free(&worker->detector);
    table_free(worker);
    *held = NULL;
}

/* ---- formats ---- */

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
    return OK;
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
    };
    return detector_block(worker->detector, &asked, out, diag);
}
