#include "kv/kv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fault.h"

#include "base/banned.h"

#define KV_FILE_NAME "index.mdb"
#define KV_FILE_MODE 0600
#define KV_PATH_BYTES_MAX 4096
#define KV_ARENA_BYTES_MAX (64 << 10)
#define KV_SPARE_READERS_MAX 256 /* reset handles kept; each holds one of KV_READERS_MAX slots */
#define KV_RESIZE_WAIT_S 5
#define KV_SIZES_TRIED_MAX 64 /* halvings of a 64-bit number */

/* Where the library's first page says whose it is: behind a page header of 16 bytes. */
#define LMDB_MAGIC_OFFSET 16
#define LMDB_MAGIC 0xBEEFC0DEu

struct kv {
    struct arena arena; /* owned: holds this very struct, too */
    const char *path;
    MDB_env *env; /* owned */
    dev_t device;
    ino_t inode;
    size_t map_bytes_asked;
    size_t page_bytes;
    unsigned table_count;
    const char *names[KV_TABLES_MAX];
    MDB_dbi tables[KV_TABLES_MAX];
    struct kv *next; /* guarded by open_kvs.lock */

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    unsigned active;  /* transactions that are going on */
    bool is_resizing; /* one thread is about to map the file anew */
    bool has_writer;
    pthread_t writer;
    unsigned spare_count;
    MDB_txn *spares[KV_SPARE_READERS_MAX]; /* owned: reset read transactions */
};

/* The library must not open one file twice in a process: closing the second would drop
 * the first one's lock. */
static struct {
    pthread_mutex_t lock; /* guards the list and each opening */
    struct kv *first;
} open_kvs = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- words ---- */

static const struct {
    int code;
    enum err err;
    const char *words;
} meanings[] = {
    {MDB_INVALID, ERR_INVALID, "is no database of ours"},
    {MDB_VERSION_MISMATCH, ERR_CONFLICT, "was made by another version of LMDB"},
    {MDB_CORRUPTED, ERR_CORRUPT, "holds a damaged page"},
    {MDB_PAGE_NOTFOUND, ERR_CORRUPT, "lacks a page"},
    {MDB_CURSOR_FULL, ERR_CORRUPT, "holds a tree that is too deep"},
    {MDB_PAGE_FULL, ERR_CORRUPT, "holds a page that is too full"},
    {MDB_INCOMPATIBLE, ERR_CORRUPT, "holds a table of another kind"},
    {MDB_DBS_FULL, ERR_LIMIT, "holds too many tables"},
    {MDB_READERS_FULL, ERR_LIMIT, "has too many readers"},
    {MDB_TXN_FULL, ERR_LIMIT, "cannot change that much in one transaction"},
    {MDB_BAD_VALSIZE, ERR_LIMIT, "cannot hold a key or value of this length"},
    {MDB_KEYEXIST, ERR_CONFLICT, "was given keys out of order"},
    {MDB_PANIC, ERR_IO, "could not be written before; open it again"},
    {MDB_BAD_RSLOT, ERR_IO, "lost a reader's slot"},
    {MDB_MAP_RESIZED, ERR_IO, "was made larger by another process; try again"},
    {ENOSPC, ERR_IO, "the disk is full"},
    {EDQUOT, ERR_IO, "the disk quota is used up"},
    {EFBIG, ERR_IO, "would pass the file size this process may write (ulimit -f)"},
};

static result map_full(const struct kv *kv, size_t map_bytes, struct diag *diag)
{
    if (map_bytes < kv->map_bytes_asked)
        return diag_fail(diag, ERR_LIMIT,
                         "%s: is full at %zu bytes: this machine lets the process map no more",
                         kv->path, map_bytes);
    return diag_fail(diag, ERR_LIMIT, "%s: is full at %zu bytes: raise store_bytes_max", kv->path,
                     map_bytes);
}

/* The library reports a write that stopped half-way, as on a full disk, as EIO. */
static bool disk_is_full(const struct kv *kv)
{
    struct statvfs fs;

    return statvfs(kv->path, &fs) == 0 && fs.f_bavail == 0;
}

/* Say what a library code means.  A code is one of theirs (negative) or an errno. */
static result explain(const struct kv *kv, int code, const char *what, struct diag *diag)
{
    if (code == MDB_MAP_FULL)
        return map_full(kv, (size_t)kv_bytes_max((struct kv *)(uintptr_t)kv), diag);
    if (code == EIO && disk_is_full(kv))
        code = ENOSPC;
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (meanings[i].code == code)
            return diag_fail(diag, meanings[i].err, "%s: %s: %s", kv->path, what,
                             meanings[i].words);
    }
    if (code < 0)
        return diag_fail(diag, ERR_IO, "%s: %s: %s", kv->path, what, mdb_strerror(code));
    return diag_errno(diag, code, "%s: %s", kv->path, what);
}

void kv_fail(struct kv_txn *txn, result why)
{
    assert(failed(why));
    if (succeeded(txn->state))
        txn->state = why;
}

static void txn_fail(struct kv_txn *txn, kv_table table, int code, const char *what)
{
    char where[128];

    if (failed(txn->state))
        return;
    (void)snprintf(where, sizeof(where), "table %s: %s", txn->kv->names[table], what);
    txn->state = explain(txn->kv, code, where, txn->diag);
}

/* ---- open ---- */

static bool open_in_this_process(dev_t device, ino_t inode)
{
    for (const struct kv *kv = open_kvs.first; kv != NULL; kv = kv->next) {
        if (kv->device == device && kv->inode == inode)
            return true;
    }
    return false;
}

/* Make the file if need be, see that nobody here has it, and that it is of the right
 * kind, before the library maps it. */
static result look_at_file(struct kv *kv, bool *is_ours, struct diag *diag)
{
    uint32_t magic = 0;
    struct stat st;
    ssize_t got;
    int fd = FAULT_HERE() ? -1 : open(kv->path, O_RDWR | O_CREAT | O_CLOEXEC, KV_FILE_MODE);

    if (fd < 0)
        return diag_errno(diag, errno, "%s: open", kv->path);
    if (fstat(fd, &st) != 0) {
        int number = errno;

        (void)close(fd);
        return diag_errno(diag, number, "%s: stat", kv->path);
    }
    got = pread(fd, &magic, sizeof(magic), LMDB_MAGIC_OFFSET);
    (void)close(fd);
    kv->device = st.st_dev;
    kv->inode = st.st_ino;
    *is_ours = got == (ssize_t)sizeof(magic) && magic == LMDB_MAGIC;
    if (!S_ISREG(st.st_mode) || (st.st_size > 0 && !*is_ours))
        return diag_fail(diag, ERR_INVALID, "%s: is no database of ours", kv->path);
    if (open_in_this_process(kv->device, kv->inode))
        return diag_fail(diag, ERR_CONFLICT, "%s: is open in this process already", kv->path);
    return OK;
}

static int env_open(struct kv *kv, size_t map_bytes)
{
    int code = FAULT_HERE() ? ENOMEM : mdb_env_create(&kv->env);

    if (code != 0) {
        kv->env = NULL;
        return code;
    }
    code = mdb_env_set_mapsize(kv->env, map_bytes);
    if (code == 0)
        code = mdb_env_set_maxdbs(kv->env, KV_TABLES_MAX);
    if (code == 0)
        code = mdb_env_set_maxreaders(kv->env, KV_READERS_MAX);
    /* MDB_NOTLS: a read transaction belongs to its handle, not to a thread. */
    if (code == 0)
        code = FAULT_HERE()
                   ? EIO
                   : mdb_env_open(kv->env, kv->path, MDB_NOSUBDIR | MDB_NOTLS, KV_FILE_MODE);
    if (code != 0) {
        mdb_env_close(kv->env);
        kv->env = NULL;
    }
    return code;
}

/* Ask for all of it; a machine with less address space (ulimit -v, overcommit) gets
 * what it can map. */
static result env_map(struct kv *kv, bool is_ours, struct diag *diag)
{
    size_t bytes = kv->map_bytes_asked;
    int code = ENOMEM;

    for (int i = 0; i < KV_SIZES_TRIED_MAX && code == ENOMEM; i++) {
        code = env_open(kv, bytes);
        if (code != ENOMEM || bytes / 2 < KV_MAP_BYTES_MIN)
            break;
        bytes /= 2;
    }
    if (code == ENOMEM)
        return diag_fail(diag, ERR_LIMIT, "%s: cannot map even %zu bytes of it (ulimit -v?)",
                         kv->path, bytes);
    if (code == MDB_INVALID && is_ours)
        return diag_fail(diag, ERR_CORRUPT, "%s: is cut short: its first pages are not whole",
                         kv->path);
    if (code != 0)
        return explain(kv, code, "open", diag);
    return OK;
}

/* How many pages from `first` up to `end` the list of free pages names.  The file has been
 * made long enough, so a page that was lost reads as zeros, which no page is. */
static int count_free_pages(MDB_txn *txn, size_t first, size_t end, size_t *count)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int code = mdb_cursor_open(txn, 0, &cursor);

    *count = 0;
    if (code != 0)
        return code;
    while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        const size_t *pages = value.mv_data; /* a count, then that many numbers */
        size_t room = value.mv_size / sizeof(size_t);

        for (size_t i = 1; i < room && i <= pages[0]; i++) {
            if (pages[i] >= first && pages[i] < end)
                (*count)++;
        }
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? 0 : code;
}

static bool pages_are_free(struct kv *kv, size_t first, size_t end)
{
    MDB_txn *txn; /* the library shows its list to read transactions alone */
    size_t count;
    int code;

    if (mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &txn) != 0)
        return false;
    code = count_free_pages(txn, first, end, &count);
    mdb_txn_abort(txn);
    return code == 0 && count == end - first;
}

/* With the writer's lock held: nobody else changes the file's length now. */
static result check_short_file(struct kv *kv, int fd, struct diag *diag)
{
    MDB_envinfo info;
    struct stat st;
    size_t whole_bytes;

    (void)mdb_env_info(kv->env, &info);
    whole_bytes = (info.me_last_pgno + 1) * kv->page_bytes;
    if (fstat(fd, &st) != 0)
        return diag_errno(diag, errno, "%s: stat", kv->path);
    if ((size_t)st.st_size >= whole_bytes)
        return OK;
    if (ftruncate(fd, (off_t)whole_bytes) != 0)
        return diag_errno(diag, errno, "%s: lengthen", kv->path);
    if (pages_are_free(kv, (size_t)st.st_size / kv->page_bytes, info.me_last_pgno + 1))
        return OK;
    if (ftruncate(fd, st.st_size) != 0)
        return diag_errno(diag, errno, "%s: is cut short, and cannot be put back", kv->path);
    return diag_fail(diag, ERR_CORRUPT, "%s: is cut short: %lld bytes of at least %zu", kv->path,
                     (long long)st.st_size, whole_bytes);
}

/* Touching a page behind the file's end would be SIGBUS, so compare its length with what
 * its newest root says.  A file may be shorter and whole: pages that were taken and
 * freed within one transaction are never written. */
static result check_length(struct kv *kv, struct diag *diag)
{
    MDB_envinfo info;
    MDB_stat layout;
    MDB_txn *txn;
    struct stat st;
    result checked;
    int fd, code;

    (void)mdb_env_info(kv->env, &info);
    (void)mdb_env_stat(kv->env, &layout);
    kv->page_bytes = layout.ms_psize;
    code = mdb_env_get_fd(kv->env, &fd);
    assert(code == 0);
    if (fstat(fd, &st) != 0)
        return diag_errno(diag, errno, "%s: stat", kv->path);
    if ((size_t)st.st_size >= (info.me_last_pgno + 1) * kv->page_bytes)
        return OK;
    code = mdb_txn_begin(kv->env, NULL, 0, &txn);
    if (code != 0)
        return explain(kv, code, "check", diag);
    checked = check_short_file(kv, fd, diag);
    mdb_txn_abort(txn);
    return checked;
}

/* Open the tables that are there; how many are missing, and is anything else there? */
static int find_tables(struct kv *kv, MDB_txn *txn, unsigned flags, unsigned *missing)
{
    *missing = 0;
    for (unsigned i = 0; i < kv->table_count; i++) {
        int code = mdb_dbi_open(txn, kv->names[i], flags, &kv->tables[i]);

        if (code == MDB_NOTFOUND)
            (*missing)++;
        else if (code != 0)
            return code;
    }
    return 0;
}

static bool holds_tables(MDB_txn *txn)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    MDB_dbi main_table;
    bool found = false;

    if (mdb_dbi_open(txn, NULL, 0, &main_table) != 0 ||
        mdb_cursor_open(txn, main_table, &cursor) != 0)
        return false;
    found = mdb_cursor_get(cursor, &key, &value, MDB_FIRST) == 0;
    mdb_cursor_close(cursor);
    return found;
}

static result make_tables(struct kv *kv, struct diag *diag)
{
    MDB_txn *txn;
    unsigned missing;
    int code = FAULT_HERE() ? EIO : mdb_txn_begin(kv->env, NULL, 0, &txn);

    if (code != 0)
        return explain(kv, code, "make tables", diag);
    code = find_tables(kv, txn, MDB_CREATE, &missing);
    if (code != 0) {
        mdb_txn_abort(txn);
        return explain(kv, code, "make tables", diag);
    }
    code = mdb_txn_commit(txn);
    if (code != 0)
        return explain(kv, code, "make tables", diag);
    return OK;
}

/* In a read transaction first, so that opening waits for no writer. */
static result open_tables(struct kv *kv, struct diag *diag)
{
    MDB_txn *txn;
    unsigned missing;
    bool is_foreign;
    int code = FAULT_HERE() ? EIO : mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &txn);

    if (code != 0)
        return explain(kv, code, "open tables", diag);
    code = find_tables(kv, txn, 0, &missing);
    is_foreign = code == 0 && missing == kv->table_count && holds_tables(txn);
    if (code != 0 || missing > 0)
        mdb_txn_abort(txn);
    else
        code = mdb_txn_commit(txn);
    if (code != 0)
        return explain(kv, code, "open tables", diag);
    if (is_foreign)
        return diag_fail(diag, ERR_INVALID, "%s: is no database of ours: it holds other tables",
                         kv->path);
    return missing > 0 ? make_tables(kv, diag) : OK;
}

static result open_file(struct kv *kv, struct diag *diag)
{
    bool is_ours = false;
    int dead;

    TRY(look_at_file(kv, &is_ours, diag));
    TRY(env_map(kv, is_ours, diag));
    TRY(check_length(kv, diag));
    (void)mdb_reader_check(kv->env, &dead); /* slots of killed processes; a hint, may fail */
    return open_tables(kv, diag);
}

static struct kv *kv_new(const char *folder, size_t map_bytes_max, const char *const *tables)
{
    struct arena arena = ARENA(KV_ARENA_BYTES_MAX);
    struct kv *kv = arena_new(&arena, struct kv, 1);

    if (kv == NULL)
        return NULL;
    kv->path = arena_printf(&arena, "%.*s/" KV_FILE_NAME, KV_PATH_BYTES_MAX, folder).at;
    for (; tables[kv->table_count] != NULL; kv->table_count++) {
        assert(kv->table_count < KV_TABLES_MAX);
        kv->names[kv->table_count] = arena_text(&arena, slice_text(tables[kv->table_count]));
    }
    if (arena.overflowed) {
        arena_free(&arena);
        return NULL;
    }
    kv->map_bytes_asked = map_bytes_max > KV_MAP_BYTES_MIN ? map_bytes_max : KV_MAP_BYTES_MIN;
    (void)pthread_mutex_init(&kv->lock, NULL);
    (void)pthread_cond_init(&kv->changed, NULL);
    kv->arena = arena;
    return kv;
}

static void kv_free(struct kv *kv)
{
    struct arena arena = kv->arena;

    for (unsigned i = 0; i < kv->spare_count; i++)
        mdb_txn_abort(kv->spares[i]);
    if (kv->env != NULL)
        mdb_env_close(kv->env);
    (void)pthread_cond_destroy(&kv->changed);
    (void)pthread_mutex_destroy(&kv->lock);
    arena_free(&arena);
}

result kv_open(const char *folder, size_t map_bytes_max, const char *const *tables, struct kv **out,
               struct diag *diag)
{
    struct kv *kv = FAULT_HERE() ? NULL : kv_new(folder, map_bytes_max, tables);
    result opened;

    if (kv == NULL)
        return diag_fail(diag, ERR_LIMIT, "%s: no memory to open it", folder);
    (void)pthread_mutex_lock(&open_kvs.lock);
    opened = open_file(kv, diag);
    if (succeeded(opened)) {
        kv->next = open_kvs.first;
        open_kvs.first = kv;
    }
    (void)pthread_mutex_unlock(&open_kvs.lock);
    if (failed(opened)) {
        kv_free(kv);
        return opened;
    }
    *out = kv;
    return OK;
}

void kv_close(struct kv **kv)
{
    struct kv **place = &open_kvs.first;

    if (*kv == NULL)
        return;
    assert((*kv)->active == 0);
    (void)pthread_mutex_lock(&open_kvs.lock);
    while (*place != *kv)
        place = &(*place)->next;
    *place = (*kv)->next;
    kv_free(*kv); /* under the lock: a new opener must find it wholly closed */
    (void)pthread_mutex_unlock(&open_kvs.lock);
    *kv = NULL;
}

uint64_t kv_bytes_used(struct kv *kv)
{
    MDB_envinfo info;

    (void)mdb_env_info(kv->env, &info);
    return (uint64_t)(info.me_last_pgno + 1) * kv->page_bytes;
}

uint64_t kv_bytes_max(struct kv *kv)
{
    MDB_envinfo info;

    (void)mdb_env_info(kv->env, &info);
    return info.me_mapsize;
}

/* ---- transactions ---- */

/* Count ourselves in, and take a spare read handle along. */
static MDB_txn *enter(struct kv *kv, bool is_write)
{
    MDB_txn *spare = NULL;

    (void)pthread_mutex_lock(&kv->lock);
    assert(!is_write || !kv->has_writer || !pthread_equal(kv->writer, pthread_self()));
    while (kv->is_resizing)
        (void)pthread_cond_wait(&kv->changed, &kv->lock);
    kv->active++;
    if (!is_write && kv->spare_count > 0)
        spare = kv->spares[--kv->spare_count];
    (void)pthread_mutex_unlock(&kv->lock);
    return spare;
}

/* Count ourselves out; true when the read handle was kept. */
static bool leave(struct kv *kv, MDB_txn *spare, bool was_writer)
{
    bool kept = false;

    (void)pthread_mutex_lock(&kv->lock);
    kv->active--;
    if (was_writer)
        kv->has_writer = false;
    if (spare != NULL && kv->spare_count < KV_SPARE_READERS_MAX) {
        kv->spares[kv->spare_count++] = spare;
        kept = true;
    }
    if (kv->is_resizing)
        (void)pthread_cond_broadcast(&kv->changed);
    (void)pthread_mutex_unlock(&kv->lock);
    return kept;
}

/* Another process, with a larger map, has made the file longer than ours.  Map anew when
 * all transactions here are over; the caller is counted out already. */
static int adopt_larger_map(struct kv *kv)
{
    struct timespec until;
    int code = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until); /* tidy: pthread's deadlines are timespecs */
    until.tv_sec += KV_RESIZE_WAIT_S;
    (void)pthread_mutex_lock(&kv->lock);
    if (kv->is_resizing) { /* another thread is at it: it speaks for us */
        while (kv->is_resizing)
            (void)pthread_cond_wait(&kv->changed, &kv->lock);
    } else {
        kv->is_resizing = true;
        while (kv->active > 0 && code == 0)
            code = pthread_cond_timedwait(&kv->changed, &kv->lock, &until);
        code = kv->active > 0 ? MDB_MAP_RESIZED : mdb_env_set_mapsize(kv->env, 0);
        kv->is_resizing = false;
        (void)pthread_cond_broadcast(&kv->changed);
    }
    (void)pthread_mutex_unlock(&kv->lock);
    return code;
}

static int begin_once(struct kv *kv, bool is_write, MDB_txn **out)
{
    MDB_txn *txn = enter(kv, is_write);
    int code;

    if (FAULT_HERE())
        code = EIO;
    else if (txn != NULL)
        code = mdb_txn_renew(txn);
    else
        code = mdb_txn_begin(kv->env, NULL, is_write ? 0 : MDB_RDONLY, out);
    if (code == 0) {
        if (txn != NULL)
            *out = txn;
        return 0;
    }
    if (txn != NULL)
        mdb_txn_abort(txn);
    (void)leave(kv, NULL, false);
    return code;
}

static void begin(struct kv *kv, struct kv_txn *txn, bool is_write, struct diag *diag)
{
    MDB_txn *handle = NULL;
    int dead, code = begin_once(kv, is_write, &handle);

    *txn = (struct kv_txn){.kv = kv, .is_write = is_write, .state = OK, .diag = diag};
    if (code == MDB_MAP_RESIZED) {
        code = adopt_larger_map(kv);
        if (code == 0)
            code = begin_once(kv, is_write, &handle);
    } else if (code == MDB_READERS_FULL) {
        (void)mdb_reader_check(kv->env, &dead);
        code = begin_once(kv, is_write, &handle);
    }
    if (code != 0)
        txn->state = explain(kv, code, is_write ? "begin to write" : "begin to read", diag);
    else
        txn->handle = handle;
}

void kv_begin_read(struct kv *kv, struct kv_txn *txn, struct diag *diag)
{
    begin(kv, txn, false, diag);
}

void kv_begin_write(struct kv *kv, struct kv_txn *txn, struct diag *diag)
{
    begin(kv, txn, true, diag);
    if (txn->handle == NULL)
        return;
    (void)pthread_mutex_lock(&kv->lock);
    kv->has_writer = true;
    kv->writer = pthread_self();
    (void)pthread_mutex_unlock(&kv->lock);
}

static void end_read(struct kv_txn *txn)
{
    MDB_txn *handle = txn->handle;

    mdb_txn_reset(handle);
    txn->handle = NULL;
    if (!leave(txn->kv, handle, false))
        mdb_txn_abort(handle);
}

void kv_abort(struct kv_txn *txn)
{
    if (txn->handle == NULL)
        return;
    if (!txn->is_write) {
        end_read(txn);
        return;
    }
    mdb_txn_abort(txn->handle);
    txn->handle = NULL;
    (void)leave(txn->kv, NULL, true);
}

result kv_commit(struct kv_txn *txn)
{
    int code;

    if (txn->handle == NULL || !txn->is_write || failed(txn->state)) {
        kv_abort(txn);
        return txn->state;
    }
    if (FAULT_HERE()) {
        mdb_txn_abort(txn->handle);
        code = ENOSPC;
    } else {
        code = mdb_txn_commit(txn->handle); /* ends it, whatever it returns */
    }
    txn->handle = NULL;
    (void)leave(txn->kv, NULL, true);
    if (code != 0)
        txn->state = explain(txn->kv, code, "commit", txn->diag);
    return txn->state;
}

/* ---- single keys ---- */

static MDB_val val_of(slice s)
{
    /* The library reads through this pointer and never writes. */
    return (MDB_val){.mv_size = s.len, .mv_data = (void *)(uintptr_t)s.at};
}

static slice slice_of_val(MDB_val val)
{
    return slice_of(val.mv_data, val.mv_size);
}

/* May this transaction take a step on the table?  Wrong tables are our own mistakes. */
static bool is_live(const struct kv_txn *txn, kv_table table)
{
    if (failed(txn->state))
        return false;
    assert(txn->handle != NULL && table < txn->kv->table_count);
    return true;
}

static bool key_fits(slice key)
{
    return key.len > 0 && key.len <= KV_KEY_BYTES_MAX;
}

bool kv_get(struct kv_txn *txn, kv_table table, slice key, slice *value)
{
    MDB_val k = val_of(key), v;
    int code;

    if (!is_live(txn, table) || !key_fits(key))
        return false;
    code = FAULT_HERE() ? EIO : mdb_get(txn->handle, txn->kv->tables[table], &k, &v);
    if (code == 0)
        *value = slice_of_val(v);
    else if (code != MDB_NOTFOUND)
        txn_fail(txn, table, code, "get");
    return code == 0;
}

static void put(struct kv_txn *txn, kv_table table, slice key, slice value, unsigned flags)
{
    MDB_val k = val_of(key), v = val_of(value);
    int code;

    if (!is_live(txn, table))
        return;
    assert(txn->is_write);
    if (!key_fits(key))
        code = MDB_BAD_VALSIZE;
    else
        code = FAULT_HERE() ? ENOSPC : mdb_put(txn->handle, txn->kv->tables[table], &k, &v, flags);
    if (code != 0)
        txn_fail(txn, table, code, "put");
}

void kv_put(struct kv_txn *txn, kv_table table, slice key, slice value)
{
    put(txn, table, key, value, 0);
}

void kv_append(struct kv_txn *txn, kv_table table, slice key, slice value)
{
    put(txn, table, key, value, MDB_APPEND);
}

bool kv_delete(struct kv_txn *txn, kv_table table, slice key)
{
    MDB_val k = val_of(key);
    int code;

    if (!is_live(txn, table) || !key_fits(key))
        return false;
    assert(txn->is_write);
    code = FAULT_HERE() ? ENOSPC : mdb_del(txn->handle, txn->kv->tables[table], &k, NULL);
    if (code != 0 && code != MDB_NOTFOUND)
        txn_fail(txn, table, code, "delete");
    return code == 0;
}

uint64_t kv_count(struct kv_txn *txn, kv_table table)
{
    MDB_stat stat;
    int code;

    if (!is_live(txn, table))
        return 0;
    code = mdb_stat(txn->handle, txn->kv->tables[table], &stat);
    if (code != 0) {
        txn_fail(txn, table, code, "count");
        return 0;
    }
    return stat.ms_entries;
}

void kv_clear(struct kv_txn *txn, kv_table table)
{
    int code;

    if (!is_live(txn, table))
        return;
    assert(txn->is_write);
    code = FAULT_HERE() ? ENOSPC : mdb_drop(txn->handle, txn->kv->tables[table], 0);
    if (code != 0)
        txn_fail(txn, table, code, "clear");
}

/* ---- cursors ---- */

void kv_cursor_open(struct kv_txn *txn, kv_table table, struct kv_cursor *cursor)
{
    MDB_cursor *handle = NULL;
    int code;

    *cursor = (struct kv_cursor){.txn = txn, .table = table};
    if (!is_live(txn, table))
        return;
    code = FAULT_HERE() ? ENOMEM : mdb_cursor_open(txn->handle, txn->kv->tables[table], &handle);
    if (code != 0)
        txn_fail(txn, table, code, "cursor");
    else
        cursor->handle = handle;
}

void kv_cursor_close(struct kv_cursor *cursor)
{
    /* The library frees a write transaction's cursors when that ends. */
    if (cursor->handle != NULL && (!cursor->txn->is_write || cursor->txn->handle != NULL))
        mdb_cursor_close(cursor->handle);
    cursor->handle = NULL;
}

static bool move(struct kv_cursor *cursor, slice key, MDB_cursor_op op)
{
    MDB_val k = val_of(key), v;
    int code;

    cursor->key = cursor->value = SLICE_NONE;
    if (!is_live(cursor->txn, cursor->table))
        return false;
    assert(cursor->handle != NULL);
    code = FAULT_HERE() ? EIO : mdb_cursor_get(cursor->handle, &k, &v, op);
    if (code == 0) {
        cursor->key = slice_of_val(k);
        cursor->value = slice_of_val(v);
    } else if (code != MDB_NOTFOUND) {
        txn_fail(cursor->txn, cursor->table, code, "walk");
    }
    return code == 0;
}

bool kv_seek(struct kv_cursor *cursor, slice key)
{
    slice head = slice_head(key, KV_KEY_BYTES_MAX);

    if (key.len == 0)
        return move(cursor, SLICE_NONE, MDB_FIRST);
    if (!move(cursor, head, MDB_SET_RANGE))
        return false;
    /* Longer than any key: its own head sorts before it. */
    if (head.len < key.len && slice_eq(cursor->key, head))
        return move(cursor, SLICE_NONE, MDB_NEXT);
    return true;
}

bool kv_seek_last_before(struct kv_cursor *cursor, slice key)
{
    slice head = slice_head(key, KV_KEY_BYTES_MAX);

    if (key.len == 0 || !move(cursor, head, MDB_SET_RANGE))
        return move(cursor, SLICE_NONE, MDB_LAST);
    if (head.len < key.len && slice_eq(cursor->key, head))
        return true;
    return move(cursor, SLICE_NONE, MDB_PREV);
}

bool kv_next(struct kv_cursor *cursor)
{
    return move(cursor, SLICE_NONE, MDB_NEXT);
}

bool kv_prev(struct kv_cursor *cursor)
{
    return move(cursor, SLICE_NONE, MDB_PREV);
}

void kv_cursor_put(struct kv_cursor *cursor, slice key, slice value)
{
    MDB_val k = val_of(key), v = val_of(value);
    int code;

    cursor->key = cursor->value = SLICE_NONE;
    if (!is_live(cursor->txn, cursor->table))
        return;
    assert(cursor->handle != NULL && cursor->txn->is_write);
    if (!key_fits(key))
        code = MDB_BAD_VALSIZE;
    else
        code = FAULT_HERE() ? ENOSPC : mdb_cursor_put(cursor->handle, &k, &v, 0);
    if (code != 0)
        txn_fail(cursor->txn, cursor->table, code, "put");
}

void kv_cursor_delete(struct kv_cursor *cursor)
{
    int code;

    cursor->key = cursor->value = SLICE_NONE;
    if (!is_live(cursor->txn, cursor->table))
        return;
    assert(cursor->handle != NULL && cursor->txn->is_write);
    code = FAULT_HERE() ? ENOSPC : mdb_cursor_del(cursor->handle, 0);
    if (code != 0)
        txn_fail(cursor->txn, cursor->table, code, "delete");
}
