/* What it costs two sides to find where they differ.
 *
 *     bench_reconcile [ITEMS]
 *
 * One JSON line a case: bytes both ways, rounds, and the median of RUNS runs of both sides together
 * in one process.  The peer is the way without a protocol: every id sent.
 */
#include "sync/reconcile.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"

#include "base/banned.h"

#define RUNS 5
#define DIFFERING 1000

static struct reconcile_item item(uint64_t number)
{
    struct reconcile_item made = {.seq = number};
    struct hash256 hash = sha256(slice_of(&number, sizeof(number)));

    memcpy(made.id, hash.bytes, sizeof(made.id));
    return made;
}

struct sum {
    size_t bytes, rounds, differ;
};

static result talk_all(const struct reconcile_set *ours, const struct reconcile_set *theirs,
                       struct sum *sum, struct diag *diag)
{
    CLEANUP(buf_free) struct buf out = BUF(RECONCILE_MESSAGE_BYTES_MAX);
    CLEANUP(buf_free) struct buf back = BUF(RECONCILE_MESSAGE_BYTES_MAX);
    CLEANUP(reconcile_free) struct reconcile talk = {0};
    bool is_done = false;

    *sum = (struct sum){0};
    TRY(reconcile_begin(ours, RECONCILE_FRAME_BYTES, &talk, &out, diag));
    while (!is_done) {
        TRY(reconcile_answer(theirs, RECONCILE_FRAME_BYTES, buf_slice(&out), &back, diag));
        sum->bytes += out.len + back.len;
        TRY(reconcile_step(&talk, buf_slice(&back), &out, &is_done, diag));
    }
    sum->rounds = talk.rounds;
    sum->differ = talk.have_count + talk.need_count;
    return OK;
}

static int u64_compare(const void *a, const void *b)
{
    uint64_t left, right;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return (left > right) - (left < right);
}

static result bench(const char *name, const struct reconcile_set *ours,
                    const struct reconcile_set *theirs, struct diag *diag)
{
    uint64_t took[RUNS];
    struct sum sum = {0};

    for (int i = 0; i < RUNS; i++) {
        uint64_t start = time_mono_ns();

        TRY(talk_all(ours, theirs, &sum, diag));
        took[i] = time_mono_ns() - start;
    }
    qsort(took, RUNS, sizeof(took[0]), u64_compare);
    (void)printf("{\"case\":\"%s\",\"items\":%zu,\"differ\":%zu,\"bytes\":%zu,\"rounds\":%zu,"
                 "\"median_ms\":%.1f,\"all_ids_bytes\":%zu}\n",
                 name, ours->count, sum.differ, sum.bytes, sum.rounds, (double)took[RUNS / 2] / 1e6,
                 ours->count * RECONCILE_ID_BYTES);
    return OK;
}

static result bench_all(struct reconcile_item *all, struct reconcile_item *less, size_t count,
                        struct diag *diag)
{
    struct reconcile_set whole = {all, count};
    struct reconcile_set part = {all, count - DIFFERING}, holed = {less, 0};

    for (size_t i = 0; i < count; i++)
        all[i] = item(i);
    /* A thousand places, none like the other. */
    for (size_t i = 0, each = count / DIFFERING; i < count; i++)
        if (i % each != all[i / each * each].id[0] % each)
            less[holed.count++] = all[i];
    TRY(bench("equal", &whole, &whole, diag));
    TRY(bench("recent_here", &whole, &part, diag));
    TRY(bench("recent_there", &part, &whole, diag));
    TRY(bench("scattered_here", &whole, &holed, diag));
    return bench("scattered_there", &holed, &whole, diag);
}

int main(int argc, char **argv)
{
    size_t count = 1000000;
    struct diag diag = {0};

    if (argc > 2 || (argc == 2 && !parse_size(slice_text(argv[1]), &count)) ||
        count < (size_t)2 * DIFFERING || count > RECONCILE_ITEMS_MAX) {
        (void)fputs("usage: bench_reconcile [ITEMS]\n", stderr);
        return 2;
    }
    struct reconcile_item *all = calloc(count, sizeof(*all));
    struct reconcile_item *less = calloc(count, sizeof(*less));
    if (all == NULL || less == NULL) {
        (void)fputs("bench_reconcile: no memory\n", stderr);
        free(less);
        free(all);
        return 1;
    }
    result r = bench_all(all, less, count, &diag);
    if (failed(r))
        (void)fprintf(stderr, "bench_reconcile: %s\n", diag.text);
    free(less);
    free(all);
    return failed(r) ? 1 : 0;
}
