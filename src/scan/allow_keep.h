/* The warning lists of a node: an entry of the log for each change, the values beside the log under
 * their hash (docs/FORMATS.md). */
#pragma once

#include "base/crypto.h"
#include "base/world.h"
#include "kv/kv.h"
#include "scan/allow.h"

/* Names of the tables, for store_options.more_tables. */
extern const char *const allow_tables[];

struct allow_place {
    struct kv *kv;
    kv_table log, table; /* table: handle of allow_tables[0] */
    const char *folder;  /* the node's; borrowed */
    const struct world *world;
};

/* What the node knows of a list, without its values. */
struct allow_kept {
    struct hash256 hash; /* of the values' file */
    uint64_t value_count;
    int64_t added_us;
    struct allow_list list; /* no values */
};

/* Keep a list; one of the same name is replaced.  *is_new: false when all of it was kept already,
 * and nothing was written. */
MUST_USE result allow_keep(const struct allow_place *place, const struct allow_list *list,
                           slice actor, bool *is_new, struct diag *diag);
MUST_USE result allow_drop(const struct allow_place *place, slice name, slice actor,
                           struct diag *diag); /* ERR_MISSING: no such list */

/* All lists, by name; in the arena. */
MUST_USE result allow_all(const struct allow_place *place, struct kv_txn *txn, struct arena *arena,
                          const struct allow_kept **out, size_t *count, struct diag *diag);

/* All lists, ready to be asked; *out is owned.  ERR_CORRUPT when a list's values are not those that
 * the log names. */
MUST_USE result allow_load(const struct allow_place *place, struct allow **out, struct diag *diag);

/* Re-derive from an entry of the log.  False: not a kind of ours. */
bool allow_apply(const struct allow_place *place, struct kv_txn *txn, slice kind, uint64_t number,
                 slice entry);
void allow_clear_derived(const struct allow_place *place, struct kv_txn *txn);
