#include "scan/sieve.h"

#include "base/banned.h"

#define OPENS_ARENA_BYTES_MAX ((size_t)64 << 20)

static void guard_of(const void *context, size_t index, struct guard *out)
{
    ruleset_guard(context, index, out);
}

result sieve_build_of(const struct ruleset *set, struct sieve **out, struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA(OPENS_ARENA_BYTES_MAX);
    struct sieve_guards guards = {.guard = guard_of,
                                  .context = set,
                                  .count = ruleset_guard_count(set),
                                  .open_count = ruleset_open_count(set)};
    struct open_path *opens = arena_new(&arena, struct open_path, guards.open_count + 1);

    *out = NULL;
    if (opens == NULL)
        return diag_fail(diag, ERR_LIMIT, "%zu open paths, over %zu bytes", guards.open_count,
                         OPENS_ARENA_BYTES_MAX);
    for (size_t i = 0; i < guards.open_count; i++)
        ruleset_open(set, i, &opens[i]);
    guards.opens = opens;
    return sieve_build(&guards, out, diag);
}
