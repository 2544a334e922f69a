/* The detector, with and without the sieve, gives the slow evaluator's answers. */
#include "rows.h"

#include "scan/oracle.h"

#define ROUNDS 120
#define PATTERNS 40
#define PATTERNS_FEW 2 /* so that the sieve leaves lines out */

static void fast_and_slow_agree(void **state)
{
    struct oracle oracle;
    size_t wrong = 0, most = ROUNDS;

    (void)state;
    /* A longer search by hand. */
    if (getenv("ORACLE_ROUNDS") != NULL)
        most = (size_t)atol(getenv("ORACLE_ROUNDS"));
    oracle_open(&oracle);
    for (size_t seed = 1; seed <= most && wrong < 5; seed++)
        wrong += oracle_round(&oracle, (struct chooser){.state = seed << 32},
                              seed % 2 == 0 ? PATTERNS_FEW : PATTERNS);
    (void)printf("# %zu asked, %zu hit, %zu of them of several events; %zu of %zu lines sieved\n",
                 oracle.asked, oracle.hits, oracle.temporal_hits, oracle.candidates, oracle.lines);
    assert_int_equal(wrong, 0);
    /* Enough of each kind, or the agreement says little. */
    assert_true(oracle.asked > most * PATTERNS / 4);
    assert_in_range(oracle.hits, oracle.asked / 10, oracle.asked * 9 / 10);
    assert_true(oracle.temporal_hits > oracle.asked / 50);
    assert_true(oracle.candidates < oracle.lines);
    oracle_close(&oracle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fast_and_slow_agree)};

    return cmocka_run_group_tests_name("scan/oracle", tests, NULL, NULL);
}
