/* Blocks worked on in several threads come out in the order of the input. */
#include "rows.h"

#include <sched.h>

#include "scan/pipeline.h"

#include "base/banned.h"

#define SLOTS_MAX 64

struct fixture {
    size_t wanted, taken, given;
    size_t fail_take, fail_work, fail_give, enough; /* at this block; SIZE_MAX: never */
    size_t held[SLOTS_MAX];
    bool is_held[SLOTS_MAX];
    size_t inside_take, inside_give; /* atomic: threads in that stage */
    size_t woken;
};

static result take(void *context, size_t slot, bool *is_end, struct diag *diag)
{
    struct fixture *f = context;

    assert_int_equal(__atomic_fetch_add(&f->inside_take, 1, __ATOMIC_SEQ_CST), 0);
    assert_false(f->is_held[slot]);
    *is_end = f->taken == f->wanted;
    result r = OK;
    if (!*is_end && f->taken == f->fail_take)
        r = diag_fail(diag, ERR_IO, "take %zu", f->taken);
    f->is_held[slot] = !*is_end && succeeded(r);
    f->held[slot] = f->taken;
    f->taken += !*is_end;
    assert_int_equal(__atomic_fetch_sub(&f->inside_take, 1, __ATOMIC_SEQ_CST), 1);
    return r;
}

static result work(void *context, size_t thread, size_t slot, struct diag *diag)
{
    struct fixture *f = context;

    (void)thread;
    /* Later blocks are often done first. */
    for (size_t i = 0; i < f->held[slot] * 7 % 5; i++)
        (void)sched_yield();
    if (f->held[slot] == f->fail_work)
        return diag_fail(diag, ERR_LIMIT, "work %zu", f->held[slot]);
    return OK;
}

static result give(void *context, size_t slot, bool *is_enough, struct diag *diag)
{
    struct fixture *f = context;

    assert_int_equal(__atomic_fetch_add(&f->inside_give, 1, __ATOMIC_SEQ_CST), 0);
    assert_int_equal(f->held[slot], f->given);
    f->is_held[slot] = false;
    *is_enough = f->given == f->enough;
    result r = OK;
    if (f->given == f->fail_give)
        r = diag_fail(diag, ERR_INVALID, "give %zu", f->given);
    f->given++;
    assert_int_equal(__atomic_fetch_sub(&f->inside_give, 1, __ATOMIC_SEQ_CST), 1);
    return r;
}

static void wake(void *context)
{
    ((struct fixture *)context)->woken++;
}

static const struct {
    const char *name;
    size_t wanted, fail_take, fail_work, fail_give, enough, given;
    const char *words;
} runs[] = {
    {"all of it", 300, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, 300, ""},
    {"nothing", 0, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, 0, ""},
    {"one", 1, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, 1, ""},
    {"enough in the middle", 300, SIZE_MAX, SIZE_MAX, SIZE_MAX, 100, 101, ""},
    {"a take fails behind what came before", 300, 50, SIZE_MAX, SIZE_MAX, SIZE_MAX, 50, "take 50"},
    {"a work fails in its place", 300, SIZE_MAX, 60, SIZE_MAX, SIZE_MAX, 60, "work 60"},
    {"a give fails", 300, SIZE_MAX, SIZE_MAX, 70, SIZE_MAX, 71, "give 70"},
    {"the first failure is told", 300, 90, 60, 40, SIZE_MAX, 41, "give 40"},
    {"the first block fails", 300, SIZE_MAX, 0, SIZE_MAX, SIZE_MAX, 0, "work 0"},
};

static void blocks_come_out_in_order(void **state)
{
    (void)state;
    for (size_t threads = 1; threads <= 8; threads++) {
        CHECK_ROWS(row, runs) {
            struct fixture f = {.wanted = row->wanted,
                                .fail_take = row->fail_take,
                                .fail_work = row->fail_work,
                                .fail_give = row->fail_give,
                                .enough = row->enough};
            struct scan_stages stages = {
                .take = take, .work = work, .give = give, .wake = wake, .context = &f};
            struct diag diag = {0};

            assert_true(scan_slots(threads) <= SLOTS_MAX);
            result r = scan_run(&stages, threads, &diag);
            assert_true(failed(r) == (row->words[0] != '\0'));
            assert_string_equal(diag.text, row->words);
            assert_int_equal(f.given, row->given);
            assert_true(f.woken <= 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(blocks_come_out_in_order)};

    return cmocka_run_group_tests_name("scan/pipeline", tests, NULL, NULL);
}
