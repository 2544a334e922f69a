/* What a process remembers of log-ins: who failed and has to wait, who was verified a moment ago.
 *
 * A password costs tens of milliseconds and 64 MiB to verify, so a verified one is remembered for
 * GUARD_REMEMBER_S by a keyed hash, and few are verified at once.  All tables are of fixed size:
 * where one is full, the entry that matters least goes.  Safe from any thread.
 */
#pragma once

#include "base/crypto.h"
#include "base/result.h"
#include "base/slice.h"

#define GUARD_REMEMBER_S 600
#define GUARD_FORGET_S                                                                             \
    900                    /* failures are forgotten after this much quiet, or the longest pause   \
                            */
#define GUARD_VERIFY_MAX 2 /* passwords verified at once */
#define GUARD_VERIFY_QUEUE_MAX 32 /* log-ins that wait for their turn */

struct guard;

struct guard_options {
    size_t failures_max; /* before the first pause */
    size_t pause_s_max;
    uint8_t key[SHA256_BYTES]; /* random: nobody outside can choose where entries fall */
};
MUST_USE result guard_new(const struct guard_options *options, struct guard **out,
                          struct diag *diag);
void guard_free(struct guard **guard);

/* The name under which something is remembered: a keyed hash of up to three parts. */
struct hash256 guard_mark(const struct guard *guard, char kind, slice a, slice b, slice c);

/* Seconds this one still has to wait; 0: none. */
unsigned guard_wait_s(struct guard *guard, const struct hash256 *who, uint64_t now_mono_ns);
/* Count a failure.  The pause it brings, in seconds: 0 up to failures_max - 1 failures, then 1, 2,
 * 4 ... up to pause_s_max. */
unsigned guard_count_failure(struct guard *guard, const struct hash256 *who, uint64_t now_mono_ns);
void guard_forget_failures(struct guard *guard, const struct hash256 *who);

/* Verified credentials.  stamp: changes whenever the password does, so that old ones stop at once.
 */
bool guard_knows(struct guard *guard, const struct hash256 *credentials, uint32_t account,
                 uint64_t stamp, uint64_t now_mono_ns);
void guard_remember(struct guard *guard, const struct hash256 *credentials, uint32_t account,
                    uint64_t stamp, uint64_t now_mono_ns);

/* One's turn to verify a password; false when too many wait already. */
bool guard_verify_begin(struct guard *guard);
void guard_verify_end(struct guard *guard);
unsigned guard_waiting(struct guard *guard); /* for their turn, now */
