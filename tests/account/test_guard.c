#include "account/guard.h"

#include "rows.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "base/banned.h"

#define S_NS 1000000000ull

static int set_up(void **state)
{
    static struct guard *guard;
    struct guard_options options = {.failures_max = 3, .pause_s_max = 20, .key = {7}};
    struct diag diag = {0};

    guard = NULL;
    assert_true(succeeded(guard_new(&options, &guard, &diag)));
    *state = guard;
    return 0;
}

static int tear_down(void **state)
{
    struct guard *guard = *state;

    guard_free(&guard);
    return 0;
}

static struct hash256 who(struct guard *guard, unsigned number)
{
    return guard_mark(guard, 'x', slice_of(&number, sizeof(number)), SLICE_NONE, SLICE_NONE);
}

static void marks_keep_their_parts_apart(void **state)
{
    struct guard *guard = *state;
    struct hash256 one = guard_mark(guard, 'c', SLICE("ab"), SLICE("c"), SLICE(""));
    struct hash256 same = guard_mark(guard, 'c', SLICE("ab"), SLICE("c"), SLICE(""));
    struct hash256 moved = guard_mark(guard, 'c', SLICE("a"), SLICE("bc"), SLICE(""));
    struct hash256 behind = guard_mark(guard, 'c', SLICE("ab"), SLICE(""), SLICE("c"));
    struct hash256 kind = guard_mark(guard, 'p', SLICE("ab"), SLICE("c"), SLICE(""));

    assert_true(hash256_eq(&one, &same));
    assert_false(hash256_eq(&one, &moved));
    assert_false(hash256_eq(&one, &behind));
    assert_false(hash256_eq(&one, &kind));
}

static void pauses_double_up_to_the_longest(void **state)
{
    static const unsigned pauses[] = {0, 0, 1, 2, 4, 8, 16, 20, 20, 20};
    struct guard *guard = *state;
    struct hash256 a = who(guard, 1), b = who(guard, 2);
    uint64_t now = S_NS;

    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        assert_int_equal(guard_count_failure(guard, &a, now), pauses[i]);
        assert_int_equal(guard_wait_s(guard, &a, now), pauses[i]);
        assert_int_equal(guard_wait_s(guard, &b, now), 0);
        now += pauses[i] * S_NS;
        assert_int_equal(guard_wait_s(guard, &a, now), 0);
    }
    guard_forget_failures(guard, &a);
    assert_int_equal(guard_count_failure(guard, &a, now), 0);
}

static void the_rest_of_a_pause_is_rounded_up(void **state)
{
    struct guard *guard = *state;
    struct hash256 a = who(guard, 1);

    for (int i = 0; i < 4; i++)
        (void)guard_count_failure(guard, &a, S_NS);
    assert_int_equal(guard_wait_s(guard, &a, S_NS + 1), 2);
    assert_int_equal(guard_wait_s(guard, &a, 2 * S_NS), 1);
    assert_int_equal(guard_wait_s(guard, &a, 3 * S_NS - 1), 1);
    assert_int_equal(guard_wait_s(guard, &a, 3 * S_NS), 0);
}

static void failures_are_forgotten_after_quiet(void **state)
{
    struct guard *guard = *state;
    struct hash256 a = who(guard, 1);

    for (int i = 0; i < 3; i++)
        (void)guard_count_failure(guard, &a, S_NS);
    assert_int_equal(guard_count_failure(guard, &a, 2 * S_NS + GUARD_FORGET_S * S_NS - 1), 2);
    assert_int_equal(guard_count_failure(guard, &a, (4 + 2 * GUARD_FORGET_S) * S_NS + 1), 0);
}

static void a_flood_of_names_does_not_wash_a_pause_away(void **state)
{
    struct guard *guard = *state;
    struct hash256 a = who(guard, 0);

    for (int i = 0; i < 10; i++)
        (void)guard_count_failure(guard, &a, S_NS);
    for (unsigned i = 1; i < 100000; i++) {
        struct hash256 other = who(guard, i);

        (void)guard_count_failure(guard, &other, S_NS + i);
    }
    assert_int_equal(guard_wait_s(guard, &a, S_NS), 20);
}

static void credentials_are_known_for_their_time(void **state)
{
    struct guard *guard = *state;
    struct hash256 a = who(guard, 1), b = who(guard, 2);
    const uint64_t end = S_NS + GUARD_REMEMBER_S * S_NS;

    assert_false(guard_knows(guard, &a, 5, 9, S_NS));
    guard_remember(guard, &a, 5, 9, S_NS);
    assert_true(guard_knows(guard, &a, 5, 9, S_NS));
    assert_true(guard_knows(guard, &a, 5, 9, end - 1));
    assert_false(guard_knows(guard, &a, 5, 9, end));
    assert_false(guard_knows(guard, &a, 5, 10, S_NS)); /* the password changed */
    assert_false(guard_knows(guard, &a, 6, 9, S_NS));
    assert_false(guard_knows(guard, &b, 5, 9, S_NS));
    guard_remember(guard, &a, 5, 10, S_NS);
    assert_false(guard_knows(guard, &a, 5, 9, S_NS));
    assert_true(guard_knows(guard, &a, 5, 10, S_NS));
}

static void the_oldest_credentials_go_first(void **state)
{
    struct guard *guard = *state;
    unsigned known = 0;

    for (unsigned i = 0; i < 5000; i++) {
        struct hash256 mark = who(guard, i);

        guard_remember(guard, &mark, i, 1, S_NS + i);
        assert_true(guard_knows(guard, &mark, i, 1, S_NS + i));
    }
    for (unsigned i = 0; i < 5000; i++) {
        struct hash256 mark = who(guard, i);

        known += guard_knows(guard, &mark, i, 1, 2 * S_NS);
    }
    assert_int_equal(known, 1024); /* as many as there is room for */
}

struct turns {
    struct guard *guard;
    unsigned inside, inside_most, turned_away;
};

static void *take_a_turn(void *context)
{
    struct turns *turns = context;

    for (int i = 0; i < 20; i++) {
        unsigned inside;

        if (!guard_verify_begin(turns->guard)) {
            (void)__atomic_add_fetch(&turns->turned_away, 1, __ATOMIC_RELAXED);
            continue;
        }
        inside = __atomic_add_fetch(&turns->inside, 1, __ATOMIC_SEQ_CST);
        if (inside > __atomic_load_n(&turns->inside_most, __ATOMIC_SEQ_CST))
            __atomic_store_n(&turns->inside_most, inside, __ATOMIC_SEQ_CST);
        (void)sched_yield();
        (void)__atomic_sub_fetch(&turns->inside, 1, __ATOMIC_SEQ_CST);
        guard_verify_end(turns->guard);
    }
    return NULL;
}

static void few_verify_at_once(void **state)
{
    struct turns turns = {.guard = *state};
    pthread_t threads[GUARD_VERIFY_MAX + GUARD_VERIFY_QUEUE_MAX];
    const size_t count = sizeof(threads) / sizeof(threads[0]);

    for (size_t i = 0; i < count; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_a_turn, &turns), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(turns.inside_most <= GUARD_VERIFY_MAX && turns.inside == 0);
    assert_int_equal(turns.turned_away, 0); /* as many as may wait */
}

static void *wait_for_a_turn(void *context)
{
    if (guard_verify_begin(context))
        guard_verify_end(context);
    return NULL;
}

static void who_comes_when_too_many_wait_is_turned_away(void **state)
{
    struct guard *guard = *state;
    pthread_t threads[GUARD_VERIFY_QUEUE_MAX];
    bool is_full = false;

    for (int i = 0; i < GUARD_VERIFY_MAX; i++)
        assert_true(guard_verify_begin(guard));
    for (int i = 0; i < GUARD_VERIFY_QUEUE_MAX; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_a_turn, guard), 0);
    for (int i = 0; i < 10000 && !is_full; i++) {
        (void)usleep(1000);
        is_full = guard_waiting(guard) == GUARD_VERIFY_QUEUE_MAX;
    }
    assert_true(is_full);
    assert_false(guard_verify_begin(guard));
    for (int i = 0; i < GUARD_VERIFY_MAX; i++)
        guard_verify_end(guard);
    for (int i = 0; i < GUARD_VERIFY_QUEUE_MAX; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(marks_keep_their_parts_apart),
        CASE(pauses_double_up_to_the_longest),
        CASE(the_rest_of_a_pause_is_rounded_up),
        CASE(failures_are_forgotten_after_quiet),
        CASE(a_flood_of_names_does_not_wash_a_pause_away),
        CASE(credentials_are_known_for_their_time),
        CASE(the_oldest_credentials_go_first),
        CASE(few_verify_at_once),
        CASE(who_comes_when_too_many_wait_is_turned_away),
    };

    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
