/* Patterns and events made of anyone's bytes: the detector, with and without the sieve, answers as
 * the slow evaluator does. */
#include "scan/oracle.h"

#include <stdint.h>

#define PATTERNS 4

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct oracle oracle;

    oracle_open(&oracle);
    must(oracle_round(&oracle, (struct chooser){.bytes = slice_of(bytes, count)}, PATTERNS) == 0);
    oracle_close(&oracle);
    return 0;
}
