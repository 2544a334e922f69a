/* Entries chosen by what the command line asks for, and told in words. */
#pragma once

#include "cli/cli.h"
#include "ledger/ledger.h"

#define ENTRY_WORDS_MAX 64

struct words {
    slice *at; /* in the arena */
    size_t count, capacity;
};

/* All that is given must fit; of one option given twice, either.  An entry is of an agreement, a
 * partner or an object when it names it, wherever; of an agreement also what went between its
 * parties, since a batch and its receipt are of all that holds between them. */
struct entry_filter {
    slice kinds[ENTRY_WORDS_MAX], actors[ENTRY_WORDS_MAX], agreements[ENTRY_WORDS_MAX],
        partners[ENTRY_WORDS_MAX];
    size_t kind_count, actor_count, agreement_count, partner_count;
    slice objects[ENTRY_WORDS_MAX];
    size_t object_count;
    uint64_t *seqs; /* of their additions; in the arena */
    size_t seq_count;
    struct words parties, submissions; /* of the agreements */
    uint64_t first, end;               /* entries */
    struct buf text;                   /* owned: the filter in one line, for readers */
};

/* Reads --kind, --actor, --agreement, --partner, --object, --from, --to of the command. */
MUST_USE int entry_filter_read(const struct cli *cli, struct store_view *view, struct arena *arena,
                               struct entry_filter *out);
void entry_filter_free(struct entry_filter *filter); /* fits CLEANUP */

struct told_entry {
    uint64_t number;
    slice text; /* the entry; borrowed from the transaction */
    struct ledger_entry entry;
    slice actor; /* empty: none */
};

/* Walk the entries that fit, in order, until take is false.  ERR_CORRUPT for one that cannot be
 * read. */
MUST_USE result entries_walk(struct store_view *view, const struct entry_filter *filter,
                             bool (*take)(void *context, const struct told_entry *told),
                             void *context, struct diag *diag);

/* What an entry says, in words. */
void entry_tell(const struct told_entry *told, struct buf *out);
