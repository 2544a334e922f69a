/* What the files of this module share; nobody else includes it. */
#pragma once

#include "store/files.h"
#include "store/store.h"

#define STORE_FORMAT 2
#define STORE_FORMAT_OLDEST 1 /* without the tree over the log; it is derived at the opening */

/* Tables and their keys: docs/FORMATS.md.  The order is that of `table_names` in store.c. */
enum store_table {
    TABLE_META, /* facts of the store itself */
    TABLE_LOG,  /* the ledger's three, side by side */
    TABLE_TREE,
    TABLE_LEDGER,
    TABLE_TYPES,       /* code <-> type name */
    TABLE_COLLECTIONS, /* number -> collection */
    TABLE_NAMES,       /* id or alias -> collection number */
    TABLE_IDS,         /* id, version, seq */
    TABLE_VERSIONS,    /* version, seq */
    TABLE_TERMS,       /* term, first seq -> block of seqs */
    TABLE_RUNS,        /* collection, first seq -> count */
    TABLE_DEAD,        /* block of seqs -> bitmaps of the superseded and the removed */
    TABLE_DATES,       /* first seq of an import -> date_added of it */
    TABLE_MOMENTS,     /* the other way round */
    TABLE_COUNTS,      /* collection -> live additions */
    TABLE_HOLES,       /* text position -> bytes that are to be given back */
    TABLE_COUNT
};

/* When an import stops being one transaction.  Tests make them small. */
struct store_limits {
    size_t gather_bytes; /* gathered: then it is put into the tables */
    size_t single_puts;  /* up to here the whole import is one transaction */
    size_t batch_puts;   /* of a batch that is committed on the way */
};

struct store {
    char folder[4096];
    struct kv *kv; /* owned */
    const struct world *world;
    struct store_files files;
    struct store_limits limits;
    uint64_t seed;           /* of tables in memory, so that nobody can aim at one slot */
    pthread_mutex_t writing; /* one writer in this process ... */
    int lock_fd;             /* ... and, flock'ed, in all of them */
    bool has_mutex, read_only;
    const char *tables[KV_TABLES_MAX + 1]; /* borrowed names; ours, then those of other modules */
};

/* ---- meta.c: facts, interned types, dates ---- */

uint64_t meta_get(struct kv_txn *txn, const char *name, uint64_t otherwise);
void meta_put(struct kv_txn *txn, const char *name, uint64_t value);
void meta_drop(struct kv_txn *txn, const char *name);

#define META_FORMAT "format"
#define META_SEQ_END "seq_end"         /* additions that are named */
#define META_TEXT_END "text_end"       /* behind the last named text */
#define META_PENDING "pending"         /* an import's index batches are in, its end is not */
#define META_COLLECTIONS "collections" /* the highest number given */
#define META_REMOVED "removed"         /* additions that were removed */

#define TYPES_MAX 65535

bool type_code(struct kv_txn *txn, slice name, uint16_t *code);
bool type_name(struct kv_txn *txn, uint16_t code, slice *name);
void type_put(struct kv_txn *txn, uint16_t code, slice name);

/* date_added of an addition, and the first addition later than a date. */
int64_t date_of(struct store_view *view, uint64_t seq);
uint64_t date_seek(struct store_view *view, int64_t after_us);
void date_put(struct kv_txn *txn, uint64_t first, int64_t us);

/* ---- members.c: who is in a collection, who is dead ---- */

#define DEAD_BLOCK_SEQS 4096
#define DEAD_BLOCK_BYTES (DEAD_BLOCK_SEQS / 8)

void run_add(struct kv_txn *txn, uint32_t collection, uint64_t first, uint64_t count);
void count_add(struct kv_txn *txn, uint32_t collection, int64_t change);

enum dead_kind { DEAD_SUPERSEDED, DEAD_REMOVED };

/* Sets or clears one kind of bit of seqs, in ascending order. */
void dead_set(struct kv_txn *txn, enum dead_kind kind, const uint64_t *seqs, size_t count,
              bool value);
bool dead_is(struct kv_txn *txn, enum dead_kind kind, uint64_t seq);

/* A walk along a collection's runs; collection 0: all additions. */
struct run_walk {
    struct kv_txn *txn;
    struct kv_cursor cursor;
    uint32_t collection;
    uint64_t first, end, seq_end;
};
void run_open(struct run_walk *walk, struct store_view *view, uint32_t collection);
void run_close(struct run_walk *walk);
uint64_t run_seek(struct run_walk *walk, uint64_t target); /* SEQ_NONE at the end */

/* The bits of the block that was asked for last, kept at hand. */
struct dead_cache {
    uint64_t block;      /* plus 1; 0: none */
    const uint8_t *bits; /* borrowed from the transaction: superseded, then removed; NULL: none */
};
bool dead_cached(struct dead_cache *cache, struct kv_txn *txn, enum dead_kind kind, uint64_t seq);
/* Is no addition of this seq's block dead? */
bool dead_clean(struct dead_cache *cache, struct kv_txn *txn, uint64_t seq);
