/* What the commands of agreements share. */
#pragma once

#include "cli/cli.h"

#define AGREEMENT_ARENA_BYTES_MAX ((size_t)16 << 20)

/* The newest version of an agreement, or the one in force; CLI_NOT_FOUND with words. */
MUST_USE int cli_agreement(const struct keep_place *place, struct kv_txn *txn, const char *id,
                           bool in_force, struct arena *arena, struct kept *out);

/* An agreement of this node, held for reading: what `held` points to lives until it is freed. */
struct agreement_view {
    struct node node;
    struct keep_place place;
    struct kv_txn txn;
    struct arena arena;
    struct kept held;
};

/* The agreement that the first word names: its newest version or the one in force.  The exit code,
 * with words when it is not CLI_OK; the view is freed with agreement_view_free() in any case.
 */
MUST_USE int agreement_view_open(struct cli *cli, bool in_force, struct agreement_view *out);
void agreement_view_free(struct agreement_view *view);
