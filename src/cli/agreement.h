/* What the commands of agreements share. */
#pragma once

#include "cli/cli.h"

#define AGREEMENT_ARENA_BYTES_MAX ((size_t)16 << 20)

/* The newest version of an agreement, or the one in force; CLI_NOT_FOUND with words. */
MUST_USE int cli_agreement(const struct keep_place *place, struct kv_txn *txn, const char *id,
                           bool in_force, struct arena *arena, struct kept *out);
